//! The addresses of the pages: what stands behind `#` in the browser's address, so that each place can
//! be linked, kept as a bookmark and gone back to, from any server that has the files.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in an address; a topic keeps its slashes, so that a person can read it.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// A page, and the place on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Route {
    /// The sensors as cards.
    #[default]
    Board,
    /// The tree of topics, and one of them in full.
    Topics(Option<String>),
    /// The live log.
    Messages,
    /// The form that publishes; with a topic to begin with.
    Publish(Option<String>),
    /// What the broker tells of itself.
    Broker,
    /// The packets of the connection as bytes.
    Wire,
    /// Which brokers there are, and how to connect to them.
    Connections,
    /// What a person can set for the whole page.
    Settings,
}

impl Route {
    /// The pages in the order of the navigation.
    pub const PAGES: [Self; 6] = [
        Self::Board,
        Self::Topics(None),
        Self::Messages,
        Self::Publish(None),
        Self::Broker,
        Self::Wire,
    ];

    /// Reads what stands behind `#`; an address that is not known leads to the first page.
    pub fn parse(hash: &str) -> Self {
        let path = hash.trim_start_matches('#').trim_start_matches('/');
        let (page, rest) = path.split_once('/').unwrap_or((path, ""));
        let rest = percent_decode_str(rest).decode_utf8_lossy();
        let rest = (!rest.is_empty()).then(|| rest.into_owned());
        match page {
            "topics" => Self::Topics(rest),
            "messages" => Self::Messages,
            "publish" => Self::Publish(rest),
            "broker" => Self::Broker,
            "wire" => Self::Wire,
            "connections" => Self::Connections,
            "settings" => Self::Settings,
            _ => Self::Board,
        }
    }

    /// The address, from the `#` on.
    pub fn href(&self) -> String {
        let (page, rest) = match self {
            Self::Board => return "#/".to_owned(),
            Self::Topics(topic) => ("topics", topic.as_deref()),
            Self::Messages => ("messages", None),
            Self::Publish(topic) => ("publish", topic.as_deref()),
            Self::Broker => ("broker", None),
            Self::Wire => ("wire", None),
            Self::Connections => ("connections", None),
            Self::Settings => ("settings", None),
        };
        match rest {
            Some(rest) => format!("#/{page}/{}", utf8_percent_encode(rest, QUOTED)),
            None => format!("#/{page}"),
        }
    }

    /// The page without the place on it.
    pub fn page(&self) -> Self {
        match self {
            Self::Topics(_) => Self::Topics(None),
            Self::Publish(_) => Self::Publish(None),
            other => other.clone(),
        }
    }
}

/// What an address of the board asks for beside showing it: `#/?pin=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A new widget.
    Add,
    /// Everything that can be done to the board, also where it is empty.
    Edit,
    /// A board from a file.
    Import,
    /// A widget of a value.
    Pin {
        /// What kind of widget, in its word.
        kind: String,
        /// The topic.
        topic: String,
        /// Where inside the topic's payload; empty for the whole payload.
        path: String,
    },
    /// The board that is in the address.
    Board(String),
}

impl Ask {
    /// Reads what stands behind `#`.
    pub fn parse(hash: &str) -> Option<Self> {
        let query = hash.trim_start_matches(['#', '/']).strip_prefix('?')?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(known, _)| *known == name).map(|(_, value)| decoded(value))
        };
        match pairs.next() {
            Some(("board", letters)) => Some(Self::Board(letters.to_owned())),
            Some(("pin", topic)) => Some(Self::Pin {
                topic: decoded(topic),
                kind: value("kind").unwrap_or_default(),
                path: value("path").unwrap_or_default(),
            }),
            _ => match query {
                "add" => Some(Self::Add),
                "edit" => Some(Self::Edit),
                "import" => Some(Self::Import),
                _ => None,
            },
        }
    }

    /// The address, from the `#` on.
    pub fn href(&self) -> String {
        let quoted = |text: &str| utf8_percent_encode(text, QUOTED).to_string();
        match self {
            Self::Add => "#/?add".to_owned(),
            Self::Edit => "#/?edit".to_owned(),
            Self::Import => "#/?import".to_owned(),
            Self::Pin { kind, topic, path } => {
                let path =
                    if path.is_empty() { String::new() } else { format!("&path={}", quoted(path)) };
                format!("#/?pin={}&kind={kind}{path}", quoted(topic))
            }
            Self::Board(letters) => format!("#/?board={letters}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn an_address_of_the_board_may_ask_for_something() {
        let pin = |topic: &str, path: &str| Ask::Pin {
            kind: "line".into(),
            topic: topic.into(),
            path: path.into(),
        };
        for ask in [
            Ask::Add,
            Ask::Edit,
            Ask::Import,
            pin("home/kitchen & co/été+#?", ""),
            pin("a/b", "air.t[0]&x=1"),
            Ask::Board("eyJ_-".into()),
        ] {
            assert_eq!(Ask::parse(&ask.href()), Some(ask.clone()), "{}", ask.href());
            assert_eq!(Route::parse(&ask.href()), Route::Board);
        }
        for hash in ["", "#/", "#/topics/a?add", "#/?", "#/?x=1"] {
            assert_eq!(Ask::parse(hash), None, "{hash}");
        }
    }

    #[test]
    fn every_place_has_an_address_that_leads_back_to_it() {
        let topics =
            ["home/kitchen", "/", "//a", "50 % off?", "año/°C/😀", "#", "a+b&c=d", "%41", "a/"];
        let places = topics.iter().flat_map(|topic| {
            let topic = Some((*topic).to_owned());
            [Route::Topics(topic.clone()), Route::Publish(topic)]
        });
        for route in Route::PAGES.into_iter().chain([Route::Connections]).chain(places) {
            assert_eq!(Route::parse(&route.href()), route, "{}", route.href());
        }
    }

    #[test]
    fn an_unknown_address_is_the_first_page() {
        for hash in ["", "#", "#/", "#nonsense", "#/nonsense/x", "/"] {
            assert_eq!(Route::parse(hash), Route::Board, "{hash}");
        }
    }

    #[test]
    fn addresses_stay_readable() {
        let route = Route::Topics(Some("home/kitchen_1/temp-in".into()));
        assert_eq!(route.href(), "#/topics/home/kitchen_1/temp-in");
        assert_eq!(route.page().href(), "#/topics");
    }
}
