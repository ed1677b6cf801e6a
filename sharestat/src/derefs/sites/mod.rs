//! wip
mod error;
mod image;
pub use error::SitesError;
pub use image::KernelImage;
