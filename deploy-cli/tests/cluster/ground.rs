use assert_cmd::Command;
use std::{fs, path::Path, process};
use tempfile::TempDir;

/// A namespace of a real cluster and a folder for manifests; both are removed when this is dropped.
pub(crate) struct Ground {
    namespace: String,
    image: String,
    pub(crate) folder: TempDir,
}

impl Ground {
    /// None, with a message, where `KUBECONFIG` names no cluster: there is nothing to test on.
    pub(crate) fn new(name: &str) -> Option<Self> {
        if std::env::var_os("KUBECONFIG").is_none_or(|path| path.is_empty()) {
            let may_skip = std::env::var("DEPLOY_TEST_CLUSTER").as_deref() != Ok("required");
            assert!(may_skip, "expected a cluster, but KUBECONFIG names none");
            eprintln!("skipped, because KUBECONFIG names no cluster");
            return None;
        }
        let ground = Self {
            namespace: format!("dkcli-{name}-{}", process::id()),
            image: image(),
            folder: tempfile::tempdir().unwrap(),
        };
        kubectl(&["create", "namespace", &ground.namespace]);
        Some(ground)
    }

    /// Writes a Deployment of the demo's application, with a Service in front of it.
    pub(crate) fn write(&self, file: &str, version: &str) {
        let image = &self.image;
        let text = format!(
            "\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      automountServiceAccountToken: false
      containers:
      - name: app
        image: {image}
        imagePullPolicy: IfNotPresent
        args: [demo-app]
        env: [{{ name: VERSION, value: '{version}' }}, {{ name: PORT, value: '8080' }}]
        readinessProbe: {{ httpGet: {{ path: /healthz, port: 8080 }}, periodSeconds: 1 }}
---
apiVersion: v1
kind: Service
metadata: {{ name: web }}
spec:
  selector: {{ app: web }}
  ports: [{{ port: 80, targetPort: 8080 }}]
"
        );
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// The command's exit status, and all that it said.
    pub(crate) fn deploy(&self, args: &[&str]) -> (i32, String) {
        run(self.folder.path(), &[args, &["--namespace", &self.namespace]].concat())
    }

    /// What of these kinds is there, by name.
    pub(crate) fn names(&self, kinds: &str) -> String {
        kubectl(&["--namespace", &self.namespace, "get", kinds, "-o", "name"])
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ =
            process::Command::new("kubectl").args(["delete", "namespace", &self.namespace, "--wait=false"]).output();
    }
}

/// The command's exit status on a cluster, and all that it said.
pub(crate) fn run(folder: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command.current_dir(folder).env("DEPLOY_TARGET", "kubernetes").args(["--output", "plain"]).args(args);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

fn kubectl(args: &[&str]) -> String {
    let output = process::Command::new("kubectl").args(args).output().unwrap();
    assert!(output.status.success(), "kubectl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// This command as an image; the node's images are the local Engine's.
fn image() -> String {
    let name = format!("deploy-cli-demo:{}", process::id());
    let folder = tempfile::tempdir().unwrap();
    fs::copy(env!("CARGO_BIN_EXE_deploy"), folder.path().join("deploy")).unwrap();
    fs::write(folder.path().join("Dockerfile"), "FROM scratch\nCOPY deploy /deploy\nENTRYPOINT [\"/deploy\"]\n")
        .unwrap();
    let built = process::Command::new("docker").args(["build", "-q", "-t", &name]).arg(folder.path()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    name
}
