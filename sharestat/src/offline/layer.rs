//! One layer from its tar stream: files as pages, hard links, and what it hides of the
//! layers below. Nothing is unpacked; a stream that could not be a layer is refused.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
};

use tar::{Archive, EntryType, PaxExtensions};

use super::{
    limits::Room,
    pages::{self, Content},
    path,
};
use crate::{progress::Progress, seed::Seed};

/// Extended headers (long names, PAX records) beyond this size are refused.
const MOST_HEADER: u64 = 1 << 20;

/// A file's place in [`Contents::files`].
pub(super) type FileNumber = usize;

/// What a layer or a directory holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The files. Hard links are names of one file.
    pub(super) files: Vec<Content>,
    /// Everything by path: a file, or something else (`None`).
    pub(super) names: HashMap<Vec<u8>, Option<FileNumber>>,
    /// The directories among the names.
    pub(super) directories: HashSet<Vec<u8>>,
    /// Paths that this layer removes, with everything below.
    pub(super) removed: HashSet<Vec<u8>>,
    /// Directories of which nothing below shows through.
    pub(super) opaque: HashSet<Vec<u8>>,
    /// Pages that could not be read, by file.
    pub(super) unreadable: HashMap<FileNumber, u64>,
    /// What was left out.
    pub(super) left_out: LeftOut,
}

/// What a layer has that is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Device nodes, FIFOs and sockets: refused, they hold no page cache of their own.
    pub(super) nodes: u64,
    /// Hard links to nothing in the layer.
    pub(super) dangling: u64,
    /// Files that could not be read.
    pub(super) unreadable: u64,
}

impl LeftOut {
    pub(super) fn add(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.dangling += other.dangling;
        self.unreadable += other.unreadable;
    }
}

/// What the headers before an entry say about it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

/// Reads a layer.
///
/// # Errors
/// When the stream breaks, or holds what no layer may hold.
pub(super) fn read(
    stream: impl Read,
    seed: Seed,
    space: &Room,
    progress: &Progress,
) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut links = Vec::new();
    let mut extended = Extended::default();
    let mut archive = Archive::new(stream);
    // Raw: the crate would read extended headers of any size, and unfold sparse files.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        space.take_entry().map_err(refused)?;
        if progress.stopped() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => {
                extended.path = Some(long_name(&mut entry)?);
                continue;
            }
            EntryType::GNULongLink => {
                extended.link = Some(long_name(&mut entry)?);
                continue;
            }
            EntryType::XHeader => {
                records(&mut entry, &mut extended)?;
                continue;
            }
            EntryType::XGlobalHeader => continue,
            _ => {}
        }
        let Extended { path: long, link } = std::mem::take(&mut extended);
        let raw = long.unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let name = path::normal(&raw).map_err(refused)?;
        if name.is_empty() {
            continue;
        }
        space.take_names(name.len()).map_err(refused)?;
        if contents.take_whiteout(&name) {
            continue;
        }
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let size = entry.size();
                let content = pages::content(&mut entry, size, seed)?;
                if content.size < size {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                progress.add_files(1);
                progress.add_pages(content.pages.len() as u64);
                contents.directories.remove(&name);
                contents.names.insert(name, Some(contents.files.len()));
                contents.files.push(content);
            }
            EntryType::Link => {
                let header = entry.header().link_name_bytes();
                let raw = link
                    .or_else(|| header.map(std::borrow::Cow::into_owned))
                    .unwrap_or_default();
                let target = path::normal(&raw).map_err(refused)?;
                space.take_names(target.len()).map_err(refused)?;
                links.push((name, target));
            }
            EntryType::Directory => {
                contents.directories.insert(name.clone());
                contents.names.insert(name, None);
            }
            EntryType::Symlink => {
                contents.directories.remove(&name);
                contents.names.insert(name, None);
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                contents.left_out.nodes += 1;
                contents.names.insert(name, None);
            }
            EntryType::GNUSparse => {
                return Err(refused("it has a sparse entry, which layers never have"));
            }
            _ => return Err(refused("it has an entry of a kind that layers never have")),
        }
    }
    contents.resolve(links);
    Ok(contents)
}

impl Contents {
    /// Takes a whiteout (`.wh.NAME`, `.wh..wh..opq`) as the OCI image specification has it.
    fn take_whiteout(&mut self, name: &[u8]) -> bool {
        let (directory, file) = path::split(name);
        let Some(hidden) = file.strip_prefix(b".wh.") else {
            return false;
        };
        if hidden == b".wh..opq" {
            self.opaque.insert(directory.to_vec());
        } else if !hidden.starts_with(b".wh.") && !hidden.is_empty() {
            // Names that begin with '.wh..wh.' are aufs' own and hide nothing.
            self.removed.insert(path::join(directory, hidden));
        }
        true
    }

    /// Hard links may come before what they link to, and lead to other links: those that
    /// come too early wait for the name that they lead to.
    fn resolve(&mut self, links: Vec<(Vec<u8>, Vec<u8>)>) {
        let mut waiting: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
        let mut there = Vec::new();
        for (name, target) in links {
            if let Some(file) = self.names.get(&target).copied() {
                there.push(name.clone());
                self.names.insert(name, file);
            } else {
                waiting.entry(target).or_default().push(name);
            }
        }
        while let Some(target) = there.pop() {
            let file = self.names.get(&target).copied().flatten();
            for name in waiting.remove(&target).unwrap_or_default() {
                there.push(name.clone());
                self.names.insert(name, file);
            }
        }
        let dangling: usize = waiting.values().map(Vec::len).sum();
        self.left_out.dangling += dangling as u64;
    }
}

fn long_name(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut name = header(entry)?;
    while name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

fn header(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(MOST_HEADER + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_HEADER {
        return Err(refused("it has a name or header of more than 1 MiB"));
    }
    Ok(bytes)
}

/// Path and link target of PAX records. A size of its own means more than 8 GiB.
fn records(entry: &mut impl Read, extended: &mut Extended) -> io::Result<()> {
    let bytes = header(entry)?;
    for record in PaxExtensions::new(&bytes) {
        let record = record?;
        match record.key_bytes() {
            b"path" => extended.path = Some(record.value_bytes().to_vec()),
            b"linkpath" => extended.link = Some(record.value_bytes().to_vec()),
            b"size" => return Err(refused("it has a file of more than 8 GiB")),
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(refused("it has a sparse entry, which layers never have"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// An error that says that the stream is read right and not wanted.
fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why.into())
}
