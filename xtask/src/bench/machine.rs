//! The machine that the figures are of.

use std::fs;

/// Kernel, processor, memory and how busy it is.
pub(super) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim_start_matches([' ', '\t', ':']).trim().to_owned())
            .unwrap_or_default()
    };
    let processors = read("/proc/cpuinfo");
    let cpus = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = read("/proc/meminfo");
    let gibibytes = |name: &str| {
        let kibibytes: f64 = field(&memory, name)
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or(0.0);
        kibibytes / 1_048_576.0
    };
    format!(
        "Linux {} on {} CPUs ({}), {:.1} GiB of memory, {:.1} GiB of it cached; load {}",
        read("/proc/sys/kernel/osrelease").trim(),
        cpus,
        field(&processors, "model name"),
        gibibytes("MemTotal"),
        gibibytes("Cached"),
        read("/proc/loadavg")
            .split_whitespace()
            .take(3)
            .collect::<Vec<_>>()
            .join(" ")
    )
}
