//! Sparkplug B: what an edge node or a device says on a topic below `spBv1.0/` is a Protocol Buffers
//! message of metrics. One that is not a birth certificate may name its metrics by numbers, and leave out
//! what they are; both stand in the birth certificate that goes before it.
//!
//! Field numbers and data types are those of the Sparkplug specification, version 3.0.0, chapter 6.

use std::collections::HashMap;

use prost::Message;

use super::outline::{float, hex, single};
use crate::export::{self, string};
use crate::limits::METRICS_SHOWN;

/// What the topics of Sparkplug B begin with.
const PREFIX: &str = "spBv1.0/";

/// Whether a topic may carry Sparkplug B: not that of a host's state, which is JSON.
pub fn is_topic(topic: &str) -> bool {
    topic.strip_prefix(PREFIX).is_some_and(|rest| !rest.starts_with("STATE/"))
}

/// Where the birth certificate stands that goes with what is said on a topic: the device's for what
/// concerns a device, else the edge node's. None for topics that carry no metrics of theirs.
pub fn birth_topic(topic: &str) -> Option<String> {
    let mut levels = topic.strip_prefix(PREFIX)?.splitn(4, '/');
    let (group, kind, node) = (levels.next()?, levels.next()?, levels.next()?);
    match (kind, levels.next()) {
        ("NDATA" | "NCMD", None) => Some(format!("{PREFIX}{group}/NBIRTH/{node}")),
        ("DDATA" | "DCMD", Some(device)) => Some(format!("{PREFIX}{group}/DBIRTH/{node}/{device}")),
        _ => None,
    }
}

/// A payload with what it says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sparkplug {
    /// When it was sent, in milliseconds since 1970.
    pub timestamp_ms: Option<u64>,
    /// Its number in the sequence, from 0 to 255 and around.
    pub seq: Option<u64>,
    /// Which schema its body is of.
    pub uuid: Option<String>,
    /// A body that is no metric.
    pub body: Option<String>,
    /// Its metrics, or the first of them.
    pub metrics: Vec<Metric>,
    /// How many it has.
    pub count: usize,
    /// Metrics with a number that no birth certificate explains.
    pub unnamed: usize,
}

/// A metric.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metric {
    /// Its name; none where it has a number alone, which nothing explains.
    pub name: Option<String>,
    /// Its number.
    pub alias: Option<u64>,
    /// What it is.
    pub datatype: &'static str,
    /// Its value.
    pub value: String,
    /// When it was so, in milliseconds since 1970.
    pub timestamp_ms: Option<u64>,
    /// Whether it is older than what was sent before.
    pub is_historical: bool,
    /// What else is known of it.
    pub properties: Vec<(String, String)>,
}

/// Decodes a payload. `birth` is the birth certificate that goes before it, or nothing.
///
/// # Errors
/// It is no Sparkplug payload; with the field that is wrong, as the specification calls it, where there is one.
pub fn decode(payload: &[u8], birth: &[u8]) -> Result<Sparkplug, String> {
    let payload = wire::Payload::decode(payload).map_err(|error| field_of(&error))?;
    if payload == wire::Payload::default() {
        return Err(String::new());
    }
    // A certificate that is none explains nothing; the metrics say so themselves.
    let birth = wire::Payload::decode(birth).unwrap_or_default();
    let known = Known::new(&birth, &payload);
    let metrics: Vec<Metric> =
        payload.metrics.iter().take(METRICS_SHOWN).map(|metric| known.metric(metric)).collect();
    Ok(Sparkplug {
        timestamp_ms: payload.timestamp,
        seq: payload.seq,
        uuid: payload.uuid,
        body: payload.body.map(|body| hex(&body)),
        count: payload.metrics.len(),
        unnamed: metrics.iter().filter(|metric| metric.name.is_none()).count(),
        metrics,
    })
}

/// The field in which decoding ended. The decoder tells it in its words alone, `Metric.name: …`.
fn field_of(error: &prost::DecodeError) -> String {
    let words = error.to_string();
    let is_field = |part: &&str| part.contains('.') && !part.contains(' ');
    words.split(": ").filter(is_field).collect::<Vec<_>>().join(", ")
}

/// What is known of metrics by their number and by their name.
#[derive(Default)]
struct Known<'a> {
    names: HashMap<u64, &'a str>,
    types: HashMap<&'a str, u32>,
}

impl<'a> Known<'a> {
    fn new(birth: &'a wire::Payload, payload: &'a wire::Payload) -> Self {
        let mut known = Self::default();
        for metric in birth.metrics.iter().chain(&payload.metrics) {
            let Some(name) = metric.name.as_deref().filter(|name| !name.is_empty()) else {
                continue;
            };
            if let Some(alias) = metric.alias {
                known.names.insert(alias, name);
            }
            if let Some(datatype) = metric.datatype {
                known.types.insert(name, datatype);
            }
        }
        known
    }

    fn metric(&self, metric: &wire::Metric) -> Metric {
        let named = metric.name.as_deref().filter(|name| !name.is_empty());
        let name = named.or_else(|| self.names.get(metric.alias.as_ref()?).copied());
        let born = || name.and_then(|name| self.types.get(name).copied());
        let datatype = metric.datatype.or_else(born).unwrap_or(0);
        let is_null = metric.is_null.unwrap_or(false);
        Metric {
            name: name.map(str::to_owned),
            alias: metric.alias,
            datatype: DATATYPES.get(datatype as usize).copied().unwrap_or("?"),
            value: match &metric.value {
                Some(value) if !is_null => self.value(value, datatype),
                _ => "null".to_owned(),
            },
            timestamp_ms: metric.timestamp,
            is_historical: metric.is_historical.unwrap_or(false),
            properties: properties(metric),
        }
    }

    fn value(&self, value: &wire::Value, datatype: u32) -> String {
        match value {
            wire::Value::Int(value) => integer(u64::from(*value), datatype),
            wire::Value::Long(value) => integer(*value, datatype),
            wire::Value::Float(value) => single(*value),
            wire::Value::Double(value) => float(*value),
            wire::Value::Boolean(value) => value.to_string(),
            wire::Value::String(text) => text.clone(),
            wire::Value::Bytes(bytes) => array(bytes, datatype).unwrap_or_else(|| hex(bytes)),
            wire::Value::DataSet(set) => data_set(set),
            wire::Value::Template(template) => self.template(template),
            wire::Value::Extension(_) => "extension".to_owned(),
        }
    }

    /// The library looks no deeper than a hundred messages in each other.
    fn template(&self, template: &wire::Template) -> String {
        let members = template.metrics.iter().map(|metric| {
            let metric = self.metric(metric);
            let name = metric.name.unwrap_or_else(|| alias(metric.alias));
            format!("{}: {}", string(&name), metric.value)
        });
        let parameters = template.parameters.iter().map(|parameter| {
            let value = property_value(parameter.value.as_ref(), parameter.datatype);
            format!("{} = {value}", parameter.name.as_deref().unwrap_or_default())
        });
        let all: Vec<String> = parameters.chain(members).take(METRICS_SHOWN).collect();
        format!("{} {{ {} }}", template.reference.as_deref().unwrap_or_default(), all.join(", "))
            .trim_start()
            .to_owned()
    }
}

/// A number in place of a name.
pub fn alias(alias: Option<u64>) -> String {
    alias.map_or("?".to_owned(), |alias| format!("#{alias}"))
}

const DATATYPES: &[&str] = &[
    "",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float",
    "Double",
    "Boolean",
    "String",
    "DateTime",
    "Text",
    "UUID",
    "DataSet",
    "Bytes",
    "File",
    "Template",
    "PropertySet",
    "PropertySetList",
    "Int8Array",
    "Int16Array",
    "Int32Array",
    "Int64Array",
    "UInt8Array",
    "UInt16Array",
    "UInt32Array",
    "UInt64Array",
    "FloatArray",
    "DoubleArray",
    "BooleanArray",
    "StringArray",
    "DateTimeArray",
];

/// An integer, which stands on the wire without its sign.
fn integer(value: u64, datatype: u32) -> String {
    match DATATYPES.get(datatype as usize) {
        Some(&"Int8") => (value as i8).to_string(),
        Some(&"Int16") => (value as i16).to_string(),
        Some(&"Int32") => (value as i32).to_string(),
        Some(&"Int64") => (value as i64).to_string(),
        Some(&"Boolean") => (value != 0).to_string(),
        Some(&"DateTime") => export::time(value as f64),
        _ => value.to_string(),
    }
}

/// The values of an array type, which are packed into bytes with the lowest byte first.
fn array(bytes: &[u8], datatype: u32) -> Option<String> {
    /// None where the last one is not whole.
    fn each<const N: usize>(bytes: &[u8], write: fn([u8; N]) -> String) -> Option<Vec<String>> {
        let (values, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| values.iter().map(|value| write(*value)).collect())
    }
    let values = match *DATATYPES.get(datatype as usize)? {
        "Int8Array" => each(bytes, |b| i8::from_le_bytes(b).to_string()),
        "Int16Array" => each(bytes, |b| i16::from_le_bytes(b).to_string()),
        "Int32Array" => each(bytes, |b| i32::from_le_bytes(b).to_string()),
        "Int64Array" => each(bytes, |b| i64::from_le_bytes(b).to_string()),
        "UInt8Array" => each(bytes, |b| u8::from_le_bytes(b).to_string()),
        "UInt16Array" => each(bytes, |b| u16::from_le_bytes(b).to_string()),
        "UInt32Array" => each(bytes, |b| u32::from_le_bytes(b).to_string()),
        "UInt64Array" => each(bytes, |b| u64::from_le_bytes(b).to_string()),
        "FloatArray" => each(bytes, |b| single(f32::from_le_bytes(b))),
        "DoubleArray" => each(bytes, |b| float(f64::from_le_bytes(b))),
        "DateTimeArray" => each(bytes, |b| export::time(i64::from_le_bytes(b) as f64)),
        "BooleanArray" => booleans(bytes),
        "StringArray" => strings(bytes),
        _ => None,
    }?;
    Some(format!("[{}]", values.join(", ")))
}

/// How many there are, in four bytes, and a bit for each, the highest of a byte first.
fn booleans(bytes: &[u8]) -> Option<Vec<String>> {
    let (count, bits) = bytes.split_at_checked(4)?;
    let count = u32::from_le_bytes(count.try_into().ok()?) as usize;
    let is_whole = count.div_ceil(8) == bits.len();
    let bit = |at: usize| bits.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    is_whole.then(|| (0..count).map(|at| bit(at).to_string()).collect())
}

/// Each ends with a zero.
fn strings(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    Some(text.strip_suffix('\0')?.split('\0').map(string).collect())
}

fn element(value: &wire::Plain, datatype: u32) -> String {
    match value {
        wire::Plain::Int(value) => integer(u64::from(*value), datatype),
        wire::Plain::Long(value) => integer(*value, datatype),
        wire::Plain::Float(value) => single(*value),
        wire::Plain::Double(value) => float(*value),
        wire::Plain::Boolean(value) => value.to_string(),
        wire::Plain::String(text) => string(text),
    }
}

/// A table, row by row.
fn data_set(set: &wire::DataSet) -> String {
    let rows = set.rows.iter().take(METRICS_SHOWN).map(|row| {
        let values = row.elements.iter().enumerate().map(|(column, cell)| {
            let datatype = set.types.get(column).copied().unwrap_or(0);
            cell.value.as_ref().map_or("null".to_owned(), |value| element(value, datatype))
        });
        format!("[{}]", values.collect::<Vec<_>>().join(", "))
    });
    let rows: Vec<String> = rows.collect();
    let columns: Vec<String> = set.columns.iter().map(|name| string(name)).collect();
    format!("[{}] [{}]", columns.join(", "), rows.join(", "))
}

fn properties(metric: &wire::Metric) -> Vec<(String, String)> {
    let mut known = Vec::new();
    if metric.is_transient == Some(true) {
        known.push(("transient".to_owned(), "true".to_owned()));
    }
    if let Some(meta) = &metric.metadata {
        let texts = [
            ("content_type", &meta.content_type),
            ("file_name", &meta.file_name),
            ("file_type", &meta.file_type),
            ("md5", &meta.md5),
            ("description", &meta.description),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        known.extend(texts.map(|(name, text)| (name.to_owned(), text)));
        known.extend(meta.size.map(|size| ("size".to_owned(), size.to_string())));
    }
    if let Some(set) = &metric.properties {
        known.extend(property_set(set));
    }
    known.truncate(METRICS_SHOWN);
    known
}

fn property_set(set: &wire::PropertySet) -> impl Iterator<Item = (String, String)> {
    set.keys.iter().zip(&set.values).map(|(key, property)| {
        (key.clone(), property_value(property.value.as_ref(), property.datatype))
    })
}

fn property_value(value: Option<&wire::Property>, datatype: Option<u32>) -> String {
    let datatype = datatype.unwrap_or(0);
    match value {
        Some(wire::Property::Set(set)) => members(set),
        Some(wire::Property::Sets(list)) => {
            let sets: Vec<String> = list.sets.iter().map(members).collect();
            format!("[{}]", sets.join(", "))
        }
        Some(wire::Property::Int(value)) => integer(u64::from(*value), datatype),
        Some(wire::Property::Long(value)) => integer(*value, datatype),
        Some(wire::Property::Float(value)) => single(*value),
        Some(wire::Property::Double(value)) => float(*value),
        Some(wire::Property::Boolean(value)) => value.to_string(),
        Some(wire::Property::String(text)) => text.clone(),
        None => "null".to_owned(),
    }
}

fn members(set: &wire::PropertySet) -> String {
    let members: Vec<String> =
        property_set(set).map(|(key, value)| format!("{}: {value}", string(&key))).collect();
    format!("{{ {} }}", members.join(", "))
}

/// The messages as they are on the wire.
mod wire {
    use prost::{Message, Oneof};

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Payload {
        #[prost(uint64, optional, tag = "1")]
        pub(super) timestamp: Option<u64>,
        #[prost(message, repeated, tag = "2")]
        pub(super) metrics: Vec<Metric>,
        #[prost(uint64, optional, tag = "3")]
        pub(super) seq: Option<u64>,
        #[prost(string, optional, tag = "4")]
        pub(super) uuid: Option<String>,
        #[prost(bytes = "vec", optional, tag = "5")]
        pub(super) body: Option<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Metric {
        #[prost(string, optional, tag = "1")]
        pub(super) name: Option<String>,
        #[prost(uint64, optional, tag = "2")]
        pub(super) alias: Option<u64>,
        #[prost(uint64, optional, tag = "3")]
        pub(super) timestamp: Option<u64>,
        #[prost(uint32, optional, tag = "4")]
        pub(super) datatype: Option<u32>,
        #[prost(bool, optional, tag = "5")]
        pub(super) is_historical: Option<bool>,
        #[prost(bool, optional, tag = "6")]
        pub(super) is_transient: Option<bool>,
        #[prost(bool, optional, tag = "7")]
        pub(super) is_null: Option<bool>,
        #[prost(message, optional, tag = "8")]
        pub(super) metadata: Option<MetaData>,
        #[prost(message, optional, tag = "9")]
        pub(super) properties: Option<PropertySet>,
        #[prost(oneof = "Value", tags = "10, 11, 12, 13, 14, 15, 16, 17, 18, 19")]
        pub(super) value: Option<Value>,
    }

    #[derive(Clone, PartialEq, Oneof)]
    pub(super) enum Value {
        #[prost(uint32, tag = "10")]
        Int(u32),
        #[prost(uint64, tag = "11")]
        Long(u64),
        #[prost(float, tag = "12")]
        Float(f32),
        #[prost(double, tag = "13")]
        Double(f64),
        #[prost(bool, tag = "14")]
        Boolean(bool),
        #[prost(string, tag = "15")]
        String(String),
        #[prost(bytes = "vec", tag = "16")]
        Bytes(Vec<u8>),
        #[prost(message, tag = "17")]
        DataSet(DataSet),
        #[prost(message, tag = "18")]
        Template(Template),
        #[prost(message, tag = "19")]
        Extension(Extension),
    }

    /// What the specification leaves to others.
    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Extension {}

    /// `size` is that of a file in parts.
    #[derive(Clone, PartialEq, Message)]
    pub(super) struct MetaData {
        #[prost(string, optional, tag = "2")]
        pub(super) content_type: Option<String>,
        #[prost(uint64, optional, tag = "3")]
        pub(super) size: Option<u64>,
        #[prost(string, optional, tag = "5")]
        pub(super) file_name: Option<String>,
        #[prost(string, optional, tag = "6")]
        pub(super) file_type: Option<String>,
        #[prost(string, optional, tag = "7")]
        pub(super) md5: Option<String>,
        #[prost(string, optional, tag = "8")]
        pub(super) description: Option<String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct PropertySet {
        #[prost(string, repeated, tag = "1")]
        pub(super) keys: Vec<String>,
        #[prost(message, repeated, tag = "2")]
        pub(super) values: Vec<PropertyValue>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct PropertyValue {
        #[prost(uint32, optional, tag = "1")]
        pub(super) datatype: Option<u32>,
        #[prost(oneof = "Property", tags = "3, 4, 5, 6, 7, 8, 9, 10")]
        pub(super) value: Option<Property>,
    }

    #[derive(Clone, PartialEq, Oneof)]
    pub(super) enum Property {
        #[prost(uint32, tag = "3")]
        Int(u32),
        #[prost(uint64, tag = "4")]
        Long(u64),
        #[prost(float, tag = "5")]
        Float(f32),
        #[prost(double, tag = "6")]
        Double(f64),
        #[prost(bool, tag = "7")]
        Boolean(bool),
        #[prost(string, tag = "8")]
        String(String),
        #[prost(message, tag = "9")]
        Set(PropertySet),
        #[prost(message, tag = "10")]
        Sets(PropertySetList),
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct PropertySetList {
        #[prost(message, repeated, tag = "1")]
        pub(super) sets: Vec<PropertySet>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct DataSet {
        #[prost(string, repeated, tag = "2")]
        pub(super) columns: Vec<String>,
        #[prost(uint32, repeated, packed = "false", tag = "3")]
        pub(super) types: Vec<u32>,
        #[prost(message, repeated, tag = "4")]
        pub(super) rows: Vec<Row>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Row {
        #[prost(message, repeated, tag = "1")]
        pub(super) elements: Vec<Element>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Element {
        #[prost(oneof = "Plain", tags = "1, 2, 3, 4, 5, 6")]
        pub(super) value: Option<Plain>,
    }

    #[derive(Clone, PartialEq, Oneof)]
    pub(super) enum Plain {
        #[prost(uint32, tag = "1")]
        Int(u32),
        #[prost(uint64, tag = "2")]
        Long(u64),
        #[prost(float, tag = "3")]
        Float(f32),
        #[prost(double, tag = "4")]
        Double(f64),
        #[prost(bool, tag = "5")]
        Boolean(bool),
        #[prost(string, tag = "6")]
        String(String),
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Template {
        #[prost(message, repeated, tag = "2")]
        pub(super) metrics: Vec<Metric>,
        #[prost(message, repeated, tag = "3")]
        pub(super) parameters: Vec<Parameter>,
        #[prost(string, optional, tag = "4")]
        pub(super) reference: Option<String>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Parameter {
        #[prost(string, optional, tag = "1")]
        pub(super) name: Option<String>,
        #[prost(uint32, optional, tag = "2")]
        pub(super) datatype: Option<u32>,
        #[prost(oneof = "Property", tags = "3, 4, 5, 6, 7, 8, 9, 10")]
        pub(super) value: Option<Property>,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_is_none_names_the_field_where_it_ends() {
        for (payload, field) in [
            (&b"\x08"[..], "Payload.timestamp"),
            (b"\x12\x03\x0a\x01\xff", "Metric.name, Payload.metrics"),
            (b"\x0f", ""),
            (b"", ""),
        ] {
            assert_eq!(decode(payload, &[]).unwrap_err(), field, "{payload:02x?}");
        }
    }

    fn named(name: &str, alias: u64, datatype: u32, value: wire::Value) -> wire::Metric {
        wire::Metric {
            name: Some(name.to_owned()),
            alias: Some(alias),
            datatype: Some(datatype),
            value: Some(value),
            ..wire::Metric::default()
        }
    }

    fn encoded(metrics: Vec<wire::Metric>) -> Vec<u8> {
        let timestamp = Some(1_700_000_000_123);
        wire::Payload { timestamp, seq: Some(3), metrics, ..wire::Payload::default() }
            .encode_to_vec()
    }

    #[test]
    fn a_topic_leads_to_its_birth_certificate() {
        for (topic, birth) in [
            ("spBv1.0/g/NDATA/n", Some("spBv1.0/g/NBIRTH/n")),
            ("spBv1.0/g/NCMD/n", Some("spBv1.0/g/NBIRTH/n")),
            ("spBv1.0/g/DDATA/n/d", Some("spBv1.0/g/DBIRTH/n/d")),
            ("spBv1.0/g/DBIRTH/n/d", None),
            ("spBv1.0/g/NDATA/n/x", None),
            ("spBv1.0/g", None),
            ("other/g/NDATA/n", None),
        ] {
            assert_eq!(birth_topic(topic).as_deref(), birth, "{topic}");
        }
        assert!(is_topic("spBv1.0/g/NDATA/n") && !is_topic("spBv1.0/STATE/host"));
        assert!(!is_topic("a/spBv1.0/g"));
    }

    #[test]
    fn numbers_are_named_by_the_birth_certificate() {
        let birth = encoded(vec![
            named("Temperature", 7, 9, wire::Value::Float(20.0)),
            named("Level", 8, 4, wire::Value::Long(0)),
        ]);
        let bare = |alias, value| wire::Metric {
            alias: Some(alias),
            value: Some(value),
            ..wire::Metric::default()
        };
        let data = encoded(vec![
            bare(7, wire::Value::Float(21.3)),
            bare(8, wire::Value::Long(u64::MAX - 1)),
            bare(9, wire::Value::Boolean(true)),
        ]);
        let shown = decode(&data, &birth).unwrap();
        let rows: Vec<_> = shown
            .metrics
            .iter()
            .map(|m| (m.name.as_deref(), m.datatype, m.value.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                (Some("Temperature"), "Float", "21.3"),
                (Some("Level"), "Int64", "-2"),
                (None, "", "true")
            ]
        );
        assert_eq!((shown.seq, shown.timestamp_ms), (Some(3), Some(1_700_000_000_123)));
        assert_eq!((shown.count, shown.unnamed), (3, 1));
        // A certificate that can't be read explains nothing, and hides nothing.
        assert_eq!(decode(&data, b"\xff\xff").unwrap().unnamed, 3);
    }

    #[test]
    fn every_datatype_is_written_in_full() {
        let bytes = |bytes: &[u8]| wire::Value::Bytes(bytes.to_vec());
        for (datatype, value, text) in [
            (1, wire::Value::Int(0xff), "-1"),
            (2, wire::Value::Int(0xffff_8000), "-32768"),
            (3, wire::Value::Int(u32::MAX), "-1"),
            (4, wire::Value::Long(1 << 63), "-9223372036854775808"),
            (7, wire::Value::Int(u32::MAX), "4294967295"),
            (8, wire::Value::Long(u64::MAX), "18446744073709551615"),
            (9, wire::Value::Float(21.3), "21.3"),
            (10, wire::Value::Double(127.0), "127.0"),
            (11, wire::Value::Boolean(false), "false"),
            (12, wire::Value::String("ñ".into()), "ñ"),
            (13, wire::Value::Long(0), "1970-01-01T00:00:00.000Z"),
            (17, bytes(b"\x00\xff"), "h'00ff'"),
            (22, bytes(b"\xff\x01"), "[-1, 1]"),
            (23, bytes(b"\xff"), "h'ff'"),
            (29, bytes(&[0xff; 8]), "[18446744073709551615]"),
            (30, bytes(&1.5f32.to_le_bytes()), "[1.5]"),
            (32, bytes(b"\x03\0\0\0\xa0"), "[true, false, true]"),
            (32, bytes(b"\xff\xff\xff\xff\xa0"), "h'ffffffffa0'"),
            (33, bytes(b"a\0b\0"), "[\"a\", \"b\"]"),
            (99, wire::Value::Int(7), "7"),
        ] {
            let shown = decode(&encoded(vec![named("m", 1, datatype, value)]), b"").unwrap();
            assert_eq!(shown.metrics[0].value, text, "type {datatype}");
        }
    }

    #[test]
    fn tables_and_templates_are_told_inside_out() {
        let cell = |value| wire::Element { value: Some(value) };
        let set = wire::DataSet {
            columns: vec!["a".into(), "b".into()],
            types: vec![3, 12],
            rows: vec![wire::Row {
                elements: vec![
                    cell(wire::Plain::Int(u32::MAX)),
                    cell(wire::Plain::String("x".into())),
                ],
            }],
        };
        let template = wire::Template {
            metrics: vec![named("speed", 2, 10, wire::Value::Double(0.5))],
            reference: Some("Motor".into()),
            ..wire::Template::default()
        };
        let unit = wire::PropertySet {
            keys: vec!["engUnit".into()],
            values: vec![wire::PropertyValue {
                datatype: Some(12),
                value: Some(wire::Property::String("°C".into())),
            }],
        };
        let mut first = named("set", 1, 16, wire::Value::DataSet(set));
        first.properties = Some(unit);
        let metrics = vec![first, named("motor", 3, 19, wire::Value::Template(template))];
        let shown = decode(&encoded(metrics), b"").unwrap();
        assert_eq!(shown.metrics[0].value, "[\"a\", \"b\"] [[-1, \"x\"]]");
        assert_eq!(shown.metrics[0].properties, [("engUnit".to_owned(), "°C".to_owned())]);
        assert_eq!(shown.metrics[1].value, "Motor { \"speed\": 0.5 }");
    }

    #[test]
    fn what_is_no_sparkplug_is_refused() {
        for payload in [&b"\x08"[..], b"{\"a\":1}", b"on", b"\xff\xff", b"\x12\x05\x0a"] {
            assert!(decode(payload, b"").is_err(), "{payload:02x?}");
        }
        // Fields that nobody knows are no payload.
        assert!(decode(b"\xf8\x01\x01", b"").is_err());
        // Messages in messages end somewhere.
        let mut metric = named("deep", 1, 19, wire::Value::Boolean(true));
        for _ in 0..500 {
            let template = wire::Template { metrics: vec![metric], ..wire::Template::default() };
            metric = named("deep", 1, 19, wire::Value::Template(template));
        }
        assert!(decode(&encoded(vec![metric]), b"").is_err());
    }
}
