use super::{
    Call, CallKind, Fault, errors::Fails, journal::FaultyJournal, lease::FaultyLease, router::FaultyRouter,
    target::FaultyTarget,
};
use crate::{model::StepId, router::Router, testing::Deployer};
use futures_util::future::BoxFuture;
use std::{
    fmt,
    future::{pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// Which calls of one deployer have which fault, and what calls it made. Without rules, every call goes through.
///
/// Clones share rules and record. One value is for one deployer: once it has crashed, none of its calls goes through.
#[derive(Clone, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    crash: Notify,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    calls: Vec<Call>,
    crashed: bool,
    frozen: Option<Instant>,
}

struct Rule {
    matches: Box<dyn FnMut(&Call) -> bool + Send>,
    fault: Fault,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Faults").field("calls", &state.calls.len()).field("crashed", &state.crashed).finish()
    }
}

impl Faults {
    /// The call with this number has a fault.
    pub fn at(&self, index: usize, fault: Fault) {
        self.when(move |call| call.index == index, fault);
    }

    /// Every such call has a fault. Of several rules that match, the first one counts.
    pub fn when(&self, matches: impl FnMut(&Call) -> bool + Send + 'static, fault: Fault) {
        self.state().rules.push(Rule { matches: Box::new(matches), fault });
    }

    /// The first such call has a fault.
    pub fn once(&self, matches: impl FnMut(&Call) -> bool + Send + 'static, fault: Fault) {
        self.nth(0, matches, fault);
    }

    /// The one of such calls with this number, from 0, has a fault.
    pub fn nth(&self, number: usize, mut matches: impl FnMut(&Call) -> bool + Send + 'static, fault: Fault) {
        let mut seen = 0;
        let is_it = move |call: &Call| {
            let matches = matches(call);
            seen += usize::from(matches);
            matches && seen == number + 1
        };
        self.when(is_it, fault);
    }

    /// The calls that were made so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Whether a fault has ended the deployer.
    pub fn is_crashed(&self) -> bool {
        self.state().crashed
    }

    /// The same deployer, whose calls have these faults.
    pub fn wrap(&self, deployer: Deployer) -> Deployer {
        let router = |inner| Arc::new(FaultyRouter { inner, faults: self.clone() }) as Arc<dyn Router>;
        Deployer {
            target: Arc::new(FaultyTarget::new(deployer.target, self.clone())),
            routers: deployer.routers.into_iter().map(router).collect(),
            lease: Arc::new(FaultyLease { inner: deployer.lease, faults: self.clone() }),
            journal: Arc::new(FaultyJournal { inner: deployer.journal, faults: self.clone() }),
        }
    }

    /// Runs what the deployer does. It is dropped where a fault crashes it, and the answer is `None`; while a fault
    /// freezes it, it isn't polled.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let worked = async {
            loop {
                let done = poll_fn(|context| match self.frozen() {
                    Some(_) => Poll::Ready(None),
                    None => match work.as_mut().poll(context) {
                        // a call has frozen us meanwhile
                        Poll::Pending if self.frozen().is_some() => Poll::Ready(None),
                        other => other.map(Some),
                    },
                });
                if let Some(result) = done.await {
                    return result;
                }
                if let Some(until) = self.frozen() {
                    sleep_until(until).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = self.crashed() => None,
            result = worked => Some(result),
        }
    }

    /// Makes a call, with the fault that is meant for it.
    pub(super) async fn call<T: Send + 'static, E: Fails + Send + 'static>(
        &self,
        kind: CallKind,
        about: impl fmt::Display,
        step: Option<&StepId>,
        perform: impl Fn() -> BoxFuture<'static, Result<T, E>>,
    ) -> Result<T, E> {
        let fault = self.meet(kind, about.to_string(), step);
        let made = async {
            match fault {
                None => perform().await,
                Some(Fault::FailBefore) => Err(E::lost()),
                Some(Fault::FailAfter) => {
                    perform().await?;
                    Err(E::lost())
                }
                Some(Fault::Refuse) => Err(E::refused()),
                Some(Fault::HangBefore) => pending().await,
                Some(Fault::HangAfter) => {
                    perform().await?;
                    pending().await
                }
                Some(Fault::Late(time)) => {
                    sleep(time.duration()).await;
                    perform().await
                }
                Some(Fault::Stray(time)) => {
                    let call = perform();
                    tokio::spawn(async move {
                        sleep(time.duration()).await;
                        let _ = call.await; // nobody listens any more
                    });
                    pending().await
                }
                Some(Fault::Twice) => {
                    let first = perform().await;
                    if kind.mutates() && first.is_ok() { perform().await } else { first }
                }
                Some(Fault::CrashBefore) => self.crash().await,
                Some(Fault::CrashDuring(time)) => {
                    tokio::select! {
                        biased;
                        () = sleep(time.duration()) => self.crash().await,
                        _ = perform() => self.crash().await,
                    }
                }
                Some(Fault::CrashAfter) => {
                    perform().await?;
                    self.crash().await
                }
                Some(Fault::Freeze(time)) => {
                    let until = Instant::now() + time.duration();
                    self.state().frozen = Some(until);
                    sleep_until(until).await;
                    perform().await
                }
            }
        };
        tokio::select! {
            biased;
            () = self.crashed() => pending().await,
            result = made => result,
        }
    }

    fn meet(&self, kind: CallKind, about: String, step: Option<&StepId>) -> Option<Fault> {
        let mut state = self.state();
        let call = Call { index: state.calls.len(), kind, about, step: step.cloned() };
        // every rule sees every call, so that each can count
        let met: Vec<_> =
            state.rules.iter_mut().filter_map(|rule| (rule.matches)(&call).then_some(rule.fault)).collect();
        state.calls.push(call);
        met.first().copied()
    }

    async fn crash<T>(&self) -> T {
        self.state().crashed = true;
        self.shared.crash.notify_waiters();
        pending().await
    }

    async fn crashed(&self) {
        let mut notified = pin!(self.shared.crash.notified());
        notified.as_mut().enable(); // before looking, so that nothing is missed in between
        if !self.is_crashed() {
            notified.await;
        }
    }

    fn frozen(&self) -> Option<Instant> {
        self.state().frozen.filter(|until| *until > Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
