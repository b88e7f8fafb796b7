use crate::paths::{BoundFile, BoundPath, BoundPaths};
use bollard::models::{
    Mount as EngineMount, MountBindOptions, MountBindOptionsPropagationEnum as Propagation, MountTmpfsOptions,
    MountType, MountVolumeOptions,
};
use deploy_compose::model::{Bind, Mount, MountKind, Project, Service, Tmpfs};

/// How a mount of the file is made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mounted<'a> {
    /// As a volume, a bind or memory, as Compose does it.
    AsIs,
    /// Its content is copied into each container, so that a rollback brings it back.
    Copied(&'a BoundFile),
    /// It stays the host's, and a change of its content makes another release.
    Watched(&'a BoundFile),
}

/// How a mount of a service is made.
///
/// A file that the container may not write to is configuration, and copied. One that it may write to stays the host's,
/// or what it writes would be lost. What lies below another mount stays bound, or it would be written into that.
pub(crate) fn mounted<'a>(service: &Service, mount: &Mount, paths: &'a BoundPaths) -> Mounted<'a> {
    let MountKind::Bind(bind) = &mount.kind else { return Mounted::AsIs };
    let Some(BoundPath::File(file)) = paths.get(&bind.source) else { return Mounted::AsIs };
    let below = |other: &Mount| {
        other.target != mount.target
            && mount.target.strip_prefix(other.target.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    let hidden = service.volumes.iter().any(below)
        || service.tmpfs.keys().any(|target| mount.target.starts_with(&format!("{}/", target.trim_end_matches('/'))));
    match (mount.read_only, file.is_text()) {
        (true, _) if !hidden && !service.isolation.read_only => Mounted::Copied(file),
        (true, _) | (false, true) => Mounted::Watched(file),
        (false, false) => Mounted::AsIs,
    }
}

/// The create call's mounts: those that it takes as text, and those that it takes as a structure.
pub(super) fn mounts(project: &Project, service: &Service, paths: &BoundPaths) -> (Vec<String>, Vec<EngineMount>) {
    let (mut binds, mut mounts) = (Vec::new(), Vec::new());
    for mount in &service.volumes {
        if matches!(mounted(service, mount, paths), Mounted::Copied(_)) {
            continue;
        }
        match &mount.kind {
            MountKind::Bind(bind) => match as_text(mount, bind) {
                Some(text) => binds.push(text),
                None => mounts.push(structure(project, mount)),
            },
            _ => mounts.push(structure(project, mount)),
        }
    }
    (binds, mounts)
}

/// Only as text does the Engine make a missing folder, or label for SELinux; a colon can't be written there.
fn as_text(mount: &Mount, bind: &Bind) -> Option<String> {
    let source = bind.source.to_str().filter(|source| !source.contains(':'))?;
    let Bind { source: _, create_host_path, propagation, selinux } = bind;
    if !create_host_path && selinux.is_none() {
        return None;
    }
    let mut options = vec![if mount.read_only { "ro".to_owned() } else { "rw".to_owned() }];
    options.extend(selinux.map(String::from));
    options.extend(propagation.clone());
    Some(format!("{source}:{}:{}", mount.target, options.join(",")))
}

fn structure(project: &Project, mount: &Mount) -> EngineMount {
    let Mount { target, read_only, kind } = mount;
    let base =
        EngineMount { target: Some(target.clone()), read_only: read_only.then_some(true), ..EngineMount::default() };
    match kind {
        MountKind::Volume { source, no_copy, subpath } => EngineMount {
            typ: Some(MountType::VOLUME),
            source: source.as_ref().map(|key| match project.volumes.get(key) {
                Some(volume) => volume.name.clone(),
                None => format!("{}_{key}", project.name),
            }),
            volume_options: (*no_copy || subpath.is_some()).then(|| MountVolumeOptions {
                no_copy: no_copy.then_some(true),
                subpath: subpath.clone(),
                ..MountVolumeOptions::default()
            }),
            ..base
        },
        // a label can only be given as text: loading refuses it beside a path that can't
        MountKind::Bind(Bind { source, create_host_path: _, propagation: shared, selinux: _ }) => EngineMount {
            typ: Some(MountType::BIND),
            source: Some(source.to_string_lossy().into_owned()),
            bind_options: shared
                .as_deref()
                .map(|name| MountBindOptions { propagation: Some(propagation(name)), ..MountBindOptions::default() }),
            ..base
        },
        MountKind::Tmpfs(Tmpfs { size, mode }) => EngineMount {
            typ: Some(MountType::TMPFS),
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: size.map(|size| super::signed(size.0)),
                mode: mode.map(i64::from),
                ..MountTmpfsOptions::default()
            }),
            ..base
        },
    }
}

fn propagation(name: &str) -> Propagation {
    match name {
        "private" => Propagation::PRIVATE,
        "shared" => Propagation::SHARED,
        "rshared" => Propagation::RSHARED,
        "slave" => Propagation::SLAVE,
        "rslave" => Propagation::RSLAVE,
        _ => Propagation::RPRIVATE,
    }
}
