//! The short form of the crash test: a ledger of what was acknowledged, held against what a broker
//! delivers that dies again and again. `cargo xtask crash` is the long form.
#![allow(clippy::unwrap_used, reason = "a test tells its failure by panicking")]

use std::time::Duration;

use tests::broker;
use tests::ledger::book::Kind;
use tests::ledger::{self, Ends, Plan, Report};

/// What our broker needs in its configuration, whatever it stores.
const IN_MEMORY: &str = "persistence false\ndashboard_port 0";

fn plan(words: &str, rounds: u32, seed: u64) -> Plan {
    let plan = Plan::new(broker::binary(), words, rounds, seed);
    Plan { checkpoint_every: 4, long_absences: false, ..plan }
}

fn run(plan: &Plan) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let report = ledger::run(plan, folder.path());
    println!("{report}");
    report
}

/// The test of the test: where nothing dies and only connections are cut, the ledger has nothing to
/// complain about, whatever the broker stores.
#[test]
fn cut_connections_lose_nothing() {
    let report = run(&Plan { ends: Ends::Cut, ..plan(IN_MEMORY, 8, 1) });
    assert!(report.is_clean(), "seed {}", report.seed);
}

/// The test of the test: a broker that keeps everything in memory and is killed is found out.
#[test]
fn a_broker_that_stores_nothing_is_found_out() {
    // It is sure enough after a second that what was lost will not come.
    let silence_max = Duration::from_secs(1);
    let report = run(&Plan { silence_max, ..plan(IN_MEMORY, 4, 2) });
    for kind in [Kind::Missing, Kind::SessionPresent, Kind::Retained] {
        assert!(report.count(kind) > 0, "{kind:?} was not noticed");
    }
}

/// Killed again and again, a broker that stores loses nothing that it has acknowledged.
#[test]
fn what_was_acknowledged_outlives_the_broker() {
    for (level, seed) in [("os", 3), ("fsync", 4)] {
        let words = format!("persistence true\ndurability {level}\ndashboard_port 0");
        let report = run(&plan(&words, 8, seed));
        assert!(report.is_clean(), "durability {level}, seed {}", report.seed);
        assert_eq!(report.rounds, 8);
    }
}
