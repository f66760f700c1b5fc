//! Enhanced authentication (MQTT 5.0 §4.12): SCRAM-SHA-512 with the users of a password file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use codec::{Auth, ConnAck, Connect, Disconnect, Packet, Properties, Property, ReasonCode};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha512};
use tests::Broker;
use tests::broker::{Ports, bare_command};
use tests::program::Program;

use crate::client::*;

pub(crate) const METHOD: &str = "SCRAM-SHA-512";
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

/// A broker with the users ann, bob and old, whose password is `secret`; `old` is hashed in a way that
/// SCRAM can't go by.
#[track_caller]
pub(crate) fn with_users() -> Broker {
    Broker::configured_with(|Ports { mqtt, .. }, folder| {
        let file = folder.join("passwords");
        let name = file.to_str().unwrap();
        for arguments in [
            &["-c", "-I", "4096", "-b", name, "ann", "secret"][..],
            &["-I", "4096", "-b", name, "bob", "secret"],
            &["-H", "sha512", "-b", name, "old", "secret"],
        ] {
            let mut command = bare_command();
            Program::start("ws-broker passwd", command.arg("passwd").args(arguments))
                .wait_success();
        }
        format!("listener {mqtt}\npassword_file {name}")
    })
}

/// The client's side of one exchange.
struct Scram {
    password: &'static str,
    bare: String,
    said: String,
    signature: String,
}

impl Scram {
    fn new(user: &str, password: &'static str) -> Self {
        let bare = format!("n={user},r={NONCE}");
        Self { password, bare, said: String::new(), signature: String::new() }
    }

    /// The first message.
    fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The answer to the server's first message, with the proof.
    fn last(&mut self, answer: &str) -> String {
        let part = |name| answer.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
        let (nonce, salt, iterations) = (part("r="), part("s="), part("i="));
        assert!(nonce.starts_with(NONCE) && nonce.len() > NONCE.len(), "{answer}");
        let salt = BASE64_STANDARD.decode(salt).unwrap();
        let mut salted = [0; 64];
        let (password, iterations) = (self.password.as_bytes(), iterations.parse().unwrap());
        pbkdf2::pbkdf2_hmac::<Sha512>(password, &salt, iterations, &mut salted);
        let without_proof = format!("c=biws,r={nonce}");
        self.said = format!("{},{answer},{without_proof}", self.bare);
        self.signature = BASE64_STANDARD.encode(sign(&sign(&salted, "Server Key"), &self.said));
        let client_key = sign(&salted, "Client Key");
        let signature = sign(&Sha512::digest(client_key).into(), &self.said);
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(one, two)| one ^ two).collect();
        format!("{without_proof},p={}", BASE64_STANDARD.encode(proof))
    }
}

fn sign(key: &[u8; 64], text: &str) -> [u8; 64] {
    let mut hmac = Hmac::<Sha512>::new_from_slice(key).unwrap();
    hmac.update(text.as_bytes());
    hmac.finalize().into_bytes().into()
}

fn method(data: Option<&str>) -> Properties {
    let data = data.map(|data| Property::AuthenticationData(Bytes::from(data.to_owned())));
    properties([Property::AuthenticationMethod(text(METHOD))].into_iter().chain(data))
}

fn auth(code: ReasonCode, data: Option<&str>) -> Packet {
    Packet::Auth(Auth { code, properties: method(data) })
}

fn continuing(data: &str) -> Packet {
    auth(ReasonCode::ContinueAuthentication, Some(data))
}

fn scram_connect(client_id: &str, data: Option<&str>) -> Packet {
    Packet::Connect(Box::new(Connect { properties: method(data), ..connect(V5, client_id) }))
}

impl Client {
    /// The next packet has to be an AUTH with this code and the method; its data.
    #[track_caller]
    fn receive_auth(&mut self, code: ReasonCode) -> String {
        let Packet::Auth(auth) = self.receive() else { panic!("AUTH was expected") };
        assert_eq!(auth.code, code);
        assert_eq!(auth.properties.authentication_method(), Some(text(METHOD)));
        let data = auth.properties.authentication_data().unwrap_or_default();
        String::from_utf8(data.to_vec()).unwrap()
    }

    #[track_caller]
    fn receive_connack(&mut self) -> ConnAck {
        match self.receive() {
            Packet::ConnAck(connack) => connack,
            other => panic!("CONNACK was expected, {other:?} came"),
        }
    }

    /// Refused with this code, and closed.
    #[track_caller]
    pub(crate) fn expect_refusal(&mut self, code: ReasonCode) {
        let connack = self.receive_connack();
        assert_eq!((connack.code, connack.session_present), (code, false));
        self.expect_closed();
    }
}

/// Connects as a user and goes through the exchange up to the CONNACK.
#[track_caller]
fn log_in(
    broker: &Broker,
    client_id: &str,
    user: &str,
    password: &'static str,
) -> (Client, ConnAck) {
    let mut scram = Scram::new(user, password);
    let mut client = Client::open(broker, V5);
    client.send(scram_connect(client_id, Some(&scram.first())));
    let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
    client.send(continuing(&scram.last(&answer)));
    let connack = client.receive_connack();
    if connack.code == ReasonCode::Success {
        let properties = &connack.properties;
        assert_eq!(properties.authentication_method(), Some(text(METHOD)));
        let proof = format!("v={}", scram.signature);
        assert_eq!(properties.authentication_data(), Some(Bytes::from(proof)));
    }
    (client, connack)
}

/// Goes through the exchange again on a living connection, up to the last packet of the client.
#[track_caller]
fn log_in_again(client: &mut Client, user: &str, password: &'static str) -> Scram {
    let mut scram = Scram::new(user, password);
    client.send(auth(ReasonCode::ReAuthenticate, Some(&scram.first())));
    let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
    client.send(continuing(&scram.last(&answer)));
    scram
}

/// A client proves that it knows the password, and the broker that it knows it too.
/// [MQTT-4.12.0-2, MQTT-4.12.0-5]
#[test]
fn who_knows_the_password_comes_in_without_sending_it() {
    let broker = with_users();
    for user in ["ann", "bob"] {
        let (mut client, connack) = log_in(&broker, user, user, "secret");
        assert_eq!(connack.code, ReasonCode::Success);
        client.expect_nothing();
    }
}

/// A client may let itself be asked before it says who it is.
/// [MQTT-4.12.0-2]
#[test]
fn a_client_may_wait_to_be_asked() {
    let broker = with_users();
    let mut scram = Scram::new("ann", "secret");
    let mut client = Client::open(&broker, V5);
    client.send(scram_connect("ann", None));
    assert_eq!(client.receive_auth(ReasonCode::ContinueAuthentication), "");
    client.send(continuing(&scram.first()));
    let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
    client.send(continuing(&scram.last(&answer)));
    assert_eq!(client.receive_connack().code, ReasonCode::Success);
}

/// A wrong password, a user who is not there and one whose hash is of another kind look alike to the end.
/// [MQTT-4.12.0-1, MQTT-4.12.0-4]
#[test]
fn who_does_not_know_the_password_stays_out() {
    let broker = with_users();
    for (user, password) in [("ann", "wrong"), ("eve", "secret"), ("old", "secret")] {
        let (mut client, connack) = log_in(&broker, user, user, password);
        assert_eq!(connack.code, ReasonCode::NotAuthorized, "{user}");
        client.expect_closed();
    }
}

/// The salt that a user who is not there seems to have is the same each time, and another one than
/// others have.
#[test]
fn a_user_who_is_not_there_has_a_salt_all_the_same() {
    let broker = with_users();
    let salt = |user: &str| {
        let mut client = Client::open(&broker, V5);
        client.send(scram_connect("id", Some(&Scram::new(user, "secret").first())));
        let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
        let parts: Vec<_> = answer.split(',').skip(1).map(str::to_owned).collect();
        parts.join(",")
    };
    let [ann, eve, mallory] = ["ann", "eve", "mallory"].map(salt);
    assert_eq!(ann.len(), eve.len());
    assert_eq!(salt("eve"), eve);
    assert_ne!(eve, mallory);
    assert_ne!(eve, ann);
    let iterations = |text: &str| text.rsplit_once(",i=").unwrap().1.to_owned();
    assert_eq!([iterations(&ann), iterations(&eve)], ["4096", "4096"]);
}

/// [MQTT-4.12.0-1]
#[test]
fn without_a_password_file_there_is_no_method() {
    let broker = Broker::start();
    let mut client = Client::open(&broker, V5);
    client.send(scram_connect("id", Some(&Scram::new("ann", "secret").first())));
    client.expect_refusal(ReasonCode::BadAuthenticationMethod);
}

/// During an exchange only AUTH goes on with it, with its method and 0x18; DISCONNECT ends it, and all else
/// is an error. [MQTT-4.12.0-4, MQTT-3.1.2-30]
#[test]
fn what_is_out_of_turn_during_the_exchange_ends_it() {
    let broker = with_users();
    let begin = || {
        let scram = Scram::new("ann", "secret");
        let mut client = Client::open(&broker, V5);
        client.send(scram_connect("id", Some(&scram.first())));
        let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
        (client, scram, answer)
    };
    let other = properties([Property::AuthenticationMethod(text("SCRAM-SHA-1"))]);
    let early = Packet::Publish(publish("a", "early", AtMostOnce, 0));
    for packet in [
        auth(ReasonCode::ReAuthenticate, Some("n,,n=ann,r=12345678")),
        Packet::Auth(Auth { code: ReasonCode::ContinueAuthentication, properties: other }),
        early,
        Packet::PingReq,
        scram_connect("id", None),
    ] {
        let (mut client, ..) = begin();
        client.send(packet.clone());
        client.expect_refusal(ReasonCode::ProtocolError);
    }
    for data in ["", "c=biws", "n,,n=ann,r=12345678"] {
        let (mut client, ..) = begin();
        client.send(continuing(data));
        client.expect_refusal(ReasonCode::NotAuthorized);
    }
    let (mut client, ..) = begin();
    let goodbye = Disconnect::new(ReasonCode::Success);
    client.send(Packet::Disconnect(goodbye));
    client.expect_closed();
    // A proof holds for its own exchange alone.
    let (_first, mut scram, answer) = begin();
    let (mut second, ..) = begin();
    second.send(continuing(&scram.last(&answer)));
    second.expect_refusal(ReasonCode::NotAuthorized);
}

/// A user name beside the exchange has to be the same.
#[test]
fn a_client_is_one_user() {
    let broker = with_users();
    for (beside, code) in [("ann", ReasonCode::Success), ("bob", ReasonCode::NotAuthorized)] {
        let mut scram = Scram::new("ann", "secret");
        let mut client = Client::open(&broker, V5);
        let properties = method(Some(&scram.first()));
        let connect = Connect { properties, username: Some(text(beside)), ..connect(V5, "id") };
        client.send(Packet::Connect(Box::new(connect)));
        let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
        client.send(continuing(&scram.last(&answer)));
        assert_eq!(client.receive_connack().code, code, "{beside}");
    }
}

/// Who is logged in may do so again, and goes on with everything else meanwhile.
/// [MQTT-4.12.0-2, MQTT-4.12.0-5]
#[test]
fn a_client_logs_in_again_on_its_living_connection() {
    let broker = with_users();
    let (mut client, _) = log_in(&broker, "ann", "ann", "secret");
    client.subscribe_qos("a", AtMostOnce);
    for _ in 0..2 {
        let mut scram = Scram::new("ann", "secret");
        client.send(auth(ReasonCode::ReAuthenticate, Some(&scram.first())));
        let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
        client.send(Packet::Publish(publish("a", "meanwhile", AtMostOnce, 0)));
        client.take("meanwhile");
        client.send(continuing(&scram.last(&answer)));
        let proof = client.receive_auth(ReasonCode::Success);
        assert_eq!(proof, format!("v={}", scram.signature));
        client.expect_nothing();
    }
    client.send(auth(ReasonCode::ReAuthenticate, None));
    assert_eq!(client.receive_auth(ReasonCode::ContinueAuthentication), "");
    let mut scram = Scram::new("ann", "secret");
    client.send(continuing(&scram.first()));
    let answer = client.receive_auth(ReasonCode::ContinueAuthentication);
    client.send(continuing(&scram.last(&answer)));
    client.receive_auth(ReasonCode::Success);
}

/// Who fails to is out, and so is who turns out to be somebody else.
/// [MQTT-4.12.1-2]
#[test]
fn a_client_that_fails_to_log_in_again_is_out() {
    let broker = with_users();
    for (user, password) in [("ann", "wrong"), ("bob", "secret"), ("eve", "secret")] {
        let (mut client, _) = log_in(&broker, "ann", "ann", "secret");
        log_in_again(&mut client, user, password);
        client.expect_disconnect(ReasonCode::NotAuthorized);
    }
    // Its user was deleted meanwhile.
    let (mut client, _) = log_in(&broker, "ann", "ann", "secret");
    std::fs::write(broker.folder().join("passwords"), "").unwrap();
    broker.reload();
    client.expect_nothing();
    log_in_again(&mut client, "ann", "secret");
    client.expect_disconnect(ReasonCode::NotAuthorized);
}

/// On a living connection, too, AUTH has its turn and its method. [MQTT-4.12.0-7, MQTT-4.12.1-1]
#[test]
fn auth_out_of_turn_ends_the_connection() {
    let broker = with_users();
    let first = Scram::new("ann", "secret").first();
    let other = properties([Property::AuthenticationMethod(text("SCRAM-SHA-1"))]);
    let other = Packet::Auth(Auth { code: ReasonCode::ReAuthenticate, properties: other });
    for (packet, code) in [
        (continuing(&first), ReasonCode::ProtocolError),
        (other, ReasonCode::ProtocolError),
        (auth(ReasonCode::ReAuthenticate, Some("n,,")), ReasonCode::NotAuthorized),
    ] {
        let (mut client, _) = log_in(&broker, "ann", "ann", "secret");
        client.send(packet);
        client.expect_disconnect(code);
    }
    let (mut client, _) = log_in(&broker, "ann", "ann", "secret");
    client.send(auth(ReasonCode::ReAuthenticate, Some(&first)));
    client.receive_auth(ReasonCode::ContinueAuthentication);
    client.send(auth(ReasonCode::ReAuthenticate, Some(&first)));
    client.expect_disconnect(ReasonCode::ProtocolError);

    let connect = Connect {
        username: Some(text("ann")),
        password: Some(Bytes::from_static(b"secret")),
        ..connect(V5, "plain")
    };
    let mut plain = Client::connect(&broker, connect);
    plain.send(auth(ReasonCode::ReAuthenticate, Some(&first)));
    plain.expect_disconnect(ReasonCode::ProtocolError);
}
