//! Makes frames for the screen out of views of the live measurement.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram as Distribution;

use super::{
    avoidable,
    rows::{RowCache, Rows, shown},
};
use crate::{
    kernel::{moment::Moment, movement::Flow},
    model::{
        arrivals::shared_since, avoidable::Avoidable, files::partners, inode::InodeId, units::Bytes,
    },
    tui::frame::{
        self, Census, CopyRow, Cost, Counter, Derefs, Explanation, FileRow, Frame, Histogram, Hook,
        ListsAsOf, Rates, Sample,
    },
};

/// Samples that the sparklines go back.
const HISTORY: usize = 240;
/// Copies listed for one file.
const COPIES: usize = 200;

/// What has to be remembered from one frame to the next.
pub(super) struct Painter {
    host: String,
    sequence: u64,
    rows: RowCache,
    before: Option<Before>,
    history: Vec<Sample>,
    avoidable: avoidable::Before,
    explained: Option<Explanation>,
    derefs: Option<Arc<Derefs>>,
    counted: bool,
    /// When the first census was done: pages that came before it may have been there.
    counted_at: Option<Duration>,
    made: Option<Made>,
    /// Whether lists are left out while the first census runs: making them would keep the
    /// first sums, and the census, waiting.
    waits: bool,
}

/// The lists that were shown last, and since when they are true.
struct Made {
    files: Arc<[FileRow]>,
    generation: u64,
    at: Duration,
}

struct Before {
    elapsed: Duration,
    cpu: Duration,
    flow: Flow,
    avoidable: Avoidable,
}

impl Painter {
    pub(super) fn new(host: String, derefs: Option<Arc<Derefs>>) -> Self {
        Self {
            host,
            sequence: 0,
            rows: RowCache::default(),
            before: None,
            history: Vec::new(),
            avoidable: avoidable::Before::default(),
            explained: None,
            derefs,
            counted: false,
            counted_at: None,
            made: None,
            waits: false,
        }
    }

    /// Forgets what came before: the next frame is of another time.
    pub(super) fn forget(&mut self) {
        self.before = None;
        self.history.clear();
        self.avoidable = avoidable::Before::default();
        self.made = None;
        self.rows.forget();
    }

    /// What is measured is this machine, now: lists are left out while the first census
    /// runs, and containers are asked what they are charged.
    pub(super) fn of_this_machine(mut self) -> Self {
        self.waits = true;
        self.rows.asks_charges = true;
        self
    }

    /// The first census was done then.
    pub(super) fn counted_at(mut self, at: Duration) -> Self {
        self.counted_at = Some(at);
        self
    }

    /// Makes the lists anew the next time.
    pub(super) fn forget_lists(&mut self) {
        self.rows.forget();
    }

    /// A frame of this view; `explain` is the file whose copies are wanted.
    pub(super) fn paint(&mut self, view: &Moment<'_>, explain: Option<InodeId>) -> Frame {
        let measurement = view.measurement;
        if view.counted && !self.counted {
            // What was listed while the census ran says little about what there is.
            self.counted = true;
            self.counted_at.get_or_insert(view.elapsed);
            self.rows.forget();
        }
        let mut rows = if self.waits && !view.counted {
            Rows::default()
        } else {
            self.rows.rows(measurement)
        };
        let behind = self.behind(view, &rows.files);
        let images = &mut rows.identity.images;
        self.avoidable.mark(images, measurement, view.elapsed);
        let totals = measurement.index.totals();
        let (rates, cpu_percent) = self.movement(view);
        self.history.push(Sample {
            duplicate: Bytes::of_pages(totals.duplicate),
            rates,
        });
        let forget = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..forget);
        if let Some(inode) = explain {
            self.explained = Some(explain_file(view, inode, self.counted_at));
        }
        self.sequence += 1;
        Frame {
            schema: frame::SCHEMA,
            sequence: self.sequence,
            taken_at: measurement.started_at + view.elapsed,
            taken: Instant::now(),
            lists: ListsAsOf {
                behind_ms: u64::try_from(behind.as_millis()).unwrap_or(u64::MAX),
            },
            host: self.host.clone(),
            engine: measurement.engine.name().to_owned(),
            census: census(view),
            events_lost: measurement.events_lost,
            totals,
            rates,
            history: self.history.as_slice().into(),
            cost: cost(view, cpu_percent),
            hooks: measurement
                .hooks
                .iter()
                .map(|hook| Hook {
                    event: hook.event.clone(),
                    attached: hook.attached.clone(),
                    lost: hook.lost,
                    loss: hook.loss.clone(),
                    optional: hook.optional,
                })
                .collect(),
            counters: view
                .counters
                .iter()
                .map(|(name, value)| Counter {
                    name: name.clone(),
                    value: *value,
                })
                .collect(),
            histograms: histograms(view),
            scopes: rows.scopes,
            mechanisms: rows.mechanisms,
            files: rows.files,
            filesystems: rows.filesystems,
            identity: rows.identity,
            derefs: self.derefs.clone(),
            explained: self.explained.clone(),
            notes: measurement.notes.clone(),
            playback: None,
        }
    }

    /// How long ago the lists were true: no time while the index is what they were made of.
    fn behind(&mut self, view: &Moment<'_>, files: &Arc<[FileRow]>) -> Duration {
        let generation = view.measurement.index.generation();
        match &mut self.made {
            Some(made) if Arc::ptr_eq(&made.files, files) => {
                if made.generation == generation {
                    made.at = view.elapsed;
                }
                view.elapsed.saturating_sub(made.at)
            }
            _ => {
                self.made = Some(Made {
                    files: Arc::clone(files),
                    generation,
                    at: view.elapsed,
                });
                Duration::ZERO
            }
        }
    }

    /// Rates since the last frame, and CPU of this process in percent of one.
    fn movement(&mut self, view: &Moment<'_>) -> (Rates, f64) {
        let cpu = view.cpu;
        let before = self.before.replace(Before {
            elapsed: view.elapsed,
            cpu,
            flow: view.flow,
            avoidable: *view.measurement.index.avoidable(),
        });
        let Some(before) = before else {
            let still = Rates {
                reclaims: Some(0.0),
                truncates: Some(0.0),
                ..Rates::default()
            };
            return (still, 0.0);
        };
        let seconds = view
            .elapsed
            .saturating_sub(before.elapsed)
            .as_secs_f64()
            .max(0.001);
        let rate = |now: u64, then: u64| pages(now.saturating_sub(then)) / seconds;
        let now = view.measurement.index.avoidable();
        let watched = view.measurement.avoidable.is_some();
        let rates = Rates {
            adds: rate(view.flow.added, before.flow.added),
            reclaims: Some(rate(view.flow.reclaimed, before.flow.reclaimed)),
            truncates: Some(rate(view.flow.truncated, before.flow.truncated)),
            dirtied: rate(view.flow.dirtied, before.flow.dirtied),
            avoidable_reads: watched
                .then(|| rate(now.avoidable_reads, before.avoidable.avoidable_reads)),
            avoidable_reclaims: watched
                .then(|| rate(now.avoidable_reclaims, before.avoidable.avoidable_reclaims)),
        };
        let busy = cpu.saturating_sub(before.cpu).as_secs_f64();
        (rates, 100.0 * busy / seconds)
    }
}

fn pages(number: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate needs no more than 52 bits"
    )]
    let number = number as f64;
    number
}

fn census(view: &Moment<'_>) -> Census {
    match view.census {
        Some((at, frames)) if !view.counted => {
            let percent = (at * 100).checked_div(frames).unwrap_or(0).min(99);
            Census::Running {
                percent: u8::try_from(percent).unwrap_or(99),
            }
        }
        _ => Census::Done,
    }
}

fn cost(view: &Moment<'_>, cpu_percent: f64) -> Cost {
    let mut hooks: Option<Distribution<u64>> = None;
    for (_, costs) in view
        .hook_costs
        .iter()
        .filter(|(_, costs)| !costs.is_empty())
    {
        match &mut hooks {
            // The same bounds, so adding cannot fail.
            Some(sum) => drop(sum.add(costs)),
            None => hooks = Some(costs.clone()),
        }
    }
    Cost {
        cpu_percent,
        rss: view.rss,
        hook_ns_p50: hooks.as_ref().map(|costs| costs.value_at_quantile(0.5)),
        hook_ns_p99: hooks.as_ref().map(|costs| costs.value_at_quantile(0.99)),
    }
}

fn bars(name: &str, unit: &str, values: &Distribution<u64>) -> Option<Histogram> {
    if values.is_empty() {
        return None;
    }
    let bars = values
        .iter_log(1, 2.0)
        .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
        .skip_while(|(_, count)| *count == 0)
        .collect();
    Some(Histogram {
        name: name.to_owned(),
        unit: unit.to_owned(),
        bars,
    })
}

fn histograms(view: &Moment<'_>) -> Vec<Histogram> {
    let own = [
        ("time to hash", "ms", &view.distributions.age_at_hash_ms),
        (
            "residency of duplicates",
            "ms",
            &view.distributions.duplicate_residency_ms,
        ),
        ("hash, per page", "ns", &view.distributions.hash_ns),
    ];
    let hooks = view
        .hook_costs
        .iter()
        .map(|(name, costs)| (name.as_str(), "ns", costs));
    own.into_iter()
        .chain(hooks)
        .filter_map(|(name, unit, values)| bars(name, unit, values))
        .collect()
}

fn explain_file(view: &Moment<'_>, inode: InodeId, counted_at: Option<Duration>) -> Explanation {
    let measurement = view.measurement;
    let identity = &measurement.identity;
    let found = partners(&measurement.index, &[inode], COPIES);
    let found = found.get(&inode).map_or(&[][..], Vec::as_slice);
    let others: Vec<InodeId> = found.iter().map(|partner| partner.inode).collect();
    let arrivals = shared_since(&measurement.index, inode, &others);
    let copies = found
        .iter()
        .zip(arrivals)
        .map(|(partner, arrived_ms)| {
            let file = identity.files.get(&partner.inode);
            let fs_type = file
                .and_then(|file| identity.filesystems.get(file.filesystem))
                .map_or("?", |filesystem| filesystem.fs_type.as_str());
            CopyRow {
                inode: partner.inode,
                path: shown(identity, partner.inode).into(),
                fs: Arc::from(fs_type),
                layer: file
                    .and_then(|file| file.place.layer)
                    .map(|layer| identity.layers.layer_label(layer).into()),
                since: arrived_ms.map(|arrived_ms| since(view, arrived_ms, counted_at)),
                shared: partner.shared,
            }
        })
        .collect();
    Explanation { inode, copies }
}

/// When a page came, as it is shown. One that the first census found was there before.
fn since(view: &Moment<'_>, arrived_ms: u32, counted_at: Option<Duration>) -> Arc<str> {
    let arrived = Duration::from_millis(arrived_ms.into());
    match counted_at {
        Some(counted) if arrived > counted => {
            let time = view.measurement.started_at + arrived;
            time.strftime("%m-%d %H:%M:%S").to_string().into()
        }
        _ => " at start".into(),
    }
}
