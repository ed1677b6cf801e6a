//! The one table of columns: headers, sort letters and menu, filter fields and help text
//! all come from it.

use crate::query::{Field, FieldKind};

/// A column of some table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Path of a file.
    Path,
    /// Name of a group.
    Name,
    /// Filesystem type.
    Fs,
    /// Container runtime.
    Runtime,
    /// Bytes in the page cache.
    Resident,
    /// Bytes whose content is known.
    Hashed,
    /// Bytes with another copy.
    Duplicate,
    /// Bytes without a copy outside.
    Exclusive,
    /// Saving share.
    Saving,
    /// Zero pages.
    Zero,
    /// Bytes charged to the memcg.
    Charged,
    /// Bytes shared with the explained file.
    Shared,
}

/// What there is to know about a column.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The column described.
    pub column: Column,
    /// Name in queries, in the sort menu and on the command line.
    pub name: &'static str,
    /// Shorter names.
    pub aliases: &'static [&'static str],
    /// Header on the screen.
    pub header: &'static str,
    /// Key that sorts by it.
    pub letter: char,
    /// Text or bytes.
    pub kind: FieldKind,
    /// Columns of low weight are left out first on a narrow screen.
    pub weight: u8,
    /// One sentence of help.
    pub help: &'static str,
}

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
pub const COLUMNS: [Spec; 12] = [
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
        "name of the filesystem, layer, image or container"
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
        "bytes charged to its memory cgroup"
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
];

impl Column {
    /// The row of the table about this column.
    #[must_use]
    pub const fn spec(self) -> &'static Spec {
        &COLUMNS[self as usize]
    }

    /// The column of that name or alias among `columns`.
    #[must_use]
    pub fn named(name: &str, columns: &[Self]) -> Option<Self> {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        columns.iter().copied().find(|column| {
            let spec = column.spec();
            is(spec.name) || spec.aliases.iter().any(|alias| is(alias))
        })
    }

    /// The field that queries see.
    #[must_use]
    pub const fn field(self) -> Field {
        let spec = self.spec();
        Field {
            name: spec.name,
            aliases: spec.aliases,
            kind: spec.kind,
        }
    }

    /// Whether it holds text.
    #[must_use]
    pub fn is_text(self) -> bool {
        self.spec().kind == FieldKind::Text
    }
}

/// A table on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Files.
    Files,
    /// Files that share contents with one file.
    Copies,
    /// Filesystems.
    Filesystems,
    /// Layers.
    Layers,
    /// Images.
    Images,
    /// Containers.
    Containers,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 6] = [
        Self::Files,
        Self::Copies,
        Self::Filesystems,
        Self::Layers,
        Self::Images,
        Self::Containers,
    ];

    /// Its columns from left to right; the last one is the wide text.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        use Column::{
            Charged, Duplicate, Exclusive, Fs, Hashed, Name, Path, Resident, Runtime, Saving,
            Shared, Zero,
        };
        match self {
            Self::Files => &[
                Resident, Hashed, Duplicate, Exclusive, Saving, Zero, Fs, Path,
            ],
            Self::Copies => &[Shared, Fs, Path],
            Self::Filesystems => &[Resident, Duplicate, Exclusive, Saving, Zero, Fs, Name],
            Self::Layers => &[Resident, Duplicate, Exclusive, Saving, Zero, Name],
            Self::Images | Self::Containers => &[
                Resident, Duplicate, Exclusive, Saving, Charged, Zero, Runtime, Name,
            ],
        }
    }

    /// The column that it is sorted by at first.
    #[must_use]
    pub const fn default_sort(self) -> Column {
        match self {
            Self::Copies => Column::Shared,
            Self::Files | Self::Filesystems | Self::Layers | Self::Images | Self::Containers => {
                Column::Saving
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_columns() {
        for (position, spec) in COLUMNS.iter().enumerate() {
            assert_eq!(spec.column as usize, position);
        }
    }

    #[test]
    fn names_and_letters_are_unique_and_every_column_is_in_a_table() {
        for one in &COLUMNS {
            assert!(one.letter.is_ascii_uppercase());
            assert!(
                Table::ALL
                    .iter()
                    .any(|table| table.columns().contains(&one.column))
            );
            for other in COLUMNS.iter().filter(|other| other.column != one.column) {
                assert_ne!(one.name, other.name);
                assert_ne!(one.letter, other.letter);
                assert!(!one.aliases.contains(&other.name));
            }
        }
    }

    #[test]
    fn every_table_ends_with_text_and_starts_sorted_by_its_own_column() {
        for table in Table::ALL {
            let columns = table.columns();
            assert!(columns.last().is_some_and(|column| column.is_text()));
            assert!(columns.contains(&table.default_sort()));
        }
    }
}
