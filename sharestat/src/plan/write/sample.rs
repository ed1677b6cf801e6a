//! A small plan for the tests of the formats.

use crate::plan::{
    assemble::{Parts, plan as assemble},
    basis::Cache,
    document::{Check, HostEntry, ImageEntry, InputEntry, Known, Percentile, Plan},
    forecast::{Question, Scenario},
    model::{ImageLoad, Load},
};

const MIB: f64 = 1_048_576.0;

fn caches(factor: f64) -> Vec<Cache> {
    let mut none = Cache::empty("none", "exact", 2);
    none.base = 200.0 * MIB;
    none.own = vec![90.0 * MIB * factor, 5.0 * MIB];
    none.add_common(vec![1], 400.0 * MIB);
    let mut content = Cache {
        name: "content".to_owned(),
        own: vec![15.0 * MIB * factor, 5.0 * MIB],
        ..none.clone()
    };
    content.add_common(vec![0, 1], 75.0 * MIB * factor);
    vec![none, content]
}

pub(crate) fn plan() -> Plan {
    let image = |name: &str, replicas, private: u64| ImageEntry {
        name: name.to_owned(),
        replicas,
        measured: 2,
        private_bytes: private << 20,
        private_from: Known::Stated,
        refaulted_bytes: None,
        working_set: vec![Percentile {
            percentile: 90.0,
            bytes: 90 << 20,
        }],
    };
    let load = |replicas, private| ImageLoad {
        replicas,
        private: private * MIB,
        refaulted: 0.0,
    };
    let scenario = |percentile, factor| Scenario {
        percentile: Some(percentile),
        caches: caches(factor),
    };
    assemble(Parts {
        host: HostEntry {
            memory_bytes: 8 << 30,
            base_bytes: 512 << 20,
            base_from: Known::Stated,
            reserve_bytes: 1 << 30,
        },
        inputs: vec![InputEntry {
            file: "four.ssr".to_owned(),
            kind: "recording".to_owned(),
            host: "vm".to_owned(),
            kernel: "6.12".to_owned(),
            started_at: "1970-01-01T00:00:00Z".to_owned(),
            seed_id: "5eed".to_owned(),
            containers: 4,
            moments: 120,
            hashed_percent: 99.5,
            complete: true,
        }],
        images: vec![image("web", 3, 40), image("db", 1, 300)],
        scenarios: vec![scenario(50.0, 0.9), scenario(90.0, 1.0)],
        question: Question {
            load: Load {
                images: vec![load(3, 40.0), load(1, 300.0)],
                base: 512.0 * MIB,
                capacity: 7.0 * 1024.0 * MIB,
            },
            replicas: Some(500),
            at: vec![8],
            matters: 0.05,
        },
        checks: vec![Check {
            input: "two.ssr".to_owned(),
            containers: 2,
            measured_bytes: 600 << 20,
            forecast_bytes: 606 << 20,
            error_percent: 1.0,
        }],
        notes: vec!["a note".to_owned()],
    })
}
