//! The words of `sensors aemet`.

use super::places::Point;
use super::service::{Key, Service};
use crate::cli::{BrokerArguments, PublishingArguments, prefix};
use crate::fetch::Fetcher;
use crate::report::Failure;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The longest code of a station; the service's have four to six characters.
const STATION_CHARS_MAX: usize = 8;
/// The digits of a municipality's code.
const MUNICIPALITY_DIGITS: usize = 5;
/// The shortest and the longest time that an answer may be waited for.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MAX: Duration = Duration::from_secs(10 * 60);

pub(crate) const EXAMPLES: &str = "\
The key: AEMET OpenData is free, and wants a key, which it sends by e-mail:
https://opendata.aemet.es/centrodedescargas/altaUsuario
Put it into the variable AEMET_API_KEY, or into a file that only you can read.

Topics, below PREFIX, all retained, and on MQTT 5 with a message expiry:
  station/ID/QUANTITY            the latest observation: temperature, humidity,
                                 precipitation, wind_speed, pressure, …
  forecast/CODE/DAY/QUANTITY     a day, such as 2026-11-21: temperature_max,
                                 precipitation_probability, sky, …
  forecast/CODE/DAY/QUANTITY/HH  an hour of it: temperature/07, …
  station/ID, forecast/CODE/DAY  all of that as one JSON document, with
                                 `value` and `unit` of each quantity
  status                         how it is, as JSON: its `state` is `ok`,
                                 `degraded`, `failing`, `starting` or `offline`
The unit and the time of the observation, or of when the forecast was made, are
the user properties `unit` and `time` of each message (MQTT 5).

Observations are asked for once an hour, forecasts every three hours: the
service has nothing new more often. It counts requests, and so does this
program: of many stations, one is asked for every few seconds.

Examples:
  Find a station and a municipality:
    export AEMET_API_KEY=…
    sensors aemet stations --near 40.41,-3.70
    sensors aemet municipalities Logroño

  See what would be published:
    sensors aemet --station 3195 --municipality 28079 --once --dry-run

  Publish the weather of Madrid until stopped:
    sensors aemet --station 3195 --municipality 28079 \\
      --broker mqtt://ana@192.168.1.10 --password-file /etc/sensors.password

Exit status: 0 when something was published, 2 for wrong arguments, 1 otherwise,
with the reason on standard error.";

/// What `sensors aemet` is told.
#[derive(Debug, Args)]
pub(crate) struct AemetArguments {
    #[command(subcommand)]
    pub(super) inventory: Option<Inventory>,

    /// Station whose observations to publish; may be given more than once
    #[arg(long = "station", value_name = "ID", value_delimiter = ',', value_parser = station)]
    pub(super) stations: Vec<String>,

    /// Municipality whose forecasts to publish, by its five digits; may be given more than once
    #[arg(long = "municipality", value_name = "CODE", value_delimiter = ',', value_parser = municipality)]
    pub(super) municipalities: Vec<String>,

    /// First levels of all topics
    #[arg(long, value_name = "TOPIC", default_value = "weather/aemet", value_parser = prefix)]
    pub(super) prefix: String,

    #[command(flatten)]
    pub(super) service: ServiceArguments,

    #[command(flatten)]
    pub(super) publishing: PublishingArguments,

    #[command(flatten)]
    pub(super) broker: BrokerArguments,
}

/// Where the service is, and who asks.
#[derive(Debug, Args)]
pub(super) struct ServiceArguments {
    /// File whose first line is the API key [default: the variable AEMET_API_KEY]
    #[arg(long, value_name = "FILE", global = true)]
    api_key_file: Option<PathBuf>,

    /// Where the service is
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://opendata.aemet.es/opendata",
        global = true
    )]
    #[arg(value_parser = base_url)]
    base_url: Url,

    /// How long to wait for an answer of the service
    #[arg(long, value_name = "TIME", default_value = "30s", global = true, value_parser = timeout)]
    timeout: Duration,
}

impl ServiceArguments {
    /// The service, ready to be asked; reads the key.
    pub(super) fn service(&self, verbose: bool) -> Result<Service, Failure> {
        let key = Key::find(self.api_key_file.as_deref())?;
        Ok(Service::new(Fetcher::new(self.timeout)?, self.base_url.clone(), key, verbose))
    }
}

/// What helps to find the codes.
#[derive(Debug, Subcommand)]
pub(super) enum Inventory {
    /// Lists the stations nearest to a point: code, distance, altitude, name
    ///
    /// Not every station of this list reports by the hour: if one has no observations, try the
    /// next.
    Stations {
        /// Where, as degrees north and east; west is negative
        #[arg(long, value_name = "LAT,LON", value_parser = Point::parse, allow_hyphen_values = true)]
        near: Point,

        /// How many
        #[arg(long, value_name = "NUMBER", default_value = "10")]
        count: usize,
    },
    /// Lists the municipalities with NAME in their name: code, inhabitants, name
    Municipalities {
        /// The name or a part of it; accents and capitals don't matter
        #[arg(required = true)]
        name: Vec<String>,
    },
}

fn station(text: &str) -> Result<String, String> {
    let is_code = (1..=STATION_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a station's code is letters and digits, such as 3195 or C447A; `sensors aemet \
             stations --near LAT,LON` lists them"
            .to_owned())
    }
}

fn municipality(text: &str) -> Result<String, String> {
    let code = text.strip_prefix("id").unwrap_or(text);
    if code.len() == MUNICIPALITY_DIGITS && code.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(code.to_owned())
    } else {
        Err("a municipality's code has five digits, such as 28079; `sensors aemet municipalities \
             NAME` lists them"
            .to_owned())
    }
}

fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        Err("write it as https://HOST/PATH".to_owned())
    } else if url.query().is_some() || url.fragment().is_some() {
        Err("must end with its path: no `?` and no `#`".to_owned())
    } else {
        Ok(url)
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = humantime::parse_duration(text)
        .map_err(|_| "write a number and its unit, such as 10s or 1m".to_owned())?;
    if (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) {
        Ok(timeout)
    } else {
        let shortest = humantime::format_duration(TIMEOUT_MIN);
        let longest = humantime::format_duration(TIMEOUT_MAX);
        Err(format!("must be between {shortest} and {longest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_checked_before_anybody_is_asked() {
        for (text, expected) in [
            ("3195", Some("3195")),
            ("c447a", Some("C447A")),
            ("", None),
            ("31/95", None),
            ("319512345", None),
            ("319ñ", None),
            ("#", None),
        ] {
            assert_eq!(station(text).ok().as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("28079", Some("28079")),
            ("id28079", Some("28079")),
            ("2807", None),
            ("280790", None),
            ("Madri", None),
            ("+8079", None),
        ] {
            assert_eq!(municipality(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn base_urls() {
        for (text, is_one) in [
            ("https://opendata.aemet.es/opendata", true),
            ("http://127.0.0.1:8080", true),
            ("127.0.0.1:8080", false),
            ("ftp://h/", false),
            ("http://h/?a=b", false),
            ("", false),
        ] {
            assert_eq!(base_url(text).is_ok(), is_one, "{text}");
        }
    }
}
