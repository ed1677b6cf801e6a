//! Forecasts of images that were made for the purpose, against what their files say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use proptest::prelude::*;
use tar::EntryType;

use super::{
    ForecastOptions, Limits, Touched, forecast,
    limits::Room,
    samples::{Entry, docker_archive, gzip, layer, layout, oci_archive, zstd},
};
use crate::{
    model::measurement::Measurement,
    progress::Progress,
    report::{Host, Report},
    seed::Seed,
};

fn options(images: Vec<PathBuf>) -> ForecastOptions {
    ForecastOptions {
        images,
        touched: None,
        seed: Seed::fixed(7),
        limits: Limits::default(),
    }
}

fn measured(images: Vec<PathBuf>) -> Measurement {
    forecast(&options(images), &Progress::default()).expect("the images are good")
}

fn refusal(images: Vec<PathBuf>) -> String {
    let error = forecast(&options(images), &Progress::default()).expect_err("it is refused");
    let words = error.to_string();
    assert!(!words.contains('\n'), "{words}");
    words
}

fn report(measurement: &Measurement) -> Report {
    Report::new(measurement, &Host::read(), 0)
}

fn files(measurement: &Measurement) -> BTreeSet<String> {
    let files = measurement.identity.files.values();
    files.map(|file| file.path.clone()).collect()
}

fn paths(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// So many pages, no two alike, different for each letter.
fn content(letter: u8, pages: usize) -> Vec<u8> {
    let page = |number: usize| {
        let mut page = vec![letter; 4096];
        page[0] = u8::try_from(number % 250).expect("below 250");
        page
    };
    (0..pages).flat_map(page).collect()
}

fn saving(report: &Report, name: &str) -> u64 {
    let row = report.mechanisms.iter().find(|row| row.name == name);
    row.expect("it is listed").saving_bytes / 4096
}

#[test]
fn layouts_and_archives_packed_in_any_way_tell_the_same() {
    let (a, b) = (content(b'a', 5), content(b'b', 3));
    let plain = [
        layer(&[Entry::File("usr/a", &a), Entry::File("usr/old", &b)]),
        layer(&[Entry::File("usr/.wh.old", b""), Entry::File("opt/a", &a)]),
        layer(&[Entry::File("usr/a", &b)]),
    ];
    let images: &[(&str, &[usize])] = &[("one", &[0, 1]), ("two", &[0, 2])];
    let root = tempfile::tempdir().expect("a directory");
    let packed = |pack: fn(&[u8]) -> Vec<u8>| -> Vec<Vec<u8>> {
        plain.iter().map(|layer| pack(layer)).collect()
    };
    let made = [
        layout(&root.path().join("plain"), &plain, images),
        layout(&root.path().join("gzip"), &packed(gzip), images),
        layout(&root.path().join("zstd"), &packed(zstd), images),
        docker_archive(&root.path().join("saved.tar"), &plain, images),
        oci_archive(&root.path().join("oci.tar"), &root.path().join("zstd")),
    ];
    for path in made {
        let found = measured(vec![path]);
        // 'old' shows in image two, 'usr/a' of the base in image one only.
        let expected = ["one:/usr/a", "one:/opt/a", "two:/usr/old", "two:/usr/a"];
        assert_eq!(files(&found), paths(&expected));
        let report = report(&found);
        assert_eq!(report.totals.resident_bytes, (5 + 5 + 3 + 3) * 4096);
        assert_eq!(saving(&report, "content"), 8);
        assert_eq!(saving(&report, "erofs"), 8);
        assert_eq!(saving(&report, "layer"), 0);
        let resident: BTreeMap<&str, u64> = report
            .images
            .iter()
            .map(|image| (image.name.as_str(), image.resident_bytes / 4096))
            .collect();
        assert_eq!(resident.len(), 2, "{resident:?}");
        assert_eq!(report.layers.len(), 3);
    }
}

#[test]
fn equal_layers_on_different_bases_are_cached_twice_and_on_one_base_once() {
    let (base, other, top) = (content(b'a', 1), content(b'b', 1), content(b'c', 4));
    let layers = [
        layer(&[Entry::File("base", &base)]),
        layer(&[Entry::File("other", &other)]),
        layer(&[Entry::File("top", &top)]),
    ];
    let root = tempfile::tempdir().expect("a directory");
    let same = layout(
        &root.path().join("same"),
        &layers,
        &[("x", &[0, 2]), ("y", &[0, 2])],
    );
    assert_eq!(
        report(&measured(vec![same])).totals.resident_bytes,
        5 * 4096
    );
    let apart = layout(
        &root.path().join("apart"),
        &layers,
        &[("x", &[0, 2]), ("y", &[1, 2])],
    );
    let report = report(&measured(vec![apart]));
    assert_eq!(report.totals.resident_bytes, 10 * 4096);
    assert_eq!(saving(&report, "layer"), 4);
}

#[test]
fn whiteouts_opaque_directories_and_files_in_place_of_directories_hide() {
    let file = content(b'a', 1);
    let lower = layer(&[
        Entry::Directory("d"),
        Entry::File("d/gone", &file),
        Entry::File("d/sub/deep", &file),
        Entry::File("e/hidden", &file),
        Entry::File("f/below", &file),
        Entry::File("kept", &file),
    ]);
    let upper = layer(&[
        Entry::Directory("d"),
        Entry::File("d/.wh.gone", b""),
        Entry::File("e/.wh..wh..opq", b""),
        Entry::File("e/new", &file),
        Entry::File("f", &file),
    ]);
    let root = tempfile::tempdir().expect("a directory");
    let made = layout(root.path(), &[lower, upper], &[("i", &[0, 1])]);
    let expected = ["i:/d/sub/deep", "i:/e/new", "i:/f", "i:/kept"];
    assert_eq!(files(&measured(vec![made])), paths(&expected));
}

#[test]
fn hard_links_are_one_file_in_archives_and_in_directories() {
    let file = content(b'a', 3);
    let root = tempfile::tempdir().expect("a directory");
    let linked = layer(&[
        Entry::Link("first", "z"),
        Entry::File("z", &file),
        Entry::Link("second", "first"),
        Entry::Link("dangling", "nowhere"),
    ]);
    let made = layout(&root.path().join("oci"), &[linked], &[("i", &[0])]);
    let found = measured(vec![made]);
    assert_eq!(report(&found).totals.resident_bytes, 3 * 4096);
    assert!(
        found
            .notes
            .iter()
            .any(|note| note.starts_with("1 hard links")),
        "{:?}",
        found.notes
    );
    let plain = root.path().join("plain");
    fs::create_dir(&plain).expect("a directory");
    fs::write(plain.join("a"), &file).expect("a file");
    fs::hard_link(plain.join("a"), plain.join("b")).expect("a link");
    std::os::unix::fs::symlink("/etc", plain.join("out")).expect("a link");
    assert_eq!(
        report(&measured(vec![plain])).totals.resident_bytes,
        3 * 4096
    );
}

#[test]
fn owners_in_tar_headers_change_nothing() {
    let file = content(b'a', 3);
    let root = tempfile::tempdir().expect("a directory");
    // As a runtime copies a layer for a container in a user namespace.
    let mut shifted = layer(&[Entry::Directory("usr"), Entry::File("usr/a", &file)]);
    for first in [0, 512] {
        let mut header = tar::Header::from_byte_slice(&shifted[first..first + 512]).clone();
        header.set_uid(100_000);
        header.set_gid(100_000);
        header.set_cksum();
        shifted[first..first + 512].copy_from_slice(header.as_bytes());
    }
    let plain = layer(&[Entry::Directory("usr"), Entry::File("usr/a", &file)]);
    assert_ne!(plain, shifted);
    let images: &[(&str, &[usize])] = &[("plain", &[0]), ("shifted", &[1])];
    let made = layout(root.path(), &[plain, shifted], images);
    let report = report(&measured(vec![made]));
    // The layers are two, as their digests are; their files are equal as a whole.
    assert_eq!(report.totals.resident_bytes, 6 * 4096);
    assert_eq!(saving(&report, "layer"), 3);
    assert_eq!(saving(&report, "erofs"), 3);
}

#[test]
fn only_touched_files_count_under_any_of_their_names() {
    let file = content(b'a', 2);
    let made = layer(&[
        Entry::File("a", &file),
        Entry::Link("b", "a"),
        Entry::File("c", &file),
    ]);
    let root = tempfile::tempdir().expect("a directory");
    let path = layout(root.path(), &[made], &[("i", &[0])]);
    let mut options = options(vec![path]);
    options.touched = Some(Touched::parse(b"/b\n/missing\n").expect("it is a list"));
    let found = forecast(&options, &Progress::default()).expect("the image is good");
    assert_eq!(files(&found), paths(&["i:/b"]));
    assert!(
        found.notes[0].contains("1 of 2 listed files"),
        "{:?}",
        found.notes
    );
    assert!(Touched::parse(b"\n\n").is_err());
    assert!(
        Touched::parse(b"../../etc/passwd\n")
            .expect_err("refused")
            .contains("line 1")
    );
}

#[test]
fn what_no_image_may_hold_is_refused_in_a_sentence() {
    let root = tempfile::tempdir().expect("a directory");
    let one = |name: &str, bytes: Vec<u8>| {
        vec![layout(&root.path().join(name), &[bytes], &[("i", &[0])])]
    };
    let escaping = layer(&[Entry::File("a/../../etc/passwd", b"x")]);
    assert!(refusal(one("up", escaping)).contains("leads out of the layer"));
    let sparse = layer(&[Entry::Of(EntryType::GNUSparse, "s")]);
    assert!(refusal(one("sparse", sparse)).contains("sparse"));
    let bomb = gzip(&layer(&[Entry::File("zeros", &vec![0; 3 << 20])]));
    let mut options = options(one("bomb", bomb));
    options.limits.layer_bytes = 1 << 20;
    let error = forecast(&options, &Progress::default()).expect_err("it is too large");
    assert!(error.to_string().contains("more than 1.0 MiB"), "{error}");
    let whole = gzip(&layer(&[Entry::File("a", &content(b'a', 9))]));
    let cut = whole[..whole.len() / 2].to_vec();
    assert!(refusal(one("cut", cut)).contains("no image that can be read"));
    let mut huge = layer(&[Entry::File("a", b"x")]);
    huge[124..136].copy_from_slice(b"77777777777\0");
    let mut header = tar::Header::from_byte_slice(&huge[..512]).clone();
    header.set_cksum();
    huge[..512].copy_from_slice(header.as_bytes());
    assert!(refusal(one("huge", huge)).contains("no image that can be read"));
}

#[test]
fn device_nodes_are_refused_and_counted() {
    let file = content(b'a', 1);
    let made = layer(&[
        Entry::Of(EntryType::Block, "dev/sda"),
        Entry::File("a", &file),
    ]);
    let root = tempfile::tempdir().expect("a directory");
    let found = measured(vec![layout(root.path(), &[made], &[("i", &[0])])]);
    assert_eq!(files(&found), paths(&["i:/a"]));
    assert!(
        found
            .notes
            .iter()
            .any(|note| note.starts_with("1 device nodes")),
        "{:?}",
        found.notes
    );
}

#[test]
fn manifests_cannot_lead_out_of_the_layout() {
    let root = tempfile::tempdir().expect("a directory");
    let made = layout(root.path(), &[layer(&[])], &[("i", &[0])]);
    let index = r#"{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}"#;
    fs::write(made.join("index.json"), index).expect("a file");
    assert!(refusal(vec![made.clone()]).contains("is no digest"));
    fs::write(made.join("index.json"), "{").expect("a file");
    assert!(refusal(vec![made]).contains("'index.json' is broken"));
    let other = root.path().join("text");
    fs::write(
        &other,
        "no archive at all, but a text that goes on for a while",
    )
    .expect("a file");
    assert!(refusal(vec![other]).contains("not a tar archive"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn damage_is_refused_or_read_and_never_panics(
        position in 0_usize..20_000,
        value: u8,
        cut in 0_usize..20_000,
        kind in 0_usize..4,
    ) {
        let plain = layer(&[
            Entry::Directory("d"),
            Entry::File("d/a", &content(b'a', 2)),
            Entry::Link("d/b", "d/a"),
            Entry::File("d/.wh.c", b""),
        ]);
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("image");
        let mut bytes = match kind {
            0 => plain,
            1 => gzip(&plain),
            2 => zstd(&plain),
            _ => fs::read(docker_archive(&file, &[plain], &[("i", &[0])])).expect("it was written"),
        };
        let length = bytes.len();
        bytes[position % length] = value;
        bytes.truncate(length - cut % length / 2);
        let path = if kind == 3 {
            fs::write(&file, bytes).expect("a file");
            file
        } else {
            layout(&root.path().join("oci"), &[bytes], &[("i", &[0])])
        };
        if let Err(error) = forecast(&options(vec![path]), &Progress::default()) {
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
        }
    }
}

#[test]
fn links_to_links_that_come_later_take_no_square_of_time() {
    // Each leads to the next, and the file comes last.
    let names: Vec<String> = (0..20_000).map(|number| format!("l{number}")).collect();
    let mut entries: Vec<Entry<'_>> = names
        .windows(2)
        .map(|pair| Entry::Link(&pair[0], &pair[1]))
        .collect();
    entries.push(Entry::File("l19999", b"x"));
    let began = crate::fuzzing::cpu_time();
    let (seed, space) = (Seed::fixed(7), Room::new(Limits::default()));
    let contents = super::layer::read(&layer(&entries)[..], seed, &space, &Progress::default())
        .expect("it is a layer");
    assert_eq!(contents.names.len(), 20_000);
    assert!(contents.names.values().all(|file| *file == Some(0)));
    assert_eq!(contents.left_out.dangling, 0);
    let took = crate::fuzzing::cpu_time().saturating_sub(began);
    assert!(took.as_secs() < 20, "{took:?}");
}

#[test]
fn indexes_that_each_lead_to_many_others_are_refused() {
    let root = tempfile::tempdir().expect("a directory");
    let blobs = root.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a directory");
    fs::write(root.path().join("oci-layout"), "{}").expect("a file");
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = |below: &str| {
        let one = format!(r#"{{"mediaType":"{kind}","digest":"sha256:{below}"}}"#);
        format!(r#"{{"manifests":[{}]}}"#, vec![one; 100].join(","))
    };
    fs::write(root.path().join("index.json"), index("1")).expect("a file");
    for (name, content) in [
        ("1", index("2")),
        ("2", index("3")),
        ("3", r#"{"manifests":[]}"#.to_owned()),
    ] {
        fs::write(blobs.join(name), content).expect("a file");
    }
    let words = refusal(vec![root.path().to_path_buf()]);
    assert!(words.contains("too many"), "{words}");
}
