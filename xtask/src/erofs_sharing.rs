//! An EROFS image whose files carry fingerprints, so that Linux 7.2 and later can share
//! their pages with those of another image (`inode_share`). Older tools do not write the
//! superblock's part: it is put in here, after the format's description
//! (Documentation/filesystems/erofs.rst).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use rustix::fs::{XattrFlags, setxattr};

use crate::{process::Run, setup::host};

/// Name of the fingerprints, without its namespace `trusted.`.
const INFIX: &[u8] = b"erofs.fingerprint.v1";
const NAME: &str = "trusted.erofs.fingerprint.v1";

/// `EROFS_XATTR_INDEX_TRUSTED`.
const TRUSTED: u8 = 4;

const PAGE: usize = 4096;
const SUPERBLOCK: usize = 1024;

/// `EROFS_SUPER_MAGIC_V1`.
const MAGIC: u32 = 0xe0f5_e1e2;

// Features, compatible ones and others.
const CHECKSUM: u32 = 0x1;
const PLAIN_PREFIXES: u32 = 0x10;
const SHARED_INODES: u32 = 0x20;
const PREFIXES: u32 = 0x40;

/// Makes an image of three files of 32 pages in `folder`. Needs root, for the names of the
/// fingerprints.
///
/// # Errors
/// When a file or a fingerprint cannot be written, or `mkfs.erofs` fails.
pub(crate) fn image(folder: &Path) -> Result<PathBuf> {
    let staging = folder.join("shared");
    fs::create_dir(&staging).context("a folder for an image's files cannot be made")?;
    for number in 1..=3_u8 {
        let path = staging.join(number.to_string());
        let bytes: Vec<u8> = (0..=250)
            .map(|byte| byte ^ number)
            .cycle()
            .take(32 * PAGE)
            .collect();
        fs::write(&path, bytes).context("a file of an image cannot be written")?;
        // The kernel compares fingerprints, and computes none.
        let value = format!("sha256:{}", format!("{number:02x}").repeat(32));
        setxattr(&path, NAME, value.as_bytes(), XattrFlags::empty())
            .context("a file cannot be given its fingerprint, which needs root")?;
    }
    let image = folder.join("shared.erofs");
    let program = host::find("mkfs.erofs").context("there is no 'mkfs.erofs'")?;
    Command::new(program).arg(&image).arg(&staging).run()?;
    let mut bytes = fs::read(&image).context("an image cannot be read")?;
    announce(&mut bytes).context("'mkfs.erofs' made no image")?;
    fs::write(&image, bytes).context("an image cannot be written")?;
    Ok(image)
}

/// Adds the table of name prefixes with the fingerprints' name, and says in the superblock
/// that this is it. `None` when the image has no superblock.
fn announce(image: &mut Vec<u8>) -> Option<()> {
    image.resize(image.len().next_multiple_of(PAGE), 0);
    let table = image.len();
    image.extend(u16::try_from(INFIX.len() + 1).ok()?.to_le_bytes());
    image.push(TRUSTED);
    image.extend(INFIX);
    image.resize(table + PAGE, 0);
    let superblock = image.get_mut(SUPERBLOCK..SUPERBLOCK + 128)?;
    let word = |at: usize| -> Option<u32> {
        let bytes = superblock.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    if word(0)? != MAGIC {
        return None;
    }
    let words = [
        (
            0x08,
            word(0x08)? & !CHECKSUM | PLAIN_PREFIXES | SHARED_INODES,
        ),
        (0x50, word(0x50)? | PREFIXES),
        (0x5c, u32::try_from(table / 4).ok()?),
    ];
    for (at, value) in words {
        superblock
            .get_mut(at..at + 4)?
            .copy_from_slice(&value.to_le_bytes());
    }
    // One prefix, which is the fingerprints'.
    *superblock.get_mut(0x5b)? = 1;
    *superblock.get_mut(0x69)? = 0;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_superblock_names_the_table_and_keeps_the_rest() {
        let mut image = vec![0; PAGE + 10];
        assert_eq!(announce(&mut image.clone()), None, "no image");
        image[SUPERBLOCK..SUPERBLOCK + 4].copy_from_slice(&MAGIC.to_le_bytes());
        image[SUPERBLOCK + 0x08] = 0x03;
        image[SUPERBLOCK + 0x50] = 0x01;
        announce(&mut image).expect("it has a superblock");
        assert_eq!(image.len(), 3 * PAGE);
        assert_eq!(image[SUPERBLOCK + 0x08], 0x32);
        assert_eq!(image[SUPERBLOCK + 0x50], 0x41);
        let start = &image[SUPERBLOCK + 0x5c..SUPERBLOCK + 0x60];
        assert_eq!(start, (2 * 1024_u32).to_le_bytes());
        assert_eq!(&image[2 * PAGE..2 * PAGE + 5], [21, 0, TRUSTED, b'e', b'r']);
    }
}
