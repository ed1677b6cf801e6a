//! What there is to know about each column.

use super::{Column, FieldKind, Spec};

macro_rules! spec {
    ($column:ident, $name:literal, $aliases:expr, $header:literal, $letter:literal,
     $kind:ident, $weight:literal, $help:literal) => {
        Spec {
            column: Column::$column,
            name: $name,
            aliases: &$aliases,
            header: $header,
            letter: $letter,
            kind: FieldKind::$kind,
            weight: $weight,
            help: $help,
        }
    };
}

/// All columns, in the order of [`Column`].
pub const COLUMNS: [Spec; 26] = [
    spec!(
        Path,
        "path",
        [],
        "PATH",
        'P',
        Text,
        9,
        "path of the file under its mount point"
    ),
    spec!(
        Name,
        "name",
        [],
        "NAME",
        'N',
        Text,
        9,
        "name of the filesystem, layer, image, container or cgroup"
    ),
    spec!(
        Fs,
        "fs",
        ["type"],
        "FS",
        'T',
        Text,
        4,
        "type of the filesystem"
    ),
    spec!(
        Runtime,
        "runtime",
        [],
        "RUNTIME",
        'U',
        Text,
        4,
        "container runtime that knows it"
    ),
    spec!(
        Resident,
        "resident",
        ["res"],
        "RESIDENT",
        'R',
        Bytes,
        7,
        "bytes in the page cache"
    ),
    spec!(
        Hashed,
        "hashed",
        [],
        "HASHED",
        'H',
        Bytes,
        1,
        "bytes whose content is known; duplicate, exclusive, saving and zero are about these only"
    ),
    spec!(
        Duplicate,
        "duplicate",
        ["dup"],
        "DUPLICATE",
        'D',
        Bytes,
        8,
        "bytes whose content is resident at least once more"
    ),
    spec!(
        Exclusive,
        "exclusive",
        ["excl"],
        "EXCLUSIVE",
        'X',
        Bytes,
        5,
        "bytes whose content has no copy outside"
    ),
    spec!(
        Saving,
        "saving",
        ["save"],
        "SAVING",
        'S',
        Bytes,
        6,
        "its share of what sharing by content would save; all shares add up to the duplicate bytes"
    ),
    spec!(
        Zero,
        "zero",
        [],
        "ZERO",
        'O',
        Bytes,
        2,
        "bytes of zero pages"
    ),
    spec!(
        Charged,
        "charged",
        [],
        "CHARGED",
        'C',
        Bytes,
        3,
        "bytes charged to its memory cgroup, of a cgroup: to itself, without those below it"
    ),
    spec!(
        Shared,
        "shared",
        [],
        "SHARED",
        'B',
        Bytes,
        8,
        "bytes of the file above whose content this file holds too"
    ),
    spec!(
        Proportional,
        "proportional",
        ["prop"],
        "PROPORTION",
        'A',
        Bytes,
        4,
        "resident bytes, those of a layer of several images or containers in equal parts"
    ),
    spec!(
        Layer,
        "layer",
        [],
        "LAYER",
        'L',
        Text,
        3,
        "layer that the file lies in"
    ),
    spec!(
        Since,
        "since",
        [],
        "SINCE",
        'W',
        Text,
        6,
        "when the first of the shared pages came, UTC; 'at start': it was there before"
    ),
    spec!(
        Hits,
        "hits",
        [],
        "HITS",
        'V',
        Bytes,
        8,
        "accesses to the mapping of a watched folio of a file"
    ),
    spec!(
        Shareable,
        "shareable",
        [],
        "SHAREABLE",
        'E',
        Bytes,
        6,
        "those with an uptodate, clean folio that is not writably mapped"
    ),
    spec!(
        Access,
        "access",
        [],
        "ACCESS",
        'K',
        Text,
        4,
        "load, tag_test, compare, store or unknown"
    ),
    spec!(
        Context,
        "context",
        ["class"],
        "CONTEXT",
        'Q',
        Text,
        7,
        "whether file, vma or mapping is at hand where it happens, and how near"
    ),
    spec!(
        Subsystem,
        "subsystem",
        [],
        "SUBSYSTEM",
        'Y',
        Text,
        3,
        "part of the kernel"
    ),
    spec!(
        Site,
        "site",
        [],
        "SITE",
        'J',
        Text,
        9,
        "function and offset of the instruction"
    ),
    spec!(
        Container,
        "container",
        [],
        "CONTAINER",
        'M',
        Text,
        4,
        "container that the cgroup belongs to"
    ),
    spec!(
        Reads,
        "reads",
        ["avoidable_reads"],
        "READS",
        'E',
        Bytes,
        3,
        "avoidable reads of the image since the start: read while another page had the content"
    ),
    spec!(
        ReadsRate,
        "reads_rate",
        [],
        "READS/S",
        'V',
        Bytes,
        4,
        "avoidable reads of the image per second"
    ),
    spec!(
        Reclaim,
        "reclaim",
        ["avoidable_reclaim"],
        "RECLAIM",
        'L',
        Bytes,
        3,
        "avoidable reclaim of the image since the start: last copies taken beside duplicates"
    ),
    spec!(
        ReclaimRate,
        "reclaim_rate",
        [],
        "RECLAIM/S",
        'K',
        Bytes,
        4,
        "avoidable reclaim of the image per second"
    ),
];
