//! Finds out who a client is, between its CONNECT and the CONNACK: by nothing, by user name and password,
//! or by an AUTH exchange (MQTT 5.0 §3.1.3, §4.12), which may be gone through again later.
//!
//! **Invariant:** nothing here touches a session. Who fails to log in has changed nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::Bytes;
use codec::{Auth, Connect, MqttString, Packet, Properties, Property, ProtocolVersion, ReasonCode};

use crate::access::scram::{self, Exchange};
use crate::access::{Identity, Users};
use crate::log::CONNECTION;
use crate::net::tls::TlsServer;
use crate::settings::Settings;
use crate::worker::connection::{Greeting, Refused, packet_size_max};
use crate::worker::link::{Cause, SharedLink};
use crate::worker::out::{OutBuffer, SpareBuffers};
use crate::worker::{State, Worker};

/// Random bytes of a nonce, and of a Client Identifier that we make up.
const RANDOM_LEN: usize = 16;

/// What is said of an AUTH whose method is another than that of the CONNECT [MQTT-4.12.0-5].
const OTHER_METHOD: &str = "AUTH: the authentication method is not that of the CONNECT";

/// Who a client is.
#[derive(Debug)]
pub(crate) struct Login {
    pub identity: Arc<Identity>,
    /// Whether its Client Identifier is one that we made up.
    pub assigned: bool,
    /// How the client proved itself, if that was an AUTH exchange.
    pub proof: Option<Proof>,
}

/// The end of an AUTH exchange.
#[derive(Debug)]
pub(crate) struct Proof {
    pub method: MqttString,
    /// The server's last word, by which it proves itself.
    pub answer: Bytes,
}

/// A client that came in by an AUTH exchange and may go through another.
#[derive(Debug)]
pub(crate) struct Authenticated {
    method: MqttString,
    step: Option<Step>,
}

/// What an exchange waits for.
#[derive(Debug)]
enum Step {
    First,
    Last(Box<Exchange>),
}

impl Authenticated {
    pub(super) fn by(proof: &Proof) -> Self {
        Self { method: proof.method.clone(), step: None }
    }
}

/// What a CONNECT is answered that is turned down. Words are for the log: a stranger is told no more than
/// the code.
struct Turned<'a> {
    connect: &'a Connect,
}

impl Turned<'_> {
    fn down(&self, code: ReasonCode, why: impl Into<String>) -> Refused {
        Refused {
            why: why.into(),
            in_words: false,
            connack: Some((code, self.connect.version)),
            packet_size_max: packet_size_max(self.connect),
        }
    }

    fn unauthorised(&self, who: &str) -> Refused {
        let client = &self.connect.client_id;
        tracing::info!(
            target: CONNECTION,
            client = %client,
            "Client {client} disconnected, not authorised."
        );
        self.down(ReasonCode::NotAuthorized, format!("client {client}, {who}, is not authorised"))
    }
}

impl Greeting {
    /// Finds out who the client is. Its Client Identifier is set if it is not the one that it sent.
    pub(super) async fn log_in(
        &mut self,
        worker: &Worker,
        connect: &mut Connect,
    ) -> Result<Login, Refused> {
        let settings = worker.settings();
        let assigned = self.name_client(&settings, connect)?;
        // An empty user name is none, and so is an empty password, as in Mosquitto.
        connect.username = connect.username.take().filter(|username| !username.is_empty());
        connect.password = connect.password.take().filter(|password| !password.is_empty());
        let turned = Turned { connect };
        let mut proof = None;
        let username = match connect.properties.authentication_method() {
            Some(method) => {
                let method = method.detached();
                let exchange = self.exchange(worker, &settings, connect, &method);
                let (name, answer) = Box::pin(exchange).await?;
                proof = Some(Proof { method, answer });
                Some(name)
            }
            // Who shows a certificate needs no password, and has the name that stands in it.
            None if settings.tls(self.peer.listener).is_some_and(TlsServer::gives_names) => {
                let Some(name) = self.transport.certificate_username() else {
                    let why = "there is no user name in its certificate, or no certificate";
                    return Err(turned.down(ReasonCode::BadUserNameOrPassword, why));
                };
                Some(name.clone())
            }
            None => {
                self.check_password(worker, &settings, connect).await?;
                connect.username.clone()
            }
        };
        let username = username.map(|username| username.detached());
        let mut named_by_user = false;
        if settings.listener(self.peer.listener).use_username_as_clientid {
            let Some(username) = &username else {
                return Err(turned.unauthorised("which has no user name to be its identifier"));
            };
            connect.client_id = username.clone();
            named_by_user = true;
        }
        let identity = Identity {
            client_id: connect.client_id.detached(),
            username,
            listener: self.peer.listener,
        };
        Ok(Login { identity: Arc::new(identity), assigned: assigned && !named_by_user, proof })
    }

    /// Gives a client without an identifier one, where it may have it; says whether it has got one.
    fn name_client(&self, settings: &Settings, connect: &mut Connect) -> Result<bool, Refused> {
        let rules = &settings.listener(self.peer.listener).access;
        let assigned = connect.client_id.is_empty();
        if assigned {
            // MQTT 3.1 wants an identifier; MQTT 3.1.1 does where the session is to last (§3.1.3.1).
            let may_assign = match connect.version {
                ProtocolVersion::V31 => false,
                ProtocolVersion::V311 => connect.clean_start,
                ProtocolVersion::V5 => true,
            };
            let id = made_up_id(&rules.auto_id_prefix);
            match id.filter(|_| may_assign && rules.allow_zero_length_clientid) {
                Some(id) => connect.client_id = id,
                None => {
                    let code = match connect.version {
                        ProtocolVersion::V5 => ReasonCode::UnspecifiedError,
                        _ => ReasonCode::ClientIdentifierNotValid,
                    };
                    return Err(Turned { connect }.down(code, "it has no client identifier"));
                }
            }
        }
        match &settings.config.rules.clientid_prefix {
            Some(prefix) if !connect.client_id.as_str().starts_with(prefix) => {
                let who = format!("whose identifier does not begin with {prefix}");
                Err(Turned { connect }.unauthorised(&who))
            }
            _ => Ok(assigned),
        }
    }

    /// Checks user name and password, or that none are needed.
    async fn check_password(
        &self,
        worker: &Worker,
        settings: &Settings,
        connect: &Connect,
    ) -> Result<(), Refused> {
        let turned = Turned { connect };
        let open = settings.listener(self.peer.listener).access.allow_anonymous;
        match (&connect.username, settings.users(self.peer.listener)) {
            (None, _) if open => Ok(()),
            (None, _) => Err(turned.unauthorised("which has no user name")),
            // Without a password file a name is no more than a name.
            (Some(_), None) if open => Ok(()),
            (Some(name), None) => Err(turned.unauthorised(&format!("user '{name}'"))),
            (Some(name), Some(users)) => {
                let known = match &connect.password {
                    Some(password) => Box::pin(has_password(worker, users, name, password)).await,
                    None => false,
                };
                let refused = || turned.unauthorised(&format!("user '{name}'"));
                if known { Ok(()) } else { Err(refused()) }
            }
        }
    }

    /// The exchange of AUTH packets that MQTT 5.0 §4.12 describes; its end are the user's name and what
    /// the CONNACK says.
    async fn exchange(
        &mut self,
        worker: &Worker,
        settings: &Settings,
        connect: &Connect,
        method: &MqttString,
    ) -> Result<(MqttString, Bytes), Refused> {
        let turned = Turned { connect };
        let users = settings.users(self.peer.listener).filter(|_| method.as_str() == scram::METHOD);
        let Some(users) = users else {
            let why = format!("its authentication method {method} is not served");
            return Err(turned.down(ReasonCode::BadAuthenticationMethod, why));
        };
        let first = match connect.properties.authentication_data() {
            Some(first) => first,
            // A client may wait to be asked.
            None => self.ask(worker, connect, method, None).await?,
        };
        let fails = |failure: scram::Failure| {
            turned.down(ReasonCode::NotAuthorized, format!("it is not authorised: {failure}"))
        };
        let (exchange, answer) = begin(users, &first).map_err(fails)?;
        let last = self.ask(worker, connect, method, Some(answer.into())).await?;
        let user = exchange.user().to_owned();
        let proved = exchange
            .finish(&last)
            .map_err(|failure| turned.unauthorised(&format!("user '{user}' ({failure})")))?;
        let same = connect.username.as_ref().is_none_or(|name| name.as_str() == proved.user);
        match MqttString::new(&proved.user) {
            Ok(name) if same => Ok((name, proved.answer.into())),
            _ => Err(turned.unauthorised("which names two users")),
        }
    }

    /// Sends an AUTH and reads the answer.
    async fn ask(
        &mut self,
        worker: &Worker,
        connect: &Connect,
        method: &MqttString,
        data: Option<Bytes>,
    ) -> Result<Bytes, Refused> {
        let turned = Turned { connect };
        let packet = auth_packet(ReasonCode::ContinueAuthentication, method, data);
        let (mut out, mut spare) = (OutBuffer::default(), SpareBuffers::default());
        let max = packet_size_max(connect);
        out.append(&packet, connect.version, max, &mut spare).map_err(|_| {
            Refused::silently("its Maximum Packet Size leaves no room for an AUTH".into())
        })?;
        self.write(worker, &mut out).await.map_err(|error| Refused::silently(error.to_string()))?;
        match self.read_packet(worker, Some(connect.version)).await? {
            Packet::Auth(answer) => continued(&answer, method)
                .map_err(|why| turned.down(ReasonCode::ProtocolError, why)),
            Packet::Disconnect(_) => Err(Refused::silently("it left before it logged in".into())),
            // Nothing else may be sent before the CONNACK then (MQTT 5.0 §3.1.2.11.9).
            _ => {
                let why = "it sent another packet than AUTH before it was logged in";
                Err(turned.down(ReasonCode::ProtocolError, why))
            }
        }
    }
}

impl State {
    /// Takes the client through an exchange again, on its living connection (MQTT 5.0 §4.12.1). All else
    /// goes on meanwhile.
    pub(super) fn on_auth(
        &mut self,
        slot: usize,
        link: &SharedLink,
        auth: &Auth,
    ) -> Result<(), Cause> {
        let link = &mut *link.borrow_mut();
        let out_of_turn = |why| Err(Cause::refused(ReasonCode::ProtocolError, why));
        let Some(authenticated) = &mut link.authenticated else {
            return out_of_turn("AUTH: the connection was made without an authentication method");
        };
        let method = authenticated.method.clone();
        if auth.properties.authentication_method().as_ref() != Some(&method) {
            return out_of_turn(OTHER_METHOD);
        }
        let Some(users) = self.settings.users(link.peer.listener) else {
            let why = "its authentication method is no longer served";
            return Err(Cause::refused(ReasonCode::BadAuthenticationMethod, why));
        };
        let fails = |failure| Cause::refused(ReasonCode::NotAuthorized, failure);
        let data = auth.properties.authentication_data();
        let (code, answer) = match (auth.code, authenticated.step.take(), data) {
            (ReasonCode::ReAuthenticate, None, None) => {
                authenticated.step = Some(Step::First);
                (ReasonCode::ContinueAuthentication, None)
            }
            (ReasonCode::ReAuthenticate, None, Some(first))
            | (ReasonCode::ContinueAuthentication, Some(Step::First), Some(first)) => {
                let (exchange, answer) = begin(users, &first).map_err(fails)?;
                authenticated.step = Some(Step::Last(Box::new(exchange)));
                (ReasonCode::ContinueAuthentication, Some(answer.into()))
            }
            (ReasonCode::ContinueAuthentication, Some(Step::Last(exchange)), Some(last)) => {
                let proved = exchange.finish(&last).map_err(fails)?;
                // Who else it may be now would have a session and rights of their own.
                let session = self.sessions.get(slot);
                let name = session.and_then(|session| session.identity.username.as_ref());
                if name.is_none_or(|name| name.as_str() != proved.user) {
                    return Err(fails(scram::Failure::OtherUser));
                }
                (ReasonCode::Success, Some(proved.answer.into()))
            }
            _ => return out_of_turn("AUTH: it comes out of turn"),
        };
        link.send(&auth_packet(code, &method, answer), &mut self.spare)
    }
}

/// Begins an exchange with a nonce of its own.
fn begin(users: &Users, first: &[u8]) -> Result<(Exchange, String), scram::Failure> {
    let nonce = BASE64_STANDARD_NO_PAD.encode(random().ok_or(scram::Failure::NoNonce)?);
    Exchange::begin(first, &nonce, |name| users.scram(name))
}

/// The data of an AUTH that goes on with an exchange.
fn continued(auth: &Auth, method: &MqttString) -> Result<Bytes, &'static str> {
    if auth.code != ReasonCode::ContinueAuthentication {
        return Err("AUTH: it does not go on with the exchange that was begun");
    }
    if auth.properties.authentication_method().as_ref() != Some(method) {
        return Err(OTHER_METHOD);
    }
    Ok(auth.properties.authentication_data().unwrap_or_default())
}

/// An AUTH of this method.
fn auth_packet(code: ReasonCode, method: &MqttString, data: Option<Bytes>) -> Packet {
    let method = Property::AuthenticationMethod(method.clone());
    let data = data.map(Property::AuthenticationData);
    let properties = Properties::new([method].into_iter().chain(data)).unwrap_or_default();
    Packet::Auth(Auth { code, properties })
}

/// Whether the password is the user's. That takes time, which is spent on a thread that serves nobody.
async fn has_password(
    worker: &Worker,
    users: &Arc<Users>,
    name: &MqttString,
    password: &Bytes,
) -> bool {
    let checks = Arc::clone(&worker.shared.password_checks);
    let Ok(permit) = checks.acquire_owned().await else { return false };
    let (users, name, password) = (Arc::clone(users), name.clone(), password.clone());
    let check = tokio::task::spawn_blocking(move || {
        let has = users.has(name.as_str(), &password);
        // Kept to the end of the check, which goes on even if the client has left meanwhile.
        drop(permit);
        has
    });
    check.await.unwrap_or(false)
}

fn random() -> Option<[u8; RANDOM_LEN]> {
    let mut bytes = [0; RANDOM_LEN];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// A Client Identifier in the form that Mosquitto gives it: the prefix and a UUID, which nobody guesses.
fn made_up_id(prefix: &str) -> Option<MqttString> {
    let digits = format!("{:032X}", u128::from_be_bytes(random()?));
    let mut id = String::from(prefix);
    for (index, digit) in digits.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    MqttString::new(&id).ok()
}
