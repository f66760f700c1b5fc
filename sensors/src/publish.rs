//! From messages to where they go: standard output for a dry run, a broker once, or round after
//! round until somebody stops the program.

use crate::broker::{Connection, Lost, Message, Settings};
use crate::report::{Failure, say};
use std::borrow::Borrow;
use std::io::{self, Write};
use std::time::Duration;
use tokio::time::{self, MissedTickBehavior};

/// One line for each message: the topic, a space, the payload.
pub(crate) fn print(messages: &[Message]) -> Result<(), Failure> {
    let mut lines = String::new();
    for message in messages {
        lines.push_str(&message.topic);
        lines.push(' ');
        lines.push_str(&message.payload);
        lines.push('\n');
    }
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(lines.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::new(format!("Cannot write to standard output: {error}.")))
}

/// Publishes one round, waits until the broker has acknowledged all of it, and says goodbye.
///
/// The round is asked for once there is somebody to take it. Its messages should have QoS 1 at
/// least: the broker acknowledges nothing of QoS 0.
pub(crate) async fn publish_once<I: IntoIterator<Item = Message>>(
    settings: &Settings,
    round: impl AsyncFnOnce() -> Result<I, Failure>,
) -> Result<(), Failure> {
    let address = &settings.address;
    let mut connection = Connection::open(settings).await.map_err(|lost| {
        Failure::new(format!("Cannot connect to the broker at {address}: {lost}."))
    })?;
    let messages = round().await?;
    let lost = |lost: Lost| Failure::new(format!("Lost the broker at {address}: {lost}."));
    let arrived = publish_all(&mut connection, messages).await;
    if let Some(refusal) = connection.refused() {
        return Err(Failure::new(format!(
            "The broker at {address} refused to take the readings: {refusal}."
        )));
    }
    let count = arrived.map_err(lost)?;
    connection.close().await;
    if settings.verbose {
        say!("Published {count} readings to {address}.");
    }
    Ok(())
}

/// Publishes messages and waits until they have arrived, as far as their QoS can tell; says how many they
/// were.
pub(crate) async fn publish_all(
    connection: &mut Connection,
    messages: impl IntoIterator<Item = impl Borrow<Message>>,
) -> Result<usize, Lost> {
    let mut count = 0_usize;
    for message in messages {
        connection.publish(message.borrow()).await?;
        count = count.saturating_add(1);
    }
    connection.settled().await?;
    Ok(count)
}

/// The first tick comes at once. When a round took too long, the next one waits its full time:
/// a machine that is slow is not helped by measuring it more often.
pub(crate) fn ticks(interval: Duration) -> time::Interval {
    let mut ticks = time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Becomes ready when the person or the system asks the program to stop.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let cannot =
        |error: io::Error| Failure::new(format!("Cannot wait for a signal to stop: {error}."));
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().map_err(cannot)?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}
