//! What to do about the duplicates: the change that each top cause asks for, with the
//! measured bytes behind it. One line per cause, most bytes first; they overlap.

use super::{
    copy_ups::CopyUp,
    inode::InodeId,
    layers::{LayerId, Layers},
    measurement::Identities,
    savings::Savings,
    units::Bytes,
};

/// Less than this is not worth a change.
const WORTH: Bytes = Bytes(64 << 10);

/// One piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The mechanism whose saving it is.
    pub mechanism: &'static str,
    /// What to change.
    pub action: String,
    /// What was measured that it would save.
    pub saving: Bytes,
    /// The largest cause, by name.
    pub cause: String,
}

/// The advice for these savings.
#[must_use]
pub fn advice(identities: &Identities, savings: &Savings, copy_ups: &[CopyUp]) -> Vec<Advice> {
    let mut lines = vec![
        image_files(identities, savings),
        metadata_copies(identities, copy_ups),
        layers(&identities.layers, savings),
        equal_files(identities, savings),
        reflinks(savings),
    ];
    lines.retain(|line| line.saving >= WORTH);
    lines.sort_by_key(|line| std::cmp::Reverse(line.saving));
    lines
}

fn saving_of(savings: &Savings, mechanism: &str) -> Bytes {
    let row = savings.mechanisms.iter().find(|row| row.name == mechanism);
    row.map_or(Bytes(0), |row| row.saving)
}

fn path(identities: &Identities, inode: InodeId) -> &str {
    let file = identities.files.get(&inode);
    file.map_or("?", |file| &file.path)
}

fn image_files(identities: &Identities, savings: &Savings) -> Advice {
    let first = savings.image_files.first();
    Advice {
        mechanism: "image-file",
        action: "do not cache filesystem images beside their files: set up loop devices with direct I/O (losetup --direct-io=on), mount EROFS images from files directly only where that does not cache them, or use DAX".to_owned(),
        saving: saving_of(savings, "image-file"),
        cause: first.map_or_else(String::new, |(inode, bytes)| {
            format!("{bytes} of '{}'", path(identities, *inode))
        }),
    }
}

fn metadata_copies(identities: &Identities, copy_ups: &[CopyUp]) -> Advice {
    let only = || copy_ups.iter().filter(|copy_up| copy_up.metadata_only);
    Advice {
        mechanism: "copy-up",
        action: "mount overlays with metacopy=on: files whose mode or owner alone changed were copied whole".to_owned(),
        saving: only().map(|copy_up| copy_up.equal).sum(),
        cause: only().next().map_or_else(String::new, |copy_up| {
            format!("{} of '{}'", copy_up.equal, path(identities, copy_up.copy))
        }),
    }
}

fn layers(layers: &Layers, savings: &Savings) -> Advice {
    let first = savings.layer_causes.first();
    Advice {
        mechanism: "layer",
        action: "build the images on one base layer: equal files are at the same path of different layers".to_owned(),
        saving: saving_of(savings, "layer"),
        cause: first.map_or_else(String::new, |((one, other), bytes)| {
            let label = |layer: LayerId| layers.layer_label(layer);
            format!("{bytes} between '{}' and '{}'", label(*one), label(*other))
        }),
    }
}

fn equal_files(identities: &Identities, savings: &Savings) -> Advice {
    let first = savings.whole.first();
    Advice {
        mechanism: "erofs",
        action: "keep the images as EROFS and mount them with inode_share in one domain_id (Linux 7.2), or as composefs on one object store: equal files are then cached once, at whatever path".to_owned(),
        saving: saving_of(savings, "erofs"),
        cause: first.map_or_else(String::new, |(class, bytes)| {
            let example = class.files.first();
            let example = example.map_or("?", |inode| path(identities, *inode));
            format!("{bytes} in {} files like '{example}'", class.files.len())
        }),
    }
}

fn reflinks(savings: &Savings) -> Advice {
    Advice {
        mechanism: "reflink",
        action: "use hard links, one shared directory or an overlay lower layer instead of reflinks or snapshots where the copies are only read: the kernel caches each copy apart".to_owned(),
        saving: saving_of(savings, "reflink"),
        cause: String::new(),
    }
}

#[cfg(test)]
#[path = "advice_tests.rs"]
mod tests;
