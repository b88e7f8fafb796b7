//! Some of the files deployed: version 1, then version 2, with what their owners would look at.

use crate::{
    plans::steady,
    project::{Published, free_port},
};

impl Published {
    /// What `deploy plan` says now.
    async fn plan(&mut self) -> String {
        let letter = self.deploy(&["plan"]).await.expect(0);
        steady(self, &letter)
    }

    async fn up(&mut self) {
        self.deploy(&["up"]).await.expect(0);
    }
}

/// Asserts what a path of the published port answers.
macro_rules! answers {
    ($project:ident, $port:ident, $path:literal, $expected:literal) => {
        assert_eq!($project.get($port, $path).await, $expected);
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_go_on_with_their_volumes() {
    let Some(mut project) = Published::open("databases").await else { return };
    let (port, psql) = (free_port(), free_port());
    project.lay_over(&format!("services: {{ app: {{ ports: !override ['127.0.0.1:{port}:8000'] }} }}"));
    project.lay_over(&format!("services: {{ postgres: {{ ports: !override ['127.0.0.1:{psql}:5432'] }} }}"));
    project.up().await;
    answers!(project, port, "/", "acme/tracker 3.2.0");
    answers!(project, port, "/postgres:5432", "postgres 17-alpine");
    insta::assert_snapshot!("databases_unchanged", project.plan().await);

    project.edit("compose.yaml", "acme/tracker:3.2.0", "acme/tracker:3.3.0");
    project.edit("compose.yaml", "postgres:17-alpine", "postgres:17.5-alpine");
    insta::assert_snapshot!("databases_changed", project.plan().await);
    project.up().await;
    answers!(project, port, "/", "acme/tracker 3.3.0");
    answers!(project, port, "/postgres:5432", "postgres 17.5-alpine after postgres 17-alpine");
    answers!(project, psql, "/", "postgres 17.5-alpine after postgres 17-alpine");
    answers!(project, port, "/redis:6379", "redis 7.4-alpine");

    let down = project.deploy(&["down"]).await;
    let data = ["postgres-data", "redis-data"].map(|volume| format!("{}_{volume}", project.name)).join(", ");
    assert!(down.err.contains(&format!("its data is still in the volumes {data}")), "{}", down.err);
    project.up().await;
    answers!(project, port, "/redis:6379", "redis 7.4-alpine after redis 7.4-alpine");
    project.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_configuration_is_a_new_release_when_it_changes() {
    let Some(mut project) = Published::open("nginx").await else { return };
    let port = free_port();
    project.lay_over(&format!("services: {{ nginx: {{ ports: !override ['127.0.0.1:{port}:80'] }} }}"));
    project.up().await;
    answers!(project, port, "/", "nginx 1.27-alpine");
    answers!(project, port, "/app:3000", "nginx-app latest");

    project.edit("nginx.conf", "listen 80;", "listen 80; # and no more");
    insta::assert_snapshot!("nginx_changed", project.plan().await);
    project.up().await;
    let config = project.get(port, "/file/etc/nginx/nginx.conf").await;
    assert!(config.contains("listen 80; # and no more"), "{config}");
    // and back: the file of the day is as it was
    project.deploy(&["rollback"]).await.expect(0);
    let config = project.get(port, "/file/etc/nginx/nginx.conf").await;
    assert!(config.contains("listen 80;\n"), "{config}");
    project.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_moves_with_what_it_lives_in() {
    let Some(mut project) = Published::open("sidecar").await else { return };
    let port = free_port();
    // the host's own part of it needs more than a test may ask for
    project.lay_over("services: { metrics: { profiles: [hosts] } }");
    project.lay_over(&format!("services: {{ tailscale: {{ devices: !reset [], ports: ['127.0.0.1:{port}:3000'] }} }}"));
    project.up().await;
    answers!(project, port, "/", "requarks/wiki 2.5");

    project.edit("compose.yaml", "tailscale:v1.78", "tailscale:v1.80");
    insta::assert_snapshot!("sidecar_changed", project.plan().await);
    project.up().await;
    answers!(project, port, "/", "requarks/wiki 2.5 after requarks/wiki 2.5");
    project.edit("compose.yaml", "requarks/wiki:2.5", "requarks/wiki:2.6");
    insta::assert_snapshot!("sidecar_alone", project.plan().await);
    project.up().await;
    answers!(project, port, "/", "requarks/wiki 2.6 after requarks/wiki 2.5, requarks/wiki 2.5");
    // one that is no good makes room for both again
    project.edit("compose.yaml", "TS_STATE_DIR:", "EXIT: no good\n      TS_STATE_DIR:");
    let screen = project.deploy(&["up"]).await;
    assert_eq!(screen.status, 3, "{}", screen.err);
    let again = "requarks/wiki 2.6 after requarks/wiki 2.5, requarks/wiki 2.5, requarks/wiki 2.6";
    assert_eq!(project.get(port, "/").await, again);
    // and both at once, out of what is kept
    project.deploy(&["rollback", "1"]).await.expect(0);
    let answer = project.get(port, "/").await;
    assert!(answer.starts_with("requarks/wiki 2.5 after"), "{answer}");
    project.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_volumes_go_on_and_other_ports_exchange_a_proxy() {
    let Some(mut project) = Published::open("queue").await else { return };
    let (port, console, other) = (free_port(), free_port(), free_port());
    project.lay_over(&format!("services: {{ shop: {{ ports: !override ['127.0.0.1:{port}:8080'] }} }}"));
    project.lay_over(&format!("services: {{ rabbitmq: {{ ports: !override ['127.0.0.1:{console}:15672'] }} }}"));
    project.up().await;
    answers!(project, console, "/", "rabbitmq 4.0-management");
    answers!(project, port, "/cache:11211", "memcached 1.6-alpine");

    project.edit("docker-compose.yaml", "rabbitmq:4.0-management", "rabbitmq:4.1-management");
    project.relay(&console.to_string(), &other.to_string());
    insta::assert_snapshot!("queue_changed", project.plan().await);
    project.up().await;
    answers!(project, other, "/", "rabbitmq 4.1-management after rabbitmq 4.0-management");
    answers!(project, port, "/rabbitmq:5672", "rabbitmq 4.1-management after rabbitmq 4.0-management");
    project.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_other_proxies_are_found_at_ours() {
    let Some(mut project) = Published::open("traefik").await else { return };
    let (port, secure) = (free_port(), free_port());
    let network = project.network_of_another().await;
    project.lay_over(&format!(
        "services: {{ traefik: {{ ports: !override ['127.0.0.1:{port}:80', '127.0.0.1:{secure}:443'] }} }}"
    ));
    project.lay_over(&format!("networks: {{ proxy: {{ name: {network} }} }}"));
    insta::assert_snapshot!("traefik_new", project.plan().await);
    project.up().await;
    answers!(project, port, "/", "traefik v3.2");
    answers!(project, port, "/whoami:80", "traefik/whoami v1.10");

    project.edit("docker-compose.yml", "entrypoints=websecure", "entrypoints=web");
    insta::assert_snapshot!("traefik_relabelled", project.plan().await);
    project.up().await;
    answers!(project, port, "/whoami:80", "traefik/whoami v1.10");
    project.edit("docker-compose.yml", "whoami:v1.10", "whoami:v1.11");
    insta::assert_snapshot!("traefik_changed", project.plan().await);
    project.up().await;
    answers!(project, port, "/whoami:80", "traefik/whoami v1.11");
    project.clear().await;
}
