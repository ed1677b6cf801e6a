//! Fills [`KernelLayout`] from BTF. A field that is missing is a named error, never a
//! guess; where kernels differ, the names are tried in the order of `kernel versions`
//! given beside them.

use sharestat_ebpf::layout::KernelLayout;

use super::btf::KernelTypes;

/// A structure that is not as sharestat needs it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LayoutError {
    /// A member is not in BTF.
    #[error(
        "the kernel's BTF has no member '{member}' in 'struct {structure}': this kernel is newer or \
         older than sharestat knows (6.1 to 7.3); use '--engine user'"
    )]
    Member {
        /// The structure.
        structure: String,
        /// The path of members.
        member: String,
    },
    /// A structure is not in BTF.
    #[error("the kernel's BTF has no 'struct {structure}'; use '--engine user'")]
    Structure {
        /// The structure.
        structure: String,
    },
    /// An enum value is not in BTF.
    #[error("the kernel's BTF has no '{variant}' in 'enum {name}'; use '--engine user'")]
    Enum {
        /// The enum.
        name: String,
        /// The value.
        variant: String,
    },
    /// `struct page` has a size the census cannot step by.
    #[error(
        "'struct page' of this kernel is {size} bytes, not 64 (a debugging kernel?); use '--engine user'"
    )]
    PageStructSize {
        /// Its size in bytes.
        size: u64,
    },
}

/// Reads the layout of the kernel that `types` describes.
///
/// # Errors
/// When a structure, member or enum value that the engine cannot do without is missing.
pub fn layout_of(types: &KernelTypes) -> Result<KernelLayout, LayoutError> {
    let (layout, gaps) = layout_and_gaps(types);
    gaps.into_iter().next().map_or(Ok(layout), Err)
}

/// As [`layout_of`], but names everything that is missing; with gaps, the layout is of no
/// use for measuring.
pub(super) fn layout_and_gaps(types: &KernelTypes) -> (KernelLayout, Vec<LayoutError>) {
    let mut layout = KernelLayout::ZERO;
    let mut source = Source {
        types,
        gaps: Vec::new(),
    };
    source.folio(&mut layout);
    source.flags(&mut layout);
    source.mapping(&mut layout);
    source.inode(&mut layout);
    source.task(&mut layout);
    source.memcg(&mut layout);
    source.btrfs(&mut layout);
    source.erofs(&mut layout);
    (layout, source.gaps)
}

struct Source<'a> {
    types: &'a KernelTypes,
    gaps: Vec<LayoutError>,
}

impl Source<'_> {
    /// Notes that something is missing; the value is never used.
    fn gap(&mut self, gap: LayoutError) -> u64 {
        self.gaps.push(gap);
        0
    }

    fn at(&mut self, structure: &str, path: &[&str]) -> u64 {
        self.types.offset_of(structure, path).unwrap_or_else(|| {
            self.gap(LayoutError::Member {
                structure: structure.to_owned(),
                member: path.join("."),
            })
        })
    }

    /// The first of several paths that exists.
    fn first_of(&mut self, structure: &str, paths: &[&[&str]]) -> u64 {
        paths
            .iter()
            .find_map(|path| self.types.offset_of(structure, path))
            .unwrap_or_else(|| self.at(structure, paths.first().copied().unwrap_or_default()))
    }

    /// Mask of a page flag, 0 when the kernel was built without it.
    fn flag(&self, name: &str) -> u64 {
        self.types
            .enum_value("pageflags", name)
            .map_or(0, |bit| 1 << (bit & 63))
    }

    fn needed_flag(&mut self, name: &str) -> u64 {
        match self.flag(name) {
            0 => self.gap(LayoutError::Enum {
                name: "pageflags".to_owned(),
                variant: name.to_owned(),
            }),
            mask => mask,
        }
    }

    fn folio(&mut self, layout: &mut KernelLayout) {
        match self.types.size_of("page") {
            Some(size @ 64) => layout.page_struct_shift = u64::from(size.ilog2()),
            Some(size) => self.gaps.push(LayoutError::PageStructSize { size }),
            None => self.gaps.push(LayoutError::Structure {
                structure: "page".to_owned(),
            }),
        }
        layout.folio_flags = self.at("folio", &["flags"]);
        layout.folio_mapping = self.at("folio", &["mapping"]);
        layout.folio_index = self.at("folio", &["index"]);
        layout.folio_mapcount = self.at("folio", &["_mapcount"]);
        layout.folio_refcount = self.at("folio", &["_refcount"]);
        layout.folio_memcg = self
            .types
            .offset_of("folio", &["memcg_data"])
            .unwrap_or(u64::MAX);
        // Until 6.5 a byte of its own, since 6.6 the low byte of the second page's flags.
        layout.folio_order = self.first_of("folio", &[&["_folio_order"], &["_flags_1"]]);
        layout.folio_pincount = self.at("folio", &["_pincount"]);
        // 'enum pagetype' since 6.12; before that only PG_slab matters here.
        let first = self.types.enum_value("pagetype", "PGTY_buddy");
        let end = self.types.enum_value("pagetype", "PGTY_mapcount_underflow");
        if let (Some(first), Some(end)) = (first, end) {
            layout.page_type_first = first;
            layout.page_type_end = end;
        }
    }

    fn flags(&mut self, layout: &mut KernelLayout) {
        layout.flag_locked = self.needed_flag("PG_locked");
        layout.flag_writeback = self.needed_flag("PG_writeback");
        layout.flag_uptodate = self.needed_flag("PG_uptodate");
        layout.flag_dirty = self.needed_flag("PG_dirty");
        layout.flag_head = self.needed_flag("PG_head");
        layout.flag_active = self.flag("PG_active");
        layout.flag_swapbacked = self.flag("PG_swapbacked");
        layout.flag_swapcache = self.flag("PG_swapcache");
        layout.flag_workingset = self.flag("PG_workingset");
        layout.flag_hwpoison = self.flag("PG_hwpoison");
        layout.flag_slab = self.flag("PG_slab");
    }

    fn mapping(&mut self, layout: &mut KernelLayout) {
        layout.mapping_host = self.at("address_space", &["host"]);
        layout.mapping_flags = self.at("address_space", &["flags"]);
        layout.mapping_inaccessible = self
            .types
            .enum_value("mapping_flags", "AS_INACCESSIBLE")
            .map_or(0, |bit| 1 << (bit & 63));
        layout.mapping_writable = self.at("address_space", &["i_mmap_writable"]);
        layout.mapping_tree = self.at("address_space", &["i_pages", "xa_head"]);
        layout.tree_shift = self.at("xa_node", &["shift"]);
        layout.tree_slots = self.at("xa_node", &["slots"]);
        let slots = self
            .types
            .array_length("xa_node", &["slots"])
            .filter(|slots| slots.is_power_of_two());
        layout.tree_slot_mask = match slots {
            Some(slots) => slots - 1,
            None => self.gap(LayoutError::Member {
                structure: "xa_node".to_owned(),
                member: "slots[]".to_owned(),
            }),
        };
    }

    fn inode(&mut self, layout: &mut KernelLayout) {
        layout.inode_data = self.at("inode", &["i_data"]);
        layout.inode_ino = self.at("inode", &["i_ino"]);
        layout.inode_superblock = self.at("inode", &["i_sb"]);
        layout.inode_generation = self.at("inode", &["i_generation"]);
        layout.inode_mode = self.at("inode", &["i_mode"]);
        layout.inode_flags = self.at("inode", &["i_flags"]);
        layout.inode_size = self.at("inode", &["i_size"]);
        layout.inode_links = self.at("inode", &["i_nlink"]);
        layout.inode_rdev = self.at("inode", &["i_rdev"]);
        layout.inode_dentry = self.at("inode", &["i_dentry"]);
        layout.superblock_dev = self.at("super_block", &["s_dev"]);
        layout.superblock_magic = self.at("super_block", &["s_magic"]);
        layout.superblock_type = self.at("super_block", &["s_type"]);
        layout.superblock_id = self.at("super_block", &["s_id"]);
        layout.fs_type_name = self.at("file_system_type", &["name"]);
        // In a union called d_u until 6.18, a plain member from 7.2 on.
        layout.dentry_alias = self.first_of("dentry", &[&["d_u", "d_alias"], &["d_alias"]]);
        layout.dentry_name = self.at("dentry", &["d_name", "name"]);
        layout.dentry_parent = self.at("dentry", &["d_parent"]);
        layout.dentry_hashed = self.at("dentry", &["d_hash", "pprev"]);
    }

    fn task(&mut self, layout: &mut KernelLayout) {
        layout.task_flags = self.at("task_struct", &["flags"]);
        layout.task_reclaim = self.at("task_struct", &["reclaim_state"]);
        layout.task_files = self.at("task_struct", &["files"]);
        layout.files_table = self.at("files_struct", &["fdt"]);
        layout.table_array = self.at("fdtable", &["fd"]);
        layout.file_inode = self.at("file", &["f_inode"]);
        layout.file_mapping = self.at("file", &["f_mapping"]);
        layout.fault_vma = self.at("vm_fault", &["vma"]);
        layout.vma_file = self.at("vm_area_struct", &["vm_file"]);
    }

    /// Memory cgroups are an extra: without them pages have no owner to report.
    fn memcg(&self, layout: &mut KernelLayout) {
        layout.memcg_cgroup = u64::MAX;
        layout.memcg_of_object = u64::MAX;
        let (Some(cgroup), Some(node), Some(id)) = (
            self.types.offset_of("mem_cgroup", &["css", "cgroup"]),
            self.types.offset_of("cgroup", &["kn"]),
            self.types.offset_of("kernfs_node", &["id"]),
        ) else {
            return;
        };
        layout.memcg_cgroup = cgroup;
        layout.cgroup_node = node;
        layout.node_id = id;
        if self.folios_are_charged_to_objects() {
            layout.memcg_of_object = self
                .types
                .offset_of("obj_cgroup", &["memcg"])
                .unwrap_or(u64::MAX);
        }
    }

    /// From 7.2 on `folio->memcg_data` of page cache is an `obj_cgroup *`: the change that
    /// reparents the folios of dying cgroups made `lruvec` stat updates go through it and
    /// gave `struct mem_cgroup_per_node` an `objcg` of its own.
    fn folios_are_charged_to_objects(&self) -> bool {
        self.types
            .offset_of("mem_cgroup_per_node", &["objcg"])
            .is_some()
    }

    /// btrfs is built in or a module; its offsets tell subvolumes apart.
    fn btrfs(&self, layout: &mut KernelLayout) {
        let module = self.types.of_module("btrfs");
        let types = module.as_ref().unwrap_or(self.types);
        let (Some(vfs_inode), Some(root), Some(id)) = (
            types.offset_of("btrfs_inode", &["vfs_inode"]),
            types.offset_of("btrfs_inode", &["root"]),
            types.offset_of("btrfs_root", &["root_key", "objectid"]),
        ) else {
            return;
        };
        layout.btrfs_known = 1;
        layout.btrfs_vfs_inode = vfs_inode;
        layout.btrfs_root = root;
        layout.btrfs_root_id = id;
    }

    /// EROFS is built in or a module; the members are there from 7.2 on, with
    /// `CONFIG_EROFS_FS_PAGE_CACHE_SHARE`.
    fn erofs(&self, layout: &mut KernelLayout) {
        let module = self.types.of_module("erofs");
        let types = module.as_ref().unwrap_or(self.types);
        let at = |member| types.offset_of("erofs_inode", &[member]);
        if let (Some(vfs_inode), Some(list), Some(entry), Some(inode)) = (
            at("vfs_inode"),
            at("ishare_list"),
            at("sharedentry"),
            self.types.offset_of("dentry", &["d_inode"]),
        ) {
            layout.erofs_known = 1;
            layout.erofs_vfs_inode = vfs_inode;
            layout.erofs_share_list = list;
            layout.erofs_shared_entry = entry;
            layout.erofs_entry_inode = inode;
        }
    }
}
