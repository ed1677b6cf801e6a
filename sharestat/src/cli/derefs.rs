//! `sharestat derefs sites`: which code of a kernel image touches `folio->mapping`.

use std::io;

use super::{
    args::{DerefsArgs, DerefsCommand, SitesFormat},
    exit::{Exit, Failure},
    output,
};
use crate::derefs::sites::{self, Format, Options};

pub(super) fn run(arguments: &DerefsArgs) -> Result<Exit, Failure> {
    let DerefsCommand::Sites(arguments) = &arguments.command;
    let options = Options {
        format: match arguments.format {
            SitesFormat::Text => Format::Text,
            SitesFormat::Json => Format::Json,
        },
        sample: arguments.sample.map(|count| (count, arguments.seed)),
    };
    let mut list = Vec::new();
    sites::run(&arguments.image, options, &mut list)
        .map_err(|error| Failure::new(Exit::Kernel, error))?;
    output::write(arguments.output.as_deref(), |out| {
        io::Write::write_all(out, &list)
    })?;
    Ok(Exit::Ok)
}
