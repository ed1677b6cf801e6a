//! Rows become a measurement again: inodes, their pages, and the names that the rows and
//! the header have for them.

use std::{collections::HashMap, time::Duration};

use parquet::data_type::ByteArray;

use super::rows::Rows;
use crate::{
    identity::escape,
    model::{
        charges::MemcgId,
        index::ContentIndex,
        inode::{Dev, InodeId, InodeKey},
        measurement::{
            Engine, FileIdentity, Filesystem, HookStatus, Identities, Measurement, Memcg, Place,
        },
        page::{Observation, SkipReason},
        units::{ContentHash, PageIndex},
    },
    report::{Report, document::Group},
};

/// The layer of a file by name, and the images that have it, as the rows tell.
type LayerNames = (String, Option<String>);

/// From which page on how many pages are charged to whom.
type Charge = (PageIndex, u64, MemcgId);

/// What was read of a table so far.
pub(super) struct Restorer<'h> {
    report: &'h Report,
    index: ContentIndex,
    identity: Identities,
    filesystems: HashMap<(Dev, String), usize>,
    layers: HashMap<InodeId, LayerNames>,
    /// Number of the file being read, its inode, and the first page that may follow.
    open: Option<(i32, InodeId, u64)>,
    /// What the pages of this file are charged to.
    charges: Vec<Charge>,
    /// Memory cgroups by their names.
    memcgs: HashMap<String, MemcgId>,
    pages: u64,
}

impl<'h> Restorer<'h> {
    /// Nothing yet of what the header's report tells.
    pub(super) fn new(report: &'h Report, zero: ContentHash) -> Self {
        Self {
            report,
            index: ContentIndex::new(zero),
            identity: Identities {
                warnings: report.identity.warnings.clone(),
                ..Identities::default()
            },
            filesystems: HashMap::new(),
            layers: HashMap::new(),
            open: None,
            charges: Vec::new(),
            memcgs: memcgs_of(report),
            pages: 0,
        }
    }

    /// Takes the rows of one group.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn take(&mut self, rows: &Rows) -> Result<(), String> {
        (0..rows.len()).try_for_each(|at| self.take_row(rows, at))
    }

    fn take_row(&mut self, rows: &Rows, at: usize) -> Result<(), String> {
        let file = rows.file[at];
        let (inode, first) = match self.open {
            Some((number, inode, next)) if number == file => (inode, next),
            Some((number, ..)) if file.cast_unsigned() < number.cast_unsigned() => {
                return Err("its files are out of order".to_owned());
            }
            _ => {
                self.charge();
                (self.inode(rows, at)?, 0)
            }
        };
        let [index, pages] = [rows.index[at], rows.pages[at]].map(i64::cast_unsigned);
        let end = index.checked_add(pages).filter(|_| index >= first);
        let Some(end) = end.filter(|_| pages > 0) else {
            return Err("its runs of pages overlap".to_owned());
        };
        // Before a loop over them: a few bytes can claim any number of pages.
        self.pages = self.pages.saturating_add(pages);
        if self.pages > self.report.coverage.resident_pages {
            return Err("its rows hold more pages than its header says".to_owned());
        }
        let seen = observation(&rows.state[at], rows.hash[at])?;
        for page in index..end {
            self.index.insert(inode, PageIndex(page), seen);
        }
        if let Some(name) = &rows.memcg[at] {
            let memcg = self.memcg(text(name)?);
            self.charges.push((PageIndex(index), pages, memcg));
        }
        self.open = Some((file, inode, end));
        Ok(())
    }

    /// Says what the pages of the open file are charged to, once all are there: those of
    /// which nothing is known must not pass for charged as the others.
    fn charge(&mut self) {
        let charges = self.charges.drain(..);
        if let Some((_, inode, _)) = self.open {
            for (first, pages, memcg) in charges {
                self.index.charge(inode, first, pages, memcg);
            }
        }
    }

    /// The cgroup of that name; one that the header does not list gets a number that none has.
    fn memcg(&mut self, name: String) -> MemcgId {
        let listed = self.memcgs.len() as u64;
        let known = self.memcgs.get(&name).copied();
        let memcg = known.unwrap_or(MemcgId(u64::MAX - listed));
        self.identity.memcgs.entry(memcg).or_insert_with(|| Memcg {
            name: name.clone(),
            container: None,
        });
        self.memcgs.entry(name).or_insert(memcg);
        memcg
    }

    /// The inode that a row belongs to, which is the first one of its file.
    fn inode(&mut self, rows: &Rows, at: usize) -> Result<InodeId, String> {
        let dev = device(&rows.dev[at])?;
        let key = InodeKey {
            // Two inodes of equal numbers (two subvolumes) stay two.
            address: u64::from(rows.file[at].cast_unsigned()) + 1,
            dev,
            ino: rows.ino[at].cast_unsigned(),
            generation: rows.generation[at].cast_unsigned(),
            subvolume: 0,
        };
        let told = |flags: &[bool]| flags.get(at).is_some_and(|is| *is);
        let mapped_writably = told(&rows.mapped_writably);
        let clean_state = rows.eligible[at] || mapped_writably;
        let inode = self.index.intern(key, clean_state);
        self.index.map_writably(inode, mapped_writably);
        let filesystem = self.filesystem(dev, text(&rows.fs[at])?, text(&rows.fs_type[at])?);
        let path = text(&rows.path[at])?;
        self.identity.files.insert(
            inode,
            FileIdentity {
                filesystem,
                named: path != format!("{dev}:{}", key.ino),
                path,
                deleted: told(&rows.deleted),
                size: rows.size[at].cast_unsigned(),
                links: 1,
                place: Place::default(),
            },
        );
        if let Some(layer) = &rows.layer[at] {
            let images = rows.image[at].as_ref().map(text).transpose()?;
            self.layers.insert(inode, (text(layer)?, images));
        }
        Ok(inode)
    }

    fn filesystem(&mut self, dev: Dev, name: String, fs_type: String) -> usize {
        let filesystems = &mut self.identity.filesystems;
        let mut known = self.report.filesystems.iter();
        let number = dev.to_string();
        let known = known.find(|known| known.dev == number && known.name == name);
        *self
            .filesystems
            .entry((dev, name))
            .or_insert_with_key(|(dev, name)| {
                filesystems.push(Filesystem {
                    dev: *dev,
                    fs_type,
                    id: known.map_or_else(|| name.clone(), |known| known.id.clone()),
                    mount_point: known.and_then(|known| known.mount_point.clone()),
                    source: None,
                });
                filesystems.len() - 1
            })
    }

    /// All of it, and the names of the layers by inode.
    ///
    /// # Errors
    /// When the header's measurement makes no sense.
    pub(super) fn finish(mut self) -> Result<(Measurement, HashMap<InodeId, LayerNames>), String> {
        self.charge();
        let info = &self.report.measurement;
        let engines = [Engine::Bpf, Engine::User, Engine::Image];
        let engine = engines
            .into_iter()
            .find(|engine| engine.name() == info.engine)
            .ok_or("its engine is unknown")?;
        let started_at = info.started_at.parse();
        let measurement = Measurement {
            engine,
            started_at: started_at.map_err(|_| "its time is none")?,
            duration: Duration::from_nanos(info.duration_ns),
            seed_id: info.seed_id.clone(),
            hooks: info
                .hooks
                .iter()
                .map(|hook| HookStatus {
                    event: hook.event.clone(),
                    attached: hook.attached.clone(),
                    lost: hook.lost,
                    loss: String::new(),
                    optional: true,
                })
                .collect(),
            events_lost: self.report.coverage.events_lost,
            complete: self.report.coverage.complete,
            index: self.index,
            identity: self.identity,
            avoidable: None,
            notes: info.notes.clone(),
        };
        Ok((measurement, self.layers))
    }
}

/// The memory cgroups that a header lists; what nothing is known of has no number there.
fn memcgs_of(report: &Report) -> HashMap<String, MemcgId> {
    let listed = report.memcgs.iter();
    let numbered = listed.filter_map(|row| Some((row.name.clone(), MemcgId(row.id.parse().ok()?))));
    numbered.collect()
}

/// The group of the report that a layer of a row is.
pub(super) fn layer_of<'r>(report: &'r Report, names: &LayerNames) -> Option<&'r Group> {
    let (layer, images) = names;
    report.layers.iter().find(|group| {
        group.name == *layer && images.as_deref().unwrap_or("") == group.images.join(", ")
    })
}

fn observation(state: &ByteArray, hash: Option<i64>) -> Result<Observation, String> {
    let skipped = |reason| Ok(Observation::Skipped(reason));
    match (state.data(), hash) {
        (b"hashed", Some(hash)) => Ok(Observation::Hashed(ContentHash(hash.cast_unsigned()))),
        (b"dirty", None) => skipped(SkipReason::Dirty),
        (b"writeback", None) => skipped(SkipReason::Writeback),
        (b"not_uptodate", None) => skipped(SkipReason::NotUptodate),
        (b"raced", None) => skipped(SkipReason::Raced),
        (b"unreadable", None) => skipped(SkipReason::Unreadable),
        (b"budget", None) => skipped(SkipReason::Budget),
        _ => Err("a row has no such state with such a hash".to_owned()),
    }
}

fn device(text: &ByteArray) -> Result<Dev, String> {
    let parts = std::str::from_utf8(text.data()).ok().and_then(|text| {
        let (major, minor) = text.split_once(':')?;
        let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
        (major < 1 << 12 && minor < 1 << 20).then(|| Dev::new(major, minor))
    });
    parts.ok_or_else(|| "a row has a device number that is none".to_owned())
}

/// A text of ours is safe to print already; a foreign one becomes so.
fn text(bytes: &ByteArray) -> Result<String, String> {
    let text = std::str::from_utf8(bytes.data()).map_err(|_| "a text is not UTF-8")?;
    if text.chars().any(char::is_control) {
        return Ok(escape::printable(std::path::Path::new(text)));
    }
    Ok(text.to_owned())
}
