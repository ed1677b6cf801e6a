//! Making a [`Report`] from a measurement: names are looked up, pages become bytes,
//! lists are sorted by duplicate bytes, most first, then by name.

mod names;
mod unresolved;

use self::names::Names;
use super::{
    avoidable,
    document::{
        AdviceEntry, Coverage, FileEntry, Hook, IdentityInfo, MeasurementInfo, Mechanism, Reason,
        Report, SCHEMA, Scope, Skipped, SureBytes, Tool, TotalBytes,
    },
    host::Host,
    owners::{Filter, Owners},
};
use crate::model::{
    advice::{Advice, advice},
    at_once::at_once,
    copy_ups::copy_ups,
    duplicates::Duplicates,
    files::{file_rows, survey_files},
    inode::InodeId,
    kin::Kin,
    measurement::Measurement,
    savings::{MechanismRow, savings_of},
    totals::Totals,
    units::Bytes,
};

impl Report {
    /// Sums up a measurement; `top` limits the list of files, 0 lists all.
    #[must_use]
    pub fn new(measurement: &Measurement, host: &Host, top: usize) -> Self {
        Self::filtered(measurement, host, top, &Filter::default())
    }

    /// The same, with only those files, layers, images and containers in its lists that
    /// pass a filter. All sums stay those of the whole measurement.
    #[must_use]
    pub fn filtered(measurement: &Measurement, host: &Host, top: usize, filter: &Filter) -> Self {
        Self::made(measurement, host, top, filter, true)
    }

    /// Shortens the lists that grow with the host, as `top` does of a new report.
    pub fn keep(&mut self, top: usize) {
        if top > 0 {
            self.files.truncate(top);
            self.copy_ups.truncate(top);
            self.layer_pairs.truncate(top);
        }
    }

    /// All lists but that of the files, which takes longest.
    #[must_use]
    pub fn without_files(measurement: &Measurement, host: &Host) -> Self {
        Self::made(measurement, host, 0, &Filter::default(), false)
    }

    fn made(
        measurement: &Measurement,
        host: &Host,
        top: usize,
        filter: &Filter,
        with_files: bool,
    ) -> Self {
        let names = Names::new(measurement);
        let index = &measurement.index;
        let duplicates = Duplicates::of(index);
        let totals = index.totals();
        let identities = &measurement.identity;
        let owners = Owners::new(identities, filter);
        let kin = Kin::of(index, identities);
        // All of these pass over many pages, and few need another's answer.
        let (survey, (filesystems, copy_ups)) = at_once(
            || survey_files(&duplicates),
            || {
                (
                    names.filesystem_entries(&duplicates),
                    copy_ups(index, identities, &kin),
                )
            },
        );
        let (files, savings) = at_once(
            || {
                let rows = with_files.then(|| survey.rows.clone());
                let files = names.file_entries(rows.unwrap_or_default(), top, &owners);
                files.into_iter().map(|(_, file)| file).collect()
            },
            || savings_of(&duplicates, identities, &kin, &survey),
        );
        let (layers, (images, containers)) = at_once(
            || owners.layer_entries(&duplicates),
            || {
                (
                    owners.image_entries(&duplicates),
                    owners.container_entries(&duplicates),
                )
            },
        );
        let memcgs = owners.memcg_entries(&duplicates);
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool::this(),
            host: host.clone(),
            measurement: MeasurementInfo::of(measurement),
            coverage: coverage(measurement, &totals),
            totals: TotalBytes::from(&totals),
            scopes: savings
                .scopes
                .iter()
                .map(|row| Scope {
                    name: row.name.to_owned(),
                    duplicate_bytes: row.duplicate.0,
                })
                .collect(),
            mechanisms: mechanisms(measurement, &savings.mechanisms),
            copy_ups: names.copy_up_entries(&copy_ups, top),
            layer_pairs: owners.layer_pair_entries(&savings.layer_pairs, top),
            advice: advice_entries(advice(identities, &savings, &copy_ups)),
            identity: identity_info(measurement),
            filesystems,
            layers,
            images,
            containers,
            memcgs,
            avoidable: avoidable::info(measurement),
            files,
            timeline: Vec::new(),
        }
    }
}

/// The files of a measurement with their inodes, most duplicate bytes first.
pub(crate) fn files(measurement: &Measurement) -> Vec<(InodeId, FileEntry)> {
    let owners = Owners::new(&measurement.identity, &Filter::default());
    let rows = file_rows(&measurement.index);
    Names::new(measurement).file_entries(rows, 0, &owners)
}

/// Coverage and totals of a measurement.
pub(crate) fn sums(measurement: &Measurement) -> (Coverage, TotalBytes) {
    let totals = measurement.index.totals();
    (coverage(measurement, &totals), TotalBytes::from(&totals))
}

fn mechanisms(measurement: &Measurement, rows: &[MechanismRow]) -> Vec<Mechanism> {
    let with_shared = |row: &MechanismRow| Mechanism {
        already_shared_bytes: if row.name == "erofs" {
            already_shared(measurement).0
        } else {
            0
        },
        ..mechanism(row)
    };
    rows.iter().map(with_shared).collect()
}

/// What the kernel saves by keeping pages of several files once.
fn already_shared(measurement: &Measurement) -> Bytes {
    let shared = measurement.identity.shared.iter();
    let saved = shared.filter_map(|(inode, shared)| {
        let view = measurement.index.view(*inode)?;
        Some(shared.saved(Bytes::of_pages(view.resident())))
    });
    // A damaged recording may tell of any number of files.
    saved.fold(Bytes(0), |sum, saved| Bytes(sum.0.saturating_add(saved.0)))
}

fn mechanism(row: &MechanismRow) -> Mechanism {
    Mechanism {
        name: row.name.to_owned(),
        saving_bytes: row.saving.0,
        groups: row.groups,
        confidence: row.confidence.name().to_owned(),
        by_confidence: row
            .by_confidence
            .iter()
            .map(|(confidence, bytes)| SureBytes {
                confidence: confidence.name().to_owned(),
                saving_bytes: bytes.0,
            })
            .collect(),
        out_of_reach: reasons(&row.out_of_reach),
        needs: reasons(&row.needs),
        already_shared_bytes: 0,
    }
}

fn reasons(rows: &[(&'static str, Bytes)]) -> Vec<Reason> {
    let reason = |(reason, bytes): &(&'static str, Bytes)| Reason {
        reason: (*reason).to_owned(),
        bytes: bytes.0,
    };
    rows.iter().map(reason).collect()
}

fn advice_entries(advice: Vec<Advice>) -> Vec<AdviceEntry> {
    let entry = |line: Advice| AdviceEntry {
        mechanism: line.mechanism.to_owned(),
        action: line.action,
        saving_bytes: line.saving.0,
        cause: line.cause,
    };
    advice.into_iter().map(entry).collect()
}

fn identity_info(measurement: &Measurement) -> IdentityInfo {
    IdentityInfo {
        unresolved_bytes: unresolved::bytes(measurement).0,
        warnings: measurement.identity.warnings.clone(),
    }
}

impl Tool {
    /// This program.
    pub(crate) fn this() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl MeasurementInfo {
    /// How it was measured.
    pub(crate) fn of(measurement: &Measurement) -> Self {
        Self {
            engine: measurement.engine.name().to_owned(),
            started_at: measurement.started_at.to_string(),
            duration_ns: u64::try_from(measurement.duration.as_nanos()).unwrap_or(u64::MAX),
            seed_id: measurement.seed_id.clone(),
            hooks: measurement
                .hooks
                .iter()
                .map(|hook| Hook {
                    event: hook.event.clone(),
                    attached: hook.attached.clone(),
                    lost: hook.lost,
                })
                .collect(),
            notes: measurement.notes.clone(),
        }
    }
}

fn coverage(measurement: &Measurement, totals: &Totals) -> Coverage {
    let [dirty, writeback, not_uptodate, raced, unreadable, budget] = totals.skipped;
    Coverage {
        resident_pages: totals.resident,
        hashed_pages: totals.hashed,
        skipped: Skipped {
            dirty,
            writeback,
            not_uptodate,
            raced,
            unreadable,
            budget,
        },
        events_lost: measurement.events_lost,
        complete: measurement.complete,
    }
}

#[cfg(test)]
mod tests;
