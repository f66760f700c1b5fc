//! Many retained messages, and a client that subscribes to all of them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use codec::{Packet, PacketType, QoS};
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::process::Process;
use crate::report;
use crate::subscribe::subscription;
use crate::target::{self, Target};
use crate::template::{Stamp, Templates};

/// Retained messages that are under way to the broker.
const WINDOW: usize = 100;

/// How long nothing may arrive until the rest counts as missing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The flag of a PUBLISH that was there before the subscription (MQTT 5.0 §3.3.1.3).
const RETAIN: u8 = 0b0001;

/// Retained messages, and a client that subscribes to all of them.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: target::Arguments,
    /// Retained messages
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// Bytes of each payload
    #[arg(long, default_value_t = 64)]
    payload: usize,
    /// Subscribe again and again for so many seconds
    #[arg(long, default_value_t = 0.0)]
    seconds: f64,
    /// The first level of all topics
    #[arg(long, default_value = "retained")]
    prefix: String,
    /// Say so when the messages are there and the subscribing begins
    #[arg(long)]
    announce: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Value> {
    let process = Process(arguments.target.pid);
    let resident_before = process.resident();
    let target = Target::new(&arguments.target)?;
    let mut fleet = Fleet::new(target.clone())?;
    fleet.open(2, "retained")?;
    let topic = |n| format!("{}/{n:07}", arguments.prefix);
    let topics: Vec<_> = (0..arguments.count).map(topic).collect();
    let templates = Templates::new(&target, &topics, QoS::AtLeastOnce, true, arguments.payload)?;
    let kept = keep(&mut fleet, &templates)?;
    let resident = process.resident();

    if arguments.announce {
        eprintln!("load: flowing");
    }
    let before = process.processor_time();
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(arguments.seconds);
    let (mut expected, mut delivered) = (0, 0);
    let mut last = start;
    while expected == delivered && (expected == 0 || last < end) {
        expected += arguments.count;
        delivered += take(&mut fleet, arguments, &mut last)?;
    }
    Ok(json!({
        "expected": expected,
        "delivered": delivered,
        "missing": expected - delivered,
        "keeping_seconds": kept.as_secs_f64(),
        "measured": {
            "seconds": last.duration_since(start).as_secs_f64(),
            "delivered": delivered,
            "broker_seconds": report::seconds_between(before, process.processor_time()),
        },
        "resident_before": resident_before,
        "resident": resident,
    }))
}

/// Subscribes to everything, and returns how many of the messages have arrived; `last` is when the last did.
fn take(fleet: &mut Fleet, arguments: &Arguments, last: &mut Instant) -> Result<usize> {
    let subscriber = fleet.get(1)?;
    subscriber.out.push(&subscription([String::from("#")], QoS::AtMostOnce)?)?;
    subscriber.flush()?;
    let mut arrived = vec![false; arguments.count];
    let mut delivered = 0;
    *last = Instant::now();
    while delivered < arguments.count && last.elapsed() < PATIENCE {
        fleet.turn(Some(PATIENCE), &mut |_, header, packet, _| {
            // Any other message is somebody else's.
            if header.packet == PacketType::Publish && header.flags & RETAIN != 0 {
                let stamp = Stamp::read(packet, arguments.payload);
                let seen = stamp.and_then(|stamp| arrived.get_mut(stamp.number as usize));
                if let Some(seen) = seen.filter(|seen| !**seen) {
                    *seen = true;
                    delivered += 1;
                    *last = Instant::now();
                }
            }
            Ok(())
        })?;
    }
    Ok(delivered)
}

/// Publishes every message with QoS 1, so that the broker has them all in the end.
fn keep(fleet: &mut Fleet, templates: &Templates) -> Result<Duration> {
    let start = Instant::now();
    let target = fleet.target().clone();
    let (mut sent, mut acknowledged) = (0, 0);
    while acknowledged < templates.count() {
        let publisher = fleet.get(0)?;
        while sent < templates.count() && sent - acknowledged < WINDOW {
            let stamp = Stamp { publisher: 0, number: u32::try_from(sent)?, time_ns: 0 };
            let id = u16::try_from(sent % usize::from(u16::MAX))? + 1;
            templates.put(sent, id, stamp, publisher.out.raw());
            sent += 1;
        }
        publisher.flush()?;
        let happened = fleet.turn(Some(PATIENCE), &mut |_, _, packet, _| {
            let Packet::PubAck(ack) = Fleet::decode(&target, packet)? else {
                bail!("something else than PUBACK came");
            };
            ensure!(!ack.code.is_error(), "the broker refused a message: {:?}", ack.code);
            acknowledged += 1;
            Ok(())
        })?;
        ensure!(happened > 0, "{acknowledged} of {sent} retained messages were acknowledged");
    }
    Ok(start.elapsed())
}
