//! One watching session: census, choice, windows, and the pauses that keep the cost to
//! the machine below a limit.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use sharestat_ebpf::records::{FrameRecord, WatchHit, mapping_state};

use super::{
    files::Files,
    pace::Pace,
    strata::{Population, Stratum, is_eligible},
    tally::{Span, Tally},
};
use crate::{
    derefs::random::SplitMix,
    kernel::{self, watcher::Watcher},
};

/// How to watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// How long one choice of folios is watched.
    pub window: Duration,
    /// Most hits per second, on average over the time watched and the pauses.
    pub max_hz: f64,
    /// Seed of the choice.
    pub seed: u64,
    /// Time between two looks at the page cache.
    pub census_every: Duration,
}

/// What the session took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// Time with breakpoints set.
    pub watched: Duration,
    /// Time paused to stay below the limit of hits.
    pub paused: Duration,
    /// Time spent in censuses, with breakpoints off.
    pub census: Duration,
    /// Time spent moving breakpoints.
    pub arming: Duration,
    /// Windows.
    pub windows: u64,
    /// Censuses.
    pub censuses: u64,
}

impl Effort {
    /// The share of the time in which breakpoints were moved or off without a pause.
    #[must_use]
    pub fn unseen(&self) -> f64 {
        let unseen = (self.arming + self.census).as_secs_f64();
        let all = unseen + self.watched.as_secs_f64();
        if all > 0.0 { unseen / all } else { 0.0 }
    }
}

/// Most folios whose first page is hashed at a census.
const MOST_HASHED: usize = 32_768;

/// A census is followed by at least so many times its own duration of watching.
const LOOKING_SHARE: u32 = 10;

/// A window is at least so many times as long as moving the breakpoints took: what runs
/// meanwhile is slowed down, and what is seen has to be like what is not.
const ARMING_SHARE: u32 = 10;

/// The clock of the records (`bpf_ktime_get_ns`).
#[must_use]
pub fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Never negative: it counts from the start of the machine.
    Duration::try_from(now).unwrap_or_default()
}

/// A session.
pub struct Session {
    /// The instrument.
    pub watcher: Watcher,
    /// What was noticed.
    pub tally: Tally,
    /// What it took.
    pub effort: Effort,
    /// The page cache as of the last census.
    pub population: Population,
    options: WatchOptions,
    pace: Pace,
    random: SplitMix,
    mapping: u64,
    /// End and duration of the last census.
    looked: Option<(Instant, Duration)>,
}

impl Session {
    /// Starts with what `tally` excludes.
    #[must_use]
    pub fn new(watcher: Watcher, tally: Tally, options: WatchOptions) -> Self {
        Self {
            mapping: watcher.word_of(0),
            watcher,
            tally,
            effort: Effort::default(),
            population: Population::default(),
            pace: Pace::new(options.max_hz),
            random: SplitMix(options.seed),
            looked: None,
            options,
        }
    }

    /// Watches files until `done` says so.
    ///
    /// # Errors
    /// When breakpoints are refused or a program fails.
    pub fn run(&mut self, files: &mut Files, done: &dyn Fn() -> bool) -> Result<(), kernel::Error> {
        while !done() {
            if self.is_stale() {
                self.look(files)?;
            }
            let capacity = self.watcher.capacity();
            let chosen = self.population.choose(capacity, &mut self.random);
            if chosen.is_empty() {
                thread::sleep(self.options.window);
                self.looked = None;
                continue;
            }
            let folios: Vec<u64> = chosen.iter().map(|(_, folio)| *folio).collect();
            let before = self.tally.total();
            let moving = self.effort.arming;
            let armed = self.arm(&folios)?;
            let moving = self.effort.arming.saturating_sub(moving);
            let start = now();
            thread::sleep(self.options.window.max(ARMING_SHARE * moving));
            let watched = chosen.get(..armed).unwrap_or(&chosen);
            let took = self.close(watched, start, &|hit| files.wants(hit.dev, hit.ino));
            let hits = self.tally.total() - before;
            let rest = self.pace.rest_after(hits, took);
            self.pause(rest, done);
        }
        self.watcher.disarm();
        Ok(())
    }

    /// Whether it is time to look at the page cache again: that takes a tenth of the time
    /// at most.
    fn is_stale(&self) -> bool {
        self.looked.is_none_or(|(at, took)| {
            at.elapsed() >= self.options.census_every.max(LOOKING_SHARE * took)
        })
    }

    /// Watches `folios` from now on.
    ///
    /// # Errors
    /// When breakpoints are refused.
    pub fn arm(&mut self, folios: &[u64]) -> Result<usize, kernel::Error> {
        let start = Instant::now();
        let armed = self.watcher.arm(folios)?;
        self.effort.arming += start.elapsed();
        Ok(armed)
    }

    /// Ends the window that began at `start`, takes in what was noticed of files that are
    /// `wanted`, and returns how long the window was.
    pub fn close(
        &mut self,
        watched: &[(Stratum, u64)],
        start: Duration,
        wanted: &dyn Fn(&WatchHit) -> bool,
    ) -> Duration {
        let Self {
            watcher,
            tally,
            effort,
            mapping,
            population,
            ..
        } = self;
        // Moving the breakpoints takes about as long as a window, and the machine goes on
        // meanwhile: what is noticed before and after counts for no rate.
        let span = Span { start, end: now() };
        watcher.drain(&mut |hit| {
            if hit.state != mapping_state::FILE || wanted(hit) {
                tally.add(hit, span);
            }
        });
        let words: Vec<(Stratum, u64)> = watched
            .iter()
            .map(|(stratum, folio)| (*stratum, folio + *mapping))
            .collect();
        tally.end_window(&words, &population.shares(), span);
        let took = span.length();
        effort.watched += took;
        effort.windows += 1;
        took
    }

    /// Watches nothing for `rest`.
    fn pause(&mut self, rest: Duration, done: &dyn Fn() -> bool) {
        if rest.is_zero() {
            return;
        }
        self.watcher.disarm();
        let start = Instant::now();
        while start.elapsed() < rest && !done() {
            let left = rest.saturating_sub(start.elapsed());
            thread::sleep(left.min(Duration::from_millis(50)));
        }
        self.effort.paused += start.elapsed();
    }

    /// Looks at the page cache, with the breakpoints off: the census reads the words.
    ///
    /// # Errors
    /// When a program fails.
    pub fn look(&mut self, files: &mut Files) -> Result<Vec<FrameRecord>, kernel::Error> {
        let start = Instant::now();
        self.watcher.disarm();
        // A path that went away has no files any more.
        let _ = files.refresh();
        let mut frames = Vec::new();
        self.watcher.census(&mut |frame| {
            if files.wants(frame.dev, frame.ino) {
                frames.push(*frame);
            }
        })?;
        let duplicate = self.duplicates(&frames)?;
        let mut population = Population::default();
        for (frame, duplicate) in frames.iter().zip(duplicate) {
            population.add(Stratum::of(frame, duplicate), frame.folio);
        }
        self.population = population;
        self.looked = Some((Instant::now(), start.elapsed()));
        self.effort.census += start.elapsed();
        self.effort.censuses += 1;
        Ok(frames)
    }

    /// Which of `frames` have the content of another one in their first page, as far as a
    /// sample of them tells.
    fn duplicates(&mut self, frames: &[FrameRecord]) -> Result<Vec<bool>, kernel::Error> {
        let mut eligible: Vec<usize> = (0..frames.len())
            .filter(|at| frames.get(*at).is_some_and(is_eligible))
            .collect();
        let wanted = eligible.len().min(MOST_HASHED);
        for at in 0..wanted {
            let other = at + self.random.below(eligible.len() - at);
            eligible.swap(at, other);
        }
        eligible.truncate(wanted);
        let sample: Vec<FrameRecord> = eligible
            .iter()
            .filter_map(|at| frames.get(*at).copied())
            .collect();
        let hashes = self.watcher.first_hashes(&sample)?;
        let mut copies: HashMap<u64, u32> = HashMap::new();
        for hash in hashes.iter().flatten() {
            *copies.entry(*hash).or_default() += 1;
        }
        let mut duplicate = vec![false; frames.len()];
        for (at, hash) in eligible.iter().zip(&hashes) {
            let is = hash.is_some_and(|hash| copies.get(&hash).is_some_and(|count| *count > 1));
            if let Some(slot) = duplicate.get_mut(*at) {
                *slot = is;
            }
        }
        Ok(duplicate)
    }
}
