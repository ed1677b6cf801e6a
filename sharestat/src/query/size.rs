//! Sizes as people write them: `4096`, `10MiB`, `1.5g`, `2GB`.

const BINARY: [&str; 7] = ["", "k", "m", "g", "t", "p", "e"];

/// Parses a number of bytes. `K`, `KiB`, `M`, `MiB`, … are powers of 1024, `KB`, `MB`, …
/// powers of 1000; case does not matter; decimals are allowed and the result is rounded.
/// `None` for anything else, also for sizes of 2^64 bytes and more.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.to_ascii_lowercase();
    let (prefix, base) = if let Some(prefix) = unit.strip_suffix("ib") {
        (prefix, 1024_u64)
    } else if let Some(prefix) = unit.strip_suffix('b') {
        (prefix, 1000)
    } else {
        (unit.as_str(), 1024)
    };
    let power = BINARY.iter().position(|known| *known == prefix)?;
    let factor = base.pow(u32::try_from(power).ok()?);
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    if !number.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    scaled(number.parse().ok()?, factor)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "decimals are approximate anyway, and the range is checked"
)]
fn scaled(number: f64, factor: u64) -> Option<u64> {
    let bytes = (number * factor as f64).round();
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}
