use crate::{connect::Connection, error::target_error};
use bollard::{body_full, query_parameters::CreateImageOptions};
use deploy_core::target::TargetError;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::{io, path::Path, time::Duration};

/// Where the executable lies in its image.
pub(crate) const EXECUTABLE: &str = "/deploy";

/// The slowest connection that the executable is sent over in time, in bytes a second.
const SLOWEST: u64 = 128 * 1024;

/// The name of the image that holds this process' own executable, which is imported where the Engine doesn't have it.
///
/// # Errors
/// Where the executable can't run on the Engine's platform: the error says to name an image instead.
pub(crate) async fn own_image(connection: &Connection) -> Result<String, TargetError> {
    let path = std::env::current_exe().map_err(|error| TargetError::Rejected {
        why: format!(
            "expected to find this program's own executable, but: {error}; name an image that holds it instead"
        ),
    })?;
    program_image(connection, &path).await
}

/// The name of the image that holds an executable, named by its content, so that every build has an image of its own.
pub(crate) async fn program_image(connection: &Connection, path: &Path) -> Result<String, TargetError> {
    import_once(connection, read(connection, path).await?).await
}

/// An executable that the Engine can run.
async fn read(connection: &Connection, path: &Path) -> Result<Vec<u8>, TargetError> {
    let here = format!("{}/{}", std::env::consts::OS, engine_arch(std::env::consts::ARCH));
    if here != connection.platform {
        let why = format!(
            "expected an Engine on {here}, which can run this executable as its proxy, but found one on {}: name an image that holds the `deploy` executable for it",
            connection.platform
        );
        return Err(TargetError::Rejected { why });
    }
    tokio::fs::read(path).await.map_err(|error| TargetError::Rejected {
        why: format!("expected to read {}, but: {error}; name an image that holds it instead", path.display()),
    })
}

/// Has the Engine take an executable as an image of its own, `repository:tag`.
pub(crate) async fn import_program(
    connection: &Connection,
    path: &Path,
    repository: &str,
    tag: &str,
) -> Result<(), TargetError> {
    let executable = read(connection, path).await?;
    import(connection, &executable, repository, tag).await
}

async fn import_once(connection: &Connection, executable: Vec<u8>) -> Result<String, TargetError> {
    let (executable, tag) = tokio::task::spawn_blocking(move || {
        let hash = Sha256::digest(&executable);
        let tag: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        (executable, tag)
    })
    .await
    .map_err(|error| TargetError::unreachable("this program's executable", error))?;
    let name = format!("deploy-proxy:{tag}");
    let failed = |error| target_error(&format!("look for the proxy's image {name}"), error);
    if crate::error::if_there(connection.docker.inspect_image(&name).await).map_err(failed)?.is_some() {
        return Ok(name);
    }
    import(connection, &executable, "deploy-proxy", &tag).await?;
    Ok(name)
}

async fn import(connection: &Connection, executable: &[u8], repository: &str, tag: &str) -> Result<(), TargetError> {
    let archive = archive(executable).map_err(|error| TargetError::unreachable("this program's executable", error))?;
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(repository.to_owned()),
        tag: Some(tag.to_owned()),
        ..CreateImageOptions::default()
    };
    // the Engine answers once it has all of it
    let sending = Duration::from_secs(archive.len() as u64 / SLOWEST);
    let docker = connection.patient(sending);
    let answers = docker.create_image(Some(options), Some(body_full(archive.into())), None);
    let failed = |error| target_error(&format!("import the image {repository}:{tag}"), error);
    answers.try_for_each(|_| async { Ok(()) }).await.map_err(failed)
}

/// An image's root folder: the executable, and a folder for temporary files.
fn archive(executable: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o1777);
    header.set_size(0);
    archive.append_data(&mut header, "tmp/", io::empty())?;
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(executable.len() as u64);
    archive.append_data(&mut header, Path::new(EXECUTABLE.trim_start_matches('/')), executable)?;
    archive.into_inner()
}

/// Rust's name of a processor as the Engine calls it.
fn engine_arch(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
