//! A client and a server on a virtual wire with a virtual clock, which delays, cuts and reconnects.
//!
//! Every run follows from a seed, which a failure prints. `SESSION_SIMULATOR_SEED=17` runs that one
//! alone and tells all that happens; `SESSION_SIMULATOR_RUNS=100000` runs more of them.

#![allow(missing_docs, unreachable_pub, reason = "nobody depends on a test")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a simulation, what must not be ends it"
)]

mod ledger;
mod server;
mod tap;
mod world;

use codec::{ProtocolVersion, QoS};
use server::ServerPlan;
use std::collections::VecDeque;
use world::{Plan, Trouble, World};

/// Runs of the random world, unless the environment says otherwise.
const RUNS: u64 = 5_000;

/// Trouble ends after this, in virtual milliseconds.
const TROUBLED_MS: u64 = 30_000;

const VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

/// [MQTT-2.2.1-3, MQTT-3.3.1-1, MQTT-3.3.1-2, MQTT-3.3.4-7, MQTT-3.3.4-8, MQTT-4.3.3-4,
/// MQTT-4.3.3-5, MQTT-4.3.3-6, MQTT-4.4.0-1, MQTT-4.5.0-2, MQTT-4.6.0-1, MQTT-4.6.0-4,
/// MQTT-4.9.0-2], 3.1.1 [MQTT-2.3.1-2, MQTT-2.3.1-3, MQTT-4.4.0-1, MQTT-4.5.0-2, MQTT-4.6.0-1,
/// MQTT-4.6.0-4]
#[test]
fn every_promise_is_kept_whatever_the_wire_does() {
    if let Some(seed) = number_from_environment("SESSION_SIMULATOR_SEED") {
        run(Plan { trace: true, ..random_plan(seed) });
        return;
    }
    let runs = number_from_environment("SESSION_SIMULATOR_RUNS").unwrap_or(RUNS);
    let (mut connections, mut arrived, mut full) = (0, 0, 0);
    for seed in 0..runs {
        let plan = random_plan(seed);
        let receive_maximum = plan.server.receive_maximums.into_iter().max();
        let world = run(plan);
        connections += world.connections;
        arrived += world.up.arrived_len() + world.down.arrived_len();
        full +=
            u64::from(receive_maximum.map(usize::from) == Some(world.client_outstanding_most()));
    }
    println!("{runs} runs: {connections} connections, {arrived} messages, {full} at their maximum");
    // A world without trouble would prove nothing.
    assert!(connections > runs * 4, "only {connections} connections");
    assert!(arrived as u64 > runs * 20, "only {arrived} messages");
    assert!(full > runs / 20, "only {full} runs reached receive maximum");
}

/// Cuts the wire once at each byte of a short exchange, and a second time at each byte of what follows.
/// [MQTT-4.4.0-1, MQTT-4.3.3-10], 3.1.1 [MQTT-4.4.0-1, MQTT-4.3.3-2]
#[test]
fn no_cut_at_any_byte_breaks_a_promise() {
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let whole = run(exact_plan(version, qos, [])).bytes_to_rest;
            assert!(whole > 60, "{version}, {qos:?}: the exchange has only {whole} bytes");
            for first in 0..whole {
                let rest = run(exact_plan(version, qos, [first])).bytes_to_rest;
                // Each byte of what follows has its turn with some of the first cuts.
                for second in (first % 7..rest).step_by(7) {
                    run(exact_plan(version, qos, [first, second]));
                }
            }
        }
    }
}

fn run(plan: Plan) -> World {
    let told = OnPanic(plan.clone());
    let mut world = World::new(plan);
    world.run();
    drop(told);
    world
}

/// Tells which run failed.
struct OnPanic(Plan);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the run that failed (SESSION_SIMULATOR_SEED={}): {:?}", self.0.seed, self.0);
        }
    }
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Before MQTT 5.0 nobody can be told.
fn receive_maximum(version: ProtocolVersion, told: u16) -> u16 {
    if version.is_v5() { told } else { u16::MAX }
}

fn random_plan(seed: u64) -> Plan {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let version = VERSIONS[rng.usize(0..3)];
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    let mut times = |most: usize| {
        let count = rng.usize(0..most);
        let mut times: Vec<u64> = (0..count).map(|_| rng.u64(0..TROUBLED_MS)).collect();
        // Half of them in bursts, which fill the flow.
        for (index, at) in times.iter_mut().enumerate() {
            if index % 2 == 0 {
                *at = *at / 5_000 * 5_000;
            }
        }
        times.sort_unstable();
        times
    };
    let (up, down, troubles) = (times(60), times(60), times(12));
    let up = up.into_iter().map(|at| (at, qos[rng.usize(0..3)])).collect();
    let down = down.into_iter().map(|at| (at, qos[rng.usize(0..3)])).collect();
    // MQTT 3.1 can't tell the client that its session is gone, so nothing could be promised.
    let forgets = version != ProtocolVersion::V31 && rng.u8(0..4) == 0;
    let troubles = troubles.into_iter().map(|at| {
        let trouble = match rng.u8(0..10) {
            0 => Trouble::BlackHole,
            1 => Trouble::Outage(rng.u64(0..5_000)),
            2 if forgets => Trouble::Forget,
            _ => Trouble::Cut,
        };
        (at, trouble)
    });
    let troubles = troubles.collect();
    Plan {
        seed,
        version,
        clean_start: rng.u8(0..4) == 0,
        keep_alive_s: rng.u16(2..10),
        receive_maximum: rng.u16(1..10),
        topic_alias_maximum: rng.u16(0..3),
        server: ServerPlan {
            receive_maximums: [(); 2].map(|()| receive_maximum(version, rng.u16(1..10))),
            topic_alias_maximum: rng.u16(0..3),
            keep_alive_s: (version.is_v5() && rng.bool()).then(|| rng.u16(2..6)),
        },
        up,
        down,
        troubles,
        cuts_after_bytes: VecDeque::new(),
        latency_max_ms: rng.u64(2..200),
        chunk_max: rng.usize(1..200),
        refusals: version.is_v5(),
        trace: false,
    }
}

/// One message each way, byte by byte.
fn exact_plan<const N: usize>(version: ProtocolVersion, qos: QoS, cuts: [u64; N]) -> Plan {
    Plan {
        seed: 1,
        version,
        clean_start: false,
        keep_alive_s: 60,
        receive_maximum: 1,
        topic_alias_maximum: 1,
        server: ServerPlan {
            receive_maximums: [receive_maximum(version, 1); 2],
            topic_alias_maximum: 1,
            keep_alive_s: None,
        },
        up: vec![(0, qos)],
        down: vec![(10, qos)],
        troubles: Vec::new(),
        cuts_after_bytes: VecDeque::from(cuts),
        latency_max_ms: 1,
        chunk_max: 1,
        refusals: false,
        trace: false,
    }
}
