//! Ctrl-C while a deployment is under way.

use crate::shop::{EXECUTABLE, Shop, expect};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

/// A version whose containers run and never get healthy.
const UNHEALTHY: &str = "unhealthy";

/// Deploys, and sends a signal at each line that contains the next of these; yields the exit status and what was said.
///
/// All of its process group gets them, as from a terminal.
pub(crate) async fn interrupted(shop: &Shop, args: &[&str], at: &'static [&'static str]) -> (i32, String) {
    let mut command = Command::new(EXECUTABLE);
    command.current_dir(shop.folder.path()).args(args).env("NO_COLOR", "1").envs(shop.environment.iter().cloned());
    command.process_group(0);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    tokio::task::spawn_blocking(move || watch(child, at)).await.unwrap()
}

fn watch(mut child: Child, at: &[&str]) -> (i32, String) {
    let (mut said, mut at) = (String::new(), at.iter());
    let mut next = at.next();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if next.is_some_and(|next| line.contains(next)) {
            kill_process_group(Pid::from_child(&child), Signal::INT).unwrap();
            next = at.next();
        }
        said.push_str(&line);
        said.push('\n');
    }
    (child.wait().unwrap().code().unwrap(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_goes_back() {
    let Some(shop) = Shop::open("back").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["up"]).await);
    shop.version("v2", UNHEALTHY);
    let said = expect(130, interrupted(&shop, &["up"], &["run 2 instances of v2"]).await);
    assert!(said.contains("Interrupted: going back"), "{said}");
    shop.serves("v1").await;
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn or_halts_and_then_it_can_be_carried_on_or_taken_back() {
    let Some(shop) = Shop::open("halt").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["up"]).await);
    shop.version("v2", UNHEALTHY);
    let up = ["up", "--on-interrupt", "halt"];
    expect(5, interrupted(&shop, &up, &["run 2 instances of v2"]).await);
    shop.serves("v1").await;
    expect(5, interrupted(&shop, &["resume", "--on-interrupt", "halt"], &["0 of 2 healthy"]).await);
    expect(0, shop.elsewhere(&["abort"]).await);
    shop.serves("v1").await;
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_leaves_at_once_and_says_how_to_go_on() {
    let Some(shop) = Shop::open("leave").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["up"]).await);
    shop.version("v2", UNHEALTHY);
    let said = expect(130, interrupted(&shop, &["up"], &["run 2 instances of v2", "going back"]).await);
    assert!(said.contains("where it stands") && said.contains("`deploy abort` goes back"), "{said}");
    expect(0, shop.elsewhere(&["abort"]).await);
    shop.serves("v1").await;
    shop.clear().await;
}
