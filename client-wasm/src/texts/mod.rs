//! Everything the page says, in the languages it speaks: one table per file.
//!
//! What the first load says is a [`Texts`], so that it is all that is loaded with it; what only other pages
//! say is a [`RoomsTexts`], which has the former within reach. A language is added by one more file with both,
//! and its line in [`ALL`] and [`ROOMS`]; the compiler finds what is missing. In a text `{}` stands for what is filled in, in order.

mod en;
mod es;

/// The languages with their tags (BCP 47); the first is used where none is asked for.
pub const ALL: &[(&str, &Texts)] = &[("en", &en::TEXTS), ("es", &es::TEXTS)];

/// The texts of all other pages, in the same order.
pub const ROOMS: &[&RoomsTexts] = &[&en::ROOMS, &es::ROOMS];

/// What the other pages say in the language of these texts.
pub fn of_rooms(texts: &Texts) -> &'static RoomsTexts {
    ROOMS.iter().find(|rooms| std::ptr::eq(rooms.common, texts)).unwrap_or(&&en::ROOMS)
}

/// The texts of the first language in the list, as a browser sends it, that the page speaks.
pub fn choose<'a>(languages: impl IntoIterator<Item = &'a str>) -> (&'static str, &'static Texts) {
    languages
        .into_iter()
        .find_map(|language| {
            let primary = language.split('-').next().unwrap_or_default();
            ALL.iter().find(|(tag, _)| primary.eq_ignore_ascii_case(tag))
        })
        .map_or(("en", &en::TEXTS), |(tag, texts)| (*tag, *texts))
}

/// What charts and widgets say in the language of these texts. It is a table of its own because it is
/// long and only they need it.
pub fn of_widgets(texts: &Texts) -> &'static WidgetTexts {
    let all = [&en::WIDGETS, &es::WIDGETS];
    all.into_iter().find(|words| std::ptr::eq(words.common, texts)).unwrap_or(&en::WIDGETS)
}

/// Puts values in the place of each `{}`, in order.
pub fn fill(text: &str, values: &[&str]) -> String {
    let mut parts = text.split("{}");
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        out.push_str(values.next().copied().unwrap_or_default());
        out.push_str(part);
    }
    out
}

/// How long ago something was: short, in units that every language writes alike.
pub fn age(elapsed_ms: f64) -> String {
    // What lies in the future, by clocks that differ, is now.
    let seconds = (elapsed_ms.max(0.0) / 1_000.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

macro_rules! texts {
    ($(#[$about:meta])* $table:ident $(on $base:ident)? {
        $($(#[$doc:meta])* $name:ident),* $(,)?
    }) => {
        $(#[$about])*
        #[derive(Debug, PartialEq, Eq)]
        pub struct $table {
            $(
                /// What is said everywhere.
                pub common: &'static $base,
            )?
            $($(#[$doc])* pub $name: &'static str,)*
        }

        impl $table {
            /// Every text with its name.
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }

        $(
            impl std::ops::Deref for $table {
                type Target = $base;

                fn deref(&self) -> &$base {
                    self.common
                }
            }
        )?
    };
}

mod connections;

pub use self::connections::{Connections, connections};

texts! {
/// Every text of the first load in one language.
Texts {
    /// Leads to a new widget.
    add_widget,
    /// Leads to a board from a file.
    import_board,
    /// The browser can't show a picture.
    image_broken,
    /// Leads to a widget of a sensor.
    pin,
    /// The same, for those who hear the page; the sensor's name.
    pin_of,
    /// The window's title; the page, and the host.
    title,
    /// Above the cards.
    sensors,
    /// The search box.
    search,
    /// What may be typed into it.
    search_hint,
    /// Leads to the form.
    publish,
    /// Skips the header.
    skip,
    /// The navigation, for those who hear the page.
    pages,
    /// A page's name.
    broker,
    /// A page's name: the packets as bytes.
    wire,
    /// A page's name.
    connections,
    /// A page, in the navigation: what can be set.
    settings,
    /// Connected, and nothing was asked for.
    unsubscribed_heading,
    /// What to do then.
    unsubscribed_advice,
    /// A button.
    subscribe_everything,
    /// Leads to the page of connections.
    subscribe_else,
    /// The list of keys.
    keys,
    /// Closes a sheet.
    close,
    /// State of the connection.
    online,
    /// State of the connection.
    connecting,
    /// State of the connection.
    offline,
    /// State of the connection; seconds.
    retry_in,
    /// Tries at once.
    try_now,
    /// No further attempt is made.
    no_retry,
    /// The engine did not start; with the browser's words.
    engine_failed,
    /// Of a connection; with the browser's words.
    problem_address,
    /// Of a connection; the host.
    problem_unreachable,
    /// Of a connection.
    problem_silent,
    /// Of very large messages, which the broker was asked to leave out; beyond how many bytes.
    large_left_out,
    /// The same, where there are no means to.
    large_no_means,
    /// The same, where they are waited for; how long.
    large_waited_for,
    /// To do.
    wait_for_large,
    /// The other way.
    leave_out_large,
    /// Of a connection.
    problem_lost,
    /// Why there is no connection.
    problem_asked,
    /// Why there is no connection; what can't be said.
    problem_options,
    /// Why there is no encrypted connection; the host, twice.
    problem_unreachable_tls,
    /// Why there is no connection; the host.
    problem_no_mqtt,
    /// Why there is no connection; the host.
    problem_text,
    /// Why there is no connection.
    problem_unanswered,
    /// Why there is no connection.
    problem_version,
    /// Of a connection; the broker's reason.
    problem_refused,
    /// Of a connection; what was wrong.
    problem_malformed,
    /// What is wrong with a packet, in the middle of a sentence; what does not exist.
    fault_unknown,
    /// The same; what can't be so.
    fault_not_like_this,
    /// The same; what is missing.
    fault_missing,
    /// The same; what is there twice.
    fault_twice,
    /// The same; what the other end sends.
    fault_other_end,
    /// The same.
    fault_out_of_turn,
    /// The same.
    fault_truncated,
    /// The same.
    fault_trailing,
    /// The same; bytes, and the most.
    fault_too_large,
    /// The same; the most.
    fault_too_long,
    /// The same.
    fault_not_utf8,
    /// The same.
    fault_nul,
    /// The same.
    fault_topic_empty,
    /// The same.
    fault_wildcard,
    /// The same.
    fault_wildcard_place,
    /// The same.
    fault_share,
    /// The same.
    fault_no_local,
    /// The same.
    fault_receive_maximum,
    /// The same.
    fault_packet_identifier,
    /// The same.
    fault_codes,
    /// The same.
    fault_not_reading,
    /// The same; the highest.
    fault_qos,
    /// The same.
    fault_retain,
    /// The same.
    fault_busy,
    /// The broker wants to know who connects; the host.
    problem_sign_in,
    /// The broker does not take the name and password that were given.
    problem_signed_in,
    /// Connected, but not subscribed; the filter, and the broker's reason.
    problem_subscription,
    /// Of a connection that stays away: what is on the screen is old.
    values_are_old,
    /// A figure's name.
    messages,
    /// A figure's name.
    per_second,
    /// A figure's name.
    topics,
    /// A figure's name.
    memory,
    /// A figure's name.
    dropped,
    /// What was dropped; a count.
    dropped_messages,
    /// What was dropped; a count.
    dropped_payloads,
    /// What was dropped; a count.
    dropped_points,
    /// What was dropped; a count.
    dropped_log,
    /// What the sparklines show; a time.
    last,
    /// Topics of one level.
    ungrouped,
    /// A card without bytes.
    empty_payload,
    /// A card with bytes; how many.
    bytes,
    /// A card with text of which a part is shown; how many bytes in all.
    cut_from,
    /// A card with JSON; how many more members.
    more_members,
    /// A card's mark: stored by the broker.
    retained,
    /// What the mark means.
    retained_explained,
    /// A card's state.
    stale,
    /// What the state means.
    stale_explained,
    /// A card's age, for those who hear the page; a time.
    age_explained,
    /// Below a line.
    lowest,
    /// Below a line.
    mean,
    /// Below a line.
    highest,
    /// A sparkline for those who hear the page; lowest, highest and mean.
    line_explained,
    /// Nothing has come yet: heading.
    empty_heading,
    /// Nothing has come yet: what to do.
    empty_advice,
    /// Nothing has come yet: this page can do it too.
    empty_form,
    /// Nothing has come yet, as there was no connection yet: heading.
    waiting_heading,
    /// Nothing has come yet, as there was no connection yet: what to do.
    waiting_advice,
    /// Nothing matches the search: heading; the search.
    no_match_heading,
    /// Nothing matches the search: what to do.
    no_match_advice,
    /// Takes the search back.
    clear_search,
    /// Cards on the board and in all.
    showing,
    /// Shows more cards.
    show_more,
    /// A button; how many topics wait.
    newcomers,
    /// A page whose program can't be had.
    rooms_failed,
    /// With the browser's words.
    rooms_failed_advice,
    /// A button.
    reload,
    /// Opens the command palette.
    go_to,
}
}

texts! {
/// Every text of the pages that are not part of the first load, in one language.
RoomsTexts on Texts {
    /// A field of the form that signs in.
    user_name,
    /// A field of the form that signs in.
    password,
    /// Connects with the name.
    sign_in,
    /// Turns single keys on and off.
    keys_on,
    /// What keys do.
    keys_pages,
    /// What keys do.
    keys_search,
    /// What keys do.
    keys_help,
    /// What keys do.
    keys_escape,
    /// What keys do.
    keys_palette,
    /// What keys do.
    keys_wall,
    /// A key of the keyboard.
    key_shift,
    /// A key of the keyboard.
    key_enter,
    /// A key of the keyboard.
    key_space,
    /// A key of the keyboard.
    key_delete,
    /// The keys of a part of the page.
    keys_board,
    /// What keys do.
    keys_move,
    /// What keys do.
    keys_size,
    /// What keys do.
    keys_edit,
    /// What keys do.
    keys_tools,
    /// What keys do.
    keys_remove,
    /// What keys do.
    keys_undo,
    /// What keys do.
    keys_redo,
    /// The keys of a part of the page.
    keys_chart,
    /// What keys do.
    keys_read,
    /// What keys do.
    keys_zoom,
    /// What keys do.
    keys_pan,
    /// What keys do.
    keys_back,
    /// The keys of a part of the page.
    keys_lists,
    /// What keys do.
    keys_rows,
    /// What keys do.
    keys_branch,
    /// What keys do.
    keys_siblings,
    /// What keys do.
    keys_send,
    /// A command.
    palette_export_board,
    /// A line of the palette.
    palette_copy_board,
    /// A command; the name of a connection.
    palette_show,
    /// A file without a message that can be replayed.
    replay_nothing,
    /// The search box of the topics.
    search_topics,
    /// What may be typed into it.
    search_topics_hint,
    /// The order of the topics.
    sort,
    /// An order.
    sort_name,
    /// An order.
    sort_rate,
    /// An order.
    sort_messages,
    /// An order.
    sort_recent,
    /// Tree or list.
    show_as,
    /// Tree or list.
    as_tree,
    /// Tree or list.
    as_list,
    /// What a topic says.
    value,
    /// A column's name.
    per_second_short,
    /// A column's name.
    age_short,
    /// A level of a topic without a character.
    empty_level,
    /// The broker holds a retained message.
    kept,
    /// What the mark means.
    kept_explained,
    /// Nothing matches; the search.
    no_topic_matches,
    /// No topic has come.
    no_topic_yet,
    /// One topic, for those who hear the page.
    detail,
    /// A heading, above what is below a branch.
    below,
    /// How many topics a branch has.
    topics_below,
    /// Not all is shown: how many rows, and of how many.
    shown_below,
    /// No topic is chosen.
    nothing_chosen,
    /// The topic that the address names is not there.
    nothing_yet,
    /// A button.
    copy_topic,
    /// A button.
    copy_value,
    /// Said by the button.
    copied,
    /// Said by the button where the browser did not do it.
    not_copied,
    /// A link.
    publish_here,
    /// A button, of a topic or a branch.
    delete_retained,
    /// A button: retained messages from a file.
    put_back_file,
    /// What the button does.
    put_back_explained,
    /// Above the list; the branch.
    clearing_heading,
    /// Above the list; the branch.
    putting_back_heading,
    /// Below the list.
    clearing_listed,
    /// Below the list.
    putting_back_listed,
    /// Instead of the list.
    nothing_retained,
    /// How many have no copy.
    clearing_without_copy,
    /// A button; how many.
    delete_all,
    /// A button; how many.
    put_back_all,
    /// A button; how many.
    try_again,
    /// A button.
    save_copy,
    /// A button.
    cancel,
    /// How far it is; done, and all.
    clearing_deleting,
    /// It is over; done, and all.
    clearing_deleted,
    /// How far it is; done, and all.
    clearing_putting_back,
    /// It is over; done, and all.
    clearing_put_back,
    /// How many were not done.
    clearing_failed,
    /// The file is none; the line, the column and what is wrong there.
    bad_copy,
    /// A message of the file has no payload; its topic.
    bad_copy_payload,
    /// What is wrong with JSON, in the middle of a sentence.
    json_syntax,
    /// What is wrong with JSON, in the middle of a sentence.
    json_nothing,
    /// What is wrong with JSON, in the middle of a sentence.
    json_end,
    /// What is wrong with JSON, in the middle of a sentence.
    json_value,
    /// What is wrong with JSON, in the middle of a sentence; a name.
    json_missing,
    /// What is wrong with JSON, in the middle of a sentence; a word.
    json_unknown,
    /// A figure's name.
    retained_messages,
    /// A figure's name.
    usual_interval,
    /// Of a figure.
    yes,
    /// The log has let go of a message.
    message_gone,
    /// The form of a payload.
    format,
    /// A form of a payload.
    as_text,
    /// A form of a payload.
    as_image,
    /// Not the newest message is shown; its time.
    older_message,
    /// Goes back to the newest.
    newest_message,
    /// Not all of a payload is shown; how many bytes, of how many.
    shown_of,
    /// Not all of a payload is kept; how many bytes.
    kept_of,
    /// When a message arrived.
    arrived,
    /// How long a payload is.
    size,
    /// How long something is; a count.
    bytes_count,
    /// A chart.
    chart,
    /// What a chart is of.
    chart_path,
    /// How far back a chart goes.
    chart_span,
    /// How far back a chart goes.
    span_all,
    /// The messages of a topic.
    history,
    /// What the buttons beside it do.
    history_export,
    /// A message says the same as the one before.
    same,
    /// The search box of the log.
    search_messages,
    /// What may be typed into it.
    search_messages_hint,
    /// Holds the log still.
    pause,
    /// Lets the log go on.
    go_on,
    /// What the buttons of the log do.
    export_explained,
    /// A search is under way.
    searching,
    /// No message has come.
    no_message_yet,
    /// Nothing matches; the search.
    no_message_matches,
    /// The log holds still; how many have come.
    held,
    /// How many messages left the log.
    log_gone,
    /// A mark.
    retain_flag,
    /// The form.
    publish_heading,
    /// A field of the form.
    topic,
    /// A field of the form.
    payload,
    /// A field of the form.
    qos,
    /// A choice of QoS.
    qos_0,
    /// A choice of QoS.
    qos_1,
    /// A choice of QoS.
    qos_2,
    /// A field of the form.
    retain,
    /// The form's button.
    send,
    /// A kind of payload.
    as_file,
    /// No file is chosen.
    no_file,
    /// The payload is no JSON; line and column.
    not_json,
    /// The payload is no hexadecimal.
    not_hex,
    /// The payload is no Base64.
    not_base64,
    /// Part of the form.
    properties,
    /// A property.
    expiry,
    /// A property.
    correlation,
    /// A property.
    payload_format,
    /// A button.
    add_user_property,
    /// A field.
    property_name,
    /// A field.
    property_value,
    /// A button.
    remove,
    /// Part of the form.
    repeat,
    /// A field, for those who hear the page.
    repeat_every,
    /// Behind a number.
    seconds,
    /// A button.
    stop,
    /// What is repeated; the topic, and how many times.
    repeated,
    /// Of a message; the reason.
    failed_property,
    /// Of a message.
    message_waiting,
    /// Of a message.
    message_sent,
    /// Of a message.
    message_acknowledged,
    /// Of a message.
    failed_topic_empty,
    /// Of a message.
    failed_topic_wildcard,
    /// Of a message.
    failed_topic_text,
    /// Of a message.
    failed_offline,
    /// Of a message.
    failed_busy,
    /// Of a message; the broker's reason.
    failed_refused,
    /// Of a message.
    failed_lost,
    /// On the page of the broker; a time.
    sys_up,
    /// Nothing has come yet; the host.
    sys_waiting,
    /// The broker refuses; the host, and its reason.
    sys_refused,
    /// Nothing has come; the host.
    sys_nothing,
    /// A warning.
    sys_store_failing,
    /// A figure of the broker.
    sys_clients,
    /// Beside a figure; the highest so far.
    sys_at_most,
    /// Beside the clients; how many sessions there are.
    sys_sessions,
    /// A figure of the broker.
    sys_messages_in,
    /// A figure of the broker.
    sys_messages_out,
    /// A figure of the broker.
    sys_packets_in,
    /// A figure of the broker.
    sys_packets_out,
    /// A figure of the broker.
    sys_bytes_in,
    /// A figure of the broker.
    sys_bytes_out,
    /// Beside a figure.
    sys_a_second,
    /// Beside a figure.
    sys_mean,
    /// A figure of the broker.
    sys_dropped,
    /// A figure of the broker.
    sys_subscriptions,
    /// Beside the subscriptions; how many are shared.
    sys_shared,
    /// A figure of the broker.
    sys_retained,
    /// A figure of the broker.
    sys_stored,
    /// Beside a figure; a size.
    sys_in_all,
    /// A figure of the broker.
    sys_commits,
    /// A figure of the broker.
    sys_deliveries,
    /// A figure of the broker.
    sys_failures,
    /// Above the charts.
    sys_course,
    /// There is no chart yet.
    sys_soon,
    /// Above the table.
    sys_others,
    /// Below it; how many messages.
    sys_not_kept,
    /// Chooses a type of packet.
    wire_filter,
    /// All types, or both directions.
    wire_all,
    /// A direction.
    wire_sent,
    /// A direction.
    wire_received,
    /// Of one packet.
    wire_was_sent,
    /// Of one packet.
    wire_was_received,
    /// Chooses a direction.
    wire_direction,
    /// There is no packet.
    wire_nothing,
    /// No packet matches the filter.
    wire_no_match,
    /// No packet is chosen.
    wire_choose,
    /// Packets that went; a count.
    wire_gone,
    /// The list of fields, for those who hear the page.
    wire_fields,
    /// The bytes, for those who hear the page.
    wire_bytes,
    /// What follows after a field that breaks off.
    wire_rest,
    /// The packet breaks a rule; with what is wrong.
    wire_wrong,
    /// Just the beginning of the packet is kept; kept, and all.
    wire_cut,
    /// In the place of a password.
    wire_secret,
    /// A button.
    wire_reveal,
    /// A button.
    reconnect,
    /// What the button does.
    reconnect_explained,
    /// Below a decoded payload of which just the beginning is shown.
    decoded_more,
    /// A payload is not of the form that its topic promises; the form.
    decoded_not,
    /// It is no payload of that form; the form, and the field where decoding ended.
    decoded_not_at,
    /// A payload is nested too deep; the form.
    decoded_deep,
    /// A payload can’t be decoded because just its beginning is kept.
    decoded_cut,
    /// A column: the name of a metric.
    metric,
    /// A column: what a metric is.
    datatype,
    /// When a payload was sent, as it says itself.
    sent_at,
    /// The number of a payload in a sequence.
    sequence,
    /// Not all metrics are shown; how many are, and how many there are.
    metrics_shown,
    /// Metrics with a number that nothing explains; how many.
    metrics_unnamed,
    /// Marks a metric that is older than what was sent before it.
    historical,
    /// Turns placeholders on.
    fill_in,
    /// What placeholders are for.
    fill_explained,
    /// A placeholder has no end.
    fill_open,
    /// A placeholder is not known; with its text.
    fill_name,
    /// A placeholder has other numbers than it takes; with its text.
    fill_numbers,
    /// What the next message would say.
    fill_next,
    /// A message that is kept.
    template,
    /// No template is chosen.
    template_choose,
    /// What a topic looks like, where none was written yet.
    topic_example,
    /// The name of a template.
    template_name,
    /// Keeps a template.
    template_save,
    /// Deletes the template that is chosen.
    template_remove,
    /// A template was kept; its name.
    template_saved,
    /// A template was deleted; its name.
    template_removed,
    /// A template has no name.
    template_no_name,
    /// There is no room for a template; how many there are.
    template_full,
    /// The browser keeps nothing.
    template_not_kept,
    /// Kept templates could not be read; how many.
    template_unread,
    /// A template whose payload is a file.
    no_file_in_template,
    /// Begins a recording.
    record,
    /// Ends a recording.
    record_stop,
    /// What recording does.
    record_explained,
    /// How a recording is; messages, size.
    recorded,
    /// A recording takes no more; its size, and how many messages were left out.
    recorded_full,
    /// A recording has no room for some messages; how many.
    recorded_left_out,
    /// Chooses a recording.
    replay_file,
    /// Begins to replay.
    replay,
    /// How fast it is replayed.
    replay_speed,
    /// The fastest speed.
    replay_fastest,
    /// Begins again at the end.
    replay_loop,
    /// How far a replay is; messages.
    replayed,
    /// Messages that the broker has not acknowledged; how many.
    replay_under_way,
    /// Messages of a replay that failed; how many, why the last one.
    replay_failed,
    /// A replay is at its end.
    replay_done,
    /// A replay waits for the connection.
    replay_offline,
    /// A replay waits for acknowledgements.
    replay_busy,
    /// A file can’t be read any more; the browser’s words.
    replay_unreadable,
    /// A line that is left out; its number, the reason.
    replay_wrong,
    /// Further lines that are left out; how many.
    replay_wrong_more,
    /// Why a line is left out; what is wrong with its JSON.
    line_json,
    /// Why a line is left out.
    line_topic,
    /// Why a line is left out.
    line_time,
    /// Why a line is left out.
    line_payload,
    /// Why a line is left out.
    line_version,
    /// Why a line is left out.
    line_long,
    /// The command palette.
    palette,
    /// What may be typed into it.
    palette_hint,
    /// The kind of an entry.
    palette_page,
    /// The kind of an entry.
    palette_action,
    /// The looks that can be set.
    settings_look,
    /// What memory is used for.
    settings_memory,
    /// How much memory is used, of how much.
    settings_used,
    /// What the palette does.
    palette_pause,
    /// What the palette does.
    palette_go_on,
    /// What the palette does.
    palette_board,
    /// What the palette does; a kind of file.
    palette_export,
    /// Nothing matches; what was typed.
    palette_nothing,
    /// What can be chosen.
    look_theme,
    /// What can be chosen.
    look_density,
    /// What can be chosen.
    look_language,
    /// A choice.
    look_system,
    /// A choice.
    look_light,
    /// A choice.
    look_dark,
    /// A choice.
    look_roomy,
    /// A choice.
    look_compact,
    /// A choice.
    look_wall,
}
}

texts! {
/// What charts and widgets say in one language.
WidgetTexts on Texts {
    /// Nothing is in the span of a chart.
    chart_empty,
    /// A chart, for those who hear the page; names of its lines, and what the keys do.
    chart_explained,
    /// A button: the table behind a chart.
    chart_table,
    /// A button: the chart again.
    chart_drawn,
    /// A button.
    zoom_in,
    /// A button.
    zoom_out,
    /// A button.
    zoom_all,
    /// A column of the table behind a chart.
    time,
    /// A column of the table behind a chart; how many values a row stands for.
    values,
    /// Where the cross-hair is and a line has no number.
    no_value,
    /// Above the widgets.
    my_board,
    /// There are no widgets.
    empty_board,
    /// A button.
    add_widget,
    /// A button.
    edit,
    /// A button: what is being arranged is as it should be.
    done,
    /// A button.
    undo,
    /// A button.
    redo,
    /// A button.
    import,
    /// A button.
    export,
    /// A button.
    share,
    /// A widget was added; its name.
    pinned,
    /// A widget is not added.
    board_full,
    /// A widget can not be changed.
    widget_gone,
    /// The browser keeps nothing.
    not_saved,
    /// The board that was kept can't be read; why.
    board_unread,
    /// A file is the board now; how many widgets, and its name.
    imported,
    /// A file is no board; its name, and why.
    not_imported,
    /// Of a file; so many bytes.
    file_too_large,
    /// Of a file; line, column, and what is wrong.
    file_unreadable,
    /// Of a file.
    file_no_board,
    /// Of a file; its version.
    file_version,
    /// Of a file; so many widgets.
    file_too_many,
    /// Of a file; which widget, and what is wrong with it.
    file_widget,
    /// Of a link.
    link_broken,
    /// Of a link; so many characters.
    link_too_long,
    /// Of a link.
    link_copied,
    /// Of a link; the link.
    link_not_copied,
    /// What is wrong with a widget.
    fault_no_topic,
    /// What is wrong with a widget.
    fault_topic,
    /// What is wrong with a widget.
    fault_values,
    /// What is wrong with a widget.
    fault_levels,
    /// What is wrong with a widget.
    fault_scale,
    /// What is wrong with a widget.
    fault_qos,
    /// What is wrong with a widget.
    fault_text,
    /// A link carries a board; how many widgets.
    offered,
    /// A button.
    offer_add,
    /// A button.
    offer_replace,
    /// A button.
    offer_leave,
    /// What can be done to a widget; its name.
    arrange,
    /// Selects a widget; its name.
    select,
    /// A button.
    move_left,
    /// A button.
    move_right,
    /// A button.
    move_up,
    /// A button.
    move_down,
    /// Of a widget.
    width,
    /// Of a widget.
    height,
    /// A button.
    wider,
    /// A button.
    narrower,
    /// A button.
    higher,
    /// A button.
    lower,
    /// A button.
    duplicate,
    /// A button.
    remove,
    /// Nothing has come yet.
    waiting,
    /// What came is no picture.
    no_image,
    /// A gauge whose last message is none; the message.
    no_number,
    /// What came is no position.
    no_position,
    /// A direction, one letter.
    north,
    /// A direction, one letter.
    south,
    /// A direction, one letter.
    east,
    /// A direction, one letter.
    west,
    /// A link.
    map,
    /// A button.
    send,
    /// A notification; name, value, unit.
    alarm,
    /// Above the form.
    new_widget,
    /// Above the form.
    edit_widget,
    /// Said on the board when a form was closed with something in it.
    form_left,
    /// Said in the form when that is there again.
    form_found,
    /// The button that takes it away.
    begin_anew,
    /// A field.
    kind,
    /// A kind of widget.
    kind_value,
    /// A kind of widget.
    kind_gauge,
    /// A kind of widget.
    kind_line,
    /// A kind of widget.
    kind_bar,
    /// A kind of widget.
    kind_lamp,
    /// A kind of widget.
    kind_table,
    /// A kind of widget.
    kind_log,
    /// A kind of widget.
    kind_image,
    /// A kind of widget.
    kind_position,
    /// A kind of widget.
    kind_switch,
    /// A kind of widget.
    kind_slider,
    /// A kind of widget.
    kind_button,
    /// A kind of widget.
    kind_number,
    /// A kind of widget.
    kind_text,
    /// A kind of widget.
    kind_color,
    /// A field.
    title,
    /// What may be typed into a field.
    title_hint,
    /// A group of fields; which one.
    value_of,
    /// A group of fields: what tells a control what is so.
    state_of,
    /// A field.
    topic,
    /// A field.
    path,
    /// A field.
    name,
    /// A field.
    unit,
    /// A field.
    decimals,
    /// A box to tick.
    right_axis,
    /// A button.
    add_value,
    /// A field: a scale begins here.
    from,
    /// A field: a scale ends here.
    to,
    /// A field.
    step,
    /// A field.
    span_min,
    /// A group of fields.
    levels,
    /// A field.
    level_from,
    /// A field.
    tone,
    /// A colour.
    tone_plain,
    /// A colour.
    tone_good,
    /// A colour.
    tone_warn,
    /// A colour.
    tone_bad,
    /// A colour.
    tone_cold,
    /// A box to tick.
    notify,
    /// The browser shows no notifications.
    notify_denied,
    /// A button.
    add_level,
    /// A group of fields.
    publish_to,
    /// A box to tick.
    retain,
    /// A field.
    payload,
    /// Below a field.
    payload_hint,
    /// A field.
    on,
    /// A field.
    off,
    /// A field of a button.
    payload_of,
    /// A button.
    cancel,
    /// A button.
    save,
    /// Above a form; what is wrong.
    widget_wrong,
}
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_browsers_first_known_language_is_spoken() {
        for (languages, chosen) in [
            (vec!["es-MX", "en"], "es"),
            (vec!["en-GB", "es"], "en"),
            (vec!["fr", "ES"], "es"),
            (vec!["fr-FR", "de"], "en"),
            (vec!["est"], "en"),
            (vec![], "en"),
        ] {
            assert_eq!(choose(languages.clone()).0, chosen, "{languages:?}");
        }
    }

    #[test]
    fn every_language_says_everything_and_fills_in_the_same() {
        let holes = |text: &str| text.matches("{}").count();
        let widgets = |rooms: &RoomsTexts| of_widgets(rooms.common).all();
        let all = |rooms: &RoomsTexts| [rooms.common.all(), rooms.all(), widgets(rooms)].concat();
        let first = all(ROOMS[0]);
        for ((tag, texts), rooms) in ALL.iter().zip(ROOMS) {
            assert_eq!(of_rooms(texts), *rooms, "{tag}");
            assert!(std::ptr::eq(of_widgets(texts).common, *texts), "{tag}");
            for ((name, text), (_, model)) in all(rooms).into_iter().zip(&first) {
                assert!(!text.trim().is_empty(), "{tag}: {name} is empty");
                assert_eq!(holes(text), holes(model), "{tag}: {name}: {text}");
            }
        }
    }

    #[test]
    fn values_are_filled_in_in_order() {
        assert_eq!(fill("{} of {}", &["1", "2"]), "1 of 2");
        assert_eq!(fill("{} of {}", &["{}"]), "{} of ");
        assert_eq!(fill("plain", &["1"]), "plain");
    }

    #[test]
    fn ages_are_short() {
        for (ms, text) in [
            (-5.0, "0 s"),
            (0.0, "0 s"),
            (3_999.0, "3 s"),
            (60_000.0, "1 min"),
            (3_600_000.0, "1 h"),
            (200_000_000.0, "2 d"),
            (f64::NAN, "0 s"),
        ] {
            assert_eq!(age(ms), text);
        }
    }
}
