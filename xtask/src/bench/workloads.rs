//! What brokers are measured with.

use super::stored;

/// One kind of work, the same for every broker.
pub(super) struct Workload {
    /// How it is named on the command line and in the results.
    pub(super) name: &'static str,
    /// What it is, for a table.
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) transport: Transport,
    /// The arguments of `load`, without those that say where the broker is.
    pub(super) load: &'static [&'static str],
    /// What `load` does at the same time, on the broker's TCP port.
    pub(super) beside: Option<&'static [&'static str]>,
    /// We are to need at most this part of what Mosquitto needs.
    pub(super) aim: Option<f64>,
    /// Whether it takes long, and so is left out by `--quick`.
    pub(super) is_long: bool,
    /// Whether the broker has all cores, and as many workers: then it shares one with the generator.
    pub(super) has_all_cores: bool,
}

/// Which figures tell about a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Processor time for each delivered message.
    Messages,
    /// How long a message takes at a given rate.
    Latency,
    /// Connections: how fast, and what each costs.
    Connections,
    /// Messages that ours stores at each level, and with persistence off.
    Stored,
    /// How soon ours serves again, with what `load` has put into its store.
    Restart,
}

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Transport {
    Tcp,
    Ws,
    Tls,
}

impl Workload {
    const fn messages(
        name: &'static str,
        title: &'static str,
        aim: Option<f64>,
        load: &'static [&'static str],
    ) -> Self {
        let transport = Transport::Tcp;
        let kind = Kind::Messages;
        Self {
            name,
            title,
            kind,
            transport,
            load,
            beside: None,
            aim,
            is_long: false,
            has_all_cores: false,
        }
    }

    const fn latency(
        name: &'static str,
        title: &'static str,
        load: &'static [&'static str],
        beside: Option<&'static [&'static str]>,
    ) -> Self {
        let transport = Transport::Tcp;
        let is_long = beside.is_some();
        Self {
            name,
            title,
            kind: Kind::Latency,
            transport,
            load,
            beside,
            aim: None,
            is_long,
            has_all_cores: false,
        }
    }

    const fn connections(
        name: &'static str,
        title: &'static str,
        load: &'static [&'static str],
    ) -> Self {
        let transport = Transport::Tcp;
        let kind = Kind::Connections;
        Self {
            name,
            title,
            kind,
            transport,
            load,
            beside: None,
            aim: None,
            is_long: false,
            has_all_cores: false,
        }
    }

    const fn stored(
        name: &'static str,
        title: &'static str,
        load: &'static [&'static str],
    ) -> Self {
        Self { kind: Kind::Stored, ..Self::messages(name, title, None, load) }
    }

    const fn restart(
        name: &'static str,
        title: &'static str,
        load: &'static [&'static str],
    ) -> Self {
        Self { kind: Kind::Restart, ..Self::messages(name, title, None, load) }
    }

    const fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    const fn on_all_cores(self) -> Self {
        Self { has_all_cores: true, ..self }
    }

    const fn long(self) -> Self {
        Self { is_long: true, ..self }
    }
}

/// All of them, in the order of the tables.
pub(super) const ALL: &[Workload] = &[
    Workload::messages(
        "qos0-window5000",
        "1 → 1, QoS 0, window 5000",
        Some(1.0 / 20.0),
        &["flow", "--window=5000"],
    ),
    Workload::messages(
        "qos0-window500",
        "1 → 1, QoS 0, window 500",
        Some(1.0 / 10.0),
        &["flow", "--window=500"],
    ),
    Workload::messages(
        "fan-out",
        "1 → 100, QoS 0, window 20",
        Some(1.0 / 8.0),
        &["flow", "--subscribers=100", "--window=20"],
    ),
    Workload::messages(
        "fan-in",
        "50 → 1, QoS 0, window 500 each",
        Some(1.0 / 12.0),
        &["flow", "--publishers=50", "--window=500"],
    ),
    Workload::messages(
        "pairs",
        "50 → 50, own topics, QoS 0, window 500 each",
        None,
        &["flow", "--publishers=50", "--subscribers=50", "--topics=own", "--window=500"],
    ),
    Workload::messages(
        "pairs-mixed",
        "50 → 50, own topics, half of them from worker to worker on all cores",
        None,
        &["flow", "--publishers=50", "--subscribers=50", "--topics=own", "--mixed", "--window=500"],
    )
    .on_all_cores(),
    Workload::messages(
        "pairs-all-cores",
        "51 → 51, own topics, each from worker to worker on all cores",
        None,
        &["flow", "--publishers=51", "--subscribers=51", "--topics=own", "--window=500"],
    )
    .on_all_cores(),
    Workload::messages(
        "qos1-window20",
        "1 → 1, QoS 1, window 20",
        Some(1.0 / 7.0),
        &["flow", "--qos=1", "--window=20"],
    ),
    Workload::messages(
        "qos1-window100",
        "1 → 1, QoS 1, window 100",
        Some(1.0 / 7.0),
        &["flow", "--qos=1", "--window=100"],
    ),
    Workload::messages(
        "qos2-window20",
        "1 → 1, QoS 2, window 20",
        Some(1.0 / 7.0),
        &["flow", "--qos=2", "--window=20"],
    ),
    Workload::messages(
        "ws-window500",
        "1 → 1, QoS 0, WebSocket, window 500",
        Some(1.0 / 4.0),
        &["flow", "--window=500"],
    )
    .over(Transport::Ws),
    Workload::messages(
        "ws-window5000",
        "1 → 1, QoS 0, WebSocket, window 5000",
        Some(1.0 / 10.0),
        &["flow", "--window=5000"],
    )
    .over(Transport::Ws),
    Workload::messages(
        "tls-window500",
        "1 → 1, QoS 0, TLS 1.3, window 500",
        Some(1.0 / 4.0),
        &["flow", "--window=500"],
    )
    .over(Transport::Tls),
    Workload::messages(
        "large",
        "1 → 1, QoS 0, 4 KiB each, window 500",
        None,
        &["flow", "--payload=4096", "--window=500"],
    ),
    Workload::messages(
        "retained",
        "100,000 retained messages to a new `#`",
        None,
        &["retained", "--count=100000"],
    )
    .long(),
    Workload::messages(
        "exact-10",
        "1 → 10 topics, 10 subscriptions, window 500",
        None,
        &["flow", "--subscribers=10", "--topics=exact", "--window=500"],
    )
    .long(),
    Workload::messages(
        "exact-1000000",
        "1 → 100,000 topics among 1,000,000 subscriptions, window 500",
        None,
        &[
            "flow",
            "--subscribers=100",
            "--filters=10000",
            "--active=10",
            "--topics=exact",
            "--window=500",
        ],
    )
    .long(),
    Workload::messages(
        "exact-hot",
        "1 → one topic among 1,000,000 subscriptions, window 500",
        None,
        &[
            "flow",
            "--subscribers=100",
            "--filters=10000",
            "--active=1",
            "--published=1",
            "--topics=exact",
            "--window=500",
        ],
    )
    .long(),
    Workload::messages(
        "fan-out-1000",
        "1 → 1000, QoS 0, window 20",
        None,
        &["flow", "--subscribers=1000", "--window=20"],
    )
    .long(),
    Workload::messages(
        "wildcard-1000",
        "1 → the 1000 that match of 1,000,000 wildcards, window 20",
        None,
        &["flow", "--subscribers=1000", "--filters=1000", "--topics=wildcard", "--window=20"],
    )
    .long(),
    Workload::latency(
        "latency-1000",
        "1000 messages/s, QoS 0, nothing else",
        &["flow", "--rate=1000"],
        None,
    ),
    Workload::latency(
        "latency-busy",
        "the same beside 1 → 2, window 500",
        &["flow", "--rate=1000"],
        Some(&["flow", "--subscribers=2", "--window=500"]),
    ),
    Workload::latency(
        "latency-deaf",
        "the same, one more subscriber never reads",
        &["flow", "--rate=1000"],
        Some(&["flow", "--subscribers=2", "--deaf=1", "--window=500"]),
    ),
    Workload::latency(
        "latency-fan-out",
        "the same beside 1 → 100,000, window 1",
        &["flow", "--rate=1000"],
        Some(&["flow", "--subscribers=100000", "--window=1"]),
    ),
    Workload::latency(
        "latency-retained",
        "the same beside 100,000 retained messages for `#`, again and again",
        &["flow", "--rate=1000"],
        Some(&["retained", "--count=100000"]),
    ),
    Workload::connections(
        "idle-10000",
        "10,000 idle connections",
        &["connections", "--count=10000"],
    ),
    Workload::connections(
        "idle-100000",
        "100,000 idle connections",
        &["connections", "--count=100000"],
    )
    .long(),
    Workload::stored(
        "stored-online-20",
        "1 → 1, QoS 1, session online, window 20",
        &["flow", "--qos=1", "--sessions", "--window=20"],
    ),
    Workload::stored(
        "stored-online-100",
        "1 → 1, QoS 1, session online, window 100",
        &["flow", "--qos=1", "--sessions", "--window=100"],
    ),
    Workload::stored(
        "stored-offline-20",
        "1 → 1, QoS 1, session offline, window 20",
        &["flow", "--qos=1", "--sessions", "--offline", "--window=20"],
    ),
    Workload::stored(
        "stored-offline-100",
        "1 → 1, QoS 1, session offline, window 100",
        &["flow", "--qos=1", "--sessions", "--offline", "--window=100"],
    ),
    Workload::stored(
        stored::ALONE,
        "1 → 1, QoS 1, session offline, window 1",
        &["flow", "--qos=1", "--sessions", "--offline", "--window=1"],
    ),
    Workload::stored(
        stored::TOGETHER,
        "100 → 1, QoS 1, session offline, window 1 each",
        &["flow", "--qos=1", "--sessions", "--offline", "--publishers=100", "--window=1"],
    ),
    Workload::restart(
        "stored-restart",
        "1,000,000 queued messages in 100,000 sessions",
        &[
            "flow",
            "--qos=1",
            "--sessions",
            "--offline",
            "--subscribers=100000",
            "--topics=exact",
            "--messages=1000000",
            "--window=1000",
            "--warm-up=0",
        ],
    )
    .long(),
];
