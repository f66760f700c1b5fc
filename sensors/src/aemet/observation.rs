//! The observations of a station: of the last hours that the service has, the latest.

use super::figures::{Content, Figure, Given, number, text, unit};
use crate::broker::{Message, Qos};
use crate::fetch::Problem;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// How long a broker keeps an observation after it was published: over a day's outage of the
/// service, and not so long that anybody takes it for today's weather.
const EXPIRY: Duration = Duration::from_secs(24 * 60 * 60);

/// The service's names, ours, and the units that its metadata gives.
const QUANTITIES: [(&str, &str, &str); 33] = [
    ("ta", "temperature", unit::CELSIUS),
    ("tamin", "temperature_min", unit::CELSIUS),
    ("tamax", "temperature_max", unit::CELSIUS),
    ("tpr", "dew_point", unit::CELSIUS),
    ("ts", "ground_temperature", unit::CELSIUS),
    ("tss5cm", "soil_temperature_5cm", unit::CELSIUS),
    ("tss20cm", "soil_temperature_20cm", unit::CELSIUS),
    ("hr", "humidity", unit::PERCENT),
    ("prec", "precipitation", unit::MILLIMETRES),
    ("pacutp", "precipitation_disdrometer", unit::MILLIMETRES),
    ("pliqt", "precipitation_liquid", unit::MILLIMETRES),
    ("psolt", "precipitation_solid", unit::MILLIMETRES),
    ("nieve", "snow_depth", unit::CENTIMETRES),
    ("vv", "wind_speed", unit::METRES_PER_SECOND),
    ("vmax", "wind_gust", unit::METRES_PER_SECOND),
    ("stdvv", "wind_speed_deviation", unit::METRES_PER_SECOND),
    ("dv", "wind_direction", unit::DEGREES),
    ("dmax", "wind_gust_direction", unit::DEGREES),
    ("stddv", "wind_direction_deviation", unit::DEGREES),
    ("vvu", "wind_speed_ultrasonic", unit::METRES_PER_SECOND),
    ("vmaxu", "wind_gust_ultrasonic", unit::METRES_PER_SECOND),
    ("stdvvu", "wind_speed_deviation_ultrasonic", unit::METRES_PER_SECOND),
    ("dvu", "wind_direction_ultrasonic", unit::DEGREES),
    ("dmaxu", "wind_gust_direction_ultrasonic", unit::DEGREES),
    ("stddvu", "wind_direction_deviation_ultrasonic", unit::DEGREES),
    ("rviento", "wind_run", unit::HECTOMETRES),
    ("pres", "pressure", unit::HECTOPASCALS),
    ("pres_nmar", "pressure_sea_level", unit::HECTOPASCALS),
    ("inso", "sunshine", unit::HOURS),
    ("vis", "visibility", unit::KILOMETRES),
    ("geo700", "geopotential_700hpa", unit::METRES),
    ("geo850", "geopotential_850hpa", unit::METRES),
    ("geo925", "geopotential_925hpa", unit::METRES),
];

/// Where the station is, which stands in its document alone.
const PLACE: [(&str, &str, &str); 3] = [
    ("lat", "latitude", unit::DEGREES),
    ("lon", "longitude", unit::DEGREES),
    ("alt", "altitude", unit::METRES),
];

/// What a station has observed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observation {
    station: String,
    /// When the station observed it.
    pub(super) time: Timestamp,
    place: Map<String, Value>,
    figures: Vec<Figure>,
    /// Records without a time, and figures that aren't understood.
    pub(super) left_out: usize,
}

impl Observation {
    /// The latest of the observations that the service gives for a station.
    pub(super) fn latest(station: &str, data: &Value) -> Result<Self, Problem> {
        let records = match data {
            Value::Array(records) => records.as_slice(),
            Value::Object(_) => std::slice::from_ref(data),
            _ => return Err(Problem::passing("the answer is not a list of observations")),
        };
        let mut left_out = 0_usize;
        let mut latest: Option<(Timestamp, &Value)> = None;
        for record in records {
            let of_another =
                text(record.get("idema")).is_some_and(|idema| !idema.eq_ignore_ascii_case(station));
            match text(record.get("fint")).and_then(|time| observed(&time)) {
                Some(time) if !of_another => {
                    if latest.is_none_or(|(so_far, _)| so_far <= time) {
                        latest = Some((time, record));
                    }
                }
                _ => left_out = left_out.saturating_add(1),
            }
        }
        let Some((time, record)) = latest else {
            return Err(Problem::passing(format!(
                "none of the {} observations in the answer is of this station and has a time",
                records.len()
            )));
        };
        let mut observation = Self {
            station: station.to_owned(),
            time,
            place: Map::new(),
            figures: Vec::new(),
            left_out,
        };
        observation.read(record);
        if observation.figures.is_empty() {
            return Err(Problem::passing("the latest observation has no figures"));
        }
        Ok(observation)
    }

    fn read(&mut self, record: &Value) {
        if let Some(name) = text(record.get("ubi")) {
            self.place.insert("name".to_owned(), json!(name));
        }
        for (theirs, ours, unit) in PLACE {
            if let Some(figure) = self.figure(record.get(theirs), ours, unit) {
                self.place.insert(ours.to_owned(), figure.json());
            }
        }
        for (theirs, ours, unit) in QUANTITIES {
            if let Some(figure) = self.figure(record.get(theirs), ours, unit) {
                self.figures.push(figure);
            }
        }
    }

    fn figure(
        &mut self,
        given: Option<&Value>,
        name: &'static str,
        unit: &'static str,
    ) -> Option<Figure> {
        match number(given) {
            Given::Number(number) => Some(Figure {
                name: Cow::Borrowed(name),
                unit: Some(unit),
                content: Content::Number(number),
            }),
            Given::Nothing => None,
            Given::Odd => {
                self.left_out = self.left_out.saturating_add(1);
                None
            }
        }
    }

    /// One message for each figure, and one JSON document, below `root`/STATION.
    pub(super) fn messages(&self, root: &str, qos: Qos) -> Vec<Message> {
        let root = format!("{root}/{}", self.station);
        let time = self.time.to_string();
        let mut messages: Vec<_> = self
            .figures
            .iter()
            .map(|figure| figure.message(&root, Some(&time), EXPIRY, qos))
            .collect();
        messages.push(Message {
            time: Some(time),
            expiry: Some(EXPIRY),
            ..Message::retained(root, self.document().to_string(), qos)
        });
        messages
    }

    fn document(&self) -> Value {
        let mut document = Map::new();
        let mut place = self.place.clone();
        place.insert("id".to_owned(), json!(self.station));
        document.insert("station".to_owned(), Value::Object(place));
        document.insert("time".to_owned(), json!(self.time.to_string()));
        document.insert("source".to_owned(), json!(super::SOURCE));
        for figure in &self.figures {
            document.insert(figure.name.clone().into_owned(), figure.json());
        }
        Value::Object(document)
    }
}

/// A time with an offset, or in UTC without saying so, which the service has both had.
fn observed(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(time) = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text) {
        return Some(time);
    }
    let local: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload<'a>(messages: &'a [Message], topic: &str) -> &'a str {
        let message = messages.iter().find(|message| message.topic == topic);
        &message.unwrap_or_else(|| panic!("no {topic} in {messages:?}")).payload
    }

    #[test]
    fn the_latest_observation_counts_in_whatever_order_they_come() {
        let data = json!([
            { "idema": "3195", "fint": "2026-11-21T06:00:00", "ta": 8.1 },
            { "idema": "3195", "fint": "2026-11-21T08:00:00+0000", "ta": 9.5, "hr": 81.0,
              "ubi": "MADRID, RETIRO", "alt": 667.0, "lat": 40.41, "lon": -3.68, "prec": "Ip",
              "vv": null, "pres": "high" },
            { "idema": "3195", "fint": "2026-11-21T07:00:00+00:00", "ta": 8.8 },
            { "idema": "3195", "ta": 99.0 },
            { "idema": "9999", "fint": "2026-11-21T09:00:00", "ta": 77.0 },
        ]);
        let observation = Observation::latest("3195", &data).unwrap();
        assert_eq!(observation.time.to_string(), "2026-11-21T08:00:00Z");
        assert_eq!(observation.left_out, 3);
        let messages = observation.messages("weather/aemet/station", Qos::AtLeastOnce);
        let on = |name: &str| payload(&messages, &format!("weather/aemet/station/3195{name}"));
        assert_eq!(on("/temperature"), "9.5");
        assert_eq!(on("/humidity"), "81");
        assert_eq!(on("/precipitation"), "0");
        assert_eq!(messages.len(), 4);
        let document: Value = serde_json::from_str(on("")).unwrap();
        for (pointer, value) in [
            ("/temperature/value", json!(9.5)),
            ("/temperature/unit", json!("°C")),
            ("/time", json!("2026-11-21T08:00:00Z")),
            ("/station/id", json!("3195")),
            ("/station/name", json!("MADRID, RETIRO")),
            ("/station/altitude/unit", json!("m")),
            ("/station/latitude/value", json!(40.41)),
        ] {
            assert_eq!(document.pointer(pointer), Some(&value), "{pointer}");
        }
        for message in &messages {
            assert_eq!(message.time.as_deref(), Some("2026-11-21T08:00:00Z"));
            assert_eq!((message.expiry, message.retain), (Some(EXPIRY), true));
        }
    }

    #[test]
    fn what_is_no_observation_is_a_problem_and_not_a_reading() {
        let cases = [
            json!([]),
            json!({}),
            json!("none"),
            json!([1, null, "x", []]),
            json!([{ "fint": "yesterday", "ta": 1 }]),
            json!([{ "fint": "2026-11-21T08:00:00", "ta": null }]),
        ];
        for data in cases {
            assert!(Observation::latest("3195", &data).is_err(), "{data}");
        }
    }
}
