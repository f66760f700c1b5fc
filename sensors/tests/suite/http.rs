//! `sensors http`: from a service's JSON to a subscriber, and what happens when services fail.

use crate::harness::{Broker, Process, Sensors, finish, folder, run};
use crate::transports::certificates;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tests::web::{Reply, Web};

const AIR: &str = r#"{
    "city": {"name": "Logroño"},
    "now": {"pm25": 7.50, "temp": 2941, "id": 123456789012345678901234567890, "rain": null}
}"#;

/// A file that asks `/air` of a service, with these values.
fn file(web: &Web, values: &str) -> String {
    written(&format!(
        "[[source]]\nname = \"air\"\nurl = \"{}/air\"\ninterval = \"1s\"\ntimeout = \"1s\"\n\
         [source.values]\n{values}\n",
        web.url
    ))
}

fn written(text: &str) -> String {
    let file: PathBuf = folder().join("sources.toml");
    fs::write(&file, text).expect("the file of sources");
    file.to_string_lossy().into_owned()
}

/// A file with one value.
fn one(web: &Web) -> String {
    file(web, r#""/now/pm25" = { topic = "home/air/pm25", unit = "µg/m³" }"#)
}

/// One round without a broker.
fn dry(file: &str) -> (Option<i32>, String, String) {
    finish(&["http", file, "--dry-run", "--once"])
}

/// Starts it against a broker.
fn publishing(file: &str, broker: &Broker) -> Process {
    run(&["http", file, "--broker", &broker.url(), "--verbose"])
}

#[test]
fn values_arrive_exactly_as_they_stand_in_the_answer() {
    let web = Web::start();
    web.answer("/air", Reply::json(AIR));
    let file = file(
        &web,
        r#""/now/pm25" = { topic = "home/air/pm25", unit = "µg/m³", expiry = "2h" }
           "/now/temp" = { topic = "home/air/temperature", unit = "°C", factor = 0.1, offset = -273.15 }
           "/now/id" = "home/air/id"
           "/city/name" = { topic = "home/air/city", retain = false }
           "/city" = "home/air/all""#,
    );
    let broker = Broker::start();
    let mut live = broker.subscribe();
    let mut sensors = publishing(&file, &broker);
    for (topic, payload, properties) in [
        ("home/air/all", r#"{"name": "Logroño"}"#, ""),
        ("home/air/city", "Logroño", ""),
        ("home/air/id", "123456789012345678901234567890", ""),
        ("home/air/pm25", "7.50", "unit:µg/m³"),
        ("home/air/temperature", "20.95", "unit:°C"),
        ("http/air/status", "ok", ""),
    ] {
        let seen = live.on(topic);
        assert_eq!((seen.payload.as_str(), seen.properties.as_str()), (payload, properties));
    }
    let mut late = broker.subscribe();
    late.payload("http/status", "online");
    late.payload("home/air/city", "Logroño");
    let retained =
        |topic: &str| late.seen().iter().any(|seen| seen.retained && seen.topic == topic);
    assert!(retained("home/air/pm25") && !retained("home/air/city"));

    sensors.signal("TERM");
    live.payload("http/status", "offline");
    assert!(sensors.end().success());
}

#[test]
fn a_prefix_stands_before_everything() {
    let web = Web::start();
    web.answer("/air", Reply::json(AIR));
    let broker = Broker::start();
    let mut live = broker.subscribe();
    let _sensors = run(&["http", &one(&web), "--broker", &broker.url(), "--prefix", "site/a/"]);
    live.payload("site/a/http/status", "online");
    live.payload("site/a/home/air/pm25", "7.50");
    live.payload("site/a/http/air/status", "ok");
}

#[test]
fn one_round_prints_or_publishes_what_there_is_and_leaves_the_status_alone() {
    let web = Web::start();
    web.answer("/air", Reply::json(AIR));
    let (status, output, errors) = dry(&one(&web));
    assert_eq!((status, output.as_str(), errors.as_str()), (Some(0), "home/air/pm25 7.50\n", ""));

    let broker = Broker::start();
    for version in ["5", "3.1.1"] {
        let url = broker.url();
        let arguments = ["http", &one(&web), "--broker", &url, "--once", "--mqtt", version];
        let (status, output, errors) = finish(&arguments);
        assert_eq!((status, output.as_str(), errors.as_str()), (Some(0), "", ""));
        let mut late = broker.subscribe();
        assert!(late.payload("home/air/pm25", "7.50").retained);
    }
}

#[test]
fn one_source_that_fails_does_not_stop_the_others() {
    let web = Web::start();
    web.answer("/good", Reply::json(r#"{"a": 1.0}"#));
    let url = &web.url;
    let file = written(&format!(
        "[[source]]\nname = \"bad\"\nurl = \"{url}/bad\"\nvalues = {{ \"/a\" = \"bad\" }}\n\
         [[source]]\nname = \"good\"\nurl = \"{url}/good\"\nvalues = {{ \"/a\" = \"good\" }}\n"
    ));
    let (status, output, errors) = dry(&file);
    assert_eq!((status, output.as_str()), (Some(0), "good 1.0\n"), "{errors}");
    assert!(errors.contains("Source bad: no answer: status 404"), "{errors}");
}

#[test]
fn headers_and_queries_carry_secrets_that_nobody_sees() {
    let web = Web::start();
    let text = format!(
        "[[source]]\nname = \"air\"\nurl = \"{}/air?units=metric\"\n\
         headers = {{ Authorization = {{ env = \"SENSORS_TEST_TOKEN\", before = \"Bearer \" }}, \
         X-Plain = \"plain\" }}\n\
         query = {{ key = {{ file = \"key\" }} }}\n\
         values = {{ \"/now/pm25\" = \"pm25\" }}\n",
        web.url
    );
    let file = written(&text);
    let key = PathBuf::from(&file).with_file_name("key");
    fs::write(key, "open sesame\n").expect("a key");
    let arguments = ["http", file.as_str(), "--dry-run", "--once", "--verbose"];
    for (reply, expected) in [
        (Reply::json(AIR), Some(0)),
        (Reply::with(401, "", "who are you?"), Some(1)),
        (Reply::with(302, "Location: http://127.0.0.1:1/elsewhere?key=sesame\r\n", ""), Some(1)),
        (Reply::CutOff(AIR), Some(1)),
    ] {
        web.answer("/air", reply);
        let sensors = Sensors::new(&arguments).variable("SENSORS_TEST_TOKEN", "t0ken");
        let (status, output, errors) = sensors.finish();
        assert_eq!(status, expected, "{errors}");
        let asked = web.asked("/air");
        assert_eq!(asked.target, "/air?units=metric&key=open+sesame");
        assert_eq!(asked.headers["authorization"], "Bearer t0ken");
        assert_eq!(asked.headers["x-plain"], "plain");
        for said in [output, errors] {
            assert!(!said.contains("t0ken") && !said.contains("sesame"), "{said}");
        }
    }
    let (status, _, errors) = finish(&arguments);
    assert_eq!(status, Some(2));
    assert!(errors.contains("The variable SENSORS_TEST_TOKEN is not set"), "{errors}");
}

#[test]
fn whatever_a_service_does_is_told_for_what_it_is() {
    let web = Web::start();
    let page = "<!DOCTYPE html><html><title>Down for\n maintenance</title></html>";
    let html = "Content-Type: text/html\r\n";
    let cases = [
        (Reply::with(401, "", ""), "no answer: status 401"),
        (Reply::with(404, "", "{}"), "no answer: status 404"),
        (Reply::with(429, "Retry-After: 3600\r\n", ""), "no answer: status 429"),
        (Reply::with(500, html, page), "no answer: status 500"),
        (Reply::with(200, html, page), "the answer is a web page (\"Down for maintenance\")"),
        (Reply::json(""), "the answer is empty"),
        (Reply::json(r#"{"now": {"pm25": 7."#), "the answer ends in the middle"),
        (Reply::json(r#"{"now": {"pm25": 7.5"#), "the answer ends in the middle"),
        (Reply::json(r#"{"now": nonsense}"#), "the answer is not JSON"),
        (Reply::CutOff(AIR), "the answer broke off"),
        (Reply::Silence, "no whole answer within 1s"),
        (Reply::json("[1]"), "no value for /now/pm25: the document is an array without"),
        (Reply::json(r#"{"now": {}}"#), "no value for /now/pm25: /now has no member \"pm25\""),
        (Reply::json(r#"{"now": {"pm25": null}}"#), "no value for /now/pm25: it is null there"),
    ];
    let mut text = String::new();
    for (place, (reply, _)) in cases.iter().enumerate() {
        web.answer(&format!("/{place}"), reply.clone());
        text.push_str(&format!(
            "[[source]]\nname = \"s{place}\"\nurl = \"{}/{place}\"\ntimeout = \"1s\"\n\
             values = {{ \"/now/pm25\" = \"pm25/{place}\" }}\n",
            web.url
        ));
    }
    let (status, output, errors) = dry(&written(&text));
    assert_eq!((status, output.as_str()), (Some(1), ""), "{errors}");
    for (place, (reply, expected)) in cases.iter().enumerate() {
        let about = format!("Source s{place}:");
        let lines: Vec<_> = errors.lines().filter(|line| line.contains(&about)).collect();
        let [line] = lines[..] else { panic!("not one line for {reply:?}:\n{errors}") };
        assert!(line.contains(expected), "{reply:?}: {line}");
    }
}

/// A service over TLS, whose certificate is for `localhost`, and the file of its authority.
fn secure() -> (Web, PathBuf) {
    let folder = folder();
    let authority = certificates(&folder);
    let certificate = CertificateDer::from_pem_file(folder.join("server.crt")).expect("a file");
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("a file");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("a server's side of TLS");
    let config = Arc::new(config);
    let web = Web::start_over("https", move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        StreamOwned::new(connection, stream)
    });
    (web, authority)
}

#[test]
fn over_tls_a_service_must_be_trusted() {
    let (web, authority) = secure();
    web.answer("/air", Reply::json(AIR));
    let file = one(&web);
    let authority = authority.to_string_lossy();
    let sensors = || Sensors::new(&["http", &file, "--dry-run", "--once"]);
    let (status, output, errors) = sensors().variable("SSL_CERT_FILE", &authority).finish();
    assert_eq!((status, output.as_str()), (Some(0), "home/air/pm25 7.50\n"), "{errors}");

    let (status, output, errors) = sensors().without("SSL_CERT_FILE").finish();
    assert_eq!((status, output.as_str()), (Some(1), ""));
    assert!(errors.contains("certificate") && errors.contains("not trusted"), "{errors}");
}

#[test]
fn a_service_that_is_busy_is_asked_again_when_it_said() {
    let web = Web::start();
    web.answer("/air", Reply::with(429, "Retry-After: 1\r\n", ""));
    let file = one(&web);
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(dry(&file)));
    web.asked("/air");
    web.answer("/air", Reply::json(AIR));
    let (status, output, errors) = ended.recv().expect("a round");
    assert_eq!((status, output.as_str()), (Some(0), "home/air/pm25 7.50\n"), "{errors}");
}

#[test]
fn the_last_values_stay_while_a_service_is_away_and_it_is_said_once() {
    let web = Web::start();
    web.answer("/air", Reply::json(AIR));
    let broker = Broker::start();
    let mut live = broker.subscribe();
    let mut sensors = publishing(&one(&web), &broker);
    live.payload("http/air/status", "ok");

    web.answer("/air", Reply::with(503, "", ""));
    live.payload("http/air/status", "status 503: Service Unavailable");
    let mut late = broker.subscribe();
    assert!(late.payload("home/air/pm25", "7.50").retained);
    for _ in 0..2 {
        sensors.line("one more failure", |line| line.contains("Asking again in"));
    }
    assert_eq!(sensors.count("Source air: no answer: status 503"), 1);

    web.answer("/air", Reply::json(&AIR.replace("7.50", "8.25")));
    live.payload("home/air/pm25", "8.25");
    live.payload("http/air/status", "ok");
    sensors.line("the return", |line| line.contains("it answers again"));
}

#[test]
fn a_pointer_that_finds_nothing_is_said_once_and_the_others_go_on() {
    let web = Web::start();
    web.answer("/air", Reply::json(AIR));
    let broker = Broker::start();
    let mut live = broker.subscribe();
    let file = file(&web, "\"/now/pm25\" = \"home/pm25\"\n\"/now/rain\" = \"home/rain\"");
    let mut sensors = publishing(&file, &broker);
    live.payload("http/air/status", "ok, but 1 value is missing");
    for _ in 0..3 {
        live.payload("home/pm25", "7.50");
    }
    sensors.line("some rounds", |line| line.contains("Source air: 1 values"));
    assert_eq!(sensors.count("no value for /now/rain: it is null there"), 1);
    web.answer("/air", Reply::json(&AIR.replace("null", "0.2")));
    live.payload("home/rain", "0.2");
    live.payload("http/air/status", "ok");
}

#[test]
fn a_broker_that_comes_back_gets_the_last_values_while_the_service_is_silent() {
    let web = Web::start();
    web.answer("/air", Reply::json(AIR));
    let mut broker = Broker::start();
    let mut live = broker.subscribe();
    let mut sensors = publishing(&one(&web), &broker);
    live.payload("http/air/status", "ok");
    web.answer("/air", Reply::Silence);
    live.payload("http/air/status", "no whole answer within 1s");
    broker.kill();
    sensors.line("the loss", |line| line.contains("Lost the broker"));
    broker.restart();
    sensors.line("the return", |line| line.contains("Connected again"));
    let mut after = broker.subscribe();
    after.payload("home/air/pm25", "7.50");
}

#[test]
fn a_file_that_is_wrong_is_refused_with_the_line_and_what_was_meant() {
    let file =
        written("[[source]]\nname = \"air\"\nurl = \"http://127.0.0.1\"\nintervall = \"5m\"\n");
    let (status, output, errors) = dry(&file);
    assert_eq!((status, output.as_str()), (Some(2), ""));
    assert_eq!(
        errors,
        format!(
            "sensors: The word \"intervall\" is not known in a [[source]]. The nearest that is known \
             is \"interval\". It stands at {file}:4.\n"
        )
    );
    let (status, _, errors) = dry("/nonexistent/sources.toml");
    assert_eq!(status, Some(1));
    assert!(errors.contains("Cannot read /nonexistent/sources.toml"), "{errors}");
    assert_eq!(finish(&["http"]).0, Some(2));
}

/// Whether a file of sources makes sense, though nobody answers them here.
fn assert_taken(text: &str) {
    let file = written(text);
    fs::write(PathBuf::from(&file).with_file_name("air.key"), "key\n").expect("a key");
    // Nothing of it leaves this machine: nobody listens where the proxy is said to be.
    let sensors = Sensors::new(&["http", &file, "--dry-run", "--once"]).variable("AIR_TOKEN", "t");
    let nowhere = "http://127.0.0.1:1";
    let sensors = sensors.variable("HTTPS_PROXY", nowhere).variable("HTTP_PROXY", nowhere);
    let (_, _, errors) = sensors.variable("http_proxy", nowhere).without("NO_PROXY").finish();
    assert!(errors.contains("Source air: no answer"), "{errors}");
}

#[test]
fn the_files_that_teach_are_taken() {
    let (status, output, _) = finish(&["http", "--help"]);
    assert_eq!(status, Some(0));
    let indented = output.lines().skip_while(|line| !line.contains("[[source]]"));
    let example: Vec<_> = indented.take_while(|line| !line.starts_with("There may be")).collect();
    assert_taken(&example.join("\n"));

    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(readme).expect("README.md");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_taken(example.expect("a file of sources in README.md"));
}
