//! Damage to the journal in the project's state volume.

use crate::{
    ground::{Ground, assert_converged, free_port, get, web},
    load::Load,
};
use bollard::{body_full, query_parameters as query};
use deploy_core::{
    journal::{read_line, write_line},
    strategy::Rolling,
};
use futures_util::TryStreamExt;
use std::io::Read;

/// A deployment's journal in the state volume, as its proxy's container has it.
struct JournalFile<'a> {
    ground: &'a Ground,
    number: u64,
}

impl JournalFile<'_> {
    /// Whoever took over has renamed it.
    async fn proxy(&self) -> String {
        let mut names = self.ground.containers().await.into_iter().map(|(name, _)| name);
        names.find(|name| name.contains("-proxy")).unwrap()
    }

    async fn read(&self) -> Vec<u8> {
        let path = format!("/state/journal/{}.jsonl", self.number);
        let options = query::DownloadFromContainerOptions { path };
        let archive = self.ground.docker.download_from_container(&self.proxy().await, Some(options));
        let archive = archive.try_collect::<Vec<_>>().await.unwrap().concat();
        let mut bytes = Vec::new();
        let mut archive = tar::Archive::new(&archive[..]);
        archive.entries().unwrap().next().unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    async fn write(&self, bytes: &[u8]) {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, format!("{}.jsonl", self.number), bytes).unwrap();
        let archive = body_full(archive.into_inner().unwrap().into());
        let options = query::UploadToContainerOptions { path: "/state/journal".into(), ..Default::default() };
        self.ground.docker.upload_to_container(&self.proxy().await, Some(options), archive).await.unwrap();
    }
}

/// What is there, under the names that it had before anybody took over.
async fn containers(ground: &Ground) -> Vec<(String, String)> {
    let mut all = ground.containers().await;
    for (name, _) in &mut all {
        name.truncate(name.find("-fence").unwrap_or(name.len()));
    }
    all
}

/// An error with what caused it.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_read_up_to_a_torn_line_and_otherwise_refused_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let load = Load::start(port);
    let text = web(port, "v2", "START_MS: '1500'");
    let mut deployer = ground.begin(&text, &Rolling);
    deployer.checked().await;
    deployer.kill().await;
    let journal = JournalFile { ground: &ground, number: 2 };
    let whole = journal.read().await;
    let there = containers(&ground).await;

    let mut flipped = whole.clone();
    let second = flipped.iter().position(|byte| *byte == b'\n').unwrap() + 40;
    flipped[second] ^= 1;
    journal.write(&flipped).await;
    let error = words(&*ground.begin(&text, &Rolling).end().await.unwrap_err());
    assert!(error.contains("line 2 of the journal of deployment 2"), "{error}");
    assert_eq!((containers(&ground).await, journal.read().await), (there.clone(), flipped));

    let lines = std::str::from_utf8(&whole).unwrap();
    let mut newer = read_line(lines.lines().last().unwrap()).unwrap();
    (newer.seq, newer.format, newer.min_reader) = (newer.seq + 1, 9, 9);
    let newer = [&whole[..], write_line(&newer).unwrap().as_bytes(), b"\n"].concat();
    journal.write(&newer).await;
    let error = words(&*ground.begin(&text, &Rolling).end().await.unwrap_err());
    assert!(error.contains("needs format 9; use a newer deploy"), "{error}");
    assert_eq!((containers(&ground).await, journal.read().await), (there, newer));
    assert_eq!(get(port).await.as_deref(), Some("v1"));

    let torn = [&whole[..], br#"{"format":1,"min_reader":1,"seq"#].concat();
    journal.write(&torn).await;
    ground.succeeds(&text, &Rolling).await;
    assert_converged(&ground, port, "v2", "after a torn line").await;
    assert!(journal.read().await.starts_with(&whole), "the same deployment went on");
    load.lost_none().await;
    ground.clear().await;
}
