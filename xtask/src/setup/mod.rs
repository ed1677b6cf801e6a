//! Provisions what building and testing need. Each part is skipped when present; each
//! that cannot be had says what to do by hand.

pub(crate) mod apt;
pub(crate) mod compiler;
pub(crate) mod debian;
pub(crate) mod linker;
pub(crate) mod rust_src;
pub(crate) mod sources;

use std::fmt;

use anyhow::Result;

use self::compiler::Compiler;
use crate::cache::Cache;

/// What a part of the setup did.
#[derive(Debug)]
pub(crate) struct Step {
    what: String,
    made: bool,
}

impl Step {
    fn present(what: String) -> Self {
        Self { what, made: false }
    }

    fn made(what: String) -> Self {
        Self { what, made: true }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, made } = self;
        write!(
            formatter,
            "{}  {what}",
            if *made { "made   " } else { "present" }
        )
    }
}

/// Provides what building the BPF object needs.
///
/// # Errors
/// When the sources of `core` or the linker cannot be had.
pub(crate) fn for_building(cache: &Cache) -> Result<(Compiler, Vec<Step>)> {
    let compiler = Compiler::current()?;
    let steps = vec![
        rust_src::provide(cache, &compiler)?,
        linker::provide(cache, &compiler)?,
    ];
    Ok((compiler, steps))
}
