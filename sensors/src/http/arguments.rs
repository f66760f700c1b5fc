//! The words of `sensors http`.

use crate::cli::{BrokerArguments, PublishingArguments, prefix};
use clap::Args;
use std::path::PathBuf;

pub(crate) const EXAMPLES: &str = r#"The file says what to ask, and what to publish of the answers:

  [[source]]
  name = "air"                             # its status is at http/air/status
  url = "https://api.example.org/v1/air"
  interval = "10m"                         # 1s to 1day; without it 5m
  timeout = "20s"                          # for a whole answer; without it 20s
  # Secrets come from a variable, or from the first line of a file:
  headers = { Authorization = { env = "AIR_TOKEN", before = "Bearer " } }
  query = { city = "Madrid", key = { file = "air.key" } }

  [source.values]                          # JSON pointer (RFC 6901) = topic
  "/city/name" = "home/air/city"
  "/now/pm25" = { topic = "home/air/pm25", unit = "µg/m³", expiry = "2h" }
  "/now/temp" = { topic = "home/air/temperature", unit = "°C", factor = 0.1 }

There may be several [[source]]. A value may have
  unit = "TEXT"            shown beside it (user property `unit`, MQTT 5)
  type = "TYPE"            number, text, boolean or json; without it, whatever stands there
  factor, offset = NUMBER  a number is multiplied, and then something is added, exactly
  retain = false           to have the broker not keep it; it does otherwise
  expiry = "TIME"          how long the broker keeps it (MQTT 5)
Numbers without a factor are passed on as they stand in the JSON, to the last digit.
Over HTTPS whom the system trusts is trusted, or the certificates (PEM) of the file that
the variable SSL_CERT_FILE names.

Topics, below --prefix if there is one:
  the file's own
  http/NAME/status         `ok`, or what is wrong with that source
  http/status              `online` or `offline`: this program itself
While a source does not answer, its last values stay.

Examples:
  See what would be published:
    sensors http air.toml --dry-run --once

  Publish to a broker, now and then:
    AIR_TOKEN=… sensors http air.toml --broker mqtt://broker.lan

Exit status: 0 when something was published or when stopped by a signal, 2 for wrong
arguments or a file that is wrong, 1 for anything else, with the reason on standard
error."#;

/// What `sensors http` is told.
#[derive(Debug, Args)]
pub(crate) struct HttpArguments {
    /// File (TOML) that says what to ask and what to publish
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// First levels of all topics [default: none]
    #[arg(long, value_name = "TOPIC", value_parser = prefix)]
    pub(crate) prefix: Option<String>,

    #[command(flatten)]
    pub(crate) publishing: PublishingArguments,

    #[command(flatten)]
    pub(crate) broker: BrokerArguments,
}
