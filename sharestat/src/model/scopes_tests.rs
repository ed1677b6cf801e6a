//! The scopes against a recount that compares every pair of copies.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::model::{
    extents::{Extent, Extents},
    files::survey_files,
    inode::{Dev, InodeKey},
    layers::{Image, ImageId, Layer, LayerKind, Layers, Runtime, Stack},
    measurement::{FileIdentity, Filesystem, Identities, Place},
    page::Observation,
    samples::ZERO,
    savings::savings,
    units::{ContentHash, PageIndex},
};

const DISK: Dev = Dev::new(8, 1);
const IMAGE_FS: Dev = Dev::new(7, 0);

/// What a random file is.
#[derive(Clone, Debug)]
struct Sample {
    ino: u64,
    subvolume: u64,
    /// 0: none; 1, 2: lower; 3: upper over 1; 4: image file of `IMAGE_FS`.
    layer: u32,
    on_image: bool,
    path: u8,
    extent: Option<u64>,
    pages: Vec<(u64, u64)>,
}

fn sample() -> impl Strategy<Value = Sample> {
    let pages = proptest::collection::vec((0_u64..8, 0_u64..6), 0..12);
    let extent = proptest::option::of(0_u64..3);
    (
        0_u64..4,
        0_u64..2,
        0_u32..5,
        any::<bool>(),
        0_u8..2,
        extent,
        pages,
    )
        .prop_map(
            |(ino, subvolume, layer, on_image, path, extent, pages)| Sample {
                ino,
                subvolume,
                layer,
                on_image: on_image && layer != 4,
                path,
                extent,
                pages,
            },
        )
}

fn layer(kind: LayerKind, images: &[u32]) -> Layer {
    Layer {
        key: String::new(),
        directory: String::new(),
        kind,
        runtime: Runtime::Mount,
        digest: None,
        roots: Vec::new(),
        images: images.iter().map(|id| ImageId(*id)).collect(),
        container: None,
        image_file: None,
        mounted: if kind == LayerKind::ImageFile {
            vec![IMAGE_FS]
        } else {
            Vec::new()
        },
    }
}

fn layers() -> Layers {
    let image = |layers: &[u32]| Image {
        id: String::new(),
        name: None,
        runtime: Runtime::Mount,
        layers: layers.iter().map(|id| LayerId(*id)).collect(),
    };
    Layers {
        layers: vec![
            layer(LayerKind::Lower, &[]),
            layer(LayerKind::Lower, &[0]),
            layer(LayerKind::Lower, &[0, 1]),
            layer(LayerKind::Upper, &[]),
            layer(LayerKind::ImageFile, &[]),
            layer(LayerKind::Upper, &[]),
        ],
        images: vec![image(&[1, 2]), image(&[2])],
        stacks: [3, 5]
            .map(|upper| Stack {
                upper: Some(LayerId(upper)),
                lowers: vec![LayerId(1)],
            })
            .into(),
        ..Layers::default()
    }
}

/// An index of the samples, one inode each; samples with a key that was there are dropped.
fn build(samples: &[Sample]) -> (ContentIndex, Identities, Vec<(InodeId, Sample)>) {
    let mut index = ContentIndex::new(ZERO);
    let filesystem = |dev, fs_type: &str| Filesystem {
        dev,
        fs_type: fs_type.to_owned(),
        id: String::new(),
        mount_point: None,
        source: None,
    };
    let mut identities = Identities {
        filesystems: vec![filesystem(DISK, "btrfs"), filesystem(IMAGE_FS, "erofs")],
        layers: layers(),
        ..Identities::default()
    };
    let mut known = Vec::new();
    let mut places = HashSet::new();
    for sample in samples {
        let dev = if sample.on_image { IMAGE_FS } else { DISK };
        let key = InodeKey {
            dev,
            ino: sample.ino,
            generation: 7,
            subvolume: if sample.on_image { 0 } else { sample.subvolume },
            ..InodeKey::default()
        };
        // No two files at one place of a layer, and no two inodes of one key.
        let place = (sample.layer, sample.path);
        let taken = sample.layer > 0 && places.contains(&place);
        if index.find(&key).is_some() || taken {
            continue;
        }
        places.insert(place);
        let inode = index.intern(key, true);
        for &(page, content) in &sample.pages {
            let seen = Observation::Hashed(ContentHash(content));
            index.insert(inode, PageIndex(page), seen);
        }
        let file = FileIdentity {
            filesystem: usize::from(sample.on_image),
            path: String::new(),
            named: true,
            deleted: false,
            size: 4096 * 8,
            links: 1,
            place: Place {
                path_in_fs: Some(vec![sample.path].into()),
                layer: (sample.layer > 0).then_some(LayerId(sample.layer)),
                ..Place::default()
            },
        };
        identities.files.insert(inode, file);
        if let Some(number) = sample.extent {
            let extent = Extent {
                first: 2,
                pages: 3,
                physical: number << 20,
            };
            identities.extents.insert(inode, Extents::new(vec![extent]));
        }
        known.push((inode, sample.clone()));
    }
    (index, identities, known)
}

/// Position in [`SCOPES`] of the nearest relation between two pages of equal content.
fn relation(one: (&Sample, InodeId, u64), other: (&Sample, InodeId, u64)) -> usize {
    let pair =
        |test: &dyn Fn(&Sample, &Sample) -> bool| test(one.0, other.0) || test(other.0, one.0);
    if pair(&|image, file| {
        image.layer == 4 && (file.on_image || file.layer == 4) && one.1 != other.1
    }) {
        return IMAGE_FILE;
    }
    if one.1 == other.1 {
        return SELF;
    }
    let physical = |(sample, _, page): (&Sample, InodeId, u64)| {
        let inside = (2..5).contains(&page).then_some(page);
        Some((sample.on_image, (sample.extent? << 20) + inside? * 4096))
    };
    let same_place = physical(one).is_some() && physical(one) == physical(other);
    let same_number = one.0.ino == other.0.ino;
    if same_place && !same_number {
        return REFLINK;
    }
    if same_number && !one.0.on_image && !other.0.on_image {
        return SNAPSHOT;
    }
    let same_path = one.0.path == other.0.path;
    if same_path && pair(&|upper, lower| upper.layer == 3 && lower.layer == 1) {
        return COPY_UP;
    }
    match (one.0.layer, other.0.layer) {
        (0, _) | (_, 0) => HOST,
        (one, other) if one == other => LAYER,
        (1, 2) | (2, 1) => IMAGE,
        _ => CROSS_LAYER,
    }
}

/// Joins of a minimum spanning tree over all pairs, by scope (Kruskal).
fn recount(known: &[(InodeId, Sample)]) -> [u64; SCOPES.len()] {
    let mut by_content: BTreeMap<u64, Vec<(&Sample, InodeId, u64)>> = BTreeMap::new();
    for (inode, sample) in known {
        let pages: BTreeMap<u64, u64> = sample.pages.iter().copied().collect();
        for (page, content) in pages {
            by_content
                .entry(content)
                .or_default()
                .push((sample, *inode, page));
        }
    }
    let mut counts = [0; SCOPES.len()];
    for (content, copies) in by_content {
        if content == ZERO.0 {
            counts[0] += copies.len() as u64 - 1;
            continue;
        }
        let mut edges = Vec::new();
        for one in 0..copies.len() {
            for other in 0..one {
                edges.push((relation(copies[one], copies[other]), one, other));
            }
        }
        edges.sort_unstable();
        let mut sets: Vec<usize> = (0..copies.len()).collect();
        for (scope, one, other) in edges {
            let (from, to) = (sets[one], sets[other]);
            if from != to {
                counts[scope] += 1;
                sets.iter_mut()
                    .filter(|set| **set == from)
                    .for_each(|set| *set = to);
            }
        }
    }
    counts
}

fn rows(index: &ContentIndex, kin: &Kin<'_>) -> Vec<ScopeRow> {
    let duplicates = Duplicates::of(index);
    Nearness::of(&duplicates, kin).rows(index, survey_files(&duplicates).repeated)
}

proptest! {
    #[test]
    fn scopes_are_those_of_a_minimum_spanning_tree(
        samples in proptest::collection::vec(sample(), 0..12)
    ) {
        let (index, identities, known) = build(&samples);
        let kin = Kin::of(&index, &identities);
        let rows = rows(&index, &kin);
        let found: Vec<(&str, u64)> = rows.iter().map(|row| (row.name, row.duplicate.0 / 4096)).collect();
        let expected: Vec<(&str, u64)> = SCOPES.into_iter().zip(recount(&known)).collect();
        prop_assert_eq!(found, expected);
        let sum: Bytes = rows.iter().map(|row| row.duplicate).sum();
        prop_assert_eq!(sum, Bytes::of_pages(index.totals().duplicate));
        let savings = savings(&index, &identities);
        for row in savings.mechanisms.iter().filter(|row| row.name != "zero") {
            prop_assert!(row.saving <= savings.mechanisms[0].saving, "{:?}", row);
        }
    }
}

#[test]
fn upper_files_that_were_written_alike_are_no_copies_of_the_lower_one() {
    let sample = |ino, layer, contents: [u64; 2]| Sample {
        ino,
        subvolume: 0,
        layer,
        on_image: false,
        path: 0,
        extent: None,
        pages: (0..).zip(contents).collect(),
    };
    let (index, identities, _) = build(&[
        sample(1, 1, [10, 11]),
        sample(2, 3, [10, 77]),
        sample(3, 5, [10, 77]),
    ]);
    let kin = Kin::of(&index, &identities);
    let rows = rows(&index, &kin);
    let pages = |name: &str| {
        let row = rows.iter().find(|row| row.name == name);
        row.map(|row| row.duplicate.0 / 4096)
    };
    assert_eq!(["copy-up", "cross-layer"].map(pages), [Some(2), Some(1)]);
    let mechanisms = savings(&index, &identities).mechanisms;
    let copy_up = mechanisms.iter().find(|row| row.name == "copy-up");
    assert_eq!(copy_up.map(|row| row.saving), Some(Bytes::of_pages(2)));
}

#[test]
fn without_layers_and_images_all_is_within_a_file_or_on_the_host() {
    let mut samples = Vec::new();
    for ino in 0..3 {
        samples.push(Sample {
            ino,
            subvolume: 0,
            layer: 0,
            on_image: false,
            path: 0,
            extent: None,
            pages: vec![(0, 9), (1, 9), (2, ZERO.0)],
        });
    }
    let (index, identities, _) = build(&samples);
    let kin = Kin::of(&index, &identities);
    assert_eq!(kin.related().count(), 0);
    let rows = rows(&index, &kin);
    let pages = |name: &str| {
        let row = rows.iter().find(|row| row.name == name);
        row.map(|row| row.duplicate.0 / 4096)
    };
    assert_eq!(
        ["zero", "self", "host"].map(pages),
        [Some(2), Some(3), Some(2)]
    );
}
