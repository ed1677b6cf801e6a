use std::{
    io::{Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, symlink},
    thread,
};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::*;

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    Place::of(path)?.write(|out| out.write_all(bytes))
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).expect("it lists").count()
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("report.json");
    put(&path, b"first").expect("it is written");
    let place = Place::of(&path).expect("a place");
    let failed = place.write(|out| {
        out.write_all(b"half")?;
        Err(io::Error::other("the source broke"))
    });
    assert_eq!(
        failed.expect_err("it failed").to_string(),
        "the source broke"
    );
    assert_eq!(fs::read(&path).expect("it is there"), b"first");
    assert_eq!(count(directory.path()), 1);
}

#[test]
fn a_device_and_a_fifo_are_written_to_and_stay_what_they_are() {
    let directory = tempfile::tempdir().expect("a directory");
    let fifo = directory.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    let reader = thread::spawn({
        let fifo = fifo.clone();
        move || {
            let mut text = String::new();
            let mut from = File::open(fifo).expect("it opens");
            from.read_to_string(&mut text).map(|_| text)
        }
    });
    put(&fifo, b"through").expect("it is written");
    let read = reader.join().expect("it ended").expect("it reads");
    assert_eq!(read, "through");
    let kind = fs::symlink_metadata(&fifo)
        .expect("it is there")
        .file_type();
    assert!(kind.is_fifo() && count(directory.path()) == 1);
    // As root a copy of it: were it replaced, the machine would miss it.
    let mut null = PathBuf::from("/dev/null");
    if rustix::process::geteuid().is_root() {
        null = directory.path().join("null");
        let device = makedev(1, 3);
        let made = mknodat(CWD, &null, FileType::CharacterDevice, Mode::RWXU, device);
        if made.is_err() || File::open(&null).is_err() {
            return;
        }
    }
    put(&null, b"away").expect("it is written");
    let kind = fs::symlink_metadata(&null)
        .expect("it is there")
        .file_type();
    assert!(kind.is_char_device());
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced_or_made() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("real")).expect("a directory");
    fs::write(at("real/file"), "old").expect("a file");
    symlink("real/file", at("one")).expect("a link");
    symlink(at("one"), at("two")).expect("a link");
    symlink("real/none", at("dangling")).expect("a link");
    for (link, file) in [("two", "real/file"), ("dangling", "real/none")] {
        put(&at(link), b"new").expect("it is written");
        assert_eq!(fs::read(at(file)).expect("it is there"), b"new");
        assert!(at(link).is_symlink() && at("one").is_symlink());
    }
    assert_eq!((count(directory.path()), count(&at("real"))), (4, 2));
    symlink("round", at("round")).expect("a link");
    assert!(put(&at("round"), b"new").is_err());
    assert!(put(&at("real"), b"new").is_err(), "a directory");
}

#[test]
fn a_replaced_file_keeps_mode_and_owner() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("secret");
    fs::write(&path, "old").expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("its mode");
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&path, Some(4321), Some(1234)).expect("its owner");
    }
    put(&path, b"new").expect("it is written");
    let now = fs::metadata(&path).expect("it is there");
    assert_eq!(now.mode() & 0o7777, 0o640);
    assert!(!root || (now.uid(), now.gid()) == (4321, 1234));
    assert_eq!(fs::read(&path).expect("it is there"), b"new");
}
