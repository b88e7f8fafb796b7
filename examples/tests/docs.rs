//! What the documentation shows is what the code writes.

use deploy_core::{
    engine::State,
    journal::{FileJournal, Journal, read_line, write_line},
    model::{DeploymentId, End, Event},
};
use std::{collections::BTreeSet, fs};

const JOURNAL: &str = include_str!("../../docs/journal.md");

/// The lines of a page that are records.
fn records() -> impl Iterator<Item = &'static str> {
    JOURNAL.lines().filter(|line| line.starts_with("{\"format\""))
}

#[test]
fn every_record_that_the_journals_page_shows_is_written_so() {
    for line in records() {
        assert_eq!(write_line(&read_line(line).unwrap()).unwrap(), line);
    }
}

#[test]
fn the_journals_page_shows_an_event_of_each_kind() {
    let kind =
        |line| serde_json::to_value(read_line(line).unwrap().event).unwrap()["event"].as_str().unwrap().to_owned();
    let shown: BTreeSet<_> = records().map(kind).collect();
    assert_eq!(shown, Event::KINDS.into_iter().map(str::to_owned).collect());
}

#[tokio::test]
async fn the_file_that_the_journals_page_shows_is_a_deployment() {
    let start = JOURNAL.find("```json\n").unwrap() + "```json\n".len();
    let file = JOURNAL[start..].split_once("```").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.jsonl"), file).unwrap();
    let records = FileJournal::new(folder.path()).unwrap().read(DeploymentId(1)).await.unwrap();
    let state = State::replay(&records).unwrap().unwrap();
    assert_eq!(state.end(), Some(&End::Succeeded));
}
