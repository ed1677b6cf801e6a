//! An OCI image layout: `index.json` leads to manifests, manifests to layers, each by its
//! digest. In a directory, or in an archive of one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    archive::Members,
    blob::Blob,
    error::Error,
    limits::{MOST_IMAGES, MOST_JSON, MOST_LAYERS},
    manifest::{Config, From, Image, Layer},
    source::stem,
};

/// Indexes in indexes beyond this depth are refused.
const MOST_DEPTH: u32 = 4;

/// What one layout leads to.
#[derive(Default)]
struct Found {
    images: Vec<Image>,
    /// Indexes that were read: some lead to nothing, or each to all others.
    indexes: usize,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Where a layout lies.
pub(super) enum Layout<'a> {
    /// In a directory.
    Directory(&'a Path),
    /// In an archive.
    Archive(&'a Path, &'a Members),
}

impl Layout<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::Archive(path, _) => path,
        }
    }

    fn find(&self, name: &str) -> Option<Blob> {
        match self {
            Self::Directory(path) => {
                let file: PathBuf = path.join(name);
                file.is_file().then_some(Blob { file, part: None })
            }
            Self::Archive(_, members) => members.find(name),
        }
    }

    /// A blob by its digest, of which nothing but letters and digits goes into the path.
    fn blob(&self, digest: &str) -> Result<Blob, Error> {
        let plain =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let parts = digest
            .split_once(':')
            .filter(|(algorithm, hex)| plain(algorithm) && plain(hex));
        let Some((algorithm, hex)) = parts else {
            let shown = digest.escape_debug().take(80).collect::<String>();
            return Err(Error::refused(
                self.path(),
                format!("'{shown}' is no digest"),
            ));
        };
        self.find(&format!("blobs/{algorithm}/{hex}"))
            .ok_or_else(|| Error::malformed(self.path(), format!("it lacks the blob '{digest}'")))
    }

    fn document<T: DeserializeOwned>(&self, blob: &Blob, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&blob.small(MOST_JSON)?)
            .map_err(|error| Error::malformed(self.path(), format!("{what} is broken: {error}")))
    }

    /// The images; `None` when there is no `index.json`.
    pub(super) fn images(&self) -> Result<Option<Vec<Image>>, Error> {
        let Some(index) = self.find("index.json") else {
            return Ok(None);
        };
        let index: Index = self.document(&index, "its 'index.json'")?;
        let mut found = Found::default();
        self.follow(&index, None, 0, &mut found)?;
        if found.images.is_empty() {
            return Err(Error::malformed(
                self.path(),
                "it has no image for this architecture",
            ));
        }
        Ok(Some(found.images))
    }

    fn follow(
        &self,
        index: &Index,
        name: Option<&str>,
        depth: u32,
        found: &mut Found,
    ) -> Result<(), Error> {
        found.indexes += 1;
        let many = found.indexes.max(index.manifests.len()) > MOST_IMAGES;
        if depth > MOST_DEPTH || many {
            return Err(Error::refused(
                self.path(),
                "its indexes are too deep, too long or too many",
            ));
        }
        for descriptor in index
            .manifests
            .iter()
            .filter(|descriptor| is_for_us(descriptor))
        {
            let own = name_of(self.path(), descriptor);
            let name = own.as_deref().or(name);
            let blob = self.blob(&descriptor.digest)?;
            if descriptor.media_type.contains("index")
                || descriptor.media_type.contains("manifest.list")
            {
                let inner: Index = self.document(&blob, "an index of it")?;
                self.follow(&inner, name, depth + 1, found)?;
            } else {
                if found.images.len() >= MOST_IMAGES {
                    return Err(Error::refused(
                        self.path(),
                        format!("it has more than {MOST_IMAGES} images"),
                    ));
                }
                found.images.push(self.image(descriptor, &blob, name)?);
            }
        }
        Ok(())
    }

    fn image(
        &self,
        descriptor: &Descriptor,
        blob: &Blob,
        name: Option<&str>,
    ) -> Result<Image, Error> {
        let manifest: Manifest = self.document(blob, "a manifest of it")?;
        let count = manifest.layers.len();
        if count > MOST_LAYERS {
            return Err(Error::refused(
                self.path(),
                format!("an image has more than {MOST_LAYERS} layers"),
            ));
        }
        let config = self.blob(&manifest.config.digest)?;
        let config: Config = self.document(&config, "the configuration of an image")?;
        let layers = manifest.layers.iter().enumerate().map(|(number, layer)| {
            if !layer.media_type.is_empty() && !layer.media_type.contains("tar") {
                let why = format!(
                    "a layer is of the kind '{}', not a tar",
                    layer.media_type.escape_debug()
                );
                return Err(Error::malformed(self.path(), why));
            }
            Ok(Layer {
                digest: config
                    .digest(number, count)
                    .unwrap_or_else(|| layer.digest.clone()),
                from: From::Tar(self.blob(&layer.digest)?),
            })
        });
        Ok(Image {
            name: name.map_or_else(|| stem(self.path()), str::to_owned),
            id: descriptor.digest.clone(),
            layers: layers.collect::<Result<_, _>>()?,
        })
    }
}

/// Images for other machines are left out, and so are attestations ('unknown').
fn is_for_us(descriptor: &Descriptor) -> bool {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    descriptor
        .platform
        .as_ref()
        .is_none_or(|platform| platform.os == "linux" && platform.architecture == architecture)
}

/// The name that containerd or skopeo gave it; a bare tag gets the name of the file.
fn name_of(path: &Path, descriptor: &Descriptor) -> Option<String> {
    let annotation = |key: &str| descriptor.annotations.get(key);
    if let Some(name) = annotation("io.containerd.image.name") {
        return Some(name.clone());
    }
    let name = annotation("org.opencontainers.image.ref.name")?;
    if name.contains(['/', ':']) {
        return Some(name.clone());
    }
    Some(format!("{}:{name}", stem(path)))
}
