use crate::api::{Api, Kind};
use deploy_core::target::TargetError;
use futures_util::{StreamExt, pin_mut};
use kube::{
    Resource, ResourceExt,
    runtime::watcher::{self, Config, Event, watcher},
};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, timeout_at},
};

/// How long a watch may take to be up again, or to show what we wrote ourselves.
const UP_BY: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Some objects of one kind as they are now: listed once, then watched until it is dropped.
pub(crate) struct Watched<K> {
    kind: String,
    state: Arc<Mutex<State<K>>>,
    changes: watch::Sender<()>,
    task: AbortHandle,
}

struct State<K> {
    objects: BTreeMap<String, Arc<K>>,
    /// What was deleted last, as it was then.
    gone: Option<Arc<K>>,
    /// A list that isn't complete yet.
    coming: BTreeMap<String, Arc<K>>,
    is_listed: bool,
    /// The newest version of any object that was seen, also of one that is gone.
    newest: u64,
    trouble: Option<Trouble>,
}

/// Why it can't be watched at the moment.
#[derive(Clone, Debug)]
struct Trouble {
    text: String,
    is_certain: bool,
}

impl<K: Kind + 'static> Watched<K> {
    /// Begins to watch what a selection means. Whoever listens to `changes` is woken up after each of them.
    pub(crate) fn begin(api: &Api, selection: Config, changes: watch::Sender<()>) -> Self {
        let kind = K::kind(&K::DynamicType::default()).into_owned();
        Self::begin_at(api.of::<K>(), kind, selection, changes)
    }
}

impl<K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Watched<K> {
    /// The same of a kind that only the way to it tells.
    pub(crate) fn begin_at(objects: kube::Api<K>, kind: String, selection: Config, changes: watch::Sender<()>) -> Self {
        let state = Arc::new(Mutex::new(State {
            objects: BTreeMap::new(),
            gone: None,
            coming: BTreeMap::new(),
            is_listed: false,
            newest: 0,
            trouble: None,
        }));
        let (shared, woken) = (Arc::clone(&state), changes.clone());
        let task = tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let events = watcher(objects.clone(), selection.clone());
                pin_mut!(events);
                while let Some(event) = events.next().await {
                    let is_broken = event.as_ref().is_err_and(|error| !mends_itself(error));
                    locked(&shared).take(event);
                    woken.send_replace(());
                    if is_broken {
                        break;
                    }
                    pause = FIRST_PAUSE;
                }
                // listed anew: a watch that is up again says nothing until something changes
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
        Self { kind, state, changes, task: task.abort_handle() }
    }

    /// Waits until it is up.
    ///
    /// # Errors
    /// Where it may not be listed, or the API server doesn't answer for a while.
    pub(crate) async fn up(&self) -> Result<(), TargetError> {
        self.until(|state| match &state.trouble {
            Some(trouble) if trouble.is_certain => Some(Err(TargetError::Rejected { why: trouble.text.clone() })),
            Some(_) => None,
            None => state.is_listed.then_some(Ok(())),
        })
        .await
    }

    /// Waits until it shows a version of an object, or a later one, that an answer told of.
    pub(crate) async fn shows(&self, object: &K) -> Result<(), TargetError> {
        let (name, version) = (object.name_any(), number(object));
        self.until(|state| {
            let seen = match state.objects.get(&name) {
                Some(there) => number(&**there),
                // not there yet, or deleted again
                None => state.newest,
            };
            (state.is_listed && seen >= version).then_some(Ok(()))
        })
        .await
    }

    /// Waits until an object is gone.
    pub(crate) async fn shows_none(&self, name: &str) -> Result<(), TargetError> {
        self.until(|state| (state.is_listed && !state.objects.contains_key(name)).then_some(Ok(()))).await
    }

    async fn until(&self, mut is: impl FnMut(&State<K>) -> Option<Result<(), TargetError>>) -> Result<(), TargetError> {
        let mut changes = self.changes.subscribe();
        let deadline = Instant::now() + UP_BY;
        loop {
            if let Some(answer) = is(&locked(&self.state)) {
                return answer;
            }
            if timeout_at(deadline, changes.changed()).await.is_err() {
                let trouble = locked(&self.state).trouble.as_ref().map(|trouble| trouble.text.clone());
                let text = trouble.unwrap_or_else(|| format!("nothing new of any {} came", self.kind));
                return Err(TargetError::unreachable("the API server", text));
            }
        }
    }

    /// The object of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<K>> {
        locked(&self.state).objects.get(name).cloned()
    }

    /// What was deleted last, as it was then.
    pub(crate) fn gone(&self) -> Option<Arc<K>> {
        locked(&self.state).gone.clone()
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        locked(&self.state).objects.values().cloned().collect()
    }
}

impl<K> Drop for Watched<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K: Resource> State<K> {
    fn take(&mut self, event: watcher::Result<Event<K>>) {
        if let Ok(Event::InitApply(object) | Event::Apply(object) | Event::Delete(object)) = &event {
            self.newest = self.newest.max(number(object));
        }
        match event {
            Ok(Event::Init) => self.coming.clear(),
            Ok(Event::InitApply(object)) => {
                self.coming.insert(object.name_any(), Arc::new(object));
            }
            Ok(Event::InitDone) => {
                self.objects = std::mem::take(&mut self.coming);
                (self.is_listed, self.trouble) = (true, None);
            }
            Ok(Event::Apply(object)) => {
                self.objects.insert(object.name_any(), Arc::new(object));
                self.trouble = None;
            }
            Ok(Event::Delete(object)) => {
                self.objects.remove(&object.name_any());
                self.gone = Some(Arc::new(object));
                self.trouble = None;
            }
            Err(error) => self.trouble = Trouble::of(&error, self.is_listed).or(self.trouble.take()),
        }
    }
}

impl Trouble {
    /// None for what the watcher mends by itself.
    fn of(error: &watcher::Error, is_listed: bool) -> Option<Self> {
        let refused = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => Some(status),
            error if mends_itself(error) => return None,
            _ => None,
        };
        let is_certain = !is_listed && refused.is_some_and(|status| matches!(status.code, 401 | 403 | 404));
        Some(Self { text: with_sources(error), is_certain })
    }
}

/// A watch that ran out is begun anew, and what it missed is listed.
fn mends_itself(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(_))
}

/// Versions of one kind's objects are numbers that grow: every server that there is has it so, and since 1.35 it is promised.
fn number<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
