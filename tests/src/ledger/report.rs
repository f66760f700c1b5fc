//! What a run came to, for people.

use std::fmt;
use std::time::Duration;

use crate::ledger::book::{Counts, Kind};

/// What a run came to.
#[derive(Default)]
pub struct Report {
    /// What decided when the broker died and what the clients did.
    pub seed: u64,
    /// How often the broker was started and died.
    pub rounds: u32,
    /// How often it was killed (SIGKILL).
    pub kills: u32,
    /// How often it was asked to stop (SIGTERM).
    pub stops: u32,
    /// What happened, in numbers.
    pub counts: Counts,
    /// From each start to the first CONNACK.
    pub restarts: Vec<Duration>,
    /// How much the broker's folder held at each checkpoint.
    pub store_bytes: Vec<u64>,
    /// What must not happen and did: how often, and the first stories of each kind.
    pub violations: Vec<(Kind, u64, Vec<String>)>,
    /// The broker's log of its last lives.
    pub last_words: String,
}

impl Report {
    /// Whether the broker has kept its word.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// How often it broke it in this way.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        let of_kind = self.violations.iter().find(|violation| violation.0 == kind);
        of_kind.map_or(0, |violation| violation.1)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { sent, acknowledged, delivered, duplicates, resent, resumed, .. } = self.counts;
        let Counts { renumbered, unmarked, retained_checks, wills, expired, .. } = self.counts;
        let mut restarts = self.restarts.clone();
        restarts.sort_unstable();
        let restart_ms = |part: f64| {
            let at = (restarts.len().saturating_sub(1) as f64 * part) as usize;
            restarts.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let stores: Vec<String> =
            self.store_bytes.iter().map(|bytes| format!("{:.1}", *bytes as f64 / 1e6)).collect();
        let rows = [
            ("seed", self.seed.to_string()),
            ("rounds", format!("{} ({} killed, {} stopped)", self.rounds, self.kills, self.stops)),
            ("messages sent", sent.to_string()),
            ("acknowledged", acknowledged.to_string()),
            ("sent again with DUP", resent.to_string()),
            ("delivered", delivered.to_string()),
            ("duplicates of QoS 1", duplicates.to_string()),
            ("renumbered of QoS 1", renumbered.to_string()),
            ("again without DUP", unmarked.to_string()),
            ("missing", self.count(Kind::Missing).to_string()),
            ("sessions resumed", resumed.to_string()),
            ("sessions expired", expired.to_string()),
            ("retained looked at", format!("{retained_checks} times")),
            ("wills published", wills.to_string()),
            (
                "restart, ms",
                format!(
                    "{:.0} median, {:.0} of 99 %, {:.0} at most",
                    restart_ms(0.5),
                    restart_ms(0.99),
                    restart_ms(1.0)
                ),
            ),
            ("store, MB", stores.join(" ")),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:22}{value}")?;
        }
        if self.is_clean() {
            return writeln!(f, "Nothing that was acknowledged is lost.");
        }
        for (kind, count, stories) in &self.violations {
            writeln!(f, "\n{kind:?}: {count}")?;
            for story in stories {
                writeln!(f, "  {story}")?;
            }
            if *count > stories.len() as u64 {
                writeln!(f, "  …")?;
            }
        }
        write!(f, "\n{}The seed was {}.", self.last_words, self.seed)
    }
}
