//! The main job, whole, as a person sees it: the broker, this machine's readings and the dashboard in
//! a browser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use tests::broker::Ports;
use tests::browser::{CONNECTION_STATE, ON_CARD};
use tests::mosquitto::{Message, Properties, Subscriber, message, publish, publish_input};
use tests::program::{Program, Signal};
use tests::{Broker, Browser, Version};

/// What everything that the first screen needs may weigh over the wire, in bytes: page, style, JavaScript,
/// wasm and icons, compressed as they are served.
const FIRST_LOAD_MAX: u64 = 250_000;

/// The page of a broker, in a browser, and what this test looks for on it.
struct Page {
    browser: Browser,
}

impl Page {
    /// Opens the page and waits until it is subscribed: that is when it shows what was retained.
    #[track_caller]
    fn open(broker: &Broker) -> Self {
        publish(broker, Version::V311, &["-t", "home/porch/lamp", "-m", "on", "-r", "-q", "1"]);
        let browser = Browser::start();
        browser.open(&format!("http://127.0.0.1:{}/", broker.ports.ws));
        let page = Self { browser };
        page.wait_for_connection("online");
        page.wait_for_value("home/porch/lamp", "on");
        page
    }

    #[track_caller]
    fn wait_for_connection(&self, state: &str) {
        let expression = format!("{CONNECTION_STATE} === arguments[0]");
        self.browser.wait_for(&format!("the connection is {state}"), &expression, &[state]);
    }

    /// Goes to one of the pages by its link.
    #[track_caller]
    fn go(&self, page: &str) {
        let address = if page == "sensors" { "#/".to_owned() } else { format!("#/{page}") };
        let link = format!(r#".nav-link[href="{address}"]"#);
        self.browser.click(&link);
        let expression = "document.querySelector(arguments[0] + '[aria-current]') !== null";
        self.browser.wait_for(&format!("the page {page}"), expression, &[&link]);
    }

    /// Saves a picture of the top of the page.
    fn picture(&self, name: &str) {
        self.browser.value("scrollTo(0, 0)", &[]);
        self.browser.screenshot(name);
    }

    /// Waits for a card of this topic that shows something, and returns what.
    #[track_caller]
    fn value(&self, topic: &str) -> String {
        let value =
            self.browser.wait_for(&format!("a card of {topic}"), ON_CARD, &[topic, "value"]);
        value.as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn wait_for_value(&self, topic: &str, value: &str) {
        let expression = format!("{ON_CARD} === arguments[2]");
        let what = format!("{value:?} on the card of {topic}");
        self.browser.wait_for(&what, &expression, &[topic, "value", value]);
    }

    /// Waits until the card shows anything but `value`, and returns what.
    #[track_caller]
    fn wait_for_other_value(&self, topic: &str, value: &str) -> String {
        let expression = format!(
            "((shown) => shown !== null && shown !== arguments[2] ? shown : null)({ON_CARD})"
        );
        // The arrow function has no `arguments` of its own: these are the script's.
        let what = format!("anything but {value:?} on the card of {topic}");
        let value = self.browser.wait_for(&what, &expression, &[topic, "value", value]);
        value.as_str().unwrap().to_owned()
    }
}

/// `sensors host`, as `cargo xtask run` starts it, publishing four times a second.
fn start_sensors(ports: Ports, name: &str) -> Program {
    let address = format!("mqtt://127.0.0.1:{}", ports.mqtt);
    let arguments = ["host", "--broker", &address, "--name", name, "--interval", "250ms"];
    Program::start("sensors host", &mut tests::sensors::command(&arguments))
}

#[test]
fn the_main_job() {
    let ports = Ports::free();
    let broker = Broker::start_on(ports, &[]);
    let mut sensors = start_sensors(ports, "this-machine");
    let page = Page::open(&broker);

    // A reading of this machine is there, and it moves.
    page.wait_for_value("sensors/this-machine/status", "online");
    let uptime = "sensors/this-machine/uptime";
    let first = page.value(uptime);
    page.wait_for_other_value(uptime, &first);
    let unit = page.browser.wait_for("its unit", ON_CARD, &[uptime, "unit"]);
    assert_eq!(unit, "s");

    // What anyone publishes has a card of its own at once, and follows.
    let kitchen = "home/kitchen/temperature";
    for value in ["21.5", "22.25", "-3"] {
        publish(&broker, Version::V311, &["-t", kitchen, "-m", value]);
        page.wait_for_value(kitchen, value);
    }
    page.picture("dashboard");

    // The broker is gone, all at once. The page says so, and keeps what it knew.
    broker.kill();
    page.wait_for_connection("offline");
    page.wait_for_value(kitchen, "-3");
    page.picture("dashboard-offline");

    // It is back: so is the page, and so are the readings, by themselves.
    let broker = Broker::start_on(ports, &[]);
    page.wait_for_connection("online");
    // The first other one may be what the broker retained without the page having seen it.
    let stale = page.value(uptime);
    let retained = page.wait_for_other_value(uptime, &stale);
    page.wait_for_other_value(uptime, &retained);
    publish(&broker, Version::V5, &["-t", kitchen, "-m", "19.75"]);
    page.wait_for_value(kitchen, "19.75");

    // The sensors stop, and their card says it.
    sensors.signal(Signal::TERM);
    sensors.wait_success();
    page.wait_for_value("sensors/this-machine/status", "offline");
}

#[test]
fn the_first_load_is_light_and_further_pages_come_when_somebody_goes_there() {
    let broker = Broker::start();
    let page = Page::open(&broker);
    let loaded = || {
        let entries = "['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind)) \
                       .map((entry) => [entry.name.split('/').pop(), entry.encodedBodySize])";
        let entries: BTreeMap<String, u64> = {
            let pairs: Vec<(String, u64)> =
                serde_json::from_value(page.browser.value(entries, &[])).unwrap();
            pairs.into_iter().collect()
        };
        entries
    };
    let first = loaded();
    let weight: u64 = first.values().sum();
    assert!(weight <= FIRST_LOAD_MAX, "the first load is {weight} bytes: {first:#?}");
    let is_second = |name: &str| name.starts_with("rooms");
    assert!(!first.keys().any(|name| is_second(name)), "not before it is wanted: {first:#?}");

    publish(&broker, Version::V5, &["-t", "home/porch/door", "-m", "shut"]);
    page.go("topics");
    page.browser.wait_for("its topics", "document.querySelector('.tree-row') !== null", &[]);
    let second = loaded();
    let programs = second.keys().filter(|name| is_second(name)).count();
    assert_eq!(programs, 3, "JavaScript, wasm and style of the second program: {second:#?}");
    // Both are one page: what the second one asks for reaches the first one's engine, and its clicks
    // reach nobody else.
    let rows = |count: &str| format!("document.querySelectorAll('.tree-row').length {count}");
    page.browser.wait_for("an open branch", &rows("=== 3"), &[]);
    page.browser.click(".tree-row .twist");
    page.browser.wait_for("a closed branch", &rows("=== 1"), &[]);
    page.go("sensors");
    page.wait_for_value("home/porch/lamp", "on");
}

#[test]
fn without_the_broker_the_page_opens_all_the_same_and_says_so() {
    let ports = Ports::free();
    let broker = Broker::start_on(ports, &[]);
    let page = Page::open(&broker);
    let manifest = "fetch(document.querySelector('link[rel=manifest]').href) \
                    .then((answer) => answer.json().then((manifest) => \
                        [answer.headers.get('content-type'), manifest.icons.length]))";
    let manifest = page.browser.value(manifest, &[]);
    assert_eq!(manifest, serde_json::json!(["application/manifest+json", 4]));
    let is_kept = "navigator.serviceWorker.getRegistration() \
                   .then((kept) => kept?.active?.state === 'activated')";
    page.browser.wait_for("the worker that keeps the page", is_kept, &[]);
    // It keeps the second program too, though nobody has gone to a page of it.
    let rest = "caches.keys().then(async (names) => { \
                    const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys())); \
                    return all.flat().filter((kept) => kept.url.includes('/rooms-')).length === 3; })";
    page.browser.wait_for("the second program is kept", rest, &[]);
    broker.kill();

    let address = format!("http://127.0.0.1:{}/", ports.ws);
    page.browser.open("about:blank");
    page.browser.open(&address);
    page.wait_for_connection("offline");
    let said = "document.querySelector('.trouble-text').innerText.includes('No answer from')";
    page.browser.wait_for("why", said, &[]);
    page.picture("without-a-network");
    // A page that nobody has been to opens too.
    page.go("publish");
    let form = "document.querySelector('form[data-role=publish]') !== null";
    page.browser.wait_for("the form of the page", form, &[]);
    page.go("sensors");

    let broker = Broker::start_on(ports, &[]);
    publish(&broker, Version::V311, &["-t", "home/porch/lamp", "-m", "off", "-r", "-q", "1"]);
    page.wait_for_connection("online");
    page.wait_for_value("home/porch/lamp", "off");
    // Further pages go on as ever.
    page.go("topics");
    page.browser.wait_for("its topics", "document.querySelector('.tree-row') !== null", &[]);
}

#[test]
fn a_page_that_can_not_be_fetched_says_so() {
    let broker = Broker::start();
    let page = Page::open(&broker);
    let link = "document.querySelector('link[rel=rooms]')";
    // Such as after the broker was upgraded: what this page names is not there any more.
    let address = page.browser.value(&format!("{link}.getAttribute('href')"), &[]);
    page.browser.value(&format!("{link}.setAttribute('href', './gone.js')"), &[]);
    page.go("messages");
    let said = "document.querySelector('[data-role=not-fetched]')?.innerText.includes('Reload')";
    page.browser.wait_for("why there is no page", said, &[]);
    page.go("sensors");
    page.wait_for_value("home/porch/lamp", "on");

    // It is tried again by who goes there again.
    let address = address.as_str().unwrap();
    page.browser.value(&format!("{link}.setAttribute('href', arguments[0])"), &[address]);
    page.go("messages");
    page.browser.wait_for("the page", "document.querySelector('.log-row') !== null", &[]);
}

#[test]
fn a_payload_is_shown_as_what_it_is() {
    let broker = Broker::start();
    let page = Page::open(&broker);
    let cases: [(&str, &[u8], &str); 9] = [
        ("kinds/number", b"1013.25", "1013.25"),
        ("kinds/long-number", b"12345678901234567890.5", "12345678901234567890.5"),
        ("kinds/with-unit", "21.5 °C".as_bytes(), "21.5"),
        ("kinds/text", "quién sabe".as_bytes(), "quién sabe"),
        ("kinds/markup", b"<b onclick=\"x()\">bold</b>", "<b onclick=\"x()\">bold</b>"),
        ("kinds/no-json", b"{\"value\": ", "{\"value\":"),
        ("kinds/bytes", b"\x00\xFF\x80", "00 ff 80"),
        ("kinds/no-utf-8", b"21.5\xFF", "32 31 2e 35 ff"),
        ("especial/°C/ñ \"q\" ]", b"7", "7"),
    ];
    for (topic, payload, shown) in cases {
        publish_input(&broker, Version::V311, &["-t", topic, "-s"], payload.to_vec());
        page.wait_for_value(topic, shown);
    }
    let unit = page.browser.wait_for("a unit", ON_CARD, &["kinds/with-unit", "unit"]);
    assert_eq!(unit, "°C");

    publish(&broker, Version::V311, &["-t", "kinds/empty", "-n"]);
    page.wait_for_value("kinds/empty", "empty");

    let json = r#"{"place": "attic", "air": {"co2": 415, "ok": true}}"#;
    publish(&broker, Version::V311, &["-t", "kinds/json", "-m", json]);
    let members = page.value("kinds/json");
    for part in ["place", "attic", "air.co2", "415", "air.ok", "true"] {
        assert!(members.contains(part), "{part} is not on the card: {members}");
    }

    // A card that showed one thing shows another when that is what comes.
    publish(&broker, Version::V311, &["-t", "kinds/number", "-m", "broken"]);
    page.wait_for_value("kinds/number", "broken");
    publish(&broker, Version::V311, &["-t", "kinds/number", "-m", "8"]);
    page.wait_for_value("kinds/number", "8");
    page.picture("kinds-of-payload");
}

#[test]
fn the_command_that_an_empty_page_shows_works_as_it_stands() {
    let broker = Broker::start();
    let browser = Browser::at(&broker, "#/");
    let command = "document.querySelector('.command')?.innerText.includes(' -p ') \
                   && document.querySelector('.command').innerText.trim()";
    let command = browser.wait_for("the command", command, &[]);
    let mut words = command.as_str().expect("text").split_whitespace();
    let program = words.next().expect("a program");
    let mut run = std::process::Command::new(program);
    Program::start(program, run.args(words)).wait_success();
    let page = Page { browser };
    page.wait_for_value("home/kitchen/temperature", "21.5");
}

#[test]
fn a_board_that_somebody_has_scrolled_stays_where_it_is() {
    let broker = Broker::start();
    for n in 10..40 {
        let topic = format!("m{n}/level");
        publish(&broker, Version::V311, &["-t", &topic, "-m", "1", "-r", "-q", "1"]);
    }
    let page = Page::open(&broker);
    page.wait_for_value("m39/level", "1");
    let top = "Math.round(document.querySelector('[data-topic=\"m39/level\"]') \
               .getBoundingClientRect().top)";
    let before = page.browser.value(top, &[]);
    publish(&broker, Version::V311, &["-t", "a/first", "-m", "2"]);
    let waits = "document.querySelector('[data-role=newcomers]')?.innerText === arguments[0]";
    page.browser.wait_for("that it waits", waits, &["Show new topics: 1"]);
    assert_eq!(page.browser.value(top, &[]), before);
    page.picture("newcomers");
    page.wait_for_value("a/first", "2");
    let is_gone = "document.querySelector('[data-role=newcomers]') === null";
    page.browser.wait_for("nobody waits", is_gone, &[]);
}

/// What is under a mouse that rests for a while is what somebody may be about to press.
#[test]
fn a_card_stays_under_the_mouse_that_rests_on_it() {
    let broker = Broker::start();
    publish(&broker, Version::V311, &["-t", "m/level", "-m", "1", "-r", "-q", "1"]);
    let page = Page::open(&broker);
    page.wait_for_value("m/level", "1");
    page.browser.point_at("[data-topic=\"m/level\"]");
    // Longer than the page waits for a mouse that rests somewhere else.
    std::thread::sleep(Duration::from_millis(2_500));
    publish(&broker, Version::V311, &["-t", "a/first", "-m", "2"]);
    let waits = "document.querySelector('[data-role=newcomers]')?.innerText === arguments[0]";
    page.browser.wait_for("that it waits", waits, &["Show new topics: 1"]);
    let is_under = "document.querySelector('[data-topic=\"m/level\"]').matches(':hover')";
    assert_eq!(page.browser.value(is_under, &[]), true);
    // Once it has left the cards, they come by themselves.
    page.browser.point_at("h1");
    page.wait_for_value("a/first", "2");
}

#[test]
fn what_the_page_publishes_reaches_a_subscriber() {
    const FORM: &str = r#"form[data-role="publish"]"#;
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(&broker, Version::V5, &["-t", "from/page/#", "-q", "2"]);
    let page = Page::open(&broker);
    let field = |name: &str| format!(r#"{FORM} [name="{name}"]"#);
    let messages = [
        ("from/page/a", "21.5", "0"),
        ("from/page/ñ", "¿qué tal?", "1"),
        ("from/page/c", "on", "2"),
    ];
    page.go("publish");
    for (topic, payload, qos) in messages {
        page.browser.fill(&field("topic"), topic);
        page.browser.fill(&field("payload"), payload);
        page.browser.choose(&field("qos"), qos);
        page.browser.click(&format!(r#"{FORM} [type="submit"]"#));
        let expected = message(topic, payload, qos.parse().unwrap());
        assert_eq!(subscriber.next_message(), expected);
    }
    page.go("sensors");
    for (topic, payload, _) in messages {
        page.wait_for_value(topic, payload);
    }

    // Retained, so that it is still there for who comes later.
    page.go("publish");
    page.browser.fill(&field("topic"), "from/page/kept");
    page.browser.fill(&field("payload"), "for later");
    page.browser.choose(&field("qos"), "2");
    page.browser.click(&field("retain"));
    page.browser.click(&format!(r#"{FORM} [type="submit"]"#));
    assert_eq!(subscriber.next_message(), message("from/page/kept", "for later", 2));
    let mut late = Subscriber::start(&broker, Version::V5, &["-t", "from/page/kept", "-q", "2"]);
    assert_eq!(late.next_message(), message("from/page/kept", "for later", 2).retained());
}

#[test]
fn topics_are_a_tree_that_is_walked_searched_and_linked() {
    let broker = Broker::start();
    let page = Page::open(&broker);
    for (topic, payload) in [
        ("plant/line 1/speed", "1.50"),
        ("plant/line 1/état", r#"{"mode":"auto","rpm":{"now":900,"max":1200}}"#),
        ("plant/line 2/speed", "2"),
    ] {
        publish(&broker, Version::V5, &["-t", topic, "-m", payload]);
    }
    page.go("topics");
    // Found and clicked at once: rows move while others come in.
    let click_row = |name: &str| {
        let clicked = "(() => {
            const row = [...document.querySelectorAll('[role=treeitem]')]
                .find((row) => row.querySelector('.tree-level').innerText === arguments[0]);
            row?.click();
            return row !== undefined;
        })()";
        page.browser.wait_for(&format!("the row {name}"), clicked, &[name]);
    };
    // With the keyboard alone: to a branch, into it, and to its first topic.
    click_row("plant");
    page.browser.value("document.querySelector('[role=tree]').focus()", &[]);
    page.browser.press_on_focus("ArrowDown");
    page.browser.press_on_focus("ArrowRight");
    page.browser.press_on_focus("ArrowRight");
    let shown = "document.querySelector('[data-role=payload]')?.innerText";
    page.browser.wait_for("the value", &format!("{shown} === '1.50'"), &[]);
    page.browser.wait_for(
        "the address of the topic",
        "location.hash === '#/topics/plant/line%201/speed'",
        &[],
    );
    // It follows.
    publish(&broker, Version::V5, &["-t", "plant/line 1/speed", "-m", "1.75"]);
    page.browser.wait_for("the new value", &format!("{shown} === '1.75'"), &[]);

    // A search, also for what a payload says; the numbers in JSON can be drawn.
    page.browser.fill("[data-role=search]", "auto");
    click_row("état");
    page.browser.wait_for("its JSON", &format!("{shown}?.includes('\"max\": 1200')"), &[]);
    page.browser.choose("[data-role=chart-path]", "rpm.max");
    let scale = "document.querySelector('.chart-legend')?.innerText.includes('1200')";
    page.browser.wait_for("the chart of a member", scale, &[]);
    page.picture("topics");

    // The address of a topic leads to it, from anywhere.
    page.browser.open("about:blank");
    let address = format!("http://127.0.0.1:{}/#/topics/home/porch/lamp", broker.ports.ws);
    page.browser.open(&address);
    page.browser.wait_for("the topic of the address", &format!("{shown} === 'on'"), &[]);
    let retained = "document.querySelector('.tree-row.is-active .kept') !== null";
    page.browser.wait_for("the mark of a retained message", retained, &[]);
}

#[test]
fn the_log_is_paused_searched_and_saved_to_files_that_others_open() {
    let broker = Broker::start();
    let page = Page::open(&broker);
    page.go("messages");
    let rows = "[...document.querySelectorAll('.log-row [data-role=value]')]
        .map((value) => value.innerText).join(' ')";
    let wait_for_rows = |what: &str, expected: &str| {
        page.browser.wait_for(what, &format!("({rows}) === arguments[0]"), &[expected]);
    };
    for value in ["1", "2"] {
        publish(&broker, Version::V5, &["-t", "line/speed", "-m", value, "-q", "1"]);
    }
    wait_for_rows("the newest first", "2 1 on");
    page.browser.click("[data-role=pause]");
    let held = "document.querySelector('.log-foot').innerText.includes('Paused')";
    page.browser.wait_for("the pause", held, &[]);
    let odd = "é, \"quoted\"\nand more";
    publish(&broker, Version::V5, &["-t", "line/ñ", "-m", odd, "-q", "1"]);
    let waiting = "document.querySelector('.log-foot').innerText.includes('1 new')";
    page.browser.wait_for("one that waits", waiting, &[]);
    wait_for_rows("nothing has moved", "2 1 on");
    page.browser.click("[data-role=pause]");
    wait_for_rows("what has waited", "é, \"quoted\" and more 2 1 on");
    page.browser.fill("[data-role=search]", "line/#");
    wait_for_rows("what matches", "é, \"quoted\" and more 2 1");
    page.picture("messages");

    for button in ["csv", "json"] {
        page.browser.click(&format!("[data-role={button}]"));
        let text = page.browser.saved_file(&format!(".{button}"));
        if button == "json" {
            let messages: serde_json::Value = serde_json::from_str(&text).unwrap();
            let payloads: Vec<_> =
                messages.as_array().unwrap().iter().map(|m| &m["payload"]).collect();
            assert_eq!(payloads, ["1", "2", odd]);
            assert_eq!(messages[2]["topic"], "line/ñ");
        } else {
            assert!(text.contains("\"é, \"\"quoted\"\"\nand more\""), "{text}");
            assert_eq!(text.matches("\r\n").count(), 4, "{text}");
        }
    }
}

#[test]
fn a_message_leaves_with_its_bytes_and_properties_once_or_again_and_again() {
    const FORM: &str = r#"form[data-role="publish"]"#;
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(&broker, Version::V5, &["-t", "from/page", "-q", "2"]);
    let page = Page::open(&broker);
    page.browser.open(&format!("http://127.0.0.1:{}/#/publish/from/page", broker.ports.ws));
    page.wait_for_connection("online");
    page.browser.click(&format!("{FORM} .segment:nth-child(3)"));
    page.browser.fill(&format!("{FORM} [name=payload]"), "00 ff 1a");
    page.browser.choose(&format!("{FORM} [name=qos]"), "1");
    page.browser.click(&format!("{FORM} summary"));
    for (name, value) in
        [("content_type", "application/x"), ("expiry", "60"), ("response_topic", "to/page")]
    {
        page.browser.fill(&format!("{FORM} [name={name}]"), value);
    }
    page.browser.click("[data-role=add-property]");
    page.browser.fill("[data-role=property-name]", "unit");
    page.browser.fill("[data-role=property-value]", "K");
    page.picture("publish");
    page.browser.click(&format!("{FORM} [type=submit]"));
    let properties = Properties {
        content_type: "application/x".into(),
        response_topic: "to/page".into(),
        user_properties: "unit:K".into(),
        ..Properties::default()
    };
    let mut next = || {
        let mut message = subscriber.next_message();
        // What is left of its lifetime when it is delivered.
        let left = std::mem::take(&mut message.properties.message_expiry_interval);
        assert!((1..=60).contains(&left.parse::<u32>().unwrap()), "{left}");
        message
    };
    let expected = Message { properties, ..message("from/page", [0x00, 0xff, 0x1a], 1) };
    assert_eq!(next(), expected);

    page.browser.click(&format!("{FORM} [name=repeat]"));
    page.browser.fill(&format!("{FORM} [name=every]"), "0.1");
    page.browser.click(&format!("{FORM} [type=submit]"));
    for _ in 0..3 {
        assert_eq!(next(), expected);
    }
    page.browser.click("[data-role=stop]");
    let stopped = "document.querySelector('[data-role=stop]') === null";
    page.browser.wait_for("the end of it", stopped, &[]);
}

/// A broker that tells of itself so often; 0 is for never.
fn telling_every_s(seconds: u32) -> Broker {
    Broker::configured(|ports| {
        format!(
            "listener {} 127.0.0.1\nallow_anonymous true\ndashboard_port {}\nsys_interval {seconds}\n",
            ports.mqtt, ports.ws
        )
    })
}

#[test]
fn what_the_broker_tells_of_itself_is_asked_for_when_a_person_looks_and_shown_as_figures() {
    let broker = telling_every_s(1);
    let page = Page::open(&broker);
    // Nobody has looked at the broker, and nothing of it is on the board or among the topics.
    page.go("topics");
    let names =
        "[...document.querySelectorAll('.tree-level')].map((name) => name.innerText).join(' ')";
    page.browser.wait_for("the topics", &format!("({names}).includes('home')"), &[]);
    assert_eq!(page.browser.value(&format!("({names}).includes('$SYS')"), &[]), false);

    page.go("broker");
    let value = |role: &str| {
        format!("document.querySelector('[data-role={role}] [data-role=value]')?.innerText")
    };
    let wait_for_value = |role: &str, expected: &str| {
        let expression = format!("{} === arguments[0]", value(role));
        page.browser.wait_for(&format!("{expected} {role}"), &expression, &[expected]);
    };
    let version =
        "document.querySelector('[data-role=version]')?.innerText.startsWith('ws-broker')";
    page.browser.wait_for("the version", version, &[]);
    wait_for_value("clients", "1");
    let mut client = broker.connect(Version::V5, "another");
    wait_for_value("clients", "2");
    client.send(&[0xe0, 0x00]);
    wait_for_value("clients", "1");
    for name in ["Messages in", "Bytes out", "Connected clients"] {
        let chart =
            "document.querySelector(`[data-chart=\"${arguments[0]}\"] .chart-plot`) !== null";
        page.browser.wait_for(&format!("the chart {name}"), chart, &[name]);
    }
    let loads = "document.querySelector('[data-role=sys-others]').innerText
        .includes('$SYS/broker/load/sockets/1min')";
    page.browser.wait_for("all else that it tells", loads, &[]);
    page.picture("broker");

    // What it had told by then is there again at once for who comes back.
    page.go("topics");
    assert_eq!(page.browser.value(&format!("({names}).includes('$SYS')"), &[]), false);
    page.go("broker");
    wait_for_value("clients", "1");
}

#[test]
fn a_broker_that_has_nothing_to_tell_is_said_in_a_sentence() {
    let sentence = "document.querySelector('[data-role=sys-nothing]')?.innerText";
    let silent = telling_every_s(0);
    let page = Page::open(&silent);
    page.go("broker");
    page.browser.wait_for("why", &format!("{sentence}?.includes('no message has come')"), &[]);
}

#[test]
fn retained_messages_are_listed_deleted_and_put_back_also_from_a_file() {
    let broker = Broker::start();
    let retained = |topic: &str, payload: &[u8]| {
        publish_input(
            &broker,
            Version::V5,
            &["-t", topic, "-r", "-q", "1", "-s"],
            payload.to_vec(),
        );
    };
    retained("plant/line 1/état", "encendido °C".as_bytes());
    retained("plant/line 2", b"\x00\xff");
    retained("plant/huge", &vec![b'x'; 2_000_000]);
    let unit = ["-D", "publish", "user-property", "unit", "K"];
    let arguments = ["-t", "plant/line 3", "-m", "7", "-r", "-q", "1"];
    publish(&broker, Version::V5, &[&arguments[..], &unit[..]].concat());
    // Acknowledged, so that it is over before anybody subscribes.
    publish(&broker, Version::V5, &["-t", "plant/live", "-m", "not retained", "-q", "1"]);
    let kept = || {
        let mut client = broker.connect(Version::V5, "looks");
        client.subscribe("plant/#");
        let mut topics = Vec::new();
        client.send(b"\x30\x0d\0\x09plant/end\0!");
        loop {
            let (topic, payload) = client.receive_publication();
            if topic == "plant/end" {
                topics.sort();
                return topics;
            }
            topics.push((topic, payload));
        }
    };
    let before = kept();
    assert_eq!(before.len(), 4);

    let page = Page::open(&broker);
    let show_branch = || {
        page.browser.open("about:blank");
        let address = format!("http://127.0.0.1:{}/#/topics/plant", broker.ports.ws);
        page.browser.open(&address);
        let button = "document.querySelector('[data-role=delete-retained]') !== null";
        page.browser.wait_for("what can be done with the branch", button, &[]);
    };
    let said = "document.querySelector('[data-role=clearing-state]').innerText";
    let wait_said = |part: &str| {
        page.browser.wait_for(part, &format!("{said}.includes(arguments[0])"), &[part]);
    };
    let list = "document.querySelector('[data-role=clearing-list]')?.value";
    show_branch();
    page.browser.click("[data-role=delete-retained]");
    let names = "plant/huge\nplant/line 1/état\nplant/line 2\nplant/line 3";
    page.browser.wait_for("the exact list", &format!("{list} === arguments[0]"), &[names]);
    let warning = "document.querySelector('[data-role=without-copy]').innerText.includes('Of 1')";
    page.browser.wait_for("what can't be put back", warning, &[]);
    page.picture("retained");
    assert_eq!(kept(), before, "nothing is deleted before the person says so");

    page.browser.click("[data-role=save-copy]");
    let text = page.browser.saved_file(".json");
    let copy: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(copy["retained"].as_array().unwrap().len(), 3);
    assert_eq!(copy["retained"][1]["payload_base64"], "AP8=");
    page.browser.click("[data-role=delete]");
    wait_said("Deleted: 4 of 4.");
    assert_eq!(kept(), []);
    // Its button is gone, and who goes on by the keyboard is still in the sheet.
    let focus = "document.activeElement?.dataset.role === 'close-clearing'";
    page.browser.wait_for("a place to go on from", focus, &[]);

    // Back again at once, byte for byte; and from the file, in another life of the page.
    page.browser.click("[data-role=put-back]");
    wait_said("Put back: 3 of 3.");
    assert_eq!(kept(), before[1..]);
    page.browser.click("[data-role=close-clearing]");
    show_branch();
    page.browser.click("[data-role=delete-retained]");
    page.browser.wait_for("the list", &format!("{list}?.includes('plant/line 1')"), &[]);
    page.browser.click("[data-role=delete]");
    wait_said("Deleted: 3 of 3.");
    page.browser.click("[data-role=close-clearing]");
    let folder = tempfile::tempdir().unwrap();
    let put_back = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        page.browser.choose_file("[data-role=put-back-file]", &file);
    };
    put_back("broken.json", &text[..text.len() / 2]);
    wait_said("This is no file");
    page.browser.click("[data-role=close-clearing]");
    put_back("copy.json", &text);
    page.browser.wait_for("the list", &format!("{list}?.includes('plant/line 1')"), &[]);
    page.browser.click("[data-role=put-back]");
    wait_said("Put back: 3 of 3.");
    assert_eq!(kept(), before[1..]);
    let arguments = ["-t", "plant/line 3", "-q", "1"];
    let mut late = Subscriber::start(&broker, Version::V5, &arguments);
    assert_eq!(late.next_message().properties.user_properties, "unit:K");
}

#[test]
fn every_packet_of_the_connection_is_shown_as_bytes_with_its_fields() {
    let broker = Broker::start();
    let page = Page::open(&broker);
    page.go("wire");
    let kinds = "[...document.querySelectorAll('[data-role=kind-name]')]
        .map((kind) => kind.innerText).reverse().join(' ')";
    let nothing = "document.querySelector('.wire .tree-nothing') !== null";
    page.browser.wait_for("nothing that was before", nothing, &[]);

    // The handshake, seen whole.
    page.browser.click("[data-role=reconnect]");
    let begins = format!("({kinds}).startsWith('DISCONNECT CONNECT CONNACK SUBSCRIBE')");
    page.browser.wait_for("the handshake", &begins, &[]);
    publish(&broker, Version::V5, &["-t", "line/speed", "-m", "7", "-q", "1"]);
    let last = "document.querySelector('.wire-row .log-value')?.innerText === 'line/speed'";
    page.browser.wait_for("the message", last, &[]);
    page.browser.click(".wire-row");
    let fields = "document.querySelector('[data-role=fields]')?.innerText";
    for part in ["Topic Name", "line/speed", "MQTT 5.0 §3.3.2.1", "Remaining Length", "Payload"] {
        page.browser.wait_for(part, &format!("{fields}?.includes(arguments[0])"), &[part]);
    }
    let bytes = "document.querySelector('[data-role=bytes]').innerText.replace(/\\s+/g, ' ')";
    let hex = "00 0a 6c 69 6e 65 2f 73 70 65 65 64";
    page.browser.wait_for("its bytes", &format!("({bytes}).includes(arguments[0])"), &[hex]);

    // Who points at a field sees its bytes.
    let point = "[...document.querySelectorAll('.wire-field')]
        .find((field) => field.innerText.startsWith('Payload')).focus()";
    page.browser.value(point, &[]);
    let hot =
        "[...document.querySelectorAll('.wire-hex .is-hot')].map((p) => p.innerText).join(' ')";
    page.browser.wait_for("the bytes of the payload", &format!("{hot} === '37'"), &[]);
    page.picture("packets");

    // One type alone.
    page.browser.choose("[data-role=kind]", "1");
    page.browser.wait_for("CONNECT alone", &format!("({kinds}) === 'CONNECT'"), &[]);
}

/// What is in the widget with this title.
const IN_WIDGET: &str = r#"[...document.querySelectorAll('.widget')]
    .find((widget) => widget.querySelector('.card-name')?.innerText === arguments[0])
    ?.querySelector(arguments[1])"#;

#[test]
fn a_person_makes_a_board_of_their_own_and_it_is_there_again() {
    let broker = Broker::start();
    let page = Page::open(&broker);
    let kitchen = "home/kitchen/temperature";
    publish(&broker, Version::V5, &["-t", kitchen, "-m", "21.50"]);
    page.wait_for_value(kitchen, "21.50");

    // A sensor is pinned by one click, and what comes is drawn.
    page.browser.click(&format!(r#".card[data-topic="{kitchen}"] .pin"#));
    let value = format!("({IN_WIDGET})?.innerText");
    let shows = |title: &str, selector: &str, text: &str| {
        let expression = format!("{value} === arguments[2]");
        page.browser.wait_for(
            &format!("{text:?} in {title}"),
            &expression,
            &[title, selector, text],
        );
    };
    shows("Temperature", ".chart-value", "21.50");
    publish(&broker, Version::V5, &["-t", kitchen, "-m", "22.75"]);
    shows("Temperature", ".chart-value", "22.75");
    page.browser.wait_for("no question left in the address", "location.hash === '#/'", &[]);

    // A control is added with the form, and publishes.
    page.browser.click("[data-role=edit-board]");
    page.browser.click("[data-role=add-widget]");
    page.browser.choose("[data-role=kind]", "switch");
    page.browser.wait_for(
        "its fields",
        "!!document.querySelector('[data-role=control-topic]')",
        &[],
    );
    page.browser.fill("[data-role=title]", "Porch");
    page.browser.fill("[data-role=control-topic]", "home/porch/set");
    page.browser.fill("[data-role=control-payload]", r#"{"state":{text}}"#);
    page.browser.click("[data-role=save-widget]");
    page.browser.wait_for("it is added", &format!("!!({IN_WIDGET})"), &["Porch", "[role=switch]"]);
    page.browser.click("[data-role=edit-board]");
    page.browser.wait_for("it can be used", "!document.querySelector('.widget-cover')", &[]);
    let mut subscriber = Subscriber::start(&broker, Version::V5, &["-t", "home/porch/set"]);
    page.browser.click(".widget [role=switch]");
    let sent = subscriber.next_message();
    assert_eq!(sent.payload, br#"{"state":"ON"}"#);
    page.picture("widgets");

    // All of it is there again, also what was undone in between.
    page.browser.click("[data-role=edit-board]");
    page.browser.click("[data-role=undo]");
    page.browser.wait_for("it is gone", &format!("!({IN_WIDGET})"), &["Porch", "[role=switch]"]);
    page.browser.click("[data-role=redo]");
    page.browser.wait_for("it is there", &format!("!!({IN_WIDGET})"), &["Porch", "[role=switch]"]);
    page.browser.open("about:blank");
    page.browser.open(&format!("http://127.0.0.1:{}/", broker.ports.ws));
    page.browser.wait_for("it was kept", &format!("!!({IN_WIDGET})"), &["Porch", "[role=switch]"]);
    // The board is there before the connection, and what nobody keeps comes to nobody before that.
    page.wait_for_value("home/porch/lamp", "on");
    publish(&broker, Version::V5, &["-t", kitchen, "-m", "19.0"]);
    shows("Temperature", ".chart-value", "19.0");

    // A link that lost its end on the way says so, and nothing is lost.
    page.browser.open("about:blank");
    page.browser.open(&format!("http://127.0.0.1:{}/#/?board=eyJmb3", broker.ports.ws));
    let said = "document.querySelector('[data-role=notice]')?.innerText.includes('incomplete')";
    page.browser.wait_for("a sentence", said, &[]);
    page.browser.wait_for(
        "the board is as it was",
        &format!("!!({IN_WIDGET})"),
        &["Porch", "[role=switch]"],
    );

    // A board that can't be read is told of, and kept.
    page.browser.value("localStorage.setItem('board', '{\"format\": 7')", &[]);
    page.browser.value("location.reload()", &[]);
    let said = "document.querySelector('[data-role=unread]')?.innerText.includes('line 1')";
    page.browser.wait_for("a sentence", said, &[]);
    let aside = page.browser.value("localStorage.getItem('board-unread')", &[]);
    assert_eq!(aside, r#"{"format": 7"#);
}
