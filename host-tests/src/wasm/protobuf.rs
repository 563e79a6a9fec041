//! Protobuf messages as far as guests and this host exchange them: numbers and bytes by field number.
//! Other fields are read over. Where a message has a field more than once, the caller decides.

/// Groups in groups at most.
const MOST_DEPTH: u32 = 100;

/// A field's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed size, or a group.
    Other,
}

/// The fields of `message` in order, with their numbers; `None` if it is none.
pub(super) fn fields(mut message: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        fields.push(field(&mut message, 0)?);
    }
    // The end of a group that did not begin.
    fields.iter().all(|(number, _)| *number > 0).then_some(fields)
}

/// Appends field `number`, which is 15 at most.
pub(super) fn write_bytes(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    let mut length = bytes.len();
    while length > 0x7f {
        message.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(bytes);
}

/// The next field; number 0 stands for the end of a group.
fn field<'a>(message: &mut &'a [u8], depth: u32) -> Option<(u64, Field<'a>)> {
    let tag = varint(message)?;
    let number = tag >> 3;
    if number == 0 || number > (1 << 29) - 1 || depth > MOST_DEPTH {
        return None;
    }
    let size = match tag & 7 {
        0 => return Some((number, Field::Number(varint(message)?))),
        1 => 8,
        2 => {
            let size = usize::try_from(varint(message)?).ok()?;
            let (bytes, rest) = message.split_at_checked(size)?;
            *message = rest;
            return Some((number, Field::Bytes(bytes)));
        }
        3 => {
            while field(message, depth + 1)?.0 != 0 {}
            0
        }
        4 => return Some((0, Field::Other)),
        5 => 4,
        _ => return None,
    };
    *message = message.get(size..)?;
    Some((number, Field::Other))
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_are_read_and_others_skipped() {
        let message = b"\x0a\x02hi\x10\x96\x01\x1d....\x21........\x2a\x00";
        let fields = fields(message).unwrap();
        assert_eq!(
            fields,
            [
                (1, Field::Bytes(b"hi")),
                (2, Field::Number(150)),
                (3, Field::Other),
                (4, Field::Other),
                (5, Field::Bytes(b"")),
            ]
        );
    }

    #[test]
    fn every_cut_inside_of_a_field_is_no_message() {
        let message = b"\x0a\x02hi\x10\x96\x01";
        for cut in [1, 2, 3, 5, 6] {
            assert!(fields(&message[..cut]).is_none(), "cut at {cut}");
        }
        for bad in [&b"\x00\x00"[..], b"\x0b", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
        {
            assert!(fields(bad).is_none(), "{bad:?}");
        }
    }
}
