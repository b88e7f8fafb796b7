//! Environment files in Compose's own syntax.
//!
//! `NAME=value` lines, `export` before them if you like, `:` instead of `=`, comments from ` #` on. Values in single
//! quotes stand as they are; values in double quotes know `\n`, `\r`, `\t`, `\\`, `\"` and `\$`. Quoted values may span
//! lines. Variables in unquoted and double-quoted values are replaced. A name alone takes its value from outside.

use std::sync::Arc;

use crate::{Place, environment::Environment, problem::Findings, template::Template};

/// The variables of one file, in the order of their lines.
pub(crate) type Assignments = Vec<(String, String)>;

/// Reads an environment file. Names in values are looked up in `outside` first and then in the file's earlier lines.
pub(crate) fn parse(file: &Arc<str>, text: &str, outside: &Environment, findings: &mut Findings) -> Assignments {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader { file, text: &text, at: 0, outside, assigned: Vec::new(), findings };
    while reader.statement() {}
    reader.assigned
}

/// Reads a file of format `raw`: what follows the first `=` of a line is its value as it stands.
pub(crate) fn parse_raw(text: &str) -> Assignments {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.trim().into(), value.into())).collect()
}

struct Reader<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    at: usize,
    outside: &'a Environment,
    assigned: Assignments,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn line_length(&self) -> usize {
        self.rest().find('\n').unwrap_or(self.rest().len())
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(|c: char| c.is_whitespace() && c != '\n').len();
    }

    fn place(&self, at: usize) -> Place {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        Place::new(Arc::clone(self.file), line, before[line_start..].chars().count() + 1)
    }

    fn problem(&mut self, at: usize, path: &str, message: impl Into<String>) {
        self.findings.problem(&self.place(at), path, message);
    }

    /// Reads one statement; false at the end of the file.
    fn statement(&mut self) -> bool {
        self.at += self.rest().len() - self.rest().trim_start().len();
        if self.rest().is_empty() {
            return false;
        }
        if self.rest().starts_with('#') {
            self.at += self.line_length();
            return true;
        }
        if let Some(after) = self.rest().strip_prefix("export").filter(|after| after.starts_with([' ', '\t'])) {
            self.at = self.text.len() - after.len();
            self.skip_blanks();
        }
        let start = self.at;
        let line = &self.rest()[..self.line_length()];
        let (name, assigns) = match line.find(['=', ':']) {
            Some(end) => (line[..end].trim_end(), Some(end)),
            None => (line.split(" #").next().unwrap_or(line).trim_end(), None),
        };
        let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']'));
        if let Some(found) = name.chars().find(|c| odd(*c)) {
            self.problem(
                start,
                "",
                format!("expected a variable's name of letters, digits, `_`, `.` and `-`, but found `{found}` in it"),
            );
            self.at += self.line_length();
            return true;
        }
        if name.is_empty() {
            self.problem(start, "", "expected a variable's name, but found nothing before `=`");
            self.at += self.line_length();
            return true;
        }
        match assigns {
            None => {
                self.at += self.line_length();
                if let Some(value) = self.outside.get(name) {
                    self.assigned.push((name.to_owned(), value.to_owned()));
                }
            }
            Some(end) => {
                self.at += end + 1;
                self.skip_blanks();
                let value = self.value(name);
                self.assigned.push((name.to_owned(), value));
            }
        }
        true
    }

    fn value(&mut self, name: &str) -> String {
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(name, quote),
            _ => {
                let start = self.at;
                let line = &self.rest()[..self.line_length()];
                self.at += line.len();
                let value = if line.starts_with('#') { "" } else { without_comment(line) };
                self.expand(start, name, value)
            }
        }
    }

    fn quoted(&mut self, name: &str, quote: char) -> String {
        let start = self.at;
        let body = &self.rest()[1..];
        let mut escaped = false;
        let end = body.char_indices().find_map(|(index, c)| {
            let closes = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            closes.then_some(index)
        });
        let Some(end) = end else {
            self.problem(start, name, format!("expected a closing {quote}, but found the end of the file"));
            self.at = self.text.len();
            return String::new();
        };
        self.at += end + 2;
        let after = &self.rest()[..self.line_length()];
        if !after.trim().is_empty() && !after.trim_start().starts_with('#') {
            let at = self.at;
            self.problem(at, name, format!("expected the end of the line after the closing {quote}, but found more"));
        }
        self.at += after.len();
        let value = &body[..end];
        if quote == '\'' { value.replace("\\'", "'") } else { self.expand(start, name, &unescape(value)) }
    }

    fn expand(&mut self, at: usize, name: &str, value: &str) -> String {
        if !value.contains('$') {
            return value.to_owned();
        }
        let template = match Template::parse(value) {
            Ok(template) => template,
            Err(message) => {
                self.problem(at, name, message);
                return String::new();
            }
        };
        let mut unset = Vec::new();
        let lookup = |variable: &str| {
            self.outside.get(variable).or_else(|| {
                self.assigned.iter().rev().find(|(earlier, _)| earlier == variable).map(|(_, value)| value.as_str())
            })
        };
        let rendered = template.render(&lookup, &mut |variable| unset.push(variable.to_owned()));
        for variable in unset {
            let message = format!("the variable {variable} isn't set; an empty text stands in its place");
            self.findings.warn(&self.place(at), name, message);
        }
        match rendered {
            Ok(rendered) => rendered,
            Err(missing) => {
                let message = format!(
                    "expected the variable {} to be set, but found it isn't: {}",
                    missing.name, missing.message
                );
                self.problem(at, name, message);
                String::new()
            }
        }
    }
}

/// An unquoted value ends before a `#` that follows a blank.
fn without_comment(line: &str) -> &str {
    let end = line.char_indices().zip(line.chars().skip(1)).find(|((_, c), next)| c.is_whitespace() && *next == '#');
    end.map_or(line, |((index, _), _)| &line[..index]).trim_end()
}

/// Resolves escapes; `\$` becomes `$$`, which variables are replaced around, and unknown ones stay as they are.
fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('$') => plain.push_str("$$"),
            Some(c @ ('\\' | '"' | '\'')) => plain.push(c),
            Some(c) => plain.extend(['\\', c]),
            None => plain.push('\\'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Assignments, Findings) {
        let outside: Environment = [("HOME", "/root"), ("WINS", "outside")].into_iter().collect();
        let mut findings = Findings::default();
        let assigned = parse(&Arc::from(".env"), text, &outside, &mut findings);
        (assigned, findings)
    }

    fn value(text: &str) -> String {
        let (assigned, mut findings) = read(text);
        findings.check().unwrap();
        assigned.last().unwrap().1.clone()
    }

    #[test]
    fn values_are_read_like_compose_reads_them() {
        let cases = [
            ("A=b", "b"),
            ("  A = b  ", "b"),
            ("export A=b", "b"),
            ("A: b", "b"),
            ("A=", ""),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=# comment", ""),
            ("A=\"b # c\" # comment", "b # c"),
            ("A='$HOME'", "$HOME"),
            ("A='it\\'s'", "it's"),
            ("A=\"$HOME\\n\\\"x\\\"\"", "/root\n\"x\""),
            ("A=\"\\$HOME\"", "$HOME"),
            ("A=${NOPE:-x}/y", "x/y"),
            ("B=1\nA=$B", "1"),
            ("WINS=inside\nA=$WINS", "outside"),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A=b\r\n", "b"),
            ("\u{feff}A=b", "b"),
            ("A=a=b", "a=b"),
            ("A=\"\\\\\"", "\\"),
            ("A=pa$$word", "pa$word"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn raw_values_stand_as_they_are() {
        let assigned = parse_raw("# no\nA=\"$HOME\" # kept\n\nB = c");
        assert_eq!(assigned, [("A".to_owned(), "\"$HOME\" # kept".to_owned()), ("B".to_owned(), " c".to_owned())]);
    }

    #[test]
    fn a_name_alone_comes_from_outside() {
        let (assigned, _) = read("HOME\nUNKNOWN\n# end");
        assert_eq!(assigned, [("HOME".to_owned(), "/root".to_owned())]);
    }

    #[test]
    fn problems_name_line_and_column() {
        let cases = [
            ("A=1\n  B C=2", ".env:2:3: expected a variable's name"),
            ("A=\"open", ".env:1:3: A: expected a closing \""),
            ("A=1\n=2", ".env:2:1: expected a variable's name, but found nothing"),
            ("A=${x", ".env:1:3: A: expected `}`"),
            ("A='a' b", ".env:1:6: A: expected the end of the line"),
        ];
        for (text, expected) in cases {
            let (_, mut findings) = read(text);
            let error = findings.check().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
