use crate::ground::run;
use std::{
    fs,
    time::{Duration, Instant},
};

/// A cluster where nobody listens.
const NOWHERE: &str = "\
apiVersion: v1
kind: Config
clusters: [{ name: a, cluster: { server: 'https://127.0.0.1:1' } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
users: [{ name: a, user: {} }]
current-context: a
";
const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\n";

#[test]
fn bad_input_is_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("nowhere", NOWHERE),
        ("good.yaml", DEPLOYMENT),
        ("broken.yaml", "a: [\n"),
        ("compose.yaml", "services: { web: { image: web } }\n"),
    ];
    files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    for (args, words) in [
        (&["-f", "missing.yaml"][..], "missing.yaml"),
        (&["-f", "broken.yaml"], "expected YAML"),
        (&["-f", "compose.yaml"], "a Compose file"),
        (&[], "`-f`"),
        (&["-f", "good.yaml", "--profile", "x"], "--profile"),
        (&["-f", "good.yaml", "--smoke", "db:80/"], "web"),
    ] {
        let (status, said) = run(folder.path(), &[&["up", "--kubeconfig", "nowhere"], args].concat());
        assert_eq!(status, 2, "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let (status, said) = run(folder.path(), &["plan", "--target", "docker", "-f", "good.yaml"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("--target kubernetes"), "{said}");
}

#[test]
fn a_cluster_that_does_not_answer_is_told_soon() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("nowhere"), NOWHERE).unwrap();
    fs::write(folder.path().join("good.yaml"), DEPLOYMENT).unwrap();
    for args in [&["up", "-f", "good.yaml"][..], &["status"], &["down"]] {
        let began = Instant::now();
        let (status, said) = run(folder.path(), &[args, &["--kubeconfig", "nowhere"]].concat());
        assert_eq!(status, 1, "{args:?}: {said}");
        assert!(began.elapsed() < Duration::from_secs(8), "{args:?}: {:?}", began.elapsed());
    }
}

#[test]
fn a_role_is_printed_where_no_cluster_is() {
    let folder = tempfile::tempdir().unwrap();
    let namespace = DEPLOYMENT.replace("name: web", "name: web, namespace: shop");
    let files = [("nowhere", NOWHERE), ("good.yaml", DEPLOYMENT), ("shop.yaml", &namespace)];
    files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    for (args, place) in [
        (&["-f", "good.yaml", "--kubeconfig", "nowhere"][..], "default"),
        (&["-f", "good.yaml", "--kubeconfig", "missing", "-n", "shop"], "shop"),
        (&["-f", "shop.yaml", "--kubeconfig", "missing"], "shop"),
        (&["--kubeconfig", "missing", "-n", "shop"], "shop"),
    ] {
        let (status, said) = run(folder.path(), &[&["rbac"], args].concat());
        assert_eq!(status, 0, "{args:?}: {said}");
        assert!(
            said.contains("kind: Role\n") && said.contains(&format!("namespace: \"{place}\"\n")),
            "{args:?}: {said}"
        );
    }
    for (args, expected) in [
        (&["-f", "good.yaml", "--kubeconfig", "missing"][..], 1),
        (&["-f", "good.yaml", "--smoke", "db:80/", "-n", "shop"], 2),
        (&["--target", "docker"], 2),
    ] {
        let (status, said) = run(folder.path(), &[&["rbac"], args].concat());
        assert_eq!(status, expected, "{args:?}: {said}");
    }
}
