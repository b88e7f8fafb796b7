use super::{items::Item, rounds::Round};
use crate::output::{
    Names,
    deed::{looked, routed},
    text,
};
use deploy_core::model::{Clocks, Millis, Named, ServiceSpec};

/// What sentences are about.
pub(super) struct Context<'a> {
    pub(super) spec: &'a ServiceSpec,
    pub(super) names: &'a Names,
    /// The services with whose instances it ends and starts.
    pub(super) moves: &'a [&'a str],
}

/// One line a thing that people think of: a start with its check, a drain with its stop.
pub(super) fn lines(rounds: &[Round], cx: &Context<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for round in rounds {
        let Some(first) = round.items.first() else { continue };
        let mut sentences: Vec<String> = Vec::new();
        for (index, item) in first.iter().enumerate() {
            let each: Vec<_> = round.items.iter().filter_map(|items| items.get(index)).collect();
            let before = index.checked_sub(1).and_then(|before| first.get(before));
            let said = sentence(item, &each, before, cx);
            match (joins(before, item), sentences.last_mut()) {
                (Some(word), Some(last)) => {
                    last.push_str(word);
                    last.push_str(&said);
                }
                _ => sentences.push(said),
            }
        }
        match round.times {
            1 => lines.extend(sentences),
            times => lines.push(format!("{times} times: {}", sentences.join("; "))),
        }
    }
    lines
}

/// The word between two items that are told in one sentence.
fn joins(before: Option<&Item>, item: &Item) -> Option<&'static str> {
    match (before?, item) {
        (Item::Replace { pace, .. }, Item::Check { .. }) if pace.surge == 0 => Some("; "),
        (Item::Start { .. } | Item::Replace { .. }, Item::Check { .. }) => Some(" and "),
        (Item::Drain { .. }, Item::Stop { .. }) => Some(", then "),
        _ => None,
    }
}

/// One item, told for all times that it comes: `each` has one for each round.
fn sentence(item: &Item, each: &[&Item], before: Option<&Item>, cx: &Context<'_>) -> String {
    let Context { spec, names, moves } = cx;
    let (before_theirs, once_theirs) = match moves.is_empty() {
        true => Default::default(),
        false => (format!(", before {} stops,", text::list(moves)), format!("once {} is healthy, ", text::list(moves))),
    };
    let once = each.len() == 1;
    match item {
        Item::Start { release, more: None } => format!("{once_theirs}start {}", names.of(release)),
        Item::Start { release, .. } => {
            let most = each.iter().filter_map(|item| match item {
                Item::Start { more, .. } => *more,
                _ => None,
            });
            format!("{once_theirs}start {} of {}", instances(most), names.of(release))
        }
        Item::Replace { release, from, pace } => {
            let gap = if pace.surge == 0 { ", old ones first: nobody may answer in between" } else { "" };
            format!("have {} replaced by {} in place{gap}", names.of(from), names.of(release))
        }
        Item::Check { release, check, clocks } => match before {
            Some(Item::Start { more: Some(1), .. }) => format!("wait until {}", healthy("it is", check, *clocks)),
            Some(Item::Start { .. } | Item::Replace { .. }) => {
                format!("wait until {}", healthy("they are", check, *clocks))
            }
            Some(Item::Check { .. }) => format!("check {} further: {}", names.of(release), looked(check)),
            _ => format!("wait until {}", healthy(&format!("{} is", names.of(release)), check, *clocks)),
        },
        Item::Route { shares } if once => match shares.is_empty() {
            true => "stop sending requests until the new release serves".into(),
            false => format!("send {}", routed(shares, names)),
        },
        Item::Route { .. } => match before {
            Some(Item::Check { .. }) => "send the new ones their share of the requests".into(),
            _ => "send no more requests to those that stop next".into(),
        },
        Item::Drain { release } if spec.drain_by == Millis::ZERO => {
            format!("let requests at {} end", names.of(release))
        }
        Item::Drain { release } => {
            format!("let requests at {} end ({} at most)", names.of(release), text::tied(spec.drain_by))
        }
        Item::Bake { time } => format!("watch it for {}: if it fails meanwhile, it goes back", text::tied(*time)),
        Item::Apply { said } => said.clone(),
        Item::Delete { object } => format!("remove the {object}: it has the names and ports until then"),
        Item::Stop { release, keep, .. } => {
            let whole = once && matches!(item, Item::Stop { rest: 0, .. });
            let fewer = each.iter().filter_map(|item| match item {
                Item::Stop { fewer, .. } => Some(*fewer),
                _ => None,
            });
            match (whole, keep) {
                (true, true) => format!("stop {}{before_theirs} and keep it for a fast way back", names.of(release)),
                (true, false) => format!("remove {}", names.of(release)),
                (false, _) => format!("stop {} of {}", instances(fewer), names.of(release)),
            }
        }
    }
}

/// `2 instances`, or `up to 2 instances` where it isn't always as many.
fn instances(each: impl Iterator<Item = u32>) -> String {
    let (mut least, mut most) = (u32::MAX, 0);
    for one in each {
        (least, most) = (least.min(one), most.max(one));
    }
    let most_said = text::count(most, "instance");
    if least < most { format!("up to {most_said}") } else { most_said }
}

fn healthy(who: &str, check: &Named, clocks: Clocks) -> String {
    let row = match clocks.successes {
        0 | 1 => String::new(),
        successes => format!("{successes} times in a row, "),
    };
    let whole = match clocks.healthy_for {
        Millis::ZERO => String::new(),
        time => format!("for {} without a break, ", text::tied(time)),
    };
    format!("{who} healthy ({}, {row}{whole}within {})", looked(check), text::tied(clocks.healthy_by))
}
