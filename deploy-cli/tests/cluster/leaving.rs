//! What the page on leaving says of a cluster is what happens.

use crate::ground::Ground;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/leaving.md");
/// What was deployed, what that owns, and all of ours but the lease.
const OBJECTS: &str = "deployments,replicasets,services,configmaps,secrets";

/// The commands below a heading of the page.
fn commands(heading: &str) -> Vec<&'static str> {
    let (_, below) = PAGE.split_once(&format!("# {heading}\n")).unwrap_or_else(|| panic!("the page has no {heading}"));
    let below = below.split_once("\n#").map_or(below, |(below, _)| below);
    let blocks: Vec<_> = below.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "{heading} has no commands");
    blocks
}

fn follow(ground: &Ground, heading: &str) -> String {
    commands(heading).iter().map(|block| ground.sh(&block.replace("sleep 5", "sleep 1"))).collect()
}

/// What serves: the Deployment's and the Service's own fields, and the pods that run, with their restarts.
#[derive(Debug, PartialEq)]
struct Serving {
    deployment: Value,
    service: Value,
    pods: Vec<String>,
}

impl Serving {
    fn now(ground: &Ground) -> Self {
        let get = |args: &[&str]| -> Value {
            serde_json::from_str(&ground.kubectl(&[&["get", "--output", "json"], args].concat())).unwrap()
        };
        let pods = get(&["pods", "--selector", "app=web"])["items"].as_array().unwrap().clone();
        let is_running = |pod: &&Value| pod["metadata"].get("deletionTimestamp").is_none();
        let told = |pod: &Value| {
            let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
            format!("{} {} {restarts}", pod["metadata"]["name"], pod["metadata"]["uid"])
        };
        let mut pods: Vec<_> = pods.iter().filter(is_running).map(told).collect();
        pods.sort();
        let [deployment, service] = ["deployment", "service"].map(|kind| get(&[kind, "web"])["spec"].clone());
        Self { deployment, service, pods }
    }

    fn version(&self) -> &Value {
        &self.deployment["template"]["spec"]["containers"][0]["env"][0]["value"]
    }
}

/// Leaves, and looks whether anything is left, or anything else has changed. Yields what `kubectl apply` says then, which
/// changes nothing that serves.
fn leave(ground: &Ground, file: &str) -> String {
    let before = (Serving::now(ground), ground.names(OBJECTS).lines().count());
    let ours = ground.names("leases,configmaps,secrets").matches("/deploy").count();
    follow(ground, "Leaving, in a cluster");
    assert_eq!(ground.names("leases"), "");
    assert_eq!((Serving::now(ground), ground.names(OBJECTS).lines().count() + ours - 1), before);
    let all = ground.kubectl(&["get", OBJECTS, "--output", "json"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    for object in all["items"].as_array().unwrap() {
        let metadata = &object["metadata"];
        let marks = format!("{}{}{}", metadata["name"], metadata["labels"], metadata["annotations"]);
        assert!(!marks.contains("deploy-rs") && !marks.contains("\"deploy-"), "{marks}");
    }
    let path = ground.folder.path().join(file);
    let apply = || ground.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
    let (first, second) = (apply(), apply());
    assert!(is_unchanged(&second), "{second}");
    assert_eq!(Serving::now(ground), before.0);
    first
}

fn is_unchanged(applied: &str) -> bool {
    applied.lines().count() == 2 && applied.lines().all(|line| line.ends_with(" unchanged"))
}

#[test]
fn kubectl_alone_shows_what_is_there_ends_a_hold_either_way_and_leaves() {
    let Some(ground) = Ground::new("leave") else { return };
    for version in ["1", "2", "3"] {
        ground.write(&format!("{version}.yaml"), version);
    }
    let blue_green = |file| ["up", "-f", file, "--strategy", "blue-green", "--settle", "1s"];
    for file in ["1.yaml", "2.yaml"] {
        let (status, said) = ground.deploy(&blue_green(file));
        assert_eq!(status, 0, "{said}");
    }
    let seen = follow(&ground, "What is there");
    for words in ["deploy-key", "\"release\":\"web-", "/ended", ":test", "\"event\":\"planned\""] {
        assert!(seen.contains(words), "expected {words}, but found {seen}");
    }
    assert_eq!(follow(&ground, "A hold"), "");
    let two = Serving::now(&ground);
    assert_eq!(two.version(), "2");
    let applied = leave(&ground, "2.yaml");
    assert!(is_unchanged(&applied), "{applied}");

    let hold = || {
        ground.killed_at(&[&blue_green("3.yaml")[..], &["--bake", "5m"]].concat(), "watch for 5 min");
        let held = follow(&ground, "A hold");
        assert!(held.contains("\"beside\":\"web-"), "{held}");
        assert_eq!(Serving::now(&ground).pods.len(), 4);
    };
    hold();
    follow(&ground, "Back to the old release");
    assert_eq!(Serving::now(&ground), two);
    leave(&ground, "2.yaml");

    hold();
    follow(&ground, "On to the new release");
    let three = Serving::now(&ground);
    assert_eq!((three.version(), three.pods.len()), (&Value::from("3"), 2));
    assert_eq!(three.service, two.service);
    leave(&ground, "3.yaml");
}
