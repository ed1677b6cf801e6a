//! The plan `sharestat.plan/v1` as it is written to JSON: units in names, unknown fields
//! allowed, none of these missing. `docs/plan.schema.json` is made from here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::document::Tool;

/// The value of [`Plan::schema`].
pub const SCHEMA: &str = "sharestat.plan/v1";

/// How many containers fit, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Always `sharestat.plan/v1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// What made the plan.
    pub tool: Tool,
    /// The hosts that are planned.
    pub host: HostEntry,
    /// What was measured; empty when everything was stated.
    pub inputs: Vec<InputEntry>,
    /// The images of the mix.
    pub images: Vec<ImageEntry>,
    /// The containers that the hosts needed are counted for; null when none were asked for.
    pub replicas: Option<u64>,
    /// One forecast for each percentile of the working set.
    pub forecasts: Vec<Forecast>,
    /// The percentile whose forecast is shown in pictures, in the sensitivity and in the
    /// checks; null when there was one sample.
    pub planned_percentile: Option<f64>,
    /// What fits when an assumption is wrong.
    pub sensitivity: Vec<Sensitivity>,
    /// What the model says of the inputs, beside what was measured.
    pub checks: Vec<Check>,
    /// What the numbers rest on.
    pub assumptions: Vec<String>,
    /// Sentences about what limits this plan.
    pub notes: Vec<String>,
}

impl Plan {
    /// The forecast at the planned percentile.
    #[must_use]
    pub fn planned(&self) -> Option<&Forecast> {
        let mut forecasts = self.forecasts.iter();
        forecasts.find(|forecast| forecast.percentile == self.planned_percentile)
    }
}

/// Where a size is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Known {
    /// Somebody says so.
    Stated,
    /// The kernel counted it.
    Measured,
    /// Not at all: it counts as 0.
    Unknown,
}

impl Known {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Measured => "measured",
            Self::Unknown => "unknown",
        }
    }
}

/// The hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostEntry {
    /// Memory of one.
    pub memory_bytes: u64,
    /// What it uses without containers, page cache aside.
    pub base_bytes: u64,
    /// Where that is known from.
    pub base_from: Known,
    /// What stays free.
    pub reserve_bytes: u64,
}

/// One measurement that the plan rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputEntry {
    /// The file.
    pub file: String,
    /// `recording` or `report`.
    pub kind: String,
    /// Name of the host.
    pub host: String,
    /// Its kernel.
    pub kernel: String,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// Equal when hashes can be compared.
    pub seed_id: String,
    /// Containers of the mix in it.
    pub containers: u64,
    /// Moments that the percentiles are of.
    pub moments: u64,
    /// Pages with a hash, per cent of the resident ones.
    pub hashed_percent: f64,
    /// Whether everything resident was seen and everything lost repaired.
    pub complete: bool,
}

/// One image of the mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageEntry {
    /// Its name.
    pub name: String,
    /// Containers of it in one mix.
    pub replicas: u64,
    /// Containers of it that were measured.
    pub measured: u64,
    /// What one container uses alone, page cache aside.
    pub private_bytes: u64,
    /// Where that is known from.
    pub private_from: Known,
    /// Pages of files that one container read again during the recording because they had
    /// been reclaimed; null when that was not measured.
    pub refaulted_bytes: Option<u64>,
    /// What one container had resident, over moments and containers.
    pub working_set: Vec<Percentile>,
}

/// A value at a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentile {
    /// The percentile, 0 to 100.
    pub percentile: f64,
    /// Resident then.
    pub bytes: u64,
}

/// What is forecast at one percentile of the working set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// The percentile; null when there was one sample.
    pub percentile: Option<f64>,
    /// By mechanism, `none` first.
    pub mechanisms: Vec<MechanismForecast>,
}

/// What is forecast under one mechanism.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MechanismForecast {
    /// Name of the mechanism; `none` is the kernel as it is.
    pub name: String,
    /// `exact`, `verified`, `probable`, `estimated` or `stated`.
    pub confidence: String,
    /// Page cache of the host itself.
    pub host_cache_bytes: u64,
    /// Page cache that is there once, however many containers run.
    pub common_bytes: u64,
    /// Page cache that each container adds, on the average of the mix.
    pub own_cache_bytes: u64,
    /// All memory that one more container costs, on the average of the mix.
    pub per_container_bytes: u64,
    /// How many containers fit; null when there is no limit.
    pub containers_per_host: Option<u64>,
    /// The number of containers from which on it saves the part that was asked for; null
    /// when it never does.
    pub matters_from: Option<u64>,
    /// Hosts for the containers that were asked for; null when none were or none fits.
    pub hosts_needed: Option<u64>,
    /// Memory by number of containers.
    pub curve: Vec<Point>,
}

/// Memory with so many containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Containers on the host.
    pub containers: u64,
    /// All memory in use.
    pub memory_bytes: u64,
    /// The page cache in it.
    pub page_cache_bytes: u64,
}

/// How many containers fit when one assumption is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sensitivity {
    /// What is changed.
    pub assumption: String,
    /// Under which mechanism.
    pub mechanism: String,
    /// Containers per host as planned; null when there is no limit.
    pub planned: Option<u64>,
    /// The fewest; null when there is no limit.
    pub fewest: Option<u64>,
    /// The most; null when there is no limit.
    pub most: Option<u64>,
}

/// The model against one of the inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The file.
    pub input: String,
    /// Containers in it.
    pub containers: u64,
    /// Page cache of these containers that was measured.
    pub measured_bytes: u64,
    /// What the model says, without sharing.
    pub forecast_bytes: u64,
    /// How far it is off, in per cent of what was measured.
    pub error_percent: f64,
}

/// The JSON Schema of [`Plan`], as published in `docs/plan.schema.json`.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Plan).as_value())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    /// Set `SHARESTAT_UPDATE_DOCS=1` to write the file anew.
    #[test]
    fn the_published_schema_is_current() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/plan.schema.json");
        if std::env::var_os("SHARESTAT_UPDATE_DOCS").is_some() {
            fs::write(&path, schema()).expect("docs can be written");
        }
        let published = fs::read_to_string(&path).expect("docs/plan.schema.json is there");
        assert_eq!(
            published,
            schema(),
            "run this test with SHARESTAT_UPDATE_DOCS=1"
        );
    }
}
