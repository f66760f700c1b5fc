//! What a peer gets to read, frame by frame, from the echo and from the transport of MQTT.

use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as Peer};
use std::thread::JoinHandle;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::net::Stream;
use crate::worker::{Incoming as Arrived, Transport};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
type Frames = Vec<Vec<u8>>;

/// The bit that says that a frame is the last of its message.
const LAST: u8 = 0x80;

const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Runs the server of one connection in a thread.
fn serve<F>(server: impl FnOnce(TcpStream) -> F + Send + 'static) -> (SocketAddr, JoinHandle<()>)
where
    F: Future<Output = ()>,
{
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            server(listener.accept().await.unwrap().0).await;
        });
    });
    (address, thread)
}

/// Opens a WebSocket, sends these bytes, and reads to the end what comes back.
fn talk(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    let mut peer = Peer::connect(address).unwrap();
    peer.write_all(&[REQUEST, sent].concat()).unwrap();
    let mut read = Vec::new();
    peer.read_to_end(&mut read).unwrap();
    let head = read.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    assert!(read.starts_with(b"HTTP/1.1 101 "));
    read.split_off(head + 4)
}

/// A short frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 77, 177, 222];
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [first, 0x80 | length].into_iter().chain(mask).chain(masked).collect()
}

/// A frame as a server sends it.
fn answer(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

fn closed(code: u16) -> Vec<u8> {
    answer(LAST | CLOSE, &code.to_be_bytes())
}

fn close(code: u16) -> Vec<u8> {
    frame(LAST | CLOSE, &code.to_be_bytes())
}

#[test]
fn what_follows_the_rules_comes_back() {
    let cases: [(&str, Frames, Frames); 7] = [
        (
            "text and binary",
            vec![frame(LAST | TEXT, "grüß".as_bytes()), frame(LAST | BINARY, &[0, 255])],
            vec![answer(LAST | TEXT, "grüß".as_bytes()), answer(LAST | BINARY, &[0, 255])],
        ),
        ("an empty message", vec![frame(LAST | TEXT, b"")], vec![answer(LAST | TEXT, b"")]),
        (
            "a message in pieces, one of them empty, one that ends within a character",
            vec![frame(TEXT, b"gr\xc3"), frame(0, b""), frame(LAST, b"\xbc\xc3\x9f")],
            vec![answer(LAST | TEXT, "grüß".as_bytes())],
        ),
        (
            "a ping between the pieces is answered before the message",
            vec![frame(BINARY, b"a"), frame(LAST | PING, b"there?"), frame(LAST, b"b")],
            vec![answer(LAST | PONG, b"there?"), answer(LAST | BINARY, b"ab")],
        ),
        ("a pong that nobody asked for", vec![frame(LAST | PONG, b"here")], vec![]),
        (
            "the largest ping",
            vec![frame(LAST | PING, &[1; 125])],
            vec![answer(LAST | PONG, &[1; 125])],
        ),
        ("nothing", vec![], vec![]),
    ];
    for (what, sent, want) in cases {
        let (address, server) = serve(echo);
        let read = talk(address, &[sent.concat(), close(1000)].concat());
        assert_eq!(read, [want.concat(), closed(1000)].concat(), "{what}");
        server.join().unwrap();
    }
}

#[test]
fn a_close_is_answered_with_its_own_code_or_told_that_there_is_no_such_code() {
    for (what, sent, want) in [
        ("normal", close(1000), closed(1000)),
        ("going away", close(1001), closed(1001)),
        ("one of an application", close(4999), closed(4999)),
        ("without a code", frame(LAST | CLOSE, b""), answer(LAST | CLOSE, b"")),
        ("half a code", frame(LAST | CLOSE, &[3]), closed(1002)),
        ("a reason that is no UTF-8", frame(LAST | CLOSE, &[3, 232, 255]), closed(1007)),
    ] {
        let (address, server) = serve(echo);
        assert_eq!(talk(address, &sent), want, "{what}");
        server.join().unwrap();
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let (address, server) = serve(echo);
        let read = talk(address, &close(code));
        assert_eq!(&read[..1], [LAST | CLOSE], "{code}");
        assert_eq!(&read[2..4], 1002u16.to_be_bytes(), "{code}");
        server.join().unwrap();
    }
}

#[test]
fn who_breaks_the_rules_is_told_which_before_the_connection_ends() {
    let unmasked = answer(LAST | TEXT, b"hello");
    let claim = |length: u64| {
        [&[LAST | BINARY, 0x80 | 127][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat()
    };
    let long_ping = [&[LAST | PING, 0x80 | 126, 0, 126, 0, 0, 0, 0][..], &[0; 126]].concat();
    for (what, sent, code) in [
        ("text that is no UTF-8", frame(LAST | TEXT, &[0xc3, 0x28]), 1007),
        ("text that ends within a character", frame(LAST | TEXT, &[0xc3]), 1007),
        (
            "text in pieces that is no UTF-8",
            [frame(TEXT, &[0xc3]), frame(LAST, &[0x28])].concat(),
            1007,
        ),
        ("a surrogate", frame(LAST | TEXT, &[0xed, 0xa0, 0x80]), 1007),
        ("a frame larger than a packet may be", claim(1 << 40), 1009),
        ("a frame of the largest length there is", claim(u64::MAX), 1009),
        ("a data frame of a kind that is not there", frame(LAST | 3, b""), 1002),
        ("a control frame of a kind that is not there", frame(LAST | 11, b""), 1002),
        ("the first reserved bit", frame(LAST | 0x40 | TEXT, b"hello"), 1002),
        ("the second reserved bit", frame(LAST | 0x20 | BINARY, b"hello"), 1002),
        ("the third reserved bit", frame(LAST | 0x10 | PING, b"hello"), 1002),
        ("a frame without a mask", unmasked, 1002),
        ("a ping in pieces", frame(PING, b"a"), 1002),
        ("a ping that is too long", long_ping, 1002),
        ("a piece of no message", frame(LAST, b"a"), 1002),
        ("a message within another", [frame(TEXT, b"a"), frame(LAST | TEXT, b"b")].concat(), 1002),
    ] {
        let (address, server) = serve(echo);
        // What follows is not looked at, and does not keep the answer from being read.
        let read = talk(address, &[sent, frame(LAST | TEXT, &[b'x'; 100]).repeat(500)].concat());
        assert_eq!(read, closed(code), "{what}");
        server.join().unwrap();
    }
}

/// A connection of MQTT, closed at the first error.
async fn serve_mqtt(stream: TcpStream) {
    let bounds = Bounds::new(&Limits::default(), HTTP_HEAD_MAX);
    let answer = async |request: &Request<Incoming>| accept(request, Some("mqtt")).unwrap();
    let socket = serve_until_open(Stream::from(stream), bounds, answer).await.unwrap().unwrap();
    let mut transport = Transport::web_socket(socket);
    let (mut arrived, mut shared) = (Arrived::default(), BytesMut::new());
    while poll_fn(|cx| transport.poll_read(cx, &mut arrived, &mut shared)).await.is_ok() {}
    transport.shut_down(true).await;
    transport.read_away().await;
}

#[test]
fn who_speaks_mqtt_is_told_too() {
    for (what, sent, want) in [
        ("a text message", frame(LAST | TEXT, b"hello"), closed(1003)),
        ("text that is no UTF-8", frame(LAST | TEXT, &[0xff]), closed(1007)),
        ("a reserved bit", frame(LAST | 0x40 | BINARY, b"hello"), closed(1002)),
        ("a close", close(1000), closed(1000)),
    ] {
        let (address, server) = serve(serve_mqtt);
        // The peer answers a close with one of its own, and both sides are done.
        let sent = [frame(LAST | BINARY, b"ok"), sent, close(1000)].concat();
        assert_eq!(talk(address, &sent), want, "{what}");
        server.join().unwrap();
    }
}

/// A binary frame of any length with any mask.
fn binary_frame(random: &mut fastrand::Rng, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        medium @ ..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    let mask: [u8; 4] = std::array::from_fn(|_| random.u8(..));
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// All bytes of binary messages that come out of a WebSocket over which these come in.
async fn joined(wire: &[u8], cuts: &[usize], messages: Messages) -> (Vec<u8>, usize) {
    let (peer, ours) = tokio::io::duplex(1 << 20);
    let mut socket = WebSocket::new(ours, &[], 1 << 20);
    let write = async {
        let (mut answers, mut peer) = tokio::io::split(peer);
        let mut rest = wire;
        for cut in cuts {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            peer.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
            rest = after;
        }
        peer.write_all(rest).await.unwrap();
        peer.shutdown().await.unwrap();
        let mut answered = Vec::new();
        answers.read_to_end(&mut answered).await.unwrap();
    };
    let read = async {
        let (mut shared, mut all, mut count) = (BytesMut::new(), Vec::new(), 0);
        while let Some(message) = poll_fn(|cx| socket.poll_next(cx, &mut shared, messages)).await {
            match message {
                Ok(Message::Binary(bytes)) => {
                    all.extend_from_slice(&bytes);
                    count += 1;
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        drop(socket);
        (all, count)
    };
    tokio::join!(write, read).1
}

#[test]
fn bytes_come_out_of_frames_however_these_are_made_and_cut() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut wire, mut want, mut messages) = (Vec::new(), Vec::new(), 0);
        for _ in 0..random.usize(1..40) {
            let length = match random.u8(..) {
                0..200 => random.usize(0..200),
                200..250 => random.usize(0..5_000),
                _ => random.usize(0..100_000),
            };
            let payload: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
            want.extend_from_slice(&payload);
            messages += 1;
            match random.u8(..) {
                // In two pieces with a ping between.
                0..30 => {
                    let (one, two) = payload.split_at(random.usize(0..=length));
                    wire.extend(binary_frame(&mut random, BINARY, one));
                    wire.extend(frame(LAST | PING, b"?"));
                    wire.extend(binary_frame(&mut random, LAST, two));
                }
                _ => wire.extend(binary_frame(&mut random, LAST | BINARY, &payload)),
            }
        }
        let cuts: Vec<usize> = (0..random.usize(0..20))
            .map(|_| {
                let pieces = random.usize(1..200);
                random.usize(1..=1 + wire.len() / pieces)
            })
            .collect();
        let (bytes, count) = runtime.block_on(joined(&wire, &cuts, Messages::Single));
        assert!(bytes == want && count == messages, "seed {seed}, message by message");
        let (bytes, _) = runtime.block_on(joined(&wire, &cuts, Messages::Joined));
        assert!(bytes == want, "seed {seed}, joined");
    }
}
