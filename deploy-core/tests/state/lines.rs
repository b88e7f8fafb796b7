use crate::arbitrary;
use deploy_core::{
    journal::{LineError, RECORD_FORMAT, Record, read_line, write_line},
    model::{Event, Fence, Plan},
};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

fn record(event: Event) -> Record {
    Record::new(7, Fence(3), event)
}

/// A line with a right checksum around whatever stands in it.
fn sealed(record: &Value) -> String {
    let mut body = record.to_string();
    body.pop(); // the closing brace
    format!("{body},\"crc\":\"{:08x}\"}}", crc32fast::hash(body.as_bytes()))
}

proptest! {
    #[test]
    fn every_event_comes_back_from_its_line(event in arbitrary::event()) {
        let record = record(event);
        let line = write_line(&record).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(read_line(&line).unwrap(), record);
    }

    #[test]
    fn every_plan_comes_back_from_json(plan in arbitrary::plan()) {
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }

    #[test]
    fn an_event_of_a_newer_version_is_written_again_as_it_was_read(event in arbitrary::newer_event()) {
        let line = write_line(&record(event)).unwrap();
        let read = read_line(&line).unwrap();
        prop_assert!(matches!(read.event, Event::Unknown(_)));
        prop_assert_eq!(write_line(&read).unwrap(), line);
    }

    #[test]
    fn a_known_event_without_one_of_its_members_is_refused(event in arbitrary::event(), which in any::<Index>()) {
        prop_assume!(!matches!(event, Event::Unknown(_)));
        let mut record = serde_json::to_value(record(event)).unwrap();
        let members = record["event"].as_object_mut().unwrap();
        let name = which.get(&members.keys().cloned().collect::<Vec<_>>()).clone();
        members.shift_remove(&name);
        prop_assert!(matches!(read_line(&sealed(&record)), Err(LineError::Json(_))), "without {name}");
    }

    #[test]
    fn a_record_of_a_newer_format_names_the_format_that_it_needs(
        needed in RECORD_FORMAT + 1..,
        event in arbitrary::json(),
    ) {
        let newer = json!({"format": needed, "min_reader": needed, "event": event, "sealed_by": "ops"});
        let found = match read_line(&sealed(&newer)) {
            Err(LineError::TooNew { needed }) => Some(needed),
            _ => None,
        };
        prop_assert_eq!(found, Some(needed));
    }

    #[test]
    fn a_changed_character_is_noticed(event in arbitrary::event(), at in any::<Index>(), to in " -~") {
        let line = write_line(&record(event)).unwrap();
        let places: Vec<_> = line.char_indices().collect();
        let (at, was) = *at.get(&places);
        let changed = format!("{}{to}{}", &line[..at], &line[at + was.len_utf8()..]);
        if let Ok(read) = read_line(&changed) {
            // only a digit of the checksum may be spelt otherwise
            prop_assert_eq!(write_line(&read).unwrap(), line);
        }
    }
}

#[test]
fn a_line_without_a_checksum_is_no_record() {
    for line in ["", "{}", "{\"format\":1,\"crc\":\"0\"}", "{\"format\":1,\"crc\":\"00000000\""] {
        assert!(matches!(read_line(line), Err(LineError::NoChecksum)), "{line}");
    }
}
