//! DEFLATE (RFC 1951): blocks of literals and of copies from up to 32 KiB before.

use crate::Error;
use crate::bits::Source;
use crate::huffman::{Code, NotACode};

/// Copies reach back so far.
const HISTORY: usize = 32 << 10;
/// Twice the history: it is moved to the front once per as many decoded bytes.
const MOST_BUFFER: usize = 2 * HISTORY;
/// The buffer at first; it grows with what is decoded.
const FIRST_BUFFER: usize = 4 << 10;
/// The longest copy.
const MOST_COPY: usize = 258;
/// Copies are made in steps of so many bytes, the last of which may go beyond their end.
const STEP: usize = 16;
/// Free bytes of the buffer that any symbol fits in.
const SPARE: usize = MOST_COPY + STEP;
/// The bits of a length, a distance and the extra bits of both: 15 + 5 + 15 + 13.
const MOST_BITS: u32 = 48;

/// Literals and lengths that there are; the fixed code has two words more.
const MOST_LITERALS: usize = 286;
const FIXED_LITERALS: usize = 288;
/// Distances that there are; again two less than words of the fixed code.
const MOST_DISTANCES: usize = 30;
const FIXED_DISTANCES: usize = 32;
/// For the length of a word: there is none to repeat, or no such symbol.
const NO_WORD: u8 = 255;
/// Lengths of words, in the order that a block tells those of the code for the lengths of words in.
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The end of a block.
const END: u16 = 256;

/// By symbol, from 257: the length of the copy and how many extra bits are added to it.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
/// By symbol: the distance that is copied from and how many extra bits are added to it.
const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

/// Why decoding stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// The last block has ended.
    Done,
    /// The buffer is full: [`Blocks::make_room`].
    Full,
    /// The piece is used up.
    Starved,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The header of a block.
    Header,
    /// The length of a stored block.
    StoredLength,
    /// Stored bytes, so many.
    Stored(usize),
    /// How many lengths of words there are.
    Sizes,
    /// The length of a word of the code for the lengths of words, by its place in [`ORDER`].
    OrderedLength(usize),
    /// The length of a word, literals first, then distances.
    WordLength(usize),
    /// Symbols, up to the end of the block.
    Symbols,
}

/// What follows from one state.
enum Step {
    To(State),
    Stop(Stop),
}

const STARVED: Step = Step::Stop(Stop::Starved);

/// How many lengths of words a block tells.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    literals: usize,
    distances: usize,
    /// Of the code for the lengths.
    ordered: usize,
}

/// A DEFLATE stream under way.
///
/// No symbol is begun before all of its bits are there, so there are no states within one.
#[derive(Debug)]
pub(crate) struct Blocks {
    state: State,
    /// Whether the block is the last.
    last: bool,
    /// Whether `literals` and `distances` are the fixed codes.
    fixed: bool,
    /// Decoded bytes up to `at`, at least as many as a copy can reach back for.
    buffer: Vec<u8>,
    at: usize,
    literals: Code,
    distances: Code,
    /// The code for the lengths of words.
    ordered: Code,
    sizes: Sizes,
    /// Lengths of words; more than are ever told, for the fixed codes.
    words: Vec<u8>,
    /// Decoded bytes that were moved out of the buffer.
    gone: usize,
    /// How often codes were set.
    tables: usize,
}

/// Codes that may be set without a byte decoded, and how many bytes are to be decoded for each one more. Setting them
/// costs as much as decoding some hundred bytes, and takes ten bytes to ask for; encoders ask for new ones
/// after some thousand bytes.
const FREE_TABLES: usize = 1024;
const BYTES_PER_TABLE: usize = 64;

impl Blocks {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Header,
            last: false,
            fixed: false,
            buffer: vec![0; FIRST_BUFFER],
            at: 0,
            literals: Code::new(10, FIXED_LITERALS),
            distances: Code::new(8, FIXED_DISTANCES),
            ordered: Code::new(7, ORDER.len()),
            sizes: Sizes::default(),
            words: vec![0; FIXED_LITERALS + FIXED_DISTANCES],
            gone: 0,
            tables: 0,
        }
    }

    /// Where the next decoded byte goes.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What was decoded since [`Self::at`] was `start`, if no room was made since.
    pub(crate) fn decoded(&self, start: usize) -> &[u8] {
        self.buffer.get(start..self.at).unwrap_or_default()
    }

    /// Makes room behind what was decoded.
    pub(crate) fn make_room(&mut self) {
        if self.buffer.len() - self.at >= SPARE {
            return;
        }
        if self.buffer.len() < MOST_BUFFER {
            self.buffer.resize(2 * self.buffer.len(), 0);
        } else {
            // More than the history, since the buffer is twice as long and nearly full.
            self.buffer.copy_within(self.at - HISTORY..self.at, 0);
            self.gone = self.gone.saturating_add(self.at - HISTORY);
            self.at = HISTORY;
        }
    }

    /// Decodes as far as the piece and the buffer allow.
    pub(crate) fn decode(&mut self, source: &mut Source<'_>) -> Result<Stop, Error> {
        loop {
            let step = match self.state {
                State::Header => self.header(source),
                State::StoredLength => stored_length(source),
                State::Stored(left) => Ok(self.stored(left, source)),
                State::Sizes => self.sizes(source),
                State::OrderedLength(at) => self.ordered_length(at, source),
                State::WordLength(at) => self.word_length(at, source),
                State::Symbols => self.symbols(source),
            };
            match step? {
                Step::To(state) => self.state = state,
                Step::Stop(stop) => return Ok(stop),
            }
        }
    }

    fn header(&mut self, source: &mut Source<'_>) -> Result<Step, Error> {
        let Some(header) = source.take(3) else { return Ok(STARVED) };
        self.last = header & 1 == 1;
        Ok(Step::To(match header >> 1 {
            0 => {
                source.align();
                State::StoredLength
            }
            1 => {
                self.fix()?;
                State::Symbols
            }
            2 => State::Sizes,
            _ => return Err(Error::Corrupt),
        }))
    }

    /// Sets the fixed codes (RFC 1951, section 3.2.6).
    fn fix(&mut self) -> Result<(), Error> {
        if !self.fixed {
            let lengths = [(144, 8), (112, 9), (24, 7), (8, 8), (FIXED_DISTANCES, 5)];
            let lengths =
                lengths.into_iter().flat_map(|(n, length)| std::iter::repeat_n(length, n));
            self.words.iter_mut().zip(lengths).for_each(|(word, length)| *word = length);
            self.set_codes(FIXED_LITERALS, FIXED_DISTANCES)?;
            self.fixed = true;
        }
        Ok(())
    }

    fn set_codes(&mut self, literals: usize, distances: usize) -> Result<(), Error> {
        self.fixed = false;
        self.tables = self.tables.saturating_add(1);
        let decoded = self.gone.saturating_add(self.at);
        if self.tables > FREE_TABLES.saturating_add(decoded / BYTES_PER_TABLE) {
            return Err(Error::Wasteful);
        }
        let (literals, rest) = self.words.split_at_checked(literals).unwrap_or_default();
        self.literals.set(literals)?;
        self.distances.set(rest.get(..distances).unwrap_or_default())?;
        Ok(())
    }

    fn end_of_block(&self) -> Step {
        if self.last { Step::Stop(Stop::Done) } else { Step::To(State::Header) }
    }

    fn stored(&mut self, left: usize, source: &mut Source<'_>) -> Step {
        if left == 0 {
            return self.end_of_block();
        }
        let free = self.buffer.get_mut(self.at..).unwrap_or_default();
        let len = left.min(free.len());
        let Some(free) = free.get_mut(..len).filter(|free| !free.is_empty()) else {
            return Step::Stop(Stop::Full);
        };
        let taken = source.read(free);
        if taken == 0 {
            return STARVED;
        }
        self.at += taken;
        Step::To(State::Stored(left - taken))
    }

    fn sizes(&mut self, source: &mut Source<'_>) -> Result<Step, Error> {
        let Some(sizes) = source.take(14) else { return Ok(STARVED) };
        let sizes = sizes as usize;
        self.sizes = Sizes {
            literals: (sizes & 31) + 257,
            distances: (sizes >> 5 & 31) + 1,
            ordered: (sizes >> 10) + 4,
        };
        if self.sizes.literals > MOST_LITERALS || self.sizes.distances > MOST_DISTANCES {
            return Err(Error::Corrupt);
        }
        self.words.fill(0);
        Ok(Step::To(State::OrderedLength(0)))
    }

    fn ordered_length(&mut self, at: usize, source: &mut Source<'_>) -> Result<Step, Error> {
        if at == self.sizes.ordered {
            self.ordered.set(self.words.get(..ORDER.len()).unwrap_or_default())?;
            return Ok(Step::To(State::WordLength(0)));
        }
        let Some(length) = source.take(3) else { return Ok(STARVED) };
        let symbol = ORDER.get(at).copied().unwrap_or_default();
        if let Some(word) = self.words.get_mut(usize::from(symbol)) {
            *word = length as u8;
        }
        Ok(Step::To(State::OrderedLength(at + 1)))
    }

    fn word_length(&mut self, at: usize, source: &mut Source<'_>) -> Result<Step, Error> {
        let Sizes { literals, distances, .. } = self.sizes;
        if at == literals + distances {
            if self.words.get(usize::from(END)) == Some(&0) {
                return Err(Error::Corrupt);
            }
            self.set_codes(literals, distances)?;
            return Ok(Step::To(State::Symbols));
        }
        if source.bits.count() < MOST_BITS {
            source.refill();
        }
        let bits = source.bits.peek();
        let (symbol, length) = self.ordered.decode(bits);
        let (times, extra, word) = match symbol {
            0..=15 => (1, 0, symbol as u8),
            16 => (
                3,
                2,
                at.checked_sub(1).and_then(|at| self.words.get(at)).copied().unwrap_or(NO_WORD),
            ),
            17 => (3, 3, 0),
            18 => (11, 7, 0),
            _ => (0, 0, NO_WORD),
        };
        let used = length + extra;
        if used > source.bits.count() {
            return Ok(STARVED);
        }
        source.bits.skip(used);
        let end = at + times + (bits >> length & ((1 << extra) - 1)) as usize;
        match self.words.get_mut(at..end) {
            Some(words) if end <= literals + distances && word != NO_WORD => words.fill(word),
            _ => return Err(Error::Corrupt),
        }
        Ok(Step::To(State::WordLength(end)))
    }

    /// Literals and copies up to the end of the block.
    fn symbols(&mut self, source: &mut Source<'_>) -> Result<Step, Error> {
        let buffer = self.buffer.as_mut_slice();
        let full = buffer.len().saturating_sub(SPARE);
        let mut at = self.at;
        let step = loop {
            if at > full {
                break Ok(Step::Stop(Stop::Full));
            }
            if source.bits.count() < MOST_BITS {
                source.refill();
            }
            let bits = source.bits.peek();
            let (symbol, mut used) = self.literals.decode(bits);
            if used > source.bits.count() {
                break Ok(STARVED);
            }
            if symbol < END {
                source.bits.skip(used);
                if let Some(place) = buffer.get_mut(at) {
                    *place = symbol as u8;
                }
                at += 1;
                continue;
            }
            if symbol == END {
                source.bits.skip(used);
                self.at = at;
                return Ok(self.end_of_block());
            }
            let Some(length) = LENGTHS.get(usize::from(symbol - END - 1)) else {
                break Err(Error::Corrupt);
            };
            let (length, extra) = number(bits >> used, *length);
            used += extra;
            let (symbol, more) = self.distances.decode(bits >> used);
            used += more;
            if used > source.bits.count() {
                break Ok(STARVED);
            }
            let Some(distance) = DISTANCES.get(usize::from(symbol)) else {
                break Err(Error::Corrupt);
            };
            let (distance, extra) = number(bits >> used, *distance);
            used += extra;
            if used > source.bits.count() {
                break Ok(STARVED);
            }
            source.bits.skip(used);
            if distance > at {
                break Err(Error::Corrupt);
            }
            copy(buffer, at, distance, length);
            at += length;
        };
        self.at = at;
        step
    }
}

impl From<NotACode> for Error {
    fn from(_: NotACode) -> Self {
        Self::Corrupt
    }
}

fn stored_length(source: &mut Source<'_>) -> Result<Step, Error> {
    let Some(lengths) = source.take(32) else { return Ok(STARVED) };
    let (length, inverted) = (lengths as u16, (lengths >> 16) as u16);
    if length != !inverted {
        return Err(Error::Corrupt);
    }
    Ok(Step::To(State::Stored(length.into())))
}

/// A base with its extra bits, the first of `bits`, and how many those are.
#[inline(always)]
fn number(bits: u64, (base, extra): (u16, u8)) -> (usize, u32) {
    (usize::from(base) + (bits & ((1 << extra) - 1)) as usize, extra.into())
}

/// Writes `length` bytes at `at`, a copy of those `distance` before, which may overlap them. `distance`
/// is at most `at`, and the buffer goes on for [`SPARE`] bytes.
#[inline(always)]
fn copy(buffer: &mut [u8], at: usize, distance: usize, length: usize) {
    let from = at - distance;
    if distance >= STEP {
        for done in (0..length).step_by(STEP) {
            let step = buffer.get(from + done..).and_then(<[u8]>::first_chunk::<STEP>).copied();
            let place = buffer.get_mut(at + done..).and_then(<[u8]>::first_chunk_mut::<STEP>);
            if let (Some(step), Some(place)) = (step, place) {
                *place = step;
            }
        }
    } else if distance == 1 {
        let byte = buffer.get(from).copied().unwrap_or_default();
        buffer.get_mut(at..at + length).unwrap_or_default().fill(byte);
    } else {
        for done in 0..length {
            let byte = buffer.get(from + done).copied().unwrap_or_default();
            if let Some(place) = buffer.get_mut(at + done) {
                *place = byte;
            }
        }
    }
}
