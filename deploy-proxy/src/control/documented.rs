//! The page on the protocol shows what is spoken.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::link::{Asked, Replied, Reply};
use super::{Answer, Command, Hello, MAX_FRAME, PROTOCOL, Refusal};

const PAGE: &str = include_str!("../../../docs/control-protocol.md");

fn messages() -> impl Iterator<Item = Value> {
    PAGE.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap())
}

/// Fails unless it is read, and written as it is shown.
fn is_spoken<T: DeserializeOwned + Serialize>(shown: &Value) {
    let read: T = serde_json::from_value(shown.clone()).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(serde_json::to_value(read).unwrap(), *shown);
}

/// The name of what an enum's JSON says.
fn name(shown: &Value) -> String {
    let named = shown.as_object().and_then(|members| members.keys().next().cloned());
    named.or_else(|| shown.as_str().map(str::to_owned)).unwrap()
}

#[test]
fn every_message_that_the_page_shows_is_spoken_so() {
    for message in messages() {
        if message.get("protocol").is_some() {
            is_spoken::<Hello>(&message);
        } else if message.get("ask").is_some() {
            is_spoken::<Asked>(&message);
            is_spoken::<Command>(&message["ask"]);
        } else {
            is_spoken::<Replied>(&message);
            is_spoken::<Reply<Answer, Refusal>>(&message["reply"]);
        }
    }
}

#[test]
fn the_page_shows_every_command_and_tells_of_every_answer_and_refusal() {
    let shown: BTreeSet<_> = messages().filter_map(|message| Some(name(message.get("ask")?))).collect();
    // the error names all that there are
    let known = |error: serde_json::Error| -> BTreeSet<String> {
        let error = error.to_string();
        let (_, names) = error.split_once("expected one of").unwrap();
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    assert_eq!(shown, known(serde_json::from_str::<Command>("\"none\"").unwrap_err()));
    let others = [
        known(serde_json::from_str::<Answer>("\"none\"").unwrap_err()),
        known(serde_json::from_str::<Refusal>("\"none\"").unwrap_err()),
    ];
    for name in others.iter().flatten() {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_page_is_of_this_version() {
    assert!(PAGE.contains(&format!("This page is version {PROTOCOL}.")));
    assert!(PAGE.contains(&format!("{} MiB", MAX_FRAME >> 20)));
}
