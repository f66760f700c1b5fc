//! The form that publishes a message, and what became of it.

use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlFormElement};
use yew::prelude::*;

use super::field::use_field;
use super::link::Link;
use super::use_texts;
use crate::protocol::{Failure, Outcome, Publish};
use crate::texts::{Texts, fill};

#[derive(PartialEq, Properties)]
pub(super) struct PublishPageProps {
    pub(super) link: Link,
    /// The topic to begin with.
    pub(super) topic: Option<AttrValue>,
}

#[component]
pub(super) fn PublishPage(props: &PublishPageProps) -> Html {
    let texts = use_texts();
    let ticket = use_state(|| None::<u32>);
    let published = use_field(props.link.published());
    let onsubmit = {
        let (link, ticket) = (props.link.clone(), ticket.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let form = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
            let data = form.and_then(|form| FormData::new_with_form(&form).ok());
            if let Some(data) = data {
                ticket.set(Some(link.publish(|ticket| read(&data, ticket))));
            }
        })
    };
    let outcome = (*ticket).map(|ticket| {
        published
            .filter(|published| published.ticket == ticket)
            .map_or(Outcome::Waiting, |published| published.outcome)
    });
    html! {
        <section class="publish" aria-labelledby="publish-heading">
            <header class="page-head">
                <h2 class="page-heading" id="publish-heading">{ texts.publish_heading }</h2>
            </header>
            <form class="form panel" data-role="publish" {onsubmit}>
                <label class="form-field">
                    <span class="label">{ texts.topic }</span>
                    <input class="input" name="topic" required=true autocomplete="off"
                        autocapitalize="off" spellcheck="false" dir="auto"
                        placeholder="home/kitchen/lamp" value={props.topic.clone()} />
                </label>
                <label class="form-field">
                    <span class="label">{ texts.payload }</span>
                    <textarea class="input" name="payload" rows="3" spellcheck="false" dir="auto"
                        placeholder="on" />
                </label>
                <label class="form-field">
                    <span class="label">{ texts.qos }</span>
                    <select class="input" name="qos">
                        <option value="0" selected=true>{ texts.qos_0 }</option>
                        <option value="1">{ texts.qos_1 }</option>
                        <option value="2">{ texts.qos_2 }</option>
                    </select>
                </label>
                <label class="form-check">
                    <input type="checkbox" name="retain" />
                    <span>{ texts.retain }</span>
                </label>
                <button class="button is-primary" type="submit">{ texts.send }</button>
                <p class={classes!("outcome", outcome.as_ref().map(mood))} role="status"
                    data-role="outcome">
                    { outcome.map(|outcome| words(&outcome, texts)).unwrap_or_default() }
                </p>
            </form>
        </section>
    }
}

fn read(data: &FormData, ticket: u32) -> Publish {
    let text = |name: &str| data.get(name).as_string().unwrap_or_default();
    Publish {
        ticket,
        topic: text("topic"),
        // A form sends line ends as CR LF; a payload gets what was typed.
        payload: text("payload").replace("\r\n", "\n").into_bytes(),
        qos: text("qos").parse().unwrap_or(0),
        retain: data.has("retain"),
    }
}

fn mood(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Waiting => "is-waiting",
        Outcome::Sent | Outcome::Acknowledged => "is-good",
        Outcome::Failed(_) => "is-bad",
    }
}

fn words(outcome: &Outcome, texts: &Texts) -> String {
    match outcome {
        Outcome::Waiting => texts.message_waiting.to_owned(),
        Outcome::Sent => texts.message_sent.to_owned(),
        Outcome::Acknowledged => texts.message_acknowledged.to_owned(),
        Outcome::Failed(Failure::TopicEmpty) => texts.failed_topic_empty.to_owned(),
        Outcome::Failed(Failure::TopicWildcard) => texts.failed_topic_wildcard.to_owned(),
        Outcome::Failed(Failure::TopicText) => texts.failed_topic_text.to_owned(),
        Outcome::Failed(Failure::Offline) => texts.failed_offline.to_owned(),
        Outcome::Failed(Failure::Busy) => texts.failed_busy.to_owned(),
        Outcome::Failed(Failure::Refused(reason)) => fill(texts.failed_refused, &[reason]),
        Outcome::Failed(Failure::Lost) => texts.failed_lost.to_owned(),
    }
}
