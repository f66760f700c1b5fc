//! The widgets of the board: how they get there, how they are arranged, and what they publish.

use client_wasm::protocol::{Card, Command, Frame, Look, Sight, Slot, Source, Value};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::{Page, eventually, press};

fn storage() -> web_sys::Storage {
    web_sys::window().unwrap().local_storage().unwrap().unwrap()
}

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
    page.has("[data-role=undo]:not(:disabled)").await.click();
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
    js_sys::eval("dispatchEvent(new StorageEvent('storage', { key: 'board' }))").unwrap();
    page.shows(".widget .card-name", "Power").await;
    storage().remove_item("board").unwrap();
}
