//! How model types appear in a frame written as JSON: `snake_case`, units in names.

use serde::{Serializer, ser::SerializeStruct};

use crate::model::{inode::InodeId, totals::Totals};

pub(super) fn totals<S: Serializer>(totals: &Totals, serializer: S) -> Result<S::Ok, S::Error> {
    let Totals {
        resident,
        hashed,
        skipped,
        distinct,
        duplicate,
        zero_copies,
        eligible,
        inodes,
    } = totals;
    let mut fields = serializer.serialize_struct("totals", 8)?;
    fields.serialize_field("resident_pages", resident)?;
    fields.serialize_field("hashed_pages", hashed)?;
    fields.serialize_field("skipped_pages", skipped)?;
    fields.serialize_field("distinct_pages", distinct)?;
    fields.serialize_field("duplicate_pages", duplicate)?;
    fields.serialize_field("zero_pages", zero_copies)?;
    fields.serialize_field("eligible_pages", eligible)?;
    fields.serialize_field("inodes", inodes)?;
    fields.end()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
pub(super) fn inode<S: Serializer>(inode: &InodeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(inode.0)
}
