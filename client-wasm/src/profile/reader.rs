//! Reading JSON that somebody else has written: what is not as it should be is noted with its place, and
//! the rest goes on.

use serde_json::{Map, Value};

/// Something in a file that was not taken over as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it is, such as `connections[2].will.qos`.
    pub place: String,
    /// What became of it.
    pub what: What,
}

/// What became of a part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is no text, and was left out.
    NotText,
    /// It is neither `true` nor `false`, and was left out.
    NotFlag,
    /// It is no whole number in this range, and was left out.
    NotNumber(u64, u64),
    /// It is none of these words, and was left out.
    NotOneOf(&'static str),
    /// It is no object, and was left out.
    NotObject,
    /// It is no list, and was left out.
    NotList,
    /// Nobody here knows what it means, and it was left out.
    Unknown,
    /// There is no host, so there is no connection.
    NoHost,
    /// It is MQTT over TCP, which no browser can open: it needs the address of a WebSocket.
    Tcp,
    /// Certificates are the browser's business, and were left out.
    Certificates,
    /// It is turned off there, and was left out.
    Disabled,
    /// The page keeps no more connections than it has.
    TooMany,
}

/// An object that is being read.
pub(super) struct Reader<'a, 'n> {
    place: String,
    object: &'a Map<String, Value>,
    notes: &'n mut Vec<Note>,
}

impl<'a, 'n> Reader<'a, 'n> {
    /// A reader of the object at this place; none, with a note, where it is none.
    pub(super) fn new(place: String, value: &'a Value, notes: &'n mut Vec<Note>) -> Option<Self> {
        match value.as_object() {
            Some(object) => Some(Self { place, object, notes }),
            None => {
                notes.push(Note { place, what: What::NotObject });
                None
            }
        }
    }

    /// The place of a member.
    fn at(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    /// Notes something of a member.
    pub(super) fn note(&mut self, key: &str, what: What) {
        let place = if key.is_empty() { self.place.clone() } else { self.at(key) };
        self.notes.push(Note { place, what });
    }

    /// A member that is there and not `null`.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn read<T>(
        &mut self,
        key: &str,
        wrong: What,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let read = read(self.value(key)?);
        if read.is_none() {
            self.note(key, wrong);
        }
        read
    }

    /// A text; empty where there is none.
    pub(super) fn text(&mut self, key: &str) -> String {
        self.some_text(key).unwrap_or_default()
    }

    /// A text that is not empty.
    pub(super) fn some_text(&mut self, key: &str) -> Option<String> {
        let text = self.read(key, What::NotText, Value::as_str)?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The host, without which there is no connection.
    pub(super) fn host(&mut self) -> Option<String> {
        let host = self.some_text("host");
        if host.is_none() {
            self.note("host", What::NoHost);
        }
        host
    }

    /// A truth.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.read(key, What::NotFlag, Value::as_bool)
    }

    /// A whole number up to `max`.
    pub(super) fn number<T: TryFrom<u64> + Into<u64>>(&mut self, key: &str, max: T) -> Option<T> {
        let max = max.into();
        let number = |value: &Value| {
            // Other programs have written numbers as texts at times.
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
            T::try_from(number).ok().filter(|_| number <= max)
        };
        self.read(key, What::NotNumber(0, max), number)
    }

    /// An object.
    pub(super) fn object(&mut self, key: &str) -> Option<Reader<'a, '_>> {
        let place = self.at(key);
        Reader::new(place, self.value(key)?, self.notes)
    }

    /// The elements of a list with their places.
    pub(super) fn list(&mut self, key: &str) -> Vec<(String, &'a Value)> {
        let list = self.read(key, What::NotList, Value::as_array);
        let place = self.at(key);
        let elements = list.into_iter().flatten().enumerate();
        elements.map(|(index, value)| (format!("{place}[{index}]"), value)).collect()
    }

    /// A reader of another object, which notes in the same place.
    pub(super) fn other(&mut self, place: String, value: &'a Value) -> Option<Reader<'a, '_>> {
        Reader::new(place, value, self.notes)
    }

    /// Notes every member that is none of these.
    pub(super) fn only(&mut self, known: &[&str]) {
        let unknown: Vec<String> =
            self.object.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect();
        for key in unknown {
            self.note(&key, What::Unknown);
        }
    }
}
