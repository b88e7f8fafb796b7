//! Learning of changes as they happen.

use crate::{labels, shared::Shared};
use bollard::query_parameters::EventsOptions;
use futures_util::{StreamExt, stream, stream::BoxStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What may mean another health of an instance. Commands inside containers, of which every check is one, are left out.
const ACTIONS: [&str; 8] = ["start", "die", "oom", "stop", "destroy", "pause", "unpause", "health_status"];
/// The pause before the Engine is asked again after its stream broke.
const AGAIN: Duration = Duration::from_millis(500);

impl Shared {
    /// Yields whenever an instance of the project changed, and after each interruption, when something may have been
    /// missed.
    pub(crate) fn changes(&self) -> BoxStream<'static, ()> {
        let shared = self.clone();
        let connections = stream::unfold(0_u32, move |round| {
            let shared = shared.clone();
            async move {
                if round > 0 {
                    tokio::time::sleep(AGAIN).await;
                }
                Some((shared.connection_of_changes(), round.saturating_add(1)))
            }
        });
        connections.flatten().boxed()
    }

    fn connection_of_changes(&self) -> BoxStream<'static, ()> {
        let mut filters = labels::filter(&self.project);
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        filters.insert("event".to_owned(), ACTIONS.map(str::to_owned).into());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = now.as_secs().saturating_sub(1).to_string();
        let options = EventsOptions { since: Some(since), until: None, filters: Some(filters) };
        let docker = self.docker().clone();
        let events = docker.events(Some(options)).take_while(|event| std::future::ready(event.is_ok())).map(|_| ());
        events.chain(stream::iter([()])).boxed()
    }
}
