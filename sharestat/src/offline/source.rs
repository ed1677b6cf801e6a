//! What a path on the command line is: an OCI layout, an archive, or a directory.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use super::{
    archive::Members,
    blob::Blob,
    docker,
    error::Error,
    manifest::{From, Image, Layer},
    oci::Layout,
};
use crate::identity::escape::printable;

/// The images that all paths hold. Those that would have one name get the path to it, so
/// that two directories `rootfs`, or two builds of one tag, can be told apart.
///
/// # Errors
/// When a path has nothing, or no image.
pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<Image>, Error> {
    let mut found: Vec<(&Path, Image)> = Vec::new();
    for path in paths {
        found.extend(
            images(path)?
                .into_iter()
                .map(|image| (path.as_path(), image)),
        );
    }
    let mut places: HashMap<String, HashSet<&Path>> = HashMap::new();
    for (path, image) in &found {
        places.entry(image.name.clone()).or_default().insert(*path);
    }
    for (path, image) in &mut found {
        if places.get(&image.name).is_some_and(|paths| paths.len() > 1) {
            image.name = format!("{} ({})", image.name, printable(path));
        }
    }
    Ok(found.into_iter().map(|(_, image)| image).collect())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_images_of_one_name_are_shown_with_their_paths_and_others_are_not() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = ["a/rootfs", "b/rootfs", "c/web"].map(|path| root.path().join(path));
        for path in &paths {
            fs::create_dir_all(path).expect("a directory");
        }
        let names = |paths: &[PathBuf]| -> Vec<String> {
            let images = all(paths).expect("directories").into_iter();
            images.map(|image| image.name).collect()
        };
        let [one, other, _] = &paths;
        let expected = [one, other].map(|path| format!("rootfs ({})", path.display()));
        assert_eq!(names(&paths), [&expected[..], &["web".to_owned()]].concat());
        assert_eq!(names(&paths[1..]), ["rootfs", "web"]);
    }
}
