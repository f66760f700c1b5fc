//! The packets of MQTT 3.1, 3.1.1 and 5.0: what the bytes mean, and nothing else.
//!
//! The crate is shared by the broker and by the dashboard in the browser. It opens no socket, reads no
//! clock and knows nothing of sessions. It is `no_std` with `alloc`, and every payload and every text it
//! hands out is a slice of the [`Bytes`](bytes::Bytes) it arrived in; only a text that is shorter than what it
//! takes to share it is copied.
//!
//! Three families of items:
//!
//! * **Look**: [`FixedHeader::peek`] says how long the next packet is, without needing all of it;
//!   [`PublishView::peek`] what a PUBLISH says, where it lies.
//! * **Decode**: [`Decoder`] takes packets off a growing buffer; [`Packet::decode`] reads one frame.
//! * **Encode**: [`Packet::encode`] appends to a buffer; [`PublishHead`] encodes just what precedes a
//!   payload, so that one body can be shared by many receivers.
//!
//! ```
//! use bytes::BytesMut;
//! use codec::{Decoder, Packet, ProtocolVersion, Publish, QoS, TopicName};
//!
//! let reading = Publish::new(TopicName::new("sensors/pi/temperature")?, "21.5");
//! let mut wire = BytesMut::new();
//! Packet::Publish(reading.clone()).encode(ProtocolVersion::V5, &mut wire)?;
//!
//! let mut decoder = Decoder::client(ProtocolVersion::V5, 1024);
//! assert_eq!(decoder.decode(&mut wire)?, Some(Packet::Publish(reading)));
//! assert_eq!(decoder.decode(&mut wire)?, None, "no further packet yet");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![deny(clippy::arithmetic_side_effects)]

extern crate alloc;

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

#[cfg(feature = "anatomy")]
pub mod anatomy;
mod decode;
mod decoder;
mod encode;
mod error;
mod frame;
mod packet;
mod property;
mod reason;
mod string;
mod topic;
mod types;
mod view;

pub use decoder::{Decoder, Input};
pub use encode::PublishHead;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use frame::{FixedHeader, varint_len};
pub use packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, Subscription,
    UnsubAck, Unsubscribe, Will,
};
pub use property::{Properties, PropertiesBuilder, Property, PropertyId, PropertyOwner};
pub use reason::ReasonCode;
pub use string::{MqttString, StringError};
pub use topic::{TopicError, TopicFilter, TopicName};
pub use types::{PacketId, PacketType, ProtocolVersion, QoS, RetainHandling, SubscriptionOptions};
pub use view::PublishView;

/// The largest Remaining Length that a Variable Byte Integer of four bytes can say
/// (MQTT 5.0 §1.5.5).
pub const REMAINING_LENGTH_MAX: u32 = 268_435_455;

/// The largest packet of all: [`REMAINING_LENGTH_MAX`] and a fixed header of five bytes.
pub const PACKET_SIZE_MAX: u32 = REMAINING_LENGTH_MAX + 5;

/// The longest UTF-8 Encoded String, and the longest Binary Data, in bytes (MQTT 5.0 §1.5.4, §1.5.6).
pub const STRING_LEN_MAX: usize = 65_535;
