use super::{Reference, credentials::credentials};
use crate::{
    connect::Connection,
    error::{message, status},
    prepare::{PrepareError, Progress},
};
use bollard::{errors::Error, query_parameters::CreateImageOptions};
use futures_util::StreamExt;
use std::{collections::BTreeMap, path::Path};

/// Pulls an image, and tells how far it has come: bytes of all layers that are known so far.
pub(crate) async fn pull(
    connection: &Connection,
    config_folder: Option<&Path>,
    image: &str,
    platform: Option<&str>,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), PrepareError> {
    let reference = Reference::parse(image);
    let credentials = credentials(config_folder, reference.registry()).await;
    let known = credentials.is_some();
    let options = CreateImageOptions {
        from_image: Some(reference.name.clone()),
        tag: Some(reference.wanted().to_owned()),
        platform: platform.unwrap_or_default().to_owned(),
        ..CreateImageOptions::default()
    };
    let mut layers: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut answers = connection.docker.create_image(Some(options), None, credentials);
    while let Some(answer) = answers.next().await {
        let info = answer.map_err(|error| refused(image, reference.registry(), known, error))?;
        if let (Some(layer), Some(detail)) = (info.id, info.progress_detail)
            && let (Some(current), Some(total)) = (detail.current, detail.total)
        {
            layers.insert(layer, (current.unsigned_abs(), total.unsigned_abs()));
            let (done, of) = layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
            tell(Progress::Pulling { image: image.to_owned(), done, of });
        }
    }
    tell(Progress::Pulled { image: image.to_owned() });
    Ok(())
}

/// Why a pull failed, with what to do about it.
fn refused(image: &str, registry: &str, known: bool, error: Error) -> PrepareError {
    let said = message(&error);
    let answered = status(&error).is_some() || matches!(error, Error::DockerStreamError { .. });
    if !answered {
        return PrepareError::Engine { doing: format!("pull {image}"), source: Box::new(error) };
    }
    let advice = if said.contains("access denied") || said.contains("unauthorized") || said.contains("no basic auth") {
        match known {
            true => format!("check its name, or whether the login at {registry} may read it"),
            false => format!("check its name, or log in with `docker login {registry}`"),
        }
    } else if said.contains("not found") || said.contains("manifest unknown") || status(&error) == Some(404) {
        "check its name and tag".to_owned()
    } else {
        "check the network, or `docker load` the image on the Engine's host".to_owned()
    };
    PrepareError::NoImage { image: image.to_owned(), said, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.into() }
    }

    #[test]
    fn a_refused_pull_names_the_image_and_what_to_do() {
        let error =
            answer(404, "pull access denied for acme/web, repository does not exist or may require 'docker login'");
        insta::assert_snapshot!(refused("acme/web:2", "ghcr.io", false, error), @"expected image acme/web:2, but the Docker Engine said: pull access denied for acme/web, repository does not exist or may require 'docker login'; check its name, or log in with `docker login ghcr.io`");
        let error = answer(404, "manifest for web:9 not found: manifest unknown: manifest unknown");
        insta::assert_snapshot!(refused("web:9", "r.io", true, error), @"expected image web:9, but the Docker Engine said: manifest for web:9 not found: manifest unknown: manifest unknown; check its name and tag");
    }

    #[test]
    fn no_answer_is_not_the_images_fault() {
        assert!(matches!(refused("web", "r.io", true, Error::RequestTimeoutError), PrepareError::Engine { .. }));
    }
}
