use super::{DemoError, Traffic};
use crate::demo::load::{Line, Progress, Report};
use async_trait::async_trait;
use deploy_k8s::Scratch;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// How long the pod may take to run: its image is there.
const RUNS_BY: Duration = Duration::from_secs(30);
/// How long it may take to send the first request, and to tell what became of the last.
const TOLD_BY: Duration = Duration::from_secs(30);

/// Requests of a pod, which tells in its log what became of them: what the way to a cluster does to requests isn't counted.
pub(super) struct ClusterTraffic {
    scratch: Arc<Scratch>,
    name: String,
    progress: watch::Receiver<Progress>,
    counted: AbortOnDropHandle<Result<Report, DemoError>>,
}

impl ClusterTraffic {
    /// Starts the pod, and waits until it sends.
    pub(super) async fn start(scratch: &Arc<Scratch>, pod: Value) -> Result<Self, DemoError> {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        scratch.start(&pod, RUNS_BY).await.map_err(DemoError::Cluster)?;
        let (tell, mut progress) = watch::channel(Progress::default());
        let (from, of) = (Arc::clone(scratch), name.clone());
        let mut counted = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut counting = Counting::default();
            let read = from.follow(&of, |line| counting.hear(line, &tell)).await;
            counting.report(read)
        }));
        let sends = timeout(TOLD_BY, progress.wait_for(|progress| progress.sent > 0)).await;
        match sends.map(|sends| sends.is_ok()) {
            Ok(true) => Ok(Self { scratch: Arc::clone(scratch), name, progress, counted }),
            // the log is at its end
            Ok(false) => {
                Err(joined((&mut counted).await).err().unwrap_or(DemoError::Uncounted { said: String::new() }))
            }
            Err(_) => Err(DemoError::Uncounted { said: "nothing yet".into() }),
        }
    }
}

#[async_trait]
impl Traffic for ClusterTraffic {
    fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    async fn end(self: Box<Self>) -> Result<Report, DemoError> {
        let Self { scratch, name, counted, .. } = *self;
        scratch.end(&name).await.map_err(DemoError::Cluster)?;
        match timeout(TOLD_BY, counted).await {
            Ok(counted) => joined(counted),
            Err(_) => Err(DemoError::Uncounted { said: "nothing more".into() }),
        }
    }
}

/// What the log has told.
#[derive(Default)]
struct Counting {
    report: Option<Report>,
    /// The last line that is none of ours: why it ended, if it did.
    said: String,
}

impl Counting {
    fn hear(&mut self, line: String, tell: &watch::Sender<Progress>) {
        match serde_json::from_str(&line) {
            Ok(Line::Progress(progress)) => drop(tell.send_replace(progress)),
            Ok(Line::Report(report)) => self.report = Some(report),
            Err(_) => self.said = line,
        }
    }

    /// A log that breaks off before the report tells nothing of the last requests.
    fn report(self, read: Result<(), deploy_core::target::TargetError>) -> Result<Report, DemoError> {
        match (self.report, read) {
            (Some(report), _) => Ok(report),
            (None, Err(source)) => Err(DemoError::Cluster(source)),
            (None, Ok(())) => Err(DemoError::Uncounted { said: self.said }),
        }
    }
}

fn joined(counted: Result<Result<Report, DemoError>, tokio::task::JoinError>) -> Result<Report, DemoError> {
    counted.unwrap_or_else(|error| Err(DemoError::Uncounted { said: error.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deploy_core::target::TargetError;

    #[test]
    fn what_was_counted_last_is_known_and_without_the_report_nothing_is_claimed() {
        let (tell, progress) = watch::channel(Progress::default());
        let mut counting = Counting::default();
        let line =
            |sent: u64| serde_json::to_string(&Line::Progress(Progress { sent, ..Progress::default() })).unwrap();
        [line(7), line(9), "error: no more".into()].into_iter().for_each(|line| counting.hear(line, &tell));
        assert_eq!(progress.borrow().sent, 9);
        let Err(DemoError::Uncounted { said }) = counting.report(Ok(())) else { panic!("no report was told") };
        assert_eq!(said, "error: no more");
        let cut = Counting::default().report(Err(TargetError::unreachable("the log", "cut")));
        assert!(matches!(cut, Err(DemoError::Cluster(_))));
    }
}
