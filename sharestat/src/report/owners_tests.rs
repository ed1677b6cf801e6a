//! Whose bytes the lists say they are.

use super::*;
use crate::model::{
    index::ContentIndex,
    inode::InodeKey,
    layers::{Layer, LayerKind, Runtime, Stack},
    measurement::{FileIdentity, Place},
    page::Observation,
    samples::ZERO,
    units::{ContentHash, PageIndex},
};

/// A base layer of two images, a layer of the second, and a container of each image.
pub(crate) fn stage() -> (ContentIndex, Identities) {
    let layer = |key: &str, kind, images: &[u32]| Layer {
        key: key.to_owned(),
        directory: format!("/store/{key}"),
        kind,
        runtime: Runtime::Podman,
        digest: None,
        roots: Vec::new(),
        images: images.iter().map(|id| ImageId(*id)).collect(),
        container: None,
        image_file: None,
        mounted: Vec::new(),
    };
    let image = |name: &str, layers: &[u32]| Image {
        id: format!("sha256:{name}"),
        name: Some(name.to_owned()),
        runtime: Runtime::Podman,
        layers: layers.iter().map(|id| LayerId(*id)).collect(),
    };
    let container = |name: &str, image, layer| Container {
        id: format!("id-{name}"),
        name: Some(name.to_owned()),
        runtime: Runtime::Podman,
        image: Some(ImageId(image)),
        image_name: None,
        pod: None,
        layers: vec![LayerId(layer)],
    };
    let stack = |upper, lowers: &[u32]| Stack {
        upper: Some(LayerId(upper)),
        lowers: lowers.iter().map(|id| LayerId(*id)).collect(),
    };
    let mut identities = Identities {
        layers: Layers {
            layers: vec![
                layer("base", LayerKind::Lower, &[0, 1]),
                layer("app", LayerKind::Lower, &[1]),
                layer("up-db", LayerKind::Upper, &[]),
                layer("up-web", LayerKind::Upper, &[]),
            ],
            images: vec![image("debian:12", &[0]), image("app:2", &[0, 1])],
            containers: vec![container("db", 0, 2), container("web", 1, 3)],
            stacks: vec![stack(2, &[0]), stack(3, &[1, 0])],
        },
        ..Identities::default()
    };
    let mut index = ContentIndex::new(ZERO);
    for (number, pages) in [(0_u32, 4_u64), (1, 2), (3, 1)] {
        let key = InodeKey {
            ino: number.into(),
            ..InodeKey::default()
        };
        let inode = index.intern(key, true);
        for page in 0..pages {
            let content = ContentHash(u64::from(number) * 100 + page + 10);
            index.insert(inode, PageIndex(page), Observation::Hashed(content));
        }
        let file = FileIdentity {
            filesystem: 0,
            path: format!("/file{number}"),
            named: true,
            deleted: false,
            size: pages * 4096,
            links: 1,
            place: Place {
                layer: Some(LayerId(number)),
                ..Place::default()
            },
        };
        identities.files.insert(inode, file);
    }
    (index, identities)
}

/// Name, resident, exclusive and proportional pages.
fn pages(entries: &[Group]) -> Vec<(&str, u64, u64, Option<f64>)> {
    let row = |entry: &'_ Group| {
        let proportional = entry.proportional_bytes.map(|bytes| bytes / 4096.0);
        (
            entry.resident_bytes / 4096,
            entry.exclusive_bytes / 4096,
            proportional,
        )
    };
    let rows = entries
        .iter()
        .map(|entry| (entry.name.as_str(), row(entry)));
    rows.map(|(name, (resident, exclusive, part))| (name, resident, exclusive, part))
        .collect()
}

#[test]
fn a_shared_layer_counts_for_all_and_is_exclusive_to_none() {
    let (index, identities) = stage();
    let owners = Owners::new(&identities, &Filter::default());
    assert_eq!(
        pages(&owners.image_entries(&Duplicates::of(&index))),
        [("app:2", 6, 2, Some(4.0)), ("debian:12", 4, 0, Some(2.0))]
    );
    assert_eq!(
        pages(&owners.container_entries(&Duplicates::of(&index))),
        [("web", 7, 3, Some(5.0)), ("db", 4, 0, Some(2.0))]
    );
    assert_eq!(
        pages(&owners.layer_entries(&Duplicates::of(&index))),
        [
            ("debian:12", 4, 4, None),
            ("app:2 [2/2]", 2, 2, None),
            ("/store/up-web", 1, 1, None)
        ]
    );
}

#[test]
fn a_file_has_the_names_of_all_that_show_it() {
    let (_, identities) = stage();
    let owners = Owners::new(&identities, &Filter::default());
    assert_eq!(owners.layer_of(InodeId(0)).as_deref(), Some("debian:12"));
    assert_eq!(owners.images_of(InodeId(0)), ["debian:12", "app:2"]);
    assert_eq!(owners.containers_of(InodeId(1)), ["web"]);
    assert_eq!(owners.layer_of(InodeId(9)), None);
}

#[test]
fn a_filter_keeps_layers_by_name_directory_image_or_container() {
    let (index, identities) = stage();
    let listed = |layer: Option<&str>, container: Option<&str>| {
        let filter = Filter {
            layer: layer.map(str::to_owned),
            container: container.map(str::to_owned),
        };
        let owners = Owners::new(&identities, &filter);
        let shown = (0..3).filter(|id| owners.shows_file(InodeId(*id)));
        (
            owners.layer_entries(&Duplicates::of(&index)).len(),
            shown.collect::<Vec<_>>(),
        )
    };
    assert_eq!(listed(None, None), (3, vec![0, 1, 2]));
    assert_eq!(listed(Some("app:2"), None), (2, vec![0, 1]));
    assert_eq!(listed(Some("/store/app"), None), (1, vec![1]));
    assert_eq!(listed(None, Some("id-db")), (1, vec![0]));
    assert_eq!(listed(Some("/store/app"), Some("db")), (0, vec![]));
}
