//! What holds for every text.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use deploy_compose::{LoadError, Loader, model::Project};
use proptest::{collection, prelude::*, sample};

/// Valid files to begin with, each with its folder, where the files lie that it names.
static VALID: LazyLock<Vec<(PathBuf, String)>> = LazyLock::new(|| {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let fixtures = ["hard", "fixtures/api", "fixtures/hardened", "fixtures/secrets", "fixtures/worker"];
    let read = |folder: &str| {
        let folder = tests.join(folder);
        let text = std::fs::read_to_string(folder.join("compose.yaml")).expect("a fixture");
        (folder, text)
    };
    fixtures.into_iter().map(read).collect()
});

fn load(folder: &Path, text: &str) -> Result<Project, LoadError> {
    Loader::new(folder).env([("TOKEN", "t"), ("HOME", "/home/me")]).load_str("compose.yaml", text)
}

/// Pieces that mean something in YAML, in templates or in Compose.
const PIECES: [&str; 24] = [
    "\n", "  ", ": ", "- ", "{", "}", "[", "]", "\"", "'", "#", "&a ", "*a", "<<: ", "!reset ", "!!str ", "|\n", "$",
    "${", ":-", "null", "-1", "é", "0x",
];

#[derive(Clone, Debug)]
enum Change {
    Remove(sample::Index, usize),
    Insert(sample::Index, &'static str),
    Repeat(sample::Index, usize, sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<sample::Index>;
    prop_oneof![
        (at(), 1..40usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), sample::select(&PIECES[..])).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at(), 1..80usize, at()).prop_map(|(from, length, to)| Change::Repeat(from, length, to)),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let index = |at: &sample::Index| at.index(chars.len() + 1);
    match change {
        Change::Remove(at, length) => {
            let start = index(at);
            chars.drain(start..(start + length).min(chars.len()));
        }
        Change::Insert(at, piece) => {
            let start = index(at);
            chars.splice(start..start, piece.chars());
        }
        Change::Repeat(from, length, to) => {
            let (from, to) = (index(from), index(to));
            let piece: Vec<char> = chars[from..(from + length).min(chars.len())].to_vec();
            chars.splice(to..to, piece);
        }
    }
    chars.into_iter().collect()
}

/// A template as a tree, and what it stands for: written down without looking at the library's own parser.
#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Dollar,
    Plain(&'static str),
    Braced(&'static str),
    Alternative(&'static str, &'static str, Vec<Piece>),
}

const NAMES: [&str; 4] = ["SET", "EMPTY", "UNSET", "_x9"];

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let name = || sample::select(&NAMES[..]);
    let leaf = prop_oneof![
        "[ a-z:/?+-]{0,5}".prop_map(Piece::Text),
        Just(Piece::Dollar),
        name().prop_map(Piece::Braced),
        name().prop_map(Piece::Plain),
    ];
    let operators = sample::select(&[":-", "-", ":+", "+", ":?", "?"][..]);
    leaf.prop_recursive(3, 24, 4, move |inner| {
        (name(), operators.clone(), collection::vec(inner, 0..4))
            .prop_map(|(name, operator, operand)| Piece::Alternative(name, operator, operand))
    })
    .prop_flat_map(|piece| collection::vec(Just(piece), 1..3))
}

fn written(pieces: &[Piece]) -> String {
    let write = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Dollar => "$$".into(),
        // A letter after it would belong to the name.
        Piece::Plain(name) => format!("${name}."),
        Piece::Braced(name) => format!("${{{name}}}"),
        Piece::Alternative(name, operator, operand) => format!("${{{name}{operator}{}}}", written(operand)),
    };
    pieces.iter().map(write).collect()
}

/// `None` where a variable is required and missing.
fn meant(pieces: &[Piece], environment: &BTreeMap<&str, &str>) -> Option<String> {
    let mean = |piece: &Piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Dollar => Some("$".into()),
        Piece::Plain(name) => Some(format!("{}.", environment.get(name).unwrap_or(&""))),
        Piece::Braced(name) => Some((*environment.get(name).unwrap_or(&"")).to_owned()),
        Piece::Alternative(name, operator, operand) => {
            let value = environment.get(name).copied();
            let counts = value.filter(|value| !operator.starts_with(':') || !value.is_empty());
            match (operator.trim_start_matches(':'), counts) {
                ("-" | "?", Some(value)) => Some(value.to_owned()),
                ("-", None) | ("+", Some(_)) => meant(operand, environment),
                ("+", None) => Some(String::new()),
                _ => None,
            }
        }
    };
    pieces.iter().map(mean).collect()
}

/// Otherwise the property would be about refusals only.
#[test]
fn the_files_to_begin_with_load() {
    for (folder, text) in &*VALID {
        if let Err(error) = load(folder, text) {
            panic!("{}: {error}", folder.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_file_loads_or_is_refused_with_its_problems(
        file in any::<sample::Index>(),
        changes in collection::vec(change(), 1..6),
    ) {
        let (folder, text) = file.get(&VALID);
        let text = changes.iter().fold(text.clone(), |text, change| apply(&text, change));
        match load(folder, &text) {
            Ok(project) => {
                let stored = serde_json::to_string(&project.services).expect("services as JSON");
                let read: BTreeMap<_, _> = serde_json::from_str(&stored).expect("services from JSON");
                prop_assert_eq!(project.services, read);
            }
            Err(error) => {
                prop_assert!(!error.problems().is_empty());
                let lines = text.matches('\n').count() + 2;
                for problem in error.problems() {
                    prop_assert!(!problem.message.is_empty());
                    prop_assert!(problem.place.as_ref().is_none_or(|place| (1..=lines).contains(&place.line())));
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,200}") {
        let _ = Loader::new("/project").load_str("compose.yaml", &text);
    }

    #[test]
    fn interpolation_means_what_it_says(pieces in pieces()) {
        let environment = BTreeMap::from([("SET", "value"), ("EMPTY", ""), ("_x9", "$not a name")]);
        let quoted = serde_json::to_string(&written(&pieces)).expect("a quoted text");
        let text = format!("services: {{web: {{image: x, hostname: {quoted}}}}}");
        let loader = Loader::new("/project").env(environment.iter().map(|(name, value)| (*name, *value)));
        let loaded = loader.load_str("compose.yaml", &text).ok();
        let hostname = loaded.map(|project| project.services["web"].hostname.clone().unwrap_or_default());
        prop_assert_eq!(hostname, meant(&pieces, &environment));
    }
}
