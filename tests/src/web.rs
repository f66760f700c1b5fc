//! A stand-in for services over HTTP: it answers each path as it was told to, well or badly, and
//! remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a test waits for a question that must come.
const DEADLINE: Duration = Duration::from_secs(60);

/// How a path is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Status, headers and a body of that very length.
    #[allow(missing_docs, reason = "each is what its name says")]
    Whole { status: u16, headers: &'static str, body: Vec<u8> },
    /// Half of the body that was promised, and then nothing more.
    CutOff(&'static str),
    /// Nothing at all, for as long as the client waits.
    Silence,
}

impl Reply {
    /// JSON with status 200.
    #[must_use]
    pub fn json(body: &str) -> Self {
        Self::with(200, "Content-Type: application/json\r\n", body)
    }

    /// A whole reply; each of the headers ends with CR LF.
    #[must_use]
    pub fn with(status: u16, headers: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::Whole { status, headers, body: body.into() }
    }
}

/// What the service was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// A service on a port of its own, on loopback.
pub struct Web {
    /// Where it is: scheme, host and port.
    pub url: String,
    replies: Arc<Mutex<BTreeMap<String, Reply>>>,
    requests: Receiver<Request>,
}

impl Web {
    /// Starts it; it ends with the test.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        Self::start_over("http", |stream| stream)
    }

    /// Starts it on connections that something is put around, such as TLS.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start_over<S: Read + Write>(
        scheme: &str,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let url = format!("{scheme}://localhost:{port}");
        let replies = Arc::new(Mutex::new(BTreeMap::new()));
        let (sender, requests) = mpsc::channel();
        let (shared, wrap) = (Arc::clone(&replies), Arc::new(wrap));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (replies, sender) = (Arc::clone(&shared), sender.clone());
                let wrap = Arc::clone(&wrap);
                thread::spawn(move || serve(wrap(stream), &replies, &sender));
            }
        });
        Self { url, replies, requests }
    }

    /// From now on a path is answered like this; what has no answer is not found.
    ///
    /// # Panics
    /// If a thread of it has panicked.
    pub fn answer(&self, path: &str, reply: Reply) {
        self.replies.lock().expect("the replies").insert(path.to_owned(), reply);
    }

    /// The next question for a path.
    ///
    /// # Panics
    /// If nobody asks.
    pub fn asked(&self, path: &str) -> Request {
        loop {
            match self.requests.recv_timeout(DEADLINE) {
                Ok(request) if path_of(&request.target) == path => return request,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("nobody asked for {path}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the service has ended"),
            }
        }
    }
}

fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// One connection, question after question.
fn serve(
    stream: impl Read + Write,
    replies: &Mutex<BTreeMap<String, Reply>>,
    asked: &Sender<Request>,
) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let path = path_of(&request.target).to_owned();
        let reply = replies.lock().expect("the replies").get(&path).cloned();
        let writer = reader.get_mut();
        // The test may be over already.
        let _ = asked.send(request);
        let goes_on = match reply.unwrap_or_else(|| Reply::with(404, "", "not here")) {
            Reply::Whole { status, headers, body } => {
                let head = format!(
                    "HTTP/1.1 {status} Whatever\r\n{headers}Content-Length: {}\r\n\r\n",
                    body.len()
                );
                writer.write_all(&[head.as_bytes(), &body].concat()).is_ok()
            }
            Reply::CutOff(body) => {
                let promised = body.len() * 2;
                let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {promised}\r\n\r\n{body}");
                let _ = writer.write_all(reply.as_bytes());
                false
            }
            Reply::Silence => {
                // Until the client has had enough and hangs up.
                let _ = reader.read_to_end(&mut Vec::new());
                false
            }
        };
        if !goes_on {
            return;
        }
    }
}

/// The head of a question; nothing when there is none to come.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = reader.lines().map_while(Result::ok);
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        })
        .collect();
    Some(Request { target, headers })
}
