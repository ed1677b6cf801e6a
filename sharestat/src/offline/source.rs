//! What a path on the command line is: an OCI layout, an archive, or a directory.

use std::{fs, path::Path};

use super::{
    archive::Members,
    blob::Blob,
    docker,
    error::Error,
    manifest::{From, Image, Layer},
    oci::Layout,
};
use crate::identity::escape::printable;

/// The images that a path holds.
///
/// # Errors
/// When there is nothing, or it is no image.
pub(super) fn images(path: &Path) -> Result<Vec<Image>, Error> {
    let metadata = fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if metadata.is_dir() {
        if path.join("oci-layout").is_file() {
            return Layout::Directory(path)
                .images()?
                .ok_or_else(|| Error::malformed(path, "an OCI layout without 'index.json'"));
        }
        return Ok(vec![single(path, From::Directory(path.to_path_buf()))]);
    }
    if !metadata.is_file() {
        return Err(Error::malformed(
            path,
            "it is neither a file nor a directory",
        ));
    }
    let members = Members::list(path)?;
    if let Some(images) = docker::images(path, &members)? {
        return Ok(images);
    }
    if let Some(images) = Layout::Archive(path, &members).images()? {
        return Ok(images);
    }
    // What 'docker export' writes.
    let blob = Blob {
        file: path.to_path_buf(),
        part: None,
    };
    Ok(vec![single(path, From::Tar(blob))])
}

/// A root filesystem as an image of one layer.
fn single(path: &Path, from: From) -> Image {
    let shown = printable(path);
    Image {
        name: stem(path),
        id: shown.clone(),
        layers: vec![Layer {
            digest: shown,
            from,
        }],
    }
}

/// The name of a file or directory without its ending.
pub(super) fn stem(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = if whole.is_dir() {
        whole.file_name()
    } else {
        whole.file_stem()
    };
    name.map_or_else(|| printable(path), |name| printable(Path::new(name)))
}
