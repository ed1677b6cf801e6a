//! Hashes of 8 bits collide at will: what is read and compared is not deceived by them.

use std::{fs, path::Path};

use crate::{
    engine_user::{ScanOptions, scan},
    identity::storage,
    model::{
        measurement::Measurement,
        savings::{Confidence, MechanismRow, savings},
        units::Bytes,
    },
    progress::Progress,
    seed::Seed,
};

const SEED: Seed = Seed::short(7, 8);
const PAGES: u64 = 16;

fn page(number: u64) -> [u8; 4096] {
    let mut page = [0; 4096];
    page[..8].copy_from_slice(&number.to_le_bytes());
    page
}

/// Pages with other numbers than those from `first` on, and the same hashes.
fn colliding_with(first: u64) -> Vec<u64> {
    let alike = |number: u64| {
        let mut others = 1_000_000 + number..;
        others.find(|other| SEED.hash(&page(*other)) == SEED.hash(&page(number)))
    };
    (first..first + PAGES)
        .map(|number| alike(number).expect("there are many"))
        .collect()
}

fn write(path: &Path, numbers: impl Iterator<Item = u64>) {
    let content: Vec<u8> = numbers.flat_map(page).collect();
    fs::write(path, content).expect("a file");
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .expect("a sync");
}

fn measure(directory: &Path) -> Measurement {
    let options = ScanOptions {
        paths: vec![directory.to_path_buf()],
        seed: SEED,
    };
    scan(&options, &Progress::default()).expect("files of our own can be measured")
}

/// The mechanisms for which files must be equal as a whole.
fn of_whole_files(measurement: &Measurement) -> Vec<MechanismRow> {
    let rows = savings(&measurement.index, &measurement.identity).mechanisms;
    let whole = ["layer", "erofs", "composefs"];
    rows.into_iter()
        .filter(|row| whole.contains(&row.name))
        .collect()
}

#[test]
fn a_collision_of_hashes_is_no_saving_once_files_were_compared() {
    // On the disk that holds the build: tmpfs has no clean pages.
    let program = std::env::current_exe().expect("the test program has a path");
    let directory = tempfile::tempdir_in(program.parent().expect("it is in a directory"));
    let directory = directory.expect("a directory");
    let path = directory.path();
    write(&path.join("one"), 0..PAGES);
    write(&path.join("deceiver"), colliding_with(0).into_iter());
    let mut measurement = measure(path);
    let deceived: Bytes = of_whole_files(&measurement)
        .iter()
        .map(|row| row.saving)
        .sum();
    assert!(
        deceived.0 > 0,
        "the stage is not set: nothing is taken for equal"
    );
    storage::compare(&mut measurement);
    for row in of_whole_files(&measurement) {
        assert_eq!(row.saving, Bytes(0), "{row:?}");
    }
    // A true copy beside them is found, and only it.
    write(&path.join("copy"), 0..PAGES);
    let mut measurement = measure(path);
    storage::compare(&mut measurement);
    let rows = of_whole_files(&measurement);
    let erofs = rows
        .iter()
        .find(|row| row.name == "erofs")
        .expect("it is listed");
    assert_eq!(erofs.confidence, Confidence::Verified);
    assert!(
        erofs.saving.0 > 0 && erofs.saving <= Bytes::of_pages(PAGES),
        "{erofs:?}"
    );
}
