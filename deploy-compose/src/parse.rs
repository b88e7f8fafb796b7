//! YAML text to node trees.

use std::{collections::HashMap, sync::Arc};

use granit_parser::{self as yaml, Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::{
    Place,
    node::{Entry, Node, Tag, Value, join},
    problem::Findings,
    scalar::Scalar,
};

/// Aliases may make a small file large; past this many nodes a file is refused.
const MOST_NODES: usize = 500_000;

/// What plain scalars, tags and keys mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// As Compose has it.
    Compose,
    /// As `kubectl` has it: YAML 1.1, where `yes` is a boolean, on its way to JSON.
    Kubernetes,
}

/// Reads every document of a YAML text. Problems go to `findings`; documents with a syntax error are left out.
pub(crate) fn parse(file: &Arc<str>, text: &str, dialect: Dialect, findings: &mut Findings) -> Vec<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let events = Parser::new_from_str(text);
    let mut builder = Builder { events, file, dialect, anchors: HashMap::new(), nodes: 0, findings };
    let mut documents = Vec::new();
    loop {
        match builder.next() {
            Ok(Some((Event::DocumentStart(..), _))) => match builder.node_after_start() {
                Ok(node) => documents.push(node),
                Err(stop) => {
                    builder.report(stop);
                    return documents;
                }
            },
            Ok(Some(_)) => {}
            Ok(None) => return documents,
            Err(stop) => {
                builder.report(stop);
                return documents;
            }
        }
    }
}

/// Why reading a file can't go on.
enum Stop {
    Syntax(ScanError),
    At(Place, String),
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self::Syntax(error)
    }
}

struct Builder<'a, 'input> {
    events: Parser<'input, StrInput<'input>>,
    file: &'a Arc<str>,
    dialect: Dialect,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    findings: &'a mut Findings,
}

impl<'input> Builder<'_, 'input> {
    fn next(&mut self) -> Result<Option<(Event<'input>, Span)>, Stop> {
        self.events.next_event().transpose().map_err(Stop::from)
    }

    fn place(&self, marker: Marker) -> Place {
        Place::new(Arc::clone(self.file), marker.line(), marker.col() + 1)
    }

    fn report(&mut self, stop: Stop) {
        match stop {
            Stop::Syntax(error) => {
                let place = self.place(*error.marker());
                self.findings.problem(&place, "", format!("expected YAML, but found an error in it: {}", error.kind()));
            }
            Stop::At(place, message) => self.findings.problem(&place, "", message),
        }
    }

    fn node_after_start(&mut self) -> Result<Node, Stop> {
        let (event, span) = self.expect_event()?;
        self.node(event, span, "")
    }

    fn expect_event(&mut self) -> Result<(Event<'input>, Span), Stop> {
        self.next()?.ok_or_else(|| {
            Stop::At(Place::new(Arc::clone(self.file), 1, 1), "expected YAML, but found the end of the file".into())
        })
    }

    fn node(&mut self, event: Event<'input>, span: Span, path: &str) -> Result<Node, Stop> {
        let place = self.place(span.start);
        self.count(&place, 1)?;
        let anchor = event.anchor_id();
        let tag = event.tag().and_then(|tag| self.tag(tag, &place, path));
        let as_text = event.tag().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if !as_text => Value::Scalar(self.plain(&text, &place, path)),
            Event::Scalar(text, ..) => Value::Scalar(Scalar::Text(text.into_owned())),
            Event::SequenceStart(..) => self.list(path)?,
            Event::MappingStart(..) => self.map(path)?,
            Event::Alias(id) => return self.alias(id, place),
            other => return Err(Stop::At(place, format!("expected a value, but found {other:?}"))),
        };
        let node = Node { place, tag, value };
        if let Some(id) = anchor {
            let size = node.size();
            self.anchors.insert(id, (node.clone(), size));
        }
        Ok(node)
    }

    fn tag(&mut self, tag: &yaml::Tag, place: &Place, path: &str) -> Option<Tag> {
        let known = match (self.dialect, tag.original().as_str()) {
            (Dialect::Compose, _) if tag.is_yaml_core_schema() => return None,
            (Dialect::Compose, "!reset") => return Some(Tag::Reset),
            (Dialect::Compose, "!override") => return Some(Tag::Override),
            (Dialect::Compose, _) => "one of the tags !reset and !override",
            (Dialect::Kubernetes, _) if ["str", "map", "seq"].iter().any(|of| tag.is_yaml_core_schema_tag(of)) => {
                return None;
            }
            (Dialect::Kubernetes, _) => "no tag other than !!str",
        };
        self.findings.problem(place, path, format!("expected {known}, but found {}", tag.original()));
        None
    }

    fn plain(&mut self, text: &str, place: &Place, path: &str) -> Scalar {
        if self.dialect == Dialect::Compose {
            return Scalar::plain(text);
        }
        let scalar = Scalar::plain_1_1(text);
        if matches!(scalar, Scalar::Float(number) if !number.is_finite()) {
            self.findings.problem(place, path, format!("expected a number that JSON has, but found {text}"));
        }
        scalar
    }

    /// The text of a key. `kubectl` takes the JSON of a number or a boolean, too.
    fn key(&self, key: &Value) -> Option<String> {
        match key {
            Value::Scalar(Scalar::Text(key)) => Some(key.clone()),
            Value::Scalar(key @ (Scalar::Bool(_) | Scalar::Integer(_) | Scalar::Float(_)))
                if self.dialect == Dialect::Kubernetes =>
            {
                Some(key.to_json().to_string())
            }
            _ => None,
        }
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<Node, Stop> {
        let Some((node, size)) = self.anchors.get(&id) else {
            return Err(Stop::At(
                place,
                "expected an alias of an earlier value, but found one of a value that contains it".into(),
            ));
        };
        let (node, size) = (node.clone(), *size);
        self.count(&place, size)?;
        Ok(node)
    }

    fn count(&mut self, place: &Place, nodes: usize) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            let message = format!("expected at most {MOST_NODES} values, but found more once aliases are expanded");
            return Err(Stop::At(place.clone(), message));
        }
        Ok(())
    }

    fn list(&mut self, path: &str) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            match self.expect_event()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => {
                    let item_path = format!("{path}[{}]", items.len());
                    items.push(self.node(event, span, &item_path)?);
                }
            }
        }
    }

    fn map(&mut self, path: &str) -> Result<Value, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merges: Option<(Place, Node)> = None;
        loop {
            let (event, span) = self.expect_event()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key_node = self.node(event, span, path)?;
            let (event, span) = self.expect_event()?;
            let key_place = key_node.place.clone();
            let Some(key) = self.key(&key_node.value) else {
                self.node(event, span, path)?;
                let message = format!("expected a text as key, but found {}; put it in quotes", key_node.describe());
                self.findings.problem(&key_place, path, message);
                continue;
            };
            let value = self.node(event, span, &join(path, &key))?;
            let earlier = if is_merge {
                merges.as_ref().map(|(place, _)| place)
            } else {
                entries.iter().find(|entry| entry.key == key).map(|entry| &entry.key_place)
            };
            if let Some(earlier) = earlier {
                let message = format!("expected each key once, but found `{key}` again, first used at {earlier}");
                self.findings.problem(&key_place, join(path, &key), message);
            } else if is_merge {
                merges = Some((key_place, value));
            } else {
                entries.push(Entry { key, key_place, value });
            }
        }
        if let Some((_, merged)) = merges {
            self.merge(&mut entries, merged, path);
        }
        Ok(Value::Map(entries))
    }

    /// `<<`: keys that the map doesn't have itself; of several sources the first one wins.
    fn merge(&mut self, entries: &mut Vec<Entry>, source: Node, path: &str) {
        match source.value {
            Value::Map(merged) => {
                for entry in merged {
                    if !entries.iter().any(|own| own.key == entry.key) {
                        entries.push(entry);
                    }
                }
            }
            Value::List(sources) if sources.iter().all(|s| matches!(s.value, Value::Map(_))) => {
                for source in sources {
                    self.merge(entries, source, path);
                }
            }
            _ => {
                let message = format!("expected a map or a list of maps, but found {}", source.describe());
                self.findings.problem(&source.place, join(path, "<<"), message);
            }
        }
    }
}
