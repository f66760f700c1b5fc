//! The command line. The words here are what scripts rely on.

mod options;

use crate::aemet::{self, AemetArguments};
use crate::{http, sim};
use clap::{Args, Parser, Subcommand};
pub(crate) use options::{BrokerArguments, PublishingArguments, interval, prefix};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  Publish this machine's readings to the broker on this machine:
    sensors host

  See what would be published, without a broker:
    sensors host --dry-run --once

  Publish to another machine's broker, with a password from a file:
    sensors host --broker mqtt://ana@192.168.1.10 --password-file /etc/sensors.password

  Publish over TLS, or over WebSocket, with an authority of one's own:
    sensors host --broker mqtts://broker.lan --ca-file /etc/ssl/home-ca.pem
    sensors host --broker wss://broker.lan:9001/mqtt --ca-file /etc/ssl/home-ca.pem

  Publish the weather of Madrid, with the key that AEMET sends on request:
    AEMET_API_KEY=… sensors aemet --station 3195 --municipality 28079

Run `sensors host --help`, or that of any other source, for everything it can do.";

const HOST_EXAMPLES: &str = "\
Topics, below PREFIX/NAME, each with a plain number that is retained:
  cpu/total, cpu/core/0, …                            %
  memory/total, memory/used, swap/total, swap/used    B
  memory/percent, swap/percent                        %
  load/1m, load/5m, load/15m
  temperature/SENSOR                                  °C
  disk/MOUNT/total, disk/MOUNT/used, disk/MOUNT/free  B
  disk/MOUNT/percent                                  %
  network/INTERFACE/rx, network/INTERFACE/tx          B/s
  uptime                                              s
  status                                              `online` or `offline`
The unit is the user property `unit` of each message (MQTT 5). When this program
stops, or the machine does, `status` becomes `offline`; `--once` leaves it alone.

Examples:
  Watch what arrives:
    sensors host &
    mosquitto_sub -t 'sensors/#' -v

  Every ten seconds, under a name and a prefix of one's own:
    sensors host --interval 10s --prefix home/machines --name attic

  One round from a timer, with a broker that only knows MQTT 3.1.1:
    sensors host --once --mqtt 3.1.1 --broker mqtt://broker.lan

Exit status: 0 when published or stopped by a signal, 2 for wrong arguments,
1 for anything else, with the reason on standard error.";

/// Publishes readings to an MQTT broker: a source of readings for each subcommand
#[derive(Debug, Parser)]
#[command(name = "sensors", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The sources of readings.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publishes this machine's own readings: CPU, memory, load, temperatures, disks, network
    #[command(after_help = HOST_EXAMPLES)]
    Host(HostArguments),

    /// Publishes the weather of Spain: AEMET's observations and forecasts
    #[command(after_help = aemet::EXAMPLES)]
    Aemet(AemetArguments),

    /// Publishes values out of any JSON that can be had over HTTP(S), as a file says
    #[command(after_help = http::EXAMPLES)]
    Http(http::HttpArguments),

    /// Publishes what sensors that are not there would say, in any number and at any rate
    #[command(after_help = sim::EXAMPLES)]
    Sim(sim::SimArguments),
}

/// What `sensors host` is told.
#[derive(Debug, Args)]
pub(crate) struct HostArguments {
    /// Time between two rounds of readings, such as `500ms`, `2s` or `1m`
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
    pub(crate) interval: Duration,

    /// First levels of all topics
    #[arg(long, value_name = "TOPIC", default_value = "sensors", value_parser = prefix)]
    pub(crate) prefix: String,

    /// Name of this machine in the topics [default: its host name]
    #[arg(long, value_name = "HOST")]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) publishing: PublishingArguments,

    #[command(flatten)]
    pub(crate) broker: BrokerArguments,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
