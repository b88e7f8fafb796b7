use crate::{load, web::Web};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    process::Command,
    sync::OnceCell,
    time::{Instant, sleep},
};

/// How long anything may take that a test waits for.
pub(crate) const LONG: Duration = Duration::from_secs(120);
/// How long is waited between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Annotations that aren't the user's begin with this; so does the one below.
const OURS: &str = "deploy-rs.github.io/";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// A namespace of a real cluster, with the tests' app as an image; everything of it is removed when this is dropped.
pub(crate) struct Ground {
    namespace: String,
    image: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Ground {
    /// None, with a message, where `KUBECONFIG` names no cluster that answers: there is nothing to test on. Nothing is
    /// ever tried on the cluster that `kubectl` alone would mean.
    pub(crate) async fn new() -> Option<Self> {
        if let Err(why) = cluster_answers().await {
            let may_skip = std::env::var("DEPLOY_TEST_CLUSTER").as_deref() != Ok("required");
            assert!(may_skip, "expected a cluster, but {why}");
            eprintln!("skipped, because {why}");
            return None;
        }
        let image = image().await;
        let namespace = format!("dktest-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let ground = Self { namespace, image };
        ground.kubectl(&["create", "namespace", ground.namespace()]).await;
        // without it no pod is made, and the next try is later
        until("the namespace's ServiceAccount", || async {
            ground.try_kubectl(&["get", "serviceaccount", "default"]).await.is_ok()
        })
        .await;
        Some(ground)
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The app's image, on the node.
    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    /// What `kubectl` prints in this namespace.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).await.unwrap_or_else(|error| panic!("kubectl {}: {error}", args.join(" ")))
    }

    /// The same, or what it complains about.
    pub(crate) async fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        said(run(self.kubectl_command(args), b"").await)
    }

    fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]).args(args);
        command
    }

    /// Applies manifests, and yields what `kubectl apply` says about them.
    pub(crate) async fn apply(&self, manifests: &str) -> String {
        let applied = run(self.kubectl_command(&["apply", "-f", "-"]), manifests.as_bytes()).await;
        said(applied).unwrap_or_else(|error| panic!("kubectl apply: {error}"))
    }

    /// Applies a [`Web`], and yields the port of the node where it answers on 127.0.0.1, once all of it is there.
    pub(crate) async fn start(&self, web: &Web<'_>) -> u16 {
        self.apply(&web.manifests(self)).await;
        self.rolled_out(web.name).await;
        let port = self.node_port(web.name).await;
        // the node may learn of it later than we do, and lead a connection to nobody until then
        until("an answer", || async { load::ask(port).await.is_ok() }).await;
        self.forget_connections(port).await;
        port
    }

    /// Waits until a Deployment's rollout is done. Old pods may still serve: see [`Ground::runs_in`].
    pub(crate) async fn rolled_out(&self, name: &str) {
        let by = format!("--timeout={}s", LONG.as_secs());
        self.kubectl(&["rollout", "status", &format!("deployment/{name}"), &by]).await;
    }

    /// The names of the pods of a [`Web`] whose app runs, those that are ending too. One whose app has
    /// ended may stay listed for a minute.
    pub(crate) async fn running(&self, name: &str) -> Vec<String> {
        let listed = self.kubectl(&["get", "pods", "-l", &format!("app={name}"), "-o", "json"]).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let pods = listed["items"].as_array().unwrap().iter();
        let running = pods.filter(|pod| pod["status"]["containerStatuses"][0]["state"].get("running").is_some());
        running.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the app runs in so many pods.
    pub(crate) async fn runs_in(&self, name: &str, pods: usize) {
        until(&format!("{name} in {pods} pods"), || async { self.running(name).await.len() == pods }).await;
    }

    /// The port of the node that leads to a Service, on 127.0.0.1.
    pub(crate) async fn node_port(&self, service: &str) -> u16 {
        let port = self.kubectl(&["get", "service", service, "-o", "jsonpath={.spec.ports[0].nodePort}"]).await;
        port.parse().unwrap()
    }

    /// An object as `kubectl get -o json` shows it.
    pub(crate) async fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", kind, name, "-o", "json"]).await).unwrap()
    }

    /// The part of an object that is its user's, to be compared with what it was: all but status, counters, the revision
    /// and annotations of ours.
    pub(crate) async fn shown(&self, kind: &str, name: &str) -> Value {
        let mut object = self.get(kind, name).await;
        object.as_object_mut().unwrap().shift_remove("status");
        let metadata = object["metadata"].as_object_mut().unwrap();
        for counter in ["resourceVersion", "generation", "managedFields"] {
            metadata.shift_remove(counter);
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.retain(|key, _| key != REVISION && !key.starts_with(OURS));
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
        object
    }

    /// Makes the kernel forget connections to a node's port, which after a run with lost requests would lead the next
    /// ones to pods that are gone. Where `conntrack` isn't there or may not, nothing happens.
    pub(crate) async fn forget_connections(&self, port: u16) {
        let mut command = Command::new("conntrack");
        command.args(["--delete", "--proto", "tcp", "--orig-port-dst", &port.to_string()]);
        let _ = command.stdin(Stdio::null()).output().await;
    }
}

impl Drop for Ground {
    /// A test that failed leaves nothing either.
    fn drop(&mut self) {
        // nothing can be made in it from then on, and pods needn't end in good order
        let namespace = ["delete", "namespace", &self.namespace, "--wait=false"];
        let pods = ["--namespace", &self.namespace, "delete", "pods", "--all", "--grace-period=1", "--wait=false"];
        for args in [&namespace[..], &pods] {
            let _ = std::process::Command::new("kubectl").args(args).stdin(Stdio::null()).output();
        }
    }
}

/// Waits until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < LONG, "expected {what} within {LONG:?}");
        sleep(LOOK).await;
    }
}

/// Why no cluster can be used, if so.
async fn cluster_answers() -> Result<(), String> {
    if std::env::var_os("KUBECONFIG").is_none_or(|path| path.is_empty()) {
        return Err("KUBECONFIG names none".to_owned());
    }
    let mut command = Command::new("kubectl");
    command.args(["get", "--raw", "/readyz", "--request-timeout=10s"]).stdin(Stdio::null());
    let answer = command.output().await.map_err(|error| format!("kubectl can't be run: {error}"))?;
    said(answer).map(|_| ()).map_err(|error| format!("none answers: {error}"))
}

/// The executable of one of the crate's examples.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(path.exists(), "expected the example {name}: `cargo build -p deploy-k8s --examples`");
    path
}

/// The app's image, named by its content: later runs find it. The node's images are the local Engine's.
async fn image() -> String {
    static IMAGE: OnceCell<String> = OnceCell::const_new();
    IMAGE.get_or_init(import).await.clone()
}

async fn import() -> String {
    let executable = std::fs::read(example("app")).unwrap();
    let tag: String = Sha256::digest(&executable).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("deploy-k8s-app:{tag}");
    let docker = |args: &[&str]| {
        let mut command = Command::new("docker");
        command.args(args);
        command
    };
    if run(docker(&["image", "inspect", &name]), b"").await.status.success() {
        return name;
    }
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(executable.len() as u64);
    archive.append_data(&mut header, "app", &executable[..]).unwrap();
    let archive = archive.into_inner().unwrap();
    let import = docker(&["import", "--change", r#"ENTRYPOINT ["/app"]"#, "-", &name]);
    said(run(import, &archive).await).unwrap_or_else(|error| panic!("docker import: {error}"));
    name
}

/// Runs a program with that input.
async fn run(mut command: Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.as_std()));
    let mut stdin = child.stdin.take().unwrap();
    let write = async {
        // it may end without having read all
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    tokio::join!(write, child.wait_with_output()).1.unwrap()
}

/// What a program printed, or what it complained about.
fn said(output: Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
