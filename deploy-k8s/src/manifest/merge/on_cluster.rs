//! Our patches and texts beside those of the real `kubectl`, on the cluster that KUBECONFIG names.

use super::{ApplyPatch, last_applied, patch};
use crate::{manifest::read::read, names::LAST_APPLIED};
use serde_json::{Value, json};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// A namespace that is deleted at the end of a test.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Option<Self> {
        if std::env::var_os("KUBECONFIG").is_none() {
            let required = std::env::var("DEPLOY_TEST_CLUSTER").is_ok_and(|value| value == "required");
            assert!(!required, "expected KUBECONFIG, since DEPLOY_TEST_CLUSTER says that a cluster is required");
            eprintln!("skipped: no KUBECONFIG");
            return None;
        }
        let namespace = Self(format!("dk-merge-{name}-{}", std::process::id()));
        namespace.kubectl(&["create", "namespace", &namespace.0], "");
        Some(namespace)
    }

    fn kubectl(&self, args: &[&str], input: &str) -> String {
        let mut command = Command::new("kubectl");
        command.args(["-n", &self.0]).args(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn apply(&self, text: &str) -> String {
        self.kubectl(&["apply", "--validate=false", "-f", "-"], text)
    }

    /// The only object of a text, in this namespace, with this name.
    fn manifest(&self, text: &str, name: &str) -> Value {
        let mut problems = Vec::new();
        let mut manifest = read("test", text, &mut problems).remove(0).object;
        assert_eq!(problems, []);
        manifest["metadata"]["namespace"] = json!(self.0);
        manifest["metadata"]["name"] = json!(name);
        manifest
    }

    /// What the user's part of an object is.
    fn live(&self, kind: &str, name: &str) -> (Value, Value, String) {
        let object: Value = serde_json::from_str(&self.kubectl(&["get", kind, name, "-o", "json"], "")).unwrap();
        let last = object["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap().to_owned();
        let mut spec = object["spec"].clone();
        // given out by the cluster
        for field in ["clusterIP", "clusterIPs"] {
            spec.as_object_mut().unwrap().remove(field);
        }
        for port in spec["ports"].as_array_mut().into_iter().flatten() {
            port.as_object_mut().unwrap().remove("nodePort");
        }
        (object["metadata"]["labels"].clone(), spec, last)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("kubectl").args(["delete", "namespace", &self.0, "--wait=false"]).output();
    }
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: x, labels: {a: '1', b: '2'}}
spec:
  replicas: 0
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2}}
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x, tier: web}, annotations: {note: a < b}}
    spec:
      containers:
      - name: web
        image: web:1
        args: [a, b]
        env: [{name: A, value: '1'}, {name: B, value: $(A)}, {name: C, value: '3'}]
        ports: [{containerPort: 80}, {containerPort: 81}]
        volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /w}]
      - {name: side, image: side:1}
      imagePullSecrets: [{name: p}, {name: q}]
      volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]
      tolerations: [{key: a, operator: Exists}]
";

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: x}
spec:
  type: NodePort
  selector: {app: x, tier: web}
  ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 81}]
";

/// A name, a manifest, and what is written in it with what is written instead.
type Edit = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const EDITS: [Edit; 16] = [
    ("env-removed", DEPLOYMENT, &[("{name: A, value: '1'}, ", "")]),
    ("env-put-first", DEPLOYMENT, &[("env: [", "env: [{name: Z, value: z}, ")]),
    (
        "env-source",
        DEPLOYMENT,
        &[("{name: A, value: '1'}", "{name: A, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}")],
    ),
    ("container-removed", DEPLOYMENT, &[("- {name: side, image: side:1}", "")]),
    ("container-added", DEPLOYMENT, &[("containers:", "containers:\n      - {name: first, image: first:1}")]),
    ("args", DEPLOYMENT, &[("args: [a, b]", "args: [b]"), ("tolerations: [{key: a, operator: Exists}]", "")]),
    ("port", DEPLOYMENT, &[("{containerPort: 81}", "{containerPort: 82}")]),
    ("volume-source", DEPLOYMENT, &[("{name: v, emptyDir: {}}", "{name: v, configMap: {name: c}}")]),
    ("volume-setting", DEPLOYMENT, &[("{name: w, emptyDir: {}}", "{name: w, emptyDir: {medium: Memory}}")]),
    ("annotation", DEPLOYMENT, &[(", annotations: {note: a < b}", "")]),
    (
        "volume-removed",
        DEPLOYMENT,
        &[
            (", {name: w, emptyDir: {}}", ""),
            (", {name: w, mountPath: /w}", ""),
            ("imagePullSecrets: [{name: p}, {name: q}]", ""),
        ],
    ),
    ("label", DEPLOYMENT, &[(", b: '2'", ""), (", tier: web", "")]),
    ("recreate", DEPLOYMENT, &[("{type: RollingUpdate, rollingUpdate: {maxSurge: 2}}", "{type: Recreate}")]),
    ("no-strategy", DEPLOYMENT, &[("strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2}}", "")]),
    ("service-port", SERVICE, &[("port: 80, targetPort: 8080", "port: 8000, targetPort: 8080")]),
    ("service-less", SERVICE, &[(", {name: b, port: 81}", ""), (", tier: web", "")]),
];

#[test]
fn a_patch_does_what_kubectl_apply_does() {
    let Some(namespace) = Namespace::new("patch") else { return };
    for (name, before, edits) in EDITS {
        let after = edits.iter().fold(before.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{name}: {from}");
            text.replacen(from, to, 1)
        });
        let (theirs, ours) = (format!("{name}-theirs"), format!("{name}-ours"));
        let kind = namespace.manifest(before, &ours)["kind"].as_str().unwrap().to_owned();
        for text in [before, &after] {
            namespace.apply(&namespace.manifest(text, &theirs).to_string());
        }
        namespace.apply(&namespace.manifest(before, &ours).to_string());
        let (_, _, last) = namespace.live(&kind, &ours);
        let last: Value = serde_json::from_str(&last).unwrap();
        let manifest = namespace.manifest(&after, &ours);
        let ApplyPatch::Strategic(body) = patch(Some(&last), &manifest) else { panic!("expected a strategic patch") };
        namespace.kubectl(&["patch", &kind, &ours, "--type=strategic", "-p", &body.to_string()], "");

        let (expected, found) = (namespace.live(&kind, &theirs), namespace.live(&kind, &ours));
        assert_eq!((&found.0, &found.1), (&expected.0, &expected.1), "{name}");
        assert_eq!(found.2.replace(&ours, &theirs), expected.2, "{name}");
        let said = namespace.apply(&manifest.to_string());
        assert!(said.contains("unchanged"), "{name}: {said}");
    }
}

/// Whatever was applied last isn't known, a volume's old source and a rolling update's settings still go.
#[test]
fn without_what_was_applied_last_nothing_contradicts_itself() {
    let Some(namespace) = Namespace::new("unknown") else { return };
    let before = namespace.manifest(DEPLOYMENT, "x").to_string();
    namespace.kubectl(&["create", "--validate=false", "-f", "-"], &before);
    let after = DEPLOYMENT
        .replace("{name: v, emptyDir: {}}", "{name: v, secret: {secretName: s}}")
        .replace("{type: RollingUpdate, rollingUpdate: {maxSurge: 2}}", "{type: Recreate}");
    let ApplyPatch::Strategic(body) = patch(None, &namespace.manifest(&after, "x")) else {
        panic!("expected a strategic patch");
    };
    namespace.kubectl(&["patch", "deployment", "x", "--type=strategic", "-p", &body.to_string()], "");
    let (_, spec, _) = namespace.live("deployment", "x");
    assert_eq!(spec["strategy"], json!({"type": "Recreate"}));
    let volume = &spec["template"]["spec"]["volumes"][0];
    assert_eq!(volume, &json!({"name": "v", "secret": {"secretName": "s", "defaultMode": 420}}));
}

/// Where `kubectl apply` mixes them up.
#[test]
fn one_port_may_have_two_protocols() {
    let Some(namespace) = Namespace::new("ports") else { return };
    let ports = |names: [&str; 2]| {
        let [udp, tcp] = names;
        let mut service = namespace.manifest(SERVICE, "x");
        service["spec"]["type"] = json!("ClusterIP");
        service["spec"]["ports"] = json!([
            {"name": udp, "port": 53, "protocol": "UDP", "targetPort": 53},
            {"name": tcp, "port": 53, "protocol": "TCP", "targetPort": 53},
        ]);
        service
    };
    let (before, after) = (ports(["udp", "tcp"]), ports(["udp", "other"]));
    namespace.apply(&before.to_string());
    let ApplyPatch::Strategic(body) = patch(Some(&before), &after) else { panic!("expected a strategic patch") };
    namespace.kubectl(&["patch", "service", "x", "--type=strategic", "-p", &body.to_string()], "");
    assert_eq!(namespace.live("service", "x").1["ports"], after["spec"]["ports"]);
}

#[test]
fn finalizers_of_others_stay() {
    let Some(namespace) = Namespace::new("finalizers") else { return };
    let with = |finalizers: &[&str]| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "x", "namespace": namespace.0, "finalizers": finalizers},
        })
    };
    let finalizers = || namespace.kubectl(&["get", "configmap", "x", "-o", "jsonpath={.metadata.finalizers}"], "");
    let change = |kind: &str, body: &Value| {
        namespace.kubectl(&["patch", "configmap", "x", "--type", kind, "-p", &body.to_string()], "");
    };
    let before = with(&["a.io/ours", "b.io/ours"]);
    namespace.apply(&before.to_string());
    change("merge", &json!({"metadata": {"finalizers": ["c.io/theirs", "a.io/ours", "b.io/ours"]}}));
    let ApplyPatch::Strategic(body) = patch(Some(&before), &with(&["b.io/ours"])) else {
        panic!("expected a strategic patch");
    };
    change("strategic", &body);
    let found = finalizers();
    // else the namespace stays
    change("merge", &json!({"metadata": {"finalizers": null}}));
    assert_eq!(found, r#"["c.io/theirs","b.io/ours"]"#);
}

#[test]
fn the_annotation_is_that_of_kubectl() {
    let Some(namespace) = Namespace::new("text") else { return };
    let odd = "
apiVersion: v1
kind: ConfigMap
metadata: {name: x, creationTimestamp: null, annotations: {b: '1', a: <&>}}
data: {z: \"\\b\\f\\x1f\\x7f\\t\\L\\P é 😀 \\\\ \\\"\", Z: 'no', a-b: ''}
";
    for text in [DEPLOYMENT, SERVICE, odd] {
        let manifest = namespace.manifest(text, "x");
        namespace.apply(text);
        let kind = manifest["kind"].as_str().unwrap();
        let object: Value = serde_json::from_str(&namespace.kubectl(&["get", kind, "x", "-o", "json"], "")).unwrap();
        assert_eq!(object["metadata"]["annotations"][LAST_APPLIED], last_applied(&manifest), "{kind}");
    }
}
