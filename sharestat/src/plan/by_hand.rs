//! Page cache that is stated instead of measured: so much for each container of an image,
//! a part of it equal in all of them.

use super::{basis::Cache, mix::MixImage};

/// The mechanism when nothing was measured: what is stated as equal is kept once.
pub const STATED: &str = "stated";

/// The page cache of the images that state it, under a mechanism. Those that share files of
/// different containers keep the equal part once; all of it is equal unless the mix says
/// less. What is copied up or in image files is not stated.
#[must_use]
pub fn cache(mechanism: &str, images: &[MixImage]) -> Cache {
    let mut cache = Cache::empty(mechanism, STATED, images.len());
    for (number, image) in images.iter().enumerate() {
        let Some(bytes) = image.page_cache else {
            continue;
        };
        let equal = image.shared.unwrap_or(bytes).min(bytes);
        let apart = matches!(mechanism, "none" | "copy-up" | "image-file");
        let once = if apart { 0 } else { equal };
        cache.own[number] = crate::model::units::Bytes(bytes - once).to_f64();
        let once = crate::model::units::Bytes(once).to_f64();
        cache.add_common(vec![number], once);
    }
    cache
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equal_part_is_kept_once_by_what_shares_between_containers() {
        let images = [
            MixImage {
                page_cache: Some(100),
                shared: Some(80),
                ..MixImage::default()
            },
            MixImage::default(),
        ];
        let bytes = |mechanism, n| cache(mechanism, &images).bytes(&[n, 9]);
        for apart in ["none", "copy-up", "image-file"] {
            assert!((bytes(apart, 3) - 300.0).abs() < 1e-9, "{apart}");
        }
        assert!((bytes(STATED, 3) - 140.0).abs() < 1e-9);
        assert!((bytes("content", 1) - 100.0).abs() < 1e-9);
    }
}
