//! Small pieces of text.

use deploy_core::model::Millis;

/// How wide text for people is, at most.
pub(super) const WIDTH: usize = 100;

/// A blank at which no line is broken; [`wrap`] makes a plain one of it.
const TIE: char = '\u{a0}';

/// A time as people say it: `250 ms`, `1.5 s`, `90 s`, `5 min 40 s`. Tied together, for [`wrap`].
pub(super) fn tied(length: Millis) -> String {
    time(length).replace(' ', "\u{a0}")
}

/// A time as people say it: `250 ms`, `1.5 s`, `90 s`, `5 min 40 s`.
pub(super) fn time(time: Millis) -> String {
    match time.0 {
        ms if ms < 120_000 => time.to_string(),
        ms => match (ms / 60_000, ms % 60_000 / 1000) {
            (minutes, 0) => format!("{minutes} min"),
            (minutes, seconds) => format!("{minutes} min {seconds} s"),
        },
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<_> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}

/// Breaks a text into lines of at most [`WIDTH`]: the first begins with `first`, further ones with as many blanks.
/// What has no blank isn't broken; line ends count as blanks.
pub(super) fn wrap(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let (mut wrapped, mut column) = (first.to_owned(), indent);
    for word in text.trim_end().split([' ', '\n']) {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > indent {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.extend(word.chars().map(|letter| if letter == TIE { ' ' } else { letter }));
        column += length;
    }
    wrapped.push('\n');
    wrapped
}

/// A text with the first occurrence of `word` in bold.
pub(super) fn heading(text: &str, word: &str) -> String {
    text.replacen(word, &super::paint::bold(word), 1)
}

/// A foreign line without what would move the cursor or change colours.
pub(crate) fn printable(line: &str) -> String {
    let plain = anstream::adapter::strip_str(line).to_string();
    plain.chars().filter(|letter| !letter.is_control() || *letter == '\t').collect()
}

/// A count with its word: `1 instance`, `4 instances`.
pub(super) fn count(number: impl Into<u64>, word: &str) -> String {
    match number.into() {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_hang_below_their_beginning() {
        let text = wrap("  1. ", &"word ".repeat(30).trim_end().replace("word word", "word, word"));
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("     word")), "{text}");
    }

    #[test]
    fn times_and_lists_read_as_people_say_them() {
        assert_eq!(
            [250, 90_000, 120_000, 340_000].map(|ms| time(Millis(ms))),
            ["250 ms", "90 s", "2 min", "5 min 40 s"]
        );
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list::<&str>(&[]), "");
    }
}
