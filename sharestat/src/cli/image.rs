//! `sharestat image IMAGE…`: what a host that runs these images would cache twice.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    args::{Common, OutputArgs},
    exit::{EXIT_CODES, Exit, Failure},
    render, scan,
    watch::watched,
};
use crate::{
    compare::check::rule::size,
    offline::{self, ForecastOptions, Limits, Touched},
    report::{Host, Report},
    snapshot::recording::{header::FAMILY, in_layers, reader::Reader},
};

const HELP: &str = "\
Examples:
  sharestat image app.tar                  an archive of 'docker save'
  sharestat image oci/ base.tar rootfs/    OCI layouts, archives and directories together
  sharestat image --touched read.txt a b   only the files that are read
  sharestat image --touched run.ssr a b    only those that a recording has seen
  sharestat image -o new.json --top 0 a b  to be checked: sharestat check base.json new.json";

/// Arguments of `image`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    after_long_help = format!("{HELP}\n\n{EXIT_CODES}"),
    long_about = "Reads images that lie in files, and forecasts what a host that runs them together would \
        cache more than once, and what each way of sharing would save. Needs no privilege, no \
        container runtime and no BPF; nothing is unpacked and nothing is written but the report.\n\n\
        Supposed is that every file of every image is read as a whole and stays cached, or only \
        those that --touched lists. Layers that images have in common are cached once."
)]
pub struct ImageArgs {
    /// OCI layout directory or archive, archive of 'docker save', archive or directory of a
    /// root filesystem.
    #[arg(value_name = "IMAGE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub images: Vec<PathBuf>,
    /// Suppose that only these files are read: a list with one path a line, as inside the
    /// container, or a recording, whose files of layers are meant.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub touched: Option<PathBuf>,
    /// Refuse layers and directories that hold more than this [default: 64 GiB].
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub max_layer: Option<u64>,
    /// Seed of the page hashes; random when not given.
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    pub seed: Option<u64>,
    /// Exit with 5 when a file could not be read.
    #[arg(long)]
    pub strict: bool,
    /// How the forecast is written.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl From<offline::Error> for Failure {
    fn from(error: offline::Error) -> Self {
        Self::new(Exit::Usage, error)
    }
}

pub(super) fn run(arguments: &ImageArgs, common: &Common) -> Result<Exit, Failure> {
    let format = arguments.output.chosen()?;
    let limits = Limits::default();
    let options = ForecastOptions {
        images: arguments.images.clone(),
        touched: arguments.touched.as_deref().map(touched).transpose()?,
        seed: scan::seed(arguments.seed)?,
        limits: Limits {
            layer_bytes: arguments.max_layer.unwrap_or(limits.layer_bytes),
            ..limits
        },
    };
    let (measurement, interrupted) = watched(common.quiet, |progress| {
        offline::forecast(&options, progress)
    })?;
    let report = Report::new(&measurement, &Host::read(), arguments.output.top);
    let file = arguments.output.output.as_deref();
    render::write(&report, format, file, common)?;
    Ok(scan::verdict(
        interrupted,
        measurement.complete,
        arguments.strict,
    ))
}

/// The files of a list or of a recording, told apart by the first bytes.
fn touched(file: &Path) -> Result<Touched, Failure> {
    if !is_recording(file) {
        return Ok(Touched::read(file)?);
    }
    let failed = |error| Failure::new(Exit::Usage, error);
    let mut reader = Reader::open(file).map_err(failed)?;
    let paths = in_layers::paths(&mut reader).map_err(failed)?;
    Ok(Touched::of_recording(file, paths)?)
}

/// Whether it begins as one does. A pipe is none: what was read of it would be gone.
fn is_recording(file: &Path) -> bool {
    let mut start = Vec::new();
    let mut begins = || {
        let opened = File::open(file)?;
        opened.take(FAMILY.len() as u64).read_to_end(&mut start)
    };
    // What cannot be read is told by who reads it as a list.
    file.is_file() && begins().is_ok() && start == FAMILY
}
