//! What the command says to input that is wrong, before anything happens, and how it ends then.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

use assert_cmd::Command;
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::Path,
    sync::{Arc, Mutex},
};

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
    for args in [
        &["up", "--nonsense"][..],
        &["rollout"],
        &[],
        &["up", "--bake", "soon"],
        &["plan", "--strategy", "x"],
        &["demo", "--image", "x"],
        &["demo", "--namespace", "x"],
        &["demo", "--target", "kubernetes", "--namespace", "x"],
    ] {
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

/// An old Engine without networks and volumes in a folder, which has heard these requests.
fn empty_engine(folder: &Path) -> Arc<Mutex<Vec<String>>> {
    let listener = UnixListener::bind(folder.join("engine.sock")).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or_default();
            let line = String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned();
            let path = line.split([' ', '?']).nth(1).unwrap_or_default();
            let (status, body) = match path {
                "/version" => ("200 OK", r#"{"ApiVersion":"1.41","Os":"linux","Arch":"amd64"}"#),
                "/networks" => ("200 OK", "[]"),
                "/volumes" => ("200 OK", r#"{"Volumes":[],"Warnings":null}"#),
                _ => ("500 Internal Server Error", r#"{"message":"nothing else is done here"}"#),
            };
            let length = body.len();
            hears.lock().unwrap().push(path.to_owned());
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    heard
}

#[test]
fn what_the_file_names_must_be_there_before_anything_is_done() {
    const ONLY_ITS_VERSION: &[&str] = &["/version"];
    const WHAT_IS_THERE: &[&str] = &["/version", "/networks", "/volumes"];
    let cases = [
        (
            "    secrets: [token]\nsecrets:\n  token: { file: nowhere }\n",
            "compose.yaml:6:12: secrets.token.file: expected the content of token for web: expected a readable file at",
            ONLY_ITS_VERSION,
        ),
        (
            "    read_only: true\n    configs: [motd]\nconfigs:\n  motd: { content: hello }\n",
            "compose.yaml:7:11: configs.motd.content: expected motd to come from a `file:`, because the containers of web",
            ONLY_ITS_VERSION,
        ),
        (
            "    healthcheck: { start_interval: 1s }\n",
            "compose.yaml:4:20: services.web.healthcheck.start_interval: expected Docker 25.0 or newer (API 1.44), but",
            ONLY_ITS_VERSION,
        ),
        (
            "    networks: [front]\nnetworks:\n  front: { external: true, name: office }\n",
            "compose.yaml:6:3: networks.front: expected the external network office, but found none: make it with",
            WHAT_IS_THERE,
        ),
        (
            "    volumes: ['data:/data']\nvolumes:\n  data: { external: true }\n",
            "compose.yaml:6:3: volumes.data: expected the external volume data, but found none: make it with",
            WHAT_IS_THERE,
        ),
        ("    build: .\n", "expected 0 or 1 in DOCKER_BUILDKIT, but found `perhaps`: unset it", ONLY_ITS_VERSION),
    ];
    for (more, expected, asked) in cases {
        let folder = tempfile::tempdir().unwrap();
        let heard = empty_engine(folder.path());
        fs::write(folder.path().join("compose.yaml"), format!("services:\n  web:\n    image: app:1\n{more}")).unwrap();
        let mut command = deploy(folder.path());
        command.env("DOCKER_HOST", format!("unix://{}", folder.path().join("engine.sock").display()));
        command.env("DOCKER_BUILDKIT", "perhaps");
        let (status, said) = ends(command.arg("up"));
        assert!(said.contains(expected), "{said}");
        assert_eq!(status, 2, "{said}");
        let heard = heard.lock().unwrap().clone();
        assert!(heard.iter().all(|path| asked.contains(&path.as_str())), "{heard:?}");
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
