//! Every limit of the broker, in one place. Each is a default that a configuration may change.

use std::time::Duration;

/// What the broker lets its clients use. Sizes are in bytes, times in the unit of their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The largest packet that is taken, fixed header included.
    pub packet_size_max: u32,
    /// The largest packet that is taken from a client that has not connected yet. A CONNECT whose
    /// client identifier, will, user name and password are each as long as they can be still fits.
    pub connect_size_max: u32,
    /// How long a connection may take until its CONNECT is whole.
    pub connect_timeout: Duration,
    /// Connections whose CONNECT is not whole yet, in each worker; one more is closed at once.
    pub handshakes_max: usize,
    /// Messages of QoS 1 and 2 that are sent to a client and not acknowledged yet.
    pub inflight_max: u16,
    /// Bytes of such messages; one message may be larger than this by itself.
    pub inflight_bytes_max: usize,
    /// Bytes of a message's payload; a larger message is taken and not passed on.
    pub message_size_max: usize,
    /// Bytes of memory that the broker may use.
    pub memory_max: Option<usize>,
    /// Messages of QoS 1 and 2 that a client of MQTT 5.0 may send before one is acknowledged.
    pub receive_maximum: u16,
    /// Messages of QoS 1 and 2 that wait for a client beyond those in flight; one more is dropped.
    pub queued_messages_max: usize,
    /// Bytes of such messages; one message may be larger than this by itself.
    pub queued_bytes_max: usize,
    /// Bytes that wait to be written to one connection; beyond, QoS 0 is dropped for it and QoS 1
    /// and 2 wait in its session's queue.
    pub out_bytes_max: usize,
    /// Bytes of answers that a client may leave unread while more than `out_bytes_max` wait for it;
    /// beyond, it is not listened to.
    pub answer_bytes_max: usize,
    /// Bytes of messages on their way to one worker; beyond, those who publish to it wait.
    pub inbox_bytes_max: usize,
    /// Levels of a topic name or filter; Mosquitto allows 200 slashes.
    pub topic_levels_max: usize,
    /// Sessions of each worker, whether connected or not.
    pub sessions_max: usize,
    /// Subscriptions of one session.
    pub subscriptions_max: usize,
    /// Retained messages of all topics together, and those that wait for one connection.
    pub retained_max: usize,
    /// How long the head of an HTTP request may take, and a connection be idle between two.
    pub http_timeout: Duration,
    /// How long a connection may be one of HTTP, however busy it is; browsers open another.
    pub http_connection_max: Duration,
    /// How long a connection that is closed is still read from, so that the last packet sent to it
    /// is not lost.
    pub linger: Duration,
    /// How long connections get to end when the broker stops.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_size_max: codec::PACKET_SIZE_MAX,
            connect_size_max: 512 * 1024,
            connect_timeout: Duration::from_secs(10),
            handshakes_max: 1024,
            inflight_max: 20,
            inflight_bytes_max: usize::MAX,
            message_size_max: usize::MAX,
            memory_max: None,
            receive_maximum: 20,
            queued_messages_max: 1000,
            queued_bytes_max: 64 << 20,
            out_bytes_max: 8 << 20,
            answer_bytes_max: 1 << 20,
            inbox_bytes_max: 16 << 20,
            topic_levels_max: 201,
            sessions_max: 1_000_000,
            subscriptions_max: 10_000,
            retained_max: 1_000_000,
            http_timeout: Duration::from_secs(15),
            http_connection_max: Duration::from_secs(120),
            linger: Duration::from_millis(500),
            shutdown_timeout: Duration::from_secs(2),
        }
    }
}

/// The highest Topic Alias that a client may use, unless its listener says otherwise.
pub(crate) const TOPIC_ALIAS_MAX: u16 = 10;

/// Bytes of an HTTP request's head, unless the configuration says otherwise.
pub(crate) const HTTP_HEAD_MAX: usize = 16 * 1024;

/// The least that the head of an HTTP request may be limited to.
pub(crate) const HTTP_HEAD_MIN: usize = 8 * 1024;

/// Connections that the operating system holds until the broker accepts them.
pub(crate) const ACCEPT_BACKLOG: i32 = 1024;

/// Connections that a worker accepts before it looks after those that it has.
pub(crate) const ACCEPTED_IN_A_ROW_MAX: usize = 32;

/// Bytes that a header of the PROXY protocol may have behind its first sixteen.
pub(crate) const PROXY_HEADER_MAX: usize = 4096;

/// Bytes of a file that is served from a folder.
pub(crate) const HTTP_FILE_MAX: u64 = 32 << 20;

/// Bytes of log lines that a worker gathers before it writes them.
pub(crate) const LOG_GATHERED_BYTES_MAX: usize = 16 * 1024;

/// Tasks that a worker runs before it looks for what has arrived since.
pub(crate) const TASKS_BEFORE_IO: u32 = 256;

/// Receivers on one worker that a message is given to in one turn, which takes a few milliseconds; more
/// of them get it in portions of as many. Fewer would cost more: what several messages have for one receiver is
/// written at once only where they are given in one turn.
pub(crate) const RECEIVERS_AT_ONCE_MAX: usize = 2048;

/// Connections that are written to, one after the other, before others get their turn and it is looked for what
/// has arrived.
pub(crate) const WRITES_AT_ONCE_MAX: usize = 256;

/// Writes of one turn to a connection for which much is held back, before others get theirs.
pub(crate) const WRITES_PER_TURN: usize = 4;

/// Subscriptions of sessions that have ended which are ended in one go, which takes a third of a millisecond; more of
/// them are in the next.
pub(crate) const SUBSCRIPTIONS_ENDED_AT_ONCE_MAX: usize = 512;

/// Bytes of retained messages that are put together for a new subscription before they are written.
pub(crate) const RETAINED_BYTES_AT_ONCE: usize = 64 * 1024;

/// Sessions that one turn looks at for what has become due.
pub(crate) const SESSIONS_AT_ONCE_MAX: usize = 1024;

/// Bytes that one read takes at most. Reads of a worker share one buffer of this size.
pub(crate) const READ_CHUNK: usize = 64 * 1024;

/// A packet's start of up to this many bytes is copied to where its rest is read to; a longer one stays
/// where it is, and its rest is read there.
pub(crate) const PARTIAL_COPIED_MAX: usize = 8 * 1024;

/// Payloads from this size on are shared by those they are written to; a smaller one is copied into
/// each write buffer, which costs less than a piece of its own in the write.
pub(crate) const SHARED_PAYLOAD_MIN: usize = 4 * 1024;

/// Packets up to this size are given to their receivers in rounds.
pub(crate) const ROUND_PACKET_BYTES_MAX: usize = 2 * 1024;

/// Bytes that a round gathers before it ends.
pub(crate) const ROUND_BYTES_MAX: usize = 64 * 1024;

/// Messages up to this size that must be kept are copied out of the read buffer they came in, which
/// would otherwise stay in memory as a whole. Larger ones are alone in their memory.
pub(crate) const COMPACT_MAX: usize = READ_CHUNK;

/// How long a bridge may take to open a connection to another broker.
pub(crate) const BRIDGE_OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long another broker may take to answer the CONNECT of a bridge.
pub(crate) const BRIDGE_CONNACK_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a bridge looks whether it is to ask for a sign of life, to connect, or to leave.
pub(crate) const BRIDGE_LOOK_PERIOD: Duration = Duration::from_millis(500);

/// How often a bridge that is connected to another address looks for its main one.
pub(crate) const BRIDGE_MAIN_ADDRESS_PERIOD: Duration = Duration::from_secs(5);

/// Bytes in one WebSocket message at most; one message holds many packets.
pub(crate) const WS_MESSAGE_MAX: usize = 256 * 1024;

/// Bytes of a WebSocket frame that is not looked at until it has arrived as a whole; of a larger one
/// the library gets each part as it arrives.
pub(crate) const WS_FRAME_AWAITED_MAX: u64 = 16 * 1024;

/// Topics whose matches a worker remembers.
pub(crate) const MATCH_CACHE_MAX: usize = 64 * 1024;

/// Topics that a worker has an eye on, to remember the matches of those that come again.
pub(crate) const RECENT_TOPICS: usize = 16 * 1024;

/// Messages of one connection whose topics are looked at together, before the first of them is handed on.
pub(crate) const TOPICS_AHEAD: usize = 16;

/// From so many subscriptions on that is done: fewer lie in the processor's cache anyway.
pub(crate) const SUBSCRIPTIONS_AHEAD_MIN: usize = 30_000;

/// Bytes that the write buffers have room for which a worker keeps for connections that write next.
pub(crate) const SPARE_BUFFERS_BYTES_MAX: usize = 4 << 20;

/// Bytes of a write buffer, beyond which the next one is begun. One that has room for more is not kept.
pub(crate) const SPARE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// Bytes by which the memory in use has to have fallen, and by half at least, for what was freed to be given back to
/// the system at once. Otherwise that is when memory is asked for the next time.
pub(crate) const GIVEN_BACK_BYTES_MIN: usize = 16 << 20;

/// Iterations of a password's PBKDF2 hash; one that takes more is not read from a password file.
pub(crate) const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// KiB of memory that checking one Argon2id hash may take.
pub(crate) const ARGON2_KIB_MAX: u32 = 1024 * 1024;

/// Passes over that memory.
pub(crate) const ARGON2_PASSES_MAX: u32 = 100;

/// Bytes of a log line; of a longer one the rest is left out.
pub(crate) const LOG_LINE_BYTES_MAX: usize = 1000;

/// Bytes of a user name or password, as MQTT has them (MQTT 5.0 §3.1.3).
pub(crate) const CREDENTIAL_BYTES_MAX: usize = 65_535;

/// How long an answer waits for the receivers of its message to acknowledge it, before the message is
/// stored, in milliseconds: most who are there do so at once, and then nothing is to be stored.
pub(crate) const STORE_PATIENCE_MS: u64 = 2;

/// How many answers may wait for receivers who are there. Where as many do, their messages are stored
/// at once: half of the window that Mosquitto gives a client (`max_inflight_messages`).
pub(crate) const STORE_AT_ONCE_ANSWERS_MIN: usize = 10;

/// How many deliveries are stored at once at most, though they may be over in a moment.
pub(crate) const STORE_AT_ONCE_DELIVERIES_MAX: usize = 64;

/// How long what nobody waits for gathers before it is stored, in milliseconds.
pub(crate) const STORE_LAZY_MS: u64 = 50;

/// Answers of one connection that wait for the store; beyond, it is not listened to.
pub(crate) const HELD_ANSWERS_MAX: usize = 64 * 1024;

/// Deliveries that gather before they are handed to the store, whatever is under way.
pub(crate) const PARCEL_DELIVERIES_MAX: usize = 16 * 1024;

/// Deliveries up to which the room of a parcel is kept for the next one.
pub(crate) const PARCEL_ROOM_KEPT_MAX: usize = 1024;

/// How often the store looks for room to win back.
pub(crate) const STORE_TIDY_PERIOD: Duration = Duration::from_secs(1);

/// How long writing may take before workers leave it to the store's own thread for a while: a disk that is
/// busy keeps whoever writes to it waiting, and a worker has clients to serve.
pub(crate) const STORE_PROMPT_MAX: Duration = Duration::from_millis(10);

/// How long they leave it to that thread then.
pub(crate) const STORE_SLOW_PERIOD: Duration = Duration::from_secs(1);

/// Values that it writes again for that at once.
pub(crate) const STORE_TIDY_VALUES_MAX: usize = 64;

/// Messages that a session whose client is away holds in memory: those that the client gets first. The
/// others of its queue are in the store alone, where there is one.
pub(crate) const QUEUED_HERE_MAX: usize = 128;

/// Open files for which the system makes room at the start, which takes 8 bytes of its memory each.
pub(crate) const FILES_FORESEEN_MAX: u64 = 64 * 1024;

/// Parcels whose messages a worker has read last and holds in memory, while it sends them.
pub(crate) const STORE_READ_PARCELS_MAX: usize = 4;

/// How many passwords are checked at the same time: half of what this machine can do at once, so that
/// those who are connected are served meanwhile.
pub(crate) fn password_checks_max(workers: u16) -> usize {
    usize::from(workers).div_ceil(2)
}

/// What the durable store may take of memory and disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreLimits {
    /// Bytes of the journal from which on it is brought into the tables. From twice as much on, or as much
    /// kept in memory of it, commits wait for that.
    pub journal_bytes_max: u64,
    /// Bytes of the changes kept in memory from which on they are brought into the tables, however short the
    /// journal is: what stays should not wait until it has left the processor's caches.
    pub recent_bytes_max: u64,
    /// Bytes of the tables that are kept in memory.
    pub cache_bytes: usize,
    /// Bytes of a value from which on it stands in a file beside the tables.
    pub long_value_min: usize,
    /// Bytes of such a file from which on the next one is begun.
    pub values_bytes_max: u64,
    /// Bytes of all keys and values up to which the tables' file is made smaller while it is in use,
    /// which keeps readers waiting.
    pub compact_live_max: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            journal_bytes_max: 16 << 20,
            recent_bytes_max: 4 << 20,
            cache_bytes: 8 << 20,
            long_value_min: 128,
            values_bytes_max: 32 << 20,
            compact_live_max: 32 << 20,
        }
    }
}

/// How often what is in the journal is brought into the tables, however little it is.
pub(crate) const STORE_SETTLE_PERIOD: Duration = Duration::from_secs(60);

/// How long until that is tried again after the disk has refused it, unless somebody commits.
pub(crate) const STORE_RETRY_PERIOD: Duration = Duration::from_secs(1);

/// The buffer of the journal is not kept when it grew beyond this many bytes.
pub(crate) const STORE_SPARE_BYTES_MAX: usize = 1 << 20;

/// Deliveries that an import puts into one parcel of the store, and bytes of their messages: a parcel's
/// messages are read as one.
pub(crate) const IMPORT_PARCEL_DELIVERIES_MAX: usize = 256;
pub(crate) const IMPORT_PARCEL_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one chunk of a mosquitto.db: the largest payload and texts of 64 KiB each fit.
pub(crate) const MOSQUITTO_CHUNK_BYTES_MAX: u32 = 2 * codec::PACKET_SIZE_MAX;
