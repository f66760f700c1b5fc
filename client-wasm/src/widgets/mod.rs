//! Widgets that a person adds to the board: what they are, as data. What is done to them is in `edit`,
//! how they lie on the grid in `layout`, and how they become a file or a link in `file`.

pub mod edit;
pub mod file;
pub mod layout;
pub mod level;
pub mod template;

use serde::{Deserialize, Serialize};

/// Columns of the grid.
pub const COLUMNS: u16 = 12;

/// The number of a widget on its board.
pub type Id = u32;

/// All widgets of a board.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Board {
    /// The widgets; their order is of no meaning.
    pub widgets: Vec<Widget>,
}

impl Board {
    /// One widget.
    pub fn get(&self, id: Id) -> Option<&Widget> {
        self.widgets.iter().find(|widget| widget.id == id)
    }

    /// A number that no widget has.
    pub fn next_id(&self) -> Id {
        self.widgets.iter().map(|widget| widget.id).max().map_or(1, |id| id.saturating_add(1))
    }

    /// The widgets as a person reads them: row by row.
    pub fn in_order(&self) -> Vec<&Widget> {
        let mut widgets: Vec<&Widget> = self.widgets.iter().collect();
        widgets.sort_by_key(|widget| (widget.place.y, widget.place.x, widget.id));
        widgets
    }
}

/// One widget.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Widget {
    /// Its number; a file need not have one.
    #[serde(skip)]
    pub id: Id,
    /// What it is.
    pub kind: Kind,
    /// What stands above it; the name of its first value where it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Where it lies on the grid.
    pub place: Place,
    /// The values that it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Shown>,
    /// The lower end of a scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of a scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// From where on a value has which colour.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
    /// How far back a chart goes, in seconds; 0 for all there is.
    #[serde(skip_serializing_if = "is_default")]
    pub span_s: u32,
    /// What a control publishes.
    #[serde(skip_serializing_if = "is_default")]
    pub control: Control,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a widget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One value, large.
    #[default]
    Value,
    /// A number on an arc.
    Gauge,
    /// Numbers over time.
    Line,
    /// Numbers beside each other.
    Bar,
    /// On or off.
    Lamp,
    /// Values below each other.
    Table,
    /// The last messages.
    Log,
    /// A picture.
    Image,
    /// Latitude and longitude.
    Position,
    /// Publishes on or off.
    Switch,
    /// Publishes a number of a range.
    Slider,
    /// Publishes always the same.
    Button,
    /// Publishes a number that is typed.
    Number,
    /// Publishes text that is typed.
    Text,
    /// Publishes a colour.
    Color,
}

impl Kind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 15] = [
        Self::Value,
        Self::Line,
        Self::Gauge,
        Self::Bar,
        Self::Lamp,
        Self::Table,
        Self::Log,
        Self::Image,
        Self::Position,
        Self::Switch,
        Self::Slider,
        Self::Button,
        Self::Number,
        Self::Text,
        Self::Color,
    ];

    /// Whether it publishes.
    pub fn is_control(self) -> bool {
        matches!(
            self,
            Self::Switch | Self::Slider | Self::Button | Self::Number | Self::Text | Self::Color
        )
    }

    /// Whether it shows more than one value.
    pub fn has_many(self) -> bool {
        matches!(self, Self::Line | Self::Bar | Self::Table)
    }

    /// Whether it can show nothing but numbers.
    pub fn is_of_numbers(self) -> bool {
        matches!(
            self,
            Self::Gauge | Self::Line | Self::Bar | Self::Slider | Self::Number | Self::Position
        )
    }

    /// Whether it has a lower and an upper end.
    pub fn has_scale(self) -> bool {
        matches!(self, Self::Gauge | Self::Bar | Self::Slider | Self::Number)
    }

    /// Whether its colour may follow its value.
    pub fn has_levels(self) -> bool {
        matches!(self, Self::Value | Self::Gauge | Self::Line | Self::Bar | Self::Table)
    }

    /// How large it is at first: columns and rows.
    pub fn size(self) -> (u16, u16) {
        match self {
            Self::Line => (6, 4),
            Self::Table | Self::Log => (4, 4),
            Self::Bar | Self::Image => (4, 3),
            Self::Gauge => (3, 3),
            _ => (3, 2),
        }
    }

    /// The word for it in files and addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Gauge => "gauge",
            Self::Line => "line",
            Self::Bar => "bar",
            Self::Lamp => "lamp",
            Self::Table => "table",
            Self::Log => "log",
            Self::Image => "image",
            Self::Position => "position",
            Self::Switch => "switch",
            Self::Slider => "slider",
            Self::Button => "button",
            Self::Number => "number",
            Self::Text => "text",
            Self::Color => "color",
        }
    }

    /// What a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Where a widget lies on the grid, in columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Place {
    /// Its first column, from 0.
    pub x: u16,
    /// Its first row, from 0.
    pub y: u16,
    /// How many columns it takes.
    pub w: u16,
    /// How many rows it takes.
    pub h: u16,
}

/// A value that a widget shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shown {
    /// Its topic.
    pub topic: String,
    /// Where inside the topic's payload; empty for the whole payload.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What it is called; as the topic says where it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its unit; as the message or the topic says where it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Digits after the point; as it was written where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// Whether it belongs to the second axis of a chart.
    #[serde(skip_serializing_if = "is_default")]
    pub right: bool,
}

/// From where on a value has a colour.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Level {
    /// From this number on, up to the next level; from the lowest where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// The colour.
    pub tone: Tone,
    /// Whether the browser tells when a value comes here.
    #[serde(skip_serializing_if = "is_default")]
    pub notify: bool,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Not as it should be.
    Bad,
    /// Cold, or little.
    Cold,
}

impl Tone {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Plain, Self::Good, Self::Warn, Self::Bad, Self::Cold];
}

/// What a control publishes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// Where.
    pub topic: String,
    /// 0, 1 or 2.
    #[serde(skip_serializing_if = "is_default")]
    pub qos: u8,
    /// Whether the broker shall keep it.
    #[serde(skip_serializing_if = "is_default")]
    pub retain: bool,
    /// The payload, with `{value}` for what was chosen; just that where it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub payload: String,
    /// What is published for on, and by a button.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub on: String,
    /// What is published for off.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub off: String,
    /// From one number to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
}
