//! What `plan` refuses, and with which exit code.

use super::{
    args::PlanArgs,
    inputs::{Input, Kind},
    mix::Question,
    scenarios::{enough, percentiles},
    speakers::{seeds_are_equal, speakers},
};
use crate::{
    cli::exit::{Exit, Failure},
    report::{Report, sample},
};
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    plan: PlanArgs,
}

fn arguments(line: &[&str]) -> PlanArgs {
    let words = ["plan"].iter().chain(line);
    Line::try_parse_from(words).expect("it is valid").plan
}

fn input(change: impl FnOnce(&mut Report)) -> Input {
    let mut report = sample::report();
    change(&mut report);
    Input {
        name: "r.json".to_owned(),
        kind: Kind::Report(Box::new(report)),
        sets: None,
    }
}

fn told<T>(result: Result<T, Failure>) -> (Exit, String) {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(failure) => (failure.exit(), failure.to_string()),
    }
}

#[test]
fn too_little_coverage_is_refused_unless_accepted() {
    let complete = |report: &mut Report| report.coverage.complete = true;
    let (exit, words) = told(enough(&input(complete), false, &mut Vec::new()));
    assert_eq!(exit, Exit::Incomplete);
    assert!(words.contains("80.0 % of the page cache only"), "{words}");
    assert!(words.contains("--accept-poor-coverage"), "{words}");
    let mut notes = Vec::new();
    enough(&input(complete), true, &mut notes).expect("it is accepted");
    assert!(notes[0].contains("80.0 %"), "{notes:?}");
    let hashed = |report: &mut Report| report.coverage.hashed_pages = 10;
    let (exit, words) = told(enough(&input(hashed), false, &mut Vec::new()));
    assert_eq!(exit, Exit::Incomplete);
    assert!(words.contains("partial"), "{words}");
}

#[test]
fn a_single_sample_has_no_percentiles() {
    let inputs = [input(|_| {})];
    let asked = arguments(&["r.json", "--percentile", "90"]);
    let (exit, words) = told(percentiles(&inputs, &[Some(0)], &asked));
    assert_eq!(exit, Exit::Usage);
    assert!(words.contains("'r.json' is a single sample"), "{words}");
    let (_, words) = told(percentiles(&[], &[None], &asked));
    assert!(words.contains("stated"), "{words}");
    let plain = arguments(&["r.json"]);
    let found = percentiles(&inputs, &[Some(0)], &plain);
    assert_eq!(found.expect("not asked for"), [None]);
}

#[test]
fn contents_under_different_seeds_are_not_compared() {
    seeds_are_equal(&[("a", "1"), ("b", "1")]).expect("they are equal");
    let (exit, words) = told(seeds_are_equal(&[("a.ssr", "1"), ("b.ssr", "2")]));
    assert_eq!(exit, Exit::Usage);
    assert!(words.contains("'b.ssr' (seed 2)"), "{words}");
    assert!(words.contains("--seed"), "{words}");
}

#[test]
fn an_image_that_was_not_measured_is_named_with_those_that_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let mix = folder.path().join("mix.toml");
    std::fs::write(&mix, "[[image]]\nname = \"web\"\n").expect("written");
    let line = [
        "r.json",
        "--mix",
        mix.to_str().expect("text"),
        "--memory",
        "1GiB",
    ];
    let inputs = [input(|_| {})];
    let question = Question::of(&arguments(&line), &inputs).expect("it is a mix");
    let (exit, words) = told(speakers(&inputs, &question));
    assert_eq!(exit, Exit::Usage);
    assert!(words.contains("'web'; none runs there"), "{words}");
}

#[test]
fn mistakes_in_a_mix_are_told_with_file_and_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mix = folder.path().join("mix.toml");
    std::fs::write(&mix, "[[image]]\nname = \"web\"\nreplicas = 0\n").expect("written");
    let line = ["--mix", mix.to_str().expect("text"), "--memory", "1GiB"];
    let (exit, words) = told(Question::of(&arguments(&line), &[]));
    assert_eq!(exit, Exit::Usage);
    assert!(
        words.contains("mix.toml': line 3: 'replicas' is 0"),
        "{words}"
    );
}

#[test]
fn a_host_must_have_room_and_a_size() {
    let stated = ["--image", "web=1GiB"];
    let (_, words) = told(Question::of(&arguments(&stated), &[]));
    assert!(words.contains("'--memory 64GiB'"), "{words}");
    let full = [&stated[..], &["--memory", "1GiB", "--base", "1GiB"]].concat();
    let (exit, words) = told(Question::of(&arguments(&full), &[]));
    assert_eq!(exit, Exit::Usage);
    assert!(words.contains("nothing is left"), "{words}");
    for bare in ["64", "1.5"] {
        let line = ["plan", "--image", "web=1GiB", "--memory", bare];
        assert!(Line::try_parse_from(line).is_err(), "{bare} has no unit");
    }
}
