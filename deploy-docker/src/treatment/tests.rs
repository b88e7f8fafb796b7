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
    The new containers start beside the old ones.
    ");
}

#[test]
fn exposed_ports_are_routed_too() {
    insta::assert_snapshot!(treated("    expose: [9000]", exposing(&["8080/tcp"])), @"
    routed 8080:8080:detect 9000:9000:detect, StartFirst
    Requests to ports 8080, 9000 go through a proxy, which switches them.
    The new containers start beside the old ones.
    ");
}

#[test]
fn a_database_that_is_not_published_keeps_everything_as_it_was() {
    let image = ImageFacts { volumes: vec!["/var/lib/db".into()], ..exposing(&["5432/tcp"]) };
    insta::assert_snapshot!(treated("    volumes: ['data:/var/lib/db']", image), @"
    direct, StopFirst
    Requests reach it directly, as with Compose: nothing of it is published, and there is only one of it at a time.
    The old containers stop before the new ones start, because it writes to the volume data, and two writers could damage that.
    ");
}

#[test]
fn a_published_database_has_its_requests_held() {
    insta::assert_snapshot!(treated("    ports: ['3306:3306']\n    volumes: ['data:/data']", ImageFacts::default()), @"
    routed 3306:3306:bytes, StopFirst
    Requests to port 3306 go through a proxy, which switches them.
    Port 3306 is switched by connection, not by request, and the containers see the proxy's address as the client's.
    The old containers stop before the new ones start, because it writes to the volume data, and two writers could damage that; requests wait meanwhile, for 30 s at most.
    ");
}

#[test]
fn an_images_own_volume_counts_and_is_carried_over() {
    let image = || ImageFacts { volumes: vec!["/data".into()], ..exposing(&["6379/tcp"]) };
    insta::assert_snapshot!(treated("", image()), @"
    direct, StopFirst
    Requests reach it directly, as with Compose: nothing of it is published, and there is only one of it at a time.
    The old containers stop before the new ones start, because it writes to the image's own volume /data, and two writers could damage that.
    ");
    assert!(treated("    tmpfs: [/data]", image()).contains("StartFirst"));
}

#[test]
fn bound_files_are_configuration_and_folders_are_data() {
    insta::assert_snapshot!(treated("    ports: [80]\n    volumes: ['./nginx.conf:/etc/nginx.conf:ro', '/var/run/docker.sock:/docker.sock']", ImageFacts::default()), @"
    routed 80:80:detect, StartFirst
    Requests to port 80 go through a proxy, which switches them.
    The new containers start beside the old ones.
    ");
    insta::assert_snapshot!(treated("    ports: [80]\n    volumes: ['./nginx.conf:/etc/nginx.conf', './large:/large:ro', './uploads:/shown:ro']", ImageFacts::default()), @"
    routed 80:80:detect, StartFirst
    Requests to port 80 go through a proxy, which switches them.
    The new containers start beside the old ones.
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
    Requests reach it directly, as with Compose: it uses the host's network.
    The old containers stop before the new ones start, because two can't listen on the same port of the host.
    ");
    insta::assert_snapshot!(treated("    ports: ['53:53/udp', '53:53/tcp']", ImageFacts::default()), @"
    direct, StopFirst
    Requests reach it directly, as with Compose: port 53/udp isn't TCP, which is all that a proxy switches.
    The old containers stop before the new ones start, because two can't publish the same port.
    ");
    insta::assert_snapshot!(treated("", ImageFacts::default()), @"
    direct, StartFirst
    Requests reach it directly, as with Compose: no port of it is known (`ports`, `expose`, or EXPOSE of the image).
    The new containers start beside the old ones.
    ");
}

#[test]
fn the_file_has_the_last_word_on_the_order() {
    let said = treated("    ports: [80]\n    deploy: { update_config: { order: stop-first } }", ImageFacts::default());
    insta::assert_snapshot!(said, @"
    routed 80:80:detect, StopFirst
    Requests to port 80 go through a proxy, which switches them.
    The old containers stop before the new ones start, as `deploy.update_config.order` says; requests wait meanwhile, for 30 s at most.
    ");
}

#[test]
fn names_and_labels_go_where_they_work() {
    insta::assert_snapshot!(treated("    ports: [80]\n    container_name: shop-app\n    labels: { traefik.enable: 'true', team: a }", ImageFacts::default()), @"
    routed 80:80:detect, StartFirst
    Requests to port 80 go through a proxy, which switches them.
    The new containers start beside the old ones.
    Requests to shop-app go to the proxy, and the containers have names of their own.
    `traefik.enable` and the like are given to the proxy, so that other proxies find it.
    ");
}
