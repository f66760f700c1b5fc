//! Who is subscribed to what: one table for all workers, read far more often than written.
//!
//! Filters without a wildcard are looked up whole; the others stand in a tree of topic levels. What
//! a topic matches is remembered by each worker until the table's generation changes, so a topic
//! that is published again costs one look-up and no walk.

use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use codec::{MqttString, QoS, SubscriptionOptions, TopicFilter};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use parking_lot::RwLock;

use crate::access::{Access, Rights};
use crate::broker::{SessionKey, WorkerId};
use crate::limits::SUBSCRIPTIONS_AHEAD_MIN;

/// The subscriptions of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Router {
    table: RwLock<Table>,
    /// Of topics, for all who look something up by them.
    hasher: DefaultHashBuilder,
    generation: AtomicU64,
    /// How many subscriptions there are, apart from the shared ones.
    subscriptions: AtomicUsize,
    /// How many members shared subscriptions have.
    shared_subscriptions: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    exact: Exact,
    wild: Node,
    /// Sessions that may not read everything. What they may not read does not match, so that a match
    /// that is remembered holds for rights too.
    rights: HashMap<SessionKey, Arc<Rights>>,
}

/// Filters without a wildcard. One with its one subscriber fills one line of the processor's cache: what is looked
/// up among a million is fetched from memory once.
#[derive(Debug, Default)]
struct Exact(HashTable<(MqttString, Entry)>);

/// A level in the tree of filters with wildcards.
#[derive(Debug, Default)]
struct Node {
    children: HashMap<String, Node>,
    /// The child for `+`.
    any: Option<Box<Node>>,
    /// Subscriptions whose filter ends here.
    here: Entry,
    /// Subscriptions whose filter goes on with `#`, which matches this level too.
    rest: Entry,
}

/// All subscriptions with the same filter. Most filters have one subscriber; a few have very many.
#[derive(Debug, Default)]
enum Entry {
    #[default]
    None,
    One(SessionKey, Subscribed),
    Many(Box<Crowd>),
}

/// Those who are subscribed to the same filter.
#[derive(Debug, Default)]
struct Crowd {
    plain: HashMap<SessionKey, Subscribed>,
    shared: Vec<Group>,
}

/// How a session is subscribed to one filter.
#[derive(Debug, Clone, Copy)]
struct Subscribed {
    options: SubscriptionOptions,
    /// The Subscription Identifier; 0 if there is none.
    id: u32,
}

/// The sessions that share one subscription (MQTT 5.0 §4.8.2).
#[derive(Debug)]
struct Group {
    name: Box<str>,
    /// The whole filter, with the name of the group.
    filter: Arc<TopicFilter>,
    members: Arc<Vec<Member>>,
    next: Arc<AtomicUsize>,
}

#[derive(Debug, Clone)]
struct Member {
    key: SessionKey,
    subscribed: Subscribed,
    connected: Arc<AtomicBool>,
}

/// One session that gets a message, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub slot: u32,
    pub epoch: u32,
    pub granted: Granted,
    own: Own,
}

/// What the subscriptions of one session that match a topic grant together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub qos: QoS,
    pub retain_as_published: bool,
    /// The Subscription Identifiers of all the subscriptions it is sent for.
    pub ids: Box<[u32]>,
}

/// What a session is granted of the messages that it published itself: subscriptions with No Local do
/// not count for these (MQTT 5.0 §3.8.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Own {
    /// The same as of others' messages.
    Same,
    Nothing,
    Less(Box<Granted>),
}

impl Target {
    /// What it is granted of its own messages, if anything.
    pub(crate) fn granted_of_own(&self) -> Option<&Granted> {
        match &self.own {
            Own::Same => Some(&self.granted),
            Own::Nothing => None,
            Own::Less(granted) => Some(granted),
        }
    }
}

/// A member of a shared subscription that was chosen for one message.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub worker: WorkerId,
    pub target: Target,
    /// The subscription that it shares.
    pub share: Arc<TopicFilter>,
    /// Whether its session is kept in the store.
    pub kept: bool,
}

/// All sessions that get messages of one topic.
#[derive(Debug, Default, Clone)]
pub(crate) struct Targets {
    plain: Plain,
    groups: Vec<MatchedGroup>,
}

/// The sessions that get messages each for itself. One alone needs no memory for a list of one.
#[derive(Debug, Default, Clone)]
enum Plain {
    #[default]
    None,
    /// With whether it is kept in the store and gets more than QoS 0.
    One(WorkerId, [Target; 1], bool),
    /// By the worker they live in.
    Many(Vec<Local>),
}

/// The sessions of one worker among them.
#[derive(Debug, Default, Clone)]
struct Local {
    targets: Vec<Target>,
    /// Whether one of them is kept in the store and gets more than QoS 0.
    kept: bool,
}

#[derive(Debug, Clone)]
struct MatchedGroup {
    filter: Arc<TopicFilter>,
    members: Arc<Vec<Member>>,
    next: Arc<AtomicUsize>,
}

impl MatchedGroup {
    fn of(group: &Group) -> Self {
        Self {
            filter: Arc::clone(&group.filter),
            members: Arc::clone(&group.members),
            next: Arc::clone(&group.next),
        }
    }

    /// The member whose turn it is: one that is connected, if there is any; else one in whose session
    /// the message can wait.
    fn choose(&self) -> Option<Chosen> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.members.len();
        let in_turn = || {
            let turn = start.checked_rem(count).unwrap_or(0);
            self.members.iter().cycle().skip(turn).take(count)
        };
        let member = in_turn()
            .find(|member| member.connected.load(Ordering::Relaxed))
            .or_else(|| in_turn().find(|member| member.subscribed.options.qos > QoS::AtMostOnce))
            .or_else(|| in_turn().next())?;
        Some(Chosen {
            worker: member.key.worker,
            target: target(&member.key, &member.subscribed),
            share: Arc::clone(&self.filter),
            kept: member.key.kept,
        })
    }
}

impl Targets {
    fn one(key: &SessionKey, subscribed: &Subscribed) -> Self {
        let kept = must_keep(key, subscribed);
        Self { plain: Plain::One(key.worker, [target(key, subscribed)], kept), groups: Vec::new() }
    }

    /// The sessions that live in `worker`.
    pub(crate) fn of(&self, worker: WorkerId) -> &[Target] {
        match &self.plain {
            Plain::One(home, target, _) if *home == worker => target,
            Plain::None | Plain::One(..) => &[],
            Plain::Many(by_worker) => {
                by_worker.get(usize::from(worker)).map_or(&[], |local| local.targets.as_slice())
            }
        }
    }

    /// The workers, other than `worker`, in which sessions live; for each, whether what they get may
    /// have to be stored.
    pub(crate) fn others(&self, worker: WorkerId) -> impl Iterator<Item = (WorkerId, bool)> + '_ {
        let (one, many) = match &self.plain {
            Plain::None => (None, &[][..]),
            Plain::One(home, _, kept) => (Some((*home, *kept)), &[][..]),
            Plain::Many(by_worker) => (None, by_worker.as_slice()),
        };
        let many = (0..).zip(many).filter(|(_, local)| !local.targets.is_empty());
        let all = one.into_iter().chain(many.map(|(id, local)| (id, local.kept)));
        all.filter(move |(id, _)| *id != worker)
    }

    /// Whether some share a subscription, so that only one of them gets the message.
    pub(crate) fn are_shared(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Whether nobody gets the message.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.plain, Plain::None) && self.groups.is_empty()
    }

    /// One member of each shared subscription.
    pub(crate) fn choose(&self) -> impl Iterator<Item = Chosen> + '_ {
        self.groups.iter().filter_map(MatchedGroup::choose)
    }
}

/// Whether what is sent for a subscription may have to be stored.
fn must_keep(key: &SessionKey, subscribed: &Subscribed) -> bool {
    key.kept && subscribed.options.qos > QoS::AtMostOnce
}

fn target(key: &SessionKey, subscribed: &Subscribed) -> Target {
    Target {
        slot: key.slot,
        epoch: key.epoch,
        granted: Granted::by(subscribed),
        own: if subscribed.options.no_local { Own::Nothing } else { Own::Same },
    }
}

impl Granted {
    fn by(subscribed: &Subscribed) -> Self {
        Self {
            qos: subscribed.options.qos,
            retain_as_published: subscribed.options.retain_as_published,
            ids: if subscribed.id == 0 { Box::default() } else { Box::new([subscribed.id]) },
        }
    }

    /// Adds what another subscription of the session grants.
    fn add(&mut self, subscribed: &Subscribed) {
        self.qos = self.qos.max(subscribed.options.qos);
        self.retain_as_published |= subscribed.options.retain_as_published;
        if subscribed.id != 0 {
            let mut ids = std::mem::take(&mut self.ids).into_vec();
            ids.push(subscribed.id);
            self.ids = ids.into();
        }
    }
}

impl Router {
    /// Changes whenever a remembered match may no longer be true.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Subscribes a session; says whether it was not subscribed to this filter before. The filter is kept,
    /// so it must not be a slice of a packet.
    pub(crate) fn subscribe(
        &self,
        filter: &TopicFilter,
        key: SessionKey,
        options: SubscriptionOptions,
        id: Option<u32>,
        connected: &Arc<AtomicBool>,
    ) -> bool {
        let subscribed = Subscribed { options, id: id.unwrap_or(0) };
        let mut table = self.table.write();
        let entry = table.entry(&self.hasher, filter);
        let new = match filter.share_name() {
            None => entry.insert(key, subscribed),
            Some(name) => entry.join(
                name,
                filter,
                Member { key, subscribed, connected: Arc::clone(connected) },
            ),
        };
        self.generation.fetch_add(1, Ordering::Release);
        if new {
            self.counter(filter).fetch_add(1, Ordering::Relaxed);
        }
        new
    }

    /// Ends a subscription; says whether there was one.
    pub(crate) fn unsubscribe(&self, filter: &TopicFilter, key: SessionKey) -> bool {
        let mut table = self.table.write();
        let removed = table.remove(&self.hasher, filter, key);
        self.generation.fetch_add(1, Ordering::Release);
        if removed {
            self.counter(filter).fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// How many subscriptions there are that are not shared, and how many that are.
    pub(crate) fn len(&self) -> (usize, usize) {
        let len = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (len(&self.subscriptions), len(&self.shared_subscriptions))
    }

    fn counter(&self, filter: &TopicFilter) -> &AtomicUsize {
        if filter.share_name().is_some() { &self.shared_subscriptions } else { &self.subscriptions }
    }

    /// Sets what a session may read; `None` for everything. Remembered matches stay true for a session
    /// that is not subscribed to anything.
    pub(crate) fn limit(&self, key: SessionKey, rights: Option<Arc<Rights>>, is_subscribed: bool) {
        let mut table = self.table.write();
        match rights {
            Some(rights) => table.rights.insert(key, rights),
            None => table.rights.remove(&key),
        };
        if is_subscribed {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// One of those who share this subscription now and may read the topic.
    pub(crate) fn choose(&self, share: &TopicFilter, topic: &str) -> Option<Chosen> {
        let table = self.table.read();
        let name = share.share_name()?;
        let group =
            table.find(&self.hasher, share)?.shared().iter().find(|group| &*group.name == name)?;
        let mut found = Found { groups: vec![MatchedGroup::of(group)], ..Found::default() };
        if !table.rights.is_empty() {
            found.retain(|key| table.may_read(key, topic));
        }
        found.groups.first()?.choose()
    }

    /// Whether there are so many subscriptions that looking one up waits for memory.
    pub(crate) fn is_large(&self) -> bool {
        self.subscriptions.load(Ordering::Relaxed) >= SUBSCRIPTIONS_AHEAD_MIN
    }

    /// Has at hand what is needed to match the topics with these hashes next.
    pub(crate) fn fetch(&self, hashes: &[u64]) {
        self.table.read().exact.fetch(hashes);
    }

    /// The hash of a topic.
    pub(crate) fn hash(&self, topic: &[u8]) -> u64 {
        self.hasher.hash_one(topic)
    }

    /// Who gets a message of `topic`, and the generation for which that is true.
    pub(crate) fn matching(&self, topic: &str) -> (u64, Targets) {
        self.matching_hashed(self.hash(topic.as_bytes()), topic)
    }

    /// The same, where the topic's hash is known.
    pub(crate) fn matching_hashed(&self, hash: u64, topic: &str) -> (u64, Targets) {
        let table = self.table.read();
        let generation = self.generation();
        let mut found = Found::default();
        let mut levels = topic.split('/');
        // A filter that begins with a wildcard does not match a topic that begins with `$`.
        if topic.starts_with('$') {
            let first = levels.next().and_then(|level| table.wild.children.get(level));
            if let Some(node) = first {
                node.visit(levels, &mut found);
            }
        } else {
            table.wild.visit(levels, &mut found);
        }
        if let Some(entry) = table.exact.get(hash, topic.as_bytes()) {
            // A topic of one subscriber is the most common and is found without asking for memory.
            if let Entry::One(key, subscribed) = entry
                && found.is_empty()
            {
                let may_read = table.rights.is_empty() || table.may_read(key, topic);
                let targets = may_read.then(|| Targets::one(key, subscribed));
                return (generation, targets.unwrap_or_default());
            }
            found.take(entry);
        }
        if !table.rights.is_empty() {
            found.retain(|key| table.may_read(key, topic));
        }
        (generation, found.into_targets())
    }
}

impl Table {
    fn may_read(&self, key: &SessionKey, topic: &str) -> bool {
        self.rights.get(key).is_none_or(|rights| rights.allow(Access::Read, topic))
    }

    fn entry(&mut self, hasher: &DefaultHashBuilder, filter: &TopicFilter) -> &mut Entry {
        if !filter.has_wildcard() {
            return self.exact.entry(hasher, filter);
        }
        let mut node = &mut self.wild;
        for level in filter.levels() {
            node = match level {
                "#" => return &mut node.rest,
                "+" => node.any.get_or_insert_default(),
                level => node.children.entry_ref(level).or_default(),
            };
        }
        &mut node.here
    }

    fn find(&self, hasher: &DefaultHashBuilder, filter: &TopicFilter) -> Option<&Entry> {
        if !filter.has_wildcard() {
            let part = filter.matching_part().as_bytes();
            return self.exact.get(hasher.hash_one(part), part);
        }
        let mut node = &self.wild;
        for level in filter.levels() {
            node = match level {
                "#" => return Some(&node.rest),
                "+" => node.any.as_deref()?,
                level => node.children.get(level)?,
            };
        }
        Some(&node.here)
    }

    fn remove(
        &mut self,
        hasher: &DefaultHashBuilder,
        filter: &TopicFilter,
        key: SessionKey,
    ) -> bool {
        let share = filter.share_name();
        if filter.has_wildcard() {
            return self.wild.remove(&mut filter.levels(), share, key);
        }
        let part = filter.matching_part().as_bytes();
        self.exact.remove(hasher.hash_one(part), part, share, key)
    }
}

impl Exact {
    fn get(&self, hash: u64, topic: &[u8]) -> Option<&Entry> {
        let (_, entry) = self.0.find(hash, |(filter, _)| filter.as_bytes() == topic)?;
        Some(entry)
    }

    fn entry(&mut self, hasher: &DefaultHashBuilder, filter: &TopicFilter) -> &mut Entry {
        let part = filter.matching_part().as_bytes();
        let place = self.0.entry(
            hasher.hash_one(part),
            |(filter, _)| filter.as_bytes() == part,
            |(filter, _)| hasher.hash_one(filter.as_bytes()),
        );
        let place = place.or_insert_with(|| (filter.matching_string(), Entry::None));
        &mut place.into_mut().1
    }

    fn remove(&mut self, hash: u64, part: &[u8], share: Option<&str>, key: SessionKey) -> bool {
        let found = self.0.find_entry(hash, |(filter, _)| filter.as_bytes() == part);
        let Ok(mut place) = found else { return false };
        let entry = &mut place.get_mut().1;
        let removed = entry.remove(share, key);
        if entry.is_empty() {
            place.remove();
        }
        removed
    }

    /// Has the processor fetch what stands for these hashes. It waits for none of them, so that it waits for
    /// all of them together.
    fn fetch(&self, hashes: &[u64]) {
        for hash in hashes {
            // Nothing depends on what is read.
            self.0.find(*hash, |(filter, _)| {
                black_box(filter.as_bytes().first());
                false
            });
        }
    }
}

impl Node {
    fn visit<'a>(&self, mut levels: impl Iterator<Item = &'a str> + Clone, found: &mut Found) {
        found.take(&self.rest);
        // Where no filter goes on or ends, the topic's levels need not be looked for.
        if self.children.is_empty() && self.any.is_none() && self.here.is_empty() {
            return;
        }
        let Some(level) = levels.next() else {
            found.take(&self.here);
            return;
        };
        if let Some(child) = self.children.get(level) {
            child.visit(levels.clone(), found);
        }
        if let Some(child) = &self.any {
            child.visit(levels, found);
        }
    }

    /// Removes a subscription and the nodes that lead to nothing else.
    fn remove<'a>(
        &mut self,
        levels: &mut impl Iterator<Item = &'a str>,
        share: Option<&str>,
        key: SessionKey,
    ) -> bool {
        match levels.next() {
            None => self.here.remove(share, key),
            Some("#") => self.rest.remove(share, key),
            Some("+") => {
                let Some(child) = &mut self.any else { return false };
                let removed = child.remove(levels, share, key);
                if child.is_empty() {
                    self.any = None;
                }
                removed
            }
            Some(level) => {
                let Some(child) = self.children.get_mut(level) else { return false };
                let removed = child.remove(levels, share, key);
                if child.is_empty() {
                    self.children.remove(level);
                }
                removed
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.any.is_none()
            && self.here.is_empty()
            && self.rest.is_empty()
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    fn shared(&self) -> &[Group] {
        match self {
            Self::None | Self::One(..) => &[],
            Self::Many(crowd) => &crowd.shared,
        }
    }

    fn insert(&mut self, key: SessionKey, subscribed: Subscribed) -> bool {
        match self {
            Self::None => {
                *self = Self::One(key, subscribed);
                true
            }
            Self::One(only, old) if *only == key => {
                *old = subscribed;
                false
            }
            Self::One(only, old) => {
                let plain = HashMap::from([(*only, *old), (key, subscribed)]);
                *self = Self::Many(Box::new(Crowd { plain, shared: Vec::new() }));
                true
            }
            Self::Many(crowd) => crowd.plain.insert(key, subscribed).is_none(),
        }
    }

    fn join(&mut self, name: &str, filter: &TopicFilter, member: Member) -> bool {
        if let Self::Many(crowd) = self {
            return crowd.join(name, filter, member);
        }
        let mut crowd = Box::new(Crowd::default());
        if let Self::One(key, subscribed) = self {
            crowd.plain.insert(*key, *subscribed);
        }
        let joined = crowd.join(name, filter, member);
        *self = Self::Many(crowd);
        joined
    }

    fn remove(&mut self, share: Option<&str>, key: SessionKey) -> bool {
        match self {
            Self::One(only, _) if *only == key && share.is_none() => {
                *self = Self::None;
                true
            }
            Self::None | Self::One(..) => false,
            Self::Many(crowd) => {
                let removed = match share {
                    None => crowd.plain.remove(&key).is_some(),
                    Some(name) => crowd.leave(name, key),
                };
                if crowd.plain.is_empty() && crowd.shared.is_empty() {
                    *self = Self::None;
                }
                removed
            }
        }
    }
}

impl Crowd {
    fn join(&mut self, name: &str, filter: &TopicFilter, member: Member) -> bool {
        let Some(group) = self.shared.iter_mut().find(|group| &*group.name == name) else {
            let members = Arc::new(vec![member]);
            self.shared.push(Group {
                name: name.into(),
                filter: Arc::new(filter.clone()),
                members,
                next: Arc::default(),
            });
            return true;
        };
        let members = Arc::make_mut(&mut group.members);
        match members.iter_mut().find(|old| old.key == member.key) {
            Some(old) => {
                *old = member;
                false
            }
            None => {
                members.push(member);
                true
            }
        }
    }

    fn leave(&mut self, name: &str, key: SessionKey) -> bool {
        let Some(at) = self.shared.iter().position(|group| &*group.name == name) else {
            return false;
        };
        let Some(group) = self.shared.get_mut(at) else { return false };
        let before = group.members.len();
        let members = Arc::make_mut(&mut group.members);
        members.retain(|member| member.key != key);
        let removed = members.len() < before;
        if members.is_empty() {
            self.shared.swap_remove(at);
        }
        removed
    }
}

/// What a walk has found so far.
#[derive(Default)]
struct Found {
    plain: Vec<(SessionKey, Subscribed)>,
    groups: Vec<MatchedGroup>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.groups.is_empty()
    }

    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::None => {}
            Entry::One(key, subscribed) => self.plain.push((*key, *subscribed)),
            Entry::Many(crowd) => {
                let Crowd { plain, shared } = &**crowd;
                self.plain.extend(plain.iter().map(|(key, subscribed)| (*key, *subscribed)));
                self.groups.extend(shared.iter().map(MatchedGroup::of));
            }
        }
    }

    /// Forgets the sessions for which `keep` is false.
    fn retain(&mut self, keep: impl Fn(&SessionKey) -> bool) {
        self.plain.retain(|(key, _)| keep(key));
        for group in &mut self.groups {
            if !group.members.iter().all(|member| keep(&member.key)) {
                Arc::make_mut(&mut group.members).retain(|member| keep(&member.key));
            }
        }
        self.groups.retain(|group| !group.members.is_empty());
    }

    /// One target for each session: where several of its subscriptions match, the message is sent
    /// once, with the highest QoS and all identifiers (MQTT 5.0 §3.3.4).
    fn into_targets(mut self) -> Targets {
        // In the order in which sessions lie in memory, for every message is handed to them in this one.
        self.plain.sort_unstable_by_key(|(key, _)| *key);
        let mut by_worker: Vec<Local> = Vec::new();
        let mut last: Option<SessionKey> = None;
        for (key, subscribed) in &self.plain {
            let worker = usize::from(key.worker);
            if by_worker.len() <= worker {
                by_worker.resize_with(worker.saturating_add(1), Local::default);
            }
            let Some(local) = by_worker.get_mut(worker) else { continue };
            local.kept |= must_keep(key, subscribed);
            match local.targets.last_mut() {
                Some(same) if last == Some(*key) => merge(same, subscribed),
                _ => local.targets.push(target(key, subscribed)),
            }
            last = Some(*key);
        }
        let plain = if by_worker.is_empty() { Plain::None } else { Plain::Many(by_worker) };
        Targets { plain, groups: self.groups }
    }
}

fn merge(target: &mut Target, subscribed: &Subscribed) {
    match (&mut target.own, subscribed.options.no_local) {
        (Own::Same, true) => target.own = Own::Less(Box::new(target.granted.clone())),
        (Own::Nothing, false) => target.own = Own::Less(Box::new(Granted::by(subscribed))),
        (Own::Less(granted), false) => granted.add(subscribed),
        (Own::Same, false) | (Own::Nothing | Own::Less(_), true) => {}
    }
    target.granted.add(subscribed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Acl, Identity};

    fn key(slot: u32) -> SessionKey {
        SessionKey { worker: (slot % 2) as u16, slot, epoch: 0, kept: false }
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    fn slots(router: &Router, topic: &str) -> Vec<u32> {
        let (_, targets) = router.matching(topic);
        let mut slots: Vec<u32> =
            (0..2).flat_map(|worker| targets.of(worker)).map(|target| target.slot).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn topics_find_their_subscribers() {
        let router = Router::default();
        let connected = Arc::new(AtomicBool::new(true));
        let filters =
            ["a/b", "a/+", "a/#", "#", "+/b", "$SYS/#", "/+", "a/b/#", "+", "a/+/c", "a//"];
        for (slot, text) in (0..).zip(filters) {
            let options = SubscriptionOptions::default();
            assert!(router.subscribe(&filter(text), key(slot), options, None, &connected));
        }
        // The table must agree with the plain rule of the codec.
        for topic in ["a/b", "a", "b", "a/b/c", "a/x/c", "$SYS/a", "$SYS", "/a", "a//", "x/y/z"] {
            let name = codec::TopicName::new(topic).unwrap();
            let want: Vec<u32> = (0..)
                .zip(filters)
                .filter_map(|(slot, text)| filter(text).matches(&name).then_some(slot))
                .collect();
            assert_eq!(slots(&router, topic), want, "{topic}");
        }
        assert_eq!(router.len(), (filters.len(), 0));
        for (slot, text) in (0..).zip(filters) {
            assert!(router.unsubscribe(&filter(text), key(slot)), "{text}");
            assert!(!router.unsubscribe(&filter(text), key(slot)), "{text}");
        }
        let table = router.table.read();
        assert!(table.exact.0.is_empty() && table.wild.is_empty(), "nothing is left behind");
        assert_eq!(router.len(), (0, 0));
    }

    #[test]
    fn overlapping_subscriptions_are_one_delivery() {
        let router = Router::default();
        let connected = Arc::new(AtomicBool::new(true));
        for (text, qos, id) in [("a/b", 0, 7), ("a/#", 2, 8), ("#", 1, 0)] {
            let options = SubscriptionOptions::with_qos(QoS::from_u8(qos).unwrap());
            let id = (id != 0).then_some(id);
            router.subscribe(&filter(text), key(4), options, id, &connected);
        }
        let (_, targets) = router.matching("a/b");
        let [target] = targets.of(0) else { panic!("one target: {targets:?}") };
        assert_eq!(target.granted.qos, QoS::ExactlyOnce);
        let mut ids = target.granted.ids.to_vec();
        ids.sort_unstable();
        assert_eq!(ids, [7, 8]);
    }

    #[test]
    fn a_shared_subscription_chooses_members_in_turn_and_connected_ones_first() {
        let router = Router::default();
        let (on, off) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        for (slot, connected) in [(0, &on), (1, &off), (2, &on)] {
            let options = SubscriptionOptions::default();
            router.subscribe(&filter("$share/g/a/+"), key(slot), options, None, connected);
        }
        let (_, targets) = router.matching("a/b");
        let mut chosen: Vec<u32> = (0..6)
            .flat_map(|_| targets.choose().map(|c| c.target.slot).collect::<Vec<_>>())
            .collect();
        assert_eq!(chosen.len(), 6);
        assert!(!chosen.contains(&1), "the member that is away gets none: {chosen:?}");
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, [0, 2]);
        on.store(false, Ordering::Relaxed);
        assert_eq!(targets.choose().count(), 1, "with nobody there, one of them is to keep it");
    }

    #[test]
    fn what_a_session_may_not_read_does_not_match() {
        let router = Router::default();
        let connected = Arc::new(AtomicBool::new(true));
        for (slot, text) in [(0, "#"), (1, "a/+"), (2, "a/#"), (3, "$share/g/#"), (4, "$share/g/#")]
        {
            let options = SubscriptionOptions::default();
            router.subscribe(&filter(text), key(slot), options, None, &connected);
        }
        let acl = Arc::new(Acl::parse(b"topic read b\ntopic read a/x").unwrap());
        let client_id = codec::MqttString::new("id").unwrap();
        let identity = Arc::new(Identity { client_id, username: None, listener: 0 });
        let rights = Arc::new(acl.rights(&identity));
        let before = router.generation();
        for slot in [1, 3] {
            router.limit(key(slot), Some(Arc::clone(&rights)), true);
        }
        assert_ne!(router.generation(), before, "what is remembered may no longer be true");
        assert_eq!(slots(&router, "a/x"), [0, 1, 2]);
        assert_eq!(slots(&router, "a/y"), [0, 2]);
        for (topic, members) in [("b", &[3, 4][..]), ("a/y", &[4])] {
            let (_, targets) = router.matching(topic);
            let mut chosen: Vec<u32> = (0..4)
                .flat_map(|_| targets.choose().map(|c| c.target.slot).collect::<Vec<_>>())
                .collect();
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(chosen, members, "{topic}");
        }
        router.limit(key(4), Some(Arc::clone(&rights)), true);
        assert_eq!(router.matching("a/y").1.choose().count(), 0, "nobody in the group may read it");
        router.limit(key(1), None, true);
        assert_eq!(slots(&router, "a/y"), [0, 1, 2]);
    }
}
