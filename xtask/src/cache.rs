//! The cache that `setup` fills: one folder per thing and version, each complete or
//! absent, safe with several `xtask` at once and shared by all work trees of a user.

use std::{
    env,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// The cache's folder.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the cache: `$SHARESTAT_CACHE`, else `$XDG_CACHE_HOME/sharestat`, else
    /// `~/.cache/sharestat`.
    ///
    /// # Errors
    /// When there is no home folder, or the cache folder cannot be made.
    pub(crate) fn open() -> Result<Self> {
        let folder = |variable: &str| {
            env::var_os(variable)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = folder("SHARESTAT_CACHE")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("sharestat")))
            .or_else(|| folder("HOME").map(|home| home.join(".cache/sharestat")));
        let Some(root) = root else {
            bail!("there is no folder for the cache: set SHARESTAT_CACHE or HOME");
        };
        Self::at(&root)
    }

    /// The cache in `root`, made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn at(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| {
            format!(
                "the cache folder '{}' cannot be made; set SHARESTAT_CACHE to one that can",
                root.display()
            )
        })?;
        let root = fs::canonicalize(root)
            .with_context(|| format!("the cache folder '{}' cannot be read", root.display()))?;
        Ok(Self { root })
    }

    /// A path below the cache, present or not.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns the folder `relative`, after `fill` has filled it when it was absent.
    ///
    /// `fill` gets an empty folder on the same filesystem, which takes its place only
    /// when all went well. Another `xtask` that wants the same waits.
    ///
    /// # Errors
    /// Those of `fill`, and when the folder cannot be locked or put in place.
    pub(crate) fn folder(
        &self,
        relative: &str,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let folder = self.path(relative);
        if folder.is_dir() {
            return Ok(folder);
        }
        let _lock = self.lock(relative)?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let staging = self.staging()?;
        fill(staging.path())?;
        self.place(staging, &folder)?;
        Ok(folder)
    }

    /// An empty folder on the cache's filesystem, removed when dropped.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn staging(&self) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix(".staging-")
            .tempdir_in(&self.root)
            .with_context(|| format!("no folder can be made in '{}'", self.root.display()))
    }

    /// Waits until no other `xtask` works on `name`; the lock ends with the value.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub(crate) fn lock(&self, name: &str) -> Result<File> {
        let path = self.path(format!(".lock-{}", name.replace('/', "-")));
        let file = File::create(&path)
            .with_context(|| format!("the lock file '{}' cannot be made", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                eprintln!("another xtask prepares '{name}': waiting for it");
            }
            Err(TryLockError::Error(error)) => {
                return Err(error)
                    .with_context(|| format!("'{}' cannot be locked", path.display()));
            }
        }
        file.lock()
            .with_context(|| format!("'{}' cannot be locked", path.display()))?;
        Ok(file)
    }

    fn place(&self, staging: TempDir, folder: &Path) -> Result<()> {
        let parent = folder.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent)
            .with_context(|| format!("'{}' cannot be made", parent.display()))?;
        let staged = staging.keep();
        fs::rename(&staged, folder).with_context(|| {
            format!(
                "'{}' cannot be renamed to '{}'",
                staged.display(),
                folder.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (TempDir, Cache) {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let cache = Cache::at(folder.path()).expect("the folder is ours");
        (folder, cache)
    }

    #[test]
    fn folder_is_filled_once() {
        let (_guard, cache) = cache();
        for word in ["first", "second"] {
            cache
                .folder("a/b", |folder| Ok(fs::write(folder.join("word"), word)?))
                .expect("it is ours");
        }
        assert_eq!(
            fs::read_to_string(cache.path("a/b/word")).expect("it was filled"),
            "first"
        );
    }

    #[test]
    fn failed_fill_leaves_nothing() {
        let (guard, cache) = cache();
        let error = cache
            .folder("a", |folder| {
                fs::write(folder.join("half"), "")?;
                bail!("no luck")
            })
            .expect_err("the fill failed");
        assert_eq!(error.to_string(), "no luck");
        let left: Vec<_> = fs::read_dir(guard.path())
            .expect("it is ours")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !name.starts_with(".lock-"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    }
}
