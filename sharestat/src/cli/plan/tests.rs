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
        complete: report.coverage.complete,
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

/// Two recordings with seeds of their own, each of which speaks for an image.
#[test]
fn recordings_with_different_seeds_do_not_speak_together() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let files = ["src/cli/plan/testdata/without-memory.ssr", "demo/demo.ssr"];
    let files = files.map(|file| format!("{root}{file}"));
    let line = [&files[0], &files[1], "--memory", "1GiB"].map(AsRef::<str>::as_ref);
    let asked = arguments(&line);
    let mut inputs = super::inputs::open(&asked.files).expect("they are recordings");
    let alone: Vec<Vec<String>> = inputs.iter().map(Input::images).collect();
    let of_one = |number: usize| {
        let names = alone[number].iter();
        let mut own = names.filter(|name| !alone[1 - number].contains(name));
        own.next().expect("an image that only one has").clone()
    };
    let (first, second) = (of_one(0), of_one(1));
    let folder = tempfile::tempdir().expect("a folder");
    let mix = folder.path().join("mix.toml");
    let text = format!("[[image]]\nname = \"{first}\"\n[[image]]\nname = \"{second}\"\n");
    std::fs::write(&mix, text).expect("written");
    let mix = mix.to_str().expect("text");
    let both = arguments(&[&line[..], &["--mix", mix]].concat());
    let question = Question::of(&both, &inputs).expect("it is a mix");
    let (exit, words) = told(super::parts::parts(&mut inputs, &question, &both));
    assert_eq!(exit, Exit::Usage);
    let [one, other] = [0, 1].map(|number| inputs[number].seed_id().to_owned());
    assert_ne!(one, other);
    assert!(
        words.contains("their seeds differ") && words.contains(&one) && words.contains(&other),
        "{words}"
    );
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

/// An older recording: three containers, two of whose images hold equal files.
#[test]
fn a_recording_is_planned_as_it_was_measured() {
    let recording = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/cli/plan/testdata/without-memory.ssr"
    );
    let arguments = arguments(&[recording, "--memory", "64MiB", "--containers", "3"]);
    let mut inputs = super::inputs::open(&arguments.files).expect("it is a recording");
    let question = Question::of(&arguments, &inputs).expect("containers run");
    let parts = super::parts::parts(&mut inputs, &question, &arguments).expect("it is covered");
    let plan = crate::plan::assemble::plan(parts);
    let percentiles: Vec<_> = plan.forecasts.iter().map(|one| one.percentile).collect();
    assert_eq!(percentiles, [Some(50.0), Some(90.0), Some(99.0)]);
    let planned = plan.planned().expect("there is p90");
    let at_three = |name: &str| {
        let mut rows = planned.mechanisms.iter();
        let row = rows.find(|row| row.name == name).expect("it is listed");
        let mut points = row.curve.iter();
        let point = points.find(|point| point.containers == 3);
        point.expect("it was asked for").page_cache_bytes
    };
    let [check] = plan.checks.as_slice() else {
        panic!("one input: {:?}", plan.checks);
    };
    assert_eq!(check.containers, 3);
    assert_eq!(check.measured_bytes, check.forecast_bytes);
    assert!(at_three("none") >= check.measured_bytes);
    // 2.3 MiB of equal files, and some more equal pages in files that differ.
    assert!(at_three("none") - at_three("erofs") > 2 << 20);
    assert!(at_three("content") <= at_three("offset"));
    assert!(at_three("offset") < at_three("erofs"));
}

#[test]
fn a_recording_that_was_cut_is_refused() {
    let recording = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/cli/plan/testdata/without-memory.ssr"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let cut = folder.path().join("cut.ssr");
    let whole = std::fs::read(recording).expect("it is there");
    std::fs::write(&cut, &whole[..whole.len() * 3 / 4]).expect("written");
    let arguments = arguments(&[cut.to_str().expect("text"), "--memory", "64MiB"]);
    let mut inputs = super::inputs::open(&arguments.files).expect("it has moments");
    let question = Question::of(&arguments, &inputs).expect("containers run");
    let (exit, words) = told(super::parts::parts(&mut inputs, &question, &arguments));
    assert_eq!(exit, Exit::Incomplete);
    assert!(words.contains("partial"), "{words}");
}
