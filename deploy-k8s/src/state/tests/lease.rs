use super::Deployer;
use crate::{
    api::Api,
    names::LEASE,
    testing::{api, on_cluster, run},
};
use deploy_core::{
    journal::{Journal, JournalError, Record},
    lease::{Grant, Lease, LeaseEnd, LeaseError},
    model::{DeploymentId, Event, Fence, Millis},
    target::TargetError,
};
use k8s_openapi::api::coordination::v1::Lease as Object;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::sleep;

const ONE: DeploymentId = DeploymentId(1);

/// Takes it as soon as it can, as the engine does.
async fn take(deployer: &Deployer) -> Grant {
    loop {
        match deployer.lease.take("taker").await {
            Err(LeaseError::Held { .. }) => sleep(Duration::from_millis(200)).await,
            other => return other.unwrap(),
        }
    }
}

fn record(seq: u64, fence: Fence) -> Record {
    Record::new(seq, fence, Event::Suspended { reason: "a pause".into() })
}

#[test]
fn of_two_takers_one_has_it() {
    on_cluster("two", async |api| {
        let (one, two) = (Deployer::new(&api, 15), Deployer::new(&api, 15));
        for round in 1..=5 {
            let (a, b) = tokio::join!(one.lease.take("one"), two.lease.take("two"));
            let (grant, winner, loser) = match (a, b) {
                (Ok(grant), Err(LeaseError::Held { .. })) => (grant, &one, &two),
                (Err(LeaseError::Held { .. }), Ok(grant)) => (grant, &two, &one),
                other => panic!("{other:?}"),
            };
            assert_eq!((grant.fence, grant.before, grant.ttl), (Fence(round), LeaseEnd::Freed, Millis::from_secs(15)));
            winner.held.admit(grant.fence).unwrap();
            let held = loser.lease.take("late").await;
            assert!(
                matches!(&held, Err(LeaseError::Held { holder, left }) if holder.len() == 3 && left.0 <= 15_000),
                "{held:?}"
            );
            winner.lease.renew(grant.fence).await.unwrap();
            winner.lease.free(grant.fence).await.unwrap();
            let renewed = winner.lease.renew(grant.fence).await;
            assert!(matches!(renewed, Err(LeaseError::Ended { .. })), "{renewed:?}");
        }
    });
}

#[test]
fn what_is_not_renewed_expires_and_is_lost() {
    on_cluster("expiry", async |api| {
        let (one, two) = (Deployer::new(&api, 2), Deployer::new(&api, 2));
        let first = take(&one).await;
        let began = Instant::now();
        // the other one looks on all the while, and counts from each renewal anew
        let renewing = async {
            for _ in 0..3 {
                sleep(Duration::from_secs(1)).await;
                one.lease.renew(first.fence).await.unwrap();
            }
        };
        let (second, ()) = tokio::join!(take(&two), renewing);
        assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!((second.fence, second.before), (Fence(2), LeaseEnd::Expired));
        let over = one.held.admit(first.fence);
        assert!(matches!(over, Err(TargetError::LeaseEnded { ours: Fence(1) })), "{over:?}");
        one.lease.free(first.fence).await.unwrap();
        let lost = one.lease.renew(first.fence).await;
        assert!(matches!(lost, Err(LeaseError::Lost { ours: Fence(1), newest: Fence(2) })), "{lost:?}");
        two.lease.renew(second.fence).await.unwrap();
    });
}

#[test]
fn what_expired_unseen_is_not_renewed() {
    on_cluster("ended", async |api| {
        let one = Deployer::new(&api, 1);
        let fence = take(&one).await.fence;
        sleep(Duration::from_millis(1100)).await;
        let ended = one.lease.renew(fence).await;
        assert!(matches!(ended, Err(LeaseError::Ended { ours }) if ours == fence), "{ended:?}");
    });
}

#[test]
fn a_deleted_lease_comes_back_with_a_larger_fence() {
    on_cluster("deleted", async |api| {
        let one = Deployer::new(&api, 15);
        for fence in 1..=3 {
            assert_eq!(take(&one).await.fence, Fence(fence));
            one.lease.free(Fence(fence)).await.unwrap();
        }
        let fence = take(&one).await.fence;
        one.journal.append(ONE, &record(1, fence)).await.unwrap();
        api.delete::<Object>(LEASE, None).await.unwrap();
        let ended = one.lease.renew(fence).await;
        assert!(matches!(ended, Err(LeaseError::Ended { .. })), "{ended:?}");
        let two = Deployer::new(&api, 15);
        assert_eq!(take(&two).await.fence, Fence(5));
        two.journal.append(ONE, &record(2, Fence(5))).await.unwrap();
    });
}

/// Another process that took the lease and began a journal.
struct Holder {
    child: Child,
    tell: ChildStdin,
    said: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Holder {
    fn start(api: &Api) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "state::tests::lease::holder", "--ignored", "--nocapture"]);
        command.env("DEPLOY_TEST_NAMESPACE", api.namespace());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut holder = Self { tell: child.stdin.take().unwrap(), child, said };
        assert_eq!(holder.hears(), "taken");
        holder
    }

    fn hears(&mut self) -> String {
        self.said.find_map(|line| Some(line.unwrap().split_once("holder: ")?.1.to_owned())).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "a process for the other tests"]
fn holder() {
    let Ok(namespace) = env::var("DEPLOY_TEST_NAMESPACE") else { return };
    run(async {
        let api = api(&namespace).await;
        let own = Deployer::new(&api, 2);
        let fence = take(&own).await.fence;
        own.journal.append(ONE, &record(1, fence)).await.unwrap();
        println!("holder: taken");
        std::io::stdin().lines().next().unwrap().unwrap();
        println!("holder: {:?}", own.held.admit(fence));
        println!("holder: {:?}", own.journal.append(ONE, &record(2, fence)).await);
        let unknowing = super::KubeJournal::new(api, std::sync::Arc::default());
        println!("holder: {:?}", unknowing.append(ONE, &record(2, fence)).await);
        println!("holder: {:?}", own.lease.renew(fence).await);
    });
}

#[test]
fn a_killed_holder_is_not_waited_for() {
    on_cluster("killed", async |api| {
        let mut holder = Holder::start(&api);
        let two = Deployer::new(&api, 60);
        assert!(matches!(two.lease.take("two").await, Err(LeaseError::Held { .. })), "it lives");
        holder.signal(Signal::KILL);
        holder.child.wait().unwrap();
        let began = Instant::now();
        let grant = two.lease.take("two").await.unwrap();
        assert_eq!((grant.fence, grant.before), (Fence(2), LeaseEnd::Abandoned));
        println!("taken {:?} after it was killed", began.elapsed());
        let late = two.journal.append(ONE, &record(2, Fence(1))).await;
        assert!(matches!(late, Err(JournalError::Fenced { .. })), "{late:?}");
        two.journal.append(ONE, &record(2, Fence(2))).await.unwrap();
    });
}

#[test]
fn a_frozen_holder_refuses_its_own_late_writes() {
    on_cluster("frozen", async |api| {
        let mut holder = Holder::start(&api);
        holder.signal(Signal::STOP);
        let two = Deployer::new(&api, 15);
        let grant = take(&two).await;
        assert_eq!((grant.fence, grant.before), (Fence(2), LeaseEnd::Expired));
        holder.signal(Signal::CONT);
        holder.tell.write_all(b"go on\n").unwrap();
        assert_eq!(holder.hears(), "Err(LeaseEnded { ours: Fence(1) })");
        assert_eq!(holder.hears(), "Err(LeaseEnded { ours: Fence(1) })");
        let fenced = "Err(Fenced { ours: Fence(1), newest: Fence(2) })";
        assert_eq!(holder.hears(), fenced, "without the knowledge of its own time");
        assert_eq!(holder.hears(), "Err(Lost { ours: Fence(1), newest: Fence(2) })");
        assert_eq!(two.journal.read(ONE).await.unwrap().len(), 1);
    });
}
