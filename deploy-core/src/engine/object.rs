use super::{Engine, perform::with_sources};
use crate::{
    health::Health,
    model::{Instance, Millis, ObjectRef},
    observer::Progress,
    target::{Cx, Look},
};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The first pause between two looks; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(15);
/// The longest: where a target says that something changed, the next look comes at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What was seen of an object last that wasn't good.
#[derive(Default)]
struct Seen {
    why: Option<String>,
    instance: Option<Instance>,
}

impl Engine {
    /// Waits until an object has come true.
    ///
    /// # Errors
    /// What is wrong, for people: at once where that is certain, otherwise at the deadline.
    pub(super) async fn await_object(&self, cx: &Cx, object: &ObjectRef, by: Millis) -> Result<(), String> {
        let deadline = Instant::now() + by.duration();
        let mut seen = Seen::default();
        let result = match timeout_at(deadline, self.look_at_object(cx, object, deadline, &mut seen)).await {
            Ok(result) => result,
            Err(_) => {
                let why = seen.why.as_deref().unwrap_or("nothing was seen of it");
                Err(format!("expected it within {by}, but found: {why}"))
            }
        };
        if let (Err(_), Some(instance)) = (&result, &seen.instance) {
            self.tell_lines(instance).await;
        }
        result
    }

    async fn look_at_object(
        &self,
        cx: &Cx,
        object: &ObjectRef,
        deadline: Instant,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let mut changes = self.target.watch().chain(stream::pending());
        let mut pause = FIRST_PAUSE;
        loop {
            match self.target.look(cx, object).await {
                Ok(Look { health, instance }) => {
                    seen.instance = instance.or(seen.instance.take());
                    match health {
                        Health::Healthy => return Ok(()),
                        Health::Unhealthy(why) => return Err(why),
                        Health::Waiting(why) | Health::CannotTell(why) => seen.why = Some(why),
                    }
                }
                Err(error) if error.is_retryable() => seen.why = Some(with_sources(&error)),
                Err(error) => return Err(with_sources(&error)),
            }
            let left = Millis::from(deadline.saturating_duration_since(Instant::now()));
            self.tell(Progress::Health { step: cx.step.clone(), healthy: 0, of: 1, last: seen.why.clone(), left });
            sleep(FIRST_PAUSE).await; // a burst of changes is looked at once
            let _ = timeout(pause.saturating_sub(FIRST_PAUSE), changes.next()).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}
