//! Free loopback ports for the programs that a test starts.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below this, ports belong to well-known services.
const LOWEST: u16 = 10_000;
/// From here on Linux gives ports to outgoing connections unless it was told otherwise.
const EPHEMERAL_LOWEST_USUAL: u16 = 32_768;

/// A loopback port that nobody listens on, and that this process has not given out before.
///
/// Asking the system for "any port" would give one from the range that outgoing connections also
/// draw from, and between the asking and the broker's `bind` one of the many clients that run
/// beside this test could be given the same. So the ports come from below that range, and each is
/// tried before it is given out.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static START: Mutex<Option<u16>> = Mutex::new(None);
    let span = ephemeral_lowest() - LOWEST;
    let start = *START.lock().unwrap().get_or_insert_with(|| fastrand::u16(..span));
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
        let port = LOWEST + (start + step) % span;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free loopback port from {LOWEST} to {}", LOWEST + span - 1);
}

fn ephemeral_lowest() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|lowest| (LOWEST + 1000..=EPHEMERAL_LOWEST_USUAL).contains(lowest))
        .unwrap_or(EPHEMERAL_LOWEST_USUAL)
}
