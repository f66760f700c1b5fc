//! The page that publishes a message, once or again and again, and says what became of it.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlFormElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::field::use_field;
use super::focus;
use super::house::use_texts;
use super::kept;
use super::link::Link;
use crate::clock;
use crate::draft::{self, Kind, Wrong};
use crate::limits::TEMPLATES_MAX;
use crate::number::grouped;
use crate::payload::with_ellipsis;
use crate::placeholder::{self, Filler, Piece};
use crate::protocol::{Command, Failure, Outcome, Repeating};
use crate::template::{self, Template};
use crate::texts::{RoomsTexts, fill};

/// Where the browser keeps the templates.
const TEMPLATES_KEY: &str = "publish-templates";

/// Where this tab keeps what is written and was not sent yet.
const DRAFT_KEY: &str = "publish-draft";

/// How much of a payload with its placeholders filled in is shown while it is written, in characters.
const EXAMPLE_CHARS: usize = 160;

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

/// What is to be published.
#[derive(Debug, Clone, PartialEq, Default)]
struct Draft {
    form: Template,
    file: Option<Chosen>,
    templates: Vec<Template>,
    /// What became of a template.
    told: Option<String>,
}

/// A payload that can be sent.
enum Made {
    Bytes(Vec<u8>),
    Pieces(Vec<Piece>),
}

impl Draft {
    /// The form as it was left, with this topic, and the templates that the browser keeps.
    fn new(topic: Option<&AttrValue>, texts: &RoomsTexts) -> Self {
        let kept = kept::read(TEMPLATES_KEY).unwrap_or_default();
        let (templates, unread) = template::read(&kept);
        let told = (unread > 0).then(|| fill(texts.template_unread, &[&grouped(unread as u64)]));
        let left = kept::read_here(DRAFT_KEY).unwrap_or_default();
        let mut form = template::read(&left).0.pop().unwrap_or_default();
        if let Some(topic) = topic {
            form.topic = topic.to_string();
        }
        Self { form, file: None, templates, told }
    }

    fn made(&self) -> Result<Made, Wrong> {
        let form = &self.form;
        match (form.kind, &self.file) {
            (Kind::File, Some(file)) => Ok(Made::Bytes(file.bytes.to_vec())),
            (Kind::File, None) => Err(Wrong::NoFile),
            (kind, _) if form.is_filled && kind.takes_placeholders() => {
                draft::pieces(kind, &form.payload).map(Made::Pieces)
            }
            (kind, _) => draft::payload(kind, &form.payload).map(Made::Bytes),
        }
    }

    fn keep_template(&mut self, texts: &RoomsTexts) {
        let name = self.form.name.trim().to_owned();
        self.told = Some(if name.is_empty() {
            texts.template_no_name.to_owned()
        } else if !template::add(
            &mut self.templates,
            Template { name: name.clone(), ..self.form.clone() },
        ) {
            fill(texts.template_full, &[&grouped(TEMPLATES_MAX as u64)])
        } else if self.keep() {
            let saved = fill(texts.template_saved, &[&name]);
            let has_file = self.form.kind == Kind::File;
            if has_file { format!("{saved} {}", texts.no_file_in_template) } else { saved }
        } else {
            texts.template_not_kept.to_owned()
        });
    }

    fn remove_template(&mut self, texts: &RoomsTexts) {
        let name = self.form.name.trim().to_owned();
        self.templates.retain(|template| template.name != name);
        // A browser that keeps nothing has nothing to forget.
        let _kept = self.keep();
        self.told = Some(fill(texts.template_removed, &[&name]));
        self.form.name.clear();
    }

    fn keep(&self) -> bool {
        kept::write(TEMPLATES_KEY, &template::write(&self.templates))
    }
}

/// A change to what is to be published. It is made to the newest draft, not to the one that was shown
/// when the person began.
struct Edit(Box<dyn FnOnce(&mut Draft)>);

impl Reducible for Draft {
    type Action = Edit;

    fn reduce(self: Rc<Self>, edit: Edit) -> Rc<Self> {
        let mut draft = (*self).clone();
        (edit.0)(&mut draft);
        Rc::new(draft)
    }
}

/// The way of changes to the draft.
#[derive(Clone, PartialEq)]
struct Editor(UseReducerDispatcher<Draft>);

impl Editor {
    fn edit(&self, edit: impl FnOnce(&mut Draft) + 'static) {
        self.0.dispatch(Edit(Box::new(edit)));
    }

    /// What a click changes.
    fn click(&self, edit: impl Fn(&mut Draft) + Clone + 'static) -> Callback<MouseEvent> {
        let editor = self.clone();
        Callback::from(move |_: MouseEvent| editor.edit(edit.clone()))
    }

    /// What is typed into a field becomes a text of the form.
    fn text(&self, set: impl Fn(&mut Template, String) + Copy + 'static) -> Callback<InputEvent> {
        let editor = self.clone();
        Callback::from(move |event: InputEvent| {
            let input = event.target_dyn_into::<HtmlInputElement>().map(|input| input.value());
            let area = || event.target_dyn_into::<HtmlTextAreaElement>().map(|area| area.value());
            if let Some(text) = input.or_else(area) {
                editor.edit(move |draft| set(&mut draft.form, text));
            }
        })
    }

    /// A tick, or none, becomes a flag of the form.
    fn tick(&self, set: fn(&mut Template, bool)) -> Callback<Event> {
        let editor = self.clone();
        Callback::from(move |event: Event| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                let is_ticked = input.checked();
                editor.edit(move |draft| set(&mut draft.form, is_ticked));
            }
        })
    }

    /// What is chosen from a list.
    fn choice(&self, set: impl Fn(&mut Draft, String) + Copy + 'static) -> Callback<Event> {
        let editor = self.clone();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                let value = select.value();
                editor.edit(move |draft| set(draft, value));
            }
        })
    }
}

#[component]
pub(super) fn PublishPage(props: &PublishPageProps) -> Html {
    let link = &props.link;
    let texts = use_texts();
    let ticket = use_state(|| None::<u32>);
    let published = use_field(link.published());
    let repeating = use_field(link.repeating());
    let draft = {
        let topic = props.topic.clone();
        use_reducer(move || Draft::new(topic.as_ref(), texts))
    };
    let editor = Editor(draft.dispatcher());
    {
        let editor = editor.clone();
        use_effect_with(props.topic.clone(), move |topic| {
            if let Some(topic) = topic.clone() {
                editor.edit(move |draft| draft.form.topic = topic.to_string());
            }
        });
    }
    use_effect_with(draft.form.clone(), |form| {
        kept::write_here(DRAFT_KEY, &template::write(std::slice::from_ref(form)));
    });
    // A payload that is sent once and once more goes on counting.
    let filler = use_mut_ref(|| None::<(Vec<Piece>, Filler)>);
    let made = draft.made();
    let wrong = made.as_ref().err().cloned();
    let onsubmit = {
        let (link, ticket, draft) = (link.clone(), ticket.clone(), draft.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Ok(made) = draft.made() else { return };
            ticket.set(Some(send(&link, &draft.form, made, &filler)));
        })
    };
    // From any field, as in other programs that send what is written.
    let onkeydown = Callback::from(|event: KeyboardEvent| {
        let is_meant = event.key() == "Enter" && (event.ctrl_key() || event.meta_key());
        let field = event.target_dyn_into::<web_sys::Element>().filter(|_| is_meant);
        let form = field.and_then(|field| field.closest("form").ok().flatten());
        if let Some(form) = form.and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) {
            event.prevent_default();
            // What is missing is said by the browser.
            let _submitted = form.request_submit();
        }
    });
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
            <form class="form panel" data-role="publish" {onsubmit} {onkeydown}>
                if !draft.templates.is_empty() {
                    { templates(&draft, &editor, texts) }
                }
                <label class="form-field">
                    <span class="label">{ texts.topic }</span>
                    <input class="input" name="topic" required=true autocomplete="off"
                        autocapitalize="off" spellcheck="false" dir="auto"
                        placeholder={texts.topic_example} value={draft.form.topic.clone()}
                        oninput={editor.text(|form, text| form.topic = text)} />
                </label>
                <Payload draft={(*draft).clone()} editor={editor.clone()} {wrong} />
                { delivery(&draft.form, &editor, texts) }
                <details class="more" open={draft.form.has_properties()}>
                    <summary>{ texts.properties }</summary>
                    { properties(&draft.form, &editor, texts) }
                </details>
                { repetition(&draft.form, &editor, texts) }
                { actions(link, made.is_ok(), repeating.as_ref(), texts) }
                <p class={classes!("outcome", outcome.as_ref().map(mood))} role="status"
                    data-role="outcome">
                    { outcome.map(|outcome| words(&outcome, texts)).unwrap_or_default() }
                </p>
                { keeping(&draft, &editor, texts) }
            </form>
        </section>
    }
}

/// Sends what was made, once or again and again, and says its ticket.
fn send(
    link: &Link,
    form: &Template,
    made: Made,
    filler: &RefCell<Option<(Vec<Piece>, Filler)>>,
) -> u32 {
    match (form.every_ms(), made) {
        (None, Made::Bytes(payload)) => link.publish(|ticket| form.publish(ticket, payload)),
        (None, Made::Pieces(pieces)) => {
            let mut filler = filler.borrow_mut();
            if filler.as_ref().is_none_or(|(of, _)| *of != pieces) {
                *filler = Some((pieces.clone(), Filler::new(pieces, clock::seed())));
            }
            let payload = filler.as_mut().map(|(_, filler)| filler.fill(clock::now_ms()));
            let payload = payload.unwrap_or_default().into_bytes();
            link.publish(|ticket| form.publish(ticket, payload))
        }
        (Some(every_ms), Made::Bytes(payload)) => {
            link.repeat(|ticket| form.publish(ticket, payload), every_ms, None)
        }
        (Some(every_ms), Made::Pieces(pieces)) => {
            link.repeat(|ticket| form.publish(ticket, Vec::new()), every_ms, Some(pieces))
        }
    }
}

/// The messages that are kept, of which one is chosen.
fn templates(draft: &Draft, editor: &Editor, texts: &'static RoomsTexts) -> Html {
    let chosen = draft.templates.iter().any(|template| template.name == draft.form.name);
    let choose = editor.choice(|draft, name| {
        let found = draft.templates.iter().find(|template| template.name == name).cloned();
        if let Some(template) = found {
            (draft.form, draft.file, draft.told) = (template, None, None);
        }
    });
    let remove = {
        let editor = editor.clone();
        Callback::from(move |event: MouseEvent| {
            focus::go_on(&event, "form", "[name=topic]");
            editor.edit(|draft| draft.remove_template(texts));
        })
    };
    html! {
        <div class="templates">
            <select class="input" data-role="templates" aria-label={texts.template}
                ~value={if chosen { draft.form.name.clone() } else { String::new() }}
                onchange={choose}>
                <option value="" selected={!chosen}>{ texts.template_choose }</option>
                { for draft.templates.iter().map(|template| html! {
                    <option value={template.name.clone()}
                        selected={template.name == draft.form.name}>
                        { &template.name }
                    </option>
                }) }
            </select>
            if chosen {
                <button type="button" class="button" data-role="remove-template" onclick={remove}>
                    { texts.template_remove }
                </button>
            }
        </div>
    }
}

/// Keeps what is in the form as a template.
fn keeping(draft: &Draft, editor: &Editor, texts: &'static RoomsTexts) -> Html {
    html! {
        <div class="templates">
            <input class="input" data-role="template-name" autocomplete="off"
                placeholder={texts.template_name} aria-label={texts.template_name}
                value={draft.form.name.clone()}
                oninput={editor.text(|form, text| form.name = text)} />
            <button type="button" class="button" data-role="save-template"
                onclick={editor.click(|draft| draft.keep_template(texts))}>
                { texts.template_save }
            </button>
            <p class="form-note" role="status" data-role="template-note">
                { draft.told.clone().unwrap_or_default() }
            </p>
        </div>
    }
}

fn delivery(form: &Template, editor: &Editor, texts: &'static RoomsTexts) -> Html {
    let levels = [("0", texts.qos_0), ("1", texts.qos_1), ("2", texts.qos_2)];
    html! {
        <div class="form-row">
            <label class="form-field">
                <span class="label">{ texts.qos }</span>
                <select class="input" name="qos" ~value={form.qos.to_string()} onchange={editor.choice(|draft, value| {
                    draft.form.qos = value.parse().unwrap_or(0);
                })}>
                    { for levels.iter().map(|(value, name)| html! {
                        <option value={*value} selected={form.qos.to_string() == *value}>
                            { name }
                        </option>
                    }) }
                </select>
            </label>
            <label class="form-check">
                <input type="checkbox" name="retain" checked={form.retain}
                    onchange={editor.tick(|form, on| form.retain = on)} />
                <span>{ texts.retain }</span>
            </label>
        </div>
    }
}

fn repetition(form: &Template, editor: &Editor, texts: &'static RoomsTexts) -> Html {
    html! {
        <div class="form-row repetition">
            <label class="form-check">
                <input type="checkbox" name="repeat" checked={form.is_repeated}
                    onchange={editor.tick(|form, on| form.is_repeated = on)} />
                <span>{ texts.repeat }</span>
            </label>
            <label class="inline-field">
                <input class="input is-number" name="every" type="number" value={form.every.clone()}
                    min="0.05" max="86400" step="any" aria-label={texts.repeat_every}
                    oninput={editor.text(|form, text| form.every = text)} />
                <span class="label">{ texts.seconds }</span>
            </label>
        </div>
    }
}

fn actions(link: &Link, can_send: bool, repeating: Option<&Repeating>, texts: &RoomsTexts) -> Html {
    let stop = {
        let link = link.clone();
        Callback::from(move |_: MouseEvent| link.send(Command::StopRepeating))
    };
    html! {
        <div class="form-row">
            <button class="button is-primary" type="submit" disabled={!can_send}
                title="Ctrl Enter" aria-keyshortcuts="Control+Enter">
                { texts.send }
            </button>
            if let Some(repeating) = repeating {
                <button class="button" type="button" data-role="stop" onclick={stop}>
                    { texts.stop }
                </button>
                <p class="page-note" data-role="repeated">
                    { fill(texts.repeated, &[&repeating.topic, &grouped(repeating.count)]) }
                </p>
            }
        </div>
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
    let area = use_node_ref();
    let PayloadProps { draft, editor, wrong } = props;
    let form = &draft.form;
    let kinds = [
        (Kind::Text, texts.as_text),
        (Kind::Json, "JSON"),
        (Kind::Hex, "Hex"),
        (Kind::Base64, "Base64"),
        (Kind::File, texts.as_file),
    ];
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
                editor.edit(move |draft| draft.file = file);
            });
        })
    };
    html! {
        <div class="form-field">
            <div class="part-head">
                <label class="label" for="payload">{ texts.payload }</label>
                <div class="segments is-small" role="group" aria-label={texts.format}>
                    { for kinds.into_iter().map(|(kind, name)| html! {
                        <button type="button" class="segment"
                            onclick={editor.click(move |draft| draft.form.kind = kind)}
                            aria-pressed={(form.kind == kind).to_string()}>{ name }</button>
                    }) }
                </div>
            </div>
            if form.kind == Kind::File {
                <input id="payload" class="input" type="file" {onchange} />
            } else {
                <textarea id="payload" class="input" name="payload" rows="6" spellcheck="false"
                    dir="auto" placeholder={draft::example(form.kind)} value={form.payload.clone()}
                    aria-describedby="payload-note" aria-invalid={wrong.is_some().to_string()}
                    ref={area.clone()} oninput={editor.text(|form, text| form.payload = text)} />
            }
            <p id="payload-note" role="status" data-role="check"
                class={classes!("form-note", wrong.is_some().then_some("is-bad"))}>
                { note(draft, wrong.as_ref(), texts) }
            </p>
            if form.kind.takes_placeholders() {
                { placeholders(form, &area, editor, texts) }
            }
        </div>
    }
}

/// Whether placeholders are filled in, and what they are: a click inserts one.
fn placeholders(
    form: &Template,
    area: &NodeRef,
    editor: &Editor,
    texts: &'static RoomsTexts,
) -> Html {
    let insert = |example: &'static str| {
        let (area, editor) = (area.clone(), editor.clone());
        Callback::from(move |_: MouseEvent| {
            let Some(area) = area.cast::<HtmlTextAreaElement>() else { return };
            if area.set_range_text(example).is_ok() {
                let text = area.value();
                editor.edit(move |draft| draft.form.payload = text);
            }
            // Where it does not take the focus, a person clicks once more.
            let _focused = area.focus();
        })
    };
    html! {
        <div class="placeholders">
            <label class="form-check">
                <input type="checkbox" name="fill" checked={form.is_filled}
                    onchange={editor.tick(|form, on| form.is_filled = on)} />
                <span>{ texts.fill_in }</span>
            </label>
            if form.is_filled {
                <p class="form-note">{ texts.fill_explained }</p>
                <div class="placeholder-list">
                    { for placeholder::EXAMPLES.into_iter().map(|example| html! {
                        <button type="button" class="small-button is-code" data-role="placeholder"
                            onclick={insert(example)}>{ example }</button>
                    }) }
                </div>
            }
        </div>
    }
}

/// What is wrong with the payload, or how long it is.
fn note(draft: &Draft, wrong: Option<&Wrong>, texts: &RoomsTexts) -> String {
    use placeholder::Wrong as Placeholder;
    match wrong {
        Some(Wrong::NoFile) => texts.no_file.to_owned(),
        Some(Wrong::Json { line, column }) => {
            fill(texts.not_json, &[&line.to_string(), &column.to_string()])
        }
        Some(Wrong::Hex) => texts.not_hex.to_owned(),
        Some(Wrong::Base64) => texts.not_base64.to_owned(),
        Some(Wrong::Placeholder(Placeholder::Open)) => texts.fill_open.to_owned(),
        Some(Wrong::Placeholder(Placeholder::Name(name))) => {
            fill(texts.fill_name, &[&format!("{{{{{name}}}}}")])
        }
        Some(Wrong::Placeholder(Placeholder::Numbers(inside))) => {
            fill(texts.fill_numbers, &[&format!("{{{{{inside}}}}}")])
        }
        None => {
            let len = match draft.made() {
                Ok(Made::Pieces(pieces)) => {
                    let example = Filler::new(pieces, 1).fill(clock::now_ms());
                    return fill(texts.fill_next, &[&with_ellipsis(&example, EXAMPLE_CHARS)]);
                }
                Ok(Made::Bytes(payload)) => payload.len() as u64,
                Err(_) => 0,
            };
            let bytes = fill(texts.bytes_count, &[&grouped(len)]);
            match &draft.file {
                Some(file) if draft.form.kind == Kind::File => format!("{} · {bytes}", file.name),
                _ => bytes,
            }
        }
    }
}

/// The properties of a PUBLISH that a person may set (MQTT 5.0 §3.3.2.3), by the names they have there.
fn properties(form: &Template, editor: &Editor, texts: &'static RoomsTexts) -> Html {
    type Set = fn(&mut Template, String);
    let field =
        |name: &'static str, label: &'static str, kind: &'static str, value: &str, set: Set| {
            html! {
                <label class="form-field">
                    <span class="label">{ label }</span>
                    <input class="input" {name} type={kind} min="0" max="4294967295"
                        autocomplete="off" autocapitalize="off" spellcheck="false"
                        value={value.to_owned()} oninput={editor.text(set)} />
                </label>
            }
        };
    html! {
        <div class="form">
            <div class="form-row">
                { field("content_type", "Content Type", "text", &form.content_type,
                    |form, text| form.content_type = text) }
                { field("expiry", texts.expiry, "number", &form.expiry,
                    |form, text| form.expiry = text) }
            </div>
            <div class="form-row">
                { field("response_topic", "Response Topic", "text", &form.response_topic,
                    |form, text| form.response_topic = text) }
                { field("correlation", texts.correlation, "text", &form.correlation,
                    |form, text| form.correlation = text) }
            </div>
            <label class="form-check">
                <input type="checkbox" name="is_text" checked={form.is_text}
                    onchange={editor.tick(|form, on| form.is_text = on)} />
                <span>{ texts.payload_format }</span>
            </label>
            <div class="user-properties">
                { for form.user.iter().enumerate().map(|(index, (name, value))| {
                    user_property(index, name, value, editor, texts)
                }) }
            </div>
            <button type="button" class="small-button" data-role="add-property"
                onclick={editor.click(|draft| draft.form.user.push(Default::default()))}>
                { texts.add_user_property }
            </button>
        </div>
    }
}

fn user_property(
    index: usize,
    name: &str,
    value: &str,
    editor: &Editor,
    texts: &RoomsTexts,
) -> Html {
    let edit = |set: fn(&mut (String, String), String)| {
        editor.text(move |form, text| {
            if let Some(pair) = form.user.get_mut(index) {
                set(pair, text);
            }
        })
    };
    let remove = {
        let editor = editor.clone();
        Callback::from(move |event: MouseEvent| {
            focus::go_on(&event, ".form", "[data-role=add-property]");
            editor.edit(move |draft| {
                if index < draft.form.user.len() {
                    draft.form.user.remove(index);
                }
            });
        })
    };
    html! {
        <div class="form-row user-property">
            <input class="input" value={name.to_owned()} aria-label={texts.property_name}
                placeholder={texts.property_name} data-role="property-name"
                oninput={edit(|pair, text| pair.0 = text)} />
            <input class="input" value={value.to_owned()} aria-label={texts.property_value}
                placeholder={texts.property_value} data-role="property-value"
                oninput={edit(|pair, text| pair.1 = text)} />
            <button type="button" class="small-button" data-role="remove-property" onclick={remove}>
                { texts.remove }
            </button>
        </div>
    }
}

fn mood(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Waiting => "is-waiting",
        Outcome::Sent | Outcome::Acknowledged => "is-good",
        Outcome::Failed(_) => "is-bad",
    }
}

pub(super) fn words(outcome: &Outcome, texts: &RoomsTexts) -> String {
    match outcome {
        Outcome::Waiting => texts.message_waiting.to_owned(),
        Outcome::Sent => texts.message_sent.to_owned(),
        Outcome::Acknowledged => texts.message_acknowledged.to_owned(),
        Outcome::Failed(failure) => reason(failure, texts),
    }
}

/// Why a message was not published.
pub(super) fn reason(failure: &Failure, texts: &RoomsTexts) -> String {
    match failure {
        Failure::TopicEmpty => texts.failed_topic_empty.to_owned(),
        Failure::TopicWildcard => texts.failed_topic_wildcard.to_owned(),
        Failure::TopicText => texts.failed_topic_text.to_owned(),
        Failure::Property(fault) => fill(texts.failed_property, &[&fault.words(texts)]),
        Failure::Offline => texts.failed_offline.to_owned(),
        Failure::Busy => texts.failed_busy.to_owned(),
        Failure::Refused(reason) => fill(texts.failed_refused, &[&reason.words(texts)]),
        Failure::Lost => texts.failed_lost.to_owned(),
    }
}
