use crate::ground::Ground;
use async_trait::async_trait;
use deploy_core::{
    model::{Millis, Object, Payload, Release},
    prober::Probe,
    testing::{
        Deployer,
        conformance::{self, Subject},
    },
};

/// A service on the real Engine, in two releases.
struct Docker {
    ground: Ground,
    releases: [(Release, Payload); 2],
    objects: Vec<Object>,
}

#[async_trait]
impl Subject for Docker {
    async fn reset(&self) -> Result<(), String> {
        self.ground.clear().await;
        Ok(())
    }

    async fn deployer(&self) -> Result<Deployer, String> {
        let project = self.ground.open();
        let told =
            |error: deploy_core::target::TargetError| format!("{error}: {:?}", std::error::Error::source(&error));
        Ok(Deployer {
            target: project.target(),
            routers: vec![project.router()],
            lease: project.lease().await.map_err(told)?,
            journal: project.journal().await.map_err(told)?,
        })
    }

    fn releases(&self) -> [(Release, Payload); 2] {
        self.releases.clone()
    }

    fn objects(&self) -> Vec<Object> {
        self.objects.clone()
    }

    fn probe(&self) -> Probe {
        Probe::Tcp { port: 8080 }
    }

    fn patience(&self) -> Millis {
        Millis::from_secs(120)
    }
}

const WEB: &str = "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: { VERSION: 'N' }\n    expose: [8080]\n    stop_grace_period: 2s\n";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes: .ci/run conformance"]
async fn the_suite_passes() {
    let Some(ground) = Ground::new().await else { return };
    let project = ground.open();
    let mut releases = Vec::new();
    let mut objects = Vec::new();
    for version in ["1", "2"] {
        let prepared = ground.prepare(&project, &WEB.replace('N', version)).await;
        let spec = prepared.services.into_iter().next().unwrap();
        let payload = prepared.payloads[&spec.release.id].clone();
        objects = spec.objects;
        releases.push((spec.release, payload));
    }
    let releases = releases.try_into().unwrap_or_else(|_| unreachable!("two were pushed"));
    let subject = Docker { ground, releases, objects };
    let report = conformance::run("Docker", &subject).await;
    report.record().unwrap();
    subject.ground.clear().await;
    assert!(report.is_passed(), "{report}");
    eprintln!("{report}");
}
