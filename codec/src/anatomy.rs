//! What each byte of a packet is: the fields of a packet in their order, named as the specification names
//! them, each with its bytes or bits, its value and the section that describes it.
//!
//! It is for people who look at a packet, so it goes along the structure alone: a value that is not
//! allowed is shown like any other, and [`Packet::decode`] says what is wrong with it. Where the structure
//! itself breaks off, what is left is one field, [`Kind::Rest`].

use alloc::borrow::{Cow, ToOwned as _};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::error::DecodeError;
use crate::frame::read_varint;
use crate::property::Layout;
use crate::{Packet, PacketType, PropertyId, PropertyOwner, ProtocolVersion, QoS, ReasonCode};

/// A packet taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anatomy {
    /// What it is; none where its first byte says nothing.
    pub packet: Option<PacketType>,
    /// The version whose rules hold: a CONNECT names its own.
    pub version: ProtocolVersion,
    /// Its fields: each before those that it consists of.
    pub fields: Vec<Field>,
    /// Why it is no packet, or none that is allowed.
    pub error: Option<DecodeError>,
}

/// A field of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the specification.
    pub name: &'static str,
    /// How many fields it is inside of.
    pub depth: u8,
    /// Its first byte.
    pub start: usize,
    /// The first byte behind it.
    pub end: usize,
    /// Which bits of its one byte it is; all where it is whole bytes.
    pub bits: u8,
    /// Its value as a person reads it; empty where its bytes say all.
    pub value: String,
    /// The section that describes it, of the specification that [`Anatomy::document`] names.
    pub section: Cow<'static, str>,
    /// What kind of field it is.
    pub kind: Kind,
}

/// What kind of field it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It consists of the fields that follow it and are inside of it.
    Group,
    /// It is a number, a text or bits.
    Value,
    /// What an application says: a payload, which any bytes can be.
    Payload,
    /// What nobody should see by accident: a Password.
    Secret,
    /// What follows after a field that breaks off.
    Rest,
}

impl Anatomy {
    /// The specification that the sections are of. That of MQTT 3.1 has no sections as fine as these, so
    /// its packets refer to MQTT 3.1.1, which they are the same as but for what is named otherwise.
    pub fn document(&self) -> &'static str {
        if self.version.is_v5() { "MQTT 5.0" } else { "MQTT 3.1.1" }
    }

    /// The value of the first field of this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    /// Takes a packet apart, or bytes that were meant as one. `version` is that of the connection.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use codec::ProtocolVersion;
    /// use codec::anatomy::Anatomy;
    ///
    /// let puback = Anatomy::of(&Bytes::from_static(&[0x40, 2, 0, 7]), ProtocolVersion::V311);
    /// assert_eq!(puback.value("Packet Identifier"), Some("7"));
    /// assert_eq!(puback.error, None);
    /// ```
    pub fn of(packet: &Bytes, version: ProtocolVersion) -> Self {
        let mut walk = Walk { bytes: packet, at: 0, fields: Vec::new(), open: Vec::new(), version };
        let kind = walk.header();
        let _ended = kind.and_then(|kind| walk.body(kind));
        walk.finish();
        Self {
            packet: kind,
            version: walk.version,
            fields: walk.fields,
            error: Packet::decode(packet, version).err(),
        }
    }
}

/// Part of a byte: its name, its bits, the section for it, and its value.
type Part = (&'static str, u8, &'static str, String);

/// Goes along a packet; `None` is where the structure breaks off.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<Field>,
    /// The groups that the next field is inside of.
    open: Vec<usize>,
    version: ProtocolVersion,
}

impl<'a> Walk<'a> {
    fn left(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The section of MQTT 5.0, or that of 3.1.1.
    fn either(&self, v5: &'static str, v311: &'static str) -> &'static str {
        if self.version.is_v5() { v5 } else { v311 }
    }

    fn push(&mut self, name: &'static str, len: usize, section: impl Into<Cow<'static, str>>) {
        let depth = u8::try_from(self.open.len()).unwrap_or(u8::MAX);
        let end = self.at.saturating_add(len);
        self.fields.push(Field {
            name,
            depth,
            start: self.at,
            end,
            bits: u8::MAX,
            value: String::new(),
            section: section.into(),
            kind: Kind::Value,
        });
    }

    fn set(&mut self, value: String, kind: Kind) {
        if let Some(field) = self.fields.last_mut() {
            field.value = value;
            field.kind = kind;
        }
    }

    fn begin(&mut self, name: &'static str, section: impl Into<Cow<'static, str>>) {
        self.push(name, 0, section);
        self.set(String::new(), Kind::Group);
        self.open.push(self.fields.len().saturating_sub(1));
    }

    /// Ends the innermost group; one without a byte is none.
    fn end(&mut self) {
        let Some(field) = self.open.pop().and_then(|group| self.fields.get_mut(group)) else {
            return;
        };
        field.end = self.at;
        if field.start == field.end {
            self.fields.pop();
        }
    }

    /// Gives the innermost group a value.
    fn call(&mut self, value: String) {
        let group = self.open.last().and_then(|group| self.fields.get_mut(*group));
        if let Some(field) = group {
            field.value = value;
        }
    }

    /// What is left has no structure, and all groups end here.
    fn finish(&mut self) {
        let len = self.left().len();
        if len > 0 {
            self.push("Rest", len, "");
            self.set(bytes(len), Kind::Rest);
            self.at = self.bytes.len();
        }
        while !self.open.is_empty() {
            self.end();
        }
    }

    /// A number of so many bytes, which `say` puts into words.
    fn number(
        &mut self,
        name: &'static str,
        len: usize,
        section: impl Into<Cow<'static, str>>,
        say: impl FnOnce(u32) -> String,
    ) -> Option<u32> {
        let number = self.left().get(..len)?;
        let number = number.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        self.push(name, len, section);
        self.set(say(number), Kind::Value);
        self.at = self.at.saturating_add(len);
        Some(number)
    }

    fn varint(
        &mut self,
        name: &'static str,
        section: impl Into<Cow<'static, str>>,
        say: impl FnOnce(u32) -> String,
    ) -> Option<u32> {
        let (value, len) = read_varint(self.left()).ok()??;
        self.push(name, usize::from(len), section);
        self.set(say(value), Kind::Value);
        self.at = self.at.saturating_add(usize::from(len));
        Some(value)
    }

    /// One byte that several fields share.
    fn byte(&mut self, parts: impl FnOnce(u8, ProtocolVersion) -> Vec<Part>) -> Option<u8> {
        let byte = *self.left().first()?;
        for (name, bits, section, value) in parts(byte, self.version) {
            self.push(name, 1, section);
            self.set(value, Kind::Value);
            if let Some(field) = self.fields.last_mut() {
                field.bits = bits;
            }
        }
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    /// Bytes with their length before them. `kind` is what the bytes themselves are; text has a value.
    fn prefixed(
        &mut self,
        name: &'static str,
        section: impl Into<Cow<'static, str>>,
        kind: Kind,
        is_text: bool,
    ) -> Option<&'a [u8]> {
        self.begin(name, section);
        let section = match (is_text, self.version.is_v5()) {
            (true, true) => "1.5.4",
            (true, false) => "1.5.3",
            (false, true) => "1.5.6",
            (false, false) => "1.4",
        };
        let len = self.number("Length", 2, section, bytes_of)? as usize;
        let data = self.left().get(..len)?;
        let text = if is_text { String::from_utf8_lossy(data).into_owned() } else { bytes(len) };
        self.call(text);
        if len > 0 {
            let part = if is_text { "UTF-8 Encoded String" } else { "Binary Data" };
            self.push(part, len, section);
            self.set(String::new(), kind);
            self.at = self.at.saturating_add(len);
        }
        self.end();
        Some(data)
    }

    fn text(
        &mut self,
        name: &'static str,
        section: impl Into<Cow<'static, str>>,
    ) -> Option<&'a [u8]> {
        self.prefixed(name, section, Kind::Value, true)
    }

    fn header(&mut self) -> Option<PacketType> {
        let v5 = self.version.is_v5();
        self.begin("Fixed Header", if v5 { "2.1.1" } else { "2.2" });
        let kind = PacketType::from_nibble(self.left().first()? >> 4);
        self.byte(|byte, version| first_byte(byte, kind, version))?;
        let section = if v5 { "2.1.4" } else { "2.2.3" };
        self.varint("Remaining Length", section, bytes_of)?;
        self.end();
        kind
    }

    fn body(&mut self, kind: PacketType) -> Option<()> {
        match kind {
            PacketType::Connect => self.connect(),
            PacketType::ConnAck => self.connack(),
            PacketType::Publish => self.publish(),
            PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
                self.ack(kind)
            }
            PacketType::Subscribe | PacketType::Unsubscribe => self.filters(kind),
            PacketType::SubAck | PacketType::UnsubAck => self.codes(kind),
            PacketType::PingReq | PacketType::PingResp => Some(()),
            PacketType::Disconnect | PacketType::Auth => {
                self.begin("Variable Header", part(kind, 2));
                self.code_and_properties(kind)?;
                self.end();
                Some(())
            }
        }
    }

    fn packet_id(&mut self) -> Option<u32> {
        let section = self.either("2.2.1", "2.3.1");
        self.number("Packet Identifier", 2, section, |id| id.to_string())
    }

    fn connect(&mut self) -> Option<()> {
        self.begin("Variable Header", "3.1.2");
        self.text("Protocol Name", "3.1.2.1")?;
        // What follows is of the version that this byte names.
        match self.left().first()? & 0x7f {
            3 => self.version = ProtocolVersion::V31,
            4 => self.version = ProtocolVersion::V311,
            5 => self.version = ProtocolVersion::V5,
            _ => {}
        }
        let name = self.either("Protocol Version", "Protocol Level");
        self.number(name, 1, "3.1.2.2", |level| match level & 0x7f {
            3 => "3 (MQTT 3.1)".to_owned(),
            4 => "4 (MQTT 3.1.1)".to_owned(),
            5 => "5 (MQTT 5.0)".to_owned(),
            other => other.to_string(),
        })?;
        self.begin("Connect Flags", "3.1.2.3");
        let flags = self.byte(connect_flags)?;
        self.end();
        self.number("Keep Alive", 2, "3.1.2.10", seconds)?;
        self.properties(PropertyOwner::Packet(PacketType::Connect))?;
        self.end();

        self.begin("Payload", "3.1.3");
        self.text("Client Identifier", "3.1.3.1")?;
        if flags & 0x04 != 0 {
            self.properties(PropertyOwner::Will)?;
            self.text("Will Topic", self.either("3.1.3.3", "3.1.3.2"))?;
            let name = self.either("Will Payload", "Will Message");
            let section = self.either("3.1.3.4", "3.1.3.3");
            self.prefixed(name, section, Kind::Payload, false)?;
        }
        // MQTT 3.1 lets both be left out.
        let is_v31 = self.version == ProtocolVersion::V31;
        if flags & 0x80 != 0 && !(is_v31 && self.is_at_end()) {
            self.text("User Name", self.either("3.1.3.5", "3.1.3.4"))?;
        }
        if flags & 0x40 != 0 && !(is_v31 && self.is_at_end()) {
            self.prefixed("Password", self.either("3.1.3.6", "3.1.3.5"), Kind::Secret, false)?;
        }
        self.end();
        Some(())
    }

    fn connack(&mut self) -> Option<()> {
        self.begin("Variable Header", "3.2.2");
        self.begin("Connect Acknowledge Flags", "3.2.2.1");
        self.byte(|byte, version| {
            let section = if version.is_v5() { "3.2.2.1.1" } else { "3.2.2.2" };
            let mut parts = alloc::vec![("Reserved", 0xfe, "3.2.2.1", (byte >> 1).to_string())];
            let name = if version == ProtocolVersion::V31 { "Reserved" } else { "Session Present" };
            parts.push((name, 0x01, section, (byte & 1).to_string()));
            parts
        })?;
        self.end();
        let version = self.version;
        let name = self.either("Connect Reason Code", "Connect Return code");
        self.number(name, 1, self.either("3.2.2.2", "3.2.2.3"), |code| {
            let byte = u8::try_from(code).unwrap_or(u8::MAX);
            let name = || ReasonCode::from_connack_byte(byte, version).map(ReasonCode::name);
            named(code, if version.is_v5() { name() } else { connect_return_code(code) })
        })?;
        self.properties(PropertyOwner::Packet(PacketType::ConnAck))?;
        self.end();
        Some(())
    }

    fn publish(&mut self) -> Option<()> {
        let qos = self.bytes.first()? >> 1 & 0b11;
        self.begin("Variable Header", "3.3.2");
        self.text("Topic Name", "3.3.2.1")?;
        if qos > 0 {
            self.number("Packet Identifier", 2, "3.3.2.2", |id| id.to_string())?;
        }
        self.properties(PropertyOwner::Packet(PacketType::Publish))?;
        self.end();
        let len = self.left().len();
        if len > 0 {
            self.push("Payload", len, "3.3.3");
            self.set(bytes(len), Kind::Payload);
            self.at = self.bytes.len();
        }
        Some(())
    }

    fn ack(&mut self, kind: PacketType) -> Option<()> {
        self.begin("Variable Header", part(kind, 2));
        self.packet_id()?;
        self.code_and_properties(kind)?;
        self.end();
        Some(())
    }

    /// A Reason Code and properties, of which the end may be left out (MQTT 5.0 §3.4.2).
    fn code_and_properties(&mut self, kind: PacketType) -> Option<()> {
        if !self.version.is_v5() || self.is_at_end() {
            return Some(());
        }
        let name = match kind {
            PacketType::Disconnect => "Disconnect Reason Code",
            PacketType::Auth => "Authenticate Reason Code",
            _ => "Reason Code",
        };
        let section = format!("{}.1", part(kind, 2));
        self.number(name, 1, section, |code| reason(code, kind))?;
        if self.is_at_end() {
            return Some(());
        }
        self.properties(PropertyOwner::Packet(kind))
    }

    /// SUBSCRIBE and UNSUBSCRIBE.
    fn filters(&mut self, kind: PacketType) -> Option<()> {
        self.begin("Variable Header", part(kind, 2));
        self.packet_id()?;
        self.properties(PropertyOwner::Packet(kind))?;
        self.end();
        self.begin("Payload", part(kind, 3));
        while !self.is_at_end() {
            self.text("Topic Filter", part(kind, 3))?;
            if kind == PacketType::Subscribe {
                let name = self.either("Subscription Options", "Requested QoS");
                self.begin(name, self.either("3.8.3.1", "3.8.3"));
                self.byte(subscription_options)?;
                self.end();
            }
        }
        self.end();
        Some(())
    }

    /// SUBACK and UNSUBACK.
    fn codes(&mut self, kind: PacketType) -> Option<()> {
        self.begin("Variable Header", part(kind, 2));
        self.packet_id()?;
        self.properties(PropertyOwner::Packet(kind))?;
        self.end();
        self.begin("Payload", part(kind, 3));
        let name = self.either("Reason Code", "Return Code");
        while !self.is_at_end() {
            let is_v5 = self.version.is_v5();
            self.number(name, 1, part(kind, 3), |code| match is_v5 {
                true => reason(code, kind),
                false => named(code, granted(code)),
            })?;
        }
        self.end();
        Some(())
    }

    fn properties(&mut self, owner: PropertyOwner) -> Option<()> {
        if !self.version.is_v5() {
            return Some(());
        }
        let (base, order) = sections(owner);
        let name = if owner == PropertyOwner::Will { "Will Properties" } else { "Properties" };
        self.begin(name, base);
        let len = self.varint("Property Length", format!("{base}.1"), bytes_of)? as usize;
        // A length that says more than there is breaks off behind its last property.
        let end = self.at.saturating_add(len);
        while self.at < end && !self.is_at_end() {
            self.property(base, order)?;
        }
        self.end();
        Some(())
    }

    fn property(&mut self, base: &'static str, order: &[PropertyId]) -> Option<()> {
        let (number, _) = read_varint(self.left()).ok()??;
        let id = PropertyId::from_u32(number)?;
        let place = order.iter().position(|known| *known == id);
        // The length of the properties is the first subsection.
        let section = place
            .map_or("2.2.2.2".to_owned(), |place| format!("{base}.{}", place.saturating_add(2)));
        self.begin(id.name(), section);
        self.varint("Identifier", "2.2.2.2", |id| format!("{id} (0x{id:02x})"))?;
        let value = match id.layout() {
            Layout::Byte => {
                self.number("Value", 1, "1.5.1", |number| number.to_string())?.to_string()
            }
            Layout::TwoBytes => {
                self.number("Value", 2, "1.5.2", |number| number.to_string())?.to_string()
            }
            Layout::FourBytes => {
                self.number("Value", 4, "1.5.3", |number| number.to_string())?.to_string()
            }
            Layout::Varint => {
                self.varint("Value", "1.5.5", |number| number.to_string())?.to_string()
            }
            Layout::Text => lossy(self.text("Value", "1.5.4")?),
            Layout::Binary => bytes(self.prefixed("Value", "1.5.6", Kind::Value, false)?.len()),
            Layout::Pair => {
                let name = lossy(self.text("Name", "1.5.7")?);
                let value = lossy(self.text("Value", "1.5.7")?);
                format!("{name}: {value}")
            }
        };
        self.call(value);
        self.end();
        Some(())
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn bytes(len: usize) -> String {
    if len == 1 { "1 byte".to_owned() } else { format!("{len} bytes") }
}

fn bytes_of(len: u32) -> String {
    len.to_string()
}

fn seconds(number: u32) -> String {
    format!("{number} s")
}

/// A number with its name, if it has one.
fn named(number: u32, name: Option<&str>) -> String {
    name.map_or_else(|| format!("0x{number:02x}"), |name| format!("0x{number:02x} ({name})"))
}

fn reason(code: u32, kind: PacketType) -> String {
    let code_name = u8::try_from(code).ok().and_then(ReasonCode::from_u8).map(ReasonCode::name);
    named(
        code,
        match (kind, code) {
            (PacketType::SubAck, 0) => Some("Granted QoS 0"),
            (PacketType::Disconnect, 0) => Some("Normal disconnection"),
            _ => code_name,
        },
    )
}

/// What a code of a CONNACK is called before MQTT 5.0 (MQTT 3.1.1 §3.2.2.3).
fn connect_return_code(code: u32) -> Option<&'static str> {
    const NAMES: [&str; 6] = [
        "Connection Accepted",
        "Connection Refused, unacceptable protocol version",
        "Connection Refused, identifier rejected",
        "Connection Refused, Server unavailable",
        "Connection Refused, bad user name or password",
        "Connection Refused, not authorized",
    ];
    NAMES.get(usize::try_from(code).ok()?).copied()
}

/// What a code of a SUBACK is called before MQTT 5.0 (MQTT 3.1.1 §3.9.3).
const fn granted(code: u32) -> Option<&'static str> {
    match code {
        0 => Some("Success - Maximum QoS 0"),
        1 => Some("Success - Maximum QoS 1"),
        2 => Some("Success - Maximum QoS 2"),
        0x80 => Some("Failure"),
        _ => None,
    }
}

/// The Variable Header of a packet is the second part of its section, its payload the third.
fn part(kind: PacketType, part: u8) -> String {
    format!("3.{}.{part}", kind as u8)
}

fn first_byte(byte: u8, kind: Option<PacketType>, version: ProtocolVersion) -> Vec<Part> {
    let (of_type, of_flags) = if version.is_v5() { ("2.1.2", "2.1.3") } else { ("2.2.1", "2.2.2") };
    let number = byte >> 4;
    let value = kind.map_or(number.to_string(), |kind| format!("{number} ({})", kind.name()));
    let mut parts = alloc::vec![("MQTT Control Packet type", 0xf0, of_type, value)];
    if kind == Some(PacketType::Publish) {
        parts.push(("DUP", 0x08, "3.3.1.1", (byte >> 3 & 1).to_string()));
        parts.push(("QoS", 0x06, "3.3.1.2", qos(byte >> 1)));
        parts.push(("RETAIN", 0x01, "3.3.1.3", (byte & 1).to_string()));
    } else {
        parts.push(("Flags", 0x0f, of_flags, format!("{:04b}", byte & 0x0f)));
    }
    parts
}

fn qos(bits: u8) -> String {
    let level = bits & 0b11;
    let name = match QoS::from_u8(level) {
        Some(QoS::AtMostOnce) => "at most once",
        Some(QoS::AtLeastOnce) => "at least once",
        Some(QoS::ExactlyOnce) => "exactly once",
        None => "reserved",
    };
    format!("{level} ({name})")
}

fn connect_flags(byte: u8, version: ProtocolVersion) -> Vec<Part> {
    let bit = |shift: u8| (byte >> shift & 1).to_string();
    let clean = if version.is_v5() { "Clean Start" } else { "Clean Session" };
    alloc::vec![
        ("User Name Flag", 0x80, "3.1.2.8", bit(7)),
        ("Password Flag", 0x40, "3.1.2.9", bit(6)),
        ("Will Retain", 0x20, "3.1.2.7", bit(5)),
        ("Will QoS", 0x18, "3.1.2.6", qos(byte >> 3)),
        ("Will Flag", 0x04, "3.1.2.5", bit(2)),
        (clean, 0x02, "3.1.2.4", bit(1)),
        ("Reserved", 0x01, "3.1.2.3", bit(0)),
    ]
}

fn subscription_options(byte: u8, version: ProtocolVersion) -> Vec<Part> {
    if !version.is_v5() {
        return alloc::vec![
            ("Reserved", 0xfc, "3.8.3", (byte >> 2).to_string()),
            ("QoS", 0x03, "3.8.3", qos(byte)),
        ];
    }
    let retain = match byte >> 4 & 0b11 {
        0 => "0 (send retained messages)",
        1 => "1 (send them if the subscription is new)",
        2 => "2 (do not send them)",
        _ => "3 (reserved)",
    };
    alloc::vec![
        ("Reserved", 0xc0, "3.8.3.1", (byte >> 6).to_string()),
        ("Retain Handling", 0x30, "3.8.3.1", retain.to_owned()),
        ("Retain As Published", 0x08, "3.8.3.1", (byte >> 3 & 1).to_string()),
        ("No Local", 0x04, "3.8.3.1", (byte >> 2 & 1).to_string()),
        ("Maximum QoS", 0x03, "3.8.3.1", qos(byte)),
    ]
}

/// Where a packet's properties are described, and in which order; each has a section of its own behind
/// that of their length.
fn sections(owner: PropertyOwner) -> (&'static str, &'static [PropertyId]) {
    use PropertyId as Id;
    const OF_ACKS: &[PropertyId] = &[Id::ReasonString, Id::UserProperty];
    match owner {
        PropertyOwner::Will => (
            "3.1.3.2",
            &[
                Id::WillDelayInterval,
                Id::PayloadFormatIndicator,
                Id::MessageExpiryInterval,
                Id::ContentType,
                Id::ResponseTopic,
                Id::CorrelationData,
                Id::UserProperty,
            ],
        ),
        PropertyOwner::Packet(PacketType::Connect) => (
            "3.1.2.11",
            &[
                Id::SessionExpiryInterval,
                Id::ReceiveMaximum,
                Id::MaximumPacketSize,
                Id::TopicAliasMaximum,
                Id::RequestResponseInformation,
                Id::RequestProblemInformation,
                Id::UserProperty,
                Id::AuthenticationMethod,
                Id::AuthenticationData,
            ],
        ),
        PropertyOwner::Packet(PacketType::ConnAck) => (
            "3.2.2.3",
            &[
                Id::SessionExpiryInterval,
                Id::ReceiveMaximum,
                Id::MaximumQoS,
                Id::RetainAvailable,
                Id::MaximumPacketSize,
                Id::AssignedClientIdentifier,
                Id::TopicAliasMaximum,
                Id::ReasonString,
                Id::UserProperty,
                Id::WildcardSubscriptionAvailable,
                Id::SubscriptionIdentifierAvailable,
                Id::SharedSubscriptionAvailable,
                Id::ServerKeepAlive,
                Id::ResponseInformation,
                Id::ServerReference,
                Id::AuthenticationMethod,
                Id::AuthenticationData,
            ],
        ),
        PropertyOwner::Packet(PacketType::Publish) => (
            "3.3.2.3",
            &[
                Id::PayloadFormatIndicator,
                Id::MessageExpiryInterval,
                Id::TopicAlias,
                Id::ResponseTopic,
                Id::CorrelationData,
                Id::UserProperty,
                Id::SubscriptionIdentifier,
                Id::ContentType,
            ],
        ),
        PropertyOwner::Packet(PacketType::PubAck) => ("3.4.2.2", OF_ACKS),
        PropertyOwner::Packet(PacketType::PubRec) => ("3.5.2.2", OF_ACKS),
        PropertyOwner::Packet(PacketType::PubRel) => ("3.6.2.2", OF_ACKS),
        PropertyOwner::Packet(PacketType::PubComp) => ("3.7.2.2", OF_ACKS),
        PropertyOwner::Packet(PacketType::Subscribe) => {
            ("3.8.2.1", &[Id::SubscriptionIdentifier, Id::UserProperty])
        }
        PropertyOwner::Packet(PacketType::SubAck) => ("3.9.2.1", OF_ACKS),
        PropertyOwner::Packet(PacketType::Unsubscribe) => ("3.10.2.1", &[Id::UserProperty]),
        PropertyOwner::Packet(PacketType::UnsubAck) => ("3.11.2.1", OF_ACKS),
        PropertyOwner::Packet(PacketType::Disconnect) => (
            "3.14.2.2",
            &[Id::SessionExpiryInterval, Id::ReasonString, Id::UserProperty, Id::ServerReference],
        ),
        PropertyOwner::Packet(PacketType::Auth) => (
            "3.15.2.2",
            &[Id::AuthenticationMethod, Id::AuthenticationData, Id::ReasonString, Id::UserProperty],
        ),
        // They have none.
        PropertyOwner::Packet(PacketType::PingReq | PacketType::PingResp) => ("2.2.2", &[]),
    }
}
