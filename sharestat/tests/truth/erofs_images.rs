//! EROFS images whose files carry fingerprints, so that the kernel can share their pages
//! (`inode_share`, Linux 7.2). Older tools do not write the superblock's part: it is put
//! in here, after the format's description (Documentation/filesystems/erofs.rst).

use std::{
    ffi::CString,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{XattrFlags, setxattr};

use crate::{
    corpus::{self, PAGE, PlannedFile},
    harness::{OrFail, Skip},
    scratch::Scratch,
};

/// Name of the fingerprints, without its namespace `trusted.`.
const INFIX: &[u8] = b"erofs.fingerprint.v1";
pub(crate) const FINGERPRINT: &str = "trusted.erofs.fingerprint.v1";

const SUPERBLOCK: usize = 1024;
const CHECKSUM: u32 = 0x1;
const PLAIN_PREFIXES: u32 = 0x10;
const SHARED_INODES: u32 = 0x20;
const PREFIXES: u32 = 0x40;
/// `EROFS_XATTR_INDEX_TRUSTED`.
const TRUSTED: u8 = 4;

/// Makes an image of these files; each gets a fingerprint in an attribute of the name
/// `marked`, which the superblock announces when it is the usual one.
pub(crate) fn make(
    scratch: &Scratch,
    name: &str,
    files: &[PlannedFile],
    marked: Option<&str>,
) -> Result<PathBuf, Skip> {
    let staging = scratch.unseen(&format!("{name}.staging"));
    fs::create_dir(&staging).or_fail("making a staging directory");
    corpus::write_all(files, &staging);
    if let Some(name) = marked {
        for file in files {
            mark(&staging.join(&file.names[0]), file, name);
        }
    }
    let image = scratch.unseen(name);
    let output = Command::new("mkfs.erofs")
        .arg(&image)
        .arg(&staging)
        .output()
        .map_err(|error| Skip(format!("'mkfs.erofs' does not run: {error}")))?;
    assert!(output.status.success(), "mkfs.erofs: {output:?}");
    if marked == Some(FINGERPRINT) {
        let mut bytes = fs::read(&image).or_fail("reading an image");
        announce(&mut bytes);
        fs::write(&image, bytes).or_fail("writing an image");
    }
    Ok(image)
}

/// A fingerprint of the planned content: the kernel compares it and does not compute it.
fn mark(path: &Path, file: &PlannedFile, name: &str) {
    let seeds = [1_u64, 2, 3, 4];
    let hashes = seeds.map(|seed| {
        (0..file.pages.len()).fold(seed, |hash, page| {
            xxhash_rust::xxh64::xxh64(&file.page_bytes(page), hash)
        })
    });
    let digits: String = hashes.map(|hash| format!("{hash:016x}")).concat();
    let path = CString::new(path.as_os_str().as_bytes()).or_fail("a path");
    let value = format!("sha256:{digits}");
    setxattr(path.as_c_str(), name, value.as_bytes(), XattrFlags::empty())
        .or_fail("setting an extended attribute");
}

/// Adds the table of name prefixes with the fingerprints' name, and says in the
/// superblock that this is it.
fn announce(image: &mut Vec<u8>) {
    image.resize(image.len().next_multiple_of(PAGE), 0);
    let table = image.len();
    let size = u16::try_from(INFIX.len() + 1).or_fail("a short name");
    image.extend(size.to_le_bytes());
    image.push(TRUSTED);
    image.extend(INFIX);
    image.resize(table + PAGE, 0);
    let flags = |image: &[u8], at: usize| {
        let bytes = image[SUPERBLOCK + at..][..4].try_into();
        u32::from_le_bytes(bytes.or_fail("four bytes"))
    };
    let compatible = flags(image, 0x08) & !CHECKSUM | PLAIN_PREFIXES | SHARED_INODES;
    let incompatible = flags(image, 0x50) | PREFIXES;
    let start = u32::try_from(table / 4).or_fail("a small image");
    for (at, value) in [(0x08, compatible), (0x50, incompatible), (0x5c, start)] {
        image[SUPERBLOCK + at..][..4].copy_from_slice(&value.to_le_bytes());
    }
    image[SUPERBLOCK + 0x5b] = 1;
    image[SUPERBLOCK + 0x69] = 0;
}
