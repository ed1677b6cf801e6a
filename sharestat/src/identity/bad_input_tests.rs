//! Hosts as they should not be, and are: too many mounts, names of any bytes and of any
//! length, stores that go while they are read, namespaces that let nobody in.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    escape::{path_of, printable},
    mounts::MountTable,
    scope::Scope,
    test_machine::{DISK, Machine},
};
use crate::{fuzzing::cpu_time, model::inode::Dev};

/// CPU time that is enough for a debug build, and too short for anything that takes the
/// square of the mounts or of the files.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_hundred_thousand_mounts_are_read_and_asked() {
    let mut machine = Machine::new();
    machine.directory("low");
    let low = machine.at("low");
    let mut lines = String::new();
    for number in 0..100_000 {
        let (id, minor) = (number + 2, number + 100);
        let made = if number % 100 == 0 {
            writeln!(
                lines,
                "{id} 1 0:{minor} / /run/{number} rw - overlay o rw,lowerdir={}",
                low.display()
            )
        } else {
            writeln!(lines, "{id} 1 0:{minor} / /run/{number} rw - tmpfs t rw")
        };
        made.expect("memory takes everything");
    }
    machine.mount(&lines);
    let began = cpu_time();
    let index = machine.index();
    assert_eq!(index.layers().layers.len(), 1);
    assert!(index.resolve(DISK, &machine.path("low/x")).is_some());
    let table = MountTable::parse(machine.mounts.as_bytes()).expect("a table");
    for number in 0..100_000 {
        let found = table.display_path(Dev::new(0, number + 100), b"/f");
        let (_, path) = found.expect("every one is mounted");
        assert!(path.ends_with(format!("{number}/f")), "{path:?}");
    }
    let scope = Scope::everything(&table);
    // The root filesystem and the mounts that are no overlay, which has no pages.
    assert_eq!(scope.roots.len(), 1 + 99_000);
    assert!(scope.complete, "{:?}", scope.notes);
    let inside = (0..100_000).filter(|number| scope.contains(Dev::new(0, number + 100), b"/f"));
    assert_eq!(inside.count(), 99_000);
    let took = cpu_time().saturating_sub(began);
    assert!(took < PATIENCE, "{took:?}");
}

#[test]
fn layers_may_have_names_of_any_bytes_and_4_000_bytes_of_depth() {
    let machine = Machine::new();
    let odd = machine
        .at("")
        .join(OsStr::from_bytes(b"new\nline \xff\xc3 :,\\"));
    let mut deep = machine.at("deep");
    while deep.as_os_str().len() < 4000 {
        deep.push("d".repeat(200.min(4000 - deep.as_os_str().len())));
    }
    for directory in [&odd, &deep] {
        fs::create_dir_all(directory).expect("a directory");
        let line = [
            b"2 1 0:50 / /m rw - overlay o rw,lowerdir+=",
            escaped(directory.as_os_str().as_bytes()).as_slice(),
            b"\n",
        ]
        .concat();
        let table = MountTable::parse(&line).expect("a mount");
        let named = super::overlay::named_layers(&table.mounts()[0].super_options);
        assert_eq!(named, std::slice::from_ref(directory));
        machine.file(
            "proc/self/mountinfo",
            [machine.mounts.as_bytes(), &line].concat(),
        );
        let (index, warnings) = machine.read_as_it_is();
        assert_eq!(warnings, []);
        let inside = [directory.as_os_str().as_bytes(), b"/x\n"].concat();
        let layer = index.resolve(DISK, &inside).expect("it is a layer");
        let label = index.layers().layer_label(layer);
        assert_eq!(label, printable(directory));
        assert!(!label.contains('\n'), "{label:?}");
    }
}

/// mountinfo has a page for the options of a mount on some kernels, and a reader that is
/// interrupted may have less: the layer whose name is cut is named, the others are known.
#[test]
fn options_that_are_cut_off_cost_one_layer_and_are_named() {
    for (kept, missing) in [
        ("lowerdir={top}one:{top}two:{top}thr", "thr"),
        (
            "lowerdir+={top}one,lowerdir+={top}two,lowerdir+={top}th",
            "th",
        ),
    ] {
        let mut machine = Machine::new();
        for name in ["one", "two", "three"] {
            machine.directory(name);
        }
        let top = machine.at("");
        let options = kept.replace("{top}", &top.display().to_string());
        machine.mount(&format!("2 1 0:50 / /m ro - overlay o ro,{options}\n"));
        let (index, warnings) = machine.read();
        assert_eq!(index.layers().layers.len(), 2, "{options}");
        for (name, known) in [("one/x", true), ("two/x", true), ("three/x", false)] {
            let found = index.resolve(DISK, &machine.path(name));
            assert_eq!(found.is_some(), known, "{name} in {options}");
        }
        let cut = format!("{}{missing}'", top.display());
        let said = warnings
            .iter()
            .any(|warning| warning.what.contains(&cut) && warning.remedy.contains("cut off"));
        assert!(said, "{warnings:?}");
    }
}

/// As the kernel escapes an option (`seq_escape(m, …, ", \t\n\\")`, fs/overlayfs/params.c).
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in path {
        if b", \t\n\\".contains(byte) {
            text.extend(format!("\\{byte:03o}").bytes());
        } else {
            text.push(*byte);
        }
    }
    text
}

#[test]
fn a_store_may_vanish_and_come_back_while_it_is_read() {
    let mut machine = Machine::new();
    machine.docker();
    machine.containerd();
    let ended = AtomicBool::new(false);
    let (mut whole, mut cut) = (0, 0);
    thread::scope(|threads| {
        threads.spawn(|| {
            let pairs = ["docker", "cd"]
                .map(|name| (machine.at(name), machine.at(&format!("{name}.gone"))));
            while !ended.load(Ordering::Relaxed) {
                for (here, gone) in &pairs {
                    fs::rename(here, gone).expect("it is there");
                    fs::rename(gone, here).expect("it is there");
                }
            }
        });
        for _ in 0..200 {
            let (index, warnings) = machine.read();
            let layers = index.layers();
            // Whatever was found hangs together, and what was not is said, or never seen.
            for image in &layers.images {
                assert!(
                    image
                        .layers
                        .iter()
                        .all(|id| layers.layers.get(id.0 as usize).is_some())
                );
            }
            for layer in (0..).zip(&layers.layers) {
                let _ = layers.layer_label(crate::model::layers::LayerId(layer.0));
            }
            if layers.layers.len() == 8 && warnings.is_empty() {
                whole += 1;
            } else {
                cut += 1;
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(
        cut > 0,
        "the store never went while it was read ({whole} times whole)"
    );
    assert_eq!(machine.index().layers().layers.len(), 8);
}

#[test]
fn layers_behind_a_root_that_lets_nobody_in_are_named() {
    let machine = Machine::new();
    machine.directory("proc/7/ns");
    symlink("mnt:[2]", machine.at("proc/7/ns/mnt")).expect("a link");
    // As the root of a process that ended, or of another user's.
    symlink("/no/such/root", machine.at("proc/7/root")).expect("a link");
    machine.file(
        "proc/7/mountinfo",
        "5 1 8:9 / / rw - ext4 a rw\n9 5 0:50 / /m ro - overlay o ro,lowerdir=/data/low:/data/more\n",
    );
    let (index, warnings) = machine.read();
    assert_eq!(index.layers().layers.len(), 0);
    let named = |text: &str| warnings.iter().any(|warning| warning.what.contains(text));
    assert!(named("/data/low") || named("2 layers"), "{warnings:?}");
    assert_eq!(index.resolve(Dev::new(8, 9), b"/data/low/x"), None);
    let shown = printable(path_of(b"/data/low"));
    assert_eq!(shown, "/data/low");
}
