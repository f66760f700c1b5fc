//! A socket that stands in for the browser's, with the test at its other end.

use bytes::{Bytes, BytesMut};
use codec::{ConnAck, Decoder, Packet, Properties, ProtocolVersion, ReasonCode, SubAck, TopicName};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::dom::{eventually, frame};

#[wasm_bindgen(inline_js = r#"
const real = globalThis.WebSocket;
let sockets = [];
class Stand {
  constructor(url, protocol) {
    if (!/^wss?:/.test(url)) throw new SyntaxError(`no address: ${url}`);
    Object.assign(this, { url, protocol, sent: [], closed: false, bufferedAmount: 0 });
    sockets.push(this);
  }
  send(data) { this.sent.push(new Uint8Array(data)); }
  close() { this.closed = true; }
}
// A test that failed has left a client behind, whose next try must not be among the sockets of this one. What
// is due at once is no such try, and is left alone: so Yew goes on with what it draws, and if that never came
// nothing would be drawn in any test any more.
const realTimeout = globalThis.setTimeout;
let tries = [];
function remember(then, ms, ...rest) {
  const id = realTimeout(then, ms, ...rest);
  if (ms > 0) tries.push(id);
  return id;
}
export function install() {
  for (const id of tries.splice(0)) clearTimeout(id);
  sockets = [];
  Object.assign(globalThis, { WebSocket: Stand, setTimeout: remember });
}
export function restore() { Object.assign(globalThis, { WebSocket: real, setTimeout: realTimeout }); }
export function count() { return sockets.length; }
export function has_protocol(index) { return sockets[index].protocol !== undefined; }
export function protocol(index) { return sockets[index].protocol; }
export function is_closed(index) { return sockets[index].closed; }
export function take_sent(index) { return sockets[index].sent.splice(0); }
export function open(index) { sockets[index].onopen?.(); }
export function message(index, data) { sockets[index].onmessage?.(new MessageEvent("message", { data })); }
export function close(index) { sockets[index].onclose?.(new Event("close")); }
"#)]
extern "C" {
    fn install();
    fn restore();
    fn count() -> usize;
    fn has_protocol(index: usize) -> bool;
    fn protocol(index: usize) -> String;
    fn is_closed(index: usize) -> bool;
    fn take_sent(index: usize) -> Vec<Uint8Array>;
    fn open(index: usize);
    fn message(index: usize, data: &JsValue);
    fn close(index: usize);
}

/// The network: every socket that is opened while it lives ends at the test.
pub(crate) struct Network(());

impl Network {
    pub(crate) fn new() -> Self {
        install();
        Self(())
    }

    /// The broker's end of the socket with this number, once it was asked for.
    pub(crate) async fn broker(&self, index: usize) -> Broker {
        eventually("a socket", || (count() > index).then_some(())).await;
        assert_eq!(protocol(index), "mqtt");
        open(index);
        let decoder = Decoder::server(1 << 20);
        Broker { index, decoder, received: BytesMut::new() }
    }

    /// Lets nobody open the socket with this number.
    pub(crate) async fn refuse(&self, index: usize) {
        eventually("a socket", || (count() > index).then_some(())).await;
        close(index);
    }

    /// Opens a socket that was asked for without a subprotocol.
    pub(crate) async fn answer_without_subprotocol(&self, index: usize) {
        eventually("a socket", || (count() > index).then_some(())).await;
        assert!(!has_protocol(index));
        open(index);
    }

    pub(crate) fn sockets(&self) -> usize {
        count()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        restore();
    }
}

/// The broker's end of one socket.
pub(crate) struct Broker {
    index: usize,
    decoder: Decoder,
    received: BytesMut,
}

impl Broker {
    /// A broker that has accepted the connection.
    pub(crate) async fn accepted(network: &Network, index: usize) -> Self {
        let mut broker = network.broker(index).await;
        let Packet::Connect(_) = broker.next().await else { panic!("CONNECT comes first") };
        broker.send(&[connack()]);
        broker
    }

    /// The next packet from the client.
    pub(crate) async fn next(&mut self) -> Packet {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.received).unwrap() {
                return packet;
            }
            let sent = take_sent(self.index);
            if sent.is_empty() {
                frame().await;
            }
            for part in sent {
                self.received.extend_from_slice(&part.to_vec());
            }
        }
    }

    /// Answers the next SUBSCRIBE with this code.
    pub(crate) async fn answer_subscribe(&mut self, code: ReasonCode) {
        let Packet::Subscribe(subscribe) = self.next().await else { panic!("SUBSCRIBE is next") };
        let codes = vec![code; subscribe.subscriptions.len()];
        let properties = Properties::EMPTY;
        let packet_id = subscribe.packet_id;
        self.send(&[Packet::SubAck(SubAck { packet_id, properties, codes })]);
    }

    /// Sends packets in one frame.
    pub(crate) fn send(&self, packets: &[Packet]) {
        self.send_bytes(&encode(packets));
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        message(self.index, &Uint8Array::from(bytes).buffer());
    }

    pub(crate) fn send_text(&self) {
        message(self.index, &"text".into());
    }

    pub(crate) fn close(&self) {
        close(self.index);
    }

    pub(crate) fn is_closed(&self) -> bool {
        is_closed(self.index)
    }
}

pub(crate) fn encode(packets: &[Packet]) -> Bytes {
    let mut bytes = BytesMut::new();
    for packet in packets {
        packet.encode(ProtocolVersion::V5, &mut bytes).unwrap();
    }
    bytes.freeze()
}

pub(crate) fn connack() -> Packet {
    Packet::ConnAck(ConnAck {
        session_present: false,
        code: ReasonCode::Success,
        properties: Properties::EMPTY,
    })
}

pub(crate) fn publish(topic: &str, payload: &'static str) -> Packet {
    Packet::Publish(codec::Publish::new(TopicName::new(topic).unwrap(), payload))
}
