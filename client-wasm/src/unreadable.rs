//! What is wrong with JSON that somebody chose, as the page can say it in any language: the parser's own
//! words are English.

use serde_json::error::Category;

/// Why JSON can't be read from some place on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no JSON from there on.
    Syntax,
    /// There is nothing.
    Nothing,
    /// It ends there, in the middle of something.
    End,
    /// It is JSON, and nothing that belongs there.
    Value,
    /// This member is not there.
    Missing(String),
    /// Nobody here knows this word.
    Unknown(String),
}

impl Unreadable {
    /// The line and the column, from 1 on, where the parser could not go on: it calls the column 0 where nothing
    /// stands.
    pub fn place(error: &serde_json::Error) -> (usize, usize) {
        (error.line(), error.column().max(1))
    }

    /// What the parser means.
    pub fn of(error: &serde_json::Error) -> Self {
        match error.classify() {
            Category::Eof if error.line() <= 1 && error.column() == 0 => Self::Nothing,
            Category::Eof => Self::End,
            Category::Data => {
                let words = error.to_string();
                let mut parts = words.splitn(3, '`');
                match (parts.next(), parts.next()) {
                    (Some("missing field "), Some(name)) => Self::Missing(name.to_owned()),
                    (Some("unknown field " | "unknown variant "), Some(word)) => {
                        Self::Unknown(word.to_owned())
                    }
                    _ => Self::Value,
                }
            }
            Category::Syntax | Category::Io => Self::Syntax,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Known {
        topic: String,
    }

    #[test]
    fn each_mistake_is_known_by_its_kind() {
        let of = |text| match serde_json::from_str::<Known>(text) {
            Ok(known) => panic!("{}", known.topic),
            Err(error) => Unreadable::of(&error),
        };
        for (text, what) in [
            ("{topic}", Unreadable::Syntax),
            ("", Unreadable::Nothing),
            (r#"{"topic":"#, Unreadable::End),
            (r#"{"topic":7}"#, Unreadable::Value),
            ("[]", Unreadable::Value),
            ("{}", Unreadable::Missing("topic".into())),
            (r#"{"tópic":7}"#, Unreadable::Unknown("tópic".into())),
        ] {
            assert_eq!(of(text), what, "{text}");
        }
    }
}
