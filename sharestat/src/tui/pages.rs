//! Where one can be: views (tabs), pages (a view, perhaps within one row of another),
//! and the way back.

use std::sync::Arc;

use super::{
    columns::Table,
    frame::{CopyRow, DerefRow, FileRow, Frame, GroupRow},
    rows::Row,
    tree::{Target, TreeRow},
};
use crate::model::inode::InodeId;

/// A tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// Sums.
    Overview,
    /// Files.
    Files,
    /// Layers.
    Layers,
    /// Images.
    Images,
    /// Containers.
    Containers,
    /// Memory cgroups.
    Memcgs,
    /// Filesystems.
    Filesystems,
    /// Rates and distributions.
    Events,
    /// State of the instrument.
    Health,
    /// Who touches `folio->mapping`.
    Derefs,
}

impl View {
    /// All views in the order of the tabs.
    pub const ALL: [Self; 10] = [
        Self::Overview,
        Self::Files,
        Self::Layers,
        Self::Images,
        Self::Containers,
        Self::Memcgs,
        Self::Filesystems,
        Self::Events,
        Self::Health,
        Self::Derefs,
    ];

    /// Name on the tab.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Files => "Files",
            Self::Layers => "Layers",
            Self::Images => "Images",
            Self::Containers => "Containers",
            Self::Memcgs => "Cgroups",
            Self::Filesystems => "Filesystems",
            Self::Events => "Events",
            Self::Health => "Health",
            Self::Derefs => "Derefs",
        }
    }

    /// Whether the tab is worth its place: layers, images, containers and cgroups only once
    /// there are some, derefs when they were loaded. Its key then says why there is nothing.
    #[must_use]
    pub fn has_rows(self, frame: &Frame) -> bool {
        match self {
            Self::Layers => !frame.identity.layers.is_empty(),
            Self::Images => !frame.identity.images.is_empty(),
            Self::Containers => !frame.identity.containers.is_empty(),
            Self::Memcgs => !frame.identity.memcgs.is_empty(),
            Self::Derefs => frame.derefs.is_some(),
            Self::Overview | Self::Files | Self::Filesystems | Self::Events | Self::Health => true,
        }
    }

    /// Its page.
    #[must_use]
    pub const fn page(self) -> Page {
        match self {
            Self::Overview => Page::Overview,
            Self::Files => Page::Files(None),
            Self::Layers => Page::Layers(None),
            Self::Images => Page::Images,
            Self::Containers => Page::Containers,
            Self::Memcgs => Page::Memcgs,
            Self::Filesystems => Page::Filesystems,
            Self::Events => Page::Events,
            Self::Health => Page::Health,
            Self::Derefs => Page::Derefs,
        }
    }
}

/// The row that a page was opened from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Within {
    /// A filesystem's files, by its id.
    Filesystem(Arc<str>, Arc<str>),
    /// A layer's files, by its id.
    Layer(Arc<str>, Arc<str>),
    /// An image's or container's layers, by their ids.
    Layers(Arc<[Arc<str>]>, Arc<str>),
}

impl Within {
    /// What people call the row.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Filesystem(_, name) | Self::Layer(_, name) | Self::Layers(_, name) => name,
        }
    }

    pub(super) fn has_file(&self, file: &FileRow) -> bool {
        match self {
            Self::Filesystem(id, _) => file.filesystem == *id,
            Self::Layer(id, _) => file.layer.as_ref() == Some(id),
            Self::Layers(ids, _) => file.layer.as_ref().is_some_and(|layer| ids.contains(layer)),
        }
    }

    pub(super) fn has_group(&self, group: &GroupRow) -> bool {
        match self {
            Self::Layers(ids, _) => ids.contains(&group.id),
            Self::Filesystem(id, _) | Self::Layer(id, _) => group.id == *id,
        }
    }
}

/// What the body of the screen shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Sums.
    Overview,
    /// All files, or those of one row.
    Files(Option<Within>),
    /// Files that share contents with one file.
    Copies(InodeId, Arc<str>),
    /// Filesystems.
    Filesystems,
    /// All layers, or those of one row.
    Layers(Option<Within>),
    /// Layers against layers.
    LayerMap,
    /// Images.
    Images,
    /// Containers.
    Containers,
    /// Memory cgroups.
    Memcgs,
    /// Rates and distributions.
    Events,
    /// State of the instrument.
    Health,
    /// Who touches `folio->mapping`.
    Derefs,
    /// One site of these, by its id and name.
    Deref(Arc<str>, Arc<str>),
    /// A list as a tree.
    Tree(Box<Page>),
}

impl Page {
    /// Whether it can be shown as a tree.
    #[must_use]
    pub const fn has_tree(&self) -> bool {
        matches!(
            self,
            Self::Files(_) | Self::Filesystems | Self::Layers(_) | Self::Images | Self::Containers
        )
    }

    /// The same as a tree, if there is one and it is wanted; the same as a list, if not.
    #[must_use]
    pub fn as_tree(self, tree: bool) -> Self {
        match self {
            Self::Tree(list) if !tree => *list,
            list if tree && list.has_tree() => Self::Tree(Box::new(list)),
            page => page,
        }
    }

    /// Its table, if it is one.
    #[must_use]
    pub const fn table(&self) -> Option<Table> {
        match self {
            Self::Files(_) => Some(Table::Files),
            Self::Copies(..) => Some(Table::Copies),
            Self::Filesystems => Some(Table::Filesystems),
            Self::Layers(_) => Some(Table::Layers),
            Self::Images => Some(Table::Images),
            Self::Containers => Some(Table::Containers),
            Self::Memcgs => Some(Table::Memcgs),
            Self::Derefs => Some(Table::Derefs),
            Self::Tree(_) => Some(Table::Tree),
            Self::Overview | Self::LayerMap | Self::Events | Self::Health | Self::Deref(..) => None,
        }
    }

    /// What it shows, in words.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Files(None) => "Files".to_owned(),
            Self::Files(Some(within)) => format!("files of {}", within.name()),
            Self::Copies(_, path) => format!("files with contents of {path}"),
            Self::Layers(None) => "Layers".to_owned(),
            Self::Layers(Some(within)) => format!("layers of {}", within.name()),
            Self::Filesystems => "Filesystems".to_owned(),
            Self::LayerMap => "Layers against layers".to_owned(),
            Self::Images => "Images".to_owned(),
            Self::Containers => "Containers".to_owned(),
            Self::Memcgs => "Memory cgroups".to_owned(),
            Self::Overview => "Overview".to_owned(),
            Self::Events => "Events".to_owned(),
            Self::Health => "Health".to_owned(),
            Self::Derefs => "Derefs".to_owned(),
            Self::Deref(_, site) => site.to_string(),
            Self::Tree(list) => format!("{} as a tree", list.title()),
        }
    }

    /// Its rows in a frame; none where it is no table, and `None` for the copies of a file
    /// that this frame does not explain.
    #[must_use]
    pub fn rows<'a>(&self, frame: &'a Frame) -> Option<Rows<'a>> {
        Some(match self {
            Self::Files(_) => Rows::Files(&frame.files),
            Self::Copies(inode, _) => {
                let explained = frame.explained.as_ref()?;
                if explained.inode != *inode {
                    return None;
                }
                Rows::Copies(&explained.copies)
            }
            Self::Filesystems => Rows::Groups(&frame.filesystems),
            Self::Layers(_) => Rows::Groups(&frame.identity.layers),
            Self::Images => Rows::Groups(&frame.identity.images),
            Self::Containers => Rows::Groups(&frame.identity.containers),
            Self::Memcgs => Rows::Groups(&frame.identity.memcgs),
            Self::Derefs => Rows::Derefs(frame.derefs.as_ref().map_or(&[], |derefs| &derefs.sites)),
            // The rows of a tree are not in a frame: the state makes them.
            Self::Overview
            | Self::LayerMap
            | Self::Events
            | Self::Health
            | Self::Deref(..)
            | Self::Tree(_) => Rows::Groups(&[]),
        })
    }

    /// Whether a row lies in what the page was opened from.
    #[must_use]
    pub fn admits(&self, rows: Rows<'_>, position: usize) -> bool {
        match (self, rows) {
            (Self::Files(Some(within)), Rows::Files(files)) => within.has_file(&files[position]),
            (Self::Layers(Some(within)), Rows::Groups(rows)) => within.has_group(&rows[position]),
            _ => true,
        }
    }

    /// The page behind a row.
    #[must_use]
    pub fn behind(&self, rows: Rows<'_>, position: usize) -> Option<Self> {
        match rows {
            Rows::Files(files) => files
                .get(position)
                .map(|file| Self::Copies(file.inode, Arc::clone(&file.path))),
            Rows::Copies(copies) => copies
                .get(position)
                .map(|copy| Self::Copies(copy.inode, Arc::clone(&copy.path))),
            Rows::Derefs(sites) => sites
                .get(position)
                .map(|site| Self::Deref(Arc::clone(&site.id), Arc::clone(&site.site))),
            Rows::Tree(rows) => match &rows.get(position)?.target {
                Target::File(inode, path) => Some(Self::Copies(*inode, Arc::clone(path))),
                Target::Branch => None,
            },
            Rows::Groups(groups) => {
                let group = groups.get(position)?;
                let (id, name) = (Arc::clone(&group.id), Arc::clone(&group.name));
                match self {
                    Self::Filesystems => Some(Self::Files(Some(Within::Filesystem(id, name)))),
                    Self::Layers(_) => Some(Self::Files(Some(Within::Layer(id, name)))),
                    Self::Images | Self::Containers => {
                        let layers = Arc::clone(&group.layers);
                        Some(Self::Layers(Some(Within::Layers(layers, name))))
                    }
                    // Its container, where it is one's.
                    Self::Memcgs => group.container.as_ref().map(|container| {
                        let layers = Arc::clone(&group.layers);
                        Self::Layers(Some(Within::Layers(layers, Arc::clone(container))))
                    }),
                    _ => None,
                }
            }
        }
    }
}

/// The rows of a page.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// Files.
    Files(&'a [FileRow]),
    /// Files that share contents.
    Copies(&'a [CopyRow]),
    /// Filesystems, layers, images or containers.
    Groups(&'a [GroupRow]),
    /// Sites of derefs.
    Derefs(&'a [DerefRow]),
    /// A tree.
    Tree(&'a [TreeRow]),
}

impl<'a> Rows<'a> {
    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Files(rows) => rows.len(),
            Self::Copies(rows) => rows.len(),
            Self::Groups(rows) => rows.len(),
            Self::Derefs(rows) => rows.len(),
            Self::Tree(rows) => rows.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The row at a position below [`len`](Self::len).
    #[must_use]
    pub fn row(self, position: usize) -> &'a dyn Row {
        match self {
            Self::Files(rows) => &rows[position],
            Self::Copies(rows) => &rows[position],
            Self::Groups(rows) => &rows[position],
            Self::Derefs(rows) => &rows[position],
            Self::Tree(rows) => &rows[position],
        }
    }
}
