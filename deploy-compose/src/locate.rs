//! Finding a project's files and its name.

use std::path::{Path, PathBuf};

use crate::problem::Findings;

const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] =
    ["compose.override.yaml", "compose.override.yml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// The project directory for a program that runs in `directory`: the nearest one upwards with a Compose file in it.
#[must_use]
pub fn project_directory(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|directory| FILES.iter().any(|file| directory.join(file).is_file()))
}

/// The Compose file of a directory and its override file, as people usually name them.
pub(crate) fn default_files(directory: &Path, findings: &mut Findings) -> Vec<PathBuf> {
    let existing = |names: [&str; 4]| names.map(|name| directory.join(name)).into_iter().filter(|path| path.is_file());
    let mut files: Vec<PathBuf> = existing(FILES).collect();
    if files.is_empty() {
        findings.problem_without_place(format!(
            "expected a Compose file ({}) in {}, but found none; name one, or change the directory",
            FILES.join(", "),
            directory.display()
        ));
        return files;
    }
    files.truncate(1);
    files.extend(existing(OVERRIDES).take(1));
    files
}

/// A directory's name as a project's name: small letters, digits, `_` and `-`, beginning with a letter or digit.
pub(crate) fn name_of(directory: &Path) -> Option<String> {
    let name = directory.file_name()?.to_string_lossy().to_lowercase();
    let kept: String = name.chars().filter(|c| is_name_char(*c)).collect();
    let name = kept.trim_start_matches(['_', '-']);
    (!name.is_empty()).then(|| name.to_owned())
}

pub(crate) const NAME: &str = "a name of small letters, digits, `_` and `-` that begins with a letter or digit";

pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| is_name_char(c) && c.is_alphanumeric()) && name.chars().all(is_name_char)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_names_become_project_names() {
        for (directory, name) in
            [("/srv/My Shop.v2", Some("myshopv2")), ("/srv/_x-1", Some("x-1")), ("/srv/日本", None), ("/", None)]
        {
            assert_eq!(name_of(Path::new(directory)).as_deref(), name, "{directory}");
        }
    }

    #[test]
    fn names_are_checked() {
        for (name, good) in
            [("shop", true), ("1-a_b", true), ("-a", false), ("Shop", false), ("", false), ("a.b", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
