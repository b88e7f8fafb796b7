use crate::{
    api::{CallError, answered},
    prober::not_ready,
    shared::Shared,
};
use deploy_core::target::TargetError;
use futures_util::future::join;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, LogParams};

/// How many different warnings are told of one instance.
const WARNINGS: usize = 5;

impl Shared {
    /// The last lines of a pod; where it isn't ready, the cluster's warnings are the last of them, which is the most of what can
    /// be known where nothing ran. Of a set that got no pod, there are only these.
    pub(super) async fn logs(&self, name: &str, lines: usize) -> Result<Vec<String>, TargetError> {
        let pod = self.api.get::<Pod>(name).await?;
        let warnings = async {
            match pod.as_ref().is_some_and(|pod| not_ready(pod).is_none()) {
                true => Vec::new(),
                // they may not be ours to read
                false => self.warnings_of(name).await.unwrap_or_default(),
            }
        };
        let (log, warnings) = join(self.log(name, pod.as_ref(), lines), warnings).await;
        match log {
            Err(error) if warnings.is_empty() => Err(error.into()),
            log => {
                let mut all = [log.unwrap_or_default(), warnings].concat();
                Ok(all.split_off(all.len().saturating_sub(lines)))
            }
        }
    }

    /// The lines of a container's last run, whether it still runs or has ended: of the first one that isn't ready.
    async fn log(&self, name: &str, pod: Option<&Pod>, lines: usize) -> Result<Vec<String>, CallError> {
        let Some(status) = pod.and_then(|pod| pod.status.as_ref()) else { return Ok(Vec::new()) };
        let begin = status.init_container_statuses.iter().flatten();
        let containers: Vec<_> = begin.chain(status.container_statuses.iter().flatten()).collect();
        let Some(container) = containers.iter().find(|one| !one.ready).or(containers.first()) else {
            return Ok(Vec::new());
        };
        let params = LogParams {
            container: Some(container.name.clone()),
            tail_lines: Some(i64::try_from(lines).unwrap_or(i64::MAX)),
            ..LogParams::default()
        };
        match answered(format!("read the log of {name}"), self.api.of::<Pod>().logs(name, &params)).await {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            // it has written none yet
            Err(error) if matches!(error.code(), Some(400 | 404)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The latest warnings about an object, the latest last.
    async fn warnings_of(&self, name: &str) -> Result<Vec<String>, CallError> {
        let about = ListParams::default().fields(&format!("involvedObject.name={name},type=Warning"));
        Ok(latest(self.api.list::<Event>(&about).await?))
    }
}

/// Events as lines, each once.
fn latest(mut events: Vec<Event>) -> Vec<String> {
    // newer servers tell of a row of events in another field than of one
    events.sort_by_cached_key(|event| {
        let row = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
        let one = event.event_time.as_ref().map(|time| time.0);
        row.or(event.last_timestamp.as_ref().map(|time| time.0)).or(one)
    });
    let mut lines: Vec<String> = Vec::new();
    for event in events.into_iter().rev() {
        let said = event.message.unwrap_or_default();
        let line = format!("{}: {}", event.reason.unwrap_or_default(), said.trim());
        if lines.len() < WARNINGS && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.reverse();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(value: serde_json::Value) -> Event {
        let mut event = json!({ "metadata": {}, "involvedObject": {}, "reason": "Failed" });
        event.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn the_latest_warnings_are_told_once_each() {
        let at = |second: u32| format!("2026-01-01T00:00:0{second}Z");
        let row = json!({ "count": 2, "lastObservedTime": "2026-01-01T00:00:08.000000Z" });
        let mut events = vec![
            event(json!({ "message": "row", "eventTime": "2026-01-01T00:00:01.000000Z", "series": row })),
            event(json!({ "message": "twice ", "lastTimestamp": at(7) })),
            event(json!({ "message": "twice", "lastTimestamp": at(2), "eventTime": null })),
        ];
        events
            .extend((3..7).map(|second| event(json!({ "message": format!("{second}"), "lastTimestamp": at(second) }))));
        assert_eq!(latest(events), ["Failed: 4", "Failed: 5", "Failed: 6", "Failed: twice", "Failed: row"]);
    }
}
