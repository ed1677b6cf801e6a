//! A tar archive of an image (`docker save`, `skopeo copy … oci-archive:`): where its
//! members are, so that they can be read one by one without unpacking it.

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use tar::{Archive, EntryType};

use super::{
    blob::Blob,
    error::Error,
    path::{join, normal, split},
};

/// Members of an archive beyond this number are refused.
const MOST_MEMBERS: usize = 1_000_000;

/// The members of an archive by name.
#[derive(Debug)]
pub(super) struct Members {
    file: PathBuf,
    places: HashMap<Vec<u8>, Place>,
}

#[derive(Debug)]
enum Place {
    At(u64, u64),
    /// Old archives keep equal layers once and link to them.
    Link(Vec<u8>),
}

impl Members {
    /// Lists an archive.
    pub(super) fn list(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::io(path, source);
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut start = Vec::new();
        (&mut file)
            .take(4)
            .read_to_end(&mut start)
            .map_err(failed)?;
        if start.starts_with(&[0x1f, 0x8b]) || start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err(Error::malformed(
                path,
                "the archive is compressed as a whole, so its members cannot be found; decompress it first ('gunzip', 'unzstd')",
            ));
        }
        let file = File::open(path).map_err(failed)?;
        let mut archive = Archive::new(file);
        let mut places = HashMap::new();
        let broken = |error: std::io::Error| {
            Error::malformed(
                path,
                format!("it is not a tar archive, or cut off: {error}"),
            )
        };
        for entry in archive.entries_with_seek().map_err(broken)?.raw(true) {
            let entry = entry.map_err(broken)?;
            if places.len() >= MOST_MEMBERS {
                return Err(Error::refused(
                    path,
                    "the archive has more than a million members",
                ));
            }
            let name =
                normal(&entry.header().path_bytes()).map_err(|why| Error::refused(path, why))?;
            let (first, size) = (entry.raw_file_position(), entry.size());
            match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {
                    if first.checked_add(size).is_none_or(|end| end > length) {
                        return Err(Error::malformed(
                            path,
                            "it is cut off: a member goes beyond its end",
                        ));
                    }
                    places.insert(name, Place::At(first, size));
                }
                EntryType::Symlink | EntryType::Link => {
                    let target = entry.header().link_name_bytes().unwrap_or_default();
                    if let Some(target) = relative(&name, &target) {
                        places.insert(name, Place::Link(target));
                    }
                }
                _ => {}
            }
        }
        Ok(Self {
            file: path.to_path_buf(),
            places,
        })
    }

    /// A member, following one link.
    pub(super) fn find(&self, name: &str) -> Option<Blob> {
        let name = normal(name.as_bytes()).ok()?;
        let place = match self.places.get(&name)? {
            Place::Link(target) => self.places.get(target)?,
            place @ Place::At(..) => place,
        };
        match place {
            Place::At(first, size) => Some(Blob {
                file: self.file.clone(),
                part: Some((*first, *size)),
            }),
            Place::Link(_) => None,
        }
    }
}

/// The target of a link of the form `../ID/layer.tar`, inside the archive.
fn relative(name: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    let mut directory = split(name).0;
    let mut rest = target;
    while let Some(after) = rest.strip_prefix(b"../") {
        directory = split(directory).0;
        rest = after;
    }
    normal(&join(directory, rest)).ok()
}
