//! The store of containers/storage (Podman, Buildah, CRI-O) from its graph root, driver
//! `overlay`: `layers.json`, `images.json`, `containers.json` and their volatile
//! companions. Formats: containers/storage layers.go, images.go, containers.go.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use serde::Deserialize;

use super::{Store, StoreContainer, StoreImage, StoreLayer, best_name, component, read_json_list};
use crate::{
    identity::warning::Warnings,
    model::layers::{LayerKind, Pod, Runtime},
};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LayerRecord {
    id: String,
    parent: Option<String>,
    diff_digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageRecord {
    id: String,
    names: Option<Vec<String>>,
    names_history: Option<Vec<String>>,
    layer: Option<String>,
    mapped_layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ContainerRecord {
    id: String,
    names: Option<Vec<String>>,
    image: Option<String>,
    layer: Option<String>,
    metadata: Option<String>,
}

/// What Podman and CRI-O put into `metadata` as JSON (CRI-O: internal/storage/runtime.go).
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    image_name: Option<String>,
    name: Option<String>,
    pod: Option<bool>,
    pod_name: Option<String>,
    pod_id: Option<String>,
    uid: Option<String>,
    namespace: Option<String>,
}

/// What a graph root holds.
#[must_use]
pub fn read(root: &Path, warnings: &mut Warnings) -> Store {
    let mut store = Store::default();
    let mut by_id = HashMap::new();
    let layers = root.join("overlay-layers");
    for file in ["layers.json", "volatile-layers.json"] {
        let path = layers.join(file);
        for record in read_json_list::<LayerRecord>(&path, warnings) {
            let Some(part) = component(&record.id, &path, warnings) else {
                continue;
            };
            by_id.insert(record.id.clone(), (store.layers.len(), record.parent));
            store.layers.push(StoreLayer {
                key: record.id,
                runtime: Runtime::Podman,
                kind: LayerKind::Lower,
                directory: root.join("overlay").join(part).join("diff"),
                image_file: None,
                digest: record.diff_digest,
            });
        }
    }
    read_images(root, &by_id, &mut store, warnings);
    read_containers(root, &by_id, &mut store, warnings);
    forget_intermediate(&mut store);
    store
}

/// Every instruction of a build leaves an image without a name, in which it began: only a
/// step towards the image that has all its layers and more. `podman images` does not list
/// them either (containers/common, libimage: `IsIntermediate`).
fn forget_intermediate(store: &mut Store) {
    let steps: HashSet<Vec<usize>> = store
        .images
        .iter()
        .flat_map(|image| (1..image.layers.len()).filter_map(|end| image.layers.get(..end)))
        .map(<[usize]>::to_vec)
        .collect();
    let containers = store.containers.iter();
    let used: HashSet<&str> = containers.filter_map(|one| one.image.as_deref()).collect();
    store.images.retain(|image| {
        image.name.is_some() || used.contains(&*image.id) || !steps.contains(&image.layers)
    });
}

type ById = HashMap<String, (usize, Option<String>)>;

/// A layer and those below it, lowest first.
fn chain(by_id: &ById, top: Option<&str>) -> Result<Vec<usize>, String> {
    let mut layers = Vec::new();
    let mut next = top.filter(|id| !id.is_empty());
    while let Some(id) = next {
        let Some((layer, parent)) = by_id.get(id) else {
            layers.reverse();
            return Err(format!("its layer '{}' is not stored", id.escape_default()));
        };
        if layers.len() > by_id.len() {
            return Err(format!(
                "the layers below '{}' form a ring",
                id.escape_default()
            ));
        }
        layers.push(*layer);
        next = parent.as_deref().filter(|id| !id.is_empty());
    }
    layers.reverse();
    Ok(layers)
}

fn read_images(root: &Path, by_id: &ById, store: &mut Store, warnings: &mut Warnings) {
    let path = root.join("overlay-images/images.json");
    for record in read_json_list::<ImageRecord>(&path, warnings) {
        let names = record.names.unwrap_or_default();
        let former = record.names_history.unwrap_or_default();
        let name = best_name(names.iter().map(String::as_str)).or_else(|| {
            // An image that lost its tag to a newer one keeps the memory of it.
            best_name(
                former
                    .iter()
                    .map(String::as_str)
                    .filter(|name| !temporary(name)),
            )
            .map(|name| format!("{name} (former)"))
        });
        let mut layers = match chain(by_id, record.layer.as_deref()) {
            Ok(layers) => layers,
            Err(reason) => {
                let image = record.id.escape_default();
                warnings.malformed(&path, format!("image '{image}': {reason}"));
                Vec::new()
            }
        };
        for mapped in record.mapped_layers.into_iter().flatten() {
            // The same layer shifted to other user ids: a copy of its own on disk.
            let known = by_id.get(&mapped).map(|(layer, _)| *layer);
            layers.extend(known.filter(|layer| !layers.contains(layer)));
        }
        store.images.push(StoreImage {
            id: record.id,
            name,
            runtime: Runtime::Podman,
            layers,
        });
    }
}

/// Names that Buildah gives to images that are being built.
fn temporary(name: &str) -> bool {
    name.contains("-tmp:") || name.ends_with("-tmp")
}

fn read_containers(root: &Path, by_id: &ById, store: &mut Store, warnings: &mut Warnings) {
    let directory = root.join("overlay-containers");
    for file in ["containers.json", "volatile-containers.json"] {
        let path = directory.join(file);
        for record in read_json_list::<ContainerRecord>(&path, warnings) {
            let metadata = record.metadata.as_deref().filter(|text| !text.is_empty());
            let metadata: Metadata = match metadata.map(serde_json::from_str).transpose() {
                Ok(metadata) => metadata.unwrap_or_default(),
                Err(error) => {
                    let container = record.id.escape_default();
                    warnings.malformed(
                        &path,
                        format!("metadata of container '{container}': {error}"),
                    );
                    Metadata::default()
                }
            };
            let upper = record
                .layer
                .and_then(|id| by_id.get(&id))
                .map(|(at, _)| *at);
            if let Some(layer) = upper.and_then(|at| store.layers.get_mut(at)) {
                layer.kind = LayerKind::Upper;
            }
            let names = record.names.unwrap_or_default();
            store.containers.push(StoreContainer {
                name: metadata
                    .name
                    .clone()
                    .filter(|name| !name.is_empty())
                    .or_else(|| names.first().cloned()),
                id: record.id,
                runtime: Runtime::Podman,
                image: record.image.filter(|image| !image.is_empty()),
                image_name: metadata.image_name.clone().filter(|name| !name.is_empty()),
                pod: pod(&metadata),
                layers: upper.into_iter().collect(),
            });
        }
    }
}

/// CRI-O records the pod with the container; Podman does not.
fn pod(metadata: &Metadata) -> Option<Pod> {
    let told =
        metadata.pod.is_some() || metadata.pod_id.as_deref().is_some_and(|id| !id.is_empty());
    told.then(|| Pod {
        uid: metadata.uid.clone().filter(|uid| !uid.is_empty()),
        name: metadata.pod_name.clone().filter(|name| !name.is_empty()),
        namespace: metadata.namespace.clone().filter(|name| !name.is_empty()),
    })
}
