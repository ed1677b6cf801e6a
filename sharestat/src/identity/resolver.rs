//! Gives the files of a measurement their layers: reads mounts and stores once, again when
//! they change, but so seldom that it stays a small part of one CPU, and looks at each file
//! once per reading.

use std::time::{Duration, Instant};

use super::{
    layers::{LayerIndex, Sources},
    warning::Warning,
};
use crate::model::measurement::Identities;

/// Reading takes at most one part in so many of the time.
const SHARE: u32 = 50;
/// Containers come and go all the time on some hosts; names may be this old.
const OLDEST: Duration = Duration::from_secs(30);

/// Keeps the layer index between two looks at the same machine.
pub struct Resolver {
    read: fn() -> (LayerIndex, Vec<Warning>),
    share: u32,
    /// The index, and when it may be read again.
    index: Option<(LayerIndex, Instant)>,
}

impl Resolver {
    /// For this machine.
    #[must_use]
    pub fn host() -> Self {
        Self {
            read: || LayerIndex::read(Sources::host()),
            share: SHARE,
            index: None,
        }
    }

    /// Finds the layer of every file that has none yet; of all files when mounts or
    /// stores changed since the last time.
    pub fn resolve(&mut self, identities: &mut Identities) {
        let current = self
            .index
            .take()
            .filter(|(index, not_before)| Instant::now() < *not_before || !index.is_stale());
        let (index, not_before) = current.unwrap_or_else(|| {
            let begun = Instant::now();
            let (index, warnings) = (self.read)();
            let pause = (begun.elapsed() * self.share).min(OLDEST);
            identities.layers = index.layers().clone();
            identities.revision += 1;
            identities.warnings = warnings.iter().map(Warning::to_string).collect();
            (index, Instant::now() + pause)
        });
        for file in identities.files.values_mut() {
            let place = &mut file.place;
            if place.revision == identities.revision {
                continue;
            }
            place.revision = identities.revision;
            let filesystem = identities.filesystems.get(file.filesystem);
            let found = filesystem
                .zip(place.path_in_fs.as_deref())
                .and_then(|(filesystem, path)| index.resolve_below(filesystem.dev, path));
            place.layer = found.map(|(layer, _)| layer);
            place.root = found.map_or(0, |(_, root)| root);
        }
        self.index = Some((index, not_before));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::model::{
        inode::{Dev, InodeId},
        layers::{Layer, LayerId, LayerKind, LayerRoot, Layers, Runtime},
        measurement::{FileIdentity, Filesystem, Place},
    };

    static MOVED: AtomicBool = AtomicBool::new(false);
    const DISK: Dev = Dev::new(8, 1);

    fn read() -> (LayerIndex, Vec<Warning>) {
        let path: &[u8] = if MOVED.load(Ordering::Relaxed) {
            b"/other"
        } else {
            b"/store/a"
        };
        let layer = Layer {
            key: "a".to_owned(),
            directory: "a".to_owned(),
            kind: LayerKind::Lower,
            runtime: Runtime::Mount,
            digest: None,
            roots: vec![LayerRoot {
                dev: DISK,
                path_in_fs: path.to_vec(),
            }],
            images: Vec::new(),
            container: None,
            image_file: None,
            mounted: Vec::new(),
        };
        let layers = Layers {
            layers: vec![layer],
            ..Layers::default()
        };
        let warning = Warning {
            what: "one".to_owned(),
            remedy: "two".to_owned(),
        };
        (LayerIndex::from_layers(layers), vec![warning])
    }

    #[test]
    fn files_get_their_layer_and_lose_it_when_mounts_change() {
        let mut identities = Identities {
            filesystems: vec![Filesystem {
                dev: DISK,
                fs_type: "ext4".to_owned(),
                id: String::new(),
                mount_point: None,
                source: None,
            }],
            ..Identities::default()
        };
        for (id, path) in [
            (0, &b"/store/a/usr/x"[..]),
            (1, b"/store/b"),
            (2, b"/other/y"),
        ] {
            let file = FileIdentity {
                filesystem: 0,
                path: String::new(),
                named: true,
                deleted: false,
                size: 0,
                links: 1,
                place: Place {
                    path_in_fs: Some(path.into()),
                    ..Place::default()
                },
            };
            identities.files.insert(InodeId(id), file);
        }
        let mut resolver = Resolver {
            read,
            share: 0,
            index: None,
        };
        resolver.resolve(&mut identities);
        let of = |identities: &Identities, id| {
            let place = &identities.files[&InodeId(id)].place;
            (place.layer, place.path_in_layer().map(<[u8]>::to_vec))
        };
        assert_eq!(
            of(&identities, 0),
            (Some(LayerId(0)), Some(b"/usr/x".to_vec()))
        );
        assert_eq!(of(&identities, 1), (None, None));
        assert_eq!(identities.warnings, ["one; two"]);
        MOVED.store(true, Ordering::Relaxed);
        // The default stamp is that of no machine: always stale.
        resolver.resolve(&mut identities);
        assert_eq!(identities.revision, 2);
        assert_eq!(of(&identities, 0), (None, None));
        assert_eq!(of(&identities, 2).0, Some(LayerId(0)));
        // Not again before its time.
        resolver.index = resolver
            .index
            .map(|(index, _)| (index, Instant::now() + OLDEST));
        resolver.resolve(&mut identities);
        assert_eq!(identities.revision, 2);
    }
}
