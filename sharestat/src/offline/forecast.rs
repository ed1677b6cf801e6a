//! What a host that runs these images would cache: every layer once, as overlayfs does,
//! and of it the files that some image shows.
//!
//! Layers are one on a host when they and all layers below them are equal (that is how
//! containerd, Docker and Podman key them); equal layers on different bases are two.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use sharestat_ebpf::{PAGE_WORDS, xxh64::xxh64_page};

use super::{
    directory,
    error::Error,
    layer::{self, Contents, FileNumber, LeftOut},
    limits::{Limits, Room},
    manifest::{From, Image},
    parallel, source, stack,
    touched::Touched,
};
use crate::{
    model::{
        index::ContentIndex,
        inode::{Dev, InodeKey},
        keyed::KeyedMap,
        layers::{self, ImageId, LayerId, LayerKind, Layers, Runtime},
        measurement::{Engine, FileIdentity, Filesystem, Identities, Measurement, Place, Proof},
        page::{Observation, SkipReason},
        units::{ContentHash, PageIndex},
    },
    progress::Progress,
    seed::Seed,
};

/// Pages that enter the index together.
const AT_ONCE: usize = 512;

/// What to forecast.
#[derive(Clone, Debug)]
pub struct ForecastOptions {
    /// OCI layouts, archives and directories.
    pub images: Vec<PathBuf>,
    /// The files that are read; all of them without.
    pub touched: Option<Touched>,
    /// Seed of the page hashes.
    pub seed: Seed,
    /// What an image may ask of this machine.
    pub limits: Limits,
}

/// Reads the images and forecasts what their host would cache.
///
/// # Errors
/// When an image cannot be read, is no image, or is refused.
pub fn forecast(options: &ForecastOptions, progress: &Progress) -> Result<Measurement, Error> {
    let started_at = jiff::Timestamp::now();
    let began = Instant::now();
    let images = source::all(&options.images)?;
    let contents = read_layers(&images, options, progress)?;
    let host = Host::of(&images, &contents, options.touched.as_ref());
    if let (Some(touched), 0, false) = (&options.touched, host.met, progress.stopped()) {
        return Err(touched.matches_nothing());
    }
    let mut measurement = host.measurement(options.seed);
    measurement.started_at = started_at;
    measurement.duration = began.elapsed();
    measurement.complete &= !progress.stopped();
    Ok(measurement)
}

/// What each distinct layer holds. Tar streams are read side by side, directories one
/// after the other, their files side by side.
fn read_layers<'i>(
    images: &'i [Image],
    options: &ForecastOptions,
    progress: &Progress,
) -> Result<HashMap<&'i str, Contents>, Error> {
    // A digest names the same bytes wherever it stands: read them once.
    let mut distinct: BTreeMap<&str, &From> = BTreeMap::new();
    for layer in images.iter().flat_map(|image| &image.layers) {
        distinct.entry(&layer.digest).or_insert(&layer.from);
    }
    let space = Room::new(options.limits);
    let (mut tars, mut contents) = (Vec::new(), HashMap::new());
    for (digest, from) in distinct {
        match from {
            From::Tar(blob) => tars.push((digest, blob)),
            From::Directory(place) => {
                let found = directory::read(place, options.seed, options.limits, &space, progress)?;
                contents.insert(digest, found);
            }
        }
    }
    let read = parallel::each(&tars, |(digest, blob)| {
        let stream = blob.unpacked(options.limits)?;
        match layer::read(stream, options.seed, &space, progress) {
            Ok(found) => Ok((*digest, found)),
            // Interrupted: what was read of a layer says nothing of the rest of it.
            Err(_) if progress.stopped() => Ok((*digest, Contents::default())),
            Err(error) => {
                let why = format!("layer '{}': {error}", layers::short(digest));
                Err(if error.kind() == std::io::ErrorKind::Unsupported {
                    Error::refused(&blob.file, why)
                } else {
                    Error::malformed(&blob.file, why)
                })
            }
        }
    })?;
    contents.extend(read);
    Ok(contents)
}

/// The layers that a host keeps, and which files of them are cached.
struct Host<'i> {
    layers: Layers,
    contents: Vec<&'i Contents>,
    /// Files that some image shows, and a name, by layer.
    shown: Vec<BTreeMap<FileNumber, (&'i [u8], ImageId)>>,
    /// Different paths of files that some image shows and that are read.
    met: usize,
    notes: Vec<String>,
}

impl<'i> Host<'i> {
    fn of(
        images: &'i [Image],
        contents: &'i HashMap<&str, Contents>,
        touched: Option<&Touched>,
    ) -> Self {
        let mut host = Self {
            layers: Layers::default(),
            contents: Vec::new(),
            shown: Vec::new(),
            met: 0,
            notes: Vec::new(),
        };
        // A layer is known by the one below it and by what it holds.
        let mut chain: HashMap<(Option<LayerId>, &str), LayerId> = HashMap::new();
        let mut met: HashSet<&[u8]> = HashSet::new();
        for (number, image) in (0..).zip(images) {
            let mut below = None;
            let mut own = Vec::new();
            for layer in &image.layers {
                let Some(content) = contents.get(layer.digest.as_str()) else {
                    continue;
                };
                let known = chain.entry((below, &layer.digest));
                let id = *known.or_insert_with(|| host.add_layer(&layer.digest, content));
                below = Some(id);
                own.push(id);
            }
            host.add_image(ImageId(number), image, own, touched, &mut met);
        }
        host.met = met.len();
        host.say(touched, contents.values());
        host
    }

    fn add_layer(&mut self, digest: &str, contents: &'i Contents) -> LayerId {
        let id = LayerId(u32::try_from(self.contents.len()).unwrap_or(u32::MAX));
        self.contents.push(contents);
        self.shown.push(BTreeMap::new());
        self.layers.layers.push(layers::Layer {
            key: digest.to_owned(),
            directory: digest.to_owned(),
            kind: LayerKind::Lower,
            runtime: Runtime::File,
            digest: Some(digest.to_owned()),
            roots: Vec::new(),
            images: Vec::new(),
            container: None,
            image_file: None,
            mounted: Vec::new(),
        });
        id
    }

    fn add_image(
        &mut self,
        id: ImageId,
        image: &Image,
        own: Vec<LayerId>,
        touched: Option<&Touched>,
        met: &mut HashSet<&'i [u8]>,
    ) {
        let stacked: Vec<&Contents> = own
            .iter()
            .map(|layer| self.contents[layer.0 as usize])
            .collect();
        let wanted = |name: &[u8]| touched.is_none_or(|touched| touched.has(name));
        for (layer, files) in own.iter().zip(stack::visible(&stacked, &wanted)) {
            let shown = &mut self.shown[layer.0 as usize];
            for (file, name) in files {
                met.insert(name);
                shown.entry(file).or_insert((name, id));
            }
            let layer = &mut self.layers.layers[layer.0 as usize];
            if layer.images.last() != Some(&id) {
                layer.images.push(id);
            }
        }
        self.layers.images.push(layers::Image {
            id: image.id.clone(),
            name: Some(image.name.clone()),
            runtime: Runtime::File,
            layers: own,
        });
    }

    /// What the forecast supposes, and what was left out.
    fn say<'c>(&mut self, touched: Option<&Touched>, contents: impl Iterator<Item = &'c Contents>) {
        let mut left_out = LeftOut::default();
        for contents in contents {
            left_out.add(contents.left_out);
        }
        self.notes.push(touched.map_or_else(
            || "a forecast: every file of every image is read as a whole, and stays cached".to_owned(),
            |touched| {
                format!(
                    "a forecast: {} of {} listed files are in some image, are read as a whole, and stay cached; no other is read",
                    self.met,
                    touched.len()
                )
            },
        ));
        let LeftOut {
            nodes,
            dangling,
            unreadable,
        } = left_out;
        for (count, words) in [
            (
                nodes,
                "device nodes, FIFOs or sockets refused: they have no page cache of their own",
            ),
            (dangling, "hard links lead to no file of their layer"),
            (unreadable, "files or directories could not be read"),
        ] {
            if count > 0 {
                self.notes.push(format!("{count} {words}"));
            }
        }
    }

    /// Pages of all files that some image shows.
    fn pages(&self) -> u64 {
        let layers = self.contents.iter().zip(&self.shown);
        let files = layers.flat_map(|(contents, shown)| {
            shown.keys().map(|file| contents.files[*file].pages.len())
        });
        files.map(|pages| pages as u64).sum()
    }

    fn measurement(self, seed: Seed) -> Measurement {
        let zero = ContentHash(xxh64_page(&[0; PAGE_WORDS], seed.value()));
        let mut index = ContentIndex::new(zero);
        // Images that are worth a comparison have many pages twice.
        index.expect(self.pages() / 2);
        let dev = Dev::new(0, 1);
        let mut identity = Identities {
            filesystems: vec![Filesystem {
                dev,
                fs_type: "overlay".to_owned(),
                id: "layers".to_owned(),
                mount_point: None,
                source: None,
            }],
            revision: 1,
            ..Identities::default()
        };
        let mut classes: KeyedMap<(u64, &[ContentHash]), u32> = KeyedMap::default();
        let mut complete = true;
        let mut ino = 0;
        let mut run = Vec::with_capacity(AT_ONCE);
        for (number, (contents, shown)) in self.contents.iter().zip(&self.shown).enumerate() {
            let layer = LayerId(u32::try_from(number).unwrap_or(u32::MAX));
            for (&file, &(name, image)) in shown {
                let content = &contents.files[file];
                let unreadable = contents.unreadable.get(&file).copied().unwrap_or(0);
                complete &= unreadable == 0;
                if content.pages.is_empty() && unreadable == 0 {
                    // An empty file has no page cache.
                    continue;
                }
                ino += 1;
                let key = InodeKey {
                    dev,
                    ino,
                    ..InodeKey::default()
                };
                let inode = index.intern(key, true);
                for (part, hashes) in (0..).zip(content.pages.chunks(AT_ONCE)) {
                    run.clear();
                    run.extend(hashes.iter().copied().map(Observation::Hashed));
                    index.insert_run(inode, PageIndex(part * AT_ONCE as u64), &run);
                }
                for page in 0..unreadable {
                    let skipped = Observation::Skipped(SkipReason::Unreadable);
                    index.insert(inode, PageIndex(page), skipped);
                }
                if unreadable == 0 {
                    let next = u32::try_from(classes.len()).unwrap_or(u32::MAX);
                    let class = *classes
                        .entry((content.size, &content.pages))
                        .or_insert(next);
                    identity.whole.insert(inode, Proof::Compared(class));
                }
                let label = self.layers.image_label(image);
                identity
                    .files
                    .insert(inode, file_identity(&label, name, layer, content.size));
            }
        }
        identity.layers = self.layers;
        Measurement {
            engine: Engine::Image,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration: Duration::ZERO,
            seed_id: seed.id(),
            hooks: Vec::new(),
            events_lost: 0,
            complete,
            index,
            identity,
            avoidable: None,
            notes: self.notes,
        }
    }
}

fn file_identity(image: &str, name: &[u8], layer: LayerId, size: u64) -> FileIdentity {
    let root = format!("/{}", layer.0).into_bytes();
    let in_fs = [root.as_slice(), b"/", name].concat();
    let shown = crate::identity::escape::printable(crate::identity::escape::path_of(name));
    FileIdentity {
        filesystem: 0,
        path: format!("{image}:/{shown}"),
        named: true,
        deleted: false,
        size,
        links: 1,
        place: Place {
            path_in_fs: Some(in_fs.into_boxed_slice()),
            layer: Some(layer),
            root: root.len(),
            device: None,
            revision: 1,
        },
    }
}
