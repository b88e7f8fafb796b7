//! Objects for programs: one a line.

use crate::Exit;
use deploy_core::{
    engine::{Finish, Report},
    observer::Notice,
};
use serde_json::{Value, json};

/// A notice as it is.
pub fn line(notice: &Notice) -> String {
    text(serde_json::to_value(notice))
}

/// The last object of a run: which deployment, how it finished, and the exit status.
pub fn finished(report: &Report, exit: Exit) -> String {
    let finish = match &report.finish {
        Finish::Ended(end) => serde_json::to_value(end).unwrap_or_default(),
        Finish::Suspended(why) => json!({ "end": "suspended", "why": why }),
        Finish::Unchanged => json!({ "end": "unchanged" }),
    };
    let object = json!({
        "kind": "finished",
        "deployment": report.deployment,
        "finish": finish,
        "exit": exit.status(),
    });
    object.to_string()
}

/// The last object of a command that failed without a report.
pub fn error(message: &str, exit: Exit) -> String {
    json!({ "kind": "error", "message": message, "exit": exit.status() }).to_string()
}

/// The object of a command that has little to tell.
pub fn message(kind: &str, project: &str) -> String {
    json!({ "kind": kind, "project": project, "exit": Exit::Done.status() }).to_string()
}

/// What is pulled or built before there is a plan.
pub fn preparing(said: &str) -> String {
    json!({ "kind": "preparing", "said": said }).to_string()
}

/// What can't be written as JSON is told as such: nothing of ours can't.
fn text(value: Result<Value, serde_json::Error>) -> String {
    value.unwrap_or_else(|error| json!({ "kind": "error", "message": error.to_string() })).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deploy_core::{
        model::{DeploymentId, End, Millis},
        observer::Progress,
    };

    #[test]
    fn objects_say_their_kind() {
        let notice = Notice::Progress(Progress::Health {
            step: "web/check".into(),
            healthy: 1,
            of: 2,
            last: None,
            left: Millis(500),
        });
        insta::assert_snapshot!(line(&notice), @r#"{"kind":"progress","progress":"health","step":"web/check","healthy":1,"of":2,"last":null,"left":500}"#);
        let end = Finish::Ended(End::RolledBack { why: "web/check: no".into() });
        let report = Report { deployment: Some(DeploymentId(8)), finish: end };
        insta::assert_snapshot!(finished(&report, Exit::TakenBack), @r#"{"kind":"finished","deployment":8,"finish":{"end":"rolled-back","why":"web/check: no"},"exit":3}"#);
        let report = Report { deployment: None, finish: Finish::Unchanged };
        insta::assert_snapshot!(finished(&report, Exit::Done), @r#"{"kind":"finished","deployment":null,"finish":{"end":"unchanged"},"exit":0}"#);
    }
}
