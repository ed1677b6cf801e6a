//! Which BPF programs, maps, links and pins exist, and who holds them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use aya::{
    maps::loaded_maps,
    programs::{loaded_links, loaded_programs},
};

use crate::harness::OrFail;

/// Kind and id, such as `("prog", 12)`, as `/proc/PID/fdinfo` names them.
pub(crate) type Object = (&'static str, u32);

/// Everything the kernel has loaded now.
pub(crate) fn loaded() -> BTreeSet<Object> {
    // An object that vanishes during the walk is not there: its error says so.
    let programs = loaded_programs()
        .filter_map(Result::ok)
        .map(|info| ("prog", info.id()));
    let maps = loaded_maps()
        .filter_map(Result::ok)
        .map(|info| ("map", info.id()));
    let links = loaded_links()
        .filter_map(Result::ok)
        .map(|info| ("link", info.id()));
    programs.chain(maps).chain(links).collect()
}

/// What the descriptors of a process hold; empty when it is gone.
pub(crate) fn held_by(process: &str) -> BTreeSet<Object> {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/fdinfo")) else {
        return BTreeSet::new();
    };
    let texts = entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.flat_map(|text| objects_in(&text)).collect()
}

/// What any process holds.
pub(crate) fn held_by_anyone() -> BTreeSet<Object> {
    let processes = fs::read_dir("/proc").or_fail("listing '/proc'");
    processes
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .flat_map(|process| held_by(&process))
        .collect()
}

/// All files of the BPF filesystem; empty where it is not mounted.
pub(crate) fn pins() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    collect(Path::new("/sys/fs/bpf"), &mut found);
    found
}

fn collect(directory: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        }
        found.insert(path);
    }
}

fn objects_in(fdinfo: &str) -> Vec<Object> {
    let object = |line: &str| {
        let (name, id) = line.split_once(':')?;
        let kind = match name {
            "prog_id" => "prog",
            "map_id" => "map",
            "link_id" => "link",
            _ => return None,
        };
        Some((kind, id.trim().parse().ok()?))
    };
    fdinfo.lines().filter_map(object).collect()
}
