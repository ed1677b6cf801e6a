//! Feeds one parser with what libFuzzer makes up: `SHARESTAT_FUZZ_TARGET` names it.

#![no_main]

use std::{env, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use sharestat::fuzzing::{Target, memory::Bounded};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var("SHARESTAT_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("there is no target '{name}'"))
});

fuzz_target!(|input: &[u8]| {
    let _ = TARGET.feed(input);
});
