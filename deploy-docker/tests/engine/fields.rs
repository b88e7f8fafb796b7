//! Fields of the file, as the Engine has them in a container at last.

use crate::ground::Ground;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};
use deploy_core::{
    engine::{Engine, Finish, Options, Request},
    model::End,
    observer::{Notice, Progress},
    strategy::Rolling,
};
use deploy_docker::PrepareError;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// The one container of a project that was deployed.
async fn inspected(ground: &Ground, text: &str) -> ContainerInspectResponse {
    let report = ground.deploy(text, &Rolling).await;
    let names = ground.containers().await;
    let found = match names.first() {
        Some((name, _)) => ground.docker.inspect_container(name, None).await.ok(),
        None => None,
    };
    ground.clear().await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    found.unwrap()
}

fn map(entries: &[(&str, &str)]) -> Option<HashMap<String, String>> {
    Some(entries.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

fn list(entries: &[&str]) -> Option<Vec<String>> {
    Some(entries.iter().map(ToString::to_string).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hardened_service_is_as_hard_as_the_file_says() {
    let Some(ground) = Ground::new().await else { return };
    let text = "services:
  web:
    image: IMAGE
    command: [/deploy, serve]
    user: '65534:65533'
    group_add: ['1234']
    working_dir: /scratch
    init: true
    read_only: true
    cap_drop: [ALL]
    security_opt: ['no-new-privileges:true']
    tmpfs: ['/scratch:size=1m,mode=1777']
    pids_limit: 50
    mem_limit: 64m
    cpus: 0.5
    ulimits: { nofile: { soft: 512, hard: 1024 } }
    sysctls: { net.ipv4.ip_unprivileged_port_start: '80' }
    hostname: hard
    stop_signal: SIGINT
    stop_grace_period: 3s
    dns_opt: ['ndots:2']
    extra_hosts: ['db=10.0.0.2']
    logging: { driver: json-file, options: { max-size: 1m } }
";
    let found = inspected(&ground, text).await;
    let (config, host) = (found.config.unwrap(), found.host_config.unwrap());
    assert_eq!((config.user.as_deref(), config.working_dir.as_deref()), (Some("65534:65533"), Some("/scratch")));
    assert_eq!((config.hostname.as_deref(), config.stop_signal.as_deref()), (Some("hard"), Some("SIGINT")));
    assert_eq!(config.stop_timeout, Some(3));
    let HostConfig { cap_drop, security_opt, group_add, dns_options, extra_hosts, .. } = host;
    assert_eq!((cap_drop, group_add), (list(&["ALL"]), list(&["1234"])));
    assert_eq!(security_opt, list(&["no-new-privileges:true"]));
    assert_eq!((dns_options, extra_hosts), (list(&["ndots:2"]), list(&["db:10.0.0.2"])));
    assert_eq!((host.init, host.readonly_rootfs), (Some(true), Some(true)));
    assert_eq!(host.tmpfs, map(&[("/scratch", "size=1m,mode=1777")]));
    assert_eq!(host.sysctls, map(&[("net.ipv4.ip_unprivileged_port_start", "80")]));
    assert_eq!((host.pids_limit, host.memory, host.nano_cpus), (Some(50), Some(64 << 20), Some(500_000_000)));
    let limits: Vec<_> = host.ulimits.iter().flatten().map(|one| (one.name.as_deref(), one.soft, one.hard)).collect();
    assert_eq!(limits, [(Some("nofile"), Some(512), Some(1024))]);
    // the Engine adds what it takes for usual
    let options = host.log_config.and_then(|log| log.config).unwrap();
    assert_eq!(options.get("max-size").map(String::as_str), Some("1m"));
}

#[tokio::test(flavor = "multi_thread")]
async fn security_options_reach_the_engine_as_it_takes_them() {
    let Some(ground) = Ground::new().await else { return };
    let allow_all = r#"{ "defaultAction": "SCMP_ACT_ALLOW" }"#;
    std::fs::write(ground.folder.path().join("profile.json"), allow_all).unwrap();
    let text = "services:
  web:
    image: IMAGE
    command: [/deploy, serve]
    security_opt: ['systempaths=unconfined', 'seccomp:./profile.json']
";
    let host = inspected(&ground, text).await.host_config.unwrap();
    assert_eq!(host.security_opt, list(&[r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#]));
    assert_eq!((host.masked_paths, host.readonly_paths), (Some(vec![]), Some(vec![])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_engine_has_what_an_older_one_would_drop() {
    let Some(ground) = Ground::new().await else { return };
    let text = "services:
  web:
    image: IMAGE
    command: [/deploy, serve]
    annotations: { note: five }
    mac_address: 02:00:00:00:0a:01
    networks:
      back: { mac_address: '02:00:00:00:0a:02', interface_name: lan }
      front: { priority: 1, gw_priority: 3 }
    healthcheck: { test: [CMD, /deploy, probe, '8080'], start_period: 5s, start_interval: 200ms }
networks: { front: {}, back: {} }
";
    let api = ground.docker.version().await.unwrap().api_version.unwrap();
    let is_new = api.split_once('.').and_then(|(_, minor)| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= 49);
    if !is_new {
        let error = ground.open().prepare(&ground.load(text), &|_| {}).await.map(|_| ()).unwrap_err();
        assert!(matches!(&error, PrepareError::EngineTooOld { found, .. } if *found == api), "{error}");
        assert!(error.is_bad_input() && ground.containers().await.is_empty(), "{error}");
        return;
    }
    let found = inspected(&ground, text).await;
    let health = found.config.unwrap().healthcheck.unwrap();
    assert_eq!(health.start_interval, Some(200_000_000));
    assert_eq!(found.host_config.unwrap().annotations, map(&[("note", "five")]));
    let networks = found.network_settings.unwrap().networks.unwrap();
    let endpoint = |network: &str| &networks[&format!("{}_{network}", ground.name)];
    assert_eq!(endpoint("front").mac_address.as_deref(), Some("02:00:00:00:0a:01"));
    assert_eq!(endpoint("front").gw_priority, Some(3));
    assert_eq!(endpoint("back").mac_address.as_deref(), Some("02:00:00:00:0a:02"));
    assert_eq!(endpoint("back").driver_opts, map(&[("com.docker.network.endpoint.ifname", "lan")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_warns_of_is_told_once() {
    let Some(ground) = Ground::new().await else { return };
    let text = "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    oom_kill_disable: true\n    deploy: { replicas: 2 }\n";
    let host_config = Some(HostConfig { oom_kill_disable: Some(true), ..Default::default() });
    let body = ContainerCreateBody {
        image: Some(ground.image.clone()),
        cmd: Some(vec!["/deploy".into()]),
        host_config,
        ..Default::default()
    };
    let made = ground.docker.create_container(None, body).await.unwrap();
    ground.docker.remove_container(&made.id, None).await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = Arc::clone(&told);
        move |notice: &Notice| {
            if let Notice::Progress(Progress::Warning { text }) = notice {
                told.lock().unwrap().push(text.clone());
            }
        }
    };
    let project = ground.open();
    let prepared = ground.prepare(&project, text).await;
    let (lease, journal) = (project.lease().await.unwrap(), project.journal().await.unwrap());
    let builder = Engine::builder(project.target(), lease, journal).router(project.router());
    let engine = builder.observer(Arc::new(observer)).build();
    let request = Request { services: prepared.services, payloads: prepared.payloads };
    let report = engine.deploy(&request, &Rolling, &Options::default()).await.unwrap();
    ground.clear().await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    let told = told.lock().unwrap();
    for said in made.warnings {
        let is_it = |text: &&String| text.ends_with(said.trim());
        assert_eq!(told.iter().filter(is_it).count(), 1, "{said}: {told:?}");
    }
}
