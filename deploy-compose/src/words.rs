//! Commands written as one text, cut into words. No shell is involved.

/// The words of a command.
#[derive(Debug, PartialEq)]
pub(crate) struct Words {
    pub(crate) words: Vec<String>,
    /// What follows an unquoted `;`, `&`, `|`, `<` or `>`, with that sign: Compose leaves it out.
    pub(crate) left_out: Option<String>,
}

/// Cuts a command at blanks. Quotes keep words together, a backslash takes the next character as it is (`\n` and `\t`
/// are a line's end and a tab); backquotes and `$(…)` stay as they are written. The error says what was expected.
pub(crate) fn split(text: &str) -> Result<Words, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut inside = Inside::Nothing;
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match (inside, c) {
            (Inside::Nothing | Inside::DoubleQuotes | Inside::Backquotes | Inside::Parentheses, '\\') => {
                match chars.next() {
                    Some((_, 'n')) => word.get_or_insert_default().push('\n'),
                    Some((_, 't')) => word.get_or_insert_default().push('\t'),
                    Some((_, next)) => word.get_or_insert_default().push(next),
                    None => return Err("expected a character after `\\`, but found the end".into()),
                }
            }
            (Inside::Nothing, c) if c.is_whitespace() => words.extend(word.take()),
            (Inside::Nothing, ';' | '&' | '|' | '<' | '>') => {
                words.extend(word);
                return Ok(Words { words, left_out: Some(text[index..].to_owned()) });
            }
            (Inside::Nothing, '(') if !word.as_ref().is_some_and(|word| word.ends_with('$')) => {
                return Err("expected parentheses only within quotes, but found `(`".into());
            }
            (Inside::Nothing, ')') => return Err("expected parentheses only within quotes, but found `)`".into()),
            (Inside::Nothing, '"') => inside = open(&mut word, Inside::DoubleQuotes),
            (Inside::Nothing, '\'') => inside = open(&mut word, Inside::SingleQuotes),
            (Inside::DoubleQuotes, '"') | (Inside::SingleQuotes, '\'') => inside = Inside::Nothing,
            _ => {
                inside = match (inside, c) {
                    (Inside::Nothing, '`') => Inside::Backquotes,
                    (Inside::Nothing, '(') => Inside::Parentheses,
                    (Inside::Backquotes, '`') | (Inside::Parentheses, ')') => Inside::Nothing,
                    (same, _) => same,
                };
                word.get_or_insert_default().push(c);
            }
        }
    }
    if inside != Inside::Nothing {
        return Err("expected a closing quote, but found the end".into());
    }
    words.extend(word);
    Ok(Words { words, left_out: None })
}

#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Nothing,
    DoubleQuotes,
    SingleQuotes,
    Backquotes,
    Parentheses,
}

/// An empty pair of quotes is a word, too.
fn open(word: &mut Option<String>, quotes: Inside) -> Inside {
    word.get_or_insert_default();
    quotes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_like_compose_cuts_them() {
        let cases: [(&str, &[&str]); 9] = [
            ("nginx -g 'daemon off;'", &["nginx", "-g", "daemon off;"]),
            ("  a   b ", &["a", "b"]),
            ("sh -c \"echo \\\"x\\\" && y\"", &["sh", "-c", "echo \"x\" && y"]),
            ("a\\ b c", &["a b", "c"]),
            ("--x=\"1 2\"3", &["--x=1 23"]),
            ("a '' b", &["a", "", "b"]),
            ("printf a\\nb", &["printf", "a\nb"]),
            ("echo $(a b) `c d`", &["echo", "$(a b)", "`c d`"]),
            ("", &[]),
        ];
        for (text, words) in cases {
            assert_eq!(
                split(text).unwrap(),
                Words { words: words.iter().map(|w| (*w).to_owned()).collect(), left_out: None },
                "{text}"
            );
        }
    }

    #[test]
    fn what_a_shell_would_do_is_left_out_and_told() {
        let words = split("echo a && echo b").unwrap();
        assert_eq!(
            (words.words.as_slice(), words.left_out.as_deref()),
            (["echo".to_owned(), "a".to_owned()].as_slice(), Some("&& echo b"))
        );
    }

    #[test]
    fn open_quotes_are_refused() {
        for text in ["'a", "\"a", "a\\", "f(x)", "`a"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
