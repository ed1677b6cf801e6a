//! The commands of `docs/ci.md`, run as they stand there, on small images.

mod skip;

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use skip::skipped;
use yaml_rust2::{Yaml, YamlLoader};

const PAGE: &str = include_str!("../../docs/ci.md");

/// The command lines below a heading, up to the next.
fn commands(heading: &str) -> Vec<&'static str> {
    let start = format!("{heading}\n");
    let (_, rest) = PAGE.split_once(&start).expect("it has that heading");
    let part = rest.split("\n## ").next().unwrap_or(rest);
    let lines = part.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("sharestat "))
        .collect()
}

/// The job below a heading.
fn job(heading: &str) -> Yaml {
    let (_, rest) = PAGE.split_once(heading).expect("it has that heading");
    let block = rest.split("```yaml\n").nth(1).expect("it has a job");
    let block = block.split("```").next().expect("it ends");
    let mut documents = YamlLoader::load_from_str(block).expect("YAML");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// The rules of the page.
fn rules() -> &'static str {
    let rest = PAGE.split("```toml\n").nth(1).expect("it has rules");
    rest.split("```").next().expect("they end")
}

/// So many pages, each different, from a letter on.
fn content(letter: u8, pages: u8) -> Vec<u8> {
    let page = |number| {
        let mut bytes = vec![letter; 4096];
        bytes[0] = number;
        bytes
    };
    (0..pages).flat_map(page).collect()
}

/// A tar archive of files.
fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, content.as_slice())
            .expect("it is written");
    }
    builder.into_inner().expect("it is written")
}

/// A root filesystem with one library.
fn library(path: &Path, letter: u8, pages: u8) {
    let bytes = archive(&[("usr/lib/shared.so", content(letter, pages))]);
    fs::write(path, bytes).expect("a file");
}

/// An OCI layout, as skopeo writes it, of two images that were built apart: each has the
/// same 200 pages under a name of its own, and 30 or 40 pages that the other has not.
fn layout(root: &Path) {
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a directory");
    let put = |name: String, content: &[u8]| {
        fs::write(blobs.join(&name), content).expect("a file");
        format!("sha256:{name}")
    };
    let mut manifests = Vec::new();
    for (number, (name, own)) in [("web", 30), ("worker", 40)].into_iter().enumerate() {
        let shared = format!("opt/{name}/shared.so");
        let layer = archive(&[
            (&shared, content(b'c', 200)),
            ("usr/own", content(b'0' + own, own)),
        ]);
        let layer = put(format!("1{number}"), &layer);
        let config = json!({"rootfs": {"type": "layers", "diff_ids": [layer]}}).to_string();
        let config = put(format!("2{number}"), config.as_bytes());
        let kind = "application/vnd.oci.image.layer.v1.tar";
        let manifest = json!({
            "config": {"digest": config},
            "layers": [{"mediaType": kind, "digest": layer, "size": 1}],
        });
        let manifest = put(format!("3{number}"), manifest.to_string().as_bytes());
        manifests.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest,
            "annotations": {"org.opencontainers.image.ref.name": name},
        }));
    }
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
    fs::write(root.join("index.json"), index).expect("a file");
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
}

fn run(line: &str, directory: &Path) -> Option<i32> {
    let binary = Path::new(env!("CARGO_BIN_EXE_sharestat"));
    let folder = binary.parent().expect("it is in a folder");
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = [folder.to_path_buf()]
        .into_iter()
        .chain(env::split_paths(&path));
    let status = Command::new("sh")
        .args(["-euc", line])
        .current_dir(directory)
        .env(
            "PATH",
            env::join_paths(paths).expect("paths without colons"),
        )
        .env("GITHUB_STEP_SUMMARY", directory.join("summary.md"))
        .stdin(Stdio::null())
        .status();
    status.expect("there is a shell").code()
}

#[test]
fn the_examples_run_and_fail_when_duplicates_grow() {
    if !Path::new("/bin/sh").exists() || !Path::new(env!("CARGO_BIN_EXE_sharestat")).exists() {
        skipped("no shell, or the program is elsewhere");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    fs::write(here.join("sharestat.toml"), rules()).expect("a file");
    for (name, letter) in [("web.tar", b'a'), ("worker.tar", b'b')] {
        library(&here.join(name), letter, 200);
    }
    layout(&here.join("images"));
    let duplicate = || {
        let text = fs::read(here.join("new.json")).expect("it was written");
        let report: Value = serde_json::from_slice(&text).expect("a report");
        report["totals"]["duplicate_bytes"].as_u64()
    };
    for (heading, count, expected) in [
        ("# In CI", 1, None),
        ("## GitHub Actions", 4, Some(0)),
        ("## GitLab", 2, Some(200 * 4096)),
    ] {
        let commands = commands(heading);
        assert_eq!(commands.len(), count, "{commands:?}");
        for line in &commands {
            assert_eq!(run(line, here), Some(0), "{line}");
        }
        if expected.is_some() {
            assert_eq!(duplicate(), expected, "{heading}");
        }
    }
    let summary = fs::read_to_string(here.join("summary.md")).expect("it was written");
    for part in ["of duplicate page cache", "before and after"] {
        assert!(summary.contains(part), "{summary}");
    }
    let results = fs::read_to_string(here.join("sharestat.xml")).expect("it was written");
    assert!(results.contains("tests=\"2\""), "{results}");
    // One image takes the other's library in, 40 times: 31 MiB twice.
    for name in ["web.tar", "worker.tar"] {
        let folder = here.join(name.replace(".tar", ""));
        fs::create_dir(&folder).expect("a directory");
        for number in 0..40_u8 {
            library(&folder.join(format!("{number}")), number, 200);
        }
    }
    let line = "sharestat image -q --top 0 -o new.json web worker && sharestat check new.json";
    assert_eq!(run(line, here), Some(1));
}

#[test]
fn the_jobs_say_when_they_run_what_they_may_and_how_they_get_the_program() {
    let github = job("## GitHub Actions");
    assert_eq!(github["on"].as_str(), Some("pull_request"));
    let may = &github["permissions"];
    assert_eq!(may["contents"].as_str(), Some("read"));
    assert_eq!(may["security-events"].as_str(), Some("write"));
    let steps = github["jobs"]["page-cache"]["steps"].as_vec();
    let steps = steps.expect("steps");
    let runs: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .collect();
    assert!(runs[0].starts_with("cargo install --locked"), "{runs:?}");
    // The summary of a step has a largest size: a report may fill one.
    let summaries = runs
        .iter()
        .filter(|run| run.contains("GITHUB_STEP_SUMMARY"));
    let each = summaries.map(|run| run.matches("GITHUB_STEP_SUMMARY").count());
    assert_eq!(each.collect::<Vec<_>>(), [1, 1]);
    let gitlab = &job("## GitLab")["page-cache"];
    assert!(gitlab["image"].as_str().is_some());
    let script = gitlab["script"].as_vec().expect("a script");
    let lines: Vec<&str> = script.iter().filter_map(Yaml::as_str).collect();
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        (count("cargo install --locked"), count("skopeo copy")),
        (1, 2)
    );
}
