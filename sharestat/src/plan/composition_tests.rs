//! Pages of containers on an index that is made by hand, composed and counted again.

use std::collections::HashMap;

use super::*;
use crate::model::{
    index::ContentIndex,
    inode::{Dev, InodeKey},
    layers::{Layer, LayerKind, LayerRoot, Layers, Runtime, Stack},
    measurement::{FileIdentity, Identities, Place},
    page::{Observation, SkipReason},
    units::{ContentHash, PageIndex},
};

const PAGE: f64 = 4096.0;

/// A host file, then containers as (lower layer, contents of a file in it, contents of a
/// file in the upper layer); content 0 stands for a page without a hash.
fn measurement(containers: &[(u32, Vec<u64>, Vec<u64>)]) -> Measurement {
    let mut measurement = crate::report::sample::measurement();
    measurement.index = ContentIndex::new(ContentHash(1));
    measurement.identity = Identities::default();
    let mut layers = Layers::default();
    let mut files: Vec<(Option<u32>, Vec<u64>)> = vec![(None, vec![900, 901])];
    let lowers = containers.iter().map(|container| container.0 + 1).max();
    let lowers = lowers.unwrap_or(0);
    let mut seen: HashMap<u32, Vec<u64>> = HashMap::new();
    for (number, (lower, below, above)) in (0..).zip(containers) {
        seen.insert(*lower, below.clone());
        files.push((Some(lowers + number), above.clone()));
        layers.stacks.push(Stack {
            upper: Some(LayerId(lowers + number)),
            lowers: vec![LayerId(*lower)],
        });
    }
    files.extend(seen.into_iter().map(|(lower, pages)| (Some(lower), pages)));
    for number in 0..lowers + u32::try_from(containers.len()).expect("few") {
        let upper = number >= lowers;
        layers.layers.push(Layer {
            key: format!("layer{number}"),
            directory: format!("/layers/{number}"),
            kind: if upper {
                LayerKind::Upper
            } else {
                LayerKind::Lower
            },
            runtime: Runtime::Mount,
            digest: None,
            roots: vec![LayerRoot {
                dev: Dev::new(0, 1),
                path_in_fs: format!("/layers/{number}").into_bytes(),
            }],
            images: Vec::new(),
            container: None,
            image_file: None,
            mounted: Vec::new(),
        });
    }
    for (ino, (layer, pages)) in (1..).zip(files) {
        let key = InodeKey {
            dev: Dev::new(0, 1),
            ino,
            ..InodeKey::default()
        };
        let inode = measurement.index.intern(key, true);
        let size = 4096 * pages.len() as u64;
        for (page, content) in (0..).zip(pages) {
            let seen = match content {
                0 => Observation::Skipped(SkipReason::Dirty),
                content => Observation::Hashed(ContentHash(content)),
            };
            measurement.index.insert(inode, PageIndex(page), seen);
        }
        let directory = layer.map_or("/host".to_owned(), |layer| format!("/layers/{layer}"));
        let file = FileIdentity {
            filesystem: 0,
            path: format!("{directory}/file"),
            named: true,
            deleted: false,
            size,
            links: 1,
            place: Place {
                path_in_fs: Some(format!("{directory}/file").into_bytes().into()),
                layer: layer.map(LayerId),
                root: directory.len(),
                ..Place::default()
            },
        };
        measurement.identity.files.insert(inode, file);
    }
    measurement.identity.layers = layers;
    measurement
}

fn composed(measurement: &Measurement, images: &[Option<usize>], number: usize) -> Vec<Cache> {
    let running = crate::plan::containers::running(&measurement.identity.layers);
    let mut composer = Composer::new(1);
    composer.add(measurement, &running, images, true);
    composer.finish(number)
}

fn pages(caches: &[Cache], mechanism: &str, counts: &[u64]) -> f64 {
    let cache = caches.iter().find(|cache| cache.name == mechanism);
    cache.expect("it is listed").bytes(counts) / PAGE
}

#[track_caller]
fn assert_pages(caches: &[Cache], mechanism: &str, counts: &[u64], expected: f64) {
    let found = pages(caches, mechanism, counts);
    assert!(
        (found - expected).abs() < 1e-6,
        "{mechanism} {counts:?}: {found}, not {expected}"
    );
}

/// Four containers with layers of their own: three equal pages, one different, one written.
#[test]
fn copies_of_an_image_grow_alone_and_are_kept_once_when_shared() {
    let container = |n: u64| {
        let layer = u32::try_from(n).expect("small");
        (layer, vec![10, 11, 12, 100 + n], vec![200 + n])
    };
    let measured = measurement(&[container(0), container(1), container(2), container(3)]);
    let caches = composed(&measured, &[Some(0); 4], 1);
    assert_pages(&caches, "none", &[4], 2.0 + 20.0);
    assert_pages(&caches, "none", &[8], 2.0 + 40.0);
    for mechanism in ["offset", "content"] {
        assert_pages(&caches, mechanism, &[4], 2.0 + 3.0 + 8.0);
        assert_pages(&caches, mechanism, &[8], 2.0 + 3.0 + 16.0);
    }
    // The files differ in their last page.
    assert_pages(&caches, "erofs", &[8], 2.0 + 40.0);
    assert_pages(&caches, "layer", &[8], 2.0 + 40.0);
}

#[test]
fn a_lower_layer_of_all_is_there_once_as_it_is() {
    let container = |n: u64| (0, vec![10, 11, 12], vec![200 + n, 10]);
    let measured = measurement(&[container(0), container(1)]);
    let caches = composed(&measured, &[Some(0); 2], 1);
    assert_pages(&caches, "none", &[2], 2.0 + 3.0 + 4.0);
    assert_pages(&caches, "none", &[5], 2.0 + 3.0 + 10.0);
    assert_pages(&caches, "content", &[5], 2.0 + 3.0 + 5.0);
}

#[test]
fn equal_files_of_two_images_are_kept_once_for_both() {
    let measured = measurement(&[(0, vec![10, 11], vec![50]), (1, vec![10, 11], vec![])]);
    let caches = composed(&measured, &[Some(0), Some(1)], 2);
    assert_pages(&caches, "none", &[1, 1], 2.0 + 2.0 + 1.0 + 2.0);
    // One container of each was measured: its lower layer is there once for all.
    assert_pages(&caches, "none", &[3, 3], 2.0 + 2.0 + 3.0 + 2.0);
    for mechanism in ["layer", "erofs", "offset", "content"] {
        assert_pages(&caches, mechanism, &[3, 3], 2.0 + 2.0 + 3.0);
        assert_pages(&caches, mechanism, &[0, 3], 2.0 + 2.0);
    }
}

#[test]
fn what_the_host_has_anyway_costs_containers_nothing_when_shared() {
    let measured = measurement(&[(0, vec![900, 7], vec![]), (1, vec![900, 8], vec![])]);
    let caches = composed(&measured, &[Some(0); 2], 1);
    assert_pages(&caches, "none", &[3], 2.0 + 6.0);
    assert_pages(&caches, "content", &[3], 2.0 + 3.0);
}

#[test]
fn pages_without_a_hash_and_zero_pages_are_not_shared() {
    let measured = measurement(&[(0, vec![0, 1, 5], vec![]), (1, vec![0, 1, 5], vec![])]);
    let caches = composed(&measured, &[Some(0); 2], 1);
    assert_pages(&caches, "none", &[4], 2.0 + 12.0);
    assert_pages(&caches, "content", &[4], 2.0 + 8.0 + 1.0);
    let unhashed = caches[0].unhashed[0] / PAGE;
    assert!((unhashed - 1.0).abs() < 1e-9, "{unhashed}");
}

#[test]
fn containers_of_no_image_are_left_out() {
    let measured = measurement(&[(0, vec![5], vec![6]), (1, vec![7, 8, 9], vec![10])]);
    let running = crate::plan::containers::running(&measured.identity.layers);
    let mut composer = Composer::new(1);
    composer.add(&measured, &running, &[Some(0), None], true);
    assert_eq!(composer.left_out(), Bytes::of_pages(4));
    assert_eq!(composer.counts(1), [1]);
    let caches = composer.finish(1);
    assert_pages(&caches, "none", &[1], 2.0 + 2.0);
}

/// Two recordings of one image each, on hosts with the same seed.
#[test]
fn contents_of_two_measurements_are_compared() {
    let one = measurement(&[(0, vec![10, 11, 12], vec![])]);
    let other = measurement(&[(0, vec![10, 11, 13], vec![])]);
    let mut composer = Composer::new(2);
    for (number, measured) in [one, other].iter().enumerate() {
        let running = crate::plan::containers::running(&measured.identity.layers);
        composer.add(measured, &running, &[Some(number)], number == 0);
    }
    let caches = composer.finish(2);
    assert_pages(&caches, "none", &[1, 1], 2.0 + 6.0);
    assert_pages(&caches, "content", &[1, 1], 2.0 + 4.0);
    // That files are equal as a whole is not looked for between measurements.
    assert_pages(&caches, "erofs", &[1, 1], 2.0 + 6.0);
}

/// Both containers copied the file up and wrote the same to one page; the other wrote to
/// one more.
#[test]
fn unchanged_pages_of_copied_files_are_kept_once_and_written_ones_are_not() {
    let lower = || vec![10, 11, 12, 13];
    let measured = measurement(&[
        (0, lower(), vec![10, 11, 77, 13]),
        (0, lower(), vec![10, 99, 77, 13]),
    ]);
    let caches = composed(&measured, &[Some(0); 2], 1);
    assert_pages(&caches, "none", &[2], 2.0 + 4.0 + 8.0);
    assert_pages(&caches, "none", &[4], 2.0 + 4.0 + 16.0);
    // One page of the one and two of the other: a mean of one and a half.
    assert_pages(&caches, "copy-up", &[2], 2.0 + 4.0 + 3.0);
    assert_pages(&caches, "copy-up", &[4], 2.0 + 4.0 + 6.0);
    // Equal pages of two upper files are not copied up from each other.
    assert_pages(&caches, "offset", &[4], 2.0 + 4.0 + 1.0 + 2.0);
    for mechanism in ["layer", "erofs", "image-file"] {
        assert_pages(&caches, mechanism, &[4], 2.0 + 4.0 + 16.0);
    }
}

#[test]
fn a_copied_page_is_shared_with_the_lower_file_of_its_own_container_only() {
    let measured = measurement(&[
        (0, vec![10, 11], vec![10, 60]),
        (1, vec![10, 11], vec![10, 61]),
    ]);
    let caches = composed(&measured, &[Some(0); 2], 1);
    assert_pages(&caches, "none", &[3], 2.0 + 12.0);
    assert_pages(&caches, "copy-up", &[3], 2.0 + 9.0);
    let alone = measurement(&[(0, vec![10, 11], vec![10, 60])]);
    let caches = composed(&alone, &[Some(0)], 1);
    assert_pages(&caches, "none", &[3], 2.0 + 2.0 + 6.0);
    assert_pages(&caches, "copy-up", &[3], 2.0 + 2.0 + 3.0);
}

#[test]
fn copied_pages_at_another_place_without_a_hash_or_of_zeros_are_not_shared() {
    let measured = measurement(&[(0, vec![10, 11, 0, 1], vec![11, 10, 0, 1])]);
    let caches = composed(&measured, &[Some(0)], 1);
    assert_pages(&caches, "none", &[5], 2.0 + 4.0 + 20.0);
    assert_pages(&caches, "copy-up", &[5], 2.0 + 4.0 + 20.0);
}

/// A container made from the files that another one wrote: the file is copied up twice.
#[test]
fn a_copy_of_a_copy_leads_back_to_the_first_file() {
    let mut measured = measurement(&[
        (0, vec![10, 11, 12], vec![10, 50, 12]),
        (0, vec![10, 11, 12], vec![10, 50, 51]),
    ]);
    let stacks = &mut measured.identity.layers.stacks;
    stacks[1].lowers = vec![stacks[0].upper.expect("it writes"), LayerId(0)];
    let caches = composed(&measured, &[Some(0); 2], 1);
    // Of the second upper file the first page is the lowest file's, the second that of the
    // file copied from; in all, 10 is there once, 50 once.
    assert_pages(&caches, "none", &[2], 2.0 + 3.0 + 6.0);
    assert_pages(&caches, "copy-up", &[2], 2.0 + 3.0 + 2.0);
}

/// A device that holds the lower layer's filesystem, and pages of it that no file shows.
#[test]
fn pages_of_image_files_are_not_cached_under_image_file() {
    let container = |n: u64| (0, vec![10, 11, 12], vec![200 + n]);
    let mut measured = measurement(&[container(0), container(1)]);
    let key = InodeKey {
        dev: Dev::new(0, 2),
        ino: 99,
        ..InodeKey::default()
    };
    let device = measured.index.intern(key, true);
    for (page, content) in (0..).zip([500, 10, 11, 501]) {
        let seen = Observation::Hashed(ContentHash(content));
        measured.index.insert(device, PageIndex(page), seen);
    }
    let file = FileIdentity {
        filesystem: 0,
        path: "/dev/vdb".to_owned(),
        named: true,
        deleted: false,
        size: 1 << 30,
        links: 1,
        place: Place {
            device: Some(Dev::new(0, 1)),
            ..Place::default()
        },
    };
    measured.identity.files.insert(device, file);
    let caches = composed(&measured, &[Some(0); 2], 1);
    assert_pages(&caches, "none", &[5], 2.0 + 4.0 + 3.0 + 5.0);
    assert_pages(&caches, "image-file", &[5], 2.0 + 2.0 + 3.0 + 5.0);
    assert_pages(&caches, "content", &[5], 2.0 + 4.0 + 1.0 + 5.0);
}
