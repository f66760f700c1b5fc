//! What stands around every page: the navigation, the addresses, the keys.

use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test as test;

use client_wasm::protocol::Command;

use crate::dom::{Page, eventually, fill, focused, press, press_with, storage, tell_of_board};

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
    // Who went there reads on there.
    focused("#main").await;
    page.sent("nothing more of the board", |command| {
        (*command == Command::CloseBoard).then_some(())
    })
    .await;
}

/// How bright a colour is, as WCAG 2.2 reckons ("relative luminance").
fn luminance(color: &str) -> f64 {
    let numbers = color.trim_start_matches("rgb(").trim_end_matches(')');
    let parts: Vec<f64> = numbers.split(", ").map(|part| part.parse().unwrap()).collect();
    let [red, green, blue] = parts[..] else { panic!("{color} is no colour without a veil") };
    let part = |value: f64| match value / 255.0 {
        value if value <= 0.04045 => value / 12.92,
        value => ((value + 0.055) / 1.055).powf(2.4),
    };
    0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue)
}

#[test]
async fn words_and_signs_stand_out_in_light_and_in_dark_and_a_canvas_gets_their_colours() {
    let page = Page::open("en");
    page.hears_keys().await;
    let document = web_sys::window().unwrap().document().unwrap();
    let root = document.document_element().unwrap();
    let place = page.has(".shell").await;
    let color = |name: &str| {
        place.style().set_property("color", &format!("var(--{name})")).unwrap();
        let style = web_sys::window().unwrap().get_computed_style(&place).unwrap().unwrap();
        let color = style.get_property_value("color").unwrap();
        (color, style.get_property_value(&format!("--{name}")).unwrap())
    };
    let mut grounds = Vec::new();
    for theme in ["light", "dark"] {
        root.set_attribute("data-theme", theme).unwrap();
        let contrast = |name: &str, ground: &str| {
            let (one, other) = (luminance(&color(name).0), luminance(&color(ground).0));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        // §1.4.3 for what is read, §1.4.11 for what is seen.
        for ground in ["surface", "surface-sunk", "ground"] {
            for ink in ["ink", "ink-soft", "accent", "good", "warn", "bad"] {
                let found = contrast(ink, ground);
                assert!(found >= 4.5, "{ink} on {ground} in {theme}: {found:.2}");
            }
            let found = contrast("line-strong", ground);
            assert!(found >= 3.0, "the edge of a field on {ground} in {theme}: {found:.2}");
        }
        for (ink, ground) in
            [("accent-ink", "accent"), ("warn", "warn-soft"), ("accent", "accent-wash")]
        {
            let found = contrast(ink, ground);
            assert!(found >= 4.5, "{ink} on {ground} in {theme}: {found:.2}");
        }
        for series in 1..=6 {
            let found = contrast(&format!("series-{series}"), "surface");
            assert!(found >= 3.0, "line {series} of a chart in {theme}: {found:.2}");
        }
        // A canvas knows no other form of a colour.
        for name in ["accent", "line", "line-strong", "ink-soft", "surface", "good", "warn", "bad"]
        {
            let (meant, written) = color(name);
            assert_eq!(meant, written, "{name}");
        }
        grounds.push(color("ground").0);
    }
    assert_ne!(grounds[0], grounds[1]);
    root.remove_attribute("data-theme").unwrap();
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

/// Does what the palette finds by these words.
async fn run(page: &Page, words: &str, entry: &str) {
    let body = web_sys::window().unwrap().document().unwrap().body().unwrap();
    press_with(&body, "k", true);
    let input = page.has("dialog.palette[open] .palette-input").await;
    fill(&input, words);
    page.shows(".palette-row.is-active bdi", entry).await;
    press(&input, "Enter");
}

#[test]
async fn the_palette_does_from_any_page_what_belongs_to_another() {
    let board = r#"{"format":"mqtt-board","version":1,"widgets":[{"values":[{"topic":"a/one"}]}]}"#;
    let page = Page::open_with("en", "#/broker", &[("board", board)]);
    page.hears_keys().await;
    run(&page, "new connection", "New connection").await;
    focused("[data-role=connection-form] [name=name]").await;
    fill(&page.find("[name=name]").unwrap(), "Plant");
    page.find("[name=url]").unwrap().focus().unwrap();
    // Asked for once more where it is, what was written stays.
    run(&page, "new connection", "New connection").await;
    focused("[name=name]").await;
    page.holds("[name=name]", "Plant").await;

    run(&page, "replay", "Replay a file…").await;
    focused("[data-role=replay-file]").await;
    assert_eq!(hash(), "#/messages");

    run(&page, "copy link", "Copy the link of my board").await;
    let said = page.has("[data-role=notice]").await;
    let text = said.text_content().unwrap();
    assert!(text.contains("link"), "{text}");
    assert_eq!(hash(), "#/");
    // It is said once.
    page.go("#/broker");
    eventually("elsewhere", || page.find(".widgets").is_none().then_some(())).await;
    page.go("#/");
    page.has(".widgets").await;
    assert!(page.find("[data-role=notice]").is_none());

    // Where nothing is on the board, there is nothing to be copied.
    storage().remove_item("board").unwrap();
    tell_of_board();
    let body = web_sys::window().unwrap().document().unwrap().body().unwrap();
    press_with(&body, "k", true);
    fill(&page.has("dialog.palette[open] .palette-input").await, "link of my");
    page.has(".palette-nothing").await;
}
