//! `derefs exercise`: does to the pages of its own files what a system does to pages, one
//! step after the other, and watches them meanwhile. Says which steps it could not do.

mod mapping;
mod on_files;
mod on_given;
mod on_machine;
mod on_memory;
mod stage;

use std::path::{Path, PathBuf};

use stage::{Stage, Stop};

use super::{
    LiveError,
    document::{FaultRow, StepRow},
    faults::{Counts, Faults, described, rows as fault_rows, since},
    watch::Session,
};

/// A step: its name, what it does, and the doing.
type Step = (
    &'static str,
    &'static str,
    fn(&mut Stage<'_>) -> Result<(), Stop>,
);

/// All steps, in the order in which they are done.
const STEPS: &[Step] = &[
    ("read", "read(2) of cached pages", on_files::read),
    (
        "read-again",
        "dropped and read again into the same frames",
        on_files::read_again,
    ),
    (
        "readahead",
        "dropped, POSIX_FADV_WILLNEED, read",
        on_files::readahead,
    ),
    (
        "map-read",
        "mapped shared, read faults, unmapped",
        on_memory::map_read,
    ),
    (
        "map-execute",
        "mapped private and executable, read faults, unmapped",
        on_memory::map_execute,
    ),
    (
        "copy-on-write",
        "mapped private, read and write faults",
        on_memory::copy_on_write,
    ),
    (
        "map-write",
        "mapped shared, write faults, msync",
        on_memory::map_write,
    ),
    ("write", "write(2) and fsync", on_files::write),
    (
        "writeback",
        "write(2) and sync_file_range",
        on_files::writeback,
    ),
    ("fork", "fork with a private mapping", on_memory::fork),
    ("mlock", "mlock and munlock", on_memory::lock),
    ("cold", "MADV_COLD", on_memory::cold),
    ("pageout", "MADV_PAGEOUT of a mapping", on_memory::pageout),
    (
        "memcg-reclaim",
        "memory.reclaim of a control group",
        on_machine::memcg_reclaim,
    ),
    (
        "collapse",
        "MADV_COLLAPSE into huge pages",
        on_memory::collapse,
    ),
    ("splice", "splice to a pipe and read", on_files::splice),
    (
        "vmsplice",
        "vmsplice of a mapping into a pipe",
        on_memory::map_direct,
    ),
    (
        "direct-over-cache",
        "O_DIRECT write over cached pages",
        on_files::direct_over_cache,
    ),
    (
        "direct-from-mapping",
        "O_DIRECT write from a mapping",
        on_files::direct_from_mapping,
    ),
    (
        "direct-into-mapping",
        "O_DIRECT read into a shared mapping",
        on_files::direct_into_mapping,
    ),
    (
        "foreign-read",
        "process_vm_readv of a mapping",
        on_memory::foreign_read,
    ),
    ("futex", "FUTEX_WAKE in a shared mapping", on_memory::futex),
    (
        "smaps",
        "reading /proc/self/smaps and numa_maps",
        on_memory::statistics,
    ),
    (
        "page-idle",
        "page idle tracking of mapped pages",
        on_machine::idle_tracking,
    ),
    (
        "migrate",
        "move_pages between memory nodes",
        on_memory::migrate,
    ),
    ("dontneed", "POSIX_FADV_DONTNEED", on_files::forget),
    (
        "dontneed-written",
        "POSIX_FADV_DONTNEED of pages that were written",
        on_files::forget_written,
    ),
    (
        "drop-caches",
        "/proc/sys/vm/drop_caches",
        on_machine::drop_caches,
    ),
    (
        "compact",
        "/proc/sys/vm/compact_memory",
        on_machine::compact,
    ),
    (
        "soft-offline",
        "MADV_SOFT_OFFLINE of mapped pages",
        on_memory::soft_offline,
    ),
    ("truncate", "truncated while mapped", on_files::truncate),
    ("punch-hole", "FALLOC_FL_PUNCH_HOLE", on_files::punch_hole),
    ("unlink", "removed while cached", on_files::unlink),
];

/// How to exercise.
#[derive(Clone, Copy, Debug)]
pub struct ExerciseOptions {
    /// How often each step is done.
    pub rounds: u32,
    /// Whether steps may disturb the whole machine.
    pub disruptive: bool,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Exercised {
    /// Steps, in order, without hits.
    pub steps: Vec<StepRow>,
    /// Faults of the files that were given to map.
    pub faults: Vec<FaultRow>,
    /// All that was counted for those.
    pub of_given: Counts,
}

/// Does the steps in a new directory below `directory`, watched by `session` when there
/// is one, then maps what is in `given`; stops between steps when `stopped` says so.
///
/// # Errors
/// When the directory cannot be made, or watching fails; a step that cannot be done is a
/// row that says so.
pub fn exercise(
    session: Option<&mut Session>,
    directory: &Path,
    options: ExerciseOptions,
    given: &[PathBuf],
    faults: Option<&Faults>,
    stopped: &dyn Fn() -> bool,
) -> Result<Exercised, LiveError> {
    let place = tempfile_in(directory)?;
    let mut rows = Vec::new();
    let mut stage = Stage::new(session, &place, options.disruptive);
    let mut failed = None;
    for (number, (name, about, deed)) in STEPS.iter().enumerate() {
        stage.begin(number);
        let mut outcome = if stopped() {
            Err(Stop::Cannot("interrupted".to_owned()))
        } else {
            Ok(())
        };
        for _ in 0..options.rounds {
            outcome = outcome.and_then(|()| deed(&mut stage));
        }
        rows.push(StepRow {
            name: (*name).to_owned(),
            ran: outcome.is_ok(),
            note: match &outcome {
                Ok(()) => (*about).to_owned(),
                Err(stop) => format!("{about}; {stop}"),
            },
            hits: 0,
            sites: 0,
        });
        if let Err(Stop::Kernel(error)) = outcome {
            failed = Some(error);
            break;
        }
    }
    let mut done = Exercised::default();
    for path in given {
        if failed.is_some() || stopped() {
            break;
        }
        stage.begin(rows.len());
        let name = described(path);
        let counted = || faults.map_or_else(|| Ok(Counts::new()), Faults::counts);
        let before = counted()?;
        let outcome = on_given::map(&mut stage, path);
        let counts = since(&before, &counted()?);
        done.faults.extend(fault_rows(&counts, Some(&name)));
        for (key, count) in counts {
            *done.of_given.entry(key).or_default() += count;
        }
        rows.push(StepRow {
            name: format!("map {name}"),
            ran: outcome.is_ok(),
            note: match &outcome {
                Ok(files) => format!("{files} files mapped shared, read faults, unmapped"),
                Err(stop) => stop.to_string(),
            },
            hits: 0,
            sites: 0,
        });
        if let Err(Stop::Kernel(error)) = outcome {
            failed = Some(error);
        }
    }
    done.steps = rows;
    // Its files are ours; what cannot be removed is told by the system's cleaning.
    let _ = std::fs::remove_dir_all(&place);
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(done),
    }
}

fn tempfile_in(directory: &Path) -> Result<std::path::PathBuf, LiveError> {
    let place = directory.join(format!("sharestat-exercise-{}", std::process::id()));
    std::fs::create_dir(&place).map_err(|error| {
        LiveError::Workload(format!(
            "cannot make a directory for the workload in '{}': {error}; give another one with '--dir'",
            directory.display()
        ))
    })?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_runs_or_says_why_not_and_leaves_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = ExerciseOptions {
            rounds: 1,
            disruptive: false,
        };
        let given = tempfile::tempdir().expect("another");
        std::fs::write(given.path().join("file"), [7; 5000]).expect("a file");
        let given = [given.path().to_owned(), "/nowhere/at/all".into()];
        let done = exercise(None, directory.path(), options, &given, None, &|| false);
        let rows = done.expect("a workload").steps;
        assert_eq!(rows.len(), STEPS.len() + 2);
        let [mapped, missing] = &rows[STEPS.len()..] else {
            panic!("two rows were asked for");
        };
        assert!(
            mapped.ran && mapped.note.starts_with("1 files"),
            "{mapped:?}"
        );
        assert!(
            !missing.ran && missing.note.contains("No such file"),
            "{missing:?}"
        );
        let ran = |name: &str| rows.iter().any(|row| row.name == name && row.ran);
        for name in [
            "read",
            "map-read",
            "map-write",
            "fork",
            "dontneed",
            "truncate",
            "unlink",
        ] {
            assert!(ran(name), "{name}: {rows:?}");
        }
        let kept = rows
            .iter()
            .find(|row| row.name == "drop-caches")
            .expect("a row");
        assert!(!kept.ran && kept.note.contains("--disruptive"), "{kept:?}");
        assert_eq!(
            std::fs::read_dir(directory.path())
                .expect("it lists")
                .count(),
            0
        );
    }
}
