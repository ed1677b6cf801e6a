//! A folder of its own for each thread, for parsers that read files; and inputs that hold
//! several files: `== NAME` on a line begins one.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// Files that one input may hold.
const MOST_FILES: usize = 64;

/// A folder that goes with its owner.
#[derive(Debug)]
pub(crate) struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// A fresh folder, in memory where there is a place for that.
    pub(crate) fn new() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let memory = PathBuf::from("/dev/shm");
        let place = if memory.is_dir() {
            memory
        } else {
            env::temp_dir()
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = place.join(format!("sharestat-fuzz-{}-{number}", std::process::id()));
        fs::create_dir(&root)?;
        Ok(Self { root })
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes one file.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content)?;
        Ok(path)
    }

    /// Writes the files of an input. A name that is a file and a folder is one of them.
    pub(crate) fn fill(&self, input: &[u8]) {
        for (name, content) in files(input).into_iter().take(MOST_FILES) {
            let _ = self.write(&name, content);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is small, and in a place that is cleared.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The files of an input: names of plain components, and contents.
fn files(input: &[u8]) -> Vec<(String, &[u8])> {
    const MARK: &[u8] = b"== ";
    let mut found = Vec::new();
    let mut rest = input;
    while let Some(named) = rest.strip_prefix(MARK) {
        let Some(end) = named.iter().position(|byte| *byte == b'\n') else {
            break;
        };
        let (name, after) = (&named[..end], &named[end + 1..]);
        let next = after
            .windows(MARK.len() + 1)
            .position(|window| window.starts_with(b"\n") && window.ends_with(MARK));
        let (content, behind) =
            next.map_or((after, &[][..]), |at| (&after[..at], &after[at + 1..]));
        if let Some(name) = plain(name) {
            found.push((name, content));
        }
        rest = behind;
    }
    found
}

/// A name that stays in the folder and is short enough for any filesystem.
fn plain(name: &[u8]) -> Option<String> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/".contains(byte);
    let parts = || name.split(|byte| *byte == b'/');
    let ordinary = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
    (name.len() < 200 && parts().count() < 12 && name.iter().all(allowed) && parts().all(ordinary))
        .then(|| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_becomes_its_files_and_none_outside() {
        let input = b"== a/b\none\n== c\n\n== ../d\nno\n== e\n== f";
        let names: Vec<(String, &[u8])> = files(input);
        assert_eq!(
            names,
            [
                ("a/b".to_owned(), &b"one"[..]),
                ("c".to_owned(), b""),
                ("e".to_owned(), b"== f"),
            ]
        );
    }

    #[test]
    fn a_folder_goes_with_its_owner() {
        let scratch = Scratch::new().expect("a folder");
        scratch.fill(b"== a/b\none");
        let root = scratch.root().to_path_buf();
        assert_eq!(fs::read(root.join("a/b")).expect("a file"), b"one");
        drop(scratch);
        assert!(!root.exists());
    }
}
