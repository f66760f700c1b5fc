//! The figures that the service gives, as they come: numbers, numbers in strings, numbers with a
//! decimal comma, empty strings for what is not known, words where a number is to be expected.

use crate::broker::{Message, Qos};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// The longest text of the service that is published, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// The units of the weather, as the user property `unit` and the JSON documents spell them.
pub(super) mod unit {
    pub(in crate::aemet) const CELSIUS: &str = "°C";
    pub(in crate::aemet) const CENTIMETRES: &str = "cm";
    pub(in crate::aemet) const DEGREES: &str = "°";
    pub(in crate::aemet) const HECTOMETRES: &str = "hm";
    pub(in crate::aemet) const HECTOPASCALS: &str = "hPa";
    pub(in crate::aemet) const HOURS: &str = "h";
    pub(in crate::aemet) const KILOMETRES: &str = "km";
    pub(in crate::aemet) const KILOMETRES_PER_HOUR: &str = "km/h";
    pub(in crate::aemet) const METRES: &str = "m";
    pub(in crate::aemet) const METRES_PER_SECOND: &str = "m/s";
    pub(in crate::aemet) const MILLIMETRES: &str = "mm";
    pub(in crate::aemet) const PERCENT: &str = "%";
}

/// What one figure says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Number(f64),
    Text(String),
}

impl Content {
    pub(super) fn payload(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// A whole number stays one: `12`, not `12.0`.
    pub(super) fn json(&self) -> Value {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and in range")]
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                json!(*number as i64)
            }
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
        }
    }
}

/// One figure with its name and unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// Its topic below the station or the day: `temperature`, or `temperature/07` for an hour.
    pub(super) name: Cow<'static, str>,
    pub(super) unit: Option<&'static str>,
    pub(super) content: Content,
}

impl Figure {
    /// `{"value": 12.3, "unit": "°C"}`.
    pub(super) fn json(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("value".to_owned(), self.content.json());
        if let Some(unit) = self.unit {
            entry.insert("unit".to_owned(), json!(unit));
        }
        Value::Object(entry)
    }

    /// The retained message for it, below `root`.
    pub(super) fn message(
        &self,
        root: &str,
        time: Option<&str>,
        expiry: Duration,
        qos: Qos,
    ) -> Message {
        Message {
            unit: self.unit.map(Cow::Borrowed),
            time: time.map(str::to_owned),
            expiry: Some(expiry),
            ..Message::retained(format!("{root}/{}", self.name), self.content.payload(), qos)
        }
    }
}

/// What the service has for a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Given {
    Number(f64),
    /// Not there, or there without a value, which is usual and no news.
    Nothing,
    /// Something that isn't understood, and is left out.
    Odd,
}

/// Reads a number, whatever it is written as.
pub(super) fn number(value: Option<&Value>) -> Given {
    match value {
        None | Some(Value::Null) => Given::Nothing,
        Some(Value::Number(number)) => finite(number.as_f64()),
        Some(Value::String(text)) => match text.trim() {
            "" => Given::Nothing,
            // "Inapreciable": there was some, too little to be measured.
            text if text.eq_ignore_ascii_case("ip") => Given::Number(0.0),
            text => finite(text.replace(',', ".").parse().ok()),
        },
        // Some figures come as a list of one.
        Some(Value::Array(values)) => match values.as_slice() {
            [] => Given::Nothing,
            [value] if !value.is_array() => number(Some(value)),
            _ => Given::Odd,
        },
        Some(_) => Given::Odd,
    }
}

fn finite(number: Option<f64>) -> Given {
    match number {
        Some(number) if number.is_finite() => Given::Number(number),
        _ => Given::Odd,
    }
}

/// Reads where the wind comes from, in degrees. A calm has no direction.
pub(super) fn direction(value: Option<&Value>) -> Given {
    const POINTS: [&str; 16] = [
        "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSO", "SO", "OSO", "O", "ONO",
        "NO", "NNO",
    ];
    const DEGREES_BETWEEN_POINTS: f64 = 22.5;
    let text = match value {
        None | Some(Value::Null) => return Given::Nothing,
        Some(Value::String(text)) => text,
        Some(Value::Array(values)) => match values.as_slice() {
            [] => return Given::Nothing,
            [Value::String(text)] => text,
            _ => return Given::Odd,
        },
        Some(_) => return Given::Odd,
    };
    // The west is "oeste"; some products say it in English.
    let point = text.trim().to_uppercase().replace('W', "O");
    if matches!(point.as_str(), "" | "C" | "CALMA") {
        return Given::Nothing;
    }
    let mut degrees = 0.0;
    for known in POINTS {
        if known == point {
            return Given::Number(degrees);
        }
        degrees += DEGREES_BETWEEN_POINTS;
    }
    Given::Odd
}

/// A text that says something.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.chars().filter(|c| !c.is_control());
    let text: String = text.take(TEXT_CHARS_MAX).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_shape() {
        let cases = [
            (json!(12.3), Given::Number(12.3)),
            (json!(-4), Given::Number(-4.0)),
            (json!("12"), Given::Number(12.0)),
            (json!(" 0,4 "), Given::Number(0.4)),
            (json!("Ip"), Given::Number(0.0)),
            (json!(["10"]), Given::Number(10.0)),
            (json!(""), Given::Nothing),
            (json!([]), Given::Nothing),
            (Value::Null, Given::Nothing),
            (json!("many"), Given::Odd),
            (json!("NaN"), Given::Odd),
            (json!("1e999"), Given::Odd),
            (json!([1, 2]), Given::Odd),
            (json!([[[1]]]), Given::Odd),
            (json!({}), Given::Odd),
            (json!(true), Given::Odd),
        ];
        for (value, expected) in cases {
            assert_eq!(number(Some(&value)), expected, "{value}");
        }
        assert_eq!(number(None), Given::Nothing);
    }

    #[test]
    fn directions_are_degrees() {
        let cases = [
            (json!("N"), Given::Number(0.0)),
            (json!("NE"), Given::Number(45.0)),
            (json!("SO"), Given::Number(225.0)),
            (json!("O"), Given::Number(270.0)),
            (json!("NW"), Given::Number(315.0)),
            (json!(["nno"]), Given::Number(337.5)),
            (json!("C"), Given::Nothing),
            (json!(["Calma"]), Given::Nothing),
            (json!(""), Given::Nothing),
            (json!("up"), Given::Odd),
            (json!(90), Given::Odd),
        ];
        for (value, expected) in cases {
            assert_eq!(direction(Some(&value)), expected, "{value}");
        }
    }

    #[test]
    fn figures_are_written_as_they_were_given() {
        let cases =
            [(12.3, "12.3"), (12.0, "12"), (-0.5, "-0.5"), (1013.25, "1013.25"), (0.0, "0")];
        for (number, written) in cases {
            let content = Content::Number(number);
            assert_eq!(content.payload(), written);
            assert_eq!(content.json().to_string(), written);
        }
        let figure = Figure {
            name: Cow::Borrowed("sky"),
            unit: None,
            content: Content::Text("Nuboso con lluvia débil".to_owned()),
        };
        assert_eq!(figure.json(), json!({ "value": "Nuboso con lluvia débil" }));
    }
}
