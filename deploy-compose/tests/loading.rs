//! Files, environments, names and profiles.

use std::{fs, path::Path};

use deploy_compose::{
    Loader,
    model::{Condition, Project, Restart, Source},
    project_directory,
};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("shop").tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn load(text: &str) -> Project {
    Loader::new("/srv/shop").load_str("compose.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

const WEB: &str = "services:\n  web:\n    image: nginx:${TAG-1}\n";

#[test]
fn the_usual_files_are_found_in_their_order() {
    let folder = folder(&[
        ("docker-compose.yml", "services: {old: {image: x}}"),
        ("compose.yaml", WEB),
        ("compose.override.yml", "services: {web: {command: [over]}}"),
    ]);
    let project = Loader::new(folder.path()).load().unwrap();
    assert_eq!(project.services.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["web"]);
    assert_eq!(project.services["web"].command, Some(vec!["over".into()]));
    assert_eq!(project.files.len(), 2);
    assert_eq!(project.place("services.web.command").unwrap().to_string(), "compose.override.yml:1:18");
    assert_eq!(project.place("services.web.image.nothing").unwrap().to_string(), "compose.yaml:3:5");
}

#[test]
fn files_are_given_or_named_by_a_variable() {
    let folder = folder(&[("a.yaml", WEB), ("sub/b.yaml", "services: {web: {user: me}}"), ("compose.yaml", "x")]);
    let named = [("COMPOSE_FILE", "a.yaml:sub/b.yaml")];
    let project = Loader::new(folder.path()).env(named).load().unwrap();
    assert_eq!(project.services["web"].user.as_deref(), Some("me"));
    let named = [("COMPOSE_FILE", "a.yaml,sub/b.yaml"), ("COMPOSE_PATH_SEPARATOR", ",")];
    assert_eq!(Loader::new(folder.path()).env(named).load().unwrap().services, project.services);
    let given = Loader::new(folder.path().join("sub")).files([folder.path().join("a.yaml")]).load().unwrap();
    assert_eq!(given.place("services").unwrap().file(), folder.path().join("a.yaml").display().to_string());
    let error = Loader::new(folder.path()).files([folder.path().join("c.yaml")]).load().unwrap_err();
    assert!(error.to_string().starts_with("expected a readable file at c.yaml, but found"), "{error}");
}

#[test]
fn an_empty_text_is_nothing() {
    let project = load("services: {web: {image: x, user: '$U', network_mode: '$M', restart: '', command: ''}}");
    let web = &project.services["web"];
    assert_eq!((&web.user, &web.network_mode, web.restart), (&None, &None, Restart::No));
    assert_eq!(web.command, Some(Vec::new()));
}

#[test]
fn a_directory_without_a_file_is_refused() {
    let folder = folder(&[]);
    let error = Loader::new(folder.path()).load().unwrap_err();
    assert!(error.to_string().starts_with("expected a Compose file (compose.yaml, compose.yml,"), "{error}");
    assert_eq!(error.problems().len(), 1);
}

#[test]
fn the_project_directory_is_looked_for_upwards() {
    let folder = folder(&[("compose.yml", WEB), ("src/deep/main.rs", "")]);
    assert_eq!(project_directory(&folder.path().join("src/deep")), Some(folder.path()));
    assert_eq!(project_directory(Path::new("/nowhere/at/all")), None);
}

#[test]
fn the_environment_wins_over_env_files_and_later_files_over_earlier_ones() {
    let folder = folder(&[
        ("compose.yaml", "services: {web: {image: \"$A-$B-$C\"}}"),
        (".env", "A=dot\nB=dot\nC=dot"),
        ("one.env", "A=one\nB=one\nC=one"),
        ("two.env", "B=two\nC=${B}-${A}"),
    ]);
    let image = |loader: Loader| loader.load().unwrap().services["web"].image.clone();
    assert_eq!(image(Loader::new(folder.path())), "dot-dot-dot");
    assert_eq!(image(Loader::new(folder.path()).env([("A", "env")])), "env-dot-dot");
    let files = ["one.env", "two.env"].map(|file| folder.path().join(file));
    assert_eq!(image(Loader::new(folder.path()).env([("A", "env")]).env_files(files)), "env-two-two-env");
    assert_eq!(image(Loader::new(folder.path()).env([("COMPOSE_ENV_FILES", "one.env")])), "one-one-one");
    let error = Loader::new(folder.path()).env_files([folder.path().join("no.env")]).load().unwrap_err();
    assert!(error.to_string().starts_with("expected a readable file at no.env"), "{error}");
}

#[test]
fn the_name_is_given_or_set_or_written_or_the_directorys() {
    let text = format!("name: written-${{X:-1}}\n{WEB}");
    let loader = || Loader::new("/srv/My.Shop");
    let name = |loader: Loader, text: &str| loader.load_str("compose.yaml", text).unwrap().name;
    assert_eq!(name(loader(), WEB), "myshop");
    assert_eq!(name(loader(), &text), "written-1");
    assert_eq!(name(loader().env([("COMPOSE_PROJECT_NAME", "set")]), &text), "set");
    assert_eq!(name(loader().env([("COMPOSE_PROJECT_NAME", "set")]).name("given"), &text), "given");
    assert_eq!(load("services: {web: {image: \"x:$COMPOSE_PROJECT_NAME\"}}").services["web"].image, "x:shop");
    let error = loader().load_str("compose.yaml", "name: Shop\nservices: {}").unwrap_err();
    assert!(error.to_string().starts_with("compose.yaml:1:7: name: expected a name of small letters"), "{error}");
    assert!(loader().name("Shop").load_str("compose.yaml", WEB).is_err());
}

#[test]
fn names_and_defaults_carry_the_projects_name() {
    let project = load(
        "services: {web: {build: ., volumes: ['data:/d', 'ext:/e', 'own:/o']}}\n\
         volumes: {data: , ext: {external: true}, own: {name: mine}, unused: }\nnetworks: {unused: }",
    );
    assert_eq!(project.services["web"].image, "shop-web");
    let names: Vec<&str> = project.volumes.values().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["shop_data", "ext", "mine"]);
    let networks: Vec<&str> = project.networks.values().map(|network| network.name.as_str()).collect();
    assert_eq!(networks, ["shop_default"]);
}

#[test]
fn services_without_an_active_profile_are_left_out() {
    let text = "services:\n  web: {image: x}\n  debug: {image: x, profiles: [dev, test], env_file: missing.env}\n";
    assert_eq!(load(text).services.len(), 1);
    let text = text.replace(", env_file: missing.env", "");
    let count = |loader: Loader| loader.load_str("compose.yaml", &text).unwrap().services.len();
    assert_eq!(count(Loader::new("/srv/shop").profiles(["test"])), 2);
    assert_eq!(count(Loader::new("/srv/shop").profiles(["*"])), 2);
    assert_eq!(count(Loader::new("/srv/shop").profiles(["other"])), 1);
    assert_eq!(count(Loader::new("/srv/shop").env([("COMPOSE_PROFILES", "a, dev")])), 2);
}

#[test]
fn waiting_for_an_inactive_service_is_an_error_unless_it_is_not_required() {
    let text = |required| {
        format!(
            "services:\n  web:\n    image: x\n    depends_on:\n      db: {{condition: service_started, required: {required}}}\n  \
             db: {{image: x, profiles: [data]}}\n"
        )
    };
    let error = Loader::new("/srv/shop").load_str("compose.yaml", &text(true)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "compose.yaml:5:7: services.web.depends_on.db: expected an active service, but found `db`, none of whose profiles \
         is active; activate one"
    );
    assert!(load(&text(false)).services["web"].depends_on.is_empty());
}

#[test]
fn what_a_service_shares_it_waits_for() {
    let project = load(
        "services:\n  app: {image: x, network_mode: 'service:vpn', depends_on: {db: {condition: service_healthy}}}\n  \
         vpn: {image: x, ipc: 'service:db'}\n  db: {image: x}\n",
    );
    let app = &project.services["app"];
    assert_eq!(app.depends_on["vpn"].condition, Condition::Started);
    assert_eq!(app.depends_on["db"].condition, Condition::Healthy);
    assert!(app.networks.is_empty());
    let order: Vec<&str> = project.dependency_order().iter().map(|service| service.name.as_str()).collect();
    assert_eq!(order, ["db", "vpn", "app"]);
}

#[test]
fn what_only_a_swarm_or_compose_itself_acts_on_is_named() {
    let text = "\
services:
  web:
    image: x
    network_mode: host
    mac_address: 02:00:00:00:00:01
    depends_on:
      db: { condition: service_started, restart: true }
      cache: { condition: service_started, restart: false }
    deploy:
      update_config:
        { parallelism: 2, delay: 10s, failure_action: pause, monitor: 5s, max_failure_ratio: 0.5, order: stop-first }
      rollback_config: { parallelism: 1 }
  db: { image: x }
  cache: { image: x }
";
    let project = load(text);
    let ignored: Vec<_> = project.ignored.iter().map(ToString::to_string).collect();
    let update = |place: &str, field: &str| {
        format!("compose.yaml:{place}: services.web.deploy.update_config.{field}: only a Swarm uses it")
    };
    assert_eq!(
        ignored,
        [
            "compose.yaml:5:5: services.web.mac_address: beside this `network_mode` its containers have no network \
             interface of their own"
                .to_owned(),
            "compose.yaml:7:41: services.web.depends_on.db.restart: a deployment replaces what has changed, and \
             restarts nothing because of it"
                .to_owned(),
            update("11:27", "delay"),
            update("11:39", "failure_action"),
            update("11:62", "monitor"),
            update("11:75", "max_failure_ratio"),
            "compose.yaml:12:7: services.web.deploy.rollback_config: only a Swarm uses it".to_owned(),
        ]
    );
    assert_eq!(project.services["web"].mac_address, None);
    let unfit = text.replace("delay: 10s", "delay: soon");
    assert!(Loader::new("/srv/shop").load_str("compose.yaml", &unfit).is_err());
}

#[test]
fn unset_variables_and_shell_signs_are_warned_about() {
    let project = load("services:\n  web:\n    image: nginx:$TAG\n    command: a && b\n");
    let warnings: Vec<String> = project.warnings.iter().map(|warning| warning.to_string()).collect();
    assert_eq!(
        warnings,
        [
            "compose.yaml:3:12: services.web.image: the variable TAG isn't set; an empty text stands in its place",
            "compose.yaml:4:14: services.web.command: no shell reads this, and Compose leaves out `&& b`; write [\"sh\", \
             \"-c\", \"…\"] to have a shell",
        ]
    );
    assert_eq!(project.services["web"].image, "nginx:");
    assert_eq!(project.services["web"].command, Some(vec!["a".into()]));
}

#[test]
fn label_files_give_labels() {
    let folder = folder(&[
        ("compose.yaml", "services: {web: {image: x, label_file: l.env, labels: {a: own}}}"),
        ("l.env", "a=file\nb.c=file"),
    ]);
    let project = Loader::new(folder.path()).load().unwrap();
    let labels: Vec<_> = project.services["web"].labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("a", "own"), ("b.c", "file")]);
}

#[test]
fn a_seccomp_profile_is_read_and_other_security_options_stay_as_they_are() {
    let options = "[no-new-privileges, 'label:disable', seccomp=unconfined, 'seccomp:./profile.json']";
    let text = format!("services: {{web: {{image: x, security_opt: {options}}}}}");
    let folder = folder(&[("compose.yaml", &text), ("profile.json", "{ \"defaultAction\":\n \"SCMP_ACT_ALLOW\" }")]);
    let options = |project: &Project| project.services["web"].isolation.security_opt.clone();
    let project = Loader::new(folder.path()).load().unwrap();
    let profile = r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#;
    assert_eq!(options(&project), ["no-new-privileges", "label:disable", "seccomp=unconfined", profile]);
    fs::write(folder.path().join("profile.json"), "{").unwrap();
    let error = Loader::new(folder.path()).load().unwrap_err().to_string();
    assert!(error.contains("expected a seccomp profile as JSON in profile.json, but found: EOF"), "{error}");
}

#[test]
fn contents_of_secrets_are_read_on_demand_only() {
    let text = "services: {web: {image: x, secrets: [file, var], configs: [text]}}\n\
                secrets: {file: {file: ./s}, var: {environment: V}}\nconfigs: {text: {content: 'n=${V}'}}";
    let folder = folder(&[("compose.yaml", text)]);
    let project = Loader::new(folder.path()).env([("V", "variable")]).load().unwrap();
    let content = |object: &deploy_compose::model::FileObject| {
        object.content(&project.environment).map(|content| content.expose().to_vec())
    };
    assert!(content(&project.secrets["file"]).is_err());
    fs::write(folder.path().join("s"), "file").unwrap();
    assert_eq!(content(&project.secrets["file"]).unwrap(), b"file");
    assert_eq!(content(&project.secrets["var"]).unwrap(), b"variable");
    assert_eq!(content(&project.configs["text"]).unwrap(), b"n=variable");
    assert_eq!(project.secrets["file"].source, Source::File(folder.path().join("s")));
}

#[test]
fn extensions_are_accepted_in_silence_wherever_they_stand() {
    let text = "\
x-base: &base {restart: always, x-owner: shop}
services:
  web:
    <<: *base
    image: x
    x-team: a
    healthcheck: {test: [CMD, probe], x-why: b}
    ports: [{target: 80, x-name: http}]
    deploy: {replicas: 2, x-tier: c}
    networks: {front: {x-zone: d}}
networks: {front: {x-zone: e}}
";
    let project = load(text);
    assert_eq!(project.services["web"].replicas, 2);
    assert_eq!((project.ignored, project.warnings), (Vec::new(), Vec::new()));
}

#[test]
fn several_documents_in_a_file_are_laid_over_each_other() {
    let project = load("services: {web: {image: a}}\n---\nservices: {web: {image: b}}\n---\n");
    assert_eq!(project.services["web"].image, "b");
}

#[test]
fn what_a_build_says_is_read_and_what_has_no_effect_is_named() {
    let text = "\
services:
  web:
    build:
      context: app
      dockerfile_inline: |
        FROM scratch
      labels: [from.file=yes, empty]
      tags: ['web:extra']
      network: none
      extra_hosts: ['db=10.0.0.5', 'db:[::1]']
      shm_size: 64m
      no_cache: true
      pull: 'false'
      cache_from: [repo:cache, 'type=registry,ref=repo:other', 'type=gha']
      cache_to: ['type=inline']
      platforms: [linux/amd64, linux/arm64]
      provenance: false
      sbom: true
";
    let project = load(text);
    let build = project.services["web"].build.as_ref().unwrap();
    assert_eq!(
        serde_json::to_string(build).unwrap(),
        r#"{"context":{"folder":"/srv/shop/app"},"dockerfile_inline":"FROM scratch\n","labels":{"empty":"","from.file":"yes"},"tags":["web:extra"],"network":"none","extra_hosts":{"db":["10.0.0.5","::1"]},"shm_size":67108864,"no_cache":true,"cache_from":["repo:cache","repo:other"]}"#
    );
    let ignored: Vec<_> =
        project.ignored.iter().map(|ignored| ignored.what.trim_start_matches("services.web.build.")).collect();
    assert_eq!(ignored, ["cache_from[2]", "cache_to", "platforms", "sbom"]);
}
