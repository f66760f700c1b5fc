//! `sensors http`: values out of any JSON that can be had over HTTP(S), as a small file says.
//!
//! `file.rs` is that file, `pointer.rs` and `value.rs` are the way from an answer to payloads, `ask.rs`
//! is a source with its patience, and `notes.rs` what a person is told about it.

mod arguments;
mod ask;
mod file;
mod notes;
mod pointer;
mod value;

pub(crate) use arguments::{EXAMPLES, HttpArguments};

use crate::board::Board;
use crate::broker::{self, Lost, Message, Presence, Qos, Settings};
use crate::publish::{print, publish_all, publish_once, stop_signal};
use crate::report::{Failure, say};
use ask::{Asking, Manner, Wait};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

/// Sources do not begin all at once.
const BETWEEN_SOURCES: Duration = Duration::from_millis(200);

/// Publishes until told to stop, or once.
pub(crate) async fn run(arguments: &HttpArguments) -> Result<(), Failure> {
    let publishing = &arguments.publishing;
    let prefix = arguments.prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
    let presence = (!publishing.once).then(|| Presence::in_words(format!("{prefix}http/status")));
    // One round from a timer must not take the place of a program that stays.
    let role = if publishing.once { "http-once" } else { "http" };
    let client_id = format!("sensors-{}{role}", prefix.replace('/', "-"));
    let settings = arguments.broker.settings(client_id, presence, publishing.verbose)?;

    let qos = if publishing.once { publishing.qos.max(Qos::AtLeastOnce) } else { publishing.qos };
    let manner = Manner { prefix, qos, verbose: publishing.verbose };
    let sources = file::read(&arguments.file)?;
    let askings = sources.into_iter().map(|source| Asking::new(source, manner.clone()));
    let askings = askings.collect::<Result<Vec<_>, _>>()?;
    match (publishing.dry_run, publishing.once) {
        (true, true) => print(&round(askings).await?),
        (true, false) => print_rounds(askings, &settings).await,
        (false, true) => publish_once(&settings, async || round(askings).await).await,
        (false, false) => publish_rounds(askings, &settings).await,
    }
}

/// Every source once, all at the same time. What fails is said; it is a failure when nothing is left
/// to be published.
async fn round(askings: Vec<Asking>) -> Result<Vec<Message>, Failure> {
    let mut tasks = JoinSet::new();
    for (place, mut asking) in askings.into_iter().enumerate() {
        tasks.spawn(async move { (place, asking.once().await) });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    let mut messages = Vec::new();
    let mut failures = Vec::new();
    for (_, answer) in answers {
        match answer {
            Ok(readings) => messages.extend(readings),
            Err(failure) => failures.push(failure),
        }
    }
    if messages.is_empty() && failures.len() == 1 {
        return failures.pop().map_or(Ok(messages), Err);
    }
    for failure in &failures {
        say!("{failure}");
    }
    if messages.is_empty() {
        return Err(Failure::new("No source has a value to publish."));
    }
    Ok(messages)
}

/// The sources at work, each at its own pace, and what they say.
struct Sources {
    said: Arc<Said>,
    /// They end with this.
    _tasks: JoinSet<()>,
}

/// What sources have said.
#[derive(Default)]
struct Said {
    board: Mutex<Board>,
    /// There is something new on the board.
    news: Notify,
}

impl Said {
    fn board(&self) -> MutexGuard<'_, Board> {
        // No board is left half changed.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources {
    fn start(askings: Vec<Asking>) -> Self {
        let said = Arc::new(Said::default());
        let mut tasks = JoinSet::new();
        for (asking, place) in askings.into_iter().zip(0..) {
            tasks.spawn(keep_asking(asking, BETWEEN_SOURCES * place, Arc::clone(&said)));
        }
        Self { said, _tasks: tasks }
    }

    fn fresh(&self) -> Vec<Message> {
        self.said.board().fresh(Instant::now())
    }

    fn arrived(&self, messages: &[Message]) {
        self.said.board().arrived(messages);
    }
}

async fn keep_asking(mut asking: Asking, begin_after: Duration, said: Arc<Said>) {
    time::sleep(begin_after).await;
    loop {
        let asked = Instant::now();
        let (mut messages, wait) = asking.next().await;
        messages.push(asking.status());
        said.board().put(messages, Instant::now());
        said.news.notify_one();
        match wait {
            Wait::Interval(interval) => time::sleep_until(asked + interval).await,
            Wait::Pause(pause) => time::sleep(pause).await,
        }
    }
}

async fn print_rounds(askings: Vec<Asking>, settings: &Settings) -> Result<(), Failure> {
    let mut stop = pin!(stop_signal()?);
    print(settings.online().as_slice())?;
    let sources = Sources::start(askings);
    loop {
        tokio::select! {
            () = &mut stop => return print(settings.offline().as_slice()),
            () = sources.said.news.notified() => {}
        }
        let messages = sources.fresh();
        print(&messages)?;
        sources.arrived(&messages);
    }
}

async fn publish_rounds(askings: Vec<Asking>, settings: &Settings) -> Result<(), Failure> {
    let stop = stop_signal()?;
    match askings.len() {
        1 => say!("Publishing what 1 source says."),
        sources => say!("Publishing what {sources} sources say."),
    }
    let sources = Sources::start(askings);
    let mut said_refused = None;
    broker::keep_connected(settings, stop, async |connection| {
        // A broker that was away may have forgotten what it was told to keep.
        sources.said.board().all_again();
        loop {
            let messages = sources.fresh();
            publish_all(connection, &messages).await?;
            let refused = connection.refused();
            match &refused {
                None => sources.arrived(&messages),
                Some(refusal) if said_refused != refused => {
                    let address = &settings.address;
                    say!("The broker at {address} refuses to take readings: {refusal}.");
                    said_refused = refused;
                }
                Some(_) => {}
            }
            tokio::select! {
                lost = connection.lost() => return Err::<Infallible, Lost>(lost),
                () = sources.said.news.notified() => {}
            }
        }
    })
    .await;
    Ok(())
}
