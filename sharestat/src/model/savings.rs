//! What sharing would save: the duplicates split by how near the copies are (scopes),
//! and by which way of sharing could reach them (mechanisms).

use std::collections::HashMap;

use super::{
    at_once::at_once,
    duplicates::Duplicates,
    files::{FileRow, FileSurvey, survey_files},
    index::ContentIndex,
    inode::InodeId,
    kin::Kin,
    layers::{LayerId, LayerKind},
    measurement::Identities,
    needs,
    offsets::by_offset,
    scopes::{Nearness, ScopeRow},
    units::Bytes,
    view::InodeView,
    whole::{WholeClass, pages_in_common, whole_classes},
    writers,
};

/// How sure a mechanism's classes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    // The least sure comes last.
    /// The bytes were read and compared, of pages or of whole files.
    Verified,
    /// Every page that counts was compared by its hash, and every file by its digest.
    Exact,
    /// Rests on pages that are not resident and were not compared.
    Probable,
}

impl Confidence {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Probable => "probable",
            Self::Verified => "verified",
        }
    }
}

/// What one way of sharing would save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MechanismRow {
    /// Name of the mechanism.
    pub name: &'static str,
    /// Copies beyond the first of each class.
    pub saving: Bytes,
    /// Classes of at least two pages.
    pub groups: u64,
    /// How sure that is, of the least sure part.
    pub confidence: Confidence,
    /// Where the saving is not all as sure: its parts.
    pub by_confidence: Vec<(Confidence, Bytes)>,
    /// Why it does not save what `content` would if nothing were mapped writably: reasons
    /// and bytes, which add up to the difference.
    pub out_of_reach: Vec<(&'static str, Bytes)>,
    /// Of `erofs`: what is to be changed before it saves that, and how much of the saving
    /// each change is for.
    pub needs: Vec<(&'static str, Bytes)>,
}

/// Classes of pages that could be one, and the copies beyond the first in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes {
    groups: u64,
    saved: u64,
}

impl Classes {
    /// A class of so many pages.
    pub(super) fn add(&mut self, copies: u64) {
        if copies > 1 {
            self.groups += 1;
            self.saved += copies - 1;
        }
    }

    /// A class that saves so many pages.
    pub(super) fn add_saved(&mut self, saved: u64) {
        self.groups += u64::from(saved > 0);
        self.saved += saved;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.groups += other.groups;
        self.saved += other.saved;
    }

    pub(super) const fn saving(self) -> Bytes {
        Bytes::of_pages(self.saved)
    }

    fn row(self, name: &'static str, beyond: &[(&'static str, Bytes)]) -> MechanismRow {
        let mut out_of_reach = beyond.to_vec();
        out_of_reach.retain(|(_, bytes)| bytes.0 > 0);
        MechanismRow {
            name,
            saving: self.saving(),
            groups: self.groups,
            confidence: Confidence::Exact,
            by_confidence: Vec::new(),
            out_of_reach,
            needs: Vec::new(),
        }
    }
}

/// What is duplicate, how near the copies are, and what would save how much.
#[derive(Debug)]
pub struct Savings {
    /// The duplicates by scope; the rows add up to all of them.
    pub scopes: Vec<ScopeRow>,
    /// The saving of each mechanism over the eligible pages. Zero pages count in `zero`
    /// and nowhere else.
    pub mechanisms: Vec<MechanismRow>,
    /// Files that are equal as a whole, most saving first.
    pub whole: Vec<(WholeClass, Bytes)>,
    /// What each image file would save if it were not cached, most first.
    pub image_files: Vec<(InodeId, Bytes)>,
    /// What `layer` would save, by two of the layers, most first.
    pub layer_causes: Vec<((LayerId, LayerId), Bytes)>,
    /// `cross-layer` duplicates by the two layers, most first.
    pub layer_pairs: Vec<((LayerId, LayerId), Bytes)>,
}

/// Splits the duplicates.
#[must_use]
pub fn savings(index: &ContentIndex, identities: &Identities) -> Savings {
    let kin = Kin::of(index, identities);
    let duplicates = Duplicates::of(index);
    let survey = survey_files(&duplicates);
    savings_of(&duplicates, identities, &kin, &survey)
}

/// [`savings`], when the files were surveyed already.
#[must_use]
pub fn savings_of(
    duplicates: &Duplicates<'_>,
    identities: &Identities,
    kin: &Kin<'_>,
    survey: &FileSurvey,
) -> Savings {
    let ((content, zero, offset, whole), nearness) = at_once(
        || {
            let (content, zero) = by_content(duplicates);
            let whole = Whole::of(duplicates, identities, kin, &survey.rows);
            (content, zero, by_offset(duplicates), whole)
        },
        || Nearness::of(duplicates, kin),
    );
    let [held, held_zero] = writers::out_of_reach(duplicates, content, zero);
    let held = (writers::REASON, held);
    let moved = ("same content at another offset", less(content, offset));
    let differs = ("files differ elsewhere", less(offset, whole.all));
    let rest = |reach: Classes, reason| [(reason, less(content, reach)), held];
    let (reflink, copy_up) = (nearness.reflink, nearness.copy_up);
    let image_file = nearness.image_file;
    let apart = (
        "not at one path of two lower layers",
        less(whole.all, whole.layer),
    );
    let mut mechanisms = vec![
        content.row("content", &[held]),
        offset.row("offset", &[moved, held]),
        MechanismRow {
            needs: most_first(whole.needs.clone()),
            ..whole.row("erofs", whole.all, &[moved, differs, held])
        },
        whole.row("composefs", whole.all, &[moved, differs, held]),
        whole.row("layer", whole.layer, &[moved, differs, apart, held]),
        reflink.row("reflink", &rest(reflink, "no shared extent")),
        copy_up.row("copy-up", &rest(copy_up, "not copied up from there")),
        image_file.row("image-file", &rest(image_file, "not a cached image of it")),
        zero.row("zero", &[(writers::REASON, held_zero)]),
    ];
    if let Some(uncompared) = &identities.uncompared {
        uncompared.mark(&mut mechanisms, duplicates.index(), kin);
    }
    Savings {
        scopes: nearness.rows(duplicates.index(), survey.repeated),
        mechanisms,
        whole: whole.classes,
        image_files: most_first(nearness.image_files),
        layer_causes: most_first(whole.layer_causes),
        layer_pairs: most_first(nearness.layer_pairs),
    }
}

/// What each image file would save if it were not cached, most first: [`Savings::image_files`]
/// without the rest.
#[must_use]
pub fn image_files(duplicates: &Duplicates<'_>, kin: &Kin<'_>) -> Vec<(InodeId, Bytes)> {
    if !kin.has_images() {
        return Vec::new();
    }
    most_first(Nearness::of(duplicates, kin).image_files)
}

pub(super) fn less(reach: Classes, part: Classes) -> Bytes {
    Bytes::of_pages(reach.saved.saturating_sub(part.saved))
}

fn most_first<T: Ord>(pages: HashMap<T, u64>) -> Vec<(T, Bytes)> {
    let of_pages = |(whose, pages)| (whose, Bytes::of_pages(pages));
    let mut rows: Vec<(T, Bytes)> = pages.into_iter().map(of_pages).collect();
    rows.sort_unstable_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    rows
}

/// What sharing equal files would save.
struct Whole {
    all: Classes,
    /// Files at the same path of two lower layers.
    layer: Classes,
    by_confidence: Vec<(Confidence, Bytes)>,
    layer_by_confidence: Vec<(Confidence, Bytes)>,
    /// Pages that `layer` saves, by the first two layers of a class of files.
    layer_causes: HashMap<(LayerId, LayerId), u64>,
    classes: Vec<(WholeClass, Bytes)>,
    /// Pages that `erofs` saves, by what that needs.
    needs: HashMap<&'static str, u64>,
}

impl Whole {
    fn of(
        duplicates: &Duplicates<'_>,
        identities: &Identities,
        kin: &Kin<'_>,
        rows: &[FileRow],
    ) -> Self {
        let mut whole = Self {
            all: Classes::default(),
            layer: Classes::default(),
            by_confidence: Vec::new(),
            layer_by_confidence: Vec::new(),
            layer_causes: HashMap::new(),
            classes: Vec::new(),
            needs: HashMap::new(),
        };
        for class in whole_classes(duplicates, identities, kin, rows) {
            let pages = pages_in_common(duplicates, &class.files);
            whole.all.merge(pages);
            count(&mut whole.by_confidence, class.confidence, pages);
            if let Some(sharing) = &identities.sharing {
                let need = needs::of_files(identities, sharing, &class.files);
                *whole.needs.entry(need).or_default() += pages.saved;
            }
            for files in at_one_path(identities, &class.files) {
                let pages = pages_in_common(duplicates, &files);
                whole.layer.merge(pages);
                let layer = |inode| identities.files.get(inode)?.place.layer;
                let mut layers = files.iter().filter_map(layer);
                if let Some(pair) = layers.next().zip(layers.next()) {
                    *whole.layer_causes.entry(pair).or_default() += pages.saved;
                }
                count(&mut whole.layer_by_confidence, class.confidence, pages);
            }
            whole.classes.push((class, pages.saving()));
        }
        whole.by_confidence.sort_unstable();
        whole.layer_by_confidence.sort_unstable();
        whole
            .classes
            .sort_by_key(|(_, saving)| std::cmp::Reverse(*saving));
        whole
    }

    fn row(
        &self,
        name: &'static str,
        classes: Classes,
        beyond: &[(&'static str, Bytes)],
    ) -> MechanismRow {
        let parts = if name == "layer" {
            &self.layer_by_confidence
        } else {
            &self.by_confidence
        };
        let least = parts.iter().map(|(confidence, _)| *confidence).max();
        MechanismRow {
            confidence: least.unwrap_or(Confidence::Exact),
            by_confidence: if parts.len() > 1 {
                parts.clone()
            } else {
                Vec::new()
            },
            ..classes.row(name, beyond)
        }
    }
}

fn count(parts: &mut Vec<(Confidence, Bytes)>, confidence: Confidence, pages: Classes) {
    if pages.saved == 0 {
        return;
    }
    match parts.iter_mut().find(|(known, _)| *known == confidence) {
        Some((_, bytes)) => *bytes += pages.saving(),
        None => parts.push((confidence, pages.saving())),
    }
}

/// The files of a class that are at the same path of different lower layers.
pub(crate) fn at_one_path(identities: &Identities, files: &[InodeId]) -> Vec<Vec<InodeId>> {
    let mut by_path: HashMap<&[u8], Vec<InodeId>> = HashMap::new();
    for inode in files {
        let Some(file) = identities.files.get(inode) else {
            continue;
        };
        let layer = file.place.layer.and_then(|id| identities.layers.layer(id));
        let is_lower = layer
            .is_some_and(|layer| matches!(layer.kind, LayerKind::Lower | LayerKind::ImageMount));
        if let Some(path) = file.place.path_in_layer().filter(|_| is_lower) {
            by_path.entry(path).or_default().push(*inode);
        }
    }
    by_path
        .into_values()
        .filter(|files| files.len() > 1)
        .collect()
}

/// Same content anywhere in eligible pages, and zero pages apart.
pub(super) fn by_content(duplicates: &Duplicates<'_>) -> (Classes, Classes) {
    by_content_of(duplicates, |inode| inode.eligible)
}

/// The same of the inodes that `counts` picks.
pub(super) fn by_content_of<'i>(
    duplicates: &Duplicates<'i>,
    counts: impl Fn(&InodeView<'i>) -> bool,
) -> (Classes, Classes) {
    let mut left_out = duplicates.notes(0_u32);
    let files = duplicates.files().filter(|(inode, _)| !counts(inode));
    for page in files.flat_map(|(_, own)| own) {
        left_out[page.number()] += 1;
    }
    let (mut classes, mut zero) = (Classes::default(), Classes::default());
    for (number, (_, copies)) in duplicates.contents().enumerate() {
        let copies = u64::from(copies - left_out[number]);
        if duplicates.is_zero(number) {
            zero.add(copies);
        } else {
            classes.add(copies);
        }
    }
    (classes, zero)
}

#[cfg(test)]
#[path = "savings_tests.rs"]
mod tests;
