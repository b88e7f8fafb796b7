//! Files laid over each other, by Compose's rules.

use deploy_compose::{
    Loader,
    model::{Project, Service},
};

/// Documents of one text are merged like files.
fn merged(base: &str, over: &str) -> Project {
    let text = format!("{base}\n---\n{over}\n");
    Loader::new("/project").load_str("compose.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn service(base: &str, over: &str) -> Service {
    let wrap = |fields: &str| format!("services: {{web: {{{fields}}}, db: {{image: y}}, mq: {{image: z}}}}");
    let top = "volumes: {a: , b: }\nnetworks: {n1: , n2: }\nsecrets: {s: {file: s}}";
    let project = merged(&format!("{}\n{top}", wrap(&format!("image: x, {base}"))), &wrap(over));
    project.services["web"].clone()
}

fn json(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).expect("JSON")
}

#[test]
fn scalars_and_commands_are_replaced() {
    let web = service(
        "user: a, command: [a, b], healthcheck: {test: [CMD, a], retries: 2}",
        "user: b, command: [c], healthcheck: {test: b}",
    );
    assert_eq!((web.user.as_deref(), json(&web.command).as_str()), (Some("b"), "[\"c\"]"));
    assert_eq!(json(&web.healthcheck), r#"{"test":{"shell":"b"},"retries":2}"#);
}

#[test]
fn pairs_are_merged_by_key_in_either_form() {
    let web = service("environment: [A=1, B=1], labels: {a: 1}", "environment: {B: 2, C: 2}, labels: [a=2, b=2]");
    assert_eq!(json(&web.environment), r#"{"A":"1","B":"2","C":"2"}"#);
    assert_eq!(json(&web.labels), r#"{"a":"2","b":"2"}"#);
    let web = service("environment: [A=1, A=2]", "environment: {A: 3}");
    assert_eq!(json(&web.environment), r#"{"A":"3"}"#);
}

#[test]
fn lists_are_appended_and_unique_by_what_they_mean() {
    let web = service(
        "ports: ['80:80', '443:443'], volumes: ['a:/x', './c:/y'], expose: [1], cap_add: [A], dns: 1.1.1.1, secrets: [s]",
        "ports: [{target: 80, published: 80, app_protocol: http}, '81:81'], volumes: ['b:/x:ro'], expose: [2], cap_add: [A, B], \
         dns: [9.9.9.9], secrets: [{source: s, target: s, mode: 0400}]",
    );
    let ports: Vec<u16> = web.ports.iter().map(|port| port.target).collect();
    assert_eq!(ports, [80, 443, 81]);
    assert_eq!(web.ports[0].app_protocol.as_deref(), Some("http"));
    assert_eq!(json(&web.volumes[0]), r#"{"target":"/x","read_only":true,"type":"volume","source":"b"}"#);
    assert_eq!(web.volumes.len(), 2);
    assert_eq!(web.expose.len(), 2);
    assert_eq!(
        (json(&web.isolation.cap_add), json(&web.dns)),
        (r#"["A","B"]"#.into(), r#"["1.1.1.1","9.9.9.9"]"#.into())
    );
    assert_eq!((web.secrets.len(), web.secrets[0].mode), (1, Some(0o400)));
}

#[test]
fn lists_and_maps_of_keys_are_the_same() {
    let web = service(
        "networks: [n1], depends_on: [db], build: ./a, extra_hosts: ['h:1.1.1.1']",
        "networks: {n1: {aliases: [w]}, n2: }, depends_on: {db: {condition: service_healthy}, mq: {condition: service_started}}, \
         build: {target: t}, extra_hosts: {i: 2.2.2.2}",
    );
    assert_eq!(json(&web.networks), r#"{"n1":{"aliases":["w"]},"n2":{}}"#);
    assert_eq!(json(web.depends_on.keys().collect::<Vec<_>>()), r#"["db","mq"]"#);
    assert_eq!(json(web.depends_on["db"].condition), "\"healthy\"");
    assert_eq!(json(&web.build), r#"{"context":{"folder":"/project/a"},"target":"t"}"#);
    assert_eq!(json(&web.extra_hosts), r#"{"h":["1.1.1.1"],"i":["2.2.2.2"]}"#);
}

#[test]
fn log_options_are_merged_only_for_the_same_driver() {
    let base = "logging: {driver: local, options: {a: 1}}";
    assert_eq!(
        json(service(base, "logging: {options: {b: 2}}").logging),
        r#"{"driver":"local","options":{"a":"1","b":"2"}}"#
    );
    assert_eq!(json(service(base, "logging: {driver: syslog}").logging), r#"{"driver":"syslog"}"#);
}

#[test]
fn limits_are_replaced_or_merged() {
    let web = service(
        "ulimits: {nproc: 1, nofile: {soft: 1, hard: 2}}",
        "ulimits: {nproc: {soft: 3, hard: 4}, nofile: {soft: 2, hard: 2}}",
    );
    assert_eq!(json(&web.isolation.ulimits), r#"{"nofile":{"soft":2,"hard":2},"nproc":{"soft":3,"hard":4}}"#);
}

#[test]
fn reset_removes_and_override_replaces() {
    let web = service(
        "ports: ['80:80'], environment: {A: 1, B: 1}, user: x",
        "ports: !override ['81:81'], environment: {A: !reset null}, user: !reset null",
    );
    assert_eq!(web.ports.iter().map(|port| port.target).collect::<Vec<_>>(), [81]);
    assert_eq!((json(&web.environment).as_str(), web.user), (r#"{"B":"1"}"#, None));
    let project = merged("services: {web: {image: x}, db: {image: y}}", "services: {db: !reset null}");
    assert_eq!(project.services.len(), 1);
}

#[test]
fn nothing_over_something_changes_nothing() {
    let web = service("environment: {A: 1}, ports: ['80:80']", "environment: , ports: ");
    assert_eq!((web.environment.len(), web.ports.len()), (1, 1));
}

#[test]
fn values_of_different_kinds_are_refused_at_the_later_one() {
    let text = "services:\n  web:\n    image: x\n    ports: ['80']\n---\nservices:\n  web:\n    ports: {a: b}\n";
    let error = Loader::new("/project").load_str("compose.yaml", text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "compose.yaml:8:12: services.web.ports: expected a list as at compose.yaml:4:12, but found a map"
    );
}
