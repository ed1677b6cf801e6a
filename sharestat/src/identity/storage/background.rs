//! Asks storage about files while a measurement goes on: extents and digests, on a thread of
//! its own, so that a slow or hanging filesystem holds up nothing. Each file that may have
//! duplicates is asked about again after some minutes, because extents change.

use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel},
    thread,
    time::{Duration, Instant},
};

use super::{
    digests, extents, is_worth_asking,
    opener::{Opener, Sought},
};
use crate::model::{
    extents::Extents,
    inode::{InodeId, InodeKey},
    measurement::{Measurement, Proof},
};

/// Questions that wait at most.
const QUEUE: usize = 256;
/// Time that one call takes for choosing files to ask about, which others wait for.
const SLICE: Duration = Duration::from_millis(2);
/// Pages of a file that are looked at for a duplicate; a larger file is asked about anyway.
const LOOKED_AT: usize = 4096;
/// Time between two looks for files that have not been asked about.
const ROUND: Duration = Duration::from_secs(5);
/// How old an answer gets.
const AGE: Duration = Duration::from_mins(5);
/// When a file without duplicates is looked at again.
const LATER: Duration = Duration::from_mins(1);
/// How old the mount table gets that files are opened by.
const MOUNTS_AGE: Duration = Duration::from_secs(10);
/// Longest pause after one file.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

struct Question {
    inode: InodeId,
    key: InodeKey,
    sought: Sought,
}

struct Answer {
    inode: InodeId,
    key: InodeKey,
    extents: Option<Extents>,
    digest: Option<String>,
}

/// Asks about the files of one measurement. Ends with it.
pub struct Background {
    questions: SyncSender<Question>,
    answers: Receiver<Answer>,
    /// Files of this round that were not looked at yet.
    waiting: Vec<InodeId>,
    /// The question that found the queue full.
    held: Option<Question>,
    /// When files that were asked about, or have no duplicates, have their turn again.
    again: HashMap<InodeId, Instant>,
    next_round: Instant,
}

impl Background {
    /// Starts the thread, which works for `share` of the time at most.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(share: f64) -> std::io::Result<Self> {
        let (questions, to_answer) = sync_channel(QUEUE);
        let (answered, answers) = channel();
        thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || answer_all(&to_answer, &answered, share.max(0.001)))?;
        Ok(Self {
            questions,
            answers,
            waiting: Vec::new(),
            held: None,
            again: HashMap::new(),
            next_round: Instant::now(),
        })
    }

    /// Takes the answers that came, and asks about a few more files.
    pub fn go_on(&mut self, measurement: &mut Measurement) {
        while let Ok(answer) = self.answers.try_recv() {
            take(answer, measurement);
        }
        let now = Instant::now();
        if self.waiting.is_empty() && now >= self.next_round {
            self.next_round = now + ROUND;
            self.begin_round(measurement, now);
        }
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            let Some(question) = self.held.take().or_else(|| self.next(measurement, now)) else {
                return;
            };
            // Full, or the thread is gone: then it stays here.
            if let Err(TrySendError::Full(question) | TrySendError::Disconnected(question)) =
                self.questions.try_send(question)
            {
                self.held = Some(question);
                return;
            }
        }
    }

    fn begin_round(&mut self, measurement: &Measurement, now: Instant) {
        let index = &measurement.index;
        self.again
            .retain(|inode, again| *again > now && index.key(*inode).is_some());
        let files = measurement.identity.files.keys().copied();
        self.waiting = files
            .filter(|inode| !self.again.contains_key(inode))
            .filter(|inode| is_worth_asking(measurement, *inode))
            .collect();
    }

    /// The question about the next file that is worth one, of those looked at in a slice.
    fn next(&mut self, measurement: &Measurement, now: Instant) -> Option<Question> {
        while let Some(inode) = self.waiting.pop() {
            if may_have_duplicates(measurement, inode) {
                self.again.insert(inode, now + AGE);
                let key = measurement.index.key(inode).copied();
                if let Some((key, sought)) = key.zip(Sought::of(measurement, inode)) {
                    return Some(Question { inode, key, sought });
                }
            } else {
                self.again.insert(inode, now + LATER);
                if now.elapsed() > SLICE {
                    return None;
                }
            }
        }
        None
    }
}

fn may_have_duplicates(measurement: &Measurement, inode: InodeId) -> bool {
    let index = &measurement.index;
    let Some(view) = index.view(inode) else {
        return false;
    };
    let mut looked_at = 0;
    view.contents().any(|(_, content)| {
        looked_at += 1;
        looked_at > LOOKED_AT || (content != index.zero() && index.copies(content) > 1)
    })
}

/// Takes an answer, when its inode is still the one that it is about.
fn take(answer: Answer, measurement: &mut Measurement) {
    let Answer {
        inode,
        key,
        extents,
        digest,
    } = answer;
    if measurement.index.key(inode) != Some(&key) {
        return;
    }
    let identity = &mut measurement.identity;
    let mut news = false;
    if let Some(extents) = extents
        && identity.extents.get(&inode) != Some(&extents)
    {
        // Nothing shared is no news of a file that was not asked before.
        news |= !extents.is_empty() || identity.extents.contains_key(&inode);
        identity.extents.insert(inode, extents);
    }
    if let Some(digest) = digest {
        let proof = Proof::Digest(digest.into());
        news |= identity.whole.get(&inode) != Some(&proof);
        identity.whole.insert(inode, proof);
    }
    identity.told += u64::from(news);
}

/// Answers until nobody asks any more.
fn answer_all(questions: &Receiver<Question>, answers: &Sender<Answer>, share: f64) {
    let mut opener: Option<(Opener, Instant)> = None;
    while let Ok(question) = questions.recv() {
        let begun = Instant::now();
        opener = opener
            .filter(|(_, read)| read.elapsed() < MOUNTS_AGE)
            .or_else(|| Some((Opener::new()?, begun)));
        if let Some((opener, _)) = &opener
            && let Some(answer) = answer(opener, &question)
            && answers.send(answer).is_err()
        {
            return;
        }
        thread::sleep(begun.elapsed().div_f64(share).min(LONGEST_PAUSE));
    }
}

fn answer(opener: &Opener, question: &Question) -> Option<Answer> {
    let file = opener.open_any_size(&question.sought)?;
    let fs_type = &question.sought.fs_type;
    let extents = extents::are_shared_on(fs_type)
        .then(|| extents::shared(&file).ok())
        .flatten();
    Some(Answer {
        inode: question.inode,
        key: question.key,
        extents,
        digest: digests::of(&file, fs_type),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        engine_user::{ScanOptions, scan},
        model::layers::LayerId,
        progress::Progress,
        seed::Seed,
    };

    /// Two equal files and one that is unlike, as if on a filesystem that shares extents.
    fn measured(directory: &std::path::Path) -> Measurement {
        for (name, byte) in [("one", 7), ("two", 7), ("unlike", 8)] {
            let path = directory.join(name);
            fs::write(&path, [byte; 4096]).expect("a file");
            let file = fs::File::open(&path).expect("it is there");
            file.sync_all().expect("a sync");
        }
        let options = ScanOptions {
            paths: vec![directory.to_path_buf()],
            seed: Seed::fixed(1),
        };
        let mut measurement =
            scan(&options, &Progress::default()).expect("files of our own can be measured");
        for file in measurement.identity.files.values_mut() {
            file.place.layer = Some(LayerId(0));
        }
        for filesystem in &mut measurement.identity.filesystems {
            filesystem.fs_type = "xfs".to_owned();
        }
        measurement
    }

    /// Until `done`, or two seconds long.
    fn go_on_until(
        background: &mut Background,
        measurement: &mut Measurement,
        done: impl Fn(&Measurement) -> bool,
    ) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            background.go_on(measurement);
            if done(measurement) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    #[test]
    fn files_with_duplicates_are_asked_about_once_in_a_while() {
        let program = std::env::current_exe().expect("the test program has a path");
        let directory = tempfile::tempdir_in(program.parent().expect("it is in a directory"));
        let directory = directory.expect("a directory");
        let mut measurement = measured(directory.path());
        let mut background = Background::start(1.0).expect("a thread");
        let asked = go_on_until(&mut background, &mut measurement, |measurement| {
            measurement.identity.extents.len() == 2
        });
        assert!(asked, "{:?}", measurement.identity.extents);
        // Nothing more: neither again so soon, nor what has no duplicate.
        measurement.identity.extents.clear();
        background.next_round = Instant::now();
        let more = go_on_until(&mut background, &mut measurement, |measurement| {
            !measurement.identity.extents.is_empty() || measurement.identity.files.len() != 3
        });
        assert!(!more, "{:?}", measurement.identity.extents);
    }

    #[test]
    fn an_answer_about_an_inode_that_has_gone_is_dropped() {
        let program = std::env::current_exe().expect("the test program has a path");
        let directory = tempfile::tempdir_in(program.parent().expect("it is in a directory"));
        let directory = directory.expect("a directory");
        let mut measurement = measured(directory.path());
        let inode = measurement
            .index
            .inodes()
            .next()
            .expect("there are three")
            .id;
        let key = *measurement.index.key(inode).expect("it is known");
        let shared = crate::model::extents::Extent {
            first: 0,
            pages: 2,
            physical: 1 << 20,
        };
        let answer = |key| Answer {
            inode,
            key,
            extents: Some(Extents::new(vec![shared])),
            digest: Some("sha256:ab".to_owned()),
        };
        let other = InodeKey {
            generation: key.generation + 1,
            ..key
        };
        take(answer(other), &mut measurement);
        assert!(measurement.identity.extents.is_empty());
        assert_eq!(measurement.identity.told, 0);
        take(answer(key), &mut measurement);
        take(answer(key), &mut measurement);
        assert_eq!(measurement.identity.told, 1, "the same again is no news");
        assert_eq!(measurement.identity.extents.len(), 1);
        assert_eq!(measurement.identity.whole.len(), 1);
    }
}
