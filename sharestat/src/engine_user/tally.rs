//! What a scan could not see or could not avoid, counted by all its threads and turned
//! into sentences at the end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts of one scan.
#[derive(Default)]
pub(super) struct Tally {
    /// Files that could not be opened, mapped or looked at.
    pub(super) unreadable_files: AtomicU64,
    /// Directories that could not be opened or listed.
    pub(super) unreadable_directories: AtomicU64,
    /// Pages that this scan read from storage: they left the cache between the look and
    /// the copy.
    pub(super) faulted: AtomicU64,
    /// A mount could not be cloned: what lies below its mount points was not seen.
    pub(super) not_cloned: AtomicBool,
    /// Neither cachestat nor page flags told which pages are dirty.
    pub(super) dirty_unknown: AtomicBool,
    /// Page flags were not available, so that a locked page cannot be told.
    pub(super) locked_unknown: AtomicBool,
}

/// What a scan does not see by its nature.
const LIMITS: &str = "the user engine sees files that have a path in this mount namespace: pages of deleted files, of block devices and of other namespaces were not measured, and it cannot tell which memory cgroups pages are charged to";

impl Tally {
    /// Whether files that belong to the scope were left out.
    pub(super) fn left_out(&self) -> bool {
        let any = |count: &AtomicU64| count.load(Ordering::Relaxed) > 0;
        any(&self.unreadable_files) || any(&self.unreadable_directories)
    }

    /// The sentences, most important first. `release` is the kernel's (`6.1.0-29-amd64`).
    pub(super) fn notes(&self, release: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let (files, directories) = (
            self.unreadable_files.load(Ordering::Relaxed),
            self.unreadable_directories.load(Ordering::Relaxed),
        );
        if files + directories > 0 {
            notes.push(format!(
                "unreadable: {files} files and {directories} directories could not be opened or looked at, and are not part of the result"
            ));
        }
        if self.dirty_unknown.load(Ordering::Relaxed) {
            notes.push(
                "dirty pages could not be told apart and were hashed like clean ones: that needs root, or Linux 6.5 and files of your own".to_owned(),
            );
        } else if self.locked_unknown.load(Ordering::Relaxed) {
            notes.push(
                "a page that was being written during the scan may have been hashed half-written: telling needs root and /proc/kpageflags".to_owned(),
            );
        }
        if self.not_cloned.load(Ordering::Relaxed) {
            notes.push("files hidden below mount points were not seen: that needs root".to_owned());
        }
        let faulted = self.faulted.load(Ordering::Relaxed);
        if faulted > 0 {
            notes.push(format!(
                "{faulted} pages left the cache while they were looked at, and this scan read them from storage again"
            ));
        }
        if before_6_12(release) {
            notes.push(format!(
                "on this kernel ({release}) looking at a page marks it as referenced, so that reclaim may keep it longer: Linux 6.12 and later leave it as it was"
            ));
        }
        notes.push(LIMITS.to_owned());
        notes
    }
}

/// Whether unmapping a page that was read through a `MADV_RANDOM` mapping marks it as
/// accessed (`zap_present_folio_ptes` without `vma_has_recency`, mm/memory.c).
pub(super) fn before_6_12(release: &str) -> bool {
    let mut numbers = release
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version < (6, 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(before_6_12("6.1.0-29-amd64"));
        assert!(before_6_12("5.15.200"));
        assert!(!before_6_12("6.12.107+deb13"));
        assert!(!before_6_12("7.2"));
    }

    #[test]
    fn what_happened_is_said_and_what_did_not_is_not() {
        let tally = Tally::default();
        assert_eq!(tally.notes("7.2.0"), [LIMITS]);
        assert!(!tally.left_out());
        tally.unreadable_files.store(3, Ordering::Relaxed);
        assert!(tally.left_out());
        assert!(tally.notes("6.1.0")[0].starts_with("unreadable: 3 files"));
        assert!(
            tally
                .notes("6.1.0")
                .iter()
                .any(|note| note.contains("referenced"))
        );
    }
}
