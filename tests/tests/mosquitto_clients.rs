//! Mosquitto's own clients against the broker, in each version of MQTT they speak. What is expected
//! here is what Mosquitto's broker does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use tests::mosquitto::{
    LinePublisher, Message, Properties, Subscriber, message, publish, publish_input,
};
use tests::wire::{Connect, DISCONNECT, Will, first_byte};
use tests::{Broker, Version};

#[test]
fn a_message_arrives_with_the_lower_qos_of_publisher_and_subscription() {
    let broker = Broker::start();
    for version in Version::ALL {
        for subscribed in ["0", "1", "2"] {
            let mut subscriber =
                Subscriber::start(&broker, version, &["-t", "room/temperature", "-q", subscribed]);
            for published in ["0", "1", "2"] {
                let arguments = ["-t", "room/temperature", "-m", "21.5", "-q", published];
                publish(&broker, version, &arguments);
                let qos = published.min(subscribed).parse().unwrap();
                assert_eq!(
                    subscriber.messages(&broker, 1),
                    [message("room/temperature", "21.5", qos)],
                    "{version}, published at {published}, subscribed at {subscribed}"
                );
            }
            subscriber.disconnect();
        }
    }
}

/// 3.1.1 [MQTT-7.0.0-2]
#[test]
fn every_version_hears_every_other() {
    let broker = Broker::start();
    let mut subscribers: Vec<_> = Version::ALL
        .map(|version| (version, Subscriber::start(&broker, version, &["-t", "a/b", "-q", "2"])))
        .into();
    for from in Version::ALL {
        publish(&broker, from, &["-t", "a/b", "-m", from.option(), "-q", "2"]);
        for (to, subscriber) in &mut subscribers {
            let received = subscriber.messages(&broker, 1);
            assert_eq!(received, [message("a/b", from.option(), 2)], "from {from} to {to}");
        }
    }
}

#[test]
fn messages_arrive_in_the_order_they_were_sent() {
    const COUNT: usize = 1000;
    let broker = Broker::start();
    let lines = (0..COUNT).map(|number| format!("{number}\n")).collect::<String>().into_bytes();
    for version in Version::ALL {
        for qos in ["0", "1", "2"] {
            let mut subscriber = Subscriber::start(&broker, version, &["-t", "count", "-q", qos]);
            let mut publisher = LinePublisher::start(&broker, version, &["-t", "count", "-q", qos]);
            publisher.publish(&lines);
            let received = subscriber.messages(&broker, COUNT);
            publisher.finish();
            let expected =
                (0..COUNT).map(|number| message("count", number.to_string(), qos.parse().unwrap()));
            assert!(received.into_iter().eq(expected), "{version}, QoS {qos}: not in order");
            subscriber.disconnect();
        }
    }
}

#[test]
fn a_retained_message_waits_for_a_late_subscriber_until_it_is_cleared() {
    let broker = Broker::start();
    for version in Version::ALL {
        for qos in ["0", "1", "2"] {
            let publish_retained = |payload: &str| {
                // The last acknowledgement says that the broker has taken those before, too.
                publish(&broker, version, &["-t", "kept/a", "-m", payload, "-r", "-q", qos]);
                publish(&broker, version, &["-t", "kept/b", "-m", payload, "-r", "-q", "1"]);
            };
            publish_retained("old");
            publish_retained("new");

            let mut early = Subscriber::start(&broker, version, &["-t", "kept/a", "-q", "2"]);
            let number: u8 = qos.parse().unwrap();
            assert_eq!(
                early.messages(&broker, 1),
                [message("kept/a", "new", number).retained()],
                "{version}, QoS {qos}"
            );

            // To who is subscribed already it comes as any other message.
            publish_retained("newest");
            assert_eq!(early.messages(&broker, 1), [message("kept/a", "newest", number)]);

            for topic in ["kept/a", "kept/b"] {
                publish(&broker, version, &["-t", topic, "-n", "-r", "-q", "1"]);
            }
            assert_eq!(early.messages(&broker, 1), [message("kept/a", "", 1)]);
            let mut late = Subscriber::start(&broker, version, &["-t", "kept/#", "-q", "2"]);
            assert_eq!(late.messages(&broker, 0), [], "{version}: cleared");
            late.disconnect();
            early.disconnect();
        }
    }
}

#[test]
fn a_will_is_published_when_its_client_is_cut_off_and_only_then() {
    let broker = Broker::start();
    for version in Version::ALL {
        let mut observer = Subscriber::start(&broker, version, &["-t", "wills/#", "-q", "2"]);
        let with_will = |topic: &str| {
            let options = ["-t", "other", "--will-topic", topic, "--will-payload", "gone"];
            Subscriber::start(&broker, version, &[&options[..], &["--will-qos", "2"]].concat())
        };

        with_will("wills/cut-off").kill();
        assert_eq!(observer.messages(&broker, 1), [message("wills/cut-off", "gone", 2)]);

        // This one ends by itself when it has its message (-C), which makes it disconnect.
        let options = ["-t", "last", "-C", "1", "--will-topic", "wills/clean"];
        let mut clean = Subscriber::start(&broker, version, &options);
        publish(&broker, version, &["-t", "last", "-m", "enough", "-q", "1"]);
        clean.program().wait_success();
        assert_eq!(observer.messages(&broker, 0), [], "{version}: no will after DISCONNECT");
        observer.disconnect();
    }
}

#[test]
fn a_retained_will_is_seen_by_who_comes_later() {
    let broker = Broker::start();
    for version in Version::ALL {
        let topic = format!("status/{}", version.option());
        let mut observer = Subscriber::start(&broker, version, &["-t", &topic, "-q", "1"]);
        let arguments = ["--will-topic", &topic, "--will-payload", "offline", "--will-retain"];
        Subscriber::start(&broker, version, &[&arguments[..], &["-t", "x"]].concat()).kill();
        assert_eq!(observer.messages(&broker, 1), [message(&topic, "offline", 0)]);

        let mut late = Subscriber::start(&broker, version, &["-t", &topic]);
        assert_eq!(late.messages(&broker, 1), [message(&topic, "offline", 0).retained()]);
    }
}

#[test]
fn wildcards_match_what_the_specification_says() {
    const TOPICS: [&str; 9] = ["a", "a/", "/a", "a/b", "a/b/c", "a//c", "b/b/c", "b", "$dollar/a"];
    // MQTT 5.0 §4.7.1 and §4.7.2.
    let table: [(&str, &[&str]); 14] = [
        ("#", &["a", "a/", "/a", "a/b", "a/b/c", "a//c", "b/b/c", "b"]),
        ("a/#", &["a", "a/", "a/b", "a/b/c", "a//c"]),
        ("a/b/#", &["a/b", "a/b/c"]),
        ("+", &["a", "b"]),
        ("+/", &["a/"]),
        ("/+", &["/a"]),
        ("+/+", &["a/", "/a", "a/b"]),
        ("a/+", &["a/", "a/b"]),
        ("a/+/c", &["a/b/c", "a//c"]),
        ("+/b/#", &["a/b", "a/b/c", "b/b/c"]),
        ("+/+/c", &["a/b/c", "a//c", "b/b/c"]),
        ("$dollar/#", &["$dollar/a"]),
        ("$dollar/+", &["$dollar/a"]),
        ("+/a", &["/a"]),
    ];
    let broker = Broker::start();
    for version in Version::ALL {
        let subscribers: Vec<_> = table
            .iter()
            .map(|(filter, topics)| {
                (filter, topics, Subscriber::start(&broker, version, &["-t", filter, "-q", "1"]))
            })
            .collect();
        for topic in TOPICS {
            publish(&broker, version, &["-t", topic, "-m", "x", "-q", "1"]);
        }
        for (filter, topics, mut subscriber) in subscribers {
            let received = subscriber.messages(&broker, topics.len());
            let received: Vec<_> = received.iter().map(|m| m.topic.as_str()).collect();
            assert_eq!(received, *topics, "{version}: {filter}");
        }
    }
}

#[test]
fn a_persistent_session_gets_what_it_missed() {
    let broker = Broker::start();
    for version in Version::ALL {
        for qos in [1, 2] {
            let client_id = format!("collector-{}-{qos}", version.option());
            let number = qos.to_string();
            let session = ["-c", "-i", &client_id, "-q", &number, "-t", "missed/#"];
            Subscriber::start(&broker, version, &session).disconnect();
            for payload in ["1", "2", "3"] {
                publish(&broker, version, &["-t", "missed/a", "-m", payload, "-q", &number]);
            }
            let mut back = Subscriber::start(&broker, version, &session);
            let expected = ["1", "2", "3"].map(|payload| message("missed/a", payload, qos));
            assert_eq!(back.messages(&broker, 3), expected, "{version}, QoS {qos}");
            back.disconnect();

            // A clean session of the same name ends the old one, and what it kept.
            publish(&broker, version, &["-t", "missed/a", "-m", "4", "-q", &number]);
            let clean = ["-i", &client_id, "-q", &number, "-t", "missed/#"];
            let mut clean = Subscriber::start(&broker, version, &clean);
            assert_eq!(clean.messages(&broker, 0), [], "{version}: a clean session is empty");
        }
    }
}

#[test]
fn after_unsubscribing_no_message_comes() {
    let broker = Broker::start();
    for version in Version::ALL {
        let client_id = format!("reader-{}", version.option());
        let session = ["-c", "-i", &client_id, "-q", "1"];
        let both = ["-t", "left", "-t", "kept"];
        Subscriber::start(&broker, version, &[&session[..], &both].concat()).disconnect();

        let unsubscribe = [&session[..], &["-U", "left", "-t", "kept"]].concat();
        let mut back = Subscriber::start(&broker, version, &unsubscribe);
        back.program().wait_for_line("UNSUBACK");
        publish(&broker, version, &["-t", "left", "-m", "1", "-q", "1"]);
        publish(&broker, version, &["-t", "kept", "-m", "2", "-q", "1"]);
        assert_eq!(back.messages(&broker, 1), [message("kept", "2", 1)], "{version}");
    }
}

#[test]
fn a_payload_of_a_megabyte_arrives_whole() {
    let broker = Broker::start();
    let payload: Vec<u8> = (0..1_000_000_u32).map(|index| (index * 31 % 251) as u8).collect();
    for version in Version::ALL {
        for qos in [0, 1, 2] {
            let number = qos.to_string();
            let mut subscriber = Subscriber::start(&broker, version, &["-t", "big", "-q", "2"]);
            publish_input(&broker, version, &["-t", "big", "-q", &number, "-s"], payload.clone());
            let received = subscriber.messages(&broker, 1);
            assert!(received == [message("big", &payload, qos)], "{version}, QoS {qos}: differs");
        }
    }
}

#[test]
fn topics_and_payloads_are_any_text() {
    let topics = ["casa/salón/temperatura", "部屋/温度", "🌡/°C", "with spaces/-and 'quotes\""];
    let broker = Broker::start();
    for version in Version::ALL {
        let mut subscriber = Subscriber::start(&broker, version, &["-t", "#", "-q", "1"]);
        for topic in topics {
            publish(&broker, version, &["-t", topic, "-m", "quién sabe — 知らない", "-q", "1"]);
            let expected = [message(topic, "quién sabe — 知らない", 1)];
            assert_eq!(subscriber.messages(&broker, 1), expected, "{version}");
        }
        subscriber.disconnect();
    }
}

#[test]
fn a_subscriber_that_hears_nothing_gives_up_when_it_was_told_to() {
    const TIMED_OUT: i32 = 27;
    let broker = Broker::start();
    for version in Version::ALL {
        let mut subscriber =
            Subscriber::start(&broker, version, &["-t", "silence", "-W", "1", "-C", "1"]);
        let status = subscriber.program().wait_exit();
        assert_eq!(status.code(), Some(TIMED_OUT), "{version}");
    }
}

#[test]
fn the_properties_of_a_message_reach_the_subscriber() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(
        &broker,
        Version::V5,
        &["-t", "ask", "-q", "1", "-D", "SUBSCRIBE", "subscription-identifier", "77"],
    );
    let properties: [&[&str]; 7] = [
        &["content-type", "application/json"],
        &["response-topic", "answers/1"],
        &["correlation-data", "question-1"],
        &["message-expiry-interval", "3600"],
        &["payload-format-indicator", "1"],
        &["user-property", "unit", "°C"],
        &["user-property", "unit", "again"],
    ];
    let mut arguments = vec!["-t", "ask", "-m", "{}", "-q", "1"];
    for property in properties {
        arguments.extend(["-D", "PUBLISH"]);
        arguments.extend(property);
    }
    publish(&broker, Version::V5, &arguments);
    let expected = Properties {
        content_type: "application/json".to_owned(),
        response_topic: "answers/1".to_owned(),
        correlation_data: "question-1".to_owned(),
        message_expiry_interval: "3600".to_owned(),
        payload_format_indicator: "1".to_owned(),
        subscription_identifier: "77".to_owned(),
        user_properties: "unit:°C unit:again".to_owned(),
    };
    let expected = Message { properties: expected, ..message("ask", "{}", 1) };
    assert_eq!(subscriber.next_message(), expected);
}

#[test]
fn a_message_with_properties_reaches_older_versions_without_them() {
    let broker = Broker::start();
    for version in [Version::V31, Version::V311] {
        let mut subscriber = Subscriber::start(&broker, version, &["-t", "ask", "-q", "1"]);
        let property = ["-D", "PUBLISH", "user-property", "unit", "°C"];
        let arguments = [&["-t", "ask", "-m", "{}", "-q", "1"][..], &property].concat();
        publish(&broker, Version::V5, &arguments);
        assert_eq!(subscriber.messages(&broker, 1), [message("ask", "{}", 1)], "{version}");
    }
}

#[test]
fn who_connects_with_a_client_id_in_use_takes_it_over() {
    const SESSION_TAKEN_OVER: u8 = 0x8E;
    let broker = Broker::start();
    for old_version in Version::ALL {
        for new_version in Version::ALL {
            let mut old = broker.connect(old_version, "the-one");
            let mut new = broker.connect(new_version, "the-one");
            let farewell = old.receive_until_closed();
            let reasons: Vec<_> =
                farewell.iter().map(|packet| packet.disconnect_reason()).collect();
            if old_version == Version::V5 {
                assert_eq!(reasons, [Some(SESSION_TAKEN_OVER)], "{old_version} to {new_version}");
            } else {
                assert_eq!(farewell, [], "{old_version} has no DISCONNECT from the broker");
            }
            new.ping();
        }
    }
}

#[test]
fn a_silent_client_is_closed_after_one_and_a_half_keep_alives_and_its_will_is_published() {
    const KEEP_ALIVE_TIMEOUT: u8 = 0x8D;
    let broker = Broker::start();
    for version in Version::ALL {
        let mut observer = Subscriber::start(&broker, version, &["-t", "wills/#", "-q", "1"]);
        let will = Will { topic: "wills/silent", payload: "gone", properties: &[] };
        let connect = Connect::new(version, "silent");
        let mut silent =
            broker.connect_with(&Connect { keep_alive: 1, will: Some(will), ..connect });
        let farewell = silent.receive_until_closed();
        if version == Version::V5 {
            let reasons: Vec<_> =
                farewell.iter().map(|packet| packet.disconnect_reason()).collect();
            assert_eq!(reasons, [Some(KEEP_ALIVE_TIMEOUT)]);
        } else {
            assert_eq!(farewell, []);
        }
        assert_eq!(observer.messages(&broker, 1), [message("wills/silent", "gone", 1)]);
    }
}

#[test]
fn a_client_that_pings_is_kept() {
    let broker = Broker::start();
    let connect = Connect { keep_alive: 1, ..Connect::new(Version::V311, "alive") };
    let mut client = broker.connect_with(&connect);
    // A second client, silent with the same keep-alive, tells when the first would have been closed.
    let mut silent = broker.connect_with(&Connect { client_id: "silent", ..connect });
    let silent = std::thread::spawn(move || silent.receive_until_closed());
    while !silent.is_finished() {
        client.ping();
        std::thread::sleep(tests::POLL_INTERVAL);
    }
    client.ping();
}

/// MQTT 5.0 §3.1.2.11.2.
mod session_expiry {
    use super::*;

    /// The Session Expiry Interval property.
    const fn expires_after(seconds: u8) -> [u8; 5] {
        [0x11, 0, 0, 0, seconds]
    }

    fn session_present(broker: &Broker, connect: &Connect<'_>) -> bool {
        let mut client = broker.open();
        let connack = client.connect(connect);
        assert_eq!(connack.first_byte, first_byte::CONNACK);
        client.send(&DISCONNECT);
        client.receive_until_closed();
        connack.body[0] & 1 == 1
    }

    #[test]
    fn a_session_of_expiry_zero_ends_with_its_connection() {
        let broker = Broker::start();
        let connect = Connect { clean: false, ..Connect::new(Version::V5, "short") };
        assert!(!session_present(&broker, &connect), "the first time");
        assert!(!session_present(&broker, &connect), "no property is the same as 0");
        let zero = expires_after(0);
        let connect = Connect { properties: &zero, ..connect };
        assert!(!session_present(&broker, &connect), "the third time");
        assert!(!session_present(&broker, &connect), "the fourth time");
    }

    #[test]
    fn a_session_that_has_not_expired_is_there_again() {
        let broker = Broker::start();
        let expiry = expires_after(255);
        let connect =
            Connect { clean: false, properties: &expiry, ..Connect::new(Version::V5, "long") };
        assert!(!session_present(&broker, &connect), "the first time");
        assert!(session_present(&broker, &connect), "the second time");
        let clean = Connect { clean: true, ..connect };
        assert!(!session_present(&broker, &clean), "a clean start");
        assert!(session_present(&broker, &connect), "which made a new session");
    }

    /// The will delay is longer than the session lasts, so the will is published when the session
    /// ends (§3.1.2.5), and tells this test that it has.
    #[test]
    fn a_session_is_gone_when_its_time_has_passed() {
        const WILL_DELAY: [u8; 5] = [0x18, 0, 0, 0, 255];
        let broker = Broker::start();
        let mut observer = Subscriber::start(&broker, Version::V5, &["-t", "wills/#", "-q", "1"]);
        let expiry = expires_after(1);
        let will = Will { topic: "wills/expired", payload: "gone", properties: &WILL_DELAY };
        let without_will =
            Connect { clean: false, properties: &expiry, ..Connect::new(Version::V5, "brief") };
        drop(broker.connect_with(&Connect { will: Some(will), ..without_will }));
        assert_eq!(observer.next_message(), message("wills/expired", "gone", 1));
        assert!(!session_present(&broker, &without_will));
    }
}
