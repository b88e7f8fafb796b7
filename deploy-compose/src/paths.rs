//! Paths on the host, as files write them.

use std::path::{Component, Path, PathBuf};

use crate::environment::Environment;

/// Makes a path of a file absolute: relative ones start at the project directory, `~` is the home directory. `.` and
/// `..` are resolved by name, without looking at the file system.
pub(crate) fn resolve(directory: &Path, path: &str, environment: &Environment) -> PathBuf {
    let home = || environment.get("HOME").or_else(|| environment.get("USERPROFILE"));
    let expanded = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            home().map(|home| PathBuf::from(format!("{home}{rest}")))
        }
        _ => None,
    };
    normalise(&directory.join(expanded.unwrap_or_else(|| PathBuf::from(path))))
}

fn normalise(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            Component::ParentDir if normal.has_root() => {}
            component => normal.push(component),
        }
    }
    normal
}

/// A path as people should see it: relative to the project directory where it lies inside.
pub(crate) fn shown(directory: &Path, path: &Path) -> String {
    path.strip_prefix(directory).unwrap_or(path).display().to_string()
}

/// Whether the source of a short volume is a path and not a volume's key.
pub(crate) fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_by_name() {
        let environment: Environment = [("HOME", "/home/me")].into_iter().collect();
        for (path, expected) in [
            ("./a/../b", "/project/b"),
            ("../x", "/x"),
            ("../../../x", "/x"),
            ("/etc/./hosts", "/etc/hosts"),
            ("~/data", "/home/me/data"),
            ("~", "/home/me"),
            ("~other/x", "/project/~other/x"),
            (".", "/project"),
        ] {
            assert_eq!(resolve(Path::new("/project"), path, &environment), Path::new(expected), "{path}");
        }
    }
}
