//! Every word of `mosquitto.conf`, what becomes of it, and how its values are read.
//!
//! `docs/mosquitto.conf.md` is written from this table; a test holds the two together.
#![expect(
    clippy::unit_arg,
    reason = "an assignment is all that most words do, and fits one line so"
)]

use codec::{ProtocolVersion, TopicName};

use super::bridge::{BridgeTls, BridgeTopic, Direction, Restart, Start};
use super::file::{Draft, Fault, Values, qos};
use super::listener::{Domain, Protocol};
use super::{Destination, Durability, Format, LogTypes};

/// One word.
pub(super) struct Word {
    pub name: &'static str,
    pub scope: Scope,
    pub fate: Fate,
    /// Whether it may be said once only in its place.
    pub once: bool,
    /// Whether a reload (SIGHUP) takes a new value, which the table in the docs tells.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the table in the docs is written by a test")
    )]
    pub reloads: bool,
    pub read: fn(&mut Draft, Values<'_>) -> Result<(), Fault>,
}

/// What a word belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole broker.
    All,
    /// The whole broker, or the listener with `per_listener_settings`.
    Access,
    Listener,
    Bridge,
}

/// What becomes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Works,
    /// It is read, and changes nothing for this reason.
    Noted(&'static str),
    /// The broker does not start, for this reason.
    Refused(&'static str),
}

const fn word(
    name: &'static str,
    scope: Scope,
    read: fn(&mut Draft, Values<'_>) -> Result<(), Fault>,
) -> Word {
    Word { name, scope, fate: Fate::Works, once: false, reloads: false, read }
}

const fn noted(name: &'static str, scope: Scope, why: &'static str) -> Word {
    word(name, scope, |_, values| values.text().map(|_| ())).noted(why)
}

const fn refused(name: &'static str, scope: Scope, why: &'static str) -> Word {
    Word { fate: Fate::Refused(why), ..word(name, scope, |_, _| Ok(())) }
}

impl Word {
    const fn noted(self, why: &'static str) -> Self {
        Self { fate: Fate::Noted(why), ..self }
    }

    const fn once(self) -> Self {
        Self { once: true, ..self }
    }

    const fn reloads(self) -> Self {
        Self { reloads: true, ..self }
    }
}

const PLUGINS: &str = "plugins are C libraries made for Mosquitto's own program; password_file, acl_file \
     and enhanced authentication are built in";
const PSK: &str = "the TLS library has no pre-shared keys; use certificates (certfile, keyfile)";
const ENGINES: &str = "the TLS library is not OpenSSL and has no engines; keys are PEM files";
const LOCAL_USER: &str =
    "no password or ACL is asked of a bridge here: its topic lines say what crosses";
const SAVES: &str = "each change is saved before it is acknowledged: see durability";
const NO_FILE: &str = "the store is a folder of its own, `ws-broker.store` at persistence_location; a mosquitto.db is \
     taken over by `ws-broker import`";

/// All words, in the order of the alphabet.
pub(super) const WORDS: &[Word] = &[
    word("acl_file", Scope::Access, |to, v| Ok(to.access()?.acl_file = Some(v.path()?)))
        .once()
        .reloads(),
    word("address", Scope::Bridge, addresses).once(),
    word("addresses", Scope::Bridge, addresses).once(),
    word("allow_anonymous", Scope::Access, |to, v| to.allow_anonymous(v.flag()?)).reloads(),
    noted(
        "allow_duplicate_messages",
        Scope::All,
        "overlapping subscriptions get one copy of a message, whatever is asked for",
    ),
    word("allow_zero_length_clientid", Scope::Access, |to, v| {
        Ok(to.access()?.allow_zero_length_clientid = v.flag()?)
    })
    .reloads(),
    refused("auth_plugin", Scope::Access, PLUGINS),
    refused("auth_plugin_deny_special_chars", Scope::Access, PLUGINS),
    word("auto_id_prefix", Scope::Access, |to, v| {
        Ok(to.access()?.auto_id_prefix = v.text()?.to_owned())
    })
    .once()
    .reloads(),
    noted("autosave_interval", Scope::All, SAVES),
    noted("autosave_on_changes", Scope::All, SAVES),
    word("bind_address", Scope::Listener, |to, v| {
        let address = v.one()?.to_owned();
        only_default(to, "bind_address")?;
        to.tcp(|host, _, _, _| *host = Some(address))
    })
    .once(),
    word("bind_interface", Scope::Listener, |to, v| {
        let device = v.one()?.to_owned();
        to.tcp(|_, _, _, interface| *interface = Some(device))
    })
    .once(),
    word("bridge_alpn", Scope::Bridge, |to, v| Ok(tls_of(to)?.alpn = Some(v.text()?.to_owned())))
        .once(),
    word("bridge_attempt_unsubscribe", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.attempt_unsubscribe = v.flag()?)
    }),
    word("bridge_bind_address", Scope::Bridge, |to, v| {
        let value = v.one()?;
        let address = value.parse().map_err(|_| v.invalid(value, "an IP address"))?;
        Ok(to.bridge()?.bind_address = Some(address))
    })
    .once(),
    word("bridge_cafile", Scope::Bridge, |to, v| Ok(tls_of(to)?.cafile = Some(v.path()?))).once(),
    word("bridge_capath", Scope::Bridge, |to, v| Ok(tls_of(to)?.capath = Some(v.path()?))).once(),
    word("bridge_certfile", Scope::Bridge, |to, v| Ok(tls_of(to)?.certfile = Some(v.path()?)))
        .once(),
    refused("bridge_identity", Scope::Bridge, PSK),
    word("bridge_insecure", Scope::Bridge, |to, v| Ok(tls_of(to)?.insecure = v.flag()?)),
    word("bridge_keyfile", Scope::Bridge, |to, v| Ok(tls_of(to)?.keyfile = Some(v.path()?))).once(),
    word("bridge_max_packet_size", Scope::Bridge, |to, v| {
        let size = v.fitting::<u32>(0, i64::from(u32::MAX))?;
        Ok(to.bridge()?.max_packet_size = Some(size).filter(|size| *size > 0))
    }),
    word("bridge_outgoing_retain", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.outgoing_retain = v.flag()?)
    }),
    word("bridge_protocol_version", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.protocol_version = match v.one()? {
            "mqttv31" => ProtocolVersion::V31,
            "mqttv311" => ProtocolVersion::V311,
            "mqttv50" => ProtocolVersion::V5,
            value => return Err(v.invalid(value, "mqttv31, mqttv311 or mqttv50")),
        })
    }),
    refused("bridge_psk", Scope::Bridge, PSK),
    word("bridge_require_ocsp", Scope::Bridge, |_, v| match v.flag()? {
        true => {
            Err("bridge_require_ocsp true is not supported: the TLS library does not ask for OCSP"
                .into())
        }
        false => Ok(()),
    }),
    word(
        "bridge_tls_use_os_certs",
        Scope::Bridge,
        |to, v| Ok(tls_of(to)?.use_os_certs = v.flag()?),
    ),
    word("bridge_tls_version", Scope::Bridge, |to, v| Ok(tls_of(to)?.only_tls13 = only_tls13(v)?))
        .once(),
    word("cafile", Scope::Listener, |to, v| Ok(to.tls()?.tls.cafile = Some(v.path()?))).once(),
    word("capath", Scope::Listener, |to, v| Ok(to.tls()?.tls.capath = Some(v.path()?))).once(),
    word("certfile", Scope::Listener, |to, v| Ok(to.tls()?.certfile = Some(v.path()?))).once(),
    word("check_retain_source", Scope::All, |to, v| {
        Ok(to.config.rules.check_retain_source = v.flag()?)
    })
    .reloads(),
    word("ciphers", Scope::Listener, |to, v| Ok(to.tls()?.tls.ciphers = list(v)?)).once(),
    word("ciphers_tls1.3", Scope::Listener, |to, v| Ok(to.tls()?.tls.ciphers_tls13 = list(v)?))
        .once(),
    word("cleansession", Scope::Bridge, |to, v| Ok(to.bridge()?.clean_session = v.flag()?)),
    word("clientid", Scope::Bridge, remote_clientid).once(),
    word("clientid_prefixes", Scope::All, |to, v| {
        Ok(to.config.rules.clientid_prefix = Some(v.text()?.to_owned()))
    })
    .once()
    .reloads(),
    word("connection", Scope::Bridge, |to, v| to.open_bridge(v.one()?)),
    word("connection_messages", Scope::All, |to, v| {
        Ok(to.config.log.connection_messages = v.flag()?)
    })
    .reloads(),
    word("crlfile", Scope::Listener, |to, v| Ok(to.tls()?.tls.crlfile = Some(v.path()?))).once(),
    word("dashboard_port", Scope::All, |to, v| Ok(to.dashboard_port(v.fitting(0, 65535)?))),
    noted(
        "dhparamfile",
        Scope::Listener,
        "the key exchange is by elliptic curves, which need no parameters",
    ),
    word("durability", Scope::All, durability),
    word("enable_proxy_protocol", Scope::Listener, |to, v| {
        Ok(to.listener()?.proxy_protocol = Some(v.fitting(1, 2)?))
    }),
    word("http_dir", Scope::Listener, |to, v| Ok(to.listener()?.http_dir = Some(v.path()?))).once(),
    word("idle_timeout", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.idle_timeout_s = v.fitting::<u32>(0, i64::from(u32::MAX))?.max(1))
    }),
    word("keepalive_interval", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.keepalive_s = v.fitting::<u16>(0, 65535)?.max(5))
    }),
    word("keyfile", Scope::Listener, |to, v| Ok(to.tls()?.keyfile = Some(v.path()?))).once(),
    word("listener", Scope::Listener, |to, v| to.open_listener(v)),
    word("local_cleansession", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.local_clean_session = Some(v.flag()?))
    }),
    word("local_clientid", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.local_clientid = Some(v.text()?.to_owned()))
    })
    .once(),
    noted("local_password", Scope::Bridge, LOCAL_USER),
    noted("local_username", Scope::Bridge, LOCAL_USER),
    word("log_dest", Scope::All, log_dest).reloads(),
    word("log_facility", Scope::All, |to, v| Ok(to.config.log.facility = Some(v.fitting(0, 7)?)))
        .reloads(),
    word("log_format", Scope::All, |to, v| {
        Ok(to.config.log.format = match v.one()? {
            "text" => Format::Text,
            "json" => Format::Json,
            value => return Err(v.invalid(value, "text or json")),
        })
    })
    .reloads(),
    word("log_timestamp", Scope::All, |to, v| Ok(to.config.log.timestamp = v.flag()?)).reloads(),
    word("log_timestamp_format", Scope::All, |to, v| {
        Ok(to.config.log.timestamp_format = Some(v.text()?.to_owned()))
    })
    .once()
    .reloads(),
    word("log_type", Scope::All, log_type).reloads(),
    word("max_connections", Scope::Listener, |to, v| {
        // Less than none stands for as many as there may be.
        Ok(to.listener()?.max_connections = usize::try_from(v.number(i64::MIN, i64::MAX)?).ok())
    }),
    word("max_inflight_bytes", Scope::All, |to, v| {
        Ok(to.config.limits.inflight_bytes_max = v.size_or_unlimited()?)
    })
    .reloads(),
    word("max_inflight_messages", Scope::All, |to, v| {
        let count = v.size_or_unlimited()?;
        let count = match u16::try_from(count) {
            Ok(count) => count,
            Err(_) if count == usize::MAX => u16::MAX,
            Err(_) => return Err(v.invalid(&count.to_string(), "a number from 0 to 65535")),
        };
        to.config.limits.inflight_max = count;
        Ok(to.config.limits.receive_maximum = count)
    })
    .reloads(),
    word("max_keepalive", Scope::All, |to, v| {
        Ok(to.config.rules.max_keepalive_s = v.fitting(0, 65535)?)
    })
    .reloads(),
    word("max_packet_size", Scope::All, |to, v| {
        let size = v.fitting::<u32>(20, i64::from(u32::MAX))?;
        Ok(to.config.limits.packet_size_max = size.min(codec::PACKET_SIZE_MAX))
    })
    .reloads(),
    word("max_qos", Scope::Listener, max_qos),
    word("max_queued_bytes", Scope::All, |to, v| {
        Ok(to.config.limits.queued_bytes_max = v.size_or_unlimited()?)
    })
    .reloads(),
    word("max_queued_messages", Scope::All, |to, v| {
        Ok(to.config.limits.queued_messages_max = v.size_or_unlimited()?)
    })
    .reloads(),
    word("max_topic_alias", Scope::Listener, |to, v| {
        Ok(to.listener()?.max_topic_alias = v.fitting(0, 65535)?)
    }),
    word("maximum_qos", Scope::Listener, max_qos),
    word("memory_limit", Scope::All, |to, v| {
        let bytes = v.fitting::<usize>(0, i64::MAX)?;
        Ok(to.config.limits.memory_max = Some(bytes).filter(|bytes| *bytes > 0))
    })
    .reloads(),
    word("message_size_limit", Scope::All, |to, v| {
        let size = v.fitting::<usize>(0, i64::from(codec::PACKET_SIZE_MAX))?;
        Ok(to.config.limits.message_size_max = if size == 0 { usize::MAX } else { size })
    })
    .reloads(),
    word("metrics_public", Scope::All, |to, v| Ok(to.config.public_metrics = v.flag()?)).reloads(),
    word("mount_point", Scope::Listener, |to, v| {
        if to.is_default_listener() {
            return Err(
                "a mount_point belongs to a listener: it comes after a listener line".into()
            );
        }
        let text = v.text()?;
        let topic =
            TopicName::new(text).map_err(|_| v.invalid(text, "a topic without wildcards"))?;
        Ok(to.listener()?.mount_point = Some(topic))
    })
    .once(),
    word("notification_topic", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.notification_topic = Some(v.text()?.to_owned()))
    })
    .once(),
    word("notifications", Scope::Bridge, |to, v| Ok(to.bridge()?.notifications = v.flag()?)),
    word("notifications_local_only", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.notifications_local_only = v.flag()?)
    }),
    word("password", Scope::Bridge, remote_password).once(),
    word("password_file", Scope::Access, |to, v| Ok(to.access()?.password_file = Some(v.path()?)))
        .once()
        .reloads(),
    word("per_listener_settings", Scope::All, |to, v| to.per_listener_settings(v.flag()?)),
    word("persistence", Scope::All, persistence),
    noted("persistence_file", Scope::All, NO_FILE).once(),
    word("persistence_location", Scope::All, |to, v| {
        Ok(to.config.persistence.location = Some(v.path()?))
    })
    .once(),
    word("persistent_client_expiration", Scope::All, persistent_client_expiration).reloads(),
    word("pid_file", Scope::All, |to, v| Ok(to.config.pid_file = Some(v.path()?))).once(),
    refused("plugin", Scope::Access, PLUGINS),
    word("port", Scope::Listener, |to, v| {
        let number = v.fitting(1, 65535)?;
        only_default(to, "port")?;
        to.tcp(|_, port, _, _| *port = number)
    })
    .once(),
    word("protocol", Scope::Listener, |to, v| {
        Ok(to.listener()?.protocol = match v.one()? {
            "mqtt" => Protocol::Mqtt,
            "websockets" => Protocol::Http,
            value => return Err(v.invalid(value, "mqtt or websockets")),
        })
    }),
    refused("psk_file", Scope::Access, PSK),
    refused("psk_hint", Scope::Listener, PSK),
    word("queue_qos0_messages", Scope::All, |to, v| {
        Ok(to.config.rules.queue_qos0_messages = v.flag()?)
    })
    .reloads(),
    word("remote_clientid", Scope::Bridge, remote_clientid).once(),
    word("remote_password", Scope::Bridge, remote_password).once(),
    word("remote_username", Scope::Bridge, remote_username).once(),
    word("require_certificate", Scope::Listener, |to, v| {
        Ok(to.tls()?.tls.require_certificate = v.flag()?)
    }),
    word("restart_timeout", Scope::Bridge, restart_timeout),
    word("retain_available", Scope::All, |to, v| Ok(to.config.rules.retain_available = v.flag()?))
        .reloads(),
    word("retain_expiry_interval", Scope::All, |to, v| {
        let minutes = v.fitting::<u32>(0, i64::from(u32::MAX / 60))?;
        let seconds = minutes.saturating_mul(60);
        Ok(to.config.rules.retain_expiry_s = Some(seconds).filter(|seconds| *seconds > 0))
    })
    .reloads(),
    word("retained_persistence", Scope::All, persistence),
    noted(
        "retry_interval",
        Scope::All,
        "messages are sent again when a client comes back, as the standard has it, and not before",
    ),
    word("round_robin", Scope::Bridge, |to, v| Ok(to.bridge()?.round_robin = v.flag()?)),
    noted(
        "set_tcp_nodelay",
        Scope::All,
        "it is always on: what a turn has brought together leaves in one write, so nothing is gained by \
         waiting",
    ),
    word("socket_domain", Scope::Listener, |to, v| {
        let only = match v.one()? {
            "ipv4" => Domain::Ipv4,
            "ipv6" => Domain::Ipv6,
            value => return Err(v.invalid(value, "ipv4 or ipv6")),
        };
        to.tcp(|_, _, domain, _| *domain = Some(only))
    }),
    word("start_type", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.start = match v.one()? {
            "automatic" => Start::Automatic,
            "lazy" => Start::Lazy,
            "once" => Start::Once,
            value => return Err(v.invalid(value, "automatic, lazy or once")),
        })
    }),
    word("sys_interval", Scope::All, |to, v| Ok(to.config.sys_interval_s = v.fitting(0, 65535)?))
        .reloads(),
    word("threshold", Scope::Bridge, |to, v| {
        Ok(to.bridge()?.threshold = v.fitting::<usize>(0, i64::from(u32::MAX))?.max(1))
    }),
    refused("tls_engine", Scope::Listener, ENGINES),
    refused("tls_engine_kpass_sha1", Scope::Listener, ENGINES),
    word("tls_keyform", Scope::Listener, |_, v| match v.one()? {
        "pem" => Ok(()),
        _ => Err(format!("tls_keyform engine is not supported: {ENGINES}")),
    }),
    word("tls_version", Scope::Listener, |to, v| Ok(to.tls()?.tls.only_tls13 = only_tls13(v)?))
        .once(),
    word("topic", Scope::Bridge, topic),
    word("try_private", Scope::Bridge, |to, v| Ok(to.bridge()?.try_private = v.flag()?)),
    word("upgrade_outgoing_qos", Scope::All, |to, v| {
        Ok(to.config.rules.upgrade_outgoing_qos = v.flag()?)
    })
    .reloads(),
    word(
        "use_identity_as_username",
        Scope::Listener,
        |to, v| Ok(to.tls()?.by_identity = v.flag()?),
    ),
    word("use_subject_as_username", Scope::Listener, |to, v| Ok(to.tls()?.by_subject = v.flag()?)),
    word("use_username_as_clientid", Scope::Listener, |to, v| {
        Ok(to.listener()?.use_username_as_clientid = v.flag()?)
    }),
    word("user", Scope::All, |to, v| Ok(to.config.user = Some(v.one()?.to_owned()))).once(),
    word("username", Scope::Bridge, remote_username).once(),
    word("websockets_headers_size", Scope::All, |to, v| {
        let size = v.fitting::<usize>(0, 65535)?;
        // A head of less than this is what every browser sends.
        Ok(to.websockets_headers_size = (size > 0).then(|| size.max(crate::limits::HTTP_HEAD_MIN)))
    }),
    noted(
        "websockets_log_level",
        Scope::All,
        "it is a bit mask of another WebSocket library; log_type websockets logs what there is",
    ),
    word("websockets_origin", Scope::Listener, |to, v| {
        let origin = v.one()?.to_owned();
        Ok(to.listener()?.origins.push(origin))
    }),
];

/// The word of this name.
pub(super) fn find(name: &str) -> Option<&'static Word> {
    if name.starts_with("auth_opt_") || name.starts_with("plugin_opt_") {
        return find("plugin");
    }
    WORDS.iter().find(|word| word.name == name)
}

/// The known word that is most like this one, if one is like it at all.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    WORDS
        .iter()
        .map(|word| (strsim::jaro_winkler(name, word.name), word.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

fn only_default(to: &Draft, word: &str) -> Result<(), Fault> {
    if to.is_default_listener() {
        Ok(())
    } else {
        Err(format!("{word} is about the default listener: it comes before any listener line"))
    }
}

fn list(values: Values<'_>) -> Result<Vec<String>, Fault> {
    Ok(values.text()?.split(':').map(str::to_owned).collect())
}

fn only_tls13(values: Values<'_>) -> Result<bool, Fault> {
    match values.one()? {
        "tlsv1.3" => Ok(true),
        // The oldest version that is still safe is 1.2, which is what asking for an older one gets.
        "tlsv1.2" | "tlsv1.1" | "tlsv1" => Ok(false),
        value => Err(values.invalid(value, "tlsv1.3 or tlsv1.2")),
    }
}

fn tls_of(to: &mut Draft) -> Result<&mut BridgeTls, Fault> {
    Ok(to.bridge()?.tls.get_or_insert_with(BridgeTls::default))
}

fn max_qos(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    to.listener()?.max_qos = qos(values.number(0, 2)?);
    Ok(())
}

fn persistence(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    let persistence = &mut to.config.persistence;
    persistence.enabled = values.flag()?;
    persistence.is_asked_for = true;
    Ok(())
}

fn durability(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    to.config.persistence.durability = match values.one()? {
        "none" => Durability::None,
        "os" => Durability::Os,
        "fsync" => Durability::Fsync,
        value => return Err(values.invalid(value, "none, os or fsync")),
    };
    Ok(())
}

fn persistent_client_expiration(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    const HOUR_S: u32 = 3600;
    let value = values.one()?;
    let wanted = || values.invalid(value, "a number and one of h, d, w, m, y, such as 14d");
    let unit_s = match value.chars().last() {
        Some('h') => HOUR_S,
        Some('d') => 24 * HOUR_S,
        Some('w') => 7 * 24 * HOUR_S,
        Some('m') => 30 * 24 * HOUR_S,
        Some('y') => 365 * 24 * HOUR_S,
        _ => return Err(wanted()),
    };
    let count =
        value.get(..value.len().saturating_sub(1)).and_then(|count| count.parse::<u32>().ok());
    let count = count.filter(|count| *count > 0).ok_or_else(wanted)?;
    to.config.rules.persistent_client_expiration_s = Some(count.saturating_mul(unit_s));
    Ok(())
}

fn log_dest(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    let text = values.text()?;
    let (kind, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    to.log_to(Some(match kind {
        "none" => return to.log_to(None),
        "stdout" => Destination::Stdout,
        "stderr" => Destination::Stderr,
        "syslog" => Destination::Syslog,
        "topic" => Destination::Topic,
        "file" if rest.trim().is_empty() => {
            return Err("Empty \"log_dest file\" value in configuration".into());
        }
        "file" => Destination::File(rest.trim().into()),
        "dlt" => return Err("log_dest dlt is not supported: it needs a system of cars".into()),
        _ => return Err(values.invalid(text, "none, stdout, stderr, syslog, topic or file PATH")),
    }))
}

fn log_type(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    let value = values.one()?;
    let types = to.log_types();
    match value {
        "none" => *types = LogTypes::NONE,
        "all" => *types = LogTypes::ALL,
        "error" => types.error = true,
        "warning" => types.warning = true,
        "notice" => types.notice = true,
        "information" => types.information = true,
        "debug" | "internal" => types.debug = true,
        "subscribe" => types.subscribe = true,
        "unsubscribe" => types.unsubscribe = true,
        "websockets" => types.websockets = true,
        _ => {
            let wanted = "error, warning, notice, information, debug, subscribe, unsubscribe, \
                          websockets, none or all";
            return Err(values.invalid(value, wanted));
        }
    }
    Ok(())
}

fn remote_clientid(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    to.bridge()?.remote_clientid = Some(values.text()?.to_owned());
    Ok(())
}

fn remote_username(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    to.bridge()?.remote_username = Some(values.text()?.to_owned());
    Ok(())
}

fn remote_password(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    to.bridge()?.remote_password = Some(values.text()?.to_owned());
    Ok(())
}

fn addresses(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    let mut addresses = Vec::new();
    for value in values.each() {
        // The host may be an IPv6 address, so the port is what stands behind the last colon.
        let (host, port) = match value.rsplit_once(':') {
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                let wanted =
                    "HOST or HOST:PORT, with the port given where the host is an IPv6 address";
                (host, port.ok_or_else(|| values.invalid(value, wanted))?)
            }
            None => (value, super::file::MQTT_PORT),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        addresses.push((host.to_owned(), port));
    }
    if addresses.is_empty() {
        return Err("Empty address value in configuration".into());
    }
    to.bridge()?.addresses = addresses;
    Ok(())
}

fn restart_timeout(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    let mut seconds = Vec::new();
    for value in values.each() {
        seconds
            .push(value.parse::<u32>().map_err(|_| values.invalid(value, "a number of seconds"))?);
    }
    to.bridge()?.restart = match seconds.as_slice() {
        [constant] => Restart::Constant((*constant).max(1)),
        [base, cap] if base <= cap => Restart::Jitter { base: (*base).max(1), cap: (*cap).max(1) },
        [_, _] => return Err("backoff cap is lower than the base in restart_timeout".into()),
        _ => return Err("restart_timeout takes one number, or a base and a cap".into()),
    };
    Ok(())
}

fn topic(to: &mut Draft, values: Values<'_>) -> Result<(), Fault> {
    let unquoted = |value: &str| if value == "\"\"" { String::new() } else { value.to_owned() };
    let mut each = values.each();
    let pattern = each.next().ok_or("Empty topic value in configuration")?;
    let direction = match each.next().map(str::to_ascii_lowercase).as_deref() {
        None | Some("out") => Direction::Out,
        Some("in") => Direction::In,
        Some("both") => Direction::Both,
        Some(other) => return Err(format!("Invalid bridge topic direction '{other}'")),
    };
    let qos_value = match each.next() {
        None | Some("0") => 0,
        Some("1") => 1,
        Some("2") => 2,
        Some(other) => return Err(format!("Invalid bridge QoS level '{other}'")),
    };
    let topic = BridgeTopic {
        pattern: unquoted(pattern),
        direction,
        qos: qos(qos_value),
        local_prefix: each.next().map(unquoted).unwrap_or_default(),
        remote_prefix: each.next().map(unquoted).unwrap_or_default(),
    };
    topic.check()?;
    to.bridge()?.topics.push(topic);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/mosquitto.conf.md");

    #[test]
    fn words_stand_in_the_order_of_the_alphabet() {
        assert!(WORDS.is_sorted_by(|one, other| one.name < other.name));
    }

    /// Run with `UPDATE_DOCS=1` to write the table anew.
    #[test]
    fn the_docs_list_every_word_and_what_becomes_of_it() {
        let mut table = String::new();
        for word in WORDS {
            let scope = match word.scope {
                Scope::All => "all",
                Scope::Access => "access",
                Scope::Listener => "listener",
                Scope::Bridge => "bridge",
            };
            let (fate, why) = match word.fate {
                Fate::Works => ("works", ""),
                Fate::Noted(why) => ("noted", why),
                Fate::Refused(why) => ("refused", why),
            };
            let reloads = if word.reloads { "yes" } else { "" };
            writeln!(table, "| `{}` | {scope} | {fate} | {reloads} | {why} |", word.name).unwrap();
        }
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (begin, end) = ("<!-- words -->\n", "<!-- end of words -->");
        let (before, rest) = page.split_once(begin).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        let head = "| word | belongs to | | reloaded | why |\n|---|---|---|---|---|\n";
        let wanted = format!("{before}{begin}{head}{table}{end}{after}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(PAGE, &wanted).unwrap();
        }
        assert!(page == wanted, "docs/mosquitto.conf.md is out of date: test with UPDATE_DOCS=1");
    }

    #[test]
    fn a_word_that_is_almost_right_is_recognised() {
        for (written, meant) in [
            ("acl_flie", Some("acl_file")),
            ("alow_anonymous", Some("allow_anonymous")),
            ("listner", Some("listener")),
            ("bananas", None),
        ] {
            assert_eq!(nearest(written), meant, "{written}");
        }
    }
}
