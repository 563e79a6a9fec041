//! How many tokens a prompt has, about: from the text of a request, without a tokenizer.
//!
//! The estimate is the sum of a weight for every pair of neighbouring characters, by class: letters,
//! kinds of punctuation, scripts. Tokenizers that learned merges of frequent neighbours from text
//! (byte pair encoding) are matched closely by that: a frequent pair inside a word is cheap, a rare
//! one is where tokens end. The weights ([`weights`]) were fitted to OpenAI's o200k and Llama 3's
//! tokenizers by `benchmarks/tokens/fit.py`; `benchmarks/tokens/measure.py` tells the error for these
//! and others. For a family of models that cuts text finer or coarser the result takes a factor.
//!
//! What counts:
//!
//! - string values anywhere in the body, but for those of members that are [`Part::None`].
//!   What is not known is counted: an estimate too large costs a larger model, one too small an error.
//!   Names of roles and types are counted with the rest, and are a token each in truth, too;
//! - numbers and keys as far as they are in the prompt: see [`Part`];
//! - some tokens per message and per request, which chat templates put around them.
//!
//! What does not: base64, since images, audio and files are not text. That is a string from end to
//! end of its alphabet and at least [`BASE64`] characters, or a `data:` URL. Inside other text, base64
//! is text to the model, too.
//!
//! Not here: which member is which (the body's `WANTED`), the factor (`config`), classes of size.

mod weights;

use std::ops::Range;

use tollgate_json::{Kind, Strings, Wanted};

use weights::{
    CLASSES, EDGE, LATIN_1, LATIN_EXTENDED, OF_ASCII, OTHER, PAIRS, RANGES, SCRIPTS, UNIT,
};

/// From this many characters on, a string of nothing but base64 is none of text.
const BASE64: u64 = 512;

/// What each character of base64 beyond [`BASE64`] costs if the string turns out to be text after all.
const LONG_WORD: u64 = 7 * UNIT / 10;

/// What chat templates put around a message (`<|start_header_id|>` and the like), but its role.
const MESSAGE: u64 = 3 * UNIT;

/// What chat templates put before the answer.
const REQUEST: u64 = 3 * UNIT;

/// What JSON puts around each string of a schema: quotes, colons, braces.
const QUOTES: u64 = 2 * UNIT;

/// What the strings of a top-level member are to the prompt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// Not in the prompt.
    None,
    /// Values are text, numbers are tokens (completions and embeddings take `[1, 2, 3]` for text), and
    /// each object of an array is a message.
    Text,
    /// A description of tools or of the answer, which providers write into the prompt: keys are text,
    /// too.
    Schema,
}

/// The members to look for that are more to the prompt than text: to be among what the scanner wants,
/// in this order and side by side.
///
/// - `messages` (OpenAI, Anthropic, Bedrock), `contents` (Gemini), `input` (Responses, embeddings),
///   `prompt` (completions): [`Part::Text`];
/// - `tools`, `functions`, `toolConfig` (Bedrock), `response_format`, `text` (Responses):
///   [`Part::Schema`].
///
/// What the scanner wants for something else is [`Part::None`]. All others (`system`, `instructions`,
/// `systemInstruction`, `query`, `documents`, …) are text, without keys, numbers and messages.
pub const MEMBERS: [Wanted; 9] = [
    Wanted { key: "messages", keep: 0 },
    Wanted { key: "contents", keep: 0 },
    Wanted { key: "input", keep: 0 },
    Wanted { key: "prompt", keep: 0 },
    Wanted { key: "tools", keep: 0 },
    Wanted { key: "functions", keep: 0 },
    Wanted { key: "toolConfig", keep: 0 },
    Wanted { key: "response_format", keep: 0 },
    Wanted { key: "text", keep: 0 },
];

/// Adds up the tokens of a request, as its strings come by.
#[derive(Clone, Debug)]
pub struct Estimator {
    /// The index of [`MEMBERS`]' first in what is wanted of the scanner.
    first: usize,
    /// So far, but for the string under way; in [`UNIT`]s of a token.
    total: u64,
    /// Whether the string under way counts.
    counts: bool,
    /// What it costs beside its text.
    around: u64,
    /// Its text so far.
    text: u64,
    /// The class of the character before.
    before: u8,
    /// The script of the character before, an index of [`SCRIPTS`]; 0 if it has none.
    script: u8,
    /// If it has one: the range that it is in, and what another one of that range costs.
    range: Range<u32>,
    again: u64,
    /// Whether it is base64.
    base64: Base64,
    /// Whether there was a message.
    has_messages: bool,
}

/// What speaks for base64, of a string so far.
#[derive(Clone, Copy, Debug)]
enum Base64 {
    /// It is text.
    No,
    /// So many characters, all of the alphabet; the first four of them.
    Only { len: u64, first: u32 },
    /// In `data:…`, so many characters; the last eight of them.
    UrlHeader { len: u8, last: u64 },
    /// Behind `data:…;base64,`: so many characters, all of the alphabet.
    Url { len: u64 },
}

/// The longest header of a `data:` URL, which is a media type.
const MOST_URL_HEADER: u8 = 128;

impl Estimator {
    /// For a scanner that wants [`MEMBERS`], the `first` of them at this index.
    pub fn new(first: usize) -> Self {
        Self {
            first,
            total: 0,
            counts: false,
            around: 0,
            text: 0,
            before: EDGE,
            script: 0,
            range: 0..0,
            again: 0,
            base64: Base64::No,
            has_messages: false,
        }
    }

    /// Tokens so far, times a factor in thousandths.
    pub fn tokens(&self, permille: u32) -> u64 {
        let request = if self.has_messages { REQUEST } else { 0 };
        const UNITS: u64 = UNIT * 1000;
        let units = self.total.saturating_add(request).saturating_mul(permille.into());
        units.saturating_add(UNITS / 2) / UNITS
    }

    fn part(&self, member: usize) -> Part {
        match member.checked_sub(self.first) {
            Some(0..=3) => Part::Text,
            Some(4..=8) => Part::Schema,
            _ => Part::None,
        }
    }

    fn add(&mut self, units: u64) {
        self.total = self.total.saturating_add(units);
    }

    /// Adds ASCII text.
    fn weigh(&mut self, run: &[u8]) {
        let Some(last) = run.last() else { return };
        let mut sum = 0u64;
        let mut before = self.before;
        for byte in run {
            let class = of_ascii(*byte);
            sum += pair(before, class);
            before = class;
        }
        self.before = of_ascii(*last);
        self.script = 0;
        self.text = self.text.saturating_add(sum);
    }

    /// Takes what may be base64 from the start of a run, until it is known to be text; returns the
    /// rest, which is.
    fn base64<'a>(&mut self, mut run: &'a [u8]) -> &'a [u8] {
        while let Some((&byte, behind)) = run.split_first() {
            match &mut self.base64 {
                Base64::No => return run,
                Base64::Only { len, .. } | Base64::Url { len } => {
                    let all = base64_run(run);
                    let before = *len;
                    *len = len.saturating_add(all as u64);
                    let (same, other) = run.split_at_checked(all).unwrap_or((run, &[]));
                    if before < 4
                        && let Base64::Only { first, .. } = &mut self.base64
                    {
                        let missing = usize::try_from(4 - before).unwrap_or(0);
                        for byte in same.iter().take(missing) {
                            *first = *first << 8 | u32::from(*byte);
                        }
                    }
                    let room = usize::try_from(BASE64.saturating_sub(before)).unwrap_or(usize::MAX);
                    self.weigh(same.get(..room).unwrap_or(same));
                    run = other;
                    if let Some(byte) = run.first() {
                        self.not_base64(*byte);
                    }
                }
                Base64::UrlHeader { len, last } => {
                    if byte == b',' && *last << 8 == u64::from_be_bytes(*b";base64\0") {
                        self.base64 = Base64::Url { len: 0 };
                    } else if byte == b',' || *len >= MOST_URL_HEADER {
                        self.base64 = Base64::No;
                    } else {
                        *len += 1;
                        *last = *last << 8 | u64::from(byte);
                    }
                    self.weigh(&[byte]);
                    run = behind;
                }
            }
        }
        run
    }

    /// Adds a character that is not ASCII, the first of a run of its range.
    #[inline(never)]
    fn change_script(&mut self, character: u32) {
        self.not_base64(0);
        let script;
        (self.range, script) = range(character);
        let class = if let LATIN_1 | LATIN_EXTENDED = script { script } else { OTHER };
        let mut cost = pair(self.before, class);
        let script = if class == OTHER { script } else { 0 };
        if let (1.., Some([first, further])) = (script, SCRIPTS.get(usize::from(script))) {
            cost += u64::from(if self.script == script { *further } else { *first });
            self.again = pair(OTHER, OTHER) + u64::from(*further);
        }
        self.before = class;
        self.script = script;
        self.text = self.text.saturating_add(cost);
    }

    /// The next character is none of base64.
    fn not_base64(&mut self, byte: u8) {
        let len = match self.base64 {
            Base64::Only { len: 4, first } if byte == b':' && first.to_be_bytes() == *b"data" => {
                self.base64 = Base64::UrlHeader { len: 0, last: 0 };
                return;
            }
            Base64::Only { len, .. } | Base64::Url { len } => len,
            Base64::No | Base64::UrlHeader { .. } => 0,
        };
        self.base64 = Base64::No;
        let long = len.saturating_sub(BASE64).saturating_mul(LONG_WORD);
        self.text = self.text.saturating_add(long);
    }
}

impl Strings for Estimator {
    fn begin(&mut self, is_key: bool, member: Option<usize>) {
        let part = member.map_or(Part::Text, |member| self.part(member));
        (self.counts, self.around) = match part {
            Part::None => (false, 0),
            Part::Text => (!is_key, 0),
            Part::Schema => (true, QUOTES),
        };
        self.text = 0;
        self.before = EDGE;
        self.script = 0;
        self.base64 = Base64::Only { len: 0, first: 0 };
    }

    fn ascii(&mut self, run: &[u8]) {
        if self.counts {
            let text = self.base64(run);
            self.weigh(text);
        }
    }

    fn character(&mut self, character: u32) {
        if let Ok(byte @ 0..=0x7f) = u8::try_from(character) {
            return self.ascii(&[byte]);
        }
        if !self.counts {
            return;
        }
        if self.script == 0 || !self.range.contains(&character) {
            self.change_script(character);
        } else {
            self.text = self.text.saturating_add(self.again);
        }
    }

    fn end(&mut self) {
        let is_base64 = match self.base64 {
            Base64::Only { len, .. } => len >= BASE64,
            Base64::Url { .. } => true,
            Base64::No | Base64::UrlHeader { .. } => false,
        };
        if self.counts && self.before != EDGE && !is_base64 {
            let text = self.text.saturating_add(pair(self.before, EDGE)).max(UNIT);
            self.add(text.saturating_add(self.around));
        }
        self.counts = false;
    }

    fn open(&mut self, member: usize, kind: Kind, depth: u16) {
        if kind == Kind::Object && depth == 2 && self.part(member) == Part::Text {
            self.has_messages = true;
            self.add(MESSAGE);
        }
    }

    fn number(&mut self, member: usize, _: u16) {
        if self.part(member) != Part::None {
            self.add(UNIT);
        }
    }
}

#[inline]
fn of_ascii(byte: u8) -> u8 {
    OF_ASCII.get(usize::from(byte & 0x7f)).copied().unwrap_or(EDGE)
}

/// What a character costs behind another, by their classes.
#[inline]
fn pair(before: u8, class: u8) -> u64 {
    let at = usize::from(class) * CLASSES + usize::from(before);
    PAIRS.get(at).copied().unwrap_or(0).into()
}

/// The range of a character that is not ASCII, up to the next one's start, and its script: an index of
/// [`SCRIPTS`], or the class of a Latin letter.
fn range(character: u32) -> (Range<u32>, u8) {
    let behind = RANGES.partition_point(|(first, _)| u32::from(*first) << 4 <= character);
    let (first, script) =
        behind.checked_sub(1).and_then(|at| RANGES.get(at)).copied().unwrap_or_default();
    let next = RANGES.get(behind).map_or(0x11000, |(next, _)| u32::from(*next));
    (u32::from(first) << 4..next << 4, script)
}

/// How many bytes at the start of a run are of base64's alphabet (RFC 4648, tables 1 and 2), padding
/// included.
fn base64_run(run: &[u8]) -> usize {
    let mut done = 0;
    // Blocks without an exit, which compilers turn into vector instructions where there are any.
    for block in run.as_chunks::<64>().0 {
        if !block.iter().fold(true, |all, byte| all & is_base64(*byte)) {
            break;
        }
        done += 64;
    }
    let rest = run.get(done..).unwrap_or_default();
    done + rest.iter().take_while(|byte| is_base64(**byte)).count()
}

#[inline]
fn is_base64(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    letter
        | byte.wrapping_sub(b'0').lt(&10)
        | (byte == b'+')
        | (byte == b'/')
        | (byte == b'-')
        | (byte == b'_')
        | (byte == b'=')
}

#[cfg(test)]
mod tests;
