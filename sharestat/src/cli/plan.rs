//! `sharestat plan`: how many containers of a mix fit a host, with and without sharing.

mod args;
mod inputs;
mod mix;
mod parts;
mod private;
mod scenarios;
mod speakers;

use std::{io, path::Path};

pub(super) use args::PlanArgs;

use self::{args::PlanFormat, mix::Question};
use super::{
    args::Common,
    exit::{Exit, Failure},
    output, render,
};
use crate::{
    identity::escape::printable,
    plan::{assemble, document::Plan, picture, write},
};

pub(super) fn run(arguments: &PlanArgs, common: &Common) -> Result<Exit, Failure> {
    let format = chosen(arguments)?;
    let mut inputs = inputs::open(&arguments.files)?;
    let question = Question::of(arguments, &inputs)?;
    let plan = assemble::plan(parts::parts(&mut inputs, &question, arguments)?);
    write_plan(&plan, format, arguments, common)?;
    Ok(Exit::Ok)
}

fn write_plan(
    plan: &Plan,
    format: PlanFormat,
    arguments: &PlanArgs,
    common: &Common,
) -> Result<(), Failure> {
    let file = arguments.output.as_deref();
    let layout = render::layout(file, common);
    output::write(file, |mut out| match format {
        PlanFormat::Text => write::text::write(plan, &arguments.containers, layout, out),
        PlanFormat::Csv => write::csv::write(plan, out),
        PlanFormat::Markdown => write::markdown::write(plan, out),
        PlanFormat::Html => write::html::write(plan, out),
        PlanFormat::Svg => out.write_all(picture::svg(plan, true)?.as_bytes()),
        PlanFormat::Json => {
            serde_json::to_writer_pretty(&mut out, plan).map_err(io::Error::from)?;
            out.write_all(b"\n")
        }
    })
}

/// The format: as asked for, else by the ending of the file, else text.
fn chosen(arguments: &PlanArgs) -> Result<PlanFormat, Failure> {
    match (arguments.format, arguments.output.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, None) => Ok(PlanFormat::Text),
        (None, Some(path)) => by_ending(path).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!(
                    "cannot tell the format of '{}' from its ending; use .txt, .json, .csv, .md, .html or .svg, or give '--format'",
                    printable(path)
                ),
            )
        }),
    }
}

fn by_ending(path: &Path) -> Option<PlanFormat> {
    match path.extension()?.to_str()? {
        "txt" => Some(PlanFormat::Text),
        "json" => Some(PlanFormat::Json),
        "csv" => Some(PlanFormat::Csv),
        "md" => Some(PlanFormat::Markdown),
        "html" => Some(PlanFormat::Html),
        "svg" => Some(PlanFormat::Svg),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
