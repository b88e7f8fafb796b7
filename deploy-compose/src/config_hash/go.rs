//! Values as Go prints them.

use serde_json::{Number, Value as Json};

/// JSON as Go's `json.Marshal` writes it.
pub(super) fn marshal(value: &Json) -> String {
    // these stand only within texts
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// A number of 32 bits: the shortest decimal that means it, and no `.0`.
pub(super) fn float32(number: f32) -> Option<Json> {
    let shortest: f64 = number.to_string().parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within an exact range")]
    let json = match shortest.fract() == 0.0 && shortest.abs() < 1e15 {
        true => Some(Number::from(shortest as i64)),
        false => Number::from_f64(shortest).filter(|_| shortest.abs() >= 1e-6 && shortest.abs() < 1e21),
    };
    json.map(Json::Number)
}

/// A `time.Duration`: `1m30s`, `1.5s`, `20ms`, `0s`.
pub(super) fn duration(nanoseconds: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    match nanoseconds {
        0 => return "0s".into(),
        1..1_000 => return format!("{nanoseconds}ns"),
        1_000..1_000_000 => return format!("{}µs", fraction(nanoseconds, 1_000)),
        1_000_000..SECOND => return format!("{}ms", fraction(nanoseconds, 1_000_000)),
        _ => {}
    }
    let (minutes, rest) = (nanoseconds / (60 * SECOND), nanoseconds % (60 * SECOND));
    let seconds = fraction(rest, SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// A decimal without trailing zeros.
fn fraction(number: u64, unit: u64) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", number / unit, number % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_written_like_go_writes_them() {
        let cases = [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (20_000_000, "20ms"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (90_061_001_000_000, "25h1m1.001s"),
        ];
        for (nanoseconds, text) in cases {
            assert_eq!(duration(nanoseconds), text);
        }
    }

    #[test]
    fn numbers_are_the_shortest_of_32_bits() {
        for (number, text) in [(0.1, "0.1"), (2.0, "2"), (0.25, "0.25"), (1.1, "1.1")] {
            assert_eq!(float32(number).map(|json| json.to_string()).as_deref(), Some(text));
        }
        assert_eq!(float32(f32::NAN), None);
    }

    #[test]
    fn what_a_page_could_take_for_markup_is_escaped() {
        assert_eq!(
            marshal(&json!({"a": "<b> && \"c\"\u{2028}\n"})),
            r#"{"a":"\u003cb\u003e \u0026\u0026 \"c\"\u2028\n"}"#
        );
    }
}
