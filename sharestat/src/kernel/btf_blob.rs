//! The bytes of the running kernel's type information, and what tells two kernels apart
//! by them.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::OnceLock,
};

use memmap2::MmapOptions;
use sharestat_ebpf::{PAGE_SIZE, xxh64::xxh64_page_bytes};

/// Where the kernel publishes its type information.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// A kernel has one all its life.
static DIGEST: OnceLock<Option<u64>> = OnceLock::new();

/// The type information of the running kernel.
///
/// # Errors
/// When it has none, or it cannot be read.
pub fn kernel() -> io::Result<Vec<u8>> {
    let read = read(Path::new(VMLINUX));
    if let Ok(bytes) = &read {
        DIGEST.get_or_init(|| Some(digest(bytes)));
    }
    read
}

/// Hash of [`kernel`], which is read for it when this process has not read it before;
/// `None` where it cannot be.
pub fn kernel_digest() -> Option<u64> {
    *DIGEST.get_or_init(|| read(Path::new(VMLINUX)).ok().map(|bytes| digest(&bytes)))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    // SAFETY: the file is as constant as the running kernel; nobody cuts it short while it
    // is copied.
    let mapped = unsafe { MmapOptions::new().len(length).map_copy_read_only(&file) };
    match mapped {
        // A read from sysfs gives one page, and there are fourteen hundred. From Linux 6.16
        // on the file can be mapped instead, if privately (kernel/bpf/sysfs_btf.c).
        Ok(mapped) => Ok(mapped.to_vec()),
        Err(_) => fs::read(path),
    }
}

/// The page hash of each 4 KiB seeds the next, the length seeds the first.
fn digest(contents: &[u8]) -> u64 {
    contents
        .chunks(PAGE_SIZE)
        .fold(contents.len() as u64, |seed, chunk| {
            let mut page = [0; PAGE_SIZE];
            page[..chunk.len()].copy_from_slice(chunk);
            xxh64_page_bytes(&page, seed)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_the_file_holds() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for length in [0, 1, PAGE_SIZE, PAGE_SIZE + 1] {
            let path = directory.path().join(length.to_string());
            let contents: Vec<u8> = (0..=250).cycle().take(length).collect();
            fs::write(&path, &contents).expect("written");
            assert_eq!(read(&path).expect("it can be read"), contents);
        }
        assert!(read(&directory.path().join("missing")).is_err());
        let plain = fs::read(VMLINUX).ok();
        assert_eq!(kernel().ok(), plain);
        assert_eq!(kernel_digest(), plain.as_deref().map(digest));
    }

    #[test]
    fn the_digest_covers_every_byte_and_the_length() {
        let one = digest(&[1; 5000]);
        assert_eq!(digest(&[1; 5000]), one);
        assert_ne!(digest(&[1; 5001]), one);
        let mut other = [1; 5000];
        other[4999] = 2;
        assert_ne!(digest(&other), one);
    }
}
