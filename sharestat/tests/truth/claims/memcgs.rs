//! Page cache is charged to the memory cgroup that brought it in, as the kernel counts it
//! (`file` of `memory.stat`, `cache` in cgroup v1), and no byte is lost when a cgroup goes.

use std::{
    fs,
    io::Read as _,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{Advice, fadvise};
use serde_json::Value;

use crate::{
    binary,
    corpus::{PAGE, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, Skip, bpf_only, in_guest, not_here, patience},
    live_top::LiveTop,
    memcg::Memcg,
    mount::Mount,
    report::Report,
    residency,
    scratch::Scratch,
};

bpf_only!(
    a_cgroup_is_charged_what_it_read,
    a_file_read_by_two_is_charged_to_both,
    what_a_live_view_saw_charged_has_a_name_when_the_cgroup_is_gone
);

/// The user engine asks the cgroup of a container itself.
mod containers {
    use crate::harness::per_engine;

    per_engine!(a_container_has_what_its_cgroup_counts);
    use super::a_container_has_what_its_cgroup_counts;
}

const PAGES: u64 = 500;

/// A filesystem with one file of which nothing is cached.
fn stage(scratch: &Scratch) -> Result<(Filesystem, PlannedFile), Skip> {
    let plan = PlannedFile::counting("file", 1, PAGES);
    let filesystem =
        Filesystem::with_files(Kind::Ext4, scratch, "files", std::slice::from_ref(&plan))?;
    let path = filesystem.root().join("file");
    residency::forget(&path);
    assert!(residency::cached_pages(&path).iter().all(|&is| !is));
    Ok((filesystem, plan))
}

fn cached(filesystem: &Filesystem) -> u64 {
    let pages = residency::cached_pages(&filesystem.root().join("file"));
    pages.iter().filter(|&&is| is).count() as u64 * PAGE as u64
}

/// The row of a cgroup, when there is one.
fn row<'r>(report: &'r Report, name: &str) -> Option<&'r Value> {
    let mut rows = report.list("memcgs").iter();
    rows.find(|row| row["name"] == name)
}

fn resident(report: &Report, name: &str) -> u64 {
    row(report, name).map_or(0, bytes)
}

#[track_caller]
fn bytes(row: &Value) -> u64 {
    let bytes = row["resident_bytes"].as_u64();
    bytes.unwrap_or_else(|| panic!("no whole number of bytes in {row}"))
}

/// Every page is charged to one cgroup.
#[track_caller]
fn assert_rows_add_up(report: &Report) {
    let rows = report.list("memcgs").iter();
    let sum: u64 = rows.map(bytes).sum();
    assert_eq!(sum, report.number("/totals/resident_bytes"), "{report:?}");
}

/// Looks until nothing moved meanwhile: a kernel may take pages of its own accord.
#[track_caller]
fn assert_soon(what: &str, mut holds: impl FnMut() -> Result<(), String>) {
    let start = Instant::now();
    loop {
        let Err(why) = holds() else { return };
        assert!(start.elapsed() < patience(), "{what}: {why}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn a_cgroup_is_charged_what_it_read(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let (filesystem, plan) = stage(&scratch)?;
    let group = Memcg::new("sharestat-charged")?;
    group.reclaim();
    group.charge(|| plan.read(filesystem.root()));
    assert!(cached(&filesystem) > 0, "the stage is not set");
    assert_soon("a file's charge", || {
        let before = cached(&filesystem);
        let report = binary::scan(engine, filesystem.root());
        assert_rows_add_up(&report);
        let charged = resident(&report, &group.path());
        let counted = group.file_bytes();
        // The kernel also counts what the filesystem read of its own structures.
        let plausible = counted >= charged && counted - charged < 1 << 20;
        let calm = before == charged && cached(&filesystem) == charged;
        (calm && plausible).then_some(()).ok_or_else(|| {
            format!("charged {charged}, the kernel counts {counted}, cached were {before}")
        })
    });
    if !in_guest() {
        // A large page cache, and others who work: it takes long and never stands still.
        not_here("all of a machine is compared in guests only");
        return Ok(());
    }
    assert_soon("all that a cgroup is charged", || {
        let before = group.file_bytes();
        let report = binary::finish(binary::whole_machine_command(engine)).report();
        assert_rows_add_up(&report);
        let charged = resident(&report, &group.path());
        let equal = before == charged && group.file_bytes() == charged;
        equal
            .then_some(())
            .ok_or_else(|| format!("charged {charged}, the kernel counts {before}"))
    });
    Ok(())
}

fn a_file_read_by_two_is_charged_to_both(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let (filesystem, plan) = stage(&scratch)?;
    let (one, other) = (Memcg::new("sharestat-one")?, Memcg::new("sharestat-other")?);
    let path = filesystem.root().join("file");
    one.charge(|| {
        let mut half = vec![0; plan.pages.len() / 2 * PAGE];
        let mut file = fs::File::open(&path).or_fail("opening a file");
        // Without reading ahead.
        fadvise(&file, 0, None, Advice::Random).or_fail("advising");
        file.read_exact(&mut half).or_fail("reading half of a file");
    });
    let of_one = cached(&filesystem);
    other.charge(|| plan.read(filesystem.root()));
    let both = cached(&filesystem);
    assert!(
        of_one > 0 && both > of_one,
        "the stage is not set: {of_one} of {both} bytes"
    );
    assert_soon("the charges of one file", || {
        let report = binary::scan(engine, filesystem.root());
        assert_rows_add_up(&report);
        let charged = [&one, &other].map(|group| resident(&report, &group.path()));
        let sum = charged[0] + charged[1];
        let plausible = charged[0] <= of_one && charged[1] <= both - of_one;
        let most = sum * 10 >= both * 9 && charged.iter().all(|&bytes| bytes * 10 >= both * 4);
        (plausible && most && sum == cached(&filesystem))
            .then_some(())
            .ok_or_else(|| format!("charged {charged:?}, read {of_one} and {}", both - of_one))
    });
    Ok(())
}

fn what_a_live_view_saw_charged_has_a_name_when_the_cgroup_is_gone(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let (filesystem, plan) = stage(&scratch)?;
    let top = LiveTop::start(filesystem.root(), &[]);
    let group = Memcg::new("sharestat-gone")?;
    let path = group.path();
    // Locked, because a kernel may take the pages of a cgroup that goes.
    let mut locked = None;
    group.charge(|| {
        plan.read(filesystem.root());
        locked = residency::map(&filesystem.root().join("file"));
        let map = locked.as_ref().map(memmap2::Mmap::lock);
        map.unwrap_or(Ok(())).or_fail("locking the pages of a file");
    });
    assert_eq!(cached(&filesystem), PAGES * PAGE as u64, "it is locked");
    let charged = |report: &Report| resident(report, &path) == cached(&filesystem);
    let start = Instant::now();
    let mut number = top.frames();
    while !charged(&top.frame_after(number)) {
        number += 1;
        assert!(
            start.elapsed() < patience(),
            "'top' does not show the charge: {:?}",
            top.frame_after(number).list("memcgs")
        );
    }
    drop(group);
    let mut inherited = 0;
    assert_soon("a live view, after the cgroup went", || {
        let report = top.frame_after(top.frames() + 1);
        assert_rows_add_up(&report);
        let shown = resident(&report, &path);
        // Linux 7.2 and later charge the pages to the parent when a cgroup goes; a census
        // that comes meanwhile finds some there, then all.
        inherited = resident(&report, "/");
        (shown + inherited == cached(&filesystem))
            .then_some(())
            .ok_or_else(|| format!("{shown} bytes, {inherited} inherited"))
    });
    top.interrupt();
    // Who comes later knows the bytes, and a number, or who inherited them (7.2 and later).
    let report = binary::scan(engine, filesystem.root());
    assert_rows_add_up(&report);
    let resident = report.number("/totals/resident_bytes");
    assert_eq!(resident, PAGES * PAGE as u64, "it is locked");
    let names = report.list("memcgs").iter();
    let names: Vec<_> = names
        .map(|row| row["name"].as_str().unwrap_or(""))
        .collect();
    let inherits = names.len() == 1 && names[0].starts_with('/');
    let is_gone = names.len() == 1 && names[0].starts_with("gone:") && inherited == 0;
    assert!(
        inherits || is_gone,
        "{names:?}, {inherited} bytes inherited"
    );
    drop(locked);
    Ok(())
}

/// A container of Podman's: a store with an image and a container, and the cgroup that
/// Podman would make for it.
fn a_container_has_what_its_cgroup_counts(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut filesystem = Filesystem::empty(Kind::Ext4, &scratch, "base")?;
    let plan = PlannedFile::counting("usr/bin/program", 1, PAGES);
    let [image, writable, container] = ["1", "2", "c"].map(|digit| digit.repeat(64));
    let store = filesystem.root().join("storage");
    let layer = |id: &str| store.join("overlay").join(id);
    for id in [&image, &writable] {
        fs::create_dir_all(layer(id).join("diff")).or_fail("making a layer");
    }
    plan.write(&layer(&image).join("diff"));
    for (name, text) in [
        (
            "overlay-layers/layers.json",
            format!(r#"[{{"id":"{image}"}},{{"id":"{writable}","parent":"{image}"}}]"#),
        ),
        (
            "overlay-images/images.json",
            format!(r#"[{{"id":"{image}","names":["localhost/app:1"],"layer":"{image}"}}]"#),
        ),
        (
            "overlay-containers/containers.json",
            format!(
                r#"[{{"id":"{container}","names":["web"],"image":"{image}","layer":"{writable}"}}]"#
            ),
        ),
    ] {
        let path = store.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&store)).or_fail("making the store");
        fs::write(path, text).or_fail("writing the store");
    }
    // Afterwards nothing of the layers is cached.
    filesystem.remount()?;
    let upper = layer(&writable);
    let mount = Mount::overlay(
        &upper.join("merged"),
        &[&layer(&image).join("diff")],
        &upper.join("diff"),
        &upper.join("work"),
    )?;
    let group = Memcg::new(&format!("libpod-{container}.scope"))?;
    group.reclaim();
    group.charge(|| plan.read(mount.target()));
    let file = layer(&image).join("diff/usr/bin/program");
    let held = || {
        let pages = residency::cached_pages(&file);
        pages.iter().filter(|&&is| is).count() as u64 * PAGE as u64
    };
    assert!(held() > 0, "the stage is not set");
    assert_soon("what a container is charged", || {
        let before = (held(), group.file_bytes());
        let report = binary::scan(engine, mount.target());
        let mut rows = report.list("containers").iter();
        let row = rows.find(|row| row["id"] == container.as_str());
        let row = row.unwrap_or_else(|| panic!("the container is not listed: {report:?}"));
        assert_eq!(row["name"], "web", "{row}");
        let number = |name: &str| row[name].as_u64().unwrap_or(0);
        let (resident, charged) = (number("resident_bytes"), number("charged_bytes"));
        let counted = group.file_bytes();
        // One engine counts the pages that it measured, the other asks the cgroup; the
        // kernel also charges what the filesystem read of its own structures.
        let plausible = match engine {
            Engine::Bpf => charged == resident && counted - charged.min(counted) < 1 << 20,
            Engine::User => charged == counted,
        };
        let calm = before == (held(), counted) && resident == held() && charged <= counted;
        (calm && plausible).then_some(()).ok_or_else(|| {
            format!("resident {resident}, charged {charged}, {before:?} before, the kernel counts {counted}")
        })
    });
    mount.unmount();
    Ok(())
}
