//! Writes cpio archives in the `newc` format, which the kernel unpacks into its first
//! root filesystem (`Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Component, Path},
};

const MODE_FOLDER: u32 = 0o040_000;
const MODE_FILE: u32 = 0o100_000;
const MODE_LINK: u32 = 0o120_000;

/// An archive being written to `W`.
#[derive(Debug)]
pub(crate) struct Archive<W> {
    output: W,
    next_inode: u32,
    names: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    /// Starts an archive.
    pub(crate) fn new(output: W) -> Self {
        Self {
            output,
            next_inode: 1,
            names: BTreeSet::new(),
        }
    }

    /// Adds a folder and those above it; what is there already is left as it is.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(crate) fn folder(&mut self, path: &str) -> io::Result<()> {
        let mut name = String::new();
        for component in Path::new(path).components() {
            let Component::Normal(component) = component else {
                continue;
            };
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(&component.to_string_lossy());
            if !self.names.contains(&name) {
                self.entry(&name, MODE_FOLDER | 0o755, &[])?;
            }
        }
        Ok(())
    }

    /// Adds a file, and the folders above it. `mode` has the permission bits.
    ///
    /// # Errors
    /// When the output cannot be written, or the file is 4 GiB or larger.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        self.parent(path)?;
        self.entry(path, MODE_FILE | mode, bytes)
    }

    /// Adds a symbolic link to `to`, and the folders above it.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(crate) fn link(&mut self, path: &str, to: &str) -> io::Result<()> {
        self.parent(path)?;
        self.entry(path, MODE_LINK | 0o777, to.as_bytes())
    }

    /// Whether an entry of that name was added.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.names.contains(path.trim_start_matches('/'))
    }

    /// Ends the archive and hands the output back.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn parent(&mut self, path: &str) -> io::Result<()> {
        path.rsplit_once('/')
            .map_or(Ok(()), |(parent, _)| self.folder(parent))
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let name = path.trim_start_matches('/');
        let size = u32::try_from(content.len())
            .map_err(|_| io::Error::other(format!("'{name}' is too large for a cpio archive")))?;
        let name_size = u32::try_from(name.len() + 1)
            .map_err(|_| io::Error::other("a name is too long for a cpio archive"))?;
        let links = if mode & MODE_FOLDER == MODE_FOLDER {
            2
        } else {
            1
        };
        let fields = [
            self.next_inode,
            mode,
            0, // user
            0, // group
            links,
            0, // time of change
            size,
            0, // device, major and minor
            0,
            0, // device node, major and minor
            0,
            name_size,
            0, // checksum, unused in this format
        ];
        let fields = fields.map(|field| format!("{field:08X}"));
        let header = format!("070701{}", fields.concat());
        self.output.write_all(header.as_bytes())?;
        self.output.write_all(name.as_bytes())?;
        self.output.write_all(&[0])?;
        self.pad(header.len() + name.len() + 1)?;
        self.output.write_all(content)?;
        self.pad(content.len())?;
        self.next_inode += 1;
        self.names.insert(name.to_owned());
        Ok(())
    }

    /// Fills up to a multiple of four bytes after `written` of them.
    fn pad(&mut self, written: usize) -> io::Result<()> {
        self.output
            .write_all(&[0; 3][..written.next_multiple_of(4) - written])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry as a reader of the format sees it: name, mode, content.
    type Entry = (String, u32, Vec<u8>);

    fn read(mut archive: &[u8]) -> Vec<Entry> {
        let mut entries = Vec::new();
        loop {
            let (header, rest) = archive.split_at(110);
            assert_eq!(&header[..6], b"070701");
            let field = |number: usize| {
                let start = 6 + 8 * number;
                let text = std::str::from_utf8(&header[start..start + 8]).expect("fields are hex");
                usize::from_str_radix(text, 16).expect("fields are hex")
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name = String::from_utf8(rest[..name_size - 1].to_vec()).expect("names are text");
            let content = (110 + name_size).next_multiple_of(4) - 110;
            if name == "TRAILER!!!" {
                return entries;
            }
            let mode = u32::try_from(mode).expect("modes are short");
            entries.push((name, mode, rest[content..content + size].to_vec()));
            archive = &rest[content + size.next_multiple_of(4)..];
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut archive = Archive::new(Vec::new());
        archive
            .file("/init", 0o755, b"hello")
            .expect("memory can be written");
        archive
            .file("/a/b/c", 0o644, b"12345678")
            .expect("memory can be written");
        archive.link("/a/d", "b/c").expect("memory can be written");
        archive.folder("/a/e").expect("memory can be written");
        assert!(archive.contains("/a/b") && !archive.contains("/a/f"));
        let bytes = archive.finish().expect("memory can be written");
        assert_eq!(bytes.len() % 4, 0);
        let expected = [
            ("init", 0o100_755, b"hello".to_vec()),
            ("a", 0o040_755, Vec::new()),
            ("a/b", 0o040_755, Vec::new()),
            ("a/b/c", 0o100_644, b"12345678".to_vec()),
            ("a/d", 0o120_777, b"b/c".to_vec()),
            ("a/e", 0o040_755, Vec::new()),
        ];
        assert_eq!(
            read(&bytes),
            expected.map(|(name, mode, content)| (name.to_owned(), mode, content))
        );
    }
}
