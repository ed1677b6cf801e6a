//! Plays a recording: applies its records to an empty index up to a moment, and proves at
//! every recorded sum that the replay has the same.

use std::{collections::HashMap, time::Duration};

use hdrhistogram::Histogram;

use super::{
    error::RecordingError,
    header::Header,
    histograms,
    reader::{Ending, Reader},
    record::{Mark, Record, Status},
};
use crate::{
    kernel::{moment::Moment, movement::Distributions},
    model::{
        avoidable::ByImage,
        index::ContentIndex,
        journal::Change,
        layers::ContainerId,
        measurement::{Identities, Measurement},
        memory::{HostMemory, MemoryStat},
        totals::Totals,
        units::{Bytes, PAGE_SIZE},
    },
};

/// What a recording holds, known before it is played.
#[derive(Clone, Debug)]
pub struct Outline {
    /// When the first census was done and what was to be recorded began.
    pub begin: Duration,
    /// The last moment.
    pub length: Duration,
    /// Changes of the index.
    pub changes: u64,
    /// How it stops.
    pub ending: Ending,
    /// What the host and its cgroups used, the first and the last time that it was
    /// recorded. Recordings of older versions have none.
    pub memory: Vec<HostMemory>,
}

/// A recording being played.
#[derive(Debug)]
pub struct Player {
    reader: Reader,
    outline: Outline,
    measurement: Measurement,
    status: Status,
    distributions: Distributions,
    hook_costs: Vec<(String, Histogram<u64>)>,
    /// The recorded moments with their sums, and which is next.
    moments: Vec<(Duration, Totals)>,
    next: usize,
    deviations: u64,
    /// Pages that may be resident.
    most_pages: u64,
}

/// What a recording may have resident, for each page of the machine's memory. Removals
/// that were lost stay in the index until the next census.
const MOST_OVER: u64 = 4;

/// Pages that may be resident on the machine of a recording; a terabyte where it does not
/// say what memory it had.
fn most_pages(header: &Header) -> u64 {
    const UNKNOWN: u64 = 1 << 28;
    match header.host.memory_bytes / PAGE_SIZE {
        0 => UNKNOWN,
        pages => pages.saturating_mul(MOST_OVER),
    }
}

impl Player {
    /// Reads a recording through once, to know how long it is and how it ends, and goes
    /// back to its start.
    ///
    /// # Errors
    /// When it cannot be read, or has no complete moment.
    pub fn new(mut reader: Reader) -> Result<Self, RecordingError> {
        let (mut begin, mut moments, mut changes) = (None, Vec::<(Duration, Totals)>::new(), 0);
        let mut memory: Vec<HostMemory> = Vec::new();
        while let Some(record) = reader.record()? {
            match record {
                Record::Change(_) => changes += 1,
                Record::Status(status) => {
                    moments.push((Duration::from_millis(status.elapsed_ms), status.totals));
                }
                Record::Memory(seen) => {
                    memory.truncate(1);
                    memory.push(*seen);
                }
                Record::Mark(Mark::Begin) => begin = moments.last().map(|(at, _)| *at),
                _ => {}
            }
        }
        let ending = reader
            .ending()
            .cloned()
            .unwrap_or_else(|| Ending::Cut("cut".to_owned()));
        let Some((length, _)) = moments.last().copied() else {
            return Err(reader.contradiction("it holds no complete moment"));
        };
        reader.rewind()?;
        let mut player = Self {
            measurement: measurement(reader.header()),
            most_pages: most_pages(reader.header()),
            reader,
            outline: Outline {
                begin: begin.unwrap_or(Duration::ZERO),
                length,
                changes,
                ending,
                memory,
            },
            status: Status::default(),
            distributions: Distributions::empty(),
            hook_costs: Vec::new(),
            moments,
            next: 0,
            deviations: 0,
        };
        player.reset()?;
        Ok(player)
    }

    /// What it is of.
    #[must_use]
    pub const fn header(&self) -> &Header {
        self.reader.header()
    }

    /// What it holds.
    #[must_use]
    pub const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// All recorded moments with their sums.
    #[must_use]
    pub fn history(&self) -> &[(Duration, Totals)] {
        &self.moments
    }

    /// What is played, when nothing more is to be.
    #[must_use]
    pub fn into_measurement(self) -> Measurement {
        self.measurement
    }

    /// The moment it is at.
    #[must_use]
    pub const fn position(&self) -> Duration {
        Duration::from_millis(self.status.elapsed_ms)
    }

    /// Recorded sums that the replay did not have: 0, unless the recording or this program
    /// is wrong.
    #[must_use]
    pub const fn deviations(&self) -> u64 {
        self.deviations
    }

    /// Goes to the last recorded moment that is not after `time`; backwards by playing
    /// from the start again.
    ///
    /// # Errors
    /// When the file cannot be read or contradicts itself.
    pub fn go_to(&mut self, time: Duration) -> Result<(), RecordingError> {
        if time < self.position() {
            self.reset()?;
        }
        while self
            .next_moment()
            .is_some_and(|next| next <= time.max(self.position()))
        {
            self.step()?;
        }
        Ok(())
    }

    /// Goes to the next recorded moment; false at the last one.
    ///
    /// # Errors
    /// As [`go_to`](Self::go_to).
    pub fn step(&mut self) -> Result<bool, RecordingError> {
        if self.next_moment().is_none() {
            return Ok(false);
        }
        while let Some(record) = self.reader.record()? {
            let reached = matches!(record, Record::Status(_));
            self.apply(record)?;
            if reached {
                self.next += 1;
                return Ok(true);
            }
        }
        Err(self
            .reader
            .contradiction("it became shorter while it was played"))
    }

    /// When the recorded moment before this one was.
    #[must_use]
    pub fn moment_before(&self) -> Option<Duration> {
        let before = self.moments.get(self.next.checked_sub(2)?);
        before.map(|(at, _)| *at)
    }

    /// When the next recorded moment is.
    #[must_use]
    pub fn next_moment(&self) -> Option<Duration> {
        self.moments.get(self.next).map(|(at, _)| *at)
    }

    /// The moment that is played.
    #[must_use]
    pub fn moment(&self) -> Moment<'_> {
        let names = self.reader.header().counters.iter();
        let values = self.status.counters.iter();
        Moment {
            measurement: &self.measurement,
            census: self.status.census,
            counted: self.status.counted,
            flow: self.status.flow,
            counters: names.cloned().zip(values.copied()).collect(),
            hook_costs: self.hook_costs.clone(),
            distributions: &self.distributions,
            elapsed: self.position(),
            cpu: Duration::from_micros(self.status.cpu_us),
            rss: Bytes(self.status.rss),
        }
    }

    fn reset(&mut self) -> Result<(), RecordingError> {
        self.reader.rewind()?;
        self.measurement = measurement(self.reader.header());
        if let Ending::Cut(how) = &self.outline.ending {
            let note = format!("the recording was {how}; what happened later is not in it");
            self.measurement.notes.push(note);
        }
        (self.distributions, self.hook_costs) = (Distributions::empty(), Vec::new());
        self.deviations = 0;
        (self.status, self.next) = (Status::default(), 0);
        // There is nothing to see before the first recorded moment.
        self.step().map(drop)
    }

    fn apply(&mut self, record: Record) -> Result<(), RecordingError> {
        if matches!(
            record,
            Record::Change(Change::Retire(_) | Change::RetireEmpty)
        ) {
            self.measurement.attribute_avoidable();
        }
        let Measurement {
            index, identity, ..
        } = &mut self.measurement;
        match record {
            Record::Change(change) => {
                let (files, shared) = (&mut identity.files, &mut identity.shared);
                let applied = change.apply(index, self.most_pages, &mut |inode| {
                    files.remove(&inode);
                    shared.remove(&inode);
                });
                applied.map_err(|error| self.reader.contradiction(&error.to_string()))?;
            }
            Record::Filesystems(filesystems) => identity.filesystems = filesystems,
            Record::Owners(owners) => {
                identity.layers = owners.layers;
                identity.revision = owners.revision;
                identity.warnings = owners.warnings;
            }
            Record::Named(inode, file) => {
                identity.files.insert(inode, file);
            }
            Record::Histograms(stored) => {
                (self.distributions, self.hook_costs) = histograms::load(&stored);
            }
            Record::Status(status) => self.reach(*status),
            Record::Mark(_) => {}
            Record::Shared(shared) => identity.shared = shared.into_iter().collect(),
            Record::Memcgs(memcgs) => identity.memcgs = memcgs.into_iter().collect(),
            Record::Memory(memory) => {
                let known = identity.layers.containers_by_id();
                let cgroups = memory.cgroups.iter();
                let of_containers = cgroups.filter_map(|cgroup| {
                    let container = known.get(cgroup.container.as_deref()?)?;
                    Some((*container, cgroup.stat))
                });
                let mut memory: HashMap<ContainerId, MemoryStat> = HashMap::new();
                for (container, stat) in of_containers {
                    let sum = memory.entry(container).or_default();
                    *sum = sum.plus(&stat);
                }
                identity.memory = memory;
            }
        }
        Ok(())
    }

    fn reach(&mut self, status: Status) {
        let measurement = &mut self.measurement;
        measurement.attribute_avoidable();
        if measurement.index.totals() != status.totals {
            if self.deviations == 0 {
                measurement.notes.push(format!(
                    "from {} ms on the replay has other sums than the recording",
                    status.elapsed_ms
                ));
            }
            self.deviations += 1;
        }
        measurement.duration = Duration::from_millis(status.elapsed_ms);
        measurement.events_lost = status.events_lost;
        measurement.complete = status.complete;
        for (hook, lost) in measurement.hooks.iter_mut().zip(&status.hooks_lost) {
            hook.lost = *lost;
        }
        self.status = status;
    }
}

/// Nothing yet, of what the header says.
fn measurement(header: &Header) -> Measurement {
    Measurement {
        engine: header.engine,
        started_at: header.started_at,
        duration: Duration::ZERO,
        seed_id: header.seed_id.clone(),
        hooks: header.hooks.clone(),
        events_lost: 0,
        complete: false,
        index: ContentIndex::new(header.zero),
        identity: Identities::default(),
        avoidable: Some(ByImage::default()),
        notes: header.notes.clone(),
    }
}
