//! Mosquitto's command-line clients, `mosquitto_pub` and `mosquitto_sub`.

use std::io::Write as _;
use std::process::{ChildStdin, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Broker;
use crate::program::{Line, Program, Signal};
use crate::wire::Version;

/// What stands first in each line that tells of a message.
const MESSAGE_MARK: &str = "message\t";
/// How `mosquitto_sub` is to tell of a message: its fields between tabs, the payload in hexadecimal.
const MESSAGE_FORMAT: &str = r"message\t%q\t%r\t%t\t%C\t%R\t%D\t%E\t%F\t%S\t%P\t%x";
const MESSAGE_FIELDS: usize = 12;
/// How the topics begin that are for [`Subscriber::messages`] alone.
const FENCE_PREFIX: &str = "fence/";

/// A message as `mosquitto_sub` received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The topic it was published to.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// The QoS it was delivered with.
    pub qos: u8,
    /// Whether it was delivered as a retained message.
    pub retain: bool,
    /// Its properties, where it has any.
    pub properties: Properties,
}

/// The properties of a message in MQTT 5.0; each is empty where the message has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the property of its name")]
pub struct Properties {
    pub content_type: String,
    pub response_topic: String,
    pub correlation_data: String,
    pub message_expiry_interval: String,
    pub payload_format_indicator: String,
    pub subscription_identifier: String,
    /// `name:value`, with a space between one and the next.
    pub user_properties: String,
}

/// A message without properties that is not retained.
#[must_use]
pub fn message(topic: &str, payload: impl AsRef<[u8]>, qos: u8) -> Message {
    let (topic, payload) = (topic.to_owned(), payload.as_ref().to_vec());
    Message { topic, payload, qos, ..Message::default() }
}

impl Message {
    /// The same message, delivered as a retained one.
    #[must_use]
    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    fn parse(line: &Line) -> Option<Self> {
        if !line.text.starts_with(MESSAGE_MARK) {
            return None;
        }
        let fields: Vec<&str> = line.text.split('\t').collect();
        assert_eq!(fields.len(), MESSAGE_FIELDS, "no message: {:?}", line.text);
        let field = |index: usize| fields[index].to_owned();
        Some(Self {
            qos: fields[1].parse().expect("the QoS is a number"),
            retain: fields[2] == "1",
            topic: field(3),
            properties: Properties {
                content_type: field(4),
                response_topic: field(5),
                correlation_data: field(6),
                message_expiry_interval: field(7),
                payload_format_indicator: field(8),
                subscription_identifier: field(9),
                user_properties: field(10),
            },
            payload: from_hexadecimal(fields[11]),
        })
    }
}

fn from_hexadecimal(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// A running `mosquitto_sub`.
pub struct Subscriber {
    program: Program,
    version: Version,
    /// The topic that is this subscriber's alone, see [`Self::messages`].
    fence: String,
    taken_lines: usize,
}

impl Subscriber {
    /// Starts `mosquitto_sub` with these arguments and waits until the broker has acknowledged its
    /// subscriptions. It is also subscribed to a topic of its own, for [`Self::messages`].
    #[must_use]
    #[track_caller]
    pub fn start(broker: &Broker, version: Version, arguments: &[&str]) -> Self {
        let subscriber = Self::start_unacknowledged(broker, version, arguments);
        subscriber.program.wait_for_line("Subscribed (mid:");
        subscriber
    }

    /// Starts `mosquitto_sub` and waits for nothing.
    #[must_use]
    #[track_caller]
    pub fn start_unacknowledged(broker: &Broker, version: Version, arguments: &[&str]) -> Self {
        static FENCES: AtomicU32 = AtomicU32::new(0);
        let fence = format!("{FENCE_PREFIX}{}", FENCES.fetch_add(1, Ordering::Relaxed));
        // With its output in a pipe it would keep its lines back until there are many.
        let mut command = Command::new("stdbuf");
        command
            .args(["--output=L", "mosquitto_sub", "-d", "-h", "127.0.0.1"])
            .args(["-p", &broker.ports.mqtt.to_string(), "-V", version.option()])
            .args(["-F", MESSAGE_FORMAT, "-t", &fence])
            .args(arguments);
        let name = format!("mosquitto_sub -V {} {}", version.option(), arguments.join(" "));
        Self { program: Program::start(&name, &mut command), version, fence, taken_lines: 0 }
    }

    /// The process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// The next message.
    #[track_caller]
    pub fn next_message(&mut self) -> Message {
        loop {
            let message = self.next_any_message();
            // Who subscribed to everything also gets the fences of others.
            if !message.topic.starts_with(FENCE_PREFIX) {
                return message;
            }
        }
    }

    #[track_caller]
    fn next_any_message(&mut self) -> Message {
        let taken = self.taken_lines;
        let (at, message) = self.program.wait_for("a message", |lines| {
            let mut rest = lines.iter().enumerate().skip(taken);
            rest.find_map(|(at, line)| Some((at, Message::parse(line)?)))
        });
        self.taken_lines = at + 1;
        message
    }

    /// Waits for `count` messages and returns them, with any that came too many.
    ///
    /// To see that no more come, a message is published at QoS 1 to a topic of its own when the
    /// others have arrived, and all that come before it are among those returned.
    #[track_caller]
    pub fn messages(&mut self, broker: &Broker, count: usize) -> Vec<Message> {
        let mut messages: Vec<_> = (0..count).map(|_| self.next_message()).collect();
        let fence = self.fence.clone();
        publish(broker, self.version, &["-q", "1", "-t", &fence, "-m", "that was all"]);
        loop {
            let message = self.next_any_message();
            if message.topic == fence {
                return messages;
            }
            if !message.topic.starts_with(FENCE_PREFIX) {
                messages.push(message);
            }
        }
    }

    /// Cuts it off (SIGKILL) and waits until it is gone.
    #[track_caller]
    pub fn kill(mut self) {
        self.program.signal(Signal::KILL);
        self.program.wait_exit();
    }

    /// Has it disconnect (SIGTERM) and waits until it has ended.
    #[track_caller]
    pub fn disconnect(mut self) {
        self.program.signal(Signal::TERM);
        self.program.wait_exit();
    }
}

/// Runs `mosquitto_pub` with these arguments; at QoS 1 and 2 it ends when the broker has
/// acknowledged.
#[track_caller]
pub fn publish(broker: &Broker, version: Version, arguments: &[&str]) {
    publish_input(broker, version, arguments, Vec::new());
}

/// [`publish`] with something to read from standard input, all of it as one message (`-s`).
#[track_caller]
pub fn publish_input(broker: &Broker, version: Version, arguments: &[&str], input: Vec<u8>) {
    let (name, mut command) = publisher(broker, version, arguments);
    Program::start_with_input(&name, &mut command, input).wait_success();
}

/// A running `mosquitto_pub -l`: each line that is written to it becomes a message.
///
/// Its input ends when [`Self::finish`] is called, which has to wait until the messages have
/// arrived. At the end of its input one of `mosquitto_pub`'s threads looks whether the last message
/// has left, while the other looks whether the input has ended; when they look at the same moment
/// each may miss what the other did, and it never ends.
pub struct LinePublisher {
    program: Program,
    input: ChildStdin,
}

impl LinePublisher {
    /// Starts `mosquitto_pub -l` with these arguments.
    #[must_use]
    pub fn start(broker: &Broker, version: Version, arguments: &[&str]) -> Self {
        let (name, mut command) = publisher(broker, version, arguments);
        let (program, input) =
            Program::start_with_open_input(&format!("{name} -l"), command.arg("-l"));
        Self { program, input }
    }

    /// Has it publish these lines, each of which ends in a line feed.
    ///
    /// # Panics
    /// If the program has ended.
    pub fn publish(&mut self, lines: &[u8]) {
        self.input.write_all(lines).expect("mosquitto_pub reads its input");
    }

    /// Ends its input, after all its messages have arrived, and waits for its end.
    #[track_caller]
    pub fn finish(self) {
        let Self { mut program, input } = self;
        drop(input);
        program.wait_success();
    }
}

/// `mosquitto_pub` with these arguments, and what a failing test calls it.
fn publisher(broker: &Broker, version: Version, arguments: &[&str]) -> (String, Command) {
    let mut command = Command::new("mosquitto_pub");
    command
        .args(["-h", "127.0.0.1", "-p", &broker.ports.mqtt.to_string()])
        .args(["-V", version.option()])
        .args(arguments);
    (format!("mosquitto_pub -V {} {}", version.option(), arguments.join(" ")), command)
}
