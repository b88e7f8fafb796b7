//! The images of a project's services: there already, pulled or built.

use crate::{
    element::Element,
    handle::Handle,
    image::{BuildJob, ImageFacts, Platform, build, inspect, inspect_for, pull},
    prepare::{PrepareError, Tell},
    shared::{AT_ONCE, at_once},
};
use deploy_compose::model::{Project, PullPolicy, Service, ServiceName};
use std::{collections::BTreeMap, path::Path};

/// What images are seen to with.
#[derive(Clone, Copy)]
pub(crate) struct ImageJob<'a> {
    pub(crate) project: &'a Project,
    /// Where the registries' credentials lie.
    pub(crate) config_folder: Option<&'a Path>,
    pub(crate) tell: Tell<'a>,
}

impl Handle {
    pub(crate) async fn images(&self, job: ImageJob<'_>) -> Result<BTreeMap<ServiceName, ImageFacts>, PrepareError> {
        let mut sharing: BTreeMap<&str, Vec<&Service>> = BTreeMap::new();
        for service in job.project.services.values() {
            sharing.entry(&service.image).or_default().push(service);
        }
        let images = sharing.into_values().map(|services| self.images_of(services, job));
        Ok(at_once(AT_ONCE, images).await?.into_iter().flatten().collect())
    }

    /// The image of services that call theirs by the same name: made once for all that want it in the same way, or two
    /// builds side by side might give it to each of them with another id.
    async fn images_of(
        &self,
        services: Vec<&Service>,
        job: ImageJob<'_>,
    ) -> Result<Vec<(ServiceName, ImageFacts)>, PrepareError> {
        let wish = |service: &Service| (service.build.clone(), service.platform.clone(), service.pull_policy);
        let mut made: Vec<(&Service, ImageFacts)> = Vec::new();
        for service in services {
            let facts = match made.iter().find(|(other, _)| wish(other) == wish(service)) {
                Some((_, facts)) => facts.clone(),
                None => self.image_of(service, job).await?,
            };
            made.push((service, facts));
        }
        Ok(made.into_iter().map(|(service, facts)| (service.name.clone(), facts)).collect())
    }

    /// One for another platform than the file names is as good as none, as with Compose.
    async fn image_of(&self, service: &Service, job: ImageJob<'_>) -> Result<ImageFacts, PrepareError> {
        let ImageJob { project, config_folder, tell } = job;
        let (image, platform) = (service.image.as_str(), service.platform.as_deref());
        let wanted = platform.map(|text| Platform::parse(text, &self.connection.platform));
        // what is built is built every time, unless the file says otherwise: its sources may have changed
        let is_fresh = match service.pull_policy {
            None => service.build.is_some(),
            Some(policy) => matches!(policy, PullPolicy::Always | PullPolicy::Build),
        };
        if !is_fresh && let Some(found) = inspect_for(&self.connection, image, wanted.as_ref()).await? {
            return Ok(found);
        }
        match (&service.build, service.pull_policy) {
            (Some(how), policy) if policy != Some(PullPolicy::Always) => {
                let at = Element::of(project, format!("services.{}.build", service.name));
                build(&self.connection, BuildJob { at, image, build: how, platform, config_folder }, tell).await?;
            }
            (None, Some(PullPolicy::Never)) => {
                let none = PrepareError::NeverPulled { image: image.to_owned() };
                return Err(self.other_platform(project, service, wanted.as_ref()).await?.unwrap_or(none));
            }
            _ => pull(&self.connection, config_folder, image, platform, tell).await?,
        }
        match inspect_for(&self.connection, image, wanted.as_ref()).await? {
            Some(found) => Ok(found),
            None => {
                let none = PrepareError::NoImage {
                    image: image.to_owned(),
                    said: "there is no such image, though it was made just now".to_owned(),
                    advice: "try again".to_owned(),
                };
                Err(self.other_platform(project, service, wanted.as_ref()).await?.unwrap_or(none))
            }
        }
    }

    /// That a service's image is there for another platform only, if it is.
    async fn other_platform(
        &self,
        project: &Project,
        service: &Service,
        wanted: Option<&Platform>,
    ) -> Result<Option<PrepareError>, PrepareError> {
        let Some(wanted) = wanted else { return Ok(None) };
        let found = inspect(self.docker(), &service.image).await?;
        Ok(found.map(|found| PrepareError::OtherPlatform {
            at: Element::of(project, format!("services.{}.platform", service.name)).into(),
            image: service.image.clone(),
            wanted: wanted.to_string(),
            found: found.platform.map_or_else(|| "others".to_owned(), |platform| platform.to_string()),
        }))
    }
}
