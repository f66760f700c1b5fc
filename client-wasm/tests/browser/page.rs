//! The page shows what the engine says, and asks for what is on the screen.

use client_wasm::connect::Subscription;
use client_wasm::fault::Reason;
use client_wasm::history::{Column, Sparkline};
use client_wasm::protocol::{
    Board, Card, Command, Connection, Counters, Course, Failure, Frame, Group, Large, Line,
    Outcome, Problem, Properties, Published, Repeating, SignIn, Subscribed, Title, Value,
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::{Page, eventually, fill, focused, press, press_with};

fn title(id: u32, topic: &str) -> Title {
    Title { id, topic: topic.into(), name: client_wasm::name::readable(topic) }
}

fn board(topics: &[&str]) -> Board {
    let cards: Vec<_> = (0..).zip(topics).map(|(id, topic)| title(id, topic)).collect();
    let matching = cards.len() as u32;
    Board { groups: vec![Group { prefix: "sensors/pi".into(), cards }], matching }
}

fn card(id: u32, value: Value) -> Card {
    let at_ms = js_sys::Date::now();
    Card { id, value, at_ms, retained: false, stale_after_ms: None, count: 1 }
}

fn number(text: &str) -> Value {
    Value::Number { text: text.into(), unit: Some("°C".into()), glance: None }
}

fn online() -> Option<Connection> {
    // Before every value of these tests.
    Some(Connection::Online { since_ms: 0.0, large: None })
}

fn offline(problem: Problem, retry_in_ms: Option<f64>) -> Option<Connection> {
    let retry_at_ms = retry_in_ms.map(|ms| js_sys::Date::now() + ms);
    Some(Connection::Offline { problem, retry_at_ms })
}

#[test]
async fn a_sensor_is_a_card_with_its_exact_value() {
    let page = Page::open("en");
    page.receive(Frame {
        connection: online(),
        board: Some(board(&["sensors/pi/temperature"])),
        cards: vec![card(0, number("127.0"))],
        ..Frame::default()
    });
    let card = "[data-topic='sensors/pi/temperature']";
    page.shows(&format!("{card} [data-role=value]"), "127.0").await;
    page.shows(&format!("{card} [data-role=unit]"), "°C").await;
    page.shows(&format!("{card} h3"), "Temperature").await;
    let age = page.text(&format!("{card} [data-role=age]")).unwrap();
    assert!(age.ends_with(" s"), "{age}");
    page.has("[data-role=connection][data-state=online]").await;
}

#[test]
async fn the_page_asks_for_the_cards_on_the_screen_and_says_when_it_has_painted() {
    let page = Page::open("en");
    page.sent("the whole board", |command| match command {
        Command::Board { search, cards_max } if search.is_empty() => Some(*cards_max),
        _ => None,
    })
    .await;
    page.receive(Frame { board: Some(board(&["a", "b"])), ..Frame::default() });
    let (ids, width) = page
        .sent("the cards on the screen", |command| match command {
            Command::Watch { ids, width } => Some((ids.clone(), *width)),
            _ => None,
        })
        .await;
    assert_eq!(ids, [0, 1]);
    assert!(width > 100, "{width}");
    page.sent("painted", |command| (*command == Command::Painted).then_some(())).await;
}

#[test]
async fn every_kind_of_value_shows_what_it_is() {
    let page = Page::open("en");
    let cases = [
        ("empty", Value::Empty, "empty"),
        ("flag", Value::Flag { on: true, text: "ON".into() }, "ON"),
        ("text", Value::Text { text: "<b>&amp;</b>".into(), cut_from: None }, "<b>&amp;</b>"),
        ("binary", Value::Binary { hex: "00 ff".into(), len: 2 }, "00 ff"),
        ("json", Value::Json { members: vec![("a.b".into(), "1.50".into())], more: 2 }, "a.b1.50"),
        ("number", number("9223372036854775807"), "9223372036854775807"),
    ];
    let topics: Vec<_> = cases.iter().map(|(topic, ..)| *topic).collect();
    let cards = (0..).zip(&cases).map(|(id, (_, value, _))| card(id, value.clone())).collect();
    page.receive(Frame { board: Some(board(&topics)), cards, ..Frame::default() });
    for (topic, _, text) in &cases {
        page.shows(&format!("[data-topic={topic}] [data-role=value]"), text).await;
    }
    assert!(page.find("b").is_none(), "markup in a payload is shown, not run");
}

/// Those of ESPHome, Zigbee2MQTT and Tasmota, in a window of any size.
#[test]
async fn names_of_usual_sensors_are_not_cut_and_what_pins_them_takes_no_room() {
    let page = Page::open("en");
    let topics = [
        "living-room/sensor/living_room_humidity/state",
        "living-room/sensor/living_room_carbon_dioxide/state",
        "living-room/sensor/outdoor_weather_station_wind_gust/state",
        "zigbee2mqtt/Living room thermometer",
        "zigbee2mqtt/0x00158d0001a2b3c4",
        "tele/tasmota_8F3A2C/SENSOR",
    ];
    page.receive(Frame {
        connection: online(),
        board: Some(board(&topics)),
        cards: (0..6).map(|id| card(id, number("21.5"))).collect(),
        ..Frame::default()
    });
    for topic in topics {
        let card = format!("[data-topic='{topic}']");
        page.shows(&format!("{card} [data-role=value]"), "21.5").await;
        let name = page.find(&format!("{card} .card-name")).unwrap();
        assert!(name.scroll_width() <= name.client_width(), "{topic}");
        assert!(name.scroll_height() <= name.client_height(), "{topic}");
        // Nothing below it is pushed out of the card.
        let element = page.find(&card).unwrap();
        assert!(element.scroll_height() <= element.client_height(), "{topic}");
        let pin = page.find(&format!("{card} .pin")).unwrap();
        pin.focus().unwrap();
        let size = pin.get_bounding_client_rect();
        assert!(size.width() >= 24.0 && size.height() >= 24.0, "{topic}");
        let document = web_sys::window().unwrap().document().unwrap();
        assert!(
            document.active_element().is_some_and(|active| active.is_same_node(Some(&pin))),
            "{topic}"
        );
    }
}

#[test]
async fn a_topic_is_shown_and_never_run() {
    let page = Page::open("en");
    let topic = "<img src=x onerror=alert(1)>/😀/x";
    page.receive(Frame { board: Some(board(&[topic])), ..Frame::default() });
    page.shows(".card-topic", topic).await;
    assert!(page.find("img").is_none());
}

#[test]
async fn all_of_a_card_leads_to_its_topic() {
    let page = Page::open("en");
    let cards = vec![card(0, number("21.5"))];
    page.receive(Frame { board: Some(board(&["home/té"])), cards, ..Frame::default() });
    page.has(".card [data-role=value]").await;
    let card = page.find(".card").unwrap().get_bounding_client_rect();
    let document = web_sys::window().unwrap().document().unwrap();
    let (x, y) = (card.x() + card.width() / 2.0, card.y() + card.height() - 8.0);
    let under = document.element_from_point(x as f32, y as f32).unwrap();
    assert_eq!(under.get_attribute("href").as_deref(), Some("#/topics/home/t%C3%A9"));
}

#[test]
async fn what_would_turn_a_name_or_a_text_around_is_seen_and_other_scripts_are_read_as_they_are() {
    let page = Page::open("en");
    let text = |text: &str| Value::Text { text: text.into(), cut_from: None };
    page.receive(Frame {
        connection: online(),
        board: Some(board(&["door/\u{202e}desolc", "בית/דלת"])),
        cards: vec![card(0, text("open \u{202e}ton")), card(1, text("פתוח"))],
        ..Frame::default()
    });
    page.shows("[data-id='0'] .card-topic", "door/‹U+202E›desolc").await;
    page.shows("[data-id='0'] [data-role=value]", "open ‹U+202E›ton").await;
    // The link leads to the topic itself.
    let link = page.find("[data-id='0'] .card-link").unwrap();
    assert_eq!(link.get_attribute("href").as_deref(), Some("#/topics/door/%E2%80%AEdesolc"));
    page.shows("[data-id='1'] .card-topic", "בית/דלת").await;
    page.shows("[data-id='1'] [data-role=value]", "פתוח").await;
}

#[test]
async fn a_card_says_where_a_picture_is_damaged() {
    let page = Page::open("en");
    let bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    let picture = Value::Image { media_type: "image/png".into(), bytes };
    let (board, cards) = (Some(board(&["door/camera"])), vec![card(0, picture)]);
    page.receive(Frame { connection: online(), board, cards, ..Frame::default() });
    let broken = page.has(".card [data-role=broken]").await;
    assert!(broken.text_content().unwrap().contains("it is damaged"));
    // The next one may be whole.
    page.receive(Frame { cards: vec![card(0, number("1"))], ..Frame::default() });
    page.shows(".card [data-role=value]", "1").await;
}

#[test]
async fn a_value_is_stale_without_a_connection_and_until_it_comes_again() {
    let page = Page::open("en");
    page.receive(Frame {
        connection: online(),
        board: Some(board(&["a"])),
        cards: vec![card(0, number("1"))],
        ..Frame::default()
    });
    page.has(".card:not(.is-stale) [data-role=value]").await;
    page.receive(Frame { connection: offline(Problem::Lost, Some(60_000.0)), ..Frame::default() });
    page.has(".card.is-stale").await;
    let since_ms = js_sys::Date::now() + 1.0;
    let connection = Some(Connection::Online { since_ms, large: None });
    page.receive(Frame { connection, ..Frame::default() });
    page.has(".card.is-stale .mark-stale").await;
    let fresh = Card { at_ms: since_ms + 1.0, ..card(0, number("2")) };
    page.receive(Frame { cards: vec![fresh], ..Frame::default() });
    page.has(".card:not(.is-stale)").await;
}

#[test]
async fn without_a_connection_the_page_says_why_counts_down_and_lets_one_try() {
    let page = Page::open("es");
    page.receive(Frame {
        connection: offline(Problem::Unreachable { is_secure: false }, Some(90_000.0)),
        ..Frame::default()
    });
    page.has("[data-role=connection][data-state=offline]").await;
    let state = page.text("[data-role=connection]").unwrap();
    assert!(state.starts_with("Reintento en ") && state.ends_with(" s"), "{state}");
    assert!(page.text(".trouble-text").unwrap().starts_with("broker.lan:9001 no responde."));
    page.has("[data-role=try-now]").await.click();
    page.sent("try now", |command| (*command == Command::TryNow).then_some(())).await;

    page.receive(Frame { connection: Some(Connection::Connecting), ..Frame::default() });
    page.has("[data-state=connecting]").await;
    assert!(page.find(".trouble-text").is_some(), "the reason stays while a try is under way");
    page.receive(Frame { connection: online(), ..Frame::default() });
    page.has("[data-state=online]").await;
    assert!(page.find(".trouble-text").is_none());
}

#[test]
async fn where_a_large_message_was_in_the_way_it_is_left_out_and_can_be_waited_for() {
    let page = Page::open("en");
    let online = |large| Some(Connection::Online { since_ms: 0.0, large });
    let left_out = Some(Large::LeftOut(1_179_648));
    page.receive(Frame { connection: online(left_out), ..Frame::default() });
    let wait = page.has("[data-role=wait-for-large]").await;
    let said = page.text(".trouble-text").unwrap();
    assert!(
        said.ends_with("leave out what has more than 1\u{202f}179\u{202f}648 bytes."),
        "{said}"
    );
    wait.click();
    page.sent("wait", |command| (*command == Command::WaitForLarge(true)).then_some(())).await;
    let waited_for = Some(Large::WaitedFor { ms: 1_200_000, has_means: true });
    page.receive(Frame { connection: online(waited_for), ..Frame::default() });
    let waits = || page.text(".trouble-text").filter(|text| text.ends_with("for up to 20 min."));
    eventually("a sentence", waits).await;
    page.find("[data-role=wait-for-large]").unwrap().click();
    let left_out = |command: &Command| (*command == Command::WaitForLarge(false)).then_some(());
    page.sent("leave out", left_out).await;
}

/// Signs in with what the form says, and returns what the engine is told.
async fn signed_in(page: &Page) -> SignIn {
    page.find("[data-role=sign-in] button").unwrap().click();
    page.sent("a name", |command| match command {
        Command::SignIn(sign_in) => Some(sign_in.clone()),
        _ => None,
    })
    .await
}

#[test]
async fn a_broker_that_wants_a_name_is_told_one() {
    let page = Page::open("es");
    let wanted = Problem::SignIn { name: String::new() };
    page.receive(Frame { connection: offline(wanted, None), ..Frame::default() });
    page.has("form[data-role=sign-in]").await;
    assert!(page.text(".trouble-text").unwrap().contains("sin usuario"));
    assert!(page.find("[data-role=try-now]").is_none(), "trying alone would end alike");
    fill(&page.find("[name=username]").unwrap(), "josé");
    fill(&page.find("[name=password]").unwrap(), "secreto");
    let sent = signed_in(&page).await;
    assert_eq!(sent, SignIn { username: "josé".into(), password: "secreto".into() });

    page.receive(Frame { connection: Some(Connection::Connecting), ..Frame::default() });
    page.has("[data-state=connecting]").await;
    assert!(page.find("form[data-role=sign-in]").is_some(), "what was typed is not taken away");
    let refused = Problem::SignIn { name: "josé".into() };
    page.receive(Frame { connection: offline(refused, None), ..Frame::default() });
    page.shows(".trouble-text", "El bróker no conoce este usuario con esta contraseña.").await;
    page.receive(Frame { connection: online(), ..Frame::default() });
    page.has("[data-state=online]").await;
    assert!(page.find("form[data-role=sign-in]").is_none());
}

#[test]
async fn a_name_that_the_broker_was_told_need_not_be_typed_again() {
    let page = Page::open("en");
    let refused = Problem::SignIn { name: "ann".into() };
    let frame = Frame { connection: offline(refused, None), ..Frame::default() };
    page.receive(frame.clone());
    page.has("form[data-role=sign-in]").await;
    // The form is the second program's, to which the engine says it once more.
    page.sent("once more", |command| (*command == Command::Again).then_some(())).await;
    page.receive(frame);
    page.holds("[name=username]", "ann").await;
    fill(&page.find("[name=password]").unwrap(), "right this time");
    let sent = signed_in(&page).await;
    assert_eq!(sent, SignIn { username: "ann".into(), password: "right this time".into() });
}

#[test]
async fn an_engine_that_does_not_run_is_said() {
    let page = Page::open("en");
    page.link.fail("no module workers");
    page.has("[data-state=offline]").await;
    assert!(page.text(".trouble-text").unwrap().contains("no module workers"));
}

#[test]
async fn an_empty_board_says_what_to_do_next() {
    let page = Page::open("en");
    let subscription = Subscription::new(Subscription::EVERYTHING);
    page.receive(Frame {
        connection: online(),
        subscriptions: Some(vec![Subscribed { subscription, answer: None }]),
        board: Some(Board::default()),
        ..Frame::default()
    });
    page.shows(".command code", "mosquitto_pub -h broker.lan -t home/kitchen/temperature -m 21.5")
        .await;
}

#[test]
async fn searching_asks_the_engine_and_can_be_taken_back() {
    let page = Page::open("en");
    fill(&page.has("[data-role=search]").await, "kitchen");
    page.sent("the search", |command| match command {
        Command::Board { search, .. } if search == "kitchen" => Some(()),
        _ => None,
    })
    .await;
    page.shows(".empty h3", "No sensor matches “kitchen”").await;
    page.commands.borrow_mut().clear();
    page.has(".empty button").await.click();
    page.sent("everything", |command| match command {
        Command::Board { search, .. } if search.is_empty() => Some(()),
        _ => None,
    })
    .await;
}

#[test]
async fn the_form_publishes_and_says_what_became_of_it() {
    let page = Page::open_at("en", "#/publish/home/lamp");
    page.has("form[data-role=publish]").await;
    let field = |name: &str| page.find(&format!("form [name={name}]")).unwrap();
    page.holds("form [name=topic]", "home/lamp").await;
    fill(&field("payload"), "línea 1\nlínea 2");
    fill(&field("qos"), "2");
    field("retain").click();
    page.find("form button[type=submit]").unwrap().click();
    let publish = page
        .sent("publish", |command| match command {
            Command::Publish(publish) => Some(publish.clone()),
            _ => None,
        })
        .await;
    assert_eq!((publish.topic.as_str(), publish.qos, publish.retain), ("home/lamp", 2, true));
    assert_eq!(publish.payload, "línea 1\nlínea 2".as_bytes());
    page.shows("[data-role=outcome]", "On its way…").await;

    for (outcome, words) in [
        (Outcome::Acknowledged, "The broker has it."),
        (
            Outcome::Failed(Failure::Refused(Reason::Broker("Quota exceeded".into()))),
            "Not published: Quota exceeded.",
        ),
    ] {
        let published = vec![Published { ticket: publish.ticket, outcome }];
        page.receive(Frame { published, ..Frame::default() });
        page.shows("[data-role=outcome]", words).await;
    }

    // Who looks something up elsewhere finds what was written.
    page.go("#/settings");
    eventually("elsewhere", || page.find("[name=payload]").is_none().then_some(())).await;
    page.go("#/publish");
    page.holds("form [name=payload]", "línea 1\nlínea 2").await;
    page.holds("form [name=topic]", "home/lamp").await;
}

#[test]
async fn what_is_written_is_published_by_keys_from_any_field() {
    let page = Page::open_at("en", "#/publish/home/lamp");
    let payload = page.has("form [name=payload]").await;
    fill(&payload, "on");
    press(&payload, "Enter");
    press_with(&payload, "Enter", true);
    let payload = page
        .sent("publish", |command| match command {
            Command::Publish(publish) => Some(publish.payload.clone()),
            _ => None,
        })
        .await;
    assert_eq!(payload, "on".as_bytes());
}

#[test]
async fn a_payload_is_checked_while_it_is_written() {
    let page = Page::open_at("en", "#/publish/a");
    let area = page.has("[name=payload]").await;
    let kind = |index: u32| page.find(&format!("form .segment:nth-child({index})")).unwrap();
    let submit = "form button[type=submit]";
    for (index, text, said) in [
        (2, "{\"a\": }", "Not JSON from line 1, column 7 on."),
        (3, "0", "Write pairs of hexadecimal digits, such as 00 ff 1a."),
        (4, "%", "This is not Base64."),
    ] {
        kind(index).click();
        fill(&area, text);
        page.shows("[data-role=check]", said).await;
        page.has(&format!("{submit}[disabled]")).await;
    }
    kind(3).click();
    fill(&area, "00 ff 1a");
    page.shows("[data-role=check]", "3 B").await;
    page.has(&format!("{submit}:not([disabled])")).await.click();
    let payload = page
        .sent("the bytes", |command| match command {
            Command::Publish(publish) => Some(publish.payload.clone()),
            _ => None,
        })
        .await;
    assert_eq!(payload, [0x00, 0xff, 0x1a]);
    kind(5).click();
    page.has("input[type=file]").await;
    page.shows("[data-role=check]", "Choose the file whose bytes are the payload.").await;
}

#[test]
async fn a_message_takes_its_properties_along() {
    let page = Page::open_at("en", "#/publish/a");
    let field = |name: &str| page.find(&format!("form [name={name}]")).unwrap();
    page.has("form[data-role=publish]").await;
    for (name, value) in [
        ("content_type", "text/plain"),
        ("expiry", "3600"),
        ("response_topic", "a/reply"),
        ("correlation", "n.º 7"),
    ] {
        fill(&field(name), value);
    }
    field("is_text").click();
    page.find("[data-role=add-property]").unwrap().click();
    fill(&page.has("[data-role=property-name]").await, "unit");
    fill(&page.find("[data-role=property-value]").unwrap(), "°C");
    page.holds("[data-role=property-value]", "°C").await;
    page.find("[data-role=add-property]").unwrap().click();
    let second = page.has(".user-property:nth-child(2) [data-role=remove-property]").await;
    second.focus().unwrap();
    second.click();
    focused("[data-role=add-property]").await;
    page.find("form button[type=submit]").unwrap().click();
    let properties = page
        .sent("the properties", |command| match command {
            Command::Publish(publish) => Some(publish.properties.clone()),
            _ => None,
        })
        .await;
    let expected = Properties {
        is_text: true,
        expiry_s: Some(3_600),
        content_type: Some("text/plain".into()),
        response_topic: Some("a/reply".into()),
        correlation_data: Some("n.º 7".into()),
        user: vec![("unit".into(), "°C".into())],
    };
    assert_eq!(properties, expected);
}

#[test]
async fn a_message_is_repeated_until_it_is_stopped() {
    let page = Page::open_at("es", "#/publish/a");
    page.has("[name=repeat]").await.click();
    fill(&page.find("[name=every]").unwrap(), "0.25");
    page.find("form button[type=submit]").unwrap().click();
    let every_ms = page
        .sent("a repetition", |command| match command {
            Command::Repeat { every_ms, .. } => Some(*every_ms),
            _ => None,
        })
        .await;
    assert_eq!(every_ms, 250);
    let repeating = Some(Some(Repeating { topic: "a".into(), count: 12 }));
    page.receive(Frame { repeating, ..Frame::default() });
    page.shows("[data-role=repeated]", "Mensajes publicados en a: 12").await;
    page.find("[data-role=stop]").unwrap().click();
    page.sent("the end", |command| (*command == Command::StopRepeating).then_some(())).await;
    page.receive(Frame { repeating: Some(None), ..Frame::default() });
    crate::dom::eventually("no more", || page.find("[data-role=stop]").is_none().then_some(()))
        .await;
}

#[test]
async fn what_was_dropped_is_counted_where_everyone_sees_it() {
    let page = Page::open("en");
    let counters = Counters {
        messages: 12_345,
        messages_not_kept: 7,
        points_dropped: 3,
        ..Counters::default()
    };
    page.receive(Frame { counters: Some(counters), ..Frame::default() });
    page.shows("[data-role=messages] dd", "12\u{202f}345").await;
    page.shows("[data-role=dropped] dd", "10").await;
    page.find("[data-role=dropped] a").unwrap().click();
    page.has("[data-role=dropped-list]").await;
    // The engine says everything once more to the program that came.
    page.receive(Frame { counters: Some(counters), ..Frame::default() });
    let line = "Messages of further topics, for which there was no room: 7";
    page.shows("[data-role=dropped-list] li:nth-child(1)", line).await;
    let line = "Oldest points of the charts, gone to make room: 3";
    page.shows("[data-role=dropped-list] li:nth-child(3)", line).await;
}

#[test]
async fn a_line_is_drawn() {
    let page = Page::open("en");
    let column = |x, y| Column { x, first: y, low: y, high: y, last: y, gap: false };
    let sparkline = Sparkline { columns: vec![column(0, 0), column(9, 65_535)], width: 10 };
    page.receive(Frame {
        board: Some(board(&["a"])),
        cards: vec![card(0, number("2"))],
        lines: vec![Line {
            id: 0,
            course: Course { sparkline, low: "1.0".into(), mean: "1.45".into(), high: "2".into() },
            members: Vec::new(),
        }],
        ..Frame::default()
    });
    page.shows(".card-range", "min 1.0mean 1.45max 2").await;
    let line = page.has(".sparkline path:nth-child(2)").await;
    assert_eq!(line.get_attribute("d").as_deref(), Some("M1 1023L19 0"));
    // From the left edge of the picture to where the dot has room.
    let (line, around) = (line.get_bounding_client_rect(), page.has(".sparkline").await);
    let around = around.get_bounding_client_rect();
    assert!(around.width() > 50.0 && line.width() > 0.8 * around.width());
    assert!(line.height() > 0.8 * around.height() && line.bottom() <= around.bottom());
}

#[test]
async fn the_board_holds_still_while_a_pointer_is_among_its_cards() {
    /// After so long without the pointer, the board moves again.
    const STILL_MS: u32 = 2_000;
    let page = Page::open("en");
    page.receive(Frame { connection: online(), board: Some(board(&["b"])), ..Frame::default() });
    let card = page.has("[data-topic=b]").await;
    let held = |is_held: bool| {
        let commands = page.commands.borrow();
        let last = commands.iter().rev().find_map(|command| match command {
            Command::HoldBoard(is_held) => Some(*is_held),
            _ => None,
        });
        (last == Some(is_held)).then_some(())
    };
    let init = web_sys::PointerEventInit::new();
    init.set_bubbles(true);
    let moved = web_sys::PointerEvent::new_with_event_init_dict("pointermove", &init).unwrap();
    card.dispatch_event(&moved).unwrap();
    eventually("it holds still", || held(true)).await;
    page.receive(Frame {
        counters: Some(Counters { newcomers: 1_200, ..Counters::default() }),
        ..Frame::default()
    });
    page.shows("[data-role=newcomers]", "Show new topics: 1\u{202f}200").await;
    let told = page.commands.borrow().len();
    page.find("[data-role=newcomers]").unwrap().click();
    let once = [Command::HoldBoard(false), Command::HoldBoard(true)];
    assert_eq!(page.commands.borrow()[told..], once);
    // Nobody has moved for a while.
    eventually("it moves freely again", || held(false)).await;
    // Who is on a card by the keyboard stays on it.
    page.find(".card-link").unwrap().focus().unwrap();
    eventually("it holds still", || held(true)).await;
    let later_ms = js_sys::Date::now() + f64::from(STILL_MS) + 500.0;
    eventually("time", || (js_sys::Date::now() > later_ms).then_some(())).await;
    assert_eq!(held(true), Some(()));
    page.find(".card-link").unwrap().blur().unwrap();
    eventually("it moves freely once more", || held(false)).await;
    page.receive(Frame { counters: Some(Counters::default()), ..Frame::default() });
    eventually("none wait", || page.find("[data-role=newcomers]").is_none().then_some(())).await;
}
