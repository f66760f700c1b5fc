//! What has been published and what has not, in sentences for the person who watches.

use std::time::Duration;

/// Between two looks at whether the rate is kept.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What had happened at a moment since the start.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    elapsed: Duration,
    published: u64,
    left_out: u64,
}

/// Counts, and says what changes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    published: u64,
    last: Mark,
    is_behind: bool,
}

impl Tally {
    pub(super) fn published(&mut self) {
        self.published = self.published.saturating_add(1);
    }

    /// A new connection: what was before it says nothing about the rate on it.
    pub(super) fn begin(&mut self, elapsed: Duration, left_out: u64) {
        self.last = Mark { elapsed, published: self.published, left_out };
    }

    /// When to look the next time, since the start.
    pub(super) fn next_look(&self) -> Duration {
        self.last.elapsed.saturating_add(LOOK_EVERY)
    }

    /// What there is to say of the time since the last look: only what changes, or all if
    /// `verbose`.
    pub(super) fn look(
        &mut self,
        elapsed: Duration,
        left_out: u64,
        verbose: bool,
    ) -> Option<String> {
        let before = self.last;
        self.begin(elapsed, left_out);
        let seconds = elapsed.saturating_sub(before.elapsed).as_secs_f64();
        let published = self.published.saturating_sub(before.published);
        let left_out = left_out.saturating_sub(before.left_out);
        let rate = rate(published, seconds);
        let was_behind = std::mem::replace(&mut self.is_behind, left_out > 0);
        match (was_behind, self.is_behind) {
            (false, true) => Some(format!(
                "Cannot keep up: {rate} went out over the last {seconds:.0} s, and {left_out} \
                 messages were left out because they were late. A lower --rate would be steady."
            )),
            (true, false) => Some(format!("Keeping up again: {rate}.")),
            _ if verbose => Some(format!(
                "{published} messages in {seconds:.1} s: {rate}; {left_out} left out."
            )),
            _ => None,
        }
    }

    /// The sum of everything.
    pub(super) fn sum(&self, elapsed: Duration, left_out: u64) -> String {
        let seconds = elapsed.as_secs_f64();
        let rate = rate(self.published, seconds);
        let published = self.published;
        let late = match left_out {
            0 => "none was left out".to_owned(),
            1 => "1 was left out because it was late".to_owned(),
            _ => format!("{left_out} were left out because they were late"),
        };
        format!("Published {published} messages in {seconds:.1} s, {rate}; {late}.")
    }
}

/// Three digits are enough for a rate.
fn rate(count: u64, seconds: f64) -> String {
    let rate = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let digits = if rate < 10.0 { 2 } else { usize::from(rate < 100.0) };
    format!("{rate:.digits$} a second")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn publish(tally: &mut Tally, count: u32) {
        (0..count).for_each(|_| tally.published());
    }

    #[test]
    fn falling_behind_and_catching_up_are_each_said_once() {
        let mut tally = Tally::default();
        publish(&mut tally, 1_000);
        assert_eq!(tally.look(after(10), 0, false), None);
        publish(&mut tally, 600);
        assert_eq!(
            tally.look(after(20), 400, false).as_deref(),
            Some(
                "Cannot keep up: 60.0 a second went out over the last 10 s, and 400 messages were \
                 left out because they were late. A lower --rate would be steady."
            )
        );
        publish(&mut tally, 600);
        assert_eq!(tally.look(after(30), 800, false), None);
        publish(&mut tally, 1_000);
        assert_eq!(
            tally.look(after(40), 800, false).as_deref(),
            Some("Keeping up again: 100 a second.")
        );
        assert_eq!(
            tally.sum(after(40), 800),
            "Published 3200 messages in 40.0 s, 80.0 a second; 800 were left out because they \
             were late."
        );
    }

    #[test]
    fn who_wants_to_know_more_is_told_at_each_look() {
        let mut tally = Tally::default();
        assert_eq!(tally.next_look(), LOOK_EVERY);
        publish(&mut tally, 5);
        assert_eq!(
            tally.look(after(10), 0, true).as_deref(),
            Some("5 messages in 10.0 s: 0.50 a second; 0 left out.")
        );
        assert_eq!(tally.next_look(), 2 * LOOK_EVERY);
    }

    #[test]
    fn no_time_is_no_rate() {
        assert_eq!(
            Tally::default().sum(Duration::ZERO, 1),
            "Published 0 messages in 0.0 s, 0.00 a second; 1 was left out because it was late."
        );
    }
}
