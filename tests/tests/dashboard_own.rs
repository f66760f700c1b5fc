//! What people have of their own in the dashboard: settings for the whole page, widgets and what became of
//! what they published, recordings; and what is said of files that can't be read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::path::PathBuf;

use tests::mosquitto::publish;
use tests::{Broker, Browser, Version};

/// The key, as WebDriver writes it.
const ESCAPE: char = '\u{e00c}';

/// A file for the browser to read, in a folder that goes with the test.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[track_caller]
fn says(browser: &Browser, selector: &str, text: &str) {
    let expression = "document.querySelector(arguments[0])?.innerText.includes(arguments[1])";
    browser.wait_for(&format!("{text:?} in {selector}"), expression, &[selector, text]);
}

/// Chooses an option by what it says.
#[track_caller]
fn pick(browser: &Browser, selector: &str, option: &str) {
    let picked = "(select => {
        const options = [...(select?.options ?? [])];
        const index = options.findIndex(option => option.text === arguments[1]);
        if (index < 0) return false;
        select.selectedIndex = index;
        return select.dispatchEvent(new Event('change', { bubbles: true }));
    })(document.querySelector(arguments[0]))";
    browser.wait_for(&format!("{option:?} in {selector}"), picked, &[selector, option]);
}

/// Goes to the board, which is being arranged.
#[track_caller]
fn arrange(browser: &Browser) {
    browser.value("location.hash = '#/?add'", &[]);
    let form = "document.querySelector('dialog.widget-form')";
    browser.wait_for("the form", &format!("{form} !== null"), &[]);
    browser.value(&format!("{form}.close()"), &[]);
    browser.wait_for("the board", &format!("{form} === null"), &[]);
}

#[test]
fn each_control_says_what_became_of_its_own_message() {
    let broker = Broker::start();
    let browser = Browser::at(&broker, "#/");
    let folder = tempfile::tempdir().unwrap();
    let button = |title: &str, qos: u8| {
        format!(
            r#"{{"kind":"button","title":"{title}","control":{{"topic":"a/{title}","on":"1","qos":{qos}}}}}"#
        )
    };
    let widgets = [button("first", 1), button("second", 0)].join(",");
    let board = format!(r#"{{"format":"mqtt-board","version":1,"widgets":[{widgets}]}}"#);
    arrange(&browser);
    browser.choose_file("[data-role=import]", &file(&folder, "board.json", &board));
    says(&browser, "[data-role=notice]", "Widgets imported: 2");
    browser.click("[data-role=edit-board]");
    browser.click(".widget:nth-child(1) .control-button");
    says(&browser, ".widget:nth-child(1) .control-said", "The broker has it.");
    browser.click(".widget:nth-child(2) .control-button");
    says(&browser, ".widget:nth-child(2) .control-said", "never acknowledged");
    says(&browser, ".widget:nth-child(1) .control-said", "The broker has it.");
}

#[test]
fn the_form_of_a_widget_offers_what_is_inside_the_topic() {
    let broker = Broker::start();
    publish(
        &broker,
        Version::V5,
        &["-t", "room/air", "-r", "-m", r#"{"air":{"temp":21.5},"on":true,"xyz":[1,2]}"#],
    );
    let browser = Browser::at(&broker, "#/?add");
    browser.choose("[data-role=kind]", "line");
    browser.fill("[data-role=value-topic]", "room/air");
    let offered = "(list => list && [...list.options].map(option => option.value).join(' ') \
                   === arguments[0])(document.querySelector('[data-role=value-path]')?.list)";
    browser.wait_for("the numbers", offered, &["air.temp xyz[0] xyz[1]"]);
    browser.choose("[data-role=kind]", "lamp");
    browser.wait_for("every value", offered, &["air.temp on xyz[0] xyz[1]"]);

    // One key closes it, and loses nothing of what was written up to then.
    browser.choose("[data-role=kind]", "gauge");
    browser.fill("[data-role=low]", &format!("5{ESCAPE}"));
    says(&browser, "[data-role=notice]", "what you wrote is kept");
    browser.click("[data-role=add-widget]");
    let holds = "document.querySelector(arguments[0])?.value === arguments[1]";
    browser.wait_for("the topic", holds, &["[data-role=value-topic]", "room/air"]);
    browser.wait_for("the number", holds, &["[data-role=low]", "5"]);
    browser.screenshot("widget-form-again");
}

#[test]
fn settings_are_kept_and_say_what_memory_there_is() {
    let broker = Broker::start();
    let browser = Browser::at(&broker, "#/settings");
    says(&browser, "[data-role=memory-used]", "of its 256 MB");
    pick(&browser, "select[data-role=memory]", "64 MB");
    says(&browser, "[data-role=memory-used]", "of its 64");
    says(&browser, "[data-role=dropped-list]", "gone to make room: 0");
    pick(&browser, "[data-role=data-theme]", "dark");
    let is_dark = "getComputedStyle(document.body).colorScheme === 'dark'";
    browser.wait_for("it is dark", is_dark, &[]);
    browser.screenshot("settings");
    pick(&browser, "[data-role=language]", "Español");
    says(&browser, "#settings-heading", "Ajustes");
    browser.value("location.reload()", &[]);
    says(&browser, "[data-role=memory-used]", "de los 64");
    browser.wait_for("it is dark still", is_dark, &[]);
}

#[test]
fn a_recording_is_saved_from_wherever_it_is_ended() {
    let broker = Broker::start();
    let browser = Browser::at(&broker, "#/messages");
    browser.click("[data-role=record]");
    says(&browser, "[data-role=recording]", "messages: 0");
    publish(&broker, Version::V5, &["-t", "a/b", "-m", "21.5", "-q", "1"]);
    says(&browser, "[data-role=recording]", "messages: 1");
    let is_asked = "!window.dispatchEvent(new Event('beforeunload', { cancelable: true }))";
    browser.wait_for("closing the page is asked about", is_asked, &[]);
    browser.value("location.hash = '#/'", &[]);
    browser.wait_for("the board", "document.querySelector('.card') !== null", &[]);
    let run = |text: &str, entry: &str| {
        let keys = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', \
                    { key: 'k', ctrlKey: true, bubbles: true, cancelable: true }))";
        browser.value(keys, &[]);
        let is_open = "document.querySelector('dialog.palette')?.open === true";
        browser.wait_for("the palette", is_open, &[]);
        browser.fill(".palette-input", text);
        let chosen =
            "document.querySelector('.palette-row.is-active bdi')?.innerText === arguments[0]";
        browser.wait_for(entry, chosen, &[entry]);
        browser.press_on_focus("Enter");
    };
    run("stop and save", "Stop and save");
    assert!(browser.saved_file(".jsonl").contains(r#""topic":"a/b","payload":"21.5""#));
    browser.wait_for("nothing to be asked", &format!("!({is_asked})"), &[]);
    // What the log has can be saved from there too, and it can be told to hold still.
    run("csv", "Export the messages as CSV");
    assert!(browser.saved_file(".csv").contains("a/b,"));
    run("pause", "Pause the messages");
    let is_paused = "document.querySelector('[data-role=pause]')?.ariaPressed === 'true'";
    browser.wait_for("the log holds still", is_paused, &[]);
}

#[test]
fn files_that_are_broken_are_told_of_in_the_language_of_the_page() {
    let broker = Broker::start();
    let browser = Browser::at(&broker, "#/settings");
    pick(&browser, "[data-role=language]", "Español");
    let folder = tempfile::tempdir().unwrap();
    arrange(&browser);
    let head = r#"{"format":"mqtt-board","version":1,"widgets":["#;
    for (name, text, said) in [
        ("a.json", "{oops", "línea 1, columna 2: lo que hay ahí no es JSON"),
        ("b.json", "{\n\"format\":", "línea 2, columna 9: se acaba a la mitad"),
        ("c.json", &format!("{head}{{\"kind\":\"gouge\"}}]}}"), "aquí nada se llama «gouge»"),
        ("d.json", &format!("{head}7]}}"), "lo que hay ahí no corresponde"),
    ] {
        browser.choose_file("[data-role=import]", &file(&folder, name, text));
        says(&browser, "[data-role=notice]", said);
    }
    browser.value("location.hash = '#/messages'", &[]);
    let lines = "{oops\n{\"payload\":1}\n{\"topic\":\"a\",\"payload\":\"1\"}\n";
    browser.choose_file("[data-role=replay-file]", &file(&folder, "tape.jsonl", lines));
    browser.click("[data-role=replay-start]");
    says(
        &browser,
        "[data-role=replay-wrong]",
        "no es un mensaje en JSON (lo que hay ahí no es JSON)",
    );
    says(&browser, "[data-role=replay-wrong]", "no tiene tema");
    browser.value("location.hash = '#/topics/a'", &[]);
    says(&browser, "[data-role=payload]", "1");
}
