use super::items::Item;

/// Items that are told together, and how often they follow each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    pub(super) times: usize,
    /// Of each time, in order.
    pub(super) items: Vec<Vec<Item>>,
}

/// Folds what repeats: the batches of a rolling update become one round.
pub(super) fn rounds(items: Vec<Item>) -> Vec<Round> {
    let (mut rounds, mut once, mut at) = (Vec::new(), Vec::new(), 0);
    while at < items.len() {
        match repetition(&items[at..]) {
            Some((period, times)) => {
                flush(&mut rounds, &mut once);
                let each = items[at..at + period * times].chunks(period).map(<[Item]>::to_vec).collect();
                rounds.push(Round { times, items: each });
                at += period * times;
            }
            None => {
                once.push(items[at].clone());
                at += 1;
            }
        }
    }
    flush(&mut rounds, &mut once);
    rounds
}

fn flush(rounds: &mut Vec<Round>, once: &mut Vec<Item>) {
    if !once.is_empty() {
        rounds.push(Round { times: 1, items: vec![std::mem::take(once)] });
    }
}

/// The shortest beginning that follows itself at once, and how often it is there.
fn repetition(items: &[Item]) -> Option<(usize, usize)> {
    let same = |a: &[Item], b: &[Item]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.kind() == b.kind());
    (1..=items.len() / 2).find_map(|period| {
        let first = &items[..period];
        let times = items.chunks(period).take_while(|chunk| same(first, chunk)).count();
        (times > 1).then_some((period, times))
    })
}
