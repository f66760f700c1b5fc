//! Looks at this machine: everything that asks the operating system is here.

use crate::report::Failure;
use std::time::{Duration, Instant};
use sysinfo::{
    Components, CpuRefreshKind, DiskRefreshKind, Disks, MINIMUM_CPU_UPDATE_INTERVAL,
    MemoryRefreshKind, Networks, RefreshKind, System,
};

/// The shortest time between two snapshots in which the CPU load can be measured.
pub(super) const SNAPSHOT_INTERVAL_MIN: Duration = MINIMUM_CPU_UPDATE_INTERVAL;

/// This machine as it is now, in the operating system's own names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Snapshot {
    /// Time since the snapshot before, to which loads and network counts refer.
    pub(super) elapsed: Duration,
    pub(super) cpu_percent: f32,
    pub(super) core_percents: Vec<f32>,
    pub(super) memory: Space,
    pub(super) swap: Space,
    /// Over one, five and fifteen minutes, where the system counts it.
    pub(super) load: Option<[f64; 3]>,
    /// Label and degrees Celsius of each sensor that has a value.
    pub(super) temperatures: Vec<(String, f32)>,
    pub(super) disks: Vec<Disk>,
    pub(super) networks: Vec<Network>,
    pub(super) uptime_s: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Space {
    pub(super) total_bytes: u64,
    pub(super) used_bytes: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Disk {
    pub(super) device: String,
    pub(super) mount_point: String,
    pub(super) file_system: String,
    pub(super) total_bytes: u64,
    pub(super) free_bytes: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub(super) interface: String,
    /// Bytes received and sent since the snapshot before.
    pub(super) rx_bytes: u64,
    pub(super) tx_bytes: u64,
    /// Bytes in both directions since the interface came up.
    pub(super) bytes_ever: u64,
}

/// Takes snapshots of this machine, one after another.
pub(super) struct Machine {
    system: System,
    // A machine without disks, interfaces or thermometers is still one that can be read.
    disks: Option<Disks>,
    networks: Option<Networks>,
    components: Option<Components>,
    taken: Instant,
}

impl Machine {
    /// Takes the first look, from which the first snapshot measures.
    pub(super) fn new() -> Result<Self, Failure> {
        let system = System::new_with_specifics(what_to_refresh())
            .map_err(|error| Failure::new(format!("Cannot read this machine's state: {error}.")))?;
        Ok(Self {
            system,
            disks: Disks::new().ok(),
            networks: Networks::new_with_refreshed_list().ok(),
            components: Components::new().ok(),
            taken: Instant::now(),
        })
    }

    /// Looks again. Earlier than [`SNAPSHOT_INTERVAL_MIN`] after the last look, the CPU load is
    /// that of the last look.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.system.refresh_specifics(what_to_refresh());
        let elapsed = self.taken.elapsed();
        self.taken = Instant::now();
        Snapshot {
            elapsed,
            cpu_percent: self.system.global_cpu_usage(),
            core_percents: self.system.cpus().iter().map(sysinfo::Cpu::usage).collect(),
            memory: Space {
                total_bytes: self.system.total_memory(),
                used_bytes: self.system.used_memory(),
            },
            swap: Space {
                total_bytes: self.system.total_swap(),
                used_bytes: self.system.used_swap(),
            },
            load: System::load_average().ok().map(|load| [load.one, load.five, load.fifteen]),
            temperatures: self.temperatures(),
            disks: self.disks(),
            networks: self.networks(),
            uptime_s: System::uptime().ok(),
        }
    }

    fn temperatures(&mut self) -> Vec<(String, f32)> {
        let Some(components) = &mut self.components else { return Vec::new() };
        components.refresh(true);
        components
            .iter()
            .filter_map(|component| Some((component.label().to_owned(), component.temperature()?)))
            .collect()
    }

    fn disks(&mut self) -> Vec<Disk> {
        let Some(disks) = &mut self.disks else { return Vec::new() };
        disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
        disks
            .iter()
            .map(|disk| Disk {
                device: disk.name().to_string_lossy().into_owned(),
                mount_point: disk.mount_point().to_string_lossy().into_owned(),
                file_system: disk.file_system().to_string_lossy().into_owned(),
                total_bytes: disk.total_space(),
                free_bytes: disk.available_space(),
            })
            .collect()
    }

    fn networks(&mut self) -> Vec<Network> {
        let Some(networks) = &mut self.networks else { return Vec::new() };
        networks.refresh(true);
        networks
            .iter()
            .map(|(interface, data)| Network {
                interface: interface.to_string_lossy().into_owned(),
                rx_bytes: data.received(),
                tx_bytes: data.transmitted(),
                bytes_ever: data.total_received().saturating_add(data.total_transmitted()),
            })
            .collect()
    }
}

/// This machine's name, where it has one.
pub(super) fn machine_name() -> Option<String> {
    System::host_name().ok()
}

fn what_to_refresh() -> RefreshKind {
    RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing().with_usage())
        .with_memory(MemoryRefreshKind::everything())
}
