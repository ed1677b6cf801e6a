//! Images as people have them: root filesystems of two releases of an interpreter and
//! of a large library, stored by Podman. Names and layers are what Podman says, the
//! savings what comparing the bytes gives. `--nocapture` shows the table of
//! docs/validation.md.

mod podman;
mod recount;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::Value;

use self::{
    podman::{Container, Image, Podman, root_filesystems},
    recount::{Layers, Recount, files_below},
};
use crate::{
    binary,
    corpus::{self, PAGE},
    filesystems::{Filesystem, Kind},
    harness::{self, Engine, OrFail as _, Outcome, in_guest, per_engine},
    report::Report,
    residency,
    rows::whole,
    scratch::Scratch,
};

per_engine!(what_podman_stores_has_its_names_and_saves_what_its_bytes_say);

const TRIES: usize = 6;
/// Folders of a root filesystem, each a layer.
const PARTS: [&str; 2] = ["python", "library"];

fn what_podman_stores_has_its_names_and_saves_what_its_bytes_say(engine: Engine) -> Outcome {
    if in_guest() {
        harness::not_here("guests have no Podman");
        return Ok(());
    }
    let begun = Instant::now();
    let contents = root_filesystems()?;
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "store")?;
    let store = Podman::new(filesystem.root())?;
    let mut mounts = Vec::new();
    for number in ["1", "2"] {
        let image = format!("localhost/numbers:{number}");
        store.build(&image, &contents.join(number), &PARTS);
        mounts.push(store.mount(&format!("numbers-{number}"), &image));
    }
    let images = store.images();
    let containers = store.containers();
    let mut layers: BTreeMap<PathBuf, BTreeSet<usize>> = BTreeMap::new();
    for (number, image) in images.iter().enumerate() {
        assert_eq!(
            image.layers.len(),
            PARTS.len(),
            "layers of '{}'",
            image.name
        );
        for layer in &image.layers {
            layers.entry(layer.clone()).or_default().insert(number);
        }
    }
    corpus::sync(filesystem.root());
    for file in layers.keys().flat_map(|layer| files_below(layer)) {
        residency::forget(&file);
    }
    let layers = Layers::find(&layers);
    let report = scanned(engine, &mounts, &layers, &[]);
    let recount = layers.count();
    assert_is(&report, &recount);
    assert_named(&report, &recount, &images, &containers);
    assert_eq!(report.confidence("erofs"), "probable");
    let verified = scanned(engine, &mounts, &layers, &["--verify-files"]);
    assert_is(&verified, &recount);
    assert_eq!(verified.confidence("erofs"), "verified");
    print(&report, &contents, engine, begun);
    Ok(())
}

/// A scan of the mounts, after all files were read through them, and while the cache stood
/// still.
#[track_caller]
fn scanned(engine: Engine, mounts: &[PathBuf], layers: &Layers, more: &[&str]) -> Report {
    let all = |cached: &[Vec<bool>]| cached.iter().flatten().all(|is| *is);
    for _ in 0..TRIES {
        for file in mounts.iter().flat_map(|mount| files_below(mount)) {
            fs::read(&file).or_fail(format_args!("reading '{}'", file.display()));
        }
        let mut command = binary::whole_machine_command(engine);
        for mount in mounts {
            command.arg("--path").arg(mount);
        }
        command.args(more);
        let stood = all(&layers.cached());
        let report = binary::finish(command).report();
        if stood && all(&layers.cached()) {
            assert!(report.complete(), "{}", report.summary());
            return report;
        }
    }
    panic!("in {TRIES} tries the cache never stood still")
}

/// Fails with all numbers that differ.
#[track_caller]
fn assert_is(report: &Report, recount: &Recount) {
    let bytes = |pages: usize| (pages * PAGE) as u64;
    let total = |name: &str| report.number(&format!("/totals/{name}_bytes"));
    let duplicate = recount.resident - recount.distinct;
    let mut numbers = vec![
        ("resident".to_owned(), total("resident"), recount.resident),
        ("eligible".to_owned(), total("eligible"), recount.resident),
        ("distinct".to_owned(), total("distinct"), recount.distinct),
        ("duplicate".to_owned(), total("duplicate"), duplicate),
        ("zero".to_owned(), total("zero"), recount.zero),
    ];
    for (name, pages) in &recount.scopes {
        numbers.push((format!("scope {name}"), report.scope(name), *pages));
    }
    for (name, pages) in &recount.savings {
        numbers.push((format!("mechanism {name}"), report.saving(name), *pages));
    }
    let wrong = numbers
        .iter()
        .filter(|(_, shown, pages)| *shown != bytes(*pages));
    let wrong: Vec<String> = wrong
        .map(|(name, shown, pages)| format!("{name}: reported {shown}, counted {}", bytes(*pages)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.join("\n"),
        report.summary()
    );
    // Nothing that cannot be the case: no other scope has anything.
    let scopes = report.list("scopes").iter().filter(|scope| {
        let name = scope["name"].as_str().unwrap_or_default();
        whole(scope, "duplicate_bytes") > 0 && !recount.scopes.contains_key(name)
    });
    let others: Vec<&Value> = scopes.collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(
        recount.scopes["cross-layer"] > 0,
        "the images have nothing in common"
    );
}

/// Images, containers and layers are those that Podman lists, with its names and ids.
#[track_caller]
fn assert_named(report: &Report, recount: &Recount, images: &[Image], containers: &[Container]) {
    assert_eq!(report.number("/identity/unresolved_bytes"), 0);
    let rows = |list: &str| report.list(list);
    assert_eq!(rows("images").len(), images.len(), "{:?}", rows("images"));
    for (image, held) in images.iter().zip(&recount.images) {
        let row = row_of(rows("images"), &image.id);
        assert_eq!(row["name"], image.name.as_str(), "{row}");
        assert_eq!(row["runtime"], "podman", "{row}");
        let ids: Vec<String> = image.layers.iter().map(|layer| id_of(layer)).collect();
        assert_eq!(row["layers"], Value::from(ids), "{row}");
        for (name, pages) in [
            ("resident_bytes", held.resident),
            ("duplicate_bytes", held.duplicate),
            ("exclusive_bytes", held.exclusive),
        ] {
            assert_eq!(whole(row, name), (pages * PAGE) as u64, "{name} of {row}");
        }
        for (place, layer) in (1..).zip(&image.layers) {
            let row = row_of(rows("layers"), &id_of(layer));
            let name = format!("{} [{place}/{}]", image.name, image.layers.len());
            assert_eq!(row["name"], name.as_str(), "{row}");
            assert_eq!(
                row["images"],
                Value::from(vec![image.name.clone()]),
                "{row}"
            );
            let directory = Path::new(row["directory"].as_str().unwrap_or_default());
            assert_eq!(
                fs::canonicalize(directory).ok(),
                fs::canonicalize(layer).ok(),
                "{row}"
            );
        }
    }
    let listed = rows("containers");
    assert_eq!(listed.len(), containers.len(), "{listed:?}");
    for container in containers {
        let row = row_of(listed, &container.id);
        assert_eq!(row["name"], container.name.as_str(), "{row}");
        let image = Value::from(vec![container.image.clone()]);
        assert_eq!(row["images"], image, "{row}");
    }
    let pairs = report.list("layer_pairs").iter();
    let pairs: u64 = pairs.map(|pair| whole(pair, "duplicate_bytes")).sum();
    assert_eq!(pairs, report.scope("cross-layer"), "pairs of layers");
}

#[track_caller]
fn row_of<'r>(rows: &'r [Value], id: &str) -> &'r Value {
    let mut found = rows.iter().filter(|row| row["id"] == id);
    found
        .next()
        .unwrap_or_else(|| panic!("no '{id}' in {rows:?}"))
}

/// The id of a layer, after which its directory is named.
fn id_of(layer: &Path) -> String {
    let name = layer.parent().and_then(Path::file_name);
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// The table of docs/validation.md, and what it is about.
fn print(report: &Report, contents: &Path, engine: Engine, begun: Instant) {
    for number in ["1", "2"] {
        let named = fs::read_to_string(contents.join(number).join("contents"));
        let named = named.or_fail("reading what an image is made of");
        println!("numbers:{number}: {}", named.replace('\n', ", "));
    }
    let resident = report.number("/totals/resident_bytes");
    let total = |name: &str| report.number(&format!("/totals/{name}_bytes"));
    println!("\n| | bytes | of what is resident |\n|---|--:|--:|");
    println!("| resident | {resident} | |");
    let row = |name: &str, bytes: u64| {
        let tenths = (bytes * 1000 + resident / 2) / resident.max(1);
        println!("| {name} | {bytes} | {}.{} % |", tenths / 10, tenths % 10);
    };
    row("duplicate", total("duplicate"));
    for scope in ["cross-layer", "image", "layer", "self", "zero"] {
        row(&format!("… in scope `{scope}`"), report.scope(scope));
    }
    for mechanism in ["content", "offset", "erofs", "composefs", "layer"] {
        row(
            &format!("`{mechanism}` would save"),
            report.saving(mechanism),
        );
    }
    harness::say(&format!(
        "'erofs' would save {:.1} % of {resident} bytes ({:.1} s with engine {})",
        100.0 * share(report.saving("erofs"), resident),
        begun.elapsed().as_secs_f64(),
        engine.name()
    ));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share is shown with one decimal"
)]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
