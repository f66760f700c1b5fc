//! A recording: messages in a file, one a line, each a JSON object. `docs/recording.md` specifies it.
//!
//! The engine writes lines as messages come; the page reads a file back in pieces. Neither ever holds
//! a whole file.

use codec::{PacketType, Properties as Wire, Property, PropertyOwner};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::export::{encoded, string, time};
use crate::format::{base64, from_base64};
use crate::limits::RECORDING_LINE_MAX;
use crate::protocol::{Properties, Publish, Timed};
use crate::store::Message;
use crate::unreadable::Unreadable;

/// What a file begins with.
pub const HEAD: &str = "{\"format\":\"mqtt-recording\",\"version\":1}\n";

/// The name of the format, and the version that is read and written.
const FORMAT: &str = "mqtt-recording";
const VERSION: u32 = 1;

/// A message as a line, with its end.
pub fn line(message: &Message<'_>, at_ms: f64) -> String {
    let (encoding, payload) = encoded(message.payload);
    let mut out = format!(
        "{{\"time\":\"{}\",\"topic\":{},\"payload\":{}",
        time(at_ms),
        string(message.topic),
        string(&payload),
    );
    if encoding != "text" {
        out.push_str(",\"encoding\":\"base64\"");
    }
    out.push_str(&format!(",\"qos\":{},\"retain\":{}", message.qos, message.retain));
    let properties = properties(message.properties);
    if !properties.is_empty() {
        out.push_str(&format!(",\"properties\":{{{}}}", properties.join(",")));
    }
    out.push_str("}\n");
    out
}

fn properties(bytes: &[u8]) -> Vec<String> {
    let owner = PropertyOwner::Packet(PacketType::Publish);
    // They were checked when they came.
    let Ok(properties) = Wire::decode(bytes.to_vec().into(), owner) else { return Vec::new() };
    let mut out = Vec::new();
    let mut user = Vec::new();
    for property in properties.iter() {
        match property {
            Property::PayloadFormatIndicator(is_text) => {
                out.push(format!("\"payload_format_indicator\":{}", u8::from(is_text)));
            }
            Property::MessageExpiryInterval(seconds) => {
                out.push(format!("\"message_expiry_interval\":{seconds}"));
            }
            Property::ContentType(text) => {
                out.push(format!("\"content_type\":{}", string(text.as_str())));
            }
            Property::ResponseTopic(topic) => {
                out.push(format!("\"response_topic\":{}", string(topic.as_str())));
            }
            Property::CorrelationData(data) => {
                out.push(format!("\"correlation_data\":\"{}\"", base64(&data)));
            }
            Property::UserProperty(name, value) => {
                user.push(format!("[{},{}]", string(name.as_str()), string(value.as_str())));
            }
            // The others are the business of the connection that it came on.
            _ => {}
        }
    }
    if !user.is_empty() {
        out.push(format!("\"user_properties\":[{}]", user.join(",")));
    }
    out
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is no JSON object, or a member is not what it should be.
    Json(Unreadable),
    /// It has no topic.
    Topic,
    /// Its time is none.
    Time,
    /// Its payload is not in the encoding that it names.
    Payload,
    /// The file is of a later version.
    Version,
    /// It is longer than a line may be.
    Long,
}

#[derive(Deserialize)]
struct Line<'a> {
    format: Option<String>,
    version: Option<u32>,
    /// `tst`, `retain` as a number and a payload that is JSON: so `mosquitto_sub -F %j` and `%J` write it.
    #[serde(alias = "tst")]
    time: Option<String>,
    topic: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    encoding: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: Retain,
    #[serde(default)]
    properties: Known,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Retain {
    Flag(bool),
    Number(u8),
}

impl Default for Retain {
    fn default() -> Self {
        Self::Flag(false)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Known {
    payload_format_indicator: u8,
    message_expiry_interval: Option<u32>,
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation_data: Option<String>,
    user_properties: Vec<(String, String)>,
}

/// The message of a line; none where the line is none of a message. Its time is none where it names
/// none.
fn parse(line: &str) -> Result<Option<(Option<f64>, Publish)>, Wrong> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let read: Line<'_> =
        serde_json::from_str(line).map_err(|error| Wrong::Json(Unreadable::of(&error)))?;
    if read.format.as_deref() == Some(FORMAT) {
        let is_known = read.version.is_some_and(|version| version <= VERSION);
        return if is_known { Ok(None) } else { Err(Wrong::Version) };
    }
    let topic = read.topic.filter(|topic| !topic.is_empty()).ok_or(Wrong::Topic)?;
    let at_ms = match &read.time {
        Some(text) => Some(parse_time(text).ok_or(Wrong::Time)?),
        None => None,
    };
    let payload = payload(read.payload, read.encoding.as_deref())?;
    let known = read.properties;
    let correlation = known.correlation_data.map(|text| from_base64(&text).ok_or(Wrong::Payload));
    let publish = Publish {
        ticket: 0,
        topic,
        payload,
        qos: read.qos.min(2),
        retain: match read.retain {
            Retain::Flag(flag) => flag,
            Retain::Number(number) => number != 0,
        },
        properties: Properties {
            is_text: known.payload_format_indicator != 0,
            expiry_s: known.message_expiry_interval,
            content_type: known.content_type,
            response_topic: known.response_topic,
            correlation_data: correlation.transpose()?,
            user: known.user_properties,
        },
    };
    Ok(Some((at_ms, publish)))
}

fn payload(raw: Option<&RawValue>, encoding: Option<&str>) -> Result<Vec<u8>, Wrong> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(Vec::new()) };
    let Ok(text) = serde_json::from_str::<String>(raw.get()) else {
        // Any other JSON is the payload itself, to the digit.
        return Ok(raw.get().as_bytes().to_vec());
    };
    match encoding {
        None | Some("text") => Ok(text.into_bytes()),
        Some("base64") => from_base64(&text).ok_or(Wrong::Payload),
        Some(_) => Err(Wrong::Payload),
    }
}

/// Milliseconds since 1970, of a time as RFC 3339 writes it; the zone may be without its colon.
fn parse_time(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|t| t.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u32>().ok()
    };
    let is = |at: usize, signs: &[u8]| text.as_bytes().get(at).is_some_and(|b| signs.contains(b));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_marked = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    let is_possible = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_marked || !is_possible {
        return None;
    }
    let rest = text.get(19..)?;
    let fraction_len =
        rest.strip_prefix('.').map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, zone) = match fraction_len {
        0 => ("0", rest),
        len => (rest.get(1..=len)?, rest.get(len.saturating_add(1)..)?),
    };
    let fraction_ms = format!("0.{fraction}").parse::<f64>().ok()? * 1_000.0;
    let zone_minutes = match zone {
        "Z" | "z" | "" => 0.0,
        zone => {
            let sign = if zone.starts_with('-') { -1.0 } else { 1.0 };
            let digits = zone.strip_prefix(['+', '-'])?.replace(':', "");
            let number = |part: Option<&str>| part?.parse::<u32>().ok().filter(|n| *n < 60);
            let (hours, minutes) = (number(digits.get(..2))?, number(digits.get(2..4))?);
            sign * f64::from(hours.saturating_mul(60).saturating_add(minutes))
        }
    };
    // Days since 1970, in years that begin in March.
    let year = f64::from(year) - if month <= 2 { 1.0 } else { 0.0 };
    let month = f64::from((month + 9) % 12);
    let days = (365.25 * year).floor() - (year / 100.0).floor()
        + (year / 400.0).floor()
        + ((153.0 * month + 2.0) / 5.0).floor()
        + f64::from(day)
        - 719_469.0;
    let minutes = days * 1_440.0 + f64::from(hour * 60 + minute) - zone_minutes;
    Some((minutes * 60.0 + f64::from(second)) * 1_000.0 + fraction_ms)
}

/// A file that is read in pieces.
#[derive(Debug, Default)]
pub struct Reader {
    rest: Vec<u8>,
    /// Whether what comes up to the next end of a line belongs to one that is too long.
    is_skipping: bool,
    line: u64,
    /// The time of the last message, and what is added to each so that it is after the ones before.
    last_ms: Option<f64>,
    shift_ms: f64,
    begins_again: bool,
}

/// What was read of a file.
#[derive(Debug, Default, PartialEq)]
pub struct Read {
    /// The messages, in order.
    pub messages: Vec<Timed>,
    /// The lines that could not be read, by their number from 1.
    pub wrong: Vec<(u64, Wrong)>,
}

impl Reader {
    /// Takes the next bytes of the file; `is_end` where there are no more.
    pub fn feed(&mut self, bytes: &[u8], is_end: bool) -> Read {
        let mut read = Read::default();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end);
            self.rest.extend_from_slice(line);
            rest = behind.get(1..).unwrap_or_default();
            self.end_line(&mut read);
        }
        self.rest.extend_from_slice(rest);
        if self.rest.len() > RECORDING_LINE_MAX {
            self.rest = Vec::new();
            self.is_skipping = true;
        }
        if is_end && (!self.rest.is_empty() || self.is_skipping) {
            self.end_line(&mut read);
        }
        read
    }

    /// The same file, once more: its messages come behind those that were read.
    pub fn again(&mut self) {
        (self.rest, self.is_skipping, self.line) = (Vec::new(), false, 0);
        self.begins_again = true;
    }

    fn end_line(&mut self, read: &mut Read) {
        self.line = self.line.saturating_add(1);
        let bytes = std::mem::take(&mut self.rest);
        if std::mem::take(&mut self.is_skipping) || bytes.len() > RECORDING_LINE_MAX {
            read.wrong.push((self.line, Wrong::Long));
            return;
        }
        let text = String::from_utf8(bytes).map_err(|_| Wrong::Json(Unreadable::Syntax));
        // What some editors put at the beginning of a file is no part of it.
        match text.and_then(|text| parse(text.trim_start_matches('\u{feff}'))) {
            Ok(None) => {}
            Ok(Some((at_ms, publish))) => {
                let at_ms = self.at(at_ms);
                read.messages.push(Timed { at_ms, publish });
            }
            Err(wrong) => read.wrong.push((self.line, wrong)),
        }
    }

    /// When a message is due: never before the one that stands before it.
    fn at(&mut self, at_ms: Option<f64>) -> f64 {
        /// Between the end of a recording and its next beginning, in milliseconds.
        const AGAIN_MS: f64 = 1_000.0;
        let last_ms = self.last_ms.or(at_ms).unwrap_or(0.0);
        if std::mem::take(&mut self.begins_again) {
            self.shift_ms = last_ms + AGAIN_MS - at_ms.unwrap_or(last_ms);
        }
        let at_ms = at_ms.map_or(last_ms, |at_ms| (at_ms + self.shift_ms).max(last_ms));
        self.last_ms = Some(at_ms);
        at_ms
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn read(file: &str) -> Read {
        Reader::default().feed(file.as_bytes(), true)
    }

    #[test]
    fn what_was_recorded_is_read_back_whole() {
        let string = |text| codec::MqttString::new(text).unwrap();
        let properties = Wire::new([
            Property::PayloadFormatIndicator(true),
            Property::MessageExpiryInterval(60),
            Property::ContentType(string("text/plain")),
            Property::CorrelationData(vec![0, 255].into()),
            Property::UserProperty(string("k"), string("v")),
            Property::UserProperty(string("k"), string("\"w\"")),
        ])
        .unwrap();
        let mut file = HEAD.to_owned();
        let payloads: [&[u8]; 4] = [b"21.50", "é\n\"x\"\u{1}".as_bytes(), b"\xff\x00", b""];
        for (n, payload) in payloads.into_iter().enumerate() {
            let message = Message {
                topic: "a/\"ñ\"",
                payload,
                qos: 2,
                retain: n % 2 == 1,
                properties: properties.as_bytes(),
                ..Message::default()
            };
            file.push_str(&line(&message, 1_700_000_000_123.0 + n as f64));
        }
        assert_eq!(file.lines().count(), 5, "each message is one line");
        let read = read(&file);
        assert_eq!(read.wrong, []);
        for (n, (message, payload)) in read.messages.iter().zip(payloads).enumerate() {
            let publish = &message.publish;
            assert_eq!(publish.payload, payload);
            assert_eq!((publish.topic.as_str(), publish.qos), ("a/\"ñ\"", 2));
            assert_eq!(publish.retain, n % 2 == 1);
            assert_eq!(message.at_ms, 1_700_000_000_123.0 + n as f64);
            let given = &publish.properties;
            assert!(given.is_text && given.expiry_s == Some(60) && given.response_topic.is_none());
            assert_eq!(given.correlation_data.as_deref(), Some(&[0, 255][..]));
            assert_eq!(given.user[1], ("k".into(), "\"w\"".into()));
        }
        assert_eq!(read.messages.len(), 4);
    }

    #[test]
    fn what_mosquitto_sub_writes_is_read_too() {
        let file = "{\"tst\":\"2023-11-14T23:13:20.123456+0100\",\"topic\":\"a\",\"qos\":0,\"retain\":1,\
                    \"payloadlen\":5,\"payload\":\"21.50\"}\n\
                    {\"tst\":\"2023-11-14T22:13:21Z\",\"topic\":\"b\",\"qos\":1,\"retain\":0,\
                    \"payload\":{\"n\":12345678901234567890}}";
        let read = read(file);
        let [a, b] = read.messages.as_slice() else { panic!("{read:?}") };
        assert_eq!((a.at_ms.floor(), b.at_ms), (1_700_000_000_123.0, 1_700_000_001_000.0));
        assert_eq!((a.publish.payload.as_slice(), a.publish.retain), (&b"21.50"[..], true));
        assert_eq!(b.publish.payload, b"{\"n\":12345678901234567890}");
    }

    #[test]
    fn a_broken_line_is_told_and_the_rest_goes_on() {
        let file = "{\"topic\":\"a\",\"payload\":\"1\"}\r\n\
                    {broken\n\
                    \n\
                    {\"payload\":\"x\"}\n\
                    {\"topic\":\"a\",\"time\":\"yesterday\"}\n\
                    {\"topic\":\"a\",\"payload\":\"%\",\"encoding\":\"base64\"}\n\
                    {\"topic\":\"a\",\"qos\":\"high\"}\n\
                    {\"format\":\"mqtt-recording\",\"version\":2}\n\
                    [1]\n\
                    {\"topic\":\"b\"}";
        let read = read(file);
        let topics: Vec<_> = read.messages.iter().map(|m| m.publish.topic.as_str()).collect();
        assert_eq!(topics, ["a", "b"]);
        let lines: Vec<u64> = read.wrong.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4, 5, 6, 7, 8, 9]);
        assert_eq!(read.wrong[1].1, Wrong::Topic);
        assert_eq!(read.wrong[2].1, Wrong::Time);
        assert_eq!((&read.wrong[3].1, &read.wrong[5].1), (&Wrong::Payload, &Wrong::Version));
    }

    #[test]
    fn it_does_not_matter_where_a_file_is_cut_into_pieces() {
        let file = "{\"topic\":\"ñ\",\"payload\":\"é\"}\n{oops\n{\"topic\":\"b\"}\n";
        let whole = read(file);
        for size in 1..file.len() {
            let mut reader = Reader::default();
            let mut all = Read::default();
            for piece in file.as_bytes().chunks(size) {
                let read = reader.feed(piece, false);
                all.messages.extend(read.messages);
                all.wrong.extend(read.wrong);
            }
            all.messages.extend(reader.feed(b"", true).messages);
            assert_eq!(all, whole, "{size} bytes at once");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let mut reader = Reader::default();
        let piece = vec![b'x'; RECORDING_LINE_MAX / 2 + 1];
        for _ in 0..5 {
            assert_eq!(reader.feed(&piece, false), Read::default());
            assert!(reader.rest.len() <= RECORDING_LINE_MAX);
        }
        let read = reader.feed(b"\n{\"topic\":\"a\"}\n", true);
        assert_eq!((read.messages.len(), read.wrong), (1, vec![(1, Wrong::Long)]));
    }

    #[test]
    fn time_never_goes_back_and_a_second_round_comes_behind_the_first() {
        let at = |second: u32| {
            format!("{{\"topic\":\"a\",\"time\":\"1970-01-01T00:00:{second:02}Z\"}}\n")
        };
        let file = [at(5), at(3), at(9)].concat();
        let mut reader = Reader::default();
        let times = |read: Read| read.messages.iter().map(|m| m.at_ms).collect::<Vec<_>>();
        assert_eq!(times(reader.feed(file.as_bytes(), true)), [5_000.0, 5_000.0, 9_000.0]);
        reader.again();
        assert_eq!(times(reader.feed(file.as_bytes(), true)), [10_000.0, 10_000.0, 14_000.0]);
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for at_ms in [0.0, 951_782_400_000.0, 1_709_251_199_999.0, 4_102_444_800_001.0] {
            assert_eq!(parse_time(&time(at_ms)).map(f64::round), Some(at_ms), "{}", time(at_ms));
        }
        for text in [
            "",
            "2023",
            "2023-13-01T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00+99:99",
            "ñ023-01-01T00:00:00Z",
            "2023-01-01T00:00:00.5ñ",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
