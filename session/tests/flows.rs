//! The flows and the aliases one by one: stories from the specification, and long random walks beside a
//! model that is too simple to be wrong.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, what must not be ends it"
)]

use codec::{PacketId, QoS, ReasonCode, TopicName};
use session::{
    ALIAS_TOPIC_BYTES_MAX, ALIASES_OUT_MAX, AliasError, AliasUse, AliasesIn, AliasesOut, Arrival,
    FlowError, Held, Outgoing, PubRecOutcome, ReceiveFlow, SendFlow,
};
use std::collections::VecDeque;
use std::num::{NonZeroU16, NonZeroU64};

const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;
const OK: ReasonCode = ReasonCode::Success;
const FULL: ReasonCode = ReasonCode::QuotaExceeded;

fn id(number: u16) -> PacketId {
    NonZeroU16::new(number).expect("not 0")
}

/// What a flow sends now: `+` for the first time, `*` again, `>` a PUBREL.
fn sends(flow: &mut SendFlow<u32>) -> Vec<(char, u32, PacketId)> {
    let mut sent = Vec::new();
    while let Some(outgoing) = flow.poll_transmit() {
        sent.push(match outgoing {
            Outgoing::Publish { id, dup, message, .. } => {
                (if dup { '*' } else { '+' }, *message, id)
            }
            Outgoing::PubRel { id } => ('>', 0, id),
        });
    }
    sent
}

fn flow(receive_maximum: u16, messages: &[(QoS, u32)]) -> SendFlow<u32> {
    let mut flow = SendFlow::new(id(receive_maximum));
    for (qos, message) in messages {
        flow.push(*qos, *message);
    }
    flow
}

/// [MQTT-4.9.0-1, MQTT-4.9.0-2, MQTT-4.4.0-2]
#[test]
fn mqtt_4_9_0_2_the_quota_comes_back_with_puback_pubcomp_and_a_pubrec_that_refuses() {
    let mut flow = flow(2, &[(ONE, 1), (TWO, 2), (TWO, 3), (ONE, 4), (ONE, 5)]);
    let first = sends(&mut flow);
    assert_eq!(first.len(), 2);
    assert_eq!(flow.on_puback(first[0].2), Ok(1));
    let third = sends(&mut flow);
    assert_eq!(third.len(), 1, "PUBACK");
    assert_eq!(flow.on_pubrec(first[1].2, OK), Ok(PubRecOutcome::Release(Some(2))));
    assert_eq!(sends(&mut flow), [], "PUBREC that accepts: nothing yet");
    assert_eq!(flow.on_pubcomp(first[1].2), Ok(()));
    assert_eq!(sends(&mut flow).len(), 1, "PUBCOMP");
    assert_eq!(flow.on_pubrec(third[0].2, FULL), Ok(PubRecOutcome::Refused(3)));
    assert_eq!(sends(&mut flow).len(), 1, "PUBREC that refuses");
}

/// [MQTT-3.3.1-1, MQTT-4.4.0-1, MQTT-4.6.0-1], 3.1.1 [MQTT-4.4.0-1, MQTT-4.6.0-1]
#[test]
fn mqtt_4_4_0_1_what_is_unacknowledged_is_sent_again_in_its_order_and_within_the_new_quota() {
    let mut flow = flow(9, &[(ONE, 1), (TWO, 2), (TWO, 3), (ONE, 4)]);
    let sent = sends(&mut flow);
    let ids: Vec<PacketId> = sent.iter().map(|sent| sent.2).collect();
    assert_eq!(flow.on_pubrec(ids[1], OK), Ok(PubRecOutcome::Release(Some(2))));
    flow.push(ONE, 5);

    flow.resume(id(2));
    assert_eq!(sends(&mut flow), [('*', 1, ids[0]), ('>', 0, ids[1])]);
    assert_eq!(flow.on_pubcomp(ids[1]), Ok(()));
    assert_eq!(sends(&mut flow), [('*', 3, ids[2])]);
    assert_eq!(flow.on_puback(ids[0]), Ok(1));
    assert_eq!(sends(&mut flow), [('*', 4, ids[3])]);
    assert_eq!(flow.on_puback(ids[3]), Ok(4));
    assert!(matches!(sends(&mut flow)[..], [('+', 5, _)]));
}

#[test]
fn a_pubrel_is_sent_again_even_when_the_quota_is_used_up() {
    let mut flow = flow(9, &[(ONE, 1), (TWO, 2)]);
    let ids: Vec<PacketId> = sends(&mut flow).iter().map(|sent| sent.2).collect();
    flow.on_pubrec(ids[1], OK).expect("PUBREC fits");
    flow.resume(id(1));
    assert_eq!(sends(&mut flow), [('*', 1, ids[0]), ('>', 0, ids[1])]);
}

#[test]
fn an_acknowledgement_that_comes_before_its_message_is_sent_again_counts() {
    let mut flow = flow(9, &[(ONE, 1), (ONE, 2), (TWO, 3)]);
    let ids: Vec<PacketId> = sends(&mut flow).iter().map(|sent| sent.2).collect();
    flow.resume(id(1));
    assert_eq!(flow.on_puback(ids[0]), Ok(1));
    assert_eq!(flow.on_pubrec(ids[2], OK), Ok(PubRecOutcome::Release(Some(3))));
    assert_eq!(sends(&mut flow), [], "the PUBREL that the caller sends has the quota");
    assert_eq!(flow.on_pubcomp(ids[2]), Ok(()));
    assert_eq!(sends(&mut flow), [('*', 2, ids[1])]);
}

#[test]
fn acknowledgements_that_do_not_fit_change_nothing() {
    let mut flow = flow(9, &[(ONE, 1), (TWO, 2)]);
    let (one, two) = (id(1), id(2));
    assert_eq!(flow.on_puback(one), Err(FlowError::UnknownPacketId), "nothing is sent yet");
    assert_eq!(sends(&mut flow), [('+', 1, one), ('+', 2, two)]);
    assert_eq!(flow.on_puback(two), Err(FlowError::WrongState));
    assert_eq!(flow.on_pubrec(one, OK), Err(FlowError::WrongState));
    assert_eq!(flow.on_pubcomp(two), Err(FlowError::WrongState));
    assert_eq!(flow.on_pubrec(id(3), OK), Err(FlowError::UnknownPacketId));
    assert_eq!(flow.on_puback(id(65_535)), Err(FlowError::UnknownPacketId));
    assert_eq!(flow.on_pubrec(two, OK), Ok(PubRecOutcome::Release(Some(2))));
    assert_eq!(flow.on_pubrec(two, OK), Ok(PubRecOutcome::Release(None)));
    assert_eq!(flow.on_pubrec(two, FULL), Err(FlowError::WrongState));
    assert_eq!(flow.on_puback(two), Err(FlowError::WrongState));
    assert_eq!(flow.on_pubcomp(two), Ok(()));
    assert_eq!(flow.on_pubcomp(two), Err(FlowError::UnknownPacketId));
    assert_eq!(flow.on_puback(one), Ok(1));
    assert!(flow.is_idle());
}

/// [MQTT-2.2.1-3, MQTT-2.2.1-4, MQTT-4.3.2-1, MQTT-4.3.3-1], 3.1.1 [MQTT-2.3.1-2, MQTT-2.3.1-4]
#[test]
fn all_identifiers_can_be_in_use_and_then_sending_waits() {
    let mut flow = SendFlow::new(NonZeroU16::MAX);
    let reserved = flow.reserve_id().expect("none is in use");
    for message in 0..70_000 {
        flow.push(ONE, message);
    }
    let sent = sends(&mut flow);
    assert_eq!(sent.len(), 65_534);
    assert!(sent.iter().all(|sent| sent.2 != reserved));
    assert_eq!(flow.reserve_id(), None);
    assert!(flow.release_id(reserved));
    assert!(!flow.release_id(reserved), "once is enough");
    assert_eq!(sends(&mut flow), [('+', 65_534, reserved)]);
    assert!(!flow.release_id(reserved), "it is a message's now");
    // From the middle outwards: each must be found at once, or this takes for ever.
    for (_, message, id) in sent.iter().rev() {
        assert_eq!(flow.on_puback(*id), Ok(*message));
    }
    assert_eq!((flow.inflight_len(), flow.queued_len()), (1, 4_465));
}

#[test]
fn identifiers_come_one_after_the_other_and_back_as_late_as_they_can() {
    let mut flow = SendFlow::new(id(9));
    for round in 0..3 {
        for number in 1..=u16::MAX {
            flow.push(ONE, u32::from(number));
            assert_eq!(sends(&mut flow), [('+', u32::from(number), id(number))], "round {round}");
            // One of them is only acknowledged after its turn has come again.
            if (round, number) != (1, 7) && (round, number) != (2, 6) {
                assert_eq!(flow.on_puback(id(number)), Ok(u32::from(number)));
            }
            if (round, number) == (2, 6) {
                flow.push(ONE, 7);
                assert_eq!(sends(&mut flow), [], "7 is in use, and is the oldest");
                assert_eq!(flow.on_puback(id(6)), Ok(6));
                assert_eq!(flow.on_puback(id(7)), Ok(7));
                assert_eq!(sends(&mut flow), [('+', 7, id(7))]);
                assert_eq!(flow.on_puback(id(7)), Ok(7));
                return;
            }
        }
    }
}

#[test]
fn a_flow_taken_apart_says_what_may_have_arrived() {
    let mut flow = flow(2, &[(TWO, 1), (TWO, 2), (ONE, 3), (ONE, 4)]);
    let sent = sends(&mut flow);
    flow.on_pubrec(sent[0].2, OK).expect("PUBREC fits");
    assert_eq!(flow.iter().copied().collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(flow.retain_queued(|message| *message != 3), 1);
    assert_eq!(
        flow.into_unacknowledged().collect::<Vec<_>>(),
        [Held { qos: TWO, sent: true, message: 2 }, Held { qos: ONE, sent: false, message: 4 }]
    );
}

#[test]
fn limits_take_from_the_queue_and_never_from_what_is_in_flight() {
    let mut flow = flow(1, &[(ONE, 1), (ONE, 2), (ONE, 3), (TWO, 4)]);
    sends(&mut flow);
    let from_newest: Vec<_> = flow.queued_from_newest().map(|(before, it)| (before, *it)).collect();
    assert_eq!(from_newest, [(2, 4), (1, 3), (0, 2)]);
    assert_eq!(flow.pop_oldest_queued(), Some(2));
    assert_eq!(flow.extract_queued(|message| *message == 4), [4]);
    assert_eq!(flow.pop_oldest_queued(), Some(3));
    assert_eq!(flow.pop_oldest_queued(), None);
    assert_eq!((flow.inflight_len(), flow.queued_len()), (1, 0));
}

/// A sending flow as a list, in which everything is looked for from the front.
#[derive(Default)]
struct ListedFlow {
    in_flight: Vec<Listed>,
    queue: VecDeque<(QoS, u32)>,
}

struct Listed {
    id: PacketId,
    qos: QoS,
    message: u32,
    released: bool,
    sent: bool,
}

#[test]
fn a_sending_flow_behaves_like_a_list_on_every_random_walk() {
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut receive_maximum = rng.usize(1..8);
        let mut flow = flow(receive_maximum as u16, &[]);
        let mut list = ListedFlow::default();
        for step in 0..400 {
            match rng.u8(0..12) {
                0..4 => {
                    let qos = if rng.bool() { ONE } else { TWO };
                    flow.push(qos, step);
                    list.queue.push_back((qos, step));
                }
                4 if rng.u8(0..4) == 0 => {
                    receive_maximum = rng.usize(1..8);
                    flow.resume(id(receive_maximum as u16));
                    list.in_flight.iter_mut().for_each(|listed| listed.sent = false);
                }
                5 => {
                    let dropped = list.queue.pop_front().map(|(_, message)| message);
                    assert_eq!(flow.pop_oldest_queued(), dropped, "seed {seed}, step {step}");
                }
                _ => acknowledge_any(&mut flow, &mut list, &mut rng, seed),
            }
            let got = sends(&mut flow);
            assert_eq!(got, list.sends(receive_maximum, &got), "seed {seed}, step {step}");
            assert_eq!(flow.inflight_len(), list.in_flight.len(), "seed {seed}, step {step}");
            assert_eq!(flow.queued_len(), list.queue.len(), "seed {seed}, step {step}");
            let unreleased = list.in_flight.iter().filter(|listed| !listed.released);
            let held = unreleased.map(|listed| listed.message);
            let held: Vec<u32> = held.chain(list.queue.iter().map(|queued| queued.1)).collect();
            assert_eq!(flow.iter().copied().collect::<Vec<_>>(), held, "seed {seed}, step {step}");
        }
    }
}

fn acknowledge_any(
    flow: &mut SendFlow<u32>,
    list: &mut ListedFlow,
    rng: &mut fastrand::Rng,
    seed: u64,
) {
    if list.in_flight.is_empty() {
        return;
    }
    let at = rng.usize(0..list.in_flight.len());
    let Listed { id, qos, message, released, .. } = list.in_flight[at];
    match (qos, released) {
        (ONE, _) => {
            assert_eq!(flow.on_puback(id), Ok(message), "seed {seed}");
            list.in_flight.remove(at);
        }
        (_, false) if rng.u8(0..4) == 0 => {
            let refused = flow.on_pubrec(id, FULL);
            assert_eq!(refused, Ok(PubRecOutcome::Refused(message)), "seed {seed}");
            list.in_flight.remove(at);
        }
        (_, false) => {
            let released = flow.on_pubrec(id, OK);
            assert_eq!(released, Ok(PubRecOutcome::Release(Some(message))), "seed {seed}");
            list.in_flight[at].released = true;
            list.in_flight[at].sent = true;
        }
        (_, true) => {
            assert_eq!(flow.on_pubcomp(id), Ok(()), "seed {seed}");
            list.in_flight.remove(at);
        }
    }
}

impl ListedFlow {
    /// What must be sent now; the flow is free only in the choice of unused identifiers.
    fn sends(
        &mut self,
        receive_maximum: usize,
        got: &[(char, u32, PacketId)],
    ) -> Vec<(char, u32, PacketId)> {
        let mut sent = Vec::new();
        let mut outstanding = self.in_flight.iter().filter(|listed| listed.sent).count();
        for listed in self.in_flight.iter_mut().filter(|listed| !listed.sent) {
            if outstanding >= receive_maximum && !listed.released {
                return sent;
            }
            listed.sent = true;
            outstanding += 1;
            sent.push(match listed.released {
                true => ('>', 0, listed.id),
                false => ('*', listed.message, listed.id),
            });
        }
        while outstanding < receive_maximum
            && let Some((qos, message)) = self.queue.pop_front()
        {
            let id = got.get(sent.len()).map_or(PacketId::MAX, |got| got.2);
            assert!(self.in_flight.iter().all(|listed| listed.id != id), "{id} is in use");
            self.in_flight.push(Listed { id, qos, message, released: false, sent: true });
            outstanding += 1;
            sent.push(('+', message, id));
        }
        sent
    }
}

/// [MQTT-4.3.2-5], 3.1.1 [MQTT-4.3.2-2]
#[test]
fn mqtt_4_3_2_5_after_puback_the_same_identifier_is_a_new_message() {
    let mut flow = ReceiveFlow::new(id(1));
    assert_eq!(flow.on_publish(id(7), ONE), Ok(Arrival::New));
    assert_eq!(flow.on_publish(id(7), ONE), Ok(Arrival::Duplicate), "before PUBACK");
    flow.acknowledged(id(7), ONE, OK);
    assert!(flow.is_idle());
    assert_eq!(flow.on_publish(id(7), ONE), Ok(Arrival::New));
}

/// [MQTT-4.3.3-9, MQTT-4.3.3-10, MQTT-4.3.3-12], 3.1.1 [MQTT-4.3.3-2]
#[test]
fn mqtt_4_3_3_a_message_of_qos_2_is_known_until_pubrel_whatever_becomes_of_connections() {
    let mut flow = ReceiveFlow::new(id(9));
    assert_eq!(flow.on_publish(id(7), TWO), Ok(Arrival::New));
    assert!(!flow.on_pubrel(id(7)), "PUBREL before PUBREC");
    for _ in 0..3 {
        assert_eq!(flow.on_publish(id(7), TWO), Ok(Arrival::Duplicate));
        flow.acknowledged(id(7), TWO, OK);
        flow.on_connection_lost();
    }
    assert_eq!(flow.ids().collect::<Vec<_>>(), [id(7)]);
    assert!(flow.on_pubrel(id(7)));
    assert!(!flow.on_pubrel(id(7)), "once is enough");
    assert_eq!(flow.on_publish(id(7), TWO), Ok(Arrival::New), "[MQTT-4.3.3-12]");
    flow.acknowledged(id(7), TWO, FULL);
    assert_eq!(flow.on_publish(id(7), TWO), Ok(Arrival::New), "[MQTT-4.3.3-9]");
}

#[test]
fn mqtt_4_9_the_receiver_counts_what_came_on_this_connection() {
    let mut flow = ReceiveFlow::new(id(2));
    assert_eq!(flow.on_publish(id(1), ONE), Ok(Arrival::New));
    assert_eq!(flow.on_publish(id(2), TWO), Ok(Arrival::New));
    assert_eq!(flow.on_publish(id(3), ONE), Err(FlowError::ReceiveMaximumExceeded));
    flow.acknowledged(id(2), TWO, OK);
    assert_eq!(flow.on_publish(id(3), ONE), Err(FlowError::ReceiveMaximumExceeded));
    assert!(flow.on_pubrel(id(2)));
    assert_eq!(flow.on_publish(id(3), TWO), Ok(Arrival::New));
    flow.acknowledged(id(3), TWO, OK);
    flow.on_connection_lost();
    assert_eq!(flow.on_publish(id(4), ONE), Ok(Arrival::New));
    assert_eq!(flow.on_publish(id(5), ONE), Ok(Arrival::New), "3 does not count here");
    assert_eq!(flow.on_publish(id(3), TWO), Err(FlowError::ReceiveMaximumExceeded));
    assert!(flow.on_pubrel(id(3)), "a PUBREL is always taken");
    flow.acknowledged(id(4), ONE, OK);
    flow.acknowledged(id(5), ONE, OK);
    assert!(flow.is_idle());
}

#[test]
fn an_identifier_with_the_other_qos_is_wrong_now_and_new_on_the_next_connection() {
    let mut flow = ReceiveFlow::new(id(9));
    assert_eq!(flow.on_publish(id(1), TWO), Ok(Arrival::New));
    assert_eq!(flow.on_publish(id(1), ONE), Err(FlowError::WrongState));
    flow.on_connection_lost();
    assert_eq!(flow.on_publish(id(1), ONE), Ok(Arrival::New));
    assert!(!flow.on_pubrel(id(1)));
    flow.acknowledged(id(1), TWO, OK);
    assert!(!flow.is_idle(), "a PUBREC of old is not this one's PUBACK");
    flow.acknowledged(id(1), ONE, OK);
    assert!(flow.is_idle());
}

fn topic(text: &str) -> TopicName {
    TopicName::new(text).expect("a topic")
}

/// [MQTT-3.3.2-10, MQTT-3.3.2-12]
#[test]
fn mqtt_3_3_2_3_4_an_alias_stands_for_the_topic_it_was_last_set_to() {
    let mut aliases = AliasesIn::new(2);
    let (a, b) = (topic("a"), topic("b"));
    let out_of_range = |alias| Err(AliasError::OutOfRange { alias, maximum: 2 });
    for (given, alias, want) in [
        (Some(&a), None, Ok(&a)),
        (None, None, Err(AliasError::NoTopic)),
        (None, Some(1), Err(AliasError::Unknown { alias: 1 })),
        (Some(&a), Some(1), Ok(&a)),
        (None, Some(1), Ok(&a)),
        (Some(&b), Some(1), Ok(&b)),
        (None, Some(1), Ok(&b)),
        (Some(&a), Some(2), Ok(&a)),
        (None, Some(1), Ok(&b)),
        (Some(&a), Some(0), out_of_range(0)),
        (Some(&a), Some(3), out_of_range(3)),
        (None, Some(3), out_of_range(3)),
    ] {
        assert_eq!(aliases.resolve(given.cloned(), alias).as_ref(), want.as_ref().copied());
    }
    assert_eq!(out_of_range(3).unwrap_err().reason_code(), ReasonCode::TopicAliasInvalid);
}

#[test]
fn aliases_do_not_hold_more_than_their_bytes() {
    let mut aliases = AliasesIn::new(u16::MAX);
    let long = topic(&"x".repeat(65_535));
    let fit = (ALIAS_TOPIC_BYTES_MAX / 65_535) as u16;
    for alias in 1..=fit {
        assert_eq!(aliases.resolve(Some(long.clone()), Some(alias)), Ok(long.clone()));
    }
    let short = topic("short");
    assert_eq!(aliases.resolve(Some(long.clone()), Some(fit + 1)), Err(AliasError::TooManyBytes));
    assert_eq!(aliases.resolve(Some(short.clone()), Some(1)), Ok(short), "which makes room");
    assert_eq!(aliases.resolve(Some(long.clone()), Some(fit + 1)), Ok(long));
}

#[test]
fn the_topic_used_least_recently_loses_its_alias() {
    let mut aliases = AliasesOut::new(2);
    let both = |alias| AliasUse { alias: Some(alias), with_topic: true };
    let alone = |alias| AliasUse { alias: Some(alias), with_topic: false };
    for (text, want) in [
        ("a", both(1)),
        ("b", both(2)),
        ("a", alone(1)),
        ("c", both(2)),
        ("a", alone(1)),
        ("b", both(2)),
        ("c", both(1)),
    ] {
        assert_eq!(aliases.assign(&topic(text)), want, "{text}");
    }
    let mut none = AliasesOut::new(0);
    assert_eq!(none.assign(&topic("a")), AliasUse { alias: None, with_topic: true });
}

#[test]
fn one_ends_aliases_are_understood_by_the_other_on_every_random_walk() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let maximum = rng.u16(0..6);
        let (mut ours, mut theirs) = (AliasesOut::new(maximum), AliasesIn::new(maximum));
        for _ in 0..300 {
            let topic = topic(&format!("t/{}", rng.u8(0..9)));
            let used = ours.assign(&topic);
            let given = used.with_topic.then(|| topic.clone());
            assert_eq!(theirs.resolve(given, used.alias), Ok(topic), "seed {seed}");
        }
    }
    let mut out = AliasesOut::new(u16::MAX);
    let most = (0..2_000).filter_map(|n| out.assign(&topic(&format!("t/{n}"))).alias).max();
    assert_eq!(most, Some(ALIASES_OUT_MAX), "whatever the other end would take");
}

fn numbered(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).expect("numbers begin at 1")
}

/// What a store remembers of a flow is enough to go on with it: numbers, and how far each exchange is.
#[test]
fn a_flow_goes_on_from_what_was_remembered_of_it() {
    let mut flow = SendFlow::new(NonZeroU16::MAX);
    flow.restore_sent(numbered(65_534), QoS::AtLeastOnce, Some("sent"));
    flow.restore_sent(numbered(65_535), QoS::ExactlyOnce, None);
    flow.restore_sent(numbered(65_540), QoS::ExactlyOnce, Some("sent, too"));
    flow.push_numbered(numbered(65_542), QoS::AtLeastOnce, "waiting");
    flow.resume(NonZeroU16::new(4).expect("it is not 0"));

    let mut sent = Vec::new();
    loop {
        let next = flow.next_message().map(|(_, message)| *message);
        match flow.poll_transmit() {
            Some(Outgoing::Publish { id, dup, message, .. }) => {
                assert_eq!(next, Some(*message));
                sent.push((id.get(), dup, *message));
            }
            Some(Outgoing::PubRel { id }) => sent.push((id.get(), true, "PUBREL")),
            None => break,
        }
    }
    assert_eq!(
        sent,
        [
            (65_534, true, "sent"),
            (65_535, true, "PUBREL"),
            (5, true, "sent, too"),
            (7, false, "waiting")
        ]
    );
    assert_eq!(flow.on_pubcomp(id(65_535)), Ok(()));
    assert_eq!(flow.on_puback(id(7)), Ok("waiting"));
    assert_eq!(flow.inflight_len(), 2);
}

/// An identifier is not used again before its last message is acknowledged, however many numbers were
/// left out meanwhile.
#[test]
fn a_number_waits_for_its_identifier() {
    let mut flow = SendFlow::new(NonZeroU16::MAX);
    for n in [1, 65_535, 65_536] {
        flow.push_numbered(numbered(n), QoS::AtLeastOnce, n);
    }
    let sent = |flow: &mut SendFlow<u64>| match flow.poll_transmit() {
        Some(Outgoing::Publish { id, message, .. }) => Some((id.get(), *message)),
        _ => None,
    };
    assert_eq!(sent(&mut flow), Some((1, 1)));
    assert_eq!(sent(&mut flow), Some((65_535, 65_535)));
    assert_eq!(sent(&mut flow), None);
    assert_eq!(flow.on_puback(PacketId::MIN), Ok(1));
    assert_eq!(sent(&mut flow), Some((1, 65_536)));
}
