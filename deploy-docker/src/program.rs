//! Programs as images.

use crate::{error::status, image::program_image, project::DockerHost, shared::Tried};
use bollard::query_parameters::{RemoveImageOptions, TagImageOptions};
use deploy_core::target::TargetError;
use std::path::Path;

impl DockerHost {
    /// Makes an image of a static executable, FROM scratch and at `/deploy`: for demonstrations and tests, which need no
    /// registry then. Yields its name, which tells its content; of this program's own executable it is the proxies' image.
    ///
    /// # Errors
    /// Where the executable can't be read or run on the Engine's platform, or the Engine doesn't take it.
    pub async fn program_image(&self, executable: &Path) -> Result<String, TargetError> {
        program_image(&self.connection, executable).await
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
}
