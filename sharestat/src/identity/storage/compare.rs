//! Reads files to their ends and sorts them into classes of equal bytes: no hash decides.

use std::{fs::File, io};

use super::reading::{read_fully, read_uncached};
use crate::model::inode::InodeId;

const CHUNK: usize = 1 << 20;

/// The classes of equal files among `open`, single files too. A file that cannot be read
/// is in none and counted in `unread`.
pub(super) fn classes(mut open: Vec<(InodeId, File)>, unread: &mut u64) -> Vec<Vec<InodeId>> {
    let mut classes = Vec::new();
    while !open.is_empty() {
        let (leader, first) = open.swap_remove(0);
        let mut class = vec![leader];
        let mut others = Vec::new();
        for (inode, file) in open {
            match equal(&first, &file) {
                Ok(true) => class.push(inode),
                // After an error: tried again with the next leader, in case this one was
                // at fault.
                Ok(false) | Err(_) => others.push((inode, file)),
            }
        }
        if readable(&first) {
            classes.push(class);
        } else {
            *unread += 1;
        }
        open = others;
    }
    classes
}

fn readable(file: &File) -> bool {
    let mut byte = [0; 1];
    read_fully(file, &mut byte, 0).is_ok()
}

fn equal(one: &File, other: &File) -> io::Result<bool> {
    let (mut here, mut there) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut offset = 0;
    loop {
        let read = read_uncached(one, &mut here, offset)?;
        let same = read_uncached(other, &mut there, offset)?;
        if read != same || here[..read] != there[..same] {
            return Ok(false);
        }
        if read < CHUNK {
            return Ok(true);
        }
        offset += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(contents: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(contents).expect("it is written");
        file
    }

    #[test]
    fn files_are_equal_when_all_bytes_are_and_lengths_too() {
        let long = vec![7; CHUNK + 5];
        let mut differs_late = long.clone();
        differs_late[CHUNK + 3] = 8;
        let files = [
            &long[..],
            &differs_late,
            &long,
            &long[..CHUNK],
            &long[..CHUNK],
        ];
        let open = (0..).map(InodeId).zip(files.map(file)).collect();
        let mut unread = 0;
        let mut classes = classes(open, &mut unread);
        for class in &mut classes {
            class.sort_unstable();
        }
        classes.sort();
        let ids = |ids: &[u32]| ids.iter().map(|id| InodeId(*id)).collect::<Vec<_>>();
        assert_eq!(classes, [ids(&[0, 2]), ids(&[1]), ids(&[3, 4])]);
        assert_eq!(unread, 0);
    }

    #[test]
    fn what_cannot_be_read_is_in_no_class() {
        let directory = File::open("/").expect("it opens");
        let open = vec![(InodeId(0), directory), (InodeId(1), file(b"x"))];
        let mut unread = 0;
        assert_eq!(classes(open, &mut unread), [[InodeId(1)]]);
        assert_eq!(unread, 1);
    }
}
