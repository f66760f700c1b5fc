//! The command line, with Mosquitto's words where Mosquitto has them.

use clap::Parser;

use crate::limits::Limits;
use crate::server::Config;

/// The port of MQTT over TCP.
const MQTT_PORT: u16 = 1883;
/// The port of MQTT over WebSocket, and of the dashboard.
const HTTP_PORT: u16 = 9001;

/// An MQTT broker that serves its own dashboard.
///
/// It speaks MQTT 3.1, 3.1.1 and 5.0 over TCP and, on the WebSocket port, over WebSocket; a browser
/// that opens http://localhost:9001 sees every sensor. Without a configuration only programs on this
/// machine can connect.
#[derive(Debug, Parser)]
#[command(name = "ws-broker", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Listen for MQTT over TCP on this port of the loopback interface; may be given several times
    #[arg(short, long, value_name = "PORT", default_values_t = [MQTT_PORT])]
    port: Vec<u16>,

    /// Serve MQTT over WebSocket, and the dashboard, on this port of the loopback interface
    #[arg(long, value_name = "PORT", default_value_t = HTTP_PORT)]
    ws_port: u16,

    /// Log more: each subscription, and connections that never became MQTT
    #[arg(short, long)]
    pub verbose: bool,
}

impl Cli {
    pub(crate) fn config(self) -> Config {
        Config { mqtt_ports: self.port, http_port: self.ws_port, limits: Limits::default() }
    }
}
