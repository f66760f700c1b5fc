//! The file that says what to ask and what to publish of the answers: TOML, checked to the last
//! word. What is wrong in it is told with its line, and with the word that was probably meant.

use super::pointer::Pointer;
use super::value::{Scale, Type, Wanted};
use crate::cli::prefix;
use crate::reading::topic_level;
use crate::report::Failure;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

/// How much a file may say.
const FILE_BYTES_MAX: u64 = 1 << 20;
const SOURCES_MAX: usize = 100;
const VALUES_MAX: usize = 10_000;
/// The longest secret that a file or a variable may hold, and the longest unit, in bytes.
const SECRET_BYTES_MAX: u64 = 16 * 1024;
const UNIT_BYTES_MAX: usize = 64;

const INTERVAL_DEFAULT: Duration = Duration::from_secs(5 * 60);
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(20);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);
/// Up to ten years, as what is longer is more likely a slip.
const EXPIRIES: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(315_360_000);

/// What a service is asked for that speaks more than one language, where the file says nothing else.
const ACCEPTED: &str = "application/json";

const URL_FORM: &str = "write it as https://HOST/PATH or http://HOST/PATH";

/// The words of the file, and where each may stand.
const IN_FILE: &[&str] = &["source"];
const IN_SOURCE: &[&str] = &["name", "url", "interval", "timeout", "headers", "query", "values"];
const IN_VALUE: &[&str] = &["topic", "unit", "type", "factor", "offset", "retain", "expiry"];
const IN_SECRET: &[&str] = &["env", "file", "before"];
const TYPES: &[(&str, Type)] = &[
    ("number", Type::Number),
    ("text", Type::Text),
    ("boolean", Type::Boolean),
    ("json", Type::Json),
];

/// A service to ask, and what to publish of its answers. Has no `Debug`: its URL and its headers may
/// hold secrets.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) headers: HeaderMap,
    pub(super) values: Vec<Wanted>,
}

/// Reads a file of sources.
pub(super) fn read(path: &Path) -> Result<Vec<Source>, Failure> {
    let shown = path.display();
    let text = read_text(path, FILE_BYTES_MAX)
        .map_err(|reason| Failure::new(format!("Cannot read {shown}: {reason}.")))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&text, folder).map_err(|fault| {
        let why = &fault.why;
        Failure::usage(match fault.line(&text) {
            Some(line) => format!("{why}. It stands at {shown}:{line}."),
            None => format!("{why} ({shown})."),
        })
    })
}

/// What is wrong, as a sentence without its full stop, and at which byte of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    why: String,
    at: Option<usize>,
}

impl Fault {
    fn at<T>(place: &Spanned<T>, why: impl Into<String>) -> Self {
        Self { why: why.into(), at: Some(place.span().start) }
    }

    fn line(&self, text: &str) -> Option<usize> {
        let before = text.as_bytes().get(..self.at?)?;
        Some(before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1))
    }
}

type Value<'i> = Spanned<DeValue<'i>>;

/// Relative names of files with secrets are looked for in `folder`, where the file itself is.
pub(super) fn parse(text: &str, folder: &Path) -> Result<Vec<Source>, Fault> {
    let document = DeTable::parse(text).map_err(|error| Fault {
        why: format!("This is no TOML: {}", error.message()),
        at: error.span().map(|span| span.start),
    })?;
    let document = document.get_ref();
    check_words(document, IN_FILE, "at the top of the file")?;
    let nothing = || Fault {
        why: "There is no [[source]] in the file, so there is nothing to ask".to_owned(),
        at: None,
    };
    let tables = document.get("source").ok_or_else(nothing)?;
    let DeValue::Array(list) = tables.get_ref() else {
        return Err(Fault::at(tables, "A source begins with [[source]], in two pairs of brackets"));
    };
    if list.len() > SOURCES_MAX {
        return Err(Fault::at(tables, format!("A file has at most {SOURCES_MAX} sources")));
    }
    let mut sources = Vec::new();
    let mut taken = Taken::default();
    for table in list {
        sources.push(source(table, folder, &mut taken)?);
    }
    if sources.is_empty() { Err(nothing()) } else { Ok(sources) }
}

/// What is there already, and may not be there again.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    topics: BTreeSet<String>,
}

fn source(value: &Value<'_>, folder: &Path, taken: &mut Taken) -> Result<Source, Fault> {
    const PLACE: &str = "in a [[source]]";
    let table = table(value, "A source")?;
    check_words(table, IN_SOURCE, PLACE)?;
    let name = required(value, table, "name", PLACE)?;
    let source_name = source_name(name)?;
    if !taken.names.insert(source_name.clone()) {
        return Err(Fault::at(name, format!("There are two sources called \"{source_name}\"")));
    }
    let url = url(required(value, table, "url", PLACE)?, table.get("query"), folder)?;
    let headers = headers(table.get("headers"), folder)?;
    let duration = |word, default, range| match table.get(word) {
        Some(value) => duration(word, value, range),
        None => Ok(default),
    };
    let interval = duration("interval", INTERVAL_DEFAULT, INTERVALS)?;
    let timeout = duration("timeout", TIMEOUT_DEFAULT, TIMEOUTS)?;
    let values = values(required(value, table, "values", PLACE)?, taken)?;
    Ok(Source { name: source_name, url, interval, timeout, headers, values })
}

fn source_name(name: &Value<'_>) -> Result<String, Fault> {
    let text = text("name", name)?;
    if topic_level(text) != text {
        return Err(Fault::at(
            name,
            format!(
                "The name \"{text}\" can't be a level of a topic; \"{}\" can",
                topic_level(text)
            ),
        ));
    }
    Ok(text.to_owned())
}

fn url(value: &Value<'_>, query: Option<&Value<'_>>, folder: &Path) -> Result<Url, Fault> {
    let mut url = Url::parse(text("url", value)?)
        .map_err(|error| Fault::at(value, format!("That is no URL ({error}): {URL_FORM}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Fault::at(value, format!("The url must be one of HTTP: {URL_FORM}")));
    }
    if let Some(query) = query {
        for (name, value) in sorted(table(query, "query")?) {
            let secret = secret(name.get_ref(), value, folder)?;
            url.query_pairs_mut().append_pair(name.get_ref(), &secret);
        }
    }
    Ok(url)
}

fn headers(value: Option<&Value<'_>>, folder: &Path) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(ACCEPTED))]);
    let Some(value) = value else { return Ok(headers) };
    for (name, value) in sorted(table(value, "headers")?) {
        let word = name.get_ref();
        let header = HeaderName::from_bytes(word.as_bytes())
            .map_err(|_| Fault::at(name, format!("\"{word}\" can't be the name of a header")))?;
        let mut secret = HeaderValue::from_str(&secret(word, value, folder)?)
            .map_err(|_| Fault::at(value, format!("What {word} is set to can't be in a header")))?;
        secret.set_sensitive(true);
        headers.insert(header, secret);
    }
    Ok(headers)
}

/// A text, or where it is to be found: what is secret does not stand in the file. What is wrong is
/// said without it.
fn secret(word: &str, value: &Value<'_>, folder: &Path) -> Result<String, Fault> {
    let table = match value.get_ref() {
        DeValue::String(text) => return Ok(text.clone().into_owned()),
        DeValue::Table(table) => table,
        _ => {
            let why = format!(
                "{word} must be a text, or a table such as {{ env = \"VARIABLE\" }} or {{ file = \
                 \"PATH\" }}"
            );
            return Err(Fault::at(value, why));
        }
    };
    check_words(table, IN_SECRET, &format!("in {word}"))?;
    let before = table.get("before").map_or(Ok(""), |value| text("before", value))?;
    let secret = match (table.get("env"), table.get("file")) {
        (Some(env), None) => variable(env)?,
        (None, Some(file)) => first_line(file, folder)?,
        _ => {
            let why = format!("{word} needs either env or file");
            return Err(Fault::at(value, why));
        }
    };
    Ok(format!("{before}{secret}"))
}

fn variable(value: &Value<'_>) -> Result<String, Fault> {
    let name = text("env", value)?;
    match std::env::var(name) {
        Ok(secret) if !secret.is_empty() => Ok(secret),
        Ok(_) => Err(Fault::at(value, format!("The variable {name} is empty"))),
        Err(std::env::VarError::NotPresent) => {
            Err(Fault::at(value, format!("The variable {name} is not set")))
        }
        Err(_) => Err(Fault::at(value, format!("The variable {name} holds no text"))),
    }
}

fn first_line(value: &Value<'_>, folder: &Path) -> Result<String, Fault> {
    let file: PathBuf = folder.join(text("file", value)?);
    let shown = file.display();
    let text = read_text(&file, SECRET_BYTES_MAX)
        .map_err(|reason| Fault::at(value, format!("Cannot read {shown}: {reason}")))?;
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => Ok(line.trim().to_owned()),
        _ => Err(Fault::at(value, format!("The first line of {shown} is empty"))),
    }
}

/// A file of text, if it is not longer than that.
fn read_text(path: &Path, bytes_max: u64) -> Result<String, String> {
    let is_folder = fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
    if is_folder {
        return Err("it is a folder".to_owned());
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let limited = file.take(bytes_max.saturating_add(1)).read_to_string(&mut text);
    let length = limited.map_err(|error| match error.kind() {
        ErrorKind::InvalidData => "it is no text in UTF-8".to_owned(),
        _ => error.to_string(),
    })?;
    match u64::try_from(length) {
        Ok(length) if length <= bytes_max => Ok(text),
        _ => Err(format!("it is longer than {bytes_max} bytes")),
    }
}

fn values(value: &Value<'_>, taken: &mut Taken) -> Result<Vec<Wanted>, Fault> {
    let entries = sorted(table(value, "values")?);
    if entries.is_empty() {
        let why = "A source without values has nothing to publish: write \"/POINTER\" = \"TOPIC\"";
        return Err(Fault::at(value, why));
    }
    if taken.topics.len().saturating_add(entries.len()) > VALUES_MAX {
        return Err(Fault::at(value, format!("A file has at most {VALUES_MAX} values")));
    }
    entries
        .into_iter()
        .map(|(name, value)| {
            let pointer = Pointer::parse(name.get_ref()).map_err(|why| {
                Fault::at(name, format!("What is published is named by a JSON pointer: {why}"))
            })?;
            wanted(pointer, value, taken)
        })
        .collect()
}

fn wanted(pointer: Pointer, value: &Value<'_>, taken: &mut Taken) -> Result<Wanted, Fault> {
    const PLACE: &str = "in a value";
    let none = DeTable::new();
    let (table, topic) = match value.get_ref() {
        DeValue::String(_) => (&none, value),
        DeValue::Table(table) => {
            check_words(table, IN_VALUE, PLACE)?;
            (table, required(value, table, "topic", PLACE)?)
        }
        _ => {
            let why = format!(
                "What {pointer} is published as must be a topic, or a table such as {{ topic = \
                 \"home/pressure\", unit = \"hPa\" }}"
            );
            return Err(Fault::at(value, why));
        }
    };
    let must_be = table.get("type").map(a_type).transpose()?;
    let scale = scale(table)?;
    if let (Some(_), Some(must_be), Some(value)) = (scale, must_be, table.get("type"))
        && must_be != Type::Number
    {
        return Err(Fault::at(value, "Only a number has a factor or an offset"));
    }
    let expiry =
        table.get("expiry").map(|value| duration("expiry", value, EXPIRIES)).transpose()?;
    Ok(Wanted {
        pointer,
        topic: a_topic(topic, taken)?,
        unit: table.get("unit").map(a_unit).transpose()?,
        must_be: if scale.is_some() { Some(Type::Number) } else { must_be },
        scale,
        retain: table.get("retain").map_or(Ok(true), |value| flag("retain", value))?,
        expiry,
    })
}

fn a_topic(value: &Value<'_>, taken: &mut Taken) -> Result<String, Fault> {
    let topic = text("topic", value)?;
    let fault = |why: String| Fault::at(value, format!("The topic \"{topic}\" {why}"));
    match prefix(topic) {
        Err(why) => return Err(fault(why)),
        Ok(without_slash) if without_slash != topic => {
            return Err(fault("must not end with a slash".to_owned()));
        }
        Ok(_) => {}
    }
    let is_ours = topic.strip_prefix("http/").is_some_and(|below| {
        below == "status" || below.ends_with("/status") && below.matches('/').count() == 1
    });
    if is_ours {
        return Err(fault("is where it is said how the sources are".to_owned()));
    }
    if !taken.topics.insert(topic.to_owned()) {
        return Err(fault("is published twice".to_owned()));
    }
    Ok(topic.to_owned())
}

fn a_unit(value: &Value<'_>) -> Result<String, Fault> {
    let unit = text("unit", value)?;
    if unit.is_empty() || unit.len() > UNIT_BYTES_MAX || unit.chars().any(char::is_control) {
        let why =
            format!("A unit is a short text of at most {UNIT_BYTES_MAX} bytes, such as \"hPa\"");
        return Err(Fault::at(value, why));
    }
    Ok(unit.to_owned())
}

fn a_type(value: &Value<'_>) -> Result<Type, Fault> {
    let word = text("type", value)?;
    let known = TYPES.iter().find(|(name, _)| *name == word).map(|(_, must_be)| *must_be);
    known.ok_or_else(|| {
        let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        let nearest = nearest(word, &names);
        Fault::at(
            value,
            format!("There is no type \"{word}\"{nearest}. There are {}", names.join(", ")),
        )
    })
}

fn scale(table: &DeTable<'_>) -> Result<Option<Scale>, Fault> {
    let (factor, offset) = (table.get("factor"), table.get("offset"));
    if factor.is_none() && offset.is_none() {
        return Ok(None);
    }
    Ok(Some(Scale {
        factor: factor.map_or(Ok(Decimal::ONE), |value| decimal("factor", value))?,
        offset: offset.map_or(Ok(Decimal::ZERO), |value| decimal("offset", value))?,
    }))
}

/// A number as it stands in the file: `0.1` is a tenth and nothing else.
fn decimal(word: &str, value: &Value<'_>) -> Result<Decimal, Fault> {
    let text = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => "",
    };
    let number = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text),
        false => Decimal::from_str_exact(text),
    };
    number.map_err(|_| Fault::at(value, format!("{word} must be a decimal number such as 0.1")))
}

fn duration(
    word: &str,
    value: &Value<'_>,
    range: RangeInclusive<Duration>,
) -> Result<Duration, Fault> {
    let form = || {
        let why =
            format!("{word} must be a time with its unit, in quotes, such as \"90s\" or \"5m\"");
        Fault::at(value, why)
    };
    let DeValue::String(text) = value.get_ref() else { return Err(form()) };
    let duration = humantime::parse_duration(text).map_err(|_| form())?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (*range.start(), *range.end());
    let [least, most] = [least, most].map(humantime::format_duration);
    Err(Fault::at(value, format!("{word} must be between {least} and {most}")))
}

fn flag(word: &str, value: &Value<'_>) -> Result<bool, Fault> {
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(*flag),
        _ => Err(Fault::at(value, format!("{word} must be true or false, without quotes"))),
    }
}

fn text<'v>(word: &str, value: &'v Value<'_>) -> Result<&'v str, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => Err(Fault::at(value, format!("{word} must be a text, in quotes"))),
    }
}

fn table<'v, 'i>(value: &'v Value<'i>, what: &str) -> Result<&'v DeTable<'i>, Fault> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => Err(Fault::at(value, format!("{what} must be a table"))),
    }
}

fn required<'v, 'i>(
    place: &Value<'i>,
    table: &'v DeTable<'i>,
    word: &str,
    what: &str,
) -> Result<&'v Value<'i>, Fault> {
    table.get(word).ok_or_else(|| Fault::at(place, format!("There is no {word} {what}")))
}

/// The entries of a table in the order in which they stand in the file.
fn sorted<'v, 'i>(table: &'v DeTable<'i>) -> Vec<(&'v Spanned<Cow<'i, str>>, &'v Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

fn check_words(table: &DeTable<'_>, known: &[&str], place: &str) -> Result<(), Fault> {
    for (name, _) in sorted(table) {
        let word = name.get_ref();
        if !known.contains(&word.as_ref()) {
            let hint = elsewhere(word).unwrap_or_else(|| nearest(word, known));
            let why = format!("The word \"{word}\" is not known {place}{hint}");
            return Err(Fault::at(name, why));
        }
    }
    Ok(())
}

/// Where a word belongs that stands in a wrong place, as the rest of a sentence.
fn elsewhere(word: &str) -> Option<String> {
    let places = [
        (&["values"][..], "below a [[source]], as [source.values]"),
        (IN_SOURCE, "in a [[source]]"),
        (IN_VALUE, "in a value, such as { topic = \"home/pressure\", unit = \"hPa\" }"),
    ];
    let (_, place) = places.into_iter().find(|(words, _)| words.contains(&word))?;
    Some(format!(". It belongs {place}"))
}

/// The word that was probably meant, as the rest of a sentence.
fn nearest(word: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&word.to_lowercase(), name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| format!(". The nearest that is known is \"{name}\""))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Result<Vec<Source>, Fault> {
        parse(text, Path::new("."))
    }

    /// What is wrong with a text, and in which line.
    fn wrong(text: &str) -> (String, Option<usize>) {
        match sources(text) {
            Err(fault) => (fault.why.clone(), fault.line(text)),
            Ok(_) => panic!("this was taken:\n{text}"),
        }
    }

    #[test]
    fn a_file_says_what_to_ask_and_what_to_publish() {
        let text = r#"
            [[source]]
            name = "air"
            url = "https://api.example.org/v1/air?city=Madrid"
            interval = "10m"
            timeout = "5s"
            query = { units = "metric" }
            headers = { Accept = "application/geo+json" }
            [source.values]
            "/now/pm2.5" = { topic = "home/air/pm25", unit = "µg/m³", expiry = "2h" }
            "/now/temp" = { topic = "home/air/temperature", unit = "°C", factor = 0.1, offset = -273.15 }
            "/city/name" = "home/air/city"
            "/all" = { topic = "home/air/all", type = "json", retain = false }

            [[source]]
            name = "solar"
            url = "http://192.168.1.20/status"
            values = { "/power" = "home/solar/power" }
        "#;
        let sources = sources(text).unwrap();
        let [air, solar] = &sources[..] else { panic!("two sources") };
        assert_eq!(air.url.as_str(), "https://api.example.org/v1/air?city=Madrid&units=metric");
        assert_eq!((air.interval, air.timeout), (Duration::from_secs(600), Duration::from_secs(5)));
        assert_eq!(air.headers["accept"], "application/geo+json");
        assert_eq!(solar.headers["accept"], "application/json");
        assert!(air.headers["accept"].is_sensitive());
        let topics: Vec<_> = air.values.iter().map(|value| value.topic.as_str()).collect();
        let expected = ["home/air/pm25", "home/air/temperature", "home/air/city", "home/air/all"];
        assert_eq!(topics, expected, "they are in the order of the file");
        let [pm25, temperature, city, all] = &air.values[..] else { panic!("four values") };
        assert_eq!(pm25.unit.as_deref(), Some("µg/m³"));
        assert_eq!(pm25.expiry, Some(Duration::from_secs(7_200)));
        let scale = temperature.scale.unwrap();
        assert_eq!(
            (scale.factor.to_string(), scale.offset.to_string()),
            ("0.1".into(), "-273.15".into())
        );
        assert_eq!((temperature.must_be, city.must_be), (Some(Type::Number), None));
        assert_eq!((all.must_be, all.retain, city.retain), (Some(Type::Json), false, true));
        assert_eq!((solar.interval, solar.timeout), (INTERVAL_DEFAULT, TIMEOUT_DEFAULT));
    }

    /// A source that is right, with one line in place of another.
    fn with(line: &str, instead: &str) -> String {
        let right = "[[source]]\n\
                     name = \"air\"\n\
                     url = \"https://example.org/air\"\n\
                     interval = \"5m\"\n\
                     headers = {}\n\
                     [source.values]\n\
                     \"/a\" = \"home/a\"\n";
        assert!(sources(right).is_ok() && right.contains(line), "{line}");
        right.replace(line, instead)
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_what_was_probably_meant() {
        let (name, url, interval) =
            ("name = \"air\"", "url = \"https://example.org/air\"", "interval = \"5m\"");
        let (headers, value) = ("headers = {}", "\"/a\" = \"home/a\"");
        for (line, instead, expected, at) in [
            (
                interval,
                "intervall = \"5m\"",
                r#"The word "intervall" is not known in a [[source]]. The nearest that is known is "interval""#,
                4,
            ),
            (interval, "Url = \"x\"", "The nearest that is known is \"url\"", 4),
            (interval, "zzz = 1", "The word \"zzz\" is not known in a [[source]]", 4),
            ("[[source]]", "[[sources]]", "The nearest that is known is \"source\"", 1),
            ("[[source]]", "[source]", "begins with [[source]]", 1),
            (interval, "interval = 300", "interval must be a time with its unit", 4),
            (interval, "interval = \"5\"", "interval must be a time with its unit", 4),
            (interval, "interval = \"0s\"", "interval must be between 1s and 1day", 4),
            (interval, "timeout = \"1h\"", "timeout must be between 100ms and 5m", 4),
            (name, "name = \"a/b\"", "can't be a level of a topic; \"a_b\" can", 2),
            (name, "name = 7", "name must be a text, in quotes", 2),
            (name, "", "There is no name in a [[source]]", 1),
            (url, "", "There is no url in a [[source]]", 1),
            (url, "url = \"example.org\"", "That is no URL", 3),
            (url, "url = \"ftp://example.org\"", "The url must be one of HTTP", 3),
            (headers, "headers = { \"a b\" = \"x\" }", "can't be the name of a header", 5),
            (headers, "headers = { A = \"x\\ny\" }", "What A is set to can't be in a header", 5),
            (headers, "headers = { A = 7 }", "A must be a text, or a table", 5),
            (
                headers,
                "headers = { A = { envv = \"X\" } }",
                "is not known in A. The nearest that is known is \"env\"",
                5,
            ),
            (headers, "headers = { A = {} }", "A needs either env or file", 5),
            (
                headers,
                "headers = { A = { env = \"SENSORS_TEST_NOT_SET\" } }",
                "The variable SENSORS_TEST_NOT_SET is not set",
                5,
            ),
            (
                headers,
                "headers = { A = { file = \"/nonexistent/key\" } }",
                "Cannot read /nonexistent/key",
                5,
            ),
            (headers, "headers = { A = { file = \"/\" } }", "it is a folder", 5),
            (
                headers,
                "query = { A = { file = \"/dev/null\" } }",
                "The first line of /dev/null is empty",
                5,
            ),
            (value, "\"a.b\" = \"home/a\"", "write \"/a/b\"", 7),
            (value, "\"/a\" = 1", "must be a topic, or a table", 7),
            (value, "\"/a\" = {}", "There is no topic in a value", 7),
            (value, "\"/a\" = \"home/#\"", "must not contain `+` or `#`", 7),
            (value, "\"/a\" = \"\"", "must not be empty", 7),
            (value, "\"/a\" = \"home/\"", "must not end with a slash", 7),
            (value, "\"/a\" = \"$SYS/a\"", "must not begin with `$`", 7),
            (value, "\"/a\" = \"http/air/status\"", "is where it is said how the sources are", 7),
            (value, "\"/a\" = \"t\"\n\"/b\" = \"t\"", "The topic \"t\" is published twice", 8),
            (value, "\"/a\" = \"t\"\n\"/a\" = \"u\"", "This is no TOML: duplicate key", 8),
            (
                value,
                "\"/a\" = { topic = \"t\", units = \"W\" }",
                "The nearest that is known is \"unit\"",
                7,
            ),
            (value, "\"/a\" = { topic = \"t\", unit = \"\" }", "A unit is a short text", 7),
            (
                value,
                "\"/a\" = { topic = \"t\", type = \"bool\" }",
                "There is no type \"bool\". The nearest that is known is \"boolean\"",
                7,
            ),
            (
                value,
                "\"/a\" = { topic = \"t\", factor = \"2\" }",
                "factor must be a decimal number",
                7,
            ),
            (
                value,
                "\"/a\" = { topic = \"t\", factor = inf }",
                "factor must be a decimal number",
                7,
            ),
            (
                value,
                "\"/a\" = { topic = \"t\", type = \"text\", factor = 2 }",
                "Only a number has a factor",
                7,
            ),
            (
                value,
                "\"/a\" = { topic = \"t\", retain = \"yes\" }",
                "retain must be true or false",
                7,
            ),
            (value, "\"/a\" = { topic = \"t\", expiry = \"0s\" }", "expiry must be between", 7),
            (value, "", "A source without values", 6),
            (value, "\"/a\" = [", "This is no TOML", 7),
        ] {
            let (said, line) = wrong(&with(line, instead));
            assert!(said.contains(expected), "{instead}: {said}");
            assert_eq!(line, Some(at), "{instead}: {said}");
        }
        for (misplaced, expected) in [
            ("[values]\n\"/a\" = \"b\"", "It belongs below a [[source]], as [source.values]"),
            ("url = \"http://h\"", "It belongs in a [[source]]"),
            ("[[source]]\nunit = \"W\"", "It belongs in a value"),
        ] {
            let (said, _) = wrong(misplaced);
            assert!(said.contains(expected), "{misplaced}: {said}");
        }
        assert!(wrong("").0.contains("There is no [[source]]"));
        assert!(wrong("source = []").0.contains("There is no [[source]]"));
        let twice = with("name", "name").repeat(2);
        assert!(wrong(&twice).0.contains("two sources called \"air\""));
    }

    #[test]
    fn secrets_come_from_elsewhere_and_are_never_said() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "  s3cret \nanother line\n").unwrap();
        let text =
            with("headers = {}", "headers = { A = { file = \"key\", before = \"Bearer \" } }");
        let [source] = &parse(&text, folder.path()).unwrap_or_default()[..] else {
            panic!("one source")
        };
        assert_eq!(source.headers["a"], "Bearer s3cret");
        assert_eq!(format!("{:?}", source.headers["a"]), "Sensitive");

        fs::write(folder.path().join("key"), "s3cret\u{1}\n").unwrap();
        let Err(fault) = parse(&text, folder.path()) else { panic!("a control character") };
        assert!(!fault.why.contains("s3cret"), "{}", fault.why);
    }

    #[test]
    fn no_file_is_too_strange() {
        let right = with("name", "name");
        let mut random = fastrand::Rng::with_seed(17);
        let pieces =
            ["\"", "[", "]", "{", "}", "=", "\n", "\\", "é", "\u{0}", "source", ".", "~", "/"];
        for _ in 0..5_000 {
            let mut text = right.clone();
            for _ in 0..random.usize(1..4) {
                let mut at = random.usize(0..=text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                text.insert_str(at, pieces[random.usize(0..pieces.len())]);
            }
            if let Err(fault) = sources(&text) {
                assert!(
                    !fault.why.is_empty() && fault.at.is_none_or(|at| at <= text.len()),
                    "{text}"
                );
            }
        }
    }
}
