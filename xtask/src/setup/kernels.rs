//! The kernels that guests boot: Debian's cloud kernels of each series, downloaded and
//! unpacked into the cache as `kernels/SERIES/{vmlinuz,release,lib/modules/RELEASE}`.

use std::{
    fmt, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

use anyhow::{Context, Result, bail};

use super::{Step, apt::Apt, debian, host};
use crate::{cache::Cache, process::Run};

/// A kernel series that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Series {
    /// Debian 12: no `cachestat`, the oldest that is supported.
    V6_1,
    /// Debian 13.
    V6_12,
    /// The first that charges page cache to object cgroups.
    V7_2,
    /// The newest.
    V7_3,
}

impl Series {
    /// All series, oldest first.
    pub(crate) const ALL: [Self; 4] = [Self::V6_1, Self::V6_12, Self::V7_2, Self::V7_3];

    /// `6.1` and so on.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::V7_2 => "7.2",
            Self::V7_3 => "7.3",
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Series {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|series| series.name() == name)
            .ok_or_else(|| {
                format!(
                    "there is no kernel '{name}'; there are {}",
                    Self::ALL.map(Self::name).join(", ")
                )
            })
    }
}

/// An unpacked kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// Its series.
    pub(crate) series: Series,
    /// What `uname -r` says.
    pub(crate) release: String,
    folder: PathBuf,
}

impl Kernel {
    /// Opens the unpacked kernel of `series`.
    ///
    /// # Errors
    /// When it is not in the cache.
    fn open(cache: &Cache, series: Series) -> Result<Self> {
        let folder = cache.path(folder(series));
        let release = fs::read_to_string(folder.join("release"))
            .with_context(|| format!("kernel {series} is not in '{}'", folder.display()))?;
        Ok(Self {
            series,
            release: release.trim().to_owned(),
            folder,
        })
    }

    /// The bootable image.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The folder with its modules and `modules.dep`.
    pub(crate) fn modules(&self) -> PathBuf {
        self.folder.join("lib/modules").join(&self.release)
    }
}

fn folder(series: Series) -> String {
    format!("kernels/{series}")
}

/// Downloads and unpacks the newest kernel of `series`, when there is none.
///
/// # Errors
/// When no suite has one, or it cannot be had.
pub(crate) fn provide(cache: &Cache, series: Series) -> Result<(Kernel, Step)> {
    let present = cache.path(folder(series)).is_dir();
    cache
        .folder(&folder(series), |staging| unpack(cache, series, staging))
        .with_context(|| {
            format!(
                "kernel {series} cannot be had; by hand: unpack it so that \
             '{0}/vmlinuz', '{0}/release' (what uname -r says) and '{0}/lib/modules' exist",
                cache.path(folder(series)).display()
            )
        })?;
    let kernel = Kernel::open(cache, series)?;
    let what = format!("kernel {series} ({})", kernel.release);
    Ok((kernel, Step::unless(present, what)))
}

fn unpack(cache: &Cache, series: Series, staging: &Path) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("guests are x86_64 machines, and this is none");
    }
    let apt = Apt::new(cache)?;
    let names = apt.names(&format!("linux-image-{series}"))?;
    let image = debian::newest_kernel(names.iter().map(String::as_str), series.name(), "amd64")
        .with_context(|| format!("no Debian suite has a cloud kernel {series} any more"))?;
    eprintln!("downloading {image}");
    let package = apt.package(image)?;
    let mut wanted = vec![image.to_owned()];
    // From 7.x on the image package is empty and depends on these two.
    wanted.extend(
        package
            .depends
            .into_iter()
            .filter(|name| name.starts_with("linux-binary-") || name.starts_with("linux-modules-")),
    );
    for name in &mut wanted {
        *name = format!("{name}={}", package.version);
    }
    let root = cache.staging()?;
    apt.unpack(&wanted, root.path())?;
    arrange(root.path(), staging)
}

/// Moves image and modules from the unpacked packages to their places.
fn arrange(root: &Path, staging: &Path) -> Result<()> {
    let modules = ["lib/modules", "usr/lib/modules"]
        .into_iter()
        .find_map(|folder| first_entry(&root.join(folder), ""))
        .context("the packages hold no modules")?;
    let image = first_entry(&root.join("boot"), "vmlinuz-")
        .or_else(|| Some(modules.join("vmlinuz")).filter(|image| image.is_file()))
        .context("the packages hold no kernel image")?;
    let release = modules
        .file_name()
        .context("the modules' folder has no name")?;
    let place = staging.join("lib/modules");
    fs::create_dir_all(&place)
        .and_then(|()| fs::copy(&image, staging.join("vmlinuz")).map(drop))
        .and_then(|()| fs::rename(&modules, place.join(release)))
        .and_then(|()| fs::write(staging.join("release"), release.as_encoded_bytes()))
        // depmod looks below '/lib' or '/usr/lib', as its distribution does.
        .and_then(|()| symlink(".", staging.join("usr")))
        .with_context(|| format!("the kernel cannot be arranged in '{}'", staging.display()))?;
    let depmod = host::find("depmod").context("'depmod' is not installed")?;
    Command::new(depmod)
        .arg("-b")
        .arg(staging)
        .arg(release)
        .text()?;
    Ok(())
}

/// The first entry of `folder`, by name, that begins with `prefix`.
fn first_entry(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    entries.into_iter().find(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_back_by_name() {
        for series in Series::ALL {
            assert_eq!(series.name().parse(), Ok(series));
        }
        let error = "6.13".parse::<Series>().expect_err("it is none of ours");
        assert_eq!(
            error,
            "there is no kernel '6.13'; there are 6.1, 6.12, 7.2, 7.3"
        );
    }
}
