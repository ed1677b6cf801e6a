//! Every parser over its corpus, which must hold something that it takes, and over damaged
//! copies. A test for each parser, so that the name of the failing one is known.

use std::{fs, path::PathBuf};

use super::{TARGETS, Target, memory, mutate, seeds};
use crate::derefs::random::SplitMix;

#[global_allocator]
static ALLOCATOR: memory::Bounded = memory::Bounded;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name)
}

/// The inputs in a corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder(name))
        .unwrap_or_else(|error| panic!("'{name}' has no corpus: {error}"))
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| fs::read(path).expect("it can be read"))
        .collect()
}

fn run(name: &str) {
    let target = Target::named(name).expect("it is in the list");
    let corpus = corpus(name);
    let taken = corpus.iter().filter(|input| target.feed(input)).count();
    assert!(
        taken > 0,
        "nothing in the corpus of '{name}' is what it reads; see 'seeds.rs'"
    );
    let mut random = SplitMix(1);
    for _ in 0..target.mutations {
        let _ = target.feed(&mutate::damaged(&corpus, &mut random));
    }
}

macro_rules! tests {
    ($($function:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $function() {
                run($name);
            }
        )*

        #[test]
        fn every_target_has_its_test() {
            let tested = [$($name),*];
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, tested);
        }
    };
}

tests! {
    mountinfo: "mountinfo",
    bolt: "bolt",
    containerd: "containerd",
    containers_storage: "containers-storage",
    docker: "docker",
    flatpak: "flatpak",
    snap: "snap",
    cgroup: "cgroup",
    digest: "digest",
    backing_file: "backing-file",
    maps: "maps",
    btf: "btf",
    ring: "ring",
    host: "host",
    kallsyms: "kallsyms",
    kernel_image: "kernel-image",
    kernel_tables: "kernel-tables",
    kernel_types: "kernel-types",
    kernel_code: "kernel-code",
    derefs_document: "derefs-document",
    derefs_sites: "derefs-sites",
    recording: "recording",
    records: "records",
    measurement_file: "measurement-file",
    report: "report",
    check_config: "check-config",
    plan_mix: "plan-mix",
    top_config: "top-config",
    query: "query",
    key: "key",
    archive: "archive",
    layout: "layout",
    layer: "layer",
    touched: "touched",
}

/// `SHARESTAT_RENEW=1` writes the inputs that are made by programs anew, after a format
/// changed.
#[test]
fn inputs_that_are_made_are_those_in_the_corpus() {
    let renew = std::env::var_os("SHARESTAT_RENEW").is_some();
    for (target, name, content) in seeds::made() {
        let path = folder(target).join(name);
        if renew {
            fs::create_dir_all(folder(target)).expect("a folder");
            fs::write(&path, &content).expect("a file");
        }
        assert!(
            path.is_file(),
            "'{}' is missing; write it with SHARESTAT_RENEW=1",
            path.display()
        );
    }
}
