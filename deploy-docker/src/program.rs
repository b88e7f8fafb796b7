//! Programs as images.

use crate::{
    error::{if_there, status, target_error},
    image::{import_program, program_image},
    project::DockerHost,
    shared::Tried,
};
use bollard::query_parameters::{RemoveImageOptions, TagImageOptions};
use deploy_core::target::TargetError;
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// How long containers may run on that an image is taken away from.
const UNUSED_BY: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(250);

impl DockerHost {
    /// Makes an image of a static executable, FROM scratch and at `/deploy`: for demonstrations and tests, which need no
    /// registry then. Yields its name, which tells its content; of this program's own executable it is the proxies' image.
    ///
    /// # Errors
    /// Where the executable can't be read or run on the Engine's platform, or the Engine doesn't take it.
    pub async fn program_image(&self, executable: &Path) -> Result<String, TargetError> {
        program_image(&self.connection, executable).await
    }

    /// The same as an image of its own, `repository:tag`, which [`DockerHost::discard_image`] takes away whatever it was used for.
    ///
    /// # Errors
    /// As [`DockerHost::program_image`].
    pub async fn import_program(&self, executable: &Path, repository: &str, tag: &str) -> Result<(), TargetError> {
        import_program(&self.connection, executable, repository, tag).await
    }

    /// Gives an image a further name, `repository:tag`.
    ///
    /// # Errors
    /// Where the Engine doesn't do it.
    pub async fn name_image(&self, image: &str, repository: &str, tag: &str) -> Result<(), TargetError> {
        let options = TagImageOptions { repo: Some(repository.to_owned()), tag: Some(tag.to_owned()) };
        let named = self.connection.docker.tag_image(image, Some(options)).await;
        named.tried(|| format!("name {image} {repository}:{tag}"))
    }

    /// Takes an image's name away, and the image with its last one. One that a container needs stays.
    ///
    /// # Errors
    /// Where the Engine doesn't do it.
    pub async fn remove_image(&self, name: &str) -> Result<(), TargetError> {
        match self.connection.docker.remove_image(name, None::<RemoveImageOptions>, None).await {
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            answer => answer.tried(|| format!("remove the image {name}")).map(drop),
        }
    }

    /// Takes an image away with all its names, whatever ended containers were made from it. Those that run it still may take
    /// some seconds to end.
    ///
    /// # Errors
    /// Where the Engine doesn't do it, or a container goes on.
    pub async fn discard_image(&self, name: &str) -> Result<(), TargetError> {
        let docker = &self.connection.docker;
        let doing = || format!("remove the image {name}");
        let found = if_there(docker.inspect_image(name).await).map_err(|error| target_error(&doing(), error))?;
        let Some(id) = found.and_then(|image| image.id) else { return Ok(()) };
        let deadline = Instant::now() + UNUSED_BY;
        loop {
            // by its id: with a name, an image that runs would lose that and stay
            let even_if_used = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
            match docker.remove_image(&id, Some(even_if_used), None).await {
                Err(error) if status(&error) == Some(404) => return Ok(()),
                Err(error) if status(&error) == Some(409) && Instant::now() < deadline => sleep(LOOK).await,
                answer => return answer.tried(doing).map(drop),
            }
        }
    }
}
