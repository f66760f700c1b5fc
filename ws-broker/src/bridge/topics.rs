//! The topics that two brokers share, and their names on either side.
//!
//! A line `topic PATTERN DIRECTION QOS LOCAL REMOTE` shares what is called LOCAL and PATTERN here and
//! REMOTE and PATTERN there. Of several lines that fit a message, the first that renames decides.

use anyhow::{Context, Result};
use codec::{QoS, TopicFilter, TopicName};

use crate::config::bridge::{BridgeTopic, Direction};

/// The topics of one bridge.
#[derive(Debug)]
pub(crate) struct Topics {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    out: bool,
    inward: bool,
    qos: QoS,
    local: TopicFilter,
    remote: TopicFilter,
    local_prefix: String,
    remote_prefix: String,
}

/// What becomes of a topic on its way to the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renamed {
    /// It is called the same there.
    Same,
    /// It is called this there.
    To(TopicName),
    /// It has no name there, so that its message ends here.
    Nameless,
}

/// What a bridge asks of the other broker for one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Subscribe(TopicFilter, QoS),
    /// The line may have been one for messages from there once.
    Unsubscribe(TopicFilter),
}

impl Topics {
    /// The topics of these lines.
    ///
    /// # Errors
    /// A prefix and its pattern make no topic filter.
    pub(crate) fn new(lines: &[BridgeTopic]) -> Result<Self> {
        let lines = lines.iter().map(Line::new).collect::<Result<_>>()?;
        Ok(Self { lines })
    }

    /// What is subscribed to here, with the QoS that the other broker takes at most.
    pub(crate) fn local(&self, qos_max: QoS) -> impl Iterator<Item = (&TopicFilter, QoS)> {
        let lines = self.lines.iter().filter(|line| line.out);
        lines.map(move |line| (&line.local, line.qos.min(qos_max)))
    }

    /// What is asked of the other broker, line by line.
    pub(crate) fn remote(&self, qos_max: QoS) -> impl Iterator<Item = Request> {
        self.lines.iter().map(move |line| {
            if line.inward {
                Request::Subscribe(line.remote.clone(), line.qos.min(qos_max))
            } else {
                Request::Unsubscribe(line.remote.clone())
            }
        })
    }

    /// What a topic of this broker is called there.
    pub(crate) fn to_remote(&self, topic: &TopicName) -> Renamed {
        let line =
            self.lines.iter().find(|line| line.out && line.renames() && line.local.matches(topic));
        line.map_or(Renamed::Same, |line| {
            rename(topic.as_str(), &line.local_prefix, &line.remote_prefix)
        })
    }

    /// What a topic of the other broker is called here.
    pub(crate) fn to_local(&self, topic: &TopicName) -> Renamed {
        let line = self
            .lines
            .iter()
            .find(|line| line.inward && line.renames() && line.remote.matches(topic));
        line.map_or(Renamed::Same, |line| {
            rename(topic.as_str(), &line.remote_prefix, &line.local_prefix)
        })
    }
}

impl Line {
    fn new(topic: &BridgeTopic) -> Result<Self> {
        let filter = |prefix: &str| {
            let filter = format!("{prefix}{}", topic.pattern);
            TopicFilter::new(&filter).with_context(|| format!("Invalid bridge topic '{filter}'"))
        };
        Ok(Self {
            out: topic.direction != Direction::In,
            inward: topic.direction != Direction::Out,
            qos: topic.qos,
            local: filter(&topic.local_prefix)?,
            remote: filter(&topic.remote_prefix)?,
            local_prefix: topic.local_prefix.clone(),
            remote_prefix: topic.remote_prefix.clone(),
        })
    }

    fn renames(&self) -> bool {
        self.local_prefix != self.remote_prefix
    }
}

/// Puts `new` in the place of the prefix `old`, which `topic` has.
fn rename(topic: &str, old: &str, new: &str) -> Renamed {
    let renamed = match topic.strip_prefix(old) {
        Some(rest) => format!("{new}{rest}"),
        // `#` matches the level above it, too: of `a/`, that is `a`.
        None => new.strip_suffix('/').unwrap_or_default().to_owned(),
    };
    TopicName::new(&renamed).map_or(Renamed::Nameless, Renamed::To)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(lines: &[(&str, Direction, u8, &str, &str)]) -> Topics {
        let lines: Vec<_> = lines
            .iter()
            .map(|(pattern, direction, qos, local, remote)| BridgeTopic {
                pattern: (*pattern).into(),
                direction: *direction,
                qos: QoS::from_u8(*qos).unwrap(),
                local_prefix: (*local).into(),
                remote_prefix: (*remote).into(),
            })
            .collect();
        Topics::new(&lines).unwrap()
    }

    fn name(renamed: Renamed, same: &str) -> Option<String> {
        match renamed {
            Renamed::Same => Some(same.into()),
            Renamed::To(topic) => Some(topic.as_str().into()),
            Renamed::Nameless => None,
        }
    }

    #[test]
    fn prefixes_are_exchanged_on_the_way() {
        use Direction::Both;
        for (pattern, local, remote, here, there) in [
            // The table of the man page.
            ("pattern", "L/", "R/", "L/pattern", Some("R/pattern")),
            ("pattern", "L/", "", "L/pattern", Some("pattern")),
            ("pattern", "", "R/", "pattern", Some("R/pattern")),
            ("pattern", "", "", "pattern", Some("pattern")),
            ("", "local", "remote", "local", Some("remote")),
            // Wildcards.
            ("#", "l/t/", "r/t/", "l/t/a/b", Some("r/t/a/b")),
            ("+/value", "l/", "r/s/", "l/x/value", Some("r/s/x/value")),
            ("ic/+", "l/top", "r/tip", "l/topic/x", Some("r/tipic/x")),
            ("#", "l/", "", "l//", Some("/")),
            // The level above what `#` stands for.
            ("#", "l/t/", "r/t/", "l/t", Some("r/t")),
            ("#", "l/", "", "l", None),
            ("#", "l/", "", "l/", None),
            ("#", "l/", "/", "l", None),
            // What the line does not match keeps its name.
            ("a/#", "l/", "r/", "x/a/b", Some("x/a/b")),
            ("#", "", "r/", "$SYS/x", Some("$SYS/x")),
            ("broker/x", "up/", "$SYS/", "up/broker/x", Some("$SYS/broker/x")),
        ] {
            let both = topics(&[(pattern, Both, 0, local, remote)]);
            let topic = TopicName::new(here).unwrap();
            let line = format!("topic {pattern} both 0 {local} {remote}: {here}");
            assert_eq!(name(both.to_remote(&topic), here).as_deref(), there, "{line}");
            let turned = topics(&[(pattern, Both, 0, remote, local)]);
            assert_eq!(name(turned.to_local(&topic), here).as_deref(), there, "{line}, turned");
        }
    }

    #[test]
    fn a_line_renames_in_its_direction_only_and_the_first_that_fits_decides() {
        let topics = topics(&[
            ("#", Direction::In, 0, "in/", "r/"),
            ("#", Direction::Out, 0, "l/", "out/"),
            ("x/#", Direction::Both, 0, "", ""),
            ("x/#", Direction::Both, 0, "l/", "late/"),
            ("y", Direction::Both, 0, "", "second/"),
        ]);
        let name = |text: &str| TopicName::new(text).unwrap();
        assert_eq!(topics.to_remote(&name("l/x/1")), Renamed::To(name("out/x/1")));
        assert_eq!(topics.to_remote(&name("x/1")), Renamed::Same);
        assert_eq!(topics.to_remote(&name("in/1")), Renamed::Same);
        assert_eq!(topics.to_local(&name("r/1")), Renamed::To(name("in/1")));
        assert_eq!(topics.to_local(&name("out/1")), Renamed::Same);
        assert_eq!(topics.to_local(&name("late/x/1")), Renamed::To(name("l/x/1")));
        assert_eq!(topics.to_local(&name("second/y")), Renamed::To(name("y")));
    }

    #[test]
    fn a_topic_that_grows_too_long_has_no_name_there() {
        let topics = topics(&[("#", Direction::Out, 0, "", "remote/")]);
        let long = TopicName::new(&"x".repeat(65_530)).unwrap();
        assert_eq!(topics.to_remote(&long), Renamed::Nameless);
    }

    #[test]
    fn each_side_is_asked_for_what_its_lines_say() {
        let topics = topics(&[
            ("a", Direction::Out, 2, "l/", "r/"),
            ("b", Direction::In, 1, "l/", "r/"),
            ("c", Direction::Both, 2, "l/", "r/"),
        ]);
        let filter = |text: &str| TopicFilter::new(text).unwrap();
        let local: Vec<_> = topics.local(QoS::ExactlyOnce).map(|(f, q)| (f.clone(), q)).collect();
        let two = QoS::ExactlyOnce;
        assert_eq!(local, [(filter("l/a"), two), (filter("l/c"), two)]);
        let one = QoS::AtLeastOnce;
        assert!(topics.local(one).all(|(_, qos)| qos == one));
        assert_eq!(
            topics.remote(one).collect::<Vec<_>>(),
            [
                Request::Unsubscribe(filter("r/a")),
                Request::Subscribe(filter("r/b"), one),
                Request::Subscribe(filter("r/c"), one),
            ]
        );
    }
}
