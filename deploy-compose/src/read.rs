//! Reading a node tree into the typed model: every field is taken once, and what is left over is refused or named as
//! ignored, so that nothing in a file is dropped in silence.

use std::{cell::RefCell, collections::BTreeMap, path::Path};

use crate::{
    Place,
    declared::Declared,
    environment::{EnvValue, Environment},
    node::{Entry, Node, Value, join},
    problem::Findings,
    scalar::Scalar,
    secrecy,
};

/// What readers need beside the node.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) findings: RefCell<&'a mut Findings>,
    pub(crate) environment: &'a Environment,
    /// Absolute where the caller's project directory is.
    pub(crate) directory: &'a Path,
    /// The project's name.
    pub(crate) project: &'a str,
    pub(crate) declared: &'a Declared,
}

/// A node with its path from the root, such as `services.web.ports[0]`.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node,
    /// Where its key stands; the value's own place for what has none.
    pub(crate) key_place: &'a Place,
    pub(crate) path: String,
    pub(crate) cx: &'a Context<'a>,
}

impl<'a> At<'a> {
    pub(crate) fn place(&self) -> &'a Place {
        &self.node.place
    }

    pub(crate) fn problem(&self, message: impl Into<String>) {
        self.problem_at(self.place(), message);
    }

    /// A problem about this element that is better shown at another place, such as its key.
    pub(crate) fn problem_at(&self, place: &Place, message: impl Into<String>) {
        self.cx.findings.borrow_mut().problem(place, self.path.clone(), message);
    }

    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.cx.findings.borrow_mut().warn(self.place(), self.path.clone(), message);
    }

    pub(crate) fn ignore(&self, why: impl Into<String>) {
        self.cx.findings.borrow_mut().ignore(self.key_place, self.path.clone(), why);
    }

    /// Reports that `what` was expected where this node stands.
    pub(crate) fn expected(&self, what: &str) {
        self.problem(format!("expected {what}, but found {}", secrecy::describe(self.node, &self.path)));
    }

    /// The same as an option, for use at the end of a reader.
    pub(crate) fn or_expected<T>(&self, value: Option<T>, what: &str) -> Option<T> {
        if value.is_none() {
            self.expected(what);
        }
        value
    }

    pub(crate) fn scalar(&self) -> Option<&'a Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// The items of a list; nothing for null.
    pub(crate) fn items(&self) -> Vec<Self> {
        match &self.node.value {
            Value::List(items) => {
                let item = |(i, node): (usize, &'a Node)| Self {
                    node,
                    key_place: &node.place,
                    path: format!("{}[{i}]", self.path),
                    cx: self.cx,
                };
                items.iter().enumerate().map(item).collect()
            }
            Value::Scalar(Scalar::Null) => Vec::new(),
            _ => {
                self.expected("a list");
                Vec::new()
            }
        }
    }

    /// The members of a map; nothing for null.
    pub(crate) fn members(&self) -> Vec<(&'a Entry, Self)> {
        if !self.is_map() && !self.node.is_null() {
            self.expected("a map");
        }
        self.node.entries().iter().map(|entry| (entry, self.member(entry))).collect()
    }

    fn member(&self, entry: &'a Entry) -> Self {
        Self { node: &entry.value, key_place: &entry.key_place, path: join(&self.path, &entry.key), cx: self.cx }
    }

    pub(crate) fn fields(&self) -> Fields<'a> {
        if !self.is_map() && !self.node.is_null() {
            self.expected("a map");
        }
        Fields { at: self.clone(), left: self.node.entries().iter().collect() }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<String> {
        self.or_expected(self.scalar().and_then(Scalar::to_text), "a text")
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.items().iter().filter_map(Self::text).collect()
    }

    pub(crate) fn text_or_texts(&self) -> Vec<String> {
        if self.is_list() { self.texts() } else { self.text().into_iter().collect() }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        let flag = match self.scalar() {
            Some(Scalar::Bool(flag)) => Some(*flag),
            Some(Scalar::Text(text)) => match text.to_lowercase().as_str() {
                "true" | "yes" | "y" | "on" | "t" | "1" => Some(true),
                "false" | "no" | "n" | "off" | "f" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        self.or_expected(flag, "true or false")
    }

    /// A whole number that fits `T`; texts with a number in them count, since interpolated values are texts.
    pub(crate) fn whole<T: TryFrom<i128>>(&self, what: &str) -> Option<T> {
        let number = match self.scalar() {
            Some(Scalar::Integer(number)) => Some(*number),
            #[expect(clippy::cast_possible_truncation, reason = "only whole numbers within an exact range get here")]
            Some(Scalar::Float(number)) if number.fract() == 0.0 && number.abs() < 1e15 => Some(*number as i128),
            Some(Scalar::Text(text)) => text.trim().parse().ok(),
            _ => None,
        };
        self.or_expected(number.and_then(|number| T::try_from(number).ok()), what)
    }

    /// A text that `parse` understands; `what` says what that is.
    pub(crate) fn parsed<T>(&self, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.scalar().and_then(Scalar::to_text);
        self.or_expected(text.and_then(|text| parse(text.trim())), what)
    }

    /// A map or a list of `KEY=value` texts, as pairs with the element of each; later ones win over earlier ones.
    pub(crate) fn pairs(&self) -> Vec<(String, Option<String>, Self)> {
        if self.is_list() {
            let split = |item: Self| {
                let text = item.text()?;
                Some(match text.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned()), item),
                    None => (text, None, item),
                })
            };
            return self.items().into_iter().filter_map(split).collect();
        }
        let read = |(entry, at): (&Entry, Self)| {
            let Some(scalar) = at.scalar() else {
                at.expected("a text, a number, true, false or nothing");
                return None;
            };
            Some((entry.key.clone(), scalar.to_text(), at))
        };
        self.members().into_iter().filter_map(read).collect()
    }

    /// Variables, where a missing value comes from the environment; those that aren't set there either are left out.
    pub(crate) fn environment(&self) -> BTreeMap<String, EnvValue> {
        let value = |(name, value, _): (String, Option<String>, Self)| {
            let value = value.or_else(|| self.cx.environment.get(&name).map(str::to_owned))?;
            Some((name, value.into()))
        };
        self.pairs().into_iter().filter_map(value).collect()
    }

    /// Mode bits: a number as YAML has it (`0444`), or a text in octal.
    pub(crate) fn mode(&self) -> Option<u32> {
        const MODE: &str = "mode bits such as 0440";
        match self.scalar() {
            Some(Scalar::Text(_)) => self.parsed(MODE, |text| {
                u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8).ok().filter(|mode| *mode <= 0o7777)
            }),
            _ => self.whole::<u16>(MODE).map(u32::from),
        }
    }

    /// Pairs whose missing values are empty texts, as with labels.
    pub(crate) fn text_pairs<C: FromIterator<(String, String)>>(&self) -> C {
        self.pairs().into_iter().map(|(key, value, _)| (key, value.unwrap_or_default())).collect()
    }
}

/// The fields of a map, each to be taken once.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    at: At<'a>,
    left: Vec<&'a Entry>,
}

impl<'a> Fields<'a> {
    /// The element under `key`, unless it is missing or null.
    pub(crate) fn take(&mut self, key: &str) -> Option<At<'a>> {
        let index = self.left.iter().position(|entry| entry.key == key)?;
        let entry = self.left.remove(index);
        (!entry.value.is_null()).then(|| self.at.member(entry))
    }

    /// The same, and not an empty text either: an unset variable leaves one, and Compose takes it for nothing.
    pub(crate) fn take_set(&mut self, key: &str) -> Option<At<'a>> {
        self.take(key).filter(|at| !matches!(at.scalar(), Some(Scalar::Text(text)) if text.is_empty()))
    }

    /// A text that isn't empty.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        self.take_set(key)?.text()
    }

    pub(crate) fn texts(&mut self, key: &str) -> Vec<String> {
        self.take(key).map(|at| at.texts()).unwrap_or_default()
    }

    pub(crate) fn text_or_texts(&mut self, key: &str) -> Vec<String> {
        self.take(key).map(|at| at.text_or_texts()).unwrap_or_default()
    }

    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        self.take(key)?.flag()
    }

    pub(crate) fn whole<T: TryFrom<i128>>(&mut self, key: &str, what: &str) -> Option<T> {
        self.take(key)?.whole(what)
    }

    pub(crate) fn text_pairs<C: FromIterator<(String, String)> + Default>(&mut self, key: &str) -> C {
        self.take(key).map(|at| at.text_pairs()).unwrap_or_default()
    }

    /// Names a field as one that has no effect, if it is there.
    pub(crate) fn ignore(&mut self, key: &str, why: &str) {
        if let Some(at) = self.take(key) {
            at.ignore(why);
        }
    }

    /// Refuses what nobody took. Extensions are nobody's but their author's, who knows that they have no effect.
    pub(crate) fn finish(self) {
        for entry in self.left.into_iter().filter(|entry| !entry.key.starts_with("x-")) {
            let message = format!(
                "expected a field that is supported, but found `{}`, which is valid Compose but not supported yet; \
                 leave it out to go on",
                entry.key
            );
            self.at.member(entry).problem_at(&entry.key_place, message);
        }
    }
}
