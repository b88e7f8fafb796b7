//! A project that plain Compose runs is taken over.

use crate::ground::{Ground, free_port, get};
use bollard::{models as api, query_parameters as query};
use deploy_core::{
    engine::Finish,
    model::End,
    strategy::{BlueGreen, Rolling},
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What `docker compose up` makes of a service, as far as it is seen from outside.
struct ByCompose<'a> {
    ground: &'a Ground,
    service: &'a str,
    version: &'a str,
    /// Published on 127.0.0.1.
    port: Option<u16>,
    /// Mounted at `/data`.
    volume: Option<&'a str>,
    /// Compose's hash of its configuration.
    hash: String,
}

impl<'a> ByCompose<'a> {
    /// One of a configuration that no file of ours has.
    fn new(ground: &'a Ground, service: &'a str) -> Self {
        Self { ground, service, version: "1", port: None, volume: None, hash: "ab12".repeat(16) }
    }

    fn name(&self) -> String {
        format!("{}-{}-1", self.ground.name, self.service)
    }

    fn labels(&self, more: &[(&str, &str)]) -> HashMap<String, String> {
        let project = [("com.docker.compose.project", self.ground.name.as_str())];
        let all = project.iter().chain(more);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    async fn start(&self) {
        let docker = &self.ground.docker;
        let network = format!("{}_default", self.ground.name);
        let made = api::NetworkCreateRequest {
            name: network.clone(),
            labels: Some(self.labels(&[("com.docker.compose.network", "default")])),
            ..Default::default()
        };
        if docker.inspect_network(&network, None).await.is_err() {
            docker.create_network(made).await.unwrap();
        }
        if let Some(volume) = self.volume {
            let made = api::VolumeCreateRequest {
                name: Some(format!("{}_{volume}", self.ground.name)),
                labels: Some(self.labels(&[("com.docker.compose.volume", volume)])),
                ..Default::default()
            };
            docker.create_volume(made).await.unwrap();
        }
        let binding = |port: u16| {
            let binding = api::PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(port.to_string()) };
            HashMap::from([("8080/tcp".to_owned(), Some(vec![binding]))])
        };
        let endpoint =
            api::EndpointSettings { aliases: Some(vec![self.name(), self.service.to_owned()]), ..Default::default() };
        let body = api::ContainerCreateBody {
            image: Some(self.ground.image.clone()),
            cmd: Some(vec!["/deploy".into(), "serve".into()]),
            env: Some(vec![format!("VERSION={}", self.version)]),
            exposed_ports: Some(vec!["8080/tcp".to_owned()]),
            labels: Some(self.labels(&[
                ("com.docker.compose.service", self.service),
                ("com.docker.compose.container-number", "1"),
                ("com.docker.compose.oneoff", "False"),
                ("com.docker.compose.config-hash", &self.hash),
            ])),
            host_config: Some(api::HostConfig {
                network_mode: Some(network.clone()),
                port_bindings: self.port.map(binding),
                binds: self.volume.map(|volume| vec![format!("{}_{volume}:/data", self.ground.name)]),
                restart_policy: Some(api::RestartPolicy {
                    name: Some(api::RestartPolicyNameEnum::UNLESS_STOPPED),
                    maximum_retry_count: None,
                }),
                ..Default::default()
            }),
            networking_config: Some(api::NetworkingConfig {
                endpoints_config: Some(HashMap::from([(network, endpoint)])),
            }),
            ..Default::default()
        };
        let options = query::CreateContainerOptions { name: Some(self.name()), ..Default::default() };
        docker.create_container(Some(options), body).await.unwrap();
        docker.start_container(&self.name(), None::<query::StartContainerOptions>).await.unwrap();
    }
}

/// Takes everything away, also what Compose made.
async fn clear(ground: &Ground) {
    let project = ground.open();
    let fence = project.lease().await.unwrap().take("the test").await.unwrap().fence;
    project.down(fence, true).await.unwrap();
    let label = format!("com.docker.compose.project={}", ground.name);
    let filter = || Some(HashMap::from([("label".to_owned(), vec![label.clone()])]));
    let networks = query::ListNetworksOptions { filters: filter() };
    let volumes = query::ListVolumesOptions { filters: filter() };
    let networks = ground.docker.list_networks(Some(networks)).await.unwrap();
    let volumes = ground.docker.list_volumes(Some(volumes)).await.unwrap().volumes.unwrap_or_default();
    assert_eq!((networks, volumes), (Vec::new(), Vec::new()), "`down` leaves nothing of the project");
    ground.clear().await;
}

/// The longest time without a successful answer while a future runs.
async fn longest_gap<T>(port: u16, during: impl Future<Output = T>) -> (T, Duration) {
    let over = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn({
        let over = Arc::clone(&over);
        async move {
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            while !over.load(Ordering::Relaxed) {
                if let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(500), get(port)).await {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            longest.max(last.elapsed())
        }
    });
    let result = during.await;
    over.store(true, Ordering::Relaxed);
    (result, watch.await.unwrap())
}

fn web(port: u16, version: &str, more: &str) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    ports: ['127.0.0.1:{port}:8080']\n    environment: {{ VERSION: '{version}', {more} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_service_moves_behind_a_proxy_once_the_new_one_is_healthy() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let composes = ByCompose { port: Some(port), ..ByCompose::new(&ground, "web") };
    composes.start().await;
    let slow = web(port, "2", "START_MS: '10000'");
    let prepared = ground.prepare(&ground.open(), &slow).await;
    let said = prepared.services[0].notes.join("\n");
    assert!(said.contains("`docker compose` runs it so far"), "{said}");

    let (report, gap) = longest_gap(port, ground.deploy(&slow, &Rolling)).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("2"));
    // the new one needs 10 s to start, in which the old one answers
    assert!(gap < Duration::from_secs(10), "{gap:?}");
    assert!(ground.docker.inspect_container(&composes.name(), None).await.is_err(), "Compose's own is gone");
    let report = ground.deploy(&web(port, "3", ""), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("3"));
    clear(&ground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_first_deployment_leaves_what_compose_runs_as_it_was() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let composes = ByCompose { port: Some(port), ..ByCompose::new(&ground, "web") };
    composes.start().await;
    let before = ground.docker.inspect_container(&composes.name(), None).await.unwrap();
    let broken = web(port, "2", "START_MS: '60000', EXIT_MS: '1'");
    let report = ground.deploy(&broken, &BlueGreen).await;
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{report:?}");
    let after = ground.docker.inspect_container(&composes.name(), None).await.unwrap();
    assert_eq!((after.id, after.state), (before.id, before.state), "never touched");
    clear(&ground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compose_ran_comes_back_when_the_new_one_fails_behind_the_proxy() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let composes = ByCompose { port: Some(port), ..ByCompose::new(&ground, "web") };
    composes.start().await;
    let before = ground.docker.inspect_container(&composes.name(), None).await.unwrap();
    let project = ground.open();
    let mut prepared = ground.prepare(&project, &web(port, "2", "EXIT_MS: '6000'")).await;
    prepared.services[0].bake = deploy_core::model::Millis::from_secs(30);
    let engine = ground.engine(&project).await;
    let request = deploy_core::engine::Request { services: prepared.services, payloads: prepared.payloads };
    let report = engine.deploy(&request, &Rolling, &Default::default()).await.unwrap();
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{report:?}");
    assert_eq!(get(port).await.as_deref(), Some("1"));
    let after = ground.docker.inspect_container(&composes.name(), None).await.unwrap();
    let policy = |one: &api::ContainerInspectResponse| one.host_config.clone().and_then(|host| host.restart_policy);
    assert_eq!((&after.id, policy(&after)), (&before.id, policy(&before)), "under its name, with its restart policy");
    drop((engine, project));
    clear(&ground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_taken_over_with_its_volume() {
    let Some(ground) = Ground::new().await else { return };
    let composes = ByCompose { volume: Some("data"), ..ByCompose::new(&ground, "db") };
    composes.start().await;
    let text = "services:\n  db:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: { VERSION: '2' }\n    volumes: ['data:/data']\nvolumes:\n  data: {}\n";
    assert_eq!(ground.deploy(text, &Rolling).await.finish, Finish::Ended(End::Succeeded));
    let containers = ground.containers().await;
    let [(name, _)] = &containers[..] else { panic!("{containers:?}") };
    let db = ground.docker.inspect_container(name, None).await.unwrap();
    let mounts: Vec<_> = db.mounts.unwrap_or_default().into_iter().filter_map(|mount| mount.name).collect();
    assert_eq!(mounts, [format!("{}_data", ground.name)]);
    let answer = ground.docker.inspect_container(&composes.name(), None).await;
    assert!(answer.is_err(), "two never wrote to one volume");
    clear(&ground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compose_would_leave_alone_is_left_alone() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let text = |version: &str| {
        let db = "  db:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: { VERSION: '1' }\n    volumes: ['data:/data']\n";
        format!("{}    depends_on: [db]\n{db}volumes:\n  data: {{}}\n", web(port, version, ""))
    };
    let project = ground.load(&text("1"));
    let hash = |service: &str| project.compose_config(service).unwrap().hash();
    let db = ByCompose { volume: Some("data"), hash: hash("db"), ..ByCompose::new(&ground, "db") };
    let web = ByCompose { port: Some(port), hash: hash("web"), ..ByCompose::new(&ground, "web") };
    for one in [&db, &web] {
        one.start().await;
    }
    let look = async |one: &ByCompose<'_>| ground.docker.inspect_container(&one.name(), None).await.unwrap();
    let (db_before, web_before) = (look(&db).await, look(&web).await);

    assert_eq!(ground.deploy(&text("1"), &Rolling).await.finish, Finish::Unchanged);
    let web_after = look(&web).await;
    assert_eq!((web_after.id, web_after.state), (web_before.id, web_before.state));

    assert_eq!(ground.deploy(&text("2"), &Rolling).await.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("2"));
    let db_after = look(&db).await;
    assert_eq!((&db_after.id, db_after.state), (&db_before.id, db_before.state.clone()), "never touched");
    assert!(ground.docker.inspect_container(&web.name(), None).await.is_err());
    assert_eq!(ground.deploy(&text("2"), &Rolling).await.finish, Finish::Unchanged);
    clear(&ground).await;
}
