//! Chains and exchanges from a seed.

use std::fmt::Write as _;

/// What a seed gives.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Generated {
    /// Name and callbacks of each module.
    pub(super) filters: Vec<(String, Vec<(&'static str, String)>)>,
    /// The scenario that names them.
    pub(super) yaml: String,
}

/// How many exchanges a chain serves.
const EXCHANGES: u64 = 6;

/// Each filter does one thing for one half of its streams and another for the other.
const VARIANTS: u64 = 2;

pub(super) fn generate(seed: u64) -> Generated {
    let mut random = Random(seed);
    let mut filters = Vec::new();
    let mut yaml = format!(
        "description: seed {seed}\nroute: {{retryOn: [503], retriableHeaders: [x-retry]}}\nchain:\n"
    );
    for name in ["a", "b", "c", "d"].iter().take(1 + random.below(4) as usize) {
        let at = if random.one_in(4) { "upstream" } else { "downstream" };
        // Not failReload: a second's wait is real on one host only.
        let policy = if random.one_in(2) { "failClosed" } else { "failOpen" };
        let _ = writeln!(
            yaml,
            "  - {{wasm: ./{name}.wasm, config: '{name}', at: {at}, failurePolicy: {policy}}}"
        );
        filters.push(((*name).to_owned(), module(&mut random, name, at == "upstream")));
    }
    yaml += "exchanges:\n";
    for i in 0..EXCHANGES {
        let _ = writeln!(yaml, "  - {{name: '{i}', {}}}", exchange(&mut random, i));
    }
    Generated { filters, yaml }
}

/// The two messages, by what host functions call them.
struct Side {
    name: &'static str,
    headers: u32,
    trailers: u32,
    body: u32,
}

const REQUEST: Side = Side { name: "request", headers: 0, trailers: 1, body: 0 };
const RESPONSE: Side = Side { name: "response", headers: 2, trailers: 3, body: 1 };

fn module(random: &mut Random, name: &str, upstream: bool) -> Vec<(&'static str, String)> {
    let mut callbacks = vec![
        ("raw", super::super::resets::NUMBER.1.to_owned()),
        (
            "on_log",
            "(call $say @\"log\")
         (call $state @\"response\\00code_details\")
         (call $number @\"response\\00flags\")
         (call $header (i32.const 0) @\":path\")
         (call $header (i32.const 2) @\":status\")"
                .to_owned(),
        ),
    ];
    for (side, on) in [
        (REQUEST, ["on_request_headers", "on_request_body", "on_request_trailers"]),
        (RESPONSE, ["on_response_headers", "on_response_body", "on_response_trailers"]),
    ] {
        let [headers, body, trailers] = on;
        // What an upstream filter holds of a body whose headers it let go, Envoy sends on as soon as
        // the connection is made, past later filters: chance, so not here.
        let both = upstream && side.headers == REQUEST.headers;
        let holds: Vec<Holds> = (0..VARIANTS).map(|_| Holds::any(random, both)).collect();
        callbacks.push((
            headers,
            variants(random, &holds, |r, holds| on_headers(r, &side, name, holds.headers)),
        ));
        // A held message is let go by its body.
        if both || !random.one_in(4) {
            callbacks.push((
                body,
                variants(random, &holds, |r, holds| on_body(r, &side, name, holds.body)),
            ));
        }
        if random.one_in(2) {
            callbacks
                .push((trailers, variants(random, &holds, |r, _| on_trailers(r, &side, name))));
        }
    }
    callbacks
}

/// What of a message a variant holds until its end.
struct Holds {
    headers: bool,
    body: bool,
}

impl Holds {
    /// `both`: none or both.
    fn any(random: &mut Random, both: bool) -> Self {
        let body = random.one_in(2);
        Self { headers: if both { body } else { random.one_in(3) }, body }
    }
}

/// A callback whose instructions depend on the stream; `$r` is its result.
fn variants(
    random: &mut Random,
    holds: &[Holds],
    mut of: impl FnMut(&mut Random, &Holds) -> String,
) -> String {
    let mut text = String::from("(local $r i32)\n");
    for (variant, holds) in holds.iter().enumerate() {
        let _ = writeln!(
            text,
            "(if (i32.eq (i32.rem_u (local.get $id) (i32.const {VARIANTS})) (i32.const {variant})) (then\n{}))",
            of(random, holds)
        );
    }
    text + "(local.get $r)"
}

/// Waits for what comes behind, unless nothing does.
const PAUSE: &str = "(local.set $r (i32.eqz (local.get $end)))\n";

fn on_headers(random: &mut Random, side: &Side, name: &str, holds: bool) -> String {
    let map = side.headers;
    let which = side.name;
    // Bodies change, so their length is not told.
    let mut text = format!(
        "(call $say @\"{which} headers\") (call $note (local.get $end))
         (drop (call $remove_header (i32.const {map}) @\"content-length\"))\n"
    );
    random.maybe(3, &mut text, || set(map, &format!("x-{name}-{which}"), "1"));
    random.maybe(4, &mut text, || add(map, "x-common", name));
    random.maybe(6, &mut text, || {
        format!("(drop (call $remove_header (i32.const {map}) @\"x-gone\"))\n")
    });
    random.maybe(4, &mut text, || format!("(call $header (i32.const {map}) @\"x-common\")\n"));
    random.maybe(6, &mut text, || {
        format!("(drop (call $set_state @\"tollgate.model\" @\"{name}{which}\"))\n")
    });
    random.maybe(6, &mut text, || "(call $state @\"tollgate.model\")\n".into());
    if map == REQUEST.headers {
        random.maybe(8, &mut text, || set(map, ":path", &format!("/by-{name}")));
    } else {
        random.maybe(12, &mut text, || set(map, "x-retry", "1"));
        random.maybe(12, &mut text, || set(map, ":status", "202"));
    }
    text += if holds { PAUSE } else { "" };
    ends(random, &mut text, 14, which);
    text
}

fn on_body(random: &mut Random, side: &Side, name: &str, holds: bool) -> String {
    let Side { headers, trailers, body, name: which } = side;
    let mut text = String::new();
    text += if holds { PAUSE } else { "" };
    let mut end = format!("(call $say @\"{which} end\")\n");
    random.maybe(5, &mut end, || {
        format!("(drop (call $set_body (i32.const {body}) (i32.const 0) (i32.const 0) @\"front-{name}-\"))\n")
    });
    random.maybe(5, &mut end, || {
        format!("(drop (call $set_body (i32.const {body}) (i32.const 0x7fffffff) (i32.const 0) @\"-back-{name}\"))\n")
    });
    random.maybe(5, &mut end, || set(*headers, &format!("x-{name}-late"), "1"));
    random.maybe(8, &mut end, || add(*trailers, &format!("x-{name}-made"), "1"));
    ends(random, &mut end, 20, which);
    let _ = write!(text, "(if (local.get $end) (then\n{end}))\n");
    // At the first piece.
    ends(random, &mut text, 24, which);
    text
}

fn on_trailers(random: &mut Random, side: &Side, name: &str) -> String {
    let Side { trailers, name: which, .. } = side;
    let mut text = format!("(call $say @\"{which} trailers\") (call $note (local.get $n))\n");
    random.maybe(2, &mut text, || add(*trailers, &format!("x-{name}-trailer"), "1"));
    random.maybe(4, &mut text, || {
        format!("(drop (call $remove_header (i32.const {trailers}) @\"x-gone\"))\n")
    });
    ends(random, &mut text, 16, which);
    text
}

/// At times something that ends the stream.
fn ends(random: &mut Random, text: &mut String, one_in: u64, which: &str) {
    if !random.one_in(one_in) {
        return;
    }
    let status = [403, 418, 500, 503][random.below(4) as usize];
    *text += &match random.below(6) {
        0 => "unreachable\n".to_owned(),
        1 => format!("(call $reply (i32.const {status}) @\"\")\n"),
        2 => format!(
            "(call $reply (i32.const {status}) @\"no {which}\") (local.set $r (i32.const 1))\n"
        ),
        _ => format!("(call $reply (i32.const {status}) @\"no {which}\")\n"),
    };
}

fn set(map: u32, name: &str, value: &str) -> String {
    format!("(drop (call $set_header (i32.const {map}) @\"{name}\" @\"{value}\"))\n")
}

fn add(map: u32, name: &str, value: &str) -> String {
    format!("(drop (call $add_header (i32.const {map}) @\"{name}\" @\"{value}\"))\n")
}

fn exchange(random: &mut Random, i: u64) -> String {
    let mut request = format!("path: /{i}, headers: {{x-gone: '1', x-common: c}}");
    let attempts = [0, 1, 1, 1, 1, 2, 2, 3][random.below(8) as usize];
    let leaves = random.one_in(8);
    if !random.one_in(4) {
        request += &body(random, 'q');
        // Of retried trailers Envoy shows later upstream filters some twice: not mirrored.
        if random.one_in(4) && !leaves && attempts < 2 {
            request += ", trailers: {x-gone: '1', x-t: '1'}";
        }
        if leaves {
            request += ", reset: true";
        }
    }
    if random.one_in(10) {
        request += ", method: HEAD";
    }
    if random.one_in(16) {
        let _ = write!(request, ", abortAfterBytes: {}", random.below(12));
    }
    let upstream: Vec<String> = (0..attempts).map(|_| upstream(random)).collect();
    format!("request: {{{request}}}, upstream: [{}]", upstream.join(", "))
}

fn upstream(random: &mut Random) -> String {
    let status = [200, 200, 200, 503, 503, 404, 204, 304][random.below(8) as usize];
    let mut text = format!("{{status: {status}, headers: {{x-gone: '1', x-common: u}}");
    let bodiless = matches!(status, 204 | 304);
    if !bodiless && !random.one_in(6) {
        text += &body(random, 'a');
        if random.one_in(4) {
            text += ", trailers: {x-gone: '1', x-t: '2'}";
        } else if random.one_in(6) {
            text += ", reset: true";
        }
    }
    if random.one_in(10) {
        text += ", early: true";
    }
    text + "}"
}

fn body(random: &mut Random, of: char) -> String {
    let size = [1, 3, 10, 50, 3000, 20_000][random.below(6) as usize];
    let mut text = format!(", body: {}", of.to_string().repeat(size));
    match random.below(4) {
        0 if size < 100 => text += ", chunks: every-byte",
        1 if size > 2 => {
            let _ = write!(text, ", chunks: [{}]", 1 + random.below(size as u64 - 1));
        }
        2 => {
            let _ = write!(text, ", chunks: seed:{}", random.below(100));
        }
        _ => {}
    }
    text
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn maybe(&mut self, one_in: u64, text: &mut String, what: impl FnOnce() -> String) {
        if self.one_in(one_in) {
            *text += &what();
        }
    }
}
