//! The lists of a picture, and when they are made again: files that changed soon, all of
//! them seldom, so that lists stay a small part of one CPU.

mod lists;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) use lists::shown;
use lists::Lists;

use crate::{
    model::measurement::Measurement,
    tui::frame::{FileRow, GroupRow, Mechanism, Scope},
};

/// Parts of one CPU, each one in so many: for all lists while much changes, for all lists
/// while little does, and for the files that changed.
const BUSY: u32 = 50;
const QUIET: u32 = 400;
const CHANGED: u32 = 200;
/// What share of the pages must have changed for that to be much, one in so many.
const MUCH: u64 = 16;
/// Oldest that a list gets while much changes, and while little does.
const BUSY_AGE: Duration = Duration::from_secs(30);
const QUIET_AGE: Duration = Duration::from_mins(5);
/// An age that the lists should tell.
const WORTH_TELLING: Duration = Duration::from_secs(30);

/// Lists of files, filesystems, scopes and mechanisms.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) files: Arc<[FileRow]>,
    pub(super) filesystems: Arc<[GroupRow]>,
    pub(super) scopes: Vec<Scope>,
    pub(super) mechanisms: Vec<Mechanism>,
    /// What the lists do not cover, when there is something to say.
    pub(super) note: Option<String>,
}

/// The last lists, and when they may be made again.
#[derive(Default)]
pub(super) struct RowCache {
    lists: Option<Lists>,
    /// Generation of the index that all lists, and the rows of changed files, are of.
    whole: u64,
    latest: u64,
    named: usize,
    made: Option<Made>,
}

/// When the lists were made, and how long that took.
struct Made {
    whole_at: Instant,
    whole_took: Duration,
    changed_not_before: Instant,
}

impl Made {
    /// Whether all lists may be made again.
    fn whole_is_due(&self, much: bool, now: Instant) -> bool {
        let (parts, age) = if much {
            (BUSY, BUSY_AGE)
        } else {
            (QUIET, QUIET_AGE)
        };
        now >= self.whole_at + (self.whole_took * parts).min(age)
    }
}

impl RowCache {
    /// Makes the lists anew the next time, however short ago it was.
    pub(super) fn forget(&mut self) {
        self.lists = None;
    }

    /// The lists, as of now or of a moment ago.
    pub(super) fn rows(&mut self, measurement: &Measurement) -> Rows {
        let index = &measurement.index;
        let generation = index.generation();
        let named = measurement.identity.files.len();
        let now = Instant::now();
        let (Some(lists), Some(made)) = (&mut self.lists, &mut self.made) else {
            return self.make(measurement);
        };
        if generation == self.whole && named == self.named {
            return lists.rows(None);
        }
        // A page that changes is booked out and in.
        let much = (generation - self.whole) / 2 > index.totals().resident / MUCH;
        if made.whole_is_due(much, now) {
            return self.make(measurement);
        }
        let moved = generation != self.latest || named != self.named;
        if moved && now >= made.changed_not_before {
            lists.update(measurement, self.latest);
            self.latest = generation;
            self.named = named;
            let took = now.elapsed();
            made.changed_not_before = Instant::now() + took * CHANGED;
        }
        let age = made.whole_at.elapsed();
        lists.rows((age >= WORTH_TELLING).then(|| {
            format!(
                "what unchanged files share, and what mechanisms would save, is as of {} s ago",
                age.as_secs()
            )
        }))
    }

    fn make(&mut self, measurement: &Measurement) -> Rows {
        let begun = Instant::now();
        let lists = Lists::new(measurement);
        self.whole = measurement.index.generation();
        self.latest = self.whole;
        self.named = measurement.identity.files.len();
        self.made = Some(Made {
            whole_at: Instant::now(),
            whole_took: begun.elapsed(),
            changed_not_before: Instant::now(),
        });
        self.lists.insert(lists).rows(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        files::{FileRow as Row, file_rows},
        index::ContentIndex,
        inode::{InodeId, InodeKey},
        measurement::{Engine, Identities},
        page::Observation,
        units::{Bytes, ContentHash, PageIndex},
    };

    fn measurement() -> Measurement {
        Measurement {
            engine: Engine::Bpf,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration: Duration::ZERO,
            seed_id: String::new(),
            hooks: Vec::new(),
            events_lost: 0,
            complete: true,
            index: ContentIndex::new(ContentHash(1)),
            identity: Identities::default(),
            notes: Vec::new(),
        }
    }

    fn hashed(measurement: &mut Measurement, inode: InodeId, page: u64, content: u64) {
        let seen = Observation::Hashed(ContentHash(content));
        measurement.index.insert(inode, PageIndex(page), seen);
    }

    fn resident(rows: &Rows) -> Vec<(InodeId, Bytes)> {
        let of = |row: &FileRow| (row.inode, row.resident);
        rows.files.iter().map(of).collect()
    }

    #[test]
    fn files_that_changed_are_listed_as_they_are_before_all_lists_are_due() {
        let mut measurement = measurement();
        let files = [1, 2, 3].map(|ino| {
            let key = InodeKey {
                ino,
                ..InodeKey::default()
            };
            measurement.index.intern(key, true)
        });
        let [first, second, third] = files;
        (0..40).for_each(|page| hashed(&mut measurement, first, page, 100 + page));
        hashed(&mut measurement, second, 0, 100);
        let mut cache = RowCache::default();
        cache.rows(&measurement);
        let made = cache.made.as_mut().expect("just made");
        made.whole_took = Duration::from_hours(1);

        hashed(&mut measurement, third, 0, 101);
        measurement.index.remove(second, PageIndex(0), 1, 0, &mut |_| {});
        measurement.index.retire_empty(&mut |_| {});
        let rows = cache.rows(&measurement);
        let expected = file_rows(&measurement.index);
        let of = |row: &Row| (row.inode, row.resident);
        assert_eq!(resident(&rows), expected.iter().map(of).collect::<Vec<_>>());
        let changed = rows.files.iter().find(|row| row.inode == third);
        assert_eq!(changed.map(|row| row.duplicate), Some(Bytes(4096)));
        let sum: Bytes = rows.scopes.iter().map(|scope| scope.duplicate).sum();
        let totals = measurement.index.totals();
        assert_eq!(sum, Bytes::of_pages(totals.duplicate));
    }

    #[test]
    fn all_lists_come_sooner_when_much_changed_and_old_ones_say_so() {
        let now = Instant::now();
        let made = |ago: u64| Made {
            whole_at: now - Duration::from_secs(ago),
            whole_took: Duration::from_millis(100),
            changed_not_before: now,
        };
        assert!(made(5).whole_is_due(true, now));
        assert!(!made(4).whole_is_due(true, now));
        assert!(!made(39).whole_is_due(false, now));
        assert!(made(40).whole_is_due(false, now));
    }
}
