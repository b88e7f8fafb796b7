/// A Dockerfile, for messages about it.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// Where it is: a path, or the name of the field with its text.
    pub(super) source: String,
    /// What it says.
    pub(super) text: String,
}

impl Recipe {
    /// The image that reads it in the builder's place, by a line `# syntax=IMAGE`, with that line's number.
    pub(super) fn syntax(&self) -> Option<(usize, &str)> {
        let text = self.text.trim_start_matches('\u{feff}');
        let lines = text.lines().enumerate().skip_while(|(number, line)| *number == 0 && line.starts_with("#!"));
        // directives stand before everything else, other comments included
        let directives = lines.map_while(|(number, line)| {
            let (key, value) = line.trim().strip_prefix('#')?.split_once('=')?;
            let is_key = |key: &str| !key.is_empty() && key.chars().all(|one| one.is_ascii_alphanumeric());
            is_key(key.trim()).then(|| (number + 1, key.trim().to_ascii_lowercase(), value.trim()))
        });
        let mut found = directives.filter(|(_, key, value)| key == "syntax" && !value.is_empty());
        found.next().map(|(number, _, value)| (number, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(text: &str) -> Option<(usize, String)> {
        let recipe = Recipe { source: "Dockerfile".into(), text: text.into() };
        recipe.syntax().map(|(line, image)| (line, image.to_owned()))
    }

    #[test]
    fn a_syntax_line_counts_before_everything_else() {
        let docker = |line| Some((line, "docker/dockerfile:1".to_owned()));
        assert_eq!(syntax("# syntax=docker/dockerfile:1\nFROM x"), docker(1));
        assert_eq!(syntax("#!/usr/bin/env x\n# escape=`\n#Syntax = docker/dockerfile:1 \r\nFROM x"), docker(3));
        assert_eq!(syntax("\n# syntax=docker/dockerfile:1"), None);
        assert_eq!(syntax("# a comment\n# syntax=docker/dockerfile:1"), None);
        assert_eq!(syntax("FROM x\n# syntax=docker/dockerfile:1"), None);
    }
}
