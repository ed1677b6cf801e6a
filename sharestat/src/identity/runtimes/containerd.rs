//! containerd's store from its root: the snapshotters' `metadata.db` tell which directory
//! a snapshot is in, `meta.db` tells which image or container it serves.
//! Formats: containerd core/metadata/buckets.go, core/snapshots/storage/bolt.go.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

use super::{
    Store, StoreContainer, StoreImage, StoreLayer, best_name, component, names_in, pod_of_labels,
};
use crate::{
    identity::{
        bolt::{Bolt, BoltError, Bucket, Entry},
        warning::Warnings,
    },
    model::layers::{LayerKind, Runtime},
};

const SNAPSHOTTER: &str = "io.containerd.snapshotter.v1.";
/// Kinds of snapshots (`snapshots.Kind`).
const ACTIVE: u8 = 2;
const COMMITTED: u8 = 3;

/// Snapshots by snapshotter and full name (`namespace/number/key`): layer and parent.
type Snapshots = HashMap<(String, String), (usize, Option<String>)>;

/// What a root holds.
#[must_use]
pub fn read(root: &Path, warnings: &mut Warnings) -> Store {
    let mut store = Store::default();
    let mut snapshots = Snapshots::new();
    for name in names_in(root, warnings) {
        let Some(snapshotter) = name.strip_prefix(SNAPSHOTTER) else {
            continue;
        };
        let directory = root.join(&name);
        let path = directory.join("metadata.db");
        let Some(bolt) = open(&path, warnings) else {
            continue;
        };
        let read = read_snapshots(
            &bolt,
            snapshotter,
            &directory,
            &mut store,
            &mut snapshots,
            warnings,
        );
        if let Err(error) = read {
            warnings.malformed(&path, error);
        }
    }
    let path = root.join("io.containerd.metadata.v1.bolt/meta.db");
    if let Some(bolt) = open(&path, warnings)
        && let Err(error) = read_namespaces(&bolt, &snapshots, &mut store)
    {
        warnings.malformed(&path, error);
    }
    store
}

/// A database, when it is there and can be read.
fn open(path: &Path, warnings: &mut Warnings) -> Option<Bolt> {
    match Bolt::read(path) {
        Ok(bolt) => Some(bolt),
        Err(BoltError::Read(error)) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                warnings.unreadable(path, &error);
            }
            None
        }
        Err(error) => {
            warnings.malformed(path, error);
            None
        }
    }
}

fn read_snapshots(
    bolt: &Bolt,
    snapshotter: &str,
    directory: &Path,
    store: &mut Store,
    snapshots: &mut Snapshots,
    warnings: &mut Warnings,
) -> Result<(), BoltError> {
    let Some(bucket) = bolt.root().descend(&[b"v1", b"snapshots"])? else {
        return Ok(());
    };
    for (name, snapshot) in bucket.buckets()? {
        let name = text(name);
        let id = snapshot.value("id")?.and_then(uvarint).unwrap_or(0);
        let kind = snapshot
            .value("kind")?
            .and_then(|kind| kind.first().copied());
        let kind = kind.unwrap_or(COMMITTED);
        let Some(place) = component(&id.to_string(), directory, warnings)
            .and_then(|id| place_of(snapshotter, kind, directory, &id))
        else {
            continue;
        };
        let parent = snapshot.value("parent")?.map(text);
        let key = name.splitn(3, '/').nth(2).unwrap_or(&name).to_owned();
        let image_file = place.parent().map(|place| place.join("layer.erofs"));
        snapshots.insert(
            (snapshotter.to_owned(), name),
            (
                store.layers.len(),
                parent.filter(|parent| !parent.is_empty()),
            ),
        );
        store.layers.push(StoreLayer {
            key,
            runtime: Runtime::Containerd,
            kind: if kind == ACTIVE {
                LayerKind::Upper
            } else {
                LayerKind::Lower
            },
            directory: place,
            image_file: image_file.filter(|file| file.is_file()),
            digest: None,
        });
    }
    Ok(())
}

/// The directory of a snapshot. Snapshotters that keep block devices have none.
fn place_of(snapshotter: &str, kind: u8, directory: &Path, id: &Path) -> Option<PathBuf> {
    match snapshotter {
        "devmapper" | "zfs" | "blockfile" => None,
        "native" => Some(directory.join("snapshots").join(id)),
        // Subvolumes (plugins/snapshots/btrfs/btrfs.go).
        "btrfs" => Some(
            directory
                .join(match kind {
                    ACTIVE => "active",
                    COMMITTED => "snapshots",
                    _ => "view",
                })
                .join(id),
        ),
        _ => Some(directory.join("snapshots").join(id).join("fs")),
    }
}

fn read_namespaces(bolt: &Bolt, snapshots: &Snapshots, store: &mut Store) -> Result<(), BoltError> {
    let Some(version) = bolt.root().descend(&[b"v1"])? else {
        return Ok(());
    };
    for (_, namespace) in version.buckets()? {
        let keys = snapshot_keys(namespace, snapshots)?;
        let images = read_images(namespace, &keys, snapshots, store)?;
        read_containers(namespace, &keys, snapshots, &images, store)?;
    }
    Ok(())
}

/// Snapshots of a namespace: (snapshotter, key) → full name.
type Keys = HashMap<(String, String), String>;

fn snapshot_keys(namespace: Bucket<'_>, snapshots: &Snapshots) -> Result<Keys, BoltError> {
    let mut keys = Keys::new();
    let Some(bucket) = namespace.descend(&[b"snapshots"])? else {
        return Ok(keys);
    };
    for (snapshotter, bucket) in bucket.buckets()? {
        let snapshotter = text(snapshotter);
        for (key, snapshot) in bucket.buckets()? {
            let Some(name) = snapshot.value("name")?.map(text) else {
                continue;
            };
            if snapshots.contains_key(&(snapshotter.clone(), name.clone())) {
                keys.insert((snapshotter.clone(), text(key)), name);
            }
        }
    }
    Ok(keys)
}

/// Images of a namespace, names that mean the same digest taken together (Kubernetes
/// gives each image three). Result: name → digest.
fn read_images(
    namespace: Bucket<'_>,
    keys: &Keys,
    snapshots: &Snapshots,
    store: &mut Store,
) -> Result<HashMap<String, String>, BoltError> {
    let mut digests = HashMap::new();
    let Some(images) = namespace.descend(&[b"images"])? else {
        return Ok(digests);
    };
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, image) in images.buckets()? {
        let target = image.descend(&[b"target"])?;
        let Some(digest) = target
            .map(|target| target.value("digest"))
            .transpose()?
            .flatten()
        else {
            continue;
        };
        names.entry(text(digest)).or_default().push(text(name));
        digests.insert(text(name), text(digest));
    }
    let labels = content_labels(namespace)?;
    for (digest, names) in names {
        store.images.push(StoreImage {
            layers: layers_of(&digest, &labels, keys, snapshots),
            name: best_name(names.iter().map(String::as_str)),
            id: digest,
            runtime: Runtime::Containerd,
        });
    }
    Ok(digests)
}

/// References between blobs, and from image configurations to snapshots, that keep them
/// from being collected as garbage: digest → (label, value).
fn content_labels(
    namespace: Bucket<'_>,
) -> Result<HashMap<String, Vec<(String, String)>>, BoltError> {
    let mut labels = HashMap::new();
    let Some(blobs) = namespace.descend(&[b"content", b"blob"])? else {
        return Ok(labels);
    };
    for (digest, blob) in blobs.buckets()? {
        labels.insert(text(digest), read_labels(blob)?);
    }
    Ok(labels)
}

fn read_labels(bucket: Bucket<'_>) -> Result<Vec<(String, String)>, BoltError> {
    let Some(bucket) = bucket.descend(&[b"labels"])? else {
        return Ok(Vec::new());
    };
    let value = |(key, entry)| match entry {
        Entry::Value(value) => Some((text(key), text(value))),
        Entry::Bucket(_) => None,
    };
    Ok(bucket.entries()?.into_iter().filter_map(value).collect())
}

/// The unpacked layers of an image, lowest first: index → manifest → configuration →
/// top snapshot → the snapshots below.
fn layers_of(
    digest: &str,
    labels: &HashMap<String, Vec<(String, String)>>,
    keys: &Keys,
    snapshots: &Snapshots,
) -> Vec<usize> {
    let mut layers = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![digest.to_owned()];
    while let Some(digest) = open.pop() {
        let Some(labels) = labels.get(&digest) else {
            continue;
        };
        if !seen.insert(digest) {
            continue;
        }
        for (label, value) in labels {
            if label.starts_with("containerd.io/gc.ref.content.") {
                open.push(value.clone());
            } else if let Some(snapshotter) = label.strip_prefix("containerd.io/gc.ref.snapshot.") {
                let key = (snapshotter.to_owned(), value.clone());
                let chain = chain(snapshotter, keys.get(&key), snapshots);
                layers.extend(
                    chain
                        .into_iter()
                        .filter(|layer| !layers.contains(layer))
                        .collect::<Vec<_>>(),
                );
            }
        }
    }
    layers
}

/// A snapshot and those below it, lowest first. Damaged metadata may form a ring.
fn chain(snapshotter: &str, top: Option<&String>, snapshots: &Snapshots) -> Vec<usize> {
    let mut layers = Vec::new();
    let mut seen = HashSet::new();
    let mut next = top.cloned();
    while let Some(name) = next.take() {
        let Some((layer, parent)) = snapshots.get(&(snapshotter.to_owned(), name)) else {
            break;
        };
        if !seen.insert(*layer) {
            break;
        }
        layers.push(*layer);
        next.clone_from(parent);
    }
    layers.reverse();
    layers
}

fn read_containers(
    namespace: Bucket<'_>,
    keys: &Keys,
    snapshots: &Snapshots,
    images: &HashMap<String, String>,
    store: &mut Store,
) -> Result<(), BoltError> {
    let Some(containers) = namespace.descend(&[b"containers"])? else {
        return Ok(());
    };
    for (id, container) in containers.buckets()? {
        let value = |key| {
            Ok::<_, BoltError>(
                container
                    .value(key)?
                    .map(text)
                    .filter(|text| !text.is_empty()),
            )
        };
        let labels: HashMap<String, String> = read_labels(container)?.into_iter().collect();
        let label = |name: &str| labels.get(name).map(String::as_str);
        let image_name = value("image")?;
        let snapshot = match (value("snapshotter")?, value("snapshotKey")?) {
            (Some(snapshotter), Some(key)) => Some((snapshotter, key)),
            _ => None,
        };
        let layer = snapshot.and_then(|snapshot| {
            let name = keys.get(&snapshot)?.clone();
            Some(snapshots.get(&(snapshot.0, name))?.0)
        });
        let pod = pod_of_labels(label);
        store.containers.push(StoreContainer {
            id: text(id),
            name: container_name(label),
            runtime: Runtime::Containerd,
            image: image_name
                .as_ref()
                .and_then(|name| images.get(name).cloned()),
            image_name,
            pod,
            layers: layer.into_iter().collect(),
        });
    }
    Ok(())
}

/// The name a person gave: Kubernetes' container or pod name, or nerdctl's.
fn container_name<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    if label("io.cri-containerd.kind") == Some("sandbox") {
        return label("io.kubernetes.pod.name").map(|pod| format!("{pod} (sandbox)"));
    }
    label("io.kubernetes.container.name")
        .or_else(|| label("nerdctl/name"))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An unsigned number as Go's `binary.PutUvarint` writes it.
fn uvarint(bytes: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (position, byte) in bytes.iter().take(10).enumerate() {
        let shift = 7 * u32::try_from(position).ok()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
