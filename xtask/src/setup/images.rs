//! What the test of real images asks for: podman, and two root filesystems to make images
//! of. Each is an interpreter and the C library from a suite of Debian, and a large library
//! from `PyPI`; in all of it the two differ by a release that only mends (3.13.5 and 3.13.18).

use std::{fs, path::Path, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use super::{Step, apt::Apt, host, install};
use crate::{cache::Cache, process::Run};

/// The interpreter, without which `PyPI` would not know which wheel to give.
const PYTHON: &str = "3.13";

/// What the older and the newer one are made of: a suite that has the interpreter, and the
/// library as pip names it.
const EDITIONS: [(&str, &str); 2] = [("trixie", "numpy==2.3.4"), ("sid", "numpy==2.3.5")];

/// Where Debian's interpreter looks for libraries.
const LIBRARIES: &str = "usr/lib/python3/dist-packages";

/// Installs podman when it is missing.
///
/// # Errors
/// When apt cannot install it.
pub(crate) fn provide_podman(cache: &Cache) -> Result<Step> {
    let what = "podman for tests".to_owned();
    if host::find("podman").is_some() {
        return Ok(Step::present(what));
    }
    install::packages(cache, None, &["podman"])?;
    Ok(Step::made(what))
}

/// The folder of the root filesystems: `1` and `2`, each with one folder per layer (`python`
/// and `library`) and a file `contents` that names what is in it.
///
/// # Errors
/// When apt or pip (of the given Python) cannot have something.
pub(crate) fn provide(cache: &Cache, python: &Path) -> Result<(PathBuf, Step)> {
    let parts = EDITIONS.map(|(suite, library)| format!("{suite}-{}", library.replace("==", "-")));
    let name = format!("images/python{PYTHON}-{}", parts.join("-"));
    let what = format!("root filesystems of Python {PYTHON} and NumPy for tests");
    Step::folder(cache, &name, what, |folder| {
        let apt = Apt::new(cache)?;
        for (number, (suite, library)) in (1..).zip(EDITIONS) {
            let edition = folder.join(number.to_string());
            make(&apt, python, suite, library, &edition)?;
        }
        Ok(())
    })
}

fn make(apt: &Apt, python: &Path, suite: &str, library: &str, edition: &Path) -> Result<()> {
    let [base, libraries] = ["python", "library"].map(|layer| edition.join(layer));
    let libraries = libraries.join(LIBRARIES);
    fs::create_dir_all(&base)
        .and_then(|()| fs::create_dir_all(&libraries))
        .with_context(|| format!("'{}' cannot be made", edition.display()))?;
    let packages = [
        "libc6".to_owned(),
        format!("libpython{PYTHON}-minimal"),
        format!("python{PYTHON}-minimal"),
        format!("libpython{PYTHON}-stdlib"),
    ];
    let mut wanted = Vec::new();
    for package in packages {
        let version = apt.version_in(suite, &package)?;
        wanted.push(format!("{package}={version}"));
    }
    apt.unpack(&wanted, &base)?;
    Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--no-deps", "--no-compile"])
        .args(["--only-binary", ":all:", "--python-version", PYTHON])
        .arg("--target")
        .arg(&libraries)
        .arg(library)
        .text()
        .context("PyPI gave no packages")?;
    wanted.push(library.to_owned());
    fs::write(edition.join("contents"), wanted.join("\n"))
        .with_context(|| format!("'{}' cannot be filled", edition.display()))
}
