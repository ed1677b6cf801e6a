//! What an image may not hold, and what it may not ask of the machine that reads it.

use std::{fs, path::Path};

use tar::{Builder, EntryType, Header};

use super::{
    ForecastOptions, Limits, forecast,
    samples::{Entry, docker_archive, layer, layout},
};
use crate::{progress::Progress, seed::Seed};

/// The sentence by which an image of one layer is refused.
fn refusal(root: &Path, bytes: Vec<u8>) -> String {
    refused(&layout(&root.join("layout"), &[bytes], &[("i", &[0])]))
}

fn refused(image: &Path) -> String {
    let options = ForecastOptions {
        images: vec![image.to_path_buf()],
        touched: None,
        seed: Seed::fixed(7),
        limits: Limits {
            entries: 100,
            ..Limits::default()
        },
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
    let file = root.path().join("image.tar");
    docker_archive(&file, &[layer(&[])], &[("i", &[0])]);
    let bytes = fs::read(&file).expect("it was written");
    // The same archive, of which a layer lies at '/etc/passwd'.
    let text = String::from_utf8_lossy(&bytes);
    let layers = text.find("\"Layers\":[\"").expect("a manifest") + "\"Layers\":[\"".len();
    let end = layers
        + bytes[layers..]
            .iter()
            .position(|byte| *byte == b'"')
            .expect("its end");
    let mut changed = bytes.clone();
    let path = b"../../../etc/passwd";
    assert!(path.len() <= end - layers, "there is room");
    changed[layers..end].fill(b'/');
    changed[end - path.len()..end].copy_from_slice(path);
    fs::write(&file, changed).expect("written");
    let why = refused(&file);
    assert!(!why.contains("root:"), "{why}");
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
