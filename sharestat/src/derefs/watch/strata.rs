//! Which folios are watched: the population by strata, and a reproducible choice from it.
//! The pages that would be shared come first.

use serde::{Deserialize, Serialize};
use sharestat_ebpf::records::{FrameRecord, frame_flags};

use crate::derefs::random::SplitMix;

/// A part of the page cache; every folio is in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stratum {
    /// Eligible for sharing, and its first page has the content of another one's.
    Duplicate,
    /// More than one page.
    Large,
    /// Mapped into some process.
    Mapped,
    /// Not mapped, on the active list.
    Active,
    /// Not mapped, on the inactive list: what reclaim takes first.
    Inactive,
    /// Dirty, under writeback or not uptodate.
    Unsettled,
    /// tmpfs and shared memory.
    Swapbacked,
}

impl Stratum {
    /// All strata.
    pub const ALL: [Self; 7] = [
        Self::Duplicate,
        Self::Large,
        Self::Mapped,
        Self::Active,
        Self::Inactive,
        Self::Unsettled,
        Self::Swapbacked,
    ];

    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Large => "large",
            Self::Mapped => "mapped",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Unsettled => "unsettled",
            Self::Swapbacked => "swapbacked",
        }
    }

    /// The stratum of `frame`, whose first page has other copies or not.
    #[must_use]
    pub fn of(frame: &FrameRecord, duplicate: bool) -> Self {
        let has = |flag| frame.flags & flag != 0;
        if has(frame_flags::SWAPBACKED) {
            Self::Swapbacked
        } else if !is_eligible(frame) {
            Self::Unsettled
        } else if duplicate {
            Self::Duplicate
        } else if frame.order > 0 {
            Self::Large
        } else if has(frame_flags::MAPPED) {
            Self::Mapped
        } else if has(frame_flags::ACTIVE) {
            Self::Active
        } else {
            Self::Inactive
        }
    }
}

/// Uptodate, clean, not under writeback, not tmpfs.
#[must_use]
pub(super) fn is_eligible(frame: &FrameRecord) -> bool {
    let bad = frame_flags::DIRTY | frame_flags::WRITEBACK | frame_flags::SWAPBACKED;
    frame.flags & frame_flags::UPTODATE != 0 && frame.flags & bad == 0
}

/// What one folio of a stratum stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Folios in the stratum.
    pub folios: f64,
    /// Chance that a draw takes the stratum; 0 when it is empty.
    pub chance: f64,
}

/// The share of each stratum.
pub type Shares = [Share; Stratum::ALL.len()];

/// The folios of one census, by stratum.
#[derive(Clone, Debug, Default)]
pub struct Population {
    folios: [Vec<u64>; Stratum::ALL.len()],
}

impl Population {
    /// Adds a folio.
    pub fn add(&mut self, stratum: Stratum, folio: u64) {
        if let Some(folios) = self.folios.get_mut(stratum as usize) {
            folios.push(folio);
        }
    }

    /// Folios in `stratum`.
    #[must_use]
    pub fn count(&self, stratum: Stratum) -> usize {
        self.folios.get(stratum as usize).map_or(0, Vec::len)
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.folios.iter().all(Vec::is_empty)
    }

    /// What the folios of each stratum stand for, as [`Population::choose`] draws them.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of folios are far below 2^52"
    )]
    pub fn shares(&self) -> Shares {
        let filled = self
            .folios
            .iter()
            .filter(|folios| !folios.is_empty())
            .count();
        let first = self.count(Stratum::Duplicate) > 0;
        Stratum::ALL.map(|stratum| {
            let folios = self.count(stratum);
            let even = if folios == 0 {
                0.0
            } else {
                1.0 / filled as f64
            };
            let chance = match (first, stratum) {
                (false, _) => even,
                (true, Stratum::Duplicate) => 0.5 + 0.5 * even,
                (true, _) => 0.5 * even,
            };
            Share {
                folios: folios as f64,
                chance,
            }
        })
    }

    /// Chooses up to `slots` different folios: duplicates half of the time where there
    /// are any, else a stratum at random, and in it any folio with equal chance.
    pub fn choose(&self, slots: usize, random: &mut SplitMix) -> Vec<(Stratum, u64)> {
        let filled: Vec<Stratum> = Stratum::ALL
            .into_iter()
            .filter(|stratum| self.count(*stratum) > 0)
            .collect();
        let mut chosen: Vec<(Stratum, u64)> = Vec::with_capacity(slots);
        // A folio that is drawn twice is not replaced: a small population fills fewer slots.
        for _ in 0..4 * slots {
            if chosen.len() == slots {
                break;
            }
            let duplicate = self.count(Stratum::Duplicate) > 0 && random.draw().is_multiple_of(2);
            let drawn = random.below(filled.len());
            let stratum = if duplicate {
                Some(Stratum::Duplicate)
            } else {
                filled.get(drawn).copied()
            };
            let Some(stratum) = stratum else { break };
            let Some(folios) = self.folios.get(stratum as usize) else {
                break;
            };
            if let Some(folio) = folios.get(random.below(folios.len()))
                && !chosen.iter().any(|(_, known)| known == folio)
            {
                chosen.push((stratum, *folio));
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(flags: u16, order: u8) -> FrameRecord {
        FrameRecord {
            flags,
            order,
            ..FrameRecord::default()
        }
    }

    #[test]
    fn what_cannot_be_shared_is_no_duplicate() {
        let clean = frame(frame_flags::UPTODATE, 0);
        assert_eq!(Stratum::of(&clean, true), Stratum::Duplicate);
        assert_eq!(Stratum::of(&clean, false), Stratum::Inactive);
        let dirty = frame(frame_flags::UPTODATE | frame_flags::DIRTY, 0);
        assert_eq!(Stratum::of(&dirty, true), Stratum::Unsettled);
        let shm = frame(frame_flags::UPTODATE | frame_flags::SWAPBACKED, 0);
        assert_eq!(Stratum::of(&shm, true), Stratum::Swapbacked);
        assert_eq!(
            Stratum::of(&frame(frame_flags::UPTODATE, 2), false),
            Stratum::Large
        );
    }

    #[test]
    fn strata_are_drawn_as_often_as_their_shares_say() {
        let mut population = Population::default();
        for folio in 0..100 {
            population.add(Stratum::Mapped, folio);
            population.add(Stratum::Duplicate, 100 + folio);
            population.add(Stratum::Large, 200 + folio);
        }
        let mut random = SplitMix(3);
        let mut drawn = [0; Stratum::ALL.len()];
        for _ in 0..3000 {
            for (stratum, _) in population.choose(1, &mut random) {
                drawn[stratum as usize] += 1;
            }
        }
        for (share, drawn) in population.shares().iter().zip(drawn) {
            let expected = 3000.0 * share.chance;
            assert!(
                (f64::from(drawn) - expected).abs() < 120.0,
                "{drawn} of {expected}"
            );
        }
        let all: f64 = population.shares().iter().map(|share| share.chance).sum();
        assert!((all - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_choice_is_reproducible_and_without_repetition() {
        let mut population = Population::default();
        for folio in 0..10 {
            population.add(Stratum::Mapped, folio);
            population.add(Stratum::Duplicate, 100 + folio);
        }
        let draw = |seed| population.choose(4, &mut SplitMix(seed));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mut folios: Vec<u64> = draw(7).into_iter().map(|(_, folio)| folio).collect();
        folios.sort_unstable();
        folios.dedup();
        assert_eq!(folios.len(), 4);
        assert!(Population::default().choose(4, &mut SplitMix(1)).is_empty());
    }
}
