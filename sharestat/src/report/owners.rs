//! Whose the bytes are: the lists of layers, images and containers, and the names that a
//! file of theirs has.

mod memcgs;

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use super::document::{Group, LayerPair};
use crate::model::{
    duplicates::Duplicates,
    groups::GroupRow,
    inode::InodeId,
    layers::{Container, ContainerId, Image, ImageId, LayerId, Layers},
    measurement::Identities,
    shared_groups::{SharedRow, shared_rows},
    units::Bytes,
};

/// Which layers and containers to list: those whose name or directory contains a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In the name, directory or images of a layer.
    pub layer: Option<String>,
    /// In the name or id of a container.
    pub container: Option<String>,
}

/// The layers, images and containers of a measurement.
pub struct Owners<'a> {
    identities: &'a Identities,
    /// Numbers of the images that have each layer.
    images: HashMap<LayerId, Vec<u32>>,
    /// Numbers of the containers that show each layer.
    containers: HashMap<LayerId, Vec<u32>>,
    /// Layers of each container.
    shown: Vec<Vec<LayerId>>,
    /// The layers that pass the filter; `None` when there is none.
    wanted: Option<HashSet<LayerId>>,
}

impl<'a> Owners<'a> {
    /// Finds out who has which layer.
    #[must_use]
    pub fn new(identities: &'a Identities, filter: &Filter) -> Self {
        let layers = &identities.layers;
        let mut owners = Self {
            identities,
            images: HashMap::new(),
            containers: HashMap::new(),
            shown: Vec::new(),
            wanted: None,
        };
        for (number, layer) in (0..).zip(&layers.layers) {
            let images = layer.images.iter().map(|image| image.0).collect();
            owners.images.insert(LayerId(number), images);
        }
        for (number, container) in (0..).zip(&layers.containers) {
            let shown = layers.shown_by(container);
            for layer in &shown {
                owners.containers.entry(*layer).or_default().push(number);
            }
            owners.shown.push(shown);
        }
        owners.wanted = owners.passing(filter);
        owners
    }

    fn passing(&self, filter: &Filter) -> Option<HashSet<LayerId>> {
        let Filter { layer, container } = filter;
        if layer.is_none() && container.is_none() {
            return None;
        }
        let layers = self.layers();
        let holds = |text: &str, part: &Option<String>| {
            part.as_ref()
                .is_none_or(|part| text.contains(part.as_str()))
        };
        let ids = (0..).map(LayerId).zip(&layers.layers).map(|(id, _)| id);
        let passes = |id: &LayerId| {
            let of_layer = layers.layer(*id);
            let directory = of_layer.map_or("", |layer| &layer.directory);
            let images = of_layer.map_or(&[][..], |layer| &layer.images);
            let by_layer = holds(&layers.layer_label(*id), layer)
                || holds(directory, layer)
                || images
                    .iter()
                    .any(|image| holds(&layers.image_label(*image), layer));
            let numbers = self.containers.get(id).map_or(&[][..], Vec::as_slice);
            let by_container = container.is_none()
                || numbers
                    .iter()
                    .map(|number| ContainerId(*number))
                    .any(|number| {
                        holds(&layers.container_label(number), container)
                            || layers
                                .container(number)
                                .is_some_and(|known| holds(&known.id, container))
                    });
            by_layer && by_container
        };
        Some(ids.filter(passes).collect())
    }

    fn shows(&self, layer: LayerId) -> bool {
        let wanted = self.wanted.as_ref();
        wanted.is_none_or(|wanted| wanted.contains(&layer))
    }

    fn shows_any(&self, layers: &[LayerId]) -> bool {
        self.wanted.is_none() || layers.iter().any(|layer| self.shows(*layer))
    }

    /// Whether a file is of a layer that passes the filter.
    #[must_use]
    pub fn shows_file(&self, inode: InodeId) -> bool {
        self.wanted.is_none() || self.layer(inode).is_some_and(|layer| self.shows(layer))
    }

    fn layers(&self) -> &'a Layers {
        &self.identities.layers
    }

    fn layer(&self, inode: InodeId) -> Option<LayerId> {
        self.identities.files.get(&inode)?.place.layer
    }

    fn numbers<'n>(&self, inode: InodeId, of: &'n HashMap<LayerId, Vec<u32>>) -> &'n [u32] {
        let numbers = self.layer(inode).and_then(|layer| of.get(&layer));
        numbers.map_or(&[], Vec::as_slice)
    }

    /// The name of a file's layer.
    #[must_use]
    pub fn layer_of(&self, inode: InodeId) -> Option<String> {
        Some(self.layers().layer_label(self.layer(inode)?))
    }

    /// The names of the images that have a file's layer.
    #[must_use]
    pub fn images_of(&self, inode: InodeId) -> Vec<String> {
        let numbers = self.numbers(inode, &self.images).iter();
        numbers
            .map(|number| self.layers().image_label(ImageId(*number)))
            .collect()
    }

    /// The names of the containers that show a file's layer, sorted.
    #[must_use]
    pub fn containers_of(&self, inode: InodeId) -> Vec<String> {
        let numbers = self.numbers(inode, &self.containers).iter();
        let mut names: Vec<String> = numbers
            .map(|number| self.layers().container_label(ContainerId(*number)))
            .collect();
        names.sort_unstable();
        names
    }

    /// What each layer with cached pages holds.
    #[must_use]
    pub fn layer_entries(&self, duplicates: &Duplicates<'_>) -> Vec<Group> {
        let layers = self.layers();
        let rows = self.layer_rows(duplicates);
        let entry = |(id, row): (LayerId, GroupRow)| {
            let layer = layers.layer(id)?;
            let images = layer.images.iter();
            Some(Group {
                runtime: Some(layer.runtime.name().to_owned()),
                kind: Some(layer.kind.name().to_owned()),
                directory: Some(layer.directory.clone()),
                images: images.map(|image| layers.image_label(*image)).collect(),
                ..group(layers.layer_label(id), &layer.key, &row)
            })
        };
        let wanted = |(id, _): &(LayerId, GroupRow)| self.shows(*id);
        let rows = (0..).map(LayerId).zip(rows).filter(wanted);
        sorted(rows.filter_map(entry))
    }

    /// One row for each layer, by [`LayerId`].
    #[must_use]
    pub fn layer_rows(&self, duplicates: &Duplicates<'_>) -> Vec<GroupRow> {
        let count = u32::try_from(self.layers().layers.len()).unwrap_or(u32::MAX);
        let numbers: Vec<u32> = (0..count).collect();
        let groups_of = |inode| {
            let at = self.layer(inode).map(|layer| layer.0 as usize);
            at.and_then(|at| numbers.get(at..=at)).unwrap_or(&[])
        };
        let rows = shared_rows(duplicates, numbers.len(), groups_of).into_iter();
        rows.map(|row| row.whole).collect()
    }

    /// What each image with cached pages holds.
    #[must_use]
    pub fn image_entries(&self, duplicates: &Duplicates<'_>) -> Vec<Group> {
        let layers = self.layers();
        let entry = |(image, row): (&Image, SharedRow)| Group {
            runtime: Some(image.runtime.name().to_owned()),
            layers: self.keys(&image.layers),
            proportional_bytes: Some(row.proportional),
            ..group(image.label().to_owned(), &image.id, &row.whole)
        };
        let rows = layers.images.iter().zip(self.image_rows(duplicates));
        sorted(
            rows.filter(|(image, _)| self.shows_any(&image.layers))
                .map(entry),
        )
    }

    /// One row for each image, by [`ImageId`].
    #[must_use]
    pub fn image_rows(&self, duplicates: &Duplicates<'_>) -> Vec<SharedRow> {
        let groups_of = |inode| self.numbers(inode, &self.images);
        shared_rows(duplicates, self.layers().images.len(), groups_of)
    }

    /// What each container with cached pages holds.
    #[must_use]
    pub fn container_entries(&self, duplicates: &Duplicates<'_>) -> Vec<Group> {
        let layers = self.layers();
        let rows = self.container_rows(duplicates);
        let charged = self.charged(duplicates.index());
        let memory = &self.identities.memory;
        let entry = |((number, container), row): ((u32, &Container), SharedRow)| {
            let image = container.image.map(|image| layers.image_label(image));
            let pod = container.pod.as_ref().map(|pod| {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                format!("{}/{}", part(&pod.namespace), part(&pod.name))
            });
            Group {
                runtime: Some(container.runtime.name().to_owned()),
                images: image
                    .or_else(|| container.image_name.clone())
                    .into_iter()
                    .collect(),
                layers: self.keys(self.shown.get(number as usize).map_or(&[], Vec::as_slice)),
                pod,
                charged_bytes: charged.get(&ContainerId(number)).map(|charged| charged.0),
                private_bytes: memory
                    .get(&ContainerId(number))
                    .map(|stat| stat.private().0),
                proportional_bytes: Some(row.proportional),
                ..group(
                    layers.container_label(ContainerId(number)),
                    &container.id,
                    &row.whole,
                )
            }
        };
        let rows = (0..).zip(&layers.containers).zip(rows);
        let wanted = |((number, _), _): &((u32, &Container), SharedRow)| {
            let shown = self.shown.get(*number as usize);
            self.shows_any(shown.map_or(&[], Vec::as_slice))
        };
        sorted(rows.filter(wanted).map(entry))
    }

    /// One row for each container, by [`ContainerId`].
    #[must_use]
    pub fn container_rows(&self, duplicates: &Duplicates<'_>) -> Vec<SharedRow> {
        let groups_of = |inode| self.numbers(inode, &self.containers);
        shared_rows(duplicates, self.layers().containers.len(), groups_of)
    }

    /// The pairs of layers with most in common.
    #[must_use]
    pub fn layer_pair_entries(
        &self,
        pairs: &[((LayerId, LayerId), Bytes)],
        top: usize,
    ) -> Vec<LayerPair> {
        let layers = self.layers();
        let most = if top == 0 { usize::MAX } else { top };
        let entry = |((one, other), duplicate): &((LayerId, LayerId), Bytes)| {
            let pair = [*one, *other];
            let known = pair.iter().filter_map(|id| layers.layer(*id));
            let mut images: Vec<ImageId> = known.flat_map(|layer| layer.images.clone()).collect();
            images.sort_unstable();
            images.dedup();
            LayerPair {
                layers: pair.map(|id| layers.layer_label(id)),
                images: images
                    .into_iter()
                    .map(|id| layers.image_label(id))
                    .collect(),
                duplicate_bytes: duplicate.0,
            }
        };
        pairs.iter().take(most).map(entry).collect()
    }

    /// The ids of layers in reports.
    fn keys(&self, layers: &[LayerId]) -> Vec<String> {
        let known = layers.iter().filter_map(|id| self.layers().layer(*id));
        known.map(|layer| layer.key.clone()).collect()
    }
}

fn group(name: String, id: &str, row: &GroupRow) -> Group {
    Group {
        name,
        id: id.to_owned(),
        resident_bytes: row.resident.0,
        duplicate_bytes: row.duplicate.0,
        exclusive_bytes: row.exclusive.0,
        saving_share_bytes: row.saving_share,
        proportional_bytes: None,
        charged_bytes: None,
        private_bytes: None,
        runtime: None,
        kind: None,
        directory: None,
        images: Vec::new(),
        layers: Vec::new(),
        containers: Vec::new(),
        pod: None,
    }
}

/// Those with something cached, most duplicate bytes first.
fn sorted(entries: impl Iterator<Item = Group>) -> Vec<Group> {
    let mut entries: Vec<Group> = entries.filter(|entry| entry.resident_bytes > 0).collect();
    entries.sort_by(|one, other| {
        let rank = |entry: &Group| {
            (
                Reverse(entry.duplicate_bytes),
                Reverse(entry.resident_bytes),
            )
        };
        (rank(one), &one.name, &one.id).cmp(&(rank(other), &other.name, &other.id))
    });
    entries
}

#[cfg(test)]
#[path = "owners_tests.rs"]
mod tests;

#[cfg(test)]
pub(crate) use tests::stage;
