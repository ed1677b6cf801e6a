//! How one table is sorted and filtered, with the resulting order kept until something
//! that it depends on changes: moving through 200,000 rows sorts nothing.

use std::{cmp::Ordering, sync::Arc};

use super::{
    columns::{Column, Table},
    pages::{Page, Rows},
    rows::{Row, RowKey},
    units::ratio,
};
use crate::query::{Field, Query, QueryError, Value};

/// Sort order, filter and cached row order of one table.
#[derive(Clone, Debug)]
pub struct List {
    table: Table,
    sort: Column,
    descending: bool,
    filter: String,
    query: Option<Query>,
    /// The row that the cursor stays on.
    pub follow: Option<RowKey>,
    version: u64,
    cached: Option<Cached>,
}

#[derive(Clone, Debug)]
struct Cached {
    sequence: u64,
    version: u64,
    shares: bool,
    page: Page,
    order: Arc<[u32]>,
}

impl List {
    /// The table's own order, unfiltered.
    #[must_use]
    pub fn new(table: Table) -> Self {
        let sort = table.default_sort();
        Self {
            table,
            sort,
            descending: !sort.is_text(),
            filter: String::new(),
            query: None,
            follow: None,
            version: 0,
            cached: None,
        }
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> Table {
        self.table
    }

    /// The column sorted by.
    #[must_use]
    pub const fn sort(&self) -> Column {
        self.sort
    }

    /// Whether the largest come first.
    #[must_use]
    pub const fn descending(&self) -> bool {
        self.descending
    }

    /// The text of the filter.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Changes with order and filter.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Sorts by a column; by the same one again turns the order round.
    pub fn sort_by(&mut self, column: Column) {
        self.descending = if column == self.sort {
            !self.descending
        } else {
            !column.is_text()
        };
        self.sort = column;
        self.version += 1;
    }

    /// Turns the order round.
    pub fn invert(&mut self) {
        self.descending = !self.descending;
        self.version += 1;
    }

    /// Sorts by the column so many places to the right.
    pub fn sort_beside(&mut self, right: bool) {
        let columns = self.table.columns();
        let here = columns
            .iter()
            .position(|column| *column == self.sort)
            .unwrap_or(0);
        let there = if right {
            here + 1
        } else {
            here.wrapping_sub(1)
        };
        if let Some(column) = columns.get(there) {
            self.sort_by(*column);
        }
    }

    /// Filters by a query.
    ///
    /// # Errors
    /// When it is none; the filter stays as it was.
    pub fn set_filter(&mut self, text: &str) -> Result<(), QueryError> {
        let fields: Vec<Field> = self
            .table
            .columns()
            .iter()
            .map(|column| column.field())
            .collect();
        let query = Query::parse(text, &fields)?;
        text.trim().clone_into(&mut self.filter);
        self.query = (!self.filter.is_empty()).then_some(query);
        self.version += 1;
        Ok(())
    }

    /// Filters by what is being typed. A last word that may become a field's name is not
    /// looked for yet: `dup` on the way to `dup>10MiB` would empty the table.
    ///
    /// # Errors
    /// When the text is no query so far; the filter stays as it was.
    pub fn preview_filter(&mut self, text: &str) -> Result<(), QueryError> {
        let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
        let before = &text[..text.len() - last.len()];
        let may_grow = |name: &str| !last.is_empty() && name.starts_with(last);
        let becomes_field = self.table.columns().iter().any(|column| {
            let spec = column.spec();
            may_grow(spec.name) || spec.aliases.iter().any(|alias| may_grow(alias))
        });
        if becomes_field && self.set_filter(before).is_ok() {
            return Ok(());
        }
        self.set_filter(text)
    }

    /// Positions of the rows to show, in order. `sequence` tells frames apart; with
    /// `shares`, rows are ordered by the shares shown instead of bytes.
    pub fn order(
        &mut self,
        page: &Page,
        rows: Rows<'_>,
        sequence: u64,
        shares: bool,
    ) -> Arc<[u32]> {
        if let Some(cached) = &self.cached
            && cached.sequence == sequence
            && cached.version == self.version
            && cached.shares == shares
            && cached.page == *page
        {
            return Arc::clone(&cached.order);
        }
        let order: Arc<[u32]> = self.compute(page, rows, shares).into();
        self.cached = Some(Cached {
            sequence,
            version: self.version,
            shares,
            page: page.clone(),
            order: Arc::clone(&order),
        });
        order
    }

    fn compute(&self, page: &Page, rows: Rows<'_>, shares: bool) -> Vec<u32> {
        let kept = (0..rows.len())
            .filter(|position| page.admits(rows, *position) && self.matches(rows.row(*position)));
        let kept = kept.filter_map(|position| u32::try_from(position).ok());
        if self.sort.is_text() {
            let mut order: Vec<u32> = kept.collect();
            order.sort_by(|one, other| {
                let text = |position: u32| text_of(rows.row(position as usize), self.sort);
                self.directed(text(*one).cmp(text(*other)))
            });
            return order;
        }
        let mut keyed: Vec<(f64, u64, u32)> = kept
            .map(|position| {
                let row = rows.row(position as usize);
                let bytes = row.bytes(self.sort).unwrap_or(0);
                (
                    if shares { share(row, self.sort) } else { 0.0 },
                    bytes,
                    position,
                )
            })
            .collect();
        keyed.sort_by(|one, other| {
            self.directed(one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)))
        });
        keyed.into_iter().map(|(_, _, position)| position).collect()
    }

    pub(super) fn directed(&self, ordering: Ordering) -> Ordering {
        if self.descending {
            ordering.reverse()
        } else {
            ordering
        }
    }

    pub(super) fn matches(&self, row: &dyn Row) -> bool {
        let columns = self.table.columns();
        self.query
            .as_ref()
            .is_none_or(|query| query.matches(&|field| row.value(columns[field])))
    }
}

/// The share shown instead of bytes, for all columns but `resident` and `charged` a share of the row's
/// own resident bytes.
#[must_use]
pub fn share(row: &dyn Row, column: Column) -> f64 {
    match (column, row.bytes(column), row.bytes(Column::Resident)) {
        // Of the same whole for all rows, so that bytes decide.
        (
            Column::Resident | Column::Charged | Column::Shared | Column::Hits | Column::Shareable,
            _,
            _,
        )
        | (_, None, _)
        | (_, _, None) => 0.0,
        (_, Some(part), Some(whole)) => ratio(part, whole),
    }
}

fn text_of(row: &dyn Row, column: Column) -> &str {
    match row.value(column) {
        Value::Text(text) => text,
        Value::Bytes(_) | Value::Missing => "",
    }
}
