//! `sensors aemet`: the weather of Spain, as its official service AEMET OpenData has it.
//!
//! Two loops run beside each other. One asks the service, as often as the [`schedule`] says, and puts
//! what it says on the [`Board`]; the other publishes what is new there, and all of it to a broker
//! that has come back. So neither's outage is the other's.

mod arguments;
mod figures;
mod forecast;
mod observation;
mod places;
mod schedule;
mod service;
mod status;

use crate::board::Board;
use crate::broker::{self, Lost, Message, Presence, Qos, Settings};
use crate::fetch::Problem;
use crate::publish::{print, publish_all, publish_once, stop_signal};
use crate::report::{Failure, say};
use arguments::Inventory;
pub(crate) use arguments::{AemetArguments, EXAMPLES};
use forecast::{Forecast, Product, documents};
use jiff::Timestamp;
use observation::Observation;
use schedule::{Schedule, Source};
use service::{Service, advised};
use status::Status;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::pin::pin;
use tokio::sync::Notify;
use tokio::time::{self, Instant};

/// Whose data it is; the service asks to be named.
const SOURCE: &str = "© AEMET";

/// Publishes until told to stop, or once; or lists codes.
pub(crate) async fn run(arguments: &AemetArguments) -> Result<(), Failure> {
    let publishing = &arguments.publishing;
    if let Some(inventory) = &arguments.inventory {
        return list(inventory, &arguments.service.service(publishing.verbose)?).await;
    }
    let sources = sources(arguments)?;
    let service = arguments.service.service(publishing.verbose)?;
    let root = &arguments.prefix;
    let qos = if publishing.once { publishing.qos.max(Qos::AtLeastOnce) } else { publishing.qos };
    // One round from a timer must not take the place of a program that stays.
    let role = if publishing.once { "aemet-once" } else { "aemet" };
    let client_id = format!("{}-{role}", root.replace('/', "-"));
    let status_topic = format!("{root}/status");
    let presence = Presence { topic: status_topic, online: None, offline: Status::offline() };
    let presence = (!publishing.once).then_some(presence);
    let settings = arguments.broker.settings(client_id, presence, publishing.verbose)?;
    let weather = Weather::new(service, sources, root.clone(), qos, publishing.verbose);
    match (publishing.dry_run, publishing.once) {
        (true, true) => print_once(&weather).await?,
        (true, false) => print_on(&weather, &settings).await?,
        (false, true) => {
            publish_once(&settings, async || Ok(weather.once().await)).await?;
            weather.arrived(&weather.fresh());
        }
        (false, false) => publish_on(&weather, &settings).await?,
    }
    weather.outcome()
}

async fn list(inventory: &Inventory, service: &Service) -> Result<(), Failure> {
    let lines = match inventory {
        Inventory::Stations { near, count } => places::stations(service, *near, *count).await?,
        Inventory::Municipalities { name } => {
            places::municipalities(service, &name.join(" ")).await?
        }
    };
    io::stdout()
        .write_all(lines.as_bytes())
        .map_err(|error| Failure::new(format!("Cannot write to standard output: {error}.")))
}

/// What the command line asks for, each once.
fn sources(arguments: &AemetArguments) -> Result<Vec<Source>, Failure> {
    let stations = arguments.stations.iter().cloned().map(Source::Station);
    let forecasts = arguments.municipalities.iter().flat_map(|code| {
        [Product::Daily, Product::Hourly].map(|product| Source::Forecast(product, code.clone()))
    });
    let mut seen = BTreeSet::new();
    let sources: Vec<_> =
        stations.chain(forecasts).filter(|source| seen.insert(source.clone())).collect();
    if sources.is_empty() {
        return Err(Failure::usage(
            "Nothing to ask for: name a station, a municipality, or more, such as --station 3195 \
             --municipality 28079. `sensors aemet stations` and `sensors aemet municipalities` help \
             to find the codes.",
        ));
    }
    Ok(sources)
}

/// The service's side: asks, and keeps what it said.
struct Weather {
    service: Service,
    sources: Vec<Source>,
    root: String,
    qos: Qos,
    verbose: bool,
    known: RefCell<Known>,
    /// There is something new on the board.
    news: Notify,
}

/// What has been said so far.
struct Known {
    board: Board,
    status: Status,
    forecasts: BTreeMap<String, BTreeMap<Product, Forecast>>,
    /// The time of each station's last observation.
    observed: BTreeMap<String, Timestamp>,
    /// Readings have reached the broker, or standard output.
    has_published: bool,
}

impl Weather {
    fn new(service: Service, sources: Vec<Source>, root: String, qos: Qos, verbose: bool) -> Self {
        let known = Known {
            board: Board::default(),
            status: Status::new(sources.iter().cloned()),
            forecasts: BTreeMap::new(),
            observed: BTreeMap::new(),
            has_published: false,
        };
        let weather = Self {
            service,
            sources,
            root,
            qos,
            verbose,
            known: RefCell::new(known),
            news: Notify::new(),
        };
        weather.tell_status();
        weather
    }

    /// Asks for each source until it is answered or given up: all there is to publish.
    async fn once(&self) -> Vec<Message> {
        self.ask(true).await;
        self.fresh()
    }

    /// Asks for each source, again and again or `once`; then ends when each was answered or given up.
    async fn ask(&self, once: bool) {
        let mut schedule = Schedule::new(self.sources.iter().cloned(), once, Instant::now());
        while let Some((source, at)) = schedule.next() {
            time::sleep_until(at).await;
            schedule.asked(&source, Instant::now());
            let taken = match self.fetch(&source).await {
                Ok(data) => self.take(&source, &data),
                Err(problem) => Err(problem),
            };
            match taken {
                Ok(()) => schedule.answered(&source, Instant::now(), fastrand::f64()),
                Err(problem) => {
                    let now = Instant::now();
                    let again = schedule.failed(&source, &problem, now, fastrand::f64());
                    self.say_failed(&source, &problem, again);
                }
            }
            self.tell_status();
        }
    }

    async fn fetch(&self, source: &Source) -> Result<serde_json::Value, Problem> {
        match source {
            Source::Station(station) => {
                let path = ["api", "observacion", "convencional", "datos", "estacion", station];
                self.service.data(&path).await
            }
            Source::Forecast(product, code) => {
                let product = match product {
                    Product::Daily => "diaria",
                    Product::Hourly => "horaria",
                };
                let path = ["api", "prediccion", "especifica", "municipio", product, code];
                self.service.data(&path).await
            }
        }
    }

    /// Puts an answer on the board.
    fn take(&self, source: &Source, data: &serde_json::Value) -> Result<(), Problem> {
        let (now, clock) = (Instant::now(), Timestamp::now());
        let mut known = self.known.borrow_mut();
        let known = &mut *known;
        let left_out = match source {
            Source::Station(station) => {
                let observation = Observation::latest(station, data)?;
                let last = known.observed.get(station);
                // Where the service goes back to an older one, what we have is better; unless that
                // is from the future, which is a mistake that would never be put right.
                if last.is_none_or(|last| *last <= observation.time || *last > clock) {
                    known.observed.insert(station.clone(), observation.time);
                    let root = format!("{}/station", self.root);
                    known.board.put(observation.messages(&root, self.qos), now);
                }
                observation.left_out
            }
            Source::Forecast(product, code) => {
                let forecast = Forecast::read(code, *product, data)?;
                let root = format!("{}/forecast", self.root);
                let figures = forecast.messages(&root, code, clock, self.qos);
                known.board.replace(&source.to_string(), figures, now);
                let left_out = forecast.left_out;
                let products = known.forecasts.entry(code.clone()).or_default();
                products.insert(*product, forecast);
                let days = documents(&root, code, products, clock, self.qos);
                known.board.replace(&format!("days {code}"), days, now);
                left_out
            }
        };
        let was_failing = known.status.is_failing(source);
        let is_news = known.status.answered(source, left_out, clock);
        if was_failing || self.verbose {
            let again = if was_failing { " again" } else { "" };
            say!("AEMET answers{again} for the {source}.");
        }
        if left_out > 0 && (is_news || self.verbose) {
            say!("AEMET, {source}: left out {left_out} records or figures that make no sense.");
        }
        Ok(())
    }

    fn say_failed(&self, source: &Source, problem: &Problem, again: Option<time::Duration>) {
        let words = advised(problem);
        let is_news = self.known.borrow_mut().status.failed(source, &words);
        if let Some(pause) = again
            && (is_news || self.verbose)
        {
            let seconds = time::Duration::from_secs(pause.as_secs().max(1));
            let pause = humantime::format_duration(seconds);
            say!("AEMET, {source}: {words}. Asking again in {pause}.");
        }
    }

    /// Puts how it is on the board.
    fn tell_status(&self) {
        let mut known = self.known.borrow_mut();
        let payload = known.status.payload(Timestamp::now());
        let topic = format!("{}/status", self.root);
        let message = Message::retained(topic, payload, Qos::AtLeastOnce);
        known.board.put(vec![message], Instant::now());
        self.news.notify_one();
    }

    /// What is yet to be published.
    fn fresh(&self) -> Vec<Message> {
        self.known.borrow_mut().board.fresh(Instant::now())
    }

    /// These have been published.
    fn arrived(&self, messages: &[Message]) {
        let mut known = self.known.borrow_mut();
        known.board.arrived(messages);
        known.has_published |= known.status.has_succeeded();
    }

    /// Whether anything was published, and if not, why not.
    fn outcome(&self) -> Result<(), Failure> {
        let known = self.known.borrow();
        let problems = known.status.problems();
        let reasons: Vec<_> =
            problems.iter().map(|(source, words)| format!("{source}: {words}")).collect();
        let reasons = reasons.join("; ");
        if known.has_published {
            if !reasons.is_empty() {
                say!("Not everything could be had from AEMET: {reasons}.");
            }
            return Ok(());
        }
        Err(Failure::new(if reasons.is_empty() {
            "Nothing was published: stopped too early.".to_owned()
        } else {
            format!("Nothing was published. AEMET, {reasons}.")
        }))
    }
}

/// Prints what would be published once.
async fn print_once(weather: &Weather) -> Result<(), Failure> {
    let messages = weather.once().await;
    print(&messages)?;
    weather.arrived(&messages);
    Ok(())
}

/// Prints what would be published, until told to stop.
async fn print_on(weather: &Weather, settings: &Settings) -> Result<(), Failure> {
    let mut stop = pin!(stop_signal()?);
    let mut asking = pin!(weather.ask(false));
    loop {
        tokio::select! {
            () = &mut stop => return print(settings.offline().as_slice()),
            () = &mut asking => return Ok(()),
            () = weather.news.notified() => {}
        }
        let messages = weather.fresh();
        print(&messages)?;
        weather.arrived(&messages);
    }
}

/// Publishes until told to stop.
async fn publish_on(weather: &Weather, settings: &Settings) -> Result<(), Failure> {
    let stop = stop_signal()?;
    say!("Publishing the weather of {} sources below {}.", weather.sources.len(), weather.root);
    let mut said_refused = None;
    let publishing = broker::keep_connected(settings, stop, async |connection| {
        weather.known.borrow_mut().board.all_again();
        loop {
            let messages = weather.fresh();
            publish_all(connection, &messages).await?;
            let refused = connection.refused();
            if refused.is_none() {
                weather.arrived(&messages);
            }
            if let Some(refusal) = &refused
                && said_refused != refused
            {
                say!("The broker at {} refuses to take readings: {refusal}.", settings.address);
                said_refused = refused;
            }
            tokio::select! {
                lost = connection.lost() => return Err::<Infallible, Lost>(lost),
                () = weather.news.notified() => {}
            }
        }
    });
    tokio::select! {
        () = publishing => {}
        () = weather.ask(false) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What takes the place of a part of an answer.
    fn odd(random: &mut fastrand::Rng) -> Value {
        let texts =
            ["", "Ip", "a/b", "+", "#", "\0", "2026-11-21", "0714", "24", "N", "-1e400", "ñ"];
        match random.u8(0..10) {
            0 => Value::Null,
            1 => json!(random.bool()),
            2 => json!(random.i64(..)),
            3 => json!(random.f64() * 1e300),
            4 => json!([]),
            5 => json!({}),
            6 => json!([[{ "value": 1 }]]),
            7 => json!({ "value": { "value": "x" }, "periodo": [] }),
            _ => json!(random.choice(texts)),
        }
    }

    /// Puts something odd into some places.
    fn spoil(value: &mut Value, random: &mut fastrand::Rng) {
        if random.u8(0..12) == 0 {
            *value = odd(random);
        }
        match value {
            Value::Array(entries) => entries.iter_mut().for_each(|entry| spoil(entry, random)),
            Value::Object(entries) => entries.values_mut().for_each(|entry| spoil(entry, random)),
            _ => {}
        }
    }

    fn answers() -> [Value; 3] {
        let observation = json!([{
            "idema": "3195", "fint": "2026-11-21T08:00:00", "ubi": "MADRID", "alt": 667, "ta": 5.3,
            "hr": 84, "prec": "Ip", "vv": 1.5,
        }, { "idema": "3195", "fint": "2026-11-21T07:00:00+0000", "ta": 5.0 }]);
        let daily = json!([{
            "elaborado": "2026-11-21T07:41:06", "nombre": "Madrid",
            "prediccion": { "dia": [{
                "fecha": "2026-11-21T00:00:00", "uvMax": 1,
                "probPrecipitacion": [{ "value": 75, "periodo": "00-24" }, { "value": 5 }],
                "estadoCielo": [{ "value": "11", "periodo": "00-24", "descripcion": "Despejado" }],
                "viento": [{ "direccion": "NO", "velocidad": 15, "periodo": "00-24" }],
                "temperatura": { "maxima": 12, "minima": 4, "dato": [{ "value": 5, "hora": 6 }] },
            }] },
        }]);
        let hourly = json!([{
            "elaborado": "2026-11-21T07:41:06",
            "prediccion": { "dia": [{
                "fecha": "2026-11-21T00:00:00", "orto": "08:08",
                "temperatura": [{ "value": "6", "periodo": "09" }],
                "probPrecipitacion": [{ "value": "60", "periodo": "0814" }],
                "vientoAndRachaMax": [{ "direccion": ["NO"], "velocidad": ["12"], "periodo": "09" }],
            }] },
        }]);
        [observation, daily, hourly]
    }

    #[test]
    fn whatever_the_service_says_what_is_published_makes_sense() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut taken, mut refused) = (0, 0);
        let code = "28079";
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..3_000 {
            let mut answers = answers();
            answers.iter_mut().for_each(|answer| spoil(answer, &mut random));
            let [observation, daily, hourly] = answers;
            let mut messages = Vec::new();
            if let Ok(observation) = Observation::latest("3195", &observation) {
                messages.extend(observation.messages("w/station", Qos::AtMostOnce));
            }
            let mut products = BTreeMap::new();
            for (product, data) in [(Product::Daily, daily), (Product::Hourly, hourly)] {
                if let Ok(forecast) = Forecast::read(code, product, &data) {
                    messages.extend(forecast.messages("w/forecast", code, now, Qos::AtMostOnce));
                    products.insert(product, forecast);
                }
            }
            messages.extend(documents("w/forecast", code, &products, now, Qos::AtMostOnce));
            for Message { topic, payload, expiry, .. } in &messages {
                let is_plain =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
                let levels_are_plain =
                    topic.split('/').all(|level| !level.is_empty() && level.chars().all(is_plain));
                assert!(levels_are_plain, "{topic}");
                assert!(!payload.is_empty() && !payload.contains(char::is_control), "{payload:?}");
                assert!(expiry.is_some());
            }
            if messages.is_empty() { refused += 1 } else { taken += 1 }
        }
        assert!(taken > 10 && refused > 10, "{taken} taken, {refused} refused");
    }
}
