//! Plans of files: what each page holds is known before the file exists.
//!
//! A plan is written to a filesystem, read back and compared, and changed in step with
//! the file; [`crate::expectation`] computes from it what must be reported.

use std::{
    ffi::OsString,
    fs,
    io::Read as _,
    os::unix::{ffi::OsStringExt as _, fs::FileExt as _},
    path::Path,
};

use crate::harness::OrFail;

/// Bytes of one page.
pub(crate) const PAGE: usize = 4096;

/// What one page of a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Bytes generated from this number: equal numbers, equal pages.
    Content(u64),
    /// Zero bytes that are written.
    Zero,
    /// Zero bytes that are never written.
    Hole,
}

/// One file: its names (hard links beyond the first), its pages, its size.
#[derive(Clone, Debug)]
pub(crate) struct PlannedFile {
    pub(crate) names: Vec<OsString>,
    pub(crate) pages: Vec<Page>,
    size: usize,
}

impl PlannedFile {
    /// A file of whole pages.
    pub(crate) fn new(name: &str, pages: impl IntoIterator<Item = Page>) -> Self {
        let pages: Vec<_> = pages.into_iter().collect();
        Self {
            names: vec![name.into()],
            size: pages.len() * PAGE,
            pages,
        }
    }

    /// A file of `count` pages with content `first`, `first + 1`, and so on.
    pub(crate) fn counting(name: &str, first: u64, count: u64) -> Self {
        Self::new(name, (first..first + count).map(Page::Content))
    }

    /// Gives it one more name.
    pub(crate) fn linked(mut self, name: &str) -> Self {
        self.names.push(name.into());
        self
    }

    /// Cuts it to `size` bytes, perhaps inside a page.
    pub(crate) fn cut(mut self, size: usize) -> Self {
        self.truncate(size);
        self
    }

    /// The plan of `truncate(2)` to a smaller size.
    pub(crate) fn truncate(&mut self, size: usize) {
        assert!(size <= self.size, "a plan is only made shorter");
        self.pages.truncate(size.div_ceil(PAGE));
        self.size = size;
    }

    /// The bytes of page `index`, zero beyond the end of the file.
    pub(crate) fn page_bytes(&self, index: usize) -> [u8; PAGE] {
        let mut bytes = page_bytes(self.pages[index]);
        bytes[(self.size - index * PAGE).min(PAGE)..].fill(0);
        bytes
    }

    /// Creates the file and its links below `root`.
    pub(crate) fn write(&self, root: &Path) {
        let path = root.join(&self.names[0]);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).or_fail(format_args!("making '{}'", parent.display()));
        }
        let file = fs::File::create_new(&path).or_fail(format_args!("making '{}'", path.display()));
        for index in 0..self.pages.len() {
            self.write_page(&file, index);
        }
        file.set_len(self.size as u64).or_fail("sizing a file");
        for name in &self.names[1..] {
            fs::hard_link(&path, root.join(name)).or_fail("making a hard link");
        }
    }

    /// Writes page `index` as planned.
    pub(crate) fn write_page(&self, file: &fs::File, index: usize) {
        if self.pages[index] != Page::Hole {
            let used = (self.size - index * PAGE).min(PAGE);
            file.write_all_at(&self.page_bytes(index)[..used], (index * PAGE) as u64)
                .or_fail("writing a page");
        }
    }

    /// Reads the file from start to end, so that it is cached, and compares it.
    pub(crate) fn read(&self, root: &Path) {
        let path = root.join(&self.names[0]);
        let mut bytes = Vec::with_capacity(self.size + 1);
        fs::File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .or_fail(format_args!("reading '{}'", path.display()));
        assert_eq!(bytes.len(), self.size, "size of '{}'", path.display());
        for (index, chunk) in bytes.chunks(PAGE).enumerate() {
            assert!(
                chunk == &self.page_bytes(index)[..chunk.len()],
                "page {index} of '{}' is not as it was planned",
                path.display()
            );
        }
    }
}

/// Every kind of file that a scan could get wrong; about 7 MiB.
pub(crate) fn every_kind() -> Vec<PlannedFile> {
    let shared = || (1000..1100).map(Page::Content);
    vec![
        PlannedFile::counting("unique", 1, 300).linked("unique-by-another-name"),
        PlannedFile::new("copies/a", shared()),
        PlannedFile::new("copies/b", shared()),
        PlannedFile::new("copies/c", shared()),
        PlannedFile::new(
            "copies/shifted",
            (2000..2007).map(Page::Content).chain(shared()),
        ),
        PlannedFile::new(
            "self",
            (0..60).map(|page| Page::Content(3000 + page % 3 * (page / 30))),
        ),
        PlannedFile::new("zeros", [Page::Zero; 64]),
        PlannedFile::new(
            "sparse",
            [Page::Content(4000)]
                .into_iter()
                .chain([Page::Hole; 200])
                .chain([Page::Content(4001), Page::Content(1000)])
                .chain([Page::Hole; 20]),
        ),
        // The same first bytes of a page, once the end of the file, once followed by zeros.
        PlannedFile::counting("tail", 5000, 4).cut(3 * PAGE + 100),
        PlannedFile::new("tail-again", [Page::Content(5003)]).cut(100),
        PlannedFile::new("tail-of-zeros", [Page::Content(5100), Page::Zero]).cut(PAGE + 10),
        PlannedFile::new("one-byte", [Page::Content(5200)]).cut(1),
        PlannedFile::new("empty", []),
        PlannedFile::new(
            "big",
            (0..1024).map(|page| Page::Content(6000 + page % 600)),
        ),
        PlannedFile {
            names: vec![OsString::from_vec(b"copies/odd\n\xff\t\"name".to_vec())],
            ..PlannedFile::new("", shared().take(3))
        },
    ]
}

/// Creates all files below `root` and puts them on storage.
pub(crate) fn write_all(files: &[PlannedFile], root: &Path) {
    for file in files {
        file.write(root);
    }
    sync(root);
}

/// Reads all files below `root`.
pub(crate) fn read_all(files: &[PlannedFile], root: &Path) {
    for file in files {
        file.read(root);
    }
}

/// Writes back the filesystem of `root`.
pub(crate) fn sync(root: &Path) {
    fs::File::open(root)
        .and_then(|directory| Ok(rustix::fs::syncfs(directory)?))
        .or_fail(format_args!("syncing '{}'", root.display()));
}

fn page_bytes(page: Page) -> [u8; PAGE] {
    let mut bytes = [0; PAGE];
    if let Page::Content(number) = page {
        // SplitMix64: different numbers give different pages.
        let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for word in bytes.as_chunks_mut::<8>().0 {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *word = (mixed ^ (mixed >> 31)).to_le_bytes();
        }
    }
    bytes
}
