//! Which part of the kernel a function belongs to. Names say it for single filesystems
//! and tracing; for the rest the linker's order does, because the objects of one
//! directory are linked side by side. In: the symbols. Out: a [`Subsystem`] per function.

use std::collections::HashMap;

/// A part of the kernel.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Subsystem {
    /// Memory management, common to all filesystems (`mm/`).
    Mm,
    /// Filesystem code common to many (`fs/*.c`, `fs/iomap`, `fs/netfs`).
    FsCommon,
    /// One filesystem, or the journal it uses.
    Filesystem(String),
    /// The block layer.
    Block,
    /// Drivers.
    Driver,
    /// Generated code of tracepoints.
    Tracing,
    /// Everything else: core kernel, architecture, libraries, networking.
    Other,
}

impl Subsystem {
    /// Name in reports.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Mm => "mm".to_owned(),
            Self::FsCommon => "fs".to_owned(),
            Self::Filesystem(name) => format!("fs/{name}"),
            Self::Block => "block".to_owned(),
            Self::Driver => "driver".to_owned(),
            Self::Tracing => "tracing".to_owned(),
            Self::Other => "other".to_owned(),
        }
    }

    /// The subsystem of all code of a module: its name is that of its filesystem, where
    /// it is one.
    #[must_use]
    pub fn of_module(module: &str) -> Self {
        /// Modules that only serve filesystems; the others are taken for drivers.
        const MORE: &[&str] = &["overlay", "isofs", "vfat", "nfsv4", "ntfs3", "exfat"];
        if FILESYSTEMS.iter().any(|(_, name)| *name == module) || MORE.contains(&module) {
            Self::Filesystem(module.to_owned())
        } else {
            Self::Driver
        }
    }
}

/// Prefixes of the functions that the tracepoint macros generate.
const TRACING: &[&str] = &[
    "trace_event_raw_event_",
    "trace_event_get_offsets_",
    "trace_raw_output_",
    "perf_trace_",
    "__bpf_trace_",
    "__traceiter_",
    "do_trace_event_raw_event_",
    "do_perf_trace_",
];

/// Filesystems by the prefixes of their functions, where prefix and name differ.
const FILESYSTEMS: &[(&str, &str)] = &[
    ("ext4_", "ext4"),
    ("__ext4_", "ext4"),
    ("mpage_prepare_extent", "ext4"),
    ("mpage_process_", "ext4"),
    ("mpage_release_unused", "ext4"),
    ("mext_", "ext4"),
    ("jbd2_", "jbd2"),
    ("__jbd2_", "jbd2"),
    ("xfs_", "xfs"),
    ("btrfs_", "btrfs"),
    ("nfs_", "nfs"),
    ("nfs3_", "nfs"),
    ("nfs4_", "nfs"),
    ("fuse_", "fuse"),
    ("erofs_", "erofs"),
    ("z_erofs_", "erofs"),
    ("squashfs_", "squashfs"),
    ("ovl_", "overlayfs"),
    ("hugetlbfs_", "hugetlbfs"),
    ("f2fs_", "f2fs"),
    ("isofs_", "isofs"),
    ("fat_", "fat"),
    ("ecryptfs_", "ecryptfs"),
    ("aio_", "aio"),
];

/// Functions that every kernel has, and the directory they are in.
const ANCHORS: &[(&str, Directory)] = &[
    ("do_exit", Directory::Other),
    ("schedule", Directory::Other),
    ("futex_wait", Directory::Other),
    ("bpf_prog_load", Directory::Other),
    ("perf_event_alloc", Directory::Other),
    ("uprobe_register", Directory::Other),
    ("filemap_read", Directory::Mm),
    ("filemap_release_folio", Directory::Mm),
    ("mempool_alloc", Directory::Mm),
    ("mempool_alloc_noprof", Directory::Mm),
    ("balance_dirty_pages_ratelimited", Directory::Mm),
    ("truncate_inode_pages_range", Directory::Mm),
    ("kswapd", Directory::Mm),
    ("shmem_file_setup", Directory::Mm),
    ("get_user_pages_fast", Directory::Mm),
    ("handle_mm_fault", Directory::Mm),
    ("try_to_unmap", Directory::Mm),
    ("__alloc_pages", Directory::Mm),
    ("kmem_cache_create_usercopy", Directory::Mm),
    ("migrate_pages", Directory::Mm),
    ("hugetlb_fault", Directory::Mm),
    ("split_huge_pages_all", Directory::Mm),
    ("memory_failure", Directory::Mm),
    ("memfd_fcntl", Directory::Mm),
    ("page_idle_get_folio", Directory::Mm),
    ("vfs_open", Directory::Fs),
    ("vfs_read", Directory::Fs),
    ("do_dentry_open", Directory::Fs),
    ("mark_buffer_dirty", Directory::Fs),
    ("mpage_readahead", Directory::Fs),
    ("iomap_readahead", Directory::Fs),
    ("locks_remove_posix", Directory::Fs),
    ("proc_pid_status", Directory::Fs),
    ("kernfs_fop_read_iter", Directory::Fs),
    ("ext4_readahead", Directory::Fs),
    ("debugfs_create_file", Directory::Fs),
    ("ksys_shmget", Directory::Other),
    ("security_file_open", Directory::Other),
    ("crypto_alloc_base", Directory::Other),
    ("bdev_open", Directory::Block),
    ("blkdev_get_by_dev", Directory::Block),
    ("bio_alloc_bioset", Directory::Block),
    ("submit_bio", Directory::Block),
    ("blk_mq_submit_bio", Directory::Block),
    ("elevator_init_mq", Directory::Block),
    ("io_uring_setup", Directory::Other),
    ("io_submit_sqes", Directory::Other),
    ("sg_alloc_table", Directory::Other),
    ("iov_iter_advance", Directory::Other),
    ("zlib_inflate", Directory::Other),
    ("pci_read_config_byte", Directory::Driver),
    ("acpi_bus_scan", Directory::Driver),
    ("tty_open", Directory::Driver),
    ("device_add", Directory::Driver),
    ("scsi_add_host_with_dma", Directory::Driver),
    ("usb_submit_urb", Directory::Driver),
    ("cpufreq_register_driver", Directory::Driver),
    ("sock_sendmsg", Directory::Other),
    ("tcp_sendmsg", Directory::Other),
    ("unix_stream_sendmsg", Directory::Other),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directory {
    Mm,
    Fs,
    Block,
    Driver,
    Other,
}

/// Tells the subsystem of any function of one kernel.
pub struct Subsystems {
    anchors: Vec<(u64, Directory)>,
}

impl Subsystems {
    /// Looks up the anchors among `symbols`: addresses and names.
    #[must_use]
    pub fn new<'a>(symbols: impl Iterator<Item = (u64, &'a str)>) -> Self {
        let known: HashMap<&str, Directory> = ANCHORS.iter().copied().collect();
        let mut anchors: Vec<_> = symbols
            .filter_map(|(address, name)| Some((address, *known.get(name)?)))
            .collect();
        anchors.sort_unstable_by_key(|anchor| anchor.0);
        Self { anchors }
    }

    /// The subsystem of the function called `name` (in the source) at `address`.
    #[must_use]
    pub fn find(&self, name: &str, address: u64) -> Subsystem {
        if TRACING.iter().any(|prefix| name.starts_with(prefix)) {
            return Subsystem::Tracing;
        }
        if let Some((_, filesystem)) = FILESYSTEMS
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix))
        {
            return Subsystem::Filesystem((*filesystem).to_owned());
        }
        let nearest = self
            .anchors
            .iter()
            .min_by_key(|(anchor, _)| anchor.abs_diff(address));
        match nearest.map(|(_, directory)| directory) {
            Some(Directory::Mm) => Subsystem::Mm,
            Some(Directory::Fs) => Subsystem::FsCommon,
            Some(Directory::Block) => Subsystem::Block,
            Some(Directory::Driver) => Subsystem::Driver,
            Some(Directory::Other) | None => Subsystem::Other,
        }
    }
}
