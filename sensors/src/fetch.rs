//! Asking a service over HTTP(S), and what can go wrong with that.
//!
//! Services fail in more ways than the protocol has: an error page with status 200, an empty body,
//! half an answer, an encoding that nobody announced. A [`Problem`] says which it was, in words for
//! a person, and what kind of problem it is, from which follows when asking again makes sense.
//! Nothing said here repeats a URL or a header: either may hold a key.

use crate::backoff::Backoff;
use crate::report::Failure;
use crate::tls;
use encoding_rs::{Encoding, ISO_8859_15};
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, redirect};
use serde::Deserialize;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;
use url::Url;

/// How long a service may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;
/// The longest text of a service that is quoted, in characters.
const QUOTE_CHARS_MAX: usize = 120;
/// The longest pause after the first failure, and the longest after many.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);
/// The shortest pause when a service has enough of us and doesn't say for how long.
const BUSY_PAUSE_MIN: Duration = Duration::from_secs(5);
/// The longest time a service may send us away for. A longer one is more likely a mistake.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// At most this much is added to the time that a service asks for, by chance.
const RETRY_AFTER_SPREAD: Duration = Duration::from_secs(10);
/// Between two attempts at something that only a person can put right.
const REFUSED_PAUSE: Duration = Duration::from_secs(60 * 60);

/// What kind of problem it is, and so when asking again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may work the next time.
    Passing,
    /// We ask too often; the service may have said how long to stay away.
    Busy { wait: Option<Duration> },
    /// It won't work until somebody changes something, such as the key.
    Refused,
    /// The service knows of nothing there.
    Missing,
}

/// Why there is no answer: a clause without capital and full stop, and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    words: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into() }
    }

    /// One that may be gone the next time.
    pub(crate) fn passing(words: impl Into<String>) -> Self {
        Self::new(Kind::Passing, words)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// How long to stay away from a service that has failed some times in a row.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    backoff: Backoff,
}

impl Default for Patience {
    fn default() -> Self {
        Self { backoff: Backoff::new(PAUSE_FIRST, PAUSE_MAX) }
    }
}

impl Patience {
    /// The pause after one more problem; `chance` is between 0 and 1.
    ///
    /// What a service asks for is never cut short.
    pub(crate) fn pause(&mut self, problem: &Problem, chance: f64) -> Duration {
        let backoff = self.backoff.next_pause(chance);
        match problem.kind {
            Kind::Passing | Kind::Missing => backoff,
            Kind::Busy { wait: None } => backoff.max(BUSY_PAUSE_MIN.mul_f64(1.0 + chance)),
            Kind::Busy { wait: Some(wait) } => {
                wait.saturating_add(RETRY_AFTER_SPREAD.min(wait / 4).mul_f64(chance))
            }
            Kind::Refused => REFUSED_PAUSE,
        }
    }

    /// It works again.
    pub(crate) fn reset(&mut self) {
        self.backoff.reset();
    }
}

/// A client of HTTP and HTTPS services.
#[derive(Clone)]
pub(crate) struct Fetcher {
    client: reqwest::Client,
    timeout: Duration,
}

impl Fetcher {
    /// A client that waits at most `timeout` for a whole answer.
    ///
    /// Trusts whom the system trusts, and goes through the proxies that the usual variables of the
    /// environment name.
    pub(crate) fn new(timeout: Duration) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::service_config()?)
            .user_agent(concat!("sensors/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .redirect(redirect::Policy::custom(follow))
            .build()
            .map_err(|error| Failure::new(format!("Cannot use HTTP: {}.", deepest(&error))))?;
        Ok(Self { client, timeout })
    }

    /// Asks for a URL. Any answer that came whole is one, whatever its status.
    ///
    /// An answer is not read beyond `bytes_max`.
    pub(crate) async fn get(
        &self,
        url: &Url,
        headers: HeaderMap,
        bytes_max: usize,
    ) -> Result<Answer, Problem> {
        let request = self.client.get(url.clone()).headers(headers);
        let mut response = request.send().await.map_err(|error| self.problem(&error))?;
        let too_long = || Problem::passing(format!("the answer is longer than {bytes_max} bytes"));
        let claimed = response.content_length().unwrap_or(0);
        if usize::try_from(claimed).unwrap_or(usize::MAX) > bytes_max {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.problem(&error))? {
            if body.len().saturating_add(part.len()) > bytes_max {
                return Err(too_long());
            }
            body.extend_from_slice(&part);
        }
        let header = |name| response.headers().get(name);
        Ok(Answer {
            status: response.status(),
            charset: header(CONTENT_TYPE).and_then(charset),
            retry_after: header(RETRY_AFTER).and_then(|value| wait(value, Timestamp::now())),
            body,
        })
    }

    fn problem(&self, error: &reqwest::Error) -> Problem {
        let words = if error.is_timeout() {
            format!("no whole answer within {}", humantime::format_duration(self.timeout))
        } else if error.is_redirect() {
            deepest(error)
        } else if let Some(words) = tls_words(error) {
            words
        } else if error.is_connect() {
            format!("cannot connect: {}", deepest(error))
        } else if error.is_body() || error.is_decode() {
            format!("the answer broke off: {}", deepest(error))
        } else {
            format!("no answer: {}", deepest(error))
        };
        Problem::passing(words)
    }
}

/// What a service has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    charset: Option<&'static Encoding>,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    /// The problem that the answer's status stands for, if it is not one of success. `said` is what
    /// the service says about it, in place of the status' own name.
    pub(crate) fn problem(&self, said: Option<&str>) -> Option<Problem> {
        self.problem_of(self.status.as_u16(), said)
    }

    /// The problem that a status stands for, wherever in the answer that status stood.
    pub(crate) fn problem_of(&self, status: u16, said: Option<&str>) -> Option<Problem> {
        let kind = match status {
            200..=299 => return None,
            401 | 403 => Kind::Refused,
            404 | 410 => Kind::Missing,
            429 => Kind::Busy { wait: self.retry_after },
            // Unavailable for a time that is known is as good as busy (RFC 9110 §15.6.4).
            503 if self.retry_after.is_some() => Kind::Busy { wait: self.retry_after },
            _ => Kind::Passing,
        };
        let name = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let said = said.map(quoted).filter(|said| !said.is_empty());
        let said = said.or_else(|| name.map(str::to_owned));
        Some(Problem::new(
            kind,
            match said {
                Some(said) => format!("status {status}: {said}"),
                None => format!("status {status}"),
            },
        ))
    }

    /// The body as text.
    ///
    /// UTF-8, if it can be read as that: in Spanish, text in another encoding never can by chance.
    /// Otherwise as it was announced, and ISO-8859-15 if it wasn't.
    pub(crate) fn text(&self) -> String {
        if let Ok(text) = std::str::from_utf8(&self.body) {
            return text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        }
        let announced = self.charset.filter(|charset| *charset != encoding_rs::UTF_8);
        announced.unwrap_or(ISO_8859_15).decode(&self.body).0.into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, Problem> {
        parse(&self.text())
    }
}

/// A text as JSON, whatever of it is wanted; or what the text is instead.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let start = text.trim_start();
        Problem::passing(if start.is_empty() {
            "the answer is empty".to_owned()
        } else if start.starts_with('<') {
            match title(start) {
                Some(title) => format!("the answer is a web page (\"{title}\"), not JSON"),
                None => "the answer is a web page, not JSON".to_owned(),
            }
        } else if error.is_eof() || breaks_off_in_a_number(start) {
            "the answer ends in the middle".to_owned()
        } else {
            format!("the answer is not JSON: {error}")
        })
    })
}

/// Such as in `7.` or `7e-`, which is no number but may become one.
fn breaks_off_in_a_number(text: &str) -> bool {
    let before = text.trim_end_matches(['.', 'e', 'E', '+', '-']);
    before.len() < text.len() && before.ends_with(|c: char| c.is_ascii_digit())
}

/// Follows to the same server, and from HTTP to HTTPS there: the headers go along, and a key in
/// them is for nobody else.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from = attempt.previous().last();
    let allowed = from.is_some_and(|from| is_same_server(from, attempt.url()));
    if !allowed {
        let host = quoted(attempt.url().host_str().unwrap_or_default());
        return attempt
            .error(format!("it redirects to another server, {host}, which is not asked"));
    }
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("it redirects in circles");
    }
    attempt.follow()
}

fn is_same_server(from: &Url, to: &Url) -> bool {
    let origin = |url: &Url| {
        (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default())
    };
    let is_upgrade = from.scheme() == "http"
        && to.scheme() == "https"
        && from.host_str() == to.host_str()
        && from.port().is_none()
        && to.port().is_none();
    is_upgrade || origin(from) == origin(to)
}

fn charset(content_type: &HeaderValue) -> Option<&'static Encoding> {
    let parameters = content_type.to_str().ok()?.split(';').skip(1);
    parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| Encoding::for_label(value.trim().trim_matches('"').as_bytes()))?
    })
}

/// How long `Retry-After` asks to wait: seconds, or until a date (RFC 9110 §10.2.3).
fn wait(retry_after: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = retry_after.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(until.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The title of a web page.
fn title(page: &str) -> Option<String> {
    // Not `to_lowercase`, which may move the places of what follows.
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start.checked_add(lower.get(start..)?.find('>')?)?.checked_add(1)?;
    let length = lower.get(start..)?.find("</")?;
    let title = quoted(page.get(start..)?.get(..length)?);
    (!title.is_empty()).then_some(title)
}

/// A text of a service, short enough and tame enough to be shown on a terminal.
pub(crate) fn quoted(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let mut characters = words.join(" ");
    characters.retain(|c| !c.is_control());
    let mut short: String = characters.chars().take(QUOTE_CHARS_MAX).collect();
    if short.len() < characters.len() {
        short.push('…');
    }
    short
}

fn tls_words(error: &(dyn Error + 'static)) -> Option<String> {
    Some(match tls::cause(error)? {
        rustls::Error::InvalidCertificate(reason) => format!(
            "the service's certificate is not trusted here ({reason}); the variable SSL_CERT_FILE \
             may name a file of those to trust"
        ),
        error => format!("TLS failed: {}", quoted(&error.to_string())),
    })
}

/// The first cause, which is the one that a person can do something about.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if let Some(error) = deepest.downcast_ref::<io::Error>()
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        return "connection refused, nothing listens there".to_owned();
    }
    quoted(deepest.to_string().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: Option<&'static str>, body: &[u8]) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            charset: content_type.map(HeaderValue::from_static).as_ref().and_then(charset),
            retry_after: None,
            body: body.to_vec(),
        }
    }

    #[test]
    fn bodies_are_read_in_the_encoding_they_are_in() {
        let latin = Some("text/plain;charset=ISO-8859-15");
        let utf8 = Some("application/json; charset=\"UTF-8\"");
        let cases: [(Option<&'static str>, &[u8], &str); 8] = [
            (latin, b"Logro\xf1o", "Logroño"),
            (latin, b"10 \xa4", "10 €"),
            (None, b"\xc1vila", "Ávila"),
            (utf8, b"\xc1vila", "Ávila"),
            (utf8, "Ávila".as_bytes(), "Ávila"),
            (latin, "Ávila".as_bytes(), "Ávila"),
            (Some("text/plain; charset=windows-1252"), b"10 \x80", "10 €"),
            (None, b"\xef\xbb\xbf[]", "[]"),
        ];
        for (content_type, body, text) in cases {
            assert_eq!(answer(200, content_type, body).text(), text, "{content_type:?}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_apart() {
        let cases: [(&[u8], &str); 11] = [
            (b"", "the answer is empty"),
            (b" \r\n", "the answer is empty"),
            (b"<html><body>Oops", "the answer is a web page, not JSON"),
            (
                b"\n<!DOCTYPE html><html><TITLE lang=es>Error\n 502</TITLE>",
                "the answer is a web page (\"Error 502\"), not JSON",
            ),
            (b"[{\"ta\": 1", "the answer ends in the middle"),
            (b"[{\"ta\": \"1", "the answer ends in the middle"),
            (b"[{\"ta\": 7.", "the answer ends in the middle"),
            (b"[{\"ta\": 7.5e-", "the answer ends in the middle"),
            (b"not available", "the answer is not JSON: expected ident at line 1 column 2"),
            (b"no", "the answer is not JSON: expected ident at line 1 column 2"),
            (b"[1,]", "the answer is not JSON: trailing comma at line 1 column 4"),
        ];
        for (body, words) in cases {
            assert_eq!(answer(200, None, body).json(), Err(Problem::passing(words)));
        }
        assert!(answer(200, None, b"{}").json().is_ok());
    }

    #[test]
    fn a_status_says_whether_to_ask_again() {
        let soon = Some(Duration::from_secs(7));
        let cases = [
            (200, None, None),
            (204, None, None),
            (401, None, Some((Kind::Refused, "status 401: Unauthorized"))),
            (404, None, Some((Kind::Missing, "status 404: Not Found"))),
            (429, None, Some((Kind::Busy { wait: None }, "status 429: Too Many Requests"))),
            (429, soon, Some((Kind::Busy { wait: soon }, "status 429: Too Many Requests"))),
            (503, soon, Some((Kind::Busy { wait: soon }, "status 503: Service Unavailable"))),
            (503, None, Some((Kind::Passing, "status 503: Service Unavailable"))),
            (599, None, Some((Kind::Passing, "status 599"))),
        ];
        for (status, retry_after, expected) in cases {
            let answer = Answer { retry_after, ..answer(status, None, b"") };
            let expected = expected.map(|(kind, words)| Problem::new(kind, words));
            assert_eq!(answer.problem(None), expected, "{status}");
        }
        let said = answer(401, None, b"").problem(Some("API key \x1b[1m\n invalido")).unwrap();
        assert_eq!(said.to_string(), "status 401: API key [1m invalido");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            ("Sat, 21 Nov 2026 08:01:30 GMT", Some(90)),
            ("Sat, 21 Nov 2026 07:00:00 GMT", Some(0)),
            ("99999999", Some(86_400)),
            ("99999999999999999999999", None),
            ("-3", None),
            ("soon", None),
            ("", None),
        ];
        for (text, seconds) in cases {
            let wait = wait(&HeaderValue::from_str(text).unwrap(), now);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn what_a_service_asks_for_is_never_cut_short() {
        let wait = Duration::from_secs(30);
        let busy = Problem::new(Kind::Busy { wait: Some(wait) }, "busy");
        for chance in [0.0, 0.5, 1.0] {
            let pause = Patience::default().pause(&busy, chance);
            assert!((wait..wait * 2).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn pauses_grow_with_the_failures() {
        let mut patience = Patience::default();
        let mut pause = |kind| patience.pause(&Problem::new(kind, ""), 0.0).as_secs();
        assert_eq!([pause(Kind::Passing), pause(Kind::Passing)], [2, 4]);
        assert_eq!(pause(Kind::Busy { wait: None }), 8);
        assert_eq!(pause(Kind::Refused), 3600);
        patience.reset();
        let mut pause = |kind| patience.pause(&Problem::new(kind, ""), 0.0).as_secs();
        assert_eq!([pause(Kind::Busy { wait: None }), pause(Kind::Passing)], [5, 4]);
    }

    #[test]
    fn a_key_is_taken_to_no_other_server() {
        let cases = [
            ("http://a/x", "http://a/y", true),
            ("http://a/", "http://a:80/", true),
            ("http://a/", "https://a/", true),
            ("https://a/", "http://a/", false),
            ("http://a:8080/", "https://a/", false),
            ("http://a/", "http://a:81/", false),
            ("http://a/", "http://b/", false),
            ("https://a/", "https://a.b/", false),
        ];
        for (from, to, same) in cases {
            let [from, to] = [from, to].map(|url| Url::parse(url).unwrap());
            assert_eq!(is_same_server(&from, &to), same, "{from} {to}");
        }
    }
}
