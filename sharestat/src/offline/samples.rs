//! Small images in files, for the tests.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

/// One entry of a layer.
pub(super) enum Entry<'e> {
    File(&'e str, &'e [u8]),
    Link(&'e str, &'e str),
    Directory(&'e str),
    Of(EntryType, &'e str),
}

/// A layer as a tar stream. Names are written as they are, also those nobody may write.
pub(super) fn layer(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for entry in entries {
        let (kind, name, content, link) = match entry {
            Entry::File(name, content) => (EntryType::Regular, name, *content, ""),
            Entry::Link(name, target) => (EntryType::Link, name, &[][..], *target),
            Entry::Directory(name) => (EntryType::Directory, name, &[][..], ""),
            Entry::Of(kind, name) => (*kind, name, &[][..], ""),
        };
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder
            .append(&header, content)
            .expect("memory takes everything");
    }
    builder.into_inner().expect("memory takes everything")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// An image layout: images by name, each with the numbers of its layers.
pub(super) fn layout(root: &Path, layers: &[Vec<u8>], images: &[(&str, &[usize])]) -> PathBuf {
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a directory");
    let put = |name: String, bytes: &[u8]| {
        fs::write(blobs.join(&name), bytes).expect("a file");
        format!("sha256:{name}")
    };
    let layers: Vec<String> = (0..)
        .zip(layers)
        .map(|(number, layer): (u32, _)| put(format!("aa{number}"), layer))
        .collect();
    let mut manifests: Vec<Value> = Vec::new();
    for (name, own) in images {
        let own: Vec<&String> = own.iter().map(|layer| &layers[*layer]).collect();
        let config = json!({"rootfs": {"type": "layers", "diff_ids": own}});
        let config = put(
            format!("cc{}", manifests.len()),
            config.to_string().as_bytes(),
        );
        let descriptors: Vec<Value> = own.iter().map(|layer| {
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 1})
        }).collect();
        let manifest = json!({"config": {"digest": config}, "layers": descriptors});
        let manifest = put(
            format!("dd{}", manifests.len()),
            manifest.to_string().as_bytes(),
        );
        manifests.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest,
            "annotations": {"io.containerd.image.name": name},
        }));
    }
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    fs::write(root.join("index.json"), index.to_string()).expect("a file");
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
    root.to_path_buf()
}

/// A layout as an archive, as `skopeo copy … oci-archive:` writes it.
pub(super) fn oci_archive(file: &Path, layout: &Path) -> PathBuf {
    let mut builder = Builder::new(fs::File::create(file).expect("a file"));
    builder
        .append_dir_all(".", layout)
        .and_then(|()| builder.finish())
        .expect("it is written");
    file.to_path_buf()
}

/// The same as an archive of `docker save`.
pub(super) fn docker_archive(
    file: &Path,
    layers: &[Vec<u8>],
    images: &[(&str, &[usize])],
) -> PathBuf {
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        members.push((format!("l{number}/layer.tar"), layer.clone()));
    }
    let mut manifest: Vec<Value> = Vec::new();
    for (name, own) in images {
        let ids: Vec<String> = own
            .iter()
            .map(|layer| format!("sha256:aa{layer}"))
            .collect();
        let config = json!({"rootfs": {"diff_ids": ids}}).to_string();
        let config_name = format!("c{}.json", manifest.len());
        members.push((config_name.clone(), config.into_bytes()));
        let paths: Vec<String> = own
            .iter()
            .map(|layer| format!("l{layer}/layer.tar"))
            .collect();
        manifest.push(json!({"Config": config_name, "RepoTags": [name], "Layers": paths}));
    }
    members.push((
        "manifest.json".to_owned(),
        Value::from(manifest).to_string().into_bytes(),
    ));
    let entries: Vec<Entry<'_>> = members
        .iter()
        .map(|(name, bytes)| Entry::File(name, bytes))
        .collect();
    fs::write(file, layer(&entries)).expect("a file");
    file.to_path_buf()
}
