//! From measured pages to a [`Cache`] per mechanism: pages that a mechanism keeps once are
//! one class, and who carries a class decides whether it grows with the containers.

use std::collections::{BTreeSet, HashMap};

use super::{
    basis::{Cache, count},
    carriers::{Carrier, Carriers, SetId},
    containers::Running,
    unchanged::Unchanged,
};
use crate::model::{
    duplicates::Duplicates,
    files::survey_files,
    inode::InodeId,
    kin::Kin,
    layers::LayerId,
    measurement::Measurement,
    page::PageState,
    savings::{Confidence, at_one_path, image_files},
    units::{Bytes, PAGE_SIZE},
    view::InodeView,
    whole::whole_classes,
};

/// The mechanisms that are forecast. `composefs` reaches what `erofs` reaches. Not `reflink`:
/// docs/plan.md says why.
pub const MECHANISMS: [&str; 7] = [
    "none",
    "image-file",
    "copy-up",
    "layer",
    "erofs",
    "offset",
    "content",
];
const IMAGE_FILE: usize = 1;
const LAYER: usize = 3;
const EROFS: usize = 4;

/// What pages of a class have in common; its meaning differs by mechanism.
type Key = (u64, u64);

/// Gathers the pages of measurements whose hashes can be compared.
#[derive(Debug, Default)]
pub struct Composer {
    /// Whether contents are looked for in other measurements, too.
    several: bool,
    carriers: Carriers,
    /// The image of each container, by its number.
    containers: Vec<usize>,
    /// Pages that are a class of their own, by mechanism and carriers.
    alone: [HashMap<SetId, u64>; MECHANISMS.len()],
    classes: [HashMap<Key, SetId>; MECHANISMS.len()],
    /// Pages whose content is not known.
    unhashed: HashMap<SetId, u64>,
    /// Pages of image files that would not be cached if `image-file` were avoided.
    uncached: HashMap<SetId, u64>,
    probable: bool,
    measurements: u64,
    /// Pages of containers that are in no image of the mix.
    left_out: u64,
}

/// Files that are equal as a whole, by the number of their class.
#[derive(Default)]
struct EqualFiles {
    all: HashMap<InodeId, u64>,
    at_one_path: HashMap<InodeId, u64>,
}

impl Composer {
    /// For one measurement, or for several, whose contents are compared.
    #[must_use]
    pub fn new(measurements: usize) -> Self {
        Self {
            several: measurements > 1,
            ..Self::default()
        }
    }

    /// Adds the pages of a measurement: those of containers with an image, and, when asked
    /// for, those of no container.
    pub fn add(
        &mut self,
        measurement: &Measurement,
        running: &[Running],
        images: &[Option<usize>],
        with_host: bool,
    ) {
        let carried = self.number(running, images);
        let index = &measurement.index;
        let kin = Kin::of(index, &measurement.identity);
        let duplicates = Duplicates::of(index);
        let equal = self.equal_files(measurement, &duplicates, &kin);
        let unchanged = Unchanged::of(index, &kin);
        let cached_twice = image_files(&duplicates, &kin);
        let cached_twice: HashMap<InodeId, Bytes> = cached_twice.into_iter().collect();
        let of_file = |inode| measurement.identity.files.get(&inode)?.place.layer;
        let host = self.carriers.intern(vec![Carrier::Host]);
        for inode in index.inodes().filter(InodeView::has_clean_state) {
            let set = match of_file(inode.id).and_then(|layer| carried.get(&layer)) {
                None if with_host => host,
                Some(Some(set)) => *set,
                Some(None) => {
                    self.left_out += inode.resident();
                    continue;
                }
                None => continue,
            };
            let whole = equal.all.get(&inode.id).copied();
            let layer = equal.at_one_path.get(&inode.id).copied();
            if let Some(bytes) = cached_twice.get(&inode.id) {
                *self.uncached.entry(set).or_default() += bytes.0 / PAGE_SIZE;
            }
            for (page, state) in inode.pages() {
                let keys = match state {
                    // Most contents have one copy: they need no look-up by any key. Nor
                    // does what no mechanism takes, as it is mapped writably.
                    PageState::Hashed(content)
                        if inode.eligible
                            && content != index.zero()
                            && (self.several || index.copies(content) > 1) =>
                    {
                        let origin = unchanged.origin(inode.id, page);
                        [
                            None,
                            None,
                            origin
                                .map(|file| (self.measurements << 32 | u64::from(file.0), page.0)),
                            layer.map(|class| (class, page.0)),
                            whole.map(|class| (class, page.0)),
                            Some((content.0, page.0)),
                            Some((content.0, u64::MAX)),
                        ]
                    }
                    PageState::Hashed(_) => [None; MECHANISMS.len()],
                    _ => {
                        *self.unhashed.entry(set).or_default() += 1;
                        [None; MECHANISMS.len()]
                    }
                };
                self.take(set, keys);
            }
        }
        self.measurements += 1;
    }

    fn take(&mut self, set: SetId, keys: [Option<Key>; MECHANISMS.len()]) {
        let places = self.alone.iter_mut().zip(&mut self.classes);
        for ((alone, classes), key) in places.zip(keys) {
            match key {
                None => *alone.entry(set).or_default() += 1,
                Some(key) => {
                    let held = classes.entry(key).or_insert(set);
                    *held = self.carriers.union(*held, set);
                }
            }
        }
    }

    /// Numbers the containers, and says who carries each layer that one of them shows;
    /// `None` for layers of containers without an image only.
    fn number(
        &mut self,
        running: &[Running],
        images: &[Option<usize>],
    ) -> HashMap<LayerId, Option<SetId>> {
        let mut carried: HashMap<LayerId, Vec<Carrier>> = HashMap::new();
        for (container, image) in running.iter().zip(images) {
            let number = image.map(|image| {
                self.containers.push(image);
                u32::try_from(self.containers.len() - 1).unwrap_or(u32::MAX)
            });
            for layer in &container.lowers {
                let carriers = carried.entry(*layer).or_default();
                carriers.extend(number.map(Carrier::Lower));
            }
            if let Some(layer) = container.upper {
                let carriers = carried.entry(layer).or_default();
                carriers.extend(number.map(Carrier::Upper));
            }
        }
        let set = |(layer, carriers): (LayerId, Vec<Carrier>)| {
            let set = (!carriers.is_empty()).then(|| self.carriers.intern(carriers));
            (layer, set)
        };
        carried.into_iter().map(set).collect()
    }

    fn equal_files(
        &mut self,
        measurement: &Measurement,
        duplicates: &Duplicates<'_>,
        kin: &Kin<'_>,
    ) -> EqualFiles {
        let identities = &measurement.identity;
        let rows = survey_files(duplicates).rows;
        let mut equal = EqualFiles::default();
        // Classes of different measurements are different classes.
        let mut number = self.measurements << 40;
        for class in whole_classes(duplicates, identities, kin, &rows) {
            self.probable |= class.confidence == Confidence::Probable;
            for files in at_one_path(identities, &class.files) {
                number += 1;
                let files = files.into_iter().map(|file| (file, number));
                equal.at_one_path.extend(files);
            }
            number += 1;
            let files = class.files.into_iter().map(|file| (file, number));
            equal.all.extend(files);
        }
        equal
    }

    /// Bytes of containers that are in no image.
    #[must_use]
    pub fn left_out(&self) -> Bytes {
        Bytes::of_pages(self.left_out)
    }

    /// How many containers of each image there were.
    #[must_use]
    pub fn counts(&self, images: usize) -> Vec<u64> {
        let mut counts = vec![0; images];
        for image in &self.containers {
            if let Some(number) = counts.get_mut(*image) {
                *number += 1;
            }
        }
        counts
    }

    /// The page cache under each of [`MECHANISMS`].
    #[must_use]
    pub fn finish(self, images: usize) -> Vec<Cache> {
        let counts = self.counts(images);
        let mut caches = Vec::new();
        for (number, name) in MECHANISMS.iter().enumerate() {
            let sure = match number {
                LAYER | EROFS if self.probable => "probable",
                _ => "exact",
            };
            let mut cache = Cache::empty(name, sure, images);
            let mut pages = self.alone[number].clone();
            for set in self.classes[number].values() {
                *pages.entry(*set).or_default() += 1;
            }
            if number == IMAGE_FILE {
                for (set, avoided) in &self.uncached {
                    let held = pages.entry(*set).or_default();
                    *held = held.saturating_sub(*avoided);
                }
            }
            // In a fixed order, so that sums of parts are the same in every run.
            let mut pages: Vec<(SetId, u64)> = pages.into_iter().collect();
            pages.sort_unstable();
            for (set, pages) in pages {
                let bytes = Bytes::of_pages(pages).to_f64();
                self.place(self.carriers.of(set), bytes, &counts, &mut cache);
            }
            for (set, pages) in &self.unhashed {
                if let [Carrier::Lower(one) | Carrier::Upper(one)] = self.carriers.of(*set)
                    && let Some(image) = self.containers.get(*one as usize)
                {
                    let bytes = Bytes::of_pages(*pages).to_f64();
                    cache.unhashed[*image] += bytes / count(counts[*image]);
                }
            }
            caches.push(cache);
        }
        caches
    }

    /// Where the bytes of a class belong, by who carries it.
    fn place(&self, carriers: &[Carrier], bytes: f64, counts: &[u64], cache: &mut Cache) {
        let mut containers = BTreeSet::new();
        let mut only_upper = true;
        for carrier in carriers {
            match carrier {
                Carrier::Host => {
                    cache.base += bytes;
                    return;
                }
                Carrier::Lower(number) => {
                    only_upper = false;
                    containers.insert(*number);
                }
                Carrier::Upper(number) => {
                    containers.insert(*number);
                }
            }
        }
        let image = |number: &u32| self.containers.get(*number as usize).copied();
        let images: BTreeSet<usize> = containers.iter().filter_map(image).collect();
        let mut images: Vec<usize> = images.into_iter().collect();
        match (containers.len(), images.as_slice()) {
            (0, _) | (_, []) => {}
            // Another one would bring it again: it was seen, or it is what it writes to.
            (1, [image]) if only_upper || counts[*image] > 1 => {
                cache.own[*image] += bytes / count(counts[*image]);
            }
            _ => cache.add_common(std::mem::take(&mut images), bytes),
        }
    }
}

#[cfg(test)]
#[path = "composition_tests.rs"]
mod tests;
