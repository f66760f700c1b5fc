//! The mount point of a listener: what stands before every topic of its clients, who do not see it.
//!
//! Topics get it as they come in and lose it as they leave; everywhere between, in the router, among the
//! retained messages and for the rights of an ACL file, a topic is a whole one.

use codec::{TopicError, TopicFilter, TopicName};

/// A client's topic as the broker has it.
#[inline]
pub(super) fn mounted_topic(
    mount: Option<&TopicName>,
    topic: TopicName,
) -> Result<TopicName, TopicError> {
    match mount {
        None => Ok(topic),
        Some(mount) => TopicName::new(&format!("{mount}{topic}")),
    }
}

/// A client's filter as the broker has it; that of a shared subscription keeps the group's name before it.
pub(super) fn mounted_filter(
    mount: Option<&TopicName>,
    filter: TopicFilter,
) -> Result<TopicFilter, TopicError> {
    let Some(mount) = mount else { return Ok(filter) };
    let topics = filter.matching_part();
    TopicFilter::new(&match filter.share_name() {
        None => format!("{mount}{topics}"),
        Some(group) => format!("$share/{group}/{mount}{topics}"),
    })
}

/// A topic of the broker as the client has it. One that is not below the mount point, from a subscription
/// that was made by another listener, stays as it is.
pub(super) fn unmounted<'a>(mount: Option<&TopicName>, topic: &'a TopicName) -> &'a [u8] {
    let topic = topic.as_bytes();
    let below = mount.and_then(|mount| topic.strip_prefix(mount.as_bytes().as_ref()));
    below.filter(|below| !below.is_empty()).unwrap_or(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mount = TopicName::new("site/a/").unwrap();
        for mount in [None, Some(&mount)] {
            for topic in ["x", "x/y", "/", "$SYS/x", "site/a/x"] {
                let topic = TopicName::new(topic).unwrap();
                let inside = mounted_topic(mount, topic.clone()).unwrap();
                assert_eq!(unmounted(mount, &inside), topic.as_bytes());
                for filter in ["#", "+", "x/#", "$share/g/#", "$SYS/#", topic.as_str()] {
                    let filter = TopicFilter::new(filter).unwrap();
                    let below = mounted_filter(mount, filter.clone()).unwrap();
                    assert_eq!(below.share_name(), filter.share_name());
                    // A `$` is nothing special behind a mount point.
                    if mount.is_none() || !topic.is_dollar() {
                        assert_eq!(below.matches(&inside), filter.matches(&topic), "{below}");
                    }
                }
            }
        }
        let elsewhere = TopicName::new("site/b").unwrap();
        assert_eq!(unmounted(Some(&mount), &elsewhere), elsewhere.as_bytes());
        assert_eq!(unmounted(Some(&mount), &mount), mount.as_bytes());
        assert!(mounted_topic(Some(&mount), TopicName::new(&"x".repeat(65_530)).unwrap()).is_err());
    }
}
