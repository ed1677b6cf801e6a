//! One number against the limits of a rule: the verdict, and the reason in words.

use super::{Verdict, rule::Limits};
use crate::{
    compare::{change::Change, lists::Numbers},
    model::units::Bytes,
};

/// What a report is compared with.
#[derive(Clone, Copy)]
pub(super) enum Base {
    /// With nothing.
    Missing,
    /// With a report that has nothing hashed.
    Empty,
    /// With a report.
    There,
}

/// How a number stands to its limits, and why.
pub(super) fn decide(
    limits: Limits,
    change: &Change,
    new: Option<Numbers>,
    base: Base,
) -> (Verdict, String) {
    let Some(new) = new else {
        let reason = "the new report lists only some of its files, and not this one";
        return (Verdict::Skip, reason.to_owned());
    };
    let size = limits.on_size().then(|| by_size(limits, new));
    let growth = limits.on_growth().then(|| by_growth(limits, change, base));
    match (size, growth) {
        (Some((Verdict::Fail, reason)), _) | (_, Some((Verdict::Fail, reason))) => {
            (Verdict::Fail, reason)
        }
        // A size that is kept says nothing of growth that nobody could judge.
        (Some((Verdict::Pass, size)), Some((verdict, growth))) => {
            (verdict, format!("{size}; {growth}"))
        }
        (Some(one), _) | (_, Some(one)) => one,
        (None, None) => (Verdict::Skip, "the rule has no limit".to_owned()),
    }
}

fn by_size(limits: Limits, new: Numbers) -> (Verdict, String) {
    let part = part(new.duplicate, new.resident);
    let over = limits.max_bytes.is_none_or(|most| new.duplicate > most)
        && limits.max_percent.is_none_or(|most| part > most);
    let allowed = allowed(limits.max_percent, limits.max_bytes);
    let size = format!("{} ({part:.1} %)", Bytes(new.duplicate));
    if over {
        (Verdict::Fail, format!("{size} is more than {allowed}"))
    } else {
        (Verdict::Pass, format!("{size} is not more than {allowed}"))
    }
}

fn by_growth(limits: Limits, change: &Change, base: Base) -> (Verdict, String) {
    let unknown = match base {
        Base::Missing => Some("there is no base to compare with"),
        Base::Empty => Some("nothing was hashed in the base: there is nothing to compare with"),
        Base::There => None,
    };
    let (None, Some(grown)) = (unknown, change.change_bytes) else {
        let reason =
            unknown.unwrap_or("the base report lists only some of its files, and not this one");
        return (Verdict::Skip, reason.to_owned());
    };
    let Ok(grown) = u64::try_from(grown) else {
        let shrunk = Bytes(grown.unsigned_abs());
        return (Verdict::Pass, format!("{shrunk} less"));
    };
    if grown == 0 {
        return (Verdict::Pass, "no change".to_owned());
    }
    // Growth from nothing is more than any percentage.
    let percent = change.change_percent.unwrap_or(f64::INFINITY);
    let allowed = allowed(limits.percent, limits.bytes);
    let words = if percent.is_finite() {
        format!("{} more (+{percent:.1} %)", Bytes(grown))
    } else {
        format!("{} more than nothing", Bytes(grown))
    };
    if change.is_noise() {
        let noise = Bytes(change.noise_bytes.unwrap_or(0));
        return (
            Verdict::Pass,
            format!("{words}, within the noise of {noise}"),
        );
    }
    let over = limits.bytes.is_none_or(|most| grown > most)
        && limits.percent.is_none_or(|most| percent > most);
    if over {
        (Verdict::Fail, format!("{words}, over {allowed}"))
    } else {
        (Verdict::Pass, format!("{words}, not over {allowed}"))
    }
}

fn allowed(percent: Option<f64>, bytes: Option<u64>) -> String {
    match (percent, bytes) {
        (Some(percent), Some(bytes)) => format!("{percent} % and {}", Bytes(bytes)),
        (Some(percent), None) => format!("{percent} %"),
        (None, Some(bytes)) => Bytes(bytes).to_string(),
        (None, None) => "nothing".to_owned(),
    }
}

/// A part in per cent, of nothing none.
fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    Bytes(part).to_f64() * 100.0 / Bytes(whole).to_f64()
}
