//! How much is asked of the API server.

use crate::{counting::Counting, ground::Ground, site::Site, web::Web};
use deploy_core::{
    engine::{Finish, Options, Request},
    model::End,
    strategy::{BlueGreen, Rolling, Strategy},
};
use deploy_k8s::Permissions;

/// How many requests a deployment of one Deployment and its Service may cost, renewals of the lease aside.
const MOST: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_of_four_pods_costs_few_requests() {
    let Some(ground) = Ground::new().await else { return };
    ground.start(&Web::default()).await;
    let counting = Counting::new().await;
    let site = Site::through(ground, &counting.options()).await;
    // the first makes the key of the releases' names and the lease
    let strategies: [(&str, &dyn Strategy); 4] =
        [("2", &Rolling), ("3", &Rolling), ("4", &BlueGreen), ("5", &BlueGreen)];
    for (version, strategy) in strategies {
        counting.take();
        let namespace = site.open().await;
        let manifests = site.read(&Web { version, ..Web::default() }).await;
        namespace.may(&Permissions::of(&manifests)).await.unwrap();
        let prepared = namespace.prepare(&manifests).await.unwrap();
        let prepare = counting.take();
        let request = Request { services: prepared.services, payloads: prepared.payloads };
        let engine = namespace.engine().build();
        let report = engine.deploy(&request, strategy, &Options::default()).await.unwrap();
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
        let count = counting.take();
        let all = prepare.but_renewals() + count.but_renewals();
        eprintln!("{}: {all} requests; to prepare: {prepare}to deploy: {count}", strategy.name());
        assert!(all <= MOST, "expected at most {MOST} requests, but found {all}");
    }
}
