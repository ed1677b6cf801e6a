//! What the treemap of duplicates shows: images, in them their layers (filesystems, of
//! files in no layer), in them files, each with its part of the duplicates.

use std::collections::HashMap;

use super::tables::whole;
use crate::{
    model::units::Bytes,
    report::{Report, document::FileEntry},
};

/// Layers, and files of each, that are drawn one by one; the others would be specks, and
/// are one rest.
const MOST_LAYERS: usize = 24;
const MOST_FILES: usize = 40;

/// A part of the duplicates, and the parts of it, largest first.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// What is written on it.
    pub(super) name: String,
    /// Its whole name, where that is longer.
    pub(super) whole_name: Option<String>,
    /// Bytes; of a file its part of the savings, so that all add up.
    pub(super) share: f64,
    pub(super) parts: Vec<Part>,
}

impl Part {
    /// Its bytes in words.
    pub(super) fn bytes(&self) -> String {
        Bytes(whole(self.share)).to_string()
    }

    /// All that is to be said of it.
    pub(super) fn title(&self) -> String {
        let name = self.whole_name.as_ref().unwrap_or(&self.name);
        format!("{} {name}", self.bytes())
    }

    fn of(name: String, mut parts: Vec<Self>) -> Self {
        sort(&mut parts);
        Self {
            name,
            share: parts.iter().map(|part| part.share).sum(),
            parts,
            ..Self::default()
        }
    }

    fn file(file: &FileEntry) -> Self {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        Self {
            name: name.to_owned(),
            whole_name: Some(file.shown_path().into_owned()),
            share: file.saving_share_bytes,
            parts: Vec::new(),
        }
    }

    /// What is beyond the first `most` as one part, named by how many they are.
    fn rest(parts: &mut Vec<Self>, most: usize, what: &str) -> Option<Self> {
        let rest = parts.split_off(parts.len().min(most));
        let count = rest.len();
        (count > 0).then(|| Self {
            name: format!("{count} more {what}"),
            share: rest.iter().map(|part| part.share).sum(),
            ..Self::default()
        })
    }
}

fn sort(parts: &mut [Part]) {
    parts.sort_by(|one, other| {
        let order = other.share.total_cmp(&one.share);
        order.then_with(|| one.title().cmp(&other.title()))
    });
}

/// All duplicates of a report. Where no file is of an image there are layers at the top.
pub(super) fn of(report: &Report) -> Vec<Part> {
    // By layer, of which the images go with it: a layer of several is drawn once.
    let mut layers: HashMap<(&[String], &str), Vec<Part>> = HashMap::new();
    let files = report.files.iter();
    for file in files.filter(|file| file.saving_share_bytes.is_finite()) {
        if file.saving_share_bytes >= 1.0 {
            let layer = file.layer.as_deref().unwrap_or(&file.fs);
            let key = (file.images.as_slice(), layer);
            layers.entry(key).or_default().push(Part::file(file));
        }
    }
    let mut all: Vec<(&[String], Part)> = layers
        .into_iter()
        .map(|((images, name), mut files)| {
            sort(&mut files);
            let rest = Part::rest(&mut files, MOST_FILES, "files");
            files.extend(rest);
            (images, Part::of(name.to_owned(), files))
        })
        .collect();
    all.sort_by(|(_, one), (_, other)| {
        let order = other.share.total_cmp(&one.share);
        order.then_with(|| one.name.cmp(&other.name))
    });
    let with_images = all.iter().any(|(images, _)| !images.is_empty());
    let beyond = all.split_off(all.len().min(MOST_LAYERS));
    let mut beyond: Vec<Part> = beyond.into_iter().map(|(_, layer)| layer).collect();
    let rest = Part::rest(&mut beyond, 0, "layers");
    let mut top: Vec<Part> = if with_images {
        let mut images: HashMap<&[String], Vec<Part>> = HashMap::new();
        for (names, layer) in all {
            images.entry(names).or_default().push(layer);
        }
        let images = images.into_iter();
        images
            .map(|(names, layers)| Part::of(image_name(names), layers))
            .collect()
    } else {
        all.into_iter().map(|(_, layer)| layer).collect()
    };
    top.extend(rest);
    sort(&mut top);
    top
}

fn image_name(names: &[String]) -> String {
    if names.is_empty() {
        return "no image".to_owned();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn sum(parts: &[Part]) -> f64 {
        parts.iter().map(|part| part.share).sum()
    }

    /// The same file in many layers, so that not all are drawn.
    fn crowded(layers: u32, with_images: bool) -> Report {
        let mut report = sample::report();
        let file = report.files[0].clone();
        report.files = (0..layers * 50)
            .map(|number| {
                let mut file = file.clone();
                let layer = number / 50;
                file.path = format!("/usr/{number}");
                file.layer = Some(format!("layer {layer}"));
                if with_images {
                    file.images = vec![format!("image {}", layer % 2)];
                }
                file.saving_share_bytes = 4096.0 * f64::from(layers * 50 - number);
                file
            })
            .collect();
        report
    }

    #[test]
    fn files_are_in_their_layer_or_filesystem_and_layers_in_their_image() {
        let mut report = sample::report();
        report.files[0].layer = Some("base".to_owned());
        let names = |parts: &[Part]| -> Vec<String> {
            let mut names: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
            names.sort();
            names
        };
        let flat = of(&report);
        assert!(names(&flat).contains(&"base".to_owned()), "{flat:?}");
        assert!(names(&flat).contains(&"/".to_owned()), "{flat:?}");
        report.files[0].images = vec!["web".to_owned(), "worker".to_owned()];
        let nested = of(&report);
        assert_eq!(names(&nested), ["no image", "web, worker"]);
        let shared = nested.iter().find(|part| part.name == "web, worker");
        assert_eq!(names(&shared.expect("it is there").parts), ["base"]);
        let all: f64 = report
            .files
            .iter()
            .map(|file| file.saving_share_bytes)
            .sum();
        assert!((sum(&nested) - all).abs() < 1.0 && (sum(&flat) - all).abs() < 1.0);
        report.files.clear();
        assert!(of(&report).is_empty());
    }

    #[test]
    fn what_is_not_drawn_one_by_one_is_a_rest_and_nothing_is_lost() {
        for with_images in [false, true] {
            let report = crowded(30, with_images);
            let all: f64 = report
                .files
                .iter()
                .map(|file| file.saving_share_bytes)
                .sum();
            let top = of(&report);
            assert!((sum(&top) - all).abs() < 1.0);
            assert_eq!(top.len(), if with_images { 3 } else { 25 });
            assert!(top.iter().any(|part| part.name == "6 more layers"));
            let layers: Vec<&Part> = if with_images {
                top.iter().flat_map(|image| &image.parts).collect()
            } else {
                top.iter().filter(|layer| !layer.parts.is_empty()).collect()
            };
            assert_eq!(layers.len(), 24);
            for layer in layers {
                assert_eq!(layer.parts.len(), 41);
                assert!(layer.parts.iter().any(|part| part.name == "10 more files"));
                assert!((sum(&layer.parts) - layer.share).abs() < 1.0);
            }
        }
    }
}
