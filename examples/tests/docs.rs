//! What the documentation shows is what the code writes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use deploy_core::{
    engine::State,
    journal::{FileJournal, Journal, read_line, write_line},
    model::{DeploymentId, End, Event},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const FAULTS: &str = include_str!("../../docs/faults.md");
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

/// The pages, with the folder that each one's links start at.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let folders = [docs.clone(), docs.join("adr")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let pages = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.parent().unwrap().to_owned(), fs::read_to_string(path).unwrap())).collect()
}

/// Where a heading is found on its page: `#write-ahead`.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|one| one.is_alphanumeric() || [' ', '-', '_'].contains(one));
    kept.map(|one| if one == ' ' { '-' } else { one.to_ascii_lowercase() }).collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut seen = 0;
    for (folder, page) in pages() {
        let links = page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://") && !link.starts_with("NNNN")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{link}: {error}"));
            let mut headings = target.lines().filter(|line| line.starts_with('#'));
            let found = headings.any(|line| anchor(line.trim_start_matches('#').trim()) == heading);
            assert!(heading.is_empty() || found, "{link}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} links");
}

/// The sources of every test.
fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            Some(extension) if extension == "rs" => found.push_str(&fs::read_to_string(path).unwrap()),
            _ if path.is_dir() => sources(&path, found),
            _ => {}
        }
    }
}

#[test]
fn every_test_that_the_page_of_faults_names_is_there() {
    let mut found = String::new();
    for package in ["deploy-core", "deploy-proxy", "deploy-docker", "deploy-k8s", "deploy-local", "deploy-cli"] {
        for folder in ["src", "tests"] {
            sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join(folder), &mut found);
        }
    }
    let names = FAULTS.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 2);
    let missing: Vec<_> = names.filter(|name| !found.contains(&format!("fn {name}("))).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_examples_are_as_short_as_is_promised() {
    for (text, most) in [(include_str!("../examples/deploy.rs"), 40), (include_str!("../src/static_site.rs"), 150)] {
        assert!(text.lines().count() <= most, "{} lines, not {most}", text.lines().count());
    }
}
