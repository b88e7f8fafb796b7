use super::{Ingredients, Mounted, mounted};
use crate::{
    definition::{Bytes, CopiedFile, keyed_hash},
    element::Element,
};
use deploy_compose::model::{ContentError, FileObject, Grant, Project, Service, Source};
use std::{collections::BTreeMap, path::Path};

/// The mode of a secret or config of which the file says nothing.
const USUAL_MODE: u32 = 0o444;

/// Why a secret or config can't be given to a service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Its content can't be had.
    #[error("{at}: expected the content of {name} for {service}")]
    Content {
        /// Where it comes from.
        at: Box<Element>,
        /// The secret or config.
        name: String,
        /// Who gets it.
        service: String,
        /// What is wrong.
        #[source]
        source: ContentError,
    },
    /// Nothing can be copied into such a container.
    #[error(
        "{at}: expected {name} to come from a `file:`, because the containers of {service} are `read_only` and nothing can be copied into them"
    )]
    ReadOnly {
        /// Where it comes from.
        at: Box<Element>,
        /// The secret or config.
        name: String,
        /// Who gets it.
        service: String,
    },
}

/// Secrets and configs that are bound, because nothing can be copied into a container that can't be written.
#[derive(Default)]
pub(super) struct Granted {
    /// As the create call takes them.
    pub(super) binds: Vec<String>,
    /// Hashes of their contents, by their place in the container.
    pub(super) hashes: BTreeMap<String, String>,
}

/// Finds out whether every secret and config can be had, before anything is done.
///
/// # Errors
/// For the first that can't.
pub(crate) fn check_grants(project: &Project) -> Result<(), FileError> {
    project.services.values().try_for_each(|service| granted(project, service).map(drop))
}

/// The files that are copied into each container (secrets, configs, and bound files that it may not write to), and the
/// secrets and configs that are bound instead.
pub(super) fn files(from: Ingredients<'_>) -> Result<(Vec<CopiedFile>, Granted), FileError> {
    let Ingredients { project, service, paths, .. } = from;
    let (mut files, mut bound) = (Vec::new(), Granted::default());
    for (file, path) in granted(project, service)? {
        match path {
            None => files.push(file),
            Some(path) => {
                bound.binds.push(format!("{}:{}:ro", path.display(), file.path));
                bound.hashes.insert(file.path, keyed_hash(from.key, &file.content.0));
            }
        }
    }
    for mount in &service.volumes {
        if let Mounted::Copied(file) = mounted(service, mount, paths) {
            files.push(CopiedFile {
                path: mount.target.clone(),
                mode: file.mode,
                uid: file.uid.into(),
                gid: file.gid.into(),
                content: Bytes(file.content.clone()),
            });
        }
    }
    Ok((files, bound))
}

/// The secrets and configs of a service, with the paths of those that are bound.
fn granted<'a>(project: &'a Project, service: &Service) -> Result<Vec<(CopiedFile, Option<&'a Path>)>, FileError> {
    let mut granted = Vec::new();
    let kinds = [("secrets", &service.secrets, &project.secrets), ("configs", &service.configs, &project.configs)];
    for (section, grants, objects) in kinds {
        // loading refuses a grant of what isn't declared
        for (grant, object) in grants.iter().filter_map(|grant| Some((grant, objects.get(&grant.source)?))) {
            let Grant { source: key, target, uid, gid, mode } = grant;
            // what it is called outside of the project is nobody's business here
            let FileObject { source, name: _ } = object;
            let (field, path) = match source {
                Source::File(path) => ("file", Some(path.as_path())),
                Source::Environment(_) => ("environment", None),
                Source::Inline(_) => ("content", None),
            };
            let at = || Box::new(Element::of(project, format!("{section}.{key}.{field}")));
            let (name, service_name) = (key.to_string(), service.name.to_string());
            let content = object.content(&project.environment).map_err(|source| FileError::Content {
                at: at(),
                name: name.clone(),
                service: service_name.clone(),
                source,
            })?;
            if service.isolation.read_only && path.is_none() {
                return Err(FileError::ReadOnly { at: at(), name, service: service_name });
            }
            let file = CopiedFile {
                path: target.clone(),
                mode: mode.unwrap_or(USUAL_MODE),
                uid: uid.unwrap_or_default().into(),
                gid: gid.unwrap_or_default().into(),
                content: Bytes(content.expose().to_vec()),
            };
            granted.push((file, path.filter(|_| service.isolation.read_only)));
        }
    }
    Ok(granted)
}

/// Hashes of the files that stay the host's, by their place in the container.
pub(super) fn watched(from: Ingredients<'_>, mut hashes: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for mount in &from.service.volumes {
        if let Mounted::Watched(file) = mounted(from.service, mount, from.paths) {
            hashes.insert(mount.target.clone(), keyed_hash(from.key, &file.content));
        }
    }
    hashes
}
