//! A `mosquitto.conf` as the broker meets it: good ones, bad ones, and ones that change.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::path::Path;

use tests::broker::{Ports, bare_command, run_file_until_it_ends, run_until_it_ends};
use tests::program::Stream;
use tests::wire::{Client, Connect};
use tests::{Broker, Program, Version};

#[test]
fn a_file_that_makes_no_sense_says_where_and_ends_with_status_3() {
    for arguments in [&[][..], &["--test-config"]] {
        let (status, said) =
            run_until_it_ends("# my broker\nlistener 1883\nalow_anonymous true\n", arguments);
        assert_eq!(status, Some(3), "{said}");
        for part in ["mosquitto.conf:3", "alow_anonymous", "\"allow_anonymous\""] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_ends_it_with_status_3() {
    let (status, said) = run_file_until_it_ends(Path::new("/no/such/file.conf"), &[]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("/no/such/file.conf"), "{said}");
}

#[test]
fn a_good_file_can_be_tried_without_starting() {
    let (status, said) =
        run_until_it_ends("listener 1883\nallow_anonymous true\n", &["--test-config"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("OK"), "{said}");
}

#[test]
fn the_ports_of_the_file_count_and_those_of_the_command_line_do_not() {
    let (ports, other) = (Ports::free(), Ports::free().mqtt);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mosquitto.conf");
    let text =
        format!("dashboard_port 0\nlistener {} 127.0.0.1\nallow_anonymous true\n", ports.mqtt);
    std::fs::write(&file, text).unwrap();
    let mut command = bare_command();
    command.arg("-c").arg(&file).args(["-p", &other.to_string()]);
    let program = Program::start("ws-broker", &mut command);
    program.wait_for("the port of the file", |lines| {
        lines.iter().any(|line| line.text.contains(&ports.mqtt.to_string())).then_some(())
    });
    assert!(std::net::TcpStream::connect(("127.0.0.1", other)).is_err());
    let said = program.text(Stream::Err);
    assert!(said.contains("-p has no effect"), "{said}");
}

#[test]
fn files_of_a_folder_are_included() {
    let broker = Broker::configured_with(|ports, folder| {
        let parts = folder.join("conf.d");
        std::fs::create_dir(&parts).unwrap();
        std::fs::write(parts.join("one.conf"), format!("listener {} 127.0.0.1\n", ports.mqtt))
            .unwrap();
        std::fs::write(parts.join("two.conf"), "allow_anonymous true\r\n").unwrap();
        std::fs::write(parts.join("README"), "not a configuration").unwrap();
        format!("include_dir {}", parts.display())
    });
    drop(broker.connect(Version::V5, "guest"));
}

#[test]
fn a_fault_in_an_included_file_is_found_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("part.conf"), "\nmax_qos 3\n").unwrap();
    let (status, said) =
        run_until_it_ends(&format!("include_dir {}", folder.path().display()), &[]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("part.conf:2") && said.contains("max_qos"), "{said}");
}

#[test]
fn a_bad_file_is_not_reloaded_and_nobody_is_cut_off() {
    let broker = Broker::configured(|ports| {
        format!("listener {} 127.0.0.1\nallow_anonymous true", ports.mqtt)
    });
    let mut before = broker.connect(Version::V311, "before");
    broker.rewrite_config("listener 1883\nallow_anonymous perhaps");
    broker.reload();
    broker.wait_for_log("Config not reloaded", &["perhaps"]);
    before.subscribe("a");
    drop(broker.connect(Version::V311, "after"));
}

/// Mosquitto's default where the file opens a listener: nobody comes in without a name.
#[test]
fn a_listener_lets_nobody_in_that_the_file_does_not() {
    let broker = Broker::configured(|ports| format!("listener {} 127.0.0.1", ports.mqtt));
    for (version, not_authorised) in [(Version::V311, 5), (Version::V5, 0x87)] {
        let mut guest = Client::open(broker.ports.mqtt);
        guest.send(&Connect::new(version, "guest").bytes());
        let connack = guest.receive();
        assert_eq!(connack.body[1], not_authorised, "{version}");
        assert_eq!(guest.receive_until_closed(), [], "{version}");
    }
}
