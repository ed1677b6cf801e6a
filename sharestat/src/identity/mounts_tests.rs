//! The mount table from texts as kernels print them, and from garbage.

use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

const HOST: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
31 27 8:1 / /data rw - xfs /dev/sda1 rw
32 27 8:1 /images/app /srv/my\\040app rw master:3 - xfs /dev/sda1 rw
33 27 0:40 / /merged rw - overlay overlay rw,lowerdir+=/l1,lowerdir+=/l\\0542,upperdir=/up
34 31 0:41 / /data rw - tmpfs none rw
";

fn table(text: &str) -> MountTable {
    MountTable::parse(text.as_bytes()).expect("the text is a mount table")
}

#[test]
fn a_bind_mount_of_a_subdirectory_shows_its_files_there() {
    let (point, path) = table(HOST)
        .display_path(Dev::new(8, 1), b"/images/app/bin/x")
        .expect("that mount shows it");
    assert_eq!(point, Path::new("/srv/my app"));
    assert_eq!(path, Path::new("/srv/my app/bin/x"));
}

#[test]
fn the_root_of_a_mount_has_no_trailing_slash() {
    let shown = table(HOST).display_path(Dev::new(8, 1), b"/images/app");
    assert_eq!(
        shown.map(|(_, path)| path),
        Some(PathBuf::from("/srv/my app"))
    );
}

#[test]
fn a_name_that_only_starts_like_the_root_is_not_below_it() {
    assert_eq!(
        table(HOST).display_path(Dev::new(8, 1), b"/images/apple"),
        None
    );
}

#[test]
fn a_mount_under_another_mount_is_hidden() {
    let table = table(HOST);
    let hidden: Vec<i32> = table
        .mounts()
        .iter()
        .filter(|m| !m.visible)
        .map(|m| m.id)
        .collect();
    assert_eq!(hidden, [31]);
    let at_data = table
        .filesystem_of(Path::new("/data/x"))
        .expect("the root is there at least");
    assert_eq!(at_data.fs_type, "tmpfs");
}

#[test]
fn mounts_on_one_another_hide_all_but_the_last() {
    let mut text = String::new();
    for id in 1..=100_000 {
        writeln!(text, "{id} {} 0:9 / /a rw - tmpfs t rw", id - 1)
            .expect("memory takes everything");
    }
    let began = crate::fuzzing::cpu_time();
    let visible: Vec<i32> = table(&text).visible().map(|mount| mount.id).collect();
    assert_eq!(visible, [100_000]);
    let took = crate::fuzzing::cpu_time().saturating_sub(began);
    assert!(took.as_secs() < 20, "{took:?}");
}

#[test]
fn mounts_that_are_each_others_parents_end() {
    let text =
        "1 2 0:1 / /a rw - tmpfs t rw\n2 1 0:2 / /b rw - tmpfs t rw\n3 3 0:3 / / rw - tmpfs t rw\n";
    assert_eq!(table(text).mounts().len(), 3);
}

#[test]
fn a_mount_in_a_directory_that_was_mounted_over_is_hidden() {
    let text =
        "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /a/b rw - ext4 b rw\n3 1 8:3 / /a rw - ext4 c rw\n";
    let visible: Vec<i32> = table(text).visible().map(|mount| mount.id).collect();
    assert_eq!(visible, [1, 3]);
}

#[test]
fn repeated_options_are_kept_in_order() {
    let table = table(HOST);
    let overlay = table
        .filesystem_of(Path::new("/merged"))
        .expect("it is mounted");
    let lower: Vec<&[u8]> = overlay
        .super_options
        .iter()
        .filter(|(name, _)| name == b"lowerdir+")
        .map(|(_, value)| value.as_slice())
        .collect();
    assert_eq!(lower, [b"/l1".as_slice(), b"/l,2"]);
}

#[test]
fn a_path_of_any_bytes_is_kept() {
    let line = b"9 1 8:1 / /a\xff\xc3 rw - ext4 /dev/\xe4 rw\n";
    let table = MountTable::parse(line).expect("bytes are no error");
    assert_eq!(table.mounts()[0].mount_point, path_of(b"/a\xff\xc3"));
}

#[test]
fn a_broken_line_is_named() {
    let error = MountTable::parse(b"22 27 0:21 / /proc rw - proc proc rw\nnonsense\n")
        .expect_err("the second line is nonsense");
    assert!(
        error
            .to_string()
            .starts_with("line 2 of '/proc/self/mountinfo'"),
        "{error}"
    );
}

#[test]
fn the_machine_has_a_readable_table() {
    let table = MountTable::read().expect("every machine has one");
    assert!(table.filesystem_of(Path::new("/")).is_some());
}

proptest! {
    #[test]
    fn garbage_is_an_error_or_a_table_but_never_a_crash(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = MountTable::parse(&text);
    }

    #[test]
    fn a_damaged_table_is_an_error_or_a_table(at in 0..HOST.len(), byte: u8) {
        let mut text = HOST.as_bytes().to_vec();
        text[at] = byte;
        if let Ok(table) = MountTable::parse(&text) {
            let _ = table.display_path(Dev::new(8, 1), b"/images/app/x");
            let _ = table.filesystem_of(Path::new("/data"));
        }
    }
}
