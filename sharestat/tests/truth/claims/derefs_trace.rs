//! `derefs trace` counts every run of a site, and `derefs watch`, which sees a sample,
//! estimates what it counts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::derefs::document;
use crate::{
    binary,
    filesystems::{Filesystem, Kind},
    harness::{self, Engine, OrFail as _, Outcome, Skip, bpf_only},
    scratch::Scratch,
};

bpf_only!(
    every_run_of_a_traced_site_counts,
    watch_estimates_what_trace_counts
);

fn require_kprobes() -> Outcome {
    if Path::new("/sys/bus/event_source/devices/kprobe").is_dir() {
        Ok(())
    } else {
        Err(Skip("this kernel has no kprobes".to_owned()))
    }
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Address of a kernel symbol.
fn symbol(name: &str) -> Option<u64> {
    let symbols = fs::read_to_string("/proc/kallsyms").ok()?;
    let line = symbols
        .lines()
        .find(|line| line.split_whitespace().nth(2) == Some(name))?;
    u64::from_str_radix(line.split_whitespace().next()?, 16).ok()
}

/// The operand in memory of an instruction like `mov qword ptr [rbx+0x18], 0x0`: the
/// register and the displacement; `None` when there is more to it.
fn operand(instruction: &str) -> Option<(String, i32)> {
    let (base, displacement) = instruction.split(['[', ']']).nth(1)?.split_once("+0x")?;
    let plain = base.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let displacement = i32::from_str_radix(displacement, 16).ok()?;
    plain.then(|| (base.to_uppercase(), displacement))
}

/// `site` of a document as one of a static list.
fn listed(site: &Value) -> Option<Value> {
    let instruction = site["instruction"].as_str()?;
    let (base, displacement) = operand(instruction)?;
    let name = site["symbol"].as_str()?;
    let offset = site["offset"].as_u64()?;
    Some(json!({
        "id": site["id"],
        "address": symbol(name)? + offset,
        "symbol": name,
        "offset": offset,
        "function": site["function"],
        "instruction": instruction,
        "base": base,
        "displacement": displacement,
        "kind": site["kind"],
        "basis": "typed",
        "direct": null,
        "subsystem": "mm",
    }))
}

/// Traces `sites` of a document while `command` runs.
fn trace(scratch: &Scratch, sites: &[Value], device: &Path, command: &[&str]) -> Value {
    let list = json!({
        "release": rustix::system::uname().release().to_string_lossy(),
        "build_id": null,
        "text_start": symbol("_stext").expect("the kernel has a start of text"),
        "sites": sites,
    });
    let (from, to) = (scratch.file("list.json"), scratch.file("trace.json"));
    fs::write(&from, list.to_string()).or_fail("writing a list");
    let mut arguments = vec![
        "derefs",
        "trace",
        "--sites",
        plain(&from),
        "--format",
        "json",
    ];
    arguments.extend(["--output", plain(&to), "--filesystem", plain(device), "--"]);
    arguments.extend(command);
    let run = binary::finish(binary::command(arguments));
    assert!(run.status.success(), "{run:?}");
    let traced = fs::read(to).or_fail("reading a trace");
    let traced: Value = serde_json::from_slice(&traced).or_fail("parsing a trace");
    assert_eq!(traced["schema"], "sharestat.derefs-trace/v1");
    traced
}

fn every_run_of_a_traced_site_counts(_: Engine) -> Outcome {
    /// Folios that the steps of the workload drop at the very least: one a step.
    const DROPPED: u64 = 4;
    require_kprobes()?;
    let scratch = Scratch::new();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &[])?;
    let place = plain(filesystem.root());
    let seen = document(&[
        "derefs", "exercise", "--dir", place, "--rounds", "1", "--format", "json",
    ])?;
    let sites = seen["sites"].as_array().expect("a list of sites");
    let store = sites
        .iter()
        .find(|site| site["function"] == "__filemap_remove_folio" && site["kind"] == "store");
    let store = store.and_then(listed).expect("the store was seen");
    // The workload drops files of four pages, several times, one folio at a time.
    let program = binary::path();
    let drive = [plain(&program), "derefs", "exercise", "--drive-only"];
    let drive = [&drive[..], &["--rounds", "1", "--dir", place]].concat();
    let traced = trace(&scratch, &[store], filesystem.root(), &drive);
    let count = |field: &str| {
        traced["sites"][0][field]
            .as_u64()
            .unwrap_or_else(|| panic!("a count in {traced}"))
    };
    assert!(count("hits") >= DROPPED, "{traced}");
    assert!(count("file_hits") >= DROPPED, "{traced}");
    // Locked, uptodate and clean is what the page cache lets go.
    let shareable = count("shareable_hits");
    assert!(shareable >= 1 && shareable <= count("hits"), "{traced}");
    Ok(())
}

/// A site, what was estimated for the whole run, and what was counted.
struct Compared {
    place: String,
    low: f64,
    estimate: f64,
    high: f64,
    counted: f64,
}

impl Compared {
    /// Whether the count lies in the interval, made `times` as wide.
    fn agrees(&self, times: f64) -> bool {
        let below = (self.estimate - self.low) * times;
        let above = (self.high - self.estimate) * times;
        (self.estimate - below..=self.estimate + above).contains(&self.counted)
    }
}

/// A program and a file that stay in memory while they are run, mapped and written.
fn steady_work(root: &Path) -> Result<PathBuf, Skip> {
    let program = root.join("busybox");
    fs::copy("/bin/busybox", &program)
        .map_err(|error| Skip(format!("there is no busybox to run: {error}")))?;
    fs::write(root.join("file"), vec![7; 16 * 4096]).or_fail("writing a file");
    Ok(program)
}

fn watch_estimates_what_trace_counts(_: Engine) -> Outcome {
    /// Turns of the work while a sample of it is seen.
    const WATCHED: u32 = 240;
    /// Turns that are counted one by one: they differ little, so that fewer do.
    const TRACED: u32 = 60;
    const HOTTEST: usize = 10;
    require_kprobes()?;
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    let root = filesystem.root();
    let program = steady_work(root)?;
    let script = |turns: u32| {
        format!(
            "i=0; while [ $i -lt {turns} ]; do i=$((i+1)); \
             {program} cat /proc/self/smaps >/dev/null; \
             {program} dd if=/dev/zero of={root}/file bs=4k count=16 conv=notrunc,fsync \
             2>/dev/null; done",
            program = program.display(),
            root = root.display()
        )
    };
    let (work, short_work) = (script(WATCHED), script(TRACED));
    let mut arguments = vec!["derefs", "watch", "--path", plain(root), "--format", "json"];
    arguments.extend(["--", "sh", "-c", &work]);
    let watched = document(&arguments)?;
    let seconds = watched["measurement"]["duration_ns"]
        .as_f64()
        .expect("a time")
        / 1e9;
    let mut sites: Vec<&Value> = watched["sites"].as_array().expect("sites").iter().collect();
    let rate = |site: &Value, field: &str| site["rate"][field].as_f64().expect("a rate");
    sites.sort_by(|a, b| rate(b, "per_second").total_cmp(&rate(a, "per_second")));
    sites.truncate(HOTTEST);
    let list: Vec<Value> = sites.iter().filter_map(|site| listed(site)).collect();
    let traced = trace(&scratch, &list, root, &["sh", "-c", &short_work]);
    let rows = traced["sites"].as_array().expect("sites");
    let counted = |id: &Value| {
        let row = rows.iter().find(|row| row["id"] == *id);
        let hits = row.map_or(0.0, |row| row["file_hits"].as_f64().expect("a count"));
        hits * f64::from(WATCHED) / f64::from(TRACED)
    };
    let compared: Vec<Compared> = sites
        .iter()
        .filter(|site| listed(site).is_some())
        .map(|site| Compared {
            place: format!("{}+{}", site["symbol"], site["offset"]),
            low: rate(site, "low") * seconds,
            estimate: rate(site, "per_second") * seconds,
            high: rate(site, "high") * seconds,
            counted: counted(&site["id"]),
        })
        .collect();
    let told: Vec<String> = compared
        .iter()
        .map(|row| {
            format!(
                "{} {:.0} ({:.0} to {:.0}), {:.0} counted",
                row.place, row.estimate, row.low, row.high, row.counted
            )
        })
        .collect();
    let told = told.join("\n");
    harness::say(&format!("estimated and counted:\n{told}"));
    assert!(compared.len() >= HOTTEST - 2, "{told}\n{watched}");
    // Intervals that hold everything prove nothing. The work takes turns between what hits
    // a site and what does not, so that so few windows tells no more than this.
    assert!(
        compared.iter().any(|row| row.high < 4.0 * row.low),
        "{told}"
    );
    // Each interval holds 19 times of 20, and neighbours of one loop miss together. Twice as
    // wide, four standard errors, all ten hold but for once in a thousand runs.
    let outside = compared.iter().filter(|row| !row.agrees(1.0)).count();
    assert!(
        outside <= 2,
        "{outside} outside of their intervals:\n{told}"
    );
    assert!(compared.iter().all(|row| row.agrees(2.0)), "{told}");
    Ok(())
}
