use std::path::Path;

/// The patterns of a `.dockerignore` file, with its rules: the last one that matches a path or a folder above it counts.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    keeps: bool,
    segments: Vec<String>,
}

impl Ignore {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines();
        Self { patterns: lines.filter(|line| !line.starts_with('#')).filter_map(Pattern::parse).collect() }
    }

    /// Whether a path, relative to the context, is left out.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let matching = self.patterns.iter().rev().find(|pattern| pattern.matches(&names));
        matching.is_some_and(|pattern| !pattern.keeps)
    }

    /// Whether something below a folder that is left out may be kept.
    pub(super) fn may_keep_below(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.keeps)
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (keeps, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let mut segments: Vec<String> = Vec::new();
        for segment in line.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
            match segment {
                ".." => drop(segments.pop()),
                segment => segments.push(segment.to_owned()),
            }
        }
        (!segments.is_empty()).then_some(Self { keeps, segments })
    }

    /// A pattern that matches a folder matches all that is in it.
    fn matches(&self, names: &[&str]) -> bool {
        (1..=names.len()).any(|length| match_segments(&self.segments, &names[..length]))
    }
}

fn match_segments(pattern: &[String], names: &[&str]) -> bool {
    match (pattern.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            (0..=names.len()).any(|skipped| match_segments(rest, &names[skipped..]))
        }
        (Some((first, rest)), Some((name, names))) => {
            let (first, name): (Vec<_>, Vec<_>) = (first.chars().collect(), name.chars().collect());
            match_name(&first, &name) && match_segments(rest, names)
        }
        _ => false,
    }
}

/// `*` is any number of characters, `?` is one, `[a-z]` one of these and `[^a-z]` any other, `\` takes what follows as
/// it is.
fn match_name(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=name.len()).any(|skipped| match_name(rest, &name[skipped..])),
        (['?', rest @ ..], [_, name @ ..]) => match_name(rest, name),
        (['[', rest @ ..], [one, name @ ..]) => match class(rest, *one) {
            Some((matches, rest)) => matches && match_name(rest, name),
            None => false,
        },
        (['\\', escaped, rest @ ..], [one, name @ ..]) => escaped == one && match_name(rest, name),
        ([first, rest @ ..], [one, name @ ..]) => first == one && match_name(rest, name),
        _ => false,
    }
}

/// Whether a class, behind its `[`, has a character, and what follows it; nothing where it isn't closed.
fn class(pattern: &[char], one: char) -> Option<(bool, &[char])> {
    let (negated, mut rest) = match pattern {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut matches = false;
    let mut is_first = true;
    loop {
        match rest {
            [']', after @ ..] if !is_first => return Some((matches != negated, after)),
            ['\\', low, after @ ..] => {
                matches |= *low == one;
                rest = after;
            }
            [low, '-', high, after @ ..] if *high != ']' => {
                matches |= (*low..=*high).contains(&one);
                rest = after;
            }
            [low, after @ ..] => {
                matches |= *low == one;
                rest = after;
            }
            [] => return None,
        }
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(text: &str, path: &str) -> bool {
        Ignore::parse(text).excludes(Path::new(path))
    }

    #[test]
    fn patterns_are_rooted_and_take_folders_whole() {
        assert!(excluded("target", "target/debug/app"));
        assert!(excluded("/target/", "target"));
        assert!(!excluded("target", "crates/target"));
        assert!(excluded("**/target", "crates/a/target/x"));
        assert!(excluded("**/*.log", "a.log") && excluded("**/*.log", "b/c/a.log"));
        assert!(excluded("docs/*/draft", "docs/a/draft") && !excluded("docs/*/draft", "docs/a/b/draft"));
        assert!(excluded("a/**/z", "a/z") && excluded("a/**/z", "a/b/c/z"));
    }

    #[test]
    fn the_last_pattern_that_matches_counts() {
        let text = "*\n!src\n!Cargo.*\nsrc/secret\n";
        assert!(!excluded(text, "src/main.rs") && !excluded(text, "Cargo.toml"));
        assert!(excluded(text, "src/secret/key") && excluded(text, "README.md"));
        assert!(Ignore::parse(text).may_keep_below());
    }

    #[test]
    fn characters_have_their_meaning() {
        assert!(excluded("a?c", "abc") && !excluded("a?c", "ac"));
        assert!(excluded("[a-c]x", "bx") && !excluded("[^a-c]x", "bx"));
        assert!(excluded("\\*x", "*x") && !excluded("\\*x", "ax"));
        assert!(!excluded("[a", "[a") && !excluded("# target", "# target"));
        assert!(!excluded("\n \n", "a"));
    }
}
