//! A deployment under way, which a test follows and disturbs.

use crate::{ground::Ground, load::LONG};
use deploy_core::{
    engine::{Engine, Finish, Options, Report, Request},
    model::{End, Event},
    observer::{Notice, Progress},
    strategy::Strategy,
};
use std::{error::Error, sync::Arc};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

/// What a deployment came to, or what kept it from being one.
pub(crate) type Ended = Result<Report, Box<dyn Error + Send + Sync>>;

/// A deployer at work.
pub(crate) struct UnderWay {
    told: UnboundedReceiver<Notice>,
    task: JoinHandle<Ended>,
}

impl Ground {
    /// Begins to deploy a file's text, as a process of its own does.
    pub(crate) fn begin(&self, text: &str, strategy: &'static dyn Strategy) -> UnderWay {
        let (project, file) = (self.open(), self.load(text));
        let (tell, told) = unbounded_channel();
        let observer = move |notice: &Notice| {
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{}", serde_json::to_string(notice).unwrap_or_default());
            }
            let _ = tell.send(notice.clone());
        };
        let task = tokio::spawn(async move {
            let prepared = project.prepare(&file, &|_| {}).await?;
            let engine = Engine::builder(project.target(), project.lease().await?, project.journal().await?)
                .router(project.router())
                .observer(Arc::new(observer))
                .build();
            let request = Request { services: prepared.services, payloads: prepared.payloads };
            Ok(engine.deploy(&request, strategy, &Options::default()).await?)
        });
        UnderWay { told, task }
    }

    /// Deploys a file's text; fails where it doesn't succeed.
    pub(crate) async fn succeeds(&self, text: &str, strategy: &'static dyn Strategy) {
        let ended = self.begin(text, strategy).end().await.unwrap();
        assert!(matches!(ended.finish, Finish::Ended(End::Succeeded) | Finish::Unchanged), "{ended:?}");
    }
}

impl UnderWay {
    /// Waits until something was told.
    pub(crate) async fn until(&mut self, what: &str, is_it: impl Fn(&Notice) -> bool) {
        let told = async {
            while let Some(notice) = self.told.recv().await {
                if is_it(&notice) {
                    return true;
                }
            }
            false
        };
        match timeout(LONG, told).await {
            Ok(true) => {}
            Ok(false) => panic!("it ended before {what}: {:?}", (&mut self.task).await),
            Err(_) => panic!("expected {what} within {LONG:?}"),
        }
    }

    /// Waits until a step has started.
    pub(crate) async fn started(&mut self, step: &str) {
        let started = |notice: &Notice| match notice {
            Notice::Event { record, .. } => {
                matches!(&record.event, Event::StepStarted { step: it } if it.as_str() == step)
            }
            Notice::Progress(_) => false,
        };
        self.until(step, started).await;
    }

    /// Waits until the new instances are looked at.
    pub(crate) async fn checked(&mut self) {
        let looked = |notice: &Notice| matches!(notice, Notice::Progress(Progress::Health { .. }));
        self.until("a look at the new instances", looked).await;
    }

    /// Ends it as a kill does: nothing more is done, and its connections close.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let ended = self.task.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it had ended by itself");
    }

    /// Waits for its end.
    pub(crate) async fn end(self) -> Ended {
        timeout(LONG * 3, self.task).await.expect("the deployment ends").unwrap()
    }
}

/// Why a deployment was taken back.
pub(crate) fn taken_back(ended: Ended) -> String {
    match ended.map(|report| report.finish) {
        Ok(Finish::Ended(End::RolledBack { why })) => why,
        other => panic!("expected it to be taken back, but found {other:?}"),
    }
}
