//! Counts hits by instruction, stack and state of the folio, and the sums that rates and
//! their intervals are estimated from. Pure: records go in.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use sharestat_ebpf::records::{WatchHit, frame_flags, mapping_state};

use super::strata::{Share, Shares, Stratum};

/// What the word belonged to behind the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A folio of a file.
    File,
    /// Nothing: the folio has left the page cache, or just does.
    Bare,
    /// An anonymous, movable or KSM page.
    Tagged,
    /// Swap cache, a page of another kind.
    Other,
}

impl Subject {
    fn of(hit: &WatchHit) -> Self {
        match hit.state {
            mapping_state::FILE => Self::File,
            mapping_state::NONE => Self::Bare,
            mapping_state::TAGGED => Self::Tagged,
            _ => Self::Other,
        }
    }
}

/// Hits that are the same in everything that is reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HitKey {
    /// Address behind the accessing instruction.
    pub ip: u64,
    /// What the word belonged to.
    pub subject: Subject,
    /// Whether the folio was uptodate, clean and not writably mapped: what could be shared.
    pub shareable: bool,
    /// Number of the step of a workload, 0 outside of any.
    pub step: usize,
    /// Kernel stack, innermost first.
    pub stack: Box<[u64]>,
}

/// The time of one window, by the clock of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// All breakpoints are set.
    pub start: Duration,
    /// None was moved yet.
    pub end: Duration,
}

impl Span {
    /// How long it is.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }

    fn contains(&self, hit: &WatchHit) -> bool {
        (self.start..=self.end).contains(&Duration::from_nanos(hit.time_ns))
    }
}

/// Sums over the windows of one stratum. The folios watched in one window are one unit of
/// the sample: what happens at that moment happens to all of them. A window weighs as much
/// as drawing the stratum was unlikely, so that all times count alike.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WindowSums {
    /// Folios watched, each for one window.
    pub folios: u64,
    /// Windows with a folio of the stratum.
    pub windows: f64,
    /// Folio seconds watched.
    pub seconds: f64,
    /// Seconds in which the stratum had folios at all.
    pub present: f64,
    /// Weighted folio seconds.
    pub weighted: f64,
    /// Those of a window times those of each stratum in the same window.
    pub products: [f64; Stratum::ALL.len()],
}

/// Sums over the windows of one stratum and instruction. A hit counts as many times as the
/// stratum had folios then, with the weight of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Weighted hits.
    pub hits: f64,
    /// Those of a window times those in each stratum in the same window.
    pub products: [f64; Stratum::ALL.len()],
    /// Those of a window times the weighted seconds of each stratum in the same window.
    pub seconds: [f64; Stratum::ALL.len()],
}

/// Everything that was noticed.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Hits by what they have in common.
    pub hits: HashMap<HitKey, u64>,
    /// Commands by instruction.
    pub commands: HashMap<u64, HashMap<String, u64>>,
    /// Sums of each stratum.
    pub windows: [WindowSums; Stratum::ALL.len()],
    /// Sums of each instruction and stratum.
    pub sums: HashMap<(u64, usize), Sums>,
    /// Reads by the own census, which are not counted.
    pub own_reads: u64,
    /// Seconds of all windows.
    pub seconds: f64,
    /// Hits outside of windows: while breakpoints were moved.
    pub outside: u64,
    own: Vec<(u64, u64)>,
    step: usize,
    open: HashMap<(u64, u64), u64>,
    left: HashSet<u64>,
}

impl Tally {
    /// Hits with an instruction pointer in one of the ranges `own` are our own reads.
    #[must_use]
    pub fn without(own: Vec<(u64, u64)>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    /// Hits from now on belong to this step.
    pub fn begin_step(&mut self, step: usize) {
        self.step = step;
    }

    /// Takes a record in; for rates it counts when it is of the time of `window`.
    pub fn add(&mut self, hit: &WatchHit, window: Span) {
        if self
            .own
            .iter()
            .any(|(start, end)| (*start..=*end).contains(&hit.ip))
        {
            self.own_reads += 1;
            return;
        }
        let subject = Subject::of(hit);
        let frames = usize::try_from(hit.stack_bytes / 8).unwrap_or(0);
        let stack = hit.stack.get(..frames).unwrap_or(&hit.stack);
        let settled = frame_flags::UPTODATE
            | frame_flags::DIRTY
            | frame_flags::WRITEBACK
            | frame_flags::SWAPBACKED;
        let key = HitKey {
            ip: hit.ip,
            subject,
            shareable: hit.flags & settled == frame_flags::UPTODATE && hit.writers <= 0,
            step: self.step,
            stack: stack.into(),
        };
        *self.hits.entry(key).or_default() += 1;
        let command = command_of(&hit.command);
        *self
            .commands
            .entry(hit.ip)
            .or_default()
            .entry(command)
            .or_default() += 1;
        // The store that removes the folio still counts, what follows does not.
        let counts = match subject {
            Subject::File => true,
            Subject::Bare => self.left.insert(hit.watched),
            Subject::Tagged | Subject::Other => false,
        };
        if !window.contains(hit) {
            self.outside += 1;
        } else if counts {
            *self.open.entry((hit.watched, hit.ip)).or_default() += 1;
        }
    }

    /// The window ended in which the words at `watched` were watched; `shares` is what
    /// each stratum was meanwhile.
    pub fn end_window(&mut self, watched: &[(Stratum, u64)], shares: &Shares, window: Span) {
        let seconds = window.length().as_secs_f64();
        self.seconds += seconds;
        let mut seconds_of = [0.0; Stratum::ALL.len()];
        for (stratum, _) in watched {
            let at = *stratum as usize;
            if let (Some(sums), Some(sum)) = (self.windows.get_mut(at), seconds_of.get_mut(at)) {
                sums.folios += 1;
                *sum += seconds;
            }
        }
        let weight = |share: &Share| {
            if share.chance > 0.0 {
                1.0 / share.chance
            } else {
                0.0
            }
        };
        for ((sums, share), seconds_of) in self.windows.iter_mut().zip(shares).zip(&mut seconds_of)
        {
            if share.folios > 0.0 {
                sums.present += seconds;
            }
            if *seconds_of > 0.0 {
                sums.seconds += *seconds_of;
                *seconds_of *= weight(share);
                sums.windows += 1.0;
                sums.weighted += *seconds_of;
            }
        }
        for (sums, seconds) in self.windows.iter_mut().zip(&seconds_of) {
            add_products(&mut sums.products, *seconds, &seconds_of);
        }
        let mut hits_of: HashMap<u64, [f64; Stratum::ALL.len()]> = HashMap::new();
        for ((word, ip), hits) in self.open.drain() {
            // Of a word of the window before, whose breakpoint was moved last.
            let Some((stratum, _)) = watched.iter().find(|(_, known)| *known == word) else {
                self.outside += hits;
                continue;
            };
            let at = *stratum as usize;
            let share = shares.get(at).copied().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "a window has few hits")]
            let hits = hits as f64 * share.folios * weight(&share);
            if let Some(sum) = hits_of.entry(ip).or_default().get_mut(at) {
                *sum += hits;
            }
        }
        for (ip, hits_of) in hits_of {
            for (at, hits) in hits_of.iter().enumerate().filter(|(_, hits)| **hits > 0.0) {
                let sums = self.sums.entry((ip, at)).or_default();
                sums.hits += hits;
                add_products(&mut sums.products, *hits, &hits_of);
                add_products(&mut sums.seconds, *hits, &seconds_of);
            }
        }
        self.left.clear();
    }

    /// All hits that were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.hits.values().sum()
    }
}

/// Adds `one` times each of `others` to the sums.
fn add_products(sums: &mut [f64], one: f64, others: &[f64]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum += one * other;
    }
}

fn command_of(bytes: &[u8; 16]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).into_owned();
    // 'kworker/0:1' and 'kworker/1:2' are one task for our purposes.
    text.split('/').next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharestat_ebpf::records::STACK_FRAMES;

    /// Half a second.
    const WINDOW: Span = Span {
        start: Duration::from_millis(100),
        end: Duration::from_millis(600),
    };

    /// One folio in each stratum, always drawn.
    const SHARES: Shares = [Share {
        folios: 1.0,
        chance: 1.0,
    }; Stratum::ALL.len()];

    fn hit(ip: u64, state: u8, flags: u16, writers: i32) -> WatchHit {
        WatchHit {
            time_ns: 200_000_000,
            ip,
            watched: 0x1018,
            mapping: 0,
            index: 0,
            ino: 0,
            dev: 0,
            writers,
            flags,
            order: 0,
            state,
            stack_bytes: 16,
            process: 1,
            cpu: 0,
            task_flags: 0,
            command: *b"kworker/0:1\0\0\0\0\0",
            stack: [ip; STACK_FRAMES],
        }
    }

    #[test]
    fn only_clean_uptodate_folios_without_writers_are_shareable() {
        let mut tally = Tally::default();
        let up = frame_flags::UPTODATE;
        tally.add(&hit(1, mapping_state::FILE, up, 0), WINDOW);
        tally.add(&hit(1, mapping_state::FILE, up, 1), WINDOW);
        tally.add(
            &hit(1, mapping_state::FILE, up | frame_flags::DIRTY, 0),
            WINDOW,
        );
        tally.add(&hit(1, mapping_state::FILE, up, -1), WINDOW);
        let shareable: u64 = tally
            .hits
            .iter()
            .filter(|(key, _)| key.shareable)
            .map(|(_, hits)| hits)
            .sum();
        assert_eq!((tally.total(), shareable), (4, 2));
        assert!(tally.commands[&1].contains_key("kworker"));
    }

    #[test]
    fn own_reads_never_appear() {
        let mut tally = Tally::without(vec![(10, 20)]);
        tally.add(&hit(15, mapping_state::FILE, 0, 0), WINDOW);
        assert_eq!((tally.total(), tally.own_reads), (0, 1));
    }

    #[test]
    fn rates_count_the_removal_and_nothing_after_it() {
        let mut tally = Tally::default();
        tally.add(&hit(1, mapping_state::FILE, 0, 0), WINDOW);
        tally.add(&hit(2, mapping_state::NONE, 0, 0), WINDOW);
        tally.add(&hit(3, mapping_state::NONE, 0, 0), WINDOW);
        tally.end_window(&[(Stratum::Mapped, 0x1018)], &SHARES, WINDOW);
        let sums = |ip| {
            tally
                .sums
                .get(&(ip, Stratum::Mapped as usize))
                .map(|sums| sums.hits)
        };
        assert_eq!((sums(1), sums(2), sums(3)), (Some(1.0), Some(1.0), None));
        assert!((tally.windows[Stratum::Mapped as usize].seconds - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn what_happens_while_breakpoints_are_moved_counts_for_no_rate() {
        let mut tally = Tally::default();
        for time_ns in [99_999_999, 600_000_001] {
            let mut hit = hit(1, mapping_state::FILE, 0, 0);
            hit.time_ns = time_ns;
            tally.add(&hit, WINDOW);
        }
        tally.end_window(&[(Stratum::Mapped, 0x1018)], &SHARES, WINDOW);
        assert_eq!((tally.total(), tally.outside), (2, 2));
        assert!(tally.sums.is_empty());
    }

    #[test]
    fn folios_of_one_window_are_one_unit_of_the_sample() {
        let mut tally = Tally::default();
        let words = [
            (Stratum::Mapped, 0x1018),
            (Stratum::Mapped, 0x2018),
            (Stratum::Large, 0x3018),
        ];
        for (_, word) in words {
            let mut hit = hit(1, mapping_state::FILE, 0, 0);
            hit.watched = word;
            tally.add(&hit, WINDOW);
        }
        tally.end_window(&words, &SHARES, WINDOW);
        let mapped = Stratum::Mapped as usize;
        let windows = tally.windows[mapped];
        assert_eq!((windows.folios, windows.windows), (2, 1.0));
        assert!((windows.seconds - 1.0).abs() < f64::EPSILON);
        let sums = tally.sums[&(1, mapped)];
        assert_eq!(
            (sums.hits, sums.products[mapped], sums.seconds[mapped]),
            (2.0, 4.0, 2.0)
        );
        // What the other stratum had in the same window goes with it.
        let large = Stratum::Large as usize;
        assert_eq!((sums.products[large], sums.seconds[large]), (2.0, 1.0));
        assert!((windows.products[large] - 0.5).abs() < f64::EPSILON);
    }
}
