//! CBOR and MessagePack, token by token: both are heads that say what comes, and how much of it.

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// An integer from 0 on.
    Positive(u64),
    /// -1 minus this: all bits of a negative integer turned over.
    Negative(u64),
    /// A number of 64 bits, or of the 16 that these hold exactly.
    Float(f64),
    /// A number of 32 bits.
    Single(f32),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text that comes in pieces, up to [`Break`](Self::Break).
    TextInPieces,
    /// Bytes that come in pieces, up to [`Break`](Self::Break).
    BytesInPieces,
    /// `true` or `false`.
    Bool(bool),
    /// Nothing.
    Null,
    /// Not even that.
    Undefined,
    /// Another value that is known by its number (RFC 8949 §3.3).
    Simple(u64),
    /// What the next value is meant to be (RFC 8949 §3.4).
    Tag(u64),
    /// Bytes of a type that programs agree on.
    Extension(i8, &'a [u8]),
    /// So many values, or those up to [`Break`](Self::Break).
    List(Option<u64>),
    /// So many names with their values, or those up to [`Break`](Self::Break).
    Map(Option<u64>),
    /// The end of what came without its length.
    Break,
}

/// What takes one token off the bytes; none where they are not of its form.
pub(super) type Read = for<'a> fn(&mut Cursor<'a>) -> Option<Token<'a>>;

/// The bytes that are left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// The next so many bytes. Nothing is allocated for a length that is merely claimed.
    pub(super) fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    /// An integer of so many bytes, eight at most, the highest first.
    pub(super) fn uint(&mut self, len: u64) -> Option<u64> {
        Some(self.take(len)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }
}

/// The tokens of a payload.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    cursor: Cursor<'a>,
    read: Read,
}

impl<'a> Tokens<'a> {
    /// Those of a payload in the form that `read` knows.
    pub(super) fn new(payload: &'a [u8], read: Read) -> Self {
        Self { cursor: Cursor { rest: payload }, read }
    }

    /// The next one; none at the end, and where what is left is not of the form.
    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        (self.read)(&mut self.cursor)
    }

    /// The next member of a list or a map that has so many already; none within behind the last one.
    pub(super) fn next_of(&mut self, len: Option<u64>, have: u64) -> Option<Option<Token<'a>>> {
        if len.is_some_and(|len| have >= len) {
            return Some(None);
        }
        let token = self.next()?;
        let is_end = len.is_none() && token == Token::Break;
        Some((!is_end).then_some(token))
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.cursor.rest.is_empty()
    }
}

/// An integer with all its digits.
pub(super) fn negative(value: u64) -> String {
    // The lowest has one more than 64 bits hold.
    value.checked_add(1).map_or("-18446744073709551616".to_owned(), |value| format!("-{value}"))
}
