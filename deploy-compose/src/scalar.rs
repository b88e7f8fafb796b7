//! Scalars as Compose resolves them: YAML 1.2's rules with the octal and binary numbers of 1.1.

use serde_json::{Number, Value as Json};

/// A scalar after YAML's own typing. Quoted scalars, blocks and interpolated ones are always text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
}

/// Longer texts are not repeated in messages.
const LONGEST_SHOWN: usize = 60;

impl Scalar {
    /// Types a plain (unquoted) scalar.
    pub(crate) fn plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Self::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => return Self::Float(f64::NEG_INFINITY),
            ".nan" | ".NaN" | ".NAN" => return Self::Float(f64::NAN),
            _ => {}
        }
        if let Some(integer) = integer(text) {
            return Self::Integer(integer);
        }
        match float(text) {
            Some(float) => Self::Float(float),
            None => Self::Text(text.to_owned()),
        }
    }

    /// The same by the rules of YAML 1.1, as `kubectl` knows them: `yes` and `on` are booleans, and a number that is whole
    /// is an integer, unless it is too large for one.
    pub(crate) fn plain_1_1(text: &str) -> Self {
        match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Self::Bool(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Self::Bool(false),
            _ => {}
        }
        match Self::plain(text) {
            // a number that no float can hold is none
            Self::Float(number) if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => {
                Self::Text(text.to_owned())
            }
            #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range of an i64")]
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9e18 => Self::Integer(number as i128),
            #[expect(clippy::cast_precision_loss, reason = "no integer of JSON can hold it")]
            Self::Integer(number) if u64::try_from(number).is_err() && i64::try_from(number).is_err() => {
                Self::Float(number as f64)
            }
            scalar => scalar,
        }
    }

    /// The value as Compose writes it where a text is wanted: `1.50` was a number and becomes `1.5`, `0x10` becomes
    /// `16`. `None` for null.
    pub(crate) fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Float(value) => Some(float_text(*value)),
            Self::Text(text) => Some(text.clone()),
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Integer(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => Json::Number(value.into()),
                (_, Ok(value)) => Json::Number(value.into()),
                _ => Json::String(value.to_string()),
            },
            Self::Float(value) => {
                Number::from_f64(*value).map_or_else(|| Json::String(value.to_string()), Json::Number)
            }
            Self::Text(text) => Json::String(text.clone()),
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".into(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => format!("the number {value}"),
            Self::Float(value) => format!("the number {}", float_text(*value)),
            Self::Text(text) if text.is_empty() => "an empty text".into(),
            Self::Text(text) if text.chars().count() > LONGEST_SHOWN => {
                format!("the text \"{}…\"", text.chars().take(LONGEST_SHOWN).collect::<String>())
            }
            Self::Text(text) => format!("the text \"{text}\""),
        }
    }

    pub(crate) fn describe_kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
        }
    }
}

fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

fn float(text: &str) -> Option<f64> {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mantissa_starts = body.starts_with(|c: char| c.is_ascii_digit())
        || (body.starts_with('.') && body[1..].starts_with(|c: char| c.is_ascii_digit()));
    let allowed = body.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-' | '_'));
    if !mantissa_starts || !allowed {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// A float the way Compose prints it: the shortest decimal, with an exponent below 1e-4 and from 1e21 on.
fn float_text(value: f64) -> String {
    let exponent = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    if !value.is_finite() || (-4.0..21.0).contains(&exponent) {
        return match value {
            v if v.is_nan() => "NaN".into(),
            v if v == f64::INFINITY => "+Inf".into(),
            v if v == f64::NEG_INFINITY => "-Inf".into(),
            v => v.to_string(),
        };
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_typed_like_compose() {
        let cases = [
            ("80", Scalar::Integer(80)),
            ("-1", Scalar::Integer(-1)),
            ("0644", Scalar::Integer(420)),
            ("0o644", Scalar::Integer(420)),
            ("0x1F", Scalar::Integer(31)),
            ("0b11", Scalar::Integer(3)),
            ("1_000", Scalar::Integer(1000)),
            ("0", Scalar::Integer(0)),
            ("1.5", Scalar::Float(1.5)),
            (".5", Scalar::Float(0.5)),
            ("1e3", Scalar::Float(1000.0)),
            ("true", Scalar::Bool(true)),
            ("~", Scalar::Null),
        ];
        for (text, expected) in cases {
            assert_eq!(Scalar::plain(text), expected, "{text}");
        }
    }

    /// Each was read by `kubectl create --dry-run=client -o json`.
    #[test]
    fn plain_scalars_of_yaml_1_1_are_typed_like_kubectl() {
        let booleans = ["y", "Y", "yes", "YES", "on", "On", "true"].map(|text| (text, Scalar::Bool(true)));
        let others = ["n", "N", "no", "No", "OFF", "off", "False"].map(|text| (text, Scalar::Bool(false)));
        let numbers = [
            ("0644", Scalar::Integer(420)),
            ("0o644", Scalar::Integer(420)),
            ("-0644", Scalar::Integer(-420)),
            ("089", Scalar::Integer(89)),
            ("0b11", Scalar::Integer(3)),
            ("1_000", Scalar::Integer(1000)),
            ("1.0", Scalar::Integer(1)),
            ("5.", Scalar::Integer(5)),
            ("1e3", Scalar::Integer(1000)),
            ("1.50", Scalar::Float(1.5)),
            ("1e21", Scalar::Float(1e21)),
            ("99999999999999999999", Scalar::Float(1e20)),
            ("18446744073709551615", Scalar::Integer(u64::MAX.into())),
        ];
        for (text, expected) in booleans.into_iter().chain(others).chain(numbers) {
            assert_eq!(Scalar::plain_1_1(text), expected, "{text}");
        }
        for text in ["oN", "yEs", "22:22", "2001-01-01", "1e400", "_1", "0x", "0o8", "0b12", "1e", "=", "1.2.3"] {
            assert_eq!(Scalar::plain_1_1(text), Scalar::Text(text.into()));
        }
    }

    #[test]
    fn what_is_no_number_stays_text() {
        for text in ["yes", "on", "22:22", "1.2.3", "089", "-", "+", ".", "1 2", "0x", "2001-01-01", "_1", "e5", "é"] {
            let scalar = Scalar::plain(text);
            // `0x` and `089` have no digits of their base left.
            assert!(matches!(scalar, Scalar::Text(_) | Scalar::Float(_)), "{text}: {scalar:?}");
            assert!(!matches!(scalar, Scalar::Integer(_)), "{text}: {scalar:?}");
        }
    }

    #[test]
    fn numbers_become_the_text_that_compose_writes() {
        for (plain, text) in
            [("1.50", "1.5"), ("1.0", "1"), ("0755", "493"), ("1e21", "1e+21"), ("0.00001", "1e-05"), ("1e3", "1000")]
        {
            assert_eq!(Scalar::plain(plain).to_text().as_deref(), Some(text), "{plain}");
        }
    }
}
