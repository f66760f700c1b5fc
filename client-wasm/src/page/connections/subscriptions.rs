//! What the connection that is shown is subscribed to, and how to change that while it is connected.

use yew::prelude::*;

use super::super::bdi;
use super::sentences::shown;
use crate::connect::Subscription;
use crate::page::field::use_field;
use crate::page::focus;
use crate::page::link::Link;
use crate::page::use_texts;
use crate::protocol::{Answer, Command, Subscribed};
use crate::texts::{self, Connections as Texts, fill};

#[derive(PartialEq, Properties)]
pub(super) struct SubscriptionsProps {
    pub(super) link: Link,
    /// What the connection is called.
    pub(super) title: AttrValue,
    /// Told what is subscribed to, once it was changed here.
    pub(super) on_change: Callback<Vec<Subscription>>,
}

#[component]
pub(super) fn Subscriptions(props: &SubscriptionsProps) -> Html {
    let texts = texts::connections(use_texts());
    let subscribed = use_field(props.link.subscriptions());
    let has_changed = use_mut_ref(|| false);
    {
        let (on_change, has_changed) = (props.on_change.clone(), has_changed.clone());
        use_effect_with(subscribed.clone(), move |subscribed| {
            if *has_changed.borrow() {
                on_change.emit(subscribed.iter().map(|s| s.subscription.clone()).collect());
            }
        });
    }
    let send = {
        let link = props.link.clone();
        Callback::from(move |command: Command| {
            *has_changed.borrow_mut() = true;
            link.send(command);
        })
    };
    let subscribe = {
        let send = send.clone();
        move |subscription| send.emit(Command::Subscribe(subscription))
    };
    let add = |filter: &'static str| {
        let subscribe = subscribe.clone();
        Callback::from(move |event: MouseEvent| {
            go_on(&event);
            subscribe(Subscription::new(filter));
        })
    };
    let (add_everything, add_sys) = (add(Subscription::EVERYTHING), add("$SYS/#"));
    let onsubmit = Callback::from(move |event: SubmitEvent| {
        event.prevent_default();
        let Some(form) = event.target_dyn_into::<web_sys::HtmlFormElement>() else { return };
        let Ok(data) = web_sys::FormData::new_with_form(&form) else { return };
        let text = |name: &str| data.get(name).as_string().unwrap_or_default();
        let qos = text("qos").parse().unwrap_or(0);
        subscribe(Subscription { qos, ..Subscription::new(&text("filter")) });
        form.reset();
    });
    let has = |filter: &str| subscribed.iter().any(|s| s.subscription.filter == filter);
    html! {
        <section class="panel subscriptions" aria-labelledby="subscriptions-heading"
            data-role="subscriptions">
            <h3 class="panel-heading" id="subscriptions-heading">
                { fill(texts.subscribed_heading, &[&props.title]) }
            </h3>
            if subscribed.is_empty() {
                <p class="form-note">{ texts.subscriptions_none }</p>
            }
            <ul class="subscription-list">
                { for subscribed.iter().map(|subscribed| line(subscribed, &send, texts)) }
            </ul>
            <form class="form-row" {onsubmit}>
                <label class="form-field">
                    <span class="label">{ texts.filter }</span>
                    <input class="input" name="filter" required=true autocomplete="off"
                        autocapitalize="off" spellcheck="false" dir="auto"
                        placeholder={texts.filter_example} />
                </label>
                <label class="form-field is-short">
                    <span class="label">{ texts.qos }</span>
                    <select class="input" name="qos">
                        <option value="0" selected=true>{ "0" }</option>
                        <option value="1">{ "1" }</option>
                        <option value="2">{ "2" }</option>
                    </select>
                </label>
                <button type="submit" class="button">{ texts.subscribe }</button>
            </form>
            <div class="form-row">
                if !has(Subscription::EVERYTHING) {
                    <button type="button" class="small-button" data-role="everything"
                        onclick={add_everything}>{ texts.everything }</button>
                }
                if !has("$SYS/#") {
                    <button type="button" class="small-button" onclick={add_sys}>{ texts.sys }</button>
                }
            </div>
        </section>
    }
}

/// What was pressed goes when the broker has answered.
fn go_on(event: &MouseEvent) {
    focus::go_on(event, ".subscriptions", "[name=filter]");
}

fn line(subscribed: &Subscribed, send: &Callback<Command>, texts: &Texts) -> Html {
    let filter = subscribed.subscription.filter.clone();
    let answer = match &subscribed.answer {
        None => texts.waiting.to_owned(),
        Some(Answer::Granted(qos)) => fill(texts.granted, &[&qos.to_string()]),
        Some(Answer::Refused(reason)) => fill(texts.refused, &[&reason.words(texts)]),
    };
    let is_bad = matches!(subscribed.answer, Some(Answer::Refused(_)));
    let onclick = {
        let filter = filter.clone();
        send.reform(move |event: MouseEvent| {
            go_on(&event);
            Command::Unsubscribe(filter.clone())
        })
    };
    html! {
        <li class="subscription" key={filter.clone()} data-filter={filter.clone()}>
            <code>{ bdi(&filter) }</code>
            <span class={classes!("form-note", is_bad.then_some("is-bad"))}>{ answer }</span>
            <button type="button" class="small-button" {onclick}
                aria-label={shown(texts.unsubscribe, &[&filter])}>{ "×" }</button>
        </li>
    }
}
