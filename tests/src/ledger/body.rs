//! What the messages of a ledger say: who they are, and enough more that a torn one is noticed.

use bytes::Bytes;

use crate::ledger::book::Key;

/// The body of a message. Most are small, some are not, and one in some hundred is larger than any
/// buffer on its way.
#[must_use]
pub fn of((stream, number): Key) -> Bytes {
    let mixed = (number ^ (stream as u64) << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let filler = match mixed % 200 {
        0 => 100_000,
        1..10 => mixed % 20_000,
        10..40 => mixed % 2_000,
        _ => mixed % 64,
    };
    let mut body = format!("{stream} {number} ").into_bytes();
    body.extend((0..filler).map(|at| b'a' + ((at + number) % 26) as u8));
    body.into()
}

/// Which message it says it is.
#[must_use]
pub fn key_of(body: &[u8]) -> Option<Key> {
    let mut words = body.splitn(3, |byte| *byte == b' ');
    let stream = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let number = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    Some((stream, number))
}
