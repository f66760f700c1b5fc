//! Why a connection is not there, in words for the person who has to do something about it.
//!
//! Both versions of the MQTT client have error types of their own with the same names and nearly
//! the same variants; here they become the same words.

use super::Lost;
use crate::tls;
use std::error::Error;
use std::io;
use std::time::Duration;

pub(super) fn stopped() -> Lost {
    Lost("the MQTT client stopped unexpectedly".to_owned())
}

pub(super) fn disconnected() -> Lost {
    Lost("disconnected".to_owned())
}

pub(super) fn no_answer(waited: Duration) -> Lost {
    Lost(format!("no answer within {} s", waited.as_secs()))
}

pub(super) fn not_taking(waited: Duration) -> Lost {
    Lost(format!("the broker took nothing for {} s", waited.as_secs()))
}

pub(super) fn not_acknowledging(waited: Duration) -> Lost {
    Lost(format!("the broker acknowledged nothing for {} s", waited.as_secs()))
}

pub(super) fn not_an_mqtt_broker() -> Lost {
    Lost("what answers there does not speak MQTT".to_owned())
}

pub(super) fn closed() -> Lost {
    Lost("the broker closed the connection".to_owned())
}

fn cut_off() -> Lost {
    Lost("the connection ended in the middle of a packet".to_owned())
}

pub(super) fn refusing(refusal: &str) -> Lost {
    Lost(format!("the broker refused readings, {refusal}, and takes no more of them"))
}

pub(super) fn silent() -> Lost {
    Lost("the broker did not answer a ping".to_owned())
}

pub(super) fn wrong_version() -> Lost {
    Lost("the broker does not speak this version of MQTT; try the other one with --mqtt".to_owned())
}

pub(super) fn wrong_credentials() -> Lost {
    Lost("the broker refused the user name or the password".to_owned())
}

pub(super) fn not_authorized() -> Lost {
    Lost(
        "the broker does not let this client in (not authorized); check the user name and the \
         password"
            .to_owned(),
    )
}

pub(super) fn taken_over() -> Lost {
    Lost(
        "another client took this one's place; if this program runs twice, give one of them \
         another --name or --prefix"
            .to_owned(),
    )
}

/// The broker's own reason, by its name in the specification.
pub(super) fn refused(code: impl std::fmt::Debug) -> Lost {
    Lost(format!("the broker refused the connection ({})", spaced(&format!("{code:?}"))))
}

/// The broker sent DISCONNECT, with the reason's name in the specification and perhaps a text.
pub(super) fn sent_away(code: impl std::fmt::Debug, text: Option<&str>) -> Lost {
    let code = spaced(&format!("{code:?}"));
    match text {
        Some(text) => Lost(format!("the broker closed the connection ({code}: {})", tame(text))),
        None => Lost(format!("the broker closed the connection ({code})")),
    }
}

pub(super) fn io(error: &io::Error) -> Lost {
    if let Some(error) = tls::cause(error) {
        return tls_failed(error);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Lost("connection refused, nothing listens there".to_owned())
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => closed(),
        // The framing says this and nothing else with an error of no kind.
        io::ErrorKind::Other if error.raw_os_error().is_none() => cut_off(),
        _ => Lost(error.to_string()),
    }
}

fn tls_failed(error: &rustls::Error) -> Lost {
    use rustls::CertificateError::{
        BadSignature, NotValidForName, NotValidForNameContext, UnknownIssuer,
    };
    use rustls::Error::InvalidCertificate;
    match error {
        InvalidCertificate(UnknownIssuer | BadSignature) => Lost(
            "the broker's certificate is signed by nobody who is trusted here; name the file of \
             its authority with --ca-file"
                .to_owned(),
        ),
        InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            Lost("the broker's certificate is for another host name".to_owned())
        }
        rustls::Error::InvalidMessage(_) => {
            Lost("what answers there does not speak TLS".to_owned())
        }
        error => Lost(format!("TLS failed: {}", tame(&error.to_string()))),
    }
}

/// TLS failed while it was set up; what failed is somewhere below.
pub(super) fn tls_setup(error: &(dyn Error + 'static)) -> Lost {
    below(error).unwrap_or_else(|| other(error))
}

/// No WebSocket came about.
pub(super) fn websocket(error: &(dyn Error + 'static)) -> Lost {
    below(error)
        .unwrap_or_else(|| Lost(format!("no WebSocket opens there ({})", tame(&error.to_string()))))
}

/// A WebSocket opens there, but not for MQTT (MQTT 5.0 §6: the subprotocol is `mqtt`).
pub(super) fn websocket_without_mqtt() -> Lost {
    Lost("the WebSocket that opens there is not for MQTT".to_owned())
}

/// The words for what is known to have caused an error.
fn below(error: &(dyn Error + 'static)) -> Option<Lost> {
    if let Some(error) = tls::cause(error) {
        return Some(tls_failed(error));
    }
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(io(error));
        }
        next = error.source();
    }
    None
}

/// Anything that has no words of its own above.
pub(super) fn other(error: impl std::fmt::Display) -> Lost {
    Lost(tame(error.to_string().trim().trim_end_matches('.')))
}

/// Why the broker didn't take a publish.
pub(super) fn publish_refused(code: impl std::fmt::Debug) -> String {
    spaced(&format!("{code:?}"))
}

/// `SessionTakenOver` as the words of the specification: "session taken over".
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for c in name.replace("QoS", "Qos").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// A text from the broker must not move the cursor of the terminal it is shown on.
fn tame(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words() {
        let cases = [
            (
                io(&io::Error::from(io::ErrorKind::ConnectionRefused)),
                "connection refused, nothing listens there",
            ),
            (
                io(&io::Error::from(io::ErrorKind::ConnectionReset)),
                "the broker closed the connection",
            ),
            (io(&io::Error::from(io::ErrorKind::HostUnreachable)), "host unreachable"),
            (
                io(&io::Error::other("bytes remaining on stream")),
                "the connection ended in the middle of a packet",
            ),
            (
                refused(rumqttc::v5::mqttbytes::v5::ConnectReturnCode::ServerUnavailable),
                "the broker refused the connection (server unavailable)",
            ),
            (
                sent_away(rumqttc::v5::mqttbytes::v5::DisconnectReasonCode::QuotaExceeded, None),
                "the broker closed the connection (quota exceeded)",
            ),
            (
                sent_away(rumqttc::v5::mqttbytes::v5::DisconnectReasonCode::QoSNotSupported, None),
                "the broker closed the connection (qos not supported)",
            ),
            (
                sent_away(
                    rumqttc::v5::mqttbytes::v5::DisconnectReasonCode::ServerBusy,
                    Some("come\x1b[2J back\nlater"),
                ),
                "the broker closed the connection (server busy: come[2J backlater)",
            ),
            (other("Something else.\n"), "Something else"),
            (
                io(&io::Error::other(rustls::Error::InvalidCertificate(
                    rustls::CertificateError::UnknownIssuer,
                ))),
                "the broker's certificate is signed by nobody who is trusted here; name the file \
                 of its authority with --ca-file",
            ),
            (
                tls_setup(&rumqttc::TlsError::Io(io::Error::other(rustls::Error::InvalidMessage(
                    rustls::InvalidMessage::InvalidContentType,
                )))),
                "what answers there does not speak TLS",
            ),
        ];
        for (lost, words) in cases {
            assert_eq!(lost, Lost(words.to_owned()));
        }
    }
}
