//! Hashes of 8 bits collide at will: what is read and compared is not deceived by them.

use std::{fs, path::Path};

use crate::{
    engine_user::{ScanOptions, scan},
    identity::storage,
    model::{
        measurement::Measurement,
        savings::{Confidence, MechanismRow, savings},
        units::{Bytes, PAGE_SIZE},
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

/// Pages with other numbers than those from `first` on, none twice, and the same hashes.
fn colliding_with(first: u64) -> Vec<u64> {
    let mut chosen = Vec::new();
    for number in first..first + PAGES {
        let alike = |other: &u64| SEED.hash(&page(*other)) == SEED.hash(&page(number));
        let mut others = (1_000_000..).filter(|other| !chosen.contains(other));
        let other = others.find(alike);
        chosen.push(other.expect("there are many"));
    }
    chosen
}

/// Pages of which no two have one hash, and none that of the zero page.
fn unlike() -> Vec<u64> {
    let mut hashes = vec![SEED.hash(&page(0))];
    let mut is_new = |number: &u64| {
        let hash = SEED.hash(&page(*number));
        let new = !hashes.contains(&hash);
        hashes.push(hash);
        new
    };
    (1..).filter(|number| is_new(number)).take(16).collect()
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

fn compare(measurement: &mut Measurement) {
    storage::compare(measurement, SEED, &Progress::default());
}

fn mechanisms(measurement: &Measurement) -> Vec<MechanismRow> {
    savings(&measurement.index, &measurement.identity).mechanisms
}

fn saving(measurement: &Measurement, name: &str) -> (Bytes, Confidence) {
    let rows = mechanisms(measurement);
    let row = rows.iter().find(|row| row.name == name);
    let row = row.expect("it is listed");
    (row.saving, row.confidence)
}

/// On the disk that holds the build: tmpfs has no clean pages.
fn directory() -> tempfile::TempDir {
    let program = std::env::current_exe().expect("the test program has a path");
    let directory = tempfile::tempdir_in(program.parent().expect("it is in a directory"));
    directory.expect("a directory")
}

#[test]
fn a_collision_of_hashes_is_no_saving_once_bytes_were_compared() {
    let directory = directory();
    let path = directory.path();
    write(&path.join("one"), 0..PAGES);
    write(&path.join("deceiver"), colliding_with(0).into_iter());
    let mut measurement = measure(path);
    let measured = measurement.index.totals();
    for name in ["content", "offset", "erofs"] {
        let (deceived, _) = saving(&measurement, name);
        assert!(deceived.0 > 0, "the stage is not set: no '{name}'");
    }
    compare(&mut measurement);
    for row in mechanisms(&measurement) {
        assert_eq!(row.saving, Bytes(0), "{row:?}");
    }
    let totals = measurement.index.totals();
    assert_eq!(totals.duplicate, 0);
    assert_eq!(totals.zero_copies, 1);
    assert_eq!(
        (totals.hashed, totals.resident),
        (measured.hashed, measured.resident)
    );
    let scopes = savings(&measurement.index, &measurement.identity).scopes;
    let apart: Bytes = scopes.iter().map(|scope| scope.duplicate).sum();
    assert_eq!(apart, Bytes(0), "{scopes:?}");
}

#[test]
fn true_copies_are_verified_among_collisions_and_zeros() {
    let directory = directory();
    let path = directory.path();
    write(&path.join("one"), 1..=PAGES);
    write(&path.join("deceiver"), colliding_with(1).into_iter());
    write(&path.join("copy"), 1..=PAGES);
    // Moved by one page, twice the same page, and zeros (page 0).
    write(&path.join("moved"), [0, 1, 2, 2, 0].into_iter());
    let mut measurement = measure(path);
    compare(&mut measurement);
    let pages = |name| {
        let (saving, confidence) = saving(&measurement, name);
        assert_eq!(confidence, Confidence::Verified, "{name}");
        saving.0 / PAGE_SIZE
    };
    // Besides the copy: page 1 and twice page 2, none at its offset.
    let expected = [
        ("content", PAGES + 3),
        ("offset", PAGES),
        ("erofs", PAGES),
        ("zero", 1),
    ];
    for (name, expected) in expected {
        assert_eq!(pages(name), expected, "{name}");
    }
    let totals = measurement.index.totals();
    assert_eq!((totals.zero_copies, totals.duplicate), (2, PAGES + 4));
}

#[test]
fn what_changed_or_went_since_is_not_verified() {
    let directory = directory();
    let path = directory.path();
    for name in ["one", "two", "changed", "gone"] {
        write(&path.join(name), unlike().into_iter());
    }
    let mut measurement = measure(path);
    let others = unlike().into_iter().take(15).chain([1_000_000]);
    write(&path.join("changed"), others);
    fs::remove_file(path.join("gone")).expect("it is there");
    compare(&mut measurement);
    let rows = mechanisms(&measurement);
    let row = rows.iter().find(|row| row.name == "content");
    let row = row.expect("it is listed");
    assert_eq!(row.saving, Bytes::of_pages(3 * PAGES));
    assert_eq!(row.confidence, Confidence::Exact);
    let parts = [
        (Confidence::Verified, Bytes::of_pages(2 * PAGES - 1)),
        (Confidence::Exact, Bytes::of_pages(PAGES + 1)),
    ];
    assert_eq!(row.by_confidence, parts);
    let said = measurement.identity.warnings.join("\n");
    assert!(said.contains("68.0 KiB of duplicates in 2 files"), "{said}");
}
