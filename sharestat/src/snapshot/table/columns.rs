//! The columns of the table. Integers are unsigned, texts are UTF-8.

use std::sync::Arc;

use parquet::{
    errors::Result,
    schema::{parser::parse_message_type, types::TypePtr},
};

/// The schema in Parquet's own notation.
const MESSAGE: &str = "
message pages {
  required int32 file (INTEGER(32, false));
  required binary path (STRING);
  required binary fs (STRING);
  required binary fs_type (STRING);
  optional binary layer (STRING);
  optional binary image (STRING);
  optional binary container (STRING);
  optional binary memcg (STRING);
  required binary dev (STRING);
  required int64 ino (INTEGER(64, false));
  required int32 generation (INTEGER(32, false));
  required int64 size (INTEGER(64, false));
  required boolean deleted;
  required boolean eligible;
  required boolean mapped_writably;
  required int64 index (INTEGER(64, false));
  required int64 pages (INTEGER(64, false));
  required binary state (STRING);
  optional int64 hash (INTEGER(64, false));
}";

/// The schema.
pub(super) fn schema() -> Result<TypePtr> {
    parse_message_type(MESSAGE).map(Arc::new)
}
