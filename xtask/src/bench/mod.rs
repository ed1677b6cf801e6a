//! How fast sharestat is: every figure as a ratio to something measured in the same run
//! on the same machine, in one table. Not a test: a busy machine may miss a target.

mod collector;
mod fill;
mod frame;
mod guest;
mod identity;
mod index;
mod kernel;
mod machine;
mod peers;
mod reader;
mod row;
mod scan;
mod stats;
mod table;
mod top;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use self::row::Row;
use crate::{build, process::is_root, setup::kernels::Series, workspace};

/// Options of `cargo xtask bench`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Groups to run; all when none is named
    #[arg(value_enum)]
    names: Vec<Group>,
    /// Measure with this binary instead of a fresh release build
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Times that pairs are repeated
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Make files in this folder, which has to be on a disk [default: target/bench]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Run the groups 'fill' and 'collector' in a guest with this kernel, where nothing else
    /// runs and kprobes are allowed
    #[arg(long)]
    guest: Option<Series>,
    /// Also write the table as Markdown to this file
    #[arg(long)]
    markdown: Option<PathBuf>,
}

/// Rows that are measured together.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Hashing and walking in the kernel
    Kernel,
    /// The whole machine scanned
    Scan,
    /// Reading files with 'top' running and without
    Fill,
    /// Other programs on the same files
    Peers,
    /// Memory and CPU time of 'top', and its first number
    Collector,
    /// The content index alone
    Index,
    /// Pictures of the screen
    Frame,
    /// Finding the layers of a large host
    Identity,
    /// The table of pages of a large cache
    Table,
}

impl Group {
    const ALL: [Self; 9] = [
        Self::Kernel,
        Self::Scan,
        Self::Fill,
        Self::Peers,
        Self::Collector,
        Self::Index,
        Self::Frame,
        Self::Identity,
        Self::Table,
    ];

    fn measure(self, setting: &Setting) -> Result<Vec<Row>> {
        match self {
            Self::Kernel => kernel::measure(setting),
            Self::Scan => scan::measure(setting),
            Self::Fill => fill::measure(setting),
            Self::Peers => peers::measure(setting),
            Self::Collector => collector::measure(setting),
            Self::Index => index::measure(setting),
            Self::Frame => frame::measure(setting),
            Self::Identity => identity::measure(setting),
            Self::Table => table::measure(setting),
        }
    }
}

/// What all groups measure with.
struct Setting {
    /// The release binary.
    binary: PathBuf,
    /// Times that pairs are repeated.
    rounds: usize,
    /// A folder on a disk for files of a few hundred MiB.
    folder: PathBuf,
}

/// Measures and prints the table; returns 1 when a target is missed, else 0.
///
/// # Errors
/// When we are not root, or nothing can be built.
pub(crate) fn run(options: Options) -> Result<i32> {
    let Options {
        names,
        binary,
        rounds,
        folder,
        guest,
        markdown,
    } = options;
    if let Some(series) = guest {
        return guest::run(series, rounds);
    }
    if !is_root() {
        bail!("measuring needs root; run 'sudo -E cargo xtask bench'");
    }
    let folder = folder.unwrap_or_else(|| workspace::target("bench"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("'{}' cannot be made", folder.display()))?;
    let binary = match binary {
        Some(binary) => binary,
        None => build::release(false)?,
    };
    let setting = Setting {
        binary,
        rounds: rounds.max(1),
        folder,
    };
    let chosen = if names.is_empty() {
        Group::ALL.to_vec()
    } else {
        names
    };
    let machine = machine::describe();
    let mut rows = Vec::new();
    for group in chosen {
        eprintln!("measuring: {group:?}");
        let measured = group
            .measure(&setting)
            .unwrap_or_else(|error| vec![Row::failed(&format!("{group:?}"), &error)]);
        // At once, because a run that is interrupted has cost minutes.
        eprintln!("{}", row::table(&measured));
        rows.extend(measured);
        if let Some(path) = &markdown {
            let text = format!("{machine}\n\n{}", row::markdown(&rows));
            std::fs::write(path, text)
                .with_context(|| format!("'{}' cannot be written", path.display()))?;
        }
    }
    println!("{machine}\n{}", row::table(&rows));
    Ok(i32::from(rows.iter().any(Row::misses)))
}
