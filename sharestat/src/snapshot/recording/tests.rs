//! Recordings played back, cut and broken.

mod headers;

use std::{fs, io::Write as _, path::Path, time::Duration};

use proptest::prelude::*;
use tempfile::tempdir;

use super::{
    header::Header,
    reader::{Ending, Reader},
    record::{Mark, Record},
    *,
};
use crate::{
    kernel::{
        moment::Moment,
        movement::{Distributions, Flow},
    },
    model::{
        inode::{Dev, InodeKey},
        layers::{Container, ContainerId, LayerId, Runtime},
        measurement::{FileIdentity, Filesystem, Measurement, Place},
        memory::{CgroupMemory, HostMemory, MemoryStat},
        page::{Observation, SkipReason},
        samples,
        shared_files::{SharedBy, SharingFile},
        units::{Bytes, ContentHash, PageIndex},
    },
    report::{Host, sample::measurement as sample},
};

/// A measurement with an empty index.
fn measurement() -> Measurement {
    let mut measurement = sample();
    measurement.index = crate::model::index::ContentIndex::new(samples::ZERO);
    measurement.identity.files.clear();
    measurement
}

fn moment<'a>(
    measurement: &'a Measurement,
    distributions: &'a Distributions,
    ms: u64,
) -> Moment<'a> {
    Moment {
        measurement,
        census: None,
        counted: true,
        flow: Flow {
            added: ms,
            ..Flow::default()
        },
        counters: vec![("pages hashed".to_owned(), ms)],
        hook_costs: vec![("hook".to_owned(), distributions.hash_ns.clone())],
        distributions,
        elapsed: Duration::from_millis(ms),
        cpu: Duration::from_millis(ms / 10),
        rss: Bytes(1 << 20),
    }
}

/// Records `rounds` moments with some traffic before each; the file's path is given.
pub(super) fn record(path: &Path, rounds: u64, end: bool) -> Measurement {
    let mut measurement = measurement();
    let mut distributions = Distributions::empty();
    let header = Header::new(
        &measurement,
        Host::read(),
        vec!["pages hashed".to_owned()],
        vec!["true".to_owned()],
    );
    let mut recorder = Recorder::create(path, &header).expect("a file");
    measurement.index.keep_journal(recorder.journal());
    for round in 0..rounds {
        traffic(&mut measurement, round);
        distributions
            .hash_ns
            .record(100 + round)
            .expect("in bounds");
        recorder
            .moment(&moment(&measurement, &distributions, round * 500))
            .expect("written");
        if round == 1 {
            recorder.memory(memory(round));
            recorder.begin();
        }
    }
    if end {
        let last = moment(&measurement, &distributions, rounds * 500);
        recorder.end(&last, Some(3)).expect("ended");
    }
    measurement
}

/// A host with one cgroup of a container.
fn memory(anon: u64) -> HostMemory {
    HostMemory {
        used: Some(Bytes(anon + 5)),
        own: Bytes(1),
        cgroups: vec![CgroupMemory {
            path: "/a/f00d".to_owned(),
            container: Some("f00d".to_owned()),
            stat: MemoryStat {
                anon: Bytes(anon),
                ..MemoryStat::default()
            },
        }],
        notes: Vec::new(),
    }
}

fn traffic(measurement: &mut Measurement, round: u64) {
    let key = InodeKey {
        dev: Dev::new(0, 1),
        ino: round,
        ..InodeKey::default()
    };
    let index = &mut measurement.index;
    let inode = index.intern(key, true);
    let now = u32::try_from(round * 500).expect("small");
    index.add(inode, PageIndex(0), 8, now);
    index.claim(inode, PageIndex(0), 8, &mut |_| {});
    let seen: Vec<_> = (0..8)
        .map(|page| match page {
            7 => Observation::Skipped(SkipReason::Raced),
            page => Observation::Hashed(ContentHash(page)),
        })
        .collect();
    index.observe_run(inode, PageIndex(0), &seen);
    measurement.identity.filesystems.truncate(1);
    measurement.identity.revision = round / 3;
    if measurement.identity.filesystems.is_empty() {
        measurement.identity.filesystems.push(Filesystem {
            dev: Dev::new(0, 1),
            fs_type: "ext4".to_owned(),
            id: "disk".to_owned(),
            mount_point: Some("/".to_owned()),
            source: None,
        });
    }
    let sharing = SharingFile {
        path: format!("/other/{round}"),
        dev: Dev::new(0, 9),
        ino: round,
    };
    let shared = SharedBy {
        files: vec![sharing],
        count: round,
    };
    measurement.identity.shared.insert(inode, shared);
    measurement.identity.files.insert(
        inode,
        FileIdentity {
            filesystem: 0,
            path: format!("/srv/{round}"),
            named: true,
            deleted: false,
            size: 1 << 15,
            links: 1,
            place: Place {
                path_in_fs: Some(format!("/{round}").into_bytes().into()),
                layer: Some(LayerId(u32::try_from(round).expect("small"))),
                root: 1,
                device: None,
                revision: round / 3,
            },
        },
    );
}

fn player(path: &Path) -> Player {
    Player::new(Reader::open(path).expect("it opens")).expect("it plays")
}

#[test]
fn a_recording_plays_as_it_was() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("r");
    let live = record(&path, 6, true);
    let mut player = player(&path);
    let outline = player.outline().clone();
    assert_eq!(outline.length, Duration::from_secs(3));
    assert_eq!(outline.begin, Duration::from_millis(500));
    let Ending::Whole(end) = outline.ending else {
        panic!("{:?}", outline.ending);
    };
    assert_eq!((end.exit_code, end.changes), (Some(3), outline.changes));
    player.go_to(Duration::from_mins(1)).expect("the end");
    assert_eq!(player.deviations(), 0);
    let shown = player.moment();
    assert_eq!(shown.measurement.index.totals(), live.index.totals());
    assert_eq!(shown.measurement.identity, live.identity);
    assert_eq!(shown.distributions.hash_ns.len(), 6);
    assert_eq!(shown.hook_costs[0].1.len(), 6);
    assert_eq!(shown.counters[0], ("pages hashed".to_owned(), 3_000));
    assert!(!player.step().expect("readable"), "there is no more");
}

#[test]
fn memory_is_kept_from_the_beginning_and_from_the_end() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("r");
    let mut measurement = measurement();
    measurement.identity.layers.containers = vec![Container {
        id: "f00d".to_owned(),
        name: None,
        runtime: Runtime::Podman,
        image: None,
        image_name: None,
        pod: None,
        layers: Vec::new(),
    }];
    let distributions = Distributions::empty();
    let header = Header::new(&measurement, Host::read(), Vec::new(), Vec::new());
    let mut recorder = Recorder::create(&path, &header).expect("a file");
    for round in 0..4 {
        let now = moment(&measurement, &distributions, round * 500);
        recorder.moment(&now).expect("written");
        recorder.memory(memory(round));
    }
    let last = moment(&measurement, &distributions, 2_000);
    recorder.end(&last, None).expect("ended");
    let mut player = player(&path);
    assert_eq!(player.outline().memory, [memory(0), memory(3)]);
    player.go_to(Duration::from_secs(1)).expect("readable");
    let of_container = |player: &Player| {
        let memory = &player.moment().measurement.identity.memory;
        memory.get(&ContainerId(0)).map(|stat| stat.anon)
    };
    assert_eq!(of_container(&player), Some(Bytes(1)));
    player.go_to(Duration::MAX).expect("readable");
    assert_eq!(of_container(&player), Some(Bytes(3)));
}

#[test]
fn going_back_shows_what_was_then() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("r");
    record(&path, 6, true);
    let mut player = player(&path);
    let mut then = Vec::new();
    for ms in [0, 500, 1_200, 2_999] {
        player.go_to(Duration::from_millis(ms)).expect("readable");
        then.push((
            ms,
            player.position(),
            player.moment().measurement.index.totals(),
        ));
    }
    assert_eq!(then[2].1, Duration::from_secs(1));
    for (ms, position, totals) in then.into_iter().rev() {
        player.go_to(Duration::from_millis(ms)).expect("readable");
        assert_eq!(player.position(), position);
        assert_eq!(player.moment().measurement.index.totals(), totals);
    }
    assert_eq!(player.deviations(), 0);
}

#[test]
fn a_recording_that_was_not_ended_says_so() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("r");
    let live = record(&path, 4, false);
    let mut player = player(&path);
    assert!(matches!(&player.outline().ending, Ending::Cut(how) if how.contains("nothing")));
    player.go_to(Duration::MAX).expect("readable");
    assert_eq!(
        player.moment().measurement.index.totals(),
        live.index.totals()
    );
    let notes = &player.moment().measurement.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the recording was cut")),
        "{notes:?}"
    );
}

#[test]
fn an_event_takes_less_than_twenty_bytes() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("r");
    let mut measurement = measurement();
    let header = Header::new(&measurement, Host::read(), Vec::new(), Vec::new());
    let before = Recorder::create(&path, &header).expect("a file");
    let base = fs::metadata(&path).expect("it is there").len();
    let mut recorder = before;
    measurement.index.keep_journal(recorder.journal());
    let keys: Vec<_> = (0..500)
        .map(|ino| InodeKey {
            address: 0xffff_8880_0000_0000 + ino * 0x5a8,
            dev: Dev::new(254, 1),
            ino: 1_000_000 + ino * 3,
            generation: u32::try_from(ino * 7919).expect("small"),
            subvolume: 0,
        })
        .collect();
    let inodes: Vec<_> = keys
        .iter()
        .map(|key| measurement.index.intern(*key, true))
        .collect();
    let mut random = 1_u64;
    let events = 20_000;
    for event in 0..events {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let inode = inodes[usize::try_from(random >> 33).expect("small") % inodes.len()];
        let page = PageIndex((random >> 20) % 4_000);
        let now = u32::try_from(event / 10).expect("small");
        // What one page costs: it comes, is hashed with random content, and goes.
        match event % 3 {
            0 => measurement.index.add(inode, page, 1, now),
            1 => {
                measurement
                    .index
                    .claim(inode, PageIndex(0), 4_000, &mut |_| {});
                let seen = [Observation::Hashed(ContentHash(random))];
                measurement.index.observe_run(inode, page, &seen);
            }
            _ => measurement.index.remove(inode, page, 1, now, &mut |_| {}),
        }
    }
    let distributions = Distributions::empty();
    recorder
        .moment(&moment(&measurement, &distributions, 2_000))
        .expect("written");
    let bytes = fs::metadata(&path).expect("it is there").len() - base;
    let each = bytes / u64::from(u32::try_from(events).expect("small"));
    println!("{bytes} bytes for {events} events");
    assert!(each < 20, "{each} bytes an event");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_cut_or_broken_file_plays_to_its_last_whole_block(
        at in any::<prop::sample::Index>(),
        flip in any::<bool>(),
    ) {
        let directory = tempdir().expect("a directory");
        let path = directory.path().join("r");
        record(&path, 5, true);
        let mut bytes = fs::read(&path).expect("readable");
        let whole = player(&path).outline().changes;
        let at = at.index(bytes.len());
        if flip {
            bytes[at] ^= 0x55;
        } else {
            bytes.truncate(at);
        }
        fs::File::create(&path).expect("a file").write_all(&bytes).expect("written");
        // Opens, or says that it is no recording; what opens plays without deviation.
        if let Ok(mut player) = Reader::open(&path).and_then(Player::new) {
            let cut = matches!(player.outline().ending, Ending::Cut(_));
            prop_assert!(cut, "{:?}", player.outline().ending);
            prop_assert!(player.outline().changes <= whole);
            player.go_to(Duration::MAX).expect("whole blocks play");
            prop_assert_eq!(player.deviations(), 0);
        }
    }
}

#[test]
fn a_failed_write_is_told_once_and_what_was_before_plays() {
    /// Takes so many bytes and then has no room.
    struct Full(Vec<u8>, usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let room = self.1.saturating_sub(self.0.len()).min(bytes.len());
            if room == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(&bytes[..room]);
            Ok(room)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let measurement = measurement();
    let header = Header::new(&measurement, Host::read(), Vec::new(), Vec::new());
    let mut writer = writer::Writer::begin(Full(Vec::new(), 2_000), &header).expect("room");
    for _ in 0..50 {
        writer.put(&Record::Status(Box::default()));
        writer.put(&Record::Mark(Mark::Begin));
        writer.flush();
    }
    assert!(writer.take_failure().is_some());
    let bytes: &'static [u8] = writer.out().0.clone().leak();
    assert_eq!(bytes.len(), 2_000);
    let player = Player::new(Reader::of_bytes("full", bytes).expect("a header")).expect("plays");
    assert!(matches!(player.outline().ending, Ending::Cut(_)));
}
