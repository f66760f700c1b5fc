//! The kinds of device, with their topics, words and numbers as the real ones have them.
//!
//! | kind | like | topics, below the prefix |
//! |---|---|---|
//! | room climate | ESPHome | `esphome/<room>/sensor/<quantity>/state`, plain numbers, retained |
//! | room climate | Zigbee2MQTT | `zigbee2mqtt/<room>-climate`, JSON |
//! | door contact | Zigbee2MQTT | `zigbee2mqtt/<door>`, JSON |
//! | plug | Tasmota | `tele/<appliance>/SENSOR` and `/STATE`, JSON; `stat/<appliance>/POWER` |
//! | energy meter | Shelly | `shellies/shellyem-<id>/emeter/0/<quantity>`, plain numbers, retained |
//! | weather station | a script | `weather/<place>/<quantity>`, plain numbers, retained |
//! | soil probe | a script | `garden/bed-<n>/<quantity>`, plain numbers |
//! | machine | a PLC | `plant/line-<n>/<machine>/<quantity>`, numbers and words |
//! | telephone | OwnTracks | `owntracks/<person>/phone`, JSON with a position, retained |

use super::device::{Device, Document, Kind, Topic, decimal, whole};
use super::signal::{self, Curve, DAY_S, Seed, Switch};
use crate::reading::unit;
use jiff::Timestamp;

/// How the kinds are mixed in a fleet: this row of devices, over and over.
pub(super) const MIX: &[&Kind] = &[
    &ESPHOME,
    &ZIGBEE_CLIMATE,
    &DOOR,
    &PLUG,
    &WEATHER,
    &MACHINE,
    &SOIL,
    &METER,
    &PHONE,
    &ESPHOME,
    &ZIGBEE_CLIMATE,
    &DOOR,
    &SOIL,
    &PLUG,
    &ESPHOME,
    &MACHINE,
];

static ESPHOME: Kind = Kind {
    name: |device| numbered(ROOMS, device.number),
    topics: &[
        Topic::kept("esphome/{}/sensor/temperature/state", |d, t| decimal(room_celsius(d, t), 1))
            .unit(unit::CELSIUS),
        Topic::kept("esphome/{}/sensor/humidity/state", |d, t| decimal(room_humidity(d, t), 1))
            .unit(unit::PERCENT),
        Topic::kept("esphome/{}/sensor/co2/state", |d, t| whole(co2(d, t))).unit(unit::PPM),
        Topic::kept("esphome/{}/sensor/wifi_signal/state", |d, t| whole(wifi_dbm(d, t)))
            .unit(unit::DBM)
            .every(4),
        Topic::kept("esphome/{}/binary_sensor/motion/state", |d, t| {
            on_off(OCCUPIED.at(d.seed.of(OCCUPANCY), t).on).to_owned()
        }),
        Topic::presence("esphome/{}/status", "online", "offline"),
    ],
};

/// How Zigbee2MQTT says whether a device is there.
const ZIGBEE_AVAILABILITY: Topic = Topic::presence(
    "zigbee2mqtt/{}/availability",
    r#"{"state":"online"}"#,
    r#"{"state":"offline"}"#,
);

static ZIGBEE_CLIMATE: Kind = Kind {
    name: |device| format!("{}-climate", numbered(ROOMS, device.number)),
    topics: &[
        Topic::live("zigbee2mqtt/{}", |d, t| {
            let battery = signal::battery(d.seed.of(BATTERY), t, 400.0);
            Document::new()
                .number("battery", battery, 0)
                .number("humidity", room_humidity(d, t), 2)
                .number("linkquality", link_quality(d, t), 0)
                .number("pressure", hectopascals(d, t), 1)
                .number("temperature", room_celsius(d, t), 2)
                .number("voltage", coin_cell_millivolts(battery), 0)
                .done()
        }),
        ZIGBEE_AVAILABILITY,
    ],
};

static DOOR: Kind = Kind {
    name: |device| numbered(DOORS, device.number),
    topics: &[
        Topic::live("zigbee2mqtt/{}", |d, t| {
            let battery = signal::battery(d.seed.of(BATTERY), t, 600.0);
            let seed = d.seed.of(CONTACT);
            let habit = Switch { period_s: seed.of(2).between(600.0, 7_200.0), share: 0.06 };
            let opened = habit.at(seed, t);
            Document::new()
                .number("battery", battery, 0)
                .flag("battery_low", battery < 10.0)
                .flag("contact", !opened.on)
                .number("linkquality", link_quality(d, t), 0)
                .number("opened", opened.times as f64, 0)
                .flag("tamper", false)
                .number("voltage", coin_cell_millivolts(battery), 0)
                .done()
        }),
        ZIGBEE_AVAILABILITY,
    ],
};

static PLUG: Kind = Kind {
    name: |device| numbered(APPLIANCES, device.number),
    topics: &[
        Topic::live("tele/{}/SENSOR", plug_sensor),
        Topic::live("stat/{}/POWER", |d, t| on_off(plug(d).at(d.seed.of(SWITCH), t).on).to_owned()),
        Topic::live("tele/{}/STATE", |d, t| {
            let wifi = Document::new()
                .number("RSSI", 2.0 * (wifi_dbm(d, t) + 100.0).min(50.0), 0)
                .number("Signal", wifi_dbm(d, t), 0);
            Document::new()
                .word("Time", &local_time(t))
                .number("UptimeSec", uptime_s(d, t), 0)
                .word("POWER", on_off(plug(d).at(d.seed.of(SWITCH), t).on))
                .object("Wifi", wifi)
                .done()
        })
        .every(3),
        Topic::presence("tele/{}/LWT", "Online", "Offline"),
    ],
};

static METER: Kind = Kind {
    // An odd factor gives no two of the first 16 million numbers the same six digits.
    name: |device| format!("{:06X}", device.number.wrapping_mul(0x9e_3779) & 0xff_ffff),
    topics: &[
        Topic::kept("shellies/shellyem-{}/emeter/0/power", |d, t| decimal(house_watts(d, t), 2))
            .unit(unit::WATTS),
        Topic::kept("shellies/shellyem-{}/emeter/0/voltage", |d, t| decimal(mains_volts(d, t), 2))
            .unit(unit::VOLTS),
        Topic::kept("shellies/shellyem-{}/emeter/0/total", |d, t| {
            let (mean, swing) = house_load(d);
            decimal(signal::total(t, mean, swing, HOUSE_PEAK_HOUR) / 3_600.0, 1)
        })
        .unit(unit::WATT_HOURS),
        Topic::kept("shellies/shellyem-{}/emeter/0/pf", |d, t| {
            let curve = Curve { mean: 0.93, wander: 0.05, noise: 0.01, most: 1.0, ..Curve::FLAT };
            decimal(curve.at(d.seed.of(FACTOR), t), 2)
        }),
        Topic::presence("shellies/shellyem-{}/online", "true", "false"),
    ],
};

static WEATHER: Kind = Kind {
    name: |device| numbered(PLACES, device.number),
    topics: &[
        Topic::kept("weather/{}/temperature", |d, t| decimal(outdoor_celsius(d, t), 1))
            .unit(unit::CELSIUS),
        Topic::kept("weather/{}/humidity", |d, t| decimal(outdoor_humidity(d, t), 0))
            .unit(unit::PERCENT),
        Topic::kept("weather/{}/pressure", |d, t| decimal(hectopascals(d, t), 1))
            .unit(unit::HECTOPASCALS),
        Topic::kept("weather/{}/wind/speed", |d, t| decimal(wind(d, t), 1))
            .unit(unit::METRES_PER_SECOND),
        Topic::kept("weather/{}/wind/gust", |d, t| {
            decimal(wind(d, t) * (1.4 + 0.4 * signal::noise(d.seed.of(GUST), t)), 1)
        })
        .unit(unit::METRES_PER_SECOND),
        Topic::kept("weather/{}/wind/direction", |d, t| {
            let turned = signal::wave(d.seed.of(DIRECTION), t, DAY_S / 2.0) * 180.0
                + signal::noise(d.seed.of(DIRECTION), t) * 12.0;
            whole((turned + 240.0).rem_euclid(360.0).floor())
        })
        .unit(unit::DEGREES),
        Topic::kept("weather/{}/rain", |d, t| {
            // In hours of rain 1.8 mm fall; the gauge tips at each fifth of a millimetre.
            decimal((RAIN.at(d.seed.of(RAINING), t).on_s / 400.0).floor() * 0.2, 1)
        })
        .unit(unit::MILLIMETRES),
        Topic::kept("weather/{}/illuminance", |d, t| whole(lux(d, t))).unit(unit::LUX),
        Topic::kept("weather/{}/condition", |d, t| condition(d, t).to_owned()),
        Topic::presence("weather/{}/status", "online", "offline"),
    ],
};

static SOIL: Kind = Kind {
    name: |device| format!("bed-{}", device.number.saturating_add(1)),
    topics: &[
        Topic::live("garden/{}/moisture", |d, t| decimal(soil_moisture(d, t), 1))
            .unit(unit::PERCENT),
        Topic::live("garden/{}/temperature", |d, t| {
            let curve = Curve {
                mean: 13.0 + 8.0 * signal::year(t) + d.seed.of(TEMPERATURE).between(-1.0, 1.0),
                day: 1.8,
                peak_hour: 18.0,
                wander: 0.3,
                noise: 0.05,
                ..Curve::FLAT
            };
            decimal(curve.at(d.seed.of(TEMPERATURE), t), 2)
        })
        .unit(unit::CELSIUS),
        Topic::live("garden/{}/battery", |d, t| {
            let left = signal::battery(d.seed.of(BATTERY), t, 180.0);
            decimal(3.3 + 0.9 * left / 100.0, 2)
        })
        .unit(unit::VOLTS)
        .every(6),
    ],
};

static MACHINE: Kind = Kind {
    name: |device| {
        let machine = MACHINES.get(device.number % MACHINES.len()).copied().unwrap_or_default();
        format!("line-{}/{machine}", device.number / MACHINES.len() + 1)
    },
    topics: &[
        Topic::kept("plant/{}/state", |d, t| machine_state(d, t).to_owned()),
        Topic::live("plant/{}/parts", |d, t| whole(parts(d, t).floor())),
        Topic::live("plant/{}/temperature", |d, t| {
            let busy = shift(d).share_of_last(900.0, d.seed.of(SHIFT), t);
            let curve = Curve {
                mean: 28.0 + 34.0 * busy,
                wander: 1.0,
                drift: 1.5,
                noise: 0.3,
                spike: 60.0,
                least: -40.0,
                ..Curve::FLAT
            };
            decimal(curve.at(d.seed.of(TEMPERATURE), t), 1)
        })
        .unit(unit::CELSIUS),
        Topic::live("plant/{}/vibration", |d, t| {
            let worn = 1.0 - signal::battery(d.seed.of(WEAR), t, 45.0) / 100.0;
            let running = machine_state(d, t) == "running";
            let mean = if running { 2.2 + 2.5 * worn * worn } else { 0.08 };
            let curve = Curve { mean, noise: mean * 0.15, least: 0.0, ..Curve::FLAT };
            decimal(curve.at(d.seed.of(VIBRATION), t), 2)
        })
        .unit(unit::MILLIMETRES_PER_SECOND),
        Topic::live("plant/{}/current", |d, t| {
            let running = machine_state(d, t) == "running";
            let mean = if running { 18.5 } else { 1.2 };
            let curve = Curve { mean, noise: mean * 0.06, least: 0.0, ..Curve::FLAT };
            decimal(curve.at(d.seed.of(CURRENT), t), 1)
        })
        .unit(unit::AMPERES),
        Topic::live("plant/{}/pressure", |d, t| {
            let curve = Curve {
                mean: 6.2,
                wander: 0.2,
                noise: 0.05,
                spike: 3.0,
                least: 0.0,
                ..Curve::FLAT
            };
            decimal(curve.at(d.seed.of(PRESSURE), t), 2)
        })
        .unit(unit::BAR),
        Topic::live("plant/{}/message", |d, t| {
            let left = 500.0 - (parts(d, t).floor() % 500.0);
            match machine_state(d, t) {
                "running" => format!("tool change in {left} parts"),
                "setup" => "operator is setting up".to_owned(),
                "fault" => {
                    let reason = signal::held(d.seed.of(FAULT), t, 600.0).pick(FAULTS);
                    format!("fault: {}", reason.unwrap_or_default())
                }
                _ => "waiting for material".to_owned(),
            }
        })
        .every(5),
        Topic::presence("plant/{}/online", "1", "0"),
    ],
};

static PHONE: Kind = Kind {
    name: |device| numbered(PEOPLE, device.number),
    topics: &[Topic::kept("owntracks/{}/phone", |d, t| {
        let here = position(d, t);
        let battery = 100.0 * (0.55 + 0.45 * signal::day(t, 8.0));
        Document::new()
            .word("_type", "location")
            .number("lat", here.latitude, 6)
            .number("lon", here.longitude, 6)
            .number("acc", 6.0 + 10.0 * signal::noise(d.seed.of(POSITION), t).abs(), 0)
            .number("vel", speed_kmh(d, t), 0)
            .number("batt", battery, 0)
            .number("tst", t.floor(), 0)
            .word("tid", &person_id(d))
            .done()
    })],
};

const ROOMS: &[&str] = &[
    "living-room",
    "kitchen",
    "bedroom",
    "bathroom",
    "office",
    "hallway",
    "attic",
    "cellar",
    "garage",
    "laundry",
];
const DOORS: &[&str] = &[
    "front-door",
    "back-door",
    "garage-door",
    "balcony-door",
    "kitchen-window",
    "bedroom-window",
    "letterbox",
    "gate",
    "freezer-lid",
    "shed-door",
];
const APPLIANCES: &[&str] = &[
    "washer",
    "fridge",
    "dryer",
    "television",
    "desk",
    "heater",
    "lamp",
    "kettle",
    "freezer",
    "pump",
];
const PLACES: &[&str] = &["garden", "roof", "harbour", "hilltop", "orchard", "airfield"];
const MACHINES: &[&str] = &["press", "mill", "robot", "oven"];
const PEOPLE: &[&str] = &["ana", "luis", "marta", "pablo", "irene", "diego", "nuria", "jorge"];
const FAULTS: &[&str] = &["door open", "no air pressure", "spindle overload", "emergency stop"];
/// Latitude and longitude of where people are at home.
const HOMES: &[(f64, f64)] = &[
    (40.416_8, -3.703_8),
    (41.385_1, 2.173_4),
    (39.469_9, -0.376_3),
    (37.389_1, -5.984_5),
    (43.263_0, -2.935_0),
];

// Which part of a device's seed each of its quantities goes by.
const TEMPERATURE: u64 = 1;
const HUMIDITY: u64 = 2;
const PRESSURE: u64 = 3;
const OCCUPANCY: u64 = 4;
const BATTERY: u64 = 5;
const LINK: u64 = 6;
const CONTACT: u64 = 7;
const SWITCH: u64 = 8;
const POWER: u64 = 9;
const VOLTAGE: u64 = 10;
const FACTOR: u64 = 11;
const WIND: u64 = 12;
const GUST: u64 = 13;
const DIRECTION: u64 = 14;
const RAINING: u64 = 15;
const CLOUDS: u64 = 16;
const MOISTURE: u64 = 17;
const SHIFT: u64 = 18;
const WEAR: u64 = 19;
const VIBRATION: u64 = 20;
const CURRENT: u64 = 21;
const FAULT: u64 = 22;
const POSITION: u64 = 23;
const UPTIME: u64 = 24;

const OCCUPIED: Switch = Switch { period_s: 5_400.0, share: 0.35 };
const RAIN: Switch = Switch { period_s: 2.0 * DAY_S, share: 0.07 };
const TRIP: Switch = Switch { period_s: 3.0 * 3_600.0, share: 0.3 };
/// Houses use the most in the evening.
const HOUSE_PEAK_HOUR: f64 = 19.5;
/// Degrees of latitude in a metre, and of longitude at the equator.
const DEGREES_PER_METRE: f64 = 1.0 / 111_320.0;

/// `kitchen`, and when all names are taken `kitchen-2`.
fn numbered(names: &[&str], number: usize) -> String {
    let name = names.get(number % names.len()).copied().unwrap_or_default();
    match number / names.len() {
        0 => name.to_owned(),
        turn => format!("{name}-{}", turn + 1),
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// As Tasmota writes it, without a zone.
fn local_time(t: f64) -> String {
    let time = Timestamp::from_second(t as i64).unwrap_or(Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Rooms are kept at a temperature that somebody now and then sets a little higher or lower.
fn room_celsius(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(TEMPERATURE);
    let set = signal::held(seed.of(9), t, 4.0 * 3_600.0).between(-0.6, 0.6);
    let curve = Curve {
        mean: seed.between(19.5, 23.0) + set,
        day: 1.1,
        peak_hour: 17.0,
        wander: 0.5,
        drift: 0.3,
        noise: 0.08,
        spike: 9.0,
        ..Curve::FLAT
    };
    curve.at(seed, t)
}

fn room_humidity(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(HUMIDITY);
    let curve = Curve {
        mean: seed.between(38.0, 55.0),
        day: -3.0,
        wander: 4.0,
        drift: 2.0,
        noise: 0.4,
        spike: 25.0,
        least: 0.0,
        most: 100.0,
        ..Curve::FLAT
    };
    curve.at(seed, t)
}

/// Rises while somebody is in the room.
fn co2(device: Device, t: f64) -> f64 {
    let busy = OCCUPIED.share_of_last(2_400.0, device.seed.of(OCCUPANCY), t);
    let curve = Curve { mean: 430.0 + 620.0 * busy, wander: 25.0, noise: 12.0, ..Curve::FLAT };
    curve.at(device.seed.of(OCCUPANCY), t)
}

fn wifi_dbm(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(LINK);
    let mean = seed.between(-78.0, -45.0);
    Curve { mean, wander: 3.0, noise: 3.0, most: -30.0, ..Curve::FLAT }.at(seed, t).round()
}

fn link_quality(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(LINK);
    let mean = seed.between(60.0, 200.0);
    Curve { mean, wander: 20.0, noise: 12.0, least: 0.0, most: 255.0, ..Curve::FLAT }.at(seed, t)
}

/// All barometers of a place feel the same weather, and each is a little off.
fn hectopascals(device: Device, t: f64) -> f64 {
    let off = device.seed.of(PRESSURE).between(-1.5, 1.5);
    let weather = signal::wave(Seed::new(PRESSURE), t, 1.5 * DAY_S);
    1_014.0 + 14.0 * weather + off + 0.1 * signal::noise(device.seed.of(PRESSURE), t)
}

/// A coin cell keeps its voltage until shortly before its end.
fn coin_cell_millivolts(percent: f64) -> f64 {
    let used = 1.0 - percent / 100.0;
    (3_000.0 - 120.0 * used - 480.0 * used.powi(6)).round()
}

/// Appliances have habits: some are nearly always on.
fn plug(device: Device) -> Switch {
    let seed = device.seed.of(SWITCH);
    Switch { period_s: seed.of(2).between(1_200.0, 9_000.0), share: seed.of(3).between(0.15, 0.85) }
}

/// What an appliance takes while it is on, in watts, and while it is off.
fn plug_watts(device: Device) -> (f64, f64) {
    let seed = device.seed.of(POWER);
    (10.0_f64.powf(seed.between(1.0, 3.2)), seed.of(0).between(0.2, 1.5))
}

fn plug_sensor(device: Device, t: f64) -> String {
    let (busy, idle) = plug_watts(device);
    let switch = plug(device);
    let kilowatt_hours = |t: f64| {
        let on_s = switch.at(device.seed.of(SWITCH), t).on_s;
        (on_s * busy + on_s * (1.0 - switch.share) / switch.share * idle) / 3.6e6
    };
    let midnight = (t / DAY_S).floor() * DAY_S;
    let mean = if switch.at(device.seed.of(SWITCH), t).on { busy } else { idle };
    let watts = Curve { mean, wander: mean * 0.04, noise: mean * 0.02, ..Curve::FLAT }
        .at(device.seed.of(POWER), t);
    let volts = mains_volts(device, t);
    let factor = device.seed.of(FACTOR).between(0.55, 0.99);
    let energy = Document::new()
        .word("TotalStartTime", "2025-01-01T00:00:00")
        .number("Total", kilowatt_hours(t), 3)
        .number("Yesterday", kilowatt_hours(midnight) - kilowatt_hours(midnight - DAY_S), 3)
        .number("Today", kilowatt_hours(t) - kilowatt_hours(midnight), 3)
        .number("Power", watts, 0)
        .number("ApparentPower", watts / factor, 0)
        .number("Factor", factor, 2)
        .number("Voltage", volts, 0)
        .number("Current", watts / factor / volts, 3);
    Document::new().word("Time", &local_time(t)).object("ENERGY", energy).done()
}

/// The mains are the same for all; each meter is a little off.
fn mains_volts(device: Device, t: f64) -> f64 {
    let off = device.seed.of(VOLTAGE).between(-1.5, 1.5);
    let grid = 3.0 * signal::wave(Seed::new(VOLTAGE), t, 600.0) - 2.0 * signal::day(t, 19.0);
    231.0 + off + grid + 0.4 * signal::noise(device.seed.of(VOLTAGE), t)
}

/// What a house takes in the middle of a day, in watts, and how far the day takes that up and down.
fn house_load(device: Device) -> (f64, f64) {
    let mean = device.seed.of(POWER).between(250.0, 900.0);
    (mean, mean * 0.6)
}

fn house_watts(device: Device, t: f64) -> f64 {
    let (mean, day) = house_load(device);
    let curve = Curve {
        mean,
        day,
        peak_hour: HOUSE_PEAK_HOUR,
        wander: mean * 0.2,
        noise: mean * 0.05,
        least: 20.0,
        ..Curve::FLAT
    };
    let cooking = Switch { period_s: 7_200.0, share: 0.06 }.at(device.seed.of(SWITCH), t).on;
    curve.at(device.seed.of(POWER), t) + if cooking { 1_900.0 } else { 0.0 }
}

fn outdoor_celsius(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(TEMPERATURE);
    let curve = Curve {
        mean: 15.0
            + seed.between(-3.0, 3.0)
            + 8.5 * signal::year(t)
            + 3.5 * signal::wave(Seed::new(TEMPERATURE), t, 2.0 * DAY_S),
        day: 5.5,
        peak_hour: 15.0,
        wander: 0.7,
        drift: 0.2,
        noise: 0.1,
        spike: 12.0,
        ..Curve::FLAT
    };
    curve.at(seed, t)
}

/// Warm air is dry air, and rain makes it wet.
fn outdoor_humidity(device: Device, t: f64) -> f64 {
    let wet = if RAIN.at(device.seed.of(RAINING), t).on { 25.0 } else { 0.0 };
    let curve = Curve {
        mean: 58.0 + wet,
        day: -17.0,
        peak_hour: 15.0,
        wander: 5.0,
        noise: 0.6,
        least: 5.0,
        most: 100.0,
        ..Curve::FLAT
    };
    curve.at(device.seed.of(HUMIDITY), t)
}

fn wind(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(WIND);
    let strength = signal::wave(seed.of(9), t, DAY_S / 3.0);
    let mean = 3.0 + 2.8 * strength;
    let noise = 0.2 * mean;
    Curve { mean, day: 0.6, wander: 0.8, noise, least: 0.0, ..Curve::FLAT }.at(seed, t)
}

/// 0 for a clear sky, 1 for a covered one.
fn clouds(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(CLOUDS);
    (0.5 + 0.5 * signal::wave(seed.of(0), t, DAY_S / 4.0)
        + 0.2 * signal::wave(seed.of(1), t, 500.0))
    .clamp(0.0, 1.0)
}

/// The sun is up while `day` is above a bound that the season moves.
fn lux(device: Device, t: f64) -> f64 {
    let sun = (signal::day(t, 12.0) + 0.35 * signal::year(t)).max(0.0);
    95_000.0 * sun.powf(1.3) * (1.0 - 0.85 * clouds(device, t))
}

fn condition(device: Device, t: f64) -> &'static str {
    let is_day = signal::day(t, 12.0) + 0.35 * signal::year(t) > 0.0;
    match clouds(device, t) {
        _ if RAIN.at(device.seed.of(RAINING), t).on => "rain",
        clouds if clouds > 0.7 => "cloudy",
        clouds if clouds > 0.3 => "partly cloudy",
        _ if is_day => "sunny",
        _ => "clear night",
    }
}

/// Dries for days, and is watered at one step.
fn soil_moisture(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(MOISTURE);
    let wet = signal::battery(seed.of(0), t, 2.5);
    let curve = Curve {
        mean: 18.0 + 0.27 * wet,
        day: -0.8,
        noise: 0.15,
        spike: 10.0,
        least: 0.0,
        most: 100.0,
        ..Curve::FLAT
    };
    curve.at(seed, t)
}

/// When a machine is at work.
fn shift(device: Device) -> Switch {
    let seed = device.seed.of(SHIFT);
    Switch { period_s: seed.of(2).between(1_500.0, 5_400.0), share: seed.of(3).between(0.6, 0.9) }
}

fn machine_state(device: Device, t: f64) -> &'static str {
    if shift(device).at(device.seed.of(SHIFT), t).on {
        return "running";
    }
    let why = signal::held(device.seed.of(FAULT), t, 600.0).of(1);
    why.pick(&["idle", "idle", "setup", "fault"]).unwrap_or("idle")
}

/// Parts made so far, with the part that is being made.
fn parts(device: Device, t: f64) -> f64 {
    let seconds_each = device.seed.of(SHIFT).of(4).between(3.0, 40.0);
    shift(device).at(device.seed.of(SHIFT), t).on_s / seconds_each
}

/// Where somebody is.
struct Position {
    latitude: f64,
    longitude: f64,
}

/// On the way round a loop of streets, or standing where the last trip ended.
fn position(device: Device, t: f64) -> Position {
    let seed = device.seed.of(POSITION);
    let (latitude, longitude) = seed.of(0).pick(HOMES).unwrap_or_default();
    let radius = seed.of(1).between(800.0, 4_000.0) * DEGREES_PER_METRE;
    let phase = seed.of(2).between(0.0, std::f64::consts::TAU);
    let metres_per_second = seed.of(3).between(4.0, 12.0);
    let gone = TRIP.at(seed.of(4), t).on_s * metres_per_second * DEGREES_PER_METRE / radius + phase;
    let wobble = |part: u64| 3.0 * DEGREES_PER_METRE * signal::noise(seed.of(part), t);
    let north = radius * (gone.sin() + 0.3 * (3.0 * gone + phase).sin()) + wobble(5);
    let east = radius * (gone.cos() + 0.3 * (2.0 * gone).cos()) + wobble(6);
    Position {
        latitude: latitude + north,
        longitude: longitude + east / latitude.to_radians().cos(),
    }
}

/// How fast somebody went over the last ten seconds.
fn speed_kmh(device: Device, t: f64) -> f64 {
    const SECONDS: f64 = 10.0;
    let (before, now) = (position(device, t - SECONDS), position(device, t));
    let north = now.latitude - before.latitude;
    let east = (now.longitude - before.longitude) * now.latitude.to_radians().cos();
    let metres = north.hypot(east) / DEGREES_PER_METRE;
    // Who stands still is not on the move because the position is a few metres off.
    if metres < 15.0 { 0.0 } else { metres / SECONDS * 3.6 }
}

/// The two letters that stand on the map.
fn person_id(device: Device) -> String {
    let name = numbered(PEOPLE, device.number);
    name.chars().take(2).collect()
}

/// Since it was last without power, which happens every few weeks.
fn uptime_s(device: Device, t: f64) -> f64 {
    let seed = device.seed.of(UPTIME);
    let lasts_s = seed.of(0).between(5.0, 40.0) * DAY_S;
    (t + seed.of(1).between(0.0, lasts_s)).rem_euclid(lasts_s)
}
