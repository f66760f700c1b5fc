//! `sensors sim`: sensors that look real, from a seed, in any number and at a given rate.
//!
//! `signal.rs` is what a sensor shows at a moment, `kinds.rs` the devices there are, `fleet.rs` whose
//! turn it is, `pace.rs` when, `tally.rs` what became of it. All of those are pure; here they meet
//! the clock and the broker.

mod arguments;
mod device;
mod fleet;
mod kinds;
mod pace;
mod signal;
mod tally;

pub(crate) use arguments::{EXAMPLES, SimArguments};

use crate::broker::{self, Connection, Lost, Message, Presence, Qos, Settings};
use crate::publish::{print, publish_once, stop_signal};
use crate::report::{Failure, say};
use fleet::Fleet;
use pace::Pace;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;
use tally::Tally;
use tokio::time::{self, Instant};

/// Between two looks at what is due: at high rates, messages go out in batches of this length.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Lines of a dry run that are written at once.
const LINES_AT_ONCE: usize = 1_000;
/// Longer than anybody waits for a message; adding more to a time might be too much for it.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Publishes until told to stop, or once.
pub(crate) async fn run(arguments: &SimArguments) -> Result<(), Failure> {
    let publishing = &arguments.publishing;
    let root = &arguments.prefix;
    let once = publishing.once || arguments.clear;
    // One round must not take the place of a program that stays.
    let role = if once { "once" } else { "on" };
    let client_id = format!("sensors-sim-{role}-{}", root.replace('/', "-"));
    let presence = (!once).then(|| Presence::in_words(format!("{root}/status")));
    let settings = arguments.broker.settings(client_id, presence, publishing.verbose)?;

    let (seed, start) = arguments.origin();
    let qos = if once { publishing.qos.max(Qos::AtLeastOnce) } else { publishing.qos };
    let simulation = &mut Simulation {
        fleet: Fleet::new(seed, arguments.topics, root, qos, !arguments.no_drop_outs),
        pace: Pace::new(arguments.rate()),
        tally: Tally::default(),
        start_s: start.as_second() as f64,
        speed: arguments.speed,
        started: Instant::now(),
        verbose: publishing.verbose,
        said_refused: None,
    };
    if publishing.verbose || !once {
        say!(
            "Simulating {} topics of {} devices below {root}, {} messages a second: --seed {seed} \
             --start {start}.",
            arguments.topics,
            simulation.fleet.devices(),
            arguments.rate(),
        );
    }
    match (publishing.dry_run, once) {
        (true, true) if arguments.clear => print_all(simulation.cleared(root)),
        (true, true) => print_all(simulation.round()),
        (true, false) => simulation.print(&settings).await,
        (false, true) if arguments.clear => {
            publish_once(&settings, async move || Ok(simulation.cleared(root))).await
        }
        (false, true) => publish_once(&settings, async move || Ok(simulation.round())).await,
        (false, false) => simulation.publish(&settings).await,
    }
}

/// Prints some lines at a time.
fn print_all(messages: impl Iterator<Item = Message>) -> Result<(), Failure> {
    let mut messages = messages.peekable();
    while messages.peek().is_some() {
        let lines: Vec<_> = messages.by_ref().take(LINES_AT_ONCE).collect();
        print(&lines)?;
    }
    Ok(())
}

/// The fleet and its time.
struct Simulation {
    fleet: Fleet,
    pace: Pace,
    tally: Tally,
    /// Simulated time at the start, in seconds since 1970, and how fast it passes.
    start_s: f64,
    speed: f64,
    /// When the program started.
    started: Instant,
    verbose: bool,
    said_refused: Option<String>,
}

impl Simulation {
    /// The message of this number, at its moment, if somebody has something to say.
    fn message(&mut self, number: u64) -> Option<Message> {
        let moment = self.pace.moment(number).as_secs_f64();
        self.fleet.next(self.start_s + moment * self.speed)
    }

    /// Everything once, at the moments that the rate gives it.
    fn round(&mut self) -> impl Iterator<Item = Message> {
        let mut number = 0;
        std::iter::from_fn(move || {
            if self.fleet.round_is_over() {
                return None;
            }
            let message = self.message(number);
            number += 1;
            message
        })
    }

    /// Nothing, in place of everything that a broker keeps (MQTT 5.0 §3.3.1.3).
    fn cleared(&mut self, root: &str) -> impl Iterator<Item = Message> {
        let qos = Qos::AtLeastOnce;
        let status = Message::retained(format!("{root}/status"), "", qos);
        let kept = self.round().filter(|message| message.retain);
        kept.map(move |message| Message::retained(message.topic, "", qos)).chain([status])
    }

    async fn print(&mut self, settings: &Settings) -> Result<(), Failure> {
        let mut stop = pin!(stop_signal()?);
        print(settings.online().as_slice())?;
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = self.until_due() => {}
            }
            let due = self.pace.due(self.started.elapsed());
            print_all(due.filter_map(|number| {
                let message = self.message(number)?;
                self.tally.published();
                Some(message)
            }))?;
            self.look();
        }
        print(settings.offline().as_slice())?;
        self.say_sum();
        Ok(())
    }

    async fn publish(&mut self, settings: &Settings) -> Result<(), Failure> {
        let stop = stop_signal()?;
        let mut is_first = true;
        broker::keep_connected(settings, stop, async |connection| {
            self.connected(std::mem::take(&mut is_first));
            loop {
                tokio::select! {
                    lost = connection.lost() => return Err::<Infallible, Lost>(lost),
                    () = self.until_due() => {}
                }
                self.publish_due(connection).await?;
                self.say_refused(settings, connection);
                self.look();
            }
        })
        .await;
        self.say_sum();
        Ok(())
    }

    /// The time without a connection is nobody's delay, and a broker that was away may have
    /// forgotten what it was told to keep.
    fn connected(&mut self, is_first: bool) {
        let elapsed = self.started.elapsed();
        if is_first {
            self.started = Instant::now();
        } else {
            self.pace.skip(elapsed);
            self.fleet.start_over();
            self.tally.begin(elapsed, self.pace.left_out());
        }
    }

    async fn publish_due(&mut self, connection: &mut Connection) -> Result<(), Lost> {
        for number in self.pace.due(self.started.elapsed()) {
            if let Some(message) = self.message(number) {
                connection.publish(&message).await?;
                self.tally.published();
            }
        }
        Ok(())
    }

    async fn until_due(&self) {
        let next =
            (self.started + self.pace.next_at().min(FAR_AWAY)).max(Instant::now() + LOOK_AGAIN);
        time::sleep_until(next).await;
    }

    fn look(&mut self) {
        let elapsed = self.started.elapsed();
        if elapsed >= self.tally.next_look()
            && let Some(sentence) = self.tally.look(elapsed, self.pace.left_out(), self.verbose)
        {
            say!("{sentence}");
        }
    }

    fn say_sum(&self) {
        say!("{}", self.tally.sum(self.started.elapsed(), self.pace.left_out()));
    }

    fn say_refused(&mut self, settings: &Settings, connection: &Connection) {
        let refused = connection.refused();
        if let Some(refusal) = &refused
            && self.said_refused != refused
        {
            say!("The broker at {} refuses to take readings: {refusal}.", settings.address);
            self.said_refused = refused;
        }
    }
}
