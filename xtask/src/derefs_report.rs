//! Makes `docs/derefs-KERNEL.md`: analyses the kernel's image here, drives and watches
//! the kernel in a guest, and writes the page that comes out.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    cache::Cache,
    erofs_sharing, guest_build,
    process::{Run, shell_words},
    setup::{
        self,
        kernels::{self, Series},
    },
    vm::{self, Cargo, Guest, MachineOptions, Output},
    workspace,
};

/// Options of `cargo xtask derefs-report`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Kernel to watch: 6.1, 6.12, 7.2 or 7.3
    #[arg(long, default_value_t = Series::V7_3)]
    kernel: Series,
    #[command(flatten)]
    machine: MachineOptions,
    /// How often each step of the workload is done
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Where the page goes, instead of docs/derefs-KERNEL.md; a .json file gets the data
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Share of the watched hits, in percent, that static sites have to explain.
const EXPLAINED: f64 = 95.0;

/// Mounts an overlay, an EROFS image, and another one twice so that both share its pages,
/// where the kernel can. Leaves in `"$@"` what to map: these, and the block device below
/// the image.
const MOUNTS: &str = r#"
exec 3>&1 4>&2 >/dev/null 2>&1
mkdir -p /sys/fs/cgroup /tmp/lower /tmp/upper /tmp/work /tmp/overlay /tmp/erofs
mount -t cgroup2 none /sys/fs/cgroup
for name in one two three; do dd if=/dev/urandom of=/tmp/lower/$name bs=4k count=32; done
set --
mount -t overlay overlay -o lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work /tmp/overlay &&
    set -- "$@" --map /tmp/overlay
disk=${SHARESTAT_SCRATCH_DISKS%%:*}
others=${SHARESTAT_SCRATCH_DISKS#*:}
[ -b "$disk" ] && mkfs.erofs /tmp/image /tmp/lower && dd if=/tmp/image of="$disk" bs=64k &&
    mount -t erofs -o ro "$disk" /tmp/erofs && set -- "$@" --map /tmp/erofs --map "$disk"
[ -f /guest/shared.erofs ] && for name in one two; do
    disk=${others%%:*} others=${others#*:} place=/tmp/shared-$name
    mkdir $place && dd if=/guest/shared.erofs of="$disk" bs=64k &&
        mount -t erofs -o ro,inode_share,domain_id=exercise "$disk" $place &&
        set -- "$@" --map $place
done
exec >&3 2>&4
"#;

/// Where the guest finds the image that is mounted twice.
const SHARED: &str = "/guest/shared.erofs";

/// Where the guest finds the list of static sites.
const LIST: &str = "/guest/sites.json";

/// Makes the page.
///
/// # Errors
/// When something cannot be provided or built, or the guest fails.
pub(crate) fn run(options: Options) -> Result<i32> {
    let Options {
        kernel: series,
        machine,
        rounds,
        output,
    } = options;
    let cache = Cache::open()?;
    setup::for_guests(&cache)?;
    let (kernel, _) = kernels::provide(&cache, series)?;
    let sharestat = guest_build::sharestat()?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let list = folder.path().join("sites.json");
    // Linked statically, so that it runs here as well.
    Command::new(&sharestat)
        .args(["derefs", "sites", "--format", "json", "--output"])
        .arg(&list)
        .arg(kernel.image())
        .run()?;
    let output =
        output.unwrap_or_else(|| workspace::root().join(format!("docs/derefs-{series}.md")));
    let json = output.extension().is_some_and(|ending| ending == "json");
    let format = if json { "json" } else { "markdown" };
    let words = [
        "sharestat",
        "derefs",
        "exercise",
        "--dir",
        "/tmp",
        "--disruptive",
        "--rounds",
        &rounds.to_string(),
        "--sites",
        LIST,
        "--format",
        format,
    ]
    .map(str::to_owned);
    let mut cargo = vec![
        Cargo {
            from: sharestat,
            to: "/bin/sharestat".to_owned(),
        },
        Cargo {
            from: list,
            to: LIST.to_owned(),
        },
    ];
    match erofs_sharing::image(folder.path()) {
        Ok(from) => cargo.push(Cargo {
            from,
            to: SHARED.to_owned(),
        }),
        Err(error) => eprintln!("EROFS that shares pages is left out: {error:#}"),
    }
    let guest = Guest {
        kernel,
        machine,
        time_out: Some(Duration::from_mins(10)),
        cargo,
        command: format!("{MOUNTS}{} \"$@\"", shell_words(&words)),
    };
    let mut page = String::new();
    let mut take = |line: &str| {
        page.push_str(line);
        page.push('\n');
    };
    vm::boot(&cache, &guest, Output::Lines(&mut take))?.success("sharestat derefs exercise")?;
    let explained = explained(&page).context("the result does not say what it explains")?;
    eprintln!("{series}: static sites explain {explained:.1} % of the hits");
    if explained < EXPLAINED {
        bail!("static sites explain {explained:.1} % of the hits, less than {EXPLAINED} %");
    }
    fs::write(&output, page).with_context(|| format!("cannot write '{}'", output.display()))?;
    eprintln!("wrote '{}'", output.display());
    Ok(0)
}

/// Share of the hits at static sites, in percent, as the page or the data say.
fn explained(page: &str) -> Option<f64> {
    if let Ok(data) = serde_json::from_str::<serde_json::Value>(page) {
        let explained = data.get("explained")?;
        let count = |name: &str| explained.get(name)?.as_f64();
        return Some(count("hits_explained")? * 100.0 / count("hits")?);
    }
    let line = page
        .lines()
        .find(|line| line.contains("% of the hits are at sites"))?;
    line.trim_start_matches("- ")
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_read_from_pages_and_data() {
        let page = "- 97.5 % of the hits are at sites that static analysis found\n";
        assert_eq!(explained(page), Some(97.5));
        let data = r#"{"explained":{"hits_explained":3,"hits":4}}"#;
        assert_eq!(explained(data), Some(75.0));
        assert_eq!(explained("- nothing"), None);
    }
}
