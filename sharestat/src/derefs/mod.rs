//! Which kernel code dereferences `folio->mapping`, the assumption that sharing one
//! page between files would have to drop. `sites` finds such code in a kernel image.

pub mod sites;
