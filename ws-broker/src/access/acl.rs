//! ACL files: which topics a client may publish to and read from, in Mosquitto's language.
//!
//! `topic [read|write|readwrite|deny] TOPIC` lines hold for the user of the `user NAME` line before them,
//! or, before the first of these, for clients without a name; `pattern` lines hold for everybody, with the
//! client identifier and the user name in the place of `%c` and `%u`. What is not allowed is denied; a
//! `deny` counts before what the same list allows, and a user's own lines before the patterns.
//!
//! **Invariant:** a name can't widen a pattern. One with a wildcard in it is denied all that patterns
//! give, and one with a `/` stands for no level.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hashbrown::HashMap;

use super::Identity;

/// The rules of an ACL file.
#[derive(Debug, Default)]
pub(crate) struct Acl {
    anonymous: Arc<Rules>,
    users: HashMap<String, Arc<Rules>>,
    patterns: Rules,
}

/// What a client wants to do with a message of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Get it.
    Read,
    /// Publish it.
    Write,
}

/// What one client may do by an ACL file.
#[derive(Debug)]
pub(crate) struct Rights {
    acl: Arc<Acl>,
    identity: Arc<Identity>,
    /// The user's own rules.
    own: Option<Arc<Rules>>,
}

/// The rules of one list; their order does not matter.
#[derive(Debug, Default)]
struct Rules {
    /// Topics without wildcards.
    exact: HashMap<String, Grants>,
    wild: Vec<(Pattern, Grants)>,
}

/// What lines say of one topic.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Grants {
    read: bool,
    write: bool,
    deny: bool,
}

/// A topic with wildcards or places for names.
#[derive(Debug)]
struct Pattern(Box<[Piece]>);

#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    /// `%c`
    ClientId,
    /// `%u`
    Username,
    /// `+`
    Level,
    /// `/#` behind a level, which stands for that level too.
    Rest,
    /// `#` by itself.
    All,
}

impl Acl {
    /// Reads an ACL file.
    ///
    /// # Errors
    /// It can't be read, or a line makes no sense: with that line left out the others could allow more
    /// than they are meant to.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file = path.display();
        let bytes =
            std::fs::read(path).with_context(|| format!("the ACL file {file} can't be read"))?;
        let acl = Self::parse(&bytes).with_context(|| format!("the ACL file {file} is invalid"))?;
        if acl.is_empty() {
            tracing::warn!("The ACL file {file} holds no rules: nobody may publish or read.");
        }
        for pattern in acl.patterns.without_names() {
            tracing::warn!("The pattern {pattern} in the ACL file {file} holds no %c and no %u.");
        }
        Ok(acl)
    }

    /// The rules of a file with these bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut lists = Lists::default();
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            lists.add(line).with_context(|| format!("line {number}"))?;
        }
        let users = lists.users.into_iter().map(|(name, rules)| (name, Arc::new(rules)));
        Ok(Self {
            anonymous: Arc::new(lists.anonymous),
            users: users.collect(),
            patterns: lists.patterns,
        })
    }

    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.anonymous.is_empty() && self.patterns.is_empty()
    }

    /// What a client may do.
    pub(crate) fn rights(self: &Arc<Self>, identity: &Arc<Identity>) -> Rights {
        let own = match &identity.username {
            Some(name) => self.users.get(name.as_str()).map(Arc::clone),
            None => Some(Arc::clone(&self.anonymous)),
        };
        Rights { acl: Arc::clone(self), identity: Arc::clone(identity), own }
    }
}

impl Rights {
    /// Whether the client may do this with a message of `topic`.
    pub(crate) fn allow(&self, access: Access, topic: &str) -> bool {
        let names = &self.identity;
        if let Some(own) = &self.own
            && let Some(allowed) = own.decide(access, topic, names)
        {
            return allowed;
        }
        !names.has_wildcard() && self.acl.patterns.decide(access, topic, names).unwrap_or_default()
    }

    /// Whether these are the rights of the same client by the same rules.
    pub(crate) fn are_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.acl, &other.acl) && self.identity == other.identity
    }
}

/// The lists of a file while it is read.
#[derive(Default)]
struct Lists {
    anonymous: Rules,
    users: HashMap<String, Rules>,
    patterns: Rules,
    /// Whom `topic` lines are about.
    user: Option<String>,
}

impl Lists {
    fn add(&mut self, line: &[u8]) -> Result<()> {
        let line = str::from_utf8(line).context("it is no UTF-8")?;
        let line = line.trim_end();
        if line.starts_with('#') {
            return Ok(());
        }
        let line = line.trim_start_matches(' ');
        if line.is_empty() {
            return Ok(());
        }
        if line.contains(char::is_control) {
            bail!("it holds a control character, such as a tab; its words stand between spaces");
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "user" if rest.is_empty() => bail!("the user name is missing"),
            "user" => self.user = Some(rest.into()),
            "topic" => {
                let (grants, topic) = parse_topic(rest)?;
                self.rules().add(topic, grants, false)?;
            }
            "pattern" => {
                let (grants, topic) = parse_topic(rest)?;
                self.patterns.add(topic, grants, true)?;
            }
            other => bail!("`{other}` is none of `topic`, `user` and `pattern`"),
        }
        Ok(())
    }

    fn rules(&mut self) -> &mut Rules {
        match &self.user {
            None => &mut self.anonymous,
            Some(user) => self.users.entry_ref(user.as_str()).or_default(),
        }
    }
}

/// What follows `topic` and `pattern`: the access, if it is said, and a topic, which may have spaces in it
/// if the access is said.
fn parse_topic(text: &str) -> Result<(Grants, &str)> {
    let all = Grants { read: true, write: true, deny: false };
    match text.split_once(' ') {
        None if text.is_empty() => bail!("the topic is missing"),
        None => Ok((all, text)),
        Some((access, topic)) => {
            let grants = match access {
                "read" => Grants { read: true, ..Grants::default() },
                "write" => Grants { write: true, ..Grants::default() },
                "readwrite" => all,
                "deny" => Grants { deny: true, ..Grants::default() },
                other => bail!("`{other}` is none of `read`, `write`, `readwrite` and `deny`"),
            };
            Ok((grants, topic.trim()))
        }
    }
}

impl Rules {
    fn add(&mut self, topic: &str, grants: Grants, has_names: bool) -> Result<()> {
        let pattern = Pattern::parse(topic, has_names)?;
        if let [Piece::Text(_)] = &*pattern.0 {
            let old = self.exact.entry_ref(topic).or_default();
            *old = old.and(grants);
            return Ok(());
        }
        self.wild.push((pattern, grants));
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wild.is_empty()
    }

    /// What these rules say of a topic, if they say anything.
    fn decide(&self, access: Access, topic: &str, names: &Identity) -> Option<bool> {
        let mut said = self.exact.get(topic).copied().unwrap_or_default();
        for (pattern, grants) in &self.wild {
            if (grants.deny || !said.allow(access)) && pattern.matches(topic, names, grants.deny) {
                said = said.and(*grants);
            }
        }
        match (said.deny, said.allow(access)) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        }
    }

    fn without_names(&self) -> Vec<String> {
        let has_name = |piece: &Piece| matches!(piece, Piece::ClientId | Piece::Username);
        let wild = self.wild.iter().filter(|(pattern, _)| !pattern.0.iter().any(has_name));
        let exact = self.exact.keys().cloned();
        exact.chain(wild.map(|(pattern, _)| pattern.to_string())).collect()
    }
}

impl Grants {
    fn and(self, other: Self) -> Self {
        Self {
            read: self.read | other.read,
            write: self.write | other.write,
            deny: self.deny | other.deny,
        }
    }

    fn allow(self, access: Access) -> bool {
        match access {
            Access::Read => self.read,
            Access::Write => self.write,
        }
    }
}

impl Pattern {
    fn parse(topic: &str, has_names: bool) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut levels = topic.split('/').peekable();
        let mut is_first = true;
        let end_text = |text: &mut String, pieces: &mut Vec<Piece>| {
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(text).into()));
            }
        };
        while let Some(level) = levels.next() {
            match level {
                "#" if levels.peek().is_none() => {
                    end_text(&mut text, &mut pieces);
                    pieces.push(if is_first { Piece::All } else { Piece::Rest });
                    return Ok(Self(pieces.into()));
                }
                "+" => {
                    text.push_str(if is_first { "" } else { "/" });
                    end_text(&mut text, &mut pieces);
                    pieces.push(Piece::Level);
                }
                level if level.contains(['+', '#']) => {
                    bail!("`{topic}` has a wildcard where none may be");
                }
                level => {
                    text.push_str(if is_first { "" } else { "/" });
                    let mut rest = level;
                    while let Some(at) = rest.find('%').filter(|_| has_names) {
                        let (before, after) = rest.split_at(at);
                        let (piece, skipped) = match after.as_bytes() {
                            [_, b'c', ..] => (Some(Piece::ClientId), 2),
                            [_, b'u', ..] => (Some(Piece::Username), 2),
                            _ => (None, 1),
                        };
                        text.push_str(before);
                        let (name, after) = after.split_at(skipped);
                        match piece {
                            Some(piece) => {
                                end_text(&mut text, &mut pieces);
                                pieces.push(piece);
                            }
                            None => text.push_str(name),
                        }
                        rest = after;
                    }
                    text.push_str(rest);
                }
            }
            is_first = false;
        }
        end_text(&mut text, &mut pieces);
        Ok(Self(pieces.into()))
    }

    /// Whether it stands for `topic`. `denies` says that it takes a right away: then it reaches as far
    /// as the names may be meant to, and otherwise only as far as they must.
    fn matches(&self, topic: &str, names: &Identity, denies: bool) -> bool {
        // A wildcard or a name at the start does not stand for a topic of the broker's own.
        let is_dollar = topic.starts_with('$');
        if is_dollar && !denies && !matches!(self.0.first(), Some(Piece::Text(_))) {
            return false;
        }
        if is_dollar && matches!(self.0.first(), Some(Piece::Level | Piece::All)) {
            return false;
        }
        let mut rest = topic;
        for piece in &self.0 {
            let after = match piece {
                Piece::Text(text) => rest.strip_prefix(&**text),
                Piece::ClientId => strip_name(rest, names.client_id.as_str(), denies),
                Piece::Username => {
                    names.username.as_ref().and_then(|name| strip_name(rest, name.as_str(), denies))
                }
                Piece::Level => Some(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")),
                Piece::Rest => return rest.is_empty() || rest.starts_with('/'),
                Piece::All => return true,
            };
            match after {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }
}

/// What follows a name; one that would be more than a level gives no right.
fn strip_name<'a>(rest: &'a str, name: &str, denies: bool) -> Option<&'a str> {
    if name.contains('/') && !denies { None } else { rest.strip_prefix(name) }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in &self.0 {
            f.write_str(match piece {
                Piece::Text(text) => text,
                Piece::ClientId => "%c",
                Piece::Username => "%u",
                Piece::Level => "+",
                Piece::Rest => "/#",
                Piece::All => "#",
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use codec::{MqttString, TopicFilter, TopicName};

    use super::*;

    fn rights(acl: &str, client_id: &str, username: Option<&str>) -> Rights {
        let acl = Arc::new(Acl::parse(acl.as_bytes()).unwrap());
        let name = |name| MqttString::new(name).unwrap();
        acl.rights(&Arc::new(Identity {
            client_id: name(client_id),
            username: username.map(name),
            listener: 0,
        }))
    }

    /// What a client may do with a topic: `rw`, `r`, `w` or nothing.
    fn may(acl: &str, client_id: &str, username: Option<&str>, topic: &str) -> &'static str {
        let rights = rights(acl, client_id, username);
        match (rights.allow(Access::Read, topic), rights.allow(Access::Write, topic)) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "",
        }
    }

    #[test]
    fn what_is_not_allowed_is_denied() {
        let acl = "# comment\n\ntopic read free/#\r\ntopic write in\n  topic all\n\
                   user ann\ntopic readwrite a/+/c\ntopic deny a/x/c\ntopic read a/x/c\n\
                   user bob b\ntopic readwrite with some space/#\nuser ann\ntopic read late\n";
        for (user, topic, want) in [
            (None, "free", "r"),
            (None, "free/a/b", "r"),
            (None, "freedom", ""),
            (None, "in", "w"),
            (None, "all", "rw"),
            (None, "other", ""),
            (None, "a/b/c", ""),
            (Some("ann"), "free", ""),
            (Some("ann"), "a/b/c", "rw"),
            (Some("ann"), "a/x/c", ""),
            (Some("ann"), "a//c", "rw"),
            (Some("ann"), "a/b/d/c", ""),
            (Some("ann"), "late", "r"),
            (Some("bob b"), "with some space/x", "rw"),
            (Some("bob"), "with some space/x", ""),
            (Some("eve"), "free", ""),
            (Some(""), "free", ""),
        ] {
            assert_eq!(may(acl, "id", user, topic), want, "{user:?} {topic}");
        }
        for nothing in ["", "\n", "# comment\n", "user ann\n"] {
            assert_eq!(may(nothing, "id", None, "a"), "", "{nothing:?}");
            assert_eq!(may(nothing, "id", Some("ann"), "a"), "", "{nothing:?}");
        }
    }

    #[test]
    fn deny_counts_first_and_a_users_own_lines_before_the_patterns() {
        let acl = "pattern readwrite p/%u/#\npattern deny p/%u/no\npattern deny own/#\n\
                   user ann\ntopic own/yes\ntopic #\ntopic deny p/ann/never\n";
        for (user, topic, want) in [
            ("ann", "p/ann/no", "rw"),
            ("ann", "p/ann/never", ""),
            ("ann", "own/yes", "rw"),
            ("bob", "p/bob", "rw"),
            ("bob", "p/bob/a/b", "rw"),
            ("bob", "p/bob/no", ""),
            ("bob", "p/ann", ""),
            ("bob", "own/yes", ""),
        ] {
            assert_eq!(may(acl, "id", Some(user), topic), want, "{user} {topic}");
        }
        assert_eq!(may(acl, "id", None, "p/ann"), "", "%u is nobody without a name");
    }

    #[test]
    fn names_stand_in_patterns_as_they_are() {
        let acl = "pattern read c/%c/x\npattern write u-%u-%c/%u\npattern %d%/100%";
        for (client, user, topic, want) in [
            ("id", Some("ann"), "c/id/x", "r"),
            ("id", None, "c/id/x", "r"),
            ("id", Some("ann"), "u-ann-id/ann", "w"),
            ("id", None, "u--id/", ""),
            ("id", Some("ann"), "u-ann-id/id", ""),
            ("%u", Some("ann"), "c/%u/x", "r"),
            ("%u", Some("ann"), "c/ann/x", ""),
            ("id", Some("ann"), "%d%/100%", "rw"),
        ] {
            assert_eq!(may(acl, client, user, topic), want, "{client} {user:?} {topic}");
        }
    }

    #[test]
    fn a_name_can_not_widen_a_pattern() {
        let acl = "pattern readwrite home/%c/#\npattern readwrite %u/#\npattern readwrite free\n\
                   user a+\ntopic mine\n";
        for (client, user, topic, want) in [
            ("+", None, "home/x/y", ""),
            ("#", None, "home/x/y", ""),
            ("a#", None, "home/a#/y", ""),
            ("+", None, "free", ""),
            ("id", Some("+"), "x/y", ""),
            ("id", Some("#"), "x/y", ""),
            ("id", Some("+"), "free", ""),
            ("id", Some("a+"), "mine", "rw"),
            ("x/y", None, "home/x/y", ""),
            ("x/y", None, "home/x/y/z", ""),
            ("id", Some("home/other"), "home/other/secret", ""),
            ("x/y", None, "free", "rw"),
            ("id", Some("$SYS"), "$SYS/broker/uptime", ""),
            ("id", Some("$SYS"), "$SYS", ""),
            ("id", Some(""), "/secret", "rw"),
            ("id", Some(""), "secret", ""),
        ] {
            assert_eq!(may(acl, client, user, topic), want, "{client} {user:?} {topic}");
        }
        let acl = "pattern readwrite home/#\npattern deny home/%c/#\n";
        assert_eq!(may(acl, "x/y", None, "home/x/y/z"), "", "a denial is not narrowed by a name");
        assert_eq!(may(acl, "id", None, "home/x/y/z"), "rw");
    }

    #[test]
    fn topics_of_the_brokers_own_must_be_named() {
        let acl = "topic #\ntopic +/x\nuser ann\ntopic read $SYS/#\n";
        for (user, topic, want) in [
            (None, "$SYS/x", ""),
            (None, "$a", ""),
            (None, "a/x", "rw"),
            (Some("ann"), "$SYS/x", "r"),
            (Some("ann"), "$SYS", "r"),
        ] {
            assert_eq!(may(acl, "id", user, topic), want, "{user:?} {topic}");
        }
    }

    #[test]
    fn topics_match_as_filters_do() {
        let filters = [
            "a", "a/b", "a/+", "+", "#", "+/b", "a/#", "a/+/#", "/", "/+", "+/+", "a//b", "a/",
            "+/#", "/#", "a/b/c", "+/b/+",
        ];
        let topics =
            ["a", "b", "a/b", "/", "/b", "a/", "a//b", "a/b/c", "a/b/", "//", "$a/b", "$a"];
        for filter in filters {
            for topic in topics {
                let name = TopicName::new(topic).unwrap();
                let want = TopicFilter::new(filter).unwrap().matches(&name);
                for line in [format!("topic {filter}"), format!("pattern {filter}")] {
                    let got = rights(&line, "id", None).allow(Access::Read, topic);
                    assert_eq!(got, want, "{line} for {topic}");
                }
            }
        }
    }

    /// Files of random lines, decided by the plain rule: the user's own lines, then the patterns; in each
    /// what denies, then what allows.
    #[test]
    fn random_files_mean_what_their_lines_say() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let levels = ["a", "b", "+", "%u", "%c", ""];
        for _ in 0..2000 {
            let mut lines = Vec::new();
            for _ in 0..random.usize(1..8) {
                let count = random.usize(1..4);
                let mut topic: Vec<&str> =
                    (0..count).map(|_| levels[random.usize(..levels.len())]).collect();
                if random.u8(..4) == 0 {
                    topic.push("#");
                }
                let access = ["read", "write", "readwrite", "deny"][random.usize(..4)];
                lines.push((random.bool(), access, topic.join("/")));
            }
            lines.sort();
            let text: Vec<String> = lines
                .iter()
                .map(|(is_pattern, access, topic)| {
                    let word = if *is_pattern { "pattern" } else { "topic" };
                    format!("{word} {access} {topic}")
                })
                .collect();
            let file = format!("user a\n{}", text.join("\n"));
            let rights = rights(&file, "b", Some("a"));
            let plain = |access: Access, topic: &TopicName| {
                for of_patterns in [false, true] {
                    let mut allowed = false;
                    for (is_pattern, says, filter) in &lines {
                        let named = filter.replace("%u", "a").replace("%c", "b");
                        let filter = if of_patterns { &named } else { filter };
                        let filter = TopicFilter::new(filter).ok();
                        let matches = filter.is_some_and(|filter| filter.matches(topic));
                        if *is_pattern != of_patterns || !matches {
                            continue;
                        }
                        match (*says, access) {
                            ("deny", _) => return false,
                            ("read", Access::Write) | ("write", Access::Read) => {}
                            _ => allowed = true,
                        }
                    }
                    if allowed {
                        return true;
                    }
                }
                false
            };
            for topic in ["a", "b", "a/b", "b/a", "a/", "/a", "a/b/a", "a//b", "/", "%u", "a/b/c/d"]
            {
                let name = TopicName::new(topic).unwrap();
                for access in [Access::Read, Access::Write] {
                    let (got, want) = (rights.allow(access, topic), plain(access, &name));
                    assert_eq!(got, want, "{access:?} {topic} by {file}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused_with_the_line() {
        for (line, why) in [
            ("topic", "the topic is missing"),
            ("pattern ", "the topic is missing"),
            ("topic rw a/b", "`rw` is none of"),
            ("topic a b", "`a` is none of"),
            ("user", "the user name is missing"),
            ("topics a", "`topics` is none of"),
            ("topic a/#/b", "wildcard"),
            ("topic a+", "wildcard"),
            ("pattern read %c#", "wildcard"),
            ("topic\tread a", "control character"),
        ] {
            let error = Acl::parse(format!("topic a\n{line}\n").as_bytes()).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.starts_with("line 2: ") && error.contains(why), "{line}: {error}");
        }
        let error = Acl::parse(b"topic a\xff").unwrap_err();
        assert!(format!("{error:#}").contains("UTF-8"), "{error:#}");
    }
}
