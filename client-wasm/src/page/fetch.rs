//! How the second program comes into the page: as a module of JavaScript that the browser imports, and
//! a style sheet. The page names both: `<link rel="rooms" href="…" data-style="…">`.

use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Document, Element, HtmlLinkElement};

use super::Carry;
use super::rooms::{Fetched, Program};
use crate::socket::words;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = import)]
    fn import(address: &str) -> Result<Promise, JsValue>;

    /// The module that wasm-bindgen made of the second program.
    type Module;

    /// Loads the wasm beside it.
    #[wasm_bindgen(method, catch, js_name = default)]
    fn load(this: &Module) -> Result<Promise, JsValue>;

    /// Opens the program; its commands go to `send`, and what it asks of connections to `ask`.
    #[wasm_bindgen(method, catch, js_name = openHouse)]
    fn open_house(this: &Module, send: &JsValue, ask: &JsValue) -> Result<Opened, JsValue>;

    /// What the second program exports: see `bin/rooms.rs`.
    type Opened;

    #[wasm_bindgen(method, catch)]
    fn receive(this: &Opened, report: &[u8]) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn tell(this: &Opened, told: &[u8]) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn show(this: &Opened, place: &str, element: &Element) -> Result<u32, JsValue>;

    #[wasm_bindgen(method, catch, js_name = takeAway)]
    fn take_away(this: &Opened, shown: u32) -> Result<(), JsValue>;
}

/// Fetches the second program; its commands go to `send`, and what it asks of connections to `ask`, both in
/// the form in which they travel.
pub(super) async fn fetch(send: Carry, ask: Carry) -> Fetched {
    try_fetch(send, ask).await.map_err(|error| words(&error))
}

async fn try_fetch(send: Carry, ask: Carry) -> Result<Rc<dyn Program>, JsValue> {
    let document = web_sys::window().and_then(|window| window.document()).ok_or("no document")?;
    let link = document.query_selector("link[rel=rooms]")?.ok_or("no link to it in the page")?;
    let link: HtmlLinkElement = link.dyn_into()?;
    let style = link.get_attribute("data-style").map(|address| style(&document, &address));
    let style = style.transpose()?.map(JsFuture::from);
    let module = JsFuture::from(import(&link.href())?).await?.unchecked_into::<Module>();
    JsFuture::from(module.load()?).await?;
    // Nothing is shown before it has its looks.
    if let Some(style) = style {
        style.await?;
    }
    let function =
        |carry: Carry| Closure::<dyn Fn(Vec<u8>)>::new(move |bytes| carry(bytes)).into_js_value();
    Ok(Rc::new(Imported(module.open_house(&function(send), &function(ask))?)))
}

/// Adds a style sheet to the page, unless it is there, and says when it is.
fn style(document: &Document, address: &str) -> Result<Promise, JsValue> {
    // Another connection has brought it.
    if document.query_selector(&format!("link[rel=stylesheet][href=\"{address}\"]"))?.is_some() {
        return Ok(Promise::resolve(&JsValue::UNDEFINED));
    }
    let sheet: HtmlLinkElement = document.create_element("link")?.dyn_into()?;
    sheet.set_rel("stylesheet");
    sheet.set_href(address);
    let loaded = Promise::new(&mut |resolve, reject| {
        sheet.set_onload(Some(&resolve));
        sheet.set_onerror(Some(&reject));
    });
    document.head().ok_or("no head")?.append_child(&sheet)?;
    Ok(loaded)
}

/// The second program behind its JavaScript.
struct Imported(Opened);

/// What fails there was said in the browser's console, and leaves this program as it is.
impl Program for Imported {
    fn receive(&self, report: &[u8]) {
        let _received = self.0.receive(report);
    }

    fn tell(&self, told: &[u8]) {
        let _told = self.0.tell(told);
    }

    fn show(&self, place: &str, element: &Element) -> u32 {
        self.0.show(place, element).unwrap_or_default()
    }

    fn take_away(&self, shown: u32) {
        let _taken = self.0.take_away(shown);
    }
}
