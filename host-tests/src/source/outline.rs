//! Where in a YAML or JSON text each value stands.
//!
//! Read from the events of a parser of its own (`saphyr-parser`), since what fills structs has
//! forgotten places. It goes as far as the text can be parsed: what was read before a syntax error
//! still has places.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

pub(super) const TOO_DEEP: &str = "found more than 128 levels of nesting, expected at most that";
pub(super) const TOO_MANY: &str =
    "found aliases that stand for more than a million values, expected at most that";

/// What serde's YAML reader goes down to.
const MOST_LEVELS: usize = 128;
const MOST_VALUES: usize = 1_000_000;

/// A place in a text, both counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// The values of a text with their places.
#[derive(Debug, Default)]
pub(super) struct Outline {
    nodes: Vec<Node>,
    /// The root of each document.
    documents: Vec<usize>,
    /// The first value that is too deep, or an alias that stands for too much.
    beyond: Option<(Position, &'static str)>,
}

#[derive(Debug)]
struct Node {
    position: Position,
    kind: Kind,
    /// Values in it, itself included, each alias as what it stands for.
    values: usize,
}

#[derive(Debug)]
enum Kind {
    /// Whether its lines are those of the text (`|`).
    Scalar {
        literal: bool,
    },
    Sequence(Vec<usize>),
    Mapping(Vec<Entry>),
    /// What it stands for.
    Alias(Option<usize>),
}

const NOTHING: Kind = Kind::Scalar { literal: false };

#[derive(Debug)]
struct Entry {
    /// Empty for a key that is no text.
    name: String,
    position: Position,
    value: usize,
}

impl Outline {
    pub(super) fn of(text: &str) -> Self {
        let mut builder = Builder::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    // It gives up at 255 brackets, and may have read that far before the first event.
                    if error.info() == "recursion limit exceeded" {
                        let mark = error.marker();
                        let position = Position { line: mark.line(), column: mark.col() + 1 };
                        builder.outline.beyond.get_or_insert((position, TOO_DEEP));
                    }
                    // What follows a syntax error has no places.
                    break;
                }
            };
            if builder.outline.beyond.is_some() {
                break;
            }
            builder.take(event, span);
        }
        while !builder.open.is_empty() {
            builder.close();
        }
        builder.outline
    }

    /// Where and why a reader that expands aliases and calls itself per level must not have the text.
    pub(super) fn within_limits(&self) -> Result<(), (Position, String)> {
        match self.beyond {
            Some((position, why)) => Err((position, why.to_owned())),
            None => Ok(()),
        }
    }

    /// The place that `message` about `path` in a `document` means.
    pub(super) fn position(&self, document: usize, path: &str, message: &str) -> Option<Position> {
        let (key, at) = self.find(document, path)?;
        if message.starts_with("unknown field") && key.is_some() {
            return key;
        }
        if message.contains(" twice")
            && let Some(name) = message.split('`').nth(1)
            && let Kind::Mapping(entries) = self.kind(at)
            && let Some(second) =
                entries.iter().filter(|entry| entry.name.eq_ignore_ascii_case(name)).nth(1)
        {
            return Some(second.position);
        }
        self.nodes.get(at).map(|node| node.position)
    }

    /// The place of what is at `inner` of the text that is at `path`.
    pub(super) fn inside(&self, document: usize, path: &str, inner: Position) -> Option<Position> {
        let (_, at) = self.find(document, path)?;
        let start = self.nodes.get(at)?.position;
        Some(match self.kind(at) {
            Kind::Scalar { literal: true } => Position {
                line: start.line + inner.line - 1,
                column: start.column + inner.column - 1,
            },
            _ => start,
        })
    }

    /// The node at `path` with the place of its key, or the deepest one on the way there: that
    /// something is missing is a mistake of its parent.
    fn find(&self, document: usize, path: &str) -> Option<(Option<Position>, usize)> {
        let mut found = (None, *self.documents.get(document)?);
        let mut rest = path;
        while !rest.is_empty() {
            let Some((key, value, behind)) = self.step(found.1, rest) else {
                return Some((None, found.1));
            };
            found = (key, value);
            rest = behind.strip_prefix('.').unwrap_or(behind);
        }
        Some(found)
    }

    /// The first key that its mapping already has, with its path.
    pub(super) fn repeated_key(&self) -> Option<(String, Position)> {
        // In the order of the text, and without recursion: that of the roots' descendants.
        let mut todo: Vec<(usize, String)> =
            self.documents.iter().rev().map(|root| (*root, String::new())).collect();
        while let Some((at, path)) = todo.pop() {
            match self.nodes.get(at).map(|node| &node.kind) {
                Some(Kind::Sequence(items)) => {
                    let items = items.iter().enumerate().rev();
                    todo.extend(items.map(|(i, item)| (*item, format!("{path}[{i}]"))));
                }
                Some(Kind::Mapping(entries)) => {
                    let mut seen = std::collections::HashSet::new();
                    let dot = if path.is_empty() { "" } else { "." };
                    if let Some(twice) = entries.iter().find(|entry| !seen.insert(&entry.name)) {
                        return Some((format!("{path}{dot}{}", twice.name), twice.position));
                    }
                    let children = entries.iter().rev();
                    todo.extend(
                        children.map(|entry| (entry.value, format!("{path}{dot}{}", entry.name))),
                    );
                }
                _ => {}
            }
        }
        None
    }

    /// One step down from `at`: the key's place, the value, and what is left of the path. Keys may
    /// have dots in them, so the longest one wins.
    fn step<'p>(&self, at: usize, path: &'p str) -> Option<(Option<Position>, usize, &'p str)> {
        match self.kind(at) {
            Kind::Sequence(items) => {
                let (index, behind) = path.strip_prefix('[')?.split_once(']')?;
                Some((None, *items.get(index.parse::<usize>().ok()?)?, behind))
            }
            Kind::Mapping(entries) => {
                let behind = |name: &str| {
                    let (start, behind) = path.split_at_checked(name.len())?;
                    // Paths have header names in lower case.
                    let same = start.eq_ignore_ascii_case(name);
                    let ends = behind.is_empty() || behind.starts_with(['.', '[']);
                    (same && ends).then_some(behind)
                };
                entries
                    .iter()
                    .filter(|entry| !entry.name.is_empty())
                    .filter_map(|entry| Some((entry, behind(&entry.name)?)))
                    // Of two that differ in case the one that is written so.
                    .max_by_key(|(entry, _)| (entry.name.len(), path.starts_with(&entry.name)))
                    .map(|(entry, behind)| (Some(entry.position), entry.value, behind))
            }
            Kind::Scalar { .. } | Kind::Alias(_) => None,
        }
    }

    /// What is at `at`, or what an alias there stands for.
    fn kind(&self, at: usize) -> &Kind {
        match self.nodes.get(at).map(|node| &node.kind) {
            Some(Kind::Alias(Some(target))) => {
                self.nodes.get(*target).map_or(&NOTHING, |node| &node.kind)
            }
            Some(kind) => kind,
            None => &NOTHING,
        }
    }
}

/// An outline that grows.
#[derive(Default)]
struct Builder {
    outline: Outline,
    /// Collections that have begun, with the key that waits for its value.
    open: Vec<(usize, Option<(String, Position)>)>,
    anchors: HashMap<usize, usize>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) {
        let position = Position { line: span.start.line(), column: span.start.col() + 1 };
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let literal = style == ScalarStyle::Literal;
                let at = self.add(position, Kind::Scalar { literal }, anchor);
                self.placed(at, || text.into_owned());
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let at = self.add(position, Kind::Alias(target), 0);
                let values = target.and_then(|target| self.outline.nodes.get(target));
                // One that is still open has no size yet: it stands for itself.
                let values = values
                    .map_or(1, |node| if node.values == 0 { MOST_VALUES } else { node.values });
                self.count(at, values);
                self.placed(at, String::new);
            }
            Event::SequenceStart(anchor, _) => {
                self.begin(position, Kind::Sequence(Vec::new()), anchor)
            }
            Event::MappingStart(anchor, _) => {
                self.begin(position, Kind::Mapping(Vec::new()), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }

    fn add(&mut self, position: Position, kind: Kind, anchor: usize) -> usize {
        let at = self.outline.nodes.len();
        let values = usize::from(matches!(kind, Kind::Scalar { .. }));
        self.outline.nodes.push(Node { position, kind, values });
        if anchor > 0 {
            self.anchors.insert(anchor, at);
        }
        at
    }

    fn begin(&mut self, position: Position, kind: Kind, anchor: usize) {
        let at = self.add(position, kind, anchor);
        self.open.push((at, None));
        if self.open.len() > MOST_LEVELS {
            self.outline.beyond = Some((position, TOO_DEEP));
        }
    }

    fn close(&mut self) {
        let Some((at, _)) = self.open.pop() else { return };
        let nodes = &self.outline.nodes;
        let values = |children: &mut dyn Iterator<Item = usize>| {
            children
                .filter_map(|child| nodes.get(child))
                .fold(1, |sum: usize, child| sum.saturating_add(child.values))
        };
        let values = match nodes.get(at).map(|node| &node.kind) {
            Some(Kind::Sequence(items)) => values(&mut items.iter().copied()),
            Some(Kind::Mapping(entries)) => values(&mut entries.iter().map(|entry| entry.value)),
            _ => 1,
        };
        self.count(at, values);
        self.placed(at, String::new);
    }

    fn count(&mut self, at: usize, values: usize) {
        let Some(node) = self.outline.nodes.get_mut(at) else { return };
        node.values = values;
        // Without aliases a text has no more values than bytes.
        if values > MOST_VALUES && !self.anchors.is_empty() {
            self.outline.beyond.get_or_insert((node.position, TOO_MANY));
        }
    }

    /// Puts the finished node `at` into the collection that is open: as a key, which is called `name`,
    /// or as a value.
    fn placed(&mut self, at: usize, name: impl FnOnce() -> String) {
        let Some((parent, key)) = self.open.last_mut() else {
            self.outline.documents.push(at);
            return;
        };
        let Some(position) = self.outline.nodes.get(at).map(|node| node.position) else { return };
        match (self.outline.nodes.get_mut(*parent).map(|node| &mut node.kind), key.take()) {
            (Some(Kind::Sequence(items)), _) => items.push(at),
            (Some(Kind::Mapping(_)), None) => *key = Some((name(), position)),
            (Some(Kind::Mapping(entries)), Some((name, position))) => {
                entries.push(Entry { name, position, value: at });
            }
            _ => {}
        }
    }
}
