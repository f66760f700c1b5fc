//! Looking at the document, and waiting for it.

use client_wasm::page::link::Link;
use client_wasm::page::{App, AppProps};
use client_wasm::protocol::{Command, Frame, Report};
use client_wasm::texts;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlElement};

/// Frames that a test waits at most.
const FRAMES_MAX: u32 = 600;

/// Waits for the browser's next frame.
pub(crate) async fn frame() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        web_sys::window().unwrap().request_animation_frame(&resolve).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}

/// Waits until there is something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..FRAMES_MAX {
        if let Some(found) = look() {
            return found;
        }
        frame().await;
    }
    panic!("never: {what}");
}

/// The page in an element of its own, with the commands that it sends.
pub(crate) struct Page {
    pub(crate) link: Link,
    pub(crate) commands: Rc<RefCell<Vec<Command>>>,
    root: Element,
    app: Option<yew::AppHandle<App>>,
}

impl Page {
    pub(crate) fn open(language: &str) -> Self {
        let document = web_sys::window().unwrap().document().unwrap();
        let root = document.create_element("div").unwrap();
        document.body().unwrap().append_child(&root).unwrap();
        let commands = Rc::<RefCell<Vec<Command>>>::default();
        let sent = Rc::clone(&commands);
        let link = Link::new(move |command| sent.borrow_mut().push(command));
        let props = AppProps {
            link: link.clone(),
            host: "broker.lan:9001".into(),
            texts: texts::choose([language]).1,
        };
        let app = yew::Renderer::<App>::with_root_and_props(root.clone(), props).render();
        Self { link, commands, root, app: Some(app) }
    }

    /// Hands over a frame, as the engine does.
    pub(crate) fn receive(&self, frame: Frame) {
        self.link.receive(Report::Frame(Box::new(frame)));
    }

    pub(crate) fn find(&self, selector: &str) -> Option<HtmlElement> {
        self.root.query_selector(selector).unwrap().map(JsCast::unchecked_into)
    }

    pub(crate) fn text(&self, selector: &str) -> Option<String> {
        self.find(selector).and_then(|element| element.text_content())
    }

    /// Waits until the text of an element is this one.
    pub(crate) async fn shows(&self, selector: &str, text: &str) {
        for _ in 0..FRAMES_MAX {
            if self.text(selector).as_deref() == Some(text) {
                return;
            }
            frame().await;
        }
        panic!("{selector} is {:?}, not {text:?}", self.text(selector));
    }

    /// Waits until an element matches.
    pub(crate) async fn has(&self, selector: &str) -> HtmlElement {
        eventually(selector, || self.find(selector)).await
    }

    /// Waits until a command of some kind was sent.
    pub(crate) async fn sent<T>(&self, what: &str, pick: impl Fn(&Command) -> Option<T>) -> T {
        eventually(what, || self.commands.borrow().iter().find_map(&pick)).await
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            app.destroy();
        }
        self.root.remove();
    }
}

/// Types into a field, as a person does.
pub(crate) fn fill(element: &HtmlElement, text: &str) {
    js_sys::Reflect::set(element, &"value".into(), &JsValue::from_str(text)).unwrap();
    let init = web_sys::EventInit::new();
    init.set_bubbles(true);
    let event = web_sys::Event::new_with_event_init_dict("input", &init).unwrap();
    element.dispatch_event(&event).unwrap();
}
