//! Who is charged: the list of memory cgroups, and what containers are charged.

use std::collections::HashMap;

use super::{Owners, group, sorted};
use crate::{
    model::{
        charges::MemcgId, duplicates::Duplicates, groups::GroupRow, index::ContentIndex,
        layers::ContainerId, memcgs::memcg_rows, units::Bytes,
    },
    report::document::Group,
};

/// What a memory cgroup is charged for.
pub struct Charged {
    /// Its path, else what is known of it.
    pub name: String,
    /// Its number; empty for what nothing is known of.
    pub id: String,
    /// The container it belongs to.
    pub container: Option<ContainerId>,
    /// What it holds.
    pub row: GroupRow,
}

impl Owners<'_> {
    /// What each memory cgroup is charged for; empty when pages do not tell. A filter does
    /// not apply: a cgroup is no container.
    #[must_use]
    pub fn memcg_entries(&self, duplicates: &Duplicates<'_>) -> Vec<Group> {
        let rows = self.memcg_rows(duplicates).into_iter();
        let entry = |held: Charged| {
            let container = held.container;
            let containers = container.map(|container| self.layers().container_label(container));
            Group {
                containers: containers.into_iter().collect(),
                ..group(held.name, &held.id, &held.row)
            }
        };
        sorted(rows.map(entry))
    }

    /// What each memory cgroup is charged for, with its name, by id.
    #[must_use]
    pub fn memcg_rows(&self, duplicates: &Duplicates<'_>) -> Vec<Charged> {
        let entry = |(memcg, row): (Option<MemcgId>, GroupRow)| {
            let known = memcg.and_then(|memcg| self.identities.memcgs.get(&memcg));
            let id = memcg.map_or_else(String::new, |memcg| memcg.0.to_string());
            let name = match known {
                Some(known) => known.name.clone(),
                None if memcg.is_some() => format!("cgroup:{id}"),
                None => "unknown".to_owned(),
            };
            Charged {
                name,
                id,
                container: known.and_then(|known| known.container),
                row,
            }
        };
        memcg_rows(duplicates).into_iter().map(entry).collect()
    }

    /// Page cache charged to each container: that of its memory cgroups when pages tell
    /// theirs, else what the cgroups count.
    pub(super) fn charged(&self, index: &ContentIndex) -> HashMap<ContainerId, Bytes> {
        if index.memcgs().is_empty() {
            let memory = self.identities.memory.iter();
            return memory
                .map(|(container, stat)| (*container, stat.file))
                .collect();
        }
        let numbers = (0..).zip(&self.layers().containers);
        let mut charged: HashMap<ContainerId, Bytes> = numbers
            .map(|(number, _)| (ContainerId(number), Bytes(0)))
            .collect();
        for (memcg, pages) in index.charged_pages() {
            let known = memcg.and_then(|memcg| self.identities.memcgs.get(&memcg));
            if let Some(container) = known.and_then(|known| known.container) {
                *charged.entry(container).or_default() += Bytes::of_pages(pages);
            }
        }
        charged
    }
}
