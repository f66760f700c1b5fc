//! The PROXY protocol, versions 1 and 2: the line or the block by which a proxy in front of the broker
//! says where a connection really comes from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::PROXY_HEADER_MAX;

/// The longest line of version 1, its end included.
const LINE_MAX: usize = 107;

/// What a block of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes before what a block of version 2 says of the addresses.
const BLOCK_HEAD: usize = 16;

/// Why a header is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it does not begin with a header of the PROXY protocol, version {version}: {why}")]
pub(super) struct BadHeader {
    version: u8,
    why: &'static str,
}

/// Reads the header, and nothing behind it. `None` if the proxy speaks for itself, or does not know.
///
/// # Errors
/// There is no such header, or the connection ended before it did.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    version: u8,
) -> io::Result<Option<SocketAddr>> {
    let parsed = if version == 1 {
        let mut line = Vec::with_capacity(LINE_MAX);
        while !line.ends_with(b"\r\n") && line.len() < LINE_MAX {
            line.push(stream.read_u8().await?);
        }
        parse_line(&line)
    } else {
        let mut head = [0; BLOCK_HEAD];
        stream.read_exact(&mut head).await?;
        let length = block_length(&head).map_err(io::Error::other)?;
        let mut block = vec![0; length];
        stream.read_exact(&mut block).await?;
        parse_block(&head, &block)
    };
    parsed.map_err(io::Error::other)
}

fn parse_line(line: &[u8]) -> Result<Option<SocketAddr>, BadHeader> {
    let bad = |why| BadHeader { version: 1, why };
    let line = line.strip_suffix(b"\r\n").ok_or(bad("the line does not end"))?;
    let line = std::str::from_utf8(line).map_err(|_| bad("the line is no text"))?;
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return Err(bad("the word PROXY is missing"));
    }
    let is_v4 = match words.next() {
        Some("TCP4") => true,
        Some("TCP6") => false,
        Some("UNKNOWN") => return Ok(None),
        _ => return Err(bad("the protocol is neither TCP4, TCP6 nor UNKNOWN")),
    };
    let mut address = || words.next().and_then(|word| word.parse::<IpAddr>().ok());
    let (source, destination) = (address(), address());
    let mut port = || words.next().and_then(|word| word.parse::<u16>().ok());
    let ports = (port(), port());
    let (Some(source), Some(destination), (Some(port), Some(_)), None) =
        (source, destination, ports, words.next())
    else {
        return Err(bad("there are not two addresses and two ports"));
    };
    if source.is_ipv4() != is_v4 || destination.is_ipv4() != is_v4 {
        return Err(bad("an address is of another protocol"));
    }
    Ok(Some(SocketAddr::new(source, port)))
}

/// How many bytes follow the head of a block.
fn block_length(head: &[u8; BLOCK_HEAD]) -> Result<usize, BadHeader> {
    let bad = |why| BadHeader { version: 2, why };
    let [rest @ .., _, _, high, low] = head;
    if rest != SIGNATURE {
        return Err(bad("the signature is missing"));
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > PROXY_HEADER_MAX {
        return Err(bad("it is too long"));
    }
    Ok(length)
}

fn parse_block(head: &[u8; BLOCK_HEAD], block: &[u8]) -> Result<Option<SocketAddr>, BadHeader> {
    let bad = |why| BadHeader { version: 2, why };
    let [.., command, family, _, _] = head;
    match command {
        // The proxy itself asks whether the broker is there.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(bad("version or command is unknown")),
    }
    let short = bad("it ends before the addresses do");
    match family {
        0x11 => {
            let Some((source, rest)) = block.split_first_chunk::<4>() else { return Err(short) };
            let Some(ports) = rest.get(4..).and_then(|rest| rest.first_chunk::<4>()) else {
                return Err(short);
            };
            let [high, low, ..] = *ports;
            let address = IpAddr::V4(Ipv4Addr::from(*source));
            Ok(Some(SocketAddr::new(address, u16::from_be_bytes([high, low]))))
        }
        0x21 => {
            let Some((source, rest)) = block.split_first_chunk::<16>() else { return Err(short) };
            let Some(ports) = rest.get(16..).and_then(|rest| rest.first_chunk::<4>()) else {
                return Err(short);
            };
            let [high, low, ..] = *ports;
            let address = IpAddr::V6(Ipv6Addr::from(*source));
            Ok(Some(SocketAddr::new(address, u16::from_be_bytes([high, low]))))
        }
        // What came to the proxy by something else has no address here.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_version_1() {
        for (line, want) in [
            ("PROXY TCP4 192.0.2.1 192.0.2.2 5000 1883\r\n", Some("192.0.2.1:5000")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 5000 1883\r\n", Some("[2001:db8::1]:5000")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN what ever\r\n", None),
        ] {
            let want = want.map(|address| address.parse().unwrap());
            assert_eq!(parse_line(line.as_bytes()), Ok(want), "{line}");
        }
        for line in [
            "",
            "PROXY",
            "PROXY \r\n",
            "proxy UNKNOWN\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 5000 1883",
            "PROXY TCP4 192.0.2.1 192.0.2.2 5000\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 5000 1883 x\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 65536 1883\r\n",
            "PROXY TCP4 2001:db8::1 192.0.2.2 5000 1883\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 5000 1883\r\n",
            "PROXY TCP4 a b 1 2\r\n",
            "\u{10}\u{13}\0\u{4}MQTT\r\n",
        ] {
            assert!(parse_line(line.as_bytes()).is_err(), "{line}");
        }
    }

    fn head(command: u8, family: u8, length: u16) -> [u8; BLOCK_HEAD] {
        let mut head = [0; BLOCK_HEAD];
        head[..12].copy_from_slice(SIGNATURE);
        head[12] = command;
        head[13] = family;
        head[14..].copy_from_slice(&length.to_be_bytes());
        head
    }

    #[test]
    fn blocks_of_version_2() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 0x07, 0x5b];
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[32..34].copy_from_slice(&5000u16.to_be_bytes());
        for (command, family, block, want) in [
            (0x21, 0x11, &v4[..], Ok(Some("192.0.2.1:5000"))),
            (0x21, 0x21, &v6[..], Ok(Some("[::1]:5000"))),
            (0x20, 0x00, &[], Ok(None)),
            (0x21, 0x31, &v4[..], Ok(None)),
            (0x21, 0x11, &v4[..11], Err(())),
            (0x21, 0x21, &v6[..35], Err(())),
            (0x11, 0x11, &v4[..], Err(())),
            (0x22, 0x11, &v4[..], Err(())),
        ] {
            let parsed = parse_block(&head(command, family, 0), block);
            let want = want.map(|address| address.map(|address| address.parse().unwrap()));
            assert_eq!(parsed.map_err(|_| ()), want, "{command:#x} {family:#x}");
        }
    }

    #[test]
    fn a_block_is_as_long_as_it_may_be() {
        assert_eq!(block_length(&head(0x21, 0x11, 12)), Ok(12));
        assert!(block_length(&head(0x21, 0x11, u16::MAX)).is_err());
        assert!(block_length(b"GET / HTTP/1.1\r\n").is_err());
    }
}
