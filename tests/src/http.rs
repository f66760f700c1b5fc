//! Bare HTTP and WebSocket, for what no browser would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::broker;

/// The example key of RFC 6455 §1.3, so that the answer to it is known, too.
const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer that RFC 6455 §1.3 gives for that key.
const WEBSOCKET_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The most of an answer's head that is read.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// An answer to an HTTP request.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(this, _)| this == name).map(|(_, value)| value.as_str())
    }
}

/// A TCP connection to the port of HTTP and WebSocket.
pub struct Connection {
    stream: TcpStream,
    arrived: Vec<u8>,
}

impl Connection {
    /// Connects, and sends nothing.
    #[must_use]
    #[track_caller]
    pub fn open(port: u16) -> Self {
        let stream = broker::connect(port);
        Self { stream, arrived: Vec::new() }
    }

    /// Sends bytes that the broker may refuse by closing the connection. Whether it took them all.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will be sent, and goes on listening.
    pub fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Sends a request without content, with these further header lines, and reads the answer.
    #[track_caller]
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(format!("{request}\r\n").as_bytes());
        let has_content = method != "HEAD";
        self.response(has_content).expect("an answer, not the end of the connection")
    }

    /// Asks for a WebSocket with this subprotocol; 101 is the answer that accepts.
    #[track_caller]
    pub fn upgrade(&mut self, path: &str, subprotocol: Option<&str>) -> Response {
        self.upgrade_from(None, path, subprotocol)
    }

    /// [`Self::upgrade`] as a browser does it for a page from `origin`.
    #[track_caller]
    pub fn upgrade_from(
        &mut self,
        origin: Option<&str>,
        path: &str,
        subprotocol: Option<&str>,
    ) -> Response {
        let mut headers = vec![
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", WEBSOCKET_KEY),
        ];
        headers.extend(subprotocol.map(|name| ("Sec-WebSocket-Protocol", name)));
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let response = self.request("GET", path, &headers);
        if response.status == 101 {
            assert_eq!(response.header("sec-websocket-accept"), Some(WEBSOCKET_ACCEPT));
        }
        response
    }

    /// Reads an answer, or `None` if the broker closes instead.
    #[track_caller]
    pub fn response(&mut self, has_content: bool) -> Option<Response> {
        let deadline = Instant::now() + PATIENCE;
        let head_length = loop {
            if let Some(at) = self.arrived.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.arrived.len() < HEAD_BYTES_MAX, "an endless head");
            if !self.read_more(deadline) {
                let rest = String::from_utf8_lossy(&self.arrived);
                assert!(self.arrived.is_empty(), "half an answer: {rest:?}");
                return None;
            }
        };
        let head: Vec<u8> = self.arrived.drain(..head_length).collect();
        let head = String::from_utf8(head).expect("the head of an answer is text");
        let mut lines = head.lines();
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
            .unwrap_or_else(|| panic!("no status line: {status_line:?}"));
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Response { status, headers, body: Vec::new() };
        if has_content && status >= 200 && status != 304 {
            response.body = self.content(&response, deadline);
        }
        Some(response)
    }

    fn content(&mut self, response: &Response, deadline: Instant) -> Vec<u8> {
        assert_eq!(response.header("transfer-encoding"), None, "this client reads no chunks");
        let Some(length) = response.header("content-length") else {
            while self.read_more(deadline) {}
            return std::mem::take(&mut self.arrived);
        };
        let length: usize = length.parse().expect("the content length is a number");
        while self.arrived.len() < length {
            assert!(self.read_more(deadline), "the content is shorter than its length, {length}");
        }
        self.arrived.drain(..length).collect()
    }

    /// Waits until the broker has closed the connection, and returns what it sent before.
    #[track_caller]
    pub fn receive_until_closed_within(&mut self, limit: Duration) -> Vec<u8> {
        let deadline = Instant::now() + limit;
        while self.read_more(deadline) {}
        std::mem::take(&mut self.arrived)
    }

    /// Sends one WebSocket frame, masked as a client has to (RFC 6455 §5.3), and final.
    pub fn send_frame(&mut self, opcode: u8, payload: &[u8]) -> bool {
        const MASK: [u8; 4] = [0xA5, 0x5A, 0x3C, 0xC3];
        let mut frame = vec![0x80 | opcode];
        match u16::try_from(payload.len()) {
            Ok(short @ ..126) => frame.push(0x80 | short.to_be_bytes()[1]),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.send(&frame)
    }

    /// The next WebSocket frame: its opcode and payload. `None` when the broker has closed.
    #[track_caller]
    pub fn receive_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((frame_length, header_length)) = frame_lengths(&self.arrived)
                && self.arrived.len() >= frame_length
            {
                let frame: Vec<u8> = self.arrived.drain(..frame_length).collect();
                return Some((frame[0] & 0x0F, frame[header_length..].to_vec()));
            }
            if !self.read_more(deadline) {
                return None;
            }
        }
    }

    /// The MQTT bytes that the WebSocket carries until the broker closes it. A close frame ends
    /// them as well.
    #[track_caller]
    pub fn receive_binary_until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some((opcode, payload)) = self.receive_frame() {
            match opcode {
                opcode::BINARY | opcode::CONTINUATION => bytes.extend(payload),
                opcode::CLOSE => break,
                _ => {}
            }
        }
        bytes
    }

    /// Reads what has arrived; `false` when the broker has closed.
    #[track_caller]
    fn read_more(&mut self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the broker neither answers nor closes in time");
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 64 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(length) => {
                    self.arrived.extend(&bytes[..length]);
                    return true;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => return false,
                    other => panic!("the connection broke: {other}"),
                },
            }
        }
    }
}

/// What a WebSocket frame carries (RFC 6455 §5.2).
pub mod opcode {
    #![allow(missing_docs, reason = "each is the opcode of its name")]
    pub const CONTINUATION: u8 = 0x0;
    pub const TEXT: u8 = 0x1;
    pub const BINARY: u8 = 0x2;
    pub const CLOSE: u8 = 0x8;
    pub const PING: u8 = 0x9;
    pub const PONG: u8 = 0xA;
}

/// The length of the frame that begins `bytes`, and of its header, once that much has arrived.
fn frame_lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let short = usize::from(bytes.get(1)? & 0x7F);
    let (header, payload) = match short {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, short),
    };
    Some((header + payload, header))
}
