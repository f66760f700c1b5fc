//! What the page of connections says of what was done, and of what is wrong.

use yew::prelude::*;

use super::{Hands, View};
use crate::limits::{
    CONNECTIONS_OPEN_MAX, IMPORT_BYTES_MAX, NOTES_SHOWN, PROFILES_MAX, SUBSCRIPTIONS_MAX,
};
use crate::number::grouped;
use crate::profile::draft::Draft;
use crate::profile::file::Broken;
use crate::profile::{IDENTIFIER_MAX, Note, Profile, What, Wrong};
use crate::texts::{Connections as Texts, fill};

/// What is said above the list.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Notice {
    /// Nothing.
    #[default]
    None,
    /// A connection was deleted, from this place.
    Deleted(usize, Box<Profile>),
    /// What was written in this form was put aside for another one; with whether its connection is new.
    Left(Box<(Draft, bool)>),
    /// A connection can't be made like this.
    NotConnected(String, Vec<Wrong>),
    /// Too many are open.
    OpenMax,
    /// Too many are kept.
    KeptMax,
    /// A file was read.
    Imported {
        /// How many connections came in.
        added: usize,
        /// How many were here already.
        known: usize,
        /// Whether some have passwords, which are not kept.
        has_passwords: bool,
        /// What was not taken over as it stands.
        notes: Vec<Note>,
    },
    /// A file could not be read.
    Broken(Broken),
    /// A file is larger than one may be.
    FileLarge,
    /// A file is no text, or the browser can't read it.
    FileUnreadable,
}

/// A text with values in it, for an attribute.
pub(super) fn shown(text: &str, values: &[&str]) -> AttrValue {
    fill(text, values).into()
}

/// What is said above the list.
pub(super) fn notice(view: &View, hands: &Hands) -> Html {
    let texts = hands.texts;
    html! {
        <div class="notices" role="status" data-role="notice">
            if !view.is_kept {
                <p class="notice is-warning">{ texts.not_kept }</p>
            }
            { match &view.notice {
                Notice::None => Html::default(),
                Notice::Deleted(at, profile) => deleted(*at, profile, hands),
                Notice::Left(left) => aside(left, hands),
                Notice::NotConnected(title, wrong) => {
                    let lines = wrong.iter().map(|wrong| sentence(wrong, texts));
                    listed(fill(texts.not_connected, &[title]), lines, 0, texts)
                }
                Notice::OpenMax => {
                    plain(fill(texts.limit_open, &[&grouped(CONNECTIONS_OPEN_MAX as u64)]))
                }
                Notice::KeptMax => plain(fill(texts.limit_kept, &[&grouped(PROFILES_MAX as u64)])),
                Notice::Imported { added, known, has_passwords, notes } => {
                    imported(*added, *known, *has_passwords, notes, texts)
                }
                Notice::Broken(broken) => plain(broken_sentence(broken, texts)),
                Notice::FileLarge => {
                    plain(fill(texts.broken_size, &[&grouped(IMPORT_BYTES_MAX as u64)]))
                }
                Notice::FileUnreadable => plain(texts.broken_text.to_owned()),
            } }
        </div>
    }
}

fn plain(sentence: String) -> Html {
    html! { <p class="notice is-warning">{ sentence }</p> }
}

fn listed(
    heading: String,
    lines: impl Iterator<Item = String>,
    more: usize,
    texts: &Texts,
) -> Html {
    html! {
        <div class="notice is-warning">
            <p>{ heading }</p>
            <ul class="notes">
                { for lines.map(|line| html! { <li>{ line }</li> }) }
                if more > 0 {
                    <li>{ fill(texts.import_more, &[&grouped(more as u64)]) }</li>
                }
            </ul>
        </div>
    }
}

/// What was written in another form, which can be gone on with.
fn aside(left: &(Draft, bool), hands: &Hands) -> Html {
    let texts = hands.texts;
    let (draft, is_new) = left.clone();
    let title = [draft.get("name"), draft.get("url"), texts.new];
    let title = title.into_iter().find(|title| !title.is_empty()).unwrap_or_default();
    let sentence = fill(texts.put_aside, &[title]);
    let go_on = { hands.editing(move |view: &mut View| view.open_form(draft.clone(), is_new)) };
    html! {
        <div class="notice">
            <p>{ sentence }</p>
            <button type="button" class="small-button" data-role="go-on" onclick={go_on}>
                { texts.go_on_writing }
            </button>
        </div>
    }
}

fn deleted(at: usize, profile: &Profile, hands: &Hands) -> Html {
    let texts = hands.texts;
    let undo = {
        let profile = profile.clone();
        hands.editing(move |view: &mut View| {
            view.notice = Notice::None;
            view.add(at, profile.clone());
            view.go_to_actions(&profile.id);
        })
    };
    html! {
        <div class="notice">
            <p>{ fill(texts.deleted, &[profile.title()]) }</p>
            <button type="button" class="small-button" data-role="undo" onclick={undo}>
                { texts.undo }
            </button>
        </div>
    }
}

fn imported(
    added: usize,
    known: usize,
    has_passwords: bool,
    notes: &[Note],
    texts: &Texts,
) -> Html {
    let lines = notes.iter().take(NOTES_SHOWN).map(|note| note_sentence(note, texts));
    html! {
        <>
            <div class="notice">
                <p>
                    { fill(texts.imported, &[&grouped(added as u64)]) }
                    if known > 0 { { " " }{ fill(texts.imported_known, &[&grouped(known as u64)]) } }
                    if has_passwords { { " " }{ texts.imported_passwords } }
                </p>
            </div>
            if !notes.is_empty() {
                { listed(texts.import_notes.to_owned(), lines,
                    notes.len().saturating_sub(NOTES_SHOWN), texts) }
            }
        </>
    }
}

fn note_sentence(note: &Note, texts: &Texts) -> String {
    let words = match note.what {
        What::NotText => texts.note_text.to_owned(),
        What::NotFlag => texts.note_flag.to_owned(),
        What::NotNumber(min, max) => fill(texts.note_number, &[&min.to_string(), &max.to_string()]),
        What::NotOneOf(these) => fill(texts.note_one_of, &[these]),
        What::NotObject => texts.note_object.to_owned(),
        What::NotList => texts.note_list.to_owned(),
        What::Unknown => texts.note_unknown.to_owned(),
        What::NoHost => texts.note_host.to_owned(),
        What::Tcp => texts.note_tcp.to_owned(),
        What::Certificates => texts.note_certificates.to_owned(),
        What::Disabled => texts.note_disabled.to_owned(),
        What::TooMany => texts.note_too_many.to_owned(),
    };
    if note.place.is_empty() { words } else { format!("{}: {words}", note.place) }
}

fn broken_sentence(broken: &Broken, texts: &Texts) -> String {
    match broken {
        Broken::NotJson { line, column } => {
            fill(texts.broken_json, &[&line.to_string(), &column.to_string()])
        }
        Broken::NotConnections => texts.broken_kind.to_owned(),
        Broken::Newer(version) => fill(texts.broken_newer, &[&version.to_string()]),
    }
}

/// What is wrong, and what to do.
pub(super) fn sentence(wrong: &Wrong, texts: &Texts) -> String {
    match wrong {
        Wrong::AddressEmpty => texts.wrong_address_empty.to_owned(),
        Wrong::AddressTcp => texts.wrong_address_tcp.to_owned(),
        Wrong::AddressScheme => texts.wrong_address_scheme.to_owned(),
        Wrong::AddressHost => texts.wrong_address_host.to_owned(),
        Wrong::AddressUser => texts.wrong_address_user.to_owned(),
        Wrong::AddressText => texts.wrong_address_text.to_owned(),
        Wrong::AddressPlain => texts.wrong_address_plain.to_owned(),
        Wrong::ClientIdNeeded => texts.wrong_client_id.to_owned(),
        Wrong::PasswordAlone => texts.wrong_password_alone.to_owned(),
        Wrong::PasswordLong => texts.wrong_password_long.to_owned(),
        Wrong::WillTopic => texts.wrong_will_topic.to_owned(),
        Wrong::WillPayload => texts.wrong_will_payload.to_owned(),
        Wrong::Filter(filter) => fill(texts.wrong_filter, &[filter]),
        Wrong::FilterTwice(filter) => fill(texts.wrong_filter_twice, &[filter]),
        Wrong::Identifier(filter) => {
            fill(texts.wrong_identifier, &[filter, &grouped(IDENTIFIER_MAX.into())])
        }
        Wrong::NoLocalShared(filter) => fill(texts.wrong_no_local, &[filter]),
        Wrong::TooMany => fill(texts.wrong_too_many, &[&grouped(SUBSCRIPTIONS_MAX as u64)]),
        Wrong::Number { field, max } => {
            fill(texts.wrong_number, &[label(field, texts), &grouped(*max)])
        }
        Wrong::Packet(fault) => fill(texts.wrong_packet, &[&fault.words(texts)]),
    }
}

/// What a field of numbers is called in the form.
fn label<'a>(field: &'a str, texts: &Texts) -> &'a str {
    match field.split('.').next().unwrap_or(field) {
        "session_expiry" => texts.session_expiry,
        "keep_alive" => texts.keep_alive,
        "will_delay" => texts.will_delay,
        "will_expiry" => texts.expiry,
        "identifier" => texts.identifier,
        _ => field,
    }
}
