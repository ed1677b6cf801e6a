//! One line of the doctor: what was looked at, how it stands, what is lost, what helps.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::error::{Class, Error};

/// How a capability stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There, and it works.
    Ok,
    /// Partly there, or replaced by something weaker.
    Degraded,
    /// Not there.
    Missing,
    /// Not there, and nothing is lost: only a second opinion or a comfort.
    NotNeeded,
    /// Not known: something that had to work before did not.
    NotTried,
}

impl State {
    /// The state as a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Missing => "missing",
            Self::NotNeeded => "not needed",
            Self::NotTried => "not tried",
        }
    }

    /// The state as a sign, so that it can be found by eye without colour.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Degraded => '!',
            Self::Missing => '✗',
            Self::NotNeeded => '-',
            Self::NotTried => '?',
        }
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// What this process may do.
    Privileges,
    /// The kernel, its policy, its types.
    Kernel,
    /// The BPF programs and what they stand on.
    Engine,
    /// Where the kernel tells of changes of the page cache.
    Hooks,
    /// Other ways to learn about the page cache.
    Memory,
    /// Ways to watch code of the kernel.
    Tracing,
}

impl Area {
    /// All areas, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Privileges,
        Self::Kernel,
        Self::Engine,
        Self::Hooks,
        Self::Memory,
        Self::Tracing,
    ];

    /// Its heading.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Privileges => "privileges",
            Self::Kernel => "kernel",
            Self::Engine => "engine",
            Self::Hooks => "hooks",
            Self::Memory => "memory",
            Self::Tracing => "tracing",
        }
    }
}

/// What a user may want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// `scan` with the BPF engine, which is the default.
    Scan,
    /// Live measurement, as `top` does.
    Live,
    /// `scan --engine user`.
    UserEngine,
    /// Watching who reads `folio->mapping`.
    Derefs,
}

impl Use {
    /// All uses, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Scan, Self::Live, Self::UserEngine, Self::Derefs];

    /// How a user would call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Live => "top (live)",
            Self::UserEngine => "scan --engine user",
            Self::Derefs => "derefs",
        }
    }
}

/// The kind of thing that is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// A privilege: another user, or another policy, would have it.
    Privilege,
    /// A feature of the kernel or of this build.
    Support,
}

impl From<&Error> for Lack {
    fn from(error: &Error) -> Self {
        match error.class() {
            Class::Privilege => Self::Privilege,
            Class::Unsupported | Class::Usage => Self::Support,
        }
    }
}

/// One line of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// What was looked at.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What is lost by it; empty when nothing is.
    pub loss: String,
    /// What helps; empty when nothing has to be done or nothing can be.
    pub remedy: String,
    /// Uses that do not work at all unless this is ok or degraded.
    pub needed_by: Vec<Use>,
    /// What kind of thing is lacking, when it is missing.
    pub lack: Option<Lack>,
}

impl Finding {
    /// A finding that needs no remark.
    pub(super) fn new(
        area: Area,
        name: impl Into<String>,
        state: State,
        found: impl Into<String>,
    ) -> Self {
        Self {
            area,
            name: name.into(),
            state,
            found: found.into(),
            loss: String::new(),
            remedy: String::new(),
            needed_by: Vec::new(),
            lack: None,
        }
    }

    /// Something that works.
    pub(super) fn ok(area: Area, name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(area, name, State::Ok, found)
    }

    /// Something that could not be looked at.
    pub(super) fn not_tried(area: Area, name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(area, name, State::NotTried, why)
    }

    /// Something that failed with an error of the engine.
    pub(super) fn failed(area: Area, name: impl Into<String>, error: &Error) -> Self {
        Self::new(area, name, State::Missing, error.to_string()).lack(error.into())
    }

    pub(super) fn loss(mut self, loss: impl Into<String>) -> Self {
        self.loss = loss.into();
        self
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    pub(super) fn needed_by(mut self, uses: &[Use]) -> Self {
        self.needed_by = uses.to_vec();
        self
    }

    pub(super) fn lack(mut self, lack: Lack) -> Self {
        self.lack = Some(lack);
        self
    }

    /// Whether a use that needs this can go on.
    pub(super) const fn carries(&self) -> bool {
        match self.state {
            State::Ok | State::Degraded | State::NotNeeded => true,
            State::Missing | State::NotTried => false,
        }
    }
}
