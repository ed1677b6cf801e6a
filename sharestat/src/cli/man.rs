//! `sharestat man`: the manual page, made from the arguments; one section per command.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{
    args::Cli,
    exit::{EXIT_CODES, Exit, Failure},
    output,
};

pub(super) fn run() -> Result<Exit, Failure> {
    output::print(|mut out| write(&mut out))?;
    Ok(Exit::Ok)
}

/// The page in roff.
pub(super) fn write(mut out: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let page = Man::new(command.clone());
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    for subcommand in command.get_subcommands() {
        section(subcommand, out)?;
    }
    verbatim("EXIT STATUS", EXIT_CODES, out)?;
    page.render_version_section(&mut out)
}

/// One command: what it does, its arguments, its examples.
fn section(command: &Command, mut out: &mut dyn Write) -> io::Result<()> {
    let mut body = Vec::new();
    let page = Man::new(command.clone());
    page.render_description_section(&mut body)?;
    if command
        .get_arguments()
        .any(|argument| !argument.is_hide_set())
    {
        page.render_options_section(&mut body)?;
    }
    let name = command.get_name();
    writeln!(out, ".SH \"SHARESTAT {}\"", name.to_uppercase())?;
    // Sections inside a section are subsections.
    let body = String::from_utf8_lossy(&body).replace(".SH ", ".SS ");
    out.write_all(body.as_bytes())?;
    if let Some(examples) = command.get_after_help() {
        let examples = examples.to_string();
        let lines = examples.trim_start_matches("Examples:\n");
        writeln!(&mut out, ".SS EXAMPLES")?;
        preformatted(lines, out)?;
    }
    Ok(())
}

fn verbatim(title: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".SH \"{title}\"")?;
    preformatted(text.trim_start_matches("Exit codes:\n"), out)
}

/// Lines as they are; backslashes, dashes and leading dots mean nothing.
fn preformatted(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".nf")?;
    for line in text.lines() {
        writeln!(out, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(out, ".fi")
}
