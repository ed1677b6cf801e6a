//! What is cached of the files of layers, counted again by comparing bytes: which pages are
//! equal, at which offsets, in which layers and images, and which files are equal as a
//! whole.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use memmap2::Mmap;

use crate::{corpus::PAGE, harness::OrFail as _, mincore, residency};

/// A file of a layer.
struct File {
    layer: usize,
    /// Its path in the layer.
    path: PathBuf,
    map: Mmap,
}

impl File {
    /// Its bytes of a page, and zeros beyond its end.
    fn page(&self, number: usize) -> Cow<'_, [u8]> {
        let bytes = &self.map[number * PAGE..];
        if let Some(page) = bytes.get(..PAGE) {
            return page.into();
        }
        let mut page = bytes.to_vec();
        page.resize(PAGE, 0);
        page.into()
    }
}

/// Layers, by the images that have them, and their files.
pub(super) struct Layers {
    images: Vec<BTreeSet<usize>>,
    files: Vec<File>,
}

impl Layers {
    /// Finds the files of the layers: each directory with the numbers of its images.
    pub(super) fn find(layers: &BTreeMap<PathBuf, BTreeSet<usize>>) -> Self {
        let mut files = Vec::new();
        let mut inodes = HashSet::new();
        for (layer, directory) in layers.keys().enumerate() {
            for path in files_below(directory) {
                let described = path.metadata().or_fail("asking for an inode");
                // Another name of the same file has the same pages.
                if !inodes.insert((described.dev(), described.ino())) {
                    continue;
                }
                files.extend(residency::map(&path).map(|map| File {
                    layer,
                    path: path.strip_prefix(directory).or_fail("a path").to_owned(),
                    map,
                }));
            }
        }
        Self {
            images: layers.values().cloned().collect(),
            files,
        }
    }

    /// Which pages are cached, file by file.
    pub(super) fn cached(&self) -> Vec<Vec<bool>> {
        let files = self.files.iter();
        files.map(|file| mincore::cached_in(&file.map)).collect()
    }

    /// Counts, when all is cached.
    pub(super) fn count(&self) -> Recount {
        let mut numbers: HashMap<Cow<'_, [u8]>, usize> = HashMap::new();
        let zero = 0;
        numbers.insert(vec![0; PAGE].into(), zero);
        let mut contents: Vec<Vec<usize>> = Vec::new();
        for file in &self.files {
            let pages = (0..file.map.len().div_ceil(PAGE)).map(|page| {
                let next = numbers.len();
                *numbers.entry(file.page(page)).or_insert(next)
            });
            contents.push(pages.collect());
        }
        let mut copies = vec![Vec::new(); numbers.len()];
        for (file, pages) in contents.iter().enumerate() {
            for content in pages {
                copies[*content].push(file);
            }
        }
        let zeros = std::mem::take(&mut copies[zero]).len();
        let mut recount = Recount {
            resident: contents.iter().map(Vec::len).sum(),
            distinct: numbers.len() - usize::from(zeros == 0),
            zero: zeros,
            ..Recount::default()
        };
        recount.scopes.insert("zero", zeros.saturating_sub(1));
        for of_content in copies.iter().filter(|copies| !copies.is_empty()) {
            self.by_nearness(of_content, &mut recount.scopes);
        }
        recount.add_savings(self, &contents, &copies);
        let all = [zeros].into_iter().chain(copies[1..].iter().map(Vec::len));
        let everywhere: Vec<usize> = all.collect();
        let count = self
            .images
            .iter()
            .flatten()
            .max()
            .map_or(0, |most| most + 1);
        for image in 0..count {
            let own = |file: &usize| self.images[self.files[*file].layer].contains(&image);
            recount.images.push(held(&contents, &everywhere, own));
        }
        recount
    }

    /// The copies of one content: nearest first, each joined to another one.
    fn by_nearness(&self, files: &[usize], scopes: &mut BTreeMap<&'static str, usize>) {
        let distinct: BTreeSet<usize> = files.iter().copied().collect();
        let layers: BTreeSet<usize> = distinct
            .iter()
            .map(|file| self.files[*file].layer)
            .collect();
        // Groups of layers that an image joins.
        let mut groups: Vec<BTreeSet<usize>> = Vec::new();
        for layer in &layers {
            let mut images = self.images[*layer].clone();
            groups.retain(|group| {
                let apart = group.is_disjoint(&images);
                if !apart {
                    images.extend(group);
                }
                apart
            });
            groups.push(images);
        }
        for (scope, joins) in [
            ("self", files.len() - distinct.len()),
            ("layer", distinct.len() - layers.len()),
            ("image", layers.len() - groups.len()),
            ("cross-layer", groups.len() - 1),
        ] {
            *scopes.entry(scope).or_default() += joins;
        }
    }
}

/// What an image holds, in pages.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) resident: usize,
    pub(super) duplicate: usize,
    pub(super) exclusive: usize,
}

fn held(contents: &[Vec<usize>], everywhere: &[usize], own: impl Fn(&usize) -> bool) -> Held {
    let mut inside: HashMap<usize, usize> = HashMap::new();
    for (file, pages) in contents.iter().enumerate() {
        if own(&file) {
            for content in pages {
                *inside.entry(*content).or_default() += 1;
            }
        }
    }
    let mut held = Held::default();
    for (content, here) in inside {
        held.resident += here;
        held.duplicate += if everywhere[content] > 1 { here } else { 0 };
        held.exclusive += if everywhere[content] == here { here } else { 0 };
    }
    held
}

/// All that was counted, in pages.
#[derive(Debug, Default)]
pub(super) struct Recount {
    pub(super) resident: usize,
    pub(super) distinct: usize,
    pub(super) zero: usize,
    pub(super) scopes: BTreeMap<&'static str, usize>,
    pub(super) savings: BTreeMap<&'static str, usize>,
    /// By number of the image.
    pub(super) images: Vec<Held>,
}

impl Recount {
    /// `contents` by file and page; `copies`: the files of each content but zero, which is
    /// number 0.
    fn add_savings(&mut self, layers: &Layers, contents: &[Vec<usize>], copies: &[Vec<usize>]) {
        let beyond = |copies: usize| copies.saturating_sub(1);
        self.savings.insert("zero", beyond(self.zero));
        let content = copies.iter().map(|files| beyond(files.len())).sum();
        self.savings.insert("content", content);
        let mut places: HashMap<(usize, usize), usize> = HashMap::new();
        let mut whole: HashMap<(usize, &[usize]), usize> = HashMap::new();
        let mut at_path: HashMap<(usize, &[usize], &Path), usize> = HashMap::new();
        for (file, pages) in layers.files.iter().zip(contents) {
            for (page, content) in pages
                .iter()
                .enumerate()
                .filter(|(_, content)| **content > 0)
            {
                *places.entry((page, *content)).or_default() += 1;
            }
            let size = file.map.len();
            *whole.entry((size, pages)).or_default() += 1;
            *at_path.entry((size, pages, &file.path)).or_default() += 1;
        }
        let offset = places.values().copied().map(beyond).sum();
        self.savings.insert("offset", offset);
        let not_zero = |pages: &[usize]| pages.iter().filter(|content| **content > 0).count();
        let equal = whole
            .iter()
            .map(|((_, pages), files)| beyond(*files) * not_zero(pages));
        let equal = equal.sum();
        self.savings.insert("erofs", equal);
        self.savings.insert("composefs", equal);
        let layer = at_path
            .iter()
            .map(|((_, pages, _), files)| beyond(*files) * not_zero(pages));
        self.savings.insert("layer", layer.sum());
    }
}

/// The regular files below a directory, in the order of their names.
pub(super) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        let entries =
            fs::read_dir(&directory).or_fail(format_args!("listing '{}'", directory.display()));
        for entry in entries {
            let entry = entry.or_fail("listing a directory");
            let kind = entry.file_type().or_fail("asking what a file is");
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}
