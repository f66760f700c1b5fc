//! Log lines for each packet, for who looks for a fault (`log_type debug`), in Mosquitto's words.
//!
//! Where they are off, each costs one load.

use codec::{Ack, Packet, PacketId, Publish, QoS, Will};

/// What is said of a PUBLISH, in either direction.
pub(super) struct Said<'a> {
    pub dup: bool,
    pub qos: QoS,
    pub retain: bool,
    pub packet_id: Option<PacketId>,
    pub topic: &'a str,
    pub payload_len: usize,
}

impl std::fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { dup, qos, retain, packet_id, topic, payload_len } = self;
        let (dup, qos, retain) = (u8::from(*dup), *qos as u8, u8::from(*retain));
        let id = packet_id.map_or(0, PacketId::get);
        write!(f, "(d{dup}, q{qos}, r{retain}, m{id}, '{topic}', ... ({payload_len} bytes))")
    }
}

/// Whether these lines are written.
pub(super) fn is_on() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// A packet came from a client.
pub(super) fn received(client_id: &str, packet: &Packet) {
    if is_on() {
        say("Received", "from", client_id, packet);
    }
}

/// A client connects with this will.
pub(super) fn will(will: Option<&Will>) {
    match will {
        Some(will) => {
            let (retain, qos) = (u8::from(will.retain), will.qos as u8);
            let bytes = will.payload.len();
            tracing::debug!("Will message specified ({bytes} bytes) (r{retain}, q{qos}).");
            tracing::debug!("\t{}", will.topic);
        }
        None => tracing::debug!("No will message specified."),
    }
}

/// A packet that is not a PUBLISH goes to a client.
pub(super) fn sending(client_id: &str, packet: &Packet) {
    if is_on() {
        say("Sending", "to", client_id, packet);
    }
}

/// A PUBLISH goes to a client.
pub(super) fn sending_publish(client_id: &str, said: &Said<'_>) {
    tracing::debug!("Sending PUBLISH to {client_id} {said}");
}

fn say(verb: &str, way: &str, client_id: &str, packet: &Packet) {
    let ack = |name: &str, ack: &Ack| {
        let (id, code) = (ack.packet_id, ack.code as u8);
        tracing::debug!("{verb} {name} {way} {client_id} (m{id}, rc{code})");
    };
    match packet {
        Packet::Publish(publish) => {
            let said = Said::of(publish);
            tracing::debug!("{verb} PUBLISH {way} {client_id} {said}");
        }
        Packet::PubAck(packet) => ack("PUBACK", packet),
        Packet::PubRec(packet) => ack("PUBREC", packet),
        Packet::PubRel(packet) => ack("PUBREL", packet),
        Packet::PubComp(packet) => ack("PUBCOMP", packet),
        Packet::ConnAck(packet) => {
            let (present, code) = (u8::from(packet.session_present), packet.code as u8);
            tracing::debug!("{verb} CONNACK {way} {client_id} ({present}, {code})");
        }
        Packet::Disconnect(packet) => {
            let code = packet.code as u8;
            tracing::debug!("{verb} DISCONNECT {way} {client_id} (rc{code})");
        }
        Packet::Auth(packet) => {
            let code = packet.code as u8;
            tracing::debug!("{verb} AUTH {way} {client_id} (rc{code})");
        }
        Packet::Connect(_) => tracing::debug!("{verb} CONNECT {way} {client_id}"),
        Packet::Subscribe(packet) => {
            tracing::debug!("{verb} SUBSCRIBE {way} {client_id}");
            for subscription in &packet.subscriptions {
                let qos = subscription.options.qos as u8;
                tracing::debug!("\t{} (QoS {qos})", subscription.filter);
            }
        }
        Packet::SubAck(_) => tracing::debug!("{verb} SUBACK {way} {client_id}"),
        Packet::Unsubscribe(packet) => {
            tracing::debug!("{verb} UNSUBSCRIBE {way} {client_id}");
            for filter in &packet.filters {
                tracing::debug!("\t{filter}");
            }
        }
        Packet::UnsubAck(_) => tracing::debug!("{verb} UNSUBACK {way} {client_id}"),
        Packet::PingReq => tracing::debug!("{verb} PINGREQ {way} {client_id}"),
        Packet::PingResp => tracing::debug!("{verb} PINGRESP {way} {client_id}"),
    }
}

impl<'a> Said<'a> {
    fn of(publish: &'a Publish) -> Self {
        Self {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            packet_id: publish.packet_id,
            topic: publish.topic.as_ref().map_or("", |topic| topic.as_str()),
            payload_len: publish.payload.len(),
        }
    }
}
