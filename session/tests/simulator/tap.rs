//! A tap on one end of the wire: holds what this end sends to the rules of the specification, with
//! nothing taken from the crate under test.

use codec::{Packet, PacketId, QoS};
use std::collections::{BTreeMap, BTreeSet};

/// What one end has in use, as seen by itself.
#[derive(Debug, Default)]
pub struct Tap {
    in_use: BTreeMap<PacketId, Use>,
    /// Sent on this connection and not yet acknowledged (MQTT 5.0 §4.9).
    outstanding: BTreeSet<PacketId>,
    receive_maximum: usize,
    sent: u64,
    /// The number of the PUBLISH or repeated PUBREL that was last sent on this connection.
    last_number: u64,
    pub outstanding_most: usize,
}

#[derive(Debug, PartialEq)]
struct Use {
    kind: Kind,
    /// Counts what was sent for the first time.
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Publish { qos: QoS, released: bool },
    Subscribe,
    Unsubscribe,
}

impl Tap {
    pub fn connected(&mut self, receive_maximum: u16, resumed: bool) {
        self.outstanding.clear();
        self.receive_maximum = usize::from(receive_maximum);
        self.last_number = 0;
        if resumed {
            // SUBSCRIBE and UNSUBSCRIBE are not part of the session state (MQTT 5.0 §4.1).
            self.in_use.retain(|_, used| matches!(used.kind, Kind::Publish { .. }));
        } else {
            self.in_use.clear();
        }
    }

    pub fn sent(&mut self, packet: &Packet) {
        match packet {
            Packet::Publish(publish) if publish.qos == QoS::AtMostOnce => {
                assert!(!publish.dup, "[MQTT-3.3.1-2]: DUP with QoS 0");
            }
            Packet::Publish(publish) => {
                let id = publish.packet_id.expect("decoded, so it has one");
                let kind = Kind::Publish { qos: publish.qos, released: false };
                if publish.dup {
                    let number = self.in_use.get(&id).map(|used| {
                        assert_eq!(used.kind, kind, "[MQTT-4.3.3-6]: {id} is sent again");
                        used.number
                    });
                    self.in_order(
                        number.expect("[MQTT-4.4.0-1]: sent again what is not in flight"),
                    );
                } else {
                    self.take(id, kind);
                    self.in_order(self.sent);
                }
                assert!(self.outstanding.insert(id), "[MQTT-4.4.0-1]: {id} twice on a connection");
                self.outstanding_most = self.outstanding_most.max(self.outstanding.len());
                assert!(
                    self.outstanding.len() <= self.receive_maximum,
                    "[MQTT-4.9.0-2]: {} outstanding, {} allowed",
                    self.outstanding.len(),
                    self.receive_maximum,
                );
            }
            Packet::PubRel(ack) => {
                let Some(used) = self.in_use.get(&ack.packet_id) else {
                    assert!(ack.code.is_error(), "PUBREL for what is not in flight");
                    return;
                };
                let kind = Kind::Publish { qos: QoS::ExactlyOnce, released: true };
                assert_eq!(used.kind, kind, "[MQTT-4.3.3-4]: PUBREL without PUBREC");
                let number = used.number;
                if self.outstanding.insert(ack.packet_id) {
                    self.in_order(number);
                }
            }
            Packet::Subscribe(subscribe) => self.take(subscribe.packet_id, Kind::Subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                self.take(unsubscribe.packet_id, Kind::Unsubscribe);
            }
            _ => {}
        }
    }

    pub fn received(&mut self, packet: &Packet) {
        let done = match packet {
            Packet::PubAck(ack) | Packet::PubComp(ack) => ack.packet_id,
            Packet::PubRec(ack) if ack.code.is_error() => ack.packet_id,
            Packet::PubRec(ack) => {
                if let Some(used) = self.in_use.get_mut(&ack.packet_id)
                    && let Kind::Publish { released, .. } = &mut used.kind
                {
                    *released = true;
                }
                return;
            }
            Packet::SubAck(suback) => suback.packet_id,
            Packet::UnsubAck(unsuback) => unsuback.packet_id,
            _ => return,
        };
        self.in_use.remove(&done);
        self.outstanding.remove(&done);
    }

    fn take(&mut self, id: PacketId, kind: Kind) {
        self.sent += 1;
        let number = self.sent;
        let old = self.in_use.insert(id, Use { kind, number });
        assert_eq!(old, None, "[MQTT-2.2.1-3]: {id} is in use");
    }

    /// What is sent again keeps its order and precedes all that is new [MQTT-4.6.0-1].
    fn in_order(&mut self, number: u64) {
        assert!(self.last_number < number, "[MQTT-4.6.0-1]: {number} after {}", self.last_number);
        self.last_number = number;
    }
}
