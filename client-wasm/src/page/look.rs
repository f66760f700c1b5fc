//! How the page looks and what it speaks, as a person chose it: kept by the browser, and told to the style
//! sheets by attributes of the document.

use std::cell::Cell;

use gloo_events::EventListener;
use web_sys::Event;
use yew::prelude::*;

use super::kept;
use crate::texts::{self, Texts};

thread_local! {
    /// The language that was chosen since this program began.
    static CHOSEN: Cell<Option<&'static Texts>> = const { Cell::new(None) };
}

/// Told to the window when a person chose another language; the browser tells its own alike.
const LANGUAGE_EVENT: &str = "languagechange";

/// Something that can be chosen. The first choice is what the page does by itself, and is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Light or dark.
    Theme,
    /// How much is on the screen.
    Density,
    /// The language.
    Language,
}

impl Look {
    pub(super) const ALL: [Self; 3] = [Self::Theme, Self::Density, Self::Language];

    /// Where the browser keeps it, and what the attribute is called.
    const fn key(self) -> &'static str {
        match self {
            Self::Theme => "data-theme",
            Self::Density => "data-density",
            Self::Language => "language",
        }
    }

    /// What can be chosen.
    pub(super) const fn choices(self) -> &'static [&'static str] {
        match self {
            Self::Theme => &["system", "light", "dark"],
            Self::Density => &["roomy", "compact", "wall"],
            Self::Language => &["system", "en", "es"],
        }
    }

    /// What was chosen.
    pub(super) fn chosen(self) -> &'static str {
        let kept = kept::read(self.key()).unwrap_or_default();
        let choices = self.choices();
        choices.iter().find(|choice| **choice == kept).or(choices.first()).copied().unwrap_or("")
    }

    /// Chooses something, from now on and for later visits.
    pub(super) fn choose(self, choice: &str) {
        if self.choices().first() == Some(&choice) {
            kept::forget(self.key());
        } else {
            // A browser that keeps nothing forgets this too; until then the attribute stands.
            let _kept = kept::write(self.key(), choice);
        }
        self.apply();
    }

    fn apply(self) {
        let Some(window) = web_sys::window() else { return };
        if self == Self::Language {
            if let Ok(event) = Event::new(LANGUAGE_EVENT) {
                // Nobody has to handle it.
                let _handled = window.dispatch_event(&event);
            }
            return;
        }
        let root = window.document().and_then(|document| document.document_element());
        if let Some(root) = root {
            // Any element takes any attribute.
            let _set = root.set_attribute(self.key(), self.chosen());
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
    let is_wall = Look::Density.chosen() == "wall";
    Look::Density.choose(if is_wall { "roomy" } else { "wall" });
}

/// The language that was chosen, or the browser's, with its tag.
pub(super) fn language() -> (&'static str, &'static Texts) {
    let languages = web_sys::window().map(|window| window.navigator().languages());
    let asked = languages.iter().flat_map(|tags| tags.iter().filter_map(|tag| tag.as_string()));
    let all: Vec<String> =
        std::iter::once(Look::Language.chosen().to_owned()).chain(asked).collect();
    texts::choose(all.iter().map(String::as_str))
}

/// The texts that a program begins with, and others when a person chooses so.
#[hook]
pub(super) fn use_language(first: &'static Texts) -> &'static Texts {
    let texts = use_state(|| CHOSEN.get().unwrap_or(first));
    {
        let texts = texts.clone();
        use_effect_with((), move |()| {
            let listener = web_sys::window().map(|window| {
                EventListener::new(&window, LANGUAGE_EVENT, move |_| {
                    let (tag, chosen) = language();
                    CHOSEN.set(Some(chosen));
                    let root = web_sys::window().and_then(|w| w.document()?.document_element());
                    if let Some(root) = root {
                        // Any element takes any attribute.
                        let _set = root.set_attribute("lang", tag);
                    }
                    texts.set(chosen);
                })
            });
            move || drop(listener)
        });
    }
    *texts
}
