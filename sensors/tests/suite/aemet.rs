//! `sensors aemet` against a stand-in for the service: what comes of its answers, and of everything
//! that it does instead of answering.

use crate::harness::{Broker, Process, Sensors, folder};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use tests::opendata::{Fault, KEY, OpenData};

const OBSERVATION: &str = "/api/observacion/";
const DAILY: &str = "/municipio/diaria/";
const DATA: &str = "/sh/";
const STATUS: &str = "weather/aemet/status";
const TEMPERATURE: &str = "weather/aemet/station/3195/temperature";

/// `sensors aemet` for this service, with the right key.
fn aemet(service: &OpenData, more: &[&str]) -> Sensors {
    let url = service.url();
    let arguments = [&["aemet", "--base-url", &url], more].concat();
    Sensors::new(&arguments).variable("AEMET_API_KEY", KEY)
}

/// Status, topics with their payloads, and what was said, of one dry round.
fn dry(service: &OpenData, more: &[&str]) -> (Option<i32>, BTreeMap<String, String>, String) {
    let more = [&["--once", "--dry-run"], more].concat();
    let (status, output, errors) = aemet(service, &more).finish();
    let line = |line: &str| {
        let (topic, payload) = line.split_once(' ').expect("a topic and a payload");
        (topic.to_owned(), payload.to_owned())
    };
    let lines: Vec<_> = output.lines().map(line).collect();
    let messages: BTreeMap<_, _> = lines.iter().cloned().collect();
    assert_eq!(messages.len(), lines.len(), "a topic is there twice in\n{output}");
    (status, messages, errors)
}

fn json(payload: &str) -> serde_json::Value {
    serde_json::from_str(payload).unwrap_or_else(|error| panic!("{error}: {payload}"))
}

#[test]
fn a_dry_run_prints_everything_that_would_be_published() {
    let service = OpenData::start();
    let (status, messages, errors) =
        dry(&service, &["--station", "3195", "--municipality", "26089"]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    for (topic, payload) in [
        ("station/3195/temperature", "6.4"),
        ("station/3195/humidity", "82"),
        ("station/3195/precipitation", "0.2"),
        ("station/3195/wind_direction", "50"),
        ("station/3195/pressure_sea_level", "1020.3"),
        ("forecast/26089/2026-11-21/temperature_max", "12"),
        ("forecast/26089/2026-11-21/precipitation_probability", "75"),
        ("forecast/26089/2026-11-21/snow_level", "1100"),
        ("forecast/26089/2026-11-21/sky", "Muy nuboso con lluvia débil en otoño"),
        ("forecast/26089/2026-11-21/temperature/09", "6"),
        ("forecast/26089/2026-11-21/precipitation/10", "0"),
        ("forecast/26089/2026-11-21/wind_gust/09", "25"),
        ("forecast/26089/2026-11-21/sunrise", "08:08"),
        ("forecast/26089/2026-11-22/temperature_min", "-1"),
    ] {
        let said = messages.get(&format!("weather/aemet/{topic}")).map(String::as_str);
        assert_eq!(said, Some(payload), "{topic}");
    }
    for (topic, pointer, value) in [
        ("station/3195", "/time", "2026-11-21T08:00:00Z"),
        ("station/3195", "/temperature/unit", "°C"),
        ("station/3195", "/station/name", "MADRID, RETIRO"),
        ("forecast/26089/2026-11-21", "/municipality/name", "Logroño"),
        ("forecast/26089/2026-11-21", "/issued", "2026-11-21T06:41:06Z"),
        ("forecast/26089/2026-11-21", "/wind_speed/unit", "km/h"),
        ("forecast/26089/2026-11-21", "/hourly/temperature/unit", "°C"),
        ("status", "/state", "ok"),
    ] {
        let document = json(&messages[&format!("weather/aemet/{topic}")]);
        let said = document.pointer(pointer).and_then(|value| value.as_str());
        assert_eq!(said, Some(value), "{topic} {pointer}");
    }
}

#[test]
fn the_key_goes_with_the_question_alone_and_is_never_shown() {
    let service = OpenData::start();
    let file = folder().join("key");
    fs::write(&file, format!("{KEY}\r\n")).expect("a file");
    let file = file.to_string_lossy();
    let more = ["--station", "3195", "--once", "--dry-run", "--verbose", "--api-key-file", &file];
    let (status, output, errors) = aemet(&service, &more).without("AEMET_API_KEY").finish();
    assert_eq!(status, Some(0), "{errors}");
    assert!(!output.contains("secret") && !errors.contains("secret"), "{output}\n{errors}");
    let keys = |part| service.requests(part).into_iter().map(|request| request.key);
    assert!(keys("/api/").all(|key| key.as_deref() == Some(KEY)));
    assert!(keys(DATA).all(|key| key.is_none()) && keys(DATA).count() == 1);

    let elsewhere = OpenData::start();
    service.always("/api/", Fault::Redirect(format!("{}/api/x", elsewhere.url())));
    let (status, _, errors) = dry(&service, &["--station", "3195", "--verbose"]);
    assert_eq!(status, Some(1));
    assert!(
        errors.contains("redirects to another server") && !errors.contains("secret"),
        "{errors}"
    );
    assert_eq!(elsewhere.requests("").len(), 0);

    let help = Sensors::new(&["aemet", "--help"]).variable("AEMET_API_KEY", KEY).finish();
    assert!(help.0 == Some(0) && help.1.contains("AEMET_API_KEY") && !help.1.contains("secret"));
}

#[test]
fn a_key_that_is_refused_ends_it_at_once() {
    let service = OpenData::start();
    let station = ["--station", "3195", "--municipality", "26089", "--once", "--dry-run"];
    let inside = OpenData::start();
    inside.always("/api/", Fault::Inside(401));
    for (service, key) in [(&service, "wrong-secret"), (&inside, KEY)] {
        let (status, _, errors) = aemet(service, &station).variable("AEMET_API_KEY", key).finish();
        assert_eq!(status, Some(1), "{errors}");
        assert!(errors.contains("refuses the API key (status 401"), "{errors}");
        assert!(!errors.contains("secret"), "{errors}");
        assert_eq!(service.requests("").len(), 1);
    }
}

#[test]
fn no_data_is_a_failure_only_when_there_is_none_at_all() {
    let service = OpenData::start();
    let (status, messages, errors) = dry(&service, &["--station", "0000X"]);
    assert_eq!(status, Some(1));
    assert!(
        errors.contains("station 0000X: it has no data for this (status 404: No hay datos"),
        "{errors}"
    );
    assert_eq!(json(&messages[STATUS])["state"], "failing");

    let (status, messages, errors) = dry(&service, &["--station", "0000X,3195"]);
    assert_eq!(status, Some(0), "{errors}");
    assert!(errors.contains("Not everything could be had") && errors.contains("0000X"), "{errors}");
    assert_eq!(messages[TEMPERATURE], "6.4");
    assert_eq!(json(&messages[STATUS])["state"], "degraded");

    service.always("/api/", Fault::Inside(404));
    let (status, _, errors) = dry(&service, &["--station", "3195"]);
    assert_eq!(status, Some(1));
    assert!(errors.contains("status 404"), "{errors}");
}

#[test]
fn what_makes_no_sense_is_left_out_and_counted() {
    let service = OpenData::start();
    let odd = r#"[{ "fint": "2026-11-21T08:00:00", "ta": 6.4, "hr": "wet", "vv": {} }, 7]"#;
    service.always(DATA, Fault::Body(odd));
    let (status, messages, errors) = dry(&service, &["--station", "3195"]);
    assert_eq!(status, Some(0), "{errors}");
    assert!(errors.contains("station 3195: left out 3 records or figures"), "{errors}");
    assert_eq!(messages[TEMPERATURE], "6.4");
    assert_eq!(json(&messages[STATUS])["left_out"], 3);
    assert_eq!(messages.len(), 3);
}

#[test]
fn what_passes_is_asked_for_again() {
    let slow = Fault::Slow(Duration::from_secs(4));
    let both = [
        Fault::Html,
        Fault::Empty,
        Fault::Truncated,
        Fault::HalfJson,
        Fault::HangUp,
        Fault::Status(500, None),
        Fault::Inside(500),
        Fault::Body("{\"estado\": 200}"),
        slow,
    ];
    let steps = [OBSERVATION, DATA];
    let mut cases: Vec<_> =
        both.into_iter().flat_map(|fault| steps.map(|step| (step, fault.clone()))).collect();
    cases.push((OBSERVATION, Fault::Expired));
    cases.push((DATA, Fault::Status(404, None)));
    cases.push((DATA, Fault::Status(403, None)));
    cases.push((DATA, Fault::Inside(404)));
    let tests: Vec<_> = cases
        .into_iter()
        .map(|(step, fault)| {
            std::thread::spawn(move || {
                let service = OpenData::start();
                service.fault(step, fault.clone());
                let (status, messages, errors) =
                    dry(&service, &["--station", "3195", "--timeout", "2s"]);
                assert_eq!(status, Some(0), "{step} {fault:?}: {errors}");
                assert_eq!(messages[TEMPERATURE], "6.4", "{step} {fault:?}");
                assert_eq!(service.requests(OBSERVATION).len(), 2, "{step} {fault:?}");
            })
        })
        .collect();
    for test in tests {
        test.join().expect("a case that holds");
    }
}

#[test]
fn what_does_not_pass_is_given_up_with_its_reason() {
    let cases = [
        (
            OBSERVATION,
            Fault::Html,
            "the answer is a web page (\"Servicio no disponible\"), not JSON",
        ),
        (OBSERVATION, Fault::Empty, "the answer is empty"),
        (DATA, Fault::Truncated, "the answer broke off"),
        (DATA, Fault::HalfJson, "the answer ends in the middle"),
        (DATA, Fault::Body("[]"), "none of the 0 observations"),
        (DATA, Fault::Slow(Duration::from_secs(3)), "no whole answer within 1s"),
        (OBSERVATION, Fault::Expired, "has expired, twice in a row"),
        (OBSERVATION, Fault::Status(503, None), "status 503: Límite o error de la petición"),
    ];
    let tests: Vec<_> = cases
        .into_iter()
        .map(|(step, fault, reason)| {
            std::thread::spawn(move || {
                let service = OpenData::start();
                service.always(step, fault.clone());
                let (status, _, errors) = dry(&service, &["--station", "3195", "--timeout", "1s"]);
                assert_eq!(status, Some(1), "{step} {fault:?}: {errors}");
                assert!(errors.contains(reason), "{step} {fault:?}: {errors}");
                let asked = if matches!(fault, Fault::Expired) { 6 } else { 3 };
                assert_eq!(service.requests(OBSERVATION).len(), asked, "{step} {fault:?}");
            })
        })
        .collect();
    for test in tests {
        test.join().expect("a case that holds");
    }
}

#[test]
fn a_quota_is_honoured() {
    for (wait, at_least) in [(Some("3"), 3), (None, 5)] {
        let service = OpenData::start();
        service.fault(OBSERVATION, Fault::Status(429, wait));
        let (status, messages, errors) = dry(&service, &["--station", "3195,9170"]);
        assert_eq!(status, Some(0), "{errors}");
        assert_eq!(messages[TEMPERATURE], "6.4");
        assert!(errors.contains("quota of the API key is used up"), "{errors}");
        let times: Vec<_> =
            service.requests(OBSERVATION).iter().map(|request| request.at).collect();
        assert_eq!(times.len(), 3);
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses[0] >= Duration::from_secs(at_least), "{wait:?}: {pauses:?}");
        assert!(pauses[1] >= Duration::from_secs(2), "requests are spread: {pauses:?}");
    }
    let service = OpenData::start();
    service.fault(OBSERVATION, Fault::Status(429, Some("600")));
    let (status, _, errors) = dry(&service, &["--station", "3195,9170"]);
    assert_eq!((status, service.requests("").len()), (Some(1), 1), "{errors}");
    assert!(errors.contains("status 429"), "{errors}");
}

#[test]
fn wrong_arguments_are_told_apart_from_failures() {
    let service = OpenData::start();
    let cases: [&[&str]; 12] = [
        &[],
        &["--station", ""],
        &["--station", "31/95"],
        &["--municipality", "Madrid"],
        &["--station", "3195", "--base-url", "nowhere"],
        &["--station", "3195", "--broker", "http://127.0.0.1"],
        &["--station", "3195", "--timeout", "0s"],
        &["--station", "3195", "--api-key", KEY],
        &["--station", "3195", "--qos", "3"],
        &["stations"],
        &["stations", "--near", "Madrid"],
        &["municipalities"],
    ];
    for arguments in cases {
        let (status, output, errors) = aemet(&service, arguments).finish();
        assert_eq!((status, output.as_str()), (Some(2), ""), "{arguments:?}: {errors}");
        assert!(!errors.is_empty(), "{arguments:?}");
    }
    let once = ["--station", "3195", "--once", "--dry-run"];
    let (status, _, errors) = aemet(&service, &once).without("AEMET_API_KEY").finish();
    assert_eq!(status, Some(2));
    assert!(errors.contains("There is no API key in AEMET_API_KEY"), "{errors}");
    let (status, _, errors) =
        aemet(&service, &[&once[..], &["--api-key-file", "/nonexistent/key"]].concat()).finish();
    assert_eq!(status, Some(1));
    assert!(errors.contains("Cannot read the API key from /nonexistent/key"), "{errors}");
    assert_eq!(service.requests("").len(), 0);
}

#[test]
fn codes_are_found_by_place_and_by_name() {
    let service = OpenData::start();
    let (status, output, errors) = aemet(&service, &["stations", "--near", "42.4,-2.4"]).finish();
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let codes: Vec<_> = output.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(codes, ["9170", "3129", "3195"]);
    assert!(output.contains("LOGROÑO, AGONCILLO (LA RIOJA)"), "{output}");
    let near_madrid = ["stations", "--near", "-40,4", "--count", "1"];
    let (_, output, _) = aemet(&service, &near_madrid).finish();
    assert_eq!(output.lines().count(), 1);

    service.fault("/maestro/", Fault::HangUp);
    for (name, expected) in
        [("logrono", &["26089"][..]), ("MADRID", &["28079", "45087"]), ("la vera", &["10111"])]
    {
        let words: Vec<_> = ["municipalities"].into_iter().chain(name.split(' ')).collect();
        let (status, output, errors) = aemet(&service, &words).finish();
        assert_eq!((status, errors.as_str()), (Some(0), ""), "{name}");
        let codes: Vec<_> = output.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(codes, expected, "{name}");
    }
    let (status, output, errors) = aemet(&service, &["municipalities", "Atlantis"]).finish();
    assert_eq!((status, output.as_str()), (Some(1), ""));
    assert!(errors.contains("no municipality with \"Atlantis\""), "{errors}");
    let (status, _, errors) =
        aemet(&service, &["stations", "--near", "0,0"]).variable("AEMET_API_KEY", "bad").finish();
    assert_eq!(status, Some(1));
    assert!(errors.contains("refuses the API key"), "{errors}");
}

#[test]
fn one_round_reaches_the_broker_retained_with_units_and_times() {
    for version in ["5", "3.1.1"] {
        let (service, broker) = (OpenData::start(), Broker::start());
        let url = broker.url();
        let more = ["--station", "3195", "--once", "--mqtt", version, "--broker", &url];
        let (status, output, errors) = aemet(&service, &more).finish();
        assert_eq!((status, output.as_str(), errors.as_str()), (Some(0), "", ""));
        let mut late = broker.subscribe();
        let seen = late.on(TEMPERATURE);
        assert_eq!((seen.payload.as_str(), seen.retained, seen.qos.as_str()), ("6.4", true, "1"));
        let properties = "unit:°C time:2026-11-21T08:00:00Z";
        assert_eq!(seen.properties, if version == "5" { properties } else { "" });
        let state = late.message("the status", |seen| seen.topic == STATUS).payload;
        assert_eq!(json(&state)["state"], "ok");
    }
    let service = OpenData::start();
    let nowhere = ["--station", "3195", "--once", "--broker", "mqtt://127.0.0.1:1"];
    let (status, _, errors) = aemet(&service, &nowhere).finish();
    assert_eq!(status, Some(1));
    assert!(errors.contains("Cannot connect to the broker"), "{errors}");
    assert_eq!(service.requests("").len(), 0, "nobody is asked for what nobody can take");
}

#[test]
fn the_last_values_outlive_the_outages_of_service_and_broker() {
    let (service, mut broker) = (OpenData::start(), Broker::start());
    service.always(DAILY, Fault::Status(500, None));
    let url = broker.url();
    let more = ["--station", "3195", "--municipality", "26089", "--broker", &url];
    let mut live = broker.subscribe();
    let mut sensors: Process = aemet(&service, &more).run();
    live.payload(TEMPERATURE, "6.4");
    let degraded = live.message("a status that is degraded", |seen| {
        seen.topic == STATUS && json(&seen.payload)["state"] == "degraded"
    });
    let problem = &json(&degraded.payload)["problems"]["daily forecast 26089"];
    assert!(problem.as_str().is_some_and(|words| words.contains("status 500")), "{problem}");
    sensors.line("the failure", |line| line.contains("daily forecast 26089: status 500"));

    broker.kill();
    sensors.line("the loss", |line| line.contains("Lost the broker"));
    broker.restart();
    let mut live = broker.subscribe();
    live.payload(TEMPERATURE, "6.4");

    service.heal();
    live.payload("weather/aemet/forecast/26089/2026-11-22/temperature_max", "14");
    live.message("a status that is ok", |seen| {
        seen.topic == STATUS && json(&seen.payload)["state"] == "ok"
    });
    assert_eq!(service.requests(OBSERVATION).len(), 1, "an hour's observation is asked for once");
    sensors.signal("TERM");
    assert!(sensors.end().success());
    live.payload(STATUS, r#"{"state":"offline"}"#);
    assert!(broker.subscribe().payload(STATUS, r#"{"state":"offline"}"#).retained);
    assert!(broker.subscribe().payload(TEMPERATURE, "6.4").retained);
}

#[test]
fn the_will_tells_what_could_not_be_said() {
    let (service, broker) = (OpenData::start(), Broker::start());
    service.always("/api/", Fault::Status(401, None));
    let url = broker.url();
    let more = ["--station", "3195", "--broker", &url];
    for (signal, code) in [("KILL", None), ("TERM", Some(1))] {
        let mut live = broker.subscribe();
        let mut sensors = aemet(&service, &more).run();
        live.message("a status that is failing", |seen| {
            seen.topic == STATUS && json(&seen.payload)["state"] == "failing"
        });
        sensors.signal(signal);
        assert_eq!(sensors.end().code(), code, "nothing was published");
        live.payload(STATUS, r#"{"state":"offline"}"#);
    }
}
