//! Protocol Buffers: the fields of a message, one after the other, as slices of what arrived.

/// The value of a field, as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    /// An integer of as many bytes as it needs.
    Integer(u64),
    /// Four bytes.
    Four(u32),
    /// Eight bytes.
    Eight(u64),
    /// Text, bytes, or a message.
    Bytes(&'a [u8]),
}

/// No field has a higher number, and none has 0.
const NUMBER_MAX: u64 = (1 << 29) - 1;

/// Where a message is wrong: the name of a field, or nothing where no field is known.
pub(super) type Place = &'static str;

/// Shows each field of a message with its number. Where one is wrong, its name is that of its number in
/// `names`, unless who was shown it knows better.
pub(super) fn each<'a>(
    mut message: &'a [u8],
    names: &[Place],
    take: &mut dyn FnMut(u64, Field<'a>) -> Result<(), Place>,
) -> Result<(), Place> {
    while !message.is_empty() {
        let key = integer(&mut message).ok_or("")?;
        let number = Some(key >> 3).filter(|number| (1..=NUMBER_MAX).contains(number)).ok_or("")?;
        let name = usize::try_from(number).ok().and_then(|at| names.get(at)).copied();
        let name = name.unwrap_or_default();
        let field = field(&mut message, key & 7).ok_or(name)?;
        take(number, field).map_err(|place| if place.is_empty() { name } else { place })?;
    }
    Ok(())
}

fn field<'a>(message: &mut &'a [u8], kind: u64) -> Option<Field<'a>> {
    Some(match kind {
        0 => Field::Integer(integer(message)?),
        1 => Field::Eight(u64::from_le_bytes(*message.split_off(..8)?.first_chunk()?)),
        2 => {
            let len = usize::try_from(integer(message)?).ok()?;
            Field::Bytes(message.split_off(..len)?)
        }
        5 => Field::Four(u32::from_le_bytes(*message.split_off(..4)?.first_chunk()?)),
        _ => return None,
    })
}

/// Seven bits in each byte, the lowest first; the highest bit says that there are more.
fn integer(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = u64::from(*message.split_off_first()?);
        value |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            // The tenth byte has room for one bit.
            return (shift < 63 || byte < 2).then_some(value);
        }
    }
    None
}

impl<'a> Field<'a> {
    /// An integer.
    pub(super) fn integer(self) -> Result<u64, Place> {
        if let Self::Integer(value) = self { Ok(value) } else { Err("") }
    }

    /// Whether it is true.
    pub(super) fn is_true(self) -> Result<bool, Place> {
        Ok(self.integer()? != 0)
    }

    /// A number of 32 bits.
    pub(super) fn single(self) -> Result<f32, Place> {
        if let Self::Four(bits) = self { Ok(f32::from_bits(bits)) } else { Err("") }
    }

    /// A number of 64 bits.
    pub(super) fn double(self) -> Result<f64, Place> {
        if let Self::Eight(bits) = self { Ok(f64::from_bits(bits)) } else { Err("") }
    }

    /// Bytes, or a message.
    pub(super) fn bytes(self) -> Result<&'a [u8], Place> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err("") }
    }

    /// Text.
    pub(super) fn text(self) -> Result<&'a str, Place> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn of(message: &[u8]) -> Result<Vec<(u64, Field<'_>)>, Place> {
        let mut fields = Vec::new();
        each(message, &["", "a.one", "a.two"], &mut |number, field| {
            fields.push((number, field));
            if number == 2 { field.text().map(drop) } else { Ok(()) }
        })?;
        Ok(fields)
    }

    #[test]
    fn fields_are_read_as_they_stand() {
        let most = [&b"\x08"[..], &[0xff; 9], b"\x01"].concat();
        let more = [&b"\x08"[..], &[0xff; 9], b"\x02"].concat();
        for (message, fields) in [
            (&b""[..], Ok(vec![])),
            (b"\x08\x96\x01", Ok(vec![(1, Field::Integer(150))])),
            (&most, Ok(vec![(1, Field::Integer(u64::MAX))])),
            (&more, Err("a.one")),
            (
                b"\x12\x02ok\x55\0\0\xc0\x3f",
                Ok(vec![(2, Field::Bytes(b"ok")), (10, Field::Four(0x3fc0_0000))]),
            ),
            (b"\x59\x01\0\0\0\0\0\0\0", Ok(vec![(11, Field::Eight(1))])),
            (b"\x12\x01\xff", Err("a.two")),
            (b"\x12\x05ok", Err("a.two")),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01ok", Err("a.two")),
            (b"\x08", Err("a.one")),
            (b"\x0b", Err("a.one")),
            (b"\x7d\0\0", Err("")),
            (b"\x80", Err("")),
            (b"\x00\x01", Err("")),
            (b"\x80\x80\x80\x80\x10\x01", Err("")),
        ] {
            assert_eq!(of(message), fields, "{message:02x?}");
        }
    }
}
