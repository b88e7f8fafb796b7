//! Deployments to an Engine behind ssh, and what may be in its way.

use crate::{
    interrupts::interrupted,
    shop::{Shop, expect},
    sshd::Sshd,
};
use deploy_cli::demo::load::{self, LoadConfig};
use rustix::process::{Pid, Signal, getpgid, kill_process};
use std::{
    ffi::OsString,
    fs,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(60);

impl Sshd {
    /// Each connection's process ends with it.
    async fn ended(&self) {
        let until = Instant::now() + LONG;
        while !self.clients().is_empty() {
            assert!(Instant::now() < until, "the clients end: {:?}", self.clients());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn open(name: &str) -> Option<(Shop, Sshd)> {
    let mut shop = Shop::open(name).await?;
    let Some(sshd) = Sshd::start() else {
        shop.clear().await;
        return None;
    };
    shop.environment = sshd.environment("far");
    Some((shop, sshd))
}

#[tokio::test(flavor = "multi_thread")]
async fn over_ssh_it_goes_from_the_first_version_to_the_end_under_load() {
    let Some((shop, sshd)) = open("ssh").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["plan"]).await);
    expect(0, shop.here(&["up"]).await);
    shop.serves("v1").await;

    let load = load::start(LoadConfig::new([shop.url()], 200)).unwrap();
    shop.version("v2", "");
    let before = sshd.logins();
    expect(0, shop.here(&["up"]).await);
    let logins = sshd.logins() - before;
    assert!((1..=8).contains(&logins), "connections are used again: {logins}");
    shop.serves("v2").await;
    shop.version("v3", "exit");
    expect(3, shop.here(&["up"]).await);
    expect(0, shop.elsewhere(&["rollback"]).await);
    shop.serves("v1").await;
    load.stop();
    let report = load.report().await.unwrap();
    assert_eq!(report.lost_total(), 0, "{report}");

    let status = expect(0, shop.elsewhere(&["status"]).await);
    assert!(status.contains("2 running  all"), "{status}");
    expect(0, shop.elsewhere(&["down"]).await);
    assert_eq!(shop.answer().await.answered, 0);
    let said = expect(1, shop.elsewhere(&["status"]).await);
    assert!(said.contains("at ssh://far, but found nothing of it"), "{said}");
    sshd.ended().await;
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_reaches_no_ssh_and_takes_the_deployment_back() {
    let Some((shop, sshd)) = open("ssh-back").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["up"]).await);
    shop.version("v2", "unhealthy");
    let mut deployment = Box::pin(interrupted(&shop, &["up"], &["run 2 instances of v2"]));
    let mut seen = 0;
    let ended = loop {
        tokio::select! {
            ended = &mut deployment => break ended,
            () = sleep(Duration::from_millis(20)) => {}
        }
        for id in sshd.clients().into_iter().map(|id| Pid::from_raw(id).unwrap()) {
            let group = getpgid(Some(id));
            assert!(group.is_err() || group == Ok(id), "{id:?} is in {group:?}, which the terminal interrupts");
            seen += 1;
        }
    };
    drop(deployment);
    assert!(seen > 0);
    let said = expect(130, ended);
    assert!(said.contains("Interrupted: going back"), "{said}");
    shop.serves("v1").await;
    sshd.ended().await;
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_are_made_again_under_load() {
    let Some((shop, sshd)) = open("ssh-break").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["up"]).await);
    let load = load::start(LoadConfig::new([shop.url()], 200)).unwrap();
    shop.version("v2", "");
    let up = ["up", "--strategy", "blue-green", "--bake", "3s"];
    let mut deployment = Box::pin(shop.here(&up));
    let until = Instant::now() + LONG;
    while !load.progress().by_version.contains_key("v2") {
        assert!(Instant::now() < until, "the new version serves");
        tokio::select! {
            ended = &mut deployment => panic!("{ended:?}"),
            () = sleep(Duration::from_millis(50)) => {}
        }
    }
    let clients = sshd.clients();
    assert!(!clients.is_empty());
    for id in clients {
        let _ = kill_process(Pid::from_raw(id).unwrap(), Signal::KILL);
    }
    expect(0, deployment.await);
    load.stop();
    let report = load.report().await.unwrap();
    assert_eq!(report.lost_total(), 0, "{report}");
    shop.serves("v2").await;
    sshd.ended().await;
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_told_with_what_to_do() {
    let Some((mut shop, sshd)) = open("ssh-ways").await else { return };
    let cases = [
        ("stranger", "Permission denied (publickey)", "`ssh stranger` by hand"),
        ("unknown", "Host key verification failed", "by hand"),
        ("unreachable", "Connection refused", "by hand"),
        ("bare", "No such file or directory", "install Docker there"),
        ("old", "unknown command", "Docker 18.09 or newer"),
        ("chatty", "\"Welcome\"", "start-up files"),
        ("mute", "its end", "start-up files"),
        ("far/nowhere.sock", "nowhere.sock", "an Engine that runs"),
        ("me:secret@far", "a password", "ssh-add"),
    ];
    for (host, found, advice) in cases {
        shop.environment = sshd.environment(host);
        let said = expect(1, shop.elsewhere(&["status"]).await);
        assert!(said.contains(found) && said.contains(advice) && !said.contains("secret"), "{host}: {said}");
    }
    shop.environment = sshd.environment("far");
    let said = expect(1, shop.elsewhere(&["demo", "--target", "docker"]).await);
    assert!(said.contains("expected a Docker Engine on this machine"), "{said}");
    shop.environment.push(("PATH", OsString::from("/nowhere")));
    let said = expect(1, shop.elsewhere(&["status"]).await);
    assert!(said.contains("expected the program `ssh`") && said.contains("install the OpenSSH client"), "{said}");
    sshd.ended().await;
    shop.environment.clear();
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_may_name_a_host_behind_ssh() {
    let Some((mut shop, sshd)) = open("ssh-context").await else { return };
    // the folder's name as `docker context create far` makes it
    let meta = "contexts/meta/512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868";
    let meta = shop.folder.path().join(meta);
    fs::create_dir_all(&meta).unwrap();
    fs::write(meta.join("meta.json"), r#"{"Name":"far","Endpoints":{"docker":{"Host":"ssh://far"}}}"#).unwrap();
    shop.environment = sshd.environment("unreachable");
    shop.environment.push(("DOCKER_CONFIG", shop.folder.path().into()));
    let said = expect(1, shop.elsewhere(&["--context", "far", "status"]).await);
    assert!(said.contains("at ssh://far, but found nothing of it"), "{said}");
    shop.environment.clear();
    shop.clear().await;
}
