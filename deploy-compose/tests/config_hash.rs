//! Hashes of configurations, as the real tool computes them.
//!
//! The tool is Compose v2.26.1 as Debian 13 packages it. Where `DEPLOY_TEST_COMPOSE` names it, it is asked again;
//! `DEPLOY_UPDATE_VECTORS=1` then writes down what it says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use deploy_compose::{Loader, model::Project};

/// Hashes by file and service.
type Hashes = BTreeMap<(String, String), String>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The variables that both sides see.
fn variables() -> [(&'static str, String); 4] {
    let vectors = folder().join("vectors").display().to_string();
    [("TOKEN", "t0k3n".into()), ("HOME", "/home/me".into()), ("INHERITED", "from outside".into()), ("VECTORS", vectors)]
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("vectors")).expect("the vectors");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn ours(project: &Project) -> BTreeMap<String, Option<String>> {
    let hash = |name: &str| project.compose_config(name).map(|config| config.hash());
    project.services.keys().map(|name| (name.to_string(), hash(name.as_str()))).collect()
}

fn written() -> Hashes {
    let text = fs::read_to_string(folder().join("vectors/hashes.txt")).unwrap_or_default();
    let line = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [file, service, hash] => ((file.to_owned(), service.to_owned()), hash.to_owned()),
        _ => panic!("expected a file, a service and a hash, but found {line}"),
    };
    text.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

#[test]
fn hashes_are_those_of_the_real_tool() {
    let mut written = written();
    let mut wrong = Vec::new();
    for path in files() {
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let loader = Loader::new("/project").files([&path]).name("vectors").env(variables()).profiles(["*"]);
        let project = loader.load().unwrap_or_else(|error| panic!("{error}"));
        for (service, hash) in ours(&project) {
            if written.remove(&(file.clone(), service.clone())) != hash || hash.is_none() {
                wrong.push(format!("{file} {service}: {}", serde_json::json!(project.compose_config(&service))));
            }
        }
    }
    assert!(wrong.is_empty() && written.is_empty(), "{}\nnot found: {written:?}", wrong.join("\n"));
}

/// The real tool, if it is there.
fn tool() -> Option<PathBuf> {
    let tool = std::env::var_os("DEPLOY_TEST_COMPOSE").map(PathBuf::from);
    if tool.is_none() {
        eprintln!("skipped, because DEPLOY_TEST_COMPOSE names no Compose v2.26.1: .ci/run tools gets it");
    }
    tool
}

/// What the tool puts on containers. `config --hash` alone doesn't tell it: it hashes the names of `env_file`, where
/// `up` hashes the variables in them.
fn theirs(tool: &Path, directory: &Path, file: &Path) -> BTreeMap<String, String> {
    let run = |file: &Path, more: &[&str]| {
        let mut command = Command::new(tool);
        command.args(["-p", "vectors", "--profile", "*", "--project-directory"]).arg(directory);
        command.arg("-f").arg(file).arg("config").args(more).envs(variables());
        let output = command.output().expect("the tool runs");
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let text = fs::read_to_string(file).expect("a Compose file");
    let resolved = tempfile::NamedTempFile::new().expect("a file");
    let file = match text.contains("env_file:") {
        true => {
            fs::write(resolved.path(), run(file, &["--format", "json"])).expect("a written file");
            resolved.path()
        }
        false => file,
    };
    let hashes = String::from_utf8(run(file, &["--hash", "*"])).expect("a text");
    let pair = |line: &str| line.split_once(' ').map(|(service, hash)| (service.to_owned(), hash.to_owned()));
    hashes.lines().filter_map(pair).collect()
}

#[test]
fn the_real_tool_says_what_is_written_down() {
    let Some(tool) = tool() else { return };
    let mut said = Hashes::new();
    for path in files() {
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let hashes = theirs(&tool, Path::new("/project"), &path);
        said.extend(hashes.into_iter().map(|(service, hash)| ((file.clone(), service), hash)));
    }
    if std::env::var_os("DEPLOY_UPDATE_VECTORS").is_some() {
        let lines = said.iter().map(|((file, service), hash)| format!("{file} {service} {hash}\n"));
        let text = format!(
            "# As Compose v2.26.1 hashes these services: see ../config_hash.rs.\n{}",
            lines.collect::<String>()
        );
        fs::write(folder().join("vectors/hashes.txt"), text).expect("a written file");
    }
    assert_eq!(said, written());
}

#[test]
fn the_real_tool_agrees_on_projects_that_people_publish() {
    let Some(tool) = tool() else { return };
    for entry in fs::read_dir(folder().join("fixtures")).expect("the fixtures") {
        let directory = entry.expect("an entry").path();
        let loader = Loader::new(&directory).name("vectors").env(variables()).profiles(["*"]);
        let project = loader.load().unwrap_or_else(|error| panic!("{error}"));
        let ours: BTreeMap<_, _> =
            ours(&project).into_iter().filter_map(|(service, hash)| Some((service, hash?))).collect();
        assert_eq!(ours, theirs(&tool, &directory, &project.files[0]), "{}", directory.display());
    }
}

#[test]
fn a_namespace_of_another_service_is_hashed_by_its_container() {
    let load = |text: &str| Loader::new("/project").name("x").load_str("compose.yaml", text).expect("a project");
    let mode = |mode: &str| {
        format!(
            "services:\n  vpn: {{image: x}}\n  app: {{image: x, network_mode: '{mode}', depends_on: {{vpn: {{condition: service_started, restart: true}}}}}}\n"
        )
    };
    let shared = load(&mode("service:vpn"));
    let with_id = load(&mode("container:4f2e"));
    let app = shared.compose_config("app").expect("a known one");
    let id_of = |service: &str| (service == "vpn").then(|| "4f2e".to_owned());
    assert_eq!(app.hash_with(id_of), with_id.compose_config("app").expect("a known one").hash());
    assert_eq!(app.hash_with(|_| None), app.hash());
    let vpn = shared.compose_config("vpn").expect("a known one");
    assert_eq!(vpn.hash_with(id_of), vpn.hash());
}

#[test]
fn what_compose_might_write_otherwise_has_no_hash() {
    let text = |field: &str| format!("services: {{app: {{image: x, {field}}}, other: {{image: x}}}}");
    for field in ["cpu_quota: 50ms", "label_file: []"] {
        let project = Loader::new("/project").name("x").load_str("compose.yaml", &text(field)).expect("a project");
        assert_eq!(project.compose_config("app"), None, "{field}");
        assert!(project.compose_config("other").is_some());
    }
}

#[test]
fn values_of_variables_are_not_shown() {
    let text = "services: {app: {image: x, environment: {TOKEN: hunter2}}}";
    let project = Loader::new("/project").name("x").load_str("compose.yaml", text).expect("a project");
    let shown = format!("{:?}", project.compose_config("app"));
    assert!(shown.starts_with("Some(ComposeConfig(") && !shown.contains("hunter2"), "{shown}");
}
