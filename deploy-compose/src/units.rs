//! Sizes, CPU shares and durations as Compose writes them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

/// An amount of CPU time, in billionths of one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoCpus(pub u64);

pub(crate) const SIZE: &str = "a size such as 512m, 1.5gb or a number of bytes";
pub(crate) const DURATION: &str = "a duration such as 10s, 1m30s or 500ms";

/// Units that people write after a number of bytes, as powers of 1024.
const SIZE_UNITS: [(&str, i32); 6] = [("k", 1), ("m", 2), ("g", 3), ("t", 4), ("p", 5), ("", 0)];

/// Units of durations in nanoseconds, longest names first.
const DURATION_UNITS: [(&str, f64); 9] = [
    ("ms", 1e6),
    ("us", 1e3),
    ("µs", 1e3),
    ("ns", 1.0),
    ("w", 604_800e9),
    ("d", 86_400e9),
    ("h", 3_600e9),
    ("m", 60e9),
    ("s", 1e9),
];

impl ByteSize {
    /// Reads `1024`, `512m`, `1.5 GB` or `64kib`: units are powers of 1024 and may be followed by `b` or `ib`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let unit = unit.strip_suffix("ib").filter(|u| !u.is_empty()).or_else(|| unit.strip_suffix('b')).unwrap_or(unit);
        let power = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        if let (Ok(whole), Ok(power)) = (number.parse::<u64>(), u32::try_from(power)) {
            return whole.checked_mul(1024u64.checked_pow(power)?).map(Self);
        }
        let bytes = number.parse::<f64>().ok()? * 1024f64.powi(power);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within range")]
        (bytes < u64::MAX as f64).then_some(Self(bytes as u64))
    }
}

impl NanoCpus {
    /// Reads `0.5`; `None` for negative and for absurd amounts.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let cpus: f64 = text.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within range")]
        (0.0..1e9).contains(&cpus).then_some(Self((cpus * 1e9).round() as u64))
    }
}

/// Reads `1m30s`, `1.5h`, `2d` or `0`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, factor) = DURATION_UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        nanoseconds += number * factor;
    }
    let fits = !text.is_empty() && nanoseconds < 1e18;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within range")]
    fits.then(|| Duration::from_nanos(nanoseconds.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let cases = [
            ("1024", Some(1024)),
            ("1k", Some(1024)),
            ("64KB", Some(65_536)),
            ("512m", Some(536_870_912)),
            ("1.5g", Some(1_610_612_736)),
            ("2GiB", Some(2_147_483_648)),
            ("5 mb", Some(5_242_880)),
            ("7b", Some(7)),
            ("", None),
            ("m", None),
            ("1x", None),
            ("-1", None),
            ("1.2.3m", None),
            ("99999999999p", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(ByteSize::parse(text), bytes.map(ByteSize), "{text}");
        }
    }

    #[test]
    fn durations_add_up_their_parts() {
        let cases = [
            ("10s", Some(10_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("500ms", Some(500)),
            ("1d", Some(86_400_000)),
            ("1w2d", Some(777_600_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("10", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1s5", None),
            ("1y", None),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn cpus_are_billionths() {
        assert_eq!(NanoCpus::parse("0.5"), Some(NanoCpus(500_000_000)));
        assert_eq!(NanoCpus::parse("-1"), None);
        assert_eq!(NanoCpus::parse("NaN"), None);
    }
}
