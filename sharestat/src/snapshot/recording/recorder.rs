//! Records a live measurement: takes the index's changes as they happen and, with every
//! view, new names, the sums and now and then the distributions.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    error::RecordingError,
    header::Header,
    histograms,
    record::{End, Mark, Owners, Record, Status},
    writer::Writer,
};
use crate::{
    kernel::moment::Moment,
    model::{
        inode::InodeId,
        journal::{Change, Journal},
        memory::HostMemory,
        shared_files::SharedBy,
    },
};

/// Time between two records of the distributions.
const HISTOGRAMS_EVERY: Duration = Duration::from_secs(10);

type Shared = Arc<Mutex<Writer<File>>>;

/// A recording being made.
#[derive(Debug)]
pub struct Recorder {
    writer: Shared,
    named: HashSet<InodeId>,
    filesystems: usize,
    /// Revision of the layers, and number of warnings, that were recorded last.
    owners: Option<(u64, usize)>,
    /// Memory cgroups, and revision of their containers, that were recorded last.
    memcgs: (usize, u64),
    /// Files whose pages are kept once, as they were recorded last.
    shared: HashMap<InodeId, SharedBy>,
    histograms_at: Option<Duration>,
}

/// The end that the index writes to.
struct Tape(Shared);

impl Journal for Tape {
    fn note(&mut self, change: Change) {
        lock(&self.0).put(&Record::Change(change));
    }
}

fn lock(writer: &Shared) -> MutexGuard<'_, Writer<File>> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Creates the file, replacing what was there, and writes its header.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, RecordingError> {
        let failed = |source: io::Error| RecordingError::Create {
            path: path.to_owned(),
            source,
        };
        let file = File::create(path).map_err(failed)?;
        let writer = Writer::begin(file, header).map_err(failed)?;
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            named: HashSet::new(),
            filesystems: 0,
            owners: None,
            memcgs: (0, 0),
            shared: HashMap::new(),
            histograms_at: None,
        })
    }

    /// What an index hands its changes to.
    #[must_use]
    pub fn journal(&self) -> Box<dyn Journal> {
        Box::new(Tape(Arc::clone(&self.writer)))
    }

    /// Records a moment, and makes sure that all before it is in the file.
    ///
    /// # Errors
    /// When writing failed, now or before; told once.
    pub fn moment(&mut self, moment: &Moment<'_>) -> Result<(), RecordingError> {
        let due = self
            .histograms_at
            .is_none_or(|at| moment.elapsed >= at + HISTOGRAMS_EVERY);
        if due {
            self.histograms_at = Some(moment.elapsed);
        }
        let mut writer = lock(&self.writer);
        let identity = &moment.measurement.identity;
        if identity.filesystems.len() != self.filesystems {
            self.filesystems = identity.filesystems.len();
            writer.put(&Record::Filesystems(identity.filesystems.clone()));
        }
        let owners = (identity.revision, identity.warnings.len());
        if self.owners != Some(owners) {
            self.owners = Some(owners);
            self.named.clear();
            writer.put(&Record::Owners(Box::new(Owners {
                layers: identity.layers.clone(),
                revision: identity.revision,
                warnings: identity.warnings.clone(),
            })));
        }
        let memcgs = (identity.memcgs.len(), identity.revision);
        if self.memcgs != memcgs {
            self.memcgs = memcgs;
            let mut known: Vec<_> = identity.memcgs.clone().into_iter().collect();
            known.sort_unstable_by_key(|(memcg, _)| *memcg);
            writer.put(&Record::Memcgs(known));
        }
        for (inode, file) in &identity.files {
            if self.named.insert(*inode) {
                writer.put(&Record::Named(*inode, file.clone()));
            }
        }
        if identity.shared != self.shared {
            self.shared.clone_from(&identity.shared);
            let mut shared: Vec<_> = identity.shared.clone().into_iter().collect();
            shared.sort_unstable_by_key(|(inode, _)| *inode);
            writer.put(&Record::Shared(shared));
        }
        if due {
            writer.put(&Record::Histograms(histograms::store(moment)));
        }
        writer.put(&Record::Status(Box::new(status(moment))));
        writer.flush();
        told(&mut writer)
    }

    /// Records what the host and its cgroups use now.
    pub fn memory(&mut self, memory: HostMemory) {
        lock(&self.writer).put(&Record::Memory(Box::new(memory)));
    }

    /// Marks that what was to be recorded begins.
    pub fn begin(&mut self) {
        lock(&self.writer).put(&Record::Mark(Mark::Begin));
    }

    /// Records the last moment and ends; how many changes and bytes it became.
    ///
    /// # Errors
    /// When writing failed.
    pub fn end(
        mut self,
        moment: &Moment<'_>,
        exit_code: Option<i32>,
    ) -> Result<(u64, u64), RecordingError> {
        self.histograms_at = None;
        self.moment(moment)?;
        let mut writer = lock(&self.writer);
        let changes = writer.changes();
        writer.put(&Record::Mark(Mark::End(End { exit_code, changes })));
        writer.flush();
        told(&mut writer)?;
        writer
            .out()
            .sync_data()
            .map_err(|source| RecordingError::Write { source })?;
        Ok((changes, writer.bytes()))
    }
}

fn told(writer: &mut Writer<File>) -> Result<(), RecordingError> {
    match writer.take_failure() {
        Some(source) => Err(RecordingError::Write { source }),
        None => Ok(()),
    }
}

fn status(moment: &Moment<'_>) -> Status {
    let measurement = moment.measurement;
    Status {
        elapsed_ms: u64::try_from(moment.elapsed.as_millis()).unwrap_or(u64::MAX),
        totals: measurement.index.totals(),
        flow: moment.flow,
        census: moment.census,
        counted: moment.counted,
        events_lost: measurement.events_lost,
        complete: measurement.complete,
        hooks_lost: measurement.hooks.iter().map(|hook| hook.lost).collect(),
        counters: moment.counters.iter().map(|(_, value)| *value).collect(),
        cpu_us: u64::try_from(moment.cpu.as_micros()).unwrap_or(u64::MAX),
        rss: moment.rss.0,
    }
}
