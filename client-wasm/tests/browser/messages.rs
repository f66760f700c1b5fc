//! The live log: its rows, holding it still, and files of it.

use client_wasm::protocol::{Command, FileKind, Frame, MessageRow, Messages, MessagesView};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::{Page, eventually, fill};

fn frame(total: u32, new: u64) -> Frame {
    let row = |seq: u64| MessageRow {
        seq,
        at_ms: 1_000.0,
        topic: format!("home/{seq}"),
        value: "<i>on</i>".into(),
        len: 1_234,
        qos: 1,
        retain: true,
    };
    let rows = (0..u64::from(total.min(30))).map(|index| row(u64::from(total) - index)).collect();
    let messages =
        Messages { total, kept: u64::from(total) + new, gone: 5, new, rows, ..Messages::default() };
    Frame { messages: Some(messages), ..Frame::default() }
}

/// Waits for a look at the log as `pick` wants it.
async fn looked(page: &Page, what: &str, pick: impl Fn(&MessagesView) -> bool) {
    page.sent(what, |command| match command {
        Command::Messages(view) if pick(view) => Some(()),
        _ => None,
    })
    .await;
}

#[test]
async fn each_message_is_a_row_that_leads_to_its_topic() {
    let page = Page::open_at("en", "#/messages");
    page.receive(frame(3, 0));
    page.shows("[data-seq='3'] [data-role=value]", "<i>on</i>").await;
    let link = page.find("[data-seq='3'] a").unwrap();
    assert_eq!(link.get_attribute("href").as_deref(), Some("#/topics/home/3"));
    assert!(page.find("[data-seq='3'] .kept").is_some());
    page.shows("[data-role=count]", "3").await;
    page.shows(".log-foot", "Older messages gone to make room: 5").await;
}

#[test]
async fn a_time_of_another_day_has_room_beside_its_topic() {
    let page = Page::open_at("en", "#/messages");
    // Whichever day it is, it is not the one of these.
    page.receive(frame(3, 0));
    eventually("the time", || {
        (page.text("[data-seq='3'] .log-time")?.len() == "1970-01-01 00:00:01.000".len())
            .then_some(())
    })
    .await;
    let time = page.find("[data-seq='3'] .log-time").unwrap();
    assert!(time.scroll_width() <= time.client_width(), "{}", time.scroll_width());
    let topic = page.find("[data-seq='3'] .log-topic").unwrap();
    assert!(topic.offset_width() > 100, "{}", topic.offset_width());
}

#[test]
async fn the_log_holds_still_when_it_is_paused_and_when_one_looks_further_down() {
    let page = Page::open_at("en", "#/messages");
    page.receive(frame(10_000, 0));
    page.has("[data-role=pause]").await.click();
    looked(&page, "a pause", |view| view.is_held).await;
    page.receive(frame(10_000, 7));
    page.shows(".log-foot", "Paused · 7 new · Older messages gone to make room: 5").await;
    page.shows("[data-role=count]", "10\u{202f}000 of 10\u{202f}007").await;
    page.commands.borrow_mut().clear();
    page.find("[data-role=pause][aria-pressed=true]").unwrap().click();
    looked(&page, "the log goes on", |view| !view.is_held).await;

    page.commands.borrow_mut().clear();
    page.find(".log").unwrap().set_scroll_top(5_000);
    looked(&page, "older rows, held still", |view| view.is_held && view.first > 50).await;
    page.commands.borrow_mut().clear();
    page.has("[data-role=pause][aria-pressed=true]").await.click();
    looked(&page, "the newest rows", |view| !view.is_held && view.first == 0).await;
}

#[test]
async fn what_is_searched_for_is_asked_of_the_engine() {
    let page = Page::open_at("es", "#/messages");
    fill(&page.has("[data-role=search]").await, "casa/#");
    looked(&page, "the search", |view| view.search == "casa/#").await;
    page.shows(".tree-nothing", "Ningún mensaje coincide con «casa/#»").await;
    page.go("#/");
    page.sent("no more of it", |command| (*command == Command::CloseMessages).then_some(())).await;
}

#[test]
async fn a_file_is_asked_for() {
    let page = Page::open_at("en", "#/messages");
    page.has("[data-role=csv]").await.click();
    page.sent("a file", |command| (*command == Command::Export(FileKind::Csv)).then_some(())).await;
}
