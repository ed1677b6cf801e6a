//! Whole stores, made by code or by containerd itself, and the layers found in them.

use std::{collections::BTreeMap, fs, os::unix::fs::symlink};

use proptest::prelude::*;

use super::*;
use crate::{
    identity::{
        bolt,
        test_machine::{C, DISK, Machine},
    },
    model::layers::{LayerKind, Runtime},
};

#[test]
fn docker_layers_have_the_names_of_images_and_containers() {
    let mut machine = Machine::new();
    machine.docker();
    let index = machine.index();
    let label = |path: &str| machine.label(&index, path);
    assert_eq!(
        label("docker/overlay2/cache1/diff/bin/sh").as_deref(),
        Some("app:2 [1/2]")
    );
    assert_eq!(
        label("docker/overlay2/cache2/diff/x").as_deref(),
        Some("app:2 [2/2]")
    );
    assert_eq!(
        label("docker/overlay2/mm/diff/x").as_deref(),
        Some("web (writable)")
    );
    assert_eq!(
        label("docker/overlay2/mm-init/diff/x").as_deref(),
        Some("web (init)")
    );
    assert_eq!(label("docker/overlay2/cache3/diff/x"), None);
    assert_eq!(
        index.resolve(Dev::new(8, 2), &machine.path("docker/overlay2/mm/diff")),
        None
    );
    let container = &index.layers().containers[0];
    assert_eq!(
        container.pod.as_ref().and_then(|pod| pod.uid.as_deref()),
        Some("u")
    );
    let image = container
        .image
        .map(|image| index.layers().image_label(image));
    assert_eq!(image.as_deref(), Some("app:2"));
}

#[test]
fn short_link_names_lead_to_the_store_even_from_a_namespace_of_its_own() {
    let mut machine = Machine::new();
    machine.docker();
    machine.directory("docker/overlay2/l");
    symlink("../cache1/diff", machine.at("docker/overlay2/l/ABC")).expect("a link");
    // As a container sees its own root: relative to a directory that it cannot know.
    machine.file(
        "proc/7/mountinfo",
        "9 1 0:50 / / rw - overlay overlay rw,lowerdir=l/ABC,upperdir=mm/diff,workdir=mm/work\n",
    );
    machine.directory("proc/7/ns");
    machine.directory("proc/7/root");
    symlink("mnt:[2]", machine.at("proc/7/ns/mnt")).expect("a link");
    let index = machine.index();
    assert_eq!(index.layers().layers.len(), 4);
}

#[test]
fn a_store_in_an_unusual_place_is_found_through_a_mount() {
    let mut machine = Machine::new();
    machine.docker();
    let root = machine.at("docker");
    machine.stores = StoreRoots::none();
    machine.mount(&format!(
        "2 1 0:50 / {0}/overlay2/mm/merged rw - overlay overlay rw,lowerdir={0}/overlay2/cache2/diff:{0}/overlay2/cache1/diff,upperdir={0}/overlay2/mm/diff,workdir={0}/overlay2/mm/work\n",
        root.display()
    ));
    let index = machine.index();
    let label = machine.label(&index, "docker/overlay2/cache2/diff/x");
    assert_eq!(label.as_deref(), Some("app:2 [2/2]"));
}

#[test]
fn podman_layers_have_the_names_of_images_and_containers() {
    let mut machine = Machine::new();
    machine.file(
        "graph/overlay-layers/layers.json",
        r#"[{"id":"aa","diff-digest":"sha256:a"},{"id":"bb","parent":"aa"},{"id":"cc","parent":"bb","names":["web-layer"]},{"id":5}]"#,
    );
    machine.file(
        "graph/overlay-images/images.json",
        r#"[{"id":"0123456789abcdef","names":["localhost/app:2"],"layer":"bb"},{"id":"fedcba9876543210","layer":"gone"}]"#,
    );
    machine.file(
        "graph/overlay-containers/containers.json",
        format!(r#"[{{"id":"{C}","names":["k8s_web"],"image":"0123456789abcdef","layer":"cc","metadata":"{{\"pod-name\":\"p\",\"pod-id\":\"1\",\"name\":\"web\",\"namespace\":\"default\"}}"}}]"#),
    );
    for id in ["aa", "bb", "cc"] {
        machine.directory(&format!("graph/overlay/{id}/diff"));
    }
    machine.stores.containers_storage.push(machine.at("graph"));
    let (index, warnings) = machine.read();
    let label = |path: &str| machine.label(&index, path);
    assert_eq!(
        label("graph/overlay/aa/diff/x").as_deref(),
        Some("localhost/app:2 [1/2]")
    );
    assert_eq!(
        label("graph/overlay/cc/diff/x").as_deref(),
        Some("web (writable)")
    );
    let pod = index.layers().containers[0].pod.as_ref();
    assert_eq!(pod.and_then(|pod| pod.name.as_deref()), Some("p"));
    let said: Vec<&str> = warnings
        .iter()
        .map(|warning| warning.what.as_str())
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("entry 4"), "{said:?}");
    assert!(said[1].contains("'gone' is not stored"), "{said:?}");
}

#[test]
fn steps_of_a_podman_build_are_no_images_but_those_in_use_are() {
    let mut machine = Machine::new();
    machine.file(
        "graph/overlay-layers/layers.json",
        r#"[{"id":"aa"},{"id":"bb","parent":"aa"},{"id":"cc","parent":"bb"}]"#,
    );
    machine.file(
        "graph/overlay-images/images.json",
        r#"[{"id":"step","layer":"aa"},{"id":"used","layer":"aa"},{"id":"base","names":["localhost/base:1"],"layer":"aa"},{"id":"app","names":["localhost/app:2"],"layer":"bb"},{"id":"dangling","layer":"bb"}]"#,
    );
    machine.file(
        "graph/overlay-containers/containers.json",
        format!(r#"[{{"id":"{C}","names":["web"],"image":"used","layer":"cc"}}]"#),
    );
    for id in ["aa", "bb", "cc"] {
        machine.directory(&format!("graph/overlay/{id}/diff"));
    }
    machine.stores.containers_storage.push(machine.at("graph"));
    let index = machine.index();
    let mut ids: Vec<&str> = index.layers().images.iter().map(|one| &*one.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["app", "base", "dangling", "used"]);
}

#[test]
fn containerd_layers_have_the_names_of_images_and_pods() {
    let mut machine = Machine::new();
    machine.containerd();
    let index = machine.index();
    let at = |id: u32| format!("cd/io.containerd.snapshotter.v1.overlayfs/snapshots/{id}/fs/x");
    let label = |id| machine.label(&index, &at(id));
    assert_eq!(label(1).as_deref(), Some("example.org/app:2 [1/3]"));
    assert_eq!(label(3).as_deref(), Some("example.org/app:2 [3/3]"));
    assert_eq!(label(4).as_deref(), Some("web (writable)"));
    let container = &index.layers().containers[0];
    assert_eq!(container.id, "c0ffee");
    let pod = container.pod.as_ref().and_then(|pod| pod.name.as_deref());
    assert_eq!(pod, Some("pod1"));
    assert!(container.image.is_some());
}

#[test]
fn a_docker_container_finds_its_layer_in_the_containerd_store() {
    let mut machine = Machine::new();
    machine.containerd();
    machine.file(
        "docker/containers/c0ffee/config.v2.json",
        r#"{"ID":"c0ffee","Name":"/brave_name","Driver":"overlayfs"}"#,
    );
    machine.stores.docker.push(machine.at("docker"));
    let index = machine.index();
    let path = "cd/io.containerd.snapshotter.v1.overlayfs/snapshots/4/fs";
    assert_eq!(
        machine.label(&index, path).as_deref(),
        Some("brave_name (writable)")
    );
    assert_eq!(index.layers().containers.len(), 1);
}

#[test]
fn an_erofs_layer_and_its_image_file_are_told_apart() {
    let mut machine = Machine::new();
    let mut tree = BTreeMap::new();
    let name = "k8s.io/1/sha256:aa";
    bolt::tests::put(&mut tree, &["v1", "snapshots", name, "id"], &[200, 1]);
    bolt::tests::put(&mut tree, &["v1", "snapshots", name, "kind"], &[3]);
    let snapshotter = "cd/io.containerd.snapshotter.v1.erofs";
    machine.file(
        &format!("{snapshotter}/metadata.db"),
        bolt::tests::write(&tree),
    );
    let mut tree = BTreeMap::new();
    for (path, value) in [
        (
            &["images", "x:1", "target", "digest"][..],
            "sha256:manifest",
        ),
        (
            &[
                "content",
                "blob",
                "sha256:manifest",
                "labels",
                "containerd.io/gc.ref.content.config",
            ],
            "sha256:config",
        ),
        (
            &[
                "content",
                "blob",
                "sha256:config",
                "labels",
                "containerd.io/gc.ref.snapshot.erofs",
            ],
            "sha256:aa",
        ),
        (&["snapshots", "erofs", "sha256:aa", "name"], name),
    ] {
        let path: Vec<&str> = ["v1", "k8s.io"].iter().chain(path).copied().collect();
        bolt::tests::put(&mut tree, &path, value.as_bytes());
    }
    machine.file(
        "cd/io.containerd.metadata.v1.bolt/meta.db",
        bolt::tests::write(&tree),
    );
    machine.file(&format!("{snapshotter}/snapshots/200/layer.erofs"), "image");
    machine.directory(&format!("{snapshotter}/snapshots/200/fs"));
    let place = machine.at(&format!("{snapshotter}/snapshots/200"));
    machine.mount(&format!(
        "2 1 0:60 / {0}/fs ro - erofs {0}/layer.erofs ro\n",
        place.display()
    ));
    machine.stores.containerd.push(machine.at("cd"));
    let index = machine.index();
    let inside = index
        .resolve(Dev::new(0, 60), b"/bin/sh")
        .expect("it is a layer");
    assert_eq!(index.layers().layer_label(inside), "x:1");
    let file = index
        .resolve(
            DISK,
            &machine.path(&format!("{snapshotter}/snapshots/200/layer.erofs")),
        )
        .expect("it is a layer");
    assert_eq!(index.layers().layer_label(file), "x:1 (image file)");
    let layer = &index.layers().layers[file.0 as usize];
    assert_eq!(layer.mounted, [Dev::new(0, 60)]);
    assert_eq!(layer.kind, LayerKind::ImageFile);
    assert_eq!(
        index.layers().layers[inside.0 as usize].image_file,
        Some(file)
    );
}

#[test]
fn a_snap_is_an_image() {
    let mut machine = Machine::new();
    machine.file("var/lib/snapd/snaps/core22_864.snap", "image");
    let file = machine.at("var/lib/snapd/snaps/core22_864.snap");
    machine.file(
        "block/loop3/loop/backing_file",
        format!("{}\n", file.display()),
    );
    machine.mounts += "2 1 7:3 / /snap/core22/864 ro - squashfs /dev/loop3 ro\n";
    let index = machine.index();
    let inside = index
        .resolve(Dev::new(7, 3), b"/usr/bin/x")
        .expect("it is a layer");
    assert_eq!(index.layers().layer_label(inside), "core22 (864)");
    let label = machine.label(&index, "var/lib/snapd/snaps/core22_864.snap");
    assert_eq!(label.as_deref(), Some("core22 (864) (image file)"));
}

#[test]
fn an_overlay_of_nobody_has_layers_named_by_directory() {
    let mut machine = Machine::new();
    for name in ["low er", "up"] {
        machine.directory(name);
    }
    let top = machine.at("");
    let top = top.display();
    machine.mount(&format!(
        "2 1 0:50 / {top}m rw - overlay o rw,lowerdir+={top}low\\040er,lowerdir+=/gone,upperdir={top}up\n3 1 0:50 /sub {top}n rw - overlay o rw,lowerdir+={top}low\\040er,lowerdir+=/gone,upperdir={top}up\n"
    ));
    let (index, warnings) = machine.read();
    let kinds: Vec<(LayerKind, Runtime)> = index
        .layers()
        .layers
        .iter()
        .map(|layer| (layer.kind, layer.runtime))
        .collect();
    assert_eq!(
        kinds,
        [
            (LayerKind::Lower, Runtime::Mount),
            (LayerKind::Upper, Runtime::Mount)
        ]
    );
    let label = machine.label(&index, "low er/etc/x");
    assert_eq!(label, Some(machine.at("low er").display().to_string()));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].what.contains("'/gone'"), "{warnings:?}");
}

#[test]
fn a_layer_in_another_mount_namespace_is_found_there() {
    let machine = Machine::new();
    for name in ["proc/7/ns", "proc/7/root/data/low"] {
        machine.directory(name);
    }
    symlink("mnt:[2]", machine.at("proc/7/ns/mnt")).expect("a link");
    machine.file(
        "proc/7/mountinfo",
        "5 1 8:9 / / rw - ext4 a rw\n6 5 8:17 /vol /data rw - xfs b rw\n9 5 0:50 / /m ro - overlay o ro,lowerdir=/data/low\n",
    );
    let index = machine.index();
    let layer = index
        .resolve(Dev::new(8, 17), b"/vol/low/x")
        .expect("it is a layer");
    assert_eq!(index.layers().layer_label(layer), "/data/low");
}

#[test]
fn a_layer_that_vanishes_is_named_and_keeps_its_image() {
    let mut machine = Machine::new();
    machine.docker();
    fs::remove_dir_all(machine.at("docker/overlay2/cache2")).expect("it is there");
    let (index, warnings) = machine.read();
    assert_eq!(index.layers().images[1].layers.len(), 2);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].what.contains("cache2"), "{warnings:?}");
    assert!(warnings[0].remedy.contains("vanished"), "{warnings:?}");
}

/// Files that damage can hit.
const METADATA: [&str; 10] = [
    "docker/image/overlay2/repositories.json",
    "docker/image/overlay2/layerdb/sha256/c1/cache-id",
    "docker/image/overlay2/layerdb/sha256/c2/parent",
    "docker/image/overlay2/imagedb/content/sha256/2222222222222222",
    "docker/image/overlay2/layerdb/mounts/800bec12fb99a43bf9fa69943a466f8d396323b1e9e872c66e9a1a21b32149f1/mount-id",
    "docker/containers/800bec12fb99a43bf9fa69943a466f8d396323b1e9e872c66e9a1a21b32149f1/config.v2.json",
    "cd/io.containerd.metadata.v1.bolt/meta.db",
    "cd/io.containerd.snapshotter.v1.overlayfs/metadata.db",
    "graph/overlay-layers/layers.json",
    "graph/overlay-containers/containers.json",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn damaged_metadata_never_panics(
        which in 0..METADATA.len(),
        garbage in proptest::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
        keep in any::<bool>(),
    ) {
        let mut machine = Machine::new();
        machine.docker();
        machine.containerd();
        machine.file("graph/overlay-layers/layers.json", r#"[{"id":"aa","parent":"aa"}]"#);
        machine.file("graph/overlay-images/images.json", r#"[{"id":"x","layer":"aa"}]"#);
        machine.file("graph/overlay-containers/containers.json", r#"[{"id":"y","layer":"aa","metadata":"{"}]"#);
        machine.stores.containers_storage.push(machine.at("graph"));
        let path = machine.at(METADATA[which]);
        let mut bytes = if keep { fs::read(&path).expect("it was made") } else { Vec::new() };
        bytes.truncate(cut.index(bytes.len() + 1));
        bytes.extend(garbage);
        fs::write(path, bytes).expect("a file");
        let (index, warnings) = machine.read();
        // The stores that were not hit still have their names.
        prop_assert!(index.layers().layers.len() >= 4);
        prop_assert!(warnings.iter().any(|warning| warning.what.contains("ring")) || which == 8);
    }
}
