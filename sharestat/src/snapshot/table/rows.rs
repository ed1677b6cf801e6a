//! The columns of one row group, read back.

use parquet::{
    basic::Repetition,
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{ByteArray, DataType},
    errors::{ParquetError, Result},
    file::{metadata::ColumnChunkMetaData, reader::RowGroupReader},
};

/// Rows of one group that are read at once. Other programs that copy a table make groups
/// of their own size.
const MOST_ROWS: usize = 1 << 24;

/// A column: its values, and which of the rows have one (all, when it is empty).
struct Column<T> {
    values: Vec<T>,
    present: Vec<i16>,
}

impl<T: Clone> Column<T> {
    fn required(self) -> Vec<T> {
        self.values
    }

    fn optional(self) -> Vec<Option<T>> {
        if self.present.is_empty() {
            return self.values.into_iter().map(Some).collect();
        }
        let mut values = self.values.into_iter();
        let present = self.present.into_iter();
        present
            .map(|level| if level > 0 { values.next() } else { None })
            .collect()
    }
}

/// The rows of one group, by column.
pub(super) struct Rows {
    pub(super) file: Vec<i32>,
    pub(super) path: Vec<ByteArray>,
    pub(super) fs: Vec<ByteArray>,
    pub(super) fs_type: Vec<ByteArray>,
    pub(super) layer: Vec<Option<ByteArray>>,
    pub(super) image: Vec<Option<ByteArray>>,
    pub(super) memcg: Vec<Option<ByteArray>>,
    pub(super) dev: Vec<ByteArray>,
    pub(super) ino: Vec<i64>,
    pub(super) generation: Vec<i32>,
    pub(super) size: Vec<i64>,
    /// None in tables of before it was a column.
    pub(super) deleted: Vec<bool>,
    pub(super) eligible: Vec<bool>,
    /// As `deleted`.
    pub(super) mapped_writably: Vec<bool>,
    pub(super) index: Vec<i64>,
    pub(super) pages: Vec<i64>,
    pub(super) state: Vec<ByteArray>,
    pub(super) hash: Vec<Option<i64>>,
}

impl Rows {
    /// Reads a group. Columns are found by name: others may stand between them.
    pub(super) fn read(group: &dyn RowGroupReader) -> Result<Self> {
        let from = Group {
            group,
            rows: usize::try_from(group.metadata().num_rows())
                .ok()
                .filter(|rows| *rows <= MOST_ROWS)
                .ok_or_else(|| general("a row group has more rows than any has"))?,
        };
        Ok(Self {
            file: from.ints("file")?,
            path: from.texts("path")?.required(),
            fs: from.texts("fs")?.required(),
            fs_type: from.texts("fs_type")?.required(),
            layer: from.texts("layer")?.optional(),
            image: from.texts("image")?.optional(),
            memcg: from.texts("memcg")?.optional(),
            dev: from.texts("dev")?.required(),
            ino: from.longs("ino")?.required(),
            generation: from.ints("generation")?,
            size: from.longs("size")?.required(),
            deleted: from.later_flags("deleted")?,
            eligible: from.flags("eligible")?,
            mapped_writably: from.later_flags("mapped_writably")?,
            index: from.longs("index")?.required(),
            pages: from.longs("pages")?.required(),
            state: from.texts("state")?.required(),
            hash: from.longs("hash")?.optional(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.path.len()
    }
}

struct Group<'g> {
    group: &'g dyn RowGroupReader,
    rows: usize,
}

impl Group<'_> {
    fn position(&self, name: &str) -> Option<usize> {
        let columns = self.group.metadata().columns().iter();
        columns
            .map(ColumnChunkMetaData::column_descr)
            .position(|column| column.name() == name && column.max_rep_level() == 0)
    }

    fn column(&self, name: &str) -> Result<(ColumnReader, bool)> {
        let at = self
            .position(name)
            .ok_or_else(|| general(&format!("it has no column '{name}'")))?;
        let column = self.group.metadata().column(at).column_descr();
        let optional = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
        Ok((self.group.get_column_reader(at)?, optional))
    }

    fn texts(&self, name: &str) -> Result<Column<ByteArray>> {
        match self.column(name)? {
            (ColumnReader::ByteArrayColumnReader(reader), optional) => {
                self.values(reader, optional, name)
            }
            _ => Err(other_kind(name)),
        }
    }

    fn longs(&self, name: &str) -> Result<Column<i64>> {
        match self.column(name)? {
            (ColumnReader::Int64ColumnReader(reader), optional) => {
                self.values(reader, optional, name)
            }
            _ => Err(other_kind(name)),
        }
    }

    fn ints(&self, name: &str) -> Result<Vec<i32>> {
        match self.column(name)? {
            (ColumnReader::Int32ColumnReader(reader), optional) => {
                self.whole(reader, optional, name)
            }
            _ => Err(other_kind(name)),
        }
    }

    fn flags(&self, name: &str) -> Result<Vec<bool>> {
        match self.column(name)? {
            (ColumnReader::BoolColumnReader(reader), optional) => {
                self.whole(reader, optional, name)
            }
            _ => Err(other_kind(name)),
        }
    }

    /// Flags that tables did not have from the beginning.
    fn later_flags(&self, name: &str) -> Result<Vec<bool>> {
        match self.position(name) {
            Some(_) => self.flags(name),
            None => Ok(Vec::new()),
        }
    }

    fn whole<T: DataType>(
        &self,
        reader: ColumnReaderImpl<T>,
        optional: bool,
        name: &str,
    ) -> Result<Vec<T::T>> {
        let column = self.values(reader, optional, name)?;
        if column.values.len() == self.rows {
            Ok(column.values)
        } else {
            Err(general(&format!("column '{name}' has gaps")))
        }
    }

    fn values<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        optional: bool,
        name: &str,
    ) -> Result<Column<T::T>> {
        let (mut values, mut present) = (Vec::new(), Vec::new());
        let mut read = 0;
        while read < self.rows {
            let (records, _, _) =
                reader.read_records(self.rows - read, Some(&mut present), None, &mut values)?;
            if records == 0 {
                break;
            }
            read += records;
        }
        let there = present.iter().filter(|level| **level > 0).count();
        let fits = if optional {
            present.len() == self.rows && there == values.len()
        } else {
            present.clear();
            values.len() == self.rows
        };
        if read == self.rows && fits {
            Ok(Column { values, present })
        } else {
            Err(general(&format!("column '{name}' ends early")))
        }
    }
}

fn other_kind(name: &str) -> ParquetError {
    general(&format!("column '{name}' is of another kind"))
}

fn general(words: &str) -> ParquetError {
    ParquetError::General(words.to_owned())
}
