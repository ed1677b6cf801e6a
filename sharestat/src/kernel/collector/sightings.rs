//! What the census found: frames in, pages of the index and batches to hash out.

use sharestat_ebpf::records::{FrameRecord, frame_flags};

use super::Collector;
use crate::{
    kernel::{batch::Batch, error::Error, instrument::Instrument, queue::Run},
    model::{inode::InodeKey, measurement::Measurement, units::PageIndex},
};

/// Puts the frames of a part of the census in the order of inodes and page indices, so
/// that pages which lie scattered in memory become runs. For the threads that walk.
pub(in crate::kernel) fn in_order(frames: &mut [FrameRecord]) {
    // Stable, because that sort makes use of the runs which are there already.
    frames.sort_by_key(|frame| (frame.inode, frame.index));
}

fn key_of(frame: &FrameRecord) -> InodeKey {
    InodeKey::from(frame)
}

const fn pages_of(frame: &FrameRecord) -> u64 {
    1 << frame.order
}

/// Whether what is known of the pages may not be true: they were added or dirtied since
/// they were hashed, and the event was lost; or perhaps rewritten, which on tmpfs no
/// event tells.
const fn is_doubtful(frame: &FrameRecord) -> bool {
    frame.flags & frame_flags::SWAPBACKED != 0 || frame.flags & frame_flags::HASHED == 0
}

fn continues(one: &FrameRecord, next: &FrameRecord) -> bool {
    one.index + pages_of(one) == next.index && is_doubtful(one) == is_doubtful(next)
}

fn charged_alike(one: &FrameRecord, next: &FrameRecord) -> bool {
    one.index + pages_of(one) == next.index && one.memcg == next.memcg
}

impl Collector {
    /// Starts a census: pages it does not see, and no event speaks of, become doubtful.
    pub(in crate::kernel) fn begin_census(&mut self) {
        self.names.refresh();
        // Files that share pages come and go while the pages stay.
        let Measurement {
            index, identity, ..
        } = &self.measurement;
        let shared = identity.shared.keys();
        let again = shared.filter_map(|inode| Some((*inode, *index.key(*inode)?)));
        self.unnamed.extend(again);
        self.measurement.index.begin_census();
    }

    /// Takes in what a part of the census found, put in order by [`in_order`]; the pages
    /// that want hashing are handed to `full` in batches that carry the folio's address.
    pub(in crate::kernel) fn seen(
        &mut self,
        instrument: &Instrument,
        frames: &[FrameRecord],
        open: &mut Batch,
        full: &mut dyn FnMut(Batch),
    ) -> Result<(), Error> {
        let of_one_inode = || frames.chunk_by(|one, next| key_of(one) == key_of(next));
        if self.names.restricted() {
            self.decide(
                instrument,
                of_one_inode().map(|frames| InodeKey::from(&frames[0])),
            )?;
        }
        let now = self.now_ms();
        for frames in of_one_inode() {
            let key = InodeKey::from(&frames[0]);
            let tmpfs = frames[0].flags & frame_flags::SWAPBACKED != 0;
            let Some(id) = self.place(key, tmpfs) else {
                continue;
            };
            let mapped_writably = frames[0].flags & frame_flags::MAPPED_WRITABLY != 0;
            self.measurement.index.map_writably(id, mapped_writably);
            for run in frames.chunk_by(continues) {
                let pages = run.iter().map(pages_of).sum();
                let mut folios = run.iter().peekable();
                let mut take = |page: PageIndex| {
                    let ends_before =
                        |folio: &&FrameRecord| folio.index + pages_of(folio) <= page.0;
                    while folios.next_if(ends_before).is_some() {}
                    let folio = folios.peek().map_or(0, |folio| folio.folio);
                    open.push(id, &key, page, folio);
                    if open.room() == 0 {
                        full(std::mem::take(open));
                    }
                };
                let first = PageIndex(run[0].index);
                let doubtful = is_doubtful(&run[0]);
                self.measurement
                    .index
                    .see(id, first, pages, doubtful, now, &mut take);
            }
            for run in frames.chunk_by(charged_alike) {
                let pages = run.iter().map(pages_of).sum();
                self.charge(id, PageIndex(run[0].index), pages, run[0].memcg);
            }
        }
        Ok(())
    }

    /// Ends a census; pages that it left in doubt are queued to be probed.
    pub(in crate::kernel) fn end_census(&mut self) {
        let now = self.now_ms();
        let queue = &mut self.queue;
        self.measurement.index.end_census(&mut |inode, page| {
            queue.push(Run {
                inode,
                first: page,
                pages: 1,
                since_ms: now,
                tries: 0,
            });
        });
    }

    /// Asks the identity program about inodes that the scope has not decided on.
    pub(super) fn decide(
        &mut self,
        instrument: &Instrument,
        keys: impl Iterator<Item = InodeKey>,
    ) -> Result<(), Error> {
        let mut unknown: Vec<InodeKey> = keys
            .filter(|key| self.names.wanted(key).is_none())
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        self.names.decide(instrument, &unknown)
    }
}
