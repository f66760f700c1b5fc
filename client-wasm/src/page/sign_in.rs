//! The form for who has to sign in, where a broker lets nobody in without a name.

use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlElement, HtmlFormElement, HtmlInputElement};
use yew::prelude::*;

use super::field::use_field;
use super::house::use_texts;
use super::link::Link;
use crate::protocol::{Command, Connection, Problem, SignIn};

#[derive(PartialEq, Properties)]
pub(super) struct SignInFormProps {
    pub(super) link: Link,
}

/// Asks for the name that the broker wants. The page keeps neither name nor password; the browser does,
/// if its owner wants so.
#[component]
pub(super) fn SignInForm(props: &SignInFormProps) -> Html {
    let texts = use_texts();
    let connection = use_field(props.link.connection());
    // The name that the broker was told, to begin with.
    let told = match connection {
        Connection::Offline { problem: Problem::SignIn { name }, .. } => name,
        _ => String::new(),
    };
    let name = use_node_ref();
    {
        let name = name.clone();
        use_effect_with(told, move |told| {
            // What a person is typing meanwhile stays.
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
