//! Several brokers in one page, as a person sees it: ours, which serves the page, and Mosquitto beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;
use tests::browser::{CONNECTION_STATE, ON_CARD};
use tests::mosquitto::publish;
use tests::program::{Program, Signal};
use tests::{Broker, Browser, PATIENCE, POLL_INTERVAL, Version, ports};

/// Mosquitto with a WebSocket listener, and one user who may come in.
struct Mosquitto {
    program: Program,
    mqtt: u16,
    ws: u16,
    _folder: TempDir,
}

impl Mosquitto {
    fn start() -> Self {
        let (mqtt, ws) = (ports::free_port(), ports::free_port());
        let folder = tempfile::tempdir().unwrap();
        let passwords = folder.path().join("passwords");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&passwords)
            .args(["ana", "secreta"])
            .status();
        assert!(made.unwrap().success());
        let text = format!(
            "user root\nlistener {mqtt} 127.0.0.1\nlistener {ws} 127.0.0.1\nprotocol websockets\n\
             allow_anonymous false\npassword_file {}\n",
            passwords.display()
        );
        let file = folder.path().join("mosquitto.conf");
        std::fs::write(&file, text).unwrap();
        let program = Program::start("mosquitto", Command::new("mosquitto").arg("-c").arg(&file));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", mqtt)).is_err() {
            assert!(Instant::now() < deadline, "Mosquitto does not listen");
            std::thread::sleep(POLL_INTERVAL);
        }
        Self { program, mqtt, ws, _folder: folder }
    }

    fn publish(&self, topic: &str, payload: &str) {
        let status = Command::new("mosquitto_pub")
            .args(["-p", &self.mqtt.to_string(), "-u", "ana", "-P", "secreta", "-r", "-q", "1"])
            .args(["-t", topic, "-m", payload])
            .status();
        assert!(status.unwrap().success());
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.ws)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.program.signal(Signal::TERM);
    }
}

fn wait_for_state(browser: &Browser, state: &str) {
    browser.wait_for(
        &format!("the connection is {state}"),
        &format!("{CONNECTION_STATE} === arguments[0]"),
        &[state],
    );
}

fn wait_for_value(browser: &Browser, topic: &str, value: &str) {
    let what = format!("{value} on the card of {topic}");
    browser.wait_for(&what, &format!("{ON_CARD} === arguments[2]"), &[topic, "value", value]);
}

fn wait_for_text(browser: &Browser, selector: &str, text: &str) {
    browser.wait_for(
        &format!("{text:?} in {selector}"),
        "document.querySelector(arguments[0])?.innerText.includes(arguments[1])",
        &[selector, text],
    );
}

#[test]
fn a_second_broker_is_added_and_both_go_on_at_once() {
    const FORM: &str = r#"[data-role="connection-form"]"#;
    let ours = Broker::start();
    let mosquitto = Mosquitto::start();
    publish(&ours, Version::V5, &["-t", "home/lamp", "-m", "on", "-r", "-q", "1"]);
    mosquitto.publish("plant/speed", "7");
    let browser = Browser::at(&ours, "#/connections");

    // With a wrong password the broker's answer is a sentence, and a form to try again.
    browser.wait_for("the page", "document.querySelector('[data-role=new]') !== null", &[]);
    browser.click("[data-role=new]");
    browser.wait_for("the form", "document.querySelector('[name=url]') !== null", &[]);
    browser.fill(&format!("{FORM} [name=name]"), "Plant");
    browser.fill(&format!("{FORM} [name=url]"), &mosquitto.url());
    browser.choose(&format!("{FORM} [name=version]"), "3.1.1");
    browser.fill(&format!("{FORM} [name=username]"), "ana");
    browser.fill(&format!("{FORM} [name=password]"), "wrong");
    browser.click("[data-role=add-filter]");
    browser.wait_for("a row", "document.querySelector('[name=\"filter.0\"]') !== null", &[]);
    browser.fill("[name='filter.0']", "plant/#");
    browser.click(&format!("{FORM} [type=submit]"));
    wait_for_text(&browser, ".brand-name", "Plant");
    wait_for_state(&browser, "offline");
    wait_for_text(&browser, ".trouble", "does not know this user name with this password");
    browser.screenshot("connections-refused");
    browser.fill(".sign-in [name=username]", "ana");
    browser.fill(".sign-in [name=password]", "secreta");
    browser.click(".sign-in [type=submit]");
    wait_for_state(&browser, "online");
    wait_for_text(&browser, "[data-filter='plant/#']", "granted, QoS 0");
    browser.screenshot("connections");

    // Each shows what is its own, and the other one is a click away, still connected.
    browser.value("location.hash = '#/'", &[]);
    wait_for_value(&browser, "plant/speed", "7");
    publish(&ours, Version::V5, &["-t", "home/lamp", "-m", "off", "-q", "1"]);
    mosquitto.publish("plant/speed", "8");
    wait_for_value(&browser, "plant/speed", "8");
    browser.click(".switch[data-connection=page]");
    wait_for_value(&browser, "home/lamp", "off");
    assert_eq!(
        browser.value("document.querySelector('[data-topic=\"plant/speed\"]')", &[]),
        serde_json::Value::Null
    );
    let lamp = "document.querySelector('.switch:not([aria-current]) .lamp')?.dataset.state";
    browser.wait_for("the other is online", &format!("{lamp} === 'online'"), &[]);

    // After a reload it is still known, and its password is not.
    browser.open(&format!("http://127.0.0.1:{}/#/connections", ours.ports.ws));
    browser.value("location.reload()", &[]);
    let kept = "localStorage.getItem('connections')";
    browser.wait_for("it is kept", &format!("{kept}?.includes('Plant')"), &[]);
    assert_eq!(browser.value(&format!("{kept}.includes('secreta')"), &[]), false);
    assert_eq!(browser.value(&format!("{kept}.includes('wrong')"), &[]), false);
}

#[test]
fn a_link_names_a_broker_and_nothing_is_asked_of_it_by_itself() {
    let ours = Broker::start();
    let mosquitto = Mosquitto::start();
    mosquitto.publish("plant/speed", "7");
    let browser = Browser::start();
    let page = format!("http://127.0.0.1:{}/?broker={}", ours.ports.ws, mosquitto.url());
    browser.open(&page);
    wait_for_text(&browser, ".trouble", "without a user name");
    browser.fill(".sign-in [name=username]", "ana");
    browser.fill(".sign-in [name=password]", "secreta");
    browser.click(".sign-in [type=submit]");
    wait_for_state(&browser, "online");
    wait_for_text(&browser, ".empty", "nothing is subscribed to");
    browser.screenshot("connections-link");
    browser.click("[data-role=everything]");
    wait_for_value(&browser, "plant/speed", "7");
}
