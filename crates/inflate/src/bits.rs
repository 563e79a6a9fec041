//! Bits of the input, least significant first (RFC 1951, section 3.1.1).

/// Bits that were taken off the input and not used yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bits {
    /// The next bit is the lowest; all bits from `count` up are 0.
    buffer: u64,
    count: u32,
}

/// The input: kept bits, then the rest of the piece.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) bits: Bits,
    pub(crate) rest: &'a [u8],
}

impl Bits {
    pub(crate) fn count(self) -> u32 {
        self.count
    }

    /// The next bits, zeros behind the last.
    pub(crate) fn peek(self) -> u64 {
        self.buffer
    }

    /// Drops the next `n` of the bits that there are; `n` < 64.
    pub(crate) fn skip(&mut self, n: u32) {
        self.buffer >>= n;
        self.count -= n;
    }
}

impl Source<'_> {
    /// Fills up to at least 56 bits, or with all that the piece has.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        let Bits { buffer, count } = &mut self.bits;
        if let Some((word, _)) = self.rest.split_first_chunk::<8>() {
            let bytes = (63 - *count) / 8;
            // Only the bytes that count: 64 - 8 * bytes is less than 64 unless none fits.
            let spare = (64 - 8 * bytes) & 63;
            let word = if bytes == 0 { 0 } else { u64::from_le_bytes(*word) << spare >> spare };
            *buffer |= word << *count;
            *count += 8 * bytes;
            self.rest = self.rest.get(bytes as usize..).unwrap_or_default();
            return;
        }
        while *count < 56
            && let Some((byte, rest)) = self.rest.split_first()
        {
            *buffer |= u64::from(*byte) << *count;
            *count += 8;
            self.rest = rest;
        }
    }

    /// The next `n` bits, at most 32; `None` (and nothing taken) if there are not as many.
    pub(crate) fn take(&mut self, n: u32) -> Option<u32> {
        if self.bits.count < n {
            self.refill();
            if self.bits.count < n {
                return None;
            }
        }
        let value = self.bits.buffer & ((1 << n) - 1);
        self.bits.skip(n);
        u32::try_from(value).ok()
    }

    /// Whole bytes into `out`, as many as there are and fit; how many. None may be begun.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> usize {
        let mut done = 0;
        for place in out.iter_mut().take((self.bits.count / 8) as usize) {
            *place = self.bits.buffer as u8;
            self.bits.skip(8);
            done += 1;
        }
        let rest = out.get_mut(done..).unwrap_or_default();
        let len = rest.len().min(self.rest.len());
        if let (Some(to), Some((from, behind))) =
            (rest.get_mut(..len), self.rest.split_at_checked(len))
        {
            to.copy_from_slice(from);
            self.rest = behind;
            done += len;
        }
        done
    }

    /// Drops what is left of a byte that was begun.
    pub(crate) fn align(&mut self) {
        self.bits.skip(self.bits.count % 8);
    }

    /// Whether there is nothing more, for now.
    pub(crate) fn is_empty(&self) -> bool {
        self.bits.count == 0 && self.rest.is_empty()
    }
}
