//! Subscribes many clients to many filters, and waits for every SUBACK.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use codec::{
    Packet, PacketId, Properties, QoS, Subscribe, Subscription, SubscriptionOptions, TopicFilter,
};

use crate::fleet::Fleet;

/// Filters in one SUBSCRIBE.
const FILTERS_PER_PACKET: usize = 100;

/// How long the broker may take for one SUBACK.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Subscribes each of `clients` to `count` filters, each client with one SUBSCRIBE under way.
/// Returns how long it took.
pub(crate) fn subscribe(
    fleet: &mut Fleet,
    clients: std::ops::Range<usize>,
    count: usize,
    qos: QoS,
    filter: &dyn Fn(usize, usize) -> String,
) -> Result<Duration> {
    let start = Instant::now();
    let packet = |client: usize, from: usize| {
        let to = count.min(from.saturating_add(FILTERS_PER_PACKET));
        subscription((from..to).map(|number| filter(client, number)), qos)
    };
    // How many filters of each client have been answered.
    let mut done = vec![0; clients.len()];
    let mut missing = clients.len();
    for index in clients.clone() {
        let connection = fleet.get(index)?;
        connection.out.push(&packet(index - clients.start, 0)?)?;
        connection.flush()?;
    }
    let target = fleet.target().clone();
    while missing > 0 {
        let happened = fleet.turn(Some(SILENCE_MAX), &mut |index, _, bytes, out| {
            let Packet::SubAck(suback) = Fleet::decode(&target, bytes)? else {
                bail!("something else than SUBACK came");
            };
            let refused = suback.codes.iter().find(|code| code.granted_qos() != Some(qos));
            ensure!(refused.is_none(), "the broker refused a subscription: {refused:?}");
            let client = index.checked_sub(clients.start);
            let Some(done) = client.and_then(|client| done.get_mut(client)) else {
                bail!("a SUBACK for a client that did not subscribe");
            };
            *done += suback.codes.len();
            if *done < count {
                out.push(&packet(index - clients.start, *done)?)?;
            } else {
                missing -= 1;
            }
            Ok(())
        })?;
        ensure!(happened > 0, "{missing} clients wait for a SUBACK, and nothing comes");
    }
    Ok(start.elapsed())
}

/// One SUBSCRIBE.
pub(crate) fn subscription(filters: impl IntoIterator<Item = String>, qos: QoS) -> Result<Packet> {
    let mut subscriptions = Vec::new();
    for filter in filters {
        let filter = TopicFilter::new(&filter)?;
        subscriptions.push(Subscription { filter, options: SubscriptionOptions::with_qos(qos) });
    }
    Ok(Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        properties: Properties::EMPTY,
        subscriptions,
    }))
}
