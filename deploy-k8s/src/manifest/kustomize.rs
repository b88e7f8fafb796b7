use std::{io::ErrorKind, path::Path, process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// The names that a kustomization may have in its folder.
const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How long a build may take: it may fetch bases from elsewhere.
const BUILT_BY: Duration = Duration::from_secs(60);

/// Whether a file's name is that of a kustomization.
pub(super) fn is_kustomization(path: &Path) -> bool {
    path.file_name().is_some_and(|name| FILES.iter().any(|file| name == *file))
}

/// Whether a folder has a kustomization in it.
pub(super) fn has_kustomization(folder: &Path) -> bool {
    FILES.iter().any(|file| folder.join(file).is_file())
}

/// Builds a kustomization with the user's own `kubectl`: its objects as text. The error says what was expected.
pub(super) async fn build(folder: &Path) -> Result<String, String> {
    if !has_kustomization(folder) {
        return Err(format!("expected a kustomization ({}), but found none", FILES.join(", ")));
    }
    let mut command = Command::new("kubectl");
    command.arg("kustomize").arg("--").arg(folder);
    output(command, BUILT_BY).await
}

async fn output(mut command: Command, by: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(by, command.output()).await {
        Err(_) => return Err(format!("expected kubectl to build it within {} s, but it didn't", by.as_secs())),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            return Err("expected kubectl, which builds kustomizations, but found none; install it".into());
        }
        Ok(Err(error)) => return Err(format!("expected kubectl to build it, but it couldn't be started: {error}")),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("expected kubectl to build it, but it said: {}", said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| "expected UTF-8 from kubectl, but found something else".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told() {
        let cases = [
            (
                Command::new("no-such-kubectl"),
                "expected kubectl, which builds kustomizations, but found none; install it",
            ),
            (shell("echo 'no base' >&2; exit 1"), "expected kubectl to build it, but it said: no base"),
            (shell("sleep 5"), "expected kubectl to build it within 1 s, but it didn't"),
            (shell("printf '\\377'"), "expected UTF-8 from kubectl, but found something else"),
        ];
        for (command, error) in cases {
            assert_eq!(output(command, Duration::from_secs(1)).await, Err(error.into()));
        }
        assert_eq!(output(shell("echo a"), BUILT_BY).await, Ok("a\n".into()));
    }
}
