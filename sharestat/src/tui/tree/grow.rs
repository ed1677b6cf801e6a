//! Makes the rows of a tree: groups first, then what is unfolded, level by level. The cost
//! is one pass over all files, and one over the files of each unfolded branch.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{
    super::{
        columns::Column,
        frame::{FileRow, Frame, GroupRow},
        list::{List, share},
        pages::Page,
        rows::Row as _,
        theme::Glyphs,
    },
    branch::{Inside, Shoot, Target, TreeRow},
};

/// Deepest level that is indented: below it, names need the room.
const DEEPEST: usize = 24;
/// Between the parts of a key; no path has it.
const JOIN: char = '\0';

pub(super) struct Grower<'a> {
    frame: &'a Frame,
    list: &'a List,
    shares: bool,
    glyphs: &'a Glyphs,
    unfolded: &'a HashSet<Arc<str>>,
    wholly: Option<&'a str>,
    rows: Vec<TreeRow>,
    opened: Vec<Arc<str>>,
}

impl<'a> Grower<'a> {
    pub(super) const fn new(
        frame: &'a Frame,
        list: &'a List,
        shares: bool,
        glyphs: &'a Glyphs,
        unfolded: &'a HashSet<Arc<str>>,
        wholly: Option<&'a str>,
    ) -> Self {
        Self {
            frame,
            list,
            shares,
            glyphs,
            unfolded,
            wholly,
            rows: Vec::new(),
            opened: Vec::new(),
        }
    }

    /// The rows, and the branches that were unfolded with all below them.
    pub(super) fn ripe(self) -> (Vec<TreeRow>, Vec<Arc<str>>) {
        (self.rows, self.opened)
    }

    /// Makes the rows of a page.
    pub(super) fn grow(&mut self, page: &Page) {
        let identity = &self.frame.identity;
        let shoots = match page {
            Page::Files(Some(within)) => {
                let members = self.members(|file| within.has_file(file).then_some(()));
                let members = members.into_values().next().unwrap_or_default();
                self.directory(&format!("in:{}", within.name()), &members, 0)
            }
            Page::Files(None) | Page::Filesystems => {
                let mut of = self.members(|file| Some(&*file.filesystem));
                let groups = self.frame.filesystems.iter();
                groups
                    .filter_map(|group| self.group("fs", group, &mut of))
                    .collect()
            }
            Page::Layers(within) => self.layers("layer", |group| {
                within.as_ref().is_none_or(|within| within.has_group(group))
            }),
            Page::Images => self.owners("image", &identity.images),
            Page::Containers => self.owners("container", &identity.containers),
            _ => Vec::new(),
        };
        self.place(shoots, 0);
    }

    /// Files that match the filter, by something that they have.
    fn members<K: std::hash::Hash + Eq>(
        &self,
        of: impl Fn(&'a FileRow) -> Option<K>,
    ) -> HashMap<K, Vec<u32>> {
        let mut members: HashMap<K, Vec<u32>> = HashMap::new();
        for (at, file) in (0..).zip(self.frame.files.iter()) {
            if let Some(key) = of(file).filter(|_| self.list.matches(file)) {
                members.entry(key).or_default().push(at);
            }
        }
        members
    }

    /// A filesystem or layer; `None` when the filter leaves nothing of it.
    fn group(
        &self,
        kind: &str,
        group: &GroupRow,
        of: &mut HashMap<&str, Vec<u32>>,
    ) -> Option<Shoot> {
        let members = of.remove(&*group.id).unwrap_or_default();
        let key = format!("{kind}:{}", group.id);
        if self.list.filter().is_empty() {
            let cut = self.told_by(group, &members);
            return Some(Shoot::group(key, group, Inside::Files(members, cut)));
        }
        let mut shoot = Shoot::group(key, group, Inside::File);
        shoot.recount(&members, &self.frame.files);
        let has_any = !members.is_empty();
        let cut = self.told_by(group, &members);
        shoot.inside = Inside::Files(members, cut);
        has_any.then_some(shoot)
    }

    /// How many bytes of all paths the row of a group tells already: its mount point or
    /// the directory of the layer.
    fn told_by(&self, group: &GroupRow, members: &[u32]) -> usize {
        let below = |directory: &&str| {
            let mut files = members
                .iter()
                .filter_map(|at| self.frame.files.get(*at as usize));
            files.all(|file| {
                let rest = file.path.strip_prefix(directory);
                rest.is_some_and(|rest| rest.starts_with('/'))
            })
        };
        let told = [&*group.directory, &*group.name];
        told.into_iter().find(below).map_or(0, str::len)
    }

    fn layers(&self, kind: &str, wanted: impl Fn(&GroupRow) -> bool) -> Vec<Shoot> {
        let mut of = self.members(|file| file.layer.as_deref());
        let groups = self
            .frame
            .identity
            .layers
            .iter()
            .filter(|group| wanted(group));
        groups
            .filter_map(|group| self.group(kind, group, &mut of))
            .collect()
    }

    /// Images or containers with their layers. A layer is below each that has it.
    fn owners(&self, kind: &str, groups: &[GroupRow]) -> Vec<Shoot> {
        let of = self.members(|file| file.layer.as_deref());
        let filtered = !self.list.filter().is_empty();
        let shoots = groups.iter().filter_map(|group| {
            let key = format!("{kind}:{}", group.id);
            let layers = self.frame.identity.layers.iter();
            let mut all = Vec::new();
            let parts = layers.filter(|layer| group.layers.contains(&layer.id));
            let parts = parts.filter_map(|layer| {
                let mut own = HashMap::new();
                if let Some(members) = of.get(&*layer.id) {
                    all.extend_from_slice(members);
                    own.insert(&*layer.id, members.clone());
                }
                self.group(&format!("{key}{JOIN}layer"), layer, &mut own)
            });
            let parts: Vec<Shoot> = parts.collect();
            let mut shoot = Shoot::group(key, group, Inside::Groups(parts));
            if filtered {
                shoot.recount(&all, &self.frame.files);
            }
            (!filtered || !all.is_empty()).then_some(shoot)
        });
        shoots.collect()
    }

    /// Directories and files below a place. Directories without branching are one row.
    fn directory(&self, key: &str, members: &[u32], cut: usize) -> Vec<Shoot> {
        let files = &self.frame.files;
        let mut directories: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        let mut shoots = Vec::new();
        for at in members {
            let Some(file) = files.get(*at as usize) else {
                continue;
            };
            let rest = below(&file.path, cut);
            match rest.split_once('/') {
                Some((first, _)) => directories.entry(first).or_default().push(*at),
                None => shoots.push(Shoot::file(
                    format!("{key}{JOIN}{rest}{JOIN}{}", file.inode.0),
                    rest.to_owned(),
                    file,
                )),
            }
        }
        for (first, members) in directories {
            let path = |at: &u32| files.get(*at as usize).map_or("", |file| &file.path);
            let paths = members.iter().map(path);
            let common = paths.reduce(|one, other| common_directory(one, other));
            // Of one file, its directory.
            let common = common.map_or(0, |path| path.rfind('/').unwrap_or(0));
            let name = members
                .first()
                .map(path)
                .and_then(|path| path.get(..common));
            let name = format!("{}/", below(name.unwrap_or_default(), cut));
            let key = format!("{key}{JOIN}{first}");
            shoots.push(Shoot::directory(key, name, members, common, files));
        }
        shoots
    }

    /// Puts siblings in their order, each followed by what is unfolded of it.
    fn place(&mut self, mut shoots: Vec<Shoot>, depth: usize) {
        let (sort, shares) = (self.list.sort(), self.shares);
        shoots.sort_by(|one, other| {
            let ordering = match sort {
                Column::Path => one.name.cmp(&other.name),
                Column::Fs => one.row.fs.cmp(&other.row.fs),
                _ if shares => share(&one.row, sort).total_cmp(&share(&other.row, sort)),
                _ => std::cmp::Ordering::Equal,
            };
            let bytes = |shoot: &Shoot| shoot.row.bytes(sort).unwrap_or(0);
            let ordering = ordering.then_with(|| bytes(one).cmp(&bytes(other)));
            self.list.directed(ordering)
        });
        for Shoot {
            mut row,
            name,
            inside,
        } in shoots
        {
            let key = Arc::clone(&row.key);
            let open = row.target == Target::Branch && self.is_open(&key);
            let sign = match row.target {
                Target::File(..) => " ",
                Target::Branch if open => self.glyphs.unfolded,
                Target::Branch => self.glyphs.folded,
            };
            let blanks = " ".repeat(2 * depth.min(DEEPEST));
            row.label = format!("{blanks}{sign} {name}").into();
            row.depth = depth;
            self.rows.push(row);
            if !open {
                continue;
            }
            self.opened.push(Arc::clone(&key));
            let below = match inside {
                Inside::File => Vec::new(),
                Inside::Files(members, cut) => self.directory(&key, &members, cut),
                Inside::Groups(groups) => groups,
            };
            self.place(below, depth + 1);
        }
    }

    fn is_open(&self, key: &str) -> bool {
        let below_whole = |whole: &str| {
            let rest = key.strip_prefix(whole);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(JOIN))
        };
        self.unfolded.contains(key) || self.wholly.is_some_and(below_whole)
    }
}

/// What of a path is not told by the rows above.
fn below(path: &str, cut: usize) -> &str {
    path.get(cut..).unwrap_or_default().trim_start_matches('/')
}

/// The longer of two paths' common beginnings that ends with a slash, itself included.
fn common_directory<'p>(one: &'p str, other: &str) -> &'p str {
    let same = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(one, other)| one == other);
    let common = same.count();
    let end = one.as_bytes()[..common]
        .iter()
        .rposition(|byte| *byte == b'/');
    one.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}
