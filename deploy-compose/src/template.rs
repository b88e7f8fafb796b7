//! Texts with variables: `$NAME`, `${NAME}`, `${NAME:-default}` and its relatives.

use std::{iter::Peekable, str::Chars};

/// A text cut into what stands as it is and the variables in it.
#[derive(Debug, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
enum Part {
    Literal(String),
    Variable { name: String, or: Option<(Alternative, Template)> },
}

/// What is done depending on whether a variable is set; `non_empty` asks for a value that isn't empty either.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Alternative {
    kind: Kind,
    non_empty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// `-`: this text if the variable isn't set.
    Default,
    /// `?`: an error with this text if the variable isn't set.
    Required,
    /// `+`: this text if the variable is set, and nothing otherwise.
    Replacement,
}

/// A variable without which the text can't be had.
#[derive(Debug, PartialEq)]
pub(crate) struct Missing {
    pub(crate) name: String,
    /// The file's own words about it; may be empty.
    pub(crate) message: String,
    pub(crate) non_empty: bool,
}

/// Templates nest at most this deep.
const DEEPEST: usize = 50;

impl Template {
    /// Reads a template; the error is a sentence of the form "expected …, but found …".
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut chars = text.chars().peekable();
        read(&mut chars, 0)
    }

    /// The text with every variable replaced. `unset` is told of variables that aren't set and have no alternative;
    /// they are replaced by nothing.
    pub(crate) fn render<'e>(
        &self,
        lookup: &impl Fn(&str) -> Option<&'e str>,
        unset: &mut impl FnMut(&str),
    ) -> Result<String, Missing> {
        let mut rendered = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => rendered.push_str(text),
                Part::Variable { name, or } => {
                    let value = lookup(name);
                    let Some((alternative, operand)) = or else {
                        match value {
                            Some(value) => rendered.push_str(value),
                            None => unset(name),
                        }
                        continue;
                    };
                    let present = value.filter(|value| !(alternative.non_empty && value.is_empty()));
                    match (alternative.kind, present) {
                        (Kind::Default | Kind::Required, Some(value)) => rendered.push_str(value),
                        (Kind::Replacement, Some(_)) | (Kind::Default, None) => {
                            rendered.push_str(&operand.render(lookup, unset)?);
                        }
                        (Kind::Replacement, None) => {}
                        (Kind::Required, None) => {
                            let message = operand.render(lookup, unset)?;
                            return Err(Missing { name: name.clone(), message, non_empty: alternative.non_empty });
                        }
                    }
                }
            }
        }
        Ok(rendered)
    }
}

/// Reads up to the end, or within braces (`depth` above 0) up to and with the closing one.
fn read(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Template, String> {
    if depth > DEEPEST {
        return Err(format!("expected variables nested at most {DEEPEST} deep, but found deeper ones"));
    }
    let mut parts = Vec::new();
    let mut literal = String::new();
    loop {
        match chars.next() {
            Some('$') => {}
            Some('}') if depth > 0 => break,
            Some(c) => {
                literal.push(c);
                continue;
            }
            None if depth > 0 => return Err("expected `}` at the end of `${…`, but found the end of the text".into()),
            None => break,
        }
        match chars.peek() {
            Some('$') => {
                chars.next();
                literal.push('$');
            }
            Some('{') => {
                chars.next();
                flush(&mut literal, &mut parts);
                parts.push(braced(chars, depth)?);
            }
            Some(c) if starts_name(*c) => {
                flush(&mut literal, &mut parts);
                parts.push(Part::Variable { name: name(chars), or: None });
            }
            Some(c) => {
                return Err(format!(
                    "expected a variable's name after `$`, but found `{c}`; write `$$` for a dollar sign"
                ));
            }
            None => {
                return Err(
                    "expected a variable's name after `$`, but found the end; write `$$` for a dollar sign".into()
                );
            }
        }
    }
    flush(&mut literal, &mut parts);
    Ok(Template { parts })
}

fn flush(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal)));
    }
}

fn braced(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Part, String> {
    if !chars.peek().is_some_and(|c| starts_name(*c)) {
        let found = chars.peek().map_or("the end".into(), |c| format!("`{c}`"));
        return Err(format!("expected a variable's name after `${{`, but found {found}; write `$$` for a dollar sign"));
    }
    let name = name(chars);
    let non_empty = chars.next_if_eq(&':').is_some();
    let kind = match chars.next() {
        Some('}') if !non_empty => return Ok(Part::Variable { name, or: None }),
        Some('-') => Kind::Default,
        Some('?') => Kind::Required,
        Some('+') => Kind::Replacement,
        found => {
            let found = found.map_or("the end".into(), |c| format!("`{c}`"));
            return Err(format!(
                "expected `}}`, `:-`, `-`, `:?`, `?`, `:+` or `+` after `${{{name}`, but found {found}"
            ));
        }
    };
    let operand = read(chars, depth + 1)?;
    Ok(Part::Variable { name, or: Some((Alternative { kind, non_empty }, operand)) })
}

fn starts_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| *c == '_' || c.is_ascii_alphanumeric()) {
        name.push(c);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<&'static str> {
        match name {
            "SET" => Some("value"),
            "EMPTY" => Some(""),
            "_a1" => Some("odd"),
            _ => None,
        }
    }

    fn render(text: &str) -> Result<String, Missing> {
        Template::parse(text).unwrap().render(&lookup, &mut |_| {})
    }

    #[test]
    fn variables_and_alternatives_are_replaced() {
        let cases = [
            ("plain", "plain"),
            ("$SET", "value"),
            ("a${SET}b$SET-c", "avaluebvalue-c"),
            ("$_a1.x", "odd.x"),
            ("$$SET $${SET}", "$SET ${SET}"),
            ("[${UNSET}]", "[]"),
            ("${UNSET:-d} ${UNSET-d} ${EMPTY:-d} [${EMPTY-d}] ${SET:-d}", "d d d [] value"),
            ("${SET:+r} ${SET+r} [${EMPTY:+r}] ${EMPTY+r} [${UNSET+r}]", "r r [] r []"),
            ("${UNSET:-${EMPTY:-${SET}}}", "value"),
            ("${UNSET:-a-b:?c}", "a-b:?c"),
            ("${UNSET:-http://$SET:80/}", "http://value:80/"),
            ("${UNSET:-{\"a\":1}}", "{\"a\":1}"),
            ("${SET:?must}", "value"),
            ("${EMPTY?must}", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_required_variable_is_missed() {
        let missing = render("${UNSET:?give $SET}").unwrap_err();
        assert_eq!(missing, Missing { name: "UNSET".into(), message: "give value".into(), non_empty: true });
        assert!(render("${EMPTY:?}").is_err());
    }

    #[test]
    fn unset_variables_are_told_only_where_they_are_used() {
        let mut unset = Vec::new();
        let template = Template::parse("$ONE ${SET:-$TWO} ${THREE:-}").unwrap();
        template.render(&lookup, &mut |name| unset.push(name.to_owned())).unwrap();
        assert_eq!(unset, ["ONE"]);
    }

    #[test]
    fn what_is_no_template_is_refused_with_what_to_write() {
        for text in ["$1", "a $", "${", "${}", "${A", "${A:-b", "${A:}", "${A!b}", "$-"] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.starts_with("expected ") && error.contains("but found"), "{text}: {error}");
        }
        assert!(Template::parse(&"${A:-".repeat(1000)).is_err());
    }
}
