use super::{
    DemoError, Stage, Traffic, Version,
    stage::{INSTANCES, LEASE_WAIT, SERVICE, free_port},
    traffic::from_here,
};
use crate::{CommandError, Place, commands::tear_down, wiring};
use async_trait::async_trait;
use deploy_compose::{Loader, model::Project};
use deploy_core::engine::Request;
use deploy_docker::{DockerHost, DockerProject, OpenOptions};
use serde_json::json;
use std::path::Path;

/// A Compose project on the Engine, made for the demonstration: its images are this very program.
pub struct DockerStage {
    host: DockerHost,
    project: DockerProject,
    place: Place,
    name: String,
    port: u16,
    images: Vec<String>,
}

impl DockerStage {
    /// Sets it up: images, and an agent. `executable`: the `deploy` command, which is also the application.
    ///
    /// # Errors
    /// Where the Engine can't run this program. Nothing is left of it then.
    pub async fn open(host: DockerHost, executable: &Path) -> Result<Self, CommandError> {
        let name = format!("deploy-demo-{}", std::process::id());
        let mut images: Vec<_> = Version::ALL.iter().map(|version| format!("{name}:{}", version.name)).collect();
        match images_of(&host, executable, &name).await {
            Ok(image) => images.push(image),
            Err(error) => {
                remove(&host, &images).await;
                return Err(error.into());
            }
        }
        let port = free_port().map_err(DemoError::from)?;
        let project = host.open(&name, OpenOptions::default());
        let place = wiring::docker(&name, project.clone()).await?;
        Ok(Self { host, project, place, name, port, images })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The Compose file of a version, as a user would write it.
    fn compose(&self, version: Version) -> Result<Project, CommandError> {
        let environment: serde_json::Map<_, _> =
            version.environment().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        // JSON is YAML
        let file = json!({
            "name": self.name,
            "services": { SERVICE: {
                "image": format!("{}:{}", self.name, version.name),
                "pull_policy": "never",
                "entrypoint": ["/deploy", "demo-app"],
                "environment": environment,
                "ports": [format!("127.0.0.1:{}:8080", self.port)],
                "healthcheck": { "test": ["CMD", "/deploy", "demo-app", "--healthcheck"], "interval": "5s" },
                "deploy": { "replicas": INSTANCES },
            } },
        });
        Ok(Loader::new(std::env::temp_dir()).load_str("demo.yaml", &file.to_string())?)
    }
}

#[async_trait]
impl Stage for DockerStage {
    fn told(&self) -> String {
        format!("the Docker Engine at {}; clients ask {}", self.host.address(), self.url())
    }

    fn place(&self) -> &Place {
        &self.place
    }

    async fn request(&self, version: Version) -> Result<Request, CommandError> {
        let prepared = self.project.prepare(&self.compose(version)?, &|_| {}).await?;
        let mut services = prepared.services;
        services.iter_mut().for_each(|spec| spec.bake = version.bake);
        Ok(Request { services, payloads: prepared.payloads })
    }

    async fn load(&self, rate: u32) -> Result<Box<dyn Traffic>, DemoError> {
        from_here(self.url(), rate)
    }

    async fn clear(&self) -> Result<(), CommandError> {
        let down = tear_down(&self.place, LEASE_WAIT, true).await;
        remove(&self.host, &self.images).await;
        down.map(drop)
    }
}

/// One image under a name for each version.
async fn images_of(host: &DockerHost, executable: &Path, repository: &str) -> Result<String, DemoError> {
    let image = host.program_image(executable).await?;
    for version in Version::ALL {
        host.name_image(&image, repository, version.name).await?;
    }
    Ok(image)
}

/// What stays is told by `docker images`, and harms nobody.
async fn remove(host: &DockerHost, images: &[String]) {
    for image in images {
        let _ = host.remove_image(image).await;
    }
}
