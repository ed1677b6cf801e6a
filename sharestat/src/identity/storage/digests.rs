//! Digests of whole files that their filesystem keeps: fs-verity measurements, and the
//! extended attributes in which EROFS images and composefs carry them.

use std::{fs::File, os::fd::AsRawFd};

use rustix::fs::{fgetxattr, flistxattr};

/// `_IOWR('f', 134, struct fsverity_digest)` (include/uapi/linux/fsverity.h).
const FS_IOC_MEASURE_VERITY: libc::c_ulong = 0xc004_6686;
/// SHA-512 is the longest.
const LONGEST: usize = 64;

#[repr(C)]
struct VerityDigest {
    algorithm: u16,
    size: u16,
    digest: [u8; LONGEST],
}

/// Whether files of this filesystem type carry digests of their own.
pub(super) fn has_own(fs_type: &str) -> bool {
    fs_type == "erofs"
}

/// The digest of a file, with the name of what made it, when there is one.
pub(super) fn of(file: &File, fs_type: &str) -> Option<String> {
    if has_own(fs_type)
        && let Some(digest) = fingerprint(file)
    {
        return Some(digest);
    }
    verity(file)
}

fn verity(file: &File) -> Option<String> {
    let mut request = VerityDigest {
        algorithm: 0,
        size: u16::try_from(LONGEST).unwrap_or(0),
        digest: [0; LONGEST],
    };
    // SAFETY: the kernel writes at most `size` bytes behind the header.
    let answer = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_MEASURE_VERITY, &raw mut request) };
    let digest = request.digest.get(..usize::from(request.size))?;
    (answer == 0 && !digest.is_empty())
        .then(|| format!("verity-{}:{}", request.algorithm, hexadecimal(digest)))
}

/// Namespaces of attributes that only a privileged process can set on a mounted filesystem
/// (`xattr_permission`, fs/xattr.c). Whoever owns a file can put anything into `user.*`.
const TRUSTED: [&[u8]; 2] = [b"trusted.", b"security."];

/// `mkfs.erofs --xattr-inode-digest=NAME` stores `sha256:` and the digest of each file
/// under any name; composefs keeps the fs-verity digest in `trusted.overlay.metacopy`.
fn fingerprint(file: &File) -> Option<String> {
    let mut names = vec![0_u8; 64 << 10];
    let used = flistxattr(file, names.as_mut_slice()).ok()?;
    let names = names.get(..used)?.split(|byte| *byte == 0);
    names.filter(|name| !name.is_empty()).find_map(|name| {
        let mut value = [0_u8; 256];
        let used = fgetxattr(file, name, &mut value[..]).ok()?;
        digest_in(name, value.get(..used)?)
    })
}

pub(crate) fn digest_in(name: &[u8], value: &[u8]) -> Option<String> {
    // `struct ovl_metacopy` (fs/overlayfs/overlayfs.h): version, length, flags, algorithm.
    const HEADER: usize = 4;
    if name == b"trusted.overlay.metacopy" && value.len() > HEADER {
        let algorithm = value[HEADER - 1];
        return Some(format!(
            "verity-{algorithm}:{}",
            hexadecimal(&value[HEADER..])
        ));
    }
    if !TRUSTED.iter().any(|namespace| name.starts_with(namespace)) {
        return None;
    }
    let digits = value.strip_prefix(b"sha256:")?;
    let plain = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
    plain.then(|| String::from_utf8_lossy(value).into_owned())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_known_by_its_form_where_only_root_can_write_it() {
        let sha256 = format!("sha256:{}", "ab".repeat(32));
        let found = |name: &str| digest_in(name.as_bytes(), sha256.as_bytes());
        assert_eq!(found("trusted.any.name").as_ref(), Some(&sha256));
        assert_eq!(found("security.any.name").as_ref(), Some(&sha256));
        for forged in ["user.any.name", "system.any.name", "trustedly", ""] {
            assert_eq!(found(forged), None, "{forged}");
        }
        let metacopy = [0, 36, 0, 1, 0xab, 0xcd];
        let found = digest_in(b"trusted.overlay.metacopy", &metacopy);
        assert_eq!(found.as_deref(), Some("verity-1:abcd"));
        for (name, value) in [
            ("trusted.overlay.metacopy", "\0\0\0\0"),
            ("user.comment", "sha256:ab"),
            ("security.capability", "\u{1}\0\0\u{2}"),
        ] {
            assert_eq!(digest_in(name.as_bytes(), value.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn a_plain_file_has_no_digest() {
        let file = tempfile::tempfile().expect("a temporary file");
        assert_eq!(of(&file, "erofs"), None);
        assert_eq!(hexadecimal(&[0, 0xab]), "00ab");
    }
}
