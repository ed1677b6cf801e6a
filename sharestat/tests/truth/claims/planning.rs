//! `plan` against the kernel: two and four containers are recorded, eight and twelve are
//! foretold, and as many are started. Without sharing, and where EROFS can share, with it.

use std::{
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use memmap2::MmapMut;
use serde_json::Value;

use crate::{
    binary,
    corpus::{self, PlannedFile},
    disk::Disk,
    erofs_images,
    filesystems::{Filesystem, Kind},
    harness::{self, Engine, OrFail as _, Outcome, Skip, bpf_only, in_guest, kernel_version},
    host_memory::{MemInfo, ON_CPUS},
    memcg::Memcg,
    mount::Mount,
    scratch::Scratch,
};

bpf_only!(
    eight_and_twelve_containers_need_what_two_and_four_foretold,
    eight_and_twelve_containers_on_shared_erofs_need_what_two_and_four_foretold,
);

/// Pages of a file that is equal in all containers.
const EQUAL: u64 = 1024;

/// An image of the mix.
struct Image {
    name: &'static str,
    /// Pages of a file that no other container has.
    own: u64,
    /// Bytes of memory that each container has for itself.
    private: usize,
}

/// Containers are of the one and the other in turn.
static IMAGES: [Image; 2] = [
    Image {
        name: "web",
        own: 512,
        private: 8 << 20,
    },
    Image {
        name: "db",
        own: 256,
        private: 12 << 20,
    },
];

const fn image_of(number: u64) -> &'static Image {
    &IMAGES[(number % 2) as usize]
}

/// How many containers are foretold and started, ascending; the last ones only where they
/// leave half of the free memory.
const MANY: [u64; 2] = [8, 12];
/// How many are recorded last.
const RECORDED: u64 = 4;
const TRIES: usize = 3;

/// The files of a container; their names begin with its directory.
fn files(number: u64) -> [PlannedFile; 2] {
    let own = 1_000_000 * number;
    [
        PlannedFile::counting(&format!("c{number}/all"), 1, EQUAL),
        PlannedFile::counting(&format!("c{number}/own"), own, image_of(number).own),
    ]
}

fn all_files() -> Vec<PlannedFile> {
    (1..=MANY[MANY.len() - 1]).flat_map(files).collect()
}

/// What so many containers add to the host, in bytes.
#[derive(Clone, Copy, Debug)]
struct Need {
    page_cache: u64,
    /// That, and the memory of processes.
    memory: u64,
    /// Free memory that they take beyond what [`RECORDED`] take.
    free: u64,
}

impl Need {
    fn is_within_5_percent_of(self, foretold: Self) -> bool {
        let near = |measured: u64, foretold: u64| measured.abs_diff(foretold) * 20 <= foretold;
        near(self.page_cache, foretold.page_cache)
            && near(self.memory, foretold.memory)
            && near(self.free, foretold.free)
    }
}

/// Those of [`MANY`] that this machine has room for.
fn that_fit() -> Result<Vec<u64>, Skip> {
    let free = MemInfo::read().bytes("MemAvailable");
    let need = |count: &u64| -> u64 {
        let images = (1..=*count).map(image_of);
        images
            .map(|image| (EQUAL + image.own) * 4096 + image.private as u64)
            .sum()
    };
    let many = MANY.into_iter();
    let (fit, others): (Vec<u64>, Vec<u64>) = many.partition(|count| need(count) * 2 <= free);
    let words = format!("{free} bytes are free, too few for {others:?} containers");
    if fit.is_empty() {
        return Err(Skip(words));
    }
    if !others.is_empty() {
        harness::not_here(&words);
    }
    Ok(fit)
}

/// One container: an overlay mount whose files were read, and memory of its own.
struct Container {
    // Dropped in this order: the group is empty when it goes.
    _mount: Mount,
    _memory: MmapMut,
    _group: Memcg,
}

/// Where containers run.
struct Stage {
    scratch: Scratch,
    /// What they write to.
    uppers: Filesystem,
}

impl Stage {
    fn start(&self, lowers: &Path, numbers: RangeInclusive<u64>) -> Result<Vec<Container>, Skip> {
        let start = |number: u64| {
            let image = image_of(number);
            let name = format!("{}{number}", image.name);
            let upper = self.uppers.root().join(format!("{name}.upper"));
            let work = self.uppers.root().join(format!("{name}.work"));
            let lower = lowers.join(format!("c{number}"));
            let target = self.scratch.file(&name);
            let mount = Mount::overlay(&target, &[&lower], &upper, &work)?;
            for mut file in files(number) {
                let inside = file.names[0].to_string_lossy().into_owned();
                file.names[0] = inside.split('/').next_back().unwrap_or("").into();
                file.read(&target);
            }
            let group = Memcg::new(&format!("sharestat-truth-{name}"))?;
            // Not from the heap, which may have had it before, charged elsewhere.
            let mut memory = MmapMut::map_anon(image.private).or_fail("mapping memory");
            group.charge(|| memory.fill(1));
            Ok(Container {
                _mount: mount,
                _memory: memory,
                _group: group,
            })
        };
        numbers.map(start).collect()
    }

    /// Records containers that run.
    fn record(&self, containers: &[Container]) -> PathBuf {
        let file = self.scratch.unseen(&format!("{}.ssr", containers.len()));
        let mut command = binary::command(["record", "--cpu-budget", "100", "-o"]);
        command.arg(&file).arg("--path").arg(self.scratch.path());
        // Linux 6.1 brings `memory.stat` up to date once enough pages have changed hands on the
        // machine, and until then it may lack some hundred: the command changes thousands.
        let settle = "sleep 1; dd if=/dev/zero of=/dev/null bs=16M count=1 2>/dev/null";
        let run = binary::finish({
            command.args(["--", "sh", "-c", settle]);
            command
        });
        assert!(run.status.success(), "recording failed: {run:?}");
        file
    }

    /// What `many` containers are foretold to need.
    fn foretell(&self, recordings: &[PathBuf], mechanism: &str, many: &[u64]) -> Vec<Need> {
        let mix = self.scratch.unseen("mix.toml");
        let images = IMAGES.each_ref().map(|Image { name, .. }| {
            format!(
                "[[image]]\nname = \"{name}\"\ncontainers = \"*/{name}*.upper\"\n\
                 cgroups = \"/sharestat-truth-{name}*\"\n"
            )
        });
        let host = "[host]\nmemory = \"2GiB\"\nbase = \"0B\"\n";
        let text = [host, &images.concat()].concat();
        fs::write(&mix, text).or_fail("writing a mix");
        let mut command = binary::command(["plan", "--format", "json"]);
        for count in many.iter().chain([&RECORDED]) {
            command.arg("--containers").arg(count.to_string());
        }
        command.arg("--mix").arg(&mix).args(recordings);
        let run = binary::finish(command);
        assert!(run.status.success(), "planning failed: {run:?}");
        let plan: Value = serde_json::from_slice(&run.stdout).or_fail("reading a plan");
        for check in plan["checks"].as_array().into_iter().flatten() {
            let off = check["error_percent"].as_f64().unwrap_or(100.0);
            assert!(off.abs() <= 5.0, "the model is off its own inputs: {check}");
        }
        for image in plan["images"].as_array().into_iter().flatten() {
            let from = &image["private_from"];
            assert_eq!(from, "measured", "by the recording: {image}");
        }
        let find = |list: &Value, key: &str, value: &Value| {
            let mut rows = list.as_array().into_iter().flatten();
            let row = rows.find(|row| row[key] == *value).cloned();
            row.unwrap_or_else(|| panic!("no '{key}' is {value} in {list}"))
        };
        let forecast = find(
            &plan["forecasts"],
            "percentile",
            &plan["planned_percentile"],
        );
        let row = find(&forecast["mechanisms"], "name", &mechanism.into());
        let at = |count: &u64| {
            let point = find(&row["curve"], "containers", &(*count).into());
            let bytes = |name: &str| point[name].as_u64().unwrap_or(0);
            let (page_cache, memory) = (bytes("page_cache_bytes"), bytes("memory_bytes"));
            let private: u64 = (1..=*count)
                .map(|number| image_of(number).private as u64)
                .sum();
            // The kernel's counts of a group may be some pages behind.
            assert!(
                memory >= page_cache + private / 20 * 19,
                "private memory is in the forecast: {point}"
            );
            (page_cache, memory)
        };
        let (_, recorded) = at(&RECORDED);
        let need = |count: &u64| {
            let (page_cache, memory) = at(count);
            Need {
                page_cache,
                memory,
                free: memory - recorded,
            }
        };
        many.iter().map(need).collect()
    }

    /// How much `Cached` and the memory in use grow by `many` containers, and how much
    /// free memory falls. That is compared with that beside as many containers as were
    /// recorded: before the first one starts, what becomes free of filesystems that were
    /// unmounted and programs that ended is as much as a tenth of what eight need.
    fn measure(&self, lowers: &Path, many: &[u64]) -> Result<Vec<Need>, Skip> {
        let before = MemInfo::at_rest();
        let mut containers = self.start(lowers, 1..=RECORDED)?;
        let recorded = MemInfo::at_rest();
        let mut needs = Vec::new();
        for count in many {
            let next = containers.len() as u64 + 1;
            containers.extend(self.start(lowers, next..=*count)?);
            let after = MemInfo::at_rest();
            let grown = |name| after.bytes(name).saturating_sub(before.bytes(name));
            needs.push(Need {
                page_cache: grown("Cached"),
                memory: grown("Cached") + grown("AnonPages"),
                free: recorded.free().saturating_sub(after.free()),
            });
            say_where_memory_went(*count, &recorded, &after);
        }
        Ok(needs)
    }
}

/// How memory changed since the recorded state.
fn say_where_memory_went(count: u64, recorded: &MemInfo, after: &MemInfo) {
    const LINES: [&str; 10] = [
        "MemFree",
        ON_CPUS,
        "Cached",
        "AnonPages",
        "Buffers",
        "SReclaimable",
        "SUnreclaim",
        "KernelStack",
        "PageTables",
        "Percpu",
    ];
    let line = |name: &&str| {
        let change = i128::from(after.bytes(name)) - i128::from(recorded.bytes(name));
        format!("{name} {:+} KiB", change / 1024)
    };
    let lines: Vec<String> = LINES.iter().map(line).collect();
    harness::say(&format!(
        "from {RECORDED} containers to {count}: {}",
        lines.join(", ")
    ));
}

/// Whether forecast and measurement agree for each number of containers, which is said.
fn agree(many: &[u64], foretold: &[Need], measured: &[Need]) -> bool {
    harness::say(&format!(
        "{many:?} containers, foretold {foretold:?}, measured {measured:?}"
    ));
    let mut pairs = measured.iter().zip(foretold);
    foretold.len() == measured.len()
        && pairs.all(|(measured, foretold)| measured.is_within_5_percent_of(*foretold))
}

fn is_measurable() -> bool {
    if !in_guest() {
        harness::not_here("'Cached' stands still enough in guests only");
    }
    in_guest()
}

fn eight_and_twelve_containers_need_what_two_and_four_foretold(_: Engine) -> Outcome {
    if !is_measurable() {
        return Ok(());
    }
    let scratch = Scratch::new();
    let uppers = Filesystem::empty(Kind::Ext4, &scratch, "uppers")?;
    let mut layers = Filesystem::empty(Kind::Ext4, &scratch, "layers")?;
    corpus::write_all(&all_files(), layers.root());
    let stage = Stage { scratch, uppers };
    let many = that_fit()?;
    for _ in 0..TRIES {
        let mut recordings = Vec::new();
        for count in [2, RECORDED] {
            layers.remount()?;
            let containers = stage.start(layers.root(), 1..=count)?;
            recordings.push(stage.record(&containers));
        }
        let foretold = stage.foretell(&recordings, "none", &many);
        layers.remount()?;
        let measured = stage.measure(layers.root(), &many)?;
        if agree(&many, &foretold, &measured) {
            return Ok(());
        }
    }
    panic!("page cache, memory and free memory, foretold and measured, are never within 5 %")
}

fn eight_and_twelve_containers_on_shared_erofs_need_what_two_and_four_foretold(
    _: Engine,
) -> Outcome {
    if kernel_version() < (7, 2) {
        harness::not_here("EROFS shares pages since 7.2");
        return Ok(());
    }
    if !is_measurable() {
        return Ok(());
    }
    let scratch = Scratch::new();
    let uppers = Filesystem::empty(Kind::Ext4, &scratch, "uppers")?;
    let marked = Some(erofs_images::FINGERPRINT);
    let image = erofs_images::make(&scratch, "image", &all_files(), marked)?;
    let disk = Disk::of_image(&image)?;
    fs::remove_file(image).or_fail("removing an image");
    let target = scratch.directory("image");
    let stage = Stage { scratch, uppers };
    let mount = |options: &str| Mount::new(disk.device(), &target, "erofs", true, options);
    let many = that_fit()?;
    for _ in 0..TRIES {
        let mut recordings = Vec::new();
        for count in [2, RECORDED] {
            let apart = mount("")?;
            let containers = stage.start(&target, 1..=count)?;
            recordings.push(stage.record(&containers));
            drop(containers);
            apart.unmount();
        }
        let foretold = stage.foretell(&recordings, "erofs", &many);
        let together = mount("inode_share,domain_id=truth")?;
        let measured = stage.measure(&target, &many)?;
        together.unmount();
        if agree(&many, &foretold, &measured) {
            return Ok(());
        }
    }
    panic!("page cache, memory and free memory, foretold and measured, are never within 5 %")
}
