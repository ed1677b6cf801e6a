//! Joins stores and mounts into one list of layers: a directory is one layer, whoever
//! names it, and a place on disk belongs to the first layer that claims it.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use super::{
    escape::printable,
    image_files::MountedImage,
    locate::Locator,
    mounts::Mount,
    namespaces::Namespace,
    overlay,
    runtimes::{Store, StoreLayer, StoreRoots, packages},
    warning::Warnings,
};
use crate::model::{
    inode::Dev,
    layers::{
        Container, ContainerId, Image, ImageId, Layer, LayerId, LayerKind, LayerRoot, Layers,
        Runtime,
    },
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

/// The overlay mounts of all namespaces, each filesystem once.
#[derive(Default)]
pub(super) struct Overlays {
    layers: HashMap<PathBuf, (Vec<LayerRoot>, LayerKind)>,
    own: Vec<PathBuf>,
    /// Layers that no namespace can reach, with the mount point that names them.
    missing: Vec<(PathBuf, PathBuf)>,
}

impl Overlays {
    /// Layer directories in our own namespace.
    pub(super) fn own_directories(&self) -> &[PathBuf] {
        &self.own
    }
}

/// A layer directory as one namespace found it.
struct Reached {
    real: PathBuf,
    places: Vec<LayerRoot>,
    own: bool,
}

impl Joined {
    /// Finds the layer directories of all overlay mounts.
    pub(super) fn find_overlays(
        &mut self,
        namespaces: &[Namespace],
        locators: &[Locator<'_>],
        roots: &StoreRoots,
    ) -> Overlays {
        let mut by_dev: HashMap<Dev, Vec<(usize, &Mount)>> = HashMap::new();
        for (number, namespace) in namespaces.iter().enumerate() {
            for mount in namespace.table.mounts() {
                if overlay::is_overlay(mount) {
                    by_dev.entry(mount.dev).or_default().push((number, mount));
                }
            }
        }
        let mut overlays = Overlays::default();
        let mut known: HashMap<(usize, PathBuf), Option<PathBuf>> = HashMap::new();
        for seen in by_dev.values() {
            let Some((_, first)) = seen.first() else {
                continue;
            };
            let named = overlay::named_layers(&first.super_options);
            let writable = first
                .super_options
                .iter()
                .any(|(name, value)| name == b"upperdir" && !value.is_empty());
            for (position, layer) in named.iter().enumerate() {
                let kind = if writable && position == 0 {
                    LayerKind::Upper
                } else {
                    LayerKind::Lower
                };
                match reach(layer, seen, locators, roots, &mut known) {
                    Some(reached) => overlays.take(reached, kind),
                    None => overlays
                        .missing
                        .push((layer.clone(), first.mount_point.clone())),
                }
            }
        }
        overlays.missing.sort();
        overlays.own.sort();
        overlays
    }

    /// Adds what the stores hold, with directories as our own namespace sees them.
    pub(super) fn add_stores(
        &mut self,
        stores: Vec<Store>,
        locator: &Locator<'_>,
        warnings: &mut Warnings,
    ) {
        for store in &stores {
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
        self.link_containers(&stores);
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
            match by_id.get(&container.id).and_then(|at| merged.get_mut(*at)) {
                Some(known) => take_missing(known, container),
                None => {
                    by_id.insert(container.id.clone(), merged.len());
                    merged.push(container);
                }
            }
        }
        self.layers.containers = merged;
    }

    /// Adds the layers of overlay mounts that no store knows, and warns of those that
    /// cannot be reached.
    pub(super) fn add_overlays(&mut self, overlays: &Overlays, warnings: &mut Warnings) {
        let mut sorted: Vec<_> = overlays.layers.iter().collect();
        sorted.sort();
        for (directory, (roots, kind)) in sorted {
            let known: Vec<LayerId> = roots
                .iter()
                .filter_map(|root| self.by_root.get(root).copied())
                .collect();
            if let Some(id) = known.first() {
                if *kind == LayerKind::Upper
                    && let Some(layer) = self.layers.layers.get_mut(id.0 as usize)
                {
                    layer.kind = LayerKind::Upper;
                }
                continue;
            }
            let directory = printable(directory);
            self.add_unnamed(directory, *kind, roots.clone());
        }
        for (layer, mount_point) in &overlays.missing {
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

impl Overlays {
    fn take(&mut self, reached: Reached, kind: LayerKind) {
        let Reached { real, places, own } = reached;
        if own {
            self.own.push(real.clone());
        }
        let (_, known) = self.layers.entry(real).or_insert((places, kind));
        *known = (*known).max(kind);
    }
}

/// Finds a layer in the first namespace that has it. Relative names are relative to the
/// directory the mounter stood in: Docker and Podman stand in their store.
fn reach(
    layer: &Path,
    seen: &[(usize, &Mount)],
    locators: &[Locator<'_>],
    roots: &StoreRoots,
    known: &mut HashMap<(usize, PathBuf), Option<PathBuf>>,
) -> Option<Reached> {
    let in_namespace = |number: usize, path: PathBuf, known: &mut HashMap<_, _>| {
        let locator = locators.get(number)?;
        let real: Option<PathBuf> = known
            .entry((number, path.clone()))
            .or_insert_with(|| found(locator.real_path(&path)))
            .clone();
        let real = real?;
        let places = locator.places(&real);
        (!places.is_empty()).then_some(Reached {
            real,
            places,
            own: number == 0,
        })
    };
    // The mounter's names are names of our namespace, unless a container mounted it.
    let mut numbers: Vec<usize> = seen.iter().map(|(number, _)| *number).collect();
    numbers.insert(0, 0);
    if layer.is_absolute() {
        return numbers
            .into_iter()
            .find_map(|number| in_namespace(number, layer.to_path_buf(), known));
    }
    let beside = seen.iter().flat_map(|(number, mount)| {
        let above = mount.mount_point.ancestors().skip(1);
        above.map(|base| (*number, base.join(layer)))
    });
    let stores = roots
        .docker
        .iter()
        .map(|root| root.join("overlay2"))
        .chain(
            roots
                .containers_storage
                .iter()
                .map(|root| root.join("overlay")),
        )
        .map(|base| (0, base.join(layer)));
    beside
        .chain(stores)
        .collect::<Vec<_>>()
        .into_iter()
        .find_map(|(number, path)| in_namespace(number, path, known))
}

/// A layer directory that cannot be looked at is as good as missing.
fn found(path: io::Result<PathBuf>) -> Option<PathBuf> {
    path.ok()
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
