//! Readings of many sensors at a rate, whoever gets them: what a page shows while it is measured.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::BytesMut;
use codec::{Disconnect, Packet, Properties, ProtocolVersion, Publish, ReasonCode, TopicName};
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::target::{self, Target};

/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(5);

/// Bytes that are handed to the socket at once; more are made when it has taken them.
const OUT_MAX: usize = 256 * 1024;

/// So many readings differ at least. There are a few more, so that no sensor always says the same.
const READINGS_MIN: usize = 10_000;
const READINGS_MORE: usize = 7;

/// Readings of many sensors at a rate, whoever gets them.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: target::Arguments,
    /// Sensors, each with a topic of its own
    #[arg(long, default_value_t = 1_000)]
    sensors: usize,
    /// Readings each second, of all sensors together
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// Seconds for which they are due; what the broker does not take in time is sent later
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The broker keeps the last reading of each sensor
    #[arg(long)]
    retain: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Value> {
    let target = Target::new(&arguments.target)?;
    let packets = packets(arguments, target.version)?;
    let mut fleet = Fleet::new(target)?;
    fleet.open(1, "readings")?;
    let all = (f64::from(arguments.rate) * arguments.seconds).round() as u64;
    let mut next = packets.iter().cycle();
    let mut sent = 0_u64;
    let start = Instant::now();
    loop {
        let due = (start.elapsed().as_secs_f64() * f64::from(arguments.rate)) as u64;
        let publisher = fleet.get(0)?;
        if publisher.out.is_empty() {
            if sent == all {
                break;
            }
            while sent < due.min(all)
                && publisher.out.len() < OUT_MAX
                && let Some(packet) = next.next()
            {
                publisher.out.push_encoded(packet);
                sent += 1;
            }
            publisher.flush()?;
        }
        let is_late = publisher.out.is_empty() && sent < due.min(all);
        let wait = if is_late { Duration::ZERO } else { TICK };
        fleet.turn(Some(wait), &mut |_, _, _, _| Ok(()))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let goodbye = Disconnect { code: ReasonCode::Success, properties: Properties::EMPTY };
    let publisher = fleet.get(0)?;
    publisher.out.push(&Packet::Disconnect(goodbye))?;
    publisher.flush()?;
    Ok(json!({ "sent": sent, "seconds": seconds }))
}

/// What is sent, again and again: the readings of all sensors in turn.
fn packets(arguments: &Arguments, version: ProtocolVersion) -> Result<Vec<BytesMut>> {
    let count = arguments.sensors.max(READINGS_MIN) + READINGS_MORE;
    let packet = |n: usize| {
        let sensor = n % arguments.sensors.max(1);
        let topic = TopicName::new(&format!("bench/{}/sensor-{sensor}", sensor % 100))?;
        let payload = format!("{:.2}", 20.0 + (n % 1_000) as f64 / 100.0);
        let mut publish = Publish::new(topic, payload);
        publish.retain = arguments.retain;
        let mut packet = BytesMut::new();
        Packet::Publish(publish).encode(version, &mut packet)?;
        Ok(packet)
    };
    (0..count).map(packet).collect()
}
