//! A widget that publishes, and what became of what it published.

use std::rc::Rc;

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::super::house::use_texts;
use super::super::link::Link;
use super::super::publish;
use super::super::use_widget_texts;
use super::face::{number_of, text_of};
use crate::protocol::{Card, Outcome, Properties as MessageProperties, Publish};
use crate::widgets::{Kind, Shown, Widget, template};

#[derive(PartialEq, Properties)]
pub(super) struct ControlProps {
    pub(super) link: Link,
    pub(super) widget: Widget,
    /// The value that tells what is so, where there is one.
    pub(super) state: Option<Rc<Card>>,
}

/// A control.
#[component]
pub(super) fn Control(props: &ControlProps) -> Html {
    let ControlProps { link, widget, state } = props;
    let (texts, words) = (use_texts(), use_widget_texts());
    let outcome = use_state(|| None::<Outcome>);
    // Of the last message that went from here: what becomes of others is none of this one's business.
    let ticket = use_mut_ref(|| None::<u32>);
    // What was chosen last, as long as no message says what is so.
    let chosen = use_state(String::new);
    // What is being chosen, before it is let go; what comes meanwhile does not take it out of the hand.
    let choosing = use_state(|| None::<String>);
    {
        let (ticket, outcome) = (Rc::clone(&ticket), outcome.clone());
        use_effect_with(link.clone(), move |link| {
            let published = link.published().clone();
            let listening = link.published().listen(move || {
                let published =
                    published.get().filter(|told| Some(told.ticket) == *ticket.borrow());
                if let Some(told) = published {
                    outcome.set(Some(told.outcome));
                }
            });
            move || drop(listening)
        });
    }
    let send = {
        let (link, widget) = (link.clone(), widget.clone());
        let outcome = outcome.clone();
        let (chosen, choosing) = (chosen.clone(), choosing.clone());
        Callback::from(move |value: String| {
            let control = &widget.control;
            let payload = template::payload(&control.payload, &value).into_bytes();
            let number = link.publish(|ticket| Publish {
                ticket,
                topic: control.topic.clone(),
                payload,
                qos: control.qos,
                retain: control.retain,
                properties: MessageProperties::default(),
            });
            *ticket.borrow_mut() = Some(number);
            outcome.set(None);
            choosing.set(None);
            chosen.set(value);
        })
    };
    let said = outcome
        .as_ref()
        .map(|outcome| (publish::words(outcome, texts), matches!(outcome, Outcome::Failed(_))));
    let known = || state.as_ref().map(|card| text_of(card, &Shown::default()));
    let shown = (*choosing).clone().or_else(known).unwrap_or_else(|| (*chosen).clone());
    let oninput = Callback::from(move |event: InputEvent| {
        let input = event.target_dyn_into::<HtmlInputElement>();
        choosing.set(input.map(|input| input.value()));
    });
    let name = super::face::title(widget);
    html! {
        <div class="control">
            { match widget.kind {
                Kind::Switch => switch(widget, state.as_deref(), &chosen, &send, &name),
                Kind::Slider => slider(widget, &shown, oninput, &send, &name),
                Kind::Button => {
                    let (send, value) = (send.clone(), widget.control.on.clone());
                    let onclick = Callback::from(move |_: MouseEvent| send.emit(value.clone()));
                    html! {
                        <button type="button" class="button is-primary control-button" {onclick}>
                            { name.clone() }
                        </button>
                    }
                }
                Kind::Color => {
                    let send = send.clone();
                    let onchange = on_change(move |value| send.emit(value));
                    let value = if shown.starts_with('#') { shown.clone() } else { "#ffffff".to_owned() };
                    html! {
                        <input type="color" class="control-color" aria-label={name.clone()} {value}
                            {oninput} {onchange} />
                    }
                }
                kind => entry(widget, kind == Kind::Number, &shown, &send, &name, words.send),
            } }
            if let Some((text, is_bad)) = said {
                <p class={classes!("control-said", is_bad.then_some("is-bad"))} role="status">{ text }</p>
            }
        </div>
    }
}

fn on_change(send: impl Fn(String) + 'static) -> Callback<Event> {
    Callback::from(move |event: Event| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            send(input.value());
        }
    })
}

/// What is published for on and off.
fn on_off(widget: &Widget) -> (String, String) {
    let or = |text: &String, other: &str| match text.is_empty() {
        true => other.to_owned(),
        false => text.clone(),
    };
    (or(&widget.control.on, "ON"), or(&widget.control.off, "OFF"))
}

fn switch(
    widget: &Widget,
    state: Option<&Card>,
    chosen: &str,
    send: &Callback<String>,
    name: &str,
) -> Html {
    let (on, off) = on_off(widget);
    let is_on = match state {
        Some(card) => {
            let text = text_of(card, &Shown::default());
            text == on || text != off && number_of(card).is_some_and(|number| number != 0.0)
        }
        None => chosen == on,
    };
    let (send, next) = (send.clone(), if is_on { off } else { on });
    let onclick = Callback::from(move |_: MouseEvent| send.emit(next.clone()));
    html! {
        <button type="button" class="toggle" role="switch" aria-checked={is_on.to_string()}
            aria-label={name.to_owned()} {onclick}>
            <span class="toggle-knob" aria-hidden="true"></span>
        </button>
    }
}

fn slider(
    widget: &Widget,
    shown: &str,
    oninput: Callback<InputEvent>,
    send: &Callback<String>,
    name: &str,
) -> Html {
    let (low, high) = (widget.low.unwrap_or(0.0), widget.high.unwrap_or(100.0));
    let step = widget.control.step.unwrap_or(1.0);
    // It always has a value: the first one to be set would take the place of what a person chooses.
    let value = crate::number::parse(shown).map_or(low, |number| number.value).to_string();
    let send = send.clone();
    let onchange = on_change(move |value| send.emit(value));
    html! {
        <div class="slider">
            <input type="range" min={low.to_string()} max={high.to_string()} step={step.to_string()}
                {value} aria-label={name.to_owned()} {oninput} {onchange} />
            <output class="slider-value">{ if shown.is_empty() { "—" } else { shown } }</output>
        </div>
    }
}

fn entry(
    widget: &Widget,
    is_number: bool,
    shown: &str,
    send: &Callback<String>,
    name: &str,
    button: &'static str,
) -> Html {
    let end = |end: Option<f64>| end.filter(|_| is_number).map(|end| end.to_string());
    let send = send.clone();
    let onsubmit = Callback::from(move |event: SubmitEvent| {
        event.prevent_default();
        let form = event.target_dyn_into::<web_sys::HtmlFormElement>();
        let input = form.and_then(|form| form.query_selector("input").ok().flatten());
        use wasm_bindgen::JsCast as _;
        if let Some(input) = input.and_then(|input| input.dyn_into::<HtmlInputElement>().ok()) {
            send.emit(input.value());
        }
    });
    html! {
        <form class="entry" {onsubmit}>
            <input class="input" type={if is_number { "number" } else { "text" }} step="any"
                aria-label={name.to_owned()} placeholder={shown.to_owned()}
                min={end(widget.low)} max={end(widget.high)} required={is_number} />
            <button type="submit" class="button">{ button }</button>
        </form>
    }
}
