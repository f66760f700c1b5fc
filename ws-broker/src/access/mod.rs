//! Who may come in, and what they may do.
//!
//! [`Users`] is a password file, [`Acl`] an ACL file, both as Mosquitto has them; [`scram`] is how a
//! client of MQTT 5.0 proves its password without sending it. All of it is rules and data: what happens
//! on a connection is in `worker/login.rs`.

mod acl;
mod passwd;
mod password;
pub(crate) mod scram;
mod users;

use codec::MqttString;

pub(crate) use acl::{Access, Acl, Rights};
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

impl Identity {
    /// Stands for the listener of this broker's own bridges, which came in by none.
    pub(crate) const NO_LISTENER: usize = usize::MAX;

    /// Whether a name would be a wildcard in a topic filter.
    fn has_wildcard(&self) -> bool {
        let names = [Some(&self.client_id), self.username.as_ref()];
        names.into_iter().flatten().any(|name| name.as_str().contains(['+', '#']))
    }
}
