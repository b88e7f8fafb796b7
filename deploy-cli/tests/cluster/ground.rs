use assert_cmd::Command;
use deploy_docker::{ConnectOptions, DockerHost};
use deploy_k8s::{Cluster, ClusterOptions, Scratch};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{self, Stdio},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The tag of this command's image.
const TAG: &str = "test";

/// A namespace of a real cluster, this command as an image on its nodes, and a folder for manifests; all are removed when this
/// is dropped.
pub(crate) struct Ground {
    pub(crate) namespace: String,
    pub(crate) folder: TempDir,
    scratch: Scratch,
    engine: DockerHost,
    runtime: Runtime,
}

impl Ground {
    /// None, with a message, where there is nothing to test on.
    pub(crate) fn new(name: &str) -> Option<Self> {
        if !is_there() {
            return None;
        }
        let runtime = Runtime::new().unwrap();
        let namespace = format!("dkcli-{name}-{}", process::id());
        let (engine, scratch) = runtime.block_on(async {
            let engine = DockerHost::connect(&ConnectOptions::from_env()).await.unwrap();
            let scratch = Cluster::connect(&ClusterOptions::default()).await.unwrap().scratch(&namespace);
            (engine, scratch)
        });
        let ground = Self { namespace, folder: tempfile::tempdir().unwrap(), scratch, engine, runtime };
        ground.runtime.block_on(async {
            let executable = Path::new(env!("CARGO_BIN_EXE_deploy"));
            ground.engine.import_program(executable, &ground.namespace, TAG).await.unwrap();
            ground.scratch.create().await.unwrap();
        });
        Some(ground)
    }

    /// Writes a Deployment of the demo's application, with a Service in front of it.
    pub(crate) fn write(&self, file: &str, version: &str) {
        let image = image(&self.namespace);
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
        command: [/deploy, demo-app]
        env: [{{ name: APP_VERSION, value: '{version}' }}]
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

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The command's exit status, and all that it said.
    pub(crate) fn deploy(&self, args: &[&str]) -> (i32, String) {
        run(self.folder.path(), &[args, &["--namespace", &self.namespace]].concat())
    }

    /// Starts a deployment, and kills the deployer as soon as it says that.
    pub(crate) fn killed_at(&self, args: &[&str], words: &str) {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_deploy"));
        command
            .current_dir(self.folder.path())
            .env("DEPLOY_TARGET", "kubernetes")
            .args(["--output", "plain"])
            .args(args);
        command.args(["--namespace", &self.namespace]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut told = String::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            if line.contains(words) {
                child.kill().unwrap();
                child.wait().unwrap();
                return;
            }
            told.push_str(&line);
            told.push('\n');
        }
        panic!("expected {words}, but found {:?}: {told}", child.wait());
    }

    /// What `kubectl` prints in this namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    /// What a script of a person prints whose context means this namespace.
    pub(crate) fn sh(&self, script: &str) -> String {
        let config = self.folder.path().join("kubeconfig");
        if !config.exists() {
            fs::write(&config, kubectl(&["config", "view", "--raw", "--flatten"])).unwrap();
            let path = config.to_str().unwrap();
            kubectl(&["--kubeconfig", path, "config", "set-context", "--current", "--namespace", &self.namespace]);
        }
        let mut command = process::Command::new("sh");
        let output = command.args(["-euc", script]).env("KUBECONFIG", &config).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(output.status.success(), "{script}\n{said}");
        said
    }

    /// What of these kinds is there, by name.
    pub(crate) fn names(&self, kinds: &str) -> String {
        self.kubectl(&["get", kinds, "--output", "name"])
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let Self { scratch, engine, namespace, .. } = self;
        self.runtime.block_on(async {
            // a container that runs keeps its image
            let _ = scratch.remove().await;
            let _ = engine.discard_image(&image(namespace)).await;
        });
    }
}

/// Whether `KUBECONFIG` names a cluster. Says so where it doesn't.
pub(crate) fn is_there() -> bool {
    let is_named = std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty());
    if !is_named {
        let may_skip = std::env::var("DEPLOY_TEST_CLUSTER").as_deref() != Ok("required");
        assert!(may_skip, "expected a cluster, but KUBECONFIG names none");
        eprintln!("skipped, because KUBECONFIG names no cluster");
    }
    is_named
}

/// This command as an image; the node's images are the local Engine's.
fn image(namespace: &str) -> String {
    format!("{namespace}:{TAG}")
}

/// The command's exit status on a cluster, and all that it said.
pub(crate) fn run(folder: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command.current_dir(folder).env("DEPLOY_TARGET", "kubernetes").args(["--output", "plain"]).args(args);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

/// What `kubectl` prints.
pub(crate) fn kubectl(args: &[&str]) -> String {
    kubectl_with(args, "")
}

/// The same, with something on its standard input.
pub(crate) fn kubectl_with(args: &[&str], input: &str) -> String {
    let output = Command::new("kubectl").args(args).write_stdin(input).output().unwrap();
    assert!(output.status.success(), "kubectl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
