//! `/metrics`, the broker's figures in the text format of Prometheus, and `/healthz`, which says whether
//! all of its workers work.
//!
//! Both are for this machine, unless the configuration opens them to others. A request that comes from
//! here may still be one that a page of somebody else made: its browser then names another host, whatever
//! address that name was made to stand for.

use std::fmt::{self, Write};
use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};

use crate::broker::{Figures, Kind};
use crate::http::say;
use crate::net::Address;
use crate::time::Ms;

/// The name of the format, as Prometheus has it.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A worker that was not heard of for longer is stuck, or has ended.
const SILENCE_MAX_MS: Ms = 10_000;

/// Answers a request for one of the two; others are not looked at.
pub(crate) fn answer<B>(
    request: &Request<B>,
    peer: Address,
    is_public: bool,
    figures: impl FnOnce() -> Figures,
) -> Option<Response<Full<Bytes>>> {
    let is_metrics = match request.uri().path() {
        "/metrics" => true,
        "/healthz" => false,
        _ => return None,
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    if !is_public && !is_from_here(request, peer) {
        let text = "This is told to this machine alone, unless the configuration says \
                    metrics_public true.\n";
        return Some(say(StatusCode::FORBIDDEN, text));
    }
    let figures = figures();
    if !is_metrics {
        return Some(if figures.store.is_some_and(|store| store.is_failing) {
            say(StatusCode::SERVICE_UNAVAILABLE, "The store can't be written: see the log.\n")
        } else if figures.silence_ms <= SILENCE_MAX_MS {
            say(StatusCode::OK, "ok\n")
        } else {
            let seconds = figures.silence_ms / 1000;
            let text = format!("A worker was not heard of for {seconds} seconds.\n");
            say(StatusCode::SERVICE_UNAVAILABLE, &text)
        });
    }
    let mut answer = say(StatusCode::OK, &text(&figures));
    let format = HeaderValue::from_static(TEXT_FORMAT);
    answer.headers_mut().insert(header::CONTENT_TYPE, format);
    Some(answer)
}

/// Whether a program of this machine asks, and by a name of this machine.
fn is_from_here<B>(request: &Request<B>, peer: Address) -> bool {
    let headers = request.headers();
    let is_passed_on =
        headers.contains_key(header::FORWARDED) || headers.contains_key("x-forwarded-for");
    let name = request.uri().authority().cloned().or_else(|| host(headers));
    peer.is_this_machine() && !is_passed_on && name.is_some_and(|name| is_here(&name))
}

pub(crate) fn host(headers: &HeaderMap) -> Option<Authority> {
    headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// Whether a name is one that nobody else can have.
pub(crate) fn is_here(name: &Authority) -> bool {
    let host = name.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// The figures in the text format. Its libraries want to own what is counted, which here belongs to the
/// workers; names and sentences are our own, so that nothing in them needs an escape.
fn text(figures: &Figures) -> String {
    let mut text = String::new();
    // Writing into a String never fails.
    let _ = write(figures, &mut text);
    text
}

fn write(figures: &Figures, text: &mut String) -> fmt::Result {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(text, "# HELP ws_broker_info What runs here.\n# TYPE ws_broker_info gauge")?;
    writeln!(text, "ws_broker_info{{version=\"{version}\"}} 1")?;
    for figure in figures.each() {
        let (kind, suffix) = match figure.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let name = format!("ws_broker_{}{suffix}", figure.name);
        writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", figure.help)?;
        writeln!(text, "{name} {}", figure.value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Totals;

    fn status(path: &str, peer: &str, is_public: bool, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let peer = Address::Ip(peer.parse().unwrap());
        answer(&request, peer, is_public, Figures::default).map(|answer| answer.status().as_u16())
    }

    #[test]
    fn who_is_told() {
        let (here, elsewhere) = ("127.0.0.1:5000", "192.0.2.1:5000");
        let local = [("Host", "localhost:9001")];
        for (path, peer, is_public, headers, want) in [
            ("/metrics", here, false, &local[..], Some(200)),
            ("/healthz", here, false, &[("Host", "127.0.0.1")], Some(200)),
            ("/healthz", "[::1]:5000", false, &[("Host", "[::1]:9001")], Some(200)),
            ("/healthz", "[::ffff:127.0.0.1]:5000", false, &local, Some(200)),
            ("http://localhost/metrics", here, false, &[], Some(200)),
            ("/metrics", elsewhere, false, &local, Some(403)),
            ("/metrics", here, false, &[], Some(403)),
            ("/metrics", here, false, &[("Host", "page.example")], Some(403)),
            ("/metrics", here, false, &[("Host", "localhost.page.example:9001")], Some(403)),
            ("/metrics", here, false, &[("Host", "not a name")], Some(403)),
            ("/metrics", here, false, &[local[0], ("X-Forwarded-For", "192.0.2.1")], Some(403)),
            ("/metrics", elsewhere, true, &[("Host", "broker.example")], Some(200)),
            ("/healthz", elsewhere, true, &[], Some(200)),
            ("/", here, false, &local, None),
        ] {
            assert_eq!(status(path, peer, is_public, headers), want, "{path} {peer} {headers:?}");
        }
    }

    #[test]
    fn a_worker_that_is_stuck_is_no_health() {
        for (silence_ms, want) in [(0, 200), (SILENCE_MAX_MS, 200), (SILENCE_MAX_MS + 1, 503)] {
            let request = Request::builder().uri("/healthz").body(()).unwrap();
            let figures = Figures { silence_ms, ..Figures::default() };
            let peer = Address::Unix;
            let answer = answer(&request, peer, true, || figures).unwrap();
            assert_eq!(answer.status(), want, "{silence_ms}");
        }
    }

    #[test]
    fn the_text_format_has_help_type_and_value() {
        let totals = Totals { packets_sent: 7, sessions: 3, ..Totals::default() };
        let text = text(&Figures { totals, ..Figures::default() });
        for lines in [
            "# HELP ws_broker_packets_sent_total MQTT packets of any kind sent.\n\
             # TYPE ws_broker_packets_sent_total counter\n\
             ws_broker_packets_sent_total 7\n",
            "# TYPE ws_broker_sessions gauge\nws_broker_sessions 3\n",
        ] {
            assert!(text.contains(lines), "{text}");
        }
        // Every line is a comment, or a name and a number.
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (_, number) = line.rsplit_once(' ').unwrap();
            assert!(number.parse::<u64>().is_ok(), "{line}");
        }
    }
}
