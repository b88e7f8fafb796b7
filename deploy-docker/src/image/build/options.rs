use crate::image::Builder;
use bollard::query_parameters::{BuildImageOptions, BuilderVersion};
use deploy_compose::model::{Build, BuildContext};

/// What the Engine is asked to build. The Dockerfile's name in a folder's archive is filled in later.
pub(super) fn options(image: &str, build: &Build, platform: Option<&str>, builder: Builder) -> BuildImageOptions {
    let args = build.args.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    BuildImageOptions {
        version: match builder {
            Builder::BuildKit => BuilderVersion::BuilderBuildKit,
            Builder::Classic => BuilderVersion::BuilderV1,
        },
        // any random text will do
        session: (builder == Builder::BuildKit).then(|| bollard::grpc::BuildRef::random().into()),
        dockerfile: build.dockerfile.clone().unwrap_or_else(|| "Dockerfile".to_owned()),
        remote: match &build.context {
            BuildContext::Url(url) => Some(url.clone()),
            BuildContext::Folder(_) => None,
        },
        t: Some(image.to_owned()),
        buildargs: Some(args.collect()),
        target: build.target.clone().unwrap_or_default(),
        platform: platform.unwrap_or_default().to_owned(),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    }
}
