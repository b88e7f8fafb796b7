//! Every problem says where it stands, what was expected and what was found.

use deploy_compose::Loader;

fn error(text: &str) -> String {
    match Loader::new("/project").load_str("compose.yaml", text) {
        Ok(project) => panic!("expected a problem in\n{text}\nbut found {:?}", project.services),
        Err(error) => error.to_string(),
    }
}

/// A service with one more line, and the problem that it makes.
fn service(line: &str) -> String {
    error(&format!(
        "services:\n  web:\n    image: nginx\n    {line}\n  db:\n    image: postgres\nvolumes:\n  data:\nsecrets:\n  token: {{environment: TOKEN}}\n"
    ))
}

#[test]
fn yaml_that_is_none_is_shown_where_it_breaks() {
    assert_eq!(
        error("services:\n  web: [\n"),
        "compose.yaml:2:8: expected YAML, but found an error in it: unclosed bracket '['"
    );
    assert_eq!(error(""), "expected a Compose file with services, but found an empty one");
    assert_eq!(
        error("a: &a\n  b: *a\n"),
        "compose.yaml:2:6: expected an alias of an earlier value, but found one of a value that contains it"
    );
}

#[test]
fn a_key_that_stands_twice_is_shown_with_both_places() {
    assert_eq!(
        error("services:\n  web:\n    image: a\n    ports: []\n    image: b\n"),
        "compose.yaml:5:5: services.web.image: expected each key once, but found `image` again, first used at \
         compose.yaml:3:5"
    );
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(error(&text).contains("expected at most 500000 values"));
}

#[test]
fn shapes_that_the_specification_forbids_are_all_shown() {
    let text = "services:\n  web:\n    imgae: x\n    ports: 80\n    healthcheck: {test: {a: b}}\n    volumes:\n      \
                - {type: foo}\n    depends_on: {db: {conditoin: x}}\n";
    let expected = "\
compose.yaml:3:5: services.web.imgae: expected a key of the Compose Specification, but found `imgae`; did you mean `image`?
compose.yaml:4:12: services.web.ports: expected a list, but found the number 80
compose.yaml:5:25: services.web.healthcheck.test: expected a text or a list, but found a map
compose.yaml:7:16: services.web.volumes[0].type: expected `bind`, `volume`, `tmpfs`, `cluster`, `npipe` or `image`, but found the text \"foo\"
compose.yaml:8:22: services.web.depends_on.db: expected the key `condition`, but found none
compose.yaml:8:23: services.web.depends_on.db.conditoin: expected a key of the Compose Specification, but found `conditoin`; did you mean `condition`?";
    assert_eq!(error(text), expected);
}

#[test]
fn values_are_refused_where_they_stand() {
    let cases = [
        ("ports: ['80', '80:web']", "4:19: services.web.ports[1]: expected a port such as"),
        ("ports: [{published: 80}]", "4:13: services.web.ports[0]: expected a map with the key `target`"),
        (
            "ports: [{target: 0}]",
            "4:22: services.web.ports[0].target: expected a port from 1 to 65535, but found the number 0",
        ),
        (
            "volumes: [nope:/x]",
            "4:15: services.web.volumes[0]: expected a volume declared under `volumes`, but found `nope`",
        ),
        (
            "volumes: [dat:/x]",
            "4:15: services.web.volumes[0]: expected a volume declared under `volumes`, but found `dat`; did you mean `data`?",
        ),
        ("volumes: [data]", "4:15: services.web.volumes[0]: expected a mount such as"),
        ("volumes: [data:/x:sw]", "4:15: services.web.volumes[0]: expected a mount whose options are"),
        (
            "networks: [front]",
            "4:16: services.web.networks[0]: expected a network declared under `networks`, but found `front`",
        ),
        ("networks: {front: }", "4:16: services.web.networks.front: expected a network declared"),
        (
            "secrets: [key]",
            "4:15: services.web.secrets[0]: expected a secret declared under `secrets`, but found `key`",
        ),
        (
            "depends_on: [bd]",
            "4:18: services.web.depends_on[0]: expected a service of this project, but found `bd`; did you mean `db`?",
        ),
        (
            "depends_on: [web]",
            "4:5: services.web.depends_on: expected an order of dependencies, but found a circle: web → web",
        ),
        (
            "network_mode: service:vpn",
            "4:19: services.web.network_mode: expected a service of this project, but found `vpn`",
        ),
        ("stop_grace_period: 10", "4:24: services.web.stop_grace_period: expected a text, but found the number 10"),
        ("stop_grace_period: '10'", "4:24: services.web.stop_grace_period: expected a duration such as 10s"),
        ("mem_limit: lots", "4:16: services.web.mem_limit: expected a size such as 512m"),
        (
            "restart: sometimes",
            "4:14: services.web.restart: expected no, always, unless-stopped or on-failure[:number]",
        ),
        ("privileged: maybe", "4:17: services.web.privileged: expected true or false, but found the text \"maybe\""),
        (
            "healthcheck: {test: [curl, x]}",
            "4:25: services.web.healthcheck.test: expected NONE alone, CMD and a command",
        ),
        ("command: \"sh -c 'x\"", "4:14: services.web.command: expected a closing quote"),
        ("deploy: {replicas: -1}", "4:24: services.web.deploy.replicas: expected a whole number that isn't negative"),
        (
            "isolation: chroot",
            "4:16: services.web.isolation: expected default, process or hyperv, but found the text \"chroot\"",
        ),
        (
            "security_opt: [confined]",
            "4:20: services.web.security_opt[0]: expected an option such as no-new-privileges:true",
        ),
        (
            "security_opt: ['seccomp:./nowhere.json']",
            "4:20: services.web.security_opt[0]: expected a readable file at nowhere.json, but found: No such file",
        ),
        ("platform: linux//arm64", "4:15: services.web.platform: expected a platform such as linux/arm64, but found"),
        (
            "volumes: [{type: bind, source: './a:b', target: /x, bind: {selinux: z}}]",
            "4:36: services.web.volumes[0].source: expected a path without a colon beside `selinux`",
        ),
        (
            "secrets: [{source: token, uid: www-data}]",
            "4:36: services.web.secrets[0].uid: expected a number, because names are each image's own, but found the text",
        ),
        ("env_file: nowhere.env", "4:15: services.web.env_file: expected a readable file at /project/nowhere.env"),
    ];
    for (line, expected) in cases {
        let error = service(line);
        assert!(error.starts_with(&format!("compose.yaml:{expected}")), "{line}:\n{error}");
    }
}

#[test]
fn a_service_and_its_first_network_have_one_hardware_address() {
    let text = |first: &str| {
        format!(
            "services:\n  web:\n    image: x\n    mac_address: 02:00:00:00:00:01\n    networks:\n      a: {{ mac_address: '{first}' }}\n      \
             b: {{ priority: 1, mac_address: '02:00:00:00:00:02' }}\nnetworks: {{ a: {{}}, b: {{}} }}\n"
        )
    };
    assert_eq!(
        error(&text("02:00:00:00:00:01")),
        "compose.yaml:4:18: services.web.mac_address: expected the same address as in `networks.b`, which is \
         02:00:00:00:00:02, but found the text \"02:00:00:00:00:01\""
    );
    let equal = text("02:00:00:00:00:03").replace("'02:00:00:00:00:02'", "'02:00:00:00:00:01'");
    assert!(Loader::new("/project").load_str("compose.yaml", &equal).is_ok());
}

#[test]
fn what_is_not_supported_yet_is_refused_where_it_stands() {
    let cases = [
        ("extends: {service: db}", "4:5: services.web.extends"),
        ("post_start: [{command: x}]", "4:5: services.web.post_start"),
        ("volumes_from: [db]", "4:5: services.web.volumes_from"),
        ("provider: {type: x}", "4:5: services.web.provider"),
        ("models: [llm]", "4:5: services.web.models"),
        ("credential_spec: {file: x}", "4:5: services.web.credential_spec"),
        ("pre_stop: [{command: [a], user: b, privileged: true, environment: {A: 1}}]", "4:5: services.web.pre_stop"),
        ("use_api_socket: true", "4:5: services.web.use_api_socket"),
        ("cpu_percent: 50", "4:5: services.web.cpu_percent"),
        ("build: {additional_contexts: {a: ../a}}", "4:13: services.web.build.additional_contexts"),
        ("build: {secrets: [token], }", "4:13: services.web.build.secrets"),
        ("build: {context: ., ssh: [default]}", "4:25: services.web.build.ssh"),
        ("depends_on: {db: {condition: service_completed_successfully}}", "4:34: services.web.depends_on.db.condition"),
        ("volumes: [{type: npipe, source: x, target: /y}]", "4:15: services.web.volumes[0]"),
    ];
    for (line, expected) in cases {
        let error = service(line);
        assert!(error.starts_with(&format!("compose.yaml:{expected}: expected ")), "{line}:\n{error}");
        assert!(error.contains("not supported yet"), "{line}:\n{error}");
    }
    assert!(error("include: [a.yaml]\nservices: {a: {image: x}}").starts_with("compose.yaml:1:1: include: expected"));
    assert!(
        error("services: {a: {image: x}}\nmodels: {m: {model: x}}").starts_with("compose.yaml:2:1: models: expected")
    );
}

#[test]
fn fields_that_exclude_each_other_are_refused() {
    let cases = [
        ("{image: a, network_mode: host, networks: [default]}", "expected either `networks` or `network_mode`"),
        ("{image: a, scale: 2, deploy: {replicas: 3}}", "expected the same number as in `scale`"),
        ("{image: a, mem_limit: 1m, deploy: {resources: {limits: {memory: 2m}}}}", "the same value as in `mem_limit`"),
        ("{image: a, container_name: x, scale: 2}", "expected one replica beside `container_name`"),
        ("{image: a, healthcheck: {test: x, disable: true}}", "expected either `test` or `disable: true`"),
        ("{ports: ['80']}", "expected `image` or `build`, but found neither"),
    ];
    for (service, expected) in cases {
        let error = error(&format!("services:\n  web: {service}\n"));
        assert!(error.starts_with("compose.yaml:2:") && error.contains(expected), "{service}:\n{error}");
    }
}

#[test]
fn circles_and_hopeless_waits_are_refused() {
    let circle = error(
        "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, network_mode: 'service:c'}\n  c: {image: x, links: [a]}\n",
    );
    assert_eq!(
        circle,
        "compose.yaml:2:17: services.a.depends_on: expected an order of dependencies, but found a circle: a → b → c → a"
    );
    let wait = error(
        "services:\n  a: {image: x, depends_on: {b: {condition: service_healthy}}}\n  b: {image: x, healthcheck: {test: [NONE]}}\n",
    );
    assert!(wait.starts_with("compose.yaml:2:30: services.a.depends_on.b: expected service_started"), "{wait}");
}

#[test]
fn variables_that_must_be_set_and_texts_that_are_no_templates_are_refused() {
    assert_eq!(
        error("services:\n  web:\n    image: ${TAG:?give a tag}\n"),
        "compose.yaml:3:12: services.web.image: expected the variable TAG to be set and not empty, but found it isn't: \
         give a tag"
    );
    assert_eq!(
        error("services:\n  web:\n    command: echo $1\n"),
        "compose.yaml:3:14: services.web.command: expected a variable's name after `$`, but found `1`; write `$$` for a \
         dollar sign"
    );
}

#[test]
fn secrets_are_never_shown() {
    let text =
        "services:\n  web:\n    image: x\n    environment: {KEY: [hunter2]}\n    build: {context: ., args: hunter2}\n";
    let error = error(text);
    assert!(!error.contains("hunter2"), "{error}");
    let project = Loader::new("/project")
        .env([("TOKEN", "hunter2")])
        .load_str("compose.yaml", "services: {web: {image: x, environment: [TOKEN, A=hunter2]}}")
        .expect("a project");
    let shown = format!("{project:?}");
    assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn an_inline_dockerfile_is_the_only_one_and_has_its_context_here() {
    assert_eq!(
        service("build: {dockerfile: Other, dockerfile_inline: FROM scratch}"),
        "compose.yaml:4:32: services.web.build.dockerfile_inline: expected one Dockerfile, but found `dockerfile` too; \
         leave one of both out"
    );
    let error = service("build: {context: 'https://git.example/a.git', dockerfile_inline: FROM scratch}");
    assert!(error.starts_with("compose.yaml:4:51: services.web.build.dockerfile_inline: expected a folder"), "{error}");
    let error = service("build: {cache_from: ['type=registry,mode=max']}");
    assert!(
        error.ends_with("expected type=registry,ref=IMAGE, but found the text \"type=registry,mode=max\""),
        "{error}"
    );
    let error = service("build: {shm_size: much}");
    assert!(error.starts_with("compose.yaml:4:23: services.web.build.shm_size: expected a size"), "{error}");
}
