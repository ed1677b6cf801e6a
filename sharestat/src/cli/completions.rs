//! `sharestat completions SHELL`: the completion script, made from the arguments.

use clap::CommandFactory;

use super::{
    args::{Cli, CompletionsArgs},
    exit::{Exit, Failure},
    output,
};

pub(super) fn run(arguments: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "sharestat",
        &mut script,
    );
    output::print(|out| out.write_all(&script))?;
    Ok(Exit::Ok)
}
