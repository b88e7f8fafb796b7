use super::{platform::Platform, query::with_parameters};
use crate::{
    api::IMAGE_OF_A_PLATFORM,
    connect::Connection,
    error::{if_there, target_error},
};
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
    /// What it is for; nothing where that can't be told.
    pub(crate) platform: Option<Platform>,
}

/// What the image of that name says of itself; nothing where the Engine doesn't have it for this platform.
pub(crate) async fn inspect_for(
    connection: &Connection,
    image: &str,
    platform: Option<&Platform>,
) -> Result<Option<ImageFacts>, TargetError> {
    let Some(wanted) = platform else { return inspect(&connection.docker, image).await };
    let found = if connection.api >= IMAGE_OF_A_PLATFORM {
        let parameter = [("platform", wanted.json())];
        let docker = with_parameters(connection.docker.clone(), |path| path.starts_with("/images/"), &parameter);
        inspect(&docker, image).await?
    } else {
        inspect(&connection.docker, image).await?
    };
    Ok(found.filter(|found| found.platform.as_ref().is_none_or(|platform| platform == wanted)))
}

/// What the image of that name or id says of itself; nothing where the Engine doesn't have it.
pub(crate) async fn inspect(docker: &Docker, image: &str) -> Result<Option<ImageFacts>, TargetError> {
    let found = if_there(docker.inspect_image(image).await);
    let Some(found) = found.map_err(|error| target_error(&format!("look at image {image}"), error))? else {
        return Ok(None);
    };
    let id = found.id.unwrap_or_default();
    // an Engine that keeps the images of several platforms under one name calls the whole by this id, and tells of one
    let of_several =
        found.repo_digests.iter().flatten().any(|digest| digest.split_once('@').is_some_and(|(_, of)| of == id));
    let platform = match (found.os.as_deref(), found.architecture.as_deref()) {
        (Some(os), Some(architecture)) if !os.is_empty() && !architecture.is_empty() && !of_several => {
            Some(Platform::new(os, architecture, found.variant.as_deref().unwrap_or_default()))
        }
        _ => None,
    };
    let config = found.config.unwrap_or_default();
    let sorted = |list: Option<Vec<String>>| {
        let mut list = list.unwrap_or_default();
        list.sort();
        list
    };
    Ok(Some(ImageFacts {
        id,
        ports: sorted(config.exposed_ports),
        volumes: sorted(config.volumes),
        healthcheck: config.healthcheck,
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
        platform,
    }))
}
