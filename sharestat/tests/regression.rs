//! Our own check of regressions: containers over layers are recorded on every run, and the
//! recording is checked against a baseline that is committed beside this file.
//!
//! `SHARESTAT_NEW_BASELINE=FILE` writes a baseline of the recording there instead. Needs
//! root and overlayfs; the binary is `SHARESTAT_BIN`, else the one built with the test.

mod skip;

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Layers and their files, in KiB, by name of content: two images were built apart from
/// the same packages; a third shares its base with the first.
const LAYERS: [(&str, &[(&str, u32)]); 7] = [
    ("base-a", &[("libc", 600), ("crypto", 340), ("z-1", 120)]),
    ("base-b", &[("libc", 600), ("crypto", 340), ("z-2", 120)]),
    ("python-a", &[("python", 900), ("json", 48), ("http", 48)]),
    ("python-b", &[("python", 900), ("json", 48), ("http", 48)]),
    ("web", &[("server", 180)]),
    ("worker", &[("worker", 140)]),
    ("report", &[("report", 100), ("zero", 160)]),
];

/// Containers and their layers, from top to bottom.
const CONTAINERS: [(&str, &[&str]); 3] = [
    ("web", &["web", "python-a", "base-a"]),
    ("worker", &["worker", "python-b", "base-b"]),
    ("report", &["report", "base-a"]),
];

/// What is recorded: all is read, and a library is patched, which copies it up.
const TRAFFIC: &str = "
for container in web worker report; do
    find run/$container -xdev -type f | while read -r file; do cat $file >/dev/null; done
done
printf patched | dd of=run/report/crypto conv=notrunc 2>/dev/null
sync run/report/crypto
cat run/report/crypto >/dev/null
sleep 1
";

/// What the traffic writes over the beginning of the library.
const PATCH: &[u8] = b"patched";

/// The baseline that is committed.
const BASELINE: &str = include_str!("baseline/record.json");

/// The stage, unmounted when dropped.
struct Stage(TempDir);

impl Drop for Stage {
    fn drop(&mut self) {
        for (name, _) in CONTAINERS {
            // What could not be mounted cannot be unmounted.
            let _ = unmount(self.0.path().join("run").join(name), UnmountFlags::DETACH);
        }
    }
}

impl Stage {
    /// Everything mounted, nothing of it cached; `None` where overlays cannot be had.
    fn new() -> Option<Self> {
        let parent = match env::var_os("SHARESTAT_GUEST") {
            Some(_) => env::temp_dir(),
            None => env!("CARGO_TARGET_TMPDIR").into(),
        };
        let stage = Self(tempfile::tempdir_in(parent).expect("a directory"));
        let place = stage.0.path();
        for (layer, files) in LAYERS {
            let layer = place.join("layers").join(layer);
            fs::create_dir_all(&layer).expect("a directory");
            for (name, kib) in files {
                forgotten(&layer.join(name), &content(name, *kib));
            }
        }
        for (name, layers) in CONTAINERS {
            let part = |part: &str| place.join(part).join(name);
            for folder in ["run", "upper", "work"] {
                fs::create_dir_all(part(folder)).expect("a directory");
            }
            let lowers = layers.iter().map(|layer| place.join("layers").join(layer));
            let lowers: Vec<String> = lowers.map(|path| path.display().to_string()).collect();
            let options = format!(
                "lowerdir={},upperdir={},workdir={}\0",
                lowers.join(":"),
                part("upper").display(),
                part("work").display()
            );
            let options = std::ffi::CString::from_vec_with_nul(options.into_bytes());
            let options = options.expect("one zero, at the end");
            let flags = MountFlags::empty();
            if let Err(error) = mount("overlay", part("run"), "overlay", flags, &*options) {
                return not_here(&format!("cannot mount an overlay: {error}"));
            }
        }
        Some(stage)
    }
}

/// Nothing, and why; a guest has everything.
fn not_here<T>(why: &str) -> Option<T> {
    assert!(env::var_os("SHARESTAT_GUEST").is_none(), "{why}");
    skip::skipped(why);
    None
}

/// Pages that follow from the name, the same everywhere.
fn content(name: &str, kib: u32) -> Vec<u8> {
    let seed = name
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    let words = (0..kib * 256).map(|word| match name {
        "zero" => 0,
        _ => (seed ^ word).wrapping_mul(2_654_435_761),
    });
    words.flat_map(u32::to_le_bytes).collect()
}

/// Written to disk and out of the page cache.
fn forgotten(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("written");
    let file = fs::File::open(path).expect("it is there");
    file.sync_all().expect("synced");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("it may go");
}

fn sharestat(arguments: &[&str], place: &Path) -> Output {
    let program = env::var_os("SHARESTAT_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_sharestat").into(), PathBuf::from);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place);
    command.output().expect("it starts")
}

/// A report without what differs from machine to machine: names, paths, and the lists that
/// no rule of ours asks for.
fn baseline(report: &[u8]) -> Value {
    let mut report: Value = serde_json::from_slice(report).expect("a report");
    let fields = report.as_object_mut().expect("an object");
    for (name, value) in fields {
        if !["scopes", "mechanisms"].contains(&name.as_str())
            && let Value::Array(list) = value
        {
            list.clear();
        }
    }
    report["host"]["name"] = json!("any");
    report["measurement"]["notes"] = json!([]);
    report
}

#[test]
fn the_baseline_is_what_the_files_of_the_scenario_add_up_to() {
    let files = LAYERS.iter().flat_map(|(_, files)| *files);
    let mut files: Vec<Vec<u8>> = files.map(|(name, kib)| content(name, *kib)).collect();
    let mut library = content("crypto", 340);
    library[..PATCH.len()].copy_from_slice(PATCH);
    files.push(library);
    let mut copies: HashMap<&[u8], u64> = HashMap::new();
    for page in files.iter().flat_map(|file| file.chunks(4096)) {
        *copies.entry(page).or_default() += 1;
    }
    let resident: u64 = copies.values().sum();
    let zero = copies[&[0_u8; 4096][..]];
    let baseline: Value = serde_json::from_str(BASELINE).expect("JSON");
    for (name, pages) in [
        ("resident_bytes", resident),
        ("distinct_bytes", copies.len() as u64),
        ("duplicate_bytes", resident - copies.len() as u64),
        ("zero_bytes", zero),
    ] {
        assert_eq!(baseline["totals"][name], pages * 4096, "{name}");
    }
}

#[test]
fn the_recorded_scenario_is_what_the_baseline_says() {
    if !rustix::process::geteuid().is_root() || !sharestat::kernel::object::is_embedded() {
        let _: Option<()> = not_here("needs root and a build with BPF programs");
        return;
    }
    let Some(stage) = Stage::new() else { return };
    let place = stage.0.path();
    // Not the recording itself, which is written meanwhile.
    let start = ["record", "-q", "-o", "run.ssr", "--cpu-budget", "100"];
    let paths = ["--path", "layers", "--path", "upper", "--path", "run"];
    let command = ["--", "sh", "-euc", TRAFFIC];
    let recorded = sharestat(&[&start[..], &paths, &command].concat(), place);
    assert!(recorded.status.success(), "{recorded:?}");
    if let Some(file) = env::var_os("SHARESTAT_NEW_BASELINE") {
        let output = sharestat(&["report", "run.ssr", "--format", "json"], place);
        let baseline = format!("{:#}\n", baseline(&output.stdout));
        fs::write(file, baseline).expect("written");
        return;
    }
    fs::write(place.join("record.json"), BASELINE).expect("written");
    fs::write(
        place.join("sharestat.toml"),
        include_str!("baseline/sharestat.toml"),
    )
    .expect("written");
    let check = |arguments: &[&str]| {
        let output = sharestat(&[&["check"], arguments].concat(), place);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{said}");
        (output.status.code(), said)
    };
    let (code, said) = check(&["--strict", "run.ssr"]);
    assert_eq!(code, Some(0), "{said}");
    // Rules limit growth: the other way round they limit what got lost.
    let (code, said) = check(&["run.ssr", "record.json"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(&["--rule", "duplicate,percent=0,max_bytes=1MiB", "run.ssr"]);
    assert_eq!(code, Some(1), "nothing could fail: {said}");
}
