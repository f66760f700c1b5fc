//! MQTT 3.1.1 with `rumqttc`.

use super::{
    CONNECT_TIMEOUT, Client, INFLIGHT_UNTOLD_MAX, KEEP_ALIVE, Limits, Lost, Message,
    PACKET_BYTES_MAX, Progress, QUEUED_REQUESTS_MAX, Qos, Settings, reason,
};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    NetworkOptions, Outgoing, Packet, QoS, StateError,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) fn start(
    settings: &Settings,
    note: watch::Sender<Progress>,
) -> (Client, JoinHandle<()>) {
    let (client, mut event_loop) = AsyncClient::new(options(settings), QUEUED_REQUESTS_MAX);
    let mut network = NetworkOptions::new();
    network.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
    event_loop.set_network_options(network);
    (Client::V3(client), tokio::spawn(drive(event_loop, note)))
}

/// `false` when there is no event loop any more to take the message.
pub(super) async fn publish(
    client: &AsyncClient,
    message: &Message,
    qos: Qos,
    retain: bool,
) -> bool {
    let payload = message.payload.clone();
    client.publish(&message.topic, qos.into(), retain, payload).await.is_ok()
}

fn options(settings: &Settings) -> MqttOptions {
    let address = &settings.address;
    let packet_bytes_max = usize::try_from(PACKET_BYTES_MAX).unwrap_or(usize::MAX);
    let host = settings.transport.address(address);
    let mut options = MqttOptions::new(&settings.client_id, host, address.port);
    options
        .set_transport((&settings.transport).into())
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_inflight(INFLIGHT_UNTOLD_MAX)
        .set_max_packet_size(packet_bytes_max, packet_bytes_max);
    if let Some(credentials) = &settings.credentials {
        options.set_credentials(&credentials.user, &credentials.password);
    }
    if let Some(will) = settings.offline() {
        options.set_last_will(LastWill::new(will.topic, will.payload, will.qos.into(), true));
    }
    options
}

async fn drive(mut event_loop: EventLoop, note: watch::Sender<Progress>) {
    loop {
        match event_loop.poll().await {
            // MQTT 3.1.1 has no way to say that it allows less.
            Ok(Event::Incoming(Packet::ConnAck(_))) => note.send_modify(|progress| {
                progress.connected = Some(Limits { qos: Qos::ExactlyOnce, retain: true });
            }),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return end(&note, reason::disconnected()),
            Ok(event) => {
                if is_settled(&event) {
                    note.send_modify(|progress| progress.settle(Ok(())));
                }
            }
            Err(error) => return end(&note, words(&error)),
        }
    }
}

fn end(note: &watch::Sender<Progress>, lost: Lost) {
    note.send_modify(|progress| progress.ended = Some(lost));
}

/// Whether the event ends a publish. MQTT 3.1.1 has no way to refuse one.
fn is_settled(event: &Event) -> bool {
    matches!(
        event,
        Event::Outgoing(Outgoing::Publish(0))
            | Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))
    )
}

fn words(error: &ConnectionError) -> Lost {
    match error {
        ConnectionError::Io(error) => reason::io(error),
        ConnectionError::NetworkTimeout => reason::no_answer(CONNECT_TIMEOUT),
        ConnectionError::FlushTimeout => reason::not_taking(CONNECT_TIMEOUT),
        ConnectionError::NotConnAck(_) => reason::not_an_mqtt_broker(),
        ConnectionError::ConnectionRefused(code) => refused(*code),
        ConnectionError::MqttState(error) => state_words(error),
        ConnectionError::Tls(error) => reason::tls_setup(error),
        ConnectionError::Websocket(error) => reason::websocket(error),
        ConnectionError::ResponseValidation(_) => reason::websocket_without_mqtt(),
        error => reason::other(error),
    }
}

fn refused(code: ConnectReturnCode) -> Lost {
    match code {
        ConnectReturnCode::BadUserNamePassword => reason::wrong_credentials(),
        ConnectReturnCode::NotAuthorized => reason::not_authorized(),
        ConnectReturnCode::RefusedProtocolVersion => reason::wrong_version(),
        code => reason::refused(code),
    }
}

fn state_words(error: &StateError) -> Lost {
    use rumqttc::mqttbytes::Error as WireError;
    match error {
        StateError::Io(error) | StateError::Deserialization(WireError::Io(error)) => {
            reason::io(error)
        }
        StateError::Deserialization(_) => reason::not_an_mqtt_broker(),
        StateError::ConnectionAborted => reason::closed(),
        StateError::AwaitPingResp => reason::silent(),
        error => reason::other(error),
    }
}

impl From<Qos> for QoS {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::AtMostOnce => Self::AtMostOnce,
            Qos::AtLeastOnce => Self::AtLeastOnce,
            Qos::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}
