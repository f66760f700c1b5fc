//! What a snapshot of a machine says, as readings. Pure: the same snapshot gives the same readings.
//!
//! The topics are an interface that dashboards and scripts rely on:
//!
//! | topic | unit |
//! |---|---|
//! | `cpu/total`, `cpu/core/0`, `cpu/core/1`, … | % |
//! | `memory/total`, `memory/used`, `swap/total`, `swap/used` | B |
//! | `memory/percent`, `swap/percent` | % |
//! | `load/1m`, `load/5m`, `load/15m` | none: runnable tasks |
//! | `temperature/<sensor>` | °C |
//! | `disk/<mount>/total`, `disk/<mount>/used`, `disk/<mount>/free` | B |
//! | `disk/<mount>/percent` | % |
//! | `network/<interface>/rx`, `network/<interface>/tx` | B/s |
//! | `uptime` | s |

use super::snapshot::{Disk, Network, Snapshot, Space};
use crate::reading::{Reading, Value, topic_levels, unit};
use std::time::Duration;

/// Digits after the point of a percentage and of a temperature: as fine as the source is.
const PERCENT_DIGITS: usize = 1;
const CELSIUS_DIGITS: usize = 1;
/// Digits after the point of a load average, as the kernel gives them.
const LOAD_DIGITS: usize = 2;

/// The level for the file system that everything else is mounted in.
const ROOT_DISK: &str = "root";

/// The readings of one snapshot, in a stable order.
///
/// What the machine doesn't have, or couldn't say, has no reading.
pub(super) fn readings(snapshot: &Snapshot) -> Vec<Reading> {
    let mut readings = Readings::default();
    readings.cpu(snapshot);
    readings.space("memory", snapshot.memory);
    readings.space("swap", snapshot.swap);
    readings.load(snapshot.load);
    readings.temperatures(&snapshot.temperatures);
    readings.disks(&snapshot.disks);
    readings.networks(&snapshot.networks, snapshot.elapsed);
    if let Some(seconds) = snapshot.uptime_s {
        readings.count("uptime", seconds, unit::SECONDS);
    }
    readings.0
}

#[derive(Default)]
struct Readings(Vec<Reading>);

impl Readings {
    fn count(&mut self, topic: impl Into<String>, number: u64, unit: &'static str) {
        self.0.push(Reading { topic: topic.into(), value: Value::Count(number), unit: Some(unit) });
    }

    /// A number that isn't one (no measurement, or one divided by nothing) is left out.
    fn decimal(
        &mut self,
        topic: impl Into<String>,
        number: f64,
        digits: usize,
        unit: Option<&'static str>,
    ) {
        if number.is_finite() {
            let value = Value::Decimal { number, digits };
            self.0.push(Reading { topic: topic.into(), value, unit });
        }
    }

    fn percent(&mut self, topic: impl Into<String>, percent: f64) {
        self.decimal(topic, percent, PERCENT_DIGITS, Some(unit::PERCENT));
    }

    fn cpu(&mut self, snapshot: &Snapshot) {
        self.percent("cpu/total", snapshot.cpu_percent.into());
        for (core, percent) in snapshot.core_percents.iter().enumerate() {
            self.percent(format!("cpu/core/{core}"), (*percent).into());
        }
    }

    fn space(&mut self, topic: &str, space: Space) {
        if space.total_bytes == 0 {
            return;
        }
        self.count(format!("{topic}/total"), space.total_bytes, unit::BYTES);
        self.count(format!("{topic}/used"), space.used_bytes, unit::BYTES);
        self.percent(format!("{topic}/percent"), share(space.used_bytes, space.total_bytes));
    }

    fn load(&mut self, load: Option<[f64; 3]>) {
        for (minutes, load) in ["1m", "5m", "15m"].into_iter().zip(load.into_iter().flatten()) {
            self.decimal(format!("load/{minutes}"), load, LOAD_DIGITS, None);
        }
    }

    fn temperatures(&mut self, temperatures: &[(String, f32)]) {
        let mut sorted: Vec<_> = temperatures.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let levels = topic_levels(sorted.iter().map(|(label, _)| label.as_str()));
        for (level, (_, celsius)) in levels.into_iter().zip(sorted) {
            let topic = format!("temperature/{level}");
            self.decimal(topic, f64::from(*celsius), CELSIUS_DIGITS, Some(unit::CELSIUS));
        }
    }

    fn disks(&mut self, disks: &[Disk]) {
        let disks = worth_showing(disks);
        let names: Vec<_> = disks.iter().map(|disk| disk_name(&disk.mount_point)).collect();
        let levels = topic_levels(names.iter().map(String::as_str));
        for (level, disk) in levels.into_iter().zip(disks) {
            let used = disk.total_bytes.saturating_sub(disk.free_bytes);
            let topic = format!("disk/{level}");
            self.space(&topic, Space { total_bytes: disk.total_bytes, used_bytes: used });
            self.count(format!("{topic}/free"), disk.free_bytes, unit::BYTES);
        }
    }

    fn networks(&mut self, networks: &[Network], elapsed: Duration) {
        let mut shown: Vec<_> = networks.iter().filter(|network| has_a_place(network)).collect();
        shown.sort_by(|a, b| a.interface.cmp(&b.interface));
        let levels = topic_levels(shown.iter().map(|network| network.interface.as_str()));
        for (level, network) in levels.into_iter().zip(shown) {
            for (direction, bytes) in [("rx", network.rx_bytes), ("tx", network.tx_bytes)] {
                if let Some(rate) = per_second(bytes, elapsed) {
                    let topic = format!("network/{level}/{direction}");
                    self.count(topic, rate, unit::BYTES_PER_SECOND);
                }
            }
        }
    }
}

/// The disks that are storage of their own, in the order of their mount points.
///
/// One device mounted at several places (bind mounts, as containers have them) is one disk. An
/// overlay shows the space of the disk below it, so it only counts where it is all there is: at
/// the root of a container.
fn worth_showing(disks: &[Disk]) -> Vec<&Disk> {
    let mut sorted: Vec<_> = disks
        .iter()
        .filter(|disk| disk.total_bytes > 0)
        .filter(|disk| disk.file_system != "overlay" || disk.mount_point == "/")
        .collect();
    sorted.sort_by_key(|disk| (disk.mount_point.len(), &disk.mount_point));
    let mut shown: Vec<&Disk> = Vec::new();
    for disk in sorted {
        if !shown.iter().any(|other| other.device == disk.device) {
            shown.push(disk);
        }
    }
    shown.sort_by_key(|disk| &disk.mount_point);
    shown
}

/// `/` is `root`; `/mnt/data` is `mnt/data`, which then becomes one level.
fn disk_name(mount_point: &str) -> String {
    match mount_point.trim_matches(['/', '\\']) {
        "" => ROOT_DISK.to_owned(),
        name => name.to_owned(),
    }
}

/// An interface that never carried a byte has nothing to show. The ends of containers' cables
/// (`veth…`) have random names that come and go; the bridge they hang on shows the same bytes.
fn has_a_place(network: &Network) -> bool {
    network.bytes_ever > 0 && !network.interface.starts_with("veth")
}

/// How much of the whole a part is, in percent; not a number where there is no whole.
#[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}

/// Whole bytes per second; nothing can be said of no time at all.
fn per_second(bytes: u64, elapsed: Duration) -> Option<u64> {
    let rate = u128::from(bytes).checked_mul(1_000_000)?.checked_div(elapsed.as_micros())?;
    u64::try_from(rate).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn lines(snapshot: &Snapshot) -> Vec<String> {
        readings(snapshot)
            .iter()
            .map(|r| format!("{} {} {}", r.topic, r.value, r.unit.unwrap_or("-")))
            .collect()
    }

    fn disk(device: &str, mount_point: &str, file_system: &str) -> Disk {
        Disk {
            device: device.to_owned(),
            mount_point: mount_point.to_owned(),
            file_system: file_system.to_owned(),
            total_bytes: 100 * GIB,
            free_bytes: 25 * GIB,
        }
    }

    fn network(interface: &str, rx_bytes: u64, tx_bytes: u64, bytes_ever: u64) -> Network {
        Network { interface: interface.to_owned(), rx_bytes, tx_bytes, bytes_ever }
    }

    #[test]
    fn a_whole_machine() {
        let snapshot = Snapshot {
            elapsed: Duration::from_secs(2),
            cpu_percent: 12.34,
            core_percents: vec![0.0, 24.68],
            memory: Space { total_bytes: 8 * GIB, used_bytes: 2 * GIB },
            swap: Space { total_bytes: GIB, used_bytes: 0 },
            load: Some([0.5, 1.25, 2.0]),
            temperatures: vec![("cpu thermal".to_owned(), 48.3), ("Composite".to_owned(), 31.85)],
            disks: vec![disk("/dev/sda1", "/", "ext4"), disk("/dev/sdb1", "/mnt/my data", "ext4")],
            networks: vec![network("eth0", 3000, 501, 9999)],
            uptime_s: Some(86_400),
        };
        assert_eq!(
            lines(&snapshot),
            [
                "cpu/total 12.3 %",
                "cpu/core/0 0.0 %",
                "cpu/core/1 24.7 %",
                "memory/total 8589934592 B",
                "memory/used 2147483648 B",
                "memory/percent 25.0 %",
                "swap/total 1073741824 B",
                "swap/used 0 B",
                "swap/percent 0.0 %",
                "load/1m 0.50 -",
                "load/5m 1.25 -",
                "load/15m 2.00 -",
                "temperature/Composite 31.9 °C",
                "temperature/cpu_thermal 48.3 °C",
                "disk/root/total 107374182400 B",
                "disk/root/used 80530636800 B",
                "disk/root/percent 75.0 %",
                "disk/root/free 26843545600 B",
                "disk/mnt_my_data/total 107374182400 B",
                "disk/mnt_my_data/used 80530636800 B",
                "disk/mnt_my_data/percent 75.0 %",
                "disk/mnt_my_data/free 26843545600 B",
                "network/eth0/rx 1500 B/s",
                "network/eth0/tx 250 B/s",
                "uptime 86400 s",
            ]
        );
    }

    #[test]
    fn what_a_machine_does_not_have_has_no_reading() {
        assert_eq!(lines(&Snapshot::default()), ["cpu/total 0.0 %"]);
    }

    #[test]
    fn what_is_not_a_number_is_left_out() {
        let snapshot = Snapshot {
            cpu_percent: f32::NAN,
            core_percents: vec![f32::INFINITY, 5.0],
            temperatures: vec![("off".to_owned(), f32::NAN)],
            load: Some([f64::NAN, 1.0, f64::NEG_INFINITY]),
            // No time has passed, so there is no rate.
            networks: vec![network("eth0", 10, 10, 10)],
            ..Snapshot::default()
        };
        assert_eq!(lines(&snapshot), ["cpu/core/1 5.0 %", "load/5m 1.00 -"]);
    }

    #[test]
    fn two_sensors_of_one_name_are_two_topics() {
        let snapshot = Snapshot {
            cpu_percent: f32::NAN,
            temperatures: vec![("Composite".to_owned(), 30.0), ("Composite".to_owned(), 40.0)],
            ..Snapshot::default()
        };
        assert_eq!(
            lines(&snapshot),
            ["temperature/Composite 30.0 °C", "temperature/Composite_2 40.0 °C"]
        );
    }

    #[test]
    fn disks_that_are_no_storage_of_their_own_are_left_out() {
        let cases: [(&[Disk], &[&str]); 4] = [
            // Bind mounts of one device.
            (
                &[
                    disk("/dev/vda1", "/etc/hostname", "ext4"),
                    disk("/dev/vda1", "/data", "ext4"),
                    disk("/dev/vdb1", "/boot/efi", "vfat"),
                ],
                &["boot_efi", "data"],
            ),
            // A machine that runs containers, and the inside of one.
            (
                &[
                    disk("/dev/sda1", "/", "ext4"),
                    disk("overlay", "/var/lib/docker/x/merged", "overlay"),
                ],
                &["root"],
            ),
            (
                &[disk("overlay", "/", "overlay"), disk("/dev/sda1", "/etc/resolv.conf", "ext4")],
                &["root", "etc_resolv.conf"],
            ),
            (&[disk("C:", "C:\\", "NTFS")], &["C:"]),
        ];
        for (disks, expected) in cases {
            let snapshot = Snapshot { disks: disks.to_vec(), ..Snapshot::default() };
            let shown: Vec<_> = readings(&snapshot)
                .iter()
                .filter_map(|r| Some(r.topic.strip_prefix("disk/")?.strip_suffix("/free")?.into()))
                .collect::<Vec<String>>();
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn networks_without_traffic_and_container_cables_are_left_out() {
        let snapshot = Snapshot {
            elapsed: Duration::from_millis(500),
            cpu_percent: f32::NAN,
            networks: vec![
                network("wlan0", 0, 1, 1),
                network("vethd3adb33", 500, 500, 1000),
                network("sit0", 0, 0, 0),
                network("lo", 100, 100, 200),
            ],
            ..Snapshot::default()
        };
        assert_eq!(
            lines(&snapshot),
            [
                "network/lo/rx 200 B/s",
                "network/lo/tx 200 B/s",
                "network/wlan0/rx 0 B/s",
                "network/wlan0/tx 2 B/s",
            ]
        );
    }

    #[test]
    fn a_rate_never_overflows() {
        assert_eq!(per_second(u64::MAX, Duration::from_secs(1)), Some(u64::MAX));
        assert_eq!(per_second(u64::MAX, Duration::from_micros(1)), None);
        assert_eq!(per_second(1, Duration::ZERO), None);
        assert_eq!(per_second(0, Duration::MAX), Some(0));
    }
}
