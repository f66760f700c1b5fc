//! Who comes in and what they may do, as whoever runs the broker meets it: password files, ACL files,
//! and how they change. The classes of past vulnerabilities stand at the end, one test each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::broker::{bare_command, run_until_it_ends};
use tests::program::{Program, Stream};
use tests::wire::{
    self, Client, Connect, DISCONNECT, PINGREQ, PINGRESP, Packet, Version, Will, first_byte,
    publish,
};
use tests::{Broker, mosquitto};

/// A broker with this password file, which holds what `passwords` wrote there, and these further lines.
#[track_caller]
fn with_passwords(lines: &str, passwords: impl FnOnce(&Path)) -> Broker {
    Broker::configured_with(|ports, folder| {
        let file = folder.join("passwords");
        passwords(&file);
        format!("listener {}\npassword_file {}\n{lines}", ports.mqtt, file.display())
    })
}

/// Writes a password file with our own tool; all passwords are `secret`.
#[track_caller]
fn write_users(file: &Path, users: &[&str]) {
    for (index, user) in users.iter().enumerate() {
        let mut arguments = vec!["-I", "10", "-b", file.to_str().unwrap(), user, "secret"];
        if index == 0 {
            arguments.insert(0, "-c");
        }
        passwd(&arguments);
    }
}

/// Runs `ws-broker passwd`, which has to end well.
#[track_caller]
fn passwd(arguments: &[&str]) {
    let (status, said) = try_passwd(arguments, "");
    assert_eq!(status, Some(0), "{arguments:?}: {said}");
}

/// Runs `ws-broker passwd` with this input: its status, and all that it said.
#[track_caller]
fn try_passwd(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = bare_command();
    command.arg("passwd").args(arguments);
    let mut program = Program::start_with_input("ws-broker passwd", &mut command, input.into());
    let status = program.wait_exit();
    (status.code(), program.text(Stream::Out) + &program.text(Stream::Err))
}

/// Runs Mosquitto's own tool, which has to end well.
#[track_caller]
fn mosquitto_passwd(arguments: &[&str]) {
    let mut command = Command::new("mosquitto_passwd");
    Program::start("mosquitto_passwd", command.args(arguments)).wait_success();
}

/// The reason code of the CONNACK that answers this CONNECT.
#[track_caller]
fn answer(broker: &Broker, connect: &Connect<'_>) -> u8 {
    let mut client = broker.open();
    client.send(&connect.bytes());
    let connack = client.receive();
    assert_eq!(connack.first_byte, first_byte::CONNACK, "{connack:?}");
    connack.body[1]
}

/// "Not authorised" in this version.
fn not_authorised(version: Version) -> u8 {
    if version == Version::V5 { 0x87 } else { 5 }
}

#[test]
fn users_come_in_by_files_of_mosquittos_tool_and_of_ours() {
    let broker = with_passwords("", |file| {
        let name = file.to_str().unwrap();
        mosquitto_passwd(&["-c", "-b", name, "theirs", "secret one"]);
        mosquitto_passwd(&["-b", "-H", "sha512", name, "theirs-sha512", "secret two"]);
        passwd(&["-b", name, "ours", "secret three"]);
        passwd(&["-b", "-H", "sha512", name, "ours-sha512", "secret four"]);
        mosquitto_passwd(&["-b", name, "theirs-again", "secret five"]);
        passwd(&["-b", "-H", "argon2id", name, "ours-argon2id", "secret six"]);
        passwd(&["-D", name, "theirs-again"]);
        mosquitto_passwd(&["-D", name, "theirs-sha512"]);
    });
    for (user, password) in [
        ("theirs", "secret one"),
        ("ours", "secret three"),
        ("ours-sha512", "secret four"),
        ("ours-argon2id", "secret six"),
    ] {
        for version in Version::ALL {
            let connect = Connect::new(version, "id").user(user, password);
            assert_eq!(answer(&broker, &connect), 0, "{user} {version}");
        }
        mosquitto::publish(
            &broker,
            Version::V5,
            &["-u", user, "-P", password, "-q", "1", "-t", "a", "-m", "b"],
        );
        let wrong = Connect::new(Version::V311, "id").user(user, "secret");
        assert_eq!(answer(&broker, &wrong), 5, "{user}");
    }
    for (user, password) in [("theirs-again", "secret five"), ("theirs-sha512", "secret two")] {
        let gone = Connect::new(Version::V311, "id").user(user, password);
        assert_eq!(answer(&broker, &gone), 5, "{user}");
    }
}

#[test]
fn who_needs_a_name_and_a_password() {
    for (lines, has_file, anonymous, named) in [
        ("allow_anonymous false", false, false, false),
        ("allow_anonymous false", true, false, true),
        ("allow_anonymous true", false, true, true),
        ("allow_anonymous true", true, true, true),
        ("", true, false, true),
        ("", false, false, false),
    ] {
        let broker = Broker::configured_with(|ports, folder| {
            let file = folder.join("passwords");
            write_users(&file, &["ann"]);
            let named = format!("password_file {}\n", file.display());
            format!("listener {}\n{}{lines}\n", ports.mqtt, if has_file { &named } else { "" })
        });
        for version in Version::ALL {
            let code = |comes_in| if comes_in { 0 } else { not_authorised(version) };
            let connect = Connect::new(version, "id");
            let wrong = connect.user("ann", "wrong");
            let without = Connect { username: Some("ann"), ..connect };
            for (connect, comes_in) in [
                (connect, anonymous),
                (connect.user("ann", "secret"), named),
                (wrong, anonymous && !has_file),
                (without, anonymous && !has_file),
                (connect.user("", ""), anonymous),
                (connect.user("eve", "secret"), anonymous && !has_file),
            ] {
                let about = format!("{lines} {has_file} {connect:?}");
                assert_eq!(answer(&broker, &connect), code(comes_in), "{about}");
            }
        }
    }
}

#[test]
fn a_line_that_makes_no_sense_costs_its_own_user_alone() {
    let broker = with_passwords("", |file| {
        write_users(file, &["ann", "bob"]);
        let text = std::fs::read_to_string(file).unwrap();
        let (ann, bob) = text.split_once('\n').unwrap();
        let bad = "plain:secret\nno colon\n:$6$\neve:$6$\neve:\n\u{feff}\n";
        std::fs::write(file, format!("# people\r\n\r\n{ann}\r\n{bad} {bob}")).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    });
    for (user, code) in [("ann", 0), ("bob", 0), ("plain", 5), ("eve", 5), ("", 5)] {
        let connect = Connect::new(Version::V311, "id").user(user, "secret");
        assert_eq!(answer(&broker, &connect), code, "{user}");
    }
    broker.wait_for_log("Line 4 of the password file", &["plain"]);
    broker.wait_for_log("The password file", &["can be read by every user"]);
    assert!(!broker.log().contains("secret"), "no password is logged: {}", broker.log());
}

#[test]
fn client_identifiers_follow_the_rules_of_the_file() {
    let broker = with_passwords("clientid_prefixes dev-\nallow_anonymous true", |file| {
        write_users(file, &["ann"]);
    });
    for version in Version::ALL {
        let refused = not_authorised(version);
        assert_eq!(answer(&broker, &Connect::new(version, "dev-1")), 0);
        assert_eq!(answer(&broker, &Connect::new(version, "other")), refused);
    }
    let broker = with_passwords("use_username_as_clientid true\nallow_anonymous true", |file| {
        write_users(file, &["ann", "bob"]);
    });
    assert_eq!(answer(&broker, &Connect::new(Version::V5, "id")), 0x87, "there is no name to take");
    let connect = Connect { clean: false, ..Connect::new(Version::V311, "one") };
    let mut first = broker.connect_with(&connect.user("ann", "secret"));
    let mut other = broker.connect_with(&connect.user("bob", "secret"));
    let mut again =
        broker.connect_with(&Connect { client_id: "two", ..connect }.user("ann", "secret"));
    assert_eq!(first.receive_until_closed(), [], "the same name is the same client");
    other.ping();
    again.ping();

    let broker = Broker::configured(|ports| {
        format!("listener {}\nallow_anonymous true\nauto_id_prefix dev-", ports.mqtt)
    });
    let connack = broker.open().connect(&Connect::new(Version::V5, ""));
    let body = String::from_utf8_lossy(&connack.body).into_owned();
    assert!(body.contains("dev-"), "{body:?}");
    broker.rewrite_config(&format!(
        "listener {}\nallow_anonymous true\nallow_zero_length_clientid false",
        broker.ports.mqtt
    ));
    broker.reload();
    assert_eq!(answer(&broker, &Connect::new(Version::V5, "")), 0x80);
    assert_eq!(answer(&broker, &Connect::new(Version::V311, "")), 2);
}

#[test]
fn a_reload_changes_who_comes_in_and_leaves_those_who_are() {
    let broker = with_passwords("", |file| write_users(file, &["ann", "bob"]));
    let file = broker.folder().join("passwords");
    let connect = Connect::new(Version::V5, "ann");
    let mut ann = broker.connect_with(&connect.user("ann", "secret"));
    let name = file.to_str().unwrap();
    passwd(&["-D", name, "ann"]);
    passwd(&["-b", name, "bob", "changed"]);
    passwd(&["-b", name, "eve", "secret"]);
    let code =
        |user, password| answer(&broker, &Connect::new(Version::V5, "other").user(user, password));
    assert_eq!([code("ann", "secret"), code("eve", "secret")], [0, 0x87], "nothing holds yet");
    broker.reload();
    assert_eq!([code("ann", "secret"), code("eve", "secret")], [0x87, 0]);
    assert_eq!([code("bob", "secret"), code("bob", "changed")], [0x87, 0]);
    ann.ping();

    std::fs::remove_file(&file).unwrap();
    broker.reload();
    broker.wait_for_log("Config not reloaded", &["password file"]);
    assert_eq!([code("eve", "secret"), code("eve", "other")], [0, 0x87], "the old file holds");
    ann.ping();
}

#[test]
fn passwords_are_checked_while_others_are_served() {
    // A check of ten million iterations takes seconds on any machine.
    let broker = with_passwords("allow_anonymous true", |file| {
        write_users(file, &["slow"]);
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replace("$7$10$", "$7$10000000$")).unwrap();
    });
    let mut one = broker.connect(Version::V5, "one");
    let mut waiting: Vec<_> = (0..16).map(|_| broker.open()).collect();
    for client in &mut waiting {
        client.send(&Connect::new(Version::V5, "slow").user("slow", "secret").bytes());
        one.ping();
    }
    one.subscribe("a");
    one.send(&publish(Version::V5, "a", 0, 0, b"b"));
    assert_eq!(one.receive_publication(), ("a".into(), b"b".to_vec()));
    let mut other = broker.connect(Version::V5, "other");
    other.ping();
    // Ended at once: an orderly end would wait for the checks.
    broker.kill();
}

#[test]
fn passwd_writes_files_that_are_nobody_elses_and_keeps_what_it_does_not_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    let name = file.to_str().unwrap();
    passwd(&["-c", "-b", name, "ann", "secret"]);
    let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("ann:$7$") && text.ends_with("==\n"), "{text}");

    std::fs::write(&file, format!("# people\n\n{text}")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    passwd(&["-b", link.to_str().unwrap(), "bob", "secret"]);
    assert!(link.is_symlink(), "what the link points to is replaced");
    assert_eq!(mode(&file), 0o640, "no longer for all the world");
    let both = std::fs::read_to_string(&file).unwrap();
    assert!(both.starts_with(&format!("# people\n\n{text}bob:$7$")), "{both}");
    passwd(&["-D", name, "bob"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("# people\n\n{text}"));

    std::fs::write(&file, format!("{text}bob:plain\n")).unwrap();
    passwd(&["-U", name]);
    let hashed = std::fs::read_to_string(&file).unwrap();
    assert!(hashed.starts_with(&format!("{text}bob:$7$")), "what is hashed stays: {hashed}");
    assert!(!hashed.contains("plain"), "{hashed}");
    let left: Vec<_> =
        folder.path().read_dir().unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");
}

#[test]
fn passwd_asks_twice_and_says_what_is_wrong_as_mosquittos_tool_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    let name = file.to_str().unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    for (arguments, input, status, part) in [
        (&["-c", name, "ann"][..], "secret\nsecret\n", 0, "Reenter password: "),
        (&[name, "ann"], "secret\nother\n", 2, "Error: Passwords do not match."),
        (&[name, "ann"], "\n", 1, "Error: Empty password."),
        (&["-D", name, "eve"], "", 1, "Warning: User eve not found in password file."),
        (&["-b", missing, "eve", "secret"], "", 1, "Error: Unable to open password file"),
        (&["-b", name, "a:b", "secret"], "", 1, "must not contain the ':' character"),
        (&["-c", "-D", name, "ann"], "", 1, "-c and -D cannot be used together"),
        (&["-H", "md5", name, "ann"], "", 1, "Unknown hash type 'md5'"),
        (&[name], "", 1, "Usage"),
        (&[], "", 1, "Usage"),
        (&["--help"], "", 0, "Usage"),
    ] {
        let (ended, said) = try_passwd(arguments, input);
        assert_eq!(ended, Some(status), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let broker = with_passwords("", |to| {
        std::fs::copy(&file, to).unwrap();
    });
    let connect = Connect::new(Version::V5, "id").user("ann", "secret");
    assert_eq!(answer(&broker, &connect), 0, "what was asked for is the password");
}

#[test]
fn passwd_shows_nothing_of_what_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    let binary = bare_command().get_program().to_owned();
    let line = format!("{} passwd -c {} ann", binary.to_str().unwrap(), file.display());
    // `script` gives it a terminal, and shows all that appears there.
    let mut terminal = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut shown = Vec::new();
    for prompt in ["Password: ", "Reenter password: "] {
        while !shown.ends_with(prompt.as_bytes()) {
            let mut byte = [0];
            assert_eq!(screen.read(&mut byte).unwrap(), 1, "{:?}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        keys.write_all(b"top secret\r").unwrap();
    }
    screen.read_to_end(&mut shown).unwrap();
    let status = terminal.wait().unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert!(status.success() && !shown.contains("secret"), "{status}: {shown:?}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("ann:$7$"));
}

/// A broker that lets anybody in, with an ACL file of this text.
#[track_caller]
fn with_acl(acl: &str) -> Broker {
    Broker::configured_with(|ports, folder| {
        let file = folder.join("acl");
        std::fs::write(&file, acl).unwrap();
        format!("listener {}\nallow_anonymous true\nacl_file {}", ports.mqtt, file.display())
    })
}

/// Has the broker go on with this ACL file.
#[track_caller]
fn change_acl(broker: &Broker, acl: &str) {
    std::fs::write(broker.folder().join("acl"), acl).unwrap();
    broker.reload();
}

/// A client that comes back to its session, as a user whose password nobody asks for.
fn lasting<'a>(version: Version, client_id: &'a str, user: &'a str) -> Connect<'a> {
    // A Session Expiry Interval of 60 seconds.
    let properties: &[u8] = if version == Version::V5 { &[0x11, 0, 0, 0, 60] } else { &[] };
    Connect { clean: false, properties, ..Connect::new(version, client_id).user(user, "any") }
}

/// Publishes at QoS 1; the reason code of the PUBACK, which has one in MQTT 5.0 alone.
#[track_caller]
fn publish_acknowledged(client: &mut Client, version: Version, topic: &str, retain: bool) -> u8 {
    let mut bytes = publish(version, topic, 1, 9, topic.as_bytes());
    bytes[0] |= u8::from(retain);
    client.send(&bytes);
    let puback = client.receive();
    assert_eq!(puback.first_byte, first_byte::PUBACK, "{puback:?}");
    puback.body.get(2).copied().unwrap_or(0)
}

/// The messages that come before the answer to a PINGREQ; those of QoS 1 are acknowledged.
#[track_caller]
fn received_packets(client: &mut Client) -> Vec<Packet> {
    client.send(&PINGREQ);
    let mut packets = Vec::new();
    loop {
        let packet = client.receive();
        if packet.first_byte == PINGRESP[0] {
            return packets;
        }
        if packet.first_byte & 0b0110 == 0b0010 {
            let id_at = 2 + usize::from(u16::from_be_bytes([packet.body[0], packet.body[1]]));
            let id = &packet.body[id_at..id_at + 2];
            client.send(&wire::packet(first_byte::PUBACK, id));
        }
        packets.push(packet);
    }
}

/// The topics of these messages, in the order of the alphabet.
#[track_caller]
fn received(client: &mut Client, version: Version) -> Vec<String> {
    let packets = received_packets(client);
    let topic = |packet: &Packet| packet.publication(version).expect("a PUBLISH").0;
    let mut topics: Vec<_> = packets.iter().map(topic).collect();
    topics.sort();
    topics
}

#[test]
fn clients_publish_and_read_what_the_acl_file_allows() {
    let broker = with_acl(
        "# everybody\ntopic read news/#\n\nuser ann\ntopic news/#\ntopic deny news/secret\n\
         topic readwrite with space/#\npattern write from/%u/%c\npattern read to/%u/#\n",
    );
    for version in Version::ALL {
        let denied = if version == Version::V5 { 0x87 } else { 0 };
        let mut ann = broker.connect_with(&Connect::new(version, "id").user("ann", "any"));
        let mut bob = broker.connect_with(&Connect::new(version, "bob").user("bob", "any"));
        let mut nobody = broker.connect(version, "nobody");
        for client in [&mut ann, &mut bob, &mut nobody] {
            client.subscribe("#");
        }
        for (topic, allowed, readers) in [
            ("news/today", true, [true, false, true]),
            ("news/secret", false, [false; 3]),
            ("with space/x y", true, [true, false, false]),
            ("from/ann/id", true, [false; 3]),
            ("from/bob/id", false, [false; 3]),
            ("from/ann/bob", false, [false; 3]),
            ("to/ann", false, [false; 3]),
            ("other", false, [false; 3]),
        ] {
            let code = {
                ann.send(&publish(version, topic, 1, 9, b"x"));
                // The message may come before its acknowledgement.
                let mut packets = vec![ann.receive()];
                if readers[0] {
                    packets.push(ann.receive());
                }
                let puback = packets.iter().find(|packet| packet.first_byte == first_byte::PUBACK);
                let got = packets.iter().find_map(|packet| packet.publication(version));
                assert_eq!(got.map(|(topic, _)| topic), readers[0].then(|| topic.to_owned()));
                puback.unwrap().body.get(2).copied().unwrap_or(0)
            };
            let is_denied = version == Version::V5 && code == 0x87;
            assert_eq!(is_denied, !allowed && denied != 0, "{version} {topic}: {code:#x}");
            let heard = |reads: bool| if reads { vec![topic.to_owned()] } else { vec![] };
            assert_eq!(received(&mut bob, version), heard(readers[1]), "{version} {topic}");
            assert_eq!(received(&mut nobody, version), heard(readers[2]), "{version} {topic}");
        }
    }
}

#[test]
fn a_file_without_rules_allows_nothing() {
    let broker = with_acl("# nothing\n\n");
    for version in Version::ALL {
        let mut client = broker.connect(version, "id");
        client.subscribe("#");
        let code = publish_acknowledged(&mut client, version, "a", true);
        assert_eq!(code, if version == Version::V5 { 0x87 } else { 0 });
        assert_eq!(received(&mut client, version), [""; 0]);
    }
}

#[test]
fn each_listener_may_have_an_acl_file_of_its_own() {
    let open = tests::ports::free_port();
    let broker = Broker::configured_with(|ports, folder| {
        let file = folder.join("acl");
        std::fs::write(&file, "topic read #\n").unwrap();
        format!(
            "per_listener_settings true\nlistener {}\nallow_anonymous true\nacl_file {}\n\
             listener {open}\nallow_anonymous true\n",
            ports.mqtt,
            file.display()
        )
    });
    let mut reader = broker.connect(Version::V5, "reader");
    reader.subscribe("#");
    assert_eq!(publish_acknowledged(&mut reader, Version::V5, "a", false), 0x87);
    let mut writer = Client::open(open);
    writer.connect(&Connect::new(Version::V5, "writer"));
    assert_eq!(publish_acknowledged(&mut writer, Version::V5, "b", false), 0);
    assert_eq!(received(&mut reader, Version::V5), ["b"]);
}

#[test]
fn members_of_a_shared_subscription_get_what_they_may_read() {
    let broker = with_acl("user ann\ntopic #\nuser bob\ntopic read a/#\n");
    let mut ann = broker.connect_with(&Connect::new(Version::V5, "ann").user("ann", "any"));
    let mut bob = broker.connect_with(&Connect::new(Version::V5, "bob").user("bob", "any"));
    ann.subscribe("$share/group/#");
    bob.subscribe("$share/group/#");
    let mut writer = broker.connect_with(&Connect::new(Version::V5, "writer").user("ann", "any"));
    for topic in ["a/x", "a/x", "a/x", "a/x", "b/x", "b/x", "b/x", "b/x"] {
        assert_eq!(publish_acknowledged(&mut writer, Version::V5, topic, false), 0);
    }
    let (of_ann, of_bob) = (received(&mut ann, Version::V5), received(&mut bob, Version::V5));
    assert_eq!(of_ann, ["a/x", "a/x", "b/x", "b/x", "b/x", "b/x"]);
    assert_eq!(of_bob, ["a/x", "a/x"]);
}

#[test]
fn a_reload_changes_what_those_who_are_there_may_do() {
    let broker = with_acl("user ann\ntopic a\n");
    let mut ann = broker.connect_with(&Connect::new(Version::V5, "ann").user("ann", "any"));
    ann.subscribe("#");
    let mut may = |broker: &Broker| {
        let mut other = broker.connect_with(&Connect::new(Version::V5, "other").user("ann", "any"));
        let written = ["a", "b"]
            .map(|topic| publish_acknowledged(&mut other, Version::V5, topic, false) != 0x87);
        (written, received(&mut ann, Version::V5))
    };
    assert_eq!(may(&broker), ([true, false], vec!["a".into()]));
    change_acl(&broker, "user ann\ntopic b\n");
    assert_eq!(may(&broker), ([false, true], vec!["b".into()]));
    change_acl(&broker, "user ann\ntopic write #\n");
    assert_eq!(may(&broker), ([true, true], vec![]));
    change_acl(&broker, "user ann\ntopik #\n");
    broker.wait_for_log("Config not reloaded", &["line 2", "topik"]);
    assert_eq!(may(&broker), ([true, true], vec![]), "the old file holds");
    // Without an ACL file everything is allowed.
    broker.rewrite_config(&format!("listener {}\nallow_anonymous true", broker.ports.mqtt));
    broker.reload();
    assert_eq!(may(&broker), ([true, true], vec!["a".into(), "b".into()]));
}

/// Clients of a listener with a mount point have a part of the topics for themselves, and don't see that.
#[test]
fn a_mount_point_stands_before_all_topics_of_its_listener() {
    for version in Version::ALL {
        mount_point(version);
    }
}

fn mount_point(version: Version) {
    let below = tests::ports::free_port();
    let broker = Broker::configured_with(|ports, folder| {
        let file = folder.join("acl");
        std::fs::write(&file, "topic #\ntopic deny site/no\n").unwrap();
        format!(
            "acl_file {}\nallow_anonymous true\nlistener {}\nlistener {below}\nmount_point site/\n",
            file.display(),
            ports.mqtt
        )
    });
    let mounted = |connect: &Connect<'_>| {
        let mut client = Client::open(below);
        client.connect(connect);
        client
    };
    let mut above = broker.connect(version, "above");
    above.subscribe("#");
    let mut inside = mounted(&Connect::new(version, "inside"));
    inside.subscribe("#");
    let mut other = broker.connect(version, "other");
    publish_acknowledged(&mut other, version, "site/x", true);
    publish_acknowledged(&mut other, version, "other/x", false);
    assert_eq!(received(&mut inside, version), ["x"], "{version}");
    let mut writer = mounted(&Connect::new(version, "writer"));
    for (topic, code) in [("y", 0), ("no", 0x87)] {
        let got = publish_acknowledged(&mut writer, version, topic, false);
        assert_eq!(got, if version == Version::V5 { code } else { 0 });
    }
    let will = Some(Will { topic: "will", payload: "died", properties: &[] });
    let dying = mounted(&Connect { will, ..Connect::new(version, "dying") });
    dying.finish_sending();
    let heard = ["other/x", "site/will", "site/x", "site/y"];
    let mut topics: Vec<String> = (0..4).map(|_| above.receive_publication().0).collect();
    topics.sort();
    assert_eq!(topics, heard, "{version}");
    assert_eq!(received(&mut inside, version), ["will", "y"], "{version}");
    // A new subscription finds the retained message, and one that has ended nothing.
    let mut late = mounted(&Connect::new(version, "late"));
    late.subscribe("+");
    assert_eq!(received(&mut late, version), ["x"], "{version}");
    late.send(&wire::packet(
        first_byte::UNSUBSCRIBE,
        &[&[0, 2][..], &version.properties(&[]), &wire::prefixed("+")].concat(),
    ));
    late.receive();
    publish_acknowledged(&mut writer, version, "y", false);
    assert_eq!(received(&mut late, version), [""; 0], "{version}");
}

// The classes of past vulnerabilities.

/// Neither a will, nor a message that follows the CONNECT, nor the end of a session that another has.
/// [MQTT-3.1.4-2, MQTT-3.1.4-6]
#[test]
fn side_effects_before_authentication() {
    let broker = with_passwords("", |file| write_users(file, &["ann", "eve"]));
    let mut victim =
        broker.connect_with(&Connect::new(Version::V5, "victim").user("ann", "secret"));
    victim.subscribe("#");
    for version in Version::ALL {
        let connect = Connect {
            will: Some(Will { topic: "will", payload: "sent", properties: &[] }),
            ..Connect::new(version, "victim")
        };
        for connect in [connect, connect.user("eve", "wrong"), connect.user("who", "secret")] {
            let mut stranger = broker.open();
            let mut bytes = connect.bytes();
            bytes.extend(publish(version, "early", 0, 0, b"published"));
            stranger.send(&bytes);
            let packets = stranger.receive_until_closed();
            let refused = Packet { first_byte: first_byte::CONNACK, ..packets[0].clone() };
            assert_eq!(packets, [refused]);
            assert_eq!(packets[0].body[1], not_authorised(version));
        }
    }
    victim.ping();
}

#[test]
fn fail_open_with_an_empty_password_file() {
    for text in ["", "\n\n", "# nobody\n", "ann:secret\n", "ann:\n"] {
        let broker = with_passwords("", |file| std::fs::write(file, text).unwrap());
        for version in Version::ALL {
            let connect = Connect::new(version, "id");
            for connect in [connect, connect.user("ann", "secret"), connect.user("ann", "")] {
                let code = answer(&broker, &connect);
                assert_eq!(code, not_authorised(version), "{text:?} {connect:?}");
            }
        }
    }
}

#[test]
fn fail_open_with_a_password_file_that_can_not_be_read() {
    for unreadable in ["passwords", "."] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(unreadable);
        let lines = "dashboard_port 0\nallow_anonymous true\nlistener";
        let text =
            format!("password_file {}\n{lines} {}", file.display(), tests::ports::free_port());
        let (status, said) = run_until_it_ends(&text, &[]);
        assert_eq!(status, Some(1), "it does not run without its users: {said}");
        assert!(said.contains("password file") && said.contains("can't be read"), "{said}");
    }
}

#[test]
fn fail_open_where_each_listener_has_settings_of_its_own() {
    let open = tests::ports::free_port();
    let broker = Broker::configured_with(|ports, folder| {
        let file = folder.join("passwords");
        write_users(&file, &["ann"]);
        format!(
            "per_listener_settings true\nlistener {}\npassword_file {}\n\
             listener {open}\nallow_anonymous true\n",
            ports.mqtt,
            file.display()
        )
    });
    assert_eq!(answer(&broker, &Connect::new(Version::V5, "id")), 0x87);
    let wrong = Connect::new(Version::V5, "id").user("ann", "wrong");
    assert_eq!(answer(&broker, &wrong), 0x87);
    assert_eq!(answer(&broker, &wrong.user("ann", "secret")), 0);
    tests::wire::Client::open(open).connect(&Connect::new(Version::V5, "open"));
}

#[test]
fn fail_open_with_an_acl_file_that_is_missing_or_makes_no_sense() {
    for acl in [None, Some("topic read #\npattern rw a\n"), Some("topic a/#/b\n")] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("acl");
        if let Some(acl) = acl {
            std::fs::write(&file, acl).unwrap();
        }
        let lines = "dashboard_port 0\nallow_anonymous true\nlistener";
        let port = tests::ports::free_port();
        let text = format!("acl_file {}\n{lines} {port}", file.display());
        let (status, said) = run_until_it_ends(&text, &[]);
        assert_eq!(status, Some(1), "it does not run without its rights: {acl:?}: {said}");
        assert!(said.contains("ACL file"), "{said}");
    }
}

#[test]
fn identifier_injection_into_acl_patterns() {
    let broker = with_acl("pattern readwrite home/%u/%c/#\nuser writer\ntopic #\n");
    let mut writer =
        broker.connect_with(&Connect::new(Version::V5, "writer").user("writer", "any"));
    for (client_id, user) in [
        ("+", "ann"),
        ("#", "ann"),
        ("phone", "+"),
        ("phone", "#"),
        ("phone/#", "ann"),
        ("secret", "ann/phone"),
        ("phone/secret", "ann"),
        ("$SYS", "$SYS"),
        ("%c", "%u"),
    ] {
        let mut client =
            broker.connect_with(&Connect::new(Version::V5, client_id).user(user, "any"));
        client.subscribe("#");
        for topic in ["home/ann/phone/secret", "home/bob/phone"] {
            assert_ne!(publish_acknowledged(&mut writer, Version::V5, topic, false), 0x87);
            let code = publish_acknowledged(&mut client, Version::V5, topic, false);
            assert_eq!(code, 0x87, "{client_id} {user} writes {topic}");
        }
        assert_eq!(received(&mut client, Version::V5), [""; 0], "{client_id} {user} reads");
    }
    let mut ann = broker.connect_with(&Connect::new(Version::V5, "phone").user("ann", "any"));
    ann.subscribe("#");
    publish_acknowledged(&mut writer, Version::V5, "home/ann/phone/secret", false);
    assert_eq!(received(&mut ann, Version::V5), ["home/ann/phone/secret"]);
}

#[test]
fn queued_messages_after_a_right_was_revoked() {
    for version in [Version::V311, Version::V5] {
        let broker = with_acl("user ann\ntopic a\ntopic b\n");
        let mut away = broker.connect_with(&lasting(version, "away", "ann"));
        away.subscribe("a");
        away.subscribe("b");
        away.send(&DISCONNECT);
        away.receive_until_closed();
        let mut writer =
            broker.connect_with(&Connect::new(Version::V5, "writer").user("ann", "any"));
        for topic in ["a", "b", "a", "b"] {
            publish_acknowledged(&mut writer, Version::V5, topic, false);
        }
        change_acl(&broker, "user ann\ntopic a\ntopic write b\n");
        let mut back = broker.connect_with(&lasting(version, "away", "ann"));
        assert_eq!(received(&mut back, version), ["a", "a"], "{version}");
        publish_acknowledged(&mut writer, Version::V5, "b", false);
        publish_acknowledged(&mut writer, Version::V5, "a", false);
        assert_eq!(received(&mut back, version), ["a"], "{version}");
    }
}

#[test]
fn messages_in_flight_after_a_right_was_revoked() {
    let version = Version::V5;
    let broker = with_acl("user ann\ntopic a\ntopic b\n");
    let mut one = broker.connect_with(&lasting(version, "one", "ann"));
    one.subscribe("a");
    one.subscribe("b");
    let mut writer = broker.connect_with(&Connect::new(version, "writer").user("ann", "any"));
    for topic in ["a", "b"] {
        publish_acknowledged(&mut writer, version, topic, false);
        assert_eq!(one.receive().first_byte & 0xF0, first_byte::PUBLISH, "it is not acknowledged");
    }
    change_acl(&broker, "user ann\ntopic a\n");
    one.ping();
    let mut back = broker.connect_with(&lasting(version, "one", "ann"));
    assert_eq!(received(&mut back, version), ["a"]);
}

#[test]
fn queued_messages_for_a_session_that_another_user_takes() {
    let version = Version::V5;
    let broker = with_acl("user ann\ntopic a\ntopic b\nuser eve\ntopic b\n");
    let mut away = broker.connect_with(&lasting(version, "away", "ann"));
    away.subscribe("#");
    away.send(&DISCONNECT);
    away.receive_until_closed();
    let mut writer = broker.connect_with(&Connect::new(version, "writer").user("ann", "any"));
    for topic in ["a", "b"] {
        publish_acknowledged(&mut writer, version, topic, false);
    }
    let mut eve = broker.connect_with(&lasting(version, "away", "eve"));
    assert_eq!(received(&mut eve, version), ["b"]);
    publish_acknowledged(&mut writer, version, "a", false);
    assert_eq!(received(&mut eve, version), [""; 0]);
}

#[test]
fn retained_messages_after_a_right_was_revoked() {
    let both = "user ann\ntopic a\ntopic b\nuser bob\ntopic read #\n";
    let broker = with_acl(both);
    let mut ann = broker.connect_with(&Connect::new(Version::V5, "ann").user("ann", "any"));
    for topic in ["a", "b"] {
        publish_acknowledged(&mut ann, Version::V5, topic, true);
    }
    drop(ann);
    let retained = || {
        let mut bob = broker.connect_with(&Connect::new(Version::V5, "bob").user("bob", "any"));
        bob.subscribe("#");
        received(&mut bob, Version::V5)
    };
    assert_eq!(retained(), ["a", "b"]);
    change_acl(&broker, "user ann\ntopic a\ntopic read b\nuser bob\ntopic read #\n");
    assert_eq!(retained(), ["a"], "who published it may do so no longer");
    change_acl(&broker, "user ann\ntopic a\ntopic b\nuser bob\ntopic read b\n");
    assert_eq!(retained(), ["b"], "who subscribes may read it no longer");
    change_acl(&broker, both);
    assert_eq!(retained(), ["a", "b"]);
    change_acl(&broker, "user bob\ntopic read #\n");
    broker.rewrite_config(&format!(
        "listener {}\nallow_anonymous true\nacl_file {}\ncheck_retain_source false",
        broker.ports.mqtt,
        broker.folder().join("acl").display()
    ));
    broker.reload();
    assert_eq!(retained(), ["a", "b"], "where its source is not looked at");
}

#[test]
fn wills_after_a_right_was_revoked() {
    let broker = with_acl("user ann\ntopic will/#\n");
    let mut reader = broker.connect_with(&Connect::new(Version::V5, "reader").user("ann", "any"));
    reader.subscribe("#");
    let dies = |topic| {
        let will = Some(Will { topic, payload: "died", properties: &[] });
        let connect = Connect { will, ..Connect::new(Version::V5, "dying") };
        broker.connect_with(&connect.user("ann", "any"))
    };
    // A second connection of the same client ends the first, whose will is sent at once.
    let ended_by = |topic, mut first: Client| {
        let second = dies(topic);
        first.receive_until_closed();
        second
    };
    let one = dies("will/one");
    let two = ended_by("not/allowed", one);
    let three = ended_by("will/three", two);
    assert_eq!(received(&mut reader, Version::V5), ["will/one"]);
    change_acl(&broker, "user ann\ntopic read will/#\n");
    ended_by("will/four", three);
    assert_eq!(received(&mut reader, Version::V5), [""; 0]);
}

/// What the broker says of itself is nobody else's to say, whatever an ACL file allows.
#[test]
fn writing_to_sys() {
    let broker = with_acl("topic #\ntopic $SYS/#\ntopic $share/#\n");
    let mut reader = broker.connect(Version::V5, "reader");
    reader.subscribe("#");
    for topic in ["$SYS/broker/uptime", "$SYS/broker/version", "$SYS", "$share/group/a"] {
        let mut writer = broker.connect(Version::V5, "writer");
        for retain in [false, true] {
            assert_eq!(
                publish_acknowledged(&mut writer, Version::V5, topic, retain),
                0x87,
                "{topic}"
            );
        }
        let will = Some(Will { topic, payload: "will", properties: &[] });
        let connect = Connect { will, ..Connect::new(Version::V5, "dying") };
        drop(broker.connect_with(&connect));
    }
    broker.wait_for_log("Denied PUBLISH from dying to $share/group/a", &[""]);
    let mut late = broker.connect(Version::V5, "late");
    for filter in ["$SYS/broker/version", "$SYS/broker/uptime"] {
        late.subscribe(filter);
        for packet in received_packets(&mut late) {
            let (_, payload) = packet.publication(Version::V5).unwrap();
            assert_ne!(payload, filter.as_bytes(), "the broker's own value stands");
            assert_ne!(payload, b"will");
        }
    }
    assert_eq!(received(&mut reader, Version::V5), [""; 0]);
}
