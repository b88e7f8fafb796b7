use serde_json::Value;

/// Whether what is there has all that a manifest says: the server fills fields in, and others add some, so there may be more.
pub(crate) fn covers(there: &Value, manifest: &Value) -> bool {
    match (there, manifest) {
        // an empty or absent map is the same to the server
        (Value::Null, Value::Object(map)) => map.values().all(|value| covers(&Value::Null, value)),
        (Value::Null, Value::Array(list)) => list.is_empty(),
        (_, Value::Null) => true,
        (Value::Object(there), Value::Object(map)) => {
            map.iter().all(|(name, value)| covers(there.get(name).unwrap_or(&Value::Null), value))
        }
        (Value::Array(there), Value::Array(list)) => {
            there.len() == list.len() && there.iter().zip(list).all(|(there, value)| covers(there, value))
        }
        (there, value) => there == value || quantity(there).is_some_and(|amount| Some(amount) == quantity(value)),
    }
}

/// A quantity as a number: `500m` is 0.5, and `1Gi` is what it is. The server writes them in another form than people do.
fn quantity(value: &Value) -> Option<f64> {
    const UNITS: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = match value {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.as_str(),
        _ => return None,
    };
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) = unit.map_or((text, 1.0), |(unit, factor)| (&text[..text.len() - unit.len()], *factor));
    digits.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn more_than_the_manifest_says_may_be_there() {
        let there = json!({ "a": 1, "list": [{ "port": 80, "protocol": "TCP" }], "cpu": "500m" });
        for manifest in
            [json!({ "a": 1 }), json!({ "list": [{ "port": 80 }], "b": {}, "c": null }), json!({ "cpu": "0.5" })]
        {
            assert!(covers(&there, &manifest), "{manifest}");
        }
        for manifest in [json!({ "a": 2 }), json!({ "list": [] }), json!({ "b": { "c": 1 } }), json!({ "cpu": "1" })] {
            assert!(!covers(&there, &manifest), "{manifest}");
        }
    }
}
