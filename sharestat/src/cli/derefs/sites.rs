//! `sharestat derefs sites`: which code of a kernel image touches `folio->mapping`.

use super::super::{
    exit::{Exit, Failure},
    output,
};
use super::args::{SitesArgs, SitesFormat};
use crate::derefs::sites::{self, Format, Options};

pub(super) fn run(arguments: &SitesArgs) -> Result<Exit, Failure> {
    let options = Options {
        debug: arguments.debug.as_deref(),
        format: match arguments.format {
            SitesFormat::Text => Format::Text,
            SitesFormat::Json => Format::Json,
        },
        sample: arguments.sample.map(|count| (count, arguments.seed)),
    };
    let mut list = Vec::new();
    sites::run(&arguments.image, options, &mut list)
        .map_err(|error| Failure::new(Exit::Kernel, error))?;
    output::write(arguments.output.as_deref(), |out| out.write_all(&list))?;
    Ok(Exit::Ok)
}
