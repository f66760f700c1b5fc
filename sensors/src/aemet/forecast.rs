//! The forecasts of a municipality, day by day and hour by hour, and the documents of both.
//!
//! The two products share their frame (`prediccion.dia`), and little else: a figure of a day is one
//! for each of several periods (`00-24`, `00-12`, …), or a highest and a lowest, or just one; a
//! figure of an hour has the hour as its period (`07`), or the hours from and to (`0713`).

use super::figures::{Content, Figure, Given, direction, number, text, unit};
use crate::broker::{Message, Qos};
use crate::fetch::Problem;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a broker keeps the forecast of a day that is over.
const EXPIRY_AFTER_DAY: Duration = Duration::from_secs(6 * 60 * 60);
/// Days that one forecast may have; the service has seven.
const DAYS_MAX: usize = 31;

/// Figures of a day that come as one for each period: the service's name, the field, ours, unit.
const PERIODS: [(&str, &str, &str, Option<&str>, How); 7] = [
    ("probPrecipitacion", "value", "precipitation_probability", Some(unit::PERCENT), How::Number),
    ("cotaNieveProv", "value", "snow_level", Some(unit::METRES), How::Number),
    ("estadoCielo", "descripcion", "sky", None, How::Text),
    ("estadoCielo", "value", "sky_code", None, How::Text),
    ("viento", "velocidad", "wind_speed", Some(unit::KILOMETRES_PER_HOUR), How::Number),
    ("viento", "direccion", "wind_direction", Some(unit::DEGREES), How::Direction),
    ("rachaMax", "value", "wind_gust", Some(unit::KILOMETRES_PER_HOUR), How::Number),
];

/// Figures of a day that come as a highest, a lowest, and some in between.
const RANGES: [(&str, &str, &str, &str); 3] = [
    ("temperatura", "temperature_max", "temperature_min", unit::CELSIUS),
    ("sensTermica", "feels_like_max", "feels_like_min", unit::CELSIUS),
    ("humedadRelativa", "humidity_max", "humidity_min", unit::PERCENT),
];

/// Figures of an hour, or of some hours.
const HOURS: [(&str, &str, &str, Option<&str>, How); 14] = [
    ("temperatura", "value", "temperature", Some(unit::CELSIUS), How::Number),
    ("sensTermica", "value", "feels_like", Some(unit::CELSIUS), How::Number),
    ("humedadRelativa", "value", "humidity", Some(unit::PERCENT), How::Number),
    ("precipitacion", "value", "precipitation", Some(unit::MILLIMETRES), How::Number),
    ("nieve", "value", "snow", Some(unit::MILLIMETRES), How::Number),
    ("probPrecipitacion", "value", "precipitation_probability", Some(unit::PERCENT), How::Number),
    ("probNieve", "value", "snow_probability", Some(unit::PERCENT), How::Number),
    ("probTormenta", "value", "storm_probability", Some(unit::PERCENT), How::Number),
    ("estadoCielo", "descripcion", "sky", None, How::Text),
    ("estadoCielo", "value", "sky_code", None, How::Text),
    ("vientoAndRachaMax", "velocidad", "wind_speed", Some(unit::KILOMETRES_PER_HOUR), How::Number),
    ("vientoAndRachaMax", "direccion", "wind_direction", Some(unit::DEGREES), How::Direction),
    ("vientoAndRachaMax", "value", "wind_gust", Some(unit::KILOMETRES_PER_HOUR), How::Number),
    ("visibilidad", "value", "visibility", Some(unit::KILOMETRES), How::Number),
];

/// How a figure is read.
#[derive(Debug, Clone, Copy)]
enum How {
    Number,
    Direction,
    Text,
}

impl How {
    /// Whether one is more than the other. A direction and a text are never more than another.
    fn is_more(self, one: &Content, other: &Content) -> bool {
        match (self, one, other) {
            (Self::Number, Content::Number(one), Content::Number(other)) => one > other,
            _ => false,
        }
    }
}

/// Which of the two products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Product {
    Daily,
    Hourly,
}

/// What one product says of one municipality.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Forecast {
    place: Map<String, Value>,
    /// When it was made.
    issued: Option<String>,
    days: BTreeMap<Date, Day>,
    /// Days and figures that aren't understood.
    pub(super) left_out: usize,
}

/// What is said of a day: its messages' figures, and its part of the document.
#[derive(Debug, Clone, Default, PartialEq)]
struct Day {
    figures: Vec<Figure>,
    document: Map<String, Value>,
}

impl Forecast {
    /// Takes a product apart.
    pub(super) fn read(code: &str, product: Product, data: &Value) -> Result<Self, Problem> {
        let first = match data {
            Value::Array(list) => list.first(),
            other => Some(other),
        };
        let whole = first.and_then(Value::as_object);
        let whole = whole.ok_or_else(|| Problem::passing("the answer is not a forecast"))?;
        let days = whole.get("prediccion").and_then(|prediction| prediction.get("dia"));
        let days = days.and_then(Value::as_array);
        let days =
            days.ok_or_else(|| Problem::passing("the forecast in the answer has no days"))?;
        let mut reader = Reader::default();
        let mut read = BTreeMap::new();
        for day in days {
            let date = text(day.get("fecha")).and_then(|date| date_of(&date));
            let Some(date) = date.filter(|_| read.len() < DAYS_MAX) else {
                reader.left_out = reader.left_out.saturating_add(1);
                continue;
            };
            reader.day = Day::default();
            match product {
                Product::Daily => reader.daily(day),
                Product::Hourly => reader.hourly(day),
            }
            if !reader.day.figures.is_empty() {
                read.insert(date, std::mem::take(&mut reader.day));
            }
        }
        if read.is_empty() {
            return Err(Problem::passing("the forecast in the answer has no figures"));
        }
        Ok(Self {
            place: place(code, whole),
            issued: issued(code, whole.get("elaborado")),
            days: read,
            left_out: reader.left_out,
        })
    }

    /// One message for each figure, below `root`/CODE/DAY.
    pub(super) fn messages(
        &self,
        root: &str,
        code: &str,
        now: Timestamp,
        qos: Qos,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        for (date, day) in &self.days {
            let root = format!("{root}/{code}/{date}");
            let expiry = expiry(code, *date, now);
            let issued = self.issued.as_deref();
            messages.extend(
                day.figures.iter().map(|figure| figure.message(&root, issued, expiry, qos)),
            );
        }
        messages
    }
}

/// One JSON document for each day of either product, on `root`/CODE/DAY.
pub(super) fn documents(
    root: &str,
    code: &str,
    products: &BTreeMap<Product, Forecast>,
    now: Timestamp,
    qos: Qos,
) -> Vec<Message> {
    let mut documents: BTreeMap<Date, Map<String, Value>> = BTreeMap::new();
    for (product, forecast) in products {
        for (date, day) in &forecast.days {
            let document = documents.entry(*date).or_default();
            document.insert("day".to_owned(), json!(date.to_string()));
            document.insert("source".to_owned(), json!(super::SOURCE));
            document.insert("municipality".to_owned(), json!(forecast.place));
            match product {
                Product::Daily => {
                    document.insert("issued".to_owned(), json!(forecast.issued));
                    document.extend(day.document.clone());
                }
                Product::Hourly => {
                    let mut hourly = day.document.clone();
                    hourly.insert("issued".to_owned(), json!(forecast.issued));
                    document.insert("hourly".to_owned(), Value::Object(hourly));
                }
            }
        }
    }
    let message = |(date, document): (Date, Map<String, Value>)| Message {
        expiry: Some(expiry(code, date, now)),
        time: products.values().filter_map(|forecast| forecast.issued.clone()).max(),
        ..Message::retained(format!("{root}/{code}/{date}"), json!(document).to_string(), qos)
    };
    documents.into_iter().map(message).collect()
}

/// Gathers what a day says, and counts what isn't understood.
#[derive(Default)]
struct Reader {
    day: Day,
    left_out: usize,
}

impl Reader {
    fn daily(&mut self, day: &Value) {
        for (theirs, field, ours, unit, how) in PERIODS {
            let values = self.periods(entries(day.get(theirs)), "periodo", field, how);
            self.figure_of_day(ours, unit, how, &values);
        }
        for (theirs, highest, lowest, unit) in RANGES {
            let Some(range) = day.get(theirs) else { continue };
            let between = self.periods(entries(range.get("dato")), "hora", "value", How::Number);
            for (name, field) in [(highest, "maxima"), (lowest, "minima")] {
                if let Some(content) = self.content(range.get(field), How::Number) {
                    self.figure(Cow::Borrowed(name), Some(unit), content);
                }
            }
            self.document_of_hours(highest.trim_end_matches("_max"), Some(unit), &between);
        }
        if let Some(content) = self.content(day.get("uvMax"), How::Number) {
            self.figure(Cow::Borrowed("uv_index"), None, content);
        }
    }

    fn hourly(&mut self, day: &Value) {
        for (theirs, field, ours, unit, how) in HOURS {
            let values = self.periods(entries(day.get(theirs)), "periodo", field, how);
            for (period, content) in &values {
                if !period.is_empty() {
                    let name = Cow::Owned(format!("{ours}/{period}"));
                    self.day.figures.push(Figure { name, unit, content: content.clone() });
                }
            }
            self.document_of_hours(ours, unit, &values);
        }
        for (theirs, ours) in [("orto", "sunrise"), ("ocaso", "sunset")] {
            if let Some(time) = text(day.get(theirs)) {
                self.figure(Cow::Borrowed(ours), None, Content::Text(time));
            }
        }
    }

    /// The values of a list, each with its period; the one that has none is for the whole day and
    /// has an empty one.
    fn periods(
        &mut self,
        entries: &[Value],
        period: &str,
        field: &str,
        how: How,
    ) -> BTreeMap<String, Content> {
        let mut values = BTreeMap::new();
        for entry in entries {
            let Some(value) = entry.get(field) else { continue };
            let Some(label) = label(entry.get(period)) else {
                self.left_out = self.left_out.saturating_add(1);
                continue;
            };
            if let Some(content) = self.content(Some(value), how) {
                values.insert(label, content);
            }
        }
        values
    }

    fn content(&mut self, value: Option<&Value>, how: How) -> Option<Content> {
        let given = match how {
            How::Text => return text(value).map(Content::Text),
            How::Number => number(value),
            How::Direction => direction(value),
        };
        match given {
            Given::Number(number) => Some(Content::Number(number)),
            Given::Nothing => None,
            Given::Odd => {
                self.left_out = self.left_out.saturating_add(1);
                None
            }
        }
    }

    /// A figure that the whole day has one of.
    fn figure(&mut self, name: Cow<'static, str>, unit: Option<&'static str>, content: Content) {
        let figure = Figure { name, unit, content };
        self.day.document.insert(figure.name.clone().into_owned(), figure.json());
        self.day.figures.push(figure);
    }

    /// A figure that comes for periods of the day: of the whole day if it is there, or else of the
    /// longest period, and among equals of the most that is to be expected.
    fn figure_of_day(
        &mut self,
        name: &'static str,
        unit: Option<&'static str>,
        how: How,
        values: &BTreeMap<String, Content>,
    ) {
        let mut best: Option<(&str, &Content)> = None;
        for (period, content) in values {
            let is_better = best.is_none_or(|(best_period, best_content)| {
                let (length, best_length) = (hours_long(period), hours_long(best_period));
                length > best_length || length == best_length && how.is_more(content, best_content)
            });
            if is_better {
                best = Some((period, content));
            }
        }
        let Some((_, content)) = best else { return };
        self.figure(Cow::Borrowed(name), unit, content.clone());
        let parts: Map<_, _> = values
            .iter()
            .filter(|(period, _)| !period.is_empty())
            .map(|(period, content)| (period.clone(), content.json()))
            .collect();
        if let Some(Value::Object(entry)) = self.day.document.get_mut(name)
            && !parts.is_empty()
        {
            entry.insert("periods".to_owned(), Value::Object(parts));
        }
    }

    /// `{"unit": "°C", "hours": {"07": 12}}`, for the document alone.
    fn document_of_hours(
        &mut self,
        name: &str,
        unit: Option<&'static str>,
        values: &BTreeMap<String, Content>,
    ) {
        if values.is_empty() {
            return;
        }
        let hours = values.iter().map(|(period, content)| (period.clone(), content.json()));
        let mut entry = Map::new();
        if let Some(unit) = unit {
            entry.insert("unit".to_owned(), json!(unit));
        }
        entry.insert("hours".to_owned(), Value::Object(hours.collect()));
        self.day.document.insert(name.to_owned(), Value::Object(entry));
    }
}

/// How many hours a period has; the whole day where none is given.
fn hours_long(period: &str) -> u32 {
    let Some((from, to)) = period.split_once('-') else {
        return if period.is_empty() { 24 } else { 1 };
    };
    let [from, to] = [from, to].map(|hour| hour.parse::<u32>().unwrap_or(0));
    to.checked_sub(from).unwrap_or_else(|| to.saturating_add(24).saturating_sub(from))
}

/// The entries of a list, or the one where there is no list.
fn entries(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(entries)) => entries,
        Some(entry) => std::slice::from_ref(entry),
    }
}

/// A period as a level of a topic: `07`, or `01-07`. Empty where none is given.
fn label(period: Option<&Value>) -> Option<String> {
    let period = match period {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(period)) => period.trim().replace('-', ""),
        Some(Value::Number(hour)) => format!("{:02}", hour.as_u64()?),
        Some(_) => return None,
    };
    let hours: Vec<_> = match period.len() {
        0 => return Some(period),
        1 => vec![format!("0{period}")],
        2 => vec![period],
        4 => vec![period.get(..2)?.to_owned(), period.get(2..)?.to_owned()],
        _ => return None,
    };
    let is_hour = |hour: &String| {
        hour.bytes().all(|digit| digit.is_ascii_digit())
            && hour.parse::<u8>().is_ok_and(|hour| hour <= 24)
    };
    hours.iter().all(is_hour).then(|| hours.join("-"))
}

/// The day of `2026-11-21T00:00:00`, whatever follows the day.
fn date_of(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

fn place(code: &str, whole: &Map<String, Value>) -> Map<String, Value> {
    let mut place = Map::new();
    place.insert("code".to_owned(), json!(code));
    place.insert("zone".to_owned(), json!(zone(code).iana_name()));
    for (theirs, ours) in [("nombre", "name"), ("provincia", "province")] {
        if let Some(name) = text(whole.get(theirs)) {
            place.insert(ours.to_owned(), json!(name));
        }
    }
    place
}

/// When the forecast was made, in UTC. The service says it in the local time of the place.
fn issued(code: &str, issued: Option<&Value>) -> Option<String> {
    let issued = text(issued)?;
    if let Ok(time) = issued.parse::<Timestamp>() {
        return Some(time.to_string());
    }
    let local: DateTime = issued.parse().ok()?;
    Some(zone(code).to_timestamp(local).ok()?.to_string())
}

/// The local time of a municipality: that of the Canary Islands, or of the rest of Spain.
fn zone(code: &str) -> TimeZone {
    match code.get(..2) {
        Some("35" | "38") => jiff::tz::get!("Atlantic/Canary"),
        _ => jiff::tz::get!("Europe/Madrid"),
    }
}

/// How long the forecast of a day is worth keeping: until the day is over there, and a little more.
fn expiry(code: &str, date: Date, now: Timestamp) -> Duration {
    let next = date.checked_add(1.day()).unwrap_or(date);
    let end = zone(code).to_timestamp(next.to_datetime(jiff::civil::Time::midnight()));
    let left = end.ok().and_then(|end| Duration::try_from(end.duration_since(now)).ok());
    left.unwrap_or_default().saturating_add(EXPIRY_AFTER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "weather/aemet/forecast";

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    fn read(product: Product, day: &Value) -> Forecast {
        let data = json!([{
            "elaborado": "2026-11-21T10:37:07",
            "nombre": "Logroño",
            "provincia": "La Rioja",
            "prediccion": { "dia": [day] },
            "id": 26089,
        }]);
        Forecast::read("26089", product, &data).unwrap()
    }

    /// Topic below the day, and payload, of every message.
    fn said(forecast: &Forecast) -> Vec<(String, String)> {
        let root = format!("{ROOT}/26089/2026-11-21/");
        let messages = forecast.messages(ROOT, "26089", now(), Qos::AtMostOnce);
        messages
            .into_iter()
            .map(|message| (message.topic.replace(&root, ""), message.payload))
            .collect()
    }

    fn document(products: [(Product, Forecast); 1]) -> Value {
        let documents = documents(ROOT, "26089", &products.into(), now(), Qos::AtMostOnce);
        let [message] = documents.as_slice() else { panic!("one day: {documents:?}") };
        assert_eq!(message.topic, format!("{ROOT}/26089/2026-11-21"));
        serde_json::from_str(&message.payload).unwrap()
    }

    #[test]
    fn a_day_in_the_shapes_that_the_service_gives_it() {
        let forecast = read(
            Product::Daily,
            &json!({
                "fecha": "2026-11-21T00:00:00",
                "probPrecipitacion": [
                    { "value": 30, "periodo": "00-24" }, { "value": 80, "periodo": "00-12" },
                    { "value": "", "periodo": "12-24" }, { "value": 5, "periodo": "sometimes" },
                ],
                "cotaNieveProv": [{ "value": "", "periodo": "00-24" }, { "value": "1200", "periodo": "00-12" }],
                "estadoCielo": [
                    { "value": "", "periodo": "00-24", "descripcion": "" },
                    { "value": "43n", "periodo": "12-24", "descripcion": "Intervalos nubosos con lluvia débil" },
                ],
                "viento": [{ "direccion": "NO", "velocidad": 15 }],
                "rachaMax": [{ "value": "40", "periodo": "00-06" }, { "value": "55", "periodo": "06-12" }],
                "temperatura": { "maxima": 12, "minima": "-1", "dato": [{ "value": 3, "hora": 6 }] },
                "sensTermica": { "maxima": 10, "minima": -4, "dato": [] },
                "humedadRelativa": { "maxima": "a lot", "minima": 40 },
                "uvMax": 2,
            }),
        );
        let expected = [
            ("precipitation_probability", "30"),
            ("snow_level", "1200"),
            ("sky", "Intervalos nubosos con lluvia débil"),
            ("sky_code", "43n"),
            ("wind_speed", "15"),
            ("wind_direction", "315"),
            ("wind_gust", "55"),
            ("temperature_max", "12"),
            ("temperature_min", "-1"),
            ("feels_like_max", "10"),
            ("feels_like_min", "-4"),
            ("humidity_min", "40"),
            ("uv_index", "2"),
        ];
        let expected = expected.map(|(topic, payload)| (topic.to_owned(), payload.to_owned()));
        assert_eq!(said(&forecast), expected);
        assert_eq!(forecast.left_out, 2);
        let document = document([(Product::Daily, forecast)]);
        for (pointer, value) in [
            ("/day", json!("2026-11-21")),
            ("/issued", json!("2026-11-21T09:37:07Z")),
            ("/municipality/name", json!("Logroño")),
            ("/municipality/zone", json!("Europe/Madrid")),
            ("/temperature_max/value", json!(12)),
            ("/temperature_max/unit", json!("°C")),
            ("/temperature/hours/06", json!(3)),
            ("/precipitation_probability/periods/00-12", json!(80)),
        ] {
            assert_eq!(document.pointer(pointer), Some(&value), "{pointer}");
        }
    }

    #[test]
    fn the_hours_of_a_day_in_the_shapes_that_the_service_gives_them() {
        let forecast = read(
            Product::Hourly,
            &json!({
                "fecha": "2026-11-21",
                "orto": "08:02",
                "ocaso": "17:45",
                "temperatura": [{ "value": "7", "periodo": "09" }, { "value": "8", "periodo": "10" }],
                "precipitacion": [{ "value": "Ip", "periodo": "09" }, { "value": "0.4", "periodo": "10" }],
                "probPrecipitacion": [{ "value": "60", "periodo": "0814" }, { "value": "", "periodo": "2002" }],
                "estadoCielo": [{ "value": "11", "periodo": "09", "descripcion": "Despejado" }],
                "vientoAndRachaMax": [
                    { "direccion": ["NE"], "velocidad": ["10"], "periodo": "09" },
                    { "value": "22", "periodo": "09" },
                    { "direccion": ["C"], "velocidad": ["0"], "periodo": "10" },
                ],
            }),
        );
        let expected = [
            ("temperature/09", "7"),
            ("temperature/10", "8"),
            ("precipitation/09", "0"),
            ("precipitation/10", "0.4"),
            ("precipitation_probability/08-14", "60"),
            ("sky/09", "Despejado"),
            ("sky_code/09", "11"),
            ("wind_speed/09", "10"),
            ("wind_speed/10", "0"),
            ("wind_direction/09", "45"),
            ("wind_gust/09", "22"),
            ("sunrise", "08:02"),
            ("sunset", "17:45"),
        ];
        let expected = expected.map(|(topic, payload)| (topic.to_owned(), payload.to_owned()));
        assert_eq!(said(&forecast), expected);
        assert_eq!(forecast.left_out, 0);
        let document = document([(Product::Hourly, forecast)]);
        assert_eq!(document.pointer("/hourly/temperature/hours/10"), Some(&json!(8)));
        assert_eq!(document.pointer("/hourly/temperature/unit"), Some(&json!("°C")));
    }

    #[test]
    fn a_forecast_is_kept_until_its_day_is_over_where_it_is_for() {
        let day = "2026-11-21".parse().unwrap();
        let cases = [
            ("28079", "2026-11-21T10:00:00Z", 13 + 6), // Midnight is at 23:00 in UTC.
            ("38038", "2026-11-21T10:00:00Z", 14 + 6), // And at 24:00 on the islands.
            ("28079", "2026-11-22T10:00:00Z", 6),
        ];
        for (code, now, hours) in cases {
            let expiry = expiry(code, day, now.parse().unwrap());
            assert_eq!(expiry.as_secs(), hours * 60 * 60, "{code} {now}");
        }
    }

    #[test]
    fn periods_become_levels() {
        let cases = [
            (json!("07"), Some("07")),
            (json!(6), Some("06")),
            (json!("6"), Some("06")),
            (json!("0107"), Some("01-07")),
            (json!("00-24"), Some("00-24")),
            (Value::Null, Some("")),
            (json!("25"), None),
            (json!("a/"), None),
            (json!("+"), None),
            (json!("día"), None),
            (json!("00-24-24"), None),
            (json!(-1), None),
            (json!({}), None),
        ];
        for (period, expected) in cases {
            assert_eq!(label(Some(&period)).as_deref(), expected, "{period}");
        }
    }

    #[test]
    fn what_is_no_forecast_is_a_problem() {
        let cases = [
            json!(null),
            json!([]),
            json!("x"),
            json!([{}]),
            json!([{ "prediccion": [] }]),
            json!([{ "prediccion": { "dia": {} } }]),
            json!([{ "prediccion": { "dia": [] } }]),
            json!([{ "prediccion": { "dia": [{ "fecha": "today" }, 1, null] } }]),
            json!([{ "prediccion": { "dia": [{ "fecha": "2026-11-21", "temperatura": "warm" }] } }]),
        ];
        for data in cases {
            for product in [Product::Daily, Product::Hourly] {
                assert!(Forecast::read("26089", product, &data).is_err(), "{data}");
            }
        }
    }
}
