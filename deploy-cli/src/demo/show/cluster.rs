use super::{
    ClusterTraffic, DemoError, Stage, Traffic, Version,
    stage::{INSTANCES, SERVICE},
};
use crate::{
    CommandError, Place,
    args::{Globals, StrategyName},
    wiring,
};
use async_trait::async_trait;
use deploy_core::{engine::Request, model::Millis};
use deploy_docker::{ConnectOptions, DockerHost};
use deploy_k8s::{Cluster, Input, Namespace, Scratch};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a node may take to have an image that it pulls, and to run it.
const PULLED_BY: Duration = Duration::from_secs(120);
/// How long this command may take to say its version.
const TOLD_BY: Duration = Duration::from_secs(20);
/// What runs the application says when it is asked for its version.
const THIS: &str = concat!("deploy ", env!("CARGO_PKG_VERSION"));

/// A namespace of a cluster, made for the demonstration. Its image is this very program.
pub struct ClusterStage {
    scratch: Arc<Scratch>,
    namespace: Namespace,
    place: Place,
    name: String,
    address: String,
    image: Image,
    input: tempfile::TempDir,
}

/// What the pods run.
enum Image {
    /// One that the nodes pull where they haven't got it.
    Named(String),
    /// One that the nodes have.
    Imported(Box<Imported>),
}

/// This executable as an image of an Engine.
struct Imported {
    executable: PathBuf,
    repository: String,
    engine: DockerHost,
}

impl ClusterStage {
    /// On the cluster that is meant, once that has answered. Makes nothing. `image`: one with this command at `/deploy`;
    /// else `executable` is imported.
    ///
    /// # Errors
    /// Where no cluster answers, or no Engine that the image is to be imported into.
    pub async fn new(globals: &Globals, image: Option<String>, executable: PathBuf) -> Result<Self, CommandError> {
        let cluster: Cluster = wiring::cluster(globals).await?;
        // others may show the same on the same cluster
        let name = format!("deploy-demo-{:x}-{}", Timestamp::now().as_millisecond(), std::process::id());
        let image = match image {
            Some(image) => Image::Named(image),
            None => {
                let engine = DockerHost::connect(&ConnectOptions::from_env()).await.map_err(DemoError::NoEngine)?;
                Image::Imported(Box::new(Imported { executable, repository: name.clone(), engine }))
            }
        };
        Ok(Self {
            scratch: Arc::new(cluster.scratch(&name)),
            namespace: wiring::namespace(&cluster, &name, globals),
            place: wiring::kubernetes(&name, wiring::namespace(&cluster, &name, globals)),
            address: cluster.address().to_owned(),
            input: tempfile::tempdir().map_err(DemoError::from)?,
            name,
            image,
        })
    }

    /// Makes the namespace.
    ///
    /// # Errors
    /// [`DemoError::Namespace`]. Where that may pass, it may be there all the same, for [`Stage::clear`] to take away.
    pub async fn create(&self) -> Result<(), DemoError> {
        self.scratch.create().await.map_err(DemoError::Namespace)
    }

    /// Makes the image where none is named.
    ///
    /// # Errors
    /// Where the Engine doesn't take it.
    pub async fn import(&self) -> Result<(), DemoError> {
        match &self.image {
            Image::Named(_) => Ok(()),
            Image::Imported(imported) => imported.import().await,
        }
    }

    /// Has a pod tell which command the image holds.
    ///
    /// # Errors
    /// Where the nodes haven't got it or it is another one, with what to do.
    pub async fn image_runs(&self) -> Result<(), DemoError> {
        let [first, ..] = Version::ALL;
        let image = self.image.of(first);
        let missing = |source| DemoError::Image { image: image.clone(), source };
        self.scratch.start(&self.pod("image", first, &["--version"]), PULLED_BY).await.map_err(missing)?;
        let mut said = Vec::new();
        let read = self.scratch.follow("image", |line| said.push(line));
        // one that says nothing of its own accord is another image
        if let Ok(read) = timeout(TOLD_BY, read).await {
            read.map_err(missing)?;
        }
        match said.first() {
            Some(line) if line == THIS => Ok(()),
            other => {
                let found = other.cloned().unwrap_or_else(|| "something else".into());
                Err(DemoError::OtherImage { image, found })
            }
        }
    }

    /// A pod of its own that runs this command.
    fn pod(&self, name: &str, version: Version, args: &[&str]) -> Value {
        let mut spec = self.pod_spec(version, json!({ "args": args }));
        spec["restartPolicy"] = json!("Never");
        json!({ "metadata": { "name": name, "labels": { "app": name } }, "spec": spec })
    }

    /// What every pod of the demonstration has: no more rights than the strictest clusters ask for.
    fn pod_spec(&self, version: Version, container: Value) -> Value {
        let mut app = json!({
            "name": "app",
            "image": self.image.of(version),
            "imagePullPolicy": self.image.pull_policy(),
            "command": ["/deploy"],
            "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
        });
        if let (Value::Object(app), Value::Object(container)) = (&mut app, container) {
            app.extend(container);
        }
        json!({
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [app],
        })
    }

    /// The objects of a version, as a user would write them.
    fn objects(&self, version: Version) -> Value {
        let labels = json!({ "app": SERVICE });
        let environment = version.environment().map(|(name, value)| json!({ "name": name, "value": value }));
        let app = json!({
            "args": ["demo-app"],
            "env": environment,
            "readinessProbe": { "httpGet": { "path": "/healthz", "port": 8080 }, "periodSeconds": 1 },
        });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": SERVICE },
            "spec": {
                "replicas": INSTANCES,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": self.pod_spec(version, app) },
            },
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": SERVICE },
            "spec": { "type": "NodePort", "selector": labels, "ports": [{ "port": 80, "targetPort": 8080 }] },
        });
        json!({ "apiVersion": "v1", "kind": "List", "items": [deployment, service] })
    }
}

impl Image {
    fn of(&self, version: Version) -> String {
        match self {
            Self::Named(image) => image.clone(),
            Self::Imported(imported) => format!("{}:{}", imported.repository, version.name),
        }
    }

    /// What was imported can't be pulled: a node that hasn't got it says so at once.
    const fn pull_policy(&self) -> &'static str {
        match self {
            Self::Named(_) => "IfNotPresent",
            Self::Imported(_) => "Never",
        }
    }
}

impl Imported {
    /// Has the Engine take it, under a name for each version.
    async fn import(&self) -> Result<(), DemoError> {
        let Self { executable, repository, engine } = self;
        let [first, others @ ..] = Version::ALL;
        engine.import_program(executable, repository, first.name).await?;
        for version in others {
            engine.name_image(&format!("{repository}:{}", first.name), repository, version.name).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Stage for ClusterStage {
    fn told(&self) -> String {
        format!(
            "namespace {} of the cluster at {}; a pod beside it asks its Service, a connection each time",
            self.name, self.address
        )
    }

    fn place(&self) -> &Place {
        &self.place
    }

    /// A Service sends no requests to pods that aren't ready: what gets sick everywhere at once has lost some before anybody
    /// can go back.
    fn versions(&self) -> [Version; 3] {
        let [one, two, three] = Version::ALL;
        let three =
            Version { fault: "exit", told: "which ends as soon as it is started", bake: Millis::from_secs(2), ..three };
        [one, two, three]
    }

    fn strategy(&self) -> StrategyName {
        StrategyName::BlueGreen
    }

    fn excuse(&self, strategy: StrategyName) -> Option<&'static str> {
        match strategy {
            StrategyName::BlueGreen => None,
            StrategyName::Rolling => Some("the pods have no preStop hook"),
            StrategyName::Recreate => Some("recreate has a gap"),
        }
    }

    async fn request(&self, version: Version) -> Result<Request, CommandError> {
        let path = self.input.path().join(format!("{}.json", version.name));
        std::fs::write(&path, self.objects(version).to_string()).map_err(DemoError::from)?;
        let manifests = Input { paths: vec![path], kind: None }.load(Some(&self.name), &self.name).await?;
        let prepared = self.namespace.prepare(&manifests).await.map_err(CommandError::PrepareObjects)?;
        let mut services = prepared.services;
        services.iter_mut().for_each(|spec| spec.bake = version.bake);
        Ok(Request { services, payloads: prepared.payloads })
    }

    async fn load(&self, rate: u32) -> Result<Box<dyn Traffic>, DemoError> {
        let port = self.scratch.node_port(SERVICE).await.map_err(DemoError::Cluster)?;
        let (url, rate) = (format!("http://$(NODE):{port}/"), rate.to_string());
        let [first, ..] = Version::ALL;
        let args = ["demo-load", &url, "--rate", &rate, "--connection-per-request", "--output", "json"];
        let args = [&args[..], &["--progress", "500ms"]].concat();
        let mut pod = self.pod("load", first, &args);
        let node = json!({ "name": "NODE", "valueFrom": { "fieldRef": { "fieldPath": "status.hostIP" } } });
        pod["spec"]["containers"][0]["env"] = json!([node]);
        Ok(Box::new(ClusterTraffic::start(&self.scratch, pod).await?))
    }

    async fn clear(&self) -> Result<(), CommandError> {
        let removed = self.scratch.remove().await;
        if let Image::Imported(imported) = &self.image {
            let [first, ..] = Version::ALL;
            // what stays is told by `docker images`, and harms nobody
            let _ = imported.engine.discard_image(&self.image.of(first)).await;
        }
        removed.map_err(|source| DemoError::Left { namespace: self.name.clone(), source }.into())
    }
}
