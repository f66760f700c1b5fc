//! WebSocket as the listeners open it (RFC 6455): HTTP until a request asks for one, then messages.
//!
//! `examples/ws-echo.rs` runs it by itself, so that it can be held to the standard by suites that know
//! nothing of MQTT.

mod socket;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::limits::{HTTP_HEAD_MAX, Limits};
use crate::net::read_away;

pub(crate) use socket::{Messages, WebSocket};

/// An answer to an HTTP request.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What a peer may ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of a request's head.
    pub head_max: usize,
    /// How long a head may take, and a connection be idle between two.
    pub head_timeout: Duration,
    /// Bytes of a message, and of each of its frames.
    pub message_max: usize,
}

impl Bounds {
    pub(crate) fn new(limits: &Limits, head_max: usize) -> Self {
        let message_max = usize::try_from(limits.packet_size_max).unwrap_or(usize::MAX);
        Self { head_max, head_timeout: limits.http_timeout, message_max }
    }
}

/// Serves HTTP on a connection until it ends, or becomes a WebSocket because a request was answered
/// that it does.
///
/// # Errors
/// The connection breaks, or what arrives is no HTTP.
pub(crate) async fn serve_until_open<S>(
    stream: S,
    bounds: Bounds,
    answer: impl AsyncFn(&Request<Incoming>) -> Answer,
) -> Result<Option<WebSocket<S>>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upgrade = Cell::new(None);
    let (upgrade_ref, answer) = (&upgrade, &answer);
    let service = service_fn(|mut request: Request<Incoming>| async move {
        let answer = answer(&request).await;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            upgrade_ref.set(Some(hyper::upgrade::on(&mut request)));
        }
        Ok::<_, Infallible>(answer)
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(bounds.head_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    let Some(upgrade) = upgrade.take() else { return Ok(None) };
    let Ok(parts) = upgrade.await?.downcast::<TokioIo<S>>() else { return Ok(None) };
    Ok(Some(WebSocket::new(parts.io.into_inner(), &parts.read_buf, bounds.message_max)))
}

/// Opens a WebSocket for somebody who is not known yet, so that no more is taken, nor room made for more,
/// than a CONNECT needs.
pub(crate) fn for_a_stranger(bounds: Bounds, connect_size_max: u32) -> Bounds {
    let connect_max = usize::try_from(connect_size_max).unwrap_or(usize::MAX);
    Bounds { message_max: bounds.message_max.min(connect_max), ..bounds }
}

/// Accepts a WebSocket with the subprotocol that was chosen of those that the request names.
///
/// # Errors
/// The request is no whole handshake; here are the words for it.
pub(crate) fn accept<B>(
    request: &Request<B>,
    subprotocol: Option<&'static str>,
) -> Result<Answer, String> {
    // The library wants a request without a body, and checks version, key and the rest.
    let mut plain = Request::new(());
    *plain.method_mut() = request.method().clone();
    *plain.version_mut() = request.version();
    plain.headers_mut().clone_from(request.headers());
    let mut answer = create_response_with_body(&plain, Full::<Bytes>::default)
        .map_err(|error| error.to_string())?;
    if let Some(name) = subprotocol {
        let name = HeaderValue::from_static(name);
        answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(answer)
}

/// Opens a WebSocket on a connection as a listener does, but for whoever asks, and sends back each
/// message that arrives on it until either side closes.
pub async fn echo(stream: TcpStream) {
    let limits = Limits::default();
    let bounds = Bounds::new(&limits, HTTP_HEAD_MAX);
    let answer = async |request: &Request<Incoming>| {
        accept(request, None).unwrap_or_else(|why| {
            let mut answer = Response::new(Full::new(Bytes::from(why)));
            *answer.status_mut() = StatusCode::BAD_REQUEST;
            answer
        })
    };
    let opened = serve_until_open(stream, bounds, answer).await;
    let Ok(Some(mut socket)) = opened else { return };
    let code = send_back(&mut socket).await;
    let _ = tokio::time::timeout(limits.linger, async {
        socket.say_goodbye(code).await;
        read_away(socket.stream_mut()).await;
    })
    .await;
}

/// Sends back what arrives; returns why that has ended.
async fn send_back(socket: &mut WebSocket<TcpStream>) -> CloseCode {
    let mut buffer = BytesMut::new();
    while let Some(message) =
        poll_fn(|cx| socket.poll_next(cx, &mut buffer, Messages::Single)).await
    {
        let sent = match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await,
            // Reading on answers these.
            Ok(_) => Ok(()),
            Err(error) => return close_code(&error),
        };
        if sent.is_err() {
            break;
        }
    }
    CloseCode::Normal
}

/// What a peer is told that has broken the rules (RFC 6455 §7.4.1).
pub(crate) fn close_code(error: &Error) -> CloseCode {
    match error {
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Capacity(_) => CloseCode::Size,
        _ => CloseCode::Protocol,
    }
}

#[cfg(test)]
mod tests;
