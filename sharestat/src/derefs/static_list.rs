//! A list of static sites, brought to the addresses of the running kernel. In: the JSON
//! of `derefs sites`, an image, or the running kernel's own text. Out: sites by address.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::sites::{
    self, Basis, KernelImage, Program, Site, SitesError, SitesReport, Symbol, TypeTable,
};
use super::symbols::LiveSymbols;
use crate::kernel::{self, watcher::Watcher};

/// Where a list comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The JSON of `derefs sites`.
    List(PathBuf),
    /// A kernel image.
    Image(PathBuf),
    /// The text of the running kernel, read from memory.
    Live,
}

/// A list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("cannot read the list of sites '{path}': {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no such list.
    #[error(
        "'{path}' is no list of sites: {source}; make one with 'sharestat derefs sites --format json'"
    )]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The list is of another kernel.
    #[error(
        "the list of sites is of kernel {theirs}, and {ours} is running: addresses would not fit; \
         make a list from the running kernel's image"
    )]
    Mismatch {
        /// Kernel and build id of the list.
        theirs: String,
        /// The same of the running kernel.
        ours: String,
    },
    /// The list does not say where text starts.
    #[error("the list of sites does not say where the kernel's text starts: make it again")]
    NoText,
    /// The image cannot be analysed.
    #[error(transparent)]
    Sites(#[from] SitesError),
    /// The text cannot be read.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
}

#[derive(Deserialize)]
struct Parsed {
    release: String,
    build_id: Option<String>,
    text_start: Option<u64>,
    sites: Vec<Site>,
}

/// The sites of the running kernel.
pub struct StaticList {
    /// Where it came from, in words.
    pub source: String,
    /// Sites by run-time address, doubtful ones included.
    pub sites: HashMap<u64, Site>,
}

impl StaticList {
    /// The sites that are counted.
    pub fn certain(&self) -> impl Iterator<Item = (&u64, &Site)> {
        self.sites
            .iter()
            .filter(|(_, site)| site.basis != Basis::Weak)
    }

    /// Obtains a list.
    ///
    /// # Errors
    /// When it cannot be had, or is of another kernel.
    pub fn obtain(
        source: &Source,
        watcher: &Watcher,
        symbols: &LiveSymbols,
        btf: &[u8],
    ) -> Result<Self, ListError> {
        let parsed = match source {
            Source::List(path) => parse(path)?,
            Source::Image(path) => {
                let image = KernelImage::open(path)?;
                let types = sites::types_of(&image, path)?;
                sites::find_with_lines(&Program::new(&image, &types), path, None)?.into()
            }
            Source::Live => live(watcher, symbols, btf)?,
        };
        if !matches!(source, Source::Live) {
            check(&parsed)?;
        }
        let text = parsed.text_start.ok_or(ListError::NoText)?;
        let slide = symbols.text.0.wrapping_sub(text);
        Ok(Self {
            source: match source {
                Source::List(path) => format!("its image (list '{}')", path.display()),
                Source::Image(path) => format!("its image '{}'", path.display()),
                Source::Live => "the running kernel's text".to_owned(),
            },
            sites: parsed
                .sites
                .into_iter()
                .map(|site| (site.address.wrapping_add(slide), site))
                .collect(),
        })
    }
}

impl From<SitesReport> for Parsed {
    fn from(report: SitesReport) -> Self {
        Self {
            release: report.release,
            build_id: report.build_id,
            text_start: report.text_start,
            sites: report.sites,
        }
    }
}

fn parse(path: &Path) -> Result<Parsed, ListError> {
    let bytes = fs::read(path).map_err(|source| ListError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| ListError::Parse {
        path: path.to_owned(),
        source,
    })
}

#[cfg(any(test, fuzzing))]
/// Whether `bytes` are a list of sites.
pub(super) fn is_list(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Parsed>(bytes).is_ok()
}

/// The list must be of the very build that runs.
fn check(list: &Parsed) -> Result<(), ListError> {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let running = crate::report::host::running_build_id();
    let same = match (&list.build_id, &running) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => list.release == release,
    };
    if same {
        return Ok(());
    }
    let words = |release: &str, id: &Option<String>| match id {
        Some(id) => format!("'{release}' (build id {id})"),
        None => format!("'{release}'"),
    };
    Err(ListError::Mismatch {
        theirs: words(&list.release, &list.build_id),
        ours: words(&release, &running),
    })
}

fn live(watcher: &Watcher, symbols: &LiveSymbols, btf: &[u8]) -> Result<Parsed, ListError> {
    let (start, end) = symbols.text;
    let text = watcher.text(start, end)?;
    let names = symbols
        .all()
        .iter()
        .filter(|symbol| symbol.module.is_none())
        .map(|symbol| Symbol {
            address: symbol.address,
            name: symbol.name.to_string(),
        })
        .collect();
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let image = KernelImage::of_memory(start, text, names, btf, release);
    let types: TypeTable = sites::types_of(&image, Path::new(crate::kernel::btf::VMLINUX))?;
    let mut parsed: Parsed = sites::find(&Program::new(&image, &types)).into();
    parsed.text_start = Some(start);
    Ok(parsed)
}
