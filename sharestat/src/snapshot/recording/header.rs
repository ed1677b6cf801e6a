//! The first block of a recording: JSON, so that any tool can say what the file is.

use serde::{Deserialize, Serialize};

use crate::{
    model::{
        measurement::{Engine, HookStatus, Measurement},
        units::ContentHash,
    },
    report::Host,
};

/// First bytes of a recording of any version; a digit follows.
pub(crate) const FAMILY: &[u8] = b"SHSTREC";
/// First bytes of the file.
pub(super) const MAGIC: [u8; 8] = *b"SHSTREC1";
/// Schema name in the header.
pub const SCHEMA: &str = "sharestat.recording/v1";

/// What a recording is of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// Where it was made.
    pub host: Host,
    /// Which engine measured.
    pub engine: Engine,
    /// When measuring began.
    pub started_at: jiff::Timestamp,
    /// Tells whether its hashes can be compared with those of another measurement.
    pub seed_id: String,
    /// Hash of the zero page.
    pub zero: ContentHash,
    /// What became of each hook.
    pub hooks: Vec<HookStatus>,
    /// Sentences about what limits the measurement.
    pub notes: Vec<String>,
    /// Names of the counters in every status.
    pub counters: Vec<String>,
    /// The command that was run meanwhile.
    pub command: Vec<String>,
}

impl Header {
    /// The header of a recording of this measurement.
    #[must_use]
    pub fn new(
        measurement: &Measurement,
        host: Host,
        counters: Vec<String>,
        command: Vec<String>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host,
            engine: measurement.engine,
            started_at: measurement.started_at,
            seed_id: measurement.seed_id.clone(),
            zero: measurement.index.zero(),
            hooks: measurement.hooks.clone(),
            notes: measurement.notes.clone(),
            counters,
            command,
        }
    }
}
