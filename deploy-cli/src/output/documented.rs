//! The page on JSON shows what is written.

use super::{Entry, Status, json};
use crate::Exit;
use deploy_core::{
    engine::{Finish, Report},
    model::{DeploymentId, End, Plan},
    observer::{Notice, Progress},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Deserializer, Value};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/json.md");

/// The objects of a section: all that its blocks show.
fn objects(heading: &str) -> Vec<Value> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(|block| Deserializer::from_str(block).into_iter().map(Result::unwrap)).collect()
}

/// What is read of an object that is shown.
fn read<T: DeserializeOwned>(shown: &Value) -> T {
    serde_json::from_value(shown.clone()).unwrap_or_else(|error| panic!("{shown}: {error}"))
}

/// Fails unless it is read, and written as it is shown.
fn is_written<T: DeserializeOwned + Serialize>(shown: &Value) {
    assert_eq!(serde_json::to_value(read::<T>(shown)).unwrap(), *shown);
}

/// What a run's last object says, written anew.
fn finished_again(shown: &Value) -> String {
    let finish = match shown["finish"]["end"].as_str().unwrap() {
        "unchanged" => Finish::Unchanged,
        "suspended" => Finish::Suspended(shown["finish"]["why"].as_str().unwrap().into()),
        _ => Finish::Ended(read::<End>(&shown["finish"])),
    };
    let deployment = read::<Option<DeploymentId>>(&shown["deployment"]);
    json::finished(&Report { deployment, finish }, exit(shown))
}

fn exit(shown: &Value) -> Exit {
    Exit::ALL.into_iter().find(|exit| u64::from(exit.status()) == shown["exit"].as_u64().unwrap()).unwrap()
}

#[test]
fn what_a_run_writes_is_as_the_page_shows_it() {
    let mut kinds = BTreeSet::new();
    for shown in objects("`up`, `rollback`, `resume`, `abort`") {
        let text = |member: &str| shown[member].as_str().unwrap();
        kinds.insert(text("kind").to_owned());
        let again = match text("kind") {
            "preparing" => json::preparing(text("said")),
            "finished" => finished_again(&shown),
            "error" => json::error(text("message"), exit(&shown)),
            _ => json::line(&read::<Notice>(&shown)),
        };
        assert_eq!(read::<Value>(&again.parse().unwrap()), shown);
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["error", "event", "finished", "preparing", "progress"]);
}

#[test]
fn the_page_shows_all_progress_that_there_is() {
    let shown = objects("`up`, `rollback`, `resume`, `abort`");
    let shown: BTreeSet<_> = shown.iter().filter_map(|object| object["progress"].as_str()).collect();
    // the error names all that there are
    let error = serde_json::from_str::<Progress>("{\"progress\":\"none\"}").unwrap_err().to_string();
    let (_, known) = error.split_once("expected one of").unwrap();
    assert_eq!(shown, known.split('`').skip(1).step_by(2).collect());
}

#[test]
fn a_plan_what_serves_and_the_history_are_as_the_page_shows_them() {
    let [plans, statuses, entries] = ["`plan`", "`status`", "`history`"].map(objects);
    assert!(plans.len() == 1 && statuses.len() == 1 && !entries.is_empty());
    assert_eq!(read::<Plan>(&plans[0]).validate(), Ok(()));
    is_written::<Plan>(&plans[0]);
    is_written::<Status>(&statuses[0]);
    entries.iter().for_each(is_written::<Entry>);
    assert_eq!(json::message("down", "shop").parse::<Value>().unwrap(), objects("`down`")[0]);
}

#[test]
fn a_role_is_as_the_page_shows_it() {
    assert_eq!(objects("`rbac`"), deploy_k8s::Permissions::always().roles("shop").objects());
}
