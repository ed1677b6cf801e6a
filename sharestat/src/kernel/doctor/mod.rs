//! Looks at everything sharestat stands on and says what works here, what does not, what
//! is lost by it and what helps. Tries things rather than reading about them; every probe
//! is caught and reported, and nothing stays loaded.

mod addresses;
mod breakpoint;
mod engine;
mod finding;
mod memory;
mod policy;
mod privileges;
mod text;
mod tracing;
mod types;
mod verdict;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

#[cfg(any(test, fuzzing))]
pub(super) use addresses::has_segments;
pub use finding::{Area, Finding, Lack, State, Use};
pub use verdict::{Ability, Verdict};

/// The value of [`Doctor::schema`].
pub const SCHEMA: &str = "sharestat.doctor/v1";

/// The tool that examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The result of an examination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Doctor {
    /// Always `sharestat.doctor/v1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// The tool.
    pub tool: Tool,
    /// Release of the running kernel.
    pub kernel: String,
    /// Machine architecture.
    pub arch: String,
    /// Everything that was looked at.
    pub findings: Vec<Finding>,
    /// What works.
    pub verdict: Verdict,
}

/// Examines the machine and this process.
#[must_use]
pub fn examine() -> Doctor {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let mut findings = privileges::examine();
    let may_load = findings.iter().all(Finding::carries);
    findings.extend(policy::examine(&release));
    let (types, layout, about_types) = types::examine();
    findings.extend(about_types);
    let engine = engine::examine(types.as_ref(), layout.as_ref(), may_load);
    findings.extend(engine.findings);
    findings.extend(addresses::examine(engine.bases.as_ref()));
    findings.extend(memory::examine());
    findings.extend(tracing::examine());
    Doctor::new(
        release,
        uname.machine().to_string_lossy().into_owned(),
        findings,
    )
}

impl Doctor {
    fn new(kernel: String, arch: String, findings: Vec<Finding>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            kernel,
            arch,
            verdict: Verdict::of(&findings),
            findings,
        }
    }

    /// 0 when `scan` works here, 3 when only privileges stand in its way, 4 when the
    /// kernel or this build lacks something.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        self.verdict.exit_code
    }

    /// As text for a terminal of `width` columns.
    #[must_use]
    pub fn to_text(&self, width: usize) -> String {
        text::page(self, width)
    }

    /// The JSON Schema of this document, as published in `docs/doctor.schema.json`.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}
