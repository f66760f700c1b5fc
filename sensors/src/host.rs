//! `sensors host`: this machine's own readings, round after round.

mod readings;
mod snapshot;

use crate::broker::{self, Connection, Lost, Message, Presence, Qos, Settings};
use crate::cli::HostArguments;
use crate::publish::{print, publish_all, publish_once, stop_signal, ticks};
use crate::reading::topic_level;
use crate::report::{Failure, say};
use snapshot::{Machine, SNAPSHOT_INTERVAL_MIN, machine_name};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{self, Instant};

/// The first round measures loads and rates over this time.
const FIRST_MEASUREMENT: Duration = Duration::from_millis(500);

/// Publishes until told to stop, or once.
pub(crate) async fn run(arguments: &HostArguments) -> Result<(), Failure> {
    let publishing = &arguments.publishing;
    let name = arguments.name.clone().or_else(machine_name).unwrap_or_default();
    let name = topic_level(&name);
    let root = format!("{}/{name}", arguments.prefix);
    let client_id = format!("{}-host-{name}", arguments.prefix.replace('/', "-"));
    let presence = (!publishing.once).then(|| Presence::in_words(format!("{root}/status")));
    let settings = arguments.broker.settings(client_id, presence, publishing.verbose)?;

    let mut rounds = Rounds::new(root, publishing.qos)?;
    match (publishing.dry_run, publishing.once) {
        (true, true) => print_round(&mut rounds).await,
        (true, false) => print_rounds(&mut rounds, &settings, arguments.interval).await,
        (false, true) => {
            rounds.qos = rounds.qos.max(Qos::AtLeastOnce);
            publish_once(&settings, async || Ok(rounds.next().await)).await
        }
        (false, false) => publish_rounds(&mut rounds, &settings, arguments.interval).await,
    }
}

/// Turns what this machine says into messages.
struct Rounds {
    machine: Machine,
    /// The topic that all readings are below.
    root: String,
    qos: Qos,
    /// What the broker may still hold a retained message for.
    published: BTreeSet<String>,
    /// Before this the machine has nothing new to say.
    ready: Instant,
}

impl Rounds {
    fn new(root: String, qos: Qos) -> Result<Self, Failure> {
        Ok(Self {
            machine: Machine::new()?,
            root,
            qos,
            published: BTreeSet::new(),
            ready: Instant::now() + FIRST_MEASUREMENT,
        })
    }

    /// The next round of messages. What is gone since the round before, such as a disk that was
    /// unplugged, gets an empty message, which makes the broker forget it.
    async fn next(&mut self) -> Vec<Message> {
        time::sleep_until(self.ready).await;
        let snapshot = self.machine.snapshot();
        self.ready = Instant::now() + SNAPSHOT_INTERVAL_MIN;
        let mut messages: Vec<_> = readings::readings(&snapshot)
            .into_iter()
            .map(|reading| reading.message(&self.root, self.qos))
            .collect();
        let gone = forget(&mut self.published, &messages);
        messages.extend(gone.into_iter().map(|topic| Message::retained(topic, "", self.qos)));
        messages
    }

    /// The broker has this round.
    fn arrived(&mut self, messages: &[Message]) {
        self.published.retain(|topic| {
            !messages.iter().any(|message| &message.topic == topic && message.payload.is_empty())
        });
    }
}

/// The topics that were published and no longer have a message; notes those that have one.
fn forget(published: &mut BTreeSet<String>, messages: &[Message]) -> Vec<String> {
    let current: BTreeSet<_> = messages.iter().map(|message| message.topic.clone()).collect();
    let gone = published.difference(&current).cloned().collect();
    published.extend(current);
    gone
}

async fn print_round(rounds: &mut Rounds) -> Result<(), Failure> {
    print(&rounds.next().await)
}

async fn print_rounds(
    rounds: &mut Rounds,
    settings: &Settings,
    interval: Duration,
) -> Result<(), Failure> {
    let mut stop = pin!(stop_signal()?);
    print(settings.online().as_slice())?;
    let mut ticks = ticks(interval);
    loop {
        let messages = tokio::select! {
            () = &mut stop => return print(settings.offline().as_slice()),
            messages = async { ticks.tick().await; rounds.next().await } => messages,
        };
        print(&messages)?;
        rounds.arrived(&messages);
    }
}

async fn publish_rounds(
    rounds: &mut Rounds,
    settings: &Settings,
    interval: Duration,
) -> Result<(), Failure> {
    let stop = stop_signal()?;
    let every = humantime::format_duration(interval);
    say!("Publishing this machine's readings below {} every {every}.", rounds.root);
    let mut said_refused = None;
    broker::keep_connected(settings, stop, async |connection| {
        let mut ticks = ticks(interval);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                lost = connection.lost() => return Err::<Infallible, Lost>(lost),
            }
            publish_next(rounds, settings, connection, &mut said_refused).await?;
        }
    })
    .await;
    Ok(())
}

async fn publish_next(
    rounds: &mut Rounds,
    settings: &Settings,
    connection: &mut Connection,
    said_refused: &mut Option<String>,
) -> Result<(), Lost> {
    let messages = rounds.next().await;
    publish_all(connection, &messages).await?;
    rounds.arrived(&messages);
    let refused = connection.refused();
    if let Some(refusal) = &refused
        && *said_refused != refused
    {
        say!("The broker at {} refuses to take readings: {refusal}.", settings.address);
        *said_refused = refused;
    } else if settings.verbose {
        say!("Published {} readings.", messages.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds() -> Rounds {
        Rounds::new("sensors/box".to_owned(), Qos::AtMostOnce).unwrap()
    }

    fn empty(messages: &[Message]) -> Vec<&str> {
        messages.iter().filter(|m| m.payload.is_empty()).map(|m| m.topic.as_str()).collect()
    }

    #[tokio::test]
    async fn what_is_gone_is_cleared_until_the_broker_has_it() {
        let mut rounds = rounds();
        let unplugged = "sensors/box/disk/stick/used";
        rounds.published.insert(unplugged.to_owned());

        let lost_on_the_way = rounds.next().await;
        assert_eq!(empty(&lost_on_the_way), [unplugged]);

        let arrived = rounds.next().await;
        assert_eq!(empty(&arrived), [unplugged]);
        rounds.arrived(&arrived);

        assert_eq!(empty(&rounds.next().await), [""; 0]);
    }
}
