//! Finding the codes: the stations near a point, the municipalities of a name.

use super::figures::{Given, number, text};
use super::service::Service;
use crate::report::Failure;
use serde_json::Value;

/// The Earth's mean radius.
const EARTH_KM: f64 = 6371.0;

/// Provinces by the first two digits of a municipality's code, from 01 on.
const PROVINCES: [&str; 52] = [
    "Araba/Álava",
    "Albacete",
    "Alicante/Alacant",
    "Almería",
    "Ávila",
    "Badajoz",
    "Illes Balears",
    "Barcelona",
    "Burgos",
    "Cáceres",
    "Cádiz",
    "Castellón/Castelló",
    "Ciudad Real",
    "Córdoba",
    "A Coruña",
    "Cuenca",
    "Girona",
    "Granada",
    "Guadalajara",
    "Gipuzkoa",
    "Huelva",
    "Huesca",
    "Jaén",
    "León",
    "Lleida",
    "La Rioja",
    "Lugo",
    "Madrid",
    "Málaga",
    "Murcia",
    "Navarra",
    "Ourense",
    "Asturias",
    "Palencia",
    "Las Palmas",
    "Pontevedra",
    "Salamanca",
    "Santa Cruz de Tenerife",
    "Cantabria",
    "Segovia",
    "Sevilla",
    "Soria",
    "Tarragona",
    "Teruel",
    "Toledo",
    "Valencia/València",
    "Valladolid",
    "Bizkaia",
    "Zamora",
    "Zaragoza",
    "Ceuta",
    "Melilla",
];

/// A point on the Earth, in degrees, north and east.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    latitude: f64,
    longitude: f64,
}

impl Point {
    /// From the command line: `LAT,LON`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "write latitude and longitude in degrees, such as 40.41,-3.70";
        let (latitude, longitude) = text.split_once(',').ok_or(FORM)?;
        let [latitude, longitude] = [latitude, longitude].map(|text| text.trim().parse::<f64>());
        let (latitude, longitude) = latitude.ok().zip(longitude.ok()).ok_or(FORM)?;
        if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 {
            Ok(Self { latitude, longitude })
        } else {
            Err(format!("there is no such place: {FORM}"))
        }
    }

    /// Along the surface, as if the Earth were a ball.
    fn distance_km(self, other: Self) -> f64 {
        let half_sine = |one: f64, other: f64| ((other - one).to_radians() / 2.0).sin().powi(2);
        let across = half_sine(self.longitude, other.longitude)
            * self.latitude.to_radians().cos()
            * other.latitude.to_radians().cos();
        let along = half_sine(self.latitude, other.latitude);
        2.0 * EARTH_KM * (along + across).clamp(0.0, 1.0).sqrt().asin()
    }
}

/// Prints the stations nearest to a point.
pub(super) async fn stations(
    service: &Service,
    near: Point,
    count: usize,
) -> Result<String, Failure> {
    let path = ["api", "valores", "climatologicos", "inventarioestaciones", "todasestaciones"];
    let data = service.data_patiently(&path).await?;
    let mut stations: Vec<_> = list(&data)?.iter().filter_map(Station::read).collect();
    if stations.is_empty() {
        return Err(Failure::new(
            "AEMET's list of stations has none with a code and a place in it.",
        ));
    }
    let distance = |station: &Station| near.distance_km(station.point);
    stations.sort_by(|one, other| distance(one).total_cmp(&distance(other)));
    let line = |station: &Station| {
        format!(
            "{:<7} {:>7.1} km  {:>5}  {}\n",
            station.code,
            near.distance_km(station.point),
            station.altitude,
            station.name,
        )
    };
    Ok(stations.iter().take(count).map(line).collect())
}

struct Station {
    code: String,
    name: String,
    altitude: String,
    point: Point,
}

impl Station {
    fn read(entry: &Value) -> Option<Self> {
        let name = text(entry.get("nombre")).unwrap_or_default();
        let name = match text(entry.get("provincia")) {
            Some(province) => format!("{name} ({province})"),
            None => name,
        };
        Some(Self {
            code: text(entry.get("indicativo"))?,
            name,
            altitude: match number(entry.get("altitud")) {
                Given::Number(metres) => format!("{metres} m"),
                Given::Nothing | Given::Odd => String::new(),
            },
            point: Point {
                latitude: degrees(&text(entry.get("latitud"))?)?,
                longitude: degrees(&text(entry.get("longitud"))?)?,
            },
        })
    }
}

/// `402442N`: degrees, two digits of minutes, two of seconds, and the hemisphere.
fn degrees(text: &str) -> Option<f64> {
    let hemisphere = text.chars().last()?;
    let sign = match hemisphere.to_ascii_uppercase() {
        'N' | 'E' => 1.0,
        'S' | 'W' | 'O' => -1.0,
        _ => return None,
    };
    let digits = text.strip_suffix(hemisphere)?;
    if digits.len() < 5 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (digits, seconds) = digits.split_at_checked(digits.len().checked_sub(2)?)?;
    let (degrees, minutes) = digits.split_at_checked(digits.len().checked_sub(2)?)?;
    let [degrees, minutes, seconds] =
        [degrees, minutes, seconds].map(|part| part.parse::<f64>().ok());
    Some(sign * (degrees? + minutes? / 60.0 + seconds? / 3600.0))
}

/// Prints the municipalities whose name has these words in it.
pub(super) async fn municipalities(service: &Service, name: &str) -> Result<String, Failure> {
    let data = service.data_patiently(&["api", "maestro", "municipios"]).await?;
    let wanted = plain(name);
    let mut found: Vec<_> = list(&data)?
        .iter()
        .filter_map(Municipality::read)
        .filter(|municipality| plain(&municipality.name).contains(&wanted))
        .collect();
    if found.is_empty() {
        return Err(Failure::new(format!(
            "AEMET knows no municipality with \"{name}\" in its name. A part of the name is enough, \
             and accents don't matter."
        )));
    }
    found.sort_by_key(|municipality| {
        let is_other = plain(&municipality.name) != wanted;
        (is_other, std::cmp::Reverse(municipality.inhabitants), municipality.code.clone())
    });
    let line = |municipality: &Municipality| {
        let Municipality { code, name, inhabitants } = municipality;
        let province = province(code).map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{code}  {inhabitants:>9}  {name}{province}\n")
    };
    Ok(found.iter().map(line).collect())
}

struct Municipality {
    code: String,
    name: String,
    inhabitants: u64,
}

impl Municipality {
    fn read(entry: &Value) -> Option<Self> {
        let id = text(entry.get("id")).or_else(|| text(entry.get("id_old")))?;
        let code = id.strip_prefix("id").unwrap_or(&id).to_owned();
        let inhabitants = text(entry.get("num_hab")).and_then(|count| count.parse().ok());
        let inhabitants = inhabitants.or_else(|| entry.get("num_hab")?.as_u64()).unwrap_or(0);
        Some(Self { code, name: text(entry.get("nombre"))?, inhabitants })
    }
}

fn province(code: &str) -> Option<&'static str> {
    let number: usize = code.get(..2)?.parse().ok()?;
    PROVINCES.get(number.checked_sub(1)?).copied()
}

fn list(data: &Value) -> Result<&[Value], Failure> {
    data.as_array().map(Vec::as_slice).ok_or_else(|| Failure::new("AEMET's answer is not a list."))
}

/// A name as one types it in a hurry: in lower case, without accents.
fn plain(name: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'â' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        other => other,
    };
    name.trim().to_lowercase().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_of_stations_are_degrees() {
        let cases = [
            ("402442N", Some(40.411_67)),
            ("034041W", Some(-3.678_06)),
            ("0034041O", Some(-3.678_06)),
            ("001500E", Some(0.25)),
            ("402442", None),
            ("2442N", None),
            ("4024a2N", None),
            ("4024 2N", None),
            ("ñññN", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = degrees(text);
            let is_close = |(one, other): (f64, f64)| (one - other).abs() < 1e-4;
            assert_eq!(read.is_some(), expected.is_some(), "{text}");
            assert!(read.zip(expected).is_none_or(is_close), "{text}: {read:?}");
        }
    }

    #[test]
    fn distances_are_those_of_the_map() {
        let madrid = Point::parse("40.4168,-3.7038").unwrap();
        let barcelona = Point::parse(" 41.3874 , 2.1686 ").unwrap();
        let distance = madrid.distance_km(barcelona);
        assert!((504.0..507.0).contains(&distance), "{distance}");
        assert_eq!(madrid.distance_km(madrid), 0.0);
        for text in ["", "40.4", "40.4;-3.7", "91,0", "0,181", "a,b", "NaN,0", "inf,0"] {
            assert!(Point::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_found_as_one_types_them() {
        let cases = [
            ("Logroño", "logrono"),
            (" ÁVILA", "avila"),
            ("Vilafranca del Penedès", "vilafranca del penedes"),
            ("l'Alcúdia", "l'alcudia"),
        ];
        for (name, expected) in cases {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn entries_of_the_inventories() {
        let entry = json!({ "id": "id26089", "nombre": "Logroño", "num_hab": "150808" });
        let municipality = Municipality::read(&entry).unwrap();
        assert_eq!((municipality.code.as_str(), municipality.inhabitants), ("26089", 150_808));
        assert_eq!(province(&municipality.code), Some("La Rioja"));
        for (code, expected) in [
            ("01059", Some("Araba/Álava")),
            ("52001", Some("Melilla")),
            ("00001", None),
            ("53001", None),
        ] {
            assert_eq!(province(code), expected);
        }
        assert!(Municipality::read(&json!({ "nombre": "Nowhere" })).is_none());
        assert!(Station::read(&json!({ "indicativo": "3195", "latitud": "402442N" })).is_none());
    }
}
