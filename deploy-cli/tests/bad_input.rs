//! What the command says to input that is wrong, before anything happens, and how it ends then.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

use assert_cmd::Command;
use std::{fs, path::Path};

/// The command in an empty folder, with an Engine that isn't there.
fn deploy(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command.current_dir(folder).env_remove("COMPOSE_FILE").env_remove("DOCKER_CONTEXT");
    command.env("DOCKER_HOST", "unix:///nowhere/engine.sock").env("NO_COLOR", "1");
    command
}

/// The exit status, and what was written to standard error.
fn ends(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_wrong_flag_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["up", "--nonsense"][..], &["rollout"], &[], &["up", "--bake", "soon"], &["plan", "--strategy", "x"]]
    {
        let (status, said) = ends(deploy(folder.path()).args(args));
        assert_eq!(status, 2, "{args:?}: {said}");
    }
}

#[test]
fn no_compose_file_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["up", "plan", "status", "down"] {
        let (status, said) = ends(deploy(folder.path()).arg(command));
        assert_eq!(status, 2, "{command}: {said}");
        assert!(said.contains("expected a Compose file"), "{command}: {said}");
    }
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("compose.yaml"), "services:\n  web:\n    image: app:1\n    prots: ['80:80']\n")
        .unwrap();
    let (status, said) = ends(deploy(folder.path()).arg("up"));
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("compose.yaml:4:5") && said.contains("prots"), "{said}");
}

#[test]
fn no_engine_fails_before_any_change() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("compose.yaml"), "services:\n  web:\n    image: app:1\n").unwrap();
    for args in [&["up"][..], &["plan"], &["-p", "shop", "history"], &["-p", "shop", "rollback"]] {
        let (status, said) = ends(deploy(folder.path()).args(args));
        assert_eq!(status, 1, "{args:?}: {said}");
        assert!(said.contains("/nowhere/engine.sock"), "{args:?}: {said}");
    }
}

#[test]
fn a_plan_that_is_none_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plan.json"), r#"{"format": 7, "min_reader": 7}"#).unwrap();
    for file in ["plan.json", "missing.json"] {
        let (status, said) = ends(deploy(folder.path()).args(["up", "--plan", file]));
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(file), "{said}");
    }
}

#[test]
fn programs_get_errors_as_objects() {
    let folder = tempfile::tempdir().unwrap();
    let output = deploy(folder.path()).args(["--output", "json", "up"]).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&object["kind"], &object["exit"]), (&"error".into(), &2.into()));
    assert!(output.stderr.is_empty());
}

#[test]
fn help_tells_the_exit_statuses() {
    let folder = tempfile::tempdir().unwrap();
    let output = deploy(folder.path()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for exit in deploy_cli::Exit::ALL {
        assert!(help.contains(&format!("{:>3}  {}", exit.status(), exit.meaning())), "{help}");
    }
}
