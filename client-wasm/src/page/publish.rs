//! The page that publishes a message, once or again and again, and says what became of it.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{FormData, HtmlFormElement, HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::field::use_field;
use super::link::Link;
use super::use_texts;
use crate::draft::{self, Kind, Wrong};
use crate::limits::REPEAT_MS_MIN;
use crate::number::grouped;
use crate::protocol::{self, Command, Failure, Outcome, Publish};
use crate::texts::{Texts, fill};

#[derive(PartialEq, Properties)]
pub(super) struct PublishPageProps {
    pub(super) link: Link,
    /// The topic to begin with.
    pub(super) topic: Option<AttrValue>,
}

/// A file that was chosen as the payload.
#[derive(Debug, Clone, PartialEq)]
struct Chosen {
    name: String,
    bytes: Rc<[u8]>,
}

/// What is to be published, as far as it is not read off the form when it is sent.
#[derive(Debug, Clone, PartialEq, Default)]
struct Draft {
    kind: Kind,
    text: String,
    file: Option<Chosen>,
    user_properties: Vec<(String, String)>,
}

impl Draft {
    fn payload(&self) -> Result<Vec<u8>, Wrong> {
        match (self.kind, &self.file) {
            (Kind::File, Some(file)) => Ok(file.bytes.to_vec()),
            (Kind::File, None) => Err(Wrong::NoFile),
            (kind, _) => draft::payload(kind, &self.text),
        }
    }
}

/// A change to what is to be published. It is made to the newest draft, not to the one that was shown
/// when the person began.
struct Edit(Box<dyn FnOnce(&mut Draft)>);

impl Edit {
    fn new(edit: impl FnOnce(&mut Draft) + 'static) -> Self {
        Self(Box::new(edit))
    }
}

impl Reducible for Draft {
    type Action = Edit;

    fn reduce(self: Rc<Self>, edit: Edit) -> Rc<Self> {
        let mut draft = (*self).clone();
        (edit.0)(&mut draft);
        Rc::new(draft)
    }
}

type Editor = UseReducerDispatcher<Draft>;

#[component]
pub(super) fn PublishPage(props: &PublishPageProps) -> Html {
    let link = &props.link;
    let texts = use_texts();
    let ticket = use_state(|| None::<u32>);
    let published = use_field(link.published());
    let repeating = use_field(link.repeating());
    let draft = use_reducer(Draft::default);
    let editor = draft.dispatcher();
    let payload = draft.payload();
    let read = {
        let (link, ticket, draft) = (link.clone(), ticket.clone(), draft.clone());
        Rc::new(move |form: HtmlFormElement, every_ms: Option<u32>| {
            let (Ok(payload), Ok(data)) = (draft.payload(), FormData::new_with_form(&form)) else {
                return;
            };
            let made = |ticket| read(&data, ticket, payload, &draft.user_properties);
            ticket.set(Some(match every_ms {
                None => link.publish(made),
                Some(every_ms) => link.repeat(made, every_ms),
            }));
        })
    };
    let onsubmit = {
        let read = Rc::clone(&read);
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(form) = event.target_dyn_into::<HtmlFormElement>() {
                let data = FormData::new_with_form(&form).ok();
                let is_repeated = data.as_ref().is_some_and(|data| data.has("repeat"));
                let every = data.and_then(|data| data.get("every").as_string());
                let every_s: f64 = every.and_then(|text| text.parse().ok()).unwrap_or(1.0);
                // A cast from a float keeps to the range of the integer.
                let every_ms = ((every_s * 1_000.0) as u32).max(REPEAT_MS_MIN);
                read(form, is_repeated.then_some(every_ms));
            }
        })
    };
    let stop = {
        let link = link.clone();
        Callback::from(move |_: MouseEvent| link.send(Command::StopRepeating))
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
                <Payload draft={(*draft).clone()} editor={editor.clone()} wrong={payload.clone().err()} />
                <div class="form-row">
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
                </div>
                <details class="more">
                    <summary>{ texts.properties }</summary>
                    { properties(&draft, &editor, texts) }
                </details>
                <div class="form-row">
                    <label class="form-check">
                        <input type="checkbox" name="repeat" />
                        <span>{ texts.repeat }</span>
                    </label>
                    <label class="inline-field">
                        <input class="input is-number" name="every" type="number" value="1"
                            min="0.05" max="86400" step="any" aria-label={texts.repeat_every} />
                        <span class="label">{ texts.seconds }</span>
                    </label>
                </div>
                <div class="form-row">
                    <button class="button is-primary" type="submit" disabled={payload.is_err()}>
                        { texts.send }
                    </button>
                    if let Some(repeating) = &repeating {
                        <button class="button" type="button" data-role="stop" onclick={stop}>
                            { texts.stop }
                        </button>
                        <p class="page-note" data-role="repeated">
                            { fill(texts.repeated, &[&grouped(repeating.count), &repeating.topic]) }
                        </p>
                    }
                </div>
                <p class={classes!("outcome", outcome.as_ref().map(mood))} role="status"
                    data-role="outcome">
                    { outcome.map(|outcome| words(&outcome, texts)).unwrap_or_default() }
                </p>
            </form>
        </section>
    }
}

#[derive(PartialEq, Properties)]
struct PayloadProps {
    draft: Draft,
    editor: Editor,
    wrong: Option<Wrong>,
}

/// What is published, in the form that a person writes it in; checked while they do.
#[component]
fn Payload(props: &PayloadProps) -> Html {
    let texts = use_texts();
    let PayloadProps { draft, editor, wrong } = props;
    let kinds = [
        (Kind::Text, texts.as_text),
        (Kind::Json, "JSON"),
        (Kind::Hex, "Hex"),
        (Kind::Base64, "Base64"),
        (Kind::File, texts.as_file),
    ];
    let choose = |kind: Kind| {
        let editor = editor.clone();
        Callback::from(move |_: MouseEvent| editor.dispatch(Edit::new(move |d| d.kind = kind)))
    };
    let oninput = {
        let editor = editor.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(area) = event.target_dyn_into::<HtmlTextAreaElement>() {
                let text = area.value();
                editor.dispatch(Edit::new(move |draft| draft.text = text));
            }
        })
    };
    let onchange = {
        let editor = editor.clone();
        Callback::from(move |event: Event| {
            let input = event.target_dyn_into::<HtmlInputElement>();
            let Some(file) = input.and_then(|input| input.files()?.get(0)) else { return };
            let editor = editor.clone();
            spawn_local(async move {
                // A file that can't be read stays one that was not chosen, which the form says.
                let Ok(buffer) = JsFuture::from(file.array_buffer()).await else { return };
                let bytes = Uint8Array::new(&buffer).to_vec().into();
                let file = Some(Chosen { name: file.name(), bytes });
                editor.dispatch(Edit::new(move |draft| draft.file = file));
            });
        })
    };
    html! {
        <div class="form-field">
            <div class="part-head">
                <label class="label" for="payload">{ texts.payload }</label>
                <div class="segments is-small" role="group" aria-label={texts.format}>
                    { for kinds.into_iter().map(|(kind, name)| html! {
                        <button type="button" class="segment" onclick={choose(kind)}
                            aria-pressed={(draft.kind == kind).to_string()}>{ name }</button>
                    }) }
                </div>
            </div>
            if draft.kind == Kind::File {
                <input id="payload" class="input" type="file" {onchange} />
            } else {
                <textarea id="payload" class="input" name="payload" rows="6" spellcheck="false"
                    dir="auto" placeholder={draft::example(draft.kind)} value={draft.text.clone()}
                    aria-describedby="payload-note" aria-invalid={wrong.is_some().to_string()}
                    {oninput} />
            }
            <p id="payload-note" role="status" data-role="check"
                class={classes!("form-note", wrong.is_some().then_some("is-bad"))}>
                { note(draft, wrong.as_ref(), texts) }
            </p>
        </div>
    }
}

/// What is wrong with the payload, or how long it is.
fn note(draft: &Draft, wrong: Option<&Wrong>, texts: &Texts) -> String {
    match wrong {
        Some(Wrong::NoFile) => texts.no_file.to_owned(),
        Some(Wrong::Json { line, column }) => {
            fill(texts.not_json, &[&line.to_string(), &column.to_string()])
        }
        Some(Wrong::Hex) => texts.not_hex.to_owned(),
        Some(Wrong::Base64) => texts.not_base64.to_owned(),
        None => {
            let len = draft.payload().map_or(0, |payload| payload.len() as u64);
            let bytes = fill(texts.bytes_count, &[&grouped(len)]);
            match &draft.file {
                Some(file) if draft.kind == Kind::File => format!("{} · {bytes}", file.name),
                _ => bytes,
            }
        }
    }
}

/// The properties of a PUBLISH that a person may set (MQTT 5.0 §3.3.2.3), by the names they have there.
fn properties(draft: &Draft, editor: &Editor, texts: &'static Texts) -> Html {
    let field = |name: &'static str, label: &'static str, kind: &'static str| {
        html! {
            <label class="form-field">
                <span class="label">{ label }</span>
                <input class="input" {name} type={kind} min="0" max="4294967295"
                    autocomplete="off" autocapitalize="off" spellcheck="false" />
            </label>
        }
    };
    let add = {
        let editor = editor.clone();
        Callback::from(move |_: MouseEvent| {
            editor.dispatch(Edit::new(|draft| draft.user_properties.push(Default::default())));
        })
    };
    html! {
        <div class="form">
            <div class="form-row">
                { field("content_type", "Content Type", "text") }
                { field("expiry", texts.expiry, "number") }
            </div>
            <div class="form-row">
                { field("response_topic", "Response Topic", "text") }
                { field("correlation", texts.correlation, "text") }
            </div>
            <label class="form-check">
                <input type="checkbox" name="is_text" />
                <span>{ texts.payload_format }</span>
            </label>
            <div class="user-properties">
                { for draft.user_properties.iter().enumerate().map(|(index, (name, value))| {
                    user_property(index, name, value, editor, texts)
                }) }
            </div>
            <button type="button" class="small-button" data-role="add-property" onclick={add}>
                { texts.add_user_property }
            </button>
        </div>
    }
}

fn user_property(index: usize, name: &str, value: &str, editor: &Editor, texts: &Texts) -> Html {
    let edit = |set: fn(&mut (String, String), String)| {
        let editor = editor.clone();
        Callback::from(move |event: InputEvent| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            let text = input.value();
            editor.dispatch(Edit::new(move |draft| {
                if let Some(pair) = draft.user_properties.get_mut(index) {
                    set(pair, text);
                }
            }));
        })
    };
    let remove = {
        let editor = editor.clone();
        Callback::from(move |_: MouseEvent| {
            editor.dispatch(Edit::new(move |draft| {
                if index < draft.user_properties.len() {
                    draft.user_properties.remove(index);
                }
            }));
        })
    };
    html! {
        <div class="form-row">
            <input class="input" value={name.to_owned()} aria-label={texts.property_name}
                placeholder={texts.property_name} data-role="property-name"
                oninput={edit(|pair, text| pair.0 = text)} />
            <input class="input" value={value.to_owned()} aria-label={texts.property_value}
                placeholder={texts.property_value} data-role="property-value"
                oninput={edit(|pair, text| pair.1 = text)} />
            <button type="button" class="small-button" onclick={remove}>{ texts.remove }</button>
        </div>
    }
}

fn read(data: &FormData, ticket: u32, payload: Vec<u8>, user: &[(String, String)]) -> Publish {
    let text = |name: &str| data.get(name).as_string().unwrap_or_default();
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    Publish {
        ticket,
        topic: text("topic"),
        payload,
        qos: text("qos").parse().unwrap_or(0),
        retain: data.has("retain"),
        properties: protocol::Properties {
            is_text: data.has("is_text"),
            expiry_s: given("expiry").and_then(|text| text.parse().ok()),
            content_type: given("content_type"),
            response_topic: given("response_topic"),
            correlation_data: given("correlation").map(String::into_bytes),
            user: user.to_vec(),
        },
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
        Outcome::Failed(Failure::Property(reason)) => fill(texts.failed_property, &[reason]),
        Outcome::Failed(Failure::Offline) => texts.failed_offline.to_owned(),
        Outcome::Failed(Failure::Busy) => texts.failed_busy.to_owned(),
        Outcome::Failed(Failure::Refused(reason)) => fill(texts.failed_refused, &[reason]),
        Outcome::Failed(Failure::Lost) => texts.failed_lost.to_owned(),
    }
}
