//! What the browser keeps for the page from one visit to the next. Some keep nothing, in private windows for
//! instance, and the page goes on without.

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// What is kept under a name.
pub(super) fn read(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Keeps something; says whether the browser did.
pub(super) fn write(key: &str, value: &str) -> bool {
    storage().is_some_and(|storage| storage.set_item(key, value).is_ok())
}

/// What this tab keeps under a name until it is closed, and nobody else sees.
pub(super) fn read_here(key: &str) -> Option<String> {
    here()?.get_item(key).ok()?
}

/// Keeps something for this tab; it may be too much to be kept.
pub(super) fn write_here(key: &str, value: &str) {
    if let Some(storage) = here() {
        // What can't be kept is written once more by whoever wants it.
        let _kept = storage.set_item(key, value);
    }
}

/// Keeps nothing for this tab under this name any more.
pub(super) fn forget_here(key: &str) {
    if let Some(storage) = here() {
        // What was not there is gone too.
        let _removed = storage.remove_item(key);
    }
}

fn here() -> Option<web_sys::Storage> {
    web_sys::window()?.session_storage().ok()?
}

/// Keeps nothing under this name any more.
pub(super) fn forget(key: &str) {
    if let Some(storage) = storage() {
        // What was not there is gone too.
        let _removed = storage.remove_item(key);
    }
}
