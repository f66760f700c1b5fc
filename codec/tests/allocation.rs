//! A PUBLISH costs no allocation: not when it is taken off shared bytes, not when it is written into
//! a buffer that has the room.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test says so by a panic, its helpers too")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use codec::{
    Decoder, Packet, PacketId, Properties, Property, ProtocolVersion, Publish, PublishHead, QoS,
    TopicName,
};

/// The system's allocator, which counts how often this thread asks it for memory.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and nobody who would ask.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

#[allow(
    unsafe_code,
    reason = "an allocator can't be written without, and only it sees allocations"
)]
// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from there.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; the pointer came from there.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// With texts that are longer than what lies in a value itself.
fn publish(version: ProtocolVersion) -> Publish {
    let text = |text| codec::MqttString::new(text).unwrap();
    let properties = [
        Property::PayloadFormatIndicator(true),
        Property::ContentType(text("application/vnd.example.reading+json")),
        Property::ResponseTopic(TopicName::new("answers/house/kitchen/pi/temperature").unwrap()),
        Property::UserProperty(text(ROOM), text(ROOM)),
    ];
    Publish {
        qos: QoS::AtLeastOnce,
        packet_id: PacketId::new(7),
        properties: match version {
            ProtocolVersion::V5 => Properties::new(properties).unwrap(),
            _ => Properties::EMPTY,
        },
        ..Publish::new(TopicName::new(LONG_TOPIC).unwrap(), vec![b'x'; 64])
    }
}

const LONG_TOPIC: &str = "sensors/house/kitchen/pi/temperature";

const ROOM: &str = "the small room behind the kitchen";

const VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1u8; 10]))), 1);
}

#[test]
fn decoding_a_publish_allocates_nothing() {
    for version in VERSIONS {
        let packet = Packet::Publish(publish(version));
        let mut wire = BytesMut::new();
        for _ in 0..100 {
            packet.encode(version, &mut wire).unwrap();
        }
        let mut decoder = Decoder::client(version, 1_024);

        // A message of a WebSocket: shared bytes.
        let whole = wire.clone().freeze();
        let mut shared = whole.clone();
        let count = allocations(|| {
            for _ in 0..100 {
                assert_eq!(decoder.decode(&mut shared).unwrap().as_ref(), Some(&packet));
            }
        });
        assert_eq!(count, 0, "{version}, from shared bytes");

        // The read buffer of a socket. It becomes a shared one with its first packet: one allocation
        // for all that it holds.
        let count = allocations(|| {
            for _ in 0..100 {
                assert_eq!(decoder.decode(&mut wire).unwrap().as_ref(), Some(&packet));
            }
        });
        assert!(count <= 1, "{version}, from a read buffer: {count}");
        drop(whole);
    }
}

#[test]
fn what_is_decoded_is_a_slice_of_what_arrived() {
    for version in VERSIONS {
        let mut wire = BytesMut::new();
        Packet::Publish(publish(version)).encode(version, &mut wire).unwrap();
        let wire: Bytes = wire.freeze();
        let Ok(Packet::Publish(got)) = Packet::decode(&wire, version) else { panic!() };
        let inside = |part: &[u8]| {
            let range = wire.as_ptr_range();
            range.contains(&part.as_ptr()) && part.as_ptr_range().end <= range.end
        };
        assert!(inside(&got.payload));
        assert!(inside(got.topic.unwrap().as_bytes()));
        if version == ProtocolVersion::V5 {
            assert!(inside(got.properties.as_bytes()));
            assert!(inside(got.properties.content_type().unwrap().as_bytes()));
            assert!(inside(got.properties.response_topic().unwrap().as_bytes()));
            for (name, value) in got.properties.user_properties() {
                assert!(inside(name.as_bytes()) && inside(value.as_bytes()));
            }
        }
    }
}

#[test]
fn short_text_owns_no_memory() {
    let mut wire = BytesMut::new();
    let publish = Publish::new(TopicName::new("sensors/pi/temperature").unwrap(), "21.5");
    Packet::Publish(publish).encode(ProtocolVersion::V311, &mut wire).unwrap();
    let wire = wire.freeze();
    let count = allocations(|| {
        let packet = Packet::decode(&wire, ProtocolVersion::V311);
        let Ok(Packet::Publish(Publish { topic: Some(topic), .. })) = packet else { panic!() };
        assert_eq!(topic.detached(), topic);
    });
    assert_eq!(count, 0);
}

#[test]
fn encoding_into_a_buffer_with_room_allocates_nothing() {
    for version in VERSIONS {
        let publish = publish(version);
        let packet = Packet::Publish(publish.clone());
        let mut out = BytesMut::with_capacity(1_024);
        let count = allocations(|| {
            for _ in 0..100 {
                out.clear();
                packet.encode(version, &mut out).unwrap();
            }
        });
        assert_eq!(count, 0, "{version}, the packet");

        let head = PublishHead {
            dup: false,
            qos: publish.qos,
            retain: false,
            topic: publish.topic.as_ref().unwrap().as_bytes(),
            packet_id: publish.packet_id,
            topic_alias: Some(1),
            message_expiry_interval_s: Some(60),
            subscription_identifiers: &[1, 2],
            properties: &publish.properties,
            payload_len: publish.payload.len(),
        };
        let count = allocations(|| {
            for _ in 0..100 {
                out.clear();
                head.encode(version, &mut out).unwrap();
            }
        });
        assert_eq!(count, 0, "{version}, its head");
    }
}
