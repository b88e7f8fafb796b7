use std::fmt;

/// What an image is made for, in the words that images use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    os: String,
    architecture: String,
    /// Empty for the usual one.
    variant: String,
}

/// Systems that are named alone, as `linux`; every other word alone is a processor's.
const SYSTEMS: [&str; 6] = ["darwin", "freebsd", "linux", "macos", "wasip1", "windows"];

impl Platform {
    /// What `platform:` means on an Engine of this platform; what it leaves out is the Engine's.
    pub(crate) fn parse(text: &str, engine: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let (system, processor) = engine.split_once('/').unwrap_or((engine, ""));
        let mut parts = text.splitn(3, '/');
        match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            (one, None, _) if SYSTEMS.contains(&one) => Self::new(one, processor, ""),
            (one, None, _) => Self::new(system, one, ""),
            (system, Some(processor), variant) => Self::new(system, processor, variant.unwrap_or_default()),
        }
    }

    /// Of several words for the same, the one that images use.
    pub(crate) fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) => ("arm", "v7"),
            ("armel", _) => ("arm", "v6"),
            ("i386", _) => ("386", ""),
            others => others,
        };
        let variant = match (architecture, variant) {
            ("amd64", "v1") | ("arm64", "8" | "v8") => "",
            ("arm", "" | "7") => "v7",
            ("arm", "5") => "v5",
            ("arm", "6") => "v6",
            ("arm", "8") => "v8",
            (_, variant) => variant,
        };
        let os = if os == "macos" { "darwin" } else { os };
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.to_owned() }
    }

    /// As the Engine's API takes it.
    pub(super) fn json(&self) -> String {
        let Self { os, architecture, variant } = self;
        let mut json = serde_json::json!({ "os": os, "architecture": architecture });
        if !variant.is_empty() {
            json["variant"] = variant.as_str().into();
        }
        json.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_platform_has_several_names() {
        let cases = [
            ("linux/amd64", "linux/amd64"),
            ("linux", "linux/arm64"),
            ("x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("Linux/ARM64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("armhf", "linux/arm/v7"),
            ("windows", "windows/arm64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
        ];
        for (text, expected) in cases {
            assert_eq!(Platform::parse(text, "linux/arm64").to_string(), expected, "{text}");
        }
        assert_eq!(Platform::new("linux", "arm64", "v8").json(), r#"{"os":"linux","architecture":"arm64"}"#);
    }
}
