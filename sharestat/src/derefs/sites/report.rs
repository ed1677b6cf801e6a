//! The list of sites as text or JSON, with what the analysis could not see.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    access::Kind,
    error::SitesError,
    image::SymbolSource,
    scan::{Coverage, Through},
    site::Site,
    value::Basis,
};

/// Name of the JSON format.
pub(super) const SCHEMA: &str = "sharestat.derefs-sites/v1";

/// Everything found in one kernel image.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SitesReport {
    /// `SCHEMA`.
    pub schema: &'static str,
    /// Version of the kernel.
    pub release: String,
    /// Its GNU build id, where it has one.
    pub build_id: Option<String>,
    /// Where symbol names came from.
    pub symbols: SymbolSource,
    /// Link-time address of `_stext`, to tell run-time addresses.
    pub text_start: Option<u64>,
    /// Offset of `mapping` in `struct folio`, in bytes.
    pub mapping_offset: i32,
    /// What was looked at.
    pub coverage: Coverage,
    /// What cannot be seen this way, as sentences.
    pub unseen: Vec<String>,
    /// The sites, by address.
    pub sites: Vec<Site>,
    /// Calls of functions that only hand out the mapping of a folio, by address.
    pub through: Vec<Through>,
}

impl SitesReport {
    /// Sites that are counted: all but the doubtful ones.
    pub fn certain(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|site| site.basis != Basis::Weak)
    }

    /// Sites whose base register may be something else than a folio.
    pub fn doubtful(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|site| site.basis == Basis::Weak)
    }

    /// Writes the report as JSON.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_json(&self, out: &mut dyn Write) -> Result<(), SitesError> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)?;
        Ok(())
    }

    /// Writes the report as text for people.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Coverage {
            functions,
            typed_functions,
            instructions,
            unreached_instructions,
            indirect_jumps,
            indirect_calls,
            jump_labels,
        } = self.coverage;
        writeln!(out, "kernel {}", self.release)?;
        writeln!(
            out,
            "analysed {functions} functions ({typed_functions} with argument types), {instructions} \
             instructions ({unreached_instructions} on no known path), {jump_labels} jump labels"
        )?;
        writeln!(
            out,
            "not followed: {indirect_jumps} indirect jumps, results of {indirect_calls} indirect calls"
        )?;
        writeln!(out)?;
        self.write_counts(out)?;
        writeln!(out)?;
        for site in &self.sites {
            let Site {
                symbol,
                offset,
                instruction,
                kind,
                basis,
                direct,
                subsystem,
                source,
                ..
            } = site;
            writeln!(
                out,
                "{:<52} {:<8} {:<7} {:<14} {:<17} {instruction}",
                format!("{symbol}+{offset:#x}"),
                kind.name(),
                basis.name(),
                subsystem.name(),
                direct.as_deref().unwrap_or("none"),
            )?;
            for frame in source {
                writeln!(out, "    {frame}")?;
            }
        }
        if !self.through.is_empty() {
            writeln!(
                out,
                "\nthrough functions that hand out the mapping of a folio:"
            )?;
        }
        for call in &self.through {
            let Through {
                symbol,
                offset,
                called,
                ..
            } = call;
            writeln!(out, "{:<52} {called}", format!("{symbol}+{offset:#x}"))?;
        }
        writeln!(out)?;
        for sentence in &self.unseen {
            writeln!(out, "not seen: {sentence}")?;
        }
        Ok(())
    }

    fn write_counts(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut counts: BTreeMap<String, [u64; Kind::ALL.len()]> = BTreeMap::new();
        for site in self.certain() {
            let row = counts.entry(site.subsystem.name()).or_default();
            for (count, kind) in row.iter_mut().zip(Kind::ALL) {
                *count += u64::from(site.kind == kind);
            }
        }
        write!(out, "{:<16}", "subsystem")?;
        for kind in Kind::ALL {
            write!(out, " {:>9}", kind.name())?;
        }
        writeln!(out, " {:>9}", "all")?;
        let mut sum = [0; Kind::ALL.len()];
        for (name, row) in &counts {
            write_row(out, name, row)?;
            for (total, count) in sum.iter_mut().zip(row) {
                *total += count;
            }
        }
        write_row(out, "all", &sum)?;
        writeln!(
            out,
            "and {} doubtful ones, marked weak: a cast or another path may make the register \
             something else",
            self.doubtful().count()
        )
    }
}

fn write_row(out: &mut dyn Write, name: &str, row: &[u64]) -> io::Result<()> {
    write!(out, "{name:<16}")?;
    for count in row {
        write!(out, " {count:>9}")?;
    }
    writeln!(out, " {:>9}", row.iter().sum::<u64>())
}
