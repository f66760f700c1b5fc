//! How the page looks and what it speaks, as a person chose it: kept by the browser, and told to the style
//! sheets by attributes of the document.

use gloo_events::EventListener;
use web_sys::Event;
use yew::prelude::*;

use super::field::{Field, use_field};
use super::kept;
use crate::limits::STORE_BYTES_MAX;
use crate::texts::{self, Texts};

thread_local! {
    /// What this program speaks, and what hears that a person has chosen otherwise.
    static SPOKEN: (Field<&'static Texts>, Option<EventListener>) = spoken();
}

/// Told to the window when a person chose another language; the browser tells its own alike.
const LANGUAGE_EVENT: &str = "languagechange";

/// Told to the window when a person chose another size of memory.
pub(super) const MEMORY_EVENT: &str = "memory";

/// Told to the window when a person chose another theme or density.
pub(super) const LOOKS_EVENT: &str = "looks";

/// How much memory all connections together may take, in bytes.
pub(super) fn memory_bytes() -> u64 {
    let megabytes: u64 = Look::Memory.chosen().parse().unwrap_or_default();
    match megabytes {
        0 => STORE_BYTES_MAX as u64,
        _ => megabytes.saturating_mul(1_000_000),
    }
}

/// Something that can be chosen. The first choice is what the page does by itself, and is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Light or dark.
    Theme,
    /// How much is on the screen.
    Density,
    /// The language.
    Language,
    /// How much memory all connections may take, in megabytes.
    Memory,
}

impl Look {
    pub(super) const ALL: [Self; 4] = [Self::Theme, Self::Density, Self::Language, Self::Memory];

    /// Where the browser keeps it, what the attribute is called, and its field.
    pub(super) const fn role(self) -> &'static str {
        match self {
            Self::Theme => "data-theme",
            Self::Density => "data-density",
            Self::Language => "language",
            Self::Memory => "memory",
        }
    }

    /// What can be chosen.
    pub(super) const fn choices(self) -> &'static [&'static str] {
        match self {
            Self::Theme => &["system", "light", "dark"],
            Self::Density => &["roomy", "compact", "wall"],
            Self::Language => &["system", "en", "es"],
            Self::Memory => &["256", "64", "128", "512", "1024"],
        }
    }

    /// What was chosen.
    pub(super) fn chosen(self) -> &'static str {
        let kept = kept::read(self.role()).unwrap_or_default();
        let choices = self.choices();
        choices.iter().find(|choice| **choice == kept).or(choices.first()).copied().unwrap_or("")
    }

    /// Chooses something, from now on and for later visits.
    pub(super) fn choose(self, choice: &str) {
        if self.choices().first() == Some(&choice) {
            kept::forget(self.role());
        } else {
            // A browser that keeps nothing forgets this too; until then the attribute stands.
            let _kept = kept::write(self.role(), choice);
        }
        self.apply();
    }

    fn apply(self) {
        let Some(window) = web_sys::window() else { return };
        let (told, is_attribute) = match self {
            Self::Theme | Self::Density => (LOOKS_EVENT, true),
            Self::Language => (LANGUAGE_EVENT, false),
            Self::Memory => (MEMORY_EVENT, false),
        };
        let root = window.document().and_then(|document| document.document_element());
        if let Some(root) = root.filter(|_| is_attribute) {
            // Any element takes any attribute.
            let _set = root.set_attribute(self.role(), self.chosen());
        }
        if let Ok(event) = Event::new(told) {
            // Nobody has to handle it.
            let _handled = window.dispatch_event(&event);
        }
    }
}

/// Gives the document the looks that were chosen.
pub(super) fn apply() {
    Look::Theme.apply();
    Look::Density.apply();
}

/// The whole screen for the sensors, or the page around them again.
pub(super) fn toggle_wall() {
    Look::Density.choose(if is_wall() { "roomy" } else { "wall" });
}

/// Whether the whole screen is for the sensors.
pub(super) fn is_wall() -> bool {
    Look::Density.chosen() == "wall"
}

/// The language that was chosen, or the browser's, with its tag.
pub(super) fn language() -> (&'static str, &'static Texts) {
    let languages = web_sys::window().map(|window| window.navigator().languages());
    let asked = languages.iter().flat_map(|tags| tags.iter().filter_map(|tag| tag.as_string()));
    let all: Vec<String> =
        std::iter::once(Look::Language.chosen().to_owned()).chain(asked).collect();
    texts::choose(all.iter().map(String::as_str))
}

fn spoken() -> (Field<&'static Texts>, Option<EventListener>) {
    let spoken = Field::new(texts::choose([]).1);
    let listener = web_sys::window().map(|window| {
        let spoken = spoken.clone();
        EventListener::new(&window, LANGUAGE_EVENT, move |_| {
            let (tag, chosen) = language();
            let root = web_sys::window().and_then(|w| w.document()?.document_element());
            if let Some(root) = root {
                // Any element takes any attribute.
                let _set = root.set_attribute("lang", tag);
            }
            spoken.set(chosen);
        })
    });
    (spoken, listener)
}

/// Has this program speak a language, until a person chooses another.
pub(super) fn speak(texts: &'static Texts) {
    SPOKEN.with(|(spoken, _)| {
        if !std::ptr::eq(spoken.get(), texts) {
            spoken.set(texts);
        }
    });
}

/// The texts in the language that a person has chosen.
#[hook]
pub(super) fn use_texts() -> &'static Texts {
    let spoken = SPOKEN.with(|(spoken, _)| spoken.clone());
    use_field(&spoken)
}
