use crate::{ground::Ground, site::Site, web::Web};
use async_trait::async_trait;
use deploy_core::{
    model::{Millis, Object, Payload, Release},
    testing::{
        Deployer,
        conformance::{self, Subject},
    },
};
use std::time::Duration;

/// A Deployment on the real cluster, in two releases.
struct Kubernetes {
    site: Site,
    releases: [(Release, Payload); 2],
    objects: Vec<Object>,
}

#[async_trait]
impl Subject for Kubernetes {
    async fn reset(&self) -> Result<(), String> {
        self.site.clear().await;
        Ok(())
    }

    async fn deployer(&self) -> Result<Deployer, String> {
        let namespace = self.site.open().await;
        Ok(Deployer {
            target: namespace.target(),
            routers: vec![namespace.router()],
            lease: namespace.lease(),
            journal: namespace.journal(),
        })
    }

    fn releases(&self) -> [(Release, Payload); 2] {
        self.releases.clone()
    }

    fn objects(&self) -> Vec<Object> {
        self.objects.clone()
    }

    fn patience(&self) -> Millis {
        Millis::from_secs(120)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes: .ci/run conformance"]
async fn the_suite_passes() {
    let Some(ground) = Ground::new().await else { return };
    let mut site = Site::new(ground).await;
    site.settle = Duration::ZERO;
    let mut releases = Vec::new();
    let mut objects = Vec::new();
    for version in ["1", "2"] {
        let prepared = site.prepare(&Web { version, replicas: 2, ..Web::default() }).await;
        let spec = prepared.services.into_iter().next().unwrap();
        let payload = prepared.payloads[&spec.release.id].clone();
        objects = spec.objects;
        releases.push((spec.release, payload));
    }
    let releases = releases.try_into().unwrap_or_else(|_| unreachable!("two were pushed"));
    let report = conformance::run("Kubernetes", &Kubernetes { site, releases, objects }).await;
    report.record().unwrap();
    assert!(report.is_passed(), "{report}");
    eprintln!("{report}");
}
