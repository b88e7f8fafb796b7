use crate::prepare::PrepareError;

/// Who builds images in an Engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builder {
    BuildKit,
    /// The one that Engines had before.
    Classic,
}

impl Builder {
    /// The choice of the `docker` command: what `DOCKER_BUILDKIT` says, or else BuildKit on every Engine for Linux,
    /// because each that we speak to has it.
    ///
    /// # Errors
    /// Where the variable is neither true nor false.
    pub(crate) fn choose(asked: Option<&str>, platform: &str) -> Result<Self, PrepareError> {
        let is_buildkit = match asked {
            // as the command reads it
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
            Some(found) => return Err(PrepareError::NoBuilder { found: found.to_owned() }),
            None => !platform.starts_with("windows"),
        };
        Ok(if is_buildkit { Self::BuildKit } else { Self::Classic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_decides_and_then_the_platform() {
        let choose = |asked, platform| Builder::choose(asked, platform).ok();
        assert_eq!(choose(None, "linux/amd64"), Some(Builder::BuildKit));
        assert_eq!(choose(None, "windows/amd64"), Some(Builder::Classic));
        assert_eq!(choose(Some("0"), "linux/amd64"), Some(Builder::Classic));
        assert_eq!(choose(Some("false"), "linux/amd64"), Some(Builder::Classic));
        assert_eq!(choose(Some("1"), "windows/amd64"), Some(Builder::BuildKit));
        let error = Builder::choose(Some("no"), "linux/amd64").unwrap_err();
        insta::assert_snapshot!(error, @"expected 0 or 1 in DOCKER_BUILDKIT, but found `no`: unset it to build with BuildKit, or set 0 for the classic builder");
    }
}
