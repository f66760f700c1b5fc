//! What stands around every page: the navigation, the addresses, the keys.

use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test as test;

use client_wasm::protocol::Command;

use crate::dom::{Page, eventually, press};

fn title() -> String {
    web_sys::window().unwrap().document().unwrap().title()
}

fn hash() -> String {
    web_sys::window().unwrap().location().hash().unwrap()
}

#[test]
async fn a_link_of_the_navigation_leads_to_its_page_and_the_address_says_where_one_is() {
    let page = Page::open("en");
    page.has(".nav-link[href='#/'][aria-current=page]").await;
    let has_title = |wanted: &'static str| async move {
        eventually(&format!("the title {wanted}, not {}", title()), || {
            (title() == wanted).then_some(())
        })
        .await;
    };
    has_title("Sensors · broker.lan:9001").await;
    page.find(".nav-link[href='#/publish']").unwrap().click();
    page.has(".nav-link[href='#/publish'][aria-current=page]").await;
    page.has("form[data-role=publish]").await;
    assert_eq!(hash(), "#/publish");
    has_title("Publish · broker.lan:9001").await;
    let document = web_sys::window().unwrap().document().unwrap();
    let focused = document.active_element().map(|element| element.id());
    assert_eq!(focused.as_deref(), Some("main"), "who went there reads on there");
    page.sent("nothing more of the board", |command| {
        (*command == Command::CloseBoard).then_some(())
    })
    .await;
}

#[test]
async fn an_address_opens_its_page_and_an_unknown_one_the_first() {
    let page = Page::open_at("es", "#/publish/casa/sal%C3%B3n");
    page.holds("[name=topic]", "casa/salón").await;
    page.go("#/no-such-page");
    page.has(".board").await;
}

#[test]
async fn keys_lead_to_pages_to_the_search_and_to_their_list() {
    let page = Page::open("en");
    page.hears_keys().await;
    let body = web_sys::window().unwrap().document().unwrap().body().unwrap();
    let search = page.has("[data-role=search]").await;
    press(&body, "/");
    let document = web_sys::window().unwrap().document().unwrap();
    assert!(document.active_element().is_some_and(|element| element == *search.as_ref()));

    press(&search, "4");
    assert_eq!(hash(), "#/", "a key that is typed into a field is that field's");
    press(&body, "?");
    page.has("dialog[open] .key-row").await;
    page.find("dialog[open] button[type=submit]").unwrap().click();
    eventually("the list is closed", || page.find("dialog[open]").is_none().then_some(())).await;
    press(&body, "4");
    page.has(".nav-link[href='#/publish'][aria-current=page]").await;
}

#[test]
async fn a_screen_on_a_wall_is_kept_lit_until_it_is_none_any_more() {
    // A browser that grants everything, and notes what it was asked.
    let screens = "Object.defineProperty(navigator, 'wakeLock', { configurable: true, value: {
        request: (kind) => { (window.asked ??= []).push(kind);
            return Promise.resolve({ release: () => { window.asked.push('let go');
                return Promise.resolve(); } }); } } })";
    let _set = js_sys::eval(screens).unwrap();
    let asked = |wanted: &'static str| async move {
        eventually(&format!("{wanted} asked of the browser"), || {
            let told = js_sys::eval("(window.asked ?? []).join()").ok()?.as_string()?;
            (told == wanted).then_some(())
        })
        .await;
    };
    let page = Page::open("en");
    page.hears_keys().await;
    let body = web_sys::window().unwrap().document().unwrap().body().unwrap();
    press(&body, "w");
    asked("screen").await;
    press(&body, "w");
    asked("screen,let go").await;
}

#[test]
async fn single_keys_can_be_turned_off() {
    let page = Page::open("en");
    page.hears_keys().await;
    let body = web_sys::window().unwrap().document().unwrap().body().unwrap();
    page.has("[data-role=help]").await.click();
    let switch: web_sys::HtmlInputElement =
        page.has("dialog[open] input[type=checkbox]").await.unchecked_into();
    assert!(switch.checked());
    switch.click();
    page.find("dialog[open] button[type=submit]").unwrap().click();
    press(&body, "4");
    press(&body, "?");
    assert_eq!((hash().as_str(), page.find("dialog[open]").is_none()), ("#/", true));
    switch.click();
    press(&body, "4");
    page.has(".nav-link[href='#/publish'][aria-current=page]").await;
}
