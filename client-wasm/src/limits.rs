//! Every limit of the browser's side, in one place.
//!
//! Whatever reaches one of them is counted, and the page shows the count.

/// Topics that the store keeps; messages of further topics are counted, not kept.
pub const TOPICS_MAX: usize = 100_000;

/// Points of history that one topic keeps; the oldest goes first.
pub const POINTS_PER_TOPIC_MAX: usize = 1 << 20;

/// Memory for everything that the store keeps, in bytes.
pub const STORE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The share of [`STORE_BYTES_MAX`] that topics and their last values may take.
pub const VALUE_BYTES_MAX: usize = STORE_BYTES_MAX / 4;

/// The share of [`STORE_BYTES_MAX`] that the log of messages may take.
pub const LOG_BYTES_MAX: usize = STORE_BYTES_MAX / 4;

/// How much of one payload is kept, in bytes; the card says how long it was.
pub const PAYLOAD_KEPT_MAX: usize = 1024 * 1024;

/// Times without a connection that are remembered, to leave gaps in the charts.
pub const GAPS_MAX: usize = 256;

/// The longest unit that is shown, in characters; anything longer is no unit.
pub const UNIT_CHARS_MAX: usize = 16;

/// The longest payload that is read as one number, in bytes.
pub const NUMBER_LEN_MAX: usize = 64;

/// How deep JSON may be nested to be read as JSON.
pub const JSON_DEPTH_MAX: usize = 64;

/// Values inside a payload that a card lists; it says how many more there are.
pub const JSON_MEMBERS_SHOWN: usize = 6;

/// The longest text that a card shows of one payload, in characters.
pub const TEXT_SHOWN_CHARS: usize = 280;

/// The longest text that a card shows of one of them, in characters.
pub const MEMBER_SHOWN_CHARS: usize = 64;

/// Bytes that the hexadecimal preview shows of a payload that is no text.
pub const HEX_SHOWN_BYTES: usize = 24;

/// Cards that the board has at first, and by which it grows when more are asked for.
pub const CARDS_STEP: u32 = 120;

/// Cards whose changes the page can ask for at once.
pub const CARDS_WATCHED_MAX: usize = 1_024;

/// The widest sparkline, in pixels of the screen.
pub const SPARKLINE_WIDTH_MAX: u16 = 2_048;

/// Seconds that the rate of messages is the mean of, and one more.
pub const RATE_SAMPLES_MAX: usize = 6;

/// The longest text that is searched for, in characters.
pub const SEARCH_CHARS_MAX: usize = 256;

/// The largest packet that is taken from the broker, in bytes.
pub const PACKET_SIZE_MAX: u32 = 64 * 1024 * 1024;

/// The largest packet that the broker is asked for once one may have stood in the way of all others, in bytes:
/// a payload that is kept as a whole, and room for its topic and properties.
pub const PACKET_SIZE_CAUTIOUS: u32 = 1024 * 1024 + 128 * 1024;

/// How long the broker may be silent where a person wants very large messages waited for, in milliseconds: 50 MB
/// over a line of one megabit a second take seven minutes. Mosquitto 2.0.11 itself gives up after five.
pub const LARGE_PATIENCE_MS: u64 = 10 * 60 * 1_000;

/// Bytes that may wait in the browser's WebSocket to be sent; more are refused, and the caller told.
pub const SEND_BUFFER_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// Messages that wait for the reader of [`Client`](crate::client::Client)'s stream; the oldest goes first.
pub const MESSAGES_WAITING_MAX: usize = 65_536;

/// Publishing that the page may have under way at once.
pub const PUBLISHES_WAITING_MAX: usize = 1_024;

/// Differences between two messages that are listed; it says how many more there are.
pub const CHANGES_SHOWN: usize = 8;

/// Rows of the tree that the page can look at at once.
pub const TREE_ROWS_MAX: usize = 512;

/// Topics up to which a branch's page lists all of them, and not its branches.
pub const BRANCH_TOPICS_LISTED: u32 = 30;

/// Rows of what is below a branch that its page begins with, and gets more of.
pub const BRANCH_ROWS_STEP: u32 = 30;

/// Rows of what is below a branch that its page shows at most.
pub const BRANCH_ROWS_MAX: usize = 1_000;

/// Topics up to which all branches of the tree are open by themselves.
pub const TREE_OPEN_TOPICS_MAX: u32 = 64;

/// Bytes that the hexadecimal form of a payload shows; it says how many there are.
pub const HEX_DUMP_BYTES: usize = 16 * 1024;

/// Messages of its history that a topic shows at first, and by which it grows.
pub const HISTORY_STEP: u32 = 30;

/// Messages of its history that a topic can show.
pub const HISTORY_SHOWN_MAX: usize = 1_000;

/// Charts, values and lists that the page can look at at once beside its cards.
pub const LOOKS_MAX: usize = 320;

/// Values that one of them can be of.
pub const SOURCES_PER_LOOK_MAX: usize = 12;

/// Steps of zooming into a chart that can be taken back.
pub const ZOOMS_MAX: usize = 64;

/// Rows of the table behind a chart.
pub const CHART_ROWS_MAX: u16 = 100;

/// Points that are kept of a number inside a payload, as long as somebody looks at it.
pub const POINTS_PER_PATH_MAX: usize = 65_536;

/// Points that are kept of a number inside a payload for the line on a card on the screen.
pub const POINTS_PER_MEMBER_MAX: usize = 4_096;

/// Messages that a list of a topic's last ones can have.
pub const RECENT_MESSAGES_MAX: usize = 200;

/// Packets that the page remembers for the Topic Aliases in them.
pub const ALIASES_KNOWN_MAX: usize = 4_096;

/// Values inside the payload of a topic that are offered by their paths.
pub const VALUE_PATHS_MAX: usize = 512;

/// Elements of an array among them.
pub const ARRAY_PATHS_MAX: usize = 8;

/// Paths of a payload that a chart can be drawn of.
pub const CHART_PATHS_MAX: usize = 64;

/// The widest chart, in pixels of the screen.
pub const CHART_WIDTH_MAX: u16 = 8_192;

/// Messages of the log that are searched through at once.
pub const LOG_LOOKED_AT_ONCE: u64 = 20_000;

/// The shortest time between two messages that the page repeats, in milliseconds.
pub const REPEAT_MS_MIN: u32 = 50;

/// Topic filters that one connection is subscribed to.
pub const SUBSCRIPTIONS_MAX: usize = 256;

/// Topics of `$SYS` that are kept; messages of further ones are counted.
pub const SYS_TOPICS_MAX: usize = 1_024;

/// How much of one message of `$SYS` is kept, in bytes.
pub const SYS_PAYLOAD_MAX: usize = 1_024;

/// Memory for the messages of `$SYS`, in bytes; the oldest go first.
pub const SYS_LOG_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Messages of `$SYS` that go to the page in one frame.
pub const SYS_SENT_AT_ONCE: u64 = 4_096;

/// How often the page is told what is new of `$SYS`, in milliseconds.
pub const SYS_INTERVAL_MS: f64 = 250.0;

/// Rounds of a broker's own figures that the page keeps for its charts; the oldest goes first.
pub const SYS_ROUNDS_MAX: usize = 20_000;

/// How deep values may stand in values of a payload that is decoded.
pub const DECODED_DEPTH_MAX: usize = 64;

/// The longest text that a decoded payload is shown as, in bytes; it says that there is more.
pub const DECODED_CHARS_MAX: usize = 256 * 1024;

/// The longest list that a decoded payload shows in one line, in bytes.
pub const DECODED_LINE_CHARS: usize = 72;

/// Bytes of one value that a decoded payload shows; it says how many there are.
pub const DECODED_BYTES_SHOWN: usize = 4 * 1024;

/// The longest bignum that is written in decimal digits, in bytes.
pub const BIGNUM_BYTES_MAX: usize = 1_024;

/// Metrics of a Sparkplug payload that are shown; it says how many there are.
pub const METRICS_SHOWN: usize = 1_000;

/// Birth certificates whose names are remembered while messages are read.
pub const BIRTHS_KNOWN_MAX: usize = 64;

/// Templates of messages that the browser keeps.
pub const TEMPLATES_MAX: usize = 200;

/// Bytes of retained messages that go to the page in one frame, when it lists them.
pub const RETAINED_BYTES_AT_ONCE: usize = 256 * 1024;

/// Retained messages that are deleted or put back at once; the others wait for their turn.
pub const RETAINED_SENT_AT_ONCE: usize = 128;

/// The longest line of a recording that is written or read, in bytes.
pub const RECORDING_LINE_MAX: usize = 16 * 1024 * 1024;

/// The largest recording, in bytes; messages beyond it are counted, not recorded.
pub const RECORDING_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How much of a recording is handed to the browser at once, in bytes.
pub const RECORDING_PART_BYTES: usize = 1024 * 1024;

/// How much of a recording is read at once, in bytes: never more messages than may wait.
pub const RECORDING_READ_BYTES: u32 = 64 * 1024;

/// Lines that could not be read which are listed; it says how many there are.
pub const RECORDING_WRONG_SHOWN: usize = 20;

/// Messages that wait to be replayed.
pub const REPLAY_WAITING_MAX: usize = 8_192;

/// More are read when fewer than these wait to be replayed.
pub const REPLAY_WAITING_LOW: u32 = 2_048;

/// Messages that are replayed in one go.
pub const REPLAY_AT_ONCE: usize = 256;

/// How often what is due is replayed, in milliseconds.
pub const REPLAY_INTERVAL_MS: u32 = 10;

/// How often the page is told how far a replay is, in milliseconds.
pub const REPLAY_TOLD_MS: f64 = 100.0;

/// Topics that the command palette shows.
pub const FOUND_MAX: usize = 30;

/// Memory for the packets that the page looks at as bytes; the oldest go first.
pub const WIRE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much of one packet is kept there, in bytes.
pub const WIRE_PACKET_KEPT_MAX: usize = 64 * 1024;

/// How much of a packet a row of their list is told, in bytes.
pub const WIRE_HEAD_BYTES: usize = 192;

/// Rows of that list that the page can look at at once.
pub const WIRE_ROWS_MAX: usize = 512;

/// How often the page is told of new packets, in milliseconds.
pub const WIRE_INTERVAL_MS: f64 = 100.0;

/// Bytes of a packet that are shown at first, and by which it grows.
pub const WIRE_BYTES_SHOWN: usize = 1_024;

/// Connections that are open at once: each has an engine with a store of its own.
pub const CONNECTIONS_OPEN_MAX: usize = 8;

/// Bytes that a file of connections may have: those of other programs hold messages too.
pub const IMPORT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Notes on a file that are listed; the page says how many more there are.
pub const NOTES_SHOWN: usize = 12;

/// Connections that the browser keeps.
pub const PROFILES_MAX: usize = 256;

/// Widgets of a board.
pub const WIDGETS_MAX: usize = 120;

/// The highest widget, in rows of the grid.
pub const WIDGET_ROWS_MAX: u16 = 24;

/// The last row of the grid that a file can put a widget in.
pub const WIDGET_ROW_LAST: u16 = 10_000;

/// Levels of one widget.
pub const WIDGET_LEVELS_MAX: usize = 8;

/// The longest text of a widget, in characters.
pub const WIDGET_TEXT_CHARS_MAX: usize = 2_000;

/// Forms of widgets that were left and wait for their person; the oldest goes first.
pub const FORMS_LEFT_MAX: usize = 16;

/// Changes of a board that can be undone.
pub const UNDO_MAX: usize = 100;

/// The largest file of a board, in bytes.
pub const BOARD_FILE_MAX: usize = 1024 * 1024;

/// The longest board in a link, in characters; programs that pass links on cut longer ones.
pub const BOARD_LINK_MAX: usize = 8_000;
