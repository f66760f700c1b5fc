//! The connection, always in sight: its state, why there is none, and when the next try is.

use yew::prelude::*;

use super::field::use_field;
use super::link::Link;
use super::rooms::{Rooms, SIGN_IN, Slot};
use super::use_texts;
use crate::number::grouped;
use crate::protocol::{Answer, Command, Connection, Large, Problem, Subscribed};
use crate::texts::{Texts, age, fill};

#[derive(PartialEq, Properties)]
pub(super) struct StatusProps {
    pub(super) link: Link,
}

/// The state in the header.
#[component]
pub(super) fn Status(props: &StatusProps) -> Html {
    let texts = use_texts();
    let connection = use_field(props.link.connection());
    let now_ms = use_field(props.link.now_ms());
    let failed = use_field(props.link.engine_failure()).is_some();
    let (state, text) = match &connection {
        _ if failed => ("offline", texts.offline.to_owned()),
        Connection::Connecting => ("connecting", texts.connecting.to_owned()),
        Connection::Online { .. } => ("online", texts.online.to_owned()),
        Connection::Offline { retry_at_ms: None, .. } => ("offline", texts.offline.to_owned()),
        Connection::Offline { retry_at_ms: Some(at_ms), .. } => {
            // A cast from a float keeps to the range of the integer.
            let seconds = ((at_ms - now_ms) / 1_000.0).ceil() as u32;
            ("offline", fill(texts.retry_in, &[&seconds.to_string()]))
        }
    };
    // A countdown is seen, not read out each second.
    html! {
        <p class="status" data-role="connection" data-state={state}>
            <span class="status-lamp" aria-hidden="true"></span>
            <span class="status-text">{ text }</span>
        </p>
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct TroubleProps {
    pub(super) link: Link,
    pub(super) rooms: Rooms,
    /// Where the broker is.
    pub(super) host: AttrValue,
}

/// The sentence below the header, where something is wrong.
#[component]
pub(super) fn Trouble(props: &TroubleProps) -> Html {
    let texts = use_texts();
    let connection = use_field(props.link.connection());
    let failure = use_field(props.link.engine_failure());
    let subscriptions = use_field(props.link.subscriptions());
    // While a try is under way, the reason of the one before stays where it is.
    let last = use_mut_ref(|| None::<Problem>);
    match &connection {
        Connection::Online { .. } => *last.borrow_mut() = None,
        Connection::Connecting => {}
        Connection::Offline { problem, .. } => *last.borrow_mut() = Some(problem.clone()),
    }
    let problem = last.borrow().clone();
    let sentence = match (&failure, &connection, &problem) {
        (Some(words), ..) => Some(fill(texts.engine_failed, &[words])),
        (None, Connection::Online { large, .. }, _) => {
            refused(&subscriptions, texts).or_else(|| large.map(|large| behind(large, texts)))
        }
        (None, _, Some(problem)) => Some(sentence(problem, &props.host, texts)),
        (None, _, None) => None,
    };
    let asks_for_name = failure.is_none() && matches!(problem, Some(Problem::SignIn { .. }));
    let can_try =
        failure.is_none() && !asks_for_name && !matches!(connection, Connection::Online { .. });
    let has_values = use_field(props.link.board()).is_some_and(|board| !board.groups.is_empty());
    let no_retry = matches!(connection, Connection::Offline { retry_at_ms: None, .. });
    // Either can be had in place of the other.
    let other_way = match &connection {
        Connection::Online { large: Some(Large::WaitedFor { has_means, .. }), .. } => {
            has_means.then_some((false, texts.leave_out_large))
        }
        Connection::Online { large: Some(_), .. } => Some((true, texts.wait_for_large)),
        _ => None,
    };
    let send = |command: Command| {
        let link = props.link.clone();
        Callback::from(move |_: MouseEvent| link.send(command.clone()))
    };
    html! {
        <div class="trouble-place" role="status">
            if let Some(sentence) = sentence {
                <div class="trouble">
                    <p class="trouble-text">
                        { sentence }
                        if can_try && has_values { { " " }{ texts.values_are_old } }
                        if no_retry && can_try { { " " }{ texts.no_retry } }
                    </p>
                    if can_try {
                        <button type="button" class="button" data-role="try-now"
                            onclick={send(Command::TryNow)}>
                            { texts.try_now }
                        </button>
                    }
                    if let Some((waits, words)) = other_way {
                        <button type="button" class="button" data-role="wait-for-large"
                            onclick={send(Command::WaitForLarge(waits))}>
                            { words }
                        </button>
                    }
                    if asks_for_name {
                        <Slot rooms={props.rooms.clone()} place={SIGN_IN} />
                    }
                </div>
            }
        </div>
    }
}

/// The first subscription that the broker refuses.
fn refused(subscriptions: &[Subscribed], texts: &Texts) -> Option<String> {
    subscriptions.iter().find_map(|subscribed| match &subscribed.answer {
        Some(Answer::Refused(reason)) => {
            let (filter, reason) = (&subscribed.subscription.filter, reason.words(texts));
            Some(fill(texts.problem_subscription, &[filter, &reason]))
        }
        _ => None,
    })
}

/// What is done where one message may stand in the way of all others.
fn behind(large: Large, texts: &Texts) -> String {
    match large {
        Large::LeftOut(bytes) => fill(texts.large_left_out, &[&grouped(bytes.into())]),
        Large::NoMeans => texts.large_no_means.to_owned(),
        Large::WaitedFor { ms, .. } => fill(texts.large_waited_for, &[&age(ms as f64)]),
    }
}

fn sentence(problem: &Problem, host: &str, texts: &Texts) -> String {
    match problem {
        Problem::Asked => texts.problem_asked.to_owned(),
        Problem::Address(address) => fill(texts.problem_address, &[address]),
        Problem::Options(fault) => fill(texts.problem_options, &[&fault.words(texts)]),
        Problem::Unreachable { is_secure: false } => fill(texts.problem_unreachable, &[host]),
        Problem::Unreachable { is_secure: true } => {
            fill(texts.problem_unreachable_tls, &[host, host])
        }
        Problem::NoMqtt => fill(texts.problem_no_mqtt, &[host]),
        Problem::Text => fill(texts.problem_text, &[host]),
        Problem::Unanswered => texts.problem_unanswered.to_owned(),
        Problem::Version => texts.problem_version.to_owned(),
        Problem::Silent => texts.problem_silent.to_owned(),
        Problem::Lost => texts.problem_lost.to_owned(),
        Problem::SignIn { name } if name.is_empty() => fill(texts.problem_sign_in, &[host]),
        Problem::SignIn { .. } => texts.problem_signed_in.to_owned(),
        Problem::Refused(reason) => fill(texts.problem_refused, &[reason]),
        Problem::Malformed(fault) => fill(texts.problem_malformed, &[&fault.words(texts)]),
    }
}
