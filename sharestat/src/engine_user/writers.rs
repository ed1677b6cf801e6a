//! Which files some process has mapped shared and writably, as `/proc/PID/maps` tells it
//! (`show_map_vma` of `fs/proc/task_mmu.c`): by device of the superblock and inode number.

use std::{collections::HashSet, fs, io, path::Path};

use crate::{identity::warning::counted, model::inode::Dev};

/// The files that were found mapped so.
#[derive(Debug, Default)]
pub(super) struct Writers {
    files: HashSet<(Dev, u64)>,
    /// Processes of others, whose mappings this user may not see.
    refused: u64,
}

impl Writers {
    /// Reads the mappings of all processes below `proc`. One that ended meanwhile has none.
    pub(super) fn read(proc: &Path) -> Self {
        let mut writers = Self::default();
        let Ok(entries) = fs::read_dir(proc) else {
            return writers;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name
                .to_str()
                .is_none_or(|name| name.parse::<u32>().is_err())
            {
                continue;
            }
            match fs::read(entry.path().join("maps")) {
                Ok(maps) => writers.files.extend(mapped_writably(&maps)),
                Err(error) => {
                    let refused = error.kind() == io::ErrorKind::PermissionDenied;
                    writers.refused += u64::from(refused);
                }
            }
        }
        writers
    }

    /// Whether a file of a superblock with this device is mapped so.
    pub(super) fn have(&self, superblock: Dev, ino: u64) -> bool {
        self.files.contains(&(superblock, ino))
    }

    /// What to say where not all processes tell.
    pub(super) fn note(&self) -> Option<String> {
        (self.refused > 0).then(|| {
            format!(
                "files that {} of other users may have mapped writably were taken for ones that could be shared: telling needs root",
                counted(self.refused, "process", "processes")
            )
        })
    }
}

/// The files of the lines with `w` and `s`: device and inode number.
pub(super) fn mapped_writably(maps: &[u8]) -> impl Iterator<Item = (Dev, u64)> {
    maps.split(|byte| *byte == b'\n').filter_map(|line| {
        // The path, which may hold anything, comes after the last of these.
        let mut fields = line.split(|byte| *byte == b' ');
        let (_range, flags) = (fields.next()?, fields.next()?);
        let (_offset, dev, ino) = (fields.next()?, fields.next()?, fields.next()?);
        let [_, b'w', _, b's'] = flags else {
            return None;
        };
        let (major, minor) = std::str::from_utf8(dev).ok()?.split_once(':')?;
        let number = |hex| u32::from_str_radix(hex, 16).ok();
        let (major, minor) = (number(major)?, number(minor)?);
        let ino = std::str::from_utf8(ino).ok()?.parse().ok()?;
        (major < 1 << 12 && minor < 1 << 20).then(|| (Dev::new(major, minor), ino))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
7f0000000000-7f0000001000 rw-s 00000000 fd:01 12345                      /srv/data base.mdb
7f0000001000-7f0000002000 r--s 00000000 fd:01 7                          /srv/read only
7f0000002000-7f0000003000 rw-p 00000000 fd:01 8                          /srv/private
7f0000003000-7f0000004000 rwxs 00001000 103:0fffff 18446744073709551615  /srv/(deleted) 1:2 3
7f0000004000-7f0000005000 -w-s 00000000 zz:01 9                          /srv/no device
7f0000005000-7f0000006000 rw-s";

    #[test]
    fn only_shared_writable_mappings_count() {
        let found: Vec<_> = mapped_writably(MAPS.as_bytes()).collect();
        assert_eq!(
            found,
            [
                (Dev::new(0xfd, 1), 12345),
                (Dev::new(0x103, 0xf_ffff), u64::MAX)
            ]
        );
    }

    #[test]
    fn a_process_that_is_gone_is_not_counted_and_what_is_no_process_not_read() {
        let proc = tempfile::tempdir().expect("a temporary directory");
        for name in ["1", "2", "self", "sys"] {
            fs::create_dir(proc.path().join(name)).expect("a directory");
        }
        fs::write(proc.path().join("1/maps"), MAPS).expect("a file");
        let other = "1-2 rw-s 0 0:1 99 /other\n";
        fs::write(proc.path().join("sys/maps"), other).expect("a file");
        let writers = Writers::read(proc.path());
        assert!(writers.have(Dev::new(0xfd, 1), 12345));
        assert!(!writers.have(Dev::new(0, 1), 99));
        assert_eq!(writers.note(), None);
    }

    #[test]
    fn processes_that_do_not_tell_are_said() {
        let writers = Writers {
            refused: 1,
            ..Writers::default()
        };
        let note = writers.note().expect("one refused");
        assert!(
            note.contains("files that 1 process of other users"),
            "{note}"
        );
    }

    #[test]
    fn the_own_shared_mapping_of_a_file_is_found_and_a_private_one_is_not() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().expect("a temporary directory");
        let file = folder.path().join("file");
        fs::write(&file, [1; 4096]).expect("a file");
        let ino = fs::metadata(&file).expect("it is there").ino();
        let found = || {
            let maps = fs::read("/proc/self/maps").expect("own mappings");
            mapped_writably(&maps).any(|(_, number)| number == ino)
        };
        assert!(!found());
        let open = fs::OpenOptions::new().read(true).write(true).open(&file);
        let open = open.expect("it opens");
        // SAFETY: a new mapping, which nobody writes to, of a file of this test's own.
        let mapping = unsafe { memmap2::MmapMut::map_mut(&open) }.expect("it maps");
        assert!(found());
        drop(mapping);
        assert!(!found());
    }
}
