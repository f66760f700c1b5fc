//! Messages as a file that other programs open: CSV (RFC 4180) or JSON (RFC 8259).

use crate::detail::properties;
use crate::format::base64;
use crate::log::Entry;
use crate::protocol::FileKind;

/// Writes messages into a file. Text stays text; bytes that are none are written in Base64, and said so.
pub fn write<'a>(kind: FileKind, messages: impl Iterator<Item = (&'a str, Entry<'a>)>) -> Vec<u8> {
    match kind {
        FileKind::Csv => csv(messages),
        FileKind::Json => json(messages),
    }
    .into_bytes()
}

fn csv<'a>(messages: impl Iterator<Item = (&'a str, Entry<'a>)>) -> String {
    let mut out = "time,topic,qos,retain,length,encoding,payload,properties\r\n".to_owned();
    for (topic, entry) in messages {
        let (encoding, payload) = encoded(entry.payload);
        let properties: Vec<_> = properties(entry.properties)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let fields = [
            time(entry.at_ms),
            quoted(topic),
            entry.qos.to_string(),
            entry.retain.to_string(),
            entry.payload_len.to_string(),
            encoding.to_owned(),
            quoted(&payload),
            quoted(&properties.join("\n")),
        ];
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    }
    out
}

/// A field that may hold anything.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn json<'a>(messages: impl Iterator<Item = (&'a str, Entry<'a>)>) -> String {
    let mut out = "[".to_owned();
    for (index, (topic, entry)) in messages.enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        let (encoding, payload) = encoded(entry.payload);
        let properties: Vec<_> = properties(entry.properties)
            .into_iter()
            .map(|(name, value)| format!("[{},{}]", string(&name), string(&value)))
            .collect();
        out.push_str(&format!(
            "{{\"time\":\"{}\",\"topic\":{},\"qos\":{},\"retain\":{},\"length\":{},\
             \"encoding\":\"{encoding}\",\"payload\":{},\"properties\":[{}]}}",
            time(entry.at_ms),
            string(topic),
            entry.qos,
            entry.retain,
            entry.payload_len,
            string(&payload),
            properties.join(","),
        ));
    }
    out.push_str("\n]\n");
    out
}

/// Text in quotes, as JSON writes it.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A payload as text, and how it was made text: as it is, or in Base64.
pub fn encoded(payload: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(payload) {
        // No program that reads tables takes this character.
        Ok(text) if !text.contains('\0') => ("text", text.to_owned()),
        _ => ("base64", base64(payload)),
    }
}

/// A time of UTC, as RFC 3339 writes it.
pub fn time(at_ms: f64) -> String {
    // Far beyond all dates, a cast from a float keeps to the range of the integer.
    let ms = at_ms.max(0.0) as u64;
    let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        in_day / 3_600_000,
        in_day / 60_000 % 60,
        in_day / 1_000 % 60,
        in_day % 1_000
    )
}

/// The date so many days after the first of January 1970, in years that begin in March, so that a leap
/// day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn entry(payload: &[u8]) -> Entry<'_> {
        Entry {
            seq: 1,
            topic: 0,
            at_ms: 1_700_000_000_123.0,
            payload,
            payload_len: payload.len(),
            properties: b"",
            qos: 1,
            retain: true,
            before: None,
        }
    }

    fn file(kind: FileKind, messages: &[(&str, &[u8])]) -> String {
        let messages = messages.iter().map(|(topic, payload)| (*topic, entry(payload)));
        String::from_utf8(write(kind, messages)).unwrap()
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let csv = file(FileKind::Csv, &[("a", b"1"), ("b, \"c\"", b"x\ny"), ("d", b"\xff")]);
        let lines: Vec<_> = csv.split("\r\n").collect();
        assert_eq!(lines[1], "2023-11-14T22:13:20.123Z,a,1,true,1,text,1,");
        assert!(lines[2].contains(",\"b, \"\"c\"\"\",") && lines[2].contains("\"x\ny\""));
        assert!(lines[3].ends_with(",base64,/w==,"));
    }

    #[test]
    fn json_is_json() {
        let messages: &[(&str, &[u8])] =
            &[("a\"\\", b"{\"x\":1}\n\x01"), ("\u{1f600}", b"\xff\x00"), ("c", b"")];
        let text = file(FileKind::Json, messages);
        assert!(crate::json::scan(&text, |_, _| {}), "{text}");
        assert!(text.contains(r#""payload":"{\"x\":1}\n\u0001""#), "{text}");
        assert!(crate::json::scan(&file(FileKind::Json, &[]), |_, _| {}));
    }

    #[test]
    fn times_are_of_utc() {
        for (at_ms, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999.0, "2024-02-29T23:59:59.999Z"),
            (4_102_444_800_000.0, "2100-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(time(at_ms), text);
        }
    }
}
