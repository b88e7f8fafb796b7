//! A further Engine, which is restarted in the middle of a deployment. `DEPLOY_TEST_ENGINES` names a folder with two
//! programs: `up NAME` starts one and prints its `DOCKER_HOST` and `ENGINE_HOME` (where its process id is in `pid`), `down
//! NAME` removes it.

use crate::{
    ground::{Ground, web},
    load::LONG,
};
use bollard::{API_DEFAULT_VERSION, Docker, exec::StartExecResults, models::ExecConfig};
use deploy_core::strategy::{BlueGreen, Rolling};
use deploy_docker::{ConnectOptions, DockerHost};
use futures_util::TryStreamExt;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{fs, path::PathBuf, process::Command, time::Duration};
use tokio::time::{Instant, sleep};

struct Further {
    scripts: PathBuf,
    name: String,
    host: String,
    home: PathBuf,
}

impl Further {
    /// None, with a message, where the programs aren't named.
    fn start() -> Option<Self> {
        let Some(scripts) = std::env::var_os("DEPLOY_TEST_ENGINES").map(PathBuf::from) else {
            eprintln!("SKIPPED: no further Engine to restart, because DEPLOY_TEST_ENGINES isn't set");
            return None;
        };
        let mut further =
            Self { scripts, name: format!("ddtest{}", std::process::id()), host: String::new(), home: PathBuf::new() };
        let printed = further.run("up");
        let value = |name: &str| {
            let mut values = printed.split_whitespace().filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            values.next().unwrap_or_else(|| panic!("expected {name} in {printed:?}")).to_owned()
        };
        (further.host, further.home) = (value("DOCKER_HOST"), value("ENGINE_HOME").into());
        Some(further)
    }

    fn run(&self, script: &str) -> String {
        // what its Engine writes must not keep us waiting: both files are its own
        let output = Command::new(self.scripts.join(script)).arg(&self.name).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn restart(&self) {
        let pid = fs::read_to_string(self.home.join("pid")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let until = Instant::now() + LONG;
        while test_kill_process(pid).is_ok() {
            assert!(Instant::now() < until, "the Engine ends");
            sleep(Duration::from_millis(50)).await;
        }
        self.run("up");
    }

    async fn ground(&self) -> Ground {
        let options = ConnectOptions { host: Some(self.host.clone()), ..ConnectOptions::default() };
        let docker = Docker::connect_with_unix(&self.host, 120, API_DEFAULT_VERSION).unwrap();
        Ground::on(DockerHost::connect(&options).await.unwrap(), docker).await
    }
}

impl Drop for Further {
    fn drop(&mut self) {
        let _ = Command::new(self.scripts.join("down")).arg(&self.name).status();
    }
}

/// What answers by the service's name: the published port is in a network of the Engine's own.
async fn answer(ground: &Ground) -> String {
    let names = ground.containers().await;
    let (instance, _) = names.iter().find(|(name, state)| !name.contains("-proxy") && state == "running").unwrap();
    let config = ExecConfig {
        attach_stdout: Some(true),
        cmd: Some(["/deploy", "get", "web", "8080"].map(str::to_owned).into()),
        ..Default::default()
    };
    let exec = ground.docker.create_exec(instance, config).await.unwrap();
    let StartExecResults::Attached { output, .. } = ground.docker.start_exec(&exec.id, None).await.unwrap() else {
        panic!("expected its output")
    };
    let output = output.map_ok(|frame| frame.into_bytes()).try_collect::<Vec<_>>().await.unwrap().concat();
    String::from_utf8(output).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_engine_in_the_middle_the_same_command_converges() {
    let Some(further) = Further::start() else { return };
    let ground = further.ground().await;
    let text = |version: &str| web(8080, version, "START_MS: '1500'") + "    restart: always\n";
    ground.succeeds(&text("v0"), &Rolling).await;
    for step in ["web/start", "web/check", "web/route", "web/stop"] {
        let version = step.replace('/', "-");
        let mut deployer = ground.begin(&text(&version), &BlueGreen);
        deployer.started(step).await;
        further.restart().await;
        let ended = deployer.end().await;
        ground.succeeds(&text(&version), &BlueGreen).await;
        assert_eq!(answer(&ground).await, version, "restarted at {step}, which came to {ended:?}");
        let running = ground.containers().await.iter().filter(|(_, state)| state == "running").count();
        assert_eq!(running, 3, "two instances and their proxy: {:?}", ground.containers().await);
    }
    ground.clear().await;
}
