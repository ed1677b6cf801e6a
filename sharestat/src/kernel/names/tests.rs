//! What a path of the command line means for files whose own path is odd.

use super::*;
use crate::identity::scope::Root;

const DISK: Dev = Dev::new(8, 1);

fn scope(directory: &str) -> Scope {
    Scope::of_roots(vec![Root {
        dev: DISK,
        fs_type: "ext4".to_owned(),
        path_in_fs: directory.as_bytes().to_vec(),
        directory: PathBuf::from(directory),
    }])
}

fn answer(path: Option<&str>, whole_path: bool) -> Answer {
    Answer {
        path: path.map(|path| path.as_bytes().to_vec()),
        whole_path,
        regular: true,
        deleted: false,
        mapped_writably: false,
        size: 0,
        links: 1,
        rdev: None,
        fs_type: String::new(),
        fs_id: String::new(),
        owners: Vec::new(),
        owners_counted: None,
    }
}

#[test]
fn a_file_too_deep_to_tell_is_never_dropped_on_a_filesystem_that_is_wanted() {
    let cut = answer(Some("/.../deep/file"), false);
    let place = |directory, dev| place_in(&scope(directory), dev, &cut);
    assert_eq!(place("/srv", DISK), PlaceInScope::TooDeep);
    assert_eq!(place("/", DISK), PlaceInScope::Inside);
    assert_eq!(place("/srv", Dev::new(8, 2)), PlaceInScope::Outside);
}

#[test]
fn directories_and_files_without_a_name_are_no_files_below_a_path() {
    let scope = scope("/srv");
    let place = |answer: &Answer| place_in(&scope, DISK, answer);
    assert_eq!(
        place(&answer(Some("/srv/file"), true)),
        PlaceInScope::Inside
    );
    assert_eq!(
        place(&answer(Some("/home/file"), true)),
        PlaceInScope::Outside
    );
    assert_eq!(place(&answer(None, true)), PlaceInScope::Outside);
    let directory = Answer {
        regular: false,
        ..answer(Some("/srv/directory"), true)
    };
    assert_eq!(place(&directory), PlaceInScope::Outside);
}
