//! CEL expressions over the attributes of an exchange: `expr_create`, `expr_evaluate`, `expr_delete`.
//!
//! An expression is a number of its plugin, from 0. What can be named is what `proxy_get_property`
//! finds; what cannot be found is an error, as in Envoy.
//!
//! Guests must not harm the host by what they write: length and loops are limited, and expressions
//! are parsed and evaluated on a thread of their own, whose stack is large enough for any of that
//! length.

use std::collections::{BTreeMap, HashMap};

use cel::objects::Key;
use cel::{Context, Program, Value};
use chrono::{DateTime, TimeDelta};

use super::attributes::TREE;
use super::properties::{Property, find};
use super::{Cx, Status};
use crate::wasm::guest::GuestState;

/// Bytes of an expression, and its macros that loop, at most; more is a bad argument.
const MOST_BYTES: usize = 2048;
const MOST_LOOPS: usize = 2;

/// Work of an evaluation beside the bytes that it copies: for the thread, and for each round of its
/// loops.
const EVALUATION: u64 = 1 << 20;
const ROUND: u64 = 256;

/// Expressions of a VM at most.
const MOST_EXPRESSIONS: usize = 10_000;

/// Some kilobytes for each byte of the longest expression.
const STACK_BYTES: usize = 64 << 20;

/// The expressions of a VM, by plugin.
#[derive(Default)]
pub(crate) struct Expressions {
    next: BTreeMap<u32, u32>,
    sources: BTreeMap<(u32, u32), String>,
}

/// Gives the number, as four bytes.
pub(super) fn create(cx: &mut Cx<'_>, source: &[u8]) -> Result<Vec<u8>, Status> {
    let source = str::from_utf8(source).map_err(|_| Status::BadArgument)?;
    if source.len() > MOST_BYTES || loops(source) > MOST_LOOPS {
        let text = format!(
            "expr_create: this host takes {MOST_BYTES} bytes and {MOST_LOOPS} macros that loop at most"
        );
        cx.state().log(3, &text);
        return Err(Status::BadArgument);
    }
    if !apart(|| Program::compile(source).is_ok()).unwrap_or(false) {
        return Err(Status::BadArgument);
    }
    let root = cx.state().root_of_call();
    let expressions = &mut cx.state_mut().expressions;
    if expressions.sources.len() >= MOST_EXPRESSIONS {
        return Err(Status::InternalFailure);
    }
    let next = expressions.next.entry(root).or_insert(0);
    let number = *next;
    *next = next.wrapping_add(1);
    expressions.sources.insert((root, number), source.to_owned());
    Ok(number.to_le_bytes().to_vec())
}

/// Gives the value, encoded as a property.
pub(super) fn evaluate(cx: &mut Cx<'_>, number: &[u8]) -> Result<Vec<u8>, Status> {
    let key = key(cx, number)?;
    let source = cx.state().expressions.sources.get(&key).ok_or(Status::NotFound)?.clone();
    if TREE.iter().any(|(group, _)| *group == source.trim()) {
        return Err(Status::SerializationFailure);
    }
    let variables = variables(cx.state());
    let (mut bytes, mut entries) = (0, source.len());
    variables.iter().for_each(|(_, value)| measure(value, &mut bytes, &mut entries));
    let rounds =
        (0..loops(&source)).fold(1, |rounds: u64, _| rounds.saturating_mul(entries as u64));
    let work = rounds.saturating_mul(ROUND).saturating_add(bytes as u64).saturating_add(EVALUATION);
    if work > cx.state().work.left() {
        cx.state().log(3, "expr_evaluate: this host does not loop so often in one call");
        return Err(Status::InternalFailure);
    }
    cx.charge(usize::try_from(work).unwrap_or(usize::MAX));
    let value = apart(move || {
        let program = Program::compile(&source).ok()?;
        let mut context = Context::default();
        for (name, value) in variables {
            context.add_variable_from_value(name, cel_value(value));
        }
        // Left in here: values are not for other threads.
        program.execute(&context).ok().map(property)
    });
    value.flatten().ok_or(Status::InternalFailure)??.encode()
}

/// One that is not there is no error.
pub(super) fn delete(cx: &mut Cx<'_>, number: &[u8]) -> Result<(), Status> {
    let key = key(cx, number)?;
    cx.state_mut().expressions.sources.remove(&key);
    Ok(())
}

/// How many of the macros that loop are in it.
fn loops(source: &str) -> usize {
    let names = [".all(", ".exists(", ".exists_one(", ".filter(", ".map("];
    names.iter().map(|name| source.matches(name).count()).sum()
}

/// Adds the bytes of a value, and the entries that can be looped over.
fn measure(value: &Property, bytes: &mut usize, entries: &mut usize) {
    match value {
        Property::Bytes(text) => *bytes += text.len(),
        Property::Map(pairs) => {
            *entries += pairs.len();
            for (name, value) in pairs {
                *bytes += name.len();
                measure(value, bytes, entries);
            }
        }
        Property::List(items) => {
            *entries += items.len();
            items.iter().for_each(|item| measure(item, bytes, entries));
        }
        _ => {}
    }
}

fn key(cx: &Cx<'_>, number: &[u8]) -> Result<(u32, u32), Status> {
    let number = number.try_into().map_err(|_| Status::BadArgument)?;
    Ok((cx.state().root_of_call(), u32::from_le_bytes(number)))
}

/// Runs `work` on a thread with a large stack; `None` if it panics, or there is no thread.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        thread.ok()?.join().ok()
    })
}

/// Everything that an expression can name now.
fn variables(state: &GuestState) -> Vec<(String, Property)> {
    let mut out = Vec::new();
    for (group, members) in TREE {
        let member = |name: &&str| {
            let value = find(state, &[group, name])?;
            Some((name.as_bytes().to_vec(), value))
        };
        if find(state, &[group]).is_some() {
            let members = members.iter().filter_map(member).collect();
            out.push(((*group).to_owned(), Property::Map(members)));
        }
    }
    for name in ["metadata", "connection_id", "plugin_name", "plugin_root_id", "plugin_vm_id"] {
        out.extend(find(state, &[name]).map(|value| (name.to_owned(), value)));
    }
    if let Some(stream) = state.stream() {
        let info = stream.info.borrow();
        let mut objects = Vec::new();
        for (key, value) in &info.filter_state {
            objects.push((key.clone(), Property::Bytes(value.clone())));
            let name = key.strip_prefix(b"wasm.").and_then(|name| str::from_utf8(name).ok());
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if let Some(name) = name.filter(|name| name.chars().all(is_name)) {
                out.push((name.to_owned(), Property::Bytes(value.clone())));
            }
        }
        out.push(("filter_state".to_owned(), Property::Map(objects)));
    }
    out
}

fn cel_value(property: Property) -> Value {
    match property {
        Property::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => Value::Bytes(error.into_bytes().into()),
        },
        Property::Int(number) => Value::Int(number),
        Property::Time(nanos) => Value::Timestamp(DateTime::from_timestamp_nanos(nanos).into()),
        Property::Span(nanos) => Value::Duration(TimeDelta::nanoseconds(nanos)),
        Property::Double(number) => Value::Float(number),
        Property::Bool(yes) => Value::Bool(yes),
        Property::Map(pairs) => {
            let pair = |(key, value): (Vec<u8>, Property)| {
                let key = String::from_utf8_lossy(&key).into_owned();
                (Key::String(key.into()), cel_value(value))
            };
            pairs.into_iter().map(pair).collect::<HashMap<Key, Value>>().into()
        }
        Property::List(items) => {
            Value::List(items.into_iter().map(cel_value).collect::<Vec<_>>().into())
        }
        Property::Group => Value::Null,
    }
}

/// The value as a property; maps by their keys, since they have no order of their own.
fn property(value: Value) -> Result<Property, Status> {
    Ok(match value {
        Value::Bool(yes) => Property::Bool(yes),
        Value::Bytes(bytes) => Property::Bytes(bytes.to_vec()),
        Value::Float(number) => Property::Double(number),
        Value::Int(number) => Property::Int(number),
        Value::UInt(number) => Property::Int(number.cast_signed()),
        Value::String(text) => Property::text(text.as_str()),
        Value::Duration(time) => Property::Int(time.num_nanoseconds().unwrap_or(i64::MAX)),
        Value::Timestamp(time) => Property::Int(time.timestamp_nanos_opt().unwrap_or(i64::MAX)),
        Value::List(items) => {
            let items = items.iter().map(|item| property(item.clone()));
            Property::List(items.collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let pair = |(key, value): (&Key, &Value)| {
                let key = property(Value::from(key))?.encode()?;
                Ok((key, property(value.clone())?))
            };
            let mut pairs: Vec<(Vec<u8>, Property)> =
                map.map.iter().map(pair).collect::<Result<_, Status>>()?;
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Property::Map(pairs)
        }
        _ => return Err(Status::SerializationFailure),
    })
}
