//! What the tests share: seeded randomness, arbitrary packets of every kind, frames put together by
//! hand. The same tests run on the host and, under `wasm32`, in a headless browser.

#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy knows these files of tests only where a test stands in them"
)]

pub(crate) mod packets;
pub(crate) mod rng;

/// Where this is imported, a test runs in the browser; on the host it is the ordinary `#[test]`.
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

use bytes::{Bytes, BytesMut};
use codec::{Packet, ProtocolVersion, TopicFilter, TopicName};

pub(crate) const VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

/// A packet from its first byte and what follows its Remaining Length.
pub(crate) fn frame(first: u8, body: &[u8]) -> Bytes {
    let mut out = vec![first];
    let mut left = body.len();
    loop {
        let more = if left > 0x7f { 0x80 } else { 0 };
        out.push((left & 0x7f) as u8 | more);
        left >>= 7;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out.into()
}

/// The bytes of a packet that can be encoded.
pub(crate) fn encoded(packet: &Packet, version: ProtocolVersion) -> Bytes {
    let mut out = BytesMut::new();
    if let Err(error) = packet.encode(version, &mut out) {
        panic!("{version}: {error}: {packet:?}");
    }
    out.freeze()
}

pub(crate) fn name(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

pub(crate) fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}
