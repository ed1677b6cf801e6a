//! A store of Podman's own making, in a place that only its configuration tells, and what
//! Podman says is in it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::mount::{UnmountFlags, unmount};
use serde_json::Value;

use crate::harness::{OrFail as _, Skip};

/// The store; dropping it unmounts what was mounted from it.
pub(super) struct Podman {
    place: PathBuf,
}

/// An image as Podman tells of it.
pub(super) struct Image {
    pub(super) name: String,
    pub(super) id: String,
    /// The directories of its layers, lowest first.
    pub(super) layers: Vec<PathBuf>,
}

/// A container as Podman tells of it.
pub(super) struct Container {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) image: String,
}

impl Podman {
    /// An empty store below `place`.
    pub(super) fn new(place: &Path) -> Result<Self, Skip> {
        Command::new("podman")
            .arg("--version")
            .output()
            .map_err(|error| Skip(format!("'podman' does not run: {error}")))?;
        let podman = Self {
            place: place.to_owned(),
        };
        fs::create_dir(podman.at("temporary")).or_fail("making a directory");
        let [graph, run] = ["storage", "run"].map(|part| podman.at(part).display().to_string());
        let settings = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{graph}\"\nrunroot = \"{run}\"\n"
        );
        fs::write(podman.at("storage.conf"), settings).or_fail("writing storage.conf");
        // Whatever it cannot do here, it cannot do from the start.
        podman.run(&["info"]).map_err(Skip)?;
        Ok(podman)
    }

    fn at(&self, part: &str) -> PathBuf {
        self.place.join(part)
    }

    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("podman")
            .args(["--cgroup-manager", "cgroupfs", "--events-backend", "none"])
            .arg("--tmpdir")
            .arg(self.at("libpod"))
            .args(arguments)
            .env("CONTAINERS_STORAGE_CONF", self.at("storage.conf"))
            .env("TMPDIR", self.at("temporary"))
            .current_dir(&self.place)
            .output()
            .map_err(|error| format!("'podman' does not run: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("podman {}: {}", arguments.join(" "), said.trim()))
    }

    #[track_caller]
    fn must(&self, arguments: &[&str]) -> String {
        self.run(arguments).or_fail("asking Podman")
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.must(arguments);
        let value: Value = serde_json::from_str(&text).or_fail("reading what Podman says");
        value.as_array().cloned().unwrap_or_default()
    }

    /// Makes an image of the folders in `context`, one layer each.
    pub(super) fn build(&self, name: &str, context: &Path, layers: &[&str]) {
        let copies = layers.iter().map(|layer| format!("COPY {layer}/ /\n"));
        let recipe = self.at("Containerfile");
        fs::write(
            &recipe,
            format!("FROM scratch\n{}", copies.collect::<String>()),
        )
        .or_fail("writing a Containerfile");
        let [recipe, context] = [&recipe, context].map(|path| path.display().to_string());
        self.must(&[
            "build", "--quiet", "--tag", name, "--file", &recipe, &context,
        ]);
    }

    /// Makes a container of an image and mounts it, as `podman run` would.
    pub(super) fn mount(&self, name: &str, image: &str) -> PathBuf {
        self.must(&[
            "create",
            "--network",
            "none",
            "--name",
            name,
            image,
            "/bin/true",
        ]);
        self.must(&["mount", name]).into()
    }

    /// All images.
    pub(super) fn images(&self) -> Vec<Image> {
        let listed = self.json(&["images", "--no-trunc", "--format", "json"]);
        let image = |row: &Value| {
            let name = text(&row["Names"][0]);
            let described = self.json(&["image", "inspect", &name]);
            let places = &described[0]["GraphDriver"]["Data"];
            let lower = text(&places["LowerDir"]);
            let mut layers: Vec<PathBuf> = vec![text(&places["UpperDir"]).into()];
            layers.extend(lower.split(':').map(PathBuf::from));
            layers.retain(|layer| !layer.as_os_str().is_empty());
            layers.reverse();
            Image {
                name,
                id: text(&row["Id"]).trim_start_matches("sha256:").to_owned(),
                layers,
            }
        };
        listed.iter().map(image).collect()
    }

    /// All containers.
    pub(super) fn containers(&self) -> Vec<Container> {
        let listed = self.json(&["ps", "--all", "--no-trunc", "--format", "json"]);
        let container = |row: &Value| Container {
            name: text(&row["Names"][0]),
            id: text(&row["Id"]),
            image: text(&row["Image"]),
        };
        listed.iter().map(container).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Its mounts only: the files go with the filesystem below them.
        let _ = self.run(&["umount", "--all", "--force"]);
        // Podman mounts its directory of layers on itself.
        for part in ["storage/overlay", "run"] {
            let _ = unmount(self.at(part), UnmountFlags::DETACH);
        }
    }
}

/// Where the root filesystems are that `cargo xtask test native` makes.
pub(super) fn root_filesystems() -> Result<PathBuf, Skip> {
    let folder = env::var_os("SHARESTAT_ROOT_FILESYSTEMS").map(PathBuf::from);
    folder.ok_or_else(|| {
        Skip("no root filesystems to make images of ('cargo xtask test native' makes them)".into())
    })
}
