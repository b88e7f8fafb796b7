//! Containers that live in those of another service: they share its network, its processes or its memory, and the Engine
//! knows that one by its id.

use crate::{
    container::Container,
    definition::{Content, Definition},
    error::if_there,
    handle::Handle,
    labels,
    shared::Tried,
};
use bollard::models::{ContainerCreateBody, HostConfig};
use deploy_core::{model::ServiceName, target::TargetError};

/// Puts a container's id in the place of `service:NAME`.
pub(super) fn move_in(
    body: &mut ContainerCreateBody,
    content: &Content,
    others: &[Container],
) -> Result<(), TargetError> {
    let Some(host) = &mut body.host_config else { return Ok(()) };
    for mode in modes(host).into_iter().flatten() {
        let Some(service) = mode.strip_prefix("service:").map(ServiceName::from) else { continue };
        let Some(home) = home(&service, content, others) else {
            let why =
                format!("expected a running container of {service} to live in, but found none: deploy {service} first");
            return Err(TargetError::Rejected { why });
        };
        *mode = format!("container:{}", home.id);
    }
    Ok(())
}

/// The container of a service to live in: one of the release that is meant, else of the newest that runs; among several the
/// one that stays longest when there are to be fewer.
pub(super) fn home<'a>(service: &ServiceName, content: &Content, others: &'a [Container]) -> Option<&'a Container> {
    let meant = content.lives_in.get(service);
    let runs =
        |one: &&Container| one.kind() == labels::INSTANCE && one.is_up() && one.service().as_ref() == Some(service);
    others.iter().filter(runs).max_by_key(|one| {
        let is_meant = one.release_id().as_ref() == meant;
        (is_meant, one.generation(), std::cmp::Reverse(one.ordinal()))
    })
}

fn modes(host: &mut HostConfig) -> [Option<&mut String>; 3] {
    [&mut host.network_mode, &mut host.ipc_mode, &mut host.pid_mode].map(Option::as_mut)
}

impl Handle {
    /// Tells the stopped ones of a set that lived in a container which doesn't run any more from the others: the Engine
    /// can't start them again.
    pub(super) async fn homeless<'c>(
        &self,
        set: Vec<&'c Container>,
        definition: &Definition,
        all: &[Container],
    ) -> Result<(Vec<&'c Container>, Vec<&'c Container>), TargetError> {
        let (mut homeless, mut others) = (Vec::new(), Vec::new());
        for one in set {
            let is_lodger = !definition.content.lives_in.is_empty();
            match is_lodger && !one.is_up() && self.is_homeless(one, definition, all).await? {
                true => homeless.push(one),
                false => others.push(one),
            }
        }
        Ok((homeless, others))
    }

    async fn is_homeless(
        &self,
        one: &Container,
        definition: &Definition,
        all: &[Container],
    ) -> Result<bool, TargetError> {
        let found = if_there(self.docker().inspect_container(&one.name, None).await);
        let found = found.tried(|| format!("look at {}", one.name))?;
        let Some(mut host) = found.and_then(|found| found.host_config) else { return Ok(true) };
        let mut asked = definition.content.container.host_config.clone().unwrap_or_default();
        let is_lost = |(asked, found): (Option<&mut String>, Option<&mut String>)| {
            let lives_in = asked.is_some_and(|mode| mode.starts_with("service:"));
            let runs = |id: &str| all.iter().any(|other| other.is_up() && other.id == id);
            lives_in && !found.and_then(|mode| mode.strip_prefix("container:")).is_some_and(runs)
        };
        Ok(modes(&mut asked).into_iter().zip(modes(&mut host)).any(is_lost))
    }
}
