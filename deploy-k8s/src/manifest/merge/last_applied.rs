use crate::names::LAST_APPLIED;
use serde::Serialize;
use serde_json::{Serializer, Value, json, ser::Formatter};
use std::io::{self, Write};

/// What `kubectl apply` would write into [`LAST_APPLIED`]: the manifest without that annotation, as Go writes JSON. It
/// compares byte by byte: of an object with a namespace, the manifest must name it, since `kubectl` fills it in.
pub(crate) fn last_applied(manifest: &Value) -> String {
    let mut manifest = manifest.clone();
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert(Value::Null);
        match annotations.as_object_mut() {
            Some(annotations) => drop(annotations.remove(LAST_APPLIED)),
            None => *annotations = json!({}),
        }
    }
    manifest.sort_all_objects();
    let mut text = Vec::new();
    // neither writing to memory nor a `Value` fails
    let written = manifest.serialize(&mut Serializer::with_formatter(&mut text, Go));
    debug_assert!(written.is_ok());
    text.push(b'\n');
    String::from_utf8_lossy(&text).into_owned()
}

/// JSON as Go's encoder writes it.
struct Go;

impl Formatter for Go {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            match c {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => write!(writer, "\\u{:04x}", u32::from(c))?,
                c => write!(writer, "{c}")?,
            }
        }
        Ok(())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format!("{value:e}");
            let text = if size < 1.0 { text } else { text.replace('e', "e+") };
            return writer.write_all(text.as_bytes());
        }
        write!(writer, "{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_go_writes_it() {
        let manifest = json!({
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "a", "annotations": {LAST_APPLIED: "{}", "note": "1 < 2 && 3 > 2"}},
            "data": {"b": "\u{8}\u{1f}\t\u{2028}é\"\\", "a": [1e21, 1e20, 1.5, -0.5, 1e-7, 0.000001, 7, null]},
        });
        assert_eq!(
            last_applied(&manifest),
            "{\"apiVersion\":\"v1\",\"data\":{\"a\":[1e+21,100000000000000000000,1.5,-0.5,1e-7,0.000001,7,null],\
             \"b\":\"\\b\\u001f\\t\\u2028é\\\"\\\\\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{\"note\":\
             \"1 \\u003c 2 \\u0026\\u0026 3 \\u003e 2\"},\"name\":\"a\"}}\n"
        );
        let plain = json!({"kind": "ConfigMap", "metadata": {"name": "a"}});
        assert_eq!(last_applied(&plain), "{\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\"}}\n");
    }
}
