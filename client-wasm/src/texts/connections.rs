//! What the page of connections says; a table of its own, because the first program does not need it.

use super::{ALL, Texts, en, es};

texts! {
/// What the page of connections says in one language.
Connections on Texts {
    /// The page's name.
    connections,
    /// A mark: it is open and shown.
    open_now,
    /// The state of a connection.
    state_online,
    /// The state of a connection.
    state_connecting,
    /// The state of a connection.
    state_offline,
    /// The state of a connection.
    state_closed,
    /// Messages of a connection; how many, and how many a second.
    rate,
    /// What stands under the connection to the broker that the page came from.
    of_the_page,
    /// What stands under a connection that the page's address names.
    from_link,
    /// A button.
    connect,
    /// A button.
    disconnect,
    /// A button.
    reconnect,
    /// A button: look at this connection.
    show,
    /// A button: end the connection and forget what came.
    close_it,
    /// What the button does.
    close_explained,
    /// A button.
    edit,
    /// A button.
    duplicate,
    /// A button.
    delete,
    /// A button.
    copy_link,
    /// The name of a duplicate.
    copy_of,
    /// What was written in the form of another connection is not lost; its name.
    put_aside,
    /// To do with that.
    go_on_writing,
    /// A connection was deleted; its name.
    deleted,
    /// A button.
    undo,
    /// A button.
    new,
    /// A button.
    import,
    /// What can be imported.
    import_explained,
    /// A button.
    export,
    /// A box beside the button that exports.
    with_passwords,
    /// There are none of one's own.
    none_heading,
    /// What to do.
    none_advice,
    /// The browser keeps nothing.
    not_kept,
    /// Too many are open; how many.
    limit_open,
    /// Too many are kept; how many.
    limit_kept,
    /// How many connections came in.
    imported,
    /// Their passwords are not kept.
    imported_passwords,
    /// How many were here already.
    imported_known,
    /// Above what was not taken over.
    import_notes,
    /// How many more there are.
    import_more,
    /// A file that is no JSON; line and column.
    broken_json,
    /// A file of something else.
    broken_kind,
    /// A file of a newer version; the version.
    broken_newer,
    /// A file that is too large; how large one may be.
    broken_size,
    /// A file that can't be read, or is no text.
    broken_text,
    /// Of a part of a file.
    note_text,
    /// Of a part of a file.
    note_flag,
    /// Of a part of a file; the range.
    note_number,
    /// Of a part of a file; the words.
    note_one_of,
    /// Of a part of a file.
    note_object,
    /// Of a part of a file.
    note_list,
    /// Of a part of a file.
    note_unknown,
    /// Of a part of a file.
    note_host,
    /// Of a connection.
    note_tcp,
    /// Of a connection.
    note_certificates,
    /// Of a subscription.
    note_disabled,
    /// Of a file.
    note_too_many,
    /// The form; the name.
    edit_heading,
    /// A field.
    name,
    /// A field.
    address,
    /// A field.
    version,
    /// A field.
    user_name,
    /// A field.
    password,
    /// A box.
    keep_password,
    /// Below the box.
    password_not_kept,
    /// Below the field of a form that was open when the page was loaded again.
    password_again,
    /// A box.
    open_at_start,
    /// Part of the form.
    subscriptions,
    /// Nothing is subscribed to.
    subscriptions_none,
    /// A button.
    everything,
    /// A button.
    sys,
    /// A button.
    add_filter,
    /// A field.
    filter,
    /// What a filter looks like, where none was written yet.
    filter_example,
    /// Part of a subscription.
    options,
    /// An option.
    no_local,
    /// An option.
    as_published,
    /// An option.
    handling,
    /// A choice.
    handling_0,
    /// A choice.
    handling_1,
    /// A choice.
    handling_2,
    /// An option.
    identifier,
    /// A button; what of.
    remove,
    /// Part of the form.
    session,
    /// A field.
    client_id,
    /// What stands in the empty field.
    client_id_drawn,
    /// A box.
    clean_start,
    /// A field.
    session_expiry,
    /// A field.
    keep_alive,
    /// Beside what is of MQTT 5 only.
    only_v5,
    /// Part of the form.
    will,
    /// A box.
    has_will,
    /// A field.
    topic,
    /// A field.
    payload,
    /// A field.
    qos,
    /// A box.
    retain,
    /// A field.
    will_delay,
    /// A field.
    expiry,
    /// A field.
    correlation,
    /// A box.
    payload_format,
    /// A button.
    add_user_property,
    /// A field.
    property_name,
    /// A field.
    property_value,
    /// A button.
    save_connect,
    /// A button.
    save,
    /// A button.
    cancel,
    /// Above what is wrong with a form.
    wrong_heading,
    /// Above what is wrong with a connection; its name.
    not_connected,
    /// What is wrong.
    wrong_address_empty,
    /// What is wrong.
    wrong_address_tcp,
    /// What is wrong.
    wrong_address_scheme,
    /// What is wrong.
    wrong_address_host,
    /// What is wrong.
    wrong_address_user,
    /// What is wrong.
    wrong_address_text,
    /// What is wrong.
    wrong_address_plain,
    /// What is wrong.
    wrong_client_id,
    /// What is wrong.
    wrong_password_alone,
    /// What is wrong.
    wrong_password_long,
    /// What is wrong.
    wrong_will_topic,
    /// What is wrong.
    wrong_will_payload,
    /// What is wrong; the filter.
    wrong_filter,
    /// What is wrong; the filter.
    wrong_filter_twice,
    /// What is wrong; the filter and the highest.
    wrong_identifier,
    /// What is wrong; the filter.
    wrong_no_local,
    /// What is wrong; how many there may be.
    wrong_too_many,
    /// What is wrong; the field and the highest number.
    wrong_number,
    /// What is wrong; what it is.
    wrong_packet,
    /// What a connection is subscribed to; its name.
    subscribed_heading,
    /// What the broker says; the QoS.
    granted,
    /// What the broker says; its reason.
    refused,
    /// The broker has not answered.
    waiting,
    /// A button.
    subscribe,
    /// A button, for those who hear the page; the filter.
    unsubscribe,
}
}

/// Its texts in the languages of [`ALL`], in that order.
static TABLES: [&Connections; 2] = [&en::CONNECTIONS, &es::CONNECTIONS];

/// The texts of the page of connections, in the language of the other ones.
pub fn connections(texts: &Texts) -> &'static Connections {
    let place = ALL.iter().position(|(_, other)| *other == texts);
    place.and_then(|place| TABLES.get(place)).copied().unwrap_or(&en::CONNECTIONS)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_language_says_everything_and_fills_in_the_same() {
        let holes = |text: &str| text.matches("{}").count();
        assert_eq!(ALL.len(), TABLES.len());
        for (tag, texts) in ALL {
            for ((name, text), (_, model)) in
                connections(texts).all().into_iter().zip(connections(ALL[0].1).all())
            {
                assert!(!text.trim().is_empty(), "{tag}: {name} is empty");
                assert_eq!(holes(text), holes(model), "{tag}: {name}: {text}");
            }
        }
        assert_eq!(connections(ALL[1].1).edit, es::CONNECTIONS.edit);
    }
}
