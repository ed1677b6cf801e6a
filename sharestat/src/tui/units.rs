//! Numbers as text: bytes in the chosen units, shares, rates, times, counts.

use std::time::Duration;

use crate::model::units::{Bytes, PAGE_SIZE};

/// How bytes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// `1.4 GiB`.
    #[default]
    Binary,
    /// `1.5 GB`.
    Decimal,
    /// Pages of 4 KiB.
    Pages,
    /// Bytes, no unit.
    Raw,
}

impl Units {
    /// The next one, round.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Binary => Self::Decimal,
            Self::Decimal => Self::Pages,
            Self::Pages => Self::Raw,
            Self::Raw => Self::Binary,
        }
    }

    /// By the name in a configuration file.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "binary" => Some(Self::Binary),
            "decimal" => Some(Self::Decimal),
            "pages" => Some(Self::Pages),
            "bytes" => Some(Self::Raw),
            _ => None,
        }
    }

    /// What to call them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary units (KiB, MiB, …)",
            Self::Decimal => "decimal units (kB, MB, …)",
            Self::Pages => "pages of 4 KiB",
            Self::Raw => "bytes",
        }
    }

    /// What a heading has to add when the numbers do not say it themselves.
    #[must_use]
    pub const fn note(self) -> &'static str {
        match self {
            Self::Binary | Self::Decimal => "",
            Self::Pages => " (pages of 4 KiB)",
            Self::Raw => " (bytes)",
        }
    }

    /// So many bytes as text.
    #[must_use]
    pub fn show(self, bytes: u64) -> String {
        match self {
            Self::Binary => Bytes(bytes).to_string(),
            Self::Decimal => decimal(bytes),
            // Shares of pages exist (saving shares), so this rounds.
            Self::Pages => count((bytes + PAGE_SIZE / 2) / PAGE_SIZE),
            Self::Raw => bytes.to_string(),
        }
    }

    /// Columns that a value up to `most` bytes may take.
    #[must_use]
    pub fn columns(self, most: u64) -> usize {
        match self {
            Self::Binary | Self::Decimal => 10,
            Self::Pages | Self::Raw => self.show(most).len().max(9),
        }
    }
}

fn decimal(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut scaled = bytes;
    while scaled >= 1_000_000 && unit + 1 < UNITS.len() {
        scaled /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", scaled / 1000, scaled / 100 % 10, UNITS[unit])
}

/// A count with thousands apart: `1,234,567`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `part` of `whole`, 0 for an empty whole.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a ratio is approximate")]
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// A ratio as `24.3 %`. It says 0.0 and 100.0 only for exactly that.
#[must_use]
pub fn percent(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.0005 {
        return "<0.1 %".to_owned();
    }
    if (0.9995..1.0).contains(&ratio) {
        return ">99.9 %".to_owned();
    }
    format!("{:.1} %", ratio * 100.0)
}

/// Events per second: `0.4/s`, `1,234/s`, `1.2 M/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    let value = if per_second.is_finite() {
        per_second.max(0.0)
    } else {
        0.0
    };
    if value < 10.0 {
        format!("{value:.1}/s")
    } else if value < 100_000.0 {
        format!("{}/s", count(rounded(value)))
    } else if value < 10_000_000.0 {
        format!("{:.0} k/s", value / 1e3)
    } else {
        format!("{:.1} M/s", value / 1e6)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass 0 to 1e7"
)]
fn rounded(value: f64) -> u64 {
    value.round() as u64
}

/// A time in nanoseconds: `85 ns`, `1.2 µs`, `3.4 ms`.
#[must_use]
pub fn nanoseconds(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} ns"),
        1_000..1_000_000 => format!("{}.{} µs", value / 1_000, value / 100 % 10),
        _ => format!("{}.{} ms", value / 1_000_000, value / 100_000 % 10),
    }
}

/// A time span: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
#[must_use]
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// As [`span`], but always with tenths below an hour.
#[must_use]
pub fn moment(time: Duration) -> String {
    let (seconds, tenths) = (time.as_secs(), time.subsec_millis() / 100);
    match seconds {
        0..60 => format!("{seconds}.{tenths} s"),
        60..3600 => format!("{} min {}.{tenths} s", seconds / 60, seconds % 60),
        _ => span(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_every_unit() {
        assert_eq!(Units::Binary.show(1536 << 20), "1.5 GiB");
        assert_eq!(Units::Decimal.show(1_560_000_000), "1.5 GB");
        assert_eq!(Units::Decimal.show(999_999), "999.9 kB");
        assert_eq!(Units::Decimal.show(999), "999 B");
        assert_eq!(Units::Pages.show(4096 * 1234), "1,234");
        assert_eq!(Units::Raw.show(4097), "4097");
        for bytes in [0, 1023, 1024, u64::from(u32::MAX), u64::MAX] {
            assert!(Units::Binary.show(bytes).len() <= 10);
            assert!(Units::Decimal.show(bytes).len() <= 10);
        }
    }

    #[test]
    fn shares_never_round_to_nothing_or_to_all() {
        assert_eq!(percent(0.0), "0.0 %");
        assert_eq!(percent(0.000_01), "<0.1 %");
        assert_eq!(percent(0.243), "24.3 %");
        assert_eq!(percent(0.999_99), ">99.9 %");
        assert_eq!(percent(1.0), "100.0 %");
        assert!(ratio(3, 0).abs() < f64::EPSILON);
    }

    #[test]
    fn rates_and_times_stay_short() {
        assert_eq!(rate(0.44), "0.4/s");
        assert_eq!(rate(1234.4), "1,234/s");
        assert_eq!(rate(1_234_000.0), "1234 k/s");
        assert_eq!(rate(f64::NAN), "0.0/s");
        assert_eq!(nanoseconds(85), "85 ns");
        assert_eq!(nanoseconds(1234), "1.2 µs");
        assert_eq!(nanoseconds(3_450_000), "3.4 ms");
        assert_eq!(span(Duration::from_millis(430)), "0.4 s");
        assert_eq!(span(Duration::from_secs(185)), "3 min 5 s");
        assert_eq!(span(Duration::from_mins(130)), "2 h 10 min");
    }
}
