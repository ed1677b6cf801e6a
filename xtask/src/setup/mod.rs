//! Provisions what building and testing need. Each part is skipped when present; each
//! that cannot be had says what to do by hand.

pub(crate) mod apt;
mod browser;
pub(crate) mod compiler;
pub(crate) mod debian;
pub(crate) mod host;
pub(crate) mod images;
mod install;
pub(crate) mod kernels;
pub(crate) mod linker;
pub(crate) mod python;
mod qemu;
pub(crate) mod rust_src;
pub(crate) mod sources;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use self::{compiler::Compiler, kernels::Series};
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

    fn unless(present: bool, what: String) -> Self {
        Self {
            what,
            made: !present,
        }
    }

    /// The folder `name` of the cache, which `fill` fills when it is absent.
    fn folder(
        cache: &Cache,
        name: &str,
        what: String,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<(PathBuf, Self)> {
        let present = cache.path(name).is_dir();
        let folder = cache
            .folder(name, fill)
            .with_context(|| format!("{what} cannot be had"))?;
        Ok((folder, Self::unless(present, what)))
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

/// Provides what booting guests needs, but for the kernels.
///
/// # Errors
/// When QEMU or a tool of the guests cannot be had.
pub(crate) fn for_guests(cache: &Cache) -> Result<Vec<Step>> {
    Ok(vec![
        qemu::provide(cache)?,
        host::provide_tools(cache)?,
        host::provide_busybox(cache)?,
    ])
}

/// Provides what the tests on this machine ask for: without a part of it, the tests that
/// need it say that they are skipped.
///
/// # Errors
/// The first part that could not be had; the others are provided all the same.
pub(crate) fn for_native_tests(cache: &Cache) -> Result<Vec<Step>> {
    let tools = host::provide_tools(cache);
    let browser = browser::provide(cache);
    let podman = images::provide_podman(cache);
    Ok(vec![tools?, browser?, podman?])
}

/// Provides everything, and prints what is there and what could not be had.
///
/// # Errors
/// When something could not be had; the other parts are provided all the same.
pub(crate) fn everything() -> Result<()> {
    let cache = Cache::open()?;
    let parts: [(&str, Provide); 5] = [
        ("building", |cache| Ok(for_building(cache)?.1)),
        ("guests", for_guests),
        ("kernels", |cache| {
            Series::ALL
                .into_iter()
                .map(|series| Ok(kernels::provide(cache, series)?.1))
                .collect()
        }),
        ("tests on this machine", for_native_tests),
        ("what others read of our files, and real images", |cache| {
            let (python, step) = python::provide(cache)?;
            Ok(vec![step, images::provide(cache, &python)?.1])
        }),
    ];
    let mut missing = Vec::new();
    for (name, provide) in parts {
        match provide(&cache) {
            Ok(steps) => steps.iter().for_each(|step| eprintln!("{step}")),
            Err(error) => {
                eprintln!("missing  {error:#}");
                missing.push(name);
            }
        }
    }
    if !missing.is_empty() {
        bail!(
            "not all could be provided; missing for: {}",
            missing.join(", ")
        );
    }
    Ok(())
}

/// Provides some parts and says what it did.
type Provide = fn(&Cache) -> Result<Vec<Step>>;
