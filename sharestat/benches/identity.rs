//! How fast layers are found on a large host: 5,000 layers in one store of
//! containers/storage, 500 of them uppers of mounted overlays, 100,000 inodes. The files
//! are real, in a temporary directory; the mount table is made up.

use std::{
    fmt::Write as _,
    fs,
    hint::black_box,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use sharestat::{
    identity::{LayerIndex, layers::Sources, runtimes::StoreRoots},
    model::inode::Dev,
};

const LAYERS: usize = 5_000;
const CONTAINERS: usize = 500;
const INODES: usize = 100_000;
const DISK: Dev = Dev::new(8, 1);

fn main() -> std::io::Result<()> {
    let place = tempfile::tempdir()?;
    let top = place.path().canonicalize()?;
    let store = top.join("storage");
    write_store(&store)?;
    fs::create_dir_all(top.join("proc/self/ns"))?;
    symlink("mnt:[1]", top.join("proc/self/ns/mnt"))?;
    fs::write(top.join("proc/self/mountinfo"), mountinfo(&store))?;
    let sources = Sources {
        proc: &top.join("proc"),
        block: &top.join("block"),
        stores: StoreRoots {
            containers_storage: vec![store.clone()],
            ..StoreRoots::none()
        },
    };
    let begun = Instant::now();
    let (index, warnings) = LayerIndex::read(sources);
    let read = begun.elapsed();
    let paths: Vec<Vec<u8>> = (0..INODES).map(|number| path(&store, number)).collect();
    let begun = Instant::now();
    let found = paths
        .iter()
        .filter(|path| black_box(index.resolve(DISK, path)).is_some())
        .count();
    let resolved = begun.elapsed();
    let begun = Instant::now();
    let stale = index.is_stale();
    let asked = begun.elapsed();
    println!(
        "{:>9} layers, {} stacks, {} warnings",
        index.layers().layers.len(),
        index.layers().stacks.len(),
        warnings.len()
    );
    line("reading stores and mounts", read);
    line(&format!("resolving {found} of {INODES} inodes"), resolved);
    line(&format!("asking whether anything changed ({stale})"), asked);
    line("in all", read + resolved);
    Ok(())
}

fn line(what: &str, took: Duration) {
    println!("{:>9} ms  {what}", took.as_millis());
}

fn id(layer: usize) -> String {
    format!("{layer:064x}")
}

/// Images of ten layers each; the last layers are those of containers.
fn write_store(store: &Path) -> std::io::Result<()> {
    let (mut layers, mut images, mut containers) = (vec![], vec![], vec![]);
    for layer in 0..LAYERS {
        fs::create_dir_all(store.join("overlay").join(id(layer)).join("diff"))?;
        let parent = if layer % 10 == 0 {
            String::new()
        } else {
            id(layer - 1)
        };
        layers.push(format!(r#"{{"id":"{}","parent":"{parent}"}}"#, id(layer)));
        if layer >= LAYERS - CONTAINERS {
            containers.push(format!(
                r#"{{"id":"{0}","names":["c{layer}"],"layer":"{0}"}}"#,
                id(layer)
            ));
        } else if layer % 10 == 9 {
            images.push(format!(
                r#"{{"id":"{0}","names":["image:{layer}"],"layer":"{0}"}}"#,
                id(layer)
            ));
        }
    }
    for (name, rows) in [
        ("overlay-layers/layers.json", layers),
        ("overlay-images/images.json", images),
        ("overlay-containers/containers.json", containers),
    ] {
        let path = store.join(name);
        fs::create_dir_all(path.parent().unwrap_or(store))?;
        fs::write(path, format!("[{}]", rows.join(",")))?;
    }
    Ok(())
}

fn mountinfo(store: &Path) -> String {
    let mut text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n".to_owned();
    for number in 0..CONTAINERS {
        let directory = |layer| format!("{}/overlay/{}/diff", store.display(), id(layer));
        let image = number * 9 % (LAYERS - CONTAINERS) / 10 * 10;
        let lowers: Vec<String> = (image..image + 10).rev().map(directory).collect();
        let upper = directory(LAYERS - CONTAINERS + number);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} 1 0:{} / {}/merged/{number} rw - overlay overlay rw,lowerdir={},upperdir={upper}",
            number + 2,
            number + 100,
            store.display(),
            lowers.join(":"),
        );
    }
    text
}

fn path(store: &Path, number: usize) -> Vec<u8> {
    let layer = id(number * 7 % LAYERS);
    format!(
        "{}/overlay/{layer}/diff/usr/lib/python3/dist-packages/file{number}.py",
        store.display()
    )
    .into_bytes()
}
