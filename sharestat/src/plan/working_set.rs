//! The working set of containers over the moments of a recording: HDR histograms of what
//! each had resident, and the moment at which a percentile was reached.

use std::{collections::HashMap, time::Duration};

use hdrhistogram::Histogram;

use super::containers::Running;
use crate::model::{layers::LayerId, measurement::Measurement, units::Bytes, view::InodeView};

/// What containers had resident at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    /// Image and resident bytes of each container; a layer counts in each that shows it.
    pub containers: Vec<(usize, u64)>,
    /// Resident bytes of all of them, each layer once.
    pub together: u64,
}

impl Residency {
    /// Looks at the containers that have an image.
    #[must_use]
    pub fn of(measurement: &Measurement, running: &[Running], images: &[Option<usize>]) -> Self {
        let mut layers: HashMap<LayerId, u64> = HashMap::new();
        let index = &measurement.index;
        for inode in index.inodes().filter(InodeView::has_clean_state) {
            let file = measurement.identity.files.get(&inode.id);
            if let Some(layer) = file.and_then(|file| file.place.layer) {
                *layers.entry(layer).or_default() += Bytes::of_pages(inode.resident()).0;
            }
        }
        let mut residency = Self::default();
        let mut shown: Vec<LayerId> = Vec::new();
        for (container, image) in running.iter().zip(images) {
            let Some(image) = image else { continue };
            let mut own: Vec<LayerId> = container.lowers.clone();
            own.extend(container.upper);
            own.sort_unstable();
            own.dedup();
            let bytes = own.iter().filter_map(|layer| layers.get(layer)).sum();
            residency.containers.push((*image, bytes));
            shown.extend(own);
        }
        shown.sort_unstable();
        shown.dedup();
        residency.together = shown.iter().filter_map(|layer| layers.get(layer)).sum();
        residency
    }
}

/// The moments with the most containers, and what those had resident.
#[derive(Clone, Debug)]
pub struct WorkingSets {
    most: usize,
    together: Histogram<u64>,
    images: Vec<Histogram<u64>>,
    moments: Vec<(Duration, u64)>,
}

impl WorkingSets {
    /// None yet, for so many images.
    #[must_use]
    pub fn new(images: usize) -> Self {
        Self {
            most: 0,
            together: empty(),
            images: vec![empty(); images],
            moments: Vec::new(),
        }
    }

    /// Adds a moment. One with fewer containers than another is left out: their working
    /// set says nothing of how much more of them need.
    pub fn add(&mut self, at: Duration, residency: &Residency) {
        let number = residency.containers.len();
        if number == 0 || number < self.most {
            return;
        }
        if number > self.most {
            *self = Self::new(self.images.len());
            self.most = number;
        }
        self.together.saturating_record(residency.together);
        for (image, bytes) in &residency.containers {
            if let Some(histogram) = self.images.get_mut(*image) {
                histogram.saturating_record(*bytes);
            }
        }
        self.moments.push((at, residency.together));
    }

    /// The largest number of containers.
    #[must_use]
    pub const fn containers(&self) -> usize {
        self.most
    }

    /// How many moments there are.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.moments.len()
    }

    /// What a container of an image had resident, at a percentile of moments and containers.
    #[must_use]
    pub fn of_image(&self, image: usize, percentile: f64) -> Option<u64> {
        let histogram = self.images.get(image)?;
        (!histogram.is_empty()).then(|| histogram.value_at_percentile(percentile))
    }

    /// The last moment at which the containers together had nearest to this percentile.
    #[must_use]
    pub fn moment(&self, percentile: f64) -> Option<Duration> {
        let wanted = self.together.value_at_percentile(percentile);
        let distance = |bytes: u64| bytes.abs_diff(wanted);
        let nearest = self.moments.iter().rev();
        nearest
            .min_by_key(|(_, bytes)| distance(*bytes))
            .map(|(at, _)| *at)
    }

    /// The last moment.
    #[must_use]
    pub fn last(&self) -> Option<Duration> {
        self.moments.last().map(|(at, _)| *at)
    }
}

/// Bytes to three digits, up to 64 TiB.
fn empty() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that hdrhistogram accepts"
    )]
    Histogram::new_with_bounds(1, 1 << 46, 3).expect("constant bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn residency(each: &[u64]) -> Residency {
        Residency {
            containers: each.iter().map(|bytes| (0, *bytes)).collect(),
            together: each.iter().sum(),
        }
    }

    #[test]
    fn percentiles_are_of_the_moments_with_most_containers() {
        let mut sets = WorkingSets::new(1);
        sets.add(Duration::ZERO, &residency(&[1 << 30]));
        for second in 1..=100 {
            let bytes = second << 20;
            sets.add(Duration::from_secs(second), &residency(&[bytes, bytes]));
        }
        sets.add(Duration::from_secs(101), &residency(&[5]));
        assert_eq!((sets.containers(), sets.samples()), (2, 100));
        for percentile in [50.0, 90.0, 99.0] {
            let moment = sets.moment(percentile).expect("there is one");
            let off = moment.as_secs_f64() - percentile;
            assert!(off.abs() <= 1.0, "p{percentile} is at {moment:?}");
            let bytes = sets.of_image(0, percentile).expect("it ran");
            let expected = Bytes(moment.as_secs() << 20).to_f64();
            let error = Bytes(bytes).to_f64() / expected - 1.0;
            assert!(error.abs() < 0.002, "{bytes} is not {expected}");
        }
        assert_eq!(sets.last(), Some(Duration::from_secs(100)));
        assert_eq!(sets.of_image(1, 50.0), None);
    }
}
