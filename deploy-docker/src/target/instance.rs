//! Making one instance, starting it, stopping it.

use super::lodger;
use crate::{
    api::ALL_NETWORKS_AT_ONCE,
    container::Container,
    definition::{CopiedFile, Definition, Joined},
    error::{if_there, message, status},
    labels::{self, compose},
    shared::{Shared, Tried},
};
use bollard::{
    body_full,
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerUpdateBody, Mount, MountType,
        NetworkConnectRequest, NetworkDisconnectRequest, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
    },
    query_parameters::{
        CreateContainerOptions, RemoveContainerOptions, RenameContainerOptions, UploadToContainerOptions,
    },
};
use deploy_core::{
    model::Release,
    target::{Cx, TargetError},
};
use std::{collections::HashMap, io, path::Path, time::Duration};

/// An instance that is to be made.
pub(crate) struct NewInstance<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) release: &'a Release,
    pub(crate) ordinal: u32,
    pub(crate) name: String,
    /// What runs of the project already.
    pub(crate) others: &'a [Container],
}

impl Shared {
    /// Makes an instance with everything in it, and doesn't start it.
    pub(crate) async fn create(&self, cx: &Cx, new: NewInstance<'_>) -> Result<(), TargetError> {
        let content = &new.definition.content;
        let mut body = content.container.clone();
        body.labels.get_or_insert_default().extend(self.instance_labels(cx, &new));
        lodger::move_in(&mut body, content, new.others)?;
        self.carry_volumes(&mut body, &new);
        // of networks that are joined afterwards, an Engine may forget what it is told
        let at_once = if self.connection.api >= ALL_NETWORKS_AT_ONCE { content.networks.len() } else { 1 };
        let (first, further) = content.networks.split_at(at_once.min(content.networks.len()));
        if !first.is_empty() {
            let endpoints = first.iter().map(|joined| (joined.network.clone(), joined.endpoint.clone()));
            body.networking_config = Some(NetworkingConfig { endpoints_config: Some(endpoints.collect()) });
        }
        self.create_container_for(cx, &new.name, content.platform.as_deref(), body).await?;
        for Joined { network, endpoint } in further {
            self.connect(&new.name, network, endpoint.clone()).await?;
        }
        self.copy_files(&new.name, &content.files).await
    }

    /// Makes a container. Where an interrupted call of ours is still making one of that name, that one is waited for,
    /// and taken away: it may lack a file or a network.
    pub(crate) async fn create_container(
        &self,
        cx: &Cx,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<(), TargetError> {
        self.create_container_for(cx, name, None, body).await
    }

    /// The same for a platform: of the images that an Engine holds under one name, the one for this.
    async fn create_container_for(
        &self,
        cx: &Cx,
        name: &str,
        platform: Option<&str>,
        body: ContainerCreateBody,
    ) -> Result<(), TargetError> {
        let platform = platform.unwrap_or_default().to_owned();
        let options = CreateContainerOptions { name: Some(name.to_owned()), platform };
        loop {
            let error = match self.docker().create_container(Some(options.clone()), body.clone()).await {
                Ok(made) => {
                    self.warnings.hear(name, made.warnings);
                    return Ok(());
                }
                Err(error) if status(&error) == Some(409) => error,
                Err(error) => return Err(error).tried(|| format!("create {name}")),
            };
            let there = if_there(self.docker().inspect_container(name, None).await);
            let there = there.tried(|| format!("look at the container {name}"))?;
            let is_new = |there: &ContainerInspectResponse| {
                there.state.as_ref().and_then(|state| state.status) == Some(ContainerStateStatusEnum::CREATED)
            };
            match there {
                Some(there) if !is_of(&there, &self.project) => {
                    return Err(TargetError::Rejected {
                        why: format!(
                            "expected the name {name} to be free, but another container has it: remove or rename that one"
                        ),
                    });
                }
                Some(there) if is_new(&there) => self.discard(name).await?,
                None if cx.left() > AGAIN => tokio::time::sleep(AGAIN).await,
                // it runs: the next attempt finds it among what is there
                _ => return Err(TargetError::unreachable("the Docker Engine", error)),
            }
        }
    }

    /// Joins a network before the start.
    pub(crate) async fn connect(
        &self,
        name: &str,
        network: &str,
        endpoint: bollard::models::EndpointSettings,
    ) -> Result<(), TargetError> {
        let request = NetworkConnectRequest { container: name.to_owned(), endpoint_config: Some(endpoint) };
        match self.docker().connect_network(network, request).await {
            // from a call before, whose answer was lost
            Err(error) if message(&error).contains("already exists in network") => Ok(()),
            answer => answer.tried(|| format!("connect {name} to the network {network}")),
        }
    }

    /// Leaves a network.
    pub(crate) async fn disconnect(&self, name: &str, network: &str) -> Result<(), TargetError> {
        let request = NetworkDisconnectRequest { container: name.to_owned(), force: Some(false) };
        match self.docker().disconnect_network(network, request).await {
            // it left before, or the network is gone
            Err(error) if status(&error) == Some(404) || message(&error).contains("is not connected") => Ok(()),
            answer => answer.tried(|| format!("disconnect {name} from the network {network}")),
        }
    }

    fn instance_labels(&self, cx: &Cx, new: &NewInstance<'_>) -> HashMap<String, String> {
        let (release, service) = (new.release, new.release.service.as_str());
        let content = &new.definition.content;
        let id_of = |name: &str| lodger::home(&name.into(), content, new.others).map(|home| home.id.clone());
        let config = content.config.as_ref();
        let hash = config.map_or_else(|| compose::UNKNOWN_HASH.to_owned(), |config| config.hash_with(id_of));
        let mut labels = self.labels_of(cx, labels::INSTANCE);
        let more = [
            (labels::SERVICE, service),
            (labels::RELEASE, release.id.as_str()),
            (labels::VERSION, &release.version),
            (labels::ORDINAL, &new.ordinal.to_string()),
            (compose::PROJECT, &self.project),
            (compose::SERVICE, service),
            (compose::NUMBER, &new.ordinal.to_string()),
            (compose::ONEOFF, "False"),
            (compose::HASH, &hash),
            (compose::IMAGE, &release.artifact),
        ];
        labels.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        labels.extend(new.definition.origin.clone());
        labels
    }

    /// Our labels on what a step makes.
    pub(crate) fn labels_of(&self, cx: &Cx, kind: &str) -> HashMap<String, String> {
        let mut labels = labels::ours(&self.project, kind);
        labels.insert(labels::DEPLOYMENT.to_owned(), cx.deployment.to_string());
        labels.insert(labels::STEP.to_owned(), cx.step.to_string());
        labels.insert(labels::FENCE.to_owned(), cx.fence.0.to_string());
        labels
    }

    /// Mounts the anonymous volumes of the container before, as Compose does.
    fn carry_volumes(&self, body: &mut ContainerCreateBody, new: &NewInstance<'_>) {
        let carried = &new.definition.content.carried;
        if carried.is_empty() {
            return;
        }
        let before = |one: &&Container| {
            one.kind() == labels::INSTANCE
                && one.service().as_ref() == Some(&new.release.service)
                && one.ordinal() == new.ordinal
                && !one.is_new()
        };
        let Some(before) =
            new.others.iter().filter(before).max_by_key(|one| (one.made_by().map(|by| by.0), one.is_up()))
        else {
            return;
        };
        let mounts = body.host_config.get_or_insert_default().mounts.get_or_insert_default();
        for (path, volume) in before.anonymous.iter().filter(|(path, _)| carried.contains(path)) {
            mounts.retain(|mount| mount.target.as_ref() != Some(path));
            mounts.push(mount(path, volume));
        }
    }

    async fn copy_files(&self, name: &str, files: &[CopiedFile]) -> Result<(), TargetError> {
        if files.is_empty() {
            return Ok(());
        }
        let archive = archive(files).map_err(|error| TargetError::Rejected {
            why: format!("expected to pack the files for {name}, but: {error}"),
        })?;
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let answer = self.docker().upload_to_container(name, Some(options), body_full(archive.into())).await;
        answer.tried(|| format!("copy files into {name}"))
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), TargetError> {
        if from == to {
            return Ok(());
        }
        let options = RenameContainerOptions { name: to.to_owned() };
        if_there(self.docker().rename_container(from, options).await)
            .tried(|| format!("rename {from} to {to}"))
            .map(drop)
    }

    pub(crate) async fn set_restart(&self, name: &str, policy: RestartPolicy) -> Result<(), TargetError> {
        let update = ContainerUpdateBody { restart_policy: Some(policy), ..Default::default() };
        if_there(self.docker().update_container(name, update).await)
            .tried(|| format!("set the restart policy of {name}"))
            .map(drop)
    }

    /// Asks a container to stop, and waits; it is killed when its own grace period is over.
    pub(crate) async fn stop(&self, cx: &Cx, name: &str) -> Result<(), TargetError> {
        let answer = self.patient(cx.left()).stop_container(name, None).await;
        if_there(answer).tried(|| format!("stop {name}")).map(|_| ())
    }

    /// Takes a container away; it may be gone already. Its anonymous volumes stay.
    pub(crate) async fn discard(&self, name: &str) -> Result<(), TargetError> {
        self.remove_container(name, true).await
    }

    /// The same for one that was stopped: where somebody has started it meanwhile, it stays.
    pub(super) async fn remove_stopped(&self, name: &str) -> Result<(), TargetError> {
        self.remove_container(name, false).await
    }

    async fn remove_container(&self, name: &str, force: bool) -> Result<(), TargetError> {
        let options = RemoveContainerOptions { force, ..Default::default() };
        match self.docker().remove_container(name, Some(options)).await {
            Err(error) if matches!(status(&error), Some(404)) || message(&error).contains("already in progress") => {
                Ok(())
            }
            answer => answer.tried(|| format!("remove {name}")),
        }
    }
}

/// A volume where it is mounted.
pub(super) fn mount(path: &str, volume: &str) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.to_owned()),
        target: Some(path.to_owned()),
        ..Mount::default()
    }
}

/// The pause before a container is made anew whose name an interrupted call still holds.
const AGAIN: Duration = Duration::from_millis(100);

fn is_of(there: &ContainerInspectResponse, project: &str) -> bool {
    let labels = there.config.as_ref().and_then(|config| config.labels.as_ref());
    labels.and_then(|labels| labels.get(labels::PROJECT)).is_some_and(|found| found == project)
}

/// A policy under which the Engine leaves a container stopped.
pub(crate) fn never() -> RestartPolicy {
    RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: Some(0) }
}

/// Files as the Engine unpacks them at `/`.
fn archive(files: &[CopiedFile]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(file.mode);
        header.set_uid(file.uid);
        header.set_gid(file.gid);
        header.set_size(file.content.0.len() as u64);
        archive.append_data(&mut header, Path::new(file.path.trim_start_matches('/')), &file.content.0[..])?;
    }
    archive.into_inner()
}
