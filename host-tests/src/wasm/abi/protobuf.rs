//! Reading protobuf messages as far as arguments of foreign functions need it: numbers and bytes, by
//! field number. The last one of a field counts; what is not known is skipped.

/// A field's value.
pub(super) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of `message` in order; `None` if it is none.
pub(super) fn fields(mut message: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let number = tag >> 3;
        if number == 0 {
            return None;
        }
        match tag & 7 {
            0 => fields.push((number, Field::Number(varint(&mut message)?))),
            1 => message = message.get(8..)?,
            2 => {
                let size = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(size)?;
                message = rest;
                fields.push((number, Field::Bytes(bytes)));
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(fields)
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
        assert!(matches!(fields[0], (1, Field::Bytes(b"hi"))));
        assert!(matches!(fields[1], (2, Field::Number(150))));
        assert!(matches!(fields[2], (5, Field::Bytes(b""))));
        assert_eq!(fields.len(), 3);
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
