//! A small document for tests.

use std::collections::BTreeMap;

use super::document::{
    ConfigRow, Document, Explained, FaultRow, Measurement, ProbeRow, SCHEMA, SiteRow, StaticRow,
    StepRow,
};
use crate::report::Host;

/// A site with these particulars and 10 hits.
pub(super) fn site(id: &str, subsystem: &str, kind: &str, class: &str) -> SiteRow {
    SiteRow {
        id: id.to_owned(),
        symbol: id.to_owned(),
        offset: 16,
        function: id.to_owned(),
        module: None,
        instruction: Some("mov rax, [rdi+0x18]".to_owned()),
        kind: kind.to_owned(),
        subsystem: subsystem.to_owned(),
        hits: 10,
        shareable_hits: 5,
        other_hits: 0,
        class: class.to_owned(),
        context: None,
        classes: BTreeMap::from([(class.to_owned(), 10)]),
        commands: vec!["cat".to_owned()],
        callers: BTreeMap::new(),
        steps: Vec::new(),
        rate: None,
        in_static_list: Some(true),
        stack: vec![id.to_owned(), "filemap_read".to_owned()],
        source: Vec::new(),
    }
}

/// Four sites of different kinds.
pub(crate) fn document() -> Document {
    Document {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        host: Host {
            name: "host".to_owned(),
            kernel: "7.3.0".to_owned(),
            arch: "x86_64".to_owned(),
            cpus: 2,
            memory_bytes: 1 << 30,
            btf_id: None,
        },
        measurement: Measurement {
            duration_ns: 1_000_000_000,
            slots: 4,
            cpus: 2,
            hits: 40,
            ..Measurement::default()
        },
        strata: Vec::new(),
        sites: vec![
            site("next_uptodate_folio", "mm", "load", "direct"),
            site("folio_mapping", "mm", "load", "none"),
            site("folio_add_file_rmap_ptes", "mm", "tag_test", "direct"),
            site("ext4_release_folio", "fs/ext4", "load", "none"),
        ],
        not_of_files: Vec::new(),
        explained: Some(Explained {
            source: "'vmlinuz'".to_owned(),
            static_sites: 5,
            reached: 4,
            hits_explained: 36,
            hits: 40,
            not_reached: vec![StaticRow {
                id: "memory_failure:load:00000001".to_owned(),
                place: "memory_failure+0x20".to_owned(),
                kind: "load".to_owned(),
                subsystem: "mm".to_owned(),
                class: "none".to_owned(),
            }],
        }),
        steps: vec![StepRow {
            name: "read".to_owned(),
            ran: true,
            note: "read(2)".to_owned(),
            hits: 10,
            sites: 2,
        }],
        faults: vec![FaultRow {
            of: None,
            filesystem: "ext4".to_owned(),
            faults: 8,
            same_mapping: 8,
            same_inode: 7,
            copies: 1,
        }],
        probes: vec![ProbeRow {
            name: "kprobe at set_pte_range (page faults)".to_owned(),
            set: true,
            note: String::new(),
        }],
        config: vec![ConfigRow {
            option: "CONFIG_KSM".to_owned(),
            built: true,
            about: "tag bits".to_owned(),
        }],
        summary: Vec::new(),
        notes: Vec::new(),
        overrides: Vec::new(),
    }
}
