//! Many Deployments.

use crate::{counting::Counting, ground::Ground, site::Site, web::Web};
use deploy_core::{model::ServiceName, strategy::Rolling};
use futures_util::future::join_all;
use std::time::Instant;

/// How many requests a look at all of a namespace may cost.
const MOST_TO_LOOK: usize = 15;
/// How many namespaces, and Deployments in each.
const NAMESPACES: usize = 20;
const DEPLOYMENTS: usize = 25;

/// Deployments that ask for no pod, all in one file.
fn many(ground: &Ground) -> String {
    let names: Vec<_> = (1..=DEPLOYMENTS).map(|number| format!("app-{number:02}")).collect();
    let one = |name: &String| {
        let web = Web { name, replicas: 0, ..Web::default() };
        format!("{}---\n{}", web.deployment(ground), web.service().replace("NodePort", "ClusterIP"))
    };
    names.iter().map(one).collect::<Vec<_>>().join("---\n")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "their end keeps the node busy for a while: .ci/run conformance"]
async fn of_five_hundred_deployments_only_those_that_are_meant_are_read() {
    let counting = Counting::new().await;
    let mut sites = Vec::new();
    for _ in 0..NAMESPACES {
        let Some(ground) = Ground::new().await else { return };
        ground.apply(&many(&ground)).await;
        sites.push(Site::through(ground, &counting.options()).await);
    }
    for site in &sites {
        counting.take();
        let namespace = site.open().await;
        let web = Web { name: "app-07", version: "2", replicas: 0, ..Web::default() };
        let prepared = namespace.prepare(&site.read(&web).await).await.unwrap();
        let plan = namespace.engine().build().plan(&prepared.services, &Rolling).await.unwrap();
        assert!(!plan.steps.is_empty());
        let count = counting.take();
        for asked in count.all() {
            assert_eq!(asked.namespace.as_deref(), Some(site.ground.namespace()), "{asked}");
            let is_named = ["app-07", "deploy-"].iter().any(|name| asked.what.contains(name));
            let is_selective = asked.to_string().contains("app-07") || asked.to_string().contains("deploy-rs");
            // whichever Service leads to it: that can't be told beforehand
            assert!(is_named || is_selective || ["services", "secrets"].contains(&&*asked.what), "{count}");
        }
        assert!(count.but_renewals() <= MOST_TO_LOOK, "{count}");
    }
    counting.take();
    let services: Vec<_> = (1..=DEPLOYMENTS).map(|number| ServiceName::new(format!("app-{number:02}"))).collect();
    let began = Instant::now();
    let looks = sites.iter().map(|site| async {
        let world = site.open().await.target().observe(&services).await.unwrap();
        assert_eq!(world.workloads.len(), DEPLOYMENTS);
    });
    join_all(looks).await;
    let count = counting.take();
    eprintln!("{} Deployments were looked at in {:?}: {count}", NAMESPACES * DEPLOYMENTS, began.elapsed());
    assert!(count.but_renewals() <= NAMESPACES * MOST_TO_LOOK, "{count}");
}
