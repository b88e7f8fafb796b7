use super::*;
use crate::paths::{BoundFile, BoundPath};
use deploy_compose::Loader;

/// How the service `app` of a file is treated: `routed` or `direct`, its order, and the sentences.
fn treated(service: &str, image: ImageFacts) -> String {
    let text = format!("services:\n  app:\n    image: app\n{service}\nvolumes: {{ data: {{}} }}\n");
    let project = Loader::new("/shop").name("shop").load_str("compose.yaml", &text).unwrap();
    let app = project.services.values().find(|service| service.name == "app").unwrap();
    let file = |content: &[u8]| BoundPath::File(BoundFile { content: content.to_vec(), mode: 0o644, uid: 0, gid: 0 });
    let paths = [
        ("/shop/nginx.conf", file(b"listen 80;")),
        ("/shop/data.db", file(b"SQLite format 3\0")),
        ("/shop/uploads", BoundPath::Folder),
        ("/var/run/docker.sock", BoundPath::Special),
        ("/shop/large", BoundPath::Uncopied { why: "it is larger than 1 MiB".into() }),
    ];
    let paths = paths.into_iter().map(|(path, found)| (path.into(), found)).collect();
    let treatment = treat(&project, app, &image, &paths);
    let routed: Vec<_> = treatment.listeners.iter().map(ToString::to_string).collect();
    let routed = if routed.is_empty() { "direct".to_owned() } else { format!("routed {}", routed.join(" ")) };
    format!("{routed}, {:?}\n{}", treatment.order, treatment.notes.join("\n"))
}

fn exposing(ports: &[&str]) -> ImageFacts {
    ImageFacts { ports: ports.iter().map(ToString::to_string).collect(), ..ImageFacts::default() }
}

#[test]
fn what_is_published_is_routed_and_starts_first() {
    insta::assert_snapshot!(treated("    ports: ['80:3000']", ImageFacts::default()), @"
    routed 3000:3000:detect, StartFirst
    Requests to port 3000 go through a proxy, which switches them.
    It sees the proxy's address as its clients'; plain HTTP has theirs in `X-Forwarded-For`.
    A new version starts beside the old one.
    ");
}

#[test]
fn exposed_ports_are_routed_too() {
    insta::assert_snapshot!(treated("    expose: [9000]", exposing(&["8080/tcp"])), @"
    routed 8080:8080:detect 9000:9000:detect, StartFirst
    Requests to ports 8080, 9000 go through a proxy, which switches them.
    A new version starts beside the old one.
    ");
}

#[test]
fn a_database_that_is_not_published_keeps_everything_as_it_was() {
    let image = ImageFacts { volumes: vec!["/var/lib/db".into()], ..exposing(&["5432/tcp"]) };
    insta::assert_snapshot!(treated("    volumes: ['data:/var/lib/db']", image), @"
    direct, StopFirst
    No proxy, as with Compose: nothing is published, and only one of it runs at a time.
    The old version stops before a new one starts, because it writes to the volume data, and two writers could damage that.
    ");
}

#[test]
fn a_service_that_compose_might_hash_otherwise_is_told() {
    insta::assert_snapshot!(treated("    cpu_quota: 50ms", ImageFacts::default()), @"
    direct, StopFirst
    No proxy, as with Compose: no port of it is known (`ports`, `expose`, EXPOSE of the image).
    The old version stops before a new one starts, as with Compose.
    `docker compose up` would replace its containers, because it isn't known how Compose hashes all of its fields: leave it to `deploy up`.
    ");
}

#[test]
fn a_published_database_has_its_requests_held() {
    insta::assert_snapshot!(treated("    ports: ['3306:3306']\n    volumes: ['data:/data']", ImageFacts::default()), @"
    routed 3306:3306:bytes, StopFirst
    Requests to port 3306 go through a proxy, which switches them.
    At port 3306 whole connections are switched.
    It sees the proxy's address as its clients'.
    The old version stops before a new one starts, because it writes to the volume data, and two writers could damage that; requests wait meanwhile, for 30 s at most.
    ");
}

#[test]
fn an_images_own_volume_counts_and_is_carried_over() {
    let image = || ImageFacts { volumes: vec!["/data".into()], ..exposing(&["6379/tcp"]) };
    insta::assert_snapshot!(treated("", image()), @"
    direct, StopFirst
    No proxy, as with Compose: nothing is published, and only one of it runs at a time.
    The old version stops before a new one starts, because it writes to the image's own volume /data, and two writers could damage that.
    ");
    assert!(treated("    tmpfs: [/data]", image()).contains("StartFirst"));
}

#[test]
fn bound_files_are_configuration_and_folders_are_data() {
    insta::assert_snapshot!(treated("    ports: [80]\n    volumes: ['./nginx.conf:/etc/nginx.conf:ro', '/var/run/docker.sock:/docker.sock']", ImageFacts::default()), @"
    routed 80:80:detect, StartFirst
    Requests to port 80 go through a proxy, which switches them.
    It sees the proxy's address as its clients'; plain HTTP has theirs in `X-Forwarded-For`.
    A new version starts beside the old one.
    ");
    insta::assert_snapshot!(treated("    ports: [80]\n    volumes: ['./nginx.conf:/etc/nginx.conf', './large:/large:ro', './uploads:/shown:ro']", ImageFacts::default()), @"
    routed 80:80:detect, StartFirst
    Requests to port 80 go through a proxy, which switches them.
    It sees the proxy's address as its clients'; plain HTTP has theirs in `X-Forwarded-For`.
    A new version starts beside the old one.
    The file at /etc/nginx.conf stays the host's, as with Compose; with `:ro` a rollback would bring it back too.
    The file at /large stays the host's, because it is larger than 1 MiB: a rollback doesn't bring it back.
    ");
    assert!(
        treated("    volumes: ['./uploads:/uploads']", ImageFacts::default())
            .contains("it writes to the folder at /uploads,")
    );
    assert!(
        treated("    volumes: ['./data.db:/data.db']", ImageFacts::default())
            .contains("it writes to the file at /data.db,")
    );
}

#[test]
fn what_a_proxy_cannot_switch_is_as_with_compose() {
    insta::assert_snapshot!(treated("    network_mode: host", ImageFacts::default()), @"
    direct, StopFirst
    No proxy, as with Compose: it uses the host's network.
    The old version stops before a new one starts, because two can't listen on the same port of the host.
    ");
    insta::assert_snapshot!(treated("    ports: ['53:53/udp', '53:53/tcp']", ImageFacts::default()), @"
    direct, StopFirst
    No proxy, as with Compose: port 53/udp isn't TCP, which is all that a proxy switches.
    The old version stops before a new one starts, because two can't publish the same port.
    ");
    insta::assert_snapshot!(treated("", ImageFacts::default()), @"
    direct, StopFirst
    No proxy, as with Compose: no port of it is known (`ports`, `expose`, EXPOSE of the image).
    The old version stops before a new one starts, as with Compose.
    ");
}

#[test]
fn the_file_has_the_last_word_on_the_order() {
    let said = treated("    ports: [80]\n    deploy: { update_config: { order: stop-first } }", ImageFacts::default());
    insta::assert_snapshot!(said, @"
    routed 80:80:detect, StopFirst
    Requests to port 80 go through a proxy, which switches them.
    It sees the proxy's address as its clients'; plain HTTP has theirs in `X-Forwarded-For`.
    The old version stops before a new one starts, as `deploy.update_config.order` says; requests wait meanwhile, for 30 s at most.
    ");
}

#[test]
fn names_and_labels_go_where_they_work() {
    insta::assert_snapshot!(treated("    ports: [80]\n    container_name: shop-app\n    labels: { traefik.enable: 'true', team: a }", ImageFacts::default()), @"
    routed 80:80:detect, StartFirst
    Requests to port 80 go through a proxy, which switches them.
    It sees the proxy's address as its clients'; plain HTTP has theirs in `X-Forwarded-For`.
    A new version starts beside the old one.
    No container is called shop-app: in its networks that name leads to the proxy.
    `traefik.enable` and the like are given to its proxy: other proxies send requests there.
    ");
}

#[test]
fn a_sidecar_and_what_it_lives_in_keep_their_ports_to_themselves() {
    let sidecar = "    network_mode: 'service:vpn'\n  vpn:\n    image: vpn\n    ports: ['8080:8080']";
    insta::assert_snapshot!(treated(sidecar, exposing(&["8080/tcp"])), @"
    direct, StopFirst
    No proxy, as with Compose: it uses the network of vpn.
    The old version stops before a new one starts, because it belongs to one container of vpn.
    It lives in a container of vpn: it stops before that does, and starts in the next.
    ");
    let host = "    ports: ['8080:8080']\n  wiki:\n    image: wiki\n    network_mode: 'service:app'";
    insta::assert_snapshot!(treated(host, ImageFacts::default()), @"
    direct, StopFirst
    No proxy, as with Compose: wiki uses its network, and may be what answers there.
    The old version stops before a new one starts, because its containers have one network with those of wiki.
    ");
    // its processes are no ports
    let watched = "    ports: ['8080:8080']\n  probe:\n    image: probe\n    pid: 'service:app'";
    assert!(treated(watched, ImageFacts::default()).starts_with("routed"));
}

#[test]
fn traefik_is_no_writer_to_the_engines_socket() {
    let said = |mode: &str| {
        let volumes = format!("    volumes: ['/var/run/docker.sock:/var/run/docker.sock{mode}']");
        treated(&format!("    ports: [80]\n{volumes}"), ImageFacts::default())
    };
    assert!(said(":ro").contains("StartFirst") && said("").contains("StartFirst"));
}

#[test]
fn what_has_no_proxy_starts_beside_the_old_one_only_where_the_file_says_so() {
    let wish = |order: &str| format!("    deploy: {{ update_config: {{ order: {order} }} }}");
    assert!(treated("", ImageFacts::default()).contains("StopFirst"));
    assert!(treated(&wish("start-first"), ImageFacts::default()).contains("StartFirst"));
    // what can't be twice stays alone, whatever is wished
    let host = format!("    network_mode: host\n{}", wish("start-first"));
    assert!(treated(&host, ImageFacts::default()).contains("StopFirst"));
}
