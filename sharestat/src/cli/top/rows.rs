//! The lists of a picture: made anew only when the index changed, and seldom enough that
//! making them stays a small part of one CPU.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::owners;
use crate::{
    identity::{memory, mounts::MountTable},
    model::{
        duplicates::Duplicates,
        files::survey_files,
        groups::{GroupRow as Held, group_rows},
        inode::InodeId,
        kin::Kin,
        layers::ContainerId,
        measurement::{Filesystem, Identities, Measurement},
        savings::savings_of,
        units::Bytes,
    },
    tui::frame::{FileRow, GroupRow, Identity, Mechanism, Scope},
};

/// Part of one CPU that making the lists may take, one in so many: while much changes,
/// and while little does.
const BUSY: u32 = 200;
const QUIET: u32 = 400;
/// Oldest that the lists get in the same cases.
const BUSY_AGE: Duration = Duration::from_secs(90);
const QUIET_AGE: Duration = Duration::from_mins(3);
/// Which part of the pages must have changed for that to be much, one in so many.
const MUCH: u64 = 100;

/// Lists of files, filesystems, scopes and mechanisms.
#[derive(Clone, Default)]
pub(super) struct Rows {
    pub(super) files: Arc<[FileRow]>,
    pub(super) filesystems: Arc<[GroupRow]>,
    pub(super) scopes: Vec<Scope>,
    pub(super) mechanisms: Vec<Mechanism>,
    pub(super) identity: Identity,
}

/// The last lists, and when they may be made again.
#[derive(Default)]
pub(super) struct RowCache {
    /// Whether containers of this machine are asked what they are charged; else it is
    /// what the measurement says.
    pub(super) asks_charges: bool,
    rows: Option<Rows>,
    generation: u64,
    named: (usize, u64, u64),
    made: Option<Made>,
}

/// When the lists were made, and how long that took.
#[derive(Clone, Copy)]
struct Made {
    at: Instant,
    took: Duration,
}

impl Made {
    /// Whether it is too early to make them again.
    fn is_recent(self, much: bool, now: Instant) -> bool {
        let (parts, age) = if much {
            (BUSY, BUSY_AGE)
        } else {
            (QUIET, QUIET_AGE)
        };
        now < self.at + (self.took * parts).min(age)
    }
}

impl RowCache {
    /// Makes the lists anew the next time, however short ago it was.
    pub(super) fn forget(&mut self) {
        self.rows = None;
    }

    fn charges(&self, measurement: &Measurement) -> HashMap<ContainerId, Bytes> {
        let identity = &measurement.identity;
        let asked = self.asks_charges && !identity.layers.containers.is_empty();
        // Without mounts there is no cgroup to be found either.
        let mounts = MountTable::read().ok().filter(|_| asked);
        let memory = match mounts {
            Some(mounts) => memory::of_containers(&mounts, &identity.layers),
            None => identity.memory.clone(),
        };
        let charged = memory.into_iter();
        charged
            .map(|(container, stat)| (container, stat.file))
            .collect()
    }

    /// The lists, as of now or of a moment ago.
    pub(super) fn rows(&mut self, measurement: &Measurement) -> Rows {
        let generation = measurement.index.generation();
        let named = (
            measurement.identity.files.len(),
            measurement.identity.revision,
            measurement.identity.told,
        );
        let same = generation == self.generation && named == self.named;
        // A page that changes is booked out and in.
        let changes = generation.saturating_sub(self.generation) / 2;
        let much = changes > measurement.index.totals().resident / MUCH;
        let early = self
            .made
            .is_some_and(|made| made.is_recent(much, Instant::now()));
        if let Some(rows) = &self.rows
            && (same || early)
        {
            return rows.clone();
        }
        let begun = Instant::now();
        let rows = make(measurement, &self.charges(measurement));
        self.made = Some(Made {
            at: Instant::now(),
            took: begun.elapsed(),
        });
        self.generation = generation;
        self.named = named;
        self.rows.insert(rows).clone()
    }
}

/// Bytes of a share, which is a sum of fractions of pages.
pub(super) fn whole(share: f64) -> Bytes {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is at least 0 and at most the memory of a host"
    )]
    Bytes(share.round() as u64)
}

fn filesystem_row(row: &Held, filesystem: &Filesystem, zero: Bytes) -> GroupRow {
    let name = filesystem.mount_point.as_deref();
    GroupRow {
        id: filesystem.dev.to_string().into(),
        name: name.unwrap_or(&filesystem.id).into(),
        directory: "".into(),
        kind: filesystem.fs_type.as_str().into(),
        layers: Arc::from([]),
        resident: row.resident,
        duplicate: row.duplicate,
        exclusive: row.exclusive,
        saving: whole(row.saving_share),
        zero,
        proportional: None,
        charged: None,
        container: None,
        avoidable: None,
    }
}

fn make(measurement: &Measurement, charged: &HashMap<ContainerId, Bytes>) -> Rows {
    let index = &measurement.index;
    let identity = &measurement.identity;
    let duplicates = Duplicates::of(index);
    let survey = survey_files(&duplicates);
    let of = |inode: InodeId| identity.files.get(&inode);
    let ids: Vec<Arc<str>> = identity
        .filesystems
        .iter()
        .map(|filesystem| filesystem.dev.to_string().into())
        .collect();
    let types: Vec<Arc<str>> = identity
        .filesystems
        .iter()
        .map(|filesystem| filesystem.fs_type.as_str().into())
        .collect();
    let unknown: Arc<str> = Arc::from("?");
    let mut zeros: HashMap<usize, Bytes> = HashMap::new();
    let files = survey
        .rows
        .iter()
        .map(|row| {
            let file = of(row.inode);
            let filesystem = file.map(|file| file.filesystem);
            if let Some(filesystem) = filesystem {
                *zeros.entry(filesystem).or_default() += row.zero;
            }
            let named = |names: &[Arc<str>]| {
                filesystem
                    .and_then(|number| names.get(number))
                    .unwrap_or(&unknown)
                    .clone()
            };
            FileRow {
                inode: row.inode,
                path: shown(&measurement.identity, row.inode).into(),
                fs: named(&types),
                filesystem: named(&ids),
                layer: file.and_then(|file| file.place.layer).map(owners::layer_id),
                resident: row.resident,
                hashed: row.hashed,
                duplicate: row.duplicate,
                exclusive: row.exclusive,
                saving: whole(row.saving_share),
                zero: row.zero,
            }
        })
        .collect();
    let groups = group_rows(&duplicates, identity.filesystems.len(), |inode| {
        of(inode).and_then(|file| u32::try_from(file.filesystem).ok())
    });
    let filesystems = groups
        .into_iter()
        .zip(&identity.filesystems)
        .enumerate()
        .filter(|(_, (row, _))| row.resident != Bytes(0))
        .map(|(number, (row, filesystem))| {
            let zero = zeros.get(&number).copied().unwrap_or_default();
            filesystem_row(&row, filesystem, zero)
        })
        .collect();
    let kin = Kin::of(index, identity);
    let savings = savings_of(&duplicates, identity, &kin, &survey);
    let scopes = savings
        .scopes
        .iter()
        .map(|scope| Scope {
            name: scope.name.to_owned(),
            duplicate: scope.duplicate,
        })
        .collect();
    let mechanisms = savings
        .mechanisms
        .iter()
        .map(|mechanism| Mechanism {
            name: mechanism.name.to_owned(),
            saving: mechanism.saving,
            groups: mechanism.groups,
            confidence: mechanism.confidence.name().to_owned(),
        })
        .collect();
    Rows {
        files,
        filesystems,
        scopes,
        mechanisms,
        identity: owners::identity(
            measurement,
            &duplicates,
            &survey.rows,
            &savings.layer_pairs,
            charged,
        ),
    }
}

/// How a file is called; one whose name was not asked for yet has its number. One whose
/// pages the kernel keeps for others too says so.
pub(super) fn shown(identities: &Identities, inode: InodeId) -> String {
    let mut shown = match identities.files.get(&inode) {
        Some(file) if file.deleted => format!("{} (deleted)", file.path),
        Some(file) => file.path.clone(),
        None => format!("inode #{}", inode.0),
    };
    let count = identities
        .shared
        .get(&inode)
        .map_or(0, |shared| shared.count);
    if count > 1 {
        shown.extend([" (shared by ", &count.to_string(), ")"]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_made_again_sooner_when_much_changed() {
        let now = Instant::now();
        let made = |ago: u64, took: u64| Made {
            at: now.checked_sub(Duration::from_secs(ago)).unwrap_or(now),
            took: Duration::from_millis(took),
        };
        assert!(!made(20, 100).is_recent(true, now));
        assert!(made(19, 100).is_recent(true, now));
        assert!(made(39, 100).is_recent(false, now));
        assert!(!made(40, 100).is_recent(false, now));
        assert!(
            !made(180, 60_000).is_recent(false, now),
            "the oldest there is"
        );
    }
}
