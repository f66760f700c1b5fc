//! A small generator of numbers: the same seed gives the same numbers on every machine.

/// SplitMix64.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.one_in(2)
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A number of two bytes, often one at the edge, never 0.
    pub(crate) fn short(&mut self) -> u16 {
        match self.below(4) {
            0 => 1,
            1 => u16::MAX,
            _ => (self.next() as u16).max(1),
        }
    }

    /// A number of four bytes, often one at the edge, never 0.
    pub(crate) fn long(&mut self) -> u32 {
        match self.below(4) {
            0 => 1,
            1 => u32::MAX,
            _ => (self.next() as u32).max(1),
        }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Runs `story` with `runs` seeds, and says with which one it failed.
///
/// `CODEC_SEED=n cargo test -p codec` runs it with that seed alone. On the host the first seed is a
/// fresh one each time; in the browser, which has no environment, it is 0.
pub(crate) fn with_seeds(runs: u64, mut story: impl FnMut(&mut Rng)) {
    let given = std::env::var("CODEC_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = given.unwrap_or_else(fresh_seed);
    let runs = if given.is_some() { 1 } else { runs };
    for seed in first..first.saturating_add(runs) {
        // In the browser a panic ends it all: what was logged before is shown, and nothing after.
        #[cfg(target_arch = "wasm32")]
        wasm_bindgen_test::console_log!("seed {seed}");
        #[cfg(not(target_arch = "wasm32"))]
        let _print = PrintOnPanic(seed);
        story(&mut Rng::new(seed));
    }
}

/// A seed of fewer than ten digits, which is easily copied.
#[cfg(not(target_arch = "wasm32"))]
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("seed") % 1_000_000_000
}

#[cfg(target_arch = "wasm32")]
fn fresh_seed() -> u64 {
    0
}

#[cfg(not(target_arch = "wasm32"))]
struct PrintOnPanic(u64);

#[cfg(not(target_arch = "wasm32"))]
impl Drop for PrintOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}: CODEC_SEED={} repeats it", self.0, self.0);
        }
    }
}
