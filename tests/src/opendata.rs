//! A stand-in for AEMET OpenData: two-step answers in ISO-8859-15 under a key, and everything that
//! the service does instead at times. Uses nothing but sockets, so that it can break off anywhere.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The key that the stand-in knows.
pub const KEY: &str = "eyJhbGciOiJIUzI1NiJ9.stand-in.secret";

/// Something that the service does instead of answering.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A status of HTTP, with the service's own words in JSON, and perhaps `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Status 200, and another one inside.
    Inside(u16),
    /// An error page with status 200.
    Html,
    /// Nothing at all with status 200.
    Empty,
    /// Half of what is announced, then the end.
    Truncated,
    /// Half a document, announced as whole.
    HalfJson,
    /// The end, instead of any answer.
    HangUp,
    /// The right answer, after this time.
    Slow(Duration),
    /// The right envelope, whose URL leads nowhere any more.
    Expired,
    /// To another place.
    Redirect(String),
    /// Another document in place of the right one.
    Body(&'static str),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// What was asked for.
    pub path: String,
    /// The header `api_key`.
    pub key: Option<String>,
    /// When its head had come.
    pub at: Instant,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// For paths with this in them, in this order, each once.
    faults: VecDeque<(&'static str, Fault)>,
    /// For paths with this in them, always.
    standing: BTreeMap<&'static str, Fault>,
    /// What is behind each URL of data.
    links: BTreeMap<String, String>,
}

/// The service, on a port of its own.
pub struct OpenData {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl OpenData {
    /// Starts it; it ends with the program.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, address, &state));
            }
        });
        Self { address, state }
    }

    /// What `--base-url` wants.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/opendata", self.address)
    }

    /// The next request whose path has `part` in it meets this.
    pub fn fault(&self, part: &'static str, fault: Fault) {
        self.state().faults.push_back((part, fault));
    }

    /// All requests whose path has `part` in it meet this from now on.
    pub fn always(&self, part: &'static str, fault: Fault) {
        self.state().standing.insert(part, fault);
    }

    /// All is well again.
    pub fn heal(&self) {
        let mut state = self.state();
        state.standing.clear();
        state.faults.clear();
    }

    /// All requests so far whose path has `part` in it.
    #[must_use]
    pub fn requests(&self, part: &str) -> Vec<Request> {
        let state = self.state();
        state.requests.iter().filter(|request| request.path.contains(part)).cloned().collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request for each connection.
fn serve(mut stream: TcpStream, address: SocketAddr, state: &Mutex<State>) {
    let Some((path, key)) = head(&mut stream) else { return };
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests.push(Request { path: path.clone(), key: key.clone(), at: Instant::now() });
        let next = state.faults.iter().position(|(part, _)| path.contains(part));
        let once = next.and_then(|index| state.faults.remove(index)).map(|(_, fault)| fault);
        let standing =
            || state.standing.iter().find(|(part, _)| path.contains(*part)).map(|(_, fault)| fault);
        once.or_else(|| standing().cloned())
    };
    let right = || right_answer(&path, key.as_deref(), address, state);
    let words = |status| envelope(status, "L\u{ed}mite o error de la petici\u{f3}n", None);
    let bytes = match fault {
        None => right(),
        Some(Fault::Slow(time)) => {
            thread::sleep(time);
            right()
        }
        Some(Fault::HangUp) => return,
        Some(Fault::Status(status, wait)) => {
            let wait = wait.map(|wait| format!("Retry-After: {wait}\r\n")).unwrap_or_default();
            answer(status, &wait, &words(status))
        }
        Some(Fault::Inside(status)) => answer(200, "", &words(status)),
        Some(Fault::Html) => answer(
            200,
            "",
            "<!DOCTYPE html>\n<html><head><title>Servicio no disponible</title></head></html>",
        ),
        Some(Fault::Empty) => answer(200, "", ""),
        Some(Fault::Truncated) => {
            let whole = right();
            whole.get(..whole.len() - 20).expect("half of it").to_vec()
        }
        Some(Fault::HalfJson) => answer(200, "", "[ {\n  \"idema\" : \"3195\",\n  \"ta\" : "),
        Some(Fault::Expired) => {
            answer(200, "", &envelope(200, "exito", Some((address, "expired"))))
        }
        Some(Fault::Redirect(to)) => answer(302, &format!("Location: {to}\r\n"), ""),
        Some(Fault::Body(body)) => answer(200, "", body),
    };
    // A client that has gone is no failure of the service.
    let _ = stream.write_all(&bytes);
}

/// The path of a request, and its key.
fn head(stream: &mut TcpStream) -> Option<(String, Option<String>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.strip_prefix("GET ")?.split(' ').next()?.to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("api_key").then(|| value.trim().to_owned())
    };
    Some((path, lines.find_map(header)))
}

fn right_answer(
    path: &str,
    key: Option<&str>,
    address: SocketAddr,
    state: &Mutex<State>,
) -> Vec<u8> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(token) = path.strip_prefix("/opendata/sh/") {
        return match state.links.get(token) {
            Some(data) => answer(200, "", data),
            None => answer(404, "", &envelope(404, "datos expirados", None)),
        };
    }
    if key != Some(KEY) {
        return answer(401, "", &envelope(401, "API key invalido", None));
    }
    let path = path.strip_prefix("/opendata/api/").unwrap_or_default().trim_end_matches('/');
    // The list of municipalities is the one that comes without an envelope.
    if path == "maestro/municipios" {
        return answer(200, "", MUNICIPALITIES);
    }
    let Some(data) = data(path) else {
        return answer(404, "", &envelope(404, "No hay datos que satisfagan esos criterios", None));
    };
    let token = format!("{:08x}", state.links.len() + 0x00c0_ffee);
    state.links.insert(token.clone(), data);
    answer(200, "", &envelope(200, "exito", Some((address, &token))))
}

fn envelope(status: u16, words: &str, link: Option<(SocketAddr, &str)>) -> String {
    let links = link.map(|(address, token)| {
        let url = format!("http://{address}/opendata/sh/{token}");
        format!(",\n  \"datos\" : \"{url}\",\n  \"metadatos\" : \"{url}-meta\"")
    });
    let links = links.unwrap_or_default();
    format!("{{\n  \"descripcion\" : \"{words}\",\n  \"estado\" : {status}{links}\n}}")
}

/// A whole answer. Its text is in ISO-8859-15, which is Latin-1 for all letters here.
fn answer(status: u16, headers: &str, text: &str) -> Vec<u8> {
    let body: Vec<_> = text.chars().map(|c| u8::try_from(c).expect("Latin-1")).collect();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: text/plain;charset=ISO-8859-15\r\n\
         Content-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    [head.into_bytes(), body].concat()
}

fn data(path: &str) -> Option<String> {
    let data = match path {
        "observacion/convencional/datos/estacion/3195" => OBSERVATIONS,
        "observacion/convencional/datos/estacion/9170" => OBSERVATIONS_OF_ANOTHER,
        "prediccion/especifica/municipio/diaria/26089" => DAILY,
        "prediccion/especifica/municipio/horaria/26089" => HOURLY,
        "valores/climatologicos/inventarioestaciones/todasestaciones" => STATIONS,
        _ => return None,
    };
    Some(data.to_owned())
}

const OBSERVATIONS: &str = r#"[ {
  "idema" : "3195", "lon" : -3.678095, "fint" : "2026-11-21T07:00:00+0000", "prec" : 0.0, "alt" : 667.0,
  "vmax" : 4.2, "vv" : 1.5, "dv" : 45.0, "lat" : 40.411804, "dmax" : 50.0, "ubi" : "MADRID, RETIRO",
  "pres" : 941.2, "hr" : 84.0, "ts" : 5.1, "pres_nmar" : 1019.9, "tamin" : 5.0, "ta" : 5.3, "tamax" : 5.9,
  "tpr" : 2.8, "inso" : 0.0, "vis" : 20.0
}, {
  "idema" : "3195", "lon" : -3.678095, "fint" : "2026-11-21T08:00:00+0000", "prec" : 0.2, "alt" : 667.0,
  "vmax" : 3.1, "vv" : 1.2, "dv" : 50.0, "lat" : 40.411804, "dmax" : 60.0, "ubi" : "MADRID, RETIRO",
  "pres" : 941.5, "hr" : 82.0, "ts" : 6.0, "pres_nmar" : 1020.3, "tamin" : 5.3, "ta" : 6.4, "tamax" : 6.4,
  "tpr" : 3.6, "inso" : 0.2, "vis" : 20.0
} ]"#;

const OBSERVATIONS_OF_ANOTHER: &str = r#"[ {
  "idema" : "9170", "fint" : "2026-11-21T08:00:00", "ubi" : "LOGROÑO/AGONCILLO", "ta" : 4.0, "hr" : null
} ]"#;

const DAILY: &str = r#"[ {
  "origen" : { "productor" : "Agencia Estatal de Meteorología - AEMET. Gobierno de España" },
  "elaborado" : "2026-11-21T07:41:06", "nombre" : "Logroño", "provincia" : "La Rioja",
  "prediccion" : { "dia" : [ {
    "probPrecipitacion" : [ { "value" : 75, "periodo" : "00-24" }, { "value" : 20, "periodo" : "00-12" } ],
    "cotaNieveProv" : [ { "value" : "", "periodo" : "00-24" }, { "value" : "1100", "periodo" : "12-24" } ],
    "estadoCielo" : [ { "value" : "25", "periodo" : "00-24", "descripcion" : "Muy nuboso con lluvia débil en otoño" } ],
    "viento" : [ { "direccion" : "NO", "velocidad" : 15, "periodo" : "00-24" } ],
    "rachaMax" : [ { "value" : "", "periodo" : "00-24" } ],
    "temperatura" : { "maxima" : 12, "minima" : 4, "dato" : [ { "value" : 5, "hora" : 6 } ] },
    "sensTermica" : { "maxima" : 11, "minima" : 1, "dato" : [ ] },
    "humedadRelativa" : { "maxima" : 95, "minima" : 60, "dato" : [ ] },
    "uvMax" : 1, "fecha" : "2026-11-21T00:00:00"
  }, {
    "probPrecipitacion" : [ { "value" : 10 } ], "cotaNieveProv" : [ { "value" : "" } ],
    "estadoCielo" : [ { "value" : "11", "descripcion" : "Despejado" } ],
    "viento" : [ { "direccion" : "C", "velocidad" : 0 } ], "rachaMax" : [ { "value" : "" } ],
    "temperatura" : { "maxima" : 14, "minima" : -1, "dato" : [ ] },
    "fecha" : "2026-11-22T00:00:00"
  } ] },
  "id" : 26089, "version" : 1.0
} ]"#;

const HOURLY: &str = r#"[ {
  "elaborado" : "2026-11-21T07:41:06", "nombre" : "Logroño", "provincia" : "La Rioja",
  "prediccion" : { "dia" : [ {
    "estadoCielo" : [ { "value" : "25", "periodo" : "09", "descripcion" : "Muy nuboso con lluvia" } ],
    "precipitacion" : [ { "value" : "0.3", "periodo" : "09" }, { "value" : "Ip", "periodo" : "10" } ],
    "probPrecipitacion" : [ { "value" : "60", "periodo" : "0814" } ],
    "temperatura" : [ { "value" : "6", "periodo" : "09" }, { "value" : "7", "periodo" : "10" } ],
    "vientoAndRachaMax" : [ { "direccion" : [ "NO" ], "velocidad" : [ "12" ], "periodo" : "09" },
                            { "value" : "25", "periodo" : "09" } ],
    "fecha" : "2026-11-21T00:00:00", "orto" : "08:08", "ocaso" : "17:41"
  } ] },
  "id" : "26089", "version" : "1.0"
} ]"#;

const STATIONS: &str = r#"[ {
  "latitud" : "402442N", "provincia" : "MADRID", "altitud" : "667", "indicativo" : "3195",
  "nombre" : "MADRID, RETIRO", "indsinop" : "08222", "longitud" : "034041W"
}, {
  "latitud" : "422708N", "provincia" : "LA RIOJA", "altitud" : "353", "indicativo" : "9170",
  "nombre" : "LOGROÑO, AGONCILLO", "indsinop" : "08084", "longitud" : "021952W"
}, {
  "latitud" : "402700N", "provincia" : "MADRID", "altitud" : "609", "indicativo" : "3129",
  "nombre" : "MADRID, AEROPUERTO", "indsinop" : "08221", "longitud" : "033319W"
}, { "nombre" : "SIN SITIO" } ]"#;

const MUNICIPALITIES: &str = r#"[ {
  "latitud" : "42°28'12.68\"", "id_old" : "26089", "altitud" : "386", "latitud_dec" : "42.47", "num_hab" : "150808",
  "nombre" : "Logroño", "id" : "id26089", "longitud_dec" : "-2.44"
}, {
  "nombre" : "Madrid", "id" : "id28079", "num_hab" : "3223334"
}, {
  "nombre" : "Madridejos", "id" : "id45087", "num_hab" : "10332"
}, {
  "nombre" : "Madrigal de la Vera", "id" : "id10111", "num_hab" : "1499"
} ]"#;
