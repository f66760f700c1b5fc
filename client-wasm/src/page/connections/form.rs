//! The form of one connection. Each field is known by its name; one listener for the whole form takes in
//! what is written.

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::sentences::{sentence, shown};
use super::{Hands, Notice, View, is_secure};
use crate::connect::{Subscription, Version};
use crate::profile::Wrong;
use crate::profile::draft::{Draft, ON};
use crate::texts::Connections as Texts;

/// The fields of one form, while they are painted.
struct Fields<'a> {
    draft: &'a Draft,
    wrong: &'a [Wrong],
}

impl Fields<'_> {
    fn is_wrong(&self, name: &str) -> bool {
        let name = if name.starts_with("filter.") { "filter" } else { name };
        self.wrong.iter().any(|wrong| wrong.field() == name)
    }

    /// A line of text, or of another kind.
    fn input(&self, name: &str, label: &str, kind: &'static str, hint: &'static str) -> Html {
        let autocomplete = if kind == "password" { "new-password" } else { "off" };
        html! {
            <label class="form-field">
                <span class="label">{ label }</span>
                <input class="input" name={name.to_owned()} type={kind} placeholder={hint}
                    value={self.draft.get(name).to_owned()} {autocomplete} autocapitalize="off"
                    spellcheck="false" aria-invalid={self.is_wrong(name).to_string()}
                    inputmode={(kind == "number").then_some("numeric")} min="0" dir="auto" />
            </label>
        }
    }

    fn check(&self, name: &str, label: &str) -> Html {
        html! {
            <label class="form-check">
                <input type="checkbox" name={name.to_owned()} checked={self.draft.is_on(name)} />
                <span>{ label }</span>
            </label>
        }
    }

    fn choice(&self, name: &str, label: &str, choices: &[(&str, String)]) -> Html {
        let chosen = self.draft.get(name);
        html! {
            <label class="form-field">
                <span class="label">{ label }</span>
                <select class="input" name={name.to_owned()}>
                    { for choices.iter().map(|(value, words)| html! {
                        <option value={(*value).to_owned()} selected={chosen == *value}>{ words }</option>
                    }) }
                </select>
            </label>
        }
    }

    fn qos(&self, name: &str, texts: &Texts) -> Html {
        self.choice(name, texts.qos, &["0", "1", "2"].map(|qos| (qos, qos.to_owned())))
    }
}

/// The form with this heading.
pub(super) fn form(draft: &Draft, heading: AttrValue, wrong: &[Wrong], hands: &Hands) -> Html {
    let texts = hands.texts;
    let fields = Fields { draft, wrong };
    let cancel = hands.editing(|view: &mut View| {
        let left = view.draft.take();
        view.wrong = Vec::new();
        match left {
            Some((draft, false)) => view.go_to_actions(draft.id()),
            _ => view.go("[data-role=new]"),
        }
    });
    let submit = |connects: bool| {
        let hands = hands.clone();
        move || save(&hands, connects)
    };
    let (save_only, save_and_connect) = (submit(false), submit(true));
    let onsubmit = Callback::from(move |event: SubmitEvent| {
        event.prevent_default();
        save_and_connect();
    });
    html! {
        <form class="form connection-form" data-role="connection-form" novalidate=true {onsubmit}
            oninput={taken(hands)} onchange={changed(hands)}>
            <h3 class="panel-heading">{ heading }</h3>
            <div class="form-row">
                { fields.input("name", texts.name, "text", "") }
                { fields.input("url", texts.address, "text", "wss://broker.example:8084/mqtt") }
                { fields.choice("version", texts.version,
                    &Version::ALL.map(|version| (version.name(), version.name().to_owned()))) }
            </div>
            <div class="form-row">
                { fields.input("username", texts.user_name, "text", "") }
                { fields.input("password", texts.password, "password", "") }
            </div>
            if draft.lacks_password() {
                <p class="form-note is-bad" role="status" data-role="password-lacks">
                    { texts.password_again }
                </p>
            }
            <div class="form">
                { fields.check("keeps_password", texts.keep_password) }
                <p class="form-note">{ texts.password_not_kept }</p>
                { fields.check("opens_at_start", texts.open_at_start) }
            </div>
            { filters(&fields, hands) }
            <details class="more">
                <summary>{ texts.session }</summary>
                { session(&fields, texts) }
            </details>
            <details class="more">
                <summary>{ texts.will }</summary>
                { will(&fields, hands) }
            </details>
            <div role="alert" data-role="wrong">
                if !wrong.is_empty() {
                    <p class="form-note is-bad">{ texts.wrong_heading }</p>
                    <ul class="notes">
                        { for wrong.iter().map(|wrong| html! {
                            <li class="form-note is-bad">{ sentence(wrong, texts) }</li>
                        }) }
                    </ul>
                }
            </div>
            <div class="form-row">
                <button type="submit" class="button is-primary">{ texts.save_connect }</button>
                <button type="button" class="button" data-role="save"
                    onclick={Callback::from(move |_: MouseEvent| save_only())}>{ texts.save }</button>
                <button type="button" class="button" data-role="cancel" onclick={cancel}>
                    { texts.cancel }
                </button>
            </div>
        </form>
    }
}

/// Keeps what is written by now, if nothing is wrong with it.
fn save(hands: &Hands, connects: bool) {
    let opens = hands.clone();
    hands.edit(move |view| {
        let Some((draft, is_new)) = &view.draft else { return };
        let profile = match draft.profile(is_secure()) {
            Ok(profile) => profile,
            Err(wrong) => {
                view.wrong = wrong;
                return view.go("[aria-invalid=true]");
            }
        };
        let is_new = *is_new;
        (view.draft, view.wrong, view.notice) = (None, Vec::new(), Notice::None);
        if is_new {
            view.add(usize::MAX, profile.clone());
        } else {
            view.put(profile.clone());
        }
        view.go_to_actions(&profile.id);
        if connects {
            // Opening may say something itself, after this is done.
            spawn_local(async move { opens.open(&profile) });
        }
    });
}

/// Takes in what was written, into whatever field it was.
fn taken(hands: &Hands) -> Callback<InputEvent> {
    let hands = hands.clone();
    Callback::from(move |event: InputEvent| take(&hands, &event))
}

/// Lists and boxes tell a change, and not all browsers tell more.
fn changed(hands: &Hands) -> Callback<Event> {
    let hands = hands.clone();
    Callback::from(move |event: Event| take(&hands, &event))
}

fn take(hands: &Hands, event: &Event) {
    let Some(target) = event.target() else { return };
    let (name, text) = if let Some(input) = target.dyn_ref::<HtmlInputElement>() {
        let text = match input.type_().as_str() {
            "checkbox" if input.checked() => ON.to_owned(),
            "checkbox" => String::new(),
            _ => input.value(),
        };
        (input.name(), text)
    } else if let Some(select) = target.dyn_ref::<HtmlSelectElement>() {
        (select.name(), select.value())
    } else if let Some(area) = target.dyn_ref::<HtmlTextAreaElement>() {
        (area.name(), area.value())
    } else {
        return;
    };
    hands.edit(move |view| {
        if let Some((draft, _)) = &mut view.draft {
            draft.set(&name, &text);
        }
    });
}

/// A callback that changes the draft, and says where a person goes on then.
fn drafting(
    hands: &Hands,
    edit: impl Fn(&mut Draft) -> String + Clone + 'static,
) -> Callback<MouseEvent> {
    hands.editing(move |view: &mut View| {
        if let Some((draft, _)) = &mut view.draft {
            let place = edit(draft);
            view.go(place);
        }
    })
}

/// The last of these rows, by its field.
fn last_of(rows: &[u32], field: &str) -> String {
    rows.last().map_or_else(String::new, |row| format!("[name='{field}.{row}']"))
}

fn filters(fields: &Fields<'_>, hands: &Hands) -> Html {
    let (draft, texts) = (fields.draft, hands.texts);
    let add = |filter: &'static str| {
        drafting(hands, move |draft| {
            draft.add_filter(&Subscription::new(filter));
            last_of(draft.filters(), "filter")
        })
    };
    html! {
        <fieldset class="form">
            <legend class="label">{ texts.subscriptions }</legend>
            if draft.filters().is_empty() {
                <p class="form-note">{ texts.subscriptions_none }</p>
            }
            { for draft.filters().iter().map(|row| filter(*row, fields, hands)) }
            <div class="form-row">
                <button type="button" class="small-button" data-role="add-filter" onclick={add("")}>
                    { texts.add_filter }
                </button>
                <button type="button" class="small-button" data-role="add-everything"
                    onclick={add(Subscription::EVERYTHING)}>{ texts.everything }</button>
                <button type="button" class="small-button" onclick={add("$SYS/#")}>
                    { texts.sys }
                </button>
            </div>
        </fieldset>
    }
}

/// A subscription with its options.
fn filter(row: u32, fields: &Fields<'_>, hands: &Hands) -> Html {
    let texts = hands.texts;
    let name = |field: &str| format!("{field}.{row}");
    let remove = drafting(hands, move |draft| {
        draft.remove_row(row);
        "[data-role=add-filter]".to_owned()
    });
    let filter = fields.draft.get(&name("filter")).to_owned();
    let handlings = [
        ("0", texts.handling_0.to_owned()),
        ("1", texts.handling_1.to_owned()),
        ("2", texts.handling_2.to_owned()),
    ];
    html! {
        <div class="filter-row" key={row}>
            <div class="form-row">
                { fields.input(&name("filter"), texts.filter, "text", texts.filter_example) }
                { fields.qos(&name("qos"), texts) }
                <button type="button" class="small-button" onclick={remove}
                    aria-label={shown(texts.remove, &[&filter])}>{ "×" }</button>
            </div>
            <details class="more">
                <summary>{ texts.options }{ " · " }{ texts.only_v5 }</summary>
                <div class="form">
                    { fields.check(&name("no_local"), texts.no_local) }
                    { fields.check(&name("as_published"), texts.as_published) }
                    <div class="form-row">
                        { fields.choice(&name("handling"), texts.handling, &handlings) }
                        { fields.input(&name("identifier"), texts.identifier, "number", "") }
                    </div>
                </div>
            </details>
        </div>
    }
}

fn session(fields: &Fields<'_>, texts: &'static Texts) -> Html {
    let expiry = format!("{} · {}", texts.session_expiry, texts.only_v5);
    html! {
        <div class="form">
            { fields.input("client_id", texts.client_id, "text", texts.client_id_drawn) }
            { fields.check("clean_start", texts.clean_start) }
            <div class="form-row">
                { fields.input("session_expiry", &expiry, "number", "") }
                { fields.input("keep_alive", texts.keep_alive, "number", "") }
            </div>
        </div>
    }
}

fn will(fields: &Fields<'_>, hands: &Hands) -> Html {
    let (draft, texts) = (fields.draft, hands.texts);
    let add = drafting(hands, |draft| {
        draft.add_user_property("", "");
        last_of(draft.user_properties(), "user_name")
    });
    let delay = format!("{} · {}", texts.will_delay, texts.only_v5);
    html! {
        <div class="form">
            { fields.check("has_will", texts.has_will) }
            if draft.is_on("has_will") {
                <div class="form-row">
                    { fields.input("will_topic", texts.topic, "text", "") }
                    { fields.qos("will_qos", texts) }
                    { fields.check("will_retain", texts.retain) }
                </div>
                <label class="form-field">
                    <span class="label">{ texts.payload }</span>
                    <textarea class="input" name="will_payload" rows="3" spellcheck="false" dir="auto"
                        value={draft.get("will_payload").to_owned()} />
                </label>
                { fields.input("will_delay", &delay, "number", "") }
                <p class="form-note">{ texts.only_v5 }{ ":" }</p>
                { fields.check("will_is_text", texts.payload_format) }
                <div class="form-row">
                    { fields.input("will_expiry", texts.expiry, "number", "") }
                    { fields.input("will_content_type", "Content Type", "text", "") }
                </div>
                <div class="form-row">
                    { fields.input("will_response_topic", "Response Topic", "text", "") }
                    { fields.input("will_correlation", texts.correlation, "text", "") }
                </div>
                { for draft.user_properties().iter().map(|row| user_property(*row, fields, hands)) }
                <button type="button" class="small-button" data-role="add-user-property" onclick={add}>
                    { texts.add_user_property }
                </button>
            }
        </div>
    }
}

fn user_property(row: u32, fields: &Fields<'_>, hands: &Hands) -> Html {
    let texts = hands.texts;
    let remove = drafting(hands, move |draft| {
        draft.remove_row(row);
        "[data-role=add-user-property]".to_owned()
    });
    let name = format!("user_name.{row}");
    let label = shown(texts.remove, &[fields.draft.get(&name)]);
    html! {
        <div class="form-row" key={row}>
            { fields.input(&name, texts.property_name, "text", "") }
            { fields.input(&format!("user_value.{row}"), texts.property_value, "text", "") }
            <button type="button" class="small-button" onclick={remove} aria-label={label}>{ "×" }</button>
        </div>
    }
}
