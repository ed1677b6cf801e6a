//! Feeds the parsers of this folder: see [`crate::fuzzing`].

use super::{
    Player, RecordingError, block,
    header::{Header, MAGIC, SCHEMA},
    reader::Reader,
};
use crate::{
    model::{measurement::Engine, units::ContentHash},
    report::{Host, Report},
};

/// Moments of one recording that are played.
const MOMENTS: usize = 64;

/// A whole file, played to its end and back.
pub(crate) fn recording(input: &[u8]) -> bool {
    play(input.to_vec()).is_ok()
}

/// The records of one block. Their checksum and packing stop whatever is changed in a
/// file, so the file is made here.
pub(crate) fn records(input: &[u8]) -> bool {
    file_of(input).is_some_and(|file| play(file).is_ok())
}

fn play(file: Vec<u8>) -> Result<(), RecordingError> {
    let mut player = Player::new(Reader::in_memory("the input", file)?)?;
    for _ in 0..MOMENTS {
        if !player.step()? {
            break;
        }
        let moment = player.moment();
        let _ = moment.measurement.index.totals();
        let _ = (player.deviations(), player.moment_before());
    }
    let measurement = player.moment().measurement;
    let _ = Report::new(measurement, &player.header().host, 0);
    player.go_to(player.outline().begin)
}

/// A recording of a machine of 16 MiB with these records.
fn file_of(records: &[u8]) -> Option<Vec<u8>> {
    let header = Header {
        schema: SCHEMA.to_owned(),
        version: String::new(),
        host: Host {
            name: String::new(),
            kernel: String::new(),
            arch: String::new(),
            cpus: 1,
            memory_bytes: 16 << 20,
            btf_id: None,
        },
        engine: Engine::Bpf,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        seed_id: String::new(),
        zero: ContentHash(0),
        hooks: Vec::new(),
        notes: Vec::new(),
        counters: Vec::new(),
        command: Vec::new(),
    };
    let mut file = MAGIC.to_vec();
    block::write(&mut file, 0, &serde_json::to_vec(&header).ok()?).ok()?;
    block::write(&mut file, 1, records).ok()?;
    Some(file)
}

/// A short recording.
#[cfg(test)]
pub(crate) fn sample() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.ssr");
    super::tests::record(&path, 4, true);
    std::fs::read(path).expect("it was written")
}

/// The records of a short recording.
#[cfg(test)]
pub(crate) fn sample_records() -> Vec<u8> {
    let file = sample();
    let mut from = &file[MAGIC.len()..];
    let mut records = Vec::new();
    for number in 0.. {
        match block::read(&mut from, number).expect("memory") {
            block::Next::Block(block) if number > 0 => records.extend(block),
            block::Next::Block(_) => {}
            block::Next::End | block::Next::Broken(_) => break,
        }
    }
    records
}
