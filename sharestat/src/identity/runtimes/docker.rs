//! Docker's own store (`overlay2`), from its data root: layer database, image
//! configurations, repositories and container configurations. Also the containers of
//! Docker's containerd image store, whose layers the containerd reader finds.
//! Formats: moby daemon/internal/layer/filestore.go, daemon/internal/image/fs.go.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use serde::Deserialize;

use super::{
    Store, StoreContainer, StoreImage, StoreLayer, best_name, component, names_in, pod_of_labels,
    read_file, read_json, read_word,
};
use crate::{
    identity::warning::Warnings,
    model::layers::{LayerKind, Runtime},
};

#[derive(Deserialize)]
struct ImageConfig {
    rootfs: Option<RootFs>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Repositories {
    #[serde(rename = "Repositories")]
    repositories: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerConfig {
    #[serde(rename = "ID")]
    id: String,
    name: Option<String>,
    image: Option<String>,
    config: Option<RunConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    image: Option<String>,
    labels: Option<HashMap<String, String>>,
}

/// Layers by the layer below and the digest of their own tar. That is all a chain id is
/// made from, so chains are followed without computing one.
type Chains = HashMap<(Option<String>, String), (String, usize)>;

/// What a data root holds.
#[must_use]
pub fn read(root: &Path, warnings: &mut Warnings) -> Store {
    let mut store = Store::default();
    let chains = read_layers(root, &mut store, warnings);
    read_images(root, &chains, &mut store, warnings);
    read_containers(root, &mut store, warnings);
    store
}

fn read_layers(root: &Path, store: &mut Store, warnings: &mut Warnings) -> Chains {
    let mut chains = Chains::new();
    let database = root.join("image/overlay2/layerdb/sha256");
    for chain in names_in(&database, warnings) {
        let entry = database.join(&chain);
        let (Some(cache), Some(diff)) = (
            read_word(&entry.join("cache-id"), warnings),
            read_word(&entry.join("diff"), warnings),
        ) else {
            continue;
        };
        let parent = read_file(&entry.join("parent"), warnings)
            .map(|parent| String::from_utf8_lossy(&parent).trim_end().to_owned());
        let Some(cache) = component(&cache, &entry, warnings) else {
            continue;
        };
        let chain = format!("sha256:{chain}");
        chains.insert((parent, diff.clone()), (chain.clone(), store.layers.len()));
        store.layers.push(StoreLayer {
            key: chain,
            runtime: Runtime::Docker,
            kind: LayerKind::Lower,
            directory: root.join("overlay2").join(cache).join("diff"),
            image_file: None,
            digest: Some(diff),
        });
    }
    chains
}

fn read_images(root: &Path, chains: &Chains, store: &mut Store, warnings: &mut Warnings) {
    let names = read_names(&root.join("image/overlay2/repositories.json"), warnings);
    let configs = root.join("image/overlay2/imagedb/content/sha256");
    for image in names_in(&configs, warnings) {
        let path = configs.join(&image);
        let id = format!("sha256:{image}");
        let diffs = read_json::<ImageConfig>(&path, warnings)
            .and_then(|config| config.rootfs?.diff_ids)
            .unwrap_or_default();
        let mut layers = Vec::new();
        let mut below = None;
        for diff in diffs {
            let Some((chain, layer)) = chains.get(&(below, diff.clone())) else {
                warnings.malformed(
                    &path,
                    format!("its layer '{}' is not stored", diff.escape_default()),
                );
                break;
            };
            layers.push(*layer);
            below = Some(chain.clone());
        }
        store.images.push(StoreImage {
            name: names
                .get(&id)
                .and_then(|names| best_name(names.iter().map(String::as_str))),
            id,
            runtime: Runtime::Docker,
            layers,
        });
    }
}

/// Names by image id.
fn read_names(path: &Path, warnings: &mut Warnings) -> HashMap<String, Vec<String>> {
    let mut names: HashMap<String, Vec<String>> = HashMap::new();
    let repositories = read_json::<Repositories>(path, warnings)
        .and_then(|file| file.repositories)
        .unwrap_or_default();
    for (name, id) in repositories.into_values().flatten() {
        names.entry(id).or_default().push(name);
    }
    names
}

fn read_containers(root: &Path, store: &mut Store, warnings: &mut Warnings) {
    let containers = root.join("containers");
    for name in names_in(&containers, warnings) {
        let path = containers.join(&name).join("config.v2.json");
        let Some(config) = read_json::<ContainerConfig>(&path, warnings) else {
            continue;
        };
        let (image_name, labels) = config
            .config
            .map_or((None, None), |run| (run.image, run.labels));
        let labels = labels.unwrap_or_default();
        let layers = read_mount(root, &config.id, store, warnings);
        store.containers.push(StoreContainer {
            name: config
                .name
                .map(|name| name.trim_start_matches('/').to_owned())
                .filter(|name| !name.is_empty()),
            id: config.id,
            runtime: Runtime::Docker,
            image: config.image,
            image_name,
            pod: pod_of_labels(|label| labels.get(label).map(String::as_str)),
            layers,
        });
    }
}

/// The layers of one container: what it writes to, and Docker's own files below that.
fn read_mount(
    root: &Path,
    container: &str,
    store: &mut Store,
    warnings: &mut Warnings,
) -> Vec<usize> {
    let mut layers = Vec::new();
    let mounts = root.join("image/overlay2/layerdb/mounts");
    let Some(container) = component(container, &mounts, warnings) else {
        return layers;
    };
    let mount = mounts.join(container);
    // Containers of the containerd image store have none.
    for (file, kind) in [
        ("mount-id", LayerKind::Upper),
        ("init-id", LayerKind::Lower),
    ] {
        let Some(id) = read_file(&mount.join(file), warnings) else {
            continue;
        };
        let id = String::from_utf8_lossy(&id).trim_end().to_owned();
        let Some(part) = component(&id, &mount, warnings) else {
            continue;
        };
        layers.push(store.layers.len());
        store.layers.push(StoreLayer {
            key: id,
            runtime: Runtime::Docker,
            kind,
            directory: root.join("overlay2").join(part).join("diff"),
            image_file: None,
            digest: None,
        });
    }
    layers
}
