//! A namespace of a real cluster for a test: the one that `KUBECONFIG` names.

pub(crate) mod fake;

use crate::{Cluster, ClusterOptions, api::Api};
use futures_util::FutureExt;
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::api::{DeleteParams, PostParams};
use std::{env, panic::AssertUnwindSafe};

/// Runs a test in a namespace of its own, which is deleted afterwards. Without a cluster it is skipped, unless
/// `DEPLOY_TEST_CLUSTER=required`.
pub(crate) fn on_cluster(name: &str, test: impl AsyncFnOnce(Api)) {
    if env::var_os("KUBECONFIG").is_none() {
        let is_required = env::var("DEPLOY_TEST_CLUSTER").is_ok_and(|value| value == "required");
        assert!(!is_required, "expected a cluster, but KUBECONFIG isn't set");
        eprintln!("skipped {name}: KUBECONFIG isn't set");
        return;
    }
    let namespace = format!("dk-unit-{name}-{}", std::process::id());
    let result = run(async {
        let api = api(&namespace).await;
        let namespaces = kube::Api::<Namespace>::all(api.client().clone());
        let metadata = ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() };
        let made = Namespace { metadata, ..Namespace::default() };
        namespaces.create(&PostParams::default(), &made).await.unwrap();
        let result = AssertUnwindSafe(test(api)).catch_unwind().await;
        namespaces.delete(&namespace, &DeleteParams::background()).await.unwrap();
        result
    });
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// The way to a namespace that is there.
pub(crate) async fn api(namespace: &str) -> Api {
    Cluster::connect(&ClusterOptions::default()).await.unwrap().api(namespace)
}

/// Runs what a test does, to its end.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}
