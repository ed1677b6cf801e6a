//! The kernel's type information, and the fields that the programs need of it.

use sharestat_ebpf::layout::KernelLayout;

use super::{
    super::{
        btf::{KernelTypes, VMLINUX},
        error::Error,
        layout::{LayoutError, layout_and_gaps},
    },
    finding::{Area, Finding, Lack, State, Use},
};

const AREA: Area = Area::Kernel;
const NEEDED_BY: [Use; 3] = [Use::Scan, Use::Live, Use::Derefs];

/// The types, the layout when it has no gaps, and what to say about both.
pub(super) fn examine() -> (Option<KernelTypes>, Option<KernelLayout>, Vec<Finding>) {
    let types = match KernelTypes::of_kernel() {
        Ok(types) => types,
        Err(error) => return (None, None, without_types(&error)),
    };
    let (layout, gaps) = layout_and_gaps(&types);
    let mut findings =
        vec![Finding::ok(AREA, "BTF", format!("'{VMLINUX}' parsed")).needed_by(&NEEDED_BY)];
    findings.extend(fields(&gaps));
    findings.extend(extras(&layout));
    findings.push(Erofs::of(&types, &layout).finding());
    let layout = gaps.is_empty().then_some(layout);
    (Some(types), layout, findings)
}

fn without_types(error: &Error) -> Vec<Finding> {
    vec![
        Finding::failed(AREA, "BTF", error)
            .loss("no measurement with BPF")
            .remedy("boot a kernel with CONFIG_DEBUG_INFO_BTF=y, or use '--engine user'")
            .needed_by(&NEEDED_BY),
        Finding::not_tried(AREA, "layout fields", "needs BTF").needed_by(&NEEDED_BY),
    ]
}

/// One line when all are there, else one per missing field.
fn fields(gaps: &[LayoutError]) -> Vec<Finding> {
    if gaps.is_empty() {
        let found = format!("every field found (a table of {})", KernelLayout::COUNT);
        return vec![Finding::ok(AREA, "layout fields", found).needed_by(&NEEDED_BY)];
    }
    gaps.iter()
        .map(|gap| {
            let name = match gap {
                LayoutError::Member { structure, member } => format!("field {structure}.{member}"),
                LayoutError::Structure { structure } => format!("struct {structure}"),
                LayoutError::Enum { name, variant } => format!("enum {name}.{variant}"),
                LayoutError::PageStructSize { .. } => "size of struct page".to_owned(),
            };
            Finding::new(AREA, name, State::Missing, gap.to_string())
                .loss("no measurement with BPF: an offset would have to be guessed")
                .remedy("a sharestat that knows this kernel, or '--engine user'")
                .needed_by(&NEEDED_BY)
                .lack(Lack::Support)
        })
        .collect()
}

/// Fields whose absence costs something and stops nothing.
fn extras(layout: &KernelLayout) -> Vec<Finding> {
    let memcg = if layout.memcg_cgroup == u64::MAX || layout.folio_memcg == u64::MAX {
        Finding::new(
            AREA,
            "memcg fields",
            State::Degraded,
            "the kernel's BTF has no 'folio.memcg_data' or no 'mem_cgroup.css.cgroup'",
        )
        .loss("pages have no memory cgroup to be counted for")
        .remedy("a kernel with CONFIG_MEMCG=y")
    } else if layout.memcg_of_object == u64::MAX {
        Finding::ok(AREA, "memcg fields", "a folio names its memory cgroup")
    } else {
        Finding::ok(
            AREA,
            "memcg fields",
            "a folio names an object cgroup (7.2 and later): pages of a removed cgroup count \
             for its parent",
        )
    };
    let btrfs = if layout.btrfs_known == 1 {
        Finding::ok(AREA, "btrfs fields", "subvolumes can be told apart")
    } else {
        Finding::new(
            AREA,
            "btrfs fields",
            State::NotNeeded,
            "btrfs is neither built in nor loaded as a module",
        )
    };
    vec![memcg, btrfs]
}

/// What is known of the pages that EROFS keeps once for several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Erofs {
    Known,
    /// Before Linux 7.2, or without `CONFIG_EROFS_FS_PAGE_CACHE_SHARE`.
    KeepsNone,
    Unreadable,
    NotThere,
}

impl Erofs {
    fn of(types: &KernelTypes, layout: &KernelLayout) -> Self {
        let described = |types: &KernelTypes| types.size_of("erofs_inode").is_some();
        if layout.erofs_known == 1 {
            Self::Known
        } else if described(types) || types.of_module("erofs").as_ref().is_some_and(described) {
            Self::KeepsNone
        } else if std::fs::read_to_string("/proc/filesystems").is_ok_and(|text| lists_erofs(&text))
        {
            Self::Unreadable
        } else {
            Self::NotThere
        }
    }

    fn finding(self) -> Finding {
        let (state, found) = match self {
            Self::Known => (
                State::Ok,
                "pages that EROFS keeps once for several files can be told to be theirs",
            ),
            Self::KeepsNone => (
                State::NotNeeded,
                "this kernel keeps no page of EROFS for several files (7.2 and later can)",
            ),
            Self::Unreadable => (
                State::Degraded,
                "EROFS is loaded, and its types are not in '/sys/kernel/btf'",
            ),
            Self::NotThere => (
                State::NotNeeded,
                "EROFS is neither built in nor loaded as a module",
            ),
        };
        let finding = Finding::new(AREA, "erofs fields", state, found);
        if self == Self::Unreadable {
            finding
                .loss("pages of EROFS mounts with inode_share have no name")
                .remedy("a kernel with CONFIG_DEBUG_INFO_BTF_MODULES=y")
        } else {
            finding
        }
    }
}

/// Whether `/proc/filesystems` has EROFS.
fn lists_erofs(filesystems: &str) -> bool {
    let mut names = filesystems
        .lines()
        .filter_map(|line| line.split('\t').next_back());
    names.any(|name| name == "erofs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_field_is_named() {
        let gap = |member: &str| LayoutError::Member {
            structure: "folio".to_owned(),
            member: member.to_owned(),
        };
        let findings = fields(&[gap("mapping"), gap("index")]);
        let names: Vec<_> = findings.iter().map(|finding| &finding.name).collect();
        assert_eq!(names, ["field folio.mapping", "field folio.index"]);
        assert!(findings.iter().all(|finding| !finding.carries()));
    }

    #[test]
    fn absent_memcg_and_btrfs_stop_nothing() {
        let layout = KernelLayout {
            memcg_cgroup: u64::MAX,
            ..KernelLayout::ZERO
        };
        let findings = extras(&layout);
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(Finding::carries));
    }

    #[test]
    fn only_an_erofs_that_cannot_be_read_is_degraded() {
        for (erofs, state) in [
            (Erofs::Known, State::Ok),
            (Erofs::KeepsNone, State::NotNeeded),
            (Erofs::Unreadable, State::Degraded),
            (Erofs::NotThere, State::NotNeeded),
        ] {
            let finding = erofs.finding();
            assert_eq!(finding.state, state, "{erofs:?}");
            assert!(finding.carries(), "{erofs:?}");
        }
        assert!(lists_erofs("nodev\tsysfs\n\text4\n\terofs\n"));
        assert!(!lists_erofs("nodev\tpseudo_erofs\n\text4\n"));
    }
}
