//! The real Compose beside a deployed project. Where `DEPLOY_TEST_COMPOSE` names no Compose v2.26.1, these say so and pass.

use crate::ground::{Ground, free_port, get};
use bollard::query_parameters as query;
use deploy_core::{engine::Finish, model::End, strategy::Rolling};
use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

/// A project on the Engine with the real tool.
struct Beside {
    ground: Ground,
    tool: PathBuf,
}

/// A container: its id, when it was started, and whether it runs.
type Seen = (String, String, bool);

impl Beside {
    async fn new() -> Option<Self> {
        let Some(tool) = std::env::var_os("DEPLOY_TEST_COMPOSE").map(PathBuf::from) else {
            eprintln!("skipped, because DEPLOY_TEST_COMPOSE names no Compose v2.26.1: .ci/run tools gets it");
            return None;
        };
        let ground = Ground::new().await?;
        Some(Self { ground, tool })
    }

    /// What `docker compose` says, progress and output together.
    async fn compose(&self, command: &str) -> String {
        let (succeeded, said) = self.try_compose(command).await;
        assert!(succeeded, "{command}: {said}");
        said
    }

    async fn try_compose(&self, command: &str) -> (bool, String) {
        let mut compose = Command::new(&self.tool);
        compose
            .args(["--project-name", &self.ground.name, "--file"])
            .arg(self.ground.folder.path().join("compose.yaml"));
        compose.args(command.split(' ')).current_dir(self.ground.folder.path());
        let output = tokio::task::spawn_blocking(move || compose.output().unwrap()).await.unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), said)
    }

    async fn deploy(&self, text: &str) {
        let report = self.ground.deploy(text, &Rolling).await;
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    }

    /// Everything of the project by name, whoever made it.
    async fn containers(&self) -> BTreeMap<String, Seen> {
        let mut containers = BTreeMap::new();
        for label in ["deploy.project", "com.docker.compose.project"] {
            let filters = [("label".to_owned(), vec![format!("{label}={}", self.ground.name)])].into();
            let options = query::ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
            for one in self.ground.docker.list_containers(Some(options)).await.unwrap() {
                let name = one.names.unwrap()[0].trim_start_matches('/').to_owned();
                let Ok(found) = self.ground.docker.inspect_container(&name, None).await else { continue };
                let state = found.state.unwrap();
                let seen = (found.id.unwrap(), state.started_at.unwrap_or_default(), state.running == Some(true));
                containers.insert(name, seen);
            }
        }
        containers.retain(|name, _| !name.contains("-deploy-agent-"));
        containers
    }

    async fn clear(&self) {
        self.compose("down --volumes --timeout 2").await;
        self.ground.clear().await;
    }
}

/// Routed and in two instances, shared, sharing, and with everything that `up` and `config --hash` disagree about.
fn project(port: u16, version: &str) -> String {
    format!(
        "services:
  web:
    image: IMAGE
    command: [/deploy, serve]
    environment: {{ VERSION: '{version}', UNSET: }}
    env_file: web.env
    ports: ['127.0.0.1:{port}:8080']
    depends_on: {{ db: {{ condition: service_started, restart: true }}, tool: {{ condition: service_started, required: false }} }}
    stop_grace_period: 2s
    deploy: {{ replicas: 2, update_config: {{ order: start-first }} }}
  db:
    image: IMAGE
    command: [/deploy, serve]
    environment: {{ VERSION: '{version}' }}
    volumes: ['data:/data', '/scratch']
    healthcheck: {{ test: [CMD, /deploy, probe, '8080'], interval: 30s }}
    expose: [8080]
    stop_grace_period: 2s
  sidecar:
    image: IMAGE
    command: [/deploy, serve]
    environment: {{ PORT: '9090' }}
    network_mode: 'service:db'
    stop_grace_period: 2s
  tool: {{ image: IMAGE, profiles: [tools] }}
volumes: {{ data: }}
"
    )
}

fn write_env(beside: &Beside) {
    std::fs::write(beside.ground.folder.path().join("web.env"), "COLOUR=red\nUNKNOWN\n").unwrap();
}

async fn answers(port: u16, version: &str) {
    let answered = async {
        while get(port).await.as_deref() != Some(version) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), answered).await.is_ok(), "{:?}", get(port).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn up_leaves_instances_kept_ones_and_proxies_alone() {
    let Some(beside) = Beside::new().await else { return };
    write_env(&beside);
    let port = free_port();
    // the second leaves kept ones
    for version in ["1", "2"] {
        beside.deploy(&project(port, version)).await;
    }
    let before = beside.containers().await;
    assert_eq!(before.values().filter(|(.., runs)| *runs).count(), 5, "{before:?}");
    for up in [
        "up --detach",
        "up --detach --remove-orphans",
        "up --detach web",
        "up --detach --no-recreate",
        "start",
        "create",
    ] {
        let said = beside.compose(up).await;
        assert_eq!(beside.containers().await, before, "{up}: {said}");
        if up == "up --detach" {
            assert_eq!(said.matches("Running").count(), 4, "{said}");
        }
    }
    let seen = beside.compose("ps --all --format {{.Name}}").await;
    let mut seen: Vec<_> = seen.lines().collect();
    seen.sort_unstable();
    let is_live = |name: &&String| !name.ends_with("-kept") && !name.ends_with("-proxy");
    let live: Vec<_> = before.keys().filter(is_live).collect();
    assert_eq!(seen, live);
    let logs = beside.compose("logs web").await;
    assert!(logs.contains("listening"), "{logs}");
    answers(port, "2").await;
    beside.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_stops_and_restarts_is_put_right_by_the_next_deployment() {
    let Some(beside) = Beside::new().await else { return };
    write_env(&beside);
    let port = free_port();
    let text = project(port, "1");
    beside.deploy(&text).await;
    let before = beside.containers().await;
    beside.compose("restart --timeout 2").await;
    answers(port, "1").await;
    beside.compose("stop --timeout 2").await;
    assert_eq!(get(port).await, None);
    beside.deploy(&text).await;
    answers(port, "1").await;
    // what lives in a container that is started again is made anew
    let ids = |containers: BTreeMap<String, Seen>| -> Vec<_> {
        let id = |(name, (id, _, runs)): (String, Seen)| (Some(id).filter(|_| !name.contains("-sidecar-")), name, runs);
        containers.into_iter().map(id).collect()
    };
    assert_eq!(ids(beside.containers().await), ids(before));

    beside.compose("stop --timeout 2 web").await;
    beside.compose("start web").await;
    answers(port, "1").await;

    // proxies too
    beside.compose("kill").await;
    beside.deploy(&text).await;
    answers(port, "1").await;
    beside.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_a_person_removes_is_made_again() {
    let Some(beside) = Beside::new().await else { return };
    write_env(&beside);
    let port = free_port();
    let text = project(port, "1");
    beside.deploy(&text).await;
    beside.compose("rm --stop --force db").await;
    beside.deploy(&text).await;
    let running = beside.containers().await.into_values().filter(|(.., runs)| *runs).count();
    assert_eq!(running, 5);
    answers(port, "1").await;

    for down in ["down --timeout 2", "down --timeout 2 --remove-orphans"] {
        beside.try_compose(down).await;
        beside.deploy(&text).await;
        answers(port, "1").await;
    }
    beside.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_under_up_is_put_right_by_the_next_deployment() {
    let Some(beside) = Beside::new().await else { return };
    write_env(&beside);
    let port = free_port();
    beside.deploy(&project(port, "1")).await;
    beside.ground.load(&project(port, "2"));
    let (succeeded, said) = beside.try_compose("up --detach").await;
    assert!(!succeeded && said.contains("port is already allocated"), "{said}");
    beside.deploy(&project(port, "2")).await;
    answers(port, "2").await;
    let up = beside.compose("up --detach").await;
    assert!(!up.contains("Recreate"), "{up}");
    answers(port, "2").await;
    beside.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn down_leaves_what_the_page_on_leaving_says_and_compose_goes_on_alone() {
    let Some(beside) = Beside::new().await else { return };
    write_env(&beside);
    let port = free_port();
    for version in ["1", "2"] {
        // Compose alone can't publish a port for two
        beside.deploy(&project(port, version).replace("replicas: 2", "replicas: 1")).await;
    }
    let (_, said) = beside.try_compose("down --timeout 2").await;
    let left: Vec<_> = beside.containers().await.into_iter().map(|(name, (.., runs))| (name, runs)).collect();
    let is_expected =
        |(name, runs): &(String, bool)| *runs == name.ends_with("-proxy") && (*runs || name.ends_with("-kept"));
    assert!(left.len() == 4 && left.iter().all(is_expected), "{left:?}: {said}");

    for line in page_on_leaving() {
        let line = line.replace("shop", &beside.ground.name);
        let output = Command::new("sh").args(["-ec", &line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(beside.containers().await, BTreeMap::new());
    beside.compose("up --detach").await;
    answers(port, "2").await;
    let names: Vec<_> = beside.containers().await.into_keys().collect();
    let expected = ["db-1", "sidecar-1", "web-1"].map(|name| format!("{}-{name}", beside.ground.name));
    assert_eq!(names, expected);
    beside.clear().await;
}

/// The commands by which the page takes away what Compose leaves.
fn page_on_leaving() -> Vec<String> {
    let page = include_str!("../../../docs/leaving.md");
    let block =
        page.split("```sh").find(|block| block.contains("docker rm")).and_then(|block| block.split("```").next());
    let lines = block.unwrap().lines().filter(|line| line.starts_with("docker ") && !line.contains("compose"));
    lines.map(str::to_owned).collect()
}
