//! Joins stores and mounts into one list of layers: a directory is one layer, whoever
//! names it, and a place on disk belongs to the first layer that claims it.

use std::{collections::HashMap, path::PathBuf};

use super::{
    escape::printable,
    image_files::MountedImage,
    locate::Locator,
    reach::Overlays,
    runtimes::{Store, StoreLayer, packages},
    warning::Warnings,
};
use crate::model::layers::{
    Container, ContainerId, Image, ImageId, Layer, LayerId, LayerKind, LayerRoot, Layers, Runtime,
    Stack,
};

/// Layers while they are put together.
#[derive(Default)]
pub(super) struct Joined {
    layers: Layers,
    by_root: HashMap<LayerRoot, LayerId>,
    image_files: HashMap<PathBuf, LayerId>,
    /// Docker leaves the layers of some containers to containerd: the container's id and
    /// the keys of their snapshots.
    writable: HashMap<String, LayerId>,
}

impl Joined {
    /// Adds what the stores hold, with directories as our own namespace sees them.
    pub(super) fn add_stores(
        &mut self,
        stores: &[Store],
        locator: &Locator<'_>,
        warnings: &mut Warnings,
    ) {
        for store in stores {
            for layer in &store.layers {
                // Docker's containerd store keeps them under the container's id.
                if layer.runtime == Runtime::Containerd && layer.kind == LayerKind::Upper {
                    let next = self.next_layer();
                    self.writable.entry(layer.key.clone()).or_insert(next);
                }
                self.add_store_layer(layer, locator, warnings);
            }
            let first = self.next_layer().0 - count(store.layers.len());
            let of_store = |layer: &usize| LayerId(first + count(*layer));
            for image in &store.images {
                self.layers.images.push(Image {
                    id: image.id.clone(),
                    name: image.name.clone(),
                    runtime: image.runtime,
                    layers: image.layers.iter().map(of_store).collect(),
                });
            }
            for container in &store.containers {
                self.layers.containers.push(Container {
                    id: container.id.clone(),
                    name: container.name.clone(),
                    runtime: container.runtime,
                    image: None,
                    image_name: container.image_name.clone(),
                    pod: container.pod.clone(),
                    layers: container.layers.iter().map(of_store).collect(),
                });
            }
        }
        self.link_containers(stores);
    }

    fn add_store_layer(
        &mut self,
        layer: &StoreLayer,
        locator: &Locator<'_>,
        warnings: &mut Warnings,
    ) {
        let id = self.next_layer();
        // The store's root has no links in it, and a runtime makes none below.
        let mut roots = match layer.directory.symlink_metadata() {
            Ok(_) => locator.places(&layer.directory),
            Err(error) => {
                warnings.unreadable(&layer.directory, &error);
                Vec::new()
            }
        };
        roots.retain(|root| match self.by_root.get(root) {
            Some(_) => false,
            None => self.by_root.insert(root.clone(), id).is_none(),
        });
        if let Some(file) = &layer.image_file {
            self.image_files.insert(file.clone(), id);
        }
        self.layers.layers.push(Layer {
            key: layer.key.clone(),
            directory: printable(&layer.directory),
            kind: layer.kind,
            runtime: layer.runtime,
            digest: layer.digest.clone(),
            roots,
            images: Vec::new(),
            container: None,
            image_file: None,
            mounted: Vec::new(),
        });
    }

    /// Gives containers their images, and takes the two records of a container together
    /// that Docker and containerd each keep.
    fn link_containers(&mut self, stores: &[Store]) {
        let images: HashMap<&str, ImageId> = (0..)
            .zip(&self.layers.images)
            .map(|(position, image)| (image.id.as_str(), ImageId(position)))
            .collect();
        let records = stores.iter().flat_map(|store| &store.containers);
        let mut merged: Vec<Container> = Vec::new();
        let mut by_id: HashMap<String, usize> = HashMap::new();
        for (mut container, record) in self.layers.containers.drain(..).zip(records) {
            container.image = record
                .image
                .as_deref()
                .and_then(|id| images.get(id).copied());
            if container.layers.is_empty() {
                container
                    .layers
                    .extend(self.writable.get(&container.id).copied());
            }
            if let Some(known) = by_id.get(&container.id).and_then(|at| merged.get_mut(*at)) {
                take_missing(known, container);
            } else {
                by_id.insert(container.id.clone(), merged.len());
                merged.push(container);
            }
        }
        self.layers.containers = merged;
    }

    /// Adds the layers of overlay mounts that no store knows, and warns of those that
    /// cannot be reached.
    pub(super) fn add_overlays(&mut self, overlays: &Overlays, warnings: &mut Warnings) {
        for (roots, (directory, kind)) in overlays.sorted() {
            let known: Vec<LayerId> = roots
                .iter()
                .filter_map(|root| self.by_root.get(root).copied())
                .collect();
            if let Some(id) = known.first() {
                if kind == LayerKind::Upper
                    && let Some(layer) = self.layers.layers.get_mut(id.0 as usize)
                {
                    layer.kind = LayerKind::Upper;
                }
                continue;
            }
            let directory = printable(directory);
            self.add_unnamed(directory, kind, roots.to_vec());
        }
        let layer_at = |roots: &Vec<LayerRoot>| {
            let known = roots.iter().find_map(|root| self.by_root.get(root));
            known.copied()
        };
        self.layers.stacks = overlays
            .stacks()
            .iter()
            .map(|stack| Stack {
                upper: stack.upper.as_ref().and_then(layer_at),
                lowers: stack.lowers.iter().filter_map(layer_at).collect(),
            })
            .collect();
        for (layer, mount_point) in overlays.missing() {
            warnings.add(
                format!(
                    "cannot find layer '{}' of the overlay mount '{}'",
                    printable(layer),
                    printable(mount_point)
                ),
                "it was given as a file descriptor, cut off, unmounted or mounted in a namespace that is gone; its pages count for the filesystem without a layer",
            );
        }
    }

    /// Adds mounted image files, and ties each to the layer it holds.
    pub(super) fn add_image_files(
        &mut self,
        images: &[MountedImage],
        locator: &Locator<'_>,
        warnings: &mut Warnings,
    ) {
        for image in images {
            let whole = LayerRoot {
                dev: image.filesystem,
                path_in_fs: b"/".to_vec(),
            };
            let known = self
                .by_root
                .get(&whole)
                .or_else(|| self.image_files.get(&image.file))
                .copied();
            let inside = known.unwrap_or_else(|| {
                let shown = printable(&image.mount_point);
                self.add_unnamed(shown, LayerKind::ImageMount, vec![whole.clone()])
            });
            if let std::collections::hash_map::Entry::Vacant(free) =
                self.by_root.entry(whole.clone())
            {
                free.insert(inside);
                if let Some(layer) = self.layers.layers.get_mut(inside.0 as usize) {
                    layer.roots.push(whole);
                }
            }
            let file = self.add_file(image, locator, warnings);
            if let Some(layer) = self.layers.layers.get_mut(inside.0 as usize) {
                layer.image_file = Some(file);
            }
            if known.is_none() {
                self.name_snap(image, inside);
            }
        }
    }

    /// The layer of an image file; files mounted several times are one.
    fn add_file(
        &mut self,
        image: &MountedImage,
        locator: &Locator<'_>,
        warnings: &mut Warnings,
    ) -> LayerId {
        let mut roots = Vec::new();
        if !image.deleted {
            match locator.real_path(&image.file) {
                Ok(real) => roots = locator.places(&real),
                Err(error) => warnings.unreadable(&image.file, &error),
            }
        }
        let known = roots
            .iter()
            .find_map(|root| self.by_root.get(root))
            .copied();
        let id = known.unwrap_or_else(|| {
            let mut shown = printable(&image.file);
            if image.deleted {
                shown.push_str(" (deleted)");
            }
            self.add_unnamed(shown, LayerKind::ImageFile, roots)
        });
        if let Some(layer) = self.layers.layers.get_mut(id.0 as usize)
            && !layer.mounted.contains(&image.filesystem)
        {
            layer.mounted.push(image.filesystem);
        }
        id
    }

    fn name_snap(&mut self, image: &MountedImage, inside: LayerId) {
        let Some((name, revision)) = packages::snap_of(&image.file) else {
            return;
        };
        if let Some(layer) = self.layers.layers.get_mut(inside.0 as usize) {
            layer.runtime = Runtime::Snap;
        }
        self.layers.images.push(Image {
            id: format!("{name}_{revision}"),
            name: Some(format!("{name} ({revision})")),
            runtime: Runtime::Snap,
            layers: vec![inside],
        });
    }

    fn add_unnamed(&mut self, shown: String, kind: LayerKind, roots: Vec<LayerRoot>) -> LayerId {
        let id = self.next_layer();
        for root in &roots {
            self.by_root.entry(root.clone()).or_insert(id);
        }
        self.layers.layers.push(Layer {
            key: shown.clone(),
            directory: shown,
            kind,
            runtime: Runtime::Mount,
            digest: None,
            roots,
            images: Vec::new(),
            container: None,
            image_file: None,
            mounted: Vec::new(),
        });
        id
    }

    fn next_layer(&self) -> LayerId {
        LayerId(count(self.layers.layers.len()))
    }

    /// The finished lists, each layer knowing whom it serves.
    pub(super) fn finish(self) -> Layers {
        let mut layers = self.layers;
        for (position, image) in (0..).zip(&layers.images) {
            for id in &image.layers {
                if let Some(layer) = layers.layers.get_mut(id.0 as usize)
                    && layer.images.last() != Some(&ImageId(position))
                {
                    layer.images.push(ImageId(position));
                }
            }
        }
        for (position, container) in (0..).zip(&layers.containers) {
            for id in &container.layers {
                if let Some(layer) = layers.layers.get_mut(id.0 as usize) {
                    layer.container.get_or_insert(ContainerId(position));
                }
            }
        }
        // An image file serves the images of the layer it holds.
        for position in 0..layers.layers.len() {
            let layer = &layers.layers[position];
            if let Some(file) = layer.image_file {
                let (images, runtime) = (layer.images.clone(), layer.runtime);
                if let Some(file) = layers.layers.get_mut(file.0 as usize) {
                    file.images.extend(images);
                    file.images.sort_unstable();
                    file.images.dedup();
                    file.runtime = runtime;
                }
            }
        }
        layers
    }
}

/// Takes what one record of a container lacks from the other.
fn take_missing(known: &mut Container, other: Container) {
    known.name = known.name.take().or(other.name);
    known.image = known.image.or(other.image);
    known.image_name = known.image_name.take().or(other.image_name);
    known.pod = known.pod.take().or(other.pod);
    if known.layers.is_empty() {
        known.layers = other.layers;
    }
}

/// Positions fit in 32 bits: each stands for at least a hundred bytes of metadata in
/// memory.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
