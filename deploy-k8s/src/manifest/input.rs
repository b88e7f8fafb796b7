use super::{Manifest, Manifests, check, identity, kustomize, namespace, read};
use deploy_compose::Problem;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;

/// The endings of a folder's files that are read, as `kubectl apply -f FOLDER` does.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

/// What a path is, where it isn't to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Files of objects, folders of such files, or `-` for standard input.
    Manifests,
    /// Folders that `kubectl kustomize` builds.
    Kustomize,
}

/// What somebody gave to deploy.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Files and folders; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// What they are. Else a folder with a kustomization is built, and everything else is read.
    pub kind: Option<InputKind>,
}

/// Why an input can't be deployed: all problems that were found, ordered by place.
///
/// Shown as one line a problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InputError {
    problems: Vec<Problem>,
}

impl InputError {
    /// The problems, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Input {
    /// Reads and checks all of it; nothing is sent. `asked` is the namespace that was asked for, `context` the one of
    /// the context.
    ///
    /// # Errors
    /// [`InputError`], with every problem of every file.
    pub async fn load(&self, asked: Option<&str>, context: &str) -> Result<Manifests, InputError> {
        let (mut objects, mut problems) = (Vec::new(), Vec::new());
        for path in &self.paths {
            objects.extend(self.load_path(path, &mut problems).await);
        }
        if objects.is_empty() && problems.is_empty() {
            problems.push(outside("", "expected at least one object, but found none"));
        }
        let namespace = namespace::agree(&objects, asked, context, &mut problems);
        identity::each_once(&objects, &namespace, &mut problems);
        if problems.is_empty() {
            return Ok(Manifests { namespace, objects });
        }
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        problems.dedup();
        Err(InputError { problems })
    }

    async fn load_path(&self, path: &Path, problems: &mut Vec<Problem>) -> Vec<Manifest> {
        let recognised = if kustomize::has_kustomization(path) { InputKind::Kustomize } else { InputKind::Manifests };
        if self.kind.unwrap_or(recognised) == InputKind::Kustomize {
            let name = format!("kustomize {}", path.display());
            return read_text(&name, kustomize::build(path).await, problems);
        }
        if path == Path::new("-") {
            return read_text("standard input", standard_input().await, problems);
        }
        if !path.is_dir() {
            return load_file(path, problems).await;
        }
        if path.join("Chart.yaml").is_file() {
            problems.push(foreign(path, check::CHART));
            return Vec::new();
        }
        let files = match files(path) {
            Ok(files) => files,
            Err(error) => {
                problems.push(outside(path.display(), format!("expected to read the folder, but found: {error}")));
                return Vec::new();
            }
        };
        if files.is_empty() {
            problems.push(outside(path.display(), "expected files that end in .yaml, .yml or .json, but found none"));
        }
        let mut manifests = Vec::new();
        for file in files {
            manifests.extend(load_file(&file, problems).await);
        }
        manifests
    }
}

async fn load_file(path: &Path, problems: &mut Vec<Problem>) -> Vec<Manifest> {
    let what = match path.file_name() {
        _ if kustomize::is_kustomization(path) => check::KUSTOMIZATION,
        Some(name) if name == "Chart.yaml" => check::CHART,
        _ => {
            let text = tokio::fs::read_to_string(path).await;
            let text = text.map_err(|error| format!("expected to read the file, but found: {error}"));
            return read_text(&path.display().to_string(), text, problems);
        }
    };
    problems.push(foreign(path, what));
    Vec::new()
}

fn read_text(name: &str, text: Result<String, String>, problems: &mut Vec<Problem>) -> Vec<Manifest> {
    match text {
        Ok(text) => read::read(name, &text, problems),
        Err(error) => {
            problems.push(outside(name, error));
            Vec::new()
        }
    }
}

async fn standard_input() -> Result<String, String> {
    let mut text = String::new();
    let read = tokio::io::stdin().read_to_string(&mut text).await;
    read.map_err(|error| format!("expected to read it, but found: {error}"))?;
    Ok(text)
}

/// A folder's own files, sorted.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_meant = path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        if is_meant && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn foreign(path: &Path, what: &str) -> Problem {
    outside(path.display(), format!("expected Kubernetes objects, but found {what}"))
}

/// A problem that stands in no line.
fn outside(path: impl ToString, message: impl Into<String>) -> Problem {
    Problem { place: None, path: path.to_string(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n";

    /// A folder with these files in it.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    /// Names and places, or problems; without the folder's own path.
    async fn load(folder: &Path, names: &[&str], kind: Option<InputKind>) -> Result<Vec<String>, String> {
        let input = Input { paths: names.iter().map(|name| folder.join(name)).collect(), kind };
        let short = |text: String| text.replace(&folder.join("").display().to_string(), "");
        match input.load(None, "default").await {
            Ok(manifests) => {
                Ok(manifests.objects().iter().map(|m| short(format!("{} {}", m.name(), m.place()))).collect())
            }
            Err(error) => Err(short(error.to_string())),
        }
    }

    #[tokio::test]
    async fn a_folder_is_its_own_files_sorted() {
        let [a, b, c] = ["a", "b", "c"].map(|name| CONFIG.replace("NAME", name));
        let json = r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "d"}}"#;
        let folder =
            folder(&[("x/2.yml", &a), ("x/1.yaml", &b), ("x/0.json", json), ("x/sub/3.yaml", &c), ("x/README", "hi")]);
        let found = load(folder.path(), &["x"], None).await.unwrap();
        assert_eq!(found, ["d x/0.json:1:1", "b x/1.yaml:1:1", "a x/2.yml:1:1"]);
    }

    #[tokio::test]
    async fn all_problems_of_all_files_are_told_at_once() {
        let a = CONFIG.replace("NAME", "a");
        let folder = folder(&[
            ("1.yaml", &a),
            ("2.yaml", &format!("{a}---\n{a}kind: x\n")),
            ("3.yaml", "a: [\n"),
            ("empty/x.txt", ""),
            ("chart/Chart.yaml", "apiVersion: v2\n"),
            ("kustomization.yaml", "resources: []\n"),
        ]);
        let names = ["1.yaml", "2.yaml", "3.yaml", "4.yaml", "empty", "chart", "kustomization.yaml"];
        let expected = [
            "4.yaml: expected to read the file, but found: No such file or directory (os error 2)",
            "empty: expected files that end in .yaml, .yml or .json, but found none",
            "chart: expected Kubernetes objects, but found a Helm chart; render it, `helm template FOLDER | deploy up -f - \
             --target kubernetes`",
            "kustomization.yaml: expected Kubernetes objects, but found a kustomization; name its folder instead, `-f \
             FOLDER`",
            "2.yaml:1:1: metadata.name: expected each object once, but found ConfigMap a again, first at 1.yaml:1:1",
            "2.yaml:5:1: metadata.name: expected each object once, but found ConfigMap a again, first at 1.yaml:1:1",
            "2.yaml:8:1: kind: expected each key once, but found `kind` again, first used at 2.yaml:6:1",
            "3.yaml:1:4: expected YAML, but found an error in it: unclosed bracket '['",
        ];
        assert_eq!(load(folder.path(), &names, None).await, Err(expected.join("\n")));
    }

    #[tokio::test]
    async fn nothing_is_no_input() {
        let folder = folder(&[("1.yaml", "# nothing\n---\n")]);
        let error = load(folder.path(), &["1.yaml"], None).await;
        assert_eq!(error, Err("expected at least one object, but found none".into()));
        let error = load(folder.path(), &["."], Some(InputKind::Kustomize)).await;
        assert_eq!(
            error,
            Err("kustomize .: expected a kustomization (kustomization.yaml, kustomization.yml, Kustomization), but found \
                 none"
                .into())
        );
    }

    /// Needs `kubectl`, but no cluster.
    #[tokio::test]
    async fn kustomizations_are_built() {
        if std::process::Command::new("kubectl").arg("help").output().is_err() {
            let required = std::env::var("DEPLOY_TEST_CLUSTER").is_ok_and(|value| value == "required");
            assert!(!required, "expected kubectl, since DEPLOY_TEST_CLUSTER says that a cluster is required");
            return eprintln!("skipped: no kubectl");
        }
        let base = CONFIG.replace("NAME", "a");
        let folder = folder(&[
            ("good/kustomization.yml", "resources: [../base]\nnamePrefix: x-\n"),
            ("base/kustomization.yaml", "resources: [a.yaml]\n"),
            ("base/a.yaml", &base),
            ("bad/Kustomization", "resources: [none.yaml]\n"),
        ]);
        let good = load(folder.path(), &["good"], None).await;
        assert_eq!(good, Ok(vec!["x-a kustomize good:1:1".into()]));
        let bad = load(folder.path(), &["bad"], Some(InputKind::Kustomize)).await.unwrap_err();
        assert!(bad.starts_with("kustomize bad: expected kubectl to build it, but it said: "), "{bad}");
        assert!(bad.contains("none.yaml"), "{bad}");
        let as_files = load(folder.path(), &["base"], Some(InputKind::Manifests)).await.unwrap_err();
        assert!(as_files.contains("found a kustomization"), "{as_files}");
    }
}
