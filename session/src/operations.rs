//! SUBSCRIBE and UNSUBSCRIBE: what waits, what is on its way, and what must be asked for again when the
//! server has lost the session (MQTT 5.0 §3.8 to §3.11).

use bytes::BytesMut;
use codec::{
    EncodeError, Packet, PacketId, Properties, Property, ProtocolVersion, ReasonCode, Subscribe,
    Subscription, SubscriptionOptions, TopicFilter, Unsubscribe,
};
use std::collections::VecDeque;

use crate::sorted::Sorted;
use crate::{Event, ServerLimits, SubscribeError, Token};

/// How many SUBSCRIBE and UNSUBSCRIBE may wait for the server's answer.
pub const OPERATIONS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Operations {
    /// Every subscription that was asked for and not refused.
    wanted: Sorted<TopicFilter, Wanted>,
    waiting: VecDeque<Operation>,
    sent: Sorted<PacketId, Operation>,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    token: Token,
    identifier: Option<u32>,
    options: SubscriptionOptions,
}

#[derive(Debug)]
struct Operation {
    token: Token,
    kind: Kind,
    /// What can't be asked of this server.
    refused: Vec<(TopicFilter, ReasonCode)>,
}

#[derive(Debug)]
enum Kind {
    Subscribe { identifier: Option<u32>, lines: Vec<Subscription> },
    Unsubscribe { filters: Vec<TopicFilter> },
}

impl Kind {
    fn packet(&self, packet_id: PacketId) -> Result<Packet, EncodeError> {
        Ok(match self {
            Self::Subscribe { identifier, lines } => Packet::Subscribe(Subscribe {
                packet_id,
                properties: Properties::new(identifier.map(Property::SubscriptionIdentifier))?,
                subscriptions: lines.clone(),
            }),
            Self::Unsubscribe { filters } => Packet::Unsubscribe(Unsubscribe {
                packet_id,
                properties: Properties::EMPTY,
                filters: filters.clone(),
            }),
        })
    }

    fn into_filters(self) -> Vec<TopicFilter> {
        match self {
            Self::Subscribe { lines, .. } => lines.into_iter().map(|line| line.filter).collect(),
            Self::Unsubscribe { filters } => filters,
        }
    }
}

/// The answer does not fit the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongAnswer;

impl Operations {
    pub(crate) fn subscribe(
        &mut self,
        token: Token,
        lines: Vec<Subscription>,
        identifier: Option<u32>,
        version: ProtocolVersion,
    ) -> Result<(), SubscribeError> {
        let on_shared = |line: &Subscription| line.filter.share_name().is_some();
        if version.is_v5() && lines.iter().any(|line| line.options.no_local && on_shared(line)) {
            return Err(SubscribeError::NoLocalOnShared);
        }
        if identifier == Some(0) {
            let id = codec::PropertyId::SubscriptionIdentifier;
            return Err(SubscribeError::Encode(EncodeError::Property(id)));
        }
        let wanted: Vec<_> = lines.iter().map(|line| (line.filter.clone(), line.options)).collect();
        self.add(token, Kind::Subscribe { identifier, lines }, version)?;
        for (filter, options) in wanted {
            self.wanted.insert(filter, Wanted { token, identifier, options });
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(
        &mut self,
        token: Token,
        filters: Vec<TopicFilter>,
        version: ProtocolVersion,
    ) -> Result<(), SubscribeError> {
        let unwanted = filters.clone();
        self.add(token, Kind::Unsubscribe { filters }, version)?;
        for filter in unwanted {
            self.wanted.remove(&filter);
        }
        Ok(())
    }

    fn add(
        &mut self,
        token: Token,
        kind: Kind,
        version: ProtocolVersion,
    ) -> Result<(), SubscribeError> {
        if self.waiting.len().saturating_add(self.sent.len()) >= OPERATIONS_MAX {
            return Err(SubscribeError::TooMany);
        }
        kind.packet(PacketId::MIN)
            .and_then(|packet| packet.encode(version, &mut BytesMut::new()))
            .map_err(SubscribeError::Encode)?;
        self.waiting.push_back(Operation { token, kind, refused: Vec::new() });
        Ok(())
    }

    /// What was sent and not answered waits again; its identifiers are handed back.
    pub(crate) fn connection_lost(&mut self) -> Vec<PacketId> {
        let (ids, sent): (Vec<_>, Vec<_>) = self.sent.take().into_iter().unzip();
        sent.into_iter().for_each(|operation| self.wait(operation));
        ids
    }

    /// The server knows none of the subscriptions: all of them are asked for again, and together where
    /// they were before.
    pub(crate) fn session_lost(&mut self) {
        // They wait in the order of their tokens.
        let waiting: Vec<Token> = self.waiting.iter().map(|waiting| waiting.token).collect();
        let mut again = Vec::new();
        for (filter, wanted) in self.wanted.iter() {
            if waiting.binary_search(&wanted.token).is_err() {
                let line = Subscription { filter: filter.clone(), options: wanted.options };
                let (identifier, lines) = (wanted.identifier, vec![line]);
                let kind = Kind::Subscribe { identifier, lines };
                again.push(Operation { token: wanted.token, kind, refused: Vec::new() });
            }
        }
        again.into_iter().for_each(|operation| self.wait(operation));
        for operation in core::mem::take(&mut self.waiting) {
            match (self.waiting.back_mut(), operation.kind) {
                (
                    Some(Operation { token, kind: Kind::Subscribe { lines, .. }, .. }),
                    Kind::Subscribe { lines: more, .. },
                ) if *token == operation.token => lines.extend(more),
                (_, kind) => self.waiting.push_back(Operation { kind, ..operation }),
            }
        }
    }

    /// One waits again, in its place: the order in which they were asked for is the order in which they mean
    /// something.
    fn wait(&mut self, operation: Operation) {
        let place = self.waiting.partition_point(|waiting| waiting.token <= operation.token);
        self.waiting.insert(place, operation);
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Appends the next packet; `id` has been reserved for it. Hands the identifier back if it was not
    /// needed.
    pub(crate) fn transmit(
        &mut self,
        id: PacketId,
        version: ProtocolVersion,
        limits: &ServerLimits,
        out: &mut BytesMut,
        events: &mut VecDeque<Event>,
    ) -> Option<PacketId> {
        let Some(mut operation) = self.waiting.pop_front() else { return Some(id) };
        operation.leave_out_unavailable(limits);
        let start = out.len();
        let encoded = operation.kind.packet(id).and_then(|packet| packet.encode(version, out));
        let size = out.len().saturating_sub(start);
        if encoded.is_ok() && size <= limits.packet_size_max as usize {
            self.sent.insert(id, operation);
            return None;
        }
        out.truncate(start);
        let too_large = core::iter::repeat(ReasonCode::PacketTooLarge);
        let (token, mut results) = (operation.token, operation.refused);
        let subscribe = matches!(operation.kind, Kind::Subscribe { .. });
        results.extend(operation.kind.into_filters().into_iter().zip(too_large));
        events.push_back(self.answered(token, subscribe, results));
        Some(id)
    }

    pub(crate) fn on_suback(
        &mut self,
        id: PacketId,
        codes: &[ReasonCode],
    ) -> Result<Option<Event>, WrongAnswer> {
        self.on_answer(id, codes, true)
    }

    /// Before MQTT 5.0 there are no codes in it.
    pub(crate) fn on_unsuback(
        &mut self,
        id: PacketId,
        codes: &[ReasonCode],
        version: ProtocolVersion,
    ) -> Result<Option<Event>, WrongAnswer> {
        if version.is_v5() {
            return self.on_answer(id, codes, false);
        }
        let filters = match self.sent.get(&id).map(|operation| &operation.kind) {
            Some(Kind::Unsubscribe { filters }) => filters.len(),
            _ => 0,
        };
        self.on_answer(id, &vec![ReasonCode::Success; filters], false)
    }

    /// `None` if nothing was asked with this identifier.
    fn on_answer(
        &mut self,
        id: PacketId,
        codes: &[ReasonCode],
        subscribe: bool,
    ) -> Result<Option<Event>, WrongAnswer> {
        let Some(operation) = self.sent.get(&id) else { return Ok(None) };
        let count = match &operation.kind {
            Kind::Subscribe { lines, .. } if subscribe => lines.len(),
            Kind::Unsubscribe { filters } if !subscribe => filters.len(),
            _ => return Err(WrongAnswer),
        };
        if count != codes.len() {
            return Err(WrongAnswer);
        }
        let Some(operation) = self.sent.remove(&id) else { return Ok(None) };
        let filters = operation.kind.into_filters().into_iter();
        let mut results: Vec<_> = filters.zip(codes.iter().copied()).collect();
        results.extend(operation.refused);
        Ok(Some(self.answered(operation.token, subscribe, results)))
    }

    fn answered(
        &mut self,
        token: Token,
        subscribe: bool,
        results: Vec<(TopicFilter, ReasonCode)>,
    ) -> Event {
        if !subscribe {
            return Event::Unsubscribed { token, results };
        }
        for (filter, _) in results.iter().filter(|(_, code)| code.is_error()) {
            // A later request for the same filter stands on its own.
            if self.wanted.get(filter).is_some_and(|wanted| wanted.token == token) {
                self.wanted.remove(filter);
            }
        }
        Event::Subscribed { token, results }
    }
}

impl Operation {
    /// What the server said it does not have must not be asked for (MQTT 5.0 §3.2.2.3.11 to 13).
    fn leave_out_unavailable(&mut self, limits: &ServerLimits) {
        let Kind::Subscribe { identifier, lines } = &mut self.kind else { return };
        let identifier = identifier.is_some();
        let refused = &mut self.refused;
        lines.retain(|line| {
            let code = if identifier && !limits.subscription_ids_available {
                ReasonCode::SubscriptionIdentifiersNotSupported
            } else if line.filter.share_name().is_some() && !limits.shared_available {
                ReasonCode::SharedSubscriptionsNotSupported
            } else if line.filter.has_wildcard() && !limits.wildcards_available {
                ReasonCode::WildcardSubscriptionsNotSupported
            } else {
                return true;
            };
            refused.push((line.filter.clone(), code));
            false
        });
    }
}
