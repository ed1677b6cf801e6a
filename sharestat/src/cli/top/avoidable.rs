//! Avoidable reads and reclaim of images as of each picture: lists may be older, but these
//! are counted anyway. Rates are since the picture before.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    model::{
        avoidable::{ByImage, Part},
        measurement::Measurement,
        units::Bytes,
    },
    report::avoidable::per_second,
    tui::frame::{Avoidable, GroupRow},
};

/// What was counted by the picture before and when, by the id of the image.
#[derive(Default)]
pub(super) struct Before {
    counted: Option<(Duration, HashMap<Arc<str>, Part>)>,
}

impl Before {
    /// Fills in what is counted `elapsed` after the start.
    pub(super) fn mark(
        &mut self,
        images: &mut Arc<[GroupRow]>,
        measurement: &Measurement,
        elapsed: Duration,
    ) {
        let Some(counted) = &measurement.avoidable else {
            return;
        };
        let parts = counted.images.iter();
        let now = parts.map(|(id, image)| (Arc::from(id.as_str()), image.part));
        let before = self.counted.replace((elapsed, now.collect()));
        *images = images
            .iter()
            .map(|row| GroupRow {
                avoidable: row
                    .avoidable
                    .as_ref()
                    .map(|of| filled(&of.image, counted, before.as_ref(), elapsed)),
                ..row.clone()
            })
            .collect();
    }
}

fn filled(
    image: &Arc<str>,
    counted: &ByImage,
    before: Option<&(Duration, HashMap<Arc<str>, Part>)>,
    elapsed: Duration,
) -> Avoidable {
    let known = counted.images.get(&**image);
    let part = known.map_or_else(Part::default, |known| known.part);
    let rate = |of: fn(&Part) -> u64| {
        let Some((at, parts)) = before else {
            return Bytes(0);
        };
        let then = parts.get(image).map_or(0, of);
        let bytes = Bytes::of_pages(of(&part).saturating_sub(then));
        Bytes(per_second(bytes.0, elapsed.saturating_sub(*at)))
    };
    Avoidable {
        image: Arc::clone(image),
        reads: Bytes::of_pages(part.reads),
        reads_per_second: rate(|part| part.reads),
        reclaim: Bytes::of_pages(part.reclaims),
        reclaim_per_second: rate(|part| part.reclaims),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::avoidable::ImagePart;

    fn counted(reads: u64, reclaims: u64) -> ByImage {
        let image = ImagePart {
            name: "web:1".to_owned(),
            part: Part { reads, reclaims },
        };
        let mut counted = ByImage::default();
        counted.images.insert("sha256:1".to_owned(), image);
        counted
    }

    #[test]
    fn rates_are_since_the_picture_before() {
        let image: Arc<str> = "sha256:1".into();
        let seconds = Duration::from_secs;
        let first = filled(&image, &counted(100, 0), None, seconds(5));
        assert_eq!(
            (first.reads, first.reads_per_second),
            (Bytes(100 * 4096), Bytes(0))
        );
        let parts = [(
            Arc::clone(&image),
            Part {
                reads: 100,
                reclaims: 0,
            },
        )]
        .into();
        let before = (seconds(5), parts);
        let next = filled(&image, &counted(140, 6), Some(&before), seconds(7));
        assert_eq!(next.reads, Bytes(140 * 4096));
        assert_eq!(next.reads_per_second, Bytes(20 * 4096));
        assert_eq!(
            (next.reclaim, next.reclaim_per_second),
            (Bytes(6 * 4096), Bytes(3 * 4096))
        );
        let other = filled(
            &"sha256:2".into(),
            &counted(140, 6),
            Some(&before),
            seconds(7),
        );
        assert_eq!(
            (other.reads, other.reclaim_per_second),
            (Bytes(0), Bytes(0))
        );
    }
}
