//! The page of topics: the tree, its keys, and the topic beside it.

use client_wasm::format::{Format, Formatted};
use client_wasm::protocol::{
    Binary, Command, Detail, DetailView, Difference, FileKind, Frame, HistoryRow, MessageInFull,
    MessagesView, Row, Sort, Step, TopicInFull, Tree,
};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::{Page, eventually, fill, press};

fn row(node: u32, depth: u16, name: &str, is_open: Option<bool>) -> Row {
    Row {
        node,
        depth,
        position: 1,
        siblings: 1,
        name: name.into(),
        is_open,
        topics: if is_open.is_some() { 2 } else { 0 },
        messages: 1_234,
        rate_tenths: Some(25),
        value: is_open.is_none().then(|| "21.50".into()),
        is_kept: is_open.is_none(),
        at_ms: is_open.is_none().then(js_sys::Date::now),
    }
}

fn tree(rows: Vec<Row>) -> Tree {
    Tree { total: rows.len() as u32, topics: 2, matching: 2, rows, ..Tree::default() }
}

async fn open() -> Page {
    open_at("#/topics").await
}

/// The page of topics with two rows in its tree, once it is there to hear of them.
pub(crate) async fn open_at(hash: &str) -> Page {
    let page = Page::open_at("en", hash);
    page.sent("that it listens", |command| (*command == Command::Again).then_some(())).await;
    let rows = vec![row(1, 0, "home", Some(true)), row(2, 1, "<b>attic</b>", None)];
    page.receive(Frame { tree: Some(tree(rows)), ..Frame::default() });
    page.has("#node-2").await;
    page
}

fn steps(page: &Page) -> Vec<Step> {
    let commands = page.commands.borrow();
    let step = |command: &Command| match command {
        Command::Step(step) => Some(step.clone()),
        _ => None,
    };
    commands.iter().filter_map(step).collect()
}

#[test]
async fn rows_show_what_they_count_and_say_their_place_in_the_tree() {
    let page = open().await;
    page.shows("#node-1 .tree-children", "2").await;
    page.shows("#node-2 .tree-level", "<b>attic</b>").await;
    page.shows("#node-2 .tree-value", "21.50").await;
    let texts: Vec<_> = ["#node-2 .tree-number:nth-child(3)", "#node-2 .tree-number:nth-child(4)"]
        .iter()
        .map(|selector| page.text(selector).unwrap())
        .collect();
    assert_eq!(texts, ["1\u{202f}234", "2.5"]);
    let attribute = |selector: &str, name: &str| page.find(selector).unwrap().get_attribute(name);
    assert_eq!(attribute("#node-1", "aria-expanded").as_deref(), Some("true"));
    assert_eq!(attribute("#node-2", "aria-expanded"), None);
    assert_eq!(attribute("#node-2", "aria-level").as_deref(), Some("2"));
    assert!(page.find("#node-2 .kept").is_some() && page.find("#node-1 .kept").is_none());
    // The keys go there when somebody does.
    assert!(page.find(".tree:focus").is_none());
}

#[test]
async fn the_page_asks_for_the_rows_on_the_screen_alone() {
    let page = open().await;
    let mut rows = tree(vec![row(1, 0, "a", None)]);
    rows.total = 50_000;
    page.receive(Frame { tree: Some(rows), ..Frame::default() });
    let list = page.has(".tree").await;
    eventually("there is room for all rows", || (list.scroll_height() > 1_000_000).then_some(()))
        .await;
    page.commands.borrow_mut().clear();
    list.set_scroll_top(500_000);
    let (first, len) = page
        .sent("other rows", |command| match command {
            Command::Topics(view) if view.first > 0 => Some((view.first, view.len)),
            _ => None,
        })
        .await;
    assert!((10_000..20_000).contains(&first), "{first}");
    assert!((20..200).contains(&len), "{len}");
}

#[test]
async fn keys_and_clicks_are_steps_through_the_tree() {
    let page = open().await;
    let list = page.find(".tree").unwrap();
    press(&page.find(".search").unwrap(), "ArrowDown");
    let focused = web_sys::window().unwrap().document().unwrap().active_element();
    assert_eq!(focused.as_ref(), Some(list.as_ref()), "from the search to what it found");
    for key in ["ArrowDown", "ArrowRight", "ArrowLeft", "Home", "End", "*", "k", "3"] {
        press(&list, key);
    }
    page.find("#node-2").unwrap().click();
    page.find("#node-1 .twist").unwrap().click();
    assert_eq!(
        steps(&page),
        [
            Step::Rows(1),
            Step::In,
            Step::Out,
            Step::First,
            Step::Last,
            Step::OpenSiblings,
            Step::Typed("k".into()),
            Step::To(2),
            Step::Toggle(1),
        ],
        "a digit is a key of the whole page"
    );
}

#[test]
async fn the_row_where_a_person_is_stays_in_sight_as_topics_come_in_above_it() {
    let page = open().await;
    let list = page.has(".tree").await;
    let show = |active_row: u32| {
        let mut tree = tree(vec![row(1, 0, "a", None)]);
        (tree.total, tree.steps) = (50_000, 1);
        (tree.active, tree.active_row) = (Some(7), Some(active_row));
        page.receive(Frame { tree: Some(tree), ..Frame::default() });
    };
    let shows = |active_row: i32, what: &'static str| {
        let list = list.clone();
        async move {
            let line = |list: &web_sys::Element| {
                let height = list.query_selector(".tree-row").unwrap().unwrap().client_height();
                (active_row * height - list.scroll_top(), height, list.client_height())
            };
            eventually(&format!("{what}: {:?}", line(&list)), || {
                let (top, height, room) = line(&list);
                (top >= 0 && top + height <= room).then_some(())
            })
            .await;
        }
    };
    show(1_000);
    shows(1_000, "the row that a step led to").await;
    assert_eq!(list.get_attribute("aria-activedescendant"), None, "it is not made yet");
    show(2_000);
    shows(2_000, "the row farther down").await;
    list.set_scroll_top(0);
    show(3_000);
    page.receive(Frame::default());
    page.sent("the rows at the beginning", |command| match command {
        Command::Topics(view) if view.first == 0 && view.len > 0 => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(list.scroll_top(), 0, "who has gone elsewhere stays there");
}

#[test]
async fn a_search_an_order_and_a_list_are_asked_of_the_engine() {
    let page = open().await;
    fill(&page.find("[data-role=search]").unwrap(), "home/+");
    let sort: web_sys::HtmlSelectElement = page.find("[data-role=sort]").unwrap().unchecked_into();
    sort.set_value("rate");
    sort.dispatch_event(
        &web_sys::Event::new_with_event_init_dict("change", &{
            let init = web_sys::EventInit::new();
            init.set_bubbles(true);
            init
        })
        .unwrap(),
    )
    .unwrap();
    page.find("[data-role=flat]").unwrap().click();
    page.has(".topics[data-sort=rate]").await;
    page.sent("all of it", |command| match command {
        Command::Topics(view)
            if view.search == "home/+" && view.sort == Sort::Rate && view.is_flat =>
        {
            Some(())
        }
        _ => None,
    })
    .await;
    page.go("#/");
    page.sent("no more of it", |command| (*command == Command::CloseTopics).then_some(())).await;
}

#[test]
async fn an_address_leads_to_its_topic_and_a_step_changes_the_address() {
    let page = Page::open_at("en", "#/topics/home/attic");
    page.sent("the topic", |command| {
        (*command == Command::Step(Step::Topic("home/attic".into()))).then_some(())
    })
    .await;
    let stepped = Tree { steps: 5, active_path: Some("home/cellar".into()), ..tree(Vec::new()) };
    page.receive(Frame { tree: Some(stepped), ..Frame::default() });
    let hash = || web_sys::window().unwrap().location().hash().unwrap();
    eventually("the new address", || (hash() == "#/topics/home/cellar").then_some(())).await;
}

#[test]
async fn a_topic_that_has_not_come_is_not_shown_as_another_one() {
    let page = open_at("#/topics/home/attic").await;
    let of_another = detail(message(9, Format::Text, text("21.5")));
    page.receive(Frame { tree: Some(Tree { active: Some(2), ..tree(Vec::new()) }), ..of_another });
    let is_named = |name: &str| (page.text(".detail-name")? == name).then_some(());
    eventually("the topic", || is_named("home/attic")).await;
    page.go("#/topics/home/cellar");
    let stepped = Tree { steps: 6, active: None, active_path: None, ..tree(Vec::new()) };
    page.receive(Frame { tree: Some(stepped), ..Frame::default() });
    eventually("its name", || is_named("home/cellar")).await;
    assert!(page.text(".detail").unwrap().contains("Nothing has come on this topic"));
    let hash = web_sys::window().unwrap().location().hash().unwrap();
    assert_eq!(hash, "#/topics/home/cellar");
}

pub(crate) fn message(seq: u64, format: Format, payload: Formatted) -> MessageInFull {
    MessageInFull {
        seq,
        at_ms: 1_000.0,
        qos: 1,
        retain: true,
        is_older: false,
        payload_len: 4,
        kept_len: 4,
        properties: vec![("Content Type".into(), "text/plain".into())],
        formats: vec![Format::Json, Format::Text, Format::Hex],
        format,
        payload,
        binary: None,
    }
}

pub(crate) fn text(text: &str) -> Formatted {
    Formatted::Text { text: text.into(), bytes: 4 }
}

pub(crate) fn detail(message: MessageInFull) -> Frame {
    let row = |seq, changes| HistoryRow {
        seq,
        at_ms: 1_000.0,
        retain: false,
        value: "{…}".into(),
        is_same: false,
        changes,
        more: 0,
    };
    let changes =
        vec![Difference { path: "t".into(), from: Some("1".into()), to: Some("2".into()) }];
    let topic = TopicInFull {
        count: 7,
        interval_ms: Some(2_000.0),
        is_kept: true,
        message: Some(message),
        history: vec![row(9, changes), row(8, Vec::new())],
        has_more: true,
        paths: vec!["t".into(), "u".into()],
    };
    let detail = Detail {
        node: 2,
        path: "home/attic".into(),
        topics: 1,
        retained: 1,
        messages: 7,
        rate_tenths: Some(5),
        topic: Some(Box::new(topic)),
        below: Vec::new(),
        below_total: 0,
    };
    Frame { detail: Some(detail), ..Frame::default() }
}

/// Waits for a look at the topic as `pick` wants it.
async fn looked(page: &Page, what: &str, pick: impl Fn(&DetailView) -> bool) {
    page.sent(what, |command| match command {
        Command::Detail(view) if pick(view) => Some(()),
        _ => None,
    })
    .await;
}

#[test]
async fn a_topic_shows_its_value_its_properties_its_chart_and_what_changed() {
    let page = open().await;
    page.receive(detail(message(9, Format::Json, text("{\n  \"t\": 2\n}"))));
    page.shows(".detail-name", "home/attic").await;
    page.shows("[data-role=payload]", "{\n  \"t\": 2\n}").await;
    let properties = page.text("[data-role=properties]").unwrap();
    assert!(properties.contains("Content Typetext/plain"), "{properties}");
    page.shows(".history li:first-child .change", "t 1 → 2").await;

    page.find(".detail .segment:nth-child(3)").unwrap().click();
    looked(&page, "the bytes", |view| view.format == Some(Format::Hex)).await;
    page.find(".history li:nth-child(2) button").unwrap().click();
    looked(&page, "an older message", |view| view.seq == Some(8)).await;
    let older = MessageInFull { is_older: true, ..message(8, Format::Text, text("old")) };
    page.receive(detail(older));
    let newest = page.has(".older .link-button").await;
    page.commands.borrow_mut().clear();
    newest.click();
    looked(&page, "the newest message", |view| view.seq.is_none()).await;
    page.commands.borrow_mut().clear();
    page.find("[data-role=export-json]").unwrap().click();
    let search = "=home/attic".to_owned();
    let of_the_topic = MessagesView { search, ..MessagesView::default() };
    let is_of_the_log = |command: &&Command| {
        matches!(command, Command::Messages(_) | Command::Export(_) | Command::CloseMessages)
    };
    let sent: Vec<_> = page.commands.borrow().iter().filter(is_of_the_log).cloned().collect();
    let export = Command::Export(FileKind::Json);
    assert_eq!(sent, [Command::Messages(of_the_topic), export, Command::CloseMessages]);

    page.find(".history ~ .small-button").unwrap().click();
    looked(&page, "more of the history", |view| view.history > 30 && view.seq.is_none()).await;
}

#[test]
async fn a_branch_shows_what_is_below_it() {
    let page = open().await;
    let row = |name: &str, value: Option<&str>, topics| Row {
        node: topics,
        depth: 0,
        position: 0,
        siblings: 0,
        name: name.into(),
        is_open: None,
        topics,
        messages: 4,
        rate_tenths: Some(12),
        value: value.map(Into::into),
        is_kept: value.is_some(),
        at_ms: None,
    };
    let branch = Detail {
        node: 1,
        path: "home/attic".into(),
        topics: 41,
        retained: 1,
        messages: 44,
        rate_tenths: Some(5),
        topic: None,
        below: vec![row("t", Some("21.5"), 0), row("fans", None, 40)],
        below_total: 90,
    };
    page.receive(Frame { detail: Some(branch), ..Frame::default() });
    page.shows("[data-role=below] tbody tr:first-child", "t21.51.2").await;
    page.shows("[data-role=below] tbody tr:nth-child(2)", "fansTopics: 401.2").await;
    let leads_to = |selector: &str| page.find(selector).unwrap().get_attribute("href").unwrap();
    assert_eq!(leads_to("[data-role=below] a"), "#/topics/home/attic/t");
    assert_eq!(leads_to(".detail-name a"), "#/topics/home");
    page.shows("[data-role=below-rest]", "Shown: 2 of 90").await;
    page.find("[data-role=below-rest] + button").unwrap().click();
    looked(&page, "more of what is below", |view| view.below > 30).await;
}

/// A PNG of one grey pixel.
const PIXEL: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\n\
    IDATx\xdach\0\0\0\x82\0\x81\xdaE\x08;\0\0\0\0IEND\xaeB`\x82";

#[test]
async fn a_picture_is_shown_as_one_and_a_cut_payload_says_so() {
    let page = open().await;
    let picture = |bytes: &[u8]| {
        let picture = Formatted::Image { media_type: "image/png".into(), bytes: bytes.to_owned() };
        detail(message(9, Format::Image, picture))
    };
    page.receive(picture(PIXEL));
    let image = page.has("[data-role=image][src^='blob:']").await;
    assert_eq!(image.get_attribute("alt").as_deref(), Some("home/attic"));
    page.receive(picture(&PIXEL[..20]));
    let broken = page.has("[data-role=broken]").await;
    assert!(broken.text_content().unwrap().contains("can’t show it"));
    page.receive(picture(PIXEL));
    page.has("[data-role=image][src^='blob:']").await;
    let cut = MessageInFull { payload_len: 50_000_000, ..message(9, Format::Text, text("abcd")) };
    page.receive(detail(cut));
    eventually("what is missing", || {
        page.text("[data-role=cut]").filter(|text| text.contains("50\u{202f}000\u{202f}000"))
    })
    .await;
}

#[test]
async fn bytes_that_say_something_are_decoded() {
    let page = open().await;
    let hex = message(9, Format::Hex, text("81 a1 74 05"));
    let formats = vec![Format::Hex, Format::Base64];
    let bytes = |bytes: &[u8]| Some(Binary { payload: Some(bytes.to_vec()), birth: None });
    let packed =
        MessageInFull { formats: formats.clone(), binary: bytes(b"\x81\xa1t\x05"), ..hex.clone() };
    page.receive(detail(packed));
    page.shows("[data-role=payload]", "{\n  \"t\": 5\n}").await;
    page.shows(".detail .segment[aria-pressed=true]", "MessagePack").await;
    // The bare bytes are there too.
    page.find(".detail .segment:nth-child(2)").unwrap().click();
    page.shows("[data-role=payload]", "81 a1 74 05").await;
    // What seems to be of a form and is not is said to be so.
    let deep = MessageInFull { formats, binary: bytes(&[0x81; 300]), ..hex };
    page.receive(detail(deep));
    eventually("a sentence", || {
        page.text("[data-role=not-decoded]").filter(|text| text.contains("nested deeper"))
    })
    .await;
}
