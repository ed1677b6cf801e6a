//! Feeds the parsers of this folder: see [`crate::fuzzing`].

use std::path::Path;

use super::{
    Error, Limits, Touched, blob::Blob, layer, limits::Room, manifest::From, source, stack,
};
use crate::{fuzzing::scratch::Scratch, progress::Progress, seed::Seed};

/// As of a run, scaled to the inputs: what is looked for is what escapes the limits.
const LIMITS: Limits = Limits {
    layer_bytes: 8 << 20,
    small_bytes: 1 << 20,
    entries: 4096,
    name_bytes: 1 << 20,
};

/// An archive of images, with its layers.
pub(crate) fn archive(input: &[u8]) -> bool {
    let Ok(scratch) = Scratch::new() else {
        return false;
    };
    let file = scratch.write("input.tar", input);
    file.is_ok_and(|file| images(&file).is_ok())
}

/// A directory with an image layout, from its files.
pub(crate) fn layout(input: &[u8]) -> bool {
    let Ok(scratch) = Scratch::new() else {
        return false;
    };
    scratch.fill(input);
    images(scratch.root()).is_ok_and(|tars| tars > 0)
}

/// One layer, packed or not.
pub(crate) fn layer(input: &[u8]) -> bool {
    let Ok(scratch) = Scratch::new() else {
        return false;
    };
    let blob = scratch
        .write("layer", input)
        .map(|file| Blob { file, part: None });
    blob.is_ok_and(|blob| contents(&blob).is_ok_and(|files| files > 0))
}

/// A list of files that are read.
pub(crate) fn touched(input: &[u8]) -> bool {
    Touched::parse(input).is_ok()
}

/// Reads the layers of the images at a path; how many there are. `forecast` does the same
/// on several threads, where memory is nobody's.
fn images(path: &Path) -> Result<usize, Error> {
    let mut tars = 0;
    for image in source::images(path)? {
        for layer in image.layers {
            if let From::Tar(blob) = layer.from {
                contents(&blob)?;
                tars += 1;
            }
        }
    }
    Ok(tars)
}

/// Reads one layer; how many files it shows.
fn contents(blob: &Blob) -> Result<usize, Error> {
    let stream = blob.unpacked(LIMITS)?;
    let contents = layer::read(
        stream,
        Seed::fixed(1),
        &Room::new(LIMITS),
        &Progress::default(),
    )
    .map_err(|source| Error::io(&blob.file, source))?;
    let shown = stack::visible(&[&contents, &contents], &|_| true);
    Ok(shown.iter().map(Vec::len).sum())
}

#[cfg(test)]
pub(crate) use super::samples::{gzip, zstd};

/// A layer with something of everything.
#[cfg(test)]
pub(crate) fn sample_layer() -> Vec<u8> {
    use super::samples::{Entry, layer};
    layer(&[
        Entry::Directory("usr"),
        Entry::File("usr/one", &[7; 5000]),
        Entry::Link("usr/two", "usr/one"),
        Entry::File("usr/.wh.old", b""),
        Entry::File("etc/.wh..wh..opq", b""),
        Entry::Of(tar::EntryType::Fifo, "pipe"),
    ])
}

/// What `docker save` writes of an image with that layer.
#[cfg(test)]
pub(crate) fn sample_archive() -> Vec<u8> {
    let scratch = Scratch::new().expect("a folder");
    let file = scratch.root().join("image.tar");
    super::samples::docker_archive(&file, &[gzip(&sample_layer())], &[("app:1", &[0])]);
    std::fs::read(file).expect("it was written")
}
