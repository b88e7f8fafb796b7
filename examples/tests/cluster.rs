//! The first example on a real cluster. Without one it says so and passes.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

use deploy_core::target::Target;
use deploy_docker::{ConnectOptions, DockerHost};
use deploy_k8s::{Cluster, ClusterOptions, NamespaceOptions};
use std::{env, fs, path::PathBuf, process};

/// The example's executable, which is built with the tests.
fn example() -> PathBuf {
    let path = env::current_exe().unwrap();
    path.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join("deploy")
}

/// Two pods of the example itself: an executable that has called `hook` can also be a proxy.
fn manifests(namespace: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web, namespace: {namespace} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      containers:
      - name: app
        image: {namespace}:1
        command: [/deploy, deploy-proxy, proxy, --service, web, --state, /tmp, --grace, '100']
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_example_deploys_manifests_too() {
    if env::var_os("KUBECONFIG").is_none_or(|path| path.is_empty()) {
        let may_skip = env::var("DEPLOY_TEST_CLUSTER").as_deref() != Ok("required");
        assert!(may_skip, "expected a cluster, but KUBECONFIG names none");
        return eprintln!("skipped, because KUBECONFIG names no cluster");
    }
    let name = format!("dkexample-{}", process::id());
    let engine = DockerHost::connect(&ConnectOptions::from_env()).await.unwrap();
    let cluster = Cluster::connect(&ClusterOptions::default()).await.unwrap();
    let scratch = cluster.scratch(&name);
    let tried = tokio::spawn({
        let (name, engine, cluster) = (name.clone(), engine.clone(), cluster.clone());
        async move {
            engine.import_program(&example(), &name, "1").await.unwrap();
            cluster.scratch(&name).create().await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("app.yaml"), manifests(&name)).unwrap();
            let mut command = tokio::process::Command::new(example());
            let output = command.arg("app.yaml").current_dir(folder.path()).output().await.unwrap();
            let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(output.status.success() && told.contains("succeeded"), "{told}");
            let target: std::sync::Arc<dyn Target> = cluster.open(&name, &NamespaceOptions::default()).target();
            let observed = target.observe(&["web".into()]).await.unwrap();
            let running = observed.workloads.iter().map(|set| set.instances.len()).sum::<usize>();
            assert_eq!(running, 2, "{observed:?}");
        }
    })
    .await;
    scratch.remove().await.unwrap();
    engine.discard_image(&format!("{name}:1")).await.unwrap();
    tried.unwrap();
}
