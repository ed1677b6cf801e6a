//! The one table of columns: headers, sort letters and menu, filter fields and help text
//! all come from it.

mod specs;

pub use self::specs::COLUMNS;
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
    /// Resident bytes, those of shared layers in equal parts.
    Proportional,
    /// Layer of a file.
    Layer,
    /// When the first of the shared pages came.
    Since,
    /// Accesses of a site.
    Hits,
    /// Those with a folio that could be shared.
    Shareable,
    /// What a site does with the word.
    Access,
    /// What the code around a site has at hand.
    Context,
    /// Part of the kernel.
    Subsystem,
    /// Function and offset.
    Site,
    /// Container of a cgroup.
    Container,
    /// Avoidable reads of an image.
    Reads,
    /// The same per second.
    ReadsRate,
    /// Avoidable reclaim of an image.
    Reclaim,
    /// The same per second.
    ReclaimRate,
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

    /// Whether it counts something that is not bytes.
    #[must_use]
    pub const fn is_count(self) -> bool {
        matches!(self, Self::Hits | Self::Shareable)
    }

    /// Whether it is about what happened and not about what is there, so that it is no
    /// part of the page cache.
    #[must_use]
    pub const fn is_past(self) -> bool {
        matches!(
            self,
            Self::Reads | Self::ReadsRate | Self::Reclaim | Self::ReclaimRate
        )
    }

    /// Columns that a text needs which is not the last of its row.
    #[must_use]
    pub const fn text_width(self) -> usize {
        match self {
            Self::Since => 14,
            Self::Layer | Self::Container => 16,
            Self::Subsystem => 10,
            _ => 8,
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
    /// Memory cgroups.
    Memcgs,
    /// Any of these but copies, as a tree.
    Tree,
    /// Derefs.
    Derefs,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 9] = [
        Self::Files,
        Self::Copies,
        Self::Filesystems,
        Self::Layers,
        Self::Images,
        Self::Containers,
        Self::Memcgs,
        Self::Tree,
        Self::Derefs,
    ];

    /// Its columns from left to right; the last one is the wide text.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        use Column::{
            Access, Charged, Container, Context, Duplicate, Exclusive, Fs, Hashed, Hits, Layer,
            Name, Path, Proportional, Reads, ReadsRate, Reclaim, ReclaimRate, Resident, Runtime,
            Saving, Shareable, Shared, Since, Site, Subsystem, Zero,
        };
        match self {
            Self::Files | Self::Tree => &[
                Resident, Hashed, Duplicate, Exclusive, Saving, Zero, Fs, Path,
            ],
            Self::Copies => &[Shared, Since, Fs, Layer, Path],
            Self::Filesystems => &[Resident, Duplicate, Exclusive, Saving, Zero, Fs, Name],
            Self::Layers => &[Resident, Duplicate, Exclusive, Saving, Zero, Name],
            // Memory is charged to containers.
            Self::Images => &[
                Resident,
                Duplicate,
                Exclusive,
                Proportional,
                Saving,
                ReadsRate,
                Reads,
                ReclaimRate,
                Reclaim,
                Zero,
                Runtime,
                Name,
            ],
            Self::Containers => &[
                Resident,
                Duplicate,
                Exclusive,
                Proportional,
                Saving,
                Charged,
                Zero,
                Runtime,
                Name,
            ],
            Self::Memcgs => &[Charged, Duplicate, Exclusive, Saving, Container, Name],
            Self::Derefs => &[Hits, Shareable, Access, Context, Subsystem, Site],
        }
    }

    /// The column that it is sorted by at first.
    #[must_use]
    pub const fn default_sort(self) -> Column {
        match self {
            Self::Copies => Column::Shared,
            Self::Derefs => Column::Hits,
            Self::Memcgs => Column::Charged,
            Self::Files
            | Self::Filesystems
            | Self::Layers
            | Self::Images
            | Self::Containers
            | Self::Tree => Column::Saving,
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
    fn names_are_unique_and_letters_in_each_table_and_every_column_is_in_one() {
        for one in &COLUMNS {
            assert!(one.letter.is_ascii_uppercase());
            assert!(
                Table::ALL
                    .iter()
                    .any(|table| table.columns().contains(&one.column))
            );
            for other in COLUMNS.iter().filter(|other| other.column != one.column) {
                assert_ne!(one.name, other.name);
                let together = |table: &Table| {
                    let columns = table.columns();
                    columns.contains(&one.column) && columns.contains(&other.column)
                };
                let meet = Table::ALL.iter().any(together);
                assert!(!meet || one.letter != other.letter, "{one:?} {other:?}");
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
