//! What is neither Deployment nor Service, and takes its time.

use crate::{
    ground::{Ground, until},
    site::Site,
    web::Web,
};
use deploy_core::{
    engine::{Finish, Request},
    model::{DeploymentId, End, Event},
    strategy::Rolling,
};
use deploy_k8s::PrepareError;
use serde_json::Value;
use std::{collections::BTreeMap, process::Command, time::Duration};

/// A kind of the namespace's own, and one of it.
fn shop(ground: &Ground, color: &str) -> String {
    let group = format!("{}.example.com", ground.namespace());
    format!(
        "---
apiVersion: {group}/v1
kind: Shop
metadata: {{ name: first }}
spec: {{ color: {color} }}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{ name: shops.{group} }}
spec:
  group: {group}
  names: {{ kind: Shop, plural: shops }}
  scope: Namespaced
  versions:
  - {{ name: v1, served: true, storage: true, schema: {{ openAPIV3Schema: {{ type: object, x-kubernetes-preserve-unknown-fields: true }} }} }}
"
    )
}

fn job(ground: &Ground, name: &str, seconds: &str, more: &str) -> String {
    let image = ground.image();
    format!(
        "---
apiVersion: batch/v1
kind: Job
metadata: {{ name: {name} }}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      containers: [{{ name: app, image: {image}, imagePullPolicy: IfNotPresent, command: [/app, sleep, '{seconds}']{more} }}]
"
    )
}

fn database(name: &str, image: &str, metadata: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {name}
  {metadata}
spec:
  serviceName: {name}
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: {image}
        imagePullPolicy: Never
        readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }}, periodSeconds: 1 }}
"
    )
}

fn why(finish: Finish) -> String {
    match finish {
        Finish::Ended(End::RolledBack { why }) => why,
        other => panic!("expected a way back, but found {other:?}"),
    }
}

/// What doesn't go with the ground's namespace: deleted when this is dropped, whatever became of the test.
struct Leftover<'a>([&'a str; 2]);

impl<'a> Leftover<'a> {
    fn of(kind: &'a str, name: &'a str) -> Self {
        Self([kind, name])
    }
}

impl Drop for Leftover<'_> {
    fn drop(&mut self) {
        let [kind, name] = self.0;
        let deleted =
            Command::new("kubectl").args(["delete", kind, name, "--ignore-not-found", "--wait=false"]).status();
        if !deleted.is_ok_and(|deleted| deleted.success()) {
            eprintln!("expected to delete {kind} {name}, but couldn't");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_its_time_is_waited_for_and_comes_back() {
    let Some(ground) = Ground::new().await else { return };
    let mut site = Site::new(ground).await;
    site.settle = Duration::ZERO;
    let ground = &site.ground;
    let web = Web { replicas: 1, ..Web::default() }.manifests(ground);
    let all = |color: &str, more: &str| format!("{web}{}{more}", shop(ground, color));
    let (migrate, kind) = (job(ground, "migrate", "1", ""), format!("shops.{}.example.com", ground.namespace()));
    let _kind = Leftover::of("customresourcedefinition", &kind);
    let color = async || ground.get(&kind, "first").await["spec"]["color"].clone();

    let (report, first) = site.deploy_text(&all("red", &migrate), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(ground.get("job", "migrate").await["status"]["succeeded"], 1);
    let ended = before_start(&site).await;
    assert!(ended.contains(&"job.batch migrate/await".to_owned()), "{ended:?}");

    let (good, broken) = (database("db", ground.image(), ""), database("cache", "there-is-none:1", ""));
    let with_db = |color: &str, more: &str| all(color, &format!("{migrate}{good}{more}"));
    assert_eq!(site.deploy_text(&with_db("red", ""), &Rolling).await.0.finish, Finish::Ended(End::Succeeded));
    assert_eq!(ground.get("statefulset", "db").await["status"]["readyReplicas"], 1);
    assert_eq!(site.deploy_text(&with_db("red", ""), &Rolling).await.0.finish, Finish::Unchanged);

    let why_not = why(site.deploy_text(&with_db("blue", &broken), &Rolling).await.0.finish);
    assert!(why_not.contains("cache-0: app: the image isn't there"), "{why_not}");
    assert!(ground.try_kubectl(&["get", "statefulset", "cache"]).await.is_err());
    assert_eq!(color().await, "red");

    let failing = job(ground, "check", "no", "");
    let why_not = why(site.deploy_text(&with_db("red", &failing), &Rolling).await.0.finish);
    assert!(why_not.contains("job.batch check") && why_not.contains("it failed"), "{why_not}");

    let other = all("red", &job(ground, "migrate", "2", ", env: [{ name: SECRET, value: hunter2 }]"));
    let error = site.try_prepare_in(&site.open().await, &other).await.err().unwrap();
    assert!(matches!(error, PrepareError::Immutable { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("spec.template: field is immutable; give it another name"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");

    // what left the input goes, but for a kind, and comes back with the earlier release
    let second = Web { replicas: 1, version: "2", ..Web::default() }.manifests(ground);
    assert_eq!(site.deploy_text(&second, &Rolling).await.0.finish, Finish::Ended(End::Succeeded));
    assert!(ground.try_kubectl(&["get", &kind, "first"]).await.is_err());
    let back = Request { services: first.services, payloads: BTreeMap::new() };
    assert_eq!(Site::run(&site.open().await, &back, &Rolling).await.finish, Finish::Ended(End::Succeeded));
    assert_eq!(color().await, "red");

    let namespace = site.open().await;
    let fence = namespace.lease().take("test").await.unwrap().fence;
    namespace.down(fence, false).await.unwrap();
    assert!(ground.try_kubectl(&["get", &kind, "first"]).await.is_err());
}

/// Kubernetes itself waits for a pod that never gets ready before it exchanges it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_that_is_stuck_gets_on() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let ground = &site.ground;
    ground.apply(&database("db", "there-is-none:1", "")).await;
    let reason = "jsonpath={.status.containerStatuses[0].state.waiting.reason}";
    until("a pod that can't start", || async {
        ground.try_kubectl(&["get", "pod", "db-0", "-o", reason]).await == Ok("ErrImageNeverPull".into())
    })
    .await;
    let web = Web { replicas: 1, ..Web::default() }.manifests(ground);
    let text = format!("{web}{}", database("db", ground.image(), ""));
    let makes_way = until("room for a pod that starts", || async {
        let Ok(pod) = ground.try_kubectl(&["get", "pod", "db-0", "-o", "json"]).await else { return true };
        let pod: Value = serde_json::from_str(&pod).unwrap();
        let is_another = pod["spec"]["containers"][0]["image"] == ground.image();
        pod["metadata"]["deletionTimestamp"].is_string() || is_another
    });
    // the pod's end isn't waited for: it may take a minute
    tokio::select! {
        () = makes_way => {}
        (report, _) = site.deploy_text(&text, &Rolling) => {
            assert_eq!(report.finish, Finish::Ended(End::Succeeded));
        }
    }
}

/// The steps of the first deployment that had ended when its release was started.
async fn before_start(site: &Site) -> Vec<String> {
    let journal = site.open().await.journal();
    let records = journal.read(DeploymentId(1)).await.unwrap();
    let before = records.iter().take_while(|record| match &record.event {
        Event::StepStarted { step } => step.as_str() != "web/start",
        _ => true,
    });
    let ended = before.filter_map(|record| match &record.event {
        Event::StepEnded { step, .. } => Some(step.to_string()),
        _ => None,
    });
    ended.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_in_the_input_is_made() {
    let Some(ground) = Ground::new().await else { return };
    let mut site = Site::new(ground).await;
    site.settle = Duration::ZERO;
    let (ground, name) = (&site.ground, format!("{}-new", site.ground.namespace()));
    let _namespace = Leftover::of("namespace", &name);
    let web = Web { replicas: 1, ..Web::default() }.manifests(ground);
    let (namespace, input) = site.elsewhere(&name, &web).await;
    let error = namespace.prepare(&input).await.err().unwrap().to_string();
    assert!(error.contains(&format!("kubectl create namespace {name}")), "{error}");

    let text = format!("{web}---\napiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name}, labels: {{ a: b }} }}\n");
    let (namespace, input) = site.elsewhere(&name, &text).await;
    let prepared = namespace.prepare(&input).await.unwrap();
    assert!(prepared.notes.iter().any(|note| note.contains(&name)), "{:?}", prepared.notes);
    let request = Request { services: prepared.services, payloads: prepared.payloads };
    assert_eq!(Site::run(&namespace, &request, &Rolling).await.finish, Finish::Ended(End::Succeeded));
    assert_eq!(ground.get("namespace", &name).await["metadata"]["labels"]["a"], "b");
}
