//! Rows gathered by column, and written as one row group.

use std::io::Write;

use parquet::{
    data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type},
    errors::{ParquetError, Result},
    file::writer::{SerializedFileWriter, SerializedRowGroupWriter},
};

use crate::model::{
    charges::MemcgId,
    measurement::{Identities, Measurement},
    view::InodeView,
};

/// What all rows of a file have in common.
pub(super) struct Names {
    file: u32,
    path: ByteArray,
    fs: ByteArray,
    fs_type: ByteArray,
    layer: Option<ByteArray>,
    image: Option<ByteArray>,
    container: Option<ByteArray>,
    /// From which page index on which memory cgroup is charged.
    memcgs: Vec<(u64, Option<ByteArray>)>,
    dev: ByteArray,
    ino: u64,
    generation: u32,
    size: u64,
    deleted: bool,
    eligible: bool,
    mapped_writably: bool,
}

/// Consecutive pages in the same state; those with different contents are rows of their
/// own.
pub(super) struct Row {
    pub(super) index: u64,
    pub(super) pages: u64,
    pub(super) hash: Option<u64>,
    pub(super) state: &'static str,
    /// As [`Names::memcg_at`] tells.
    pub(super) memcg: usize,
}

impl Row {
    pub(super) fn goes_on_with(&self, next: &Self) -> bool {
        self.index + self.pages == next.index
            && self.hash == next.hash
            && self.state == next.state
            && self.memcg == next.memcg
    }
}

/// The names of an inode, which is the `number`th of the table; what is not known of it is
/// its numbers.
pub(super) fn names(measurement: &Measurement, inode: &InodeView<'_>, number: u32) -> Names {
    let identity = &measurement.identity;
    let file = identity.files.get(&inode.id);
    let key = inode.key;
    let filesystem = file
        .and_then(|file| identity.filesystems.get(file.filesystem))
        .or_else(|| {
            identity
                .filesystems
                .iter()
                .find(|filesystem| filesystem.dev == key.dev)
        });
    let layer = file.and_then(|file| file.place.layer);
    let stored = layer.and_then(|layer| identity.layers.layer(layer));
    let images = stored.map_or(&[][..], |layer| &layer.images);
    let images: Vec<String> = images
        .iter()
        .map(|image| identity.layers.image_label(*image))
        .collect();
    let container = stored.and_then(|layer| layer.container);
    let text = |text: &str| ByteArray::from(text);
    Names {
        file: number,
        path: file.map_or_else(
            || ByteArray::from(format!("{}:{}", key.dev, key.ino).as_str()),
            |file| text(&file.path),
        ),
        fs: filesystem.map_or_else(
            || ByteArray::from(key.dev.to_string().as_str()),
            |filesystem| text(filesystem.mount_point.as_deref().unwrap_or(&filesystem.id)),
        ),
        fs_type: text(filesystem.map_or("unknown", |filesystem| &filesystem.fs_type)),
        layer: layer.map(|layer| text(&identity.layers.layer_label(layer))),
        image: (!images.is_empty()).then(|| text(&images.join(", "))),
        container: container.map(|container| text(&identity.layers.container_label(container))),
        memcgs: inode
            .charges()
            .map(|(start, memcg)| (start, memcg.map(|memcg| text(&name_of(identity, memcg)))))
            .collect(),
        dev: text(&key.dev.to_string()),
        ino: key.ino,
        generation: key.generation,
        size: file.map_or(0, |file| file.size),
        deleted: file.is_some_and(|file| file.deleted),
        eligible: inode.eligible,
        mapped_writably: inode.mapped_writably,
    }
}

/// The path of a memory cgroup, else its id.
fn name_of(identity: &Identities, memcg: MemcgId) -> String {
    let known = identity.memcgs.get(&memcg);
    known.map_or_else(|| format!("cgroup:{}", memcg.0), |known| known.name.clone())
}

impl Names {
    /// Position of the memory cgroup that a page is charged to.
    pub(super) fn memcg_at(&self, page: u64) -> usize {
        let starts = self.memcgs.partition_point(|(start, _)| *start <= page);
        starts.saturating_sub(1)
    }
}

/// A column of texts, some of which may be missing.
#[derive(Default)]
struct Texts {
    values: Vec<ByteArray>,
    levels: Vec<i16>,
}

impl Texts {
    fn push(&mut self, value: Option<&ByteArray>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value.cloned());
    }
}

/// Rows by column, in the order of the schema.
#[derive(Default)]
pub(super) struct Batch {
    file: Vec<i32>,
    path: Vec<ByteArray>,
    fs: Vec<ByteArray>,
    fs_type: Vec<ByteArray>,
    layer: Texts,
    image: Texts,
    container: Texts,
    memcg: Texts,
    dev: Vec<ByteArray>,
    ino: Vec<i64>,
    generation: Vec<i32>,
    size: Vec<i64>,
    deleted: Vec<bool>,
    eligible: Vec<bool>,
    mapped_writably: Vec<bool>,
    index: Vec<i64>,
    pages: Vec<i64>,
    state: Vec<ByteArray>,
    hash: Vec<i64>,
    hash_levels: Vec<i16>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.path.len()
    }

    pub(super) fn push(&mut self, names: &Names, row: &Row) {
        // Parquet keeps unsigned integers in signed ones of the same bits.
        self.file.push(names.file.cast_signed());
        self.path.push(names.path.clone());
        self.fs.push(names.fs.clone());
        self.fs_type.push(names.fs_type.clone());
        self.layer.push(names.layer.as_ref());
        self.image.push(names.image.as_ref());
        self.container.push(names.container.as_ref());
        let memcg = names.memcgs.get(row.memcg);
        self.memcg.push(memcg.and_then(|(_, memcg)| memcg.as_ref()));
        self.dev.push(names.dev.clone());
        self.ino.push(names.ino.cast_signed());
        self.generation.push(names.generation.cast_signed());
        self.size.push(names.size.cast_signed());
        self.deleted.push(names.deleted);
        self.eligible.push(names.eligible);
        self.mapped_writably.push(names.mapped_writably);
        self.index.push(row.index.cast_signed());
        self.pages.push(row.pages.cast_signed());
        self.state.push(ByteArray::from(row.state));
        self.hash_levels.push(i16::from(row.hash.is_some()));
        self.hash.extend(row.hash.map(u64::cast_signed));
    }

    /// Writes the rows as one row group, and forgets them.
    pub(super) fn write(
        &mut self,
        file: &mut SerializedFileWriter<impl Write + Send>,
    ) -> Result<()> {
        let batch = std::mem::take(self);
        let mut group = file.next_row_group()?;
        let out = &mut group;
        ints(out, &batch.file)?;
        texts(out, &batch.path, None)?;
        texts(out, &batch.fs, None)?;
        texts(out, &batch.fs_type, None)?;
        for column in [&batch.layer, &batch.image, &batch.container, &batch.memcg] {
            texts(out, &column.values, Some(&column.levels))?;
        }
        texts(out, &batch.dev, None)?;
        numbers(out, &batch.ino, None)?;
        ints(out, &batch.generation)?;
        numbers(out, &batch.size, None)?;
        flags(out, &batch.deleted)?;
        flags(out, &batch.eligible)?;
        flags(out, &batch.mapped_writably)?;
        numbers(out, &batch.index, None)?;
        numbers(out, &batch.pages, None)?;
        texts(out, &batch.state, None)?;
        numbers(out, &batch.hash, Some(&batch.hash_levels))?;
        group.close()?;
        Ok(())
    }
}

fn texts<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[ByteArray],
    levels: Option<&[i16]>,
) -> Result<()> {
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column
        .typed::<ByteArrayType>()
        .write_batch(values, levels, None)?;
    column.close()
}

fn flags<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[bool],
) -> Result<()> {
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<BoolType>().write_batch(values, None, None)?;
    column.close()
}

fn ints<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[i32],
) -> Result<()> {
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column
        .typed::<Int32Type>()
        .write_batch(values, None, None)?;
    column.close()
}

fn numbers<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[i64],
    levels: Option<&[i16]>,
) -> Result<()> {
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column
        .typed::<Int64Type>()
        .write_batch(values, levels, None)?;
    column.close()
}

fn missing() -> ParquetError {
    ParquetError::General("the schema has fewer columns than a row".to_owned())
}
