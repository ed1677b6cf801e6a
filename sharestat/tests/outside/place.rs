//! Where the tests work: a folder with files to measure, our program, and others' programs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::skip::skipped;

/// The recording that `sharestat demo` plays, and the published schemas.
pub(crate) const RECORDING: &[u8] = include_bytes!("../../demo/demo.ssr");

/// A folder with `data`, in which `one` and `two` have 30 pages in common, `three` has a
/// page of `one` twice, and `four` nothing of others.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        // /tmp may be in memory, where pages have no clean state.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .or_else(|_| tempfile::tempdir())
            .expect("a directory");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a directory");
        let files: [(&str, Vec<u32>); 4] = [
            ("one", (0..40).collect()),
            ("two", (10..40).collect()),
            ("three", vec![0, 0, 100]),
            ("four", (200..220).collect()),
        ];
        for (name, pages) in files {
            let words = pages
                .iter()
                .flat_map(|page| (page + 1).to_le_bytes().repeat(1024));
            let path = data.join(name);
            fs::write(&path, words.collect::<Vec<u8>>()).expect("written");
            fs::File::open(&path)
                .and_then(|file| file.sync_all())
                .expect("synced");
        }
        fs::write(folder.path().join("demo.ssr"), RECORDING).expect("written");
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs our program here.
    pub(crate) fn sharestat(&self, arguments: &[&str]) -> Output {
        let program = env::var_os("SHARESTAT_BIN")
            .map_or_else(|| env!("CARGO_BIN_EXE_sharestat").into(), PathBuf::from);
        Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .output()
            .expect("it starts")
    }

    /// Measures `data`, and writes it to a file here.
    pub(crate) fn scan(&self, file: &str) {
        let arguments = [
            "scan", "-q", "--engine", "user", "--path", "data", "--seed", "7",
        ];
        let output = self.sharestat(&[&arguments[..], &["--top", "0", "-o", file]].concat());
        assert!(output.status.success(), "{output:?}");
    }
}

/// The Python that has `DuckDB`, jsonschema and junitparser; without it the test that asks is skipped.
pub(crate) fn python() -> Option<PathBuf> {
    let python = env::var_os("SHARESTAT_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skipped(
            "no Python with DuckDB, jsonschema and junitparser ('cargo xtask test native' makes one)",
        );
    }
    python
}
