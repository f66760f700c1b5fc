//! AEMET OpenData as it answers: first an envelope that names a URL, then what is behind it.
//!
//! The envelope has `estado` and `descripcion`, like a status of HTTP of its own; its `datos` is a
//! URL that is good for a few minutes. The key goes with the first request alone. Some inventories
//! come at once, without an envelope.

use crate::fetch::{Answer, Fetcher, Kind, Patience, Problem};
use crate::report::{Failure, say};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time;
use url::Url;

/// The variable of the environment that holds the key.
const KEY_VARIABLE: &str = "AEMET_API_KEY";
/// The header that the key goes in.
const KEY_HEADER: HeaderName = HeaderName::from_static("api_key");
/// The list of all municipalities, the longest answer of all, is some 5 MB.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How often a question is asked before it is given up, where somebody waits for the answer.
pub(super) const ATTEMPTS_MAX: u32 = 3;
/// The longest pause between them. Who waits is better told when a service asks for more.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(90);

/// The key. Has no `Debug`: it belongs into no log.
pub(super) struct Key {
    value: HeaderValue,
    file: Option<PathBuf>,
}

impl Key {
    /// From the file, or else from the environment.
    pub(super) fn find(file: Option<&Path>) -> Result<Self, Failure> {
        let (text, place) = match file {
            Some(file) => {
                let shown = file.display();
                let text = fs::read_to_string(file).map_err(|error| {
                    Failure::new(format!("Cannot read the API key from {shown}: {error}."))
                })?;
                (text.lines().next().unwrap_or_default().to_owned(), shown.to_string())
            }
            None => (env::var(KEY_VARIABLE).unwrap_or_default(), KEY_VARIABLE.to_owned()),
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(Failure::usage(format!(
                "There is no API key in {place}. Put the key that AEMET sent you into the variable \
                 {KEY_VARIABLE}, or name a file that holds it with --api-key-file. Keys are free: \
                 https://opendata.aemet.es/centrodedescargas/altaUsuario"
            )));
        }
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            Failure::usage(format!(
                "What is in {place} is no API key: it has odd characters in it."
            ))
        })?;
        value.set_sensitive(true);
        Ok(Self { value, file: file.map(Path::to_owned) })
    }

    /// What the file holds now: who replaces a key that was refused need not start us again.
    fn current(&self) -> HeaderValue {
        let again = self.file.as_deref().and_then(|file| Self::find(Some(file)).ok());
        again.map_or_else(|| self.value.clone(), |key| key.value)
    }
}

/// The service, at one address, with one key.
pub(super) struct Service {
    fetcher: Fetcher,
    base: Url,
    key: Key,
    verbose: bool,
}

/// What a first answer has turned out to be.
enum First {
    Data(Value),
    Link(Url),
}

impl Service {
    pub(super) fn new(fetcher: Fetcher, base: Url, key: Key, verbose: bool) -> Self {
        Self { fetcher, base, key, verbose }
    }

    /// Asks for the data of a path such as `["api", "maestro", "municipios"]`.
    ///
    /// A URL of data that has expired by the time we ask for it is asked for once more.
    pub(super) async fn data(&self, path: &[&str]) -> Result<Value, Problem> {
        let url = self.url(path)?;
        match self.attempt(&url).await {
            Err(Attempt::Expired) => match self.attempt(&url).await {
                Err(Attempt::Expired) => {
                    Err(Problem::passing("the URL of the data has expired, twice in a row"))
                }
                Err(Attempt::Failed(problem)) => Err(problem),
                Ok(data) => Ok(data),
            },
            Err(Attempt::Failed(problem)) => Err(problem),
            Ok(data) => Ok(data),
        }
    }

    /// Asks until there is an answer, or no use in asking on.
    pub(super) async fn data_patiently(&self, path: &[&str]) -> Result<Value, Failure> {
        let mut patience = Patience::default();
        let mut attempt = 1;
        loop {
            let problem = match self.data(path).await {
                Ok(data) => return Ok(data),
                Err(problem) => problem,
            };
            let pause = patience.pause(&problem, fastrand::f64());
            let is_hopeless = matches!(problem.kind, Kind::Refused | Kind::Missing);
            if is_hopeless || attempt >= ATTEMPTS_MAX || pause > PAUSE_MAX {
                return Err(Failure::new(format!("AEMET gave no answer: {}.", advised(&problem))));
            }
            attempt = attempt.saturating_add(1);
            if self.verbose {
                say!("AEMET: {problem}. Asking again in {:.1} s.", pause.as_secs_f64());
            }
            time::sleep(pause).await;
        }
    }

    fn url(&self, path: &[&str]) -> Result<Url, Problem> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => return Err(Problem::passing("the base URL takes no path")),
        };
        Ok(url)
    }

    async fn attempt(&self, url: &Url) -> Result<Value, Attempt> {
        let headers = HeaderMap::from_iter([(KEY_HEADER, self.key.current())]);
        let answer = self.fetcher.get(url, headers, ANSWER_BYTES_MAX).await?;
        match self.first(&answer)? {
            First::Data(data) => Ok(data),
            First::Link(link) => {
                let answer = self.fetcher.get(&link, HeaderMap::new(), ANSWER_BYTES_MAX).await?;
                second(&answer)
            }
        }
    }

    fn first(&self, answer: &Answer) -> Result<First, Problem> {
        let json = answer.json();
        if let Some(problem) = answer.problem(json.as_ref().ok().and_then(said)) {
            return Err(problem);
        }
        let json = json?;
        if let Some(problem) = problem_inside(answer, &json) {
            return Err(problem);
        }
        if json.is_array() {
            return Ok(First::Data(json));
        }
        let link = json.get("datos").and_then(Value::as_str).map(str::trim);
        let link = link.filter(|link| !link.is_empty());
        let link = link.ok_or_else(|| Problem::passing("the answer names no URL of data"))?;
        self.link(link).map(First::Link)
    }

    /// The URL of the data. It needs no key, so it may be anywhere, but not without TLS when the
    /// service is asked with it.
    fn link(&self, link: &str) -> Result<Url, Problem> {
        let url = self.base.join(link);
        let url = url.map_err(|_| Problem::passing("the answer's URL of data is none"))?;
        match (self.base.scheme(), url.scheme()) {
            (_, "https") | ("http", "http") => Ok(url),
            _ => Err(Problem::passing("the answer's URL of data is not one of HTTPS")),
        }
    }
}

/// Why an attempt has come to nothing.
enum Attempt {
    /// The data's URL was too old.
    Expired,
    Failed(Problem),
}

impl From<Problem> for Attempt {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

/// The data, or what stands in its place. Nothing there, or no entry, means that the URL has
/// expired: a service that has no data, or doesn't know the key, says so in the envelope.
fn second(answer: &Answer) -> Result<Value, Attempt> {
    let json = answer.json();
    let problem = answer.problem(json.as_ref().ok().and_then(said));
    let problem = match (problem, &json) {
        (None, Ok(json)) => problem_inside(answer, json),
        (problem, _) => problem,
    };
    match problem {
        Some(Problem { kind: Kind::Missing | Kind::Refused, .. }) => Err(Attempt::Expired),
        Some(problem) => Err(problem.into()),
        None => Ok(json?),
    }
}

/// What an object with `estado` says of itself, whatever the status of the answer was.
fn problem_inside(answer: &Answer, json: &Value) -> Option<Problem> {
    let status = match json.get("estado")? {
        Value::Number(status) => status.as_u64(),
        Value::String(status) => status.trim().parse().ok(),
        _ => None,
    };
    match status.and_then(|status| u16::try_from(status).ok()) {
        Some(status) => answer.problem_of(status, said(json)),
        None => Some(Problem::passing("the answer's `estado` is no status")),
    }
}

fn said(json: &Value) -> Option<&str> {
    json.get("descripcion").and_then(Value::as_str)
}

/// A problem, and what to do about it where a person can.
pub(super) fn advised(problem: &Problem) -> String {
    match problem.kind {
        Kind::Refused => format!(
            "it refuses the API key ({problem}); check {KEY_VARIABLE} or --api-key-file, and ask \
             for a new key if it is too old"
        ),
        Kind::Busy { .. } => format!("the quota of the API key is used up for now ({problem})"),
        Kind::Missing => format!("it has no data for this ({problem})"),
        Kind::Passing => problem.to_string(),
    }
}
