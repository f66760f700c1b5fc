//! Where connections are kept: in the browser, as the file that they are also exported to. A password is
//! in it only where its owner wants that; the others are known until the page is closed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::kept;
use super::startup;
use crate::clock;
use crate::profile::Profile;
use crate::profile::draft::Draft;
use crate::profile::file::{self, Passwords};
use crate::switchboard::Opening;

/// What the browser calls it.
pub(super) const KEY: &str = "connections";

/// What the tab calls the form that is open.
const FORM_KEY: &str = "connection-form";

thread_local! {
    static HELD: RefCell<Held> = RefCell::default();
}

#[derive(Default)]
struct Held {
    /// Passwords that are not kept, by the connection's number.
    passwords: BTreeMap<String, String>,
    /// All connections, where the browser keeps nothing.
    unkept: Option<Vec<Profile>>,
}

/// The connections, in the order in which their owner made them.
pub(super) fn load() -> Vec<Profile> {
    HELD.with_borrow(|held| {
        if let Some(profiles) = &held.unkept {
            return profiles.clone();
        }
        let read = kept::read(KEY).and_then(|text| file::read(&text).ok()).unwrap_or_default();
        let mut profiles = read.profiles;
        for profile in &mut profiles {
            if let Some(password) = held.passwords.get(&profile.id) {
                profile.connect.password.clone_from(password);
            }
        }
        profiles
    })
}

/// Keeps the connections; says whether the browser did.
pub(super) fn save(profiles: &[Profile]) -> bool {
    let is_kept = kept::write(KEY, &file::write(profiles, Passwords::Kept));
    let at_start: Vec<Opening> =
        profiles.iter().filter(|profile| profile.opens_at_start).map(opening).collect();
    startup::keep(&at_start);
    HELD.with_borrow_mut(|held| {
        held.unkept = (!is_kept).then(|| profiles.to_vec());
        held.passwords = profiles
            .iter()
            .filter(|profile| !profile.keeps_password)
            .map(|profile| (profile.id.clone(), profile.connect.password.clone()))
            .collect();
    });
    is_kept
}

/// The form that was open when the page was left; and whether its connection is new.
pub(super) fn form() -> Option<(Draft, bool)> {
    Draft::read(&kept::read_here(FORM_KEY)?)
}

/// Keeps the form that is open, or forgets the one that was.
pub(super) fn keep_form(form: Option<&(Draft, bool)>) {
    match form {
        Some((draft, is_new)) => kept::write_here(FORM_KEY, &draft.write(*is_new)),
        None => kept::forget_here(FORM_KEY),
    }
}

/// How the page opens a connection when it starts: with its password only if that is kept.
fn opening(profile: &Profile) -> Opening {
    let mut connect = profile.connect.clone();
    if !profile.keeps_password {
        connect.password.clear();
    }
    Opening { id: profile.id.clone(), title: profile.title().to_owned(), connect }
}

/// A number for a new connection.
pub(super) fn new_id() -> String {
    format!("{:016x}", clock::seed())
}
