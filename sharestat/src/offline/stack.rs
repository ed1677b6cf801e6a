//! What an image shows of its layers: a file is hidden when a layer above has its path,
//! removes it, or covers a directory that it is in.

use std::collections::HashSet;

use super::{
    layer::{Contents, FileNumber},
    path,
};

/// For each layer, lowest first, the files that show under a wanted name, each with the
/// first of these names.
pub(super) fn visible<'c>(
    layers: &[&'c Contents],
    wanted: &dyn Fn(&[u8]) -> bool,
) -> Vec<Vec<(FileNumber, &'c [u8])>> {
    let mut taken: HashSet<&[u8]> = HashSet::new();
    // Paths below which nothing of a lower layer shows.
    let mut covered: HashSet<&[u8]> = HashSet::new();
    let mut shown = Vec::new();
    for layer in layers.iter().rev() {
        let mut names: Vec<(FileNumber, &[u8])> = layer
            .names
            .iter()
            .filter_map(|(name, file)| Some(((*file)?, name.as_slice())))
            .filter(|(_, name)| !taken.contains(name) && wanted(name))
            .filter(|(_, name)| !path::parents(name).any(|parent| covered.contains(parent)))
            .collect();
        names.sort_unstable();
        names.dedup_by_key(|(file, _)| *file);
        shown.push(names);
        for name in layer.names.keys().chain(&layer.removed) {
            taken.insert(name);
            // A lower directory shows below a directory, and below nothing else.
            if !layer.directories.contains(name) || layer.removed.contains(name) {
                covered.insert(name);
            }
        }
        covered.extend(layer.opaque.iter().map(Vec::as_slice));
    }
    shown.reverse();
    shown
}
