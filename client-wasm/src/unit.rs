//! Units of measurement: from the message where it names one, else from a word of the topic.

/// Units that may stand right behind a number in a payload, such as `21.5 °C`.
///
/// Only these are split off: what is not known for a unit stays part of the text.
const WRITTEN: &[&str] = &[
    "%", "°", "°C", "°F", "°c", "°f", "C", "F", "K", "V", "mV", "kV", "A", "mA", "W", "kW", "MW",
    "mW", "VA", "var", "Wh", "kWh", "MWh", "J", "kJ", "Hz", "kHz", "MHz", "GHz", "Pa", "hPa",
    "kPa", "mbar", "bar", "psi", "lx", "lux", "lm", "cd", "m", "cm", "mm", "km", "in", "ft", "mi",
    "m/s", "km/h", "kn", "mph", "rpm", "m²", "m2", "m³", "m3", "m³/h", "m3/h", "l", "L", "ml",
    "mL", "l/min", "L/min", "g", "mg", "kg", "t", "µg/m³", "µg/m3", "ug/m3", "ppm", "ppb", "dB",
    "dBm", "dBA", "s", "ms", "µs", "us", "min", "h", "d", "B", "kB", "MB", "GB", "TB", "KiB",
    "MiB", "GiB", "TiB", "B/s", "kB/s", "MB/s", "bit/s", "kbit/s", "Mbit/s", "Ω", "kΩ", "pH",
    "mm/h", "W/m²", "W/m2", "UV", "€", "$", "px", "fps",
];

/// Words of a topic that name a unit, or a quantity that has one unit nearly everywhere.
///
/// A temperature has two in wide use, so it gets the plain degree sign: nothing is guessed.
const WORDS: &[(&str, &str)] = &[
    ("celsius", "°C"),
    ("fahrenheit", "°F"),
    ("kelvin", "K"),
    ("temperature", "°"),
    ("temp", "°"),
    ("temperatura", "°"),
    ("dewpoint", "°"),
    ("percent", "%"),
    ("percentage", "%"),
    ("pct", "%"),
    ("porcentaje", "%"),
    ("humidity", "%"),
    ("humedad", "%"),
    ("battery", "%"),
    ("bateria", "%"),
    ("batería", "%"),
    ("hpa", "hPa"),
    ("kpa", "kPa"),
    ("mbar", "mbar"),
    ("volt", "V"),
    ("volts", "V"),
    ("voltage", "V"),
    ("voltaje", "V"),
    ("watt", "W"),
    ("watts", "W"),
    ("kwh", "kWh"),
    ("wh", "Wh"),
    ("amp", "A"),
    ("amps", "A"),
    ("ampere", "A"),
    ("amperes", "A"),
    ("hertz", "Hz"),
    ("hz", "Hz"),
    ("lux", "lx"),
    ("illuminance", "lx"),
    ("iluminancia", "lx"),
    ("ppm", "ppm"),
    ("ppb", "ppb"),
    ("co2", "ppm"),
    ("rssi", "dBm"),
    ("dbm", "dBm"),
    ("db", "dB"),
    ("rpm", "rpm"),
    ("bytes", "B"),
    ("seconds", "s"),
    ("segundos", "s"),
    ("milliseconds", "ms"),
    ("ms", "ms"),
    ("minutes", "min"),
    ("hours", "h"),
    ("meters", "m"),
    ("metres", "m"),
    ("metros", "m"),
    ("mm", "mm"),
    ("cm", "cm"),
    ("km", "km"),
    ("kmh", "km/h"),
    ("kg", "kg"),
];

/// Quantities with the letters of their unit behind them, as in `temperature_c`. Such a letter by itself
/// would say nothing.
const LETTERS: &[(&str, &str, &str)] = &[
    ("temperature", "c", "°C"),
    ("temperature", "f", "°F"),
    ("temp", "c", "°C"),
    ("temp", "f", "°F"),
    ("temperatura", "c", "°C"),
    ("power", "w", "W"),
    ("power", "kw", "kW"),
    ("potencia", "w", "W"),
    ("voltage", "v", "V"),
    ("current", "a", "A"),
    ("current", "ma", "mA"),
];

/// A level that ends with the letters of its unit: what is before them, and the unit.
pub fn lettered(level: &str) -> Option<(&str, &'static str)> {
    let is_between = |c: char| !c.is_alphanumeric();
    let (quantity, letters) = level.rsplit_once(is_between)?;
    let word = quantity.rsplit(is_between).next()?;
    LETTERS
        .iter()
        .find(|(known, end, _)| {
            word.eq_ignore_ascii_case(known) && letters.eq_ignore_ascii_case(end)
        })
        .map(|(.., unit)| (quantity, *unit))
}

/// Whether text behind a number is a unit.
pub fn is_written_unit(text: &str) -> bool {
    WRITTEN.contains(&text)
}

/// A word of a topic that is a unit but for its capital letters, as that is spelled.
pub fn spelled(word: &str) -> Option<&'static str> {
    let is_spelled_otherwise =
        |known: &str, unit: &str| known != unit && known.eq_ignore_ascii_case(unit);
    let (_, unit) = WORDS.iter().find(|(known, unit)| {
        is_spelled_otherwise(known, unit) && word.eq_ignore_ascii_case(known)
    })?;
    Some(unit)
}

/// The unit that the last word of a topic with one stands for.
///
/// Only the last two levels are looked at, as those above them name places.
pub fn from_topic(topic: &str) -> Option<&'static str> {
    topic.rsplit('/').take(2).find_map(|level| {
        let of_word = |word: &str| {
            WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, unit)| *unit)
        };
        lettered(level).map(|(_, unit)| unit).or_else(|| words(level).rev().find_map(of_word))
    })
}

fn words(level: &str) -> impl DoubleEndedIterator<Item = &str> {
    level.split(|c: char| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_word_of_the_topic_tells_the_unit() {
        for (topic, unit) in [
            ("home/kitchen/humidity", Some("%")),
            ("home/kitchen/temp_celsius", Some("°C")),
            ("home/kitchen/Temperature", Some("°")),
            ("casa/cocina/humedad", Some("%")),
            ("plant/co2", Some("ppm")),
            ("meter/total_kwh", Some("kWh")),
            ("meter/voltage/l1", Some("V")),
            ("kitchen/temperature_c", Some("°C")),
            ("porch/outdoor-temp-F", Some("°F")),
            ("meter/power_W", Some("W")),
            ("door_f", None),
            ("sensor/c", None),
            ("battery/car/doors/left", None),
            ("home/template", None),
            ("home/kitchen", None),
            ("", None),
            ("///", None),
        ] {
            assert_eq!(from_topic(topic), unit, "{topic}");
        }
    }

    #[test]
    fn only_a_known_unit_is_split_off_a_payload() {
        assert!(is_written_unit("°C"));
        assert!(is_written_unit("kWh"));
        assert!(!is_written_unit("apples"));
        assert!(!is_written_unit(""));
    }
}
