//! Sparkplug B: what an edge node or a device says on a topic below `spBv1.0/` is a Protocol Buffers
//! message of metrics. One that is not a birth certificate may name its metrics by numbers, and leave out
//! what they are; both stand in the birth certificate that goes before it.
//!
//! Field numbers and data types are those of the Sparkplug specification, version 3.0.0, chapter 6.

use hashbrown::HashMap;

use super::fields::{Field, Place, each};
use super::outline::hex;
use crate::export::{self, string};
use crate::float::{written as float, written_single as single};
use crate::json;
use crate::limits::{DECODED_DEPTH_MAX, METRICS_SHOWN};

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
    let birth = Names::of(birth);
    Ok(decoded(payload, &birth)?)
}

fn decoded(payload: &[u8], birth: &Names) -> Result<Sparkplug, Place> {
    let known = Known { birth, own: Names::own(payload)? };
    let mut shown = Sparkplug::default();
    let mut is_nothing = true;
    each(payload, PAYLOAD, &mut |number, field| {
        match number {
            1 => shown.timestamp_ms = Some(field.integer()?),
            2 => {
                let metric = known.metric(&wire_metric(field.bytes()?)?)?;
                shown.count += 1;
                if shown.metrics.len() < METRICS_SHOWN {
                    shown.unnamed += usize::from(metric.name.is_none());
                    shown.metrics.push(metric);
                }
            }
            3 => shown.seq = Some(field.integer()?),
            4 => shown.uuid = Some(field.text()?.to_owned()),
            5 => shown.body = Some(hex(field.bytes()?)),
            _ => return Ok(()),
        }
        is_nothing = false;
        Ok(())
    })?;
    if is_nothing { Err("") } else { Ok(shown) }
}

/// The metrics of a payload as a JSON object, under their names; those that no birth certificate explains
/// under their numbers, as [`alias`] writes them. None where there is none, or the payload is no Sparkplug.
///
/// What was so before, and is told late, is left out: it is no value of now. Of several with one name the last
/// counts. `birth` is asked for what the payload leaves out.
pub fn as_json<'n>(payload: &[u8], birth: impl FnOnce() -> Option<&'n Names>) -> Option<String> {
    let nothing = Names::default();
    let known = if is_complete(payload).ok()? {
        Known { birth: &nothing, own: Names::default() }
    } else {
        Known { birth: birth().unwrap_or(&nothing), own: Names::of(payload) }
    };
    let mut object = Object::default();
    each(payload, PAYLOAD, &mut |number, field| match number {
        2 => known.add(field.bytes()?, &mut object, 0),
        _ => Ok(()),
    })
    .ok()?;
    (!object.members.is_empty()).then(|| object.text())
}

/// Members of a JSON object in the order in which their names came first.
#[derive(Default)]
struct Object {
    members: Vec<(String, String)>,
    places: Places,
}

impl Object {
    fn set(&mut self, name: String, value: String) {
        let place = self.places.get(name.as_str()).copied();
        match place.and_then(|place| self.members.get_mut(place as usize)) {
            Some(member) => member.1 = value,
            None => {
                self.places.insert(name.as_str().into(), self.members.len() as u32);
                self.members.push((name, value));
            }
        }
    }

    fn text(&self) -> String {
        let members = self.members.iter().map(|(name, value)| {
            let name = match name.as_str() {
                // An object with this name in it is that one number to the page. A metric of this name is one
                // among others, so its name is written in another way.
                "value" => "\"valu\\u0065\"".to_owned(),
                name => string(name),
            };
            format!("{name}:{value}")
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

/// Where something stands, by its name.
type Places = HashMap<Box<str>, u32>;

/// Metrics with names, and what they are.
#[derive(Debug, Default)]
pub struct Names {
    metrics: Vec<(String, Option<u32>)>,
    by_name: Places,
    /// By their numbers, as [`alias`] writes them.
    by_alias: Places,
}

impl Names {
    /// Those of a birth certificate. One that is none explains nothing; the metrics say so themselves.
    pub fn of(birth: &[u8]) -> Self {
        Self::own(birth).unwrap_or_default()
    }

    fn own(payload: &[u8]) -> Result<Self, Place> {
        let mut known = Self::default();
        each(payload, PAYLOAD, &mut |number, field| {
            if number != 2 {
                return Ok(());
            }
            let metric = wire_metric(field.bytes()?)?;
            if let Some(name) = metric.name {
                let place = known.metrics.len() as u32;
                if metric.alias.is_some() {
                    known.by_alias.insert(alias(metric.alias).into(), place);
                }
                known.by_name.insert(name.into(), place);
                known.metrics.push((name.to_owned(), metric.datatype));
            }
            Ok(())
        })?;
        Ok(known)
    }

    fn at(&self, place: Option<&u32>) -> Option<&(String, Option<u32>)> {
        self.metrics.get(*place? as usize)
    }

    fn name(&self, number: u64) -> Option<&str> {
        let metric = self.at(self.by_alias.get(alias(Some(number)).as_str()));
        metric.map(|(name, _)| name.as_str())
    }

    fn datatype(&self, name: &str) -> Option<u32> {
        self.at(self.by_name.get(name))?.1
    }
}

/// Whether each metric of a payload says what it is called and what it is.
fn is_complete(payload: &[u8]) -> Result<bool, Place> {
    let mut is_complete = true;
    each(payload, PAYLOAD, &mut |number, field| {
        if number == 2 {
            let metric = wire_metric(field.bytes()?)?;
            is_complete &= metric.name.is_some() && metric.datatype.is_some();
        }
        Ok(())
    })?;
    Ok(is_complete)
}

/// What is known of metrics by their number and by their name.
struct Known<'a> {
    birth: &'a Names,
    own: Names,
}

impl Known<'_> {
    fn name<'n>(&'n self, metric: &WireMetric<'n>) -> Option<&'n str> {
        let number = || self.own.name(metric.alias?).or_else(|| self.birth.name(metric.alias?));
        metric.name.or_else(number)
    }

    fn datatype(&self, metric: &WireMetric<'_>) -> u32 {
        let born = || {
            let name = self.name(metric)?;
            self.own.datatype(name).or_else(|| self.birth.datatype(name))
        };
        metric.datatype.or_else(born).unwrap_or(0)
    }

    fn metric(&self, metric: &WireMetric<'_>) -> Result<Metric, Place> {
        let datatype = self.datatype(metric);
        Ok(Metric {
            name: self.name(metric).map(str::to_owned),
            alias: metric.alias,
            datatype: DATATYPES.get(datatype as usize).copied().unwrap_or("?"),
            value: match metric.value {
                Some(value) if !metric.is_null => self.value(value, datatype, 0)?,
                _ => "null".to_owned(),
            },
            timestamp_ms: metric.timestamp,
            is_historical: metric.is_historical,
            properties: properties(metric)?,
        })
    }

    fn value(&self, value: Value<'_>, datatype: u32, depth: usize) -> Result<String, Place> {
        Ok(match value {
            Value::Plain(value) => plain(value, datatype),
            Value::Bytes(bytes) => array(bytes, datatype).unwrap_or_else(|| hex(bytes)),
            Value::DataSet(set) => data_set(set)?,
            Value::Template(template) => self.template(template, depth)?,
            Value::Extension => "extension".to_owned(),
        })
    }

    fn template(&self, template: &[u8], depth: usize) -> Result<String, Place> {
        if depth > TEMPLATES_DEPTH_MAX {
            return Err("");
        }
        let (mut parameters, mut members, mut reference) = (Vec::new(), Vec::new(), "");
        each(template, &[], &mut |number, field| {
            match number {
                2 => {
                    let metric = wire_metric(field.bytes()?)?;
                    let name =
                        self.name(&metric).map_or_else(|| alias(metric.alias), str::to_owned);
                    let value = match metric.value {
                        Some(value) if !metric.is_null => {
                            self.value(value, self.datatype(&metric), depth.saturating_add(1))?
                        }
                        _ => "null".to_owned(),
                    };
                    members.push(format!("{}: {value}", string(&name)));
                }
                3 => {
                    let (name, value) = property(field.bytes()?, true, depth)?;
                    parameters.push(format!("{name} = {value}"));
                }
                4 => reference = field.text()?,
                _ => {}
            }
            Ok(())
        })?;
        let all: Vec<String> = parameters.into_iter().chain(members).take(METRICS_SHOWN).collect();
        Ok(format!("{reference} {{ {} }}", all.join(", ")).trim_start().to_owned())
    }

    /// Adds a metric to an object.
    fn add(&self, metric: &[u8], object: &mut Object, depth: usize) -> Result<(), Place> {
        let metric = wire_metric(metric)?;
        let name = self.name(&metric).map(str::to_owned);
        let name = name.or_else(|| Some(alias(Some(metric.alias?))));
        let Some(name) = name.filter(|_| !metric.is_historical) else { return Ok(()) };
        let datatype = self.datatype(&metric);
        let value = match metric.value {
            None => "null".to_owned(),
            _ if metric.is_null => "null".to_owned(),
            Some(Value::Plain(Plain::Text(text))) => string(text),
            Some(Value::Template(template)) => {
                if depth > TEMPLATES_DEPTH_MAX {
                    return Err("");
                }
                let mut inner = Object::default();
                each(template, &[], &mut |number, field| match number {
                    2 => self.add(field.bytes()?, &mut inner, depth.saturating_add(1)),
                    _ => Ok(()),
                })?;
                inner.text()
            }
            Some(Value::Plain(value)) => as_it_is(plain(value, datatype)),
            Some(Value::Bytes(bytes)) => {
                as_it_is(array(bytes, datatype).unwrap_or_else(|| hex(bytes)))
            }
            // What is in a table has no names that could be looked for.
            Some(Value::DataSet(_) | Value::Extension) => string("…"),
        };
        object.set(name, value);
        Ok(())
    }
}

/// What is written for people, where that is JSON, and else as text.
fn as_it_is(shown: String) -> String {
    if json::check(&shown).is_ok() { shown } else { string(&shown) }
}

/// Templates that may stand in templates.
const TEMPLATES_DEPTH_MAX: usize = DECODED_DEPTH_MAX / 2;

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

/// Data types by their numbers. The array of a type is so many further on.
const INT8: u32 = 1;
const INT16: u32 = 2;
const INT32: u32 = 3;
const INT64: u32 = 4;
const FLOAT: u32 = 9;
const DOUBLE: u32 = 10;
const BOOLEAN: u32 = 11;
const STRING: u32 = 12;
const DATE_TIME: u32 = 13;
const TO_ARRAY: u32 = 21;

/// An integer, which stands on the wire without its sign.
fn integer(value: u64, datatype: u32) -> String {
    match datatype {
        INT8 => (value as i8).to_string(),
        INT16 => (value as i16).to_string(),
        INT32 => (value as i32).to_string(),
        INT64 => (value as i64).to_string(),
        BOOLEAN => (value != 0).to_string(),
        DATE_TIME => export::time(value as f64),
        _ => value.to_string(),
    }
}

/// The values of an array type, which are packed into bytes with the lowest byte first. None where the last one
/// is not whole, or it is no array.
fn array(bytes: &[u8], datatype: u32) -> Option<String> {
    let datatype = datatype.checked_sub(TO_ARRAY)?;
    let values = match datatype {
        BOOLEAN => booleans(bytes)?,
        STRING => strings(bytes)?,
        INT8..=DATE_TIME => {
            // 8, 16, 32 and 64 bits, with and without a sign.
            let width = match datatype {
                FLOAT => 4,
                DOUBLE | DATE_TIME => 8,
                integer => 1usize << ((integer - INT8) % 4),
            };
            let value = |bytes: &[u8]| {
                let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
                match datatype {
                    FLOAT => single(f32::from_bits(value as u32)),
                    DOUBLE => float(f64::from_bits(value)),
                    _ => integer(value, datatype),
                }
            };
            bytes.len().is_multiple_of(width).then(|| bytes.chunks(width).map(value).collect())?
        }
        _ => return None,
    };
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

fn plain(value: Plain<'_>, datatype: u32) -> String {
    match value {
        // Whether it has a sign is not known.
        Plain::Int(value) | Plain::Long(value) if datatype == 0 => format!("{value} ?"),
        Plain::Int(value) | Plain::Long(value) => integer(value, datatype),
        Plain::Float(value) => single(value),
        Plain::Double(value) => float(value),
        Plain::Boolean(value) => value.to_string(),
        Plain::Text(text) => text.to_owned(),
    }
}

/// A table, row by row.
fn data_set(set: &[u8]) -> Result<String, Place> {
    let (mut columns, mut types, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    each(set, &[], &mut |number, field| {
        match (number, field) {
            (2, _) => columns.push(string(field.text()?)),
            (3, Field::Bytes(packed)) => types.extend(integers(packed)?),
            (3, _) => types.push(field.integer()? as u32),
            (4, _) => rows.push(field.bytes()?),
            _ => {}
        }
        Ok(())
    })?;
    let mut shown = Vec::new();
    for row in rows.into_iter().take(METRICS_SHOWN) {
        let mut cells = Vec::new();
        each(row, &[], &mut |number, field| {
            if number != 1 {
                return Ok(());
            }
            let datatype = types.get(cells.len()).copied().unwrap_or(0);
            let mut value = None;
            each(field.bytes()?, &[], &mut |number, field| {
                value = plain_field(number, field, 1)?.or(value);
                Ok(())
            })?;
            cells.push(match value {
                None => "null".to_owned(),
                Some(Plain::Text(text)) => string(text),
                Some(value) => plain(value, datatype),
            });
            Ok(())
        })?;
        shown.push(format!("[{}]", cells.join(", ")));
    }
    Ok(format!("[{}] [{}]", columns.join(", "), shown.join(", ")))
}

/// Integers one after the other, as newer programs write a list of them.
fn integers(packed: &[u8]) -> Result<Vec<u32>, Place> {
    let mut values = Vec::new();
    for integer in packed.split_inclusive(|byte| *byte < 0x80) {
        // Each as a field, of which there is one.
        let field = [b"\x08", integer].concat();
        each(&field, &[], &mut |_, field| {
            values.push(field.integer()? as u32);
            Ok(())
        })?;
    }
    Ok(values)
}

fn properties(metric: &WireMetric<'_>) -> Result<Vec<(String, String)>, Place> {
    let mut known = Vec::new();
    if metric.is_transient {
        known.push(("transient".to_owned(), "true".to_owned()));
    }
    let mut size = None;
    each(metric.metadata, &[], &mut |number, field| {
        let name = match number {
            2 => "content_type",
            3 => {
                size = Some(field.integer()?);
                return Ok(());
            }
            5 => "file_name",
            6 => "file_type",
            7 => "md5",
            8 => "description",
            _ => return Ok(()),
        };
        known.push((name.to_owned(), field.text()?.to_owned()));
        Ok(())
    })?;
    known.extend(size.map(|size| ("size".to_owned(), size.to_string())));
    known.extend(property_set(metric.properties, 0)?);
    known.truncate(METRICS_SHOWN);
    Ok(known)
}

fn property_set(set: &[u8], depth: usize) -> Result<Vec<(String, String)>, Place> {
    if depth > TEMPLATES_DEPTH_MAX {
        return Err("");
    }
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    each(set, &[], &mut |number, field| {
        match number {
            1 => keys.push(field.text()?.to_owned()),
            2 => values.push(property(field.bytes()?, false, depth)?.1),
            _ => {}
        }
        Ok(())
    })?;
    Ok(keys.into_iter().zip(values).collect())
}

/// The value of a property, or of a parameter with its name.
fn property(message: &[u8], is_parameter: bool, depth: usize) -> Result<(String, String), Place> {
    let (mut name, mut datatype, mut value, mut set) = (String::new(), 0, None, None);
    each(message, &[], &mut |number, field| {
        match number {
            1 if is_parameter => name = field.text()?.to_owned(),
            1 => datatype = field.integer()? as u32,
            2 if is_parameter => datatype = field.integer()? as u32,
            9 => set = Some(members(field.bytes()?, depth)?),
            10 => {
                let mut sets = Vec::new();
                each(field.bytes()?, &[], &mut |number, field| {
                    if number == 1 {
                        sets.push(members(field.bytes()?, depth)?);
                    }
                    Ok(())
                })?;
                set = Some(format!("[{}]", sets.join(", ")));
            }
            _ => value = plain_field(number, field, 3)?.or(value),
        }
        Ok(())
    })?;
    let value = value.map(|value| plain(value, datatype));
    Ok((name, set.or(value).unwrap_or_else(|| "null".to_owned())))
}

fn members(set: &[u8], depth: usize) -> Result<String, Place> {
    let members = property_set(set, depth.saturating_add(1))?;
    let members: Vec<String> =
        members.into_iter().map(|(key, value)| format!("{}: {value}", string(&key))).collect();
    Ok(format!("{{ {} }}", members.join(", ")))
}

/// A metric as it is on the wire.
#[derive(Default)]
struct WireMetric<'a> {
    /// Not an empty one, which some write where a number stands for it.
    name: Option<&'a str>,
    alias: Option<u64>,
    timestamp: Option<u64>,
    datatype: Option<u32>,
    is_historical: bool,
    is_transient: bool,
    is_null: bool,
    metadata: &'a [u8],
    properties: &'a [u8],
    value: Option<Value<'a>>,
}

/// What a metric can be.
#[derive(Clone, Copy)]
enum Value<'a> {
    Plain(Plain<'a>),
    Bytes(&'a [u8]),
    DataSet(&'a [u8]),
    Template(&'a [u8]),
    /// What the specification leaves to others.
    Extension,
}

/// What an element of a table, or a property, can be, too.
#[derive(Clone, Copy)]
enum Plain<'a> {
    Int(u64),
    Long(u64),
    Float(f32),
    Double(f64),
    Boolean(bool),
    Text(&'a str),
}

fn wire_metric(message: &[u8]) -> Result<WireMetric<'_>, Place> {
    let mut metric = WireMetric::default();
    each(message, METRIC, &mut |number, field| {
        match number {
            1 => metric.name = Some(field.text()?).filter(|name| !name.is_empty()),
            2 => metric.alias = Some(field.integer()?),
            3 => metric.timestamp = Some(field.integer()?),
            4 => metric.datatype = Some(field.integer()? as u32),
            5 => metric.is_historical = field.is_true()?,
            6 => metric.is_transient = field.is_true()?,
            7 => metric.is_null = field.is_true()?,
            8 => metric.metadata = field.bytes()?,
            9 => metric.properties = field.bytes()?,
            16 => metric.value = Some(Value::Bytes(field.bytes()?)),
            17 => metric.value = Some(Value::DataSet(field.bytes()?)),
            18 => metric.value = Some(Value::Template(field.bytes()?)),
            19 => {
                each(field.bytes()?, &[], &mut |_, _| Ok(()))?;
                metric.value = Some(Value::Extension);
            }
            _ => metric.value = plain_field(number, field, 10)?.map(Value::Plain).or(metric.value),
        }
        Ok(())
    })?;
    Ok(metric)
}

/// The six fields of a plain value, of which the first has this number.
fn plain_field(number: u64, field: Field<'_>, first: u64) -> Result<Option<Plain<'_>>, Place> {
    Ok(Some(match number.checked_sub(first) {
        Some(0) => Plain::Int(field.integer()? & u64::from(u32::MAX)),
        Some(1) => Plain::Long(field.integer()?),
        Some(2) => Plain::Float(field.single()?),
        Some(3) => Plain::Double(field.double()?),
        Some(4) => Plain::Boolean(field.is_true()?),
        Some(5) => Plain::Text(field.text()?),
        _ => return Ok(None),
    }))
}

/// The fields by their numbers, as the specification calls them.
const PAYLOAD: &[Place] =
    &["", "Payload.timestamp", "Payload.metrics", "Payload.seq", "Payload.uuid", "Payload.body"];
const METRIC: &[Place] = &[
    "",
    "Metric.name",
    "Metric.alias",
    "Metric.timestamp",
    "Metric.datatype",
    "Metric.is_historical",
    "Metric.is_transient",
    "Metric.is_null",
    "Metric.metadata",
    "Metric.properties",
    "Metric.int_value",
    "Metric.long_value",
    "Metric.float_value",
    "Metric.double_value",
    "Metric.boolean_value",
    "Metric.string_value",
    "Metric.bytes_value",
    "Metric.dataset_value",
    "Metric.template_value",
    "Metric.extension_value",
];

/// The messages as another implementation writes them.
#[cfg(test)]
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

    use prost::Message;

    use super::*;

    #[test]
    fn what_is_none_names_the_field_where_it_ends() {
        for (payload, field) in [
            (&b"\x08"[..], "Payload.timestamp"),
            (b"\x12\x03\x0a\x01\xff", "Metric.name"),
            (b"\x0f", "Payload.timestamp"),
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
            (0, wire::Value::Int(7), "7 ?"),
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

    /// What we take for Sparkplug, others read too, and they find as many metrics of the same names.
    #[test]
    fn a_second_opinion() {
        let good = encoded(vec![
            named("level", 1, 3, wire::Value::Int(u32::MAX)),
            named("speed", 3, 10, wire::Value::Double(0.5)),
            named("on", 3, 11, wire::Value::Boolean(true)),
            named("raw", 4, 22, wire::Value::Bytes(vec![1, 2])),
        ]);
        let seed = 0x5eed_0005_u64;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut read = 0;
        for round in 0..20_000 {
            let mut payload = good.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..payload.len());
                payload.splice(at..=at, std::iter::once(random.u8(..)));
            }
            payload.truncate(random.usize(..payload.len() * 2));
            let Ok(ours) = decode(&payload, b"") else { continue };
            let theirs = wire::Payload::decode(payload.as_slice());
            let why = format!("seed {seed:#x} round {round}: {payload:02x?}");
            let theirs = theirs.unwrap_or_else(|error| panic!("{error}, {why}"));
            let count = theirs.metrics.len();
            assert_eq!(
                (ours.timestamp_ms, ours.seq, ours.count),
                (theirs.timestamp, theirs.seq, count),
                "{why}"
            );
            read += 1;
        }
        assert!(read > 1_000, "{read}");
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
