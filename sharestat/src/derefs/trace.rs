//! `derefs trace`: counts at static sites with kprobes, where the kernel has them. Rates
//! without sampling, but only of sites that are known already.

use std::{
    io::{self, Write},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sharestat_ebpf::records::TracedPlace;

use super::{document::percent, sites::Site, static_list::StaticList};
use crate::{
    kernel::{
        Error,
        tracer::{Probe, Tracer},
    },
    report::Host,
};

/// Name of the schema.
pub const SCHEMA: &str = "sharestat.derefs-trace/v1";

/// Everything that was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// The host that was traced.
    pub host: Host,
    /// How long.
    pub duration_ns: u64,
    /// Sites that ran, most hits first.
    pub sites: Vec<TraceRow>,
    /// Sites that did not run.
    pub not_run: u64,
    /// Sites that could not be traced, and why.
    pub refused: Vec<Refused>,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceRow {
    /// Its id.
    pub id: String,
    /// Symbol and offset.
    pub place: String,
    /// Function in the source.
    pub function: String,
    /// Kind of access.
    pub kind: String,
    /// Part of the kernel.
    pub subsystem: String,
    /// How often it ran.
    pub hits: u64,
    /// How often with a folio of a file, on the filesystem asked for.
    #[serde(default)]
    pub file_hits: u64,
    /// How often with an uptodate, clean, not writably mapped folio of a file.
    pub shareable_hits: u64,
    /// Hits per second.
    pub per_second: f64,
    /// File hits per second: what `derefs watch` estimates.
    #[serde(default)]
    pub file_hits_per_second: f64,
}

/// A site that could not be traced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// Symbol and offset.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// Sites being traced.
pub struct Trace {
    tracer: Tracer,
    traced: Vec<(u64, Site)>,
    refused: Vec<Refused>,
}

fn place_of(site: &Site) -> String {
    format!("{}+{:#x}", site.symbol, site.offset)
}

impl Trace {
    /// Sets a kprobe at each of the certain sites of `list`; `mapping` is the offset of
    /// the word in a folio. Only files on `device` count as files, where one is given.
    ///
    /// # Errors
    /// When the kernel has no kprobes or a privilege is missing.
    pub fn start(list: &StaticList, mapping: i32, device: Option<u32>) -> Result<Self, Error> {
        let mut refused = Vec::new();
        let mut traced = Vec::new();
        let mut probes = Vec::new();
        for (address, site) in list.certain() {
            match folio_at(site, mapping) {
                Some(place) => {
                    probes.push(Probe {
                        address: *address,
                        place,
                    });
                    traced.push((*address, site.clone()));
                }
                None => refused.push(Refused {
                    place: place_of(site),
                    reason: "its folio is not in one register".to_owned(),
                }),
            }
        }
        let (running, not_set) = Tracer::start(&probes, device)?;
        for (probe, reason) in not_set {
            if let Some(at) = traced
                .iter()
                .position(|(address, _)| *address == probe.address)
            {
                let (_, site) = traced.swap_remove(at);
                refused.push(Refused {
                    place: place_of(&site),
                    reason,
                });
            }
        }
        refused.sort_by(|a, b| a.place.cmp(&b.place));
        Ok(Self {
            tracer: running,
            traced,
            refused,
        })
    }

    /// What was counted in `duration`.
    ///
    /// # Errors
    /// When the counts cannot be read.
    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    pub fn document(self, duration: Duration) -> Result<TraceDocument, Error> {
        let counts = self.tracer.counts()?;
        let mut sites: Vec<TraceRow> = self
            .traced
            .iter()
            .filter_map(|(address, site)| {
                let count = counts.get(address).filter(|count| count.hits > 0)?;
                Some(TraceRow {
                    id: site.id.clone(),
                    place: place_of(site),
                    function: site.function.clone(),
                    kind: site.kind.name().to_owned(),
                    subsystem: site.subsystem.name(),
                    hits: count.hits,
                    file_hits: count.files,
                    shareable_hits: count.shareable,
                    per_second: count.hits as f64 / duration.as_secs_f64(),
                    file_hits_per_second: count.files as f64 / duration.as_secs_f64(),
                })
            })
            .collect();
        sites.sort_by(|a, b| b.hits.cmp(&a.hits).then_with(|| a.id.cmp(&b.id)));
        Ok(TraceDocument {
            schema: SCHEMA.to_owned(),
            host: Host::read(),
            duration_ns: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
            not_run: (self.traced.len() - sites.len()) as u64,
            sites,
            refused: self.refused,
        })
    }
}

/// Where the instruction of `site` has its folio.
fn folio_at(site: &Site, mapping: i32) -> Option<TracedPlace> {
    /// Registers by position in `struct pt_regs` (arch/x86/include/asm/ptrace.h).
    const SAVED: [&str; 15] = [
        "R15", "R14", "R13", "R12", "RBP", "RBX", "R11", "R10", "R9", "R8", "RAX", "RCX", "RDX",
        "RSI", "RDI",
    ];
    let base = site.base.as_deref()?;
    let register = SAVED.iter().position(|saved| *saved == base)?;
    Some(TracedPlace {
        register: u32::try_from(register).ok()?,
        displacement: site.displacement?.checked_sub(mapping)?,
    })
}

impl TraceDocument {
    /// Writes it for people: `top` rows, 0 for all.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_text(&self, top: usize, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "kernel {}: {} sites ran in {:.2} s, {} did not, {} could not be traced",
            self.host.kernel,
            self.sites.len(),
            Duration::from_nanos(self.duration_ns).as_secs_f64(),
            self.not_run,
            self.refused.len()
        )?;
        let shown = if top == 0 { self.sites.len() } else { top };
        for site in self.sites.iter().take(shown) {
            writeln!(
                out,
                "{:<48} {:<10} {:<9} {:>9} {:>10.1}/s {:>9} of files {:>4.0} % shareable",
                site.place,
                site.subsystem,
                site.kind,
                site.hits,
                site.per_second,
                site.file_hits,
                percent(site.shareable_hits, site.hits)
            )?;
        }
        for refused in &self.refused {
            writeln!(out, "not traced: {}: {}", refused.place, refused.reason)?;
        }
        writeln!(
            out,
            "note: a static site is counted whenever it runs, whatever its register holds; only \
             shareable hits are of folios of files"
        )
    }
}
