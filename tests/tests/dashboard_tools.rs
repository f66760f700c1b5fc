//! What the dashboard has for those who look closer: payloads that are no text, decoded; messages that
//! say what a sensor would; recordings;
//! and the command palette.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use tests::browser::ON_CARD;
use tests::mosquitto::{Subscriber, publish_input};
use tests::{Broker, Browser, Version};

#[track_caller]
fn send(broker: &Broker, topic: &str, payload: &[u8]) {
    let arguments = ["-t", topic, "-q", "1", "-r", "-s"];
    publish_input(broker, Version::V5, &arguments, payload.to_vec());
}

/// Two readings, the second one higher, each as the bytes that name it, with the single float of its value.
const READINGS: [&[u8]; 2] = [b"\x41\xaa\x66\x66", b"\x41\xac\0\0"];

/// The card, the chart and the table behind it have the numbers of a payload that is no text, and a widget is
/// pinned of them, as of those inside JSON.
#[test]
fn numbers_inside_payloads_that_are_no_text_are_numbers_of_the_dashboard() {
    let broker = Broker::start();
    // Number 7 is Temp, a Float; the data has the number alone.
    let birth = b"\x08\x01\x12\x0c\x0a\x04Temp\x10\x07\x20\x09\x38\x01\x18\0";
    send(&broker, "spBv1.0/plant/DBIRTH/line/oven", birth);
    // Topic, path, and what stands before the number and behind it.
    let forms: [(&str, &str, &[u8], &[u8]); 3] = [
        (
            "bin/cbor",
            "air.t",
            b"\xa2\x62id\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x63air\xa1\x61t\xfa",
            b"",
        ),
        ("bin/message-pack", "t", b"\x82\xa1t\xca", b"\xa2on\xc3"),
        ("spBv1.0/plant/DDATA/line/oven", "Temp", b"\x08\x02\x12\x07\x10\x07\x65", b"\x18\x01"),
    ];
    let send_reading = |topic: &str, reading: &[u8], before: &[u8], after: &[u8]| {
        let mut reading = reading.to_vec();
        // Protocol Buffers begin with the lowest byte.
        if topic.starts_with("spBv1.0/") {
            reading.reverse();
        }
        send(&broker, topic, &[before, &reading, after].concat());
    };
    for reading in READINGS {
        for (topic, _, before, after) in forms {
            send_reading(topic, reading, before, after);
        }
    }
    // Two bytes that could be a list in CBOR, and a text that could be bytes in it.
    send(&broker, "bin/few", b"\x81\x05");
    send(&broker, "bin/text", b"5");
    let browser = Browser::at(&broker, "");
    for (topic, path, before, after) in forms {
        // Those that came before were retained: these are live.
        for reading in READINGS {
            send_reading(topic, reading, before, after);
        }
        let has = |what: &str| format!("({ON_CARD})?.includes('{what}')");
        browser.wait_for("the path", &has(path), &[topic, "value"]);
        browser.wait_for("the number", &has("21.5"), &[topic, "value"]);
        let line = format!(
            "document.querySelector('[data-topic=\"{topic}\"] .member-line path') !== null"
        );
        browser.wait_for("its line", &line, &[]);
    }
    let whole = format!("({ON_CARD})?.includes('18446744073709551615')");
    browser.wait_for("an integer of 64 bits", &whole, &["bin/cbor", "value"]);
    let is = format!("({ON_CARD}) === arguments[2]");
    browser.wait_for("bytes, not a number", &is, &["bin/few", "value", "81 05"]);
    browser.wait_for("a number as ever", &is, &["bin/text", "value", "5"]);
    browser.screenshot("forms-board");

    for (topic, path, ..) in forms {
        browser.value("location.hash = '#/topics/' + arguments[0]", &[topic]);
        let named = "document.querySelector('.detail-name')?.innerText === arguments[0]";
        browser.wait_for("its topic", named, &[topic]);
        // The first of several is chosen, and a person takes another.
        if path == "air.t" {
            browser.choose("[data-role=chart-path]", path);
        }
        browser.click("[data-role=chart-table]");
        let rows = "(() => {
            const rows = [...document.querySelectorAll('.chart-rows tbody tr')];
            const text = rows.map((row) => row.innerText).join(' ');
            return text.includes('21.3') && text.includes('21.5');
        })()";
        browser.wait_for("both numbers in the table", rows, &[]);
        browser.screenshot(&format!("forms-table-{path}"));
        browser.click("[data-role=chart-table]");
        let drawn = "document.querySelector('.detail canvas:not([hidden])') !== null";
        browser.wait_for("the chart again", drawn, &[]);
    }
    // What is inside a list of a few bytes is there for who looks.
    browser.value("location.hash = '#/topics/bin/few'", &[]);
    let named = "document.querySelector('.detail-name')?.innerText === 'bin/few'
        && document.querySelector('[data-role=chart-table]') !== null";
    browser.wait_for("a chart for who asks", named, &[]);

    // The chart of a metric goes to the board of the person, where it is a widget with the number.
    browser.value("location.hash = '#/topics/spBv1.0/plant/DDATA/line/oven'", &[]);
    browser.wait_for("the metric", "document.querySelector('[data-role=metrics]') !== null", &[]);
    browser.click(".detail [data-role=pin]");
    let pinned = "document.querySelector('.widget')?.innerText.replace(/\\s+/g, ' ')
        .includes('Temp 21.5')";
    browser.wait_for("a widget of the metric", pinned, &[]);
    browser.screenshot("forms-pin");
}

#[test]
fn payloads_that_are_no_text_are_decoded() {
    let broker = Broker::start();
    // {"t": 18446744073709551615, "raw": h'00ff'} in CBOR, {"t": -5} in MessagePack.
    send(&broker, "bin/cbor", b"\xa2\x61t\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x63raw\x42\0\xff");
    send(&broker, "bin/message-pack", b"\x81\xa1t\xfb");
    send(&broker, "bin/neither", b"\xa2\x61t");
    // A birth certificate that calls number 7 a Double of the name Speed, and data that says 7 is 1.5.
    let value = b"\x69\0\0\0\0\0\0\xf8\x3f";
    send(
        &broker,
        "spBv1.0/plant/NBIRTH/line",
        &[&b"\x08\x01\x12\x14\x0a\x05Speed\x10\x07\x20\x0a"[..], value, b"\x18\0"].concat(),
    );
    let browser = Browser::at(&broker, "#/topics/bin/cbor");
    let shown = "document.querySelector('[data-role=payload]')?.innerText";
    let forms = "[...document.querySelectorAll('.detail .part-head .segment')]
        .map((form) => form.innerText).join(' ')";
    let cbor = format!("{shown} === arguments[0]");
    let expected = "{\n  \"t\": 18446744073709551615,\n  \"raw\": h'00ff'\n}";
    browser.wait_for("CBOR with all its digits", &cbor, &[expected]);
    browser.wait_for("its forms", &format!("({forms}).startsWith('CBOR Hex Base64')"), &[]);
    browser.screenshot("decoded-cbor");
    browser.value("location.hash = '#/topics/bin/message-pack'", &[]);
    browser.wait_for("MessagePack", &cbor, &["{\n  \"t\": -5\n}"]);
    browser.value("location.hash = '#/topics/bin/neither'", &[]);
    browser.wait_for("bytes", &format!("{shown}?.startsWith('0000  a2 61 74')"), &[]);
    browser.wait_for("no other form", &format!("({forms}).startsWith('Hex Base64')"), &[]);

    let data = [&b"\x08\x02\x12\x0b\x10\x07"[..], value, b"\x18\x01"].concat();
    send(&broker, "spBv1.0/plant/NDATA/line", &data);
    browser.value("location.hash = '#/topics/spBv1.0/plant/NDATA/line'", &[]);
    let row = "document.querySelector('[data-role=metrics] tbody tr')?.innerText.split(/\\s+/)
        .slice(0, 3).join(' ') === 'Speed 1.5 Double'";
    browser.wait_for("a metric by the name that its birth certificate gives it", row, &[]);
    browser.screenshot("decoded-sparkplug");
    send(&broker, "spBv1.0/plant/NDATA/line", b"\x08");
    let told = "document.querySelector('[data-role=not-decoded]')?.innerText.includes('Sparkplug')";
    browser.wait_for("what is wrong with it", told, &[]);
}

#[test]
fn a_template_says_what_a_sensor_would_again_and_again() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(&broker, Version::V5, &["-t", "sim/#", "-q", "1"]);
    let browser = Browser::at(&broker, "#/publish/sim/room");
    browser.click(".segments .segment:nth-child(2)");
    browser.click("[name=fill]");
    let payload = r#"{"n": {{counter 5 2}}, "t": {{walk 20.0 0.5 19 21}}}"#;
    browser.fill("[name=payload]", payload);
    let check = "document.querySelector('[data-role=check]').innerText.includes(arguments[0])";
    browser.wait_for("an example", check, &[r#"{"n": 5, "t": 20.0}"#]);
    browser.click("[name=repeat]");
    browser.fill("[name=every]", "0.1");
    browser.fill("[data-role=template-name]", "Room");
    browser.click("[data-role=save-template]");
    let kept = "document.querySelector('[data-role=template-note]').innerText.includes('Room')";
    browser.wait_for("the template is kept", kept, &[]);

    // It is there in another visit, and fills the form.
    browser.open("about:blank");
    browser.open(&format!("http://127.0.0.1:{}/#/publish", broker.ports.ws));
    browser.wait_for("the list", "document.querySelector('[data-role=templates]') !== null", &[]);
    browser.choose("[data-role=templates]", "Room");
    let filled = "document.querySelector('[name=payload]').value === arguments[0]";
    browser.wait_for("the payload", filled, &[payload]);
    let online = "document.querySelector('[data-role=connection]')?.dataset.state === 'online'";
    browser.wait_for("the connection", online, &[]);
    browser.click("form [type=submit]");
    let mut before = 20.0;
    for n in [5, 7, 9] {
        let message = subscriber.next_message();
        let said: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!((message.topic.as_str(), &said["n"]), ("sim/room", &serde_json::json!(n)));
        let at = said["t"].as_f64().unwrap();
        assert!((19.0..=21.0).contains(&at) && (at - before).abs() <= 0.61, "{at} after {before}");
        before = at;
    }
    browser.screenshot("publish-template");
    browser.click("[data-role=stop]");
}

#[test]
fn what_is_recorded_is_replayed_to_another_broker() {
    let broker = Broker::start();
    let browser = Browser::at(&broker, "#/messages");
    let record = "[data-role=record]";
    browser.wait_for("the page", "document.querySelector('[data-role=record]') !== null", &[]);
    browser.fill("[data-role=search]", "line/#");
    browser.wait_for(
        "nothing matches yet",
        "document.querySelector('.tree-nothing')?.innerText.includes('line/#')",
        &[],
    );
    browser.click(record);
    let recorded =
        "document.querySelector('[data-role=recording]').innerText.includes(arguments[0])";
    browser.wait_for("the recording", recorded, &["messages: 0"]);
    send(&broker, "line/speed", b"1.50");
    send(&broker, "other", b"not searched for");
    send(&broker, "line/raw", b"\x00\xff");
    browser.wait_for("what matches is recorded", recorded, &["messages: 2"]);
    browser.click(record);
    let file = browser.saved_file(".jsonl");
    let lines: Vec<serde_json::Value> =
        file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{file}");
    assert_eq!((&lines[1]["topic"], &lines[1]["payload"]), (&"line/speed".into(), &"1.50".into()));
    assert_eq!((&lines[2]["payload"], &lines[2]["encoding"]), (&"AP8=".into(), &"base64".into()));

    // To another broker, with a line in it that somebody has broken.
    let other = Broker::start();
    let mut subscriber = Subscriber::start(&other, Version::V5, &["-t", "line/#", "-q", "1"]);
    let browser = Browser::at(&other, "#/messages");
    browser.wait_for("the page", "document.querySelector('[data-role=record]') !== null", &[]);
    let mut broken: Vec<&str> = file.lines().collect();
    broken.insert(2, "{\"topic\": ");
    let choose = "(() => {
        const files = new DataTransfer();
        files.items.add(new File([arguments[0]], 'day.jsonl'));
        const input = document.querySelector('[data-role=replay-file]');
        input.files = files.files;
        input.dispatchEvent(new Event('change', { bubbles: true }));
        return true;
    })()";
    // The arrow function has no `arguments` of its own: these are the script's.
    browser.value(choose, &[&broken.join("\n")]);
    let is_chosen = "document.querySelector('[data-role=replay-start]') !== null";
    browser.wait_for("the file", is_chosen, &[]);
    browser.choose("[data-role=replay-speed]", "100");
    browser.click("[data-role=replay-start]");
    for (topic, payload) in [("line/speed", &b"1.50"[..]), ("line/raw", b"\x00\xff")] {
        let message = subscriber.next_message();
        assert_eq!((message.topic.as_str(), message.payload.as_slice()), (topic, payload));
    }
    let told = "document.querySelector('[data-role=replay-wrong]')?.innerText.includes('Line 3 ')";
    browser.wait_for("the line that is broken", told, &[]);
    let done = "document.querySelector('[data-role=replayed]')?.innerText.includes('Sent: 2')";
    browser.wait_for("how much was sent", done, &[]);
    browser.screenshot("replay");
}

#[test]
fn everything_can_be_reached_with_the_keyboard_through_the_palette() {
    let broker = Broker::start();
    send(&broker, "home/kitchen/temperature", b"21.5");
    let browser = Browser::at(&broker, "#/");
    let keys = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', \
                { key: 'k', ctrlKey: true, bubbles: true, cancelable: true }))";
    let is_open = "document.querySelector('dialog.palette')?.open === true";
    let chosen = "document.querySelector('.palette-row.is-active bdi')?.innerText === arguments[0]";
    let run = |text: &str, entry: &str| {
        browser.value(keys, &[]);
        browser.wait_for("the palette", is_open, &[]);
        browser.fill(".palette-input", text);
        browser.wait_for(&format!("the entry {entry}"), chosen, &[entry]);
        browser.press_on_focus("Enter");
        browser.wait_for("its end", "!document.querySelector('dialog.palette').open", &[]);
    };
    // A topic by a few of its letters, a page, and how it all looks.
    run("kittem", "home/kitchen/temperature");
    let shown = "document.querySelector('[data-role=payload]')?.innerText === '21.5'";
    browser.wait_for("the topic", shown, &[]);
    run("publi", "Publish");
    browser.wait_for("the page", "location.hash === '#/publish'", &[]);
    run("dark", "Theme: dark");
    let ground = "getComputedStyle(document.body).colorScheme === 'dark'";
    browser.wait_for("it is dark", ground, &[]);
    run("español", "Language: Español");
    let heading = "document.querySelector('#publish-heading').innerText === 'Publicar un mensaje'";
    browser.wait_for("it speaks Spanish", heading, &[]);
    browser.value(keys, &[]);
    browser.wait_for("the palette", is_open, &[]);
    browser.screenshot("palette");

    // All of that is remembered, and single keys do what they say.
    browser.open("about:blank");
    browser.open(&format!("http://127.0.0.1:{}/#/", broker.ports.ws));
    let spanish = "document.documentElement.lang === 'es'
        && document.querySelector('.page-heading, h2') !== null";
    browser.wait_for("it speaks Spanish still", spanish, &[]);
    browser.wait_for("it is dark still", ground, &[]);
    browser.press_on_focus("w");
    let wall = "document.querySelector('.rail').getBoundingClientRect().right < 20";
    browser.wait_for("the sensors alone", wall, &[]);
    browser.press_on_focus("w");
    browser.wait_for("the page around them", &format!("!({wall})"), &[]);
}
