//! The HTTP side of the WebSocket port: the dashboard's files, and the handshake that turns a
//! connection into a WebSocket for MQTT (MQTT 5.0 §6).

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::assets::{self, Asset};
use crate::config::{Address, Protocol};
use crate::folder::{self, Found};
use crate::log::WEBSOCKETS;
use crate::metrics;
use crate::net::Arrival;
use crate::net::origin::{self, Asked};
use crate::settings::Settings;
use crate::websocket::{self, Answer, Bounds};
use crate::worker::{Handshake, Transport, Worker};

/// Where nothing but a WebSocket is to be found. It may be opened at any other path, too.
const WEBSOCKET_PATH: &str = "/mqtt";

/// Where the dashboard asks for the port of MQTT over TCP, for a command that works as it is typed.
const PORT_PATH: &str = "/mqtt-port";

/// The subprotocols of MQTT (MQTT 5.0 §6.0), the second being that of MQTT 3.1.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// What a page of ours may do: run its own scripts and talk to a broker.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Serves HTTP on a connection until it ends or becomes a WebSocket.
pub(crate) async fn serve(worker: Rc<Worker>, arrival: Arrival) {
    let handshake = Handshake::begin(&worker);
    let settings = worker.settings();
    let site = Site::new(Arc::clone(&settings), &arrival);
    let Arrival { stream, peer, .. } = arrival;
    let limits = &settings.config.limits;
    let bounds = Bounds::new(limits, settings.listener(peer.listener).http_head_max);
    let bounds = websocket::for_a_stranger(bounds, limits.connect_size_max);
    let answer = async |request: &Request<Incoming>| {
        let figures = || worker.shared.figures();
        let is_public = settings.config.public_metrics;
        match metrics::answer(request, peer.address, is_public, figures) {
            Some(answer) => answer,
            None => site.answer(request).await,
        }
    };
    // Who asks and never reads would keep its place among the handshakes for ever.
    let serving = websocket::serve_until_open(stream, bounds, answer);
    let served = tokio::time::timeout(limits.http_connection_max, serving).await;
    drop(handshake);
    let Ok(served) = served else {
        tracing::info!(target: WEBSOCKETS, "HTTP connection from {peer} closed: it took too long.");
        return;
    };
    match served {
        Ok(Some(socket)) => {
            worker.serve_websocket(Transport::web_socket(socket), peer).await;
        }
        Ok(None) => {}
        Err(error) => {
            tracing::info!(target: WEBSOCKETS, "HTTP connection from {peer} closed: {error}.");
        }
    }
}

/// What one listener serves by HTTP, on one connection.
struct Site {
    settings: Arc<Settings>,
    listener: usize,
    /// Whether both ends of the connection are on this machine.
    is_local: bool,
}

impl Site {
    fn new(settings: Arc<Settings>, arrival: &Arrival) -> Self {
        let listener = arrival.peer.listener;
        // Who comes by a proxy is where the proxy says.
        let is_proxied = settings.listener(listener).proxy_protocol.is_some();
        Self { settings, listener, is_local: !is_proxied && arrival.stream.is_local() }
    }

    async fn answer<B>(&self, request: &Request<B>) -> Answer {
        let listener = self.settings.listener(self.listener);
        if wants_upgrade(request.headers()) {
            return match self.stranger(request.headers(), &listener.origins) {
                Some(origin) => turn_away(origin),
                None => open_websocket(request),
            };
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer =
                say(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are served here.\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match &listener.http_dir {
            Some(folder) => send_file(folder.clone(), request.uri().path().to_owned()).await,
            None if request.uri().path() == PORT_PATH => {
                let port = self.plain_port().map(|port| format!("{port}\n"));
                let mut answer = say(StatusCode::OK, &port.unwrap_or_default());
                let fresh = HeaderValue::from_static("no-store");
                answer.headers_mut().insert(header::CACHE_CONTROL, fresh);
                answer
            }
            None => send_dashboard(request),
        }
    }

    /// Where whoever asks can speak MQTT over TCP without TLS, if anywhere.
    fn plain_port(&self) -> Option<u16> {
        let listeners = self.settings.config.listeners.iter();
        let mut plain = listeners.filter(|listener| {
            let is_plain = listener.protocol == Protocol::Mqtt && listener.tls.is_none();
            is_plain && listener.proxy_protocol.is_none()
        });
        plain.find_map(|listener| match &listener.address {
            Address::Loopback(port) => self.is_local.then_some(*port),
            Address::Tcp { host: None, port, .. } => Some(*port),
            // What is reached under another name may be another machine.
            Address::Tcp { port, .. } => self.is_local.then_some(*port),
            Address::Unix(_) => None,
        })
    }

    /// The origin of a page that may not open a WebSocket here.
    fn stranger<'a>(&self, headers: &'a HeaderMap, listed: &[String]) -> Option<&'a str> {
        let origin = headers.get(header::ORIGIN)?.to_str().unwrap_or_default();
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let asked = Asked { origin: Some(origin), host, is_local: self.is_local };
        (!origin::may_open(asked, listed)).then_some(origin)
    }
}

fn turn_away(origin: &str) -> Answer {
    tracing::info!(
        target: WEBSOCKETS,
        "A page from {origin} may not open a WebSocket; websockets_origin {origin} in the \
         configuration would let it."
    );
    let text = "A page from there may not talk to this broker, unless its configuration says \
                websockets_origin.\n";
    say(StatusCode::FORBIDDEN, text)
}

fn send_dashboard<B>(request: &Request<B>) -> Answer {
    let path = request.uri().path();
    match assets::get(path) {
        Some(asset) => send_asset(asset, request),
        None if path == WEBSOCKET_PATH => {
            let text = "This is where MQTT over WebSocket is spoken: open it with the subprotocol \
                        mqtt. The dashboard is at /.\n";
            let mut answer = say(StatusCode::UPGRADE_REQUIRED, text);
            let headers = answer.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            answer
        }
        None => say(StatusCode::NOT_FOUND, "There is nothing here. The dashboard is at /.\n"),
    }
}

/// Sends a file of a folder. What a page there may do is for whoever wrote it to say.
async fn send_file(folder: PathBuf, path: String) -> Answer {
    let wanted = path.clone();
    let found = tokio::task::spawn_blocking(move || folder::find(&folder, &wanted)).await;
    match found.unwrap_or(Found::Nothing) {
        Found::File { content, content_type } => {
            let mut answer = Response::new(Full::new(Bytes::from(content)));
            let headers = answer.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            answer
        }
        Found::Folder => {
            let mut answer = say(StatusCode::MOVED_PERMANENTLY, "This is a folder.\n");
            // Relative to this server, whatever number of slashes the path begins with.
            let there = format!("/{}/", path.trim_matches('/'));
            if let Ok(there) = HeaderValue::from_str(&there) {
                answer.headers_mut().insert(header::LOCATION, there);
            }
            answer
        }
        Found::TooLarge => {
            say(StatusCode::INTERNAL_SERVER_ERROR, "The file is too large to be served here.\n")
        }
        Found::Nothing => say(StatusCode::NOT_FOUND, "There is nothing here.\n"),
    }
}

/// Whether a header that is a list of words has this word, in any case.
fn has_word(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn wants_upgrade(headers: &HeaderMap) -> bool {
    has_word(headers, header::UPGRADE, "websocket")
}

fn open_websocket<B>(request: &Request<B>) -> Answer {
    let headers = request.headers();
    let Some(subprotocol) = SUBPROTOCOLS
        .into_iter()
        .find(|name| has_word(headers, header::SEC_WEBSOCKET_PROTOCOL, name))
    else {
        let text = "The WebSocket must ask for the subprotocol mqtt (or mqttv3.1).\n";
        return say(StatusCode::BAD_REQUEST, text);
    };
    websocket::accept(request, Some(subprotocol)).unwrap_or_else(|why| {
        let mut answer = say(StatusCode::BAD_REQUEST, &format!("No WebSocket: {why}.\n"));
        let version = HeaderValue::from_static("13");
        answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
        answer
    })
}

fn send_asset<B>(asset: &Asset, request: &Request<B>) -> Answer {
    let headers = request.headers();
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let accepts = |coding| accepts_encoding(headers, coding);
    let (body, encoding) = match (asset.brotli, asset.gzip) {
        (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
        (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
        _ => (asset.identity, None),
    };
    let has = |etag| has_word(headers, header::IF_NONE_MATCH, etag);
    let unchanged = has(asset.etag) || has("*");
    let mut answer =
        Response::new(Full::new(if unchanged { Bytes::new() } else { Bytes::from_static(body) }));
    if unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let out = answer.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    out.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    out.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoding
        && !unchanged
    {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    protect(out);
    answer
}

/// Whether the client takes this content coding; `q=0` says that it does not.
fn accepts_encoding(headers: &HeaderMap, coding: &str) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts
                .filter_map(|part| part.strip_prefix("q="))
                .any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
            name.eq_ignore_ascii_case(coding) && !refused
        })
}

/// An answer in words.
pub(crate) fn say(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    protect(headers);
    answer
}

fn protect(headers: &mut HeaderMap) {
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    const UPGRADE: [(&str, &str); 4] = [
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn answer(request: &Request<()>) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let settings = Arc::new(Settings::load(crate::config::Config::default()).unwrap());
        let site = Site { settings, listener: 0, is_local: true };
        runtime.block_on(site.answer(request))
    }

    #[test]
    fn what_each_request_is_answered() {
        for (method, path, want) in [
            ("GET", "/", 200),
            ("HEAD", "/index.html", 200),
            ("POST", "/", 405),
            ("GET", "/no-such-file", 404),
            ("GET", "/mqtt", 426),
            ("GET", "/mqtt-port", 200),
        ] {
            assert_eq!(answer(&request(method, path, &[])).status(), want, "{method} {path}");
        }
    }

    #[test]
    fn a_websocket_needs_a_subprotocol_of_mqtt() {
        for (path, subprotocol, want, echoed) in [
            ("/mqtt", Some("mqtt"), 101, Some("mqtt")),
            ("/", Some("mqttv3.1"), 101, Some("mqttv3.1")),
            ("/", Some("chat, MQTT"), 101, Some("mqtt")),
            ("/mqtt", Some("chat"), 400, None),
            ("/mqtt", None, 400, None),
        ] {
            let mut headers = UPGRADE.to_vec();
            headers.extend(subprotocol.map(|name| ("Sec-WebSocket-Protocol", name)));
            let answer = answer(&request("GET", path, &headers));
            assert_eq!(answer.status(), want, "{path} {subprotocol:?}");
            let name = answer.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
            assert_eq!(name.map(|name| name.to_str().unwrap()), echoed);
        }
    }

    #[test]
    fn an_asset_is_not_sent_twice_to_who_has_it() {
        let first = answer(&request("GET", "/", &[]));
        let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        for (known, want) in [(etag.as_str(), 304), ("W/\"old\", *", 304), ("W/\"old\"", 200)] {
            let again = answer(&request("GET", "/", &[("If-None-Match", known)]));
            assert_eq!(again.status(), want, "{known}");
        }
    }

    #[test]
    fn content_codings_and_their_weights() {
        for (header, coding, want) in [
            ("gzip, deflate, br", "br", true),
            ("gzip;q=1.0, br;q=0", "br", false),
            ("GZIP", "gzip", true),
            ("identity", "gzip", false),
        ] {
            let request = request("GET", "/", &[("Accept-Encoding", header)]);
            assert_eq!(accepts_encoding(request.headers(), coding), want, "{header} {coding}");
        }
    }
}
