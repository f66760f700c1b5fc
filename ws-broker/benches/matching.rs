//! Finding who gets a message, among ten subscriptions and among a million: `cargo bench -p ws-broker`.
//!
//! Nothing is remembered from one look-up to the next, as the broker does for topics that come again.
//! Topics are taken from all over the table, so that what is measured includes fetching it from memory.

#![allow(clippy::expect_used, reason = "what can go wrong here is a mistake of this file")]

use codec::{TopicFilter, TopicName};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ws_broker::matching::Subscriptions;

/// Topics that are looked up in one go.
const LOOK_UPS: usize = 1000;

/// From one topic to the next: a prime, so that neighbours never follow one another.
const STEP: usize = 611_953;

const SIZES: [usize; 3] = [10, 10_000, 1_000_000];

fn main() {
    divan::main();
}

fn table(
    size: usize,
    filter: impl Fn(usize) -> String,
    client: impl Fn(usize) -> usize,
) -> Subscriptions {
    let subscriptions = Subscriptions::default();
    for number in 0..size {
        let filter = TopicFilter::new(&filter(number)).expect("it is a filter");
        let client = u32::try_from(client(number)).expect("a million is less");
        subscriptions.subscribe(&filter, client);
    }
    subscriptions
}

fn look_up(
    bencher: Bencher<'_, '_>,
    subscriptions: &Subscriptions,
    size: usize,
    topic: fn(usize) -> String,
) {
    let topics: Vec<TopicName> = (0..LOOK_UPS)
        .map(|number| TopicName::new(&topic(number * STEP % size)).expect("it is a topic"))
        .collect();
    bencher.counter(ItemsCount::new(LOOK_UPS)).bench_local(|| {
        for topic in &topics {
            assert!(black_box(subscriptions.receivers(topic)) > 0);
        }
    });
}

/// Each filter is one topic, and each has one subscriber.
#[divan::bench(args = SIZES)]
fn exact(bencher: Bencher<'_, '_>, size: usize) {
    let topic = |number| format!("site/{}/sensor/{number:07}", number % 100);
    look_up(bencher, &table(size, topic, |number| number), size, topic);
}

/// Each filter has a wildcard, and each matches topics that no other does.
#[divan::bench(args = SIZES)]
fn wildcard(bencher: Bencher<'_, '_>, size: usize) {
    let filter = |number| format!("site/{}/sensor/{number:07}/+", number % 100);
    let topic = |number| format!("site/{}/sensor/{number:07}/temperature", number % 100);
    look_up(bencher, &table(size, filter, |number| number), size, topic);
}

/// A thousand clients have each filter, and a message goes to all of them.
#[divan::bench(args = [1_000, 1_000_000])]
fn wildcard_of_a_thousand(bencher: Bencher<'_, '_>, size: usize) {
    let filter = |number: usize| format!("site/{}/+", number / 1000);
    let filters = size / 1000;
    let subscriptions = table(size, filter, |number| number % 1000);
    look_up(bencher, &subscriptions, filters, |number| format!("site/{number}/temperature"));
}
