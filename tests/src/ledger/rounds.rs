//! The rounds of a run: the broker starts, bears the load, and dies; now and then all is settled.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use codec::{ProtocolVersion, QoS};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ledger::book::{Book, Kind};
use crate::ledger::client::{Client, Event, Settings};
use crate::ledger::house::House;
use crate::ledger::report::Report;
use crate::ledger::roles::{
    Habit, Keeper, Lives, Mourned, Publisher, Reader, Retained, Role, Scene, Sleeper, Subscriber,
    Wills, Witness,
};
use crate::program::Signal;

use ProtocolVersion::{V5, V311};

/// How long the clients wait for bytes before they look at the clock again.
const TURN: Duration = Duration::from_millis(2);
/// How long a broker may take until all clients are settled, whatever comes.
const SETTLING_MAX: Duration = Duration::from_secs(300);
/// How often, in a checkpoint, the ledger is gone through.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long it takes, as a rule, until it is sure that nothing more will come.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The broker's binary.
    pub broker: PathBuf,
    /// What its configuration says about persistence, and whatever else its clients need not know.
    pub words: String,
    /// How often the broker dies.
    pub rounds: u32,
    /// After how many rounds each ledger is settled, and a new page begun.
    pub checkpoint_every: u32,
    /// Decides when it dies, and what the clients do.
    pub seed: u64,
    /// How many publishers there are.
    pub publishers: usize,
    /// How each round ends.
    pub ends: Ends,
    /// Whether the broker is sometimes away for so long that sessions expire meanwhile.
    pub long_absences: bool,
    /// When nothing has come for so long, nothing will come. Only a run that fails takes so long.
    pub silence_max: Duration,
    /// Told of each checkpoint, as a sentence.
    pub progress: fn(&str),
}

/// How rounds end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ends {
    /// Most with the broker's being killed (SIGKILL), some with its being asked to stop (SIGTERM).
    Killed,
    /// All with the broker's being asked to stop.
    Stopped,
    /// With all connections being cut, and the broker living on: the test of this test, which a broker
    /// passes whatever it stores.
    Cut,
}

impl Plan {
    /// A plan of so many rounds, with this seed, for a broker with these words in its configuration.
    #[must_use]
    pub fn new(broker: PathBuf, words: &str, rounds: u32, seed: u64) -> Self {
        Self {
            broker,
            words: words.to_owned(),
            rounds,
            checkpoint_every: 10,
            seed,
            publishers: 6,
            ends: Ends::Killed,
            long_absences: true,
            silence_max: SILENCE_MAX,
            progress: |line| println!("{line}"),
        }
    }
}

/// One client in its role.
struct Party {
    client: Client,
    role: Box<dyn Role>,
}

struct World {
    plan: Plan,
    house: House,
    scene: Scene,
    parties: Vec<Party>,
    started: Instant,
    /// When the broker last began to serve.
    restarted: Instant,
    /// Whether somebody was let in since its last start.
    is_serving: bool,
    report: Report,
}

/// Runs the plan in an empty folder, and reports.
#[must_use]
pub fn run(plan: &Plan, folder: &Path) -> Report {
    let mut world = World::new(plan, folder);
    world.populate();
    for round in 0..=plan.rounds {
        world.scene.book.begin_round(round);
        world.start();
        let is_checkpoint = round == plan.rounds || round % plan.checkpoint_every == 0;
        if is_checkpoint && round > 0 || !world.scene.book.is_clean() {
            world.checkpoint(round);
            if !world.scene.book.is_clean() {
                break;
            }
        }
        if round < plan.rounds {
            world.live_and_die(round);
        }
    }
    world.finish()
}

impl World {
    fn new(plan: &Plan, folder: &Path) -> Self {
        let house = House::new(&plan.broker, folder, &plan.words);
        let scene = Scene {
            book: Book::default(),
            retained: Retained::default(),
            wills: Wills::default(),
            rng: fastrand::Rng::with_seed(plan.seed),
            port: house.port,
            now: Instant::now(),
            is_up: false,
            is_ready: false,
            is_calm: false,
        };
        let now = Instant::now();
        Self {
            plan: plan.clone(),
            house,
            scene,
            parties: Vec::new(),
            started: now,
            restarted: now,
            is_serving: false,
            report: Report::default(),
        }
    }

    fn add(&mut self, settings: Settings, role: impl Role + 'static) {
        self.parties.push(Party { client: Client::new(settings), role: Box::new(role) });
    }

    /// All the clients.
    fn populate(&mut self) {
        self.add_publishers();
        for version in [V311, V5] {
            self.add_subscribers(version);
            let name = format!("lives {version}");
            let taker = self.scene.book.taker(&name, true);
            let lives = Lives::new(taker, &self.scene);
            self.add(Settings::lasting(name, version), lives);
        }
        self.add_group();
        self.add(Settings::lasting("keeper", V5), Keeper);
        self.add(transient("reader"), Reader::default());
        self.add(Settings::lasting("witness", V5), Witness::default());
        for (name, returns) in [("mourned", false), ("missed", true)] {
            self.add(Settings::lasting(name, V5), Mourned::new(name, returns));
        }
        for number in 0..2 {
            let mut settings = Settings::lasting(format!("sleeper {number}"), V5);
            settings.session_expiry_s = 3;
            self.add(settings, Sleeper::default());
        }
    }

    fn add_publishers(&mut self) {
        for number in 0..self.plan.publishers {
            let name = format!("p{number}");
            let stream = |qos: QoS| (format!("load/{name}/{}", qos as u8), qos);
            let streams = [QoS::AtLeastOnce, QoS::ExactlyOnce].map(stream);
            let streams = streams.map(|(topic, qos)| self.scene.book.stream(&name, topic, qos));
            // One in three has a session that ends with its connection, and sends nothing again.
            let settings = match number % 3 {
                0 => Settings::lasting(&name, V5),
                1 => Settings::lasting(&name, V311),
                _ => transient(&name),
            };
            let thinks_ms = if number == 0 { 0..20 } else { 0..1 };
            self.add(Settings { thinks_ms, ..settings }, Publisher::new(streams.to_vec()));
        }
    }

    fn add_subscribers(&mut self, version: ProtocolVersion) {
        let all = ["load/+/1", "load/+/2"];
        let some = if version.is_v5() { ["load/p0/+"] } else { ["load/p1/#"] };
        let slow = Settings { receive_maximum: 7, thinks_ms: 0..30, ..lasting("slow", version) };
        self.add_subscriber(lasting("online", version), &all, Habit::Stays);
        self.add_subscriber(slow, &some, Habit::Stays);
        self.add_subscriber(lasting("away", version), &["load/#"], Habit::Visits);
    }

    fn add_subscriber(&mut self, settings: Settings, filters: &[&str], habit: Habit) {
        let taker = self.scene.book.taker(&settings.name, true);
        let role = Subscriber::new(taker, filters, habit, &self.scene);
        self.add(settings, role);
    }

    /// Three who share a subscription, one of whom is mostly away.
    fn add_group(&mut self) {
        let taker = self.scene.book.taker("the group", false);
        for (name, version, habit) in [
            ("member 0", V5, Habit::Stays),
            ("member 1", V311, Habit::Stays),
            ("member 2", V5, Habit::Visits),
        ] {
            let role = Subscriber::new(taker, &["$share/group/load/+/+"], habit, &self.scene);
            self.add(Settings::lasting(name, version), role);
        }
    }

    fn start(&mut self) {
        if self.scene.is_up {
            // Its connections were cut, and it lives.
            return;
        }
        self.house.start();
        self.started = Instant::now();
        self.is_serving = false;
        self.scene.is_up = true;
    }

    /// Lets the clients go on until the broker is struck, and buries it.
    fn live_and_die(&mut self, round: u32) {
        if !self.scene.is_ready {
            self.until_ready();
        }
        let rng = &mut self.scene.rng;
        // Some deaths come while it is still on its way up.
        let wait_us = if rng.u32(..6) == 0 { rng.u64(..60_000) } else { rng.u64(..1_200_000) };
        let stops = rng.u32(..8) == 0 || self.plan.ends == Ends::Stopped;
        if self.plan.ends == Ends::Cut {
            return self.live_and_be_cut(Duration::from_micros(wait_us));
        }
        let signal = if stops { Signal::TERM } else { Signal::KILL };
        let strike = self.house.strike_after(Duration::from_micros(wait_us), signal);
        while !strike.has_struck() && !self.has_fallen() {
            self.turn();
        }
        if signal == Signal::TERM {
            // It takes its time, and serves on meanwhile.
            while !self.house.has_ended() && self.started.elapsed() < SETTLING_MAX {
                self.turn();
            }
        }
        drop(strike);
        self.bury(round, signal);
        let rng = &mut self.scene.rng;
        if self.plan.long_absences && rng.u32(..12) == 0 {
            let until = Instant::now() + Duration::from_millis(rng.u64(2_000..5_000));
            while Instant::now() < until {
                self.turn();
            }
        }
    }

    fn live_and_be_cut(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.has_fallen() {
            self.turn();
        }
        for party in &mut self.parties {
            party.client.close(false);
        }
        self.hand_out_events();
        self.report.rounds += 1;
    }

    fn bury(&mut self, round: u32, signal: Signal) {
        let status = self.house.wait_exit(round);
        self.scene.is_up = false;
        self.scene.book.broker_died();
        for party in &mut self.parties {
            party.client.bury(self.restarted);
        }
        self.hand_out_events();
        let is_well = match signal {
            Signal::TERM => status.success() || !self.is_serving,
            _ => status.code().is_none(),
        };
        if !is_well {
            let story = format!("in round {round} the broker ended with {status}");
            self.scene.book.violation(Kind::Broker, story);
        }
        match signal {
            Signal::TERM => self.report.stops += 1,
            _ => self.report.kills += 1,
        }
        self.report.rounds += 1;
    }

    /// Whether the broker has ended by itself.
    fn has_fallen(&mut self) -> bool {
        self.scene.is_up && self.house.has_ended()
    }

    fn until_ready(&mut self) {
        let deadline = Instant::now() + self.plan.silence_max;
        while !self.parties.iter().all(|party| party.role.is_ready()) {
            self.turn();
            if self.has_fallen() || Instant::now() > deadline {
                let story = "the clients could not subscribe at first".to_owned();
                return self.scene.book.violation(Kind::Broker, story);
            }
        }
        self.scene.is_ready = true;
    }

    /// Nobody begins anything new, and all that is owed is to come.
    fn checkpoint(&mut self, round: u32) {
        self.scene.is_calm = true;
        let began = Instant::now();
        let mut last = (Instant::now(), self.progress());
        let mut looked = Instant::now();
        loop {
            self.turn();
            if self.has_fallen() {
                let story = format!("in round {round} the broker ended by itself");
                self.scene.book.violation(Kind::Broker, story);
                break;
            }
            if self.progress() != last.1 {
                last = (Instant::now(), self.progress());
            }
            if last.0.elapsed() > self.plan.silence_max || began.elapsed() > SETTLING_MAX {
                break;
            }
            if looked.elapsed() > LOOK_EVERY {
                looked = Instant::now();
                let settled = |party: &Party| party.role.is_settled(&party.client);
                if self.parties.iter().all(settled) && !self.scene.book.is_owing() {
                    break;
                }
            }
        }
        for party in &mut self.parties {
            party.role.judge(&party.client, &mut self.scene);
        }
        self.scene.book.settle();
        self.scene.is_calm = false;
        let store = self.house.store_bytes();
        self.report.store_bytes.push(store);
        let counts = &self.scene.book.counts;
        (self.plan.progress)(&format!(
            "round {round}: {} acknowledged, {} delivered, store {:.1} MB, settled in {:.1} s",
            counts.acknowledged,
            counts.delivered,
            store as f64 / 1e6,
            began.elapsed().as_secs_f64()
        ));
    }

    /// Grows with all that comes.
    fn progress(&self) -> u64 {
        let counts = &self.scene.book.counts;
        counts.delivered
            + counts.acknowledged
            + counts.duplicates
            + counts.wills
            + counts.retained_checks
    }

    /// One turn of everybody.
    fn turn(&mut self) {
        self.wait_for_bytes();
        self.scene.now = Instant::now();
        for party in &mut self.parties {
            party.role.act(&mut party.client, &mut self.scene);
            party.client.turn(self.scene.now, self.restarted);
        }
        self.hand_out_events();
    }

    fn hand_out_events(&mut self) {
        for Party { client, role } in &mut self.parties {
            for event in client.take_events() {
                match event {
                    Event::Fault(kind, story) => {
                        let now = self.scene.book.moment();
                        self.scene.book.violation(kind, format!("{now}: {story}"));
                    }
                    Event::Connected { .. } if !self.is_serving => {
                        self.is_serving = true;
                        self.restarted = Instant::now();
                        self.report.restarts.push(self.started.elapsed());
                        role.on(client, event, &mut self.scene);
                    }
                    event => role.on(client, event, &mut self.scene),
                }
            }
        }
    }

    fn wait_for_bytes(&self) {
        let links = self.parties.iter().filter_map(|party| party.client.link());
        let mut fds: Vec<PollFd<'_>> = links
            .map(|link| {
                let writing = if link.is_sending() { PollFlags::OUT } else { PollFlags::empty() };
                PollFd::from_borrowed_fd(link.fd(), PollFlags::IN | writing)
            })
            .collect();
        let turn = Timespec { tv_sec: 0, tv_nsec: TURN.subsec_nanos().into() };
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, Some(&turn));
    }

    fn finish(mut self) -> Report {
        let mut counts = self.scene.book.counts;
        for party in &self.parties {
            counts.resent += party.client.resent;
            counts.resumed += party.client.resumed;
            counts.renumbered += party.client.renumbered;
            counts.unmarked += party.client.unmarked;
            counts.expired += party.client.expired;
        }
        if self.scene.is_up {
            self.report.last_words = self.house.last_words();
        }
        self.report.seed = self.plan.seed;
        self.report.counts = counts;
        self.report.violations = (self.scene.book.violations())
            .map(|(kind, count, stories)| (kind, count, stories.to_vec()))
            .collect();
        self.report
    }
}

fn lasting(name: &str, version: ProtocolVersion) -> Settings {
    Settings::lasting(format!("{name} {version}"), version)
}

/// A client whose session ends with its connection.
fn transient(name: &str) -> Settings {
    Settings { session_expiry_s: 0, ..Settings::lasting(name, V5) }
}
