//! What an image may not hold, and what it may not ask of the machine that reads it.

use std::{fs, path::Path};

use tar::{Builder, EntryType, Header};

use super::{
    ForecastOptions, Limits, forecast,
    samples::{Entry, docker_archive, gzip, layer, layout, zstd},
};
use crate::{progress::Progress, seed::Seed};

/// The sentence by which an image of one layer is refused.
fn refusal(root: &Path, bytes: Vec<u8>) -> String {
    refused(&layout(&root.join("layout"), &[bytes], &[("i", &[0])]))
}

fn refused(image: &Path) -> String {
    let limits = Limits {
        entries: 100,
        name_bytes: 1000,
        ..Limits::default()
    };
    refused_by(image, limits)
}

fn refused_by(image: &Path, limits: Limits) -> String {
    let options = ForecastOptions {
        images: vec![image.to_path_buf()],
        touched: None,
        seed: Seed::fixed(7),
        limits,
    };
    let error = forecast(&options, &Progress::default()).expect_err("it is refused");
    let words = error.to_string();
    assert!(!words.contains('\n'), "{words}");
    words
}

/// A header of some kind with a content of its own, then a small file.
fn headed(kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut put = |kind, name: &str, content: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_path(name).expect("it is short");
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder
            .append(&header, content)
            .expect("memory takes everything");
    };
    put(kind, "head", content);
    put(EntryType::Regular, "a", b"x");
    builder.into_inner().expect("memory takes everything")
}

/// One PAX record, which states its own length.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}").into_bytes()
}

#[test]
fn paths_cannot_lead_out_of_the_layer_by_any_kind_of_name() {
    let root = tempfile::tempdir().expect("a directory");
    let mut named = vec![0; 3];
    named.splice(.., *b"../../../etc/cron.d/x\0");
    for bytes in [
        layer(&[Entry::File("../up", b"x")]),
        layer(&[Entry::Directory("a/../../up")]),
        layer(&[Entry::File("a", b"x"), Entry::Link("b", "../../etc/shadow")]),
        layer(&[Entry::File("../.wh.up", b"")]),
        headed(EntryType::GNULongName, &named),
        headed(EntryType::XHeader, &record("path", "../../../etc/cron.d/x")),
    ] {
        let why = refusal(root.path(), bytes);
        assert!(why.contains("leads out of the layer"), "{why}");
    }
}

#[test]
fn archives_cannot_name_layers_outside() {
    let root = tempfile::tempdir().expect("a directory");
    // What a way out would lead to.
    fs::write(root.path().join("p"), layer(&[Entry::File("found", b"x")])).expect("written");
    let file = root.path().join("images/image.tar");
    fs::create_dir(root.path().join("images")).expect("a directory");
    docker_archive(&file, &[layer(&[])], &[("i", &[0])]);
    let mut bytes = fs::read(&file).expect("it was written");
    let key = b"\"Layers\":[\"";
    let begin = bytes.windows(key.len()).position(|part| part == key);
    let begin = begin.expect("a manifest") + key.len();
    let name = bytes[begin..]
        .split(|byte| *byte == b'"')
        .next()
        .unwrap_or_default();
    let end = begin + name.len();
    let path = b"../p";
    bytes[begin..end].fill(b'/');
    bytes[end - path.len()..end].copy_from_slice(path);
    fs::write(&file, bytes).expect("written");
    let why = refused(&file);
    assert!(why.contains("image.tar"), "{why}");
}

#[test]
fn sizes_and_counts_that_no_layer_has_are_refused_before_they_are_read() {
    let root = tempfile::tempdir().expect("a directory");
    let huge = headed(EntryType::XHeader, &record("size", "18446744073709551615"));
    assert!(refusal(root.path(), huge).contains("more than 8 GiB"));
    let sparse = headed(EntryType::XHeader, &record("GNU.sparse.realsize", "1"));
    assert!(refusal(root.path(), sparse).contains("sparse"));
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
    ] {
        let long = headed(kind, &vec![b'a'; (1 << 20) + 1]);
        assert!(refusal(root.path(), long).contains("more than 1 MiB"));
    }
    let names: Vec<String> = (0..101).map(|number| format!("f{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| Entry::File(name, b"")).collect();
    assert!(refusal(root.path(), layer(&many)).contains("more than 100 entries"));
}

#[test]
fn documents_of_an_image_have_a_largest_size() {
    let root = tempfile::tempdir().expect("a directory");
    let made = layout(root.path(), &[layer(&[])], &[("i", &[0])]);
    fs::write(made.join("index.json"), vec![b' '; (8 << 20) + 1]).expect("written");
    let why = refused(&made);
    assert!(why.contains("larger than 8388608 bytes"), "{why}");
}

/// A frame that wants a window of 2 TiB, which is memory, and has no data.
#[test]
fn a_zstd_frame_cannot_ask_for_any_memory() {
    let root = tempfile::tempdir().expect("a directory");
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 31 << 3, 0x01, 0x00, 0x00];
    let why = refusal(root.path(), frame.to_vec());
    assert!(why.contains("no image that can be read"), "{why}");
}

/// The names of a run share one room, whatever layer they are in and whatever they name.
#[test]
fn names_of_all_layers_together_have_a_largest_size() {
    let root = tempfile::tempdir().expect("a directory");
    let long = "n".repeat(90);
    let names: Vec<String> = (0..6).map(|number| format!("{long}{number}")).collect();
    let files = |names: &[String]| {
        let entries: Vec<_> = names.iter().map(|name| Entry::File(name, b"")).collect();
        layer(&entries)
    };
    let layers = [files(&names), files(&names)];
    let made = layout(&root.path().join("two"), &layers, &[("i", &[0, 1])]);
    let why = refused(&made);
    assert!(why.contains("longer than 1000 B together"), "{why}");
    let links: Vec<_> = names.iter().map(|name| Entry::Link(name, &long)).collect();
    let why = refusal(root.path(), layer(&links));
    assert!(why.contains("longer than 1000 B together"), "{why}");
    let plain = root.path().join("plain");
    fs::create_dir(&plain).expect("a directory");
    for name in (0..11).map(|number| format!("{long}{number}")) {
        fs::write(plain.join(name), b"").expect("a file");
    }
    let why = refused(&plain);
    assert!(why.contains("longer than 1000 B together"), "{why}");
}

/// What is no file of the layer is unpacked all the same, and both formats allow several
/// packed parts, one after the other.
#[test]
fn bombs_are_refused_by_what_comes_out_of_what_goes_in() {
    const PART: usize = 1 << 20;
    let root = tempfile::tempdir().expect("a directory");
    let limits = Limits {
        small_bytes: 4 << 20,
        ..Limits::default()
    };
    let mut head = tar::Header::new_ustar();
    head.set_entry_type(EntryType::XGlobalHeader);
    head.set_size(8 * PART as u64);
    head.set_cksum();
    let zeros = vec![0; PART];
    for (name, pack) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
        let bomb = [pack(head.as_bytes()), pack(&zeros).repeat(8)].concat();
        assert!(bomb.len() < 20_000, "{name}: {}", bomb.len());
        let made = layout(&root.path().join(name), &[bomb], &[("i", &[0])]);
        let why = refused_by(&made, limits);
        assert!(why.contains("200 times its size"), "{name}: {why}");
        // As large, and packed as files are: not a bomb.
        let noise: Vec<u8> = (0..1_u32 << 18)
            .flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes())
            .collect();
        let file = noise.repeat(5);
        let large = pack(&layer(&[Entry::File("large", &file)]));
        let made = layout(&root.path().join(name), &[large], &[("i", &[0])]);
        let options = ForecastOptions {
            images: vec![made],
            touched: None,
            seed: Seed::fixed(7),
            limits,
        };
        assert!(forecast(&options, &Progress::default()).is_ok(), "{name}");
    }
}
