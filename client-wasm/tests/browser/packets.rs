//! The packets of the connection: walking through them by the keys.

use client_wasm::protocol::{Command, Frame, Wire, WirePacket, WireRow};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::{Page, eventually, focused, press};

/// A CONNECT with the password "pw", as MQTT 3.1.1 has it.
const CONNECT: &[u8] = b"\x10\x13\0\x04MQTT\x04\xc2\0\x0a\0\x01c\0\0\0\x02pw";

fn row(seq: u64) -> WireRow {
    let len = CONNECT.len() as u64;
    WireRow { seq, at_ms: 0.0, is_sent: true, level: 4, len, head: CONNECT.to_vec() }
}

#[test]
async fn keys_lead_through_all_packets_and_the_list_goes_along() {
    let page = Page::open_at("en", "#/wire");
    let list = page.has(".log").await;
    const ROWS: u32 = 60;
    let rows: Vec<_> = (0..u64::from(ROWS)).rev().map(row).collect();
    let (total, kept) = (ROWS, u64::from(ROWS));
    page.receive(Frame {
        wire: Some(Wire { total, kept, rows, ..Wire::default() }),
        ..Frame::default()
    });
    // A list that becomes longer is made in portions.
    page.has("[id=packet-0]").await;
    list.focus().unwrap();
    for seq in (0..u64::from(ROWS)).rev() {
        press(&list, "ArrowDown");
        let is_chosen = format!("[id=packet-{seq}][aria-selected=true]");
        let chosen = page.has(&is_chosen).await;
        let (row, around) = (chosen.get_bounding_client_rect(), list.get_bounding_client_rect());
        let is_seen = row.top() >= around.top() - 1.0 && row.bottom() <= around.bottom() + 1.0;
        assert!(is_seen, "packet {seq}: {} in {}", row.bottom(), around.bottom());
    }
    assert!(list.scroll_top() > 0, "there are more than the screen has room for");
}

#[test]
async fn a_password_that_is_revealed_has_the_focus_in_the_place_of_the_button() {
    let page = Page::open_at("en", "#/wire");
    page.has(".log").await;
    let chosen = Some(WirePacket { row: row(0), bytes: CONNECT.to_vec() });
    let wire = Wire { total: 1, kept: 1, rows: vec![row(0)], chosen, ..Wire::default() };
    page.receive(Frame { wire: Some(wire), ..Frame::default() });
    page.has("[data-role=reveal]").await.click();
    focused("[data-role=bytes]").await;
    eventually("the password", || page.text("[data-role=fields]")?.contains("pw").then_some(()))
        .await;
    page.sent("what is looked at", |command| matches!(command, Command::Wire(_)).then_some(()))
        .await;
}
