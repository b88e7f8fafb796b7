use crate::ground::{is_there, kubectl};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

#[test]
fn an_interrupted_demo_leaves_nothing() {
    if !is_there() {
        return;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command.args(["demo", "--target", "kubernetes", "--output", "plain", "--settle", "1s"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("\u{2713} web  run v1") {
            let process = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
        }
        told.push_str(&line);
        told.push('\n');
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(told.contains("was taken back") && told.contains("Clearing up."), "{told}");
    let name = told.split("to namespace ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let phase = "jsonpath={.status.phase}";
    let phase = kubectl(&["get", "namespace", name, "--ignore-not-found", "--output", phase]);
    assert!(["", "Terminating"].contains(&phase.as_str()), "{phase}: {told}");
    let images = Command::new("docker").args(["images", "--quiet", name]).output().unwrap();
    assert!(images.status.success() && images.stdout.is_empty(), "{told}");
}
