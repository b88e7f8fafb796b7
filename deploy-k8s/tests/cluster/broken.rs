//! Versions that can't be deployed: whoever asks goes on getting the old one, nothing of the try is left, and what is
//! certain isn't waited for.

use crate::{
    ground::Ground,
    load::{Connections, Load, Seen},
    site::Site,
    web::Web,
};
use deploy_core::{
    engine::{Finish, Options, Report, Request},
    journal::Record,
    model::{End, Event, Millis},
    observer::{Notice, Progress},
    strategy::{BlueGreen, Rolling, Strategy},
};
use deploy_k8s::Namespace;
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What may still get healthy is given up then.
const HEALTHY_BY: Duration = Duration::from_secs(12);
/// What is certain is known much earlier than a version of it would be given up, however busy the machine is.
const AT_ONCE: Duration = Duration::from_secs(30);
const NOT_AT_ONCE: Duration = Duration::from_secs(60);
const BAKE: Duration = Duration::from_secs(20);
/// Requests a second: enough to see a gap of some tens of milliseconds.
const RATE: u32 = 50;

/// A version that can't be deployed.
#[derive(Clone, Default)]
struct Broken {
    name: &'static str,
    env: &'static [(&'static str, &'static str)],
    image: Option<String>,
    container: &'static [&'static str],
    pod: &'static [&'static str],
    /// Whether it is certain, and needn't be waited for.
    is_certain: bool,
    /// What is in the reason that is told.
    says: &'static str,
    /// What is in the lines that are told beside it.
    logs: &'static str,
    /// An object that is there until all is prepared: its kind and name.
    taken_away: Option<(&'static str, &'static str)>,
}

/// What was seen of one.
struct Tried {
    given_up: Duration,
    ended: Duration,
    why: String,
    /// The lines that explain it.
    told: String,
}

fn versions(image: String) -> Vec<Broken> {
    let certain = Broken { is_certain: true, ..Broken::default() };
    vec![
        Broken {
            name: "never ready",
            env: &[("READY", "never")],
            says: "healthy within",
            logs: "Unhealthy: Readiness probe failed",
            ..Broken::default()
        },
        Broken {
            name: "exits at once",
            env: &[("EXIT_MS", "100")],
            says: "exited with status 3, 2 times by now",
            logs: "2 listens on 8080",
            ..certain.clone()
        },
        Broken {
            name: "missing image",
            image: Some(image),
            says: "the image can't be pulled",
            logs: "Failed: Failed to pull image",
            ..certain.clone()
        },
        Broken {
            name: "invalid image name",
            image: Some("Web:1".into()),
            says: "the image's name is invalid",
            logs: "InspectFailed: ",
            ..certain.clone()
        },
        Broken {
            name: "no such command",
            container: &["command: [/none]"],
            says: "its command can't be run",
            logs: "Failed: Error: failed to start container",
            ..certain.clone()
        },
        Broken {
            name: "missing ConfigMap",
            container: &["envFrom: [{ configMapRef: { name: settings } }]"],
            says: "configmap \"settings\" not found",
            logs: "Failed: Error: configmap \"settings\" not found",
            taken_away: Some(("configmap", "settings")),
            ..certain.clone()
        },
        Broken {
            name: "missing Secret",
            container: &["envFrom: [{ secretRef: { name: password } }]"],
            says: "secret \"password\" not found",
            logs: "Failed: Error: secret \"password\" not found",
            taken_away: Some(("secret", "password")),
            ..certain.clone()
        },
        Broken {
            name: "missing ConfigMap in a volume",
            container: &["volumeMounts: [{ name: files, mountPath: /files }]"],
            pod: &["volumes: [{ name: files, configMap: { name: files } }]"],
            says: "healthy within",
            logs: "FailedMount: MountVolume.SetUp failed for volume \"files\"",
            taken_away: Some(("configmap", "files")),
            ..Broken::default()
        },
        Broken {
            name: "missing ServiceAccount",
            pod: &["serviceAccountName: shop"],
            says: "serviceaccount \"shop\" not found",
            logs: "FailedCreate: ",
            taken_away: Some(("serviceaccount", "shop")),
            ..certain
        },
        Broken {
            name: "unschedulable",
            pod: &["nodeSelector: { disk: none }"],
            says: "didn't match",
            logs: "FailedScheduling: ",
            ..Broken::default()
        },
    ]
}

/// The sound version; a pod goes on serving until the nodes know that it leaves.
fn sound() -> Web<'static> {
    Web { replicas: 2, pre_stop: Some(3), ..Web::default() }
}

async fn versions_are_taken_back(strategy: &dyn Strategy) {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let port = site.ground.start(&sound()).await;
    let before = shown(&site).await;
    // for whoever looks into one of them
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut wrong = Vec::new();
    eprintln!("{}: given up after, all as before after, lost, why", strategy.name());
    for broken in versions(registry().await).iter().filter(|one| one.name.contains(&only)) {
        let load = Load::at(RATE, port, Connections::New);
        let tried = broken.try_on(&site, strategy).await;
        let Seen { versions, lost, losses, .. } = load.end().await;
        let (name, Tried { given_up, ended, why, .. }) = (broken.name, &tried);
        eprintln!("{name:30} {given_up:6.1?} {ended:6.1?} {lost:4}  {why}");
        wrong.extend(broken.differs(&tried));
        if lost > 0 || !versions.keys().eq(["1"]) {
            wrong.push(format!("{name}: answers of {versions:?}, lost {losses:?}"));
        }
        is_as_before(&site, &before, name).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Broken {
    async fn try_on(&self, site: &Site, strategy: &dyn Strategy) -> Tried {
        let Self { env, container, pod, .. } = *self;
        let web = Web { version: "2", env, image: self.image.as_deref(), container, pod, ..sound() };
        if let Some((kind, name)) = self.taken_away {
            let generic = if kind == "secret" { &["generic"][..] } else { &[] };
            site.ground.kubectl(&[&["create", kind], generic, &[name]].concat()).await;
        }
        let mut run = Run::of(site, &web).await;
        run.healthy_by(if self.is_certain { NOT_AT_ONCE } else { HEALTHY_BY });
        if let Some((kind, name)) = self.taken_away {
            site.ground.kubectl(&["delete", kind, name]).await;
        }
        run.is_taken_back(strategy).await
    }

    /// What was seen otherwise than expected.
    fn differs(&self, tried: &Tried) -> Vec<String> {
        let Tried { why, told, given_up, .. } = tried;
        let mut wrong = Vec::new();
        if !why.contains(self.says) {
            wrong.push(format!("{}: expected {}, but found {why}", self.name, self.says));
        }
        if !told.contains(self.logs) {
            wrong.push(format!("{}: expected {}, but found {told}", self.name, self.logs));
        }
        if self.is_certain && *given_up > AT_ONCE {
            wrong.push(format!("{}: given up after {given_up:?}", self.name));
        }
        wrong
    }
}

/// A deployment that is about to begin.
struct Run {
    namespace: Namespace,
    request: Request,
    /// What was told, and when.
    notices: Arc<Mutex<Vec<(Instant, Notice)>>>,
}

impl Run {
    async fn of(site: &Site, web: &Web<'_>) -> Self {
        let namespace = site.open().await;
        let prepared = site.prepare_in(&namespace, &web.manifests(&site.ground)).await;
        let request = Request { services: prepared.services, payloads: prepared.payloads };
        Self { namespace, request, notices: Arc::default() }
    }

    fn healthy_by(&mut self, by: Duration) {
        for spec in &mut self.request.services {
            (spec.clocks.healthy_by, spec.clocks.progress_by) = (Millis::from(by), Millis::from(by));
        }
    }

    async fn is_taken_back(&self, strategy: &dyn Strategy) -> Tried {
        let told = Arc::clone(&self.notices);
        let observer = Arc::new(move |notice: &Notice| told.lock().unwrap().push((Instant::now(), notice.clone())));
        let engine = self.namespace.engine().observer(observer).build();
        let began = Instant::now();
        let report: Report = engine.deploy(&self.request, strategy, &Options::default()).await.unwrap();
        let ended = began.elapsed();
        let Finish::Ended(End::RolledBack { why }) = report.finish else { panic!("{:?}", report.finish) };
        let given_up = self.when(|event| matches!(event, Event::Unwinding { .. })).unwrap() - began;
        Tried { given_up, ended, why, told: self.told() }
    }

    /// When something was journalled.
    fn when(&self, is: impl Fn(&Event) -> bool) -> Option<Instant> {
        let notices = self.notices.lock().unwrap();
        let mut events = notices.iter().filter_map(|(at, notice)| match notice {
            Notice::Event { record, .. } => Some((*at, &**record)),
            Notice::Progress(_) => None,
        });
        events.find_map(|(at, Record { event, .. })| is(event).then_some(at))
    }

    /// The lines that were told of instances.
    fn told(&self) -> String {
        let notices = self.notices.lock().unwrap();
        let lines = notices.iter().filter_map(|(_, notice)| match notice {
            Notice::Progress(Progress::Log { lines, .. }) => Some(lines.join("\n")),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// What the user has: the Deployment and its Service.
async fn shown(site: &Site) -> [Value; 2] {
    [site.ground.shown("deployment", "web").await, site.ground.shown("service", "web").await]
}

async fn is_as_before(site: &Site, before: &[Value; 2], after: &str) {
    assert_eq!(shown(site).await, *before, "after {after}");
    let releases =
        site.ground.kubectl(&["get", "secrets", "-l", "deploy-rs.github.io/kind=release", "-o", "yaml"]).await;
    assert!(!releases.contains("deploy-rs.github.io/hold"), "after {after}: {releases}");
    let applied = site.ground.apply(&sound().manifests(&site.ground)).await;
    assert_eq!(applied, "deployment.apps/web unchanged\nservice/web unchanged", "after {after}");
}

/// An image of a registry that answers, but doesn't have it.
async fn registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let (status, body) = match head[..read].starts_with(b"GET /v2/ ") {
                    true => ("200 OK", "{}"),
                    false => {
                        ("404 Not Found", r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#)
                    }
                };
                let length = body.len();
                let head = "Content-Type: application/json\r\nConnection: close";
                let answer = format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("127.0.0.1:{port}/web:2")
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_versions_are_taken_back_by_blue_green() {
    versions_are_taken_back(&BlueGreen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn broken_versions_are_taken_back_by_rolling() {
    versions_are_taken_back(&Rolling).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pods_refer_to_is_looked_for_before_anything_is_applied() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let namespace = site.open().await;
    site.ground.kubectl(&["create", "configmap", "there"]).await;
    let web = Web {
        replicas: 1,
        container: &[
            "envFrom: [{ configMapRef: { name: there } }, { secretRef: { name: maybe, optional: true } }, { configMapRef: { name: given } }]",
        ],
        pod: &["imagePullSecrets: [{ name: registry }]"],
        ..Web::default()
    };
    let given = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: given }\n";
    let fine = web.manifests(&site.ground) + given;
    let notes = &site.try_prepare_in(&namespace, &fine).await.unwrap().services[0].notes;
    assert!(notes.iter().any(|note| note.starts_with("Secret registry, ")), "{notes:?}");
    let broken = fine.replace("name: there", "name: gone").replace(
        "imagePullSecrets: [{ name: registry }]",
        "serviceAccountName: shop\n      volumes: [{ name: v, secret: { secretName: tls } }]",
    );
    let error = site.try_prepare_in(&namespace, &broken).await.map(|_| ()).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    let expected = [
        (":14:7: spec.template.spec.serviceAccountName: ", "expected ServiceAccount shop"),
        (":15:38: spec.template.spec.volumes[0].secret.secretName: ", "expected Secret tls"),
        (":24:37: spec.template.spec.containers[0].envFrom[0].configMapRef.name: ", "expected ConfigMap gone"),
    ];
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, (place, what)) in lines.iter().zip(expected) {
        assert!(line.contains(&format!("app.yaml{place}{what} in the input or in namespace")), "{line}");
    }
    assert!(site.ground.try_kubectl(&["get", "deployment", "web"]).await.is_err());
    // what runs as it is to be runs, whatever is gone meanwhile
    site.ground.apply(&fine).await;
    site.ground.kubectl(&["delete", "configmap", "there"]).await;
    assert!(site.try_prepare_in(&namespace, &fine).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_may_be_raised_so_it_is_waited_for_and_told() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    site.ground.start(&sound()).await;
    let before = shown(&site).await;
    site.ground.kubectl(&["create", "quota", "few", "--hard=pods=2"]).await;
    let mut run = Run::of(&site, &Web { version: "2", ..sound() }).await;
    run.healthy_by(HEALTHY_BY);
    let Tried { given_up, why, told, .. } = run.is_taken_back(&BlueGreen).await;
    assert!(given_up >= HEALTHY_BY && why.contains("exceeded quota: few"), "{given_up:?}: {why}");
    assert!(told.contains("FailedCreate: ") && told.contains("exceeded quota: few"), "{told}");
    is_as_before(&site, &before, "a quota").await;
}

/// How many of the new pods get sick in the bake.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sick {
    One,
    All,
}

async fn sick_in_the_bake(strategy: &dyn Strategy, sick: Sick) {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let port = site.ground.start(&sound()).await;
    let before = shown(&site).await;
    let mut run = Run::of(&site, &Web { version: "2", ..sound() }).await;
    run.request.services[0].bake = Millis::from(BAKE);
    let load = Load::at(RATE, port, Connections::New);
    let make_sick = async {
        let is_baking = |event: &Event| matches!(event, Event::StepStarted { step } if step.as_str() == "web/bake");
        crate::ground::until("the bake", || async { run.when(is_baking).is_some() }).await;
        let pods = new_pods(&site).await;
        assert_eq!(pods.len(), 2);
        let began = Instant::now();
        for pod in pods.iter().take(if sick == Sick::One { 1 } else { 2 }) {
            let path = format!("/api/v1/namespaces/{}/pods/{pod}:8080/proxy/fail", site.ground.namespace());
            site.ground.kubectl(&["get", "--raw", &path]).await;
        }
        began
    };
    let (tried, made_sick) = tokio::join!(run.is_taken_back(strategy), make_sick);
    let given_up = run.when(|event| matches!(event, Event::Unwinding { .. })).unwrap() - made_sick;
    let Seen { sent, lost, longest_gap, versions, .. } = load.end().await;
    site.ground.forget_connections(port).await;
    let name = strategy.name();
    eprintln!(
        "{name}, {sick:?} sick: given up {given_up:.1?} after it, {lost} of {sent} lost, longest gap {longest_gap:.1?}: {}",
        tried.why
    );
    // in the bake the new version has the traffic; where all of it gets sick at once, nobody can answer for a moment
    assert!(sick == Sick::All || lost == 0, "{lost} of {sent} lost");
    assert!(versions.keys().eq(["1", "2"]), "{versions:?}");
    is_as_before(&site, &before, "the bake").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_were_evicted_are_in_no_ones_way() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    site.ground.start(&sound()).await;
    for pod in site.ground.running("web").await {
        // ends as one does that a node evicts: it stays listed, and its set makes another
        site.ground.kubectl(&["patch", "pod", &pod, "-p", r#"{"spec":{"activeDeadlineSeconds":1}}"#]).await;
    }
    crate::ground::until("pods that have failed", || async {
        let phases = site.ground.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].status.phase}"]).await;
        phases.matches("Failed").count() == 2 && phases.matches("Running").count() == 2
    })
    .await;
    site.ground.rolled_out("web").await;
    for (version, strategy) in [("2", &BlueGreen as &dyn Strategy), ("3", &Rolling)] {
        let report = site.deploy(&Web { version, ..sound() }, strategy).await;
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    }
}

async fn new_pods(site: &Site) -> Vec<String> {
    let listed = site.ground.kubectl(&["get", "pods", "-l", "app=web", "-o", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let is_new = |pod: &&Value| pod["spec"]["containers"][0]["env"][0]["value"] == "2";
    let pods = listed["items"].as_array().unwrap().iter().filter(is_new);
    pods.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pod_that_gets_sick_in_the_bake_of_blue_green_costs_nothing() {
    sick_in_the_bake(&BlueGreen, Sick::One).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn one_pod_that_gets_sick_in_the_bake_of_rolling_costs_nothing() {
    sick_in_the_bake(&Rolling, Sick::One).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_gets_sick_in_the_bake_of_blue_green_is_taken_back() {
    sick_in_the_bake(&BlueGreen, Sick::All).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_gets_sick_in_the_bake_of_rolling_is_taken_back() {
    sick_in_the_bake(&Rolling, Sick::All).await;
}
