//! A directory of one case, gone when the case ends, also by panic.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tempfile::TempDir;

use crate::harness::OrFail;

/// A directory that everybody may enter (one case drops its privileges). A second one
/// beside it holds what must not be measured: disk images and what they are made from.
pub(crate) struct Scratch {
    directory: TempDir,
}

const SEEN: &str = "seen";
const UNSEEN: &str = "unseen";

impl Scratch {
    /// A fresh directory below `TMPDIR` or `/tmp`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("sharestat-truth.")
            .tempdir()
            .or_fail("making a scratch directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))
            .or_fail("opening the scratch directory to everybody");
        let scratch = Self { directory };
        for part in [scratch.path(), scratch.unseen("")] {
            fs::create_dir(part).or_fail("making a part of the scratch directory");
        }
        scratch
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(SEEN)
    }

    /// The path of something beside it, not created.
    pub(crate) fn unseen(&self, name: &str) -> PathBuf {
        self.directory
            .path()
            .join(UNSEEN)
            .join(name.replace('/', "."))
    }

    /// A new directory inside.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        fs::create_dir_all(&path).or_fail(format_args!("making '{}'", path.display()));
        path
    }

    /// The path of a file inside, not created.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}
