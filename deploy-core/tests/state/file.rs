use crate::history::{journal, records};
use deploy_core::{
    journal::{FileJournal, Journal, JournalError, Record, write_line},
    model::{DeploymentId, Event},
};
use proptest::{prelude::*, sample::Index};
use std::{fs, path::Path};

const DEPLOYMENT: DeploymentId = DeploymentId(4);

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// The file as it is written, line by line.
fn lines(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| write_line(record).expect("a record is JSON") + "\n").collect()
}

fn journal_with(folder: &Path, bytes: &[u8]) -> FileJournal {
    fs::write(folder.join("4.jsonl"), bytes).expect("the folder takes a file");
    FileJournal::new(folder).expect("the folder is there")
}

/// How many of the lines are whole when so many bytes of them are there.
fn whole(lines: &[String], mut bytes: usize) -> usize {
    lines
        .iter()
        .take_while(|line| {
            let fits = line.len() <= bytes;
            bytes = bytes.saturating_sub(line.len());
            fits
        })
        .count()
}

fn is_damage(error: &JournalError, at: usize) -> bool {
    matches!(error, JournalError::Damaged { deployment: DEPLOYMENT, line, .. } if *line == at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_that_ends_anywhere_is_read_up_to_its_last_whole_line(events in journal(), cut in any::<Index>()) {
        let folder = tempfile::tempdir().unwrap();
        let records = records(&events);
        let lines = lines(&records);
        let all = lines.concat();
        let cut = cut.index(all.len() + 1);
        let journal = journal_with(folder.path(), &all.as_bytes()[..cut]);
        let whole = whole(&lines, cut);
        prop_assert_eq!(run(journal.read(DEPLOYMENT)).unwrap(), &records[..whole]);

        // what is missing is appended in its place, and the torn line is gone
        for record in &records[whole..] {
            run(journal.append(DEPLOYMENT, record)).unwrap();
        }
        prop_assert_eq!(run(journal.read(DEPLOYMENT)).unwrap(), records);
    }

    #[test]
    fn a_damaged_line_is_refused_by_its_number(events in journal(), which in any::<Index>(), bit in 0..7_u8) {
        let folder = tempfile::tempdir().unwrap();
        let lines = lines(&records(&events));
        let line = which.index(lines.len());
        let mut bytes = lines.concat().into_bytes();
        // the quote after the brace: a changed bit makes it neither a line's end nor a zero
        bytes[lines[..line].concat().len() + 1] ^= 1 << bit;
        let journal = journal_with(folder.path(), &bytes);
        let read = run(journal.read(DEPLOYMENT)).unwrap_err();
        prop_assert!(is_damage(&read, line + 1), "{read}");

        let next = Record { seq: events.len() as u64 + 1, ..records(&events)[0].clone() };
        let appended = run(journal.append(DEPLOYMENT, &next)).unwrap_err();
        prop_assert!(is_damage(&appended, line + 1), "{appended}");
        prop_assert_eq!(fs::read(folder.path().join("4.jsonl")).unwrap(), bytes, "nothing was cut off");
    }
}

#[test]
fn a_block_that_was_never_written_is_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(&[Event::Suspended { reason: "interrupted".into() }]);
    let mut bytes = lines(&records).concat().into_bytes();
    bytes.extend([0; 16]);
    bytes.push(b'\n');
    let journal = journal_with(folder.path(), &bytes);
    assert_eq!(run(journal.read(DEPLOYMENT)).unwrap(), records);
}
