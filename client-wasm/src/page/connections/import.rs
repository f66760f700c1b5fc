//! Taking connections out of a file that a person has chosen.

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::{Hands, Notice, View};
use crate::limits::{IMPORT_BYTES_MAX, PROFILES_MAX};
use crate::page::shelf;
use crate::profile::Profile;
use crate::profile::file::{self, Read};

/// Reads the file that was chosen.
pub(super) fn chosen(hands: &Hands) -> Callback<Event> {
    let hands = hands.clone();
    Callback::from(move |event: Event| {
        let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        let Some(input) = input else { return };
        let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
        // The same file may be chosen again, after it was put right.
        input.set_value("");
        if file.size() > IMPORT_BYTES_MAX as f64 {
            return hands.edit(|view| view.notice = Notice::FileLarge);
        }
        let hands = hands.clone();
        spawn_local(async move {
            let buffer = JsFuture::from(file.array_buffer()).await;
            let bytes = buffer.map(|buffer| js_sys::Uint8Array::new(&buffer).to_vec());
            let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            hands.edit(move |view| match text {
                Some(text) => take(view, &text),
                None => view.notice = Notice::FileUnreadable,
            });
        });
    })
}

fn take(view: &mut View, text: &str) {
    let Read { profiles, mut notes } = match file::read(text) {
        Ok(read) => read,
        Err(broken) => return view.notice = Notice::Broken(broken),
    };
    let (mut added, mut known, mut has_passwords) = (0usize, 0usize, false);
    for profile in profiles {
        if view.profiles.iter().any(|other| other.says_the_same(&profile)) {
            known = known.saturating_add(1);
        } else if view.profiles.len() < PROFILES_MAX {
            added = added.saturating_add(1);
            has_passwords |= !profile.connect.password.is_empty() && !profile.keeps_password;
            view.profiles.push(Profile { id: shelf::new_id(), ..profile });
        } else {
            notes.push(crate::profile::Note {
                place: profile.title().to_owned(),
                what: crate::profile::What::TooMany,
            });
            break;
        }
    }
    view.save();
    view.notice = Notice::Imported { added, known, has_passwords, notes };
}
