//! What an image shows of its layers: a file is hidden when a layer above has its path,
//! removes it, or covers a directory that it is in.

use std::collections::HashSet;

use super::{
    covered::Covered,
    layer::{Contents, FileNumber},
};

/// For each layer, lowest first, the files that show under a wanted name, each with the
/// first of these names.
pub(super) fn visible<'c>(
    layers: &[&'c Contents],
    wanted: &dyn Fn(&[u8]) -> bool,
) -> Vec<Vec<(FileNumber, &'c [u8])>> {
    let mut taken: HashSet<&[u8]> = HashSet::new();
    let mut covered = Covered::default();
    let mut shown = Vec::new();
    for (number, layer) in layers.iter().enumerate().rev() {
        let mut names: Vec<(FileNumber, &[u8])> = layer
            .names
            .iter()
            .filter_map(|(name, file)| Some(((*file)?, name.as_slice())))
            .filter(|(_, name)| !taken.contains(name) && wanted(name))
            .filter(|(_, name)| !covered.has_above(name))
            .collect();
        names.sort_unstable();
        names.dedup_by_key(|(file, _)| *file);
        shown.push(names);
        if number == 0 {
            // Nothing is below it.
            break;
        }
        for name in layer.names.keys().chain(&layer.removed) {
            taken.insert(name);
            // A lower directory shows below a directory, and below nothing else.
            if !layer.directories.contains(name) || layer.removed.contains(name) {
                covered.insert(name);
            }
        }
        for name in &layer.opaque {
            covered.insert(name);
        }
    }
    shown.reverse();
    shown
}
