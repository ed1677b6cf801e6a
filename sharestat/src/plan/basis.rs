//! What the forecast rests on: how the page cache of the measured containers is put
//! together under one mechanism, as bytes that each container adds and bytes that are
//! there once.

/// The page cache under one mechanism. With as many containers as were measured it adds
/// up to what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// Name of the mechanism, `none` for the kernel as it is.
    pub name: String,
    /// How sure it is: `exact`, `verified`, `probable`, `estimated` or `stated`.
    pub confidence: &'static str,
    /// There without any container, in bytes.
    pub base: f64,
    /// What each container of an image adds, in bytes, by image.
    pub own: Vec<f64>,
    /// The part of `own` whose content is not known, by image.
    pub unhashed: Vec<f64>,
    /// What is there once as soon as one of some images runs.
    pub common: Vec<Common>,
}

/// Bytes that some images have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// Numbers of the images, ascending.
    pub images: Vec<usize>,
    /// How much.
    pub bytes: f64,
}

impl Cache {
    /// The kernel without any container of these images.
    #[must_use]
    pub fn empty(name: &str, confidence: &'static str, images: usize) -> Self {
        Self {
            name: name.to_owned(),
            confidence,
            base: 0.0,
            own: vec![0.0; images],
            unhashed: vec![0.0; images],
            common: Vec::new(),
        }
    }

    /// The bytes with so many containers of each image.
    #[must_use]
    pub fn bytes(&self, counts: &[u64]) -> f64 {
        let own: f64 = self
            .own
            .iter()
            .zip(counts)
            .map(|(own, n)| own * count(*n))
            .sum();
        self.base + own + self.common_bytes(counts)
    }

    /// The part of [`bytes`](Self::bytes) that is there once for several containers.
    #[must_use]
    pub fn common_bytes(&self, counts: &[u64]) -> f64 {
        let runs = |image: &usize| counts.get(*image).is_some_and(|n| *n > 0);
        let present = self.common.iter();
        present
            .filter(|common| common.images.iter().any(runs))
            .map(|common| common.bytes)
            .sum()
    }

    /// Adds bytes that these images have in common.
    pub fn add_common(&mut self, images: Vec<usize>, bytes: f64) {
        if bytes <= 0.0 {
            return;
        }
        match self.common.iter_mut().find(|known| known.images == images) {
            Some(known) => known.bytes += bytes,
            None => self.common.push(Common { images, bytes }),
        }
    }

    /// Adds the page cache of other images, known from elsewhere: nothing is in common.
    pub fn merge(&mut self, other: &Self) {
        self.base += other.base;
        for (to, from) in self.own.iter_mut().zip(&other.own) {
            *to += from;
        }
        for (to, from) in self.unhashed.iter_mut().zip(&other.unhashed) {
            *to += from;
        }
        for common in &other.common {
            self.add_common(common.images.clone(), common.bytes);
        }
    }
}

/// A number of containers for arithmetic; exact below 2^53.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no host has 2^53 containers")]
pub const fn count(number: u64) -> f64 {
    number as f64
}

/// Bytes for a document: rounded, never negative.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts saturate, and sizes are below 2^64"
)]
pub fn whole(bytes: f64) -> u64 {
    bytes.round().max(0.0) as u64
}
