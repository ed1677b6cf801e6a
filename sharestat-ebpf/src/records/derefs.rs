//! What the programs of `derefs` and user space exchange: accesses to watched words,
//! counts at traced instructions, and counts of page faults.

use crate::PAGE_SIZE;

/// Most frames of a kernel stack that a watchpoint records.
pub const STACK_FRAMES: usize = 40;

/// Bytes of kernel text one run of the text program copies.
pub const TEXT_BYTES: usize = PAGE_SIZE;

/// What the watched word said when it was accessed.
pub mod mapping_state {
    /// Null.
    pub const NONE: u8 = 0;
    /// The mapping of an inode, validated by `host->i_data`.
    pub const FILE: u8 = 1;
    /// Tag bits: anonymous, movable or KSM.
    pub const TAGGED: u8 = 2;
    /// Something else: swap cache, a page of another kind, a stale value.
    pub const OTHER: u8 = 3;
}

/// One access to a watched `folio->mapping`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchHit {
    /// `CLOCK_MONOTONIC`, ns.
    pub time_ns: u64,
    /// Instruction pointer as reported: behind the access.
    pub ip: u64,
    /// Address that was watched.
    pub watched: u64,
    /// Value of the word behind the access.
    pub mapping: u64,
    /// `folio->index`.
    pub index: u64,
    /// `i_ino` of the mapping's inode, 0 unless [`mapping_state::FILE`].
    pub ino: u64,
    /// `s_dev` of it, kernel encoding.
    pub dev: u32,
    /// `i_mmap_writable` of the mapping: above 0 when writably mapped somewhere.
    pub writers: i32,
    /// Bits of [`frame_flags`](super::frame_flags).
    pub flags: u16,
    /// Folio order.
    pub order: u8,
    /// One of [`mapping_state`].
    pub state: u8,
    /// Bytes of `stack` in use.
    pub stack_bytes: u32,
    /// Process.
    pub process: u32,
    /// CPU.
    pub cpu: u32,
    /// `task_struct.flags`.
    pub task_flags: u64,
    /// Name of the task, zero-terminated.
    pub command: [u8; 16],
    /// Kernel stack, innermost first.
    pub stack: [u64; STACK_FRAMES],
}

const _: () = assert!(size_of::<WatchHit>() == 96 + 8 * STACK_FRAMES);

/// Where a traced instruction has its folio.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TracedPlace {
    /// Position of the base register in `struct pt_regs`, in words.
    pub register: u32,
    /// What to add to it to get the folio.
    pub displacement: i32,
}

/// What was counted at a traced instruction, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TracedSite {
    /// How often it ran.
    pub hits: u64,
    /// How often with a folio of a file, on the filesystem asked for.
    pub files: u64,
    /// How often with an uptodate, clean folio of a file that nobody maps for writing.
    pub shareable: u64,
}

/// Most different [`FaultKey`]s.
pub const FAULT_KINDS: u32 = 256;

/// Bits of [`FaultKey::flags`].
pub mod fault_flags {
    /// `vma->vm_file->f_mapping == folio->mapping`.
    pub const SAME_MAPPING: u32 = 1;
    /// `vma->vm_file->f_inode == folio->mapping->host`.
    pub const SAME_INODE: u32 = 2;
    /// The folio is of no file: a private copy.
    pub const NO_FILE: u32 = 4;
}

/// What page faults that mapped a page have in common.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultKey {
    /// `s_type->name` of the folio's filesystem, of the vma's where the folio is of no
    /// file, zero-terminated.
    pub filesystem: [u8; 16],
    /// Bits of [`fault_flags`].
    pub flags: u32,
    /// Zero.
    pub padding: u32,
}

const _: () = assert!(size_of::<FaultKey>() == 24);
