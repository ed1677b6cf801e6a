//! The lists of layers, images, containers and cgroups of a picture.

use std::{collections::HashMap, sync::Arc};

use super::rows::whole;
use crate::{
    model::{
        duplicates::Duplicates,
        files::FileRow,
        groups::GroupRow as Held,
        layers::{ContainerId, ImageId, LayerId},
        measurement::Measurement,
        units::Bytes,
    },
    report::owners::{Filter, Owners},
    tui::frame::{Avoidable, GroupRow, Identity, PairRow},
};

/// The id of a layer in its list.
pub(super) fn layer_id(layer: LayerId) -> Arc<str> {
    layer.0.to_string().into()
}

/// Layers, images and containers with something cached.
pub(super) fn identity(
    measurement: &Measurement,
    duplicates: &Duplicates<'_>,
    files: &[FileRow],
    pairs: &[((LayerId, LayerId), Bytes)],
    charged: &HashMap<ContainerId, Bytes>,
) -> Identity {
    let identities = &measurement.identity;
    let layers = &identities.layers;
    let owners = Owners::new(identities, &Filter::default());
    let memcgs = memcgs(measurement, duplicates, &owners);
    if layers.layers.is_empty() {
        let why = match identities.revision {
            0 => "layers, images and containers were not looked for",
            _ => "no overlay mount, image file or container store was found here",
        };
        return Identity {
            missing: Some(why.to_owned()),
            memcgs,
            ..Identity::default()
        };
    }
    let mut zeros: HashMap<LayerId, Bytes> = HashMap::new();
    for row in files {
        let file = identities.files.get(&row.inode);
        if let Some(layer) = file.and_then(|file| file.place.layer) {
            *zeros.entry(layer).or_default() += row.zero;
        }
    }
    let zero_of = |of: &[LayerId]| {
        of.iter()
            .filter_map(|layer| zeros.get(layer))
            .copied()
            .sum()
    };
    let of_layers = (0..)
        .map(LayerId)
        .zip(owners.layer_rows(duplicates))
        .map(|(id, held)| {
            let layer = layers.layer(id);
            let kind = layer.map_or("", |layer| layer.runtime.name());
            let name = layers.layer_label(id);
            GroupRow {
                directory: layer.map_or("", |layer| &layer.directory).into(),
                ..row(layer_id(id), name, kind, (&[], zero_of(&[id])), &held)
            }
        });
    let of_images = (0..).zip(&layers.images).zip(owners.image_rows(duplicates));
    let of_images = of_images.map(|((number, image), shared)| {
        let parts = (&image.layers[..], zero_of(&image.layers));
        let name = layers.image_label(ImageId(number));
        let held = row(
            number.to_string().into(),
            name,
            image.runtime.name(),
            parts,
            &shared.whole,
        );
        let counted = measurement.avoidable.is_some();
        GroupRow {
            proportional: Some(whole(shared.proportional)),
            avoidable: counted.then(|| Avoidable {
                image: image.id.as_str().into(),
                ..Avoidable::default()
            }),
            ..held
        }
    });
    let of_containers = (0..)
        .zip(&layers.containers)
        .zip(owners.container_rows(duplicates));
    let of_containers = of_containers.map(|((number, container), shared)| {
        let shown = layers.shown_by(container);
        let name = layers.container_label(ContainerId(number));
        let parts = (&shown[..], zero_of(&shown));
        let held = row(
            number.to_string().into(),
            name,
            container.runtime.name(),
            parts,
            &shared.whole,
        );
        GroupRow {
            proportional: Some(whole(shared.proportional)),
            charged: charged.get(&ContainerId(number)).copied(),
            ..held
        }
    });
    Identity {
        missing: None,
        layers: cached(of_layers),
        images: of_images
            .filter(|row| row.resident.0 > 0 || counts(measurement, row))
            .collect(),
        containers: cached(of_containers),
        memcgs,
        pairs: pairs
            .iter()
            .map(|((one, other), shared)| PairRow {
                one: layer_id(*one),
                other: layer_id(*other),
                shared: *shared,
            })
            .collect(),
    }
}

/// Memory cgroups with what they are charged.
fn memcgs(
    measurement: &Measurement,
    duplicates: &Duplicates<'_>,
    owners: &Owners<'_>,
) -> Arc<[GroupRow]> {
    let layers = &measurement.identity.layers;
    let of_memcgs = owners.memcg_rows(duplicates).into_iter();
    cached(of_memcgs.map(|memcg| {
        let container = memcg.container.and_then(|id| layers.container(id));
        let shown = container.map_or_else(Vec::new, |container| layers.shown_by(container));
        let name = memcg.container.map(|id| layers.container_label(id).into());
        let held = row(
            memcg.id.into(),
            memcg.name,
            "",
            (&shown, Bytes(0)),
            &memcg.row,
        );
        GroupRow {
            charged: Some(held.resident),
            container: name,
            ..held
        }
    }))
}

/// Whether anything was avoidable of an image, though nothing of it may be cached now.
fn counts(measurement: &Measurement, row: &GroupRow) -> bool {
    let counted = measurement.avoidable.as_ref().zip(row.avoidable.as_ref());
    counted.is_some_and(|(all, row)| all.images.contains_key(&*row.image))
}

fn cached(rows: impl Iterator<Item = GroupRow>) -> Arc<[GroupRow]> {
    rows.filter(|row| row.resident.0 > 0).collect()
}

fn row(
    id: Arc<str>,
    name: String,
    kind: &str,
    (layers, zero): (&[LayerId], Bytes),
    held: &Held,
) -> GroupRow {
    GroupRow {
        id,
        name: name.into(),
        directory: "".into(),
        kind: kind.into(),
        layers: layers.iter().map(|layer| layer_id(*layer)).collect(),
        resident: held.resident,
        duplicate: held.duplicate,
        exclusive: held.exclusive,
        saving: whole(held.saving_share),
        zero,
        proportional: None,
        charged: None,
        container: None,
        avoidable: None,
    }
}
