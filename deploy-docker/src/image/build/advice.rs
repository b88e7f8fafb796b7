use crate::image::{Builder, Recipe, Reference};

/// What to do about a build that failed, where the builder's words show it.
pub(super) fn advice(said: &str, recipe: Option<&Recipe>, builder: Builder) -> Option<String> {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let source = recipe.map_or("the Dockerfile", |recipe| &recipe.source);
    let syntax = recipe.and_then(Recipe::syntax);
    if let Some((line, image)) = syntax
        && names(said, image)
    {
        return Some(format!(
            "line {line} of {source} has it read by the image {image}, which the Engine pulls first: let the Engine's host reach its registry, `docker load` it there, or take the line out to use what the Engine has built in"
        ));
    }
    match builder {
        Builder::Classic if says(&["requires BuildKit", "Unknown flag", "unknown flag", "unknown instruction"]) => {
            Some("the classic builder doesn't know everything that BuildKit does: unset DOCKER_BUILDKIT".to_owned())
        }
        Builder::BuildKit if syntax.is_none() && says(&["Unknown flag", "unknown flag", "unknown instruction"]) => {
            Some(format!(
                "this may be newer than what the Engine has built in: begin {source} with the line `# syntax=docker/dockerfile:1`, or upgrade Docker"
            ))
        }
        Builder::BuildKit if says(&["no active session"]) => Some(
            "try again; if it stays so, something between here and the Engine lets no connection change its protocol: connect to the Engine itself, or set DOCKER_BUILDKIT=0".to_owned(),
        ),
        _ if says(&["access denied", "unauthorized", "401 Unauthorized", "authorization failed", "no basic auth"]) => {
            Some("check the image's name, or log in at its registry with `docker login`".to_owned())
        }
        _ => None,
    }
}

/// Whether the builder's words are about an image: by its name, or by where its registry has it.
fn names(said: &str, image: &str) -> bool {
    let name = Reference::parse(image).name;
    let path = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => &name,
    };
    said.contains(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advised(said: &str, text: &str, builder: Builder) -> Option<String> {
        let recipe = Recipe { source: "app/Dockerfile".into(), text: text.into() };
        advice(said, Some(&recipe), builder)
    }

    /// In the words of Engine 20.10, except where one says otherwise.
    #[test]
    fn a_syntax_image_that_cannot_be_pulled_is_named_with_its_line() {
        let said = "failed to solve with frontend dockerfile.v0: failed to solve with frontend gateway.v0: failed to do request: Head \"https://registry-1.docker.io/v2/docker/dockerfile/manifests/1\": dial tcp: lookup registry-1.docker.io: no such host";
        let text = "# syntax=docker/dockerfile:1\nFROM x";
        insta::assert_snapshot!(advised(said, text, Builder::BuildKit).unwrap(), @"line 1 of app/Dockerfile has it read by the image docker/dockerfile:1, which the Engine pulls first: let the Engine's host reach its registry, `docker load` it there, or take the line out to use what the Engine has built in");
        // Engine 28
        let said = "failed to resolve source metadata for docker.io/docker/dockerfile:1: failed to do request";
        assert!(advised(said, text, Builder::BuildKit).is_some());
        let said = "Head \"https://r.io:5000/v2/a/syntax/manifests/1\": connection refused";
        assert!(advised(said, "#syntax=r.io:5000/a/syntax:1", Builder::BuildKit).is_some());
        // a step that fails isn't the syntax's fault
        let said = "failed to solve with frontend dockerfile.v0: failed to solve with frontend gateway.v0: rpc error: code = Unknown desc = executor failed running [/bin/sh -c false]: exit code: 1";
        assert_eq!(advised(said, text, Builder::BuildKit), None);
    }

    #[test]
    fn what_a_builder_does_not_know_yet_says_how_it_would() {
        let said = "dockerfile parse error line 3: Unknown flag: link";
        insta::assert_snapshot!(advised(said, "FROM x", Builder::BuildKit).unwrap(), @"this may be newer than what the Engine has built in: begin app/Dockerfile with the line `# syntax=docker/dockerfile:1`, or upgrade Docker");
        insta::assert_snapshot!(advised(said, "FROM x", Builder::Classic).unwrap(), @"the classic builder doesn't know everything that BuildKit does: unset DOCKER_BUILDKIT");
        let said = "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/";
        assert!(advised(said, "FROM x", Builder::Classic).is_some());
    }

    #[test]
    fn a_connection_without_sessions_is_told() {
        let said = "no active session for 1x2y: context deadline exceeded";
        insta::assert_snapshot!(advised(said, "FROM x", Builder::BuildKit).unwrap(), @"try again; if it stays so, something between here and the Engine lets no connection change its protocol: connect to the Engine itself, or set DOCKER_BUILDKIT=0");
    }
}
