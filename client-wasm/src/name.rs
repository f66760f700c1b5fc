//! Topics as a person reads them: the group a card belongs to, its name, and its place in the order.

use crate::case;
use crate::unit;

/// Words that are not written in lower case.
const UPPER: &[&str] = &[
    "ac", "co2", "cpu", "dc", "gpu", "gps", "id", "io", "ip", "mac", "nox", "ph", "pm1", "pm10",
    "pm25", "ram", "rssi", "ssd", "ssid", "tvoc", "usb", "uv", "voc", "wifi",
];

/// Levels that say of what kind a device's topic is, and nothing of what it measures, as ESPHome writes
/// them: `kitchen/sensor/temperature/state`.
const KINDS: &[&str] = &["sensor", "binary_sensor", "state"];

/// The levels of a topic that name where it belongs, and those that name what it is.
///
/// The first two levels are the place where there are more, such as `sensors/pi` of
/// `sensors/pi/cpu/total`; the first level where there are two; nothing where there is one.
pub fn split(topic: &str) -> (&str, &str) {
    let mut slashes = topic.match_indices('/').map(|(at, _)| at);
    let first = slashes.next();
    let second = slashes.next();
    second
        .or(first)
        .and_then(|at| Some((topic.get(..at)?, topic.get(at.saturating_add(1)..)?)))
        .filter(|(_, rest)| !rest.is_empty())
        .unwrap_or(("", topic))
}

/// The name of a card: the levels below its group in words.
pub fn readable(topic: &str) -> String {
    let (_, rest) = split(topic);
    let mut name = String::with_capacity(rest.len());
    let is_kind = |level: &&str| level.is_empty() || KINDS.contains(level);
    let has_more = !rest.split('/').all(|level| is_kind(&level));
    let levels = rest.split('/').filter(|level| !has_more || !is_kind(level));
    // A unit stands behind the value.
    let levels = levels.map(|level| unit::lettered(level).map_or(level, |(quantity, _)| quantity));
    for word in levels.flat_map(|level| level.split(['_', '-', ' '])).filter(|w| !w.is_empty()) {
        for part in humps(word) {
            if !name.is_empty() {
                name.push(' ');
            }
            push_word(&mut name, part);
        }
    }
    if name.is_empty() { topic.to_owned() } else { name }
}

fn push_word(name: &mut String, word: &str) {
    if UPPER.iter().any(|known| word.eq_ignore_ascii_case(known)) {
        name.push_str(&case::upper(word));
        return;
    }
    if let Some(unit) = unit::spelled(word) {
        name.push_str(unit);
        return;
    }
    let mut letters = word.chars();
    if name.is_empty() {
        name.extend(letters.next().map(|first| case::upper(first.encode_utf8(&mut [0; 4]))));
    }
    name.push_str(letters.as_str());
}

/// The parts of `camelCase`, each in the case it is shown in; a unit such as `kWh` is one word.
fn humps(word: &str) -> Vec<&str> {
    if unit::is_written_unit(word) {
        return vec![word];
    }
    let mut parts = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in word.char_indices() {
        if case::is_upper(c) && before.is_some_and(case::is_lower) {
            parts.extend(word.get(start..at));
            start = at;
        }
        before = Some(c);
    }
    parts.extend(word.get(start..));
    parts
}

/// The place of something in an order, as bytes to be compared, and its number: all that is sorted is sorted
/// in this form, as each other one would need the code for it once more.
pub type Place = (Box<[u8]>, u32);

/// The place of a topic on the board, as bytes to be compared.
///
/// Groups stay together, levels are compared one by one without regard to case, and numbers by their
/// value: `cpu/2` comes before `cpu/10`. Two topics never have the same place.
pub fn order(topic: &str) -> Box<[u8]> {
    let (group, _) = split(topic);
    let mut key = Vec::with_capacity(topic.len().saturating_mul(3));
    push_natural(&mut key, group);
    key.push(0);
    key.extend_from_slice(group.as_bytes());
    key.push(0);
    push_natural(&mut key, topic);
    key.push(0);
    key.extend_from_slice(topic.as_bytes());
    key.into_boxed_slice()
}

/// The place of one level among its siblings: as [`order`], without groups.
pub fn natural(text: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(text.len().saturating_mul(2));
    push_natural(&mut key, text);
    key.push(0);
    key.extend_from_slice(text.as_bytes());
    key.into_boxed_slice()
}

fn push_natural(key: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let digits =
            rest.len().saturating_sub(rest.trim_start_matches(|c: char| c.is_ascii_digit()).len());
        if digits > 0 {
            let (number, after) = rest.split_at_checked(digits).unwrap_or((rest, ""));
            let number = number.trim_start_matches('0');
            // The length goes first, so that the shorter number is the smaller one.
            let length = u16::try_from(number.len()).unwrap_or(u16::MAX);
            key.push(b'0');
            key.extend_from_slice(&length.to_be_bytes());
            key.extend_from_slice(number.as_bytes());
            rest = after;
            continue;
        }
        if c == '/' {
            key.push(1);
        } else {
            key.extend_from_slice(case::lower(c.encode_utf8(&mut [0; 4])).as_bytes());
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn topics_belong_to_groups() {
        for (topic, group, rest) in [
            ("sensors/pi/cpu/total", "sensors/pi", "cpu/total"),
            ("home/kitchen/temperature", "home/kitchen", "temperature"),
            ("zigbee/lamp", "zigbee", "lamp"),
            ("lonely", "", "lonely"),
            ("a/", "", "a/"),
            ("/a/b", "/a", "b"),
            ("a/b/", "", "a/b/"),
            ("ñ/é/ü", "ñ/é", "ü"),
        ] {
            assert_eq!(split(topic), (group, rest), "{topic}");
        }
    }

    #[test]
    fn names_are_readable() {
        for (topic, name) in [
            ("sensors/pi/cpu/total", "CPU total"),
            ("sensors/pi/load/1min", "Load 1min"),
            ("home/kitchen/temp_celsius", "Temp celsius"),
            ("home/kitchen/airQuality", "Air Quality"),
            ("home/kitchen/CO2", "CO2"),
            ("home/kitchen/co2", "CO2"),
            ("zigbee/living-room", "Living room"),
            ("home/room/sensor/co2/state", "CO2"),
            ("esphome/room/binary_sensor/motion/state", "Motion"),
            ("home/room/state", "State"),
            ("home/sensor/state", "State"),
            ("home/kitchen/temperature_c", "Temperature"),
            ("home/meter/total_kWh", "Total kWh"),
            ("home/meter/kwh", "kWh"),
            ("home/garden/pressure_hpa", "Pressure hPa"),
            ("éclair", "Éclair"),
            ("a//", "A"),
            ("/", "/"),
            ("🌡️/🏠/💧", "💧"),
        ] {
            assert_eq!(readable(topic), name, "{topic}");
        }
    }

    #[test]
    fn the_board_is_in_the_order_that_a_person_expects() {
        let mut topics = vec![
            "b/x/1",
            "a/c",
            "a/b/c",
            "a",
            "a/b",
            "sensors/pi/cpu/10",
            "sensors/pi/cpu/2",
            "A/B/d",
            "sensors/pi/cpu/02",
            "sensors/pi/cpu-total",
            "sensors/pi/cpu/total",
        ];
        topics.sort_by_key(|topic| order(topic));
        assert_eq!(
            topics,
            [
                "a",
                "a/b",
                "a/c",
                "A/B/d",
                "a/b/c",
                "b/x/1",
                "sensors/pi/cpu/02",
                "sensors/pi/cpu/2",
                "sensors/pi/cpu/10",
                "sensors/pi/cpu/total",
                "sensors/pi/cpu-total",
            ]
        );
        let mut groups: Vec<_> = topics.iter().map(|topic| split(topic).0).collect();
        groups.dedup();
        assert_eq!(groups, ["", "a", "A/B", "a/b", "b/x", "sensors/pi"]);
    }
}
