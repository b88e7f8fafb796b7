use super::{Names, text};
use deploy_core::model::{Count, Fact, Named, ObjectRef, Op, Shares, Step};
use serde_json::Value;

/// What requests come through on a host: it is named after its service.
pub(super) const PROXY: &str = "proxy";

/// Where data lies: no target deletes it in a deployment.
const VOLUME: &str = "volume";

/// What a step does, in a few words without a subject, its service left out: `stop 1 of 2 instances of v1`.
pub fn deed(step: &Step, names: &Names) -> String {
    match &step.op {
        Op::Ensure { workload, count: Count::Exactly(to) } => match before(step).filter(|from| from > to) {
            Some(from) => {
                let of = text::count(from, "instance");
                format!("stop {} of {of} of {}", from - to, names.of(&workload.release))
            }
            None => of_op(&step.op, names),
        },
        Op::Apply { object } => applied(step, &object.object),
        op => of_op(op, names),
    }
}

/// What becomes of an object: `make the network front`.
pub(super) fn applied(step: &Step, object: &ObjectRef) -> String {
    let name = &object.name;
    match (object.kind.as_str(), is_there(step)) {
        (PROXY, true) => format!("exchange the proxy of {name}: its ports are closed for about half a second"),
        (PROXY, false) => format!("make the proxy of {name}"),
        (kind, true) => format!("change the {kind} {name}"),
        (kind, false) => format!("make the {kind} {name}"),
    }
}

/// Whether an object that a step applies is there already, and is to become another.
pub(super) fn is_there(step: &Step) -> bool {
    step.expect.ready.iter().any(|fact| matches!(fact, Fact::Applied { .. }))
}

/// How many instances a step expects at most before it runs.
fn before(step: &Step) -> Option<u32> {
    step.expect.ready.iter().find_map(|fact| match fact {
        Fact::Asked { max, .. } => Some(*max),
        _ => None,
    })
}

/// What an op does, in a few words without a subject, its service left out: `run 2 instances of v2`.
fn of_op(op: &Op, names: &Names) -> String {
    match op {
        Op::Store { release, .. } => format!("store the configuration of {}", names.of(&release.id)),
        Op::Apply { object } if object.object.kind == PROXY => format!("make the proxy of {}", object.object.name),
        Op::Apply { object } => format!("make the {}", object.object),
        // only what a failed deployment made is deleted of these, and by then it may hold something
        Op::Delete { object } if object.kind == VOLUME => format!("leave the volume {} where it is", object.name),
        Op::Delete { object } => format!("remove the {object}"),
        Op::Ensure { workload, count } => match count {
            Count::Exactly(count) => {
                format!("run {} of {}", text::count(*count, "instance"), names.of(&workload.release))
            }
            Count::AsServing(release) => {
                format!("run as many of {} as serve of {}", names.of(&workload.release), names.of(release))
            }
            Count::Leave => format!("run {}", names.of(&workload.release)),
        },
        Op::Replace { workload, from, .. } => {
            format!("replace {} by {} in place", names.of(from), names.of(&workload.release))
        }
        Op::Remove { workload, keep: true } => format!("stop {} and keep it", names.of(&workload.release)),
        Op::Remove { workload, keep: false } => format!("remove {}", names.of(&workload.release)),
        Op::Route { shares, .. } => format!("send {}", routed(shares, names)),
        Op::Drain { workload, .. } => format!("let requests at {} end", names.of(&workload.release)),
        Op::Check { workload, check, .. } => {
            format!("wait until {} is healthy ({})", names.of(&workload.release), looked(check))
        }
        Op::Await { object, .. } => format!("wait for the {object}"),
        Op::Wait { time } => format!("watch for {}", text::time(*time)),
    }
}

/// Who gets the requests: `all requests to v2`.
pub(super) fn routed(shares: &Shares, names: &Names) -> String {
    let total: u32 = shares.iter().map(|share| u32::from(share.weight.0)).sum();
    let mut parts = shares.iter().map(|share| (names.of(&share.workload.release), u32::from(share.weight.0)));
    match (parts.next(), parts.next()) {
        (None, _) => "no requests to anybody".into(),
        (Some((only, _)), None) => format!("all requests to {only}"),
        (Some(first), Some(second)) => {
            let percent = |(who, weight): (String, u32)| format!("{} % to {who}", weight * 100 / total.max(1));
            let parts: Vec<_> = [first, second].into_iter().chain(parts).map(percent).collect();
            format!("requests: {}", text::list(&parts))
        }
    }
}

/// How an instance is looked at: `GET /healthz`.
pub(super) fn looked(check: &Named) -> String {
    let param = |name: &str| check.params.get(name);
    let several = |word: &str| {
        let checks: Vec<Named> = serde_json::from_value(check.params.clone()).unwrap_or_default();
        checks.iter().map(looked).collect::<Vec<_>>().join(word)
    };
    match check.name.as_str() {
        "http" => match (param("path").and_then(Value::as_str), param("port")) {
            (Some(path), Some(port)) => format!("GET {path} on port {port}"),
            (path, _) => format!("GET {}", path.unwrap_or("/")),
        },
        "tcp" => format!("a connection to port {}", param("port").unwrap_or(&Value::Null)),
        "command" => {
            let argv: Vec<_> = param("argv").and_then(Value::as_array).into_iter().flatten().collect();
            let words: Vec<_> = argv.into_iter().filter_map(Value::as_str).collect();
            format!("`{}`", words.join(" "))
        }
        "own" => "its own test".into(),
        "running" => "it runs".into(),
        "all" => several(" and "),
        "any" => several(" or "),
        "not" => match serde_json::from_value::<Named>(check.params.clone()) {
            Ok(other) => format!("not {}", looked(&other)),
            Err(_) => "not".into(),
        },
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_hold_data_is_never_said_to_be_removed() {
        let deleted = |kind: &str| {
            let object = ObjectRef { target: "shop".into(), kind: kind.into(), name: "shop_x".into() };
            of_op(&Op::Delete { object }, &Names::new())
        };
        assert_eq!(deleted("network"), "remove the network shop_x");
        assert_eq!(deleted("volume"), "leave the volume shop_x where it is");
    }

    #[test]
    fn checks_are_told_by_what_they_ask() {
        let http = Named::new("http", json!({ "port": 8080, "path": "/healthz" }));
        let tcp = Named::new("tcp", json!({ "port": 5432 }));
        assert_eq!(looked(&http), "GET /healthz on port 8080");
        let both = Named::new("all", serde_json::to_value([http, tcp]).unwrap());
        assert_eq!(looked(&both), "GET /healthz on port 8080 and a connection to port 5432");
        assert_eq!(looked(&Named::new("command", json!({ "argv": ["pg_isready", "-q"] }))), "`pg_isready -q`");
        assert_eq!(looked(&Named::new("canary", Value::Null)), "canary");
    }
}
