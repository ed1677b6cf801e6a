//! Layers, images and containers as values: what a runtime stored, which directory or
//! image file holds it, and whom it serves. Filled by `identity`, used by savings and
//! reports. A layer can serve several images; an image is a list of layers.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::inode::Dev;

/// Position of a layer in one [`Layers`]. Not stable between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LayerId(pub u32);

/// Position of an image in one [`Layers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ImageId(pub u32);

/// Position of a container in one [`Layers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContainerId(pub u32);

/// Who keeps a layer, an image or a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Runtime {
    /// Docker with its own layer store (`overlay2`).
    Docker,
    /// containerd, also under Kubernetes and under Docker's containerd image store.
    Containerd,
    /// containers/storage: Podman, Buildah, CRI-O.
    Podman,
    /// Flatpak deployments.
    Flatpak,
    /// snapd.
    Snap,
    /// Seen only as a mount.
    Mount,
    /// An image that lies in files.
    File,
}

impl Runtime {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Podman => "podman",
            Self::Flatpak => "flatpak",
            Self::Snap => "snap",
            Self::Mount => "mount",
            Self::File => "file",
        }
    }
}

/// What a layer is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LayerKind {
    /// A directory that is only read: a lower layer, or a deployment.
    Lower,
    /// A directory that a container writes to.
    Upper,
    /// A file that holds a whole filesystem.
    ImageFile,
    /// The files of a filesystem that is mounted from an image file.
    ImageMount,
}

impl LayerKind {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::ImageFile => "image-file",
            Self::ImageMount => "image-mount",
        }
    }
}

/// A directory tree, or one file, inside one filesystem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LayerRoot {
    /// `s_dev` of the filesystem.
    pub dev: Dev,
    /// Path from the root of the filesystem, `/` for the whole of it.
    pub path_in_fs: Vec<u8>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The store's own name for it (chain id, snapshot key, layer id), else the path.
    pub key: String,
    /// Directory or file, as the store or the mounter writes it, safe to print.
    pub directory: String,
    /// What it is on disk.
    pub kind: LayerKind,
    /// Who keeps it.
    pub runtime: Runtime,
    /// Digest of the layer's tar (`diff_id`), where the store tells it. Equal digests in
    /// two stores are the same layer kept twice.
    pub digest: Option<String>,
    /// Where its pages live. Empty when the place is gone or on no known filesystem.
    pub roots: Vec<LayerRoot>,
    /// Images it belongs to, ascending.
    pub images: Vec<ImageId>,
    /// The container that writes to it.
    pub container: Option<ContainerId>,
    /// The image file it is mounted from.
    pub image_file: Option<LayerId>,
    /// Of an image file: `s_dev` of the filesystems mounted from it.
    pub mounted: Vec<Dev>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Digest or id.
    pub id: String,
    /// Its name (`repository:tag`), when it has one.
    pub name: Option<String>,
    /// Who keeps it.
    pub runtime: Runtime,
    /// Its layers, lowest first.
    pub layers: Vec<LayerId>,
}

impl Image {
    /// Its name, else the start of its id.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| short(&self.id))
    }
}

/// The Kubernetes pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Pod UID.
    pub uid: Option<String>,
    /// Pod name.
    pub name: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
}

/// One container, running or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// Who keeps it.
    pub runtime: Runtime,
    /// The image it was made from, when that still exists.
    pub image: Option<ImageId>,
    /// The name of that image as the container recorded it.
    pub image_name: Option<String>,
    /// Its pod.
    pub pod: Option<Pod>,
    /// Layers of its own: what it writes to, and what its runtime put below that.
    pub layers: Vec<LayerId>,
}

/// All layers, images and containers that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Layers, by [`LayerId`].
    pub layers: Vec<Layer>,
    /// Images, by [`ImageId`].
    pub images: Vec<Image>,
    /// Containers, by [`ContainerId`].
    pub containers: Vec<Container>,
    /// The overlay mounts.
    pub stacks: Vec<Stack>,
}

/// The layers of one overlay mount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stack {
    /// What is written to.
    pub upper: Option<LayerId>,
    /// What is below, from top to bottom.
    pub lowers: Vec<LayerId>,
}

impl Layers {
    /// The layers that a container shows: its own, and those below them in its overlay
    /// mount. A container that does not run shows its own only.
    #[must_use]
    pub fn shown_by(&self, container: &Container) -> Vec<LayerId> {
        let mounted = self.stacks.iter().filter(|stack| {
            stack
                .upper
                .is_some_and(|upper| container.layers.contains(&upper))
        });
        let mut layers = container.layers.clone();
        layers.extend(mounted.flat_map(|stack| &stack.lowers));
        layers.sort_unstable();
        layers.dedup();
        layers
    }

    /// A layer.
    #[must_use]
    pub fn layer(&self, id: LayerId) -> Option<&Layer> {
        self.layers.get(id.0 as usize)
    }

    /// An image.
    #[must_use]
    pub fn image(&self, id: ImageId) -> Option<&Image> {
        self.images.get(id.0 as usize)
    }

    /// A container.
    #[must_use]
    pub fn container(&self, id: ContainerId) -> Option<&Container> {
        self.containers.get(id.0 as usize)
    }

    /// Whether some image has both layers.
    #[must_use]
    pub fn same_image(&self, one: LayerId, other: LayerId) -> bool {
        let images = |id| self.layer(id).map_or(&[][..], |layer| &layer.images);
        let (one, other) = (images(one), images(other));
        one.iter().any(|image| other.binary_search(image).is_ok())
    }

    /// The containers by id, as cgroup paths name them.
    #[must_use]
    pub fn containers_by_id(&self) -> HashMap<&str, ContainerId> {
        (0..)
            .zip(&self.containers)
            .map(|(position, container)| (container.id.as_str(), ContainerId(position)))
            .collect()
    }

    /// The name of an image: its own, else the start of its id.
    #[must_use]
    pub fn image_label(&self, id: ImageId) -> String {
        self.image(id)
            .map_or_else(String::new, |image| image.label().to_owned())
    }

    /// The name of a container: its own, else the start of its id.
    #[must_use]
    pub fn container_label(&self, id: ContainerId) -> String {
        self.container(id).map_or_else(String::new, |container| {
            container
                .name
                .clone()
                .unwrap_or_else(|| short(&container.id).to_owned())
        })
    }

    /// A name for people: the container that writes to the layer, else the smallest image
    /// with a name that has it (that is where it came from) and its place there, else its
    /// directory.
    #[must_use]
    pub fn layer_label(&self, id: LayerId) -> String {
        let Some(layer) = self.layer(id) else {
            return String::new();
        };
        let suffix = match layer.kind {
            LayerKind::ImageFile => " (image file)",
            LayerKind::Lower | LayerKind::Upper | LayerKind::ImageMount => "",
        };
        if let Some(container) = layer.container {
            let part = match layer.kind {
                LayerKind::Upper => "writable",
                LayerKind::Lower | LayerKind::ImageFile | LayerKind::ImageMount => "init",
            };
            return format!("{} ({part})", self.container_label(container));
        }
        let smallest = layer
            .images
            .iter()
            .filter_map(|id| Some((*id, self.image(*id)?)))
            .min_by_key(|(_, image)| (image.name.is_none(), image.layers.len()));
        match smallest {
            Some((image_id, image)) => {
                let own = |other: &LayerId| {
                    *other == id
                        || self
                            .layer(*other)
                            .is_some_and(|other| other.image_file == Some(id))
                };
                let place = image.layers.iter().position(own).map_or(0, |at| at + 1);
                let count = image.layers.len();
                let name = self.image_label(image_id);
                if count == 1 {
                    format!("{name}{suffix}")
                } else {
                    format!("{name} [{place}/{count}]{suffix}")
                }
            }
            None => format!("{}{suffix}", layer.directory),
        }
    }
}

/// The first twelve digits of an id, without the algorithm before it.
#[must_use]
pub fn short(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
