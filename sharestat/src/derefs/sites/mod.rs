//! `derefs sites`: the code in a kernel image that touches `folio->mapping`, found by
//! abstract interpretation of every function with the kernel's own types. In: an image
//! file. Out: a [`SitesReport`]. What it cannot see is part of the report.

mod access;
mod calls;
mod code;
mod error;
mod function;
mod image;
mod knowledge;
mod program;
mod roles;
mod scan;
mod site;
mod state;
mod subsystem;
mod transfer;
mod types;
mod value;

use std::path::Path;

pub use access::Kind;
pub use error::SitesError;
pub use image::{KernelImage, Symbol, SymbolSource};
pub use program::Program;
pub use scan::{Coverage, context};
pub use site::Site;
pub use subsystem::Subsystem;
pub use types::TypeTable;
pub use value::Basis;

use types::TypesError;

/// The types that `image`, read from `path`, carries.
///
/// # Errors
/// When they are damaged, or describe no kernel with folios.
pub fn types_of(image: &KernelImage, path: &Path) -> Result<TypeTable, SitesError> {
    TypeTable::new(image.btf()).map_err(|error| match error {
        TypesError::Malformed(reason) => SitesError::Btf {
            path: path.to_owned(),
            reason,
        },
        TypesError::Missing(name) => SitesError::MissingType {
            path: path.to_owned(),
            name,
        },
    })
}

/// Finds the sites of a kernel.
#[must_use]
pub fn find(program: &Program<'_>) -> (Vec<Site>, Coverage) {
    scan::scan(program)
}
