//! Changes that are to happen together, as the bytes that stand for them in the journal.
//!
//! A change is the key's length, the length of its new value plus one (zero where the key is to go),
//! the key, and the value. Lengths are written seven bits to a byte, the lowest first; a byte that
//! another follows has its highest bit set.

/// Keys with their new values, or with none, in the order they were asked for.
///
/// All stands in one buffer, so that a batch that is used again allocates nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    len: usize,
}

impl Batch {
    /// Gives a key a value, over any that it has.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.head(key, value.len().saturating_add(1));
        self.bytes.extend_from_slice(value);
    }

    /// Removes a key, if it is there.
    pub(crate) fn delete(&mut self, key: &[u8]) {
        self.head(key, 0);
    }

    /// Forgets all changes and keeps the room they took.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.len = 0;
    }

    /// Whether nothing is to change.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many changes there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that it takes in the journal.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All changes: a key, and its new value unless it is to go.
    pub(crate) fn iter(&self) -> Changes<'_> {
        Changes(&self.bytes)
    }

    /// What stands for it in the journal.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn head(&mut self, key: &[u8], value_len: usize) {
        self.len = self.len.saturating_add(1);
        put_length(&mut self.bytes, key.len());
        put_length(&mut self.bytes, value_len);
        self.bytes.extend_from_slice(key);
    }
}

/// The changes of a batch, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Changes<'a>(&'a [u8]);

impl<'a> Changes<'a> {
    /// Bytes of the changes that are left.
    pub(super) fn bytes_left(&self) -> usize {
        self.0.len()
    }

    /// The changes that `bytes` stand for, if that is what they do to their end.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            take_change(&mut rest)?;
        }
        Some(Self(bytes))
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        take_change(&mut self.0)
    }
}

fn take_change<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let key_len = take_length(rest)?;
    let value_len = take_length(rest)?;
    let key = take(rest, key_len)?;
    let value = match value_len.checked_sub(1) {
        Some(len) => Some(take(rest, len)?),
        None => None,
    };
    Some((key, value))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    bytes.push(length.to_le_bytes()[0]);
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        let bits = usize::from(byte & 0x7f);
        length |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back_as_they_were_put() {
        let long = vec![7; 70_000];
        let mut batch = Batch::default();
        batch.put(b"a", b"1");
        batch.delete(b"bb");
        batch.put(b"", b"");
        batch.put(&long, &long);
        batch.put(b"a", b"");
        let all: Vec<_> = batch.iter().collect();
        let expected: [(&[u8], Option<&[u8]>); 5] = [
            (b"a", Some(b"1")),
            (b"bb", None),
            (b"", Some(b"")),
            (&long, Some(&long)),
            (b"a", Some(b"")),
        ];
        assert_eq!(all, expected);
        assert_eq!((batch.len(), batch.is_empty()), (5, false));
        assert_eq!(Changes::of(batch.as_bytes()).unwrap().count(), 5);
        batch.clear();
        assert_eq!((batch.iter().count(), batch.bytes(), batch.is_empty()), (0, 0, true));
    }

    #[test]
    fn bytes_that_stand_for_no_changes_are_refused() {
        let endless = [0xff; 20];
        for bytes in [&[1][..], &[1, 0], &[1, 3, b'k', b'v'], &[0x80], &endless] {
            assert!(Changes::of(bytes).is_none(), "{bytes:?}");
        }
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..10_000 {
            let bytes: Vec<_> = (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect();
            if let Some(changes) = Changes::of(&bytes) {
                let shown = changes.map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len));
                assert!(shown.sum::<usize>() <= bytes.len());
            }
        }
    }
}
