use crate::load::answer;
use bollard::{Docker, query_parameters as query};
use deploy_compose::{Loader, model::Project};
use deploy_core::{
    engine::{Engine, Options, Report, Request},
    strategy::Strategy,
};
use deploy_docker::{ConnectOptions, DockerHost, DockerProject, OpenOptions, Prepared};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// One project on the real Engine; everything of it is removed by [`Ground::clear`].
pub(crate) struct Ground {
    pub(crate) docker: Docker,
    pub(crate) host: DockerHost,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) folder: tempfile::TempDir,
    is_mine: bool,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Ground {
    /// None, with a message, where no Engine answers: there is nothing to test on.
    pub(crate) async fn new() -> Option<Self> {
        match DockerHost::connect(&ConnectOptions::from_env()).await {
            Ok(host) => Some(Self::on(host, Docker::connect_with_defaults().unwrap()).await),
            Err(error) => {
                let may_skip = std::env::var("DEPLOY_TEST_ENGINE").as_deref() != Ok("required");
                assert!(may_skip, "{error}");
                eprintln!("skipped, because no Docker Engine answers: {error}");
                None
            }
        }
    }

    /// On an Engine, as we reach it and as the test does.
    pub(crate) async fn on(host: DockerHost, docker: Docker) -> Self {
        let image = import(&docker).await;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ddtest{}x{number}", std::process::id());
        Self { docker, host, name, image, folder: tempfile::tempdir().unwrap(), is_mine: true }
    }

    /// The same project for a deployer that reaches the Engine at another address.
    pub(crate) async fn by(&self, address: &str) -> Self {
        let options = ConnectOptions { host: Some(address.to_owned()), ..ConnectOptions::from_env() };
        let (docker, host) = (self.docker.clone(), DockerHost::connect(&options).await.unwrap());
        let (name, image) = (self.name.clone(), self.image.clone());
        Self { docker, host, name, image, folder: tempfile::tempdir().unwrap(), is_mine: false }
    }

    /// The project as a file's text describes it; `IMAGE` in it is the fixture's image.
    pub(crate) fn load(&self, text: &str) -> Project {
        let text = text.replace("IMAGE", &self.image);
        std::fs::write(self.folder.path().join("compose.yaml"), text).unwrap();
        Loader::new(self.folder.path()).name(self.name.as_str()).load().unwrap()
    }

    /// The project, with a connection of its own.
    pub(crate) fn open(&self) -> DockerProject {
        self.host.open(&self.name, OpenOptions { proxy_image: Some(self.image.clone()) })
    }

    pub(crate) async fn prepare(&self, project: &DockerProject, text: &str) -> Prepared {
        project.prepare(&self.load(text), &|_| {}).await.unwrap()
    }

    pub(crate) async fn engine(&self, project: &DockerProject) -> Engine {
        let (lease, journal) = (project.lease().await.unwrap(), project.journal().await.unwrap());
        let observer = Arc::new(|notice: &deploy_core::observer::Notice| {
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{}", serde_json::to_string(notice).unwrap_or_default());
            }
        });
        Engine::builder(project.target(), lease, journal).router(project.router()).observer(observer).build()
    }

    /// Deploys a file's text, as a process that starts anew does.
    pub(crate) async fn deploy(&self, text: &str, strategy: &dyn Strategy) -> Report {
        let project = self.open();
        let prepared = self.prepare(&project, text).await;
        let engine = self.engine(&project).await;
        let request = Request { services: prepared.services, payloads: prepared.payloads };
        engine.deploy(&request, strategy, &Options::default()).await.unwrap()
    }

    /// Names of the project's containers with their states, in order. Agents are left out: one ends a moment after its
    /// deployer.
    pub(crate) async fn containers(&self) -> Vec<(String, String)> {
        let mut names = self.everything().await;
        names.retain(|(name, _)| !name.contains("-deploy-agent-"));
        names
    }

    /// The same, with agents.
    pub(crate) async fn everything(&self) -> Vec<(String, String)> {
        let options = query::ListContainersOptions { all: true, filters: Some(self.filter()), ..Default::default() };
        let found = self.docker.list_containers(Some(options)).await.unwrap();
        let mut names: Vec<_> = found
            .into_iter()
            .map(|one| {
                let name = one.names.unwrap()[0].trim_start_matches('/').to_owned();
                (name, one.state.unwrap().to_string())
            })
            .collect();
        names.sort();
        names
    }

    pub(crate) fn filter(&self) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), vec![format!("deploy.project={}", self.name)])])
    }

    /// Takes everything of the project away.
    pub(crate) async fn clear(&self) {
        let removals = self.everything().await.into_iter().map(|(name, _)| async move {
            let options = query::RemoveContainerOptions { force: true, v: true, ..Default::default() };
            let _ = self.docker.remove_container(&name, Some(options)).await;
        });
        futures_util::future::join_all(removals).await;
        let networks = query::ListNetworksOptions { filters: Some(self.filter()) };
        for network in self.docker.list_networks(Some(networks)).await.unwrap() {
            let _ = self.docker.remove_network(&network.name.unwrap()).await;
        }
        let volumes = query::ListVolumesOptions { filters: Some(self.filter()) };
        for volume in self.docker.list_volumes(Some(volumes)).await.unwrap().volumes.unwrap_or_default() {
            // the Engine may still be removing the last container that has it
            for _ in 0..50 {
                let removed = self.docker.remove_volume(&volume.name, None::<query::RemoveVolumeOptions>).await;
                if !matches!(removed, Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. })) {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

impl Drop for Ground {
    /// A test that failed leaves nothing either.
    fn drop(&mut self) {
        if self.is_mine && std::thread::panicking() {
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| runtime.block_on(self.clear()));
        }
    }
}

/// An image out of the fixture, named by its content: later runs find it.
async fn import(docker: &Docker) -> String {
    let executable =
        std::fs::read(fixture()).expect("the example `fixture`: `cargo build -p deploy-docker --examples`");
    let tag: String = Sha256::digest(&executable).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("deploy-docker-fixture:{tag}");
    if docker.inspect_image(&name).await.is_ok() {
        return name;
    }
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(executable.len() as u64);
    archive.append_data(&mut header, "deploy", &executable[..]).unwrap();
    let archive = archive.into_inner().unwrap();
    let options = query::CreateImageOptions {
        from_src: Some("-".into()),
        repo: Some("deploy-docker-fixture".into()),
        tag: Some(tag),
        ..Default::default()
    };
    let answers = docker.create_image(Some(options), Some(bollard::body_full(archive.into())), None);
    answers.try_collect::<Vec<_>>().await.unwrap();
    name
}

fn fixture() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join("fixture")
}

/// What a server of this host answers to a GET; none where it doesn't.
pub(crate) async fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.ok()?;
    let (head, body) = answer(&mut stream).await.ok()?;
    head.starts_with("http/1.1 200").then_some(body)
}

/// A port of this host that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A service of two instances, with what is added to their environment.
pub(crate) fn web(port: u16, version: &str, more: &str) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    ports: ['127.0.0.1:{port}:8080']\n    environment: {{ VERSION: '{version}', {more} }}\n    deploy: {{ replicas: 2 }}\n"
    )
}

/// Fails unless only that version of [`web`] runs and answers, and nothing is left over but kept releases.
pub(crate) async fn assert_converged(ground: &Ground, port: u16, version: &str, about: &str) {
    for _ in 0..8 {
        assert_eq!(get(port).await.as_deref(), Some(version), "{about}");
    }
    let (running, rest): (Vec<_>, Vec<_>) =
        ground.containers().await.into_iter().partition(|(_, state)| state == "running");
    assert_eq!(running.len(), 3, "two instances and their proxy, {about}: {running:?}");
    let is_kept = |(name, state): &(String, String)| name.ends_with("-kept") && state == "created";
    assert!(rest.len() <= 6 && rest.iter().all(is_kept), "three kept releases, {about}: {rest:?}");
}
