//! What the fixtures and a deliberately hard file are read as.

use std::path::Path;

use deploy_compose::Loader;

/// The project as JSON, with the directory's path taken out.
fn read(folder: &str, env: &[(&str, &str)]) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let loader = Loader::new(&directory).env(env.iter().copied());
    let project = loader.load().unwrap_or_else(|error| panic!("{folder}:\n{error}"));
    let text = serde_json::to_string_pretty(&project).expect("a project as JSON");
    let parent = directory.parent().expect("a folder around the project's").display().to_string();
    text.replace(&directory.display().to_string(), "/project").replace(&parent, "")
}

macro_rules! snapshots {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(read(concat!("fixtures/", stringify!($name)), &[]));
        })*
    };
}

snapshots!(api, databases, hardened, nginx, queue, secrets, sidecar, sqlite, traefik, uploads, web, worker);

#[test]
fn hard() {
    let env = [("TOKEN", "t0k3n"), ("HOME", "/home/me"), ("INHERITED", "from outside"), ("FALLBACK", "v9")];
    insta::assert_snapshot!(read("hard", &env));
}
