//! The connection, always in sight: its state, why there is none, and when the next try is.

use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlElement, HtmlFormElement, HtmlInputElement};
use yew::prelude::*;

use super::field::use_field;
use super::link::Link;
use super::use_texts;
use crate::protocol::{Answer, Command, Connection, Problem, SignIn, Subscribed};
use crate::texts::{Texts, fill};

#[derive(PartialEq, Properties)]
pub(super) struct StatusProps {
    pub(super) link: Link,
    /// Where the broker is.
    pub(super) host: AttrValue,
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

/// The sentence below the header, where something is wrong.
#[component]
pub(super) fn Trouble(props: &StatusProps) -> Html {
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
        (None, Connection::Online { .. }, _) => refused(&subscriptions, texts),
        (None, _, Some(problem)) => Some(sentence(problem, &props.host, texts)),
        (None, _, None) => None,
    };
    let asks_for = match &problem {
        Some(Problem::SignIn { name }) if failure.is_none() => Some(name),
        _ => None,
    };
    let can_try =
        failure.is_none() && asks_for.is_none() && !matches!(connection, Connection::Online { .. });
    let has_values = use_field(props.link.board()).is_some_and(|board| !board.groups.is_empty());
    let no_retry = matches!(connection, Connection::Offline { retry_at_ms: None, .. });
    let try_now = {
        let link = props.link.clone();
        Callback::from(move |_: MouseEvent| link.send(Command::TryNow))
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
                        <button type="button" class="button" data-role="try-now" onclick={try_now}>
                            { texts.try_now }
                        </button>
                    }
                    if let Some(name) = asks_for {
                        <SignInForm link={props.link.clone()} name={name.clone()} />
                    }
                </div>
            }
        </div>
    }
}

#[derive(PartialEq, Properties)]
struct SignInProps {
    link: Link,
    /// The name that the broker was told, to begin with.
    name: AttrValue,
}

/// Asks for the name that the broker wants. The page keeps neither name nor password; the browser does,
/// if its owner wants so.
#[component]
fn SignInForm(props: &SignInProps) -> Html {
    let texts = use_texts();
    let name = use_node_ref();
    {
        // What a person is typing meanwhile stays.
        let name = name.clone();
        use_effect_with(props.name.clone(), move |told| {
            let input = name.cast::<HtmlInputElement>().filter(|input| input.value().is_empty());
            if let Some(input) = input {
                input.set_value(told);
            }
        });
    }
    // Who has signed in goes on at the page, as the form goes.
    use_effect_with((), |()| {
        || {
            let main = web_sys::window().and_then(|w| w.document()?.get_element_by_id("main"));
            if let Some(main) = main.and_then(|main| main.dyn_into::<HtmlElement>().ok()) {
                let _focused = main.focus();
            }
        }
    });
    let onsubmit = {
        let link = props.link.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let form = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
            if let Some(data) = form.and_then(|form| FormData::new_with_form(&form).ok()) {
                let text = |name: &str| data.get(name).as_string().unwrap_or_default();
                let (username, password) = (text("username"), text("password"));
                link.send(Command::SignIn(SignIn { username, password }));
            }
        })
    };
    html! {
        <form class="sign-in" data-role="sign-in" {onsubmit}>
            <label class="form-field">
                <span class="label">{ texts.user_name }</span>
                <input ref={name} class="input" name="username" required=true autocomplete="username"
                    autocapitalize="off" spellcheck="false" />
            </label>
            <label class="form-field">
                <span class="label">{ texts.password }</span>
                <input class="input" name="password" type="password"
                    autocomplete="current-password" />
            </label>
            <button class="button is-primary" type="submit">{ texts.sign_in }</button>
        </form>
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
