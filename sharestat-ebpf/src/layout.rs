//! Where the fields of kernel structures are on the running kernel.
//!
//! User space fills a [`KernelLayout`] from BTF and freezes it into the BPF object's
//! read-only data, so that the verifier sees constants and nothing is hard-coded.

macro_rules! kernel_layout {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// Offsets in bytes, sizes in bytes, and flag masks (0 where the kernel has no
        /// such flag) of one kernel.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct KernelLayout {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl KernelLayout {
            /// All zero: what the object contains until user space overrides it.
            pub const ZERO: Self = Self { $($field: 0,)+ };

            /// Field names, in the order of [`Self::to_words`].
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field),)+];

            /// How many fields there are.
            pub const COUNT: usize = Self::NAMES.len();

            /// The fields as words, as they lie in memory.
            #[must_use]
            pub const fn to_words(&self) -> [u64; Self::COUNT] {
                [$(self.$field,)+]
            }
        }
    };
}

kernel_layout! {
    /// Binary logarithm of `sizeof(struct page)`.
    page_struct_shift,
    /// `folio.flags`.
    folio_flags,
    /// `folio.mapping`.
    folio_mapping,
    /// `folio.index`.
    folio_index,
    /// `folio._mapcount`, which shares its word with `page.page_type`.
    folio_mapcount,
    /// `folio._refcount`.
    folio_refcount,
    /// `folio.memcg_data`; `u64::MAX` without memcg support.
    folio_memcg,
    /// Byte that holds the order of a large folio: `_folio_order`, from 6.6 on the
    /// low byte of `_flags_1`.
    folio_order,
    /// `folio._pincount`, valid for large folios only.
    folio_pincount,
    /// Mask of `PG_locked`.
    flag_locked,
    /// Mask of `PG_writeback`.
    flag_writeback,
    /// Mask of `PG_uptodate`.
    flag_uptodate,
    /// Mask of `PG_dirty`.
    flag_dirty,
    /// Mask of `PG_active`.
    flag_active,
    /// Mask of `PG_head`.
    flag_head,
    /// Mask of `PG_swapbacked`.
    flag_swapbacked,
    /// Mask of `PG_swapcache`; shared with other uses, meaningful with swapbacked.
    flag_swapcache,
    /// Mask of `PG_workingset`.
    flag_workingset,
    /// Mask of `PG_hwpoison`.
    flag_hwpoison,
    /// Mask of `PG_slab`, where it is a flag.
    flag_slab,
    /// Lowest `page_type` byte of a typed (non page cache) page, 0 where the kernel
    /// has no such enum.
    page_type_first,
    /// First value past the typed pages.
    page_type_end,
    /// `address_space.host`.
    mapping_host,
    /// `address_space.flags`.
    mapping_flags,
    /// Mask of `AS_INACCESSIBLE` in `address_space.flags`.
    mapping_inaccessible,
    /// `address_space.i_mmap_writable`.
    mapping_writable,
    /// `address_space.i_pages.xa_head`.
    mapping_tree,
    /// `xa_node.shift`.
    tree_shift,
    /// `xa_node.slots`.
    tree_slots,
    /// Slots per `xa_node`, minus one.
    tree_slot_mask,
    /// `inode.i_data`.
    inode_data,
    /// `inode.i_ino`.
    inode_ino,
    /// `inode.i_sb`.
    inode_superblock,
    /// `inode.i_generation`.
    inode_generation,
    /// `inode.i_mode`.
    inode_mode,
    /// `inode.i_flags`.
    inode_flags,
    /// `inode.i_size`.
    inode_size,
    /// `inode.i_nlink`.
    inode_links,
    /// `inode.i_rdev`.
    inode_rdev,
    /// `inode.i_dentry.first`.
    inode_dentry,
    /// `super_block.s_dev`.
    superblock_dev,
    /// `super_block.s_magic`.
    superblock_magic,
    /// `super_block.s_type`.
    superblock_type,
    /// `super_block.s_id`.
    superblock_id,
    /// `file_system_type.name`.
    fs_type_name,
    /// `dentry.d_alias`, the link in `inode.i_dentry`.
    dentry_alias,
    /// `dentry.d_name.name`.
    dentry_name,
    /// `dentry.d_parent`.
    dentry_parent,
    /// `dentry.d_hash.pprev`: null when the name was removed.
    dentry_hashed,
    /// `task_struct.flags`.
    task_flags,
    /// `task_struct.reclaim_state`.
    task_reclaim,
    /// `task_struct.files`.
    task_files,
    /// `files_struct.fdt`.
    files_table,
    /// `fdtable.fd`.
    table_array,
    /// `file.f_inode`.
    file_inode,
    /// `file.f_mapping`.
    file_mapping,
    /// `vm_fault.vma`.
    fault_vma,
    /// `vm_area_struct.vm_file`.
    vma_file,
    /// `mem_cgroup.css.cgroup`; `u64::MAX` without memcg support.
    memcg_cgroup,
    /// `obj_cgroup.memcg` where `memcg_data` of a folio is an `obj_cgroup *` (7.2 and
    /// later), `u64::MAX` where it is a `mem_cgroup *`.
    memcg_of_object,
    /// `cgroup.kn`.
    cgroup_node,
    /// `kernfs_node.id`.
    node_id,
    /// 1 when the btrfs offsets below are known.
    btrfs_known,
    /// `btrfs_inode.vfs_inode`.
    btrfs_vfs_inode,
    /// `btrfs_inode.root`.
    btrfs_root,
    /// `btrfs_root.root_key.objectid`.
    btrfs_root_id,
    /// 1 when the EROFS offsets below are known: the kernel can share pages of EROFS files.
    erofs_known,
    /// `erofs_inode.vfs_inode`.
    erofs_vfs_inode,
    /// `erofs_inode.ishare_list`: of the inode that keeps the pages the head of the list,
    /// of the files the links in it.
    erofs_share_list,
    /// `erofs_inode.sharedentry`: of a file, the dentry of the inode that keeps its pages.
    erofs_shared_entry,
    /// `dentry.d_inode`.
    erofs_entry_inode,
}

const _: () = assert!(size_of::<KernelLayout>() == 8 * KernelLayout::COUNT);
