use super::{Ingredients, Mounted, mounted};
use crate::definition::{Bytes, CopiedFile, keyed_hash};
use deploy_compose::model::{ContentError, FileObject, Grant, Source};
use std::collections::BTreeMap;

/// The mode of a secret or config of which the file says nothing.
const USUAL_MODE: u32 = 0o444;

/// Why a secret or config can't be given to a service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Its content can't be had.
    #[error("expected the content of {name} for {service}")]
    Content {
        /// The secret or config.
        name: String,
        /// Who gets it.
        service: String,
        /// What is wrong.
        #[source]
        source: ContentError,
    },
    /// The owner isn't a number.
    #[error("expected a number as uid and gid of {name} for {service}, but found {found:?}")]
    Owner {
        /// The secret or config.
        name: String,
        /// Who gets it.
        service: String,
        /// What stands there.
        found: String,
    },
    /// Nothing can be copied into such a container.
    #[error(
        "expected {name} to come from a `file:`, because the containers of {service} are `read_only` and nothing can be copied into them"
    )]
    ReadOnly {
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

/// The files that are copied into each container (secrets, configs, and bound files that it may not write to), and the
/// secrets and configs that are bound instead.
pub(super) fn files(from: Ingredients<'_>) -> Result<(Vec<CopiedFile>, Granted), FileError> {
    let Ingredients { project, service, paths, .. } = from;
    let (mut files, mut granted) = (Vec::new(), Granted::default());
    for (grants, objects) in [(&service.secrets, &project.secrets), (&service.configs, &project.configs)] {
        // loading refuses a grant of what isn't declared
        for (grant, object) in grants.iter().filter_map(|grant| Some((grant, objects.get(&grant.source)?))) {
            let copied = grant_of(from, grant, object)?;
            match (service.isolation.read_only, &object.source) {
                (false, _) => files.push(copied),
                (true, Source::File(path)) => {
                    granted.binds.push(format!("{}:{}:ro", path.display(), grant.target));
                    granted.hashes.insert(grant.target.clone(), keyed_hash(from.key, &copied.content.0));
                }
                (true, _) => {
                    return Err(FileError::ReadOnly {
                        name: grant.source.to_string(),
                        service: service.name.to_string(),
                    });
                }
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
    Ok((files, granted))
}

fn grant_of(from: Ingredients<'_>, grant: &Grant, object: &FileObject) -> Result<CopiedFile, FileError> {
    let (name, service) = (grant.source.to_string(), from.service.name.to_string());
    let Grant { source: _, target, uid, gid, mode } = grant;
    let number = |text: &Option<String>| match text.as_deref() {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| FileError::Owner {
            name: name.clone(),
            service: service.clone(),
            found: text.to_owned(),
        }),
    };
    let (uid, gid) = (number(uid)?, number(gid)?);
    let content = object.content(&from.project.environment);
    let content = content.map_err(|source| FileError::Content { name, service, source })?;
    let mode = mode.unwrap_or(USUAL_MODE);
    Ok(CopiedFile { path: target.clone(), mode, uid, gid, content: Bytes(content.expose().to_vec()) })
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
