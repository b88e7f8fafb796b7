use crate::image::{Builder, query::with_parameters};
use bollard::{
    Docker,
    query_parameters::{BuildImageOptions, BuilderVersion},
};
use deploy_compose::model::{Build, BuildContext};
use std::collections::HashMap;

/// What the Engine is asked to build. The Dockerfile's name in a folder's archive is filled in later.
pub(super) fn options(image: &str, build: &Build, platform: Option<&str>, builder: Builder) -> BuildImageOptions {
    let Build {
        context,
        dockerfile,
        target,
        args,
        labels,
        network,
        no_cache,
        pull,
        cache_from,
        // in the archive
        dockerfile_inline: _,
        // when it is built
        tags: _,
        // by `with_more`
        extra_hosts: _,
        shm_size: _,
    } = build;
    let args = args.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let labels: HashMap<_, _> = labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    BuildImageOptions {
        version: match builder {
            Builder::BuildKit => BuilderVersion::BuilderBuildKit,
            Builder::Classic => BuilderVersion::BuilderV1,
        },
        // any random text will do
        session: (builder == Builder::BuildKit).then(|| bollard::grpc::BuildRef::random().into()),
        dockerfile: dockerfile.clone().unwrap_or_else(|| "Dockerfile".to_owned()),
        remote: match context {
            BuildContext::Url(url) => Some(url.clone()),
            BuildContext::Folder(_) => None,
        },
        t: Some(image.to_owned()),
        buildargs: Some(args.collect()),
        target: target.clone().unwrap_or_default(),
        platform: platform.unwrap_or_default().to_owned(),
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        networkmode: network.clone(),
        nocache: *no_cache,
        pull: pull.then(|| "1".to_owned()),
        cachefrom: Some(cache_from.clone()).filter(|images| !images.is_empty()),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    }
}

/// A client that adds to its builds what its options have no room for: more than one name that `RUN` steps resolve, and
/// sizes of two gigabytes and more.
pub(super) fn with_more(docker: Docker, build: &Build) -> Docker {
    let hosts = build.extra_hosts.iter();
    let hosts = hosts.flat_map(|(name, addresses)| addresses.iter().map(move |address| format!("{name}:{address}")));
    let hosts = hosts.map(|host| ("extrahosts", host));
    let more: Vec<_> = hosts.chain(build.shm_size.map(|size| ("shmsize", size.0.to_string()))).collect();
    with_parameters(docker, |path| path == "/build", &more)
}
