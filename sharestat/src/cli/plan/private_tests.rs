//! Private memory of containers and of the host, from a recording without it, with memory
//! put into it.

use std::path::{Path, PathBuf};

use clap::Parser;
use tempfile::TempDir;

use super::super::{args::PlanArgs, inputs, mix::Question, parts::parts};
use crate::{
    cli::exit::{Exit, Failure},
    model::{
        layers::{Container, ContainerId, Runtime},
        memory::{CgroupMemory, HostMemory, MemoryStat},
        units::Bytes,
    },
    plan::{
        assemble,
        document::{Known, Plan},
    },
    snapshot::recording::{
        reader::Reader,
        record::{Mark, Record},
        writer::Writer,
    },
};

const WITHOUT_MEMORY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/cli/plan/testdata/without-memory.ssr"
);
const ID: &str = "800bec12fb99";
const MIB: u64 = 1 << 20;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    plan: PlanArgs,
}

/// A cgroup with `mib` of anonymous memory that read `refaults` pages again so far.
fn cgroup(path: &str, container: Option<&str>, mib: u64, refaults: u64) -> CgroupMemory {
    CgroupMemory {
        path: path.to_owned(),
        container: container.map(str::to_owned),
        stat: MemoryStat {
            anon: Bytes(mib * MIB),
            kernel: None,
            shmem: Bytes(0),
            file: Bytes(MIB),
            refaults,
        },
    }
}

fn host(cgroups: Vec<CgroupMemory>) -> HostMemory {
    HostMemory {
        used: Some(Bytes(100 * MIB)),
        own: Bytes(10 * MIB),
        cgroups,
        notes: vec!["said by the recording".to_owned()],
    }
}

/// A copy of the recording in which a container has an id, with memory at both ends.
fn recorded(folder: &TempDir, first: HostMemory, last: HostMemory) -> PathBuf {
    let mut reader = Reader::open(Path::new(WITHOUT_MEMORY)).expect("it is there");
    let (mut first, mut last) = (Some(first), Some(last));
    let mut writer = Writer::begin(Vec::new(), reader.header()).expect("memory");
    while let Some(mut record) = reader.record().expect("it is whole") {
        match &mut record {
            Record::Owners(owners) => {
                owners.layers.containers = vec![Container {
                    id: ID.to_owned(),
                    name: Some("web-1".to_owned()),
                    runtime: Runtime::Podman,
                    image: None,
                    image_name: Some("web".to_owned()),
                    pod: None,
                    layers: Vec::new(),
                }];
                let upper = owners.layers.stacks.first().and_then(|stack| stack.upper);
                let upper = upper.map(|upper| &mut owners.layers.layers[upper.0 as usize]);
                if let Some(upper) = upper {
                    upper.container = Some(ContainerId(0));
                }
            }
            Record::Mark(mark) => {
                let memory = match mark {
                    Mark::Begin => first.take(),
                    Mark::End(_) => last.take(),
                };
                writer.put(&Record::Memory(Box::new(memory.expect("once"))));
            }
            _ => {}
        }
        writer.put(&record);
    }
    writer.flush();
    let path = folder.path().join("r.ssr");
    std::fs::write(&path, writer.out()).expect("written");
    path
}

fn planned(folder: &TempDir, recording: &Path, mix: Option<&str>) -> Result<Plan, Failure> {
    let mut line = vec!["plan".to_owned(), recording.display().to_string()];
    line.extend(["--memory".to_owned(), "1GiB".to_owned()]);
    if let Some(mix) = mix {
        let path = folder.path().join("mix.toml");
        std::fs::write(&path, mix).expect("written");
        line.extend(["--mix".to_owned(), path.display().to_string()]);
    }
    let arguments = Line::try_parse_from(line).expect("it is valid").plan;
    let mut inputs = inputs::open(&arguments.files)?;
    let question = Question::of(&arguments, &inputs)?;
    Ok(assemble::plan(parts(&mut inputs, &question, &arguments)?))
}

#[test]
fn a_recording_tells_private_memory_refaults_and_what_the_host_uses() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = format!("/machine/libpod-{ID}.scope");
    let of_container = |mib, refaults| cgroup(&path, Some(ID), mib, refaults);
    let other = || cgroup("/other", None, 1, 0);
    let recording = recorded(
        &folder,
        host(vec![of_container(5, 100), other()]),
        host(vec![of_container(20, 356), other()]),
    );
    let plan = planned(&folder, &recording, None).expect("it is covered");
    let web = plan.images.iter().find(|image| image.name == "web");
    let web = web.expect("the image of the container");
    assert_eq!(web.private_bytes, 20 * MIB);
    assert_eq!(web.private_from, Known::Measured);
    assert_eq!(web.refaulted_bytes, Some(MIB));
    let others = plan.images.iter().filter(|image| image.name != "web");
    assert!(others.clone().count() > 0);
    assert!(
        others
            .clone()
            .all(|image| image.private_from == Known::Unknown)
    );
    assert_eq!(plan.host.base_from, Known::Measured);
    assert_eq!(plan.host.base_bytes, 70 * MIB);
    let notes = plan.notes.join("\n");
    assert!(notes.contains("'web' read 1.0 MiB again"), "{notes}");
    assert!(notes.contains("said by the recording"), "{notes}");
    let again = plan
        .sensitivity
        .iter()
        .find(|row| row.assumption.contains("read again"));
    let again = again.expect("it is an assumption");
    assert!(again.fewest < again.planned, "{again:?}");
}

#[test]
fn cgroups_are_named_by_the_mix_where_no_runtime_names_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let cgroups = || {
        vec![
            cgroup("/app/1", None, 4, 0),
            cgroup("/app/2", None, 8, 0),
            cgroup("/app/2/inside", None, 8, 0),
        ]
    };
    let recording = recorded(&folder, host(cgroups()), host(cgroups()));
    let mix = |rest: &str| {
        format!(
            "[[image]]\nname = \"app\"\ncontainers = \"*\"\n{rest}[[image]]\nname = \"b\"\npage_cache = \"1MiB\"\n"
        )
    };
    let app = |mix: &str| {
        let plan = planned(&folder, &recording, Some(mix)).expect("it is covered");
        (
            plan.images[0].private_bytes / MIB,
            plan.images[0].private_from,
            plan.host.base_bytes / MIB,
        )
    };
    assert_eq!(
        app(&mix("cgroups = \"/app/*\"\n")),
        (6, Known::Measured, 78)
    );
    // What is stated wins.
    assert_eq!(app(&mix("private = \"3MiB\"\n")), (3, Known::Stated, 90));
    let stated = format!("[host]\nbase = \"5MiB\"\n{}", mix("cgroups = \"/app/1\"\n"));
    assert_eq!(app(&stated), (4, Known::Measured, 5));
    let refused = planned(&folder, &recording, Some(&mix("cgroups = \"/ap\"\n")));
    let refused = refused.expect_err("there is none");
    assert_eq!(refused.exit(), Exit::Usage);
    let words = refused.to_string();
    assert!(
        words.contains("'/ap'") && words.contains("/app/2/inside"),
        "{words}"
    );
}

#[test]
fn older_recordings_open_and_do_not_know_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = planned(&folder, Path::new(WITHOUT_MEMORY), None).expect("it is covered");
    assert_eq!(plan.host.base_from, Known::Unknown);
    assert!(
        plan.images.iter().all(|image| {
            image.private_from == Known::Unknown && image.refaulted_bytes.is_none()
        })
    );
    let mix = "[[image]]\nname = \"app\"\ncontainers = \"*\"\ncgroups = \"*\"\n";
    let refused = planned(&folder, Path::new(WITHOUT_MEMORY), Some(mix));
    let words = refused.expect_err("there is no memory in it").to_string();
    assert!(
        words.contains("no measurement here has memory of cgroups"),
        "{words}"
    );
}
