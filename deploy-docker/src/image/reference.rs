/// An image's name, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The registry with the repository, as the user wrote it: `postgres`, `ghcr.io/acme/web`.
    pub(crate) name: String,
    /// What follows the `:`.
    pub(crate) tag: Option<String>,
    /// What follows the `@`: `sha256:…`.
    pub(crate) digest: Option<String>,
}

/// The registry where none is named, as the `docker` command files its credentials.
const HUB: &str = "https://index.docker.io/v1/";

impl Reference {
    /// Takes a name apart; what isn't valid in it the Engine refuses.
    pub(crate) fn parse(text: &str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        // a colon before the last slash is that of a registry's port
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        Self { name: name.to_owned(), tag, digest }
    }

    /// What is asked of the registry: a digest wins over a tag, and `latest` stands for neither.
    pub(crate) fn wanted(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// The registry, as credentials are filed under.
    pub(crate) fn registry(&self) -> &str {
        match self.name.split_once('/') {
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => match host {
                "docker.io" | "index.docker.io" => HUB,
                host => host,
            },
            _ => HUB,
        }
    }
}

/// How people know a release of that image: its tag unless it is `latest`; empty where there is none.
pub(crate) fn version(image: &str) -> String {
    Reference::parse(image).tag.filter(|tag| tag != "latest").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart() {
        let all = Reference::parse("localhost:5000/acme/web:1.2@sha256:ab");
        assert_eq!(
            (all.name.as_str(), all.tag.as_deref(), all.digest.as_deref()),
            ("localhost:5000/acme/web", Some("1.2"), Some("sha256:ab"))
        );
        assert_eq!(Reference::parse("localhost:5000/web").tag, None);
        assert_eq!(Reference::parse("localhost:5000/web").wanted(), "latest");
        assert_eq!(all.wanted(), "sha256:ab");
    }

    #[test]
    fn registries_are_those_of_the_docker_command() {
        assert_eq!(Reference::parse("postgres:16").registry(), HUB);
        assert_eq!(Reference::parse("acme/web").registry(), HUB);
        assert_eq!(Reference::parse("docker.io/acme/web").registry(), HUB);
        assert_eq!(Reference::parse("ghcr.io/acme/web").registry(), "ghcr.io");
        assert_eq!(Reference::parse("localhost/web").registry(), "localhost");
    }

    #[test]
    fn the_version_is_the_tag_unless_it_is_latest() {
        assert_eq!(version("web:1.2"), "1.2");
        assert_eq!(version("web:latest"), "");
        assert_eq!(version("web"), "");
        assert_eq!(version("web@sha256:ab"), "");
    }
}
