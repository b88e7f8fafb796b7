//! An autoscaler at work while both sides of a deployment stand.

use crate::{deployer::Order, ground::until, stage::Stage, web::Web};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_is_followed_on_both_sides_under_load() {
    // pods that are scaled away end whatever the deployment does
    let Some(stage) = Stage::new(Some(3)).await else { return };
    let ground = &stage.site.ground;
    // without measurements it moves nothing by itself: what it would write is written through `/scale` here
    ground.kubectl(&["autoscale", "deployment", "web", "--min=1", "--max=9"]).await;
    // nobody may be evicted
    let policy = match ground.kubectl(&["api-versions"]).await.lines().any(|version| version == "policy/v1") {
        true => "policy/v1",
        false => "policy/v1beta1",
    };
    let budget = "spec: { maxUnavailable: 0, selector: { matchLabels: { app: web } } }";
    let budget = format!("apiVersion: {policy}\nkind: PodDisruptionBudget\nmetadata: {{ name: web }}\n{budget}\n");
    ground.apply(&budget).await;
    let load = stage.load(0);
    // there is time while both are held and none of the new is ready
    let web = Web { env: &[("READY_MS", "6000")], ..stage.web("1") };
    let order = Order { bake: Duration::from_secs(8), ..Order::deploy(web, "blue-green") };
    let deployer = stage.start(&order);
    deployer.starts("web/check").await;
    scaled(&stage, 3).await;
    deployer.starts("web/bake").await;
    scaled(&stage, 2).await;
    deployer.ends_with(0).await;
    // `kubectl get` hides who wrote what
    let raw = format!("/apis/apps/v1/namespaces/{}/deployments/web", ground.namespace());
    let now: Value = serde_json::from_str(&ground.kubectl(&["get", "--raw", &raw]).await).unwrap();
    assert_eq!(now["spec"]["replicas"], 2);
    let written = now["metadata"]["managedFields"].as_array().unwrap();
    let mut ours = written.iter().filter(|fields| fields["manager"] == "deploy").peekable();
    assert!(
        ours.peek().is_some() && ours.all(|ours| ours["fieldsV1"]["f:spec"]["f:replicas"].is_null()),
        "{written:?}"
    );
    stage.converged("1").await;
    let seen = load.lost_none().await;
    assert!(seen.versions.contains_key("1"), "{seen:?}");
}

/// Scales as an autoscaler does, and waits until both sides have followed.
async fn scaled(stage: &Stage, replicas: u32) {
    let ground = &stage.site.ground;
    let scale = format!("--replicas={replicas}");
    ground.kubectl(&["scale", "deployment/web", &scale]).await;
    let wanted = async || {
        let sets = stage.site.list("replicasets").await;
        let wanted: Vec<Value> = sets.iter().map(|set| set["spec"]["replicas"].clone()).collect();
        wanted == [json!(replicas), json!(replicas)]
    };
    until(&format!("{replicas} pods on each side"), wanted).await;
}
