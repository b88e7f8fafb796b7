use crate::{
    create::{Mounted, mounted},
    image::ImageFacts,
    paths::{BoundPath, BoundPaths},
};
use deploy_compose::model::{Mount, MountKind, Service};

/// What a service writes to that outlives a container.
#[derive(Debug, Default)]
pub(super) struct Data {
    /// In words: `volume data`.
    pub(super) writable: Vec<String>,
    /// Paths whose anonymous volume goes on from one container to the next.
    pub(super) carried: Vec<String>,
    /// What people should know.
    pub(super) notes: Vec<String>,
}

/// What a service writes to: named volumes, anonymous ones and those of its image, bound folders, and bound files that
/// aren't configuration.
pub(super) fn data(service: &Service, image: &ImageFacts, paths: &BoundPaths) -> Data {
    let mut data = Data::default();
    for mount in &service.volumes {
        data.add(service, mount, paths);
    }
    let is_mounted = |path: &String| {
        service.volumes.iter().any(|mount| mount.target.trim_end_matches('/') == path.trim_end_matches('/'))
            || service.tmpfs.keys().any(|target| target.trim_end_matches('/') == path.trim_end_matches('/'))
    };
    for path in image.volumes.iter().filter(|path| !is_mounted(path)) {
        data.writable.push(format!("the image's own volume {path}"));
        data.carried.push(path.clone());
    }
    data
}

impl Data {
    fn add(&mut self, service: &Service, mount: &Mount, paths: &BoundPaths) {
        let target = &mount.target;
        match &mount.kind {
            MountKind::Tmpfs(_) => {}
            MountKind::Volume { source: None, .. } => {
                self.carried.push(target.clone());
                self.writable.push(format!("the volume at {target}"));
            }
            MountKind::Volume { .. } if mount.read_only => {}
            MountKind::Volume { source: Some(key), .. } => self.writable.push(format!("the volume {key}")),
            MountKind::Bind(bind) => match (paths.get(&bind.source), mounted(service, mount, paths)) {
                (_, Mounted::Copied(_)) => {}
                (_, Mounted::Watched(_)) if mount.read_only => {}
                (_, Mounted::Watched(_)) => self.notes.push(format!(
                    "The file at {target} stays the host's, as with Compose; with `:ro` a rollback would bring it back too."
                )),
                (Some(BoundPath::Special), _) => {}
                (Some(BoundPath::Uncopied { why }), _) if mount.read_only => {
                    self.notes.push(format!("The file at {target} stays the host's, because {why}: a rollback doesn't bring it back."));
                }
                (Some(BoundPath::File(_) | BoundPath::Uncopied { .. }), _) => {
                    self.writable.push(format!("the file at {target}"));
                }
                (Some(BoundPath::Folder) | None, _) if mount.read_only => {}
                (Some(BoundPath::Folder) | None, _) => self.writable.push(format!("the folder at {target}")),
            },
        }
    }
}
