//! The command line as a whole: its definition, what it generates, how it refuses.

use clap::ValueEnum;
use clap_complete::Shell;

use super::{args::ScanArgs, *};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(line.split(' '))?;
    Cli::from_arg_matches(&matches)
}

fn scan(line: &str) -> ScanArgs {
    match parse(line).expect("the line is valid").command {
        Command::Scan(arguments) => arguments,
        other => panic!("not a scan: {other:?}"),
    }
}

#[test]
fn the_definition_has_no_contradictions() {
    Cli::command().debug_assert();
}

#[test]
fn scan_takes_several_paths_and_common_options_anywhere() {
    let arguments = scan("sharestat scan --path /a --path /b --engine user --top 0 -o r.csv");
    assert_eq!(arguments.paths, ["/a", "/b"].map(std::path::PathBuf::from));
    assert_eq!(arguments.engine, args::EngineChoice::User);
    assert_eq!(arguments.output.top, 0);
    assert!(parse("sharestat -q scan").expect("valid").common.quiet);
    assert_eq!(
        parse("sharestat scan -vv").expect("valid").common.verbose,
        2
    );
    assert!(parse("sharestat scan -q -v").is_err());
    assert!(parse("sharestat scan --seed minus").is_err());
}

#[test]
fn every_shell_gets_completions_with_every_command() {
    for shell in Shell::value_variants() {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Cli::command(), "sharestat", &mut script);
        let script = String::from_utf8(script).expect("scripts are text");
        for command in Cli::command().get_subcommands() {
            assert!(
                script.contains(command.get_name()),
                "{shell} lacks {}",
                command.get_name()
            );
        }
    }
}

#[test]
fn the_manual_names_every_command_its_options_and_the_exit_codes() {
    let mut page = Vec::new();
    man::write(&mut page).expect("memory takes everything");
    let page = String::from_utf8(page).expect("a page is text");
    for command in Cli::command().get_subcommands() {
        let title = format!(".SH \"SHARESTAT {}\"", command.get_name().to_uppercase());
        assert!(page.contains(&title), "{title}");
    }
    assert!(page.contains("\\-\\-engine"));
    assert!(page.contains(".SH \"EXIT STATUS\"\n.nf\n\\&  0    done"));
    assert!(page.contains("sharestat scan \\-\\-path a \\-\\-path b"));
}

#[test]
fn the_exit_codes_in_the_help_are_those_of_the_program() {
    let listed: Vec<u8> = exit::EXIT_CODES
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    let codes = [
        Exit::Ok,
        Exit::Threshold,
        Exit::Usage,
        Exit::Privilege,
        Exit::Kernel,
        Exit::Incomplete,
        Exit::Interrupted,
    ];
    assert_eq!(listed, codes.map(|exit| exit as u8));
}
