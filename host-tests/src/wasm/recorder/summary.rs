//! The arguments of host calls in a few words: what is called by name is named, of values only the
//! size is told.

/// An argument's name in the ABI's list, and its value.
pub(crate) type Argument = (&'static str, i128);

/// Names are cut behind so many bytes.
const MOST_NAME: usize = 80;

/// Arguments that name something, so that their text may be shown.
const NAMES: [&str; 8] = ["key", "name", "path", "upstream", "service", "method", "vm", "details"];

/// `arguments` in words, with names from the guest's `memory`.
pub(super) fn summary(function: &str, arguments: &[Argument], memory: &[u8]) -> String {
    let mut words = Vec::new();
    let mut rest = arguments;
    while let [(name, value), behind @ ..] = rest {
        rest = behind;
        // Where the host writes its answers to.
        if *name == "to" || name.starts_with("to_") {
            continue;
        }
        // -1: the answer is not one to a gRPC call.
        if *name == "grpc_status" && matches!(value, -1 | 0xffff_ffff) {
            continue;
        }
        if let [(size_name, size), behind @ ..] = rest
            && is_size(name, size_name)
        {
            rest = behind;
            words.push(match NAMES.contains(name) {
                true => text(*value, *size, memory),
                false if *name == "at" => format!("{size} bytes"),
                false => format!("{name} {size} bytes"),
            });
            continue;
        }
        words.push(match (*name, *value) {
            ("map", map) => member(&MAPS, map, "map"),
            ("buffer", buffer) => member(&BUFFERS, buffer, "buffer"),
            ("level", level) => member(&LEVELS, level, "level"),
            ("most", most) => format!("at most {most} bytes"),
            ("stream", stream) => member(&STREAMS, stream, "stream"),
            ("kind", kind) => member(&KINDS, kind, "kind"),
            (name, value) => format!("{name} {value}"),
        });
    }
    // All of a buffer is what most calls ask for.
    if function == "proxy_get_buffer_bytes"
        && let Some((most, start)) = words.split_last().map(|(most, rest)| (most, rest.last()))
        && start.is_some_and(|start| start == "start 0")
        && *most == format!("at most {} bytes", i32::MAX)
    {
        words.truncate(1);
    }
    words.join(", ")
}

/// How many bytes of the guest's `memory` the arguments point to, where they do.
pub(super) fn bytes_given(arguments: &[Argument], memory: &[u8]) -> u64 {
    let pairs = arguments.iter().zip(arguments.iter().skip(1));
    let given = pairs.filter(|((name, _), (size_name, _))| is_size(name, size_name));
    given.map(|((_, at), (_, size))| range(*at, *size, memory).map_or(0, |b| b.len() as u64)).sum()
}

/// Whether the argument behind `name` is its length.
fn is_size(name: &str, behind: &str) -> bool {
    if name == "to" {
        return false;
    }
    behind.strip_suffix("_size") == Some(name) || (name == "at" && behind == "size")
}

fn range(at: i128, size: i128, memory: &[u8]) -> Option<&[u8]> {
    let (at, size) = (usize::try_from(at).ok()?, usize::try_from(size).ok()?);
    memory.get(at..at.checked_add(size)?)
}

/// A name as far as it is text; NUL, which separates the parts of a property's path, is a dot.
fn text(at: i128, size: i128, memory: &[u8]) -> String {
    let Some(bytes) = range(at, size, memory) else {
        return format!("{size} bytes outside of the memory");
    };
    let cut = bytes.get(..MOST_NAME).unwrap_or(bytes);
    let printable = |text: &&str| !text.chars().any(|c| c.is_control() && c != '\0');
    match std::str::from_utf8(cut).ok().filter(printable) {
        Some(text) => {
            let dots = if cut.len() < bytes.len() { "…" } else { "" };
            format!("\"{}{dots}\"", text.trim_end_matches('\0').replace('\0', "."))
        }
        // A cut in the middle of a character, or a message such as Envoy's GrpcService.
        None => format!("{size} bytes"),
    }
}

fn member(names: &[&str], number: i128, what: &str) -> String {
    match usize::try_from(number).ok().and_then(|number| names.get(number)) {
        Some(name) => (*name).to_owned(),
        None => format!("{what} {number}"),
    }
}

const MAPS: [&str; 8] = [
    "request headers",
    "request trailers",
    "response headers",
    "response trailers",
    "gRPC initial metadata",
    "gRPC trailing metadata",
    "callout headers",
    "callout trailers",
];

const BUFFERS: [&str; 9] = [
    "request body",
    "response body",
    "downstream data",
    "upstream data",
    "callout body",
    "gRPC message",
    "VM configuration",
    "plugin configuration",
    "call data",
];

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "critical"];

const STREAMS: [&str; 4] = ["request", "response", "downstream", "upstream"];

const KINDS: [&str; 3] = ["counter", "gauge", "histogram"];
