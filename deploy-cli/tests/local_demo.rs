//! The demonstration on child processes, as a newcomer starts it.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// The command, whose temporary folders lie where they can be looked for.
fn demo(folder: &TempDir) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command.args(["demo", "--target", "local", "--rate", "50", "--output", "plain"]);
    command.env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn left(folder: &TempDir) -> usize {
    folder.path().read_dir().unwrap().count()
}

#[test]
fn no_request_is_lost_under_load_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&folder).wait_with_output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(" 0 lost: nobody noticed"), "{told}");
    assert_eq!(left(&folder), 0, "{told}");
}

#[test]
fn the_first_interrupt_goes_back_and_clears_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = demo(&folder);
    let mut told = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        // version 2 has all the requests, and version 1 still runs
        if line.contains("watch for 2 s") && line.contains('…') {
            let process = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
        }
        told.push_str(&line);
        told.push('\n');
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(told.contains("going back") && told.contains("was taken back"), "{told}");
    assert_eq!(left(&folder), 0, "{told}");
}
