//! As much of RFC 6455 as a load generator needs: one frame for each packet on the way out, any
//! frames on the way in.

use anyhow::{Result, bail};

/// The masking key of every frame. The broker has to apply it like any other, and because it never
/// changes, packets can be masked once, before the clock starts.
pub(crate) const MASK: [u8; 4] = [0x5a, 0xc3, 0x96, 0x3c];

/// The request that begins a WebSocket connection.
pub(crate) const UPGRADE: &[u8] =
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\
    Sec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IgMQ==\r\n\r\n";

/// Appends a packet as one masked binary frame. Returns where the packet begins in it.
pub(crate) fn put_frame(packet: &[u8], out: &mut Vec<u8>) -> usize {
    out.push(0x82);
    match packet.len() {
        short @ ..=125 => out.push(0x80 | short as u8),
        medium @ ..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend(packet.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    start
}

/// Takes the frames off what a server sends.
#[derive(Debug, Default)]
pub(crate) struct Unframer {
    /// A header that is not complete yet.
    header: Vec<u8>,
    /// What is still to come of the current frame.
    remaining: u64,
    /// Whether the current frame carries data, or else is one that WebSocket has for itself.
    is_data: bool,
}

impl Unframer {
    /// The next piece of data at the front of `bytes`, which moves on; `None` when all was looked at.
    pub(crate) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>> {
        loop {
            if self.remaining > 0 {
                let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(bytes.len());
                let (piece, rest) = bytes.split_at(len);
                *bytes = rest;
                self.remaining -= len as u64;
                if piece.is_empty() {
                    return Ok(None);
                }
                if self.is_data {
                    return Ok(Some(piece));
                }
                continue;
            }
            let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
            self.header.push(first);
            *bytes = rest;
            if let Some((opcode, remaining)) = parse(&self.header)? {
                self.header.clear();
                self.remaining = remaining;
                self.is_data = opcode < 8;
            }
        }
    }
}

/// The opcode and the length of a frame; `None` while its header is not complete.
fn parse(header: &[u8]) -> Result<Option<(u8, u64)>> {
    Ok(match header {
        [first, ..] if first & 0x0f == 8 => bail!("the broker closed the WebSocket"),
        [_, second, ..] if second & 0x80 != 0 => bail!("the broker sent a masked frame"),
        [first, 127, a, b, c, d, e, f, g, h] => {
            Some((first & 0x0f, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])))
        }
        [first, 126, a, b] => Some((first & 0x0f, u16::from_be_bytes([*a, *b]).into())),
        [first, short @ ..=125] => Some((first & 0x0f, (*short).into())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a server sends it.
    fn server_frame(opcode: u8, data: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match data.len() {
            short @ ..=125 => frame.push(short as u8),
            medium => {
                frame.push(126);
                frame.extend((medium as u16).to_be_bytes());
            }
        }
        frame.extend(data);
        frame
    }

    #[test]
    fn data_comes_out_of_frames_however_they_are_cut() {
        let long = vec![9; 700];
        let frames: Vec<u8> =
            [server_frame(2, b"one"), server_frame(9, b"ping"), server_frame(2, &long)].concat();
        for step in 1..=frames.len() {
            let mut unframer = Unframer::default();
            let mut data = Vec::new();
            for mut piece in frames.chunks(step) {
                while let Some(more) = unframer.next(&mut piece).unwrap() {
                    data.extend_from_slice(more);
                }
            }
            assert_eq!(data, [b"one".as_slice(), &long].concat(), "in pieces of {step}");
        }
    }

    #[test]
    fn a_frame_holds_its_packet_masked() {
        for len in [0, 1, 125, 126, 70_000] {
            let packet = vec![0x11; len];
            let mut out = Vec::new();
            let start = put_frame(&packet, &mut out);
            let unmasked: Vec<u8> =
                out[start..].iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m).collect();
            assert_eq!(unmasked, packet);
            assert_eq!(out[start - 4..start], MASK);
        }
    }

    #[test]
    fn a_close_is_an_error() {
        let frame = server_frame(8, &[]);
        assert!(Unframer::default().next(&mut &frame[..]).is_err());
    }
}
