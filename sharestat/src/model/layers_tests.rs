//! Names of layers, and what images and containers make of them.

use super::*;

fn layer(key: &str, images: &[u32]) -> Layer {
    Layer {
        key: key.to_owned(),
        directory: format!("/store/{key}"),
        kind: LayerKind::Lower,
        runtime: Runtime::Docker,
        digest: None,
        roots: Vec::new(),
        images: images.iter().map(|id| ImageId(*id)).collect(),
        container: None,
        image_file: None,
        mounted: Vec::new(),
    }
}

fn image(name: Option<&str>, layers: &[u32]) -> Image {
    Image {
        id: "sha256:0123456789abcdef".to_owned(),
        name: name.map(str::to_owned),
        runtime: Runtime::Docker,
        layers: layers.iter().map(|id| LayerId(*id)).collect(),
    }
}

fn base_and_app() -> Layers {
    Layers {
        layers: vec![
            layer("a", &[0, 1]),
            layer("b", &[1]),
            layer("c", &[1]),
            layer("d", &[]),
        ],
        images: vec![image(None, &[0]), image(Some("app:2"), &[0, 1, 2])],
        ..Layers::default()
    }
}

#[test]
fn a_layer_has_the_name_and_place_that_its_image_gives_it() {
    let layers = base_and_app();
    assert_eq!(layers.layer_label(LayerId(0)), "app:2 [1/3]");
    assert_eq!(layers.layer_label(LayerId(2)), "app:2 [3/3]");
    assert_eq!(layers.layer_label(LayerId(3)), "/store/d");
}

#[test]
fn the_smallest_image_with_a_name_names_a_layer() {
    let mut layers = base_and_app();
    layers.images[0].name = Some("base:1".to_owned());
    assert_eq!(layers.layer_label(LayerId(0)), "base:1");
}

#[test]
fn layers_of_one_image_know_each_other() {
    let layers = base_and_app();
    assert!(layers.same_image(LayerId(0), LayerId(2)));
    assert!(!layers.same_image(LayerId(0), LayerId(3)));
    assert!(!layers.same_image(LayerId(3), LayerId(3)));
}

#[test]
fn a_container_shows_what_its_overlay_mount_stacks() {
    let mut layers = base_and_app();
    let stack = |upper, lowers: &[u32]| Stack {
        upper: Some(LayerId(upper)),
        lowers: lowers.iter().map(|id| LayerId(*id)).collect(),
    };
    layers.stacks = vec![stack(3, &[1, 0]), stack(2, &[0])];
    let mut container = Container {
        id: "c".to_owned(),
        name: None,
        runtime: Runtime::Docker,
        image: Some(ImageId(1)),
        image_name: None,
        pod: None,
        layers: vec![LayerId(3)],
    };
    assert_eq!(layers.shown_by(&container), [0, 1, 3].map(LayerId));
    container.layers = Vec::new();
    assert_eq!(layers.shown_by(&container), []);
}

#[test]
fn short_ids_survive_any_text() {
    assert_eq!(short("sha256:ab"), "ab");
    assert_eq!(short("äöüäöüäöüäöü"), "äöüäöü");
    assert_eq!(short("aäöüäöüäöü"), "aäöüäöüäöü");
}
