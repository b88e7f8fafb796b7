use super::*;
use crate::{
    definition::Joined,
    foundations::Foreign,
    paths::{BoundFile, BoundPath},
    service::{Parts, service_spec},
    treatment::treat,
};
use deploy_compose::Loader;
use deploy_core::model::ServiceSpec;
use serde_json::Value;

/// What the service `app` of a file becomes.
fn made(text: &str) -> (Definition, ServiceSpec) {
    let project = Loader::new("/shop").name("shop").env([("TOKEN", "hunter2")]).load_str("compose.yaml", text).unwrap();
    let service = project.services.values().find(|service| service.name == "app").unwrap();
    let image = ImageFacts { id: "sha256:1234".into(), ..ImageFacts::default() };
    let file = BoundFile { content: b"listen 80;".to_vec(), mode: 0o640, uid: 3, gid: 4 };
    let paths = BoundPaths::from([("/shop/app.conf".into(), BoundPath::File(file))]);
    let treatment = treat(&project, service, &image, &paths);
    let releases = project.services.keys().map(|name| (name, ReleaseId::new(format!("{name}-release")))).collect();
    let ingredients = Ingredients {
        project: &project,
        service,
        image: &image,
        paths: &paths,
        treatment: &treatment,
        releases: &releases,
        key: b"key",
    };
    let definition = define(ingredients).unwrap();
    let parts = Parts {
        project: &project,
        service,
        image: &image,
        treatment: &treatment,
        release: definition.release("app-0123456789abcdef".into()),
        target: &"shop".into(),
        router: &"shop".into(),
        foreign: &Foreign::default(),
    };
    let spec = service_spec(&parts);
    (definition, spec)
}

/// With the members of objects in a fixed order: the Engine's maps have none.
fn sorted(value: &impl serde::Serialize) -> Value {
    serde_json::from_str(&crate::definition::canonical(&serde_json::to_value(value).unwrap())).unwrap()
}

#[test]
fn an_ordinary_service_becomes_containers_and_a_proxy() {
    let (definition, spec) = made(
        "services:
  app:
    image: acme/app:1.2
    command: [serve, --fast]
    environment: { COLOUR: red, VIRTUAL_HOST: app.example }
    labels: { team: a, traefik.enable: 'true' }
    ports: ['127.0.0.1:8080:80', '9090']
    volumes: ['./app.conf:/etc/app.conf:ro', './shown:/shown:ro']
    secrets: [token]
    healthcheck: { test: curl localhost, interval: 30s, start_period: 5s }
    restart: unless-stopped
    stop_grace_period: 1500ms
    depends_on: [db]
    networks: { default: { aliases: [front] }, back: {} }
    deploy: { replicas: 3, update_config: { parallelism: 2 } }
  db: { image: db }
networks: { back: { internal: true } }
secrets: { token: { environment: TOKEN } }
",
    );
    insta::assert_json_snapshot!("ordinary_definition", sorted(&definition));
    insta::assert_json_snapshot!("ordinary_spec", sorted(&spec));
    let said = serde_json::to_string(&spec).unwrap();
    assert!(!said.contains("hunter2") && !said.contains("red"), "{said}");
}

#[test]
fn a_database_keeps_its_names_and_a_hardened_worker_its_limits() {
    let (definition, spec) = made(
        "services:
  app:
    image: db
    container_name: the-db
    hostname: db
    volumes: ['data:/var/lib/db', { type: tmpfs, target: /cache, tmpfs: { size: 64m } }]
    user: '70'
    init: true
    cap_drop: [ALL]
    security_opt: ['no-new-privileges:true']
    tmpfs: ['/run:size=1m']
    ulimits: { nofile: { soft: 1024, hard: 2048 } }
    mem_limit: 512m
    cpus: 0.5
    pids_limit: 100
    sysctls: { net.core.somaxconn: '1024' }
    extra_hosts: ['host.docker.internal:host-gateway']
    dns: 9.9.9.9
    logging: { driver: json-file, options: { max-size: 10m } }
    shm_size: 128m
    expose: ['5432']
volumes: { data: { driver_opts: { type: none } } }
",
    );
    insta::assert_json_snapshot!("database_definition", sorted(&definition));
    insta::assert_json_snapshot!("database_spec", sorted(&spec));
}

/// Each network with its endpoint's hardware address and options.
fn endpoints(definition: &Definition) -> Vec<String> {
    let networks = definition.content.networks.iter();
    let shown = networks.map(|Joined { network, endpoint }| {
        let options = endpoint.driver_opts.iter().flatten().map(|(name, value)| format!("{name}={value}"));
        let parts: Vec<_> = [network.clone()].into_iter().chain(endpoint.mac_address.clone()).chain(options).collect();
        parts.join(" ")
    });
    shown.collect()
}

#[test]
fn a_hardware_address_belongs_to_the_network_that_is_joined_first() {
    let (definition, _) = made(
        "services:
  app:
    image: app
    mac_address: 02:00:00:00:00:01
    networks: { a: {}, b: { priority: 1, interface_name: lan }, c: { mac_address: '02:00:00:00:00:02' } }
networks: { a: {}, b: {}, c: {} }
",
    );
    let expected =
        ["shop_b 02:00:00:00:00:01 com.docker.network.endpoint.ifname=lan", "shop_a", "shop_c 02:00:00:00:00:02"];
    assert_eq!(endpoints(&definition), expected);
    for (mode, network) in [("bridge", "bridge"), ("office", "office")] {
        let text = "services:\n  app: { image: app, mac_address: '02:00:00:00:00:01', network_mode: ";
        let (definition, _) = made(&format!("{text}{mode} }}\n"));
        let found = definition.content.container.networking_config.and_then(|config| config.endpoints_config);
        let address = found.as_ref().and_then(|endpoints| endpoints.get(network)?.mac_address.as_deref());
        assert_eq!(address, Some("02:00:00:00:00:01"), "{mode}");
    }
}

#[test]
fn a_wait_that_is_longer_than_asked_for_is_told() {
    let waiting = |on: &str| {
        let text = format!("services:\n  app: {{ image: app, depends_on: {on} }}\n  db: {{ image: db }}\n");
        made(&text).1.notes.into_iter().find(|note| note.contains("waits"))
    };
    let said = "It waits until db is healthy, which is more than the `service_started` in the file.";
    assert_eq!(waiting("{ db: { condition: service_started } }").as_deref(), Some(said));
    assert_eq!(waiting("{ db: { condition: service_healthy } }"), None);
    assert_eq!(waiting("[db]"), None);
}

#[test]
fn what_cannot_be_written_gets_its_secrets_bound() {
    let text = |source: &str| {
        format!(
            "services:\n  app:\n    image: app\n    read_only: true\n    secrets: [token]\nsecrets: {{ token: {{ {source} }} }}\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "hunter2").unwrap();
    let (definition, _) = made(&text(&format!("file: {}", path.display())));
    let content = &definition.content;
    let binds = content.container.host_config.as_ref().and_then(|host| host.binds.clone());
    assert_eq!(binds, Some(vec![format!("{}:/run/secrets/token:ro", path.display())]));
    assert_eq!((content.files.len(), content.bound.len()), (0, 1));
}

#[test]
fn what_lives_in_another_container_is_another_release_when_that_is() {
    let text = |mode: &str| format!("services:\n  app: {{ image: app, {mode} }}\n  vpn: {{ image: vpn }}\n");
    for mode in ["network_mode: 'service:vpn'", "pid: 'service:vpn'", "ipc: 'service:vpn'"] {
        let (definition, spec) = made(&text(mode));
        assert_eq!(spec.lives_in, ["vpn".into()], "{mode}");
        assert_eq!(definition.content.lives_in[&"vpn".into()], "vpn-release".into(), "{mode}");
    }
    assert!(made(&text("depends_on: [vpn]")).0.content.lives_in.is_empty());
}

#[test]
fn every_field_of_the_create_call_is_filled_in() {
    let (definition, _) = made(include_str!("every_field.yaml"));
    insta::assert_json_snapshot!("every_field_definition", sorted(&definition));
}
