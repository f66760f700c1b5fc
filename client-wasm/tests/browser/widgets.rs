//! The widgets of the board: how they get there, how they are arranged, and what they publish.

use client_wasm::protocol::{
    Card, Command, Connection, Frame, Look, Problem, Sight, Slot, Source, Value,
};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::{
    Page, choose_file, eventually, fill, focused, press, session, storage, tell_of_board,
};

fn number(text: &str) -> Card {
    Card {
        id: 0,
        value: Value::Number { text: text.into(), unit: Some("W".into()), glance: None },
        at_ms: js_sys::Date::now(),
        retained: false,
        stale_after_ms: None,
        count: 1,
    }
}

/// The slot in which the page looks at this value.
async fn slot_of(page: &Page, topic: &str) -> Slot {
    let wanted = Source { topic: topic.into(), path: String::new() };
    page.sent("a look", |command| match command {
        Command::Look { slot, look: Some(Look::Values(sources)) } => {
            sources.contains(&wanted).then_some(*slot)
        }
        _ => None,
    })
    .await
}

/// The one board of this browser goes through its life, as all tests share it.
#[test]
async fn a_widget_is_pinned_shown_moved_and_taken_away() {
    let page = Page::open_at("en", "#/?pin=plant/power&kind=gauge");
    page.has(".widget .card-name").await;
    page.shows(".widget .card-name", "Power").await;
    let slot = slot_of(&page, "plant/power").await;
    page.receive(Frame {
        sights: vec![(slot, Sight::Values(vec![Some(number("41.90"))]))],
        ..Frame::default()
    });
    page.shows(".widget [data-role=value]", "41.90").await;
    page.shows(".widget .unit", "W").await;
    let kept = storage().get_item("board").unwrap().unwrap();
    assert!(kept.contains("plant/power"));

    // By the keys alone.
    page.has("[data-role=edit-board]").await.click();
    let cover = page.has(".widget-cover").await;
    cover.click();
    page.has(".arranging").await;
    let column = || {
        let widget = page.find(".widget").unwrap();
        widget.style().get_property_value("--x").unwrap()
    };
    assert_eq!(column(), "1");
    press(&cover, "ArrowRight");
    eventually("a column to the right", || (column() == "2").then_some(())).await;
    page.has("[data-role=undo][aria-disabled=false]").await.click();
    eventually("back", || (column() == "1").then_some(())).await;
    // And by buttons alone.
    page.find(".arranging .tool:nth-child(4)").unwrap().click();
    eventually("a column to the right", || (column() == "2").then_some(())).await;
    page.find("[data-role=remove]").unwrap().click();
    eventually("nothing is left", || page.find(".widget").is_none().then_some(())).await;
    assert_eq!(storage().get_item("board").unwrap(), None);
    drop(page);

    // Another tab puts it onto a board that had nothing.
    let page = Page::open("en");
    page.hears_keys().await;
    storage().set_item("board", &kept).unwrap();
    tell_of_board();
    page.shows(".widget .card-name", "Power").await;
}

#[test]
async fn each_value_of_a_table_is_stale_by_itself() {
    let board = r#"{"format":"mqtt-board","version":1,"widgets":[{"kind":"table","values":[
        {"topic":"plant/calm"},{"topic":"plant/silent"}]}]}"#;
    let page = Page::open("en");
    page.hears_keys().await;
    storage().set_item("board", board).unwrap();
    tell_of_board();
    let slot = slot_of(&page, "plant/calm").await;
    let now_ms = js_sys::Date::now();
    let silent = Card { at_ms: now_ms - 60_000.0, stale_after_ms: Some(5_000.0), ..number("2") };
    page.receive(Frame {
        connection: Some(Connection::Online { since_ms: now_ms - 90_000.0, large: None }),
        sights: vec![(slot, Sight::Values(vec![Some(number("1")), Some(silent)]))],
        ..Frame::default()
    });
    page.shows(".widget tr:nth-child(1):not(.is-stale) .is-value bdi", "1").await;
    page.shows(".widget tr.is-stale:nth-child(2) .is-value bdi", "2").await;
    assert!(page.find(".widget-card.is-stale").is_none(), "one of them is as it should be");
    assert_eq!(
        page.text(".widget .card-name").as_deref(),
        Some("Calm + 1"),
        "it shows more than one"
    );
    page.receive(Frame {
        connection: Some(Connection::Offline { problem: Problem::Lost, retry_at_ms: None }),
        ..Frame::default()
    });
    page.has(".widget-card.is-stale tr.is-stale:nth-child(1)").await;
    storage().remove_item("board").unwrap();
    tell_of_board();
}

/// Every step by the keys alone, and the focus is always where a person goes on.
#[test]
async fn who_arranges_by_the_keys_never_loses_the_focus() {
    let board = r#"{"format":"mqtt-board","version":1,"widgets":[{"values":[{"topic":"a/one"}]},
        {"values":[{"topic":"a/two"}]},{"values":[{"topic":"a/three"}]}]}"#;
    let page = Page::open_with("en", "#/?edit", &[("board", board)]);
    focused("[data-role=add-widget]").await;
    let named = |place: usize, name: &str| {
        let shown = page.text(&format!(".widget:nth-child({place}) .card-name"));
        (shown.as_deref() == Some(name)).then_some(())
    };
    eventually("the second", || named(2, "Two")).await;
    let id = page.find(".widget:nth-child(2)").unwrap().get_attribute("data-widget").unwrap();
    let cover = format!("[data-widget='{id}'] .widget-cover");
    page.find(&cover).unwrap().focus().unwrap();

    // It comes behind another one, in the document too.
    for key in ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown"] {
        press(&page.find(&cover).unwrap(), key);
    }
    eventually("the last", || named(3, "Two")).await;
    focused(&cover).await;
    // To the toolbar, which covers of other widgets stand before, and back.
    page.find(&cover).unwrap().click();
    focused(".arranging button").await;
    press(&page.find(".arranging button").unwrap(), "Escape");
    focused(&cover).await;
    press(&page.find(&cover).unwrap(), "Escape");
    focused("[data-role=edit-board]").await;

    page.find(&cover).unwrap().focus().unwrap();
    press(&page.find(&cover).unwrap(), "Delete");
    eventually("two are left", || page.find(".widget:nth-child(3)").is_none().then_some(())).await;
    focused("[data-role=undo]").await;
    // A key on a button is the button's, whichever widget is selected.
    page.find(".widget-cover").unwrap().focus().unwrap();
    page.has(".arranging").await;
    let undo = page.find("[data-role=undo]").unwrap();
    undo.focus().unwrap();
    press(&undo, "Enter");
    press(&undo, "Delete");
    undo.click();
    page.has(".widget:nth-child(3)").await;
    // Each step before that too, until there is none any more.
    for _ in 0..4 {
        undo.click();
    }
    page.has("[data-role=undo][aria-disabled=true]").await;
    focused("[data-role=undo]").await;
    assert!(page.find("[data-role=widget-form]").is_none());
    storage().remove_item("board").unwrap();
    tell_of_board();
}

#[test]
async fn who_makes_a_widget_goes_on_at_it() {
    let page = Page::open_at("en", "#/?add");
    let topic = page.has("[data-role=widget-form] [data-role=value-topic]").await;
    fill(&topic, "plant/power");
    // Another kind has more fields, and its list is where the person is.
    let kind = page.find("[data-role=kind]").unwrap();
    kind.focus().unwrap();
    fill(&kind, "position");
    page.has(".form-group + .form-group [data-role=value-topic]").await;
    focused("[data-role=kind]").await;
    fill(&kind, "value");
    page.has("[data-role=add-level]").await.click();
    focused("[data-role=level-from]").await;
    page.find("[data-role=remove-level]").unwrap().click();
    focused("[data-role=add-level]").await;
    page.find("[data-role=add-level]").unwrap().click();
    focused("[data-role=level-from]").await;
    page.find("[data-role=save-widget]").unwrap().click();
    page.shows(".widget .card-name", "Power").await;
    focused(".widget-cover").await;
    page.has(".arranging").await;
    page.find("[data-role=remove]").unwrap().click();
    eventually("nothing is left", || page.find(".widget").is_none().then_some(())).await;
}

#[test]
async fn a_board_comes_from_a_file_where_there_is_none_and_can_be_undone_there() {
    let page = Page::open("en");
    page.hears_keys().await;
    assert!(page.find(".widgets").is_none());
    // By the mouse.
    page.has("[data-role=import-board]").await.click();
    let input = page.has("[data-role=import]").await;
    let document = web_sys::window().unwrap().document().unwrap();
    let has_focus = |element: &web_sys::HtmlElement| {
        document.active_element().is_some_and(|active| active == **element).then_some(())
    };
    eventually("the import has the focus", || has_focus(&input)).await;
    choose_file(&input, "{ no board");
    page.has(".notice.is-bad").await;
    let text = r#"{"format":"mqtt-board","version":1,"widgets":[
        {"values":[{"topic":"plant/power"}]},{"values":[{"topic":"plant/heat"}]}]}"#;
    choose_file(&input, text);
    let imported = "Widgets imported: 2, from chosen.json. Undo brings back what was there.";
    page.shows("[data-role=notice]", imported).await;
    page.shows(".widget:nth-child(2) .card-name", "Heat").await;
    let is_hidden = || page.find("[data-role=import-board]").is_none().then_some(());
    eventually("a board has its own way to a file", is_hidden).await;

    // What was there before, which is nothing, comes back; and what was undone, though one was elsewhere.
    page.find("[data-role=undo]").unwrap().click();
    eventually("nothing is left", || page.find(".widget").is_none().then_some(())).await;
    page.go("#/messages");
    page.has(".messages").await;
    eventually("elsewhere", || page.find(".widgets").is_none().then_some(())).await;
    page.go("#/?edit");
    let add = page.has("[data-role=add-widget]").await;
    eventually("the tools have the focus", || has_focus(&add)).await;
    page.has("[data-role=redo][aria-disabled=false]").await.click();
    page.shows(".widget:nth-child(2) .card-name", "Heat").await;
}

/// Closes the form as Escape does.
async fn leave_form(page: &Page) {
    let form = page.has("dialog.widget-form[open]").await;
    form.unchecked_into::<web_sys::HtmlDialogElement>().close();
    eventually("the form is closed", || page.find(".widget-form").is_none().then_some(())).await;
}

#[test]
async fn what_was_written_in_a_form_that_was_left_is_there_when_it_is_opened_again() {
    const TOPIC: &str = "[data-role=widget-form] [data-role=value-topic]";
    let page = Page::open_at("en", "#/?add");
    page.has(TOPIC).await;
    leave_form(&page).await;
    assert!(page.find("[data-role=notice]").is_none(), "nothing was written");

    page.find("[data-role=add-widget]").unwrap().click();
    fill(&page.has(TOPIC).await, "plant/power");
    leave_form(&page).await;
    let left = "The form is closed, and what you wrote is kept: open it again to go on.";
    page.shows("[data-role=notice]", left).await;
    // Whatever became of the page meanwhile.
    let page = page.reload();
    page.hears_keys().await;
    page.go("#/?add");
    page.holds(TOPIC, "plant/power").await;
    // No key that is pressed without looking takes it away.
    focused("[data-role=kind]").await;
    page.find("[data-role=begin-anew]").unwrap().click();
    page.holds(TOPIC, "").await;
    focused("[data-role=kind]").await;
    assert!(page.find("[data-role=begin-anew]").is_none());
    fill(&page.find(TOPIC).unwrap(), "plant/heat");
    page.find("[data-role=save-widget]").unwrap().click();
    page.shows(".widget .card-name", "Heat").await;

    // Each widget has its own, and one that was saved or given up is done.
    page.find("[data-role=edit-widget]").unwrap().click();
    page.holds(TOPIC, "plant/heat").await;
    assert!(page.find("[data-role=begin-anew]").is_none());
    fill(&page.find(TOPIC).unwrap(), "plant/cold");
    leave_form(&page).await;
    page.find("[data-role=add-widget]").unwrap().click();
    page.holds(TOPIC, "").await;
    leave_form(&page).await;
    // It lies elsewhere by then.
    page.find(".arranging .tool:nth-child(4)").unwrap().click();
    page.find("[data-role=edit-widget]").unwrap().click();
    page.holds(TOPIC, "plant/cold").await;
    page.find("[data-role=cancel-widget]").unwrap().click();
    eventually("the form is closed", || page.find(".widget-form").is_none().then_some(())).await;
    assert!(page.find("[data-role=notice]").is_none());
    page.find("[data-role=edit-widget]").unwrap().click();
    page.holds(TOPIC, "plant/heat").await;
    assert_eq!(session().get_item("widget-forms").unwrap(), None);
    storage().remove_item("board").unwrap();
    tell_of_board();
}
