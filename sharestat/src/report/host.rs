//! The host that was measured: name, kernel, processors, memory, and what identifies
//! the kernel's type information.

use std::{fs, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::btf::kernel_digest;

/// Where a measurement was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Kernel release.
    pub kernel: String,
    /// Machine architecture as the kernel names it.
    pub arch: String,
    /// Processors online.
    pub cpus: u32,
    /// Memory that the kernel manages.
    pub memory_bytes: u64,
    /// Equal for equal kernels: hash of the kernel's BTF, else its build id; null when
    /// neither can be read.
    pub btf_id: Option<String>,
}

impl Host {
    /// Reads the particulars of the running host. What cannot be read is left empty,
    /// because a report without a host name is still a report.
    #[must_use]
    pub fn read() -> Self {
        let uname = rustix::system::uname();
        let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
        let memory = rustix::system::sysinfo();
        Self {
            name: text(uname.nodename()),
            kernel: text(uname.release()),
            arch: text(uname.machine()),
            cpus: cpus_online(Path::new("/sys/devices/system/cpu/online")),
            memory_bytes: widen(memory.totalram).saturating_mul(u64::from(memory.mem_unit)),
            btf_id: btf_id(kernel_digest(), Path::new("/sys/kernel/notes")),
        }
    }
}

/// The field is as wide as the machine's `unsigned long`.
fn widen(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

/// Counts a list such as `0-3,5`; without it, the processors that this process may use.
fn cpus_online(list: &Path) -> u32 {
    let listed = fs::read_to_string(list)
        .ok()
        .and_then(|text| count_list(text.trim()));
    listed.unwrap_or_else(|| {
        let usable = std::thread::available_parallelism().map_or(1, usize::from);
        u32::try_from(usable).unwrap_or(u32::MAX)
    })
}

pub(crate) fn count_list(ranges: &str) -> Option<u32> {
    ranges.split(',').try_fold(0_u32, |count, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        count.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

fn btf_id(btf: Option<u64>, notes: &Path) -> Option<String> {
    if let Some(digest) = btf {
        return Some(format!("btf:{digest:016x}"));
    }
    Some(format!("build-id:{}", build_id_text(notes)?))
}

/// GNU build id of the running kernel in hexadecimal, where it has one.
pub(crate) fn running_build_id() -> Option<String> {
    build_id_text(Path::new("/sys/kernel/notes"))
}

fn build_id_text(notes: &Path) -> Option<String> {
    let notes = fs::read(notes).ok()?;
    let digits = build_id(&notes)?.iter().flat_map(|byte| {
        [byte >> 4, byte & 0xf].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
    });
    Some(digits.collect())
}

/// The descriptor of the note `GNU`, type 3 (`NT_GNU_BUILD_ID`, elf.h), in ELF notes:
/// three words (name size, descriptor size, type), name and descriptor, each padded to 4.
pub(crate) fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let (header, rest) = notes.split_first_chunk::<12>()?;
        let word = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_ne_bytes(bytes)
        };
        let (name_size, size) = (word(0) as usize, word(4) as usize);
        let name = rest.get(..name_size)?;
        let rest = rest.get(name_size.next_multiple_of(4)..)?;
        let descriptor = rest.get(..size)?;
        if name == b"GNU\0" && word(8) == NT_GNU_BUILD_ID {
            return Some(descriptor);
        }
        notes = rest.get(size.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_lists_are_counted() {
        assert_eq!(count_list("0-3,5"), Some(5));
        assert_eq!(count_list("0"), Some(1));
        assert_eq!(count_list("3-1"), None);
        assert_eq!(count_list(""), None);
    }

    fn note(name: &[u8], kind: u32, descriptor: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [name.len(), descriptor.len()] {
            note.extend(u32::try_from(word).expect("short").to_ne_bytes());
        }
        note.extend(kind.to_ne_bytes());
        for part in [name, descriptor] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let mut notes = note(b"Xen\0", 3, b"abcde");
        notes.extend(note(b"GNU\0", 1, b"x"));
        notes.extend(note(b"GNU\0", 3, &[0xab, 0xcd]));
        assert_eq!(build_id(&notes), Some(&[0xab, 0xcd][..]));
        assert_eq!(build_id(&notes[..notes.len() - 4]), None);
        assert_eq!(build_id(&[0xff; 40]), None);
    }

    #[test]
    fn the_kernel_is_identified_by_its_btf_else_its_build_id() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let notes = directory.path().join("notes");
        assert_eq!(btf_id(None, &notes), None);
        fs::write(&notes, note(b"GNU\0", 3, &[1, 2])).expect("written");
        assert_eq!(btf_id(None, &notes).as_deref(), Some("build-id:0102"));
        let id = btf_id(Some(0xab), &notes);
        assert_eq!(id.as_deref(), Some("btf:00000000000000ab"));
    }

    #[test]
    fn this_host_has_memory_and_processors() {
        let host = Host::read();
        assert!(host.memory_bytes > 1 << 20);
        assert!(host.cpus >= 1);
        assert!(!host.kernel.is_empty());
    }
}
