//! Agents as processes, over real pipes: who is stale is refused, and nobody unlocks by hand.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use deploy_core::journal::{Journal, JournalError, Record};
use deploy_core::lease::{Lease, LeaseEnd, LeaseError};
use deploy_core::model::{DeploymentId, End, Event, Fence, Payload, ReleaseId, StepId};
use deploy_proxy::agent::{AgentArgs, AgentError, Client, ClientOptions, Refusal};
use deploy_proxy::control::{AskError, FrameError, Hello, LinkError, read_frame, write_frame};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

/// Long enough for whatever is certain to come on a loaded machine.
const LONG: Duration = Duration::from_secs(30);

struct Agent {
    process: Child,
    pid: Pid,
}

impl Agent {
    fn start(args: &AgentArgs) -> (Self, tokio::io::Join<ChildStdout, ChildStdin>) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_deploy-proxy"))
            .args(args.to_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let io = tokio::io::join(process.stdout.take().unwrap(), process.stdin.take().unwrap());
        let pid = Pid::from_raw(process.id().unwrap().try_into().unwrap()).unwrap();
        (Self { process, pid }, io)
    }

    async fn connect(args: &AgentArgs) -> (Self, Client) {
        let (agent, io) = Self::start(args);
        (agent, Client::connect(io, ClientOptions::default()).await.unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    async fn ended(&mut self) -> bool {
        timeout(LONG, self.process.wait()).await.unwrap().unwrap().success()
    }
}

fn args(folder: &Path, ttl: Duration) -> AgentArgs {
    AgentArgs { ttl, ..AgentArgs::new(folder.join("state")) }
}

const TTL: Duration = Duration::from_secs(15);

fn record(seq: u64, fence: Fence) -> Record {
    Record::new(seq, fence, Event::StepStarted { step: StepId::new(format!("step-{seq}")) })
}

#[tokio::test]
async fn a_deployment_is_journalled_and_read_by_the_next_deployer() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), TTL);
    let (mut agent, client) = Agent::connect(&args).await;
    let grant = client.take("ann").await.unwrap();
    assert_eq!((grant.fence, grant.before, grant.ttl), (Fence(1), LeaseEnd::Freed, TTL.into()));
    client.renew(grant.fence).await.unwrap();
    let unknown = serde_json::json!({"event": "from-the-future", "depth": {"a": [1, 2]}});
    let records = [
        record(1, grant.fence),
        Record::new(2, grant.fence, Event::Unknown(unknown)),
        Record::new(3, grant.fence, Event::Ended(End::Succeeded)),
    ];
    for record in &records {
        client.append(DeploymentId(7), record).await.unwrap();
    }
    let again = client.append(DeploymentId(7), &records[1]).await;
    assert!(matches!(again, Err(JournalError::OutOfOrder { expected: 4, found: 2 })), "{again:?}");
    let key = client.key().await.unwrap();
    client.free(grant.fence).await.unwrap();
    drop(client);
    assert!(agent.ended().await);

    let (_agent, client) = Agent::connect(&args).await;
    assert_eq!(client.read(DeploymentId(7)).await.unwrap(), records);
    assert_eq!(client.read(DeploymentId(8)).await.unwrap(), []);
    assert_eq!(client.deployments().await.unwrap(), [DeploymentId(7)]);
    assert_eq!(client.key().await.unwrap(), key);
    assert_eq!(client.take("ben").await.unwrap().before, LeaseEnd::Freed);
}

#[tokio::test]
async fn every_change_under_a_stale_fence_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), TTL);
    let (_first, stale) = Agent::connect(&args).await;
    let old = stale.take("ann").await.unwrap().fence;
    stale.append(DeploymentId(1), &record(1, old)).await.unwrap();
    stale.free(old).await.unwrap();
    let (_second, newer) = Agent::connect(&args).await;
    let new = newer.take("ben").await.unwrap().fence;
    let release = ReleaseId::new("web-00ff");
    newer.store(new, &release, &Payload::new("new")).await.unwrap();

    let append = stale.append(DeploymentId(1), &record(2, old)).await;
    assert!(matches!(append, Err(JournalError::Fenced { ours, newest }) if (ours, newest) == (old, new)), "{append:?}");
    let renew = stale.renew(old).await;
    assert!(matches!(renew, Err(LeaseError::Lost { ours, newest }) if (ours, newest) == (old, new)), "{renew:?}");
    let proxy = stale.proxy("web", Duration::ZERO);
    let routes = proxy.raise_fence(old).await.unwrap_err();
    let AskError::Agent(routes) = routes else { panic!("{routes:?}") };
    for refused in [
        stale.store(old, &release, &Payload::new("old")).await.unwrap_err(),
        stale.discard(old, &release).await.unwrap_err(),
        stale.check(old).await.unwrap_err(),
        routes,
    ] {
        assert!(matches!(&refused, AgentError::Refused(refusal) if refusal.is_fenced()), "{refused:?}");
    }
    stale.free(old).await.unwrap();

    newer.check(new).await.unwrap();
    newer.append(DeploymentId(1), &record(2, new)).await.unwrap();
    let kept = newer.load(&release).await.unwrap().map(|payload| payload.expose().to_owned());
    assert_eq!(kept.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_deployer_that_leaves_abandons_its_lease_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), Duration::from_secs(600));
    let (mut first, client) = Agent::connect(&args).await;
    client.take("ann").await.unwrap();
    drop(client);
    assert!(first.ended().await);
    let (_second, client) = Agent::connect(&args).await;
    assert_eq!(client.take("ben").await.unwrap().before, LeaseEnd::Abandoned);
}

#[tokio::test]
async fn another_agent_goes_on_with_the_lease_of_one_that_was_killed_or_left() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), Duration::from_secs(600));
    let (mut first, client) = Agent::connect(&args).await;
    let grant = client.take("ann").await.unwrap();
    client.append(DeploymentId(1), &record(1, grant.fence)).await.unwrap();
    first.process.kill().await.unwrap();
    timeout(LONG, async {
        while !client.is_over() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();

    let (mut second, client) = Agent::connect(&args).await;
    client.retake(grant.fence).await.unwrap();
    client.renew(grant.fence).await.unwrap();
    client.append(DeploymentId(1), &record(2, grant.fence)).await.unwrap();
    let (_third, successor) = Agent::connect(&args).await;
    successor.retake(grant.fence).await.unwrap();
    drop(client);
    assert!(second.ended().await, "and leaves the lease to the third");
    successor.append(DeploymentId(1), &record(3, grant.fence)).await.unwrap();

    let (_other, other) = Agent::connect(&args).await;
    let held = other.take("ben").await;
    assert!(matches!(&held, Err(LeaseError::Held { holder, .. }) if holder == "ann"), "{held:?}");
    successor.free(grant.fence).await.unwrap();
    assert_eq!(other.take("ben").await.unwrap().fence, Fence(2));
    let late = successor.retake(grant.fence).await;
    assert!(matches!(&late, Err(AgentError::Refused(refusal)) if refusal.is_fenced()), "{late:?}");
}

#[tokio::test]
async fn an_agent_that_is_told_to_end_abandons_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), Duration::from_secs(600));
    let (mut first, client) = Agent::connect(&args).await;
    client.take("ann").await.unwrap();
    first.signal(Signal::TERM);
    assert!(first.ended().await, "in good order");
    let text = std::fs::read_to_string(args.state.join("lease.json")).unwrap();
    assert!(text.contains(r#""state":"abandoned""#), "{text}");
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_is_told_and_damage_is_placed() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), TTL);
    let (_agent, client) = Agent::connect(&args).await;
    let fence = client.take("ann").await.unwrap().fence;
    std::fs::create_dir(args.state.join("journal/1.jsonl")).unwrap();
    let refused = client.append(DeploymentId(1), &record(1, fence)).await;
    assert!(matches!(refused, Err(JournalError::Unreachable(_))), "{refused:?}");
    for seq in 1..=2 {
        client.append(DeploymentId(2), &record(seq, fence)).await.unwrap();
    }
    let path = args.state.join("journal/2.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("step-1", "step-9", 1)).unwrap();
    let damaged = client.read(DeploymentId(2)).await;
    assert!(matches!(damaged, Err(JournalError::Damaged { line: 1, .. })), "{damaged:?}");
}

#[tokio::test]
async fn a_killed_agent_abandons_its_lease_and_fails_what_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), Duration::from_secs(600));
    let (mut first, client) = Agent::connect(&args).await;
    client.take("ann").await.unwrap();
    let proxy = client.proxy("web", LONG);
    let (waiting, ()) = tokio::join!(proxy.routes(), async {
        first.signal(Signal::KILL);
        assert!(!first.ended().await);
    });
    assert!(matches!(waiting, Err(AskError::Agent(AgentError::Link(_)))), "{waiting:?}");
    let (_second, client) = Agent::connect(&args).await;
    let grant = client.take("ben").await.unwrap();
    assert_eq!((grant.fence, grant.before), (Fence(2), LeaseEnd::Abandoned));
}

#[tokio::test]
async fn a_deployer_that_is_not_heard_of_loses_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), Duration::from_millis(700));
    let (mut first, mut io) = Agent::start(&args);
    write_frame(&mut io, &Hello::new("frozen")).await.unwrap();
    let _: Option<Hello> = read_frame(&mut io).await.unwrap();
    let take = serde_json::json!({"id": 1, "ask": {"take_lease": {"holder": "frozen"}}});
    write_frame(&mut io, &take).await.unwrap();
    let answer: Option<serde_json::Value> = read_frame(&mut io).await.unwrap();
    assert_eq!(answer.unwrap()["reply"]["answer"]["granted"]["fence"], 1);

    assert!(first.ended().await, "it ends by itself");
    let (_second, client) = Agent::connect(&args).await;
    let grant = client.take("ben").await.unwrap();
    assert_eq!((grant.fence, grant.before), (Fence(2), LeaseEnd::Expired));
}

#[tokio::test]
async fn heartbeats_keep_an_idle_connection_alive() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, io) = Agent::start(&args(folder.path(), Duration::from_secs(2)));
    let options = ClientOptions { beat: Duration::from_millis(100), ..ClientOptions::default() };
    let client = Client::connect(io, options).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    client.deployments().await.unwrap();
}

#[tokio::test]
async fn a_frozen_agent_fails_what_waits_for_it_and_is_refused_when_it_wakes() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), Duration::from_millis(1500));
    let (mut first, io) = Agent::start(&args);
    let options = ClientOptions { silence: Duration::from_millis(1000), beat: Duration::from_millis(100) };
    let client = Client::connect(io, options).await.unwrap();
    let fence = client.take("ann").await.unwrap().fence;
    first.signal(Signal::STOP);
    let late = record(1, fence);
    let waiting = client.append(DeploymentId(1), &late).await;
    assert!(matches!(waiting, Err(JournalError::Unreachable(_))), "{waiting:?}");

    // it may wait for a busy machine longer than the first one's lease lasts
    let (_second, newer) = Agent::connect(&self::args(folder.path(), TTL)).await;
    let begun = Instant::now();
    let grant = loop {
        match newer.take("ben").await {
            Ok(grant) => break grant,
            Err(LeaseError::Held { holder, .. }) if begun.elapsed() < LONG => assert_eq!(holder, "ann"),
            Err(error) => panic!("{error:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((grant.fence, grant.before), (Fence(2), LeaseEnd::Expired));
    // the frozen one's question is still in its pipe, and is asked when it wakes
    first.signal(Signal::CONT);
    drop(client);
    first.ended().await;
    assert_eq!(newer.read(DeploymentId(1)).await.unwrap(), []);
    newer.append(DeploymentId(1), &record(1, grant.fence)).await.unwrap();
}

#[tokio::test]
async fn of_two_deployers_one_gets_the_lease_and_the_other_sees_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), TTL);
    let ((_one, first), (_two, second)) = tokio::join!(Agent::connect(&args), Agent::connect(&args));
    for round in 1..20 {
        let (a, b) = tokio::join!(first.take("ann"), second.take("ben"));
        let (grant, winner, refused, name) = match (a, b) {
            (Ok(grant), Err(refused)) => (grant, &first, refused, "ann"),
            (Err(refused), Ok(grant)) => (grant, &second, refused, "ben"),
            other => panic!("{other:?}"),
        };
        assert_eq!(grant.fence, Fence(round));
        assert!(matches!(&refused, LeaseError::Held { holder, .. } if holder == name), "{refused:?}");
        // each finds what the other wrote
        winner.append(DeploymentId(1), &record(round, grant.fence)).await.unwrap();
        winner.free(grant.fence).await.unwrap();
    }
    assert_eq!(first.read(DeploymentId(1)).await.unwrap().len(), 19);
}

#[tokio::test]
async fn large_payloads_travel_whole_and_too_large_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody renews here, and a busy machine may take longer than the usual lease.
    let (_agent, client) = Agent::connect(&args(folder.path(), Duration::from_secs(600))).await;
    let fence = client.take("ann").await.unwrap().fence;
    let release = ReleaseId::new("web-00ff");
    let text = "x\"é".repeat(2_500_000);
    client.store(fence, &release, &Payload::new(text.as_str())).await.unwrap();
    assert!(client.load(&release).await.unwrap().unwrap().expose() == text);
    let refused = client.store(fence, &release, &Payload::new("x".repeat(17_000_000))).await.unwrap_err();
    assert!(matches!(refused, AgentError::Link(LinkError::Frame(FrameError::TooLong(_)))), "{refused:?}");
    client.check(fence).await.unwrap();
}

#[tokio::test]
async fn state_of_a_newer_version_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), TTL);
    let (_agent, client) = Agent::connect(&args).await;
    std::fs::write(args.state.join("lease.json"), r#"{"format":4,"min_reader":3,"x":1}"#).unwrap();
    let refused = client.take("ann").await.unwrap_err();
    let LeaseError::Unreachable(cause) = refused else { panic!("{refused:?}") };
    let text = cause.to_string();
    assert!(text.contains("lease.json") && text.contains("format 3"), "{text}");
}

#[tokio::test]
async fn a_missing_proxy_and_a_bad_name_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, client) = Agent::connect(&args(folder.path(), TTL)).await;
    let missing = client.proxy("web", Duration::from_millis(50)).routes().await.unwrap_err();
    assert!(matches!(&missing, AskError::Agent(AgentError::Refused(Refusal::NoProxy { .. }))), "{missing:?}");
    let bad = client.proxy("../web", Duration::ZERO).routes().await.unwrap_err();
    assert!(matches!(&bad, AskError::Agent(AgentError::Refused(Refusal::BadName { .. }))), "{bad:?}");
}
