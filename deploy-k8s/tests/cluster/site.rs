use crate::{ground::Ground, web::Web};
use deploy_core::{
    engine::{Options, Report, Request},
    strategy::Strategy,
};
use deploy_k8s::{Cluster, ClusterOptions, Input, Manifests, Namespace, NamespaceOptions, PrepareError, Prepared};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// A namespace of the real cluster to deploy to.
pub(crate) struct Site {
    pub(crate) ground: Ground,
    cluster: Cluster,
    /// How long nodes may take to follow a Service.
    pub(crate) settle: Duration,
}

impl Site {
    pub(crate) async fn new(ground: Ground) -> Self {
        Self::through(ground, &ClusterOptions::default()).await
    }

    /// The same, by another way to the API server.
    pub(crate) async fn through(ground: Ground, options: &ClusterOptions) -> Self {
        let cluster = Cluster::connect(options).await.unwrap();
        Self { ground, cluster, settle: NamespaceOptions::default().settle }
    }

    /// The namespace, as a process that starts anew opens it.
    pub(crate) async fn open(&self) -> Namespace {
        self.cluster
            .open(self.ground.namespace(), &NamespaceOptions { settle: self.settle, ..NamespaceOptions::default() })
    }

    pub(crate) async fn prepare(&self, web: &Web<'_>) -> Prepared {
        self.prepare_in(&self.open().await, &web.manifests(&self.ground)).await
    }

    pub(crate) async fn prepare_in(&self, namespace: &Namespace, text: &str) -> Prepared {
        self.try_prepare_in(namespace, text).await.unwrap()
    }

    pub(crate) async fn try_prepare_in(&self, namespace: &Namespace, text: &str) -> Result<Prepared, PrepareError> {
        namespace.prepare(&self.read_text(text).await).await
    }

    /// The manifests as a file has them.
    pub(crate) async fn read(&self, web: &Web<'_>) -> Manifests {
        self.read_text(&web.manifests(&self.ground)).await
    }

    async fn read_text(&self, text: &str) -> Manifests {
        self.read_text_for(self.ground.namespace(), text).await
    }

    /// Another namespace, and what an input means for it.
    pub(crate) async fn elsewhere(&self, namespace: &str, text: &str) -> (Namespace, Manifests) {
        (
            self.cluster.open(namespace, &NamespaceOptions { settle: self.settle, ..NamespaceOptions::default() }),
            self.read_text_for(namespace, text).await,
        )
    }

    async fn read_text_for(&self, namespace: &str, text: &str) -> Manifests {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.yaml");
        std::fs::write(&path, text).unwrap();
        let input = Input { paths: vec![path], kind: None };
        input.load(None, namespace).await.unwrap()
    }

    /// Deploys, as a process that starts anew does.
    pub(crate) async fn deploy(&self, web: &Web<'_>, strategy: &dyn Strategy) -> Report {
        self.deploy_text(&web.manifests(&self.ground), strategy).await.0
    }

    /// The same of a manifest's text, with what it was asked for.
    pub(crate) async fn deploy_text(&self, text: &str, strategy: &dyn Strategy) -> (Report, Prepared) {
        let namespace = self.open().await;
        let prepared = self.prepare_in(&namespace, text).await;
        let request = Request { services: prepared.services.clone(), payloads: prepared.payloads.clone() };
        (Self::run(&namespace, &request, strategy).await, prepared)
    }

    pub(crate) async fn run(namespace: &Namespace, request: &Request, strategy: &dyn Strategy) -> Report {
        let observer = Arc::new(|notice: &deploy_core::observer::Notice| {
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{}", serde_json::to_string(notice).unwrap_or_default());
            }
        });
        let engine = namespace.engine().observer(observer).build();
        engine.deploy(request, strategy, &Options::default()).await.unwrap()
    }

    /// Takes everything away but the namespace and the key of the releases' names.
    pub(crate) async fn clear(&self) {
        self.ground.kubectl(&["delete", "deployments,services,configmaps,leases", "--all"]).await;
        self.ground.kubectl(&["delete", "secrets", "-l", "deploy-rs.github.io/kind=release"]).await;
    }

    /// Fails where anything of a deployment is left on what belongs to the user, or in the namespace.
    pub(crate) async fn is_as_the_users(&self, before: &Value) {
        let now = self.ground.shown("deployment", "web").await;
        for field in ["strategy", "minReadySeconds", "progressDeadlineSeconds", "paused", "replicas"] {
            assert_eq!(now["spec"][field], before["spec"][field], "{field}: {now}");
        }
        for service in self.list("services").await {
            assert_eq!(service["spec"]["selector"], serde_json::json!({ "app": "web" }), "{service}");
        }
        for secret in self.list("secrets").await {
            let hold = &secret["metadata"]["annotations"]["deploy-rs.github.io/hold"];
            assert!(hold.is_null(), "expected no hold, but found one on {}: {hold}", secret["metadata"]["name"]);
        }
    }

    /// All objects of a kind.
    pub(crate) async fn list(&self, kind: &str) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.ground.kubectl(&["get", kind, "-o", "json"]).await).unwrap();
        list["items"].as_array().cloned().unwrap_or_default()
    }
}
