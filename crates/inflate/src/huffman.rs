//! Prefix codes by the lengths of their words (RFC 1951, section 3.2.2).

/// Words have at most as many bits.
pub(crate) const MOST_BITS: usize = 15;

/// What a word that is none stands for; no alphabet has it.
pub(crate) const INVALID: u16 = 0xfff;

/// A code: from the next bits of the input to a symbol.
///
/// Words of up to `log2(table.len())` bits are looked up, longer ones found length by length.
#[derive(Debug)]
pub(crate) struct Code {
    /// By the next bits: symbol << 4 | length of its word; 0 for longer words, and for none.
    table: Box<[u16]>,
    /// How many words there are of each length.
    counts: [u16; MOST_BITS + 1],
    /// All symbols that have words, in the order of their words.
    symbols: Box<[u16]>,
}

/// No code has such words: too many, or (where that is not allowed) too few.
#[derive(Debug)]
pub(crate) struct NotACode;

impl Code {
    /// A code without words, for alphabets of up to `symbols`; its table is over `bits`.
    pub(crate) fn new(bits: u32, symbols: usize) -> Self {
        Self {
            table: vec![0; 1 << bits].into(),
            counts: [0; MOST_BITS + 1],
            symbols: vec![0; symbols].into(),
        }
    }

    /// Makes it the code whose words have these lengths (at most [`MOST_BITS`]), symbol by symbol, 0
    /// for none. As zlib does, takes a code of a single word of one bit, and one of no words, neither
    /// of which uses all bits up.
    pub(crate) fn set(&mut self, lengths: &[u8]) -> Result<(), NotACode> {
        self.counts = [0; MOST_BITS + 1];
        self.table.fill(0);
        for length in lengths {
            *self.counts.get_mut(usize::from(*length)).ok_or(NotACode)? += 1;
        }
        // By length: the first word, and where its symbol goes.
        let mut next = [(0_u16, 0_u16); MOST_BITS + 1];
        let (mut word, mut index, mut left, mut longest) = (0_u16, 0_u16, 1_i32, 0);
        for (length, (count, next)) in self.counts.iter().zip(&mut next).enumerate().skip(1) {
            word <<= 1;
            *next = (word, index);
            left = 2 * left - i32::from(*count);
            if left < 0 {
                return Err(NotACode);
            }
            if *count > 0 {
                longest = length;
            }
            word += count;
            index += count;
        }
        if left > 0 && longest > 1 {
            return Err(NotACode);
        }
        for (symbol, length) in (0_u16..).zip(lengths).filter(|(_, length)| **length > 0) {
            let length = u32::from(*length);
            let Some((word, index)) = next.get_mut(length as usize) else { continue };
            if let Some(place) = self.symbols.get_mut(usize::from(*index)) {
                *place = symbol;
            }
            // Its bits come most significant first, other than all else.
            let first = usize::from(word.reverse_bits() >> (16 - length));
            if 1 << length <= self.table.len()
                && let Some(places) = self.table.get_mut(first..)
            {
                let entry = symbol << 4 | length as u16;
                places.iter_mut().step_by(1 << length).for_each(|place| *place = entry);
            }
            *word += 1;
            *index += 1;
        }
        Ok(())
    }

    /// The symbol whose word comes next, and how many bits it has, which may be more than there are.
    #[inline(always)]
    pub(crate) fn decode(&self, bits: u64) -> (u16, u32) {
        let entry = self.table.get(bits as usize & (self.table.len() - 1));
        match entry.copied().unwrap_or_default() {
            0 => self.decode_long(bits),
            entry => (entry >> 4, u32::from(entry & 15)),
        }
    }

    #[inline(never)]
    fn decode_long(&self, mut bits: u64) -> (u16, u32) {
        let (mut word, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for (length, count) in (1..).zip(self.counts.iter().skip(1)) {
            let count = u32::from(*count);
            word = word << 1 | (bits & 1) as u32;
            bits >>= 1;
            first <<= 1;
            if let Some(nth) = word.checked_sub(first)
                && nth < count
            {
                let symbol = self.symbols.get((index + nth) as usize);
                return (symbol.copied().unwrap_or(INVALID), length);
            }
            first += count;
            index += count;
        }
        // Only of a code that does not use all bits up, whose words have one bit.
        (INVALID, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits as they come.
    fn bits(word: &str) -> u64 {
        word.bytes().rev().fold(0, |bits, b| bits << 1 | u64::from(b == b'1'))
    }

    #[test]
    fn the_example_of_the_rfc() {
        let lengths = [3, 3, 3, 3, 3, 2, 4, 4];
        let words = ["010", "011", "100", "101", "110", "00", "1110", "1111"];
        // Tables that hold all words, some, and none.
        for table in [4, 3, 1] {
            let mut code = Code::new(table, 8);
            code.set(&lengths).unwrap();
            for (symbol, word) in (0..).zip(words) {
                assert_eq!(code.decode(bits(word)), (symbol, word.len() as u32), "{word}");
                assert_eq!(code.decode(bits(&format!("{word}111"))), (symbol, word.len() as u32));
            }
        }
    }

    #[test]
    fn words_of_fifteen_bits() {
        let mut lengths: Vec<u8> = (1..=15).collect();
        lengths.push(15);
        let mut code = Code::new(10, 16);
        code.set(&lengths).unwrap();
        assert_eq!(code.decode(bits("111111111111110")), (14, 15));
        assert_eq!(code.decode(bits("111111111111111")), (15, 15));
        assert_eq!(code.decode(bits("11111111111110")), (13, 14));
    }

    #[test]
    fn too_many_words_or_too_few_are_no_code() {
        let mut code = Code::new(4, 8);
        assert!(code.set(&[1, 1, 1]).is_err());
        assert!(code.set(&[1, 2, 2, 15]).is_err());
        assert!(code.set(&[2, 2, 2]).is_err());
        assert!(code.set(&[2]).is_err());
        assert!(code.set(&[16]).is_err());
        assert!(code.set(&[1, 2, 2]).is_ok());
    }

    #[test]
    fn one_word_and_no_word_leave_bits_that_are_none() {
        let mut code = Code::new(4, 8);
        code.set(&[0, 1, 0]).unwrap();
        assert_eq!(code.decode(bits("0")), (1, 1));
        assert_eq!(code.decode(bits("1")), (INVALID, 1));
        code.set(&[0, 0]).unwrap();
        assert_eq!(code.decode(bits("0")), (INVALID, 1));
    }
}
