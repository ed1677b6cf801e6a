//! The longest root wins, whatever the path, and fast.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    fuzzing::cpu_time,
    model::layers::{Layer, LayerKind, Runtime},
};

const DISK: Dev = Dev::new(8, 1);

#[test]
fn a_name_that_only_starts_like_a_layer_is_not_in_it() {
    let index = LayerIndex::from_layers(at_paths(&["/a/b", "/a/b/c", "/"]));
    let at = |path: &str| index.resolve(DISK, path.as_bytes()).map(|id| id.0);
    assert_eq!(at("/a/b"), Some(0));
    assert_eq!(at("/a/b/"), Some(0));
    assert_eq!(at("/a/bc"), Some(2));
    assert_eq!(at("/a/b/c/d"), Some(1));
    assert_eq!(at("/"), Some(2));
}

fn at_paths(paths: &[&str]) -> Layers {
    let layer = |path: &&str| Layer {
        key: (*path).to_owned(),
        directory: (*path).to_owned(),
        kind: LayerKind::Lower,
        runtime: Runtime::Mount,
        digest: None,
        roots: vec![LayerRoot {
            dev: DISK,
            path_in_fs: path.as_bytes().to_vec(),
        }],
        images: Vec::new(),
        container: None,
        image_file: None,
        mounted: Vec::new(),
    };
    Layers {
        layers: paths.iter().map(layer).collect(),
        ..Layers::default()
    }
}

proptest! {
    #[test]
    fn resolving_finds_the_longest_root(
        roots in proptest::collection::vec("(/[ab]{1,2}){0,4}", 0..12),
        path in "(/[ab]{1,2}){0,6}",
    ) {
        let paths: Vec<&str> = roots.iter().map(String::as_str).collect();
        let index = LayerIndex::from_layers(at_paths(&paths));
        let naive = (0_u32..)
            .zip(&paths)
            .filter(|(_, root)| Path::new(&format!("/{path}")).starts_with(format!("/{root}")))
            .max_by_key(|(position, root)| (root.len(), std::cmp::Reverse(*position)));
        let found = index.resolve(DISK, path.as_bytes());
        prop_assert_eq!(found.map(|id| id.0), naive.map(|(position, _)| position));
    }

    #[test]
    fn any_path_can_be_asked_for(path in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let index = LayerIndex::from_layers(at_paths(&["/a", "/"]));
        let _ = index.resolve(DISK, &path);
    }
}

/// Prints its CPU time, which a build for tests keeps within the bound too.
#[test]
fn many_inodes_and_layers_resolve() {
    let roots: Vec<String> = (0..5000)
        .map(|layer| format!("/var/lib/docker/overlay2/{layer:064x}/diff"))
        .collect();
    let paths: Vec<&str> = roots.iter().map(String::as_str).collect();
    let index = LayerIndex::from_layers(at_paths(&paths));
    let inodes: Vec<String> = (0..100_000)
        .map(|inode| {
            let root = &roots[inode % roots.len()];
            format!("{root}/usr/lib/python3/dist-packages/package{inode}/module.py")
        })
        .collect();
    let began = cpu_time();
    let found = inodes
        .iter()
        .filter(|path| index.resolve(DISK, path.as_bytes()).is_some())
        .count();
    let took = cpu_time().saturating_sub(began);
    println!("100,000 inodes, 5,000 layers: {took:?}");
    assert_eq!(found, inodes.len());
    assert!(took < Duration::from_secs(2), "{took:?}");
}
