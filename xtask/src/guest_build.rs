//! Builds what runs in guests, linked statically so that it needs nothing there: the
//! sharestat binary and the integration tests in `sharestat/tests`.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    build,
    process::{not_started, shown},
    workspace,
};

/// The one target that guests run.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A program that cargo built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// Name of its target.
    pub(crate) name: String,
    /// Whether it is a test, else a plain binary.
    pub(crate) test: bool,
    /// The file.
    pub(crate) path: PathBuf,
}

/// Builds the static sharestat and returns its path.
///
/// # Errors
/// When it does not compile.
pub(crate) fn sharestat() -> Result<PathBuf> {
    artifacts(&["build", "--bin", "sharestat"])?
        .into_iter()
        .find(|artifact| !artifact.test)
        .map(|artifact| artifact.path)
        .context("cargo built no 'sharestat'")
}

/// Builds the integration tests and the static sharestat that they are built with.
///
/// # Errors
/// When one does not compile.
pub(crate) fn tests() -> Result<Vec<Artifact>> {
    artifacts(&["test", "--no-run", "--test", "*"])
}

fn artifacts(arguments: &[&str]) -> Result<Vec<Artifact>> {
    let object = build::bpf_object()?;
    let (subcommand, arguments) = arguments
        .split_first()
        .context("cargo needs a subcommand")?;
    let mut cargo = workspace::cargo(subcommand);
    cargo
        .args(arguments)
        .args([
            "--package",
            "sharestat",
            "--profile",
            "guest",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(workspace::target("guest"))
        .arg("--message-format=json-render-diagnostics")
        .env("SHARESTAT_BPF_OBJECT", object)
        .env(
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "-C target-feature=+crt-static",
        )
        .stderr(Stdio::inherit());
    let output = cargo
        .output()
        .map_err(|error| not_started(&cargo, &error))?;
    if !output.status.success() {
        bail!("'{}' failed: {}", shown(&cargo), output.status);
    }
    let messages =
        String::from_utf8(output.stdout).context("cargo printed something that is not UTF-8")?;
    Ok(messages.lines().filter_map(artifact).collect())
}

/// Reads one of cargo's JSON messages; `None` unless it announces a program of ours.
fn artifact(message: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = message.get("target")?;
    let kind = target.get("kind")?.get(0)?.as_str()?;
    let test = message.get("profile")?.get("test")?.as_bool()?;
    if message.get("reason")? != "compiler-artifact" || (kind, test) == ("bin", true) {
        return None;
    }
    Some(Artifact {
        name: target.get("name")?.as_str()?.to_owned(),
        test,
        path: message.get("executable")?.as_str()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, test: bool, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"scan"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
        )
    }

    #[test]
    fn programs_are_found_in_messages() {
        let found = artifact(&message("test", true, "\"/t/scan-1\""));
        let scan = Artifact {
            name: "scan".to_owned(),
            test: true,
            path: "/t/scan-1".into(),
        };
        assert_eq!(found, Some(scan));
        assert_eq!(artifact(&message("lib", false, "null")), None);
        assert_eq!(artifact(&message("bin", true, "\"/t/unit-tests\"")), None);
        assert_eq!(
            artifact(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(artifact("no message"), None);
    }
}
