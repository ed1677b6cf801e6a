//! How large the table of pages of a large cache is, and how long writing it takes: 24 GiB,
//! of which one page in four is a duplicate. Prints one line per figure.

use std::{
    env,
    fs::{self, File},
    io::{BufWriter, Write as _},
    time::Instant,
};

use sharestat::{
    model::{
        index::ContentIndex,
        inode::{Dev, InodeKey},
        measurement::{Engine, FileIdentity, Filesystem, Identities, Measurement, Place},
        page::Observation,
        units::{ContentHash, PageIndex},
    },
    report::{Host, Report},
    snapshot::table,
};

const PAGES: u64 = 24 << 18;
/// As many files as a host with some containers has.
const FILES: u64 = 40_000;

fn main() {
    let folder = env::var_os("SHARESTAT_BENCH_FOLDER").map_or_else(env::temp_dir, Into::into);
    let path = folder.join("sharestat-bench.parquet");
    let measurement = measurement();
    let resident = measurement.index.totals().resident;
    println!("{resident:>9} pages");
    let begun = Instant::now();
    let report = Report::without_files(&measurement, &Host::read());
    println!("{:>9} ms  report", begun.elapsed().as_millis());
    let begun = Instant::now();
    let mut out = BufWriter::new(File::create(&path).expect("a file"));
    table::write(&measurement, &report, &mut out).expect("written");
    out.flush().expect("written");
    out.get_ref().sync_all().expect("on storage");
    println!("{:>9} ms  write", begun.elapsed().as_millis());
    let bytes = fs::metadata(&path).expect("it is there").len();
    println!("{bytes:>9} bytes");
    let begun = Instant::now();
    let file = File::open(&path).expect("it is there");
    let read = table::read(file, "table").expect("a table");
    assert_eq!(read.measurement.index.totals(), measurement.index.totals());
    println!("{:>9} ms  read back", begun.elapsed().as_millis());
    fs::remove_file(&path).expect("it was there");
}

/// Small files and large ones: the sizes grow, as squares.
fn measurement() -> Measurement {
    let mut index = ContentIndex::new(ContentHash(0));
    let dev = Dev::new(8, 1);
    let mut identity = Identities {
        filesystems: vec![Filesystem {
            dev,
            fs_type: "ext4".to_owned(),
            id: "root".to_owned(),
            mount_point: Some("/".to_owned()),
            source: None,
        }],
        ..Identities::default()
    };
    let weight = FILES * (FILES + 1) / 2;
    let (mut number, mut ino) = (0, 0);
    while number < PAGES {
        ino += 1;
        let pages = (PAGES * ino.min(FILES))
            .div_ceil(weight)
            .min(PAGES - number);
        let key = InodeKey {
            dev,
            ino,
            ..InodeKey::default()
        };
        let inode = index.intern(key, true);
        let seen: Vec<Observation> = (number..number + pages).map(content).collect();
        index.insert_run(inode, PageIndex(0), &seen);
        let path = format!("/usr/lib/package-{}/part/file-{ino}.so", ino / 16);
        let file = FileIdentity {
            filesystem: 0,
            path,
            named: true,
            deleted: false,
            size: pages * 4096,
            links: 1,
            place: Place::default(),
        };
        identity.files.insert(inode, file);
        number += pages;
    }
    Measurement {
        engine: Engine::Bpf,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        duration: std::time::Duration::ZERO,
        seed_id: "bench".to_owned(),
        hooks: Vec::new(),
        events_lost: 0,
        complete: true,
        index,
        identity,
        avoidable: None,
        notes: Vec::new(),
    }
}

/// As scattered as page hashes are; every fourth page is content that others have too.
fn content(number: u64) -> Observation {
    let copied = number.is_multiple_of(4);
    let content = if copied {
        number % (PAGES / 8)
    } else {
        PAGES + number
    };
    let mut hash = (content + 1).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    Observation::Hashed(ContentHash(hash ^ (hash >> 33)))
}
