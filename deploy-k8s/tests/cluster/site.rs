use crate::{ground::Ground, web::Web};
use deploy_core::{
    engine::{Options, Report, Request},
    strategy::Strategy,
};
use deploy_k8s::{Cluster, ClusterOptions, Input, Namespace, NamespaceOptions, Prepared};
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
        let cluster = Cluster::connect(&ClusterOptions::default()).await.unwrap();
        Self { ground, cluster, settle: NamespaceOptions::default().settle }
    }

    /// The namespace, as a process that starts anew opens it.
    pub(crate) async fn open(&self) -> Namespace {
        self.cluster
            .open(self.ground.namespace(), &NamespaceOptions { settle: self.settle, ..NamespaceOptions::default() })
    }

    pub(crate) async fn prepare(&self, web: &Web<'_>) -> Prepared {
        self.prepare_text(&web.manifests(&self.ground)).await
    }

    pub(crate) async fn prepare_text(&self, text: &str) -> Prepared {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.yaml");
        std::fs::write(&path, text).unwrap();
        let input = Input { paths: vec![path], kind: None };
        let manifests = input.load(None, self.ground.namespace()).await.unwrap();
        self.open().await.prepare(&manifests).await.unwrap()
    }

    /// Deploys, as a process that starts anew does.
    pub(crate) async fn deploy(&self, web: &Web<'_>, strategy: &dyn Strategy) -> Report {
        let prepared = self.prepare(web).await;
        let observer = Arc::new(|notice: &deploy_core::observer::Notice| {
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{}", serde_json::to_string(notice).unwrap_or_default());
            }
        });
        let engine = self.open().await.engine().observer(observer).build();
        let request = Request { services: prepared.services, payloads: prepared.payloads };
        engine.deploy(&request, strategy, &Options::default()).await.unwrap()
    }

    /// Takes everything away but the namespace and the key of the releases' names.
    pub(crate) async fn clear(&self) {
        self.ground.kubectl(&["delete", "deployments,services,configmaps,leases", "--all"]).await;
        self.ground.kubectl(&["delete", "secrets", "-l", "deploy-rs.github.io/kind=release"]).await;
    }
}
