//! How often a page fault found the folio's mapping to be that of the vma's file: the
//! question of 2019 itself. In: the counts of a kprobe. Out: rows of the document.

use std::{collections::BTreeMap, path::Path};

use sharestat_ebpf::records::{FaultKey, fault_flags};

use super::{
    document::{FaultRow, ProbeRow},
    symbols::LiveSymbols,
};
use crate::{
    identity::escape::printable,
    kernel::{
        Error,
        faults::{FUNCTIONS, FaultProbe},
    },
};

/// Counts by what faults have in common.
pub type Counts = BTreeMap<FaultKey, u64>;

/// The probe, or why there is none.
pub struct Faults {
    probe: Result<FaultProbe, String>,
    function: &'static str,
}

impl Faults {
    /// Sets the probe, where the kernel has kprobes and the function.
    #[must_use]
    pub fn start(symbols: &LiveSymbols, process: Option<u32>) -> Self {
        let found = FUNCTIONS.into_iter().find_map(|function| {
            let symbol = symbols
                .all()
                .iter()
                .find(|symbol| &*symbol.name == function)?;
            Some((function, symbol.address))
        });
        let (function, probe) = match found {
            Some((function, address)) => {
                let probe = FaultProbe::start(address, process).map_err(|error| error.to_string());
                (function, probe)
            }
            None => (
                FUNCTIONS[0],
                Err("this kernel has no such function".to_owned()),
            ),
        };
        Self { probe, function }
    }

    /// What was counted so far; nothing without a probe.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counts(&self) -> Result<Counts, Error> {
        match &self.probe {
            Ok(probe) => probe.counts(),
            Err(_) => Ok(Counts::new()),
        }
    }

    /// The probe as a row.
    #[must_use]
    pub fn row(&self) -> ProbeRow {
        ProbeRow {
            name: format!("kprobe at {} (page faults)", self.function),
            set: self.probe.is_ok(),
            note: self.probe.as_ref().err().cloned().unwrap_or_default(),
        }
    }
}

/// What `after` counted beyond `before`.
#[must_use]
pub fn since(before: &Counts, after: &Counts) -> Counts {
    after
        .iter()
        .map(|(key, count)| (*key, count - before.get(key).unwrap_or(&0).min(count)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// One row per filesystem of the folios; `of` names what was mapped, where it is known.
#[must_use]
pub fn rows(counts: &Counts, of: Option<&str>) -> Vec<FaultRow> {
    let mut rows: BTreeMap<String, FaultRow> = BTreeMap::new();
    for (key, count) in counts {
        let name = name_of(&key.filesystem);
        let row = rows.entry(name.clone()).or_insert_with(|| FaultRow {
            of: of.map(str::to_owned),
            filesystem: name,
            ..FaultRow::default()
        });
        if key.flags & fault_flags::NO_FILE != 0 {
            row.copies += count;
            continue;
        }
        row.faults += count;
        row.same_mapping += count * u64::from(key.flags & fault_flags::SAME_MAPPING != 0);
        row.same_inode += count * u64::from(key.flags & fault_flags::SAME_INODE != 0);
    }
    rows.into_values().collect()
}

fn name_of(bytes: &[u8; 16]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(16);
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).into_owned()
}

/// A path with the type of the filesystem that it is on, as mounted.
#[must_use]
pub fn described(path: &Path) -> String {
    let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mounts = procfs::process::Process::myself().and_then(|process| process.mountinfo());
    let kind = mounts.ok().and_then(|mounts| {
        mounts
            .0
            .into_iter()
            .filter(|mount| canonical.starts_with(&mount.mount_point))
            // Of several at one place the last covers the others.
            .max_by_key(|mount| mount.mount_point.components().count())
            .map(|mount| mount.fs_type)
    });
    match kind {
        Some(kind) => format!("{} ({kind})", printable(path)),
        None => printable(path).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, flags: u32) -> FaultKey {
        let mut key = FaultKey {
            flags,
            ..FaultKey::default()
        };
        key.filesystem[..name.len()].copy_from_slice(name.as_bytes());
        key
    }

    #[test]
    fn faults_are_summed_by_filesystem_and_copies_counted_apart() {
        let both = fault_flags::SAME_MAPPING | fault_flags::SAME_INODE;
        let before = Counts::from([(key("ext4", both), 5)]);
        let after = Counts::from([
            (key("ext4", both), 15),
            (key("ext4", fault_flags::NO_FILE), 3),
            (key("bdev", fault_flags::SAME_MAPPING), 2),
        ]);
        let rows = rows(&since(&before, &after), Some("here"));
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.filesystem.as_str(),
                    row.faults,
                    row.same_mapping,
                    row.same_inode,
                    row.copies,
                )
            })
            .collect();
        assert_eq!(told, [("bdev", 2, 2, 0, 0), ("ext4", 10, 10, 10, 3)]);
    }

    #[test]
    fn a_path_is_named_with_its_filesystem() {
        let told = described(Path::new("/proc/self"));
        assert!(told.ends_with("(proc)"), "{told}");
    }
}
