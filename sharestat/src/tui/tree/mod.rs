//! Any list of files, filesystems, layers, images or containers as a tree: group, its
//! layers, directories, files. Rows are made of a frame and of which branches are unfolded;
//! only what is unfolded is looked into.

mod branch;
mod grow;

use std::{collections::HashSet, sync::Arc};

pub use self::branch::{Target, TreeRow};
use self::grow::Grower;
use super::{
    frame::{FileRow, Frame, GroupRow},
    list::List,
    pages::Page,
    theme::Glyphs,
};

/// Which branches are unfolded, and the rows that follow.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Whether lists are shown as trees.
    pub(super) on: bool,
    /// Keys of the branches that are unfolded.
    unfolded: HashSet<Arc<str>>,
    /// The branch to be unfolded with all below it, the next time rows are made.
    wholly: Option<Arc<str>>,
    changes: u64,
    made: Option<Made>,
    rows: Arc<[TreeRow]>,
}

/// What the rows were made of. Lists are held, so that no other one has their address.
#[derive(Debug)]
struct Made {
    files: Arc<[FileRow]>,
    groups: [Arc<[GroupRow]>; 4],
    page: Page,
    list: u64,
    changes: u64,
    shares: bool,
}

impl Tree {
    /// The rows as last made.
    pub(super) const fn rows(&self) -> &Arc<[TreeRow]> {
        &self.rows
    }

    /// Folds an unfolded branch, unfolds a folded one.
    pub(super) fn toggle(&mut self, key: &Arc<str>) {
        if !self.unfolded.remove(key) {
            self.unfolded.insert(Arc::clone(key));
        }
        self.changes += 1;
    }

    /// Folds everything.
    pub(super) fn fold_all(&mut self) {
        self.unfolded.clear();
        self.changes += 1;
    }

    /// Unfolds a branch and all below it.
    pub(super) fn unfold_all(&mut self, key: Arc<str>) {
        self.wholly = Some(key);
        self.changes += 1;
    }

    /// Makes the rows of `page` (that of the list) anew, if anything that they depend on
    /// changed.
    pub(super) fn prepare(
        &mut self,
        page: &Page,
        frame: &Frame,
        list: &List,
        shares: bool,
        glyphs: &Glyphs,
    ) {
        let groups = [
            &frame.filesystems,
            &frame.identity.layers,
            &frame.identity.images,
            &frame.identity.containers,
        ];
        let same = |made: &Made| {
            Arc::ptr_eq(&made.files, &frame.files)
                && made
                    .groups
                    .iter()
                    .zip(groups)
                    .all(|(one, other)| Arc::ptr_eq(one, other))
                && made.page == *page
                && (made.list, made.changes, made.shares) == (list.version(), self.changes, shares)
        };
        if self.made.as_ref().is_some_and(same) {
            return;
        }
        let wholly = self.wholly.take();
        let mut grower = Grower::new(
            frame,
            list,
            shares,
            glyphs,
            &self.unfolded,
            wholly.as_deref(),
        );
        grower.grow(page);
        let (rows, opened) = grower.ripe();
        self.rows = rows.into();
        self.unfolded.extend(opened);
        self.made = Some(Made {
            files: Arc::clone(&frame.files),
            groups: groups.map(Arc::clone),
            page: page.clone(),
            list: list.version(),
            changes: self.changes,
            shares,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{columns::Table, fixture, pages::View, theme::Theme},
        *,
    };
    use crate::model::units::Bytes;

    fn tree_of(view: View, frame: &Frame, list: &List, keys: &[&str]) -> Vec<TreeRow> {
        let mut tree = Tree::default();
        for key in keys {
            tree.unfold_all((*key).into());
            tree.prepare(
                &view.page(),
                frame,
                list,
                false,
                Theme::new(true, true).glyphs,
            );
        }
        tree.prepare(
            &view.page(),
            frame,
            list,
            false,
            Theme::new(true, true).glyphs,
        );
        tree.rows().to_vec()
    }

    fn is_file(row: &TreeRow) -> bool {
        matches!(row.target, Target::File(..))
    }

    #[test]
    fn everything_unfolded_shows_every_file_once_and_sums_add_up() {
        let frame = fixture::frame();
        let list = List::new(Table::Tree);
        let keys = ["fs:/", "fs:/var", "fs:/home", "fs:/dev/shm"];
        let rows = tree_of(View::Files, &frame, &list, &keys);
        assert_eq!(
            rows.iter().filter(|row| is_file(row)).count(),
            frame.files.len()
        );
        // A branch holds what the rows below it hold, down to the next row of its depth.
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.depth > 0) {
            if is_file(row) {
                continue;
            }
            let below = rows[at + 1..]
                .iter()
                .take_while(|below| below.depth > row.depth);
            let sum: u64 = below
                .filter(|row| is_file(row))
                .map(|file| file.resident.0)
                .sum();
            assert_eq!(row.resident, Bytes(sum), "{}", row.label);
            assert_eq!(row.exclusive, None, "of a directory it is not known");
        }
    }

    #[test]
    fn a_filter_leaves_branches_with_sums_of_the_files_that_match() {
        let frame = fixture::frame();
        let mut list = List::new(Table::Tree);
        list.set_filter("path~journal").expect("a query");
        let rows = tree_of(View::Files, &frame, &list, &["fs:/"]);
        let matching = frame
            .files
            .iter()
            .filter(|file| file.path.contains("journal"));
        let resident: u64 = matching.clone().map(|file| file.resident.0).sum();
        assert_eq!(
            rows.iter().filter(|row| is_file(row)).count(),
            matching.count()
        );
        assert_eq!((rows[0].depth, rows[0].resident), (0, Bytes(resident)));
        assert!(
            rows.iter().skip(1).all(|row| row.depth > 0),
            "one filesystem has them all"
        );
    }

    #[test]
    fn images_unfold_into_layers_and_these_into_files() {
        let frame = fixture::troubled();
        let list = List::new(Table::Tree);
        let folded = tree_of(View::Images, &frame, &list, &[]);
        assert_eq!(folded.len(), frame.identity.images.len());
        assert_eq!(folded[0].resident, frame.identity.images[0].resident);
        let rows = tree_of(View::Images, &frame, &list, &["image:python:3.13-slim"]);
        let layers: Vec<&TreeRow> = rows.iter().filter(|row| row.depth == 1).collect();
        assert_eq!(layers.len(), 2);
        let in_them = frame.files.iter().filter(|file| file.layer.is_some());
        assert_eq!(
            rows.iter().filter(|row| is_file(row)).count(),
            in_them.count()
        );
    }

    #[test]
    fn branches_fold_again_and_rows_are_kept_while_nothing_changes() {
        let frame = fixture::frame();
        let list = List::new(Table::Tree);
        let glyphs = Theme::new(true, false).glyphs;
        let mut tree = Tree::default();
        let page = View::Filesystems.page();
        tree.prepare(&page, &frame, &list, false, glyphs);
        let folded = Arc::clone(tree.rows());
        tree.prepare(
            &page,
            &Frame {
                sequence: 99,
                ..frame.clone()
            },
            &list,
            false,
            glyphs,
        );
        assert!(Arc::ptr_eq(&folded, tree.rows()));
        let key = Arc::clone(&folded[0].key);
        tree.toggle(&key);
        tree.prepare(&page, &frame, &list, false, glyphs);
        assert!(tree.rows().len() > folded.len());
        tree.toggle(&key);
        tree.prepare(&page, &frame, &list, false, glyphs);
        assert_eq!(**tree.rows(), *folded);
    }
}
