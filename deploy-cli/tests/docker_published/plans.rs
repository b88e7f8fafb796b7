//! What `deploy plan` says of each file.

use crate::project::Published;

/// A plan's letter, with what differs from run to run replaced by something as long.
pub(crate) fn steady(project: &Published, letter: &str) -> String {
    let (fixture, number) = project.name.rsplit_once('-').unwrap();
    let named = letter.replace(&project.name, &format!("{fixture}-{}", "0".repeat(number.len())));
    let is_hash = |word: &str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = named.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    let steady = words.map(|word| match word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()) {
        hash if is_hash(hash) => word.replace(hash, "11111111"),
        _ => word.to_owned(),
    });
    steady.collect()
}

async fn planned(fixture: &str) -> Option<String> {
    let mut project = Published::open(fixture).await?;
    let said = project.deploy(&["plan"]).await;
    let notes: Vec<_> = said.err.lines().filter(|line| !line.starts_with("building ")).map(str::to_owned).collect();
    let letter = steady(&project, &format!("{}{}", said.expect(0), notes.join("\n")));
    project.clear().await;
    Some(letter)
}

macro_rules! plans {
    ($($fixture:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $fixture() {
            let Some(letter) = planned(stringify!($fixture)).await else { return };
            insta::assert_snapshot!(letter);
        })*
    };
}

plans!(api, databases, hardened, nginx, queue, secrets, sidecar, sqlite, uploads, web, worker);
