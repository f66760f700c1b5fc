//! The dashboard on a phone: every page within its width, with all that can be done on it at hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use serde_json::json;
use tests::mosquitto::publish;
use tests::{Broker, Browser, Version};

/// The size of a common phone, in CSS pixels.
const SCREEN: (u32, u32) = (390, 844);

/// Each page: its address, what shows that it is there, and what is done on it most.
const PAGES: [(&str, &str, &[&str]); 9] = [
    (
        "#/",
        "[data-topic='home/kitchen/temperature'] [data-role=value]",
        &["input[type=search]", "[data-role=add]", "[data-role=import-board]", ".card .pin"],
    ),
    ("#/topics", ".tree-row", &["input[type=search]", ".tree-row"]),
    (
        "#/topics/home/kitchen/climate",
        ".history-row",
        &[".level", "[data-role=export-csv]", ".history-row"],
    ),
    (
        "#/messages",
        ".log-topic",
        &[
            "input[type=search]",
            "[data-role=pause]",
            "[data-role=csv]",
            "[data-role=record]",
            ".tape-file",
        ],
    ),
    (
        "#/publish",
        "form[data-role=publish]",
        &["[name=topic]", "[name=payload]", "form[data-role=publish] [type=submit]"],
    ),
    ("#/broker", ".broker canvas", &[]),
    ("#/wire", ".wire", &["[data-role=pause]"]),
    ("#/connections", "[data-connection=page]", &["[data-role=new]", ".connection-actions button"]),
    ("#/settings", ".settings", &["select, input[type=radio]"]),
];

/// What is wrong with the page on the screen, as sentences. It says nothing of what is out of sight: each thing is
/// brought into sight first, as somebody does who wants to press it.
///
/// A target is large enough where 24 by 24 pixels are its own, or where no other one is within 12 pixels of its
/// middle (WCAG 2.2, 2.5.8); a label and all that a link is stretched over belong to it.
const WRONG: &str = r#"((wanted) => {
    const wrong = [];
    const scrolled = document.scrollingElement;
    if (scrolled.scrollWidth > innerWidth) {
        wrong.push(`it is ${scrolled.scrollWidth} pixels wide`);
    }
    const TARGETS = "a[href], button, input:not([type=file]), select, textarea, summary, label.button, [role=treeitem]";
    const name = (element) => {
        const said = element.ariaLabel || element.innerText || element.name || element.className;
        return `${element.localName} "${said.trim().slice(0, 40)}"`;
    };
    const isShown = (element) => element.checkVisibility({ visibilityProperty: true })
        && element.getClientRects().length > 0;
    // What covers a point, as what somebody would press there.
    const pressed = (x, y) => {
        const element = document.elementFromPoint(x, y);
        return element?.closest(TARGETS) ?? element?.closest("label")?.control ?? null;
    };
    const targets = [...document.querySelectorAll(TARGETS)].filter(isShown);
    for (const target of targets) {
        target.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
        const box = target.getBoundingClientRect();
        if (box.left < -0.5 || box.right > innerWidth + 0.5) wrong.push(`${name(target)} is cut off`);
        if (box.width >= 24 && box.height >= 24) continue;
        const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
        const others = [[-11.5, 0], [11.5, 0], [0, -11.5], [0, 11.5]]
            .map(([right, down]) => pressed(x + right, y + down))
            .filter((other) => other && other !== target && !target.contains(other) && !other.contains(target));
        if (others.length) wrong.push(`${name(target)} is too near to ${name(others[0])}`);
    }
    for (const selector of wanted) {
        const target = [...document.querySelectorAll(selector)].find(isShown);
        target?.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
        const box = target?.getBoundingClientRect();
        const there = box && document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        const isReached = there && (target.contains(there) || there.contains(target)
            || there.closest("label")?.control === target);
        if (!isReached) wrong.push(`${selector} can't be pressed`);
    }
    scrollTo(0, 0);
    return wrong;
})(arguments[0].split("|").filter((selector) => selector))"#;

#[test]
fn every_page_fits_a_phone_and_all_that_is_done_there_can_be_pressed() {
    let broker = Broker::start();
    for (topic, payload) in [
        ("home/kitchen/temperature", "21.5"),
        (
            "home/kitchen/climate",
            r#"{"temperature":20.5,"humidity":40,"firmware":"2024.10.1-long"}"#,
        ),
        ("home/a-very-long-name-without-a-break/of-a-sensor/that-somebody-chose", "on"),
        (
            "home/kitchen/note",
            "A long text that has no end in sight, and goes on for some lines more.",
        ),
    ] {
        publish(&broker, Version::V5, &["-t", topic, "-m", payload, "-r", "-q", "1"]);
    }
    let browser = Browser::start_as_phone(SCREEN.0, SCREEN.1);
    browser.go_online(&broker, "#/");
    assert_eq!(browser.value("[innerWidth, innerHeight]", &[]), json!([SCREEN.0, SCREEN.1]));
    let mut wrong = Vec::new();
    for (address, sign, wanted) in PAGES {
        browser.value("location.hash = arguments[0]", &[address]);
        browser.wait_for(address, "!!document.querySelector(arguments[0])", &[sign]);
        let said = browser.value(WRONG, &[&wanted.join("|")]);
        let said = said.as_array().expect("a list").clone();
        if !said.is_empty() {
            browser.screenshot(&format!("phone-{}", wrong.len()));
            wrong.extend(said.iter().map(|said| format!("{address}: {said}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where there is no room for words, each sign stands for one thing and says which.
#[test]
fn the_signs_on_a_phone_are_those_of_what_they_do() {
    let broker = Broker::start();
    publish(&broker, Version::V5, &["-t", "a/b", "-m", "1", "-r", "-q", "1"]);
    let browser = Browser::start_as_phone(SCREEN.0, SCREEN.1);
    browser.go_online(&broker, "#/");
    let sign = "((element) => element && [
        getComputedStyle(element, '::before').content.replaceAll('\"', '').split(' ')[0],
        (element.ariaLabel || element.textContent).trim(),
    ].join(' '))(document.querySelector(arguments[0]))";
    for (address, selector, expected) in [
        ("#/", "[data-role=add]", "+ Add a widget"),
        ("#/", "[data-role=import-board]", "↓ Import a board"),
        ("#/messages", ".tape-file", "▶ Replay a file…"),
    ] {
        browser.value("location.hash = arguments[0]", &[address]);
        let there = "!!document.querySelector(arguments[0])";
        browser.wait_for(selector, there, &[selector]);
        assert_eq!(browser.value(sign, &[selector]), expected, "{selector}");
    }
    // The pages below: no two have the same picture, and each has its name.
    let pages = "[...document.querySelectorAll('nav .nav-link')].map((link) => \
                 [link.querySelector('svg')?.innerHTML, link.innerText.trim()])";
    let pages = browser.value(pages, &[]);
    let pages: Vec<(String, String)> = serde_json::from_value(pages).expect("pictures and names");
    let pictures: std::collections::BTreeSet<_> =
        pages.iter().map(|(picture, _)| picture).collect();
    assert_eq!((pages.len(), pictures.len()), (6, 6), "{pages:?}");
    let names: Vec<_> = pages.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["Sensors", "Topics", "Messages", "Publish", "Broker", "Packets"]);
}
