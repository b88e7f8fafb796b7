use super::{Round, Scene, Then};
use crate::{
    engine::{EngineError, Finish, Report, Request},
    model::{End, Millis, StepId},
    testing::{
        Owned,
        faults::{Call, CallKind, Fault, Faults},
    },
};
use futures_util::future::join;
use std::{fmt, time::Duration};
use tokio::time::{sleep, timeout};

/// A call that is known again in another run: what it does, about what, for which step, and the how manieth such one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: CallKind,
    about: String,
    pub(super) step: Option<StepId>,
    pub(super) nth: usize,
}

impl Key {
    fn is(&self, call: &Call) -> bool {
        self.kind == call.kind && self.about == call.about && self.step == call.step
    }

    fn of_all(calls: &[Call]) -> Vec<Self> {
        let same =
            |one: &Call, other: &Call| one.kind == other.kind && one.about == other.about && one.step == other.step;
        let key = |(index, call): (usize, &Call)| {
            let nth = calls.iter().take(index).filter(|earlier| same(earlier, call)).count();
            Self { kind: call.kind, about: call.about.clone(), step: call.step.clone(), nth }
        };
        calls.iter().enumerate().map(key).collect()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.about)?;
        self.step.iter().try_for_each(|step| write!(f, " for {step}"))?;
        if self.nth > 0 { write!(f, " ({})", self.nth + 1) } else { Ok(()) }
    }
}

/// What a run without faults comes to.
pub(super) struct Clean {
    before: Owned,
    after: Owned,
    finish: Finish,
    pub(super) keys: Vec<Key>,
    /// After another release was deployed instead, or the earlier one.
    other: Option<Owned>,
}

impl Clean {
    pub(super) async fn run<S: Scene>(scene: &S) -> Result<Self, String> {
        let (before, faults) = (owned(scene).await?, Faults::default());
        let report = match deploy(scene, &faults, &scene.request()).await? {
            Some(Ok(report)) => report,
            Some(Err(error)) => {
                return Err(format!("expected a run without faults to end, but found: {}", text(&error)));
            }
            None => return Err("expected a run without faults to end, but it hung".into()),
        };
        let complaints = scene.complaints().await?;
        match complaints.is_empty() {
            true => Ok(Self {
                before,
                after: owned(scene).await?,
                finish: report.finish,
                keys: Key::of_all(&faults.calls()),
                other: None,
            }),
            false => Err(format!("expected a run without faults to keep its promises, but found: {complaints:?}")),
        }
    }

    /// Finds out what is needed to judge what comes then.
    pub(super) async fn prepare<S: Scene>(
        &mut self,
        then: Then,
        make: impl AsyncFn() -> Result<S, String>,
    ) -> Result<(), String> {
        let scene = make().await?;
        let Some(request) = other(&scene, then)? else { return Ok(()) };
        match deploy(&scene, &Faults::default(), &request).await? {
            Some(Ok(Report { finish: Finish::Ended(End::Succeeded) | Finish::Unchanged, .. })) => {}
            other => return Err(format!("expected the other release to be deployed, but found {other:?}")),
        }
        self.other = Some(owned(&scene).await?);
        Ok(())
    }

    /// What is wrong with the world after such an end of a run that began with `before`.
    fn misfit(&self, plot: &Plot<'_>, finish: &Finish, before: &Owned, now: &Owned) -> Option<String> {
        use End::{Cancelled, Halted, RolledBack, Stuck, Succeeded};
        let expected = match finish {
            Finish::Ended(RolledBack { why } | Cancelled { why } | Halted { why } | Stuck { why })
                if why.is_empty() =>
            {
                return Some("expected a reason, but found none".into());
            }
            Finish::Ended(Halted { .. } | Stuck { .. }) => return None,
            Finish::Ended(RolledBack { .. } | Cancelled { .. }) => before,
            Finish::Ended(Succeeded) | Finish::Unchanged => &self.after,
            Finish::Suspended(why) => return Some(format!("expected an end, but it waits: {why}")),
        };
        (!self.is_same(plot, now, expected)).then(|| format!("expected {expected}, but found {now}"))
    }

    /// What is wrong with how the run after it ended. After a loud end that goes back to what was left.
    fn mismatch(
        &self,
        plot: &Plot<'_>,
        result: &Result<Report, EngineError>,
        left: Option<&Owned>,
        now: &Owned,
    ) -> Option<String> {
        let before = left.unwrap_or(&self.before);
        let nothing = |owned: &Owned| {
            let known = [&self.before, &self.after].into_iter().any(|known| self.is_same(plot, owned, known));
            (!known).then(|| format!("expected the world as before or after, but found {owned}"))
        };
        match (plot.then, result) {
            (Then::Resume | Then::Abort, Err(EngineError::NothingInterrupted)) => nothing(now),
            (_, Err(error)) => Some(format!("expected the next run to end, but found: {}", text(error))),
            (Then::Again, Ok(report)) => {
                // after a loud end nobody knows whether what is there works
                let may_rest = left.is_none() && self.finish == Finish::Ended(End::Succeeded);
                let same = same(&report.finish, &self.finish) || report.finish == Finish::Unchanged && may_rest;
                let other =
                    || format!("expected the next run to come to {:?}, but found {:?}", self.finish, report.finish);
                if same { self.misfit(plot, &report.finish, before, now) } else { Some(other()) }
            }
            (Then::Resume | Then::Abort, Ok(report)) => self.misfit(plot, &report.finish, before, now),
            (Then::Another | Then::Earlier, Ok(report)) => {
                let as_wanted = self.other.as_ref().is_some_and(|other| self.is_same(plot, now, other));
                let there = matches!(report.finish, Finish::Ended(End::Succeeded) | Finish::Unchanged);
                (!(as_wanted && there))
                    .then(|| format!("expected the other release, but found {:?} with {now}", report.finish))
            }
        }
    }
}

impl Clean {
    /// Whether a world is the expected one. An object that a deployment deletes may be left where its deletion has a fault,
    /// or the look before it, which is about no service: that fails no deployment.
    fn is_same(&self, plot: &Plot<'_>, now: &Owned, expected: &Owned) -> bool {
        let mut now = now.clone();
        if plot.key.into_iter().chain(plot.refused).any(|key| key.kind == CallKind::Delete || key.about.is_empty()) {
            let is_deleted =
                |object: &_| self.before.objects.contains_key(object) && !self.after.objects.contains_key(object);
            now.objects.retain(|object, _| !is_deleted(object) || expected.objects.contains_key(object));
        }
        now == *expected
    }
}

/// What is deployed then, if it is something else.
fn other<S: Scene>(scene: &S, then: Then) -> Result<Option<Request>, &'static str> {
    match then {
        Then::Another => scene.another().ok_or("expected a scene with another release, but found none").map(Some),
        Then::Earlier => scene.earlier().ok_or("expected a scene with an earlier release, but found none").map(Some),
        Then::Again | Then::Resume | Then::Abort => Ok(None),
    }
}

fn same(one: &Finish, other: &Finish) -> bool {
    use Finish::Ended;
    match (one, other) {
        (
            Ended(End::RolledBack { .. } | End::Cancelled { .. }),
            Ended(End::RolledBack { .. } | End::Cancelled { .. }),
        ) => true,
        (Ended(one), Ended(other)) => std::mem::discriminant(one) == std::mem::discriminant(other),
        (one, other) => one == other,
    }
}

/// What happens in one round.
pub(super) struct Plot<'k> {
    key: Option<&'k Key>,
    fault: Fault,
    /// A second call that is refused for good.
    refused: Option<&'k Key>,
    then: Then,
}

impl<'k> Plot<'k> {
    pub(super) fn one(key: &'k Key, fault: Fault) -> Self {
        Self { key: Some(key), fault, refused: None, then: Then::Again }
    }

    pub(super) fn everywhere(fault: Fault) -> Self {
        Self { key: None, fault, refused: None, then: Then::Again }
    }

    /// One call is refused, or two.
    pub(super) fn refused(first: Option<&'k Key>, second: Option<&'k Key>) -> Self {
        Self { key: first, fault: Fault::Refuse, refused: second, then: Then::Again }
    }

    pub(super) fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    /// Whether what fails succeeds when it is tried again.
    fn passes(&self) -> bool {
        let of_step = self.key.is_none_or(|key| key.step.is_some());
        of_step
            && matches!(self.fault, Fault::FailBefore | Fault::FailAfter | Fault::Twice | Fault::Freeze(Millis::ZERO))
    }

    /// The faults, and how people call them.
    fn faults(&self) -> (Faults, String) {
        let faults = Faults::default();
        let mut at = Vec::new();
        if self.fault == Fault::Twice && self.key.is_none() {
            faults.when(|_| true, self.fault);
            at.push(format!("{:?} at every change", self.fault));
        }
        if let Some(key) = self.key.cloned() {
            at.push(format!("{:?} at {key}", self.fault));
            faults.nth(key.nth, move |call| key.is(call), self.fault);
        }
        if let Some(key) = self.refused.cloned() {
            at.push(format!("{:?} at {key}", Fault::Refuse));
            faults.when(move |call| key.is(call), Fault::Refuse);
        }
        (faults, at.join(", "))
    }

    /// A run with the fault, and the one after it.
    pub(super) async fn play<S: Scene>(self, scene: &S, clean: &Clean) -> Result<Round, String> {
        let (faults, at) = self.faults();
        let mut complaints = Vec::new();
        let mut left = None;
        let first = deploy(scene, &faults, &scene.request()).await?;
        if let Some(Ok(report)) = &first {
            let now = owned(scene).await?;
            complaints.extend(clean.misfit(&self, &report.finish, &clean.before, &now));
            if matches!(report.finish, Finish::Ended(End::Halted { .. } | End::Stuck { .. })) {
                left = Some(now);
            }
        }
        complaints.extend(self.missing(&first, &faults, clean));
        let next = self.next(scene).await?;
        complaints.extend(self.judge(scene, clean, next.as_ref(), left.as_ref()).await?);
        complaints.extend(self.aftermath(scene).await?);
        Ok(Round { at, ended: format!("{}; then {}", told(first), told(next)), complaints })
    }

    /// What comes of a call that is made only now.
    async fn aftermath<S: Scene>(&self, scene: &S) -> Result<Vec<String>, String> {
        let Fault::Stray(time) = self.fault else { return Ok(Vec::new()) };
        let before = owned(scene).await?;
        sleep(time.duration()).await;
        let (after, mut complaints) = (owned(scene).await?, scene.complaints().await?);
        if before != after {
            complaints.push(format!("expected nothing of a call that was given up, but it made {after} of {before}"));
        }
        Ok(complaints)
    }

    /// The changes of the way back in a run with the fault.
    pub(super) async fn undoing<S: Scene>(self, scene: &S) -> Result<Vec<Key>, String> {
        let (faults, _) = self.faults();
        deploy(scene, &faults, &scene.request()).await?;
        let undoing =
            |key: &Key| key.kind.mutates() && key.step.as_ref().is_some_and(|step| step.as_str().starts_with("undo "));
        Ok(Key::of_all(&faults.calls()).into_iter().filter(undoing).collect())
    }

    /// A run that freezes, and beside it another deployer that waits for its chance.
    pub(super) async fn duel<S: Scene>(self, scene: &S, clean: &Clean) -> Result<Round, String> {
        const HEAD_START: Duration = Duration::from_millis(30);
        let (faults, at) = self.faults();
        let request = scene.request();
        let rival = async {
            sleep(HEAD_START).await;
            self.next(scene).await
        };
        let (first, next) = join(deploy(scene, &faults, &request), rival).await;
        let (first, next) = (first?, next?);
        let mut complaints = self.judge(scene, clean, next.as_ref(), None).await?;
        complaints.extend(self.missing(&first, &faults, clean));
        Ok(Round { at, ended: format!("{}; beside it {}", told(first), told(next)), complaints })
    }

    /// What is wrong with how the run with the fault ended, whatever the world is like.
    fn missing(&self, first: &Option<Result<Report, EngineError>>, faults: &Faults, clean: &Clean) -> Option<String> {
        match first {
            None if faults.is_crashed() => None,
            None => Some("expected an end, but it hung".into()),
            Some(Ok(report)) if !self.passes() || same(&report.finish, &clean.finish) => None,
            Some(Err(_)) if !self.passes() => None,
            Some(Ok(report)) => {
                Some(format!("expected {:?} all the same, but found {:?}", clean.finish, report.finish))
            }
            Some(Err(error)) => Some(format!("expected {:?} all the same, but found: {}", clean.finish, text(error))),
        }
    }

    /// What is wrong with how the next run ended, and with all that happened.
    async fn judge<S: Scene>(
        &self,
        scene: &S,
        clean: &Clean,
        next: Option<&Result<Report, EngineError>>,
        left: Option<&Owned>,
    ) -> Result<Vec<String>, String> {
        let mut complaints = Vec::new();
        match next {
            Some(result) => complaints.extend(clean.mismatch(self, result, left, &owned(scene).await?)),
            None => complaints.push(format!("expected the next run to end within {}, but it hung", scene.patience())),
        }
        complaints.extend(scene.complaints().await?);
        Ok(complaints)
    }

    /// The run after it, or beside it; `None` where it hung.
    async fn next<S: Scene>(&self, scene: &S) -> Result<Option<Result<Report, EngineError>>, String> {
        let engine = scene.deployer().await?.engine().holder("the next").build();
        let options = scene.options();
        let request = other(scene, self.then)?.unwrap_or_else(|| scene.request());
        let run = async {
            match self.then {
                Then::Again | Then::Another | Then::Earlier => {
                    engine.deploy(&request, scene.strategy(), &options).await
                }
                Then::Resume => engine.resume(&options).await,
                Then::Abort => engine.abort(&options).await,
            }
        };
        Ok(timeout(scene.patience().duration(), run).await.ok())
    }
}

/// How a run ended, for people.
fn told(result: Option<Result<Report, EngineError>>) -> String {
    match result {
        Some(Ok(report)) => format!("{:?}", report.finish),
        Some(Err(error)) => text(&error),
        None => "no end".into(),
    }
}

/// One deployment by a deployer of its own; `None` where it crashed or hung.
async fn deploy<S: Scene>(
    scene: &S,
    faults: &Faults,
    request: &Request,
) -> Result<Option<Result<Report, EngineError>>, String> {
    let engine = faults.wrap(scene.deployer().await?).engine().holder("the first").build();
    let options = scene.options();
    let run = faults.run(engine.deploy(request, scene.strategy(), &options));
    Ok(timeout(scene.patience().duration(), run).await.ok().flatten())
}

async fn owned<S: Scene>(scene: &S) -> Result<Owned, String> {
    let services: Vec<_> = scene.request().services.into_iter().map(|spec| spec.release.service).collect();
    let world = scene.deployer().await?.target.observe(&services).await;
    world.map(|world| Owned::of(&world)).map_err(|error| text(&error))
}

fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
