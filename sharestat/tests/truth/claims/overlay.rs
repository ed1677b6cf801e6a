//! Pages of an overlay belong to its layers, once, however many mounts show them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    calm,
    corpus::{self, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, Skip, per_engine},
    mount::Mount,
    scratch::Scratch,
};

per_engine!(
    one_lower_layer_in_two_mounts_counts_once,
    two_layers_with_equal_files_are_duplicates,
    a_copied_up_file_is_a_duplicate,
    layers_on_xfs_are_copied_up_by_reflink
);

/// Two layers and room for uppers on one filesystem.
struct Stage {
    // Dropped first, before the filesystem below them.
    mounts: Vec<Mount>,
    base: Filesystem,
    scratch: Scratch,
}

impl Stage {
    fn new(kind: Kind, layers: &[(&str, &[PlannedFile])]) -> Result<Self, Skip> {
        let scratch = Scratch::new();
        let mut base = Filesystem::empty(kind, &scratch, "base")?;
        for (name, files) in layers {
            corpus::write_all(files, &scratch.directory(&format!("base/{name}")));
        }
        base.remount()?;
        Ok(Self {
            mounts: Vec::new(),
            base,
            scratch,
        })
    }

    fn layer(&self, name: &str) -> PathBuf {
        self.base.root().join(name)
    }

    /// Mounts a container: its own upper on these layers.
    fn container(&mut self, name: &str, lowers: &[&str]) -> Result<PathBuf, Skip> {
        let target = self.scratch.file(name);
        let lowers: Vec<_> = lowers.iter().map(|layer| self.layer(layer)).collect();
        let lowers: Vec<&Path> = lowers.iter().map(PathBuf::as_path).collect();
        let upper = self.layer(&format!("{name}.upper"));
        let work = self.layer(&format!("{name}.work"));
        self.mounts
            .push(Mount::overlay(&target, &lowers, &upper, &work)?);
        Ok(target)
    }
}

fn files() -> Vec<PlannedFile> {
    vec![
        PlannedFile::counting("program", 1, 200),
        PlannedFile::counting("etc/settings", 300, 20).cut(19 * 4096 + 17),
    ]
}

fn one_lower_layer_in_two_mounts_counts_once(engine: Engine) -> Outcome {
    let plan = files();
    let mut stage = Stage::new(Kind::Ext4, &[("lower", &plan)])?;
    let (one, two) = (
        stage.container("one", &["lower"])?,
        stage.container("two", &["lower"])?,
    );
    let lower = stage.layer("lower");
    // Both mounts and the layer itself lie below the scratch directory.
    calm::scan_agrees(
        engine,
        &stage.scratch.path(),
        || {
            corpus::read_all(&plan, &one);
            corpus::read_all(&plan, &two);
        },
        || {
            let files = Observed::all(&plan, &lower).into_iter();
            let shown = files.map(|file| file.or_below(&one).or_below(&two));
            Expected::of(&shown.collect::<Vec<_>>())
        },
        |expected| (expected.resident, expected.duplicate) == (220, 0),
    );
    Ok(())
}

fn two_layers_with_equal_files_are_duplicates(engine: Engine) -> Outcome {
    let plan = files();
    let mut stage = Stage::new(Kind::Ext4, &[("first", &plan), ("second", &plan)])?;
    let containers = [
        (stage.container("one", &["first"])?, stage.layer("first")),
        (stage.container("two", &["second"])?, stage.layer("second")),
    ];
    calm::scan_agrees(
        engine,
        &stage.scratch.path(),
        || {
            for (container, _) in &containers {
                corpus::read_all(&plan, container);
            }
        },
        || {
            let mut shown = Vec::new();
            for (container, layer) in &containers {
                let files = Observed::all(&plan, layer).into_iter();
                shown.extend(files.map(|file| file.or_below(container)));
            }
            Expected::of(&shown)
        },
        |expected| (expected.distinct, expected.duplicate) == (220, 220),
    );
    Ok(())
}

fn a_copied_up_file_is_a_duplicate(engine: Engine) -> Outcome {
    copied_up(Kind::Ext4, engine)
}

/// There copy-up shares the blocks on storage; the page cache is not shared.
fn layers_on_xfs_are_copied_up_by_reflink(engine: Engine) -> Outcome {
    copied_up(Kind::Xfs, engine)
}

fn copied_up(kind: Kind, engine: Engine) -> Outcome {
    let plan = files();
    let mut stage = Stage::new(kind, &[("lower", &plan)])?;
    let (one, two) = (
        stage.container("one", &["lower"])?,
        stage.container("two", &["lower"])?,
    );
    corpus::read_all(&plan, &one);
    fs::set_permissions(one.join("program"), fs::Permissions::from_mode(0o711))
        .or_fail("chmod in a container");
    corpus::sync(stage.base.root());
    let (lower, upper) = (stage.layer("lower"), stage.layer("one.upper"));
    calm::scan_agrees(
        engine,
        &stage.scratch.path(),
        || {
            corpus::read_all(&plan, &one);
            corpus::read_all(&plan, &two);
        },
        || {
            let files = Observed::all(&plan, &lower).into_iter();
            let files = files.map(|file| file.or_below(&one).or_below(&two));
            let mut shown: Vec<_> = files.collect();
            shown.push(Observed::now(&plan[0], &upper).or_below(&one));
            Expected::of(&shown)
        },
        |expected| (expected.distinct, expected.duplicate) == (220, 200),
    );
    Ok(())
}
