use crate::error::{if_there, target_error};
use bollard::{Docker, models::HealthConfig};
use deploy_core::target::TargetError;
use std::collections::BTreeMap;

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ImageFacts {
    /// `sha256:…`.
    pub(crate) id: String,
    /// EXPOSE: `80/tcp`.
    pub(crate) ports: Vec<String>,
    /// VOLUME.
    pub(crate) volumes: Vec<String>,
    /// HEALTHCHECK.
    pub(crate) healthcheck: Option<HealthConfig>,
    /// LABEL.
    pub(crate) labels: BTreeMap<String, String>,
    /// STOPSIGNAL.
    pub(crate) stop_signal: Option<String>,
}

/// What the image of that name or id says of itself; nothing where the Engine doesn't have it.
pub(crate) async fn inspect(docker: &Docker, image: &str) -> Result<Option<ImageFacts>, TargetError> {
    let found = if_there(docker.inspect_image(image).await);
    let Some(found) = found.map_err(|error| target_error(&format!("look at image {image}"), error))? else {
        return Ok(None);
    };
    let config = found.config.unwrap_or_default();
    let sorted = |list: Option<Vec<String>>| {
        let mut list = list.unwrap_or_default();
        list.sort();
        list
    };
    Ok(Some(ImageFacts {
        id: found.id.unwrap_or_default(),
        ports: sorted(config.exposed_ports),
        volumes: sorted(config.volumes),
        healthcheck: config.healthcheck,
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
    }))
}
