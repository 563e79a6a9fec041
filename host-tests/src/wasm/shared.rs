//! Shared data and shared queues: one set per `vm_id`, for all VMs of that id on all workers (E25).
//!
//! They live as long as the last VM of their id. That is as long as the host itself: it keeps what
//! it makes VMs from, so a VM that fails and is made anew finds what the first one left.

use std::collections::{BTreeMap, VecDeque};

use super::abi::Status;
use super::guest::Thread;

/// Bytes of keys and values, or of a `vm_id`'s queued items, at most. A real host has no limit but
/// its memory: this one answers InternalFailure before the machine suffers.
const MOST_BYTES: usize = 256 << 20;

/// Keys of all shared data, queues, and items in one queue, at most.
const MOST_ENTRIES: usize = 1 << 20;

/// A value and its CAS number, which is never 0.
type Stamped = (Vec<u8>, u32);

/// Keys with values.
#[derive(Default)]
pub(crate) struct SharedData {
    /// By `vm_id`, then by key.
    values: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Stamped>>,
    entries: usize,
    bytes: usize,
    last_cas: u32,
}

impl SharedData {
    pub(crate) fn get(&self, vm_id: &[u8], key: &[u8]) -> Option<&Stamped> {
        self.values.get(vm_id)?.get(key)
    }

    /// Sets a value. A cas other than 0 on a missing key succeeds; 0 always wins.
    pub(crate) fn set(
        &mut self,
        vm_id: &[u8],
        key: &[u8],
        value: &[u8],
        cas: u32,
    ) -> Result<(), Status> {
        let old = self.get(vm_id, key);
        if old.is_some_and(|(_, old)| cas != 0 && cas != *old) {
            return Err(Status::CasMismatch);
        }
        let (freed, new) = match old {
            Some((old, _)) => (old.len(), 0),
            None => (0, 1),
        };
        let bytes = self.bytes - freed + value.len() + new * key.len();
        if bytes > MOST_BYTES || self.entries + new > MOST_ENTRIES {
            return Err(Status::InternalFailure);
        }
        (self.bytes, self.entries) = (bytes, self.entries + new);
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        let of_id = self.values.entry(vm_id.to_vec()).or_default();
        of_id.insert(key.to_vec(), (value.to_vec(), self.last_cas));
        Ok(())
    }
}

/// Where a queue's readers are called: the root context that registered it last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reader {
    pub(crate) thread: Thread,
    /// What its VM is made from ([`super::guest::VmInfo`]).
    pub(crate) vm_key: [u8; 32],
    pub(crate) root: u32,
}

/// A call of `proxy_on_queue_ready` that is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ready {
    pub(crate) reader: Reader,
    pub(crate) queue: u32,
}

#[derive(Debug)]
struct Queue {
    reader: Reader,
    items: VecDeque<Vec<u8>>,
}

/// Queues, by number from 1.
#[derive(Default)]
pub(crate) struct Queues {
    /// By `vm_id` and name.
    numbers: BTreeMap<(Vec<u8>, Vec<u8>), u32>,
    queues: BTreeMap<u32, Queue>,
    bytes: usize,
    ready: VecDeque<Ready>,
    /// Calls of readers so far.
    pub(crate) called: u64,
}

impl Queues {
    /// The queue's number. Whoever registers last is its reader; its items stay.
    pub(crate) fn register(
        &mut self,
        vm_id: &[u8],
        name: &[u8],
        reader: Reader,
    ) -> Result<u32, Status> {
        let key = (vm_id.to_vec(), name.to_vec());
        if let Some(number) = self.numbers.get(&key) {
            if let Some(queue) = self.queues.get_mut(number) {
                queue.reader = reader;
            }
            return Ok(*number);
        }
        let size = vm_id.len() + name.len();
        if self.numbers.len() >= MOST_ENTRIES || self.bytes + size > MOST_BYTES {
            return Err(Status::InternalFailure);
        }
        self.bytes += size;
        let number = u32::try_from(self.numbers.len()).map_err(|_| Status::InternalFailure)? + 1;
        self.numbers.insert(key, number);
        self.queues.insert(number, Queue { reader, items: VecDeque::new() });
        Ok(number)
    }

    /// The number of a queue that somebody registered.
    pub(crate) fn resolve(&self, vm_id: &[u8], name: &[u8]) -> Option<u32> {
        self.numbers.get(&(vm_id.to_vec(), name.to_vec())).copied()
    }

    /// Appends an item; the reader is called once the current call has returned, for each item.
    pub(crate) fn enqueue(&mut self, number: u32, item: &[u8]) -> Result<(), Status> {
        let queue = self.queues.get_mut(&number).ok_or(Status::NotFound)?;
        if queue.items.len() >= MOST_ENTRIES
            || self.ready.len() >= MOST_ENTRIES
            || self.bytes + item.len() > MOST_BYTES
        {
            return Err(Status::InternalFailure);
        }
        self.bytes += item.len();
        queue.items.push_back(item.to_vec());
        self.ready.push_back(Ready { reader: queue.reader, queue: number });
        Ok(())
    }

    /// Takes the first item.
    pub(crate) fn dequeue(&mut self, number: u32) -> Result<Vec<u8>, Status> {
        let queue = self.queues.get_mut(&number).ok_or(Status::NotFound)?;
        let item = queue.items.pop_front().ok_or(Status::Empty)?;
        self.bytes -= item.len();
        Ok(item)
    }

    /// Takes the calls that are due, in the order of the items.
    pub(crate) fn take_ready(&mut self) -> VecDeque<Ready> {
        std::mem::take(&mut self.ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READER: Reader = Reader { thread: Thread::Main, vm_key: [0; 32], root: 1 };

    #[test]
    fn e25_shared_data_compares_and_swaps() {
        let mut data = SharedData::default();
        data.set(b"", b"k", b"1", u32::MAX).unwrap();
        assert_eq!(data.set(b"", b"k", b"2", u32::MAX), Err(Status::CasMismatch));
        let cas = data.get(b"", b"k").unwrap().1;
        data.set(b"", b"k", b"2", cas).unwrap();
        data.set(b"", b"k", b"3", 0).unwrap();
        assert_eq!(data.get(b"", b"k").unwrap().0, b"3");
    }

    #[test]
    fn e25_each_vm_id_has_data_and_queues_of_its_own() {
        let mut data = SharedData::default();
        data.set(b"a", b"k", b"1", 0).unwrap();
        assert_eq!(data.get(b"b", b"k"), None);
        let mut queues = Queues::default();
        let a = queues.register(b"a", b"q", READER).unwrap();
        assert_eq!(queues.resolve(b"b", b"q"), None);
        assert_ne!(queues.register(b"b", b"q", READER).unwrap(), a);
    }

    #[test]
    fn e25_the_last_registrant_reads_what_was_queued_before() {
        let mut queues = Queues::default();
        let number = queues.register(b"", b"q", READER).unwrap();
        assert_eq!(number, 1);
        queues.enqueue(number, b"x").unwrap();
        let last = Reader { root: 7, ..READER };
        assert_eq!(queues.register(b"", b"q", last).unwrap(), number);
        queues.enqueue(number, b"y").unwrap();
        let due = [READER, last].map(|reader| Ready { reader, queue: number });
        assert_eq!(queues.take_ready(), due);
        assert_eq!(queues.take_ready().len(), 0);
        assert_eq!(queues.dequeue(number), Ok(b"x".to_vec()));
        assert_eq!(queues.dequeue(number), Ok(b"y".to_vec()));
        assert_eq!(queues.dequeue(number), Err(Status::Empty));
        assert_eq!(queues.dequeue(99), Err(Status::NotFound));
    }

    #[test]
    fn data_and_queues_are_bounded() {
        let mut data = SharedData::default();
        let large = vec![0; MOST_BYTES / 2];
        data.set(b"", b"a", &large, 0).unwrap();
        assert_eq!(data.set(b"", b"b", &large, 0), Err(Status::InternalFailure));
        // The same key again does not count twice.
        data.set(b"", b"a", &large, 0).unwrap();
        let mut queues = Queues::default();
        let number = queues.register(b"", b"q", READER).unwrap();
        queues.enqueue(number, &large).unwrap();
        assert_eq!(queues.enqueue(number, &large), Err(Status::InternalFailure));
        queues.dequeue(number).unwrap();
        queues.enqueue(number, &large).unwrap();
    }
}
