//! What the lines of a soak say: reports of `top`, the report of a fresh scan, figures.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Most that resident memory may grow from the third to the last quarter of the time: an
/// allocator gives back late, and a census needs room for a while.
const MOST_GROWTH_KIB: u64 = 4096;

/// Sums that have to be equal at the end.
const SUMS: [&str; 8] = [
    "/coverage/resident_pages",
    "/coverage/hashed_pages",
    "/coverage/skipped",
    "/totals/resident_bytes",
    "/totals/eligible_bytes",
    "/totals/distinct_bytes",
    "/totals/duplicate_bytes",
    "/totals/zero_bytes",
];

/// A soak that ended.
#[derive(Debug)]
pub(super) struct Soak {
    reports: usize,
    /// The last report of `top`.
    live: Value,
    fresh: Value,
    figures: Vec<(String, String)>,
    /// Resident memory of `top` and of `record`, in KiB, every five seconds.
    memory: [Vec<u64>; 2],
}

impl Soak {
    /// Reads what the guest printed.
    pub(super) fn read(lines: &[String]) -> Result<Self> {
        let mark = lines.iter().position(|line| line == "fresh");
        let (watched, after) = lines.split_at(mark.context("the guest printed no scan")?);
        let live = watched.last().context("'top' printed no report")?;
        let fresh = after.get(1).context("the guest's scan printed nothing")?;
        let mut soak = Self {
            reports: watched.len(),
            live: serde_json::from_str(live).context("the last line of 'top' is no report")?,
            fresh: serde_json::from_str(fresh).context("the scan printed no report")?,
            figures: Vec::new(),
            memory: [Vec::new(), Vec::new()],
        };
        for line in after.iter().skip(2) {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            if name != "memory" {
                soak.figures.push((name.to_owned(), value.to_owned()));
                continue;
            }
            for (top, record) in value.split(' ').filter_map(|pair| pair.split_once(':')) {
                // A program that is gone has no memory, and fails elsewhere.
                soak.memory[0].extend(top.parse::<u64>());
                soak.memory[1].extend(record.parse::<u64>());
            }
        }
        Ok(soak)
    }

    /// The figures in words.
    pub(super) fn told(&self) -> String {
        let figure = |name| self.figure(name).unwrap_or("?");
        let quarters = |values: &[u64]| {
            let quarter = |number| median_of_quarter(values, number).unwrap_or(0) / 1024;
            format!(
                "{}, {}, {} and {} MiB",
                quarter(0),
                quarter(1),
                quarter(2),
                quarter(3)
            )
        };
        format!(
            "{} containers, {} steps of file churn, {} reports; {} pages resident at the end, {} \
             duplicate, {} events lost; memory of top by quarters {}, of record {}; recording of \
             {} bytes ({})",
            figure("containers"),
            figure("steps"),
            self.reports,
            number(&self.live, "/coverage/resident_pages"),
            number(&self.live, "/totals/duplicate_bytes") / 4096,
            number(&self.live, "/coverage/events_lost"),
            quarters(&self.memory[0]),
            quarters(&self.memory[1]),
            figure("recording"),
            figure("recorded"),
        )
    }

    /// What does not hold.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for sum in SUMS {
            let (live, fresh) = (self.live.pointer(sum), self.fresh.pointer(sum));
            if live.is_none() || live != fresh {
                let shown =
                    |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
                failures.push(format!(
                    "{sum}: 'top' has {}, a fresh scan {}",
                    shown(live),
                    shown(fresh)
                ));
            }
        }
        for (report, name) in [(&self.live, "'top'"), (&self.fresh, "the fresh scan")] {
            if report.pointer("/coverage/complete") != Some(&Value::Bool(true)) {
                failures.push(format!("{name} is not complete"));
            }
        }
        for (values, name) in self.memory.iter().zip(["top", "record"]) {
            match (median_of_quarter(values, 2), median_of_quarter(values, 3)) {
                (Some(third), Some(last)) if last <= third + MOST_GROWTH_KIB => {}
                (Some(third), Some(last)) => failures.push(format!(
                    "memory of '{name}' grew from {third} to {last} KiB in the second half; at \
                     most {MOST_GROWTH_KIB} KiB are allowed"
                )),
                _ => failures.push(format!("memory of '{name}' was not seen often enough")),
            }
        }
        for name in ["containers", "steps"] {
            let done = self.figure(name).and_then(|text| text.parse::<u64>().ok());
            if done.is_none_or(|done| done < 10) {
                failures.push(format!("there were hardly any {name}"));
            }
        }
        match self.figure("replay") {
            Some("") => {}
            Some(said) => failures.push(format!("the replay of the recording said: {said}")),
            None => failures.push("the recording was not replayed".to_owned()),
        }
        failures
    }

    fn figure(&self, name: &str) -> Option<&str> {
        let found = self.figures.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn number(report: &Value, pointer: &str) -> u64 {
    report.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The median of one quarter of the values; `None` with fewer than two in it.
fn median_of_quarter(values: &[u64], number: usize) -> Option<u64> {
    let length = values.len() / 4;
    let mut quarter = values.get(number * length..(number + 1) * length)?.to_vec();
    quarter.sort_unstable();
    (length >= 2).then(|| quarter[length / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(resident: u64) -> String {
        format!(
            r#"{{"coverage":{{"resident_pages":{resident},"hashed_pages":{resident},"skipped":{{"dirty":0}},"events_lost":0,"complete":true}},"totals":{{"resident_bytes":1,"eligible_bytes":1,"distinct_bytes":1,"duplicate_bytes":4096,"zero_bytes":0}}}}"#
        )
    }

    fn lines(live: u64, fresh: u64, memory: &str, replay: &str) -> Vec<String> {
        let (live, fresh) = (report(live), report(fresh));
        let text = format!(
            "{live}\n{live}\nfresh\n{fresh}\ncontainers 40\nsteps 900\nrecording 5\nrecorded all\nreplay{replay}\nmemory{memory}"
        );
        text.lines().map(str::to_owned).collect()
    }

    const FLAT: &str = " 10:20 11:20 30000:20 30000:20 30000:20 30000:20 30100:20 30050:20";

    #[test]
    fn equal_sums_and_flat_memory_hold() {
        let soak = Soak::read(&lines(9, 9, FLAT, " ")).expect("it reads");
        assert_eq!(soak.failures(), Vec::<String>::new());
        assert!(
            soak.told()
                .starts_with("40 containers, 900 steps of file churn, 2 reports; 9 ")
        );
    }

    #[test]
    fn other_sums_growth_and_a_wrong_recording_do_not() {
        let growing = FLAT
            .replace("30050:20", "36000:20")
            .replace("30100:20", "36000:20");
        let soak = Soak::read(&lines(9, 8, &growing, " deviates")).expect("it reads");
        let failures = soak.failures().join("\n");
        for part in [
            "resident_pages: 'top' has 9, a fresh scan 8",
            "'top' grew from 30000 to 36000 KiB",
            "deviates",
        ] {
            assert!(failures.contains(part), "{failures}");
        }
        assert!(Soak::read(&[report(1)]).is_err(), "there is no scan");
    }
}
