//! apt for ourselves: its own package lists in the cache, over Debian suites that the
//! system may not have configured, from the mirror that it has. Nothing here changes
//! the system; packages are unpacked, not installed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::{
    debian::{self, Package},
    sources::{self, Source},
};
use crate::{cache::Cache, process::Run};

/// Every suite that something is taken from.
const SUITES: [&str; 5] = [
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "sid",
];

/// Package lists older than this are fetched again before a look-up.
const LISTS_AGE: Duration = Duration::from_hours(6);

/// An apt that reads our sources.
#[derive(Debug)]
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Writes the sources and fetches the package lists, when they are not fresh.
    ///
    /// # Errors
    /// When there is no apt, no Debian mirror, or the lists cannot be fetched.
    pub(crate) fn new(cache: &Cache) -> Result<Self> {
        let folder = cache.path("apt-suites");
        let _lock = cache.lock("apt-suites")?;
        let apt = Self { folder };
        let mirror = mirror()?;
        let lines: String = SUITES.iter().map(|suite| mirror.line(suite)).collect();
        for part in ["lists/partial", "archives/partial"] {
            let part = apt.folder.join(part);
            fs::create_dir_all(&part)
                .with_context(|| format!("'{}' cannot be made", part.display()))?;
        }
        let list = apt.folder.join("sources.list");
        if fs::read_to_string(&list).ok().as_deref() != Some(&lines) {
            let _ = fs::remove_file(apt.stamp());
            fs::write(&list, lines)
                .with_context(|| format!("'{}' cannot be written", list.display()))?;
        }
        if !apt.fresh() {
            eprintln!("fetching the package lists of {}", SUITES.join(", "));
            apt.command("apt-get").args(["--error-on=any", "update"]).text().context(
                "the package lists of Debian cannot be had; by hand: check that apt reaches its \
                 mirror, or name one that it reaches in SHARESTAT_DEBIAN_MIRROR",
            )?;
            fs::write(apt.stamp(), "").context("the package lists cannot be marked as fresh")?;
        }
        Ok(apt)
    }

    /// All versions of `package`, newest first.
    ///
    /// # Errors
    /// When apt cannot be asked.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let table = self
            .command("apt-cache")
            .args(["madison", package])
            .text()?;
        Ok(table
            .lines()
            .filter(|line| !line.ends_with("Sources"))
            .filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned()))
            .collect())
    }

    /// The newest version of `package` in one suite.
    ///
    /// # Errors
    /// When apt cannot be asked, or the suite does not have it.
    pub(crate) fn version_in(&self, suite: &str, package: &str) -> Result<String> {
        let table = self
            .command("apt-cache")
            .args(["madison", package])
            .text()?;
        debian::version_in(suite, &table)
            .map(str::to_owned)
            .with_context(|| format!("Debian's suite '{suite}' has no '{package}'"))
    }

    /// All package names that begin with `prefix`.
    ///
    /// # Errors
    /// When apt cannot be asked.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let names = self
            .command("apt-cache")
            .args(["pkgnames", prefix])
            .text()?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The newest version of `package`.
    ///
    /// # Errors
    /// When no suite has it.
    pub(crate) fn package(&self, package: &str) -> Result<Package> {
        let stanza = self
            .command("apt-cache")
            .args(["show", "--no-all-versions", package])
            .text()?;
        debian::parse_package(&stanza)
            .with_context(|| format!("apt does not say what version of '{package}' there is"))
    }

    /// Downloads `packages` (`name` or `name=version`) and unpacks them into `folder`.
    ///
    /// # Errors
    /// When one cannot be downloaded or unpacked.
    pub(crate) fn unpack(&self, packages: &[String], folder: &Path) -> Result<()> {
        let downloads = tempfile::tempdir().context("no temporary folder can be made")?;
        self.command("apt-get")
            .args(["--quiet", "download"])
            .args(packages)
            .current_dir(downloads.path())
            .text()?;
        for entry in fs::read_dir(downloads.path()).context("the downloads cannot be read")? {
            let package = entry.context("the downloads cannot be read")?.path();
            Command::new("dpkg-deb")
                .arg("-x")
                .arg(&package)
                .arg(folder)
                .text()?;
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = self.folder.display();
        for option in [
            format!("Dir::Etc::sourcelist={folder}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            format!("Dir::State::lists={folder}/lists"),
            format!("Dir::Cache={folder}"),
            // As root, apt would drop to a user that cannot write into the cache.
            "APT::Sandbox::User=root".to_owned(),
            "APT::Default-Release=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::IndexTargets::deb::CNF::DefaultEnabled=false".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("lists-are-complete")
    }

    fn fresh(&self) -> bool {
        fs::metadata(self.stamp())
            .and_then(|stamp| stamp.modified())
            .ok()
            .and_then(|then| then.elapsed().ok())
            .is_some_and(|age| age < LISTS_AGE)
    }
}

/// The Debian archive: `$SHARESTAT_DEBIAN_MIRROR`, else the one that the system uses.
fn mirror() -> Result<Source> {
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let named = env::var("SHARESTAT_DEBIAN_MIRROR")
        .ok()
        .filter(|uri| !uri.is_empty());
    let found = match named {
        Some(uri) => Some(Source {
            uri,
            ..Source::default()
        }),
        None => system_sources()?.into_iter().find(is_debian),
    };
    let Some(source) = found else {
        bail!(
            "the system's apt has no Debian mirror, and kernels, QEMU and sources come from \
             Debian; by hand: name a mirror of the Debian archive in SHARESTAT_DEBIAN_MIRROR"
        );
    };
    Ok(Source {
        signed_by: source
            .signed_by
            .or_else(|| Path::new(keyring).is_file().then(|| keyring.to_owned())),
        components: vec!["main".to_owned()],
        ..source
    })
}

fn is_debian(source: &Source) -> bool {
    let suites = [
        "stable", "testing", "unstable", "sid", "bookworm", "trixie", "forky", "duke",
    ];
    source
        .components
        .iter()
        .any(|component| component == "main")
        && source
            .suites
            .iter()
            .any(|suite| suites.contains(&suite.as_str()))
}

/// What the system's apt is configured with.
///
/// # Errors
/// When a file that exists cannot be read.
pub(crate) fn system_sources() -> Result<Vec<Source>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(parts) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(parts.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.sort();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let read = match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources::parse_lines,
            Some("sources") => sources::parse_deb822,
            _ => continue,
        };
        let text = fs::read_to_string(file)
            .with_context(|| format!("'{}' cannot be read", file.display()))?;
        found.extend(read(&text));
    }
    Ok(found)
}
