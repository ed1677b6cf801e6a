//! `derefs sites`: the code in a kernel image that touches `folio->mapping`, found by
//! abstract interpretation of every function with the kernel's own types. In: an image
//! file. Out: a [`SitesReport`]. What it cannot see is part of the report.

mod access;
mod calls;
mod code;
mod error;
mod function;
#[cfg(test)]
mod function_tests;
mod image;
mod knowledge;
mod lines;
mod memory;
mod program;
mod report;
mod roles;
mod scan;
mod site;
mod state;
mod subsystem;
mod transfer;
mod types;
mod value;

use std::{io::Write, path::Path};

pub use access::{Kind, kind_of};
pub use error::SitesError;
#[cfg(any(test, fuzzing))]
pub(super) use image::decode_tables;
#[cfg(test)]
pub(crate) use image::sample_tables;
pub use image::{KernelImage, Symbol, SymbolSource};
pub use lines::annotate;
pub use program::{Function, Program};
pub use report::SitesReport;
pub use roles::{hands_out_mapping, is_folio_list};
pub use scan::{Coverage, Through, context};
pub use site::{Site, context_hash_at, text as instruction_text};
pub use subsystem::{Subsystem, Subsystems};
pub use types::{TypeTable, TypesError};
pub use value::Basis;

use super::random::SplitMix;

/// How the list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// `sharestat.derefs-sites/v1`.
    Json,
}

/// What to print besides the list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// A vmlinux with debugging information; without one, that of the image is taken, if
    /// it has any.
    pub debug: Option<&'a Path>,
    /// How to write the list.
    pub format: Format,
    /// Instead of the list, this many sites with the instructions around them, chosen at
    /// random with this seed: for checking the analysis by hand.
    pub sample: Option<(usize, u64)>,
}

/// Finds the sites in the kernel image `path` and writes them to `out`.
///
/// # Errors
/// When the image cannot be analysed or `out` cannot be written.
pub fn run(path: &Path, options: Options<'_>, out: &mut dyn Write) -> Result<(), SitesError> {
    let image = KernelImage::open(path)?;
    let types = types_of(&image, path)?;
    let program = Program::new(&image, &types);
    let report = find_with_lines(&program, path, options.debug)?;
    match (options.sample, options.format) {
        (Some((count, seed)), _) => write_sample(&program, &report, count, seed, out)?,
        (None, Format::Text) => report.write_text(out)?,
        (None, Format::Json) => report.write_json(out)?,
    }
    Ok(())
}

/// The types that `image`, read from `path`, carries.
///
/// # Errors
/// When they are damaged, or describe no kernel with folios.
pub fn types_of(image: &KernelImage, path: &Path) -> Result<TypeTable, SitesError> {
    TypeTable::new(image.btf()).map_err(|error| match error {
        TypesError::Malformed(reason) => SitesError::Btf {
            path: path.to_owned(),
            reason,
        },
        TypesError::Missing(name) => SitesError::MissingType {
            path: path.to_owned(),
            name,
        },
    })
}

/// Finds the sites of the kernel image at `path`, with source lines where there are any:
/// from `debug`, else from the image.
///
/// # Errors
/// When `debug` cannot be read or is of another build.
pub fn find_with_lines(
    program: &Program<'_>,
    path: &Path,
    debug: Option<&Path>,
) -> Result<SitesReport, SitesError> {
    let mut report = find(program);
    let id = report.build_id.clone();
    let found = match debug {
        Some(debug) => {
            let elf = std::fs::read(debug).map_err(|source| SitesError::Read {
                path: debug.to_owned(),
                source,
            })?;
            annotate(&mut report.sites, &elf, id.as_deref(), debug)?
        }
        None => match annotate(&mut report.sites, program.image.elf(), None, path) {
            Err(SitesError::NoDebug { .. }) => 0,
            found => found?,
        },
    };
    if found > 0 {
        report.unseen.retain(|sentence| sentence != NO_LINES);
    }
    Ok(report)
}

/// What is said where no site has lines.
const NO_LINES: &str =
    "source lines and inline chains: a site is named by the function it was inlined into";

/// Finds the sites of a kernel.
#[must_use]
pub fn find(program: &Program<'_>) -> SitesReport {
    let scan::Found {
        sites,
        through,
        coverage,
    } = scan::scan(program);
    SitesReport {
        schema: report::SCHEMA,
        release: program.image.release.clone(),
        build_id: program.image.build_id.clone(),
        symbols: program.image.symbol_source,
        text_start: program.image.address_of("_stext"),
        mapping_offset: program.types.mapping,
        coverage,
        unseen: unseen(program, coverage),
        sites,
        through,
    }
}

/// What the analysis of `program` cannot see.
fn unseen(program: &Program<'_>, coverage: Coverage) -> Vec<String> {
    let mut sentences = vec![
        "loadable modules (such as xfs, btrfs and overlay where they are modules)".to_owned(),
        "folios that come out of indirect calls, or out of lists, trees and integers that \
         neither types nor a later use tell to hold folios"
            .to_owned(),
        "accesses through a copy of a whole folio, and code that is patched in at boot".to_owned(),
        NO_LINES.to_owned(),
    ];
    if coverage.indirect_jumps > 0 {
        sentences.push(format!(
            "what only {} jumps through registers or tables lead to",
            coverage.indirect_jumps
        ));
    }
    if coverage.jump_labels == 0 {
        sentences.push(
            "code behind jump labels, such as tracepoints: the image's table of them was not found"
                .to_owned(),
        );
    }
    if program.vmemmap_base.is_none() {
        sentences.push(
            "pages computed from page frame numbers: the image has no 'vmemmap_base'".to_owned(),
        );
    }
    sentences
}

fn write_sample(
    program: &Program<'_>,
    report: &SitesReport,
    count: usize,
    seed: u64,
    out: &mut dyn Write,
) -> Result<(), SitesError> {
    let mut sites: Vec<&Site> = report.certain().collect();
    let mut random = SplitMix(seed);
    for chosen in 0..count.min(sites.len()) {
        let step = random.below(sites.len() - chosen);
        sites.swap(chosen, chosen + step);
    }
    sites.truncate(count);
    sites.sort_by_key(|site| site.address);
    for site in sites {
        let Site {
            symbol,
            offset,
            kind,
            basis,
            subsystem,
            ..
        } = site;
        writeln!(
            out,
            "{symbol}+{offset:#x} {} {} {}",
            kind.name(),
            basis.name(),
            subsystem.name()
        )?;
        for line in context(program, site, 14, 6) {
            writeln!(out, "    {line}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
