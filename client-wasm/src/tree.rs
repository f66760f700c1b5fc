//! The topics as a tree, and the rows of it that are on the screen.
//!
//! Nothing here is done for a message. While a page looks, the figures of all branches are added up now
//! and then in one walk over an array: a node always stands behind its parent.
//!
//! A branch that leads to nothing but another has no row of its own: `kitchen/climate/temperature` is one
//! row where nothing else is in the kitchen, and three once something is.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use hashbrown::{Equivalent, HashMap};

use crate::case;
use crate::decode::Trust;
use crate::limits::{
    BRANCH_ROWS_MAX, BRANCH_TOPICS_LISTED, RATE_SAMPLES_MAX, TREE_OPEN_TOPICS_MAX, TREE_ROWS_MAX,
};
use crate::name;
use crate::payload;
use crate::protocol::{Row, Sort, Step, TopicsView, Tree as Shown};
use crate::reading::{self, Reader};
use crate::search::Search;
use crate::store::{Store, Topic, TopicId};

/// The number of a node of the tree.
pub type NodeId = u32;

/// The node above all topics.
const ROOT: NodeId = 0;

/// How often figures are added up and rows change their places, in milliseconds.
const REFRESH_MS: f64 = 500.0;

/// How often rows that stay where they are get new values, in milliseconds.
const ROWS_INTERVAL_MS: f64 = 100.0;

/// How often a sample for the rates is taken, in milliseconds.
const SAMPLE_MS: f64 = 1_000.0;

/// Characters of a value that a row shows.
const VALUE_CHARS: usize = 96;

#[derive(Debug)]
struct Node {
    parent: NodeId,
    /// The level of the topic.
    name: Box<str>,
    /// The topic that ends here, if there is one.
    topic: Option<TopicId>,
    children: Vec<NodeId>,
    /// Whether its children are shown, where a person has decided that.
    is_open: Option<bool>,
    /// Whether its children are hidden while something is searched for.
    is_shut: bool,
}

/// What a branch adds up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Topics in it.
    pub topics: u32,
    /// Topics of which the broker holds a retained message.
    pub retained: u32,
    /// Messages that have come.
    pub messages: u64,
    /// When the last came.
    pub at_ms: f64,
    /// Messages in a second, as the mean of the last few; none as long as that is not known.
    pub rate: Option<f64>,
    /// Whether its own topic matches the search.
    is_found: bool,
    /// Whether something in it does.
    matches: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    parent: NodeId,
    name: Box<str>,
}

/// A [`Key`] that owns nothing.
struct KeyRef<'a> {
    parent: NodeId,
    name: &'a str,
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parent.hash(state);
        self.name.hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.parent == key.parent && *self.name == *key.name
    }
}

/// A row of the whole list, on the screen or not.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    node: NodeId,
    depth: u16,
    /// Its place among its siblings, from 1, and how many these are.
    position: u32,
    siblings: u32,
}

/// The tree, and what a page looks at of it.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    ids: HashMap<Key, NodeId>,
    /// Topics that are in the tree already.
    built: TopicId,
    figures: Vec<Figures>,
    samples: VecDeque<(f64, Vec<u64>)>,
    view: Option<TopicsView>,
    search: Search,
    /// Topics that match the search.
    matching: u32,
    rows: Vec<Place>,
    is_stale: bool,
    refreshed_ms: f64,
    active: Option<NodeId>,
    /// A topic to go to, once it is there.
    wanted: Option<String>,
    /// Counts the steps, so that the page brings a row into sight once.
    steps: u32,
    sent: Shown,
    sent_ms: f64,
}

impl Default for Tree {
    fn default() -> Self {
        let root = Node {
            parent: ROOT,
            name: "".into(),
            topic: None,
            children: Vec::new(),
            is_open: Some(true),
            is_shut: false,
        };
        Self {
            nodes: vec![root],
            ids: HashMap::new(),
            built: 0,
            figures: Vec::new(),
            samples: VecDeque::new(),
            view: None,
            search: Search::All,
            matching: 0,
            rows: Vec::new(),
            is_stale: true,
            refreshed_ms: f64::NEG_INFINITY,
            active: None,
            wanted: None,
            steps: 0,
            sent: Shown::default(),
            sent_ms: f64::NEG_INFINITY,
        }
    }
}

impl Tree {
    /// A page looks at these rows.
    pub fn show(&mut self, view: TopicsView) {
        let before = self.view.as_ref();
        let is_other_list = before.is_none_or(|before| {
            (&before.search, before.sort, before.is_flat) != (&view.search, view.sort, view.is_flat)
        });
        if before.is_none_or(|before| before.search != view.search) {
            self.search = Search::new(&view.search);
        }
        self.is_stale |= is_other_list;
        self.sent_ms = f64::NEG_INFINITY;
        self.view = Some(view);
    }

    /// No page looks any more.
    pub fn close(&mut self) {
        self.view = None;
        self.samples.clear();
        self.sent = Shown::default();
        self.is_stale = true;
    }

    /// The node that a person is at.
    pub fn active(&self) -> Option<NodeId> {
        self.active
    }

    /// The topic that ends at a node.
    pub fn topic(&self, node: NodeId) -> Option<TopicId> {
        self.nodes.get(node as usize)?.topic
    }

    /// What a branch adds up to.
    pub fn figures(&self, node: NodeId) -> Figures {
        self.figures.get(node as usize).copied().unwrap_or_default()
    }

    /// The levels from the top to a node, joined.
    pub fn path(&self, node: NodeId) -> String {
        self.levels(self.up_from(node))
    }

    /// The names of nodes that are given from below, joined from above.
    fn levels(&self, from_below: impl Iterator<Item = NodeId>) -> String {
        let mut levels: Vec<&str> = from_below
            .filter_map(|node| Some(self.nodes.get(node as usize)?.name.as_ref()))
            .collect();
        levels.reverse();
        levels.join("/")
    }

    /// A node and those above it, without the root.
    fn up_from(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let parent = |node: &NodeId| Some(self.nodes.get(*node as usize)?.parent);
        std::iter::successors(Some(node), parent).take_while(|node| *node != ROOT)
    }

    /// The topics in a branch.
    pub fn topics_below(&self, node: NodeId) -> Vec<TopicId> {
        self.nodes_of_topics(node).into_iter().filter_map(|node| self.topic(node)).collect()
    }

    /// The nodes in a branch at which a topic ends.
    fn nodes_of_topics(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut left = vec![node];
        while let Some(id) = left.pop() {
            let Some(node) = self.nodes.get(id as usize) else { continue };
            found.extend(node.topic.map(|_| id));
            left.extend(&node.children);
        }
        found
    }

    /// What is below a node, named from there on, and how much there is in all: its topics where these are
    /// few, else its children.
    pub fn below(&self, node: NodeId, len: u32, store: &Store) -> (Vec<Row>, u32) {
        let Some(parent) = self.nodes.get(node as usize).filter(|node| !node.children.is_empty())
        else {
            return (Vec::new(), 0);
        };
        let is_few = self.figures(node).topics <= BRANCH_TOPICS_LISTED;
        let mut below = if is_few {
            self.nodes_of_topics(node)
        } else {
            parent.children.iter().map(|child| self.shown_by(*child)).collect()
        };
        below.retain(|id| *id != node);
        let below = self.sorted(below, Sort::Name, is_few);
        let own = self.path(node).len().saturating_add(1);
        let mut reader = Reader::new(store);
        let rows = below.iter().take((len as usize).min(BRANCH_ROWS_MAX)).filter_map(|id| {
            let place = Place { node: *id, depth: 0, position: 0, siblings: 0 };
            let name = self.path(*id).get(own..).unwrap_or_default().to_owned();
            let at_ms = Some(self.figures(*id).at_ms);
            Some(Row { name, at_ms, ..self.row(&place, is_few, &mut reader)? })
        });
        (rows.collect(), below.len() as u32)
    }

    /// The only branch of a node at which no topic ends. Such a node says nothing by itself, and what it has
    /// in common with that branch is all there is.
    fn leads_to(&self, id: NodeId) -> Option<NodeId> {
        let node = self.nodes.get(id as usize).filter(|node| node.topic.is_none() && id != ROOT)?;
        match *node.children {
            [child] => Some(child),
            _ => None,
        }
    }

    /// The node whose row shows this one: the first from here down at which a topic ends or more than one
    /// branch begins.
    fn shown_by(&self, id: NodeId) -> NodeId {
        std::iter::successors(Some(id), |id| self.leads_to(*id)).last().unwrap_or(id)
    }

    /// The nodes above this one that its row shows, from here up.
    fn shown_with(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.up_from(id).skip(1).take_while(|above| self.leads_to(*above).is_some())
    }

    /// The node of the row below which the row of this one stands.
    fn row_above(&self, id: NodeId) -> NodeId {
        let first = self.shown_with(id).last().unwrap_or(id);
        self.nodes.get(first as usize).map_or(ROOT, |node| node.parent)
    }

    /// What the row of a node says: in a list the whole topic, in a tree its level behind those above it that
    /// have no row.
    fn label(&self, id: NodeId, is_flat: bool) -> String {
        if is_flat {
            return self.path(id);
        }
        let above = self.row_above(id);
        self.levels(self.up_from(id).take_while(|node| *node != above))
    }

    /// Does a step of a person through the tree.
    pub fn step(&mut self, step: Step, store: &Store, now_ms: f64) {
        self.refresh(store, now_ms);
        self.steps = self.steps.wrapping_add(1);
        let last = self.rows.len().saturating_sub(1);
        let at = self.active_row();
        let to = |row: usize| row.min(last);
        let row = match step {
            Step::To(node) => {
                self.active = Some(node);
                self.wanted = None;
                None
            }
            Step::Topic(topic) => {
                // Until it is there, nothing else is where the person wants to be.
                self.active = None;
                self.wanted = Some(topic);
                None
            }
            Step::Toggle(node) => {
                self.set_open(node, !self.is_open(node));
                None
            }
            Step::Rows(count) => Some(match at {
                Some(at) => to(at.saturating_add_signed(count as isize)),
                None => 0,
            }),
            Step::First => Some(0),
            Step::Last => Some(last),
            Step::In => self.step_in(at),
            Step::Out => self.step_out(at),
            Step::OpenSiblings => {
                self.open_siblings();
                None
            }
            Step::Typed(text) => at.map_or(Some(0), |at| self.typed(&text, at)),
        };
        if let Some(place) = row.and_then(|row| self.rows.get(row)) {
            self.active = Some(place.node);
            self.wanted = None;
        }
        self.go_to_wanted();
        self.refresh(store, now_ms);
        self.sent_ms = f64::NEG_INFINITY;
    }

    /// Opens what is closed, and goes to the first child of what is open.
    fn step_in(&mut self, at: Option<usize>) -> Option<usize> {
        let (at, active) = (at?, self.active_shown()?);
        if self.nodes.get(active as usize)?.children.is_empty() || self.is_flat() {
            return None;
        }
        if self.is_open(active) {
            return Some(at.saturating_add(1));
        }
        self.set_open(active, true);
        None
    }

    /// Closes what is open, and goes to the parent of what is closed.
    fn step_out(&mut self, at: Option<usize>) -> Option<usize> {
        let (at, active) = (at?, self.active_shown()?);
        let has_children = !self.nodes.get(active as usize)?.children.is_empty();
        if has_children && self.is_open(active) && !self.is_flat() {
            self.set_open(active, false);
            return None;
        }
        let depth = self.rows.get(at)?.depth;
        self.rows.get(..at)?.iter().rposition(|place| place.depth < depth)
    }

    fn open_siblings(&mut self) {
        let above = self.active_shown().map(|node| self.row_above(node));
        let above = above.and_then(|node| self.nodes.get(node as usize));
        for node in above.map(|above| above.children.clone()).unwrap_or_default() {
            self.set_open(self.shown_by(node), true);
        }
    }

    /// The next row that begins with what was typed.
    fn typed(&self, text: &str, at: usize) -> Option<usize> {
        let (text, is_flat) = (case::lower(text), self.is_flat());
        let begins =
            |place: &Place| case::lower(&self.label(place.node, is_flat)).starts_with(&text);
        let (before, after) = self.rows.split_at_checked(at.saturating_add(1))?;
        after
            .iter()
            .position(begins)
            .map(|index| at.saturating_add(1).saturating_add(index))
            .or_else(|| before.iter().position(begins))
    }

    fn is_flat(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.is_flat)
    }

    /// What nobody has opened or closed is open where there are so few topics that all can be seen, and
    /// at the top, so that one sees what there is.
    fn is_open(&self, id: NodeId) -> bool {
        self.nodes.get(id as usize).is_some_and(|node| {
            if !self.search.is_all() {
                return !node.is_shut;
            }
            node.is_open
                .unwrap_or_else(|| self.built <= TREE_OPEN_TOPICS_MAX || self.row_above(id) == ROOT)
        })
    }

    fn set_open(&mut self, node: NodeId, is_open: bool) {
        let mut nodes = vec![node];
        if is_open {
            // It stays in sight when a branch above it gets a row of its own.
            nodes.extend(self.shown_with(node));
        }
        self.set_all_open(nodes, is_open);
    }

    fn set_all_open(&mut self, nodes: Vec<NodeId>, is_open: bool) {
        let is_search = !self.search.is_all();
        for node in nodes {
            let Some(node) = self.nodes.get_mut(node as usize) else { continue };
            if is_search {
                node.is_shut = !is_open;
            } else {
                node.is_open = Some(is_open);
            }
        }
        self.is_stale = true;
    }

    /// Leaves the branches open that lead to where the person is, when those are closed that nobody opened.
    fn keep_in_sight(&mut self) {
        let above: Vec<NodeId> =
            self.active.iter().flat_map(|node| self.up_from(*node)).skip(1).collect();
        for node in above {
            if let Some(node) = self.nodes.get_mut(node as usize) {
                node.is_open = Some(node.is_open.unwrap_or(true));
            }
        }
    }

    /// Goes to the topic of an address, as soon as there is one.
    fn go_to_wanted(&mut self) {
        let Some(node) = self.wanted.as_deref().and_then(|topic| self.find(topic)) else {
            return;
        };
        self.wanted = None;
        self.active = Some(node);
        self.set_all_open(self.up_from(node).skip(1).collect(), true);
        self.steps = self.steps.wrapping_add(1);
    }

    /// The node of a topic, or of a branch.
    fn find(&self, topic: &str) -> Option<NodeId> {
        topic
            .split('/')
            .try_fold(ROOT, |parent, name| self.ids.get(&KeyRef { parent, name }).copied())
    }

    /// The node whose row a person is at.
    fn active_shown(&self) -> Option<NodeId> {
        self.active.map(|node| if self.is_flat() { node } else { self.shown_by(node) })
    }

    fn active_row(&self) -> Option<usize> {
        let active = self.active_shown()?;
        self.rows.iter().position(|place| place.node == active)
    }

    /// Takes in new topics.
    fn build(&mut self, store: &Store) {
        let built = self.built;
        for id in built..TopicId::try_from(store.topics_len()).unwrap_or(TopicId::MAX) {
            let Some(topic) = store.topic(id) else { break };
            let mut parent = ROOT;
            for level in topic.name.split('/') {
                parent = self.child(parent, level);
            }
            if let Some(node) = self.nodes.get_mut(parent as usize) {
                node.topic = Some(id);
            }
            self.built = id.saturating_add(1);
        }
        if self.built != built {
            self.is_stale = true;
        }
        if built <= TREE_OPEN_TOPICS_MAX && self.built > TREE_OPEN_TOPICS_MAX {
            self.keep_in_sight();
        }
    }

    fn child(&mut self, parent: NodeId, name: &str) -> NodeId {
        if let Some(node) = self.ids.get(&KeyRef { parent, name }) {
            return *node;
        }
        let node = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(Node {
            parent,
            name: name.into(),
            topic: None,
            children: Vec::new(),
            is_open: None,
            is_shut: false,
        });
        self.ids.insert(Key { parent, name: name.into() }, node);
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.children.push(node);
        }
        node
    }

    /// Brings figures and places up to date, where it is time for it.
    fn refresh(&mut self, store: &Store, now_ms: f64) {
        self.build(store);
        self.go_to_wanted();
        if !self.is_stale && now_ms - self.refreshed_ms < REFRESH_MS {
            return;
        }
        self.is_stale = false;
        self.refreshed_ms = now_ms;
        self.add_up(store);
        self.sample(now_ms);
        self.place();
    }

    fn add_up(&mut self, store: &Store) {
        self.figures.clear();
        self.matching = 0;
        for node in &self.nodes {
            let topic = node.topic.and_then(|id| store.topic(id));
            let figures = topic.map(|topic| self.of_topic(topic, store)).unwrap_or_default();
            self.matching = self.matching.saturating_add(u32::from(figures.is_found));
            self.figures.push(figures);
        }
        for index in (1..self.nodes.len()).rev() {
            let parent = self.nodes.get(index).map_or(ROOT, |node| node.parent);
            let Some((above, rest)) = self.figures.split_at_mut_checked(index) else { break };
            if let (Some(into), Some(from)) = (above.get_mut(parent as usize), rest.first()) {
                into.topics = into.topics.saturating_add(from.topics);
                into.retained = into.retained.saturating_add(from.retained);
                into.messages = into.messages.saturating_add(from.messages);
                into.at_ms = into.at_ms.max(from.at_ms);
                into.matches |= from.matches;
            }
        }
    }

    fn of_topic(&self, topic: &Topic, store: &Store) -> Figures {
        let text = || reading::text(Reader::new(store).last(topic, Trust::Sure));
        let is_found = self.search.matches_with(&topic.name, text);
        Figures {
            topics: 1,
            retained: u32::from(store.is_kept(topic)),
            messages: topic.count,
            at_ms: topic.at_ms,
            rate: None,
            is_found,
            matches: is_found,
        }
    }

    /// Works out the rates, from what there was a few seconds ago.
    fn sample(&mut self, now_ms: f64) {
        let last_ms = self.samples.back().map_or(f64::NEG_INFINITY, |(at_ms, _)| *at_ms);
        if now_ms < last_ms {
            // A clock that was set back begins anew.
            self.samples.clear();
        }
        if let Some((then_ms, before)) = self.samples.front() {
            let seconds = (now_ms - then_ms) / 1_000.0;
            for (index, figures) in self.figures.iter_mut().enumerate() {
                let before = before.get(index).copied().unwrap_or(0);
                let count = figures.messages.saturating_sub(before) as f64;
                figures.rate = (seconds >= 0.9).then(|| count / seconds);
            }
        }
        if now_ms - last_ms >= SAMPLE_MS || self.samples.is_empty() {
            let counts = self.figures.iter().map(|figures| figures.messages).collect();
            self.samples.push_back((now_ms, counts));
            if self.samples.len() > RATE_SAMPLES_MAX {
                self.samples.pop_front();
            }
        }
    }

    /// Finds the place of each row.
    fn place(&mut self) {
        let sort = self.view.as_ref().map_or(Sort::Name, |view| view.sort);
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        if self.is_flat() {
            let all = (1..self.nodes.len() as NodeId).filter(|node| self.figures(*node).is_found);
            let sorted = self.sorted(all.collect(), sort, true);
            let siblings = sorted.len() as u32;
            rows.extend((1..).zip(sorted).map(|(position, node)| Place {
                node,
                depth: 0,
                position,
                siblings,
            }));
        } else {
            self.place_below(ROOT, 0, sort, &mut rows);
        }
        self.rows = rows;
    }

    fn place_below(&self, node: NodeId, depth: u16, sort: Sort, rows: &mut Vec<Place>) {
        // Not by recursion: a topic may have as many levels as it has bytes.
        let mut left = vec![(node, depth, 1, 1)];
        while let Some((node, depth, position, siblings)) = left.pop() {
            let mut below = depth;
            if node != ROOT {
                rows.push(Place { node, depth, position, siblings });
                below = depth.saturating_add(1);
                if !self.is_open(node) {
                    continue;
                }
            }
            let Some(parent) = self.nodes.get(node as usize) else { continue };
            let shown = parent.children.iter().copied();
            let shown: Vec<_> = shown.filter(|child| self.figures(*child).matches).collect();
            let siblings = shown.len() as u32;
            let sorted = self.sorted(shown, sort, false);
            let places = (1..).zip(sorted);
            let places = places.map(|(at, child)| (self.shown_by(child), below, at, siblings));
            let mut places: Vec<_> = places.collect();
            places.reverse();
            left.append(&mut places);
        }
    }

    /// Nodes in this order; by their whole topics where they stand in a list.
    fn sorted(&self, nodes: Vec<NodeId>, sort: Sort, is_flat: bool) -> Vec<NodeId> {
        let place = |node: NodeId| {
            let figures = self.figures(node);
            let figure = match sort {
                Sort::Name if is_flat => return name::natural(&self.path(node)),
                Sort::Name => {
                    let name = self.nodes.get(node as usize).map(|node| &node.name);
                    return name::natural(name.map_or("", |name| name));
                }
                Sort::Messages => figures.messages as f64,
                Sort::Rate => figures.rate.unwrap_or(0.0),
                Sort::Recent => figures.at_ms,
            };
            // From the highest down. None is below zero, and the bits of such floats have the order of their
            // values.
            let bits = !figure.max(0.0).to_bits();
            Box::<[u8]>::from(bits.to_be_bytes())
        };
        let mut places: Vec<name::Place> =
            nodes.into_iter().map(|node| (place(node), node)).collect();
        places.sort();
        places.into_iter().map(|(_, node)| node).collect()
    }

    /// The rows that the page looks at, if they have changed.
    pub fn changed(&mut self, store: &Store, now_ms: f64) -> Option<Shown> {
        self.view.as_ref()?;
        self.refresh(store, now_ms);
        if now_ms - self.sent_ms < ROWS_INTERVAL_MS && now_ms >= self.sent_ms {
            return None;
        }
        let shown = self.shown(store)?;
        self.sent_ms = now_ms;
        if shown == self.sent {
            return None;
        }
        self.sent = shown.clone();
        Some(shown)
    }

    fn shown(&self, store: &Store) -> Option<Shown> {
        let view = self.view.as_ref()?;
        let len = (view.len as usize).min(TREE_ROWS_MAX);
        let first = (view.first as usize).min(self.rows.len().saturating_sub(len));
        let places = self.rows.iter().skip(first).take(len);
        let mut reader = Reader::new(store);
        Some(Shown {
            first: first as u32,
            total: self.rows.len() as u32,
            matching: self.matching,
            topics: self.built,
            rows: places.filter_map(|place| self.row(place, self.is_flat(), &mut reader)).collect(),
            active: self.active_shown(),
            active_row: self.active_row().map(|row| row as u32),
            active_path: self.active.map(|node| self.path(node)),
            steps: self.steps,
        })
    }

    /// A row of a list of topics, or of one in which their branches stand too.
    fn row(&self, place: &Place, is_flat: bool, reader: &mut Reader<'_>) -> Option<Row> {
        let store = reader.store();
        let node = self.nodes.get(place.node as usize)?;
        let figures = self.figures(place.node);
        let topic = node.topic.and_then(|id| store.topic(id));
        let has_children = !node.children.is_empty() && !is_flat;
        // What a topic itself counts is always of this moment.
        let messages = match topic {
            Some(topic) if !has_children => topic.count,
            _ => figures.messages,
        };
        Some(Row {
            node: place.node,
            depth: place.depth,
            position: place.position,
            siblings: place.siblings,
            name: self.label(place.node, is_flat),
            is_open: has_children.then(|| self.is_open(place.node)),
            topics: if has_children { figures.topics } else { 0 },
            messages,
            // To the tenth, so that it does not flicker.
            rate_tenths: figures.rate.map(|rate| (rate * 10.0).round() as u32),
            value: topic.map(|topic| line(&reader.last(topic, Trust::Sure), topic.is_whole())),
            is_kept: topic.is_some_and(|topic| store.is_kept(topic)),
            at_ms: topic.map(|topic| topic.at_ms),
        })
    }
}

/// What was read of a payload, or of its beginning, in one line.
pub fn line(kept: &[u8], is_whole: bool) -> String {
    let head = kept.get(..VALUE_CHARS.saturating_mul(4)).unwrap_or(kept);
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The beginning may end within a character.
        Err(error) if error.error_len().is_none() => {
            head.get(..error.valid_up_to()).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or("")
        }
        Err(_) => "",
    };
    if text.is_empty() || text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
        let hex = payload::hex(kept, 12);
        return if kept.len() > 12 || !is_whole { format!("{hex} …") } else { hex };
    }
    let shown: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short = payload::with_ellipsis(&shown, VALUE_CHARS);
    let is_all = is_whole && head.len() == kept.len();
    if !is_all && !short.ends_with('…') { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::store::{Limits, Message};

    struct Scene {
        tree: Tree,
        store: Store,
        now_ms: f64,
    }

    impl Scene {
        fn new(topics: &[&str]) -> Self {
            let mut scene = Self {
                tree: Tree::default(),
                store: Store::new(Limits::default(), 0.0),
                now_ms: 0.0,
            };
            for topic in topics {
                scene.take(topic, "1", false);
            }
            scene.look("", Sort::Name, false);
            scene
        }

        /// The same with everything closed but the top.
        fn closed(topics: &[&str]) -> Self {
            let mut scene = Self::new(topics);
            scene.after(0.0);
            for id in 0..scene.tree.nodes.len() {
                let is_top = scene.tree.row_above(id as NodeId) == ROOT;
                scene.tree.nodes[id].is_open = Some(is_top);
            }
            scene.tree.is_stale = true;
            scene.tree.sent_ms = f64::NEG_INFINITY;
            scene
        }

        fn take(&mut self, topic: &str, payload: &str, retain: bool) {
            let payload = payload.as_bytes();
            let message = Message { topic, payload, retain, ..Message::default() };
            self.store.take(message, self.now_ms);
        }

        fn look(&mut self, search: &str, sort: Sort, is_flat: bool) {
            let search = search.to_owned();
            self.tree.show(TopicsView { search, sort, is_flat, first: 0, len: 100 });
        }

        /// What is on the screen after a while.
        fn after(&mut self, ms: f64) -> Shown {
            self.now_ms += ms;
            self.tree.changed(&self.store, self.now_ms);
            self.tree.sent.clone()
        }

        fn step(&mut self, step: Step) {
            self.tree.step(step, &self.store, self.now_ms);
        }

        /// The rows as an outline, the active one with a star.
        fn outline(&mut self) -> Vec<String> {
            let shown = self.after(0.0);
            let row = |row: &Row| {
                let star = if shown.active == Some(row.node) { "*" } else { "" };
                let sign = match row.is_open {
                    Some(true) => "-",
                    Some(false) => "+",
                    None => "",
                };
                format!("{}{star}{sign}{}", " ".repeat(row.depth.into()), row.name)
            };
            shown.rows.iter().map(row).collect()
        }
    }

    const HOUSE: &[&str] =
        &["home/attic/t", "home/cellar/10", "home/cellar/2", "home", "x", "a//b"];

    #[test]
    fn levels_stand_below_each_other_in_natural_order() {
        let mut scene = Scene::closed(HOUSE);
        assert_eq!(scene.outline(), ["a//b", "-home", " attic/t", " +cellar", "x"]);
        let home = scene.after(0.0).rows[1].clone();
        assert_eq!((home.topics, home.messages, home.value.as_deref()), (4, 4, Some("1")));
        let cellar = scene.after(0.0).rows[3].node;
        scene.step(Step::Toggle(cellar));
        assert_eq!(scene.outline(), ["a//b", "-home", " attic/t", " -cellar", "  2", "  10", "x"]);
    }

    #[test]
    fn what_is_below_a_branch_is_named_from_there_on() {
        let mut scene = Scene::new(&["home/attic/t10", "home/attic/t9", "home", "office/x"]);
        scene.take("home/attic/t9", "21.5", true);
        scene.step(Step::Topic("home".into()));
        let below = |scene: &Scene, path: &str, len| {
            let node = scene.tree.find(path).unwrap();
            let (rows, total) = scene.tree.below(node, len, &scene.store);
            let names: Vec<_> = rows.iter().map(|row| (row.name.clone(), row.topics)).collect();
            (names, total, rows.first().and_then(|row| row.value.clone()))
        };
        let named = |name: &str, topics| (name.to_owned(), topics);
        // Few topics are all listed; one that ends at the branch itself is not below it.
        let few = vec![named("attic/t9", 0), named("attic/t10", 0)];
        assert_eq!(below(&scene, "home", 9), (few, 2, Some("21.5".into())));
        assert_eq!(below(&scene, "office/x", 9), (Vec::new(), 0, None));

        // Of more than that, it is the branches, as many as are asked for.
        for n in 0..BRANCH_TOPICS_LISTED {
            scene.take(&format!("home/cellar/rack/{n}"), "1", false);
        }
        scene.step(Step::Topic("home/cellar".into()));
        // One that leads to nothing but another is passed over.
        let branches = vec![named("attic", 2), named("cellar/rack", BRANCH_TOPICS_LISTED)];
        assert_eq!(below(&scene, "home", 9), (branches, 2, None));
        let (rows, total, _) = below(&scene, "home", 1);
        assert_eq!((rows.len(), total), (1, 2));
    }

    #[test]
    fn keys_walk_as_in_any_tree() {
        let mut scene = Scene::closed(&["a/b", "a/c", "a/c/d", "e", "f/g/h", "f/g/i"]);
        let walk: &[(Step, &[&str])] = &[
            (Step::Toggle(scene.tree.find("f/g").unwrap()), &["-a", " b", " +c", "e", "+f/g"]),
            (Step::First, &["*-a", " b", " +c", "e", "+f/g"]),
            (Step::In, &["-a", " *b", " +c", "e", "+f/g"]),
            (Step::In, &["-a", " *b", " +c", "e", "+f/g"]),
            (Step::Rows(1), &["-a", " b", " *+c", "e", "+f/g"]),
            (Step::In, &["-a", " b", " *-c", "  d", "e", "+f/g"]),
            (Step::In, &["-a", " b", " -c", "  *d", "e", "+f/g"]),
            (Step::Out, &["-a", " b", " *-c", "  d", "e", "+f/g"]),
            (Step::Out, &["-a", " b", " *+c", "e", "+f/g"]),
            (Step::Out, &["*-a", " b", " +c", "e", "+f/g"]),
            (Step::Out, &["*+a", "e", "+f/g"]),
            (Step::Rows(-10), &["*+a", "e", "+f/g"]),
            (Step::Rows(10), &["+a", "e", "*+f/g"]),
            (Step::In, &["+a", "e", "*-f/g", " h", " i"]),
            (Step::Last, &["+a", "e", "-f/g", " h", " *i"]),
            (Step::Out, &["+a", "e", "*-f/g", " h", " i"]),
            (Step::Out, &["+a", "e", "*+f/g"]),
            (Step::Typed("A".into()), &["*+a", "e", "+f/g"]),
            (Step::OpenSiblings, &["*-a", " b", " +c", "e", "-f/g", " h", " i"]),
            (Step::Last, &["-a", " b", " +c", "e", "-f/g", " h", " *i"]),
        ];
        for (step, outline) in walk {
            scene.step(step.clone());
            assert_eq!(scene.outline(), *outline, "{step:?}");
        }
    }

    #[test]
    fn an_address_opens_the_branches_above_it_even_before_the_topic_has_come() {
        let mut scene = Scene::new(&["a/b/c"]);
        scene.step(Step::Topic("a/b".into()));
        assert_eq!(scene.after(200.0).active_path.as_deref(), Some("a/b"));
        assert_eq!(scene.outline(), ["*a/b/c"], "the row that stands for it");
        scene.step(Step::Topic("x/y/z".into()));
        assert_eq!(scene.after(1.0).active, None);
        scene.take("x/y/z", "1", false);
        assert_eq!(scene.after(200.0).active_path.as_deref(), Some("x/y/z"));
        assert_eq!(scene.outline(), ["a/b/c", "*x/y/z"]);
    }

    #[test]
    fn a_few_topics_are_all_in_sight_and_many_are_not() {
        let mut scene = Scene::new(&["a/b/c", "a/b/d", "a/e/f", "a/e/g", "h/i/j", "h/i/k"]);
        let all = ["-a", " -b", "  c", "  d", " -e", "  f", "  g", "-h/i", " j", " k"];
        assert_eq!(scene.outline(), all);
        let closed = scene.after(0.0).rows[4].node;
        scene.step(Step::Toggle(closed));
        scene.step(Step::Topic("a/b/c".into()));
        let some = ["-a", " -b", "  *c", "  d", " +e", "-h/i", " j", " k"];
        assert_eq!(scene.outline(), some);
        for n in 0..TREE_OPEN_TOPICS_MAX {
            scene.take(&format!("many/{}/{n}", n % 2), "1", false);
        }
        scene.after(1_000.0);
        let outline =
            ["-a", " -b", "  *c", "  d", " +e", "-h/i", " j", " k", "-many", " +0", " +1"];
        assert_eq!(scene.outline(), outline, "where the person is stays in sight");
    }

    #[test]
    fn a_branch_that_leads_to_one_other_has_no_row_until_something_else_comes() {
        let mut scene = Scene::new(&["shed/door", "home/hall/lamp/on", "home/hall/lamp/watts"]);
        scene.tree.build(&scene.store);
        scene.tree.nodes.iter_mut().for_each(|node| node.is_open = Some(false));
        let lamp = scene.tree.find("home/hall/lamp").unwrap();
        scene.step(Step::Toggle(lamp));
        assert_eq!(scene.outline(), ["-home/hall/lamp", " on", " watts", "shed/door"]);
        // What is open stays open, and the person stays where they are.
        scene.step(Step::Topic("home/hall/lamp/on".into()));
        scene.take("home/attic", "1", false);
        scene.after(1_000.0);
        let outline = ["-home", " attic", " -hall/lamp", "  *on", "  watts", "shed/door"];
        assert_eq!(scene.outline(), outline);
        // A topic that ends in between has a value to show.
        scene.take("home/hall", "1", false);
        scene.after(1_000.0);
        let outline = ["-home", " attic", " -hall", "  -lamp", "   *on", "   watts", "shed/door"];
        assert_eq!(scene.outline(), outline);
        let names: Vec<_> = scene.after(0.0).rows.iter().map(|row| row.topics).collect();
        assert_eq!(names, [4, 0, 3, 2, 0, 0, 0]);
    }

    #[test]
    fn a_search_shows_what_matches_and_what_is_above_it() {
        let mut scene = Scene::new(HOUSE);
        scene.take("home/attic/t", "twenty-one", false);
        for (search, outline) in [
            ("cellar", &["-home", " -cellar", "  2", "  10"][..]),
            ("twenty", &["-home", " attic/t"]),
            ("home/+/2", &["-home", " -cellar", "  2"]),
            ("nowhere", &[]),
        ] {
            scene.look(search, Sort::Name, false);
            assert_eq!(scene.outline(), outline, "{search}");
        }
        scene.look("cellar", Sort::Name, true);
        assert_eq!(scene.outline(), ["home/cellar/2", "home/cellar/10"]);
        assert_eq!(scene.after(0.0).matching, 2);
    }

    #[test]
    fn what_floods_the_broker_is_on_top() {
        let mut scene = Scene::new(&["calm", "once", "busy/a"]);
        scene.look("", Sort::Rate, true);
        scene.after(0.0);
        for _ in 0..50 {
            scene.take("busy/a", "1", false);
        }
        scene.take("calm", "1", false);
        let shown = scene.after(1_000.0);
        let rates: Vec<_> =
            shown.rows.iter().map(|row| (row.name.as_str(), row.rate_tenths)).collect();
        assert_eq!(rates, [("busy/a", Some(500)), ("calm", Some(10)), ("once", Some(0))]);
        scene.look("", Sort::Messages, false);
        assert_eq!(scene.outline(), ["busy/a", "calm", "once"]);
    }

    #[test]
    fn retained_messages_are_known_until_they_are_deleted() {
        let mut scene = Scene::new(&["a"]);
        scene.take("a", "1", true);
        scene.take("b", "1", true);
        let kept = |scene: &mut Scene| {
            let shown = scene.after(1_000.0);
            shown.rows.iter().map(|row| row.is_kept).collect::<Vec<_>>()
        };
        assert_eq!(kept(&mut scene), [true, true]);
        scene.take("a", "2", false);
        scene.take("b", "", true);
        assert_eq!(kept(&mut scene), [true, false], "a live message does not replace it");
        scene.store.lost(0.0);
        scene.store.back(0.0);
        assert_eq!(kept(&mut scene), [false, false], "the broker has not said yet");
    }

    #[test]
    fn only_the_rows_on_the_screen_are_sent_and_only_when_they_change() {
        let topics: Vec<String> = (0..10_000).map(|n| format!("t{n}")).collect();
        let mut scene = Scene::new(&topics.iter().map(String::as_str).collect::<Vec<_>>());
        let view = TopicsView { first: 9_990, len: 40, ..TopicsView::default() };
        scene.tree.show(view);
        let shown = scene.after(0.0);
        assert_eq!((shown.total, shown.rows.len(), shown.first), (10_000, 40, 9_960));
        assert_eq!(shown.rows[39].name, "t9999");
        scene.take("t1", "2", false);
        assert_eq!(scene.tree.changed(&scene.store, 10_000.0).map(|s| s.rows.len()), Some(40));
        scene.take("t1", "3", false);
        assert_eq!(scene.tree.changed(&scene.store, 10_200.0), None, "it is not in sight");
        scene.tree.close();
        assert_eq!(scene.tree.changed(&scene.store, 20_000.0), None);
    }

    #[test]
    fn a_topic_of_very_many_levels_is_a_topic_like_any_other() {
        let deep = "/".repeat(60_000);
        let mut scene = Scene::new(&[&deep]);
        scene.step(Step::Topic(deep));
        assert_eq!(scene.after(1.0).active_path.map(|path| path.len()), Some(60_000));
    }

    #[test]
    fn a_value_is_one_line() {
        for (payload, line) in [
            (&b"21.5"[..], "21.5"),
            (b"{\n  \"a\": 1\n}", "{ \"a\": 1 }"),
            (b"\x00\x01", "00 01"),
            (b"", ""),
        ] {
            assert_eq!(super::line(payload, true), line);
        }
        let long = "é".repeat(1_000);
        let short = super::line(long.as_bytes(), true);
        assert_eq!(short.chars().count(), VALUE_CHARS + 1);
    }
}
