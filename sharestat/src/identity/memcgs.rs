//! Names the memory cgroups that pages are charged to: path, and the container it belongs
//! to. Walks the cgroup hierarchy when an id is new, and so seldom that it stays a small
//! part of one CPU; what is gone by then has its id for a name.

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use super::{
    cgroups::{Cgroups, container_of},
    escape::printable,
    mounts::MountTable,
    warning::Warnings,
};
use crate::model::{
    charges::MemcgId,
    measurement::{Identities, Memcg},
};

/// Walking takes at most one part in so many of the time.
const SHARE: u32 = 50;

/// Keeps what was found between two looks.
pub struct MemcgNames {
    cgroups: Cgroups,
    /// Ids that were looked for, found or not.
    asked: BTreeSet<MemcgId>,
    /// When the hierarchy may be walked again.
    not_before: Instant,
    /// The [`Identities::revision`] that the containers are of.
    revision: u64,
    notes: Warnings,
}

impl MemcgNames {
    /// For this machine.
    #[must_use]
    pub fn host() -> Self {
        // Without mounts there is no hierarchy, which is said when an id wants a name.
        Self::of(Cgroups::of(&MountTable::read().unwrap_or_default()))
    }

    fn of(cgroups: Cgroups) -> Self {
        Self {
            cgroups,
            asked: BTreeSet::new(),
            not_before: Instant::now(),
            revision: 0,
            notes: Warnings::default(),
        }
    }

    /// Whether some of `memcgs` were never looked for, and it is time to.
    #[must_use]
    pub fn wants(&self, memcgs: &BTreeSet<MemcgId>) -> bool {
        memcgs.len() > self.asked.len() && Instant::now() >= self.not_before
    }

    /// Names those of `memcgs` that have no name yet, and tells all of them their
    /// containers again when those were read anew.
    pub fn name(&mut self, memcgs: &BTreeSet<MemcgId>, identities: &mut Identities) {
        let walked = self.wants(memcgs);
        if walked {
            let begun = Instant::now();
            self.cgroups.refresh(&mut self.notes);
            self.not_before = Instant::now() + begun.elapsed() * SHARE;
            self.asked.extend(memcgs);
        }
        if !walked && self.revision == identities.revision {
            return;
        }
        self.revision = identities.revision;
        let containers = identities.layers.containers_by_id();
        let named = self.asked.iter().map(|memcg| {
            let path = self.cgroups.path_of(memcg.0);
            let known = Memcg {
                name: path.map_or_else(|| self.nameless(*memcg), printable),
                container: path.and_then(|path| container_of(path, &containers)),
            };
            (*memcg, known)
        });
        identities.memcgs = named.collect::<HashMap<_, _>>();
    }

    /// Sentences about what could not be looked at, and what to do.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let notes = self.notes.clone().into_list();
        notes.iter().map(ToString::to_string).collect()
    }

    fn nameless(&self, memcg: MemcgId) -> String {
        match memcg {
            MemcgId::UNCHARGED => "uncharged".to_owned(),
            MemcgId(id) if self.cgroups.are_mounted() => format!("gone:{id}"),
            MemcgId(id) => format!("cgroup:{id}"),
        }
    }

    /// For tests: walks as often as it is asked to.
    #[cfg(test)]
    fn at_once(mut self) -> Self {
        self.not_before = Instant::now();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

    use super::*;
    use crate::model::layers::{Container, ContainerId, Layers, Runtime};

    const ID: &str = "800bec12fb99a43bf9fa69943a466f8d396323b1e9e872c66e9a1a21b32149f1";

    fn directory(path: &Path) -> MemcgId {
        fs::create_dir_all(path).expect("a directory");
        MemcgId(fs::metadata(path).expect("it exists").ino())
    }

    fn container() -> Layers {
        Layers {
            containers: vec![Container {
                id: ID.to_owned(),
                name: None,
                runtime: Runtime::Podman,
                image: None,
                image_name: None,
                pod: None,
                layers: Vec::new(),
            }],
            ..Layers::default()
        }
    }

    #[test]
    fn cgroups_have_their_path_and_container_and_what_is_gone_has_its_id() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let scope = format!("machine.slice/libpod-{ID}.scope");
        let inside = directory(&root.path().join(&scope).join("container"));
        let other = directory(&root.path().join("other"));
        let gone = MemcgId(u64::MAX - 9);
        let mut memcgs: BTreeSet<MemcgId> = [MemcgId::UNCHARGED, inside, gone].into();
        let mut names = MemcgNames::of(Cgroups::at(Some(root.path().to_owned())));
        let mut identities = Identities::default();
        names.name(&memcgs, &mut identities);
        let of = |identities: &Identities, memcg| {
            let known: &Memcg = &identities.memcgs[&memcg];
            (known.name.clone(), known.container)
        };
        let path = format!("/{scope}/container");
        assert_eq!(of(&identities, inside), (path.clone(), None));
        assert_eq!(of(&identities, gone).0, format!("gone:{}", u64::MAX - 9));
        assert_eq!(of(&identities, MemcgId::UNCHARGED).0, "uncharged");
        // Containers are known later, another cgroup turns up, and the first one goes.
        fs::remove_dir(root.path().join(&scope).join("container")).expect("it is empty");
        memcgs.insert(other);
        (identities.layers, identities.revision) = (container(), 1);
        names = names.at_once();
        names.name(&memcgs, &mut identities);
        assert_eq!(of(&identities, inside), (path, Some(ContainerId(0))));
        assert_eq!(of(&identities, other), ("/other".to_owned(), None));
        assert!(names.notes().is_empty());
    }

    #[test]
    fn without_a_hierarchy_ids_are_shown_and_a_sentence_says_why() {
        let mut names = MemcgNames::of(Cgroups::at(None));
        let mut identities = Identities::default();
        names.name(&[MemcgId(5)].into(), &mut identities);
        assert_eq!(identities.memcgs[&MemcgId(5)].name, "cgroup:5");
        assert_eq!(names.notes().len(), 1);
    }
}
