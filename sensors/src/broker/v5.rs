//! MQTT 5.0 with `rumqttc`.

use super::{
    CONNECT_TIMEOUT, Client, INFLIGHT_MAX, KEEP_ALIVE, Limits, Lost, Message, PACKET_BYTES_MAX,
    Progress, QUEUED_REQUESTS_MAX, Qos, Settings, reason,
};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, DisconnectReasonCode, LastWill, LastWillProperties, Packet,
    PubAckReason, PubRecReason, PublishProperties,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The payload is text in UTF-8 (MQTT 5.0 §3.3.2.3.2).
const PAYLOAD_IS_TEXT: u8 = 1;

pub(super) fn start(
    settings: &Settings,
    note: watch::Sender<Progress>,
) -> (Client, JoinHandle<()>) {
    let (client, event_loop) = AsyncClient::new(options(settings), QUEUED_REQUESTS_MAX);
    (Client::V5(client), tokio::spawn(drive(event_loop, note)))
}

/// `false` when there is no event loop any more to take the message.
pub(super) async fn publish(
    client: &AsyncClient,
    message: &Message,
    qos: Qos,
    retain: bool,
) -> bool {
    let properties = PublishProperties {
        payload_format_indicator: Some(PAYLOAD_IS_TEXT),
        message_expiry_interval: message.expiry.map(expiry_seconds),
        user_properties: message.user_properties(),
        ..PublishProperties::default()
    };
    let payload = message.payload.clone();
    client
        .publish_with_properties(&message.topic, qos.into(), retain, payload, properties)
        .await
        .is_ok()
}

/// Whole seconds, and at least one: zero would be gone before it arrives.
fn expiry_seconds(expiry: std::time::Duration) -> u32 {
    u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX).max(1)
}

fn options(settings: &Settings) -> MqttOptions {
    let address = &settings.address;
    let host = settings.transport.address(address);
    let mut options = MqttOptions::new(&settings.client_id, host, address.port);
    options
        .set_transport((&settings.transport).into())
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(true)
        .set_connection_timeout(CONNECT_TIMEOUT.as_secs())
        .set_outgoing_inflight_upper_limit(INFLIGHT_MAX)
        .set_max_packet_size(Some(PACKET_BYTES_MAX));
    if let Some(credentials) = &settings.credentials {
        options.set_credentials(&credentials.user, &credentials.password);
    }
    if let Some(will) = settings.offline() {
        let properties = LastWillProperties {
            payload_format_indicator: Some(PAYLOAD_IS_TEXT),
            delay_interval: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        let will = LastWill::new(will.topic, will.payload, will.qos.into(), true, Some(properties));
        options.set_last_will(will);
    }
    options
}

async fn drive(mut event_loop: EventLoop, note: watch::Sender<Progress>) {
    loop {
        match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                let no_keep_alive = connack.properties.as_ref().and_then(|p| p.server_keep_alive);
                if no_keep_alive == Some(0) {
                    // The broker turned keep-alive off (MQTT 5.0 §3.2.2.3.14). The client would
                    // ping without a pause; pinging at our own pace is allowed.
                    event_loop.options.set_keep_alive(KEEP_ALIVE);
                }
                note.send_modify(|progress| progress.connected = Some(limits(&connack)));
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return end(&note, reason::disconnected()),
            Ok(event) => {
                if let Some(settled) = settled(&event) {
                    note.send_modify(|progress| progress.settle(settled));
                }
            }
            Err(error) => return end(&note, words(&error)),
        }
    }
}

fn end(note: &watch::Sender<Progress>, lost: Lost) {
    note.send_modify(|progress| progress.ended = Some(lost));
}

/// MQTT 5.0 §3.2.2.3.4 and §3.2.2.3.5: what is absent is allowed.
fn limits(connack: &ConnAck) -> Limits {
    let properties = connack.properties.as_ref();
    Limits {
        qos: match properties.and_then(|properties| properties.max_qos) {
            Some(0) => Qos::AtMostOnce,
            Some(1) => Qos::AtLeastOnce,
            _ => Qos::ExactlyOnce,
        },
        retain: properties.and_then(|properties| properties.retain_available) != Some(0),
    }
}

/// Whether the event ends a publish, and with which refusal, if with one.
fn settled(event: &Event) -> Option<Result<(), String>> {
    match event {
        Event::Outgoing(Outgoing::Publish(0)) => Some(Ok(())),
        Event::Incoming(Packet::PubAck(ack)) => Some(match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
            refusal => Err(reason::publish_refused(refusal)),
        }),
        Event::Incoming(Packet::PubRec(rec)) => match rec.reason {
            PubRecReason::Success | PubRecReason::NoMatchingSubscribers => None,
            refusal => Some(Err(reason::publish_refused(refusal))),
        },
        Event::Incoming(Packet::PubComp(_)) => Some(Ok(())),
        _ => None,
    }
}

fn words(error: &ConnectionError) -> Lost {
    match error {
        ConnectionError::Io(error) => reason::io(error),
        ConnectionError::Timeout(_) => reason::no_answer(CONNECT_TIMEOUT),
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
        ConnectReturnCode::UnsupportedProtocolVersion
        | ConnectReturnCode::RefusedProtocolVersion => reason::wrong_version(),
        code => reason::refused(code),
    }
}

fn state_words(error: &StateError) -> Lost {
    use rumqttc::v5::mqttbytes::Error as WireError;
    match error {
        StateError::Io(error) | StateError::Deserialization(WireError::Io(error)) => {
            reason::io(error)
        }
        StateError::Deserialization(_) => reason::not_an_mqtt_broker(),
        StateError::ConnectionAborted => reason::closed(),
        StateError::AwaitPingResp => reason::silent(),
        StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        } => reason::taken_over(),
        StateError::ServerDisconnect { reason_code, reason_string } => {
            reason::sent_away(reason_code, reason_string.as_deref())
        }
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
