//! Instances that are kept for a fast way back, and what stands for them.

use super::instance::{mount, never};
use crate::{
    container::Container,
    handle::Handle,
    labels, names,
    shared::{STOPPED_AT_ONCE, at_once},
};
use bollard::models::{ContainerCreateBody, HostConfig};
use deploy_core::target::{Cx, TargetError};

impl Handle {
    /// Stops instances and keeps them. The restart policy goes first, or the Engine's next start revives them.
    ///
    /// Of ours a stand-in is kept: `docker compose up` starts, replaces or removes whatever bears its labels, and a
    /// container's labels can't be taken away.
    pub(super) async fn keep(&self, cx: &Cx, instances: &[&Container]) -> Result<(), TargetError> {
        let (composes, ours): (Vec<&Container>, Vec<&Container>) =
            instances.iter().partition(|one| one.is_by_compose());
        let kept = ours.into_iter().map(|one| async move {
            self.set_restart(&one.name, never()).await?;
            self.stop(cx, &one.name).await?;
            self.create_container(cx, &names::kept(&one.name), stand_in(one)).await?;
            self.remove_stopped(&one.name).await
        });
        tokio::try_join!(at_once(STOPPED_AT_ONCE, kept), self.keep_whole(cx, &composes)).map(drop)
    }

    /// Stops instances and keeps them as they are.
    pub(super) async fn keep_whole(&self, cx: &Cx, instances: &[&Container]) -> Result<(), TargetError> {
        let kept = instances.iter().map(|one| async move {
            if one.is_by_compose() {
                self.remember(cx, one).await?;
            }
            self.set_restart(&one.name, never()).await?;
            self.stop(cx, &one.name).await?;
            self.rename(&one.name, &names::kept(&one.name)).await
        });
        at_once(STOPPED_AT_ONCE, kept).await.map(drop)
    }
}

/// What stands for an instance that was stopped, and is never started itself: it says what is kept, and holds image and
/// anonymous volumes. It bears none of Compose's labels.
fn stand_in(one: &Container) -> ContainerCreateBody {
    let is_ours = |(label, _): &(&String, &String)| label.starts_with(labels::PREFIX);
    ContainerCreateBody {
        image: Some(one.image.clone()),
        // an image may name no program
        entrypoint: Some(vec!["kept".to_owned()]),
        labels: Some(one.labels.iter().filter(is_ours).map(|(label, value)| (label.clone(), value.clone())).collect()),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            mounts: Some(one.anonymous.iter().map(|(path, volume)| mount(path, volume)).collect()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{container::testing::instance, labels::compose};
    use std::collections::HashMap;

    #[test]
    fn a_stand_in_holds_image_and_volumes_and_bears_no_label_of_composes() {
        let web = instance(1, &[(compose::SERVICE, "web"), (labels::RELEASE, "web-01234567"), ("team", "a")]);
        let body = stand_in(&web);
        let labels = [(labels::ORDINAL, "1"), (labels::RELEASE, "web-01234567")];
        let labels: HashMap<_, _> = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(body.labels, Some(labels));
        assert_eq!(body.image.as_deref(), Some("sha256:ab"));
        let mounts = body.host_config.and_then(|host| host.mounts).unwrap_or_default();
        assert_eq!(mounts, [mount("/data", &"f00d".repeat(16))]);
    }
}
