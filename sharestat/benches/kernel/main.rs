//! How fast the programs that run on request work, beside what one core can do at all:
//! copying the same pages. Prints one line per figure: its name, its values.
//!
//! Needs root. `cargo xtask bench` runs this and sets the figures in a table.

mod clock;
mod fixture;
mod ram;

use std::{error::Error, hint::black_box, sync::Barrier, thread};

use sharestat::kernel::bench_support::Bench;
use sharestat_ebpf::records::{HASH_BATCH_PAGES, HashRequest, page_status};

use self::{
    clock::{on_processor, quietly, undisturbed},
    fixture::{Fixture, Folios},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Pages of the file: far more than any cache of a processor holds.
const PAGES: usize = 65_536;
/// Times that everything is measured, one kind after the other.
const ROUNDS: usize = 9;

fn main() -> Result<()> {
    let bench = Bench::start(2)?;
    let only = std::env::args()
        .nth(1)
        .filter(|word| !word.starts_with('-'));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    for folios in [Folios::Large, Folios::Single] {
        if !wanted(folios.name()) {
            continue;
        }
        let fixture = Fixture::new(PAGES, folios)?;
        let batches = fixture.batches(&bench)?;
        quietly(|| compare_with_copying(&bench, &fixture, &batches, folios.name()))?;
        if matches!(folios, Folios::Large) {
            compare_workers(&bench, &fixture, &batches)?;
        }
    }
    if wanted("walk") {
        quietly(|| walk_other_frames(&bench))?;
    }
    Ok(())
}

/// Nanoseconds per page: hashed by one worker, copied from where they lie, and copied
/// over and over from the nearest cache.
fn compare_with_copying(
    bench: &Bench,
    fixture: &Fixture,
    batches: &[Vec<HashRequest>],
    name: &str,
) -> Result<()> {
    let mut scratch = vec![0_u8; 4096];
    let (first, _) = fixture.bytes().split_at(4096);
    for _ in 0..ROUNDS {
        let before = on_processor();
        let hashed = hash_all(bench, 0, batches)?;
        let hashing = on_processor() - before;
        let before = on_processor();
        copy_all(fixture.bytes());
        let copying = on_processor() - before;
        let before = on_processor();
        for _ in 0..PAGES {
            scratch.copy_from_slice(black_box(first));
            black_box(&scratch);
        }
        let cached = on_processor() - before;
        let pages = PAGES as u64;
        println!(
            "hash {name} {} {} {}",
            hashing / hashed.max(1),
            copying / pages,
            cached / pages
        );
    }
    Ok(())
}

/// Pages per second of one worker, and of two that share the work; and the same for
/// copying, which shows what two processors of this machine can do at all.
fn compare_workers(bench: &Bench, fixture: &Fixture, batches: &[Vec<HashRequest>]) -> Result<()> {
    let (left, right) = batches.split_at(batches.len() / 2);
    let (low, high) = fixture.bytes().split_at(PAGES / 2 * 4096);
    let hash = |worker, share: &[Vec<HashRequest>]| hash_all(bench, worker, share);
    let copy = |_, share: &[u8]| Ok(copy_all(share));
    for _ in 0..ROUNDS {
        println!(
            "workers {} {} {} {}",
            run_workers(&[batches], hash)?,
            run_workers(&[left, right], hash)?,
            run_workers(&[fixture.bytes()], copy)?,
            run_workers(&[low, high], copy)?,
        );
    }
    Ok(())
}

/// Pages per second that one thread a share gets done with `work`.
fn run_workers<S: ?Sized + Sync>(
    shares: &[&S],
    work: impl Fn(u32, &S) -> Result<u64> + Sync,
) -> Result<u64> {
    let start = Barrier::new(shares.len());
    let times: Vec<Result<(u64, u64, u64)>> = thread::scope(|scope| {
        let threads: Vec<_> = (0_u32..)
            .zip(shares)
            .map(|(worker, share)| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    undisturbed();
                    start.wait();
                    let begun = clock::now();
                    let pages = work(worker, share)?;
                    Ok((begun, clock::now(), pages))
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a worker panicked")?)
            .collect()
    });
    let times = times.into_iter().collect::<Result<Vec<_>>>()?;
    let begun = times.iter().map(|time| time.0).min().unwrap_or(0);
    let ended = times.iter().map(|time| time.1).max().unwrap_or(0);
    let pages: u64 = times.iter().map(|time| time.2).sum();
    Ok(pages * 1_000_000_000 / (ended - begun).max(1))
}

fn copy_all(bytes: &[u8]) -> u64 {
    let mut scratch = vec![0_u8; 4096];
    for page in bytes.chunks_exact(4096) {
        scratch.copy_from_slice(black_box(page));
        black_box(&scratch);
    }
    (bytes.len() / 4096) as u64
}

fn hash_all(bench: &Bench, worker: u32, batches: &[Vec<HashRequest>]) -> Result<u64> {
    let mut results = Vec::with_capacity(HASH_BATCH_PAGES);
    let mut hashed = 0;
    for batch in batches {
        results.clear();
        bench.hash(worker, batch, &mut results)?;
        let taken = |(status, _): &&(u8, u64)| *status == page_status::HASHED;
        hashed += results.iter().filter(taken).count() as u64;
    }
    Ok(hashed)
}

/// Frames per second where none is page cache: blocks of memory in which a walk finds
/// nothing.
fn walk_other_frames(bench: &Bench) -> Result<()> {
    let mut blocks = Vec::new();
    for (first, end) in ram::blocks()? {
        let mut found = 0;
        bench.walk(0, first, end, &mut |records| found += records.len())?;
        if found == 0 {
            blocks.push((first, end));
        }
    }
    for _ in 0..ROUNDS {
        let before = on_processor();
        let mut frames = 0;
        for &(first, end) in &blocks {
            bench.walk(0, first, end, &mut |_| {})?;
            frames += end - first;
        }
        let spent = on_processor() - before;
        if frames == 0 {
            break;
        }
        println!("walk {} {frames}", frames * 1_000_000_000 / spent.max(1));
    }
    Ok(())
}
