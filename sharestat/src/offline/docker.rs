//! What `docker save` writes: `manifest.json`, a list of images with names and layers.

use std::path::Path;

use serde::Deserialize;

use super::{
    archive::Members,
    error::Error,
    limits::{MOST_IMAGES, MOST_JSON, MOST_LAYERS},
    manifest::{Config, From, Image, Layer},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The images of an archive; `None` when it has no `manifest.json`.
pub(super) fn images(path: &Path, members: &Members) -> Result<Option<Vec<Image>>, Error> {
    let Some(manifest) = members.find("manifest.json") else {
        return Ok(None);
    };
    let entries: Vec<Entry> =
        serde_json::from_slice(&manifest.small(MOST_JSON)?).map_err(|error| {
            Error::malformed(path, format!("its 'manifest.json' is broken: {error}"))
        })?;
    if entries.len() > MOST_IMAGES {
        return Err(Error::refused(
            path,
            format!("it has more than {MOST_IMAGES} images"),
        ));
    }
    let images = entries.into_iter().map(|entry| image(path, members, entry));
    images.collect::<Result<_, _>>().map(Some)
}

fn image(path: &Path, members: &Members, entry: Entry) -> Result<Image, Error> {
    if entry.layers.len() > MOST_LAYERS {
        return Err(Error::refused(
            path,
            format!("an image has more than {MOST_LAYERS} layers"),
        ));
    }
    let missing = |name: &str| Error::malformed(path, format!("it lacks its member '{name}'"));
    let config = members
        .find(&entry.config)
        .ok_or_else(|| missing(&entry.config))?;
    let config: Config = serde_json::from_slice(&config.small(MOST_JSON)?).map_err(|error| {
        Error::malformed(
            path,
            format!("the configuration of an image is broken: {error}"),
        )
    })?;
    let count = entry.layers.len();
    let layers = entry.layers.iter().enumerate().map(|(number, name)| {
        Ok(Layer {
            digest: config.digest(number, count).unwrap_or_else(|| name.clone()),
            from: From::Tar(members.find(name).ok_or_else(|| missing(name))?),
        })
    });
    let tags = entry.repo_tags.unwrap_or_default();
    Ok(Image {
        name: tags
            .into_iter()
            .next()
            .unwrap_or_else(|| super::source::stem(path)),
        layers: layers.collect::<Result<_, Error>>()?,
        id: entry.config,
    })
}
