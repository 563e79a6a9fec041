//! Which arrays and objects are open.

use crate::Limits;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Container {
    Array,
    Object,
}

/// The open containers: a bit each, so that depth costs next to nothing.
#[derive(Clone, Debug)]
pub(crate) struct Depth {
    pub(crate) now: u16,
    most: u16,
    /// Bit n: container n is an object.
    objects: [u64; Limits::MOST_DEPTH as usize / 64],
}

impl Depth {
    pub(crate) fn new(most: u16) -> Self {
        Self { now: 0, most: most.min(Limits::MOST_DEPTH), objects: [0; _] }
    }

    pub(crate) fn open(&mut self, container: Container) -> Result<(), ()> {
        if self.now >= self.most {
            return Err(());
        }
        if let Some(word) = self.objects.get_mut(usize::from(self.now / 64)) {
            let bit = 1 << (self.now % 64);
            match container {
                Container::Array => *word &= !bit,
                Container::Object => *word |= bit,
            }
        }
        self.now += 1;
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        self.now = self.now.saturating_sub(1);
    }

    pub(crate) fn innermost(&self) -> Container {
        let Some(index) = self.now.checked_sub(1) else { return Container::Array };
        match self.objects.get(usize::from(index / 64)) {
            Some(word) if word & 1 << (index % 64) != 0 => Container::Object,
            _ => Container::Array,
        }
    }
}
