//! Who may come in, and what they may do.
//!
//! [`Users`] is a password file as Mosquitto has it; [`scram`] is how a client of MQTT 5.0 proves its
//! password without sending it; [`manage`] is `ws-broker passwd`. What happens on a connection is in
//! `worker/login.rs`.

mod passwd;
mod password;
pub(crate) mod scram;
mod users;

use codec::MqttString;

pub(crate) use passwd::manage;
pub(crate) use users::Users;

/// Who a client is, once that is established.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub client_id: MqttString,
    pub username: Option<MqttString>,
    /// The number of the listener it came in by.
    pub listener: usize,
}
