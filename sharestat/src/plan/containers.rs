//! Which containers of a measurement run, which layers each shows, and which image of the
//! mix it belongs to. A container is an overlay mount, whoever made it.

use std::collections::BTreeMap;

use wildmatch::WildMatch;

use super::mix::MixImage;
use crate::model::layers::{LayerId, Layers, Stack};

/// One container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its name; of a mount without a runtime the directory it writes to.
    pub name: String,
    /// Its id, empty without a runtime.
    pub id: String,
    /// Its image; of a mount without a runtime its topmost lower layer.
    pub image: String,
    /// The layer that it writes to.
    pub upper: Option<LayerId>,
    /// The layers below.
    pub lowers: Vec<LayerId>,
}

/// The containers that run.
#[must_use]
pub fn running(layers: &Layers) -> Vec<Running> {
    layers
        .stacks
        .iter()
        .map(|stack| of_stack(layers, stack))
        .collect()
}

fn of_stack(layers: &Layers, stack: &Stack) -> Running {
    let directory = |layer: Option<LayerId>| {
        let layer = layer.and_then(|layer| layers.layer(layer));
        layer.map_or_else(String::new, |layer| layer.directory.clone())
    };
    let top = stack.lowers.first().copied();
    let owner = stack.upper.and_then(|upper| layers.layer(upper)?.container);
    let container = owner.and_then(|owner| Some((owner, layers.container(owner)?)));
    let (name, id, image) = match container {
        Some((owner, container)) => (
            layers.container_label(owner),
            container.id.clone(),
            container
                .image
                .map(|image| layers.image_label(image))
                .or_else(|| container.image_name.clone()),
        ),
        None => (directory(stack.upper.or(top)), String::new(), None),
    };
    Running {
        name,
        id,
        image: image.unwrap_or_else(|| directory(top)),
        upper: stack.upper,
        lowers: stack.lowers.clone(),
    }
}

/// Which measured containers an image of the mix takes.
#[derive(Clone, Debug)]
pub struct Wanted {
    name: String,
    pattern: Option<WildMatch>,
}

impl Wanted {
    /// Those that an image of the mix names.
    #[must_use]
    pub fn by(image: &MixImage) -> Self {
        Self {
            name: image.name.clone(),
            pattern: image.containers.as_deref().map(WildMatch::new),
        }
    }

    /// Whether a container with these names is one of them.
    #[must_use]
    pub fn takes(&self, name: &str, id: &str, image: &str) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.matches(name) || (!id.is_empty() && pattern.matches(id)),
            None => self.name == image || self.name == name,
        }
    }
}

/// For each container the number of the first image that takes it.
#[must_use]
pub fn assigned(running: &[Running], wanted: &[Option<Wanted>]) -> Vec<Option<usize>> {
    let takes = |container: &Running| {
        wanted.iter().position(|wanted| {
            let wanted = wanted.as_ref();
            wanted.is_some_and(|wanted| {
                wanted.takes(&container.name, &container.id, &container.image)
            })
        })
    };
    running.iter().map(takes).collect()
}

/// The mix that was measured, for want of another: its images, as often as they ran.
#[must_use]
pub fn as_measured(images: impl Iterator<Item = String>) -> Vec<MixImage> {
    let mut replicas: BTreeMap<String, u64> = BTreeMap::new();
    for image in images {
        *replicas.entry(image).or_default() += 1;
    }
    let image = |(name, replicas)| MixImage {
        name,
        replicas,
        ..MixImage::default()
    };
    replicas.into_iter().map(image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_taken_by_pattern_or_by_the_name_of_their_image() {
        let container = |name: &str, image: &str| Running {
            name: name.to_owned(),
            id: "f00d".to_owned(),
            image: image.to_owned(),
            upper: None,
            lowers: Vec::new(),
        };
        let running = [
            container("web-1", "a"),
            container("web-2", "b"),
            container("x", "db"),
            container("y", "c"),
        ];
        let image = |name: &str, containers: Option<&str>| {
            Some(Wanted::by(&MixImage {
                name: name.to_owned(),
                containers: containers.map(str::to_owned),
                ..MixImage::default()
            }))
        };
        let wanted = [image("web", Some("web-*")), None, image("db", None)];
        assert_eq!(
            assigned(&running, &wanted),
            [Some(0), Some(0), Some(2), None]
        );
        let mix = as_measured(running.iter().map(|container| container.image.clone()));
        assert_eq!(mix.len(), 4);
        assert!(mix.iter().all(|image| image.replicas == 1));
    }
}
