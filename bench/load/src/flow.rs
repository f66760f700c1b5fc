//! Publishers and subscribers: messages flow for some seconds, and each that should arrive is
//! counted.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use codec::{FixedHeader, PacketType, QoS};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::connection::Outbox;
use crate::fleet::{Fleet, nanoseconds};
use crate::process::{Process, own_processor_time};
use crate::report;
use crate::subscribe::subscribe;
use crate::target::{self, Target};
use crate::template::{Stamp, Templates, ack, packet_id};

/// How long nothing may arrive until what is under way counts as lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes that a publisher may have waiting for its socket until it makes no more.
const OUT_MAX: usize = 1024 * 1024;

/// Messages that were due and are published until what has arrived is read: who is late must not see to
/// nothing else.
const DUE_AT_ONCE_MAX: usize = 1000;

/// Subscribers that are connected at the same time where they are to go away: there may be more of
/// them than a program may have open files.
const SUBSCRIBERS_AT_ONCE: usize = 1000;

/// From one topic to the next, where a publisher walks over many: a prime, so that it comes to all
/// of them and never to neighbours one after the other.
const TOPIC_STEP: usize = 611_953;

/// The least Reason Code that says that something went wrong (MQTT 5.0 §2.4).
const ERROR_MIN: u8 = 0x80;

/// Messages from publishers to subscribers.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: target::Arguments,
    /// Clients that publish
    #[arg(long, default_value_t = 1)]
    publishers: usize,
    /// Clients that subscribe
    #[arg(long, default_value_t = 1)]
    subscribers: usize,
    /// Clients that subscribe like the others and then never read
    #[arg(long, default_value_t = 0)]
    deaf: usize,
    /// Subscribers have sessions that outlive their connections
    #[arg(long)]
    sessions: bool,
    /// Subscribers go away once they have subscribed: what is published waits for them, and an
    /// acknowledged message counts as delivered
    #[arg(long, requires = "sessions", requires = "qos")]
    offline: bool,
    /// Who gets what
    #[arg(long, value_enum, default_value_t = Topics::Same)]
    topics: Topics,
    /// Filters of each subscriber, for the topics `exact` and `wildcard`
    #[arg(long, default_value_t = 1)]
    filters: usize,
    /// Publish to the topics of so many subscribers only, for the topics `exact`
    #[arg(long)]
    active: Option<usize>,
    /// Publish to so many topics only, of those that the subscriptions are for
    #[arg(long)]
    published: Option<usize>,
    /// The subscribers of every second pair connect one place earlier, for topics of their `own`: where a
    /// broker gives its connections to two threads in turn, half of the pairs are on both
    #[arg(long)]
    mixed: bool,
    /// QoS of messages and of subscriptions
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// Bytes of each payload
    #[arg(long, default_value_t = 64)]
    payload: usize,
    /// Messages of one publisher that may be under way: sent, and not yet with all who get them, or
    /// not acknowledged
    #[arg(long, default_value_t = 500)]
    window: u32,
    /// Publish so many messages each second, all publishers together, and measure how long each
    /// takes from when it was due until it arrives
    #[arg(long)]
    rate: Option<u32>,
    /// Seconds that are measured
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Publish so many messages each publisher and no more
    #[arg(long)]
    messages: Option<u64>,
    /// Seconds before, which are not measured
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// The first level of all topics
    #[arg(long, default_value = "load")]
    prefix: String,
    /// Say so when messages flow and the measuring begins
    #[arg(long)]
    announce: bool,
}

/// Who gets what.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Topics {
    /// One topic: every subscriber gets everything
    Same,
    /// A topic for each publisher and its one subscriber
    Own,
    /// Topics of its own for each subscriber; each message goes to the next topic
    Exact,
    /// Filters with a wildcard, the same for all subscribers; each message matches one of each
    Wildcard,
}

impl Arguments {
    fn filter(&self, subscriber: usize, number: usize) -> String {
        let prefix = &self.prefix;
        match self.topics {
            Topics::Same => format!("{prefix}/all"),
            Topics::Own => format!("{prefix}/own/{:07}", self.partner(subscriber)),
            Topics::Exact => format!("{prefix}/exact/{subscriber:07}/{number:07}"),
            Topics::Wildcard => format!("{prefix}/wildcard/{number:07}/+"),
        }
    }

    /// The publisher whose messages a subscriber gets, for topics of their `own`.
    fn partner(&self, subscriber: usize) -> usize {
        let half = self.subscribers / 2;
        if !self.mixed || subscriber < half {
            return subscriber;
        }
        // Those of the second half, one further each.
        half + (subscriber + 1 - half) % (self.subscribers - half)
    }

    /// The topics that a publisher publishes to.
    fn topics(&self, publisher: usize) -> Vec<String> {
        let active = self.active.unwrap_or(self.subscribers).min(self.subscribers);
        match self.topics {
            Topics::Same => vec![self.filter(0, 0)],
            Topics::Own => vec![format!("{}/own/{publisher:07}", self.prefix)],
            Topics::Exact => (0..active)
                .flat_map(|subscriber| (0..self.filters).map(move |n| self.filter(subscriber, n)))
                .take(self.published.unwrap_or(usize::MAX))
                .collect(),
            Topics::Wildcard => {
                let topic = |n| format!("{}/wildcard/{n:07}/x", self.prefix);
                (0..self.filters).map(topic).collect()
            }
        }
    }

    /// At how many each message arrives.
    fn receivers(&self) -> u64 {
        match self.topics {
            _ if self.offline => 0,
            Topics::Same | Topics::Wildcard => self.subscribers as u64,
            Topics::Own | Topics::Exact => 1,
        }
    }

    /// How much is to be counted of so many messages.
    fn expected(&self, sent: u64) -> u64 {
        if self.offline { sent } else { sent.saturating_mul(self.receivers()) }
    }
}

/// One publisher: its messages, and how far each of them got.
struct Publisher {
    templates: Templates,
    next_topic: usize,
    sent: u64,
    acknowledged: u64,
    /// Arrivals of its messages at any subscriber.
    arrived: u64,
    /// Messages that nothing is waited for any more.
    given_up: u64,
}

impl Publisher {
    /// Messages that are not yet with all who get them, or not acknowledged.
    fn under_way(&self, receivers: u64, qos: QoS) -> u64 {
        let delivered = self.arrived.checked_div(receivers).unwrap_or(self.sent);
        let done =
            if qos == QoS::AtMostOnce { delivered } else { delivered.min(self.acknowledged) };
        self.sent.saturating_sub(done + self.given_up)
    }
}

/// A moment between which and another is measured.
struct Mark {
    time: Instant,
    delivered: u64,
    broker: Option<Duration>,
    own: Option<Duration>,
}

struct Flow<'a> {
    arguments: &'a Arguments,
    qos: QoS,
    publishers: Vec<Publisher>,
    /// The number of the message after the last one seen, of each publisher by each subscriber.
    seen: Vec<u32>,
    delivered: u64,
    /// Messages that came twice, or after a later one.
    unexpected: u64,
    start: Instant,
    latency: Histogram<u64>,
    is_measured: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Value> {
    let qos = QoS::from_u8(arguments.qos).context("QoS is 0, 1 or 2")?;
    if arguments.topics == Topics::Own {
        ensure!(
            arguments.publishers == arguments.subscribers,
            "where each publisher has its subscriber, there are as many of the one as of the other"
        );
    }
    let process = Process(arguments.target.pid);
    let resident_before = process.resident();
    let target = Target::new(&arguments.target)?;
    let mut fleet = Fleet::new(target)?;
    let (publishers, subscribers) = (arguments.publishers, arguments.subscribers);
    fleet.open(publishers, "publisher")?;
    fleet.keeps_sessions = arguments.sessions;
    let subscribed = open_subscribers(&mut fleet, arguments, qos)?;
    let mut flow = Flow {
        arguments,
        qos,
        publishers: (0..publishers)
            .map(|index| {
                let topics = arguments.topics(index);
                let templates =
                    Templates::new(fleet.target(), &topics, qos, false, arguments.payload)?;
                Ok(Publisher {
                    templates,
                    next_topic: 0,
                    sent: 0,
                    acknowledged: 0,
                    arrived: 0,
                    given_up: 0,
                })
            })
            .collect::<Result<_>>()?,
        seen: vec![0; publishers.saturating_mul(subscribers)],
        delivered: 0,
        unexpected: 0,
        start: Instant::now(),
        latency: report::histogram()?,
        is_measured: false,
    };
    flow.push(&mut fleet, Duration::from_secs_f64(arguments.warm_up))?;
    if arguments.announce {
        eprintln!("load: flowing");
    }
    flow.is_measured = true;
    let from = flow.mark(process);
    flow.push(&mut fleet, Duration::from_secs_f64(arguments.seconds))?;
    let to = flow.mark(process);
    flow.is_measured = false;
    flow.drain(&mut fleet)?;

    let sent: u64 = flow.publishers.iter().map(|publisher| publisher.sent).sum();
    let expected = arguments.expected(sent);
    let filters = subscribers.saturating_add(arguments.deaf).saturating_mul(arguments.filters);
    Ok(json!({
        "sent": sent,
        "expected": expected,
        "delivered": flow.delivered,
        "missing": expected.saturating_sub(flow.delivered),
        "unexpected": flow.unexpected,
        "measured": {
            "seconds": to.time.duration_since(from.time).as_secs_f64(),
            "delivered": to.delivered.saturating_sub(from.delivered),
            "broker_seconds": report::seconds_between(from.broker, to.broker),
            "generator_seconds": report::seconds_between(from.own, to.own),
        },
        "subscribing": {
            "filters": filters,
            "seconds": subscribed.as_secs_f64(),
        },
        "latency_us": report::latency(&flow.latency),
        "resident_before": resident_before,
        "resident": process.resident(),
    }))
}

/// Connects all subscribers, subscribes them, and has those go away who are to. Returns how long
/// subscribing took.
fn open_subscribers(fleet: &mut Fleet, arguments: &Arguments, qos: QoS) -> Result<Duration> {
    let publishers = fleet.len();
    let count = arguments.subscribers.saturating_add(arguments.deaf);
    let at_once = if arguments.offline { SUBSCRIBERS_AT_ONCE } else { count };
    let mut took = Duration::ZERO;
    for first in (0..count).step_by(at_once.max(1)) {
        fleet.open(at_once.min(count.saturating_sub(first)), "subscriber")?;
        let filter = |client: usize, number| arguments.filter(first + client, number);
        let clients = publishers..fleet.len();
        took += subscribe(fleet, clients, arguments.filters, qos, &filter)?;
        if arguments.offline {
            fleet.close_from(publishers);
        }
    }
    for index in publishers.saturating_add(arguments.subscribers)..fleet.len() {
        fleet.get(index)?.is_deaf = true;
    }
    Ok(took)
}

impl Flow<'_> {
    fn mark(&self, process: Process) -> Mark {
        Mark {
            broker: process.processor_time(),
            own: own_processor_time(),
            time: Instant::now(),
            delivered: self.delivered,
        }
    }

    /// Publishes for so long.
    fn push(&mut self, fleet: &mut Fleet, time: Duration) -> Result<()> {
        let start = Instant::now();
        let end = start + time;
        let mut last_arrival = start;
        let mut published = 0_u64;
        loop {
            let now = Instant::now();
            if now >= end || self.is_all_published() {
                return Ok(());
            }
            let timeout = match self.arguments.rate {
                Some(rate) => {
                    self.publish_what_is_due(fleet, start, rate, &mut published)?;
                    // Without a wait: on a core of its own it is there the moment something comes.
                    Duration::ZERO
                }
                None => {
                    self.fill(fleet)?;
                    Duration::from_millis(100)
                }
            };
            let before = self.delivered;
            self.turn(fleet, timeout)?;
            if self.delivered > before {
                last_arrival = now;
            } else if now.duration_since(last_arrival) > PATIENCE {
                // What was lost must not stop the rest; it is missing in the end.
                for publisher in &mut self.publishers {
                    publisher.given_up += publisher.under_way(self.arguments.receivers(), self.qos);
                }
                last_arrival = now;
            }
        }
    }

    /// Lets every publisher send as much as its window has room for.
    fn fill(&mut self, fleet: &mut Fleet) -> Result<()> {
        for index in 0..self.publishers.len() {
            let Some(publisher) = self.publishers.get(index) else { continue };
            let under_way = publisher.under_way(self.arguments.receivers(), self.qos);
            let room = u64::from(self.arguments.window).saturating_sub(under_way);
            let left = self.arguments.messages.map(|all| all.saturating_sub(publisher.sent));
            let room = left.map_or(room, |left| left.min(room));
            self.publish(fleet, index, room, 0)?;
        }
        Ok(())
    }

    /// Publishes what is due by now, each publisher in its turn.
    fn publish_what_is_due(
        &mut self,
        fleet: &mut Fleet,
        start: Instant,
        rate: u32,
        published: &mut u64,
    ) -> Result<()> {
        let interval = 1e9 / f64::from(rate);
        for _ in 0..DUE_AT_ONCE_MAX {
            let due = start + Duration::from_nanos((*published as f64 * interval) as u64);
            if due > Instant::now() {
                return Ok(());
            }
            let index = usize::try_from(*published)? % self.publishers.len().max(1);
            let time_ns = nanoseconds(due.saturating_duration_since(self.start));
            self.publish(fleet, index, 1, time_ns)?;
            *published += 1;
        }
        Ok(())
    }

    fn publish(&mut self, fleet: &mut Fleet, index: usize, count: u64, time_ns: u64) -> Result<()> {
        let Some(publisher) = self.publishers.get_mut(index) else { return Ok(()) };
        if count == 0 {
            return Ok(());
        }
        let connection = fleet.get(index)?;
        let room = OUT_MAX.saturating_sub(connection.out.len()) / publisher.templates.packet_len();
        let topics = publisher.templates.count();
        for _ in 0..count.min(room as u64) {
            let stamp = Stamp { publisher: index as u32, number: publisher.sent as u32, time_ns };
            let id = (publisher.sent % u64::from(u16::MAX)) as u16 + 1;
            publisher.templates.put(publisher.next_topic, id, stamp, connection.out.raw());
            publisher.next_topic = (publisher.next_topic + TOPIC_STEP) % topics;
            publisher.sent += 1;
        }
        connection.flush()
    }

    /// Waits until all has arrived, or nothing comes any more.
    fn drain(&mut self, fleet: &mut Fleet) -> Result<()> {
        let mut last_arrival = Instant::now();
        while last_arrival.elapsed() < PATIENCE && !self.is_done() {
            let before = self.delivered;
            self.turn(fleet, Duration::from_millis(100))?;
            if self.delivered > before {
                last_arrival = Instant::now();
            }
        }
        Ok(())
    }

    /// Whether as much is published as was asked for, and no end was.
    fn is_all_published(&self) -> bool {
        let is_done = |all| self.publishers.iter().all(|publisher| publisher.sent >= all);
        self.arguments.messages.is_some_and(is_done)
    }

    fn is_done(&self) -> bool {
        let sent: u64 = self.publishers.iter().map(|publisher| publisher.sent).sum();
        let acknowledged = |publisher: &Publisher| publisher.acknowledged == publisher.sent;
        self.delivered >= self.arguments.expected(sent)
            && (self.qos == QoS::AtMostOnce || self.publishers.iter().all(acknowledged))
    }

    fn turn(&mut self, fleet: &mut Fleet, timeout: Duration) -> Result<()> {
        fleet.turn(Some(timeout), &mut |index, header, packet, out| {
            if header.packet == PacketType::Publish {
                self.on_publish(index, header, packet, out)
            } else {
                self.on_other(index, header, packet, out)
            }
        })?;
        Ok(())
    }

    fn on_publish(
        &mut self,
        index: usize,
        header: FixedHeader,
        packet: &[u8],
        out: &mut Outbox,
    ) -> Result<()> {
        let qos = header.flags >> 1 & 0b11;
        if qos > 0 {
            let id = packet_id(header, packet).context("a PUBLISH without Packet Identifier")?;
            out.push_ack(if qos == 1 { PacketType::PubAck } else { PacketType::PubRec }, id);
        }
        let stamp = Stamp::read(packet, self.arguments.payload).context("a PUBLISH not of ours")?;
        let number = stamp.publisher as usize;
        let subscriber = index.checked_sub(self.publishers.len()).context("not a subscriber")?;
        let seen = self.seen.get_mut(subscriber * self.publishers.len() + number);
        let (Some(seen), Some(publisher)) = (seen, self.publishers.get_mut(number)) else {
            bail!("a PUBLISH that is not of this run");
        };
        if stamp.number < *seen {
            self.unexpected += 1;
            return Ok(());
        }
        *seen = stamp.number.saturating_add(1);
        publisher.arrived += 1;
        self.delivered += 1;
        if self.is_measured && self.arguments.rate.is_some() {
            let now = nanoseconds(self.start.elapsed());
            self.latency.saturating_record(now.saturating_sub(stamp.time_ns));
        }
        Ok(())
    }

    /// Acknowledgements, on the side of the publisher and on that of the subscriber.
    fn on_other(
        &mut self,
        index: usize,
        header: FixedHeader,
        packet: &[u8],
        out: &mut Outbox,
    ) -> Result<()> {
        let (id, code) = ack(header, packet).context("an acknowledgement without identifier")?;
        ensure!(code < ERROR_MIN, "the broker refused a message with code {code:#04x}");
        match header.packet {
            PacketType::PubAck | PacketType::PubComp => {
                let publisher = self.publishers.get_mut(index).context("not a publisher")?;
                publisher.acknowledged += 1;
                if self.arguments.offline {
                    self.delivered += 1;
                }
            }
            PacketType::PubRec => out.push_ack(PacketType::PubRel, id),
            PacketType::PubRel => out.push_ack(PacketType::PubComp, id),
            _ => bail!("{} came, which nobody waits for", header.packet),
        }
        Ok(())
    }
}
