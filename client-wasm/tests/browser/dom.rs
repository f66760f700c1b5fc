//! Looking at the document, and waiting for it.

use client_wasm::connect::Connect;
use client_wasm::page::house::House;
use client_wasm::page::hub::{Hub, Started};
use client_wasm::page::link::Link;
use client_wasm::page::rooms::{Program, Rooms};
use client_wasm::page::{App, AppProps};
use client_wasm::protocol::{self, Command, Frame, Report};
use client_wasm::switchboard::{OF_THE_PAGE, Opening};
use client_wasm::texts::{self, Texts};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlElement};

/// The page's own looks: what is on the screen follows from them.
const STYLE: &[&str] = &[
    include_str!("../../style/tokens.css"),
    include_str!("../../style/page.css"),
    include_str!("../../style/shell.css"),
    include_str!("../../style/board.css"),
    include_str!("../../style/chart.css"),
    include_str!("../../style/widgets.css"),
    include_str!("../../style/rows.css"),
    include_str!("../../style/topics.css"),
    include_str!("../../style/messages.css"),
    include_str!("../../style/publish.css"),
    include_str!("../../style/palette.css"),
    include_str!("../../style/broker.css"),
    include_str!("../../style/wire.css"),
    include_str!("../../style/connections.css"),
    // Above what the test runner writes.
    "#page-under-test { position: fixed; inset: 0; overflow: auto; }",
];

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
    panic!("never: {what}{}", after_a_panic());
}

/// Waits until an element like this has the focus.
pub(crate) async fn focused(selector: &str) {
    eventually(&format!("the focus at {selector}"), || {
        let active = web_sys::window().unwrap().document().unwrap().active_element()?;
        active.matches(selector).unwrap().then_some(())
    })
    .await;
}

/// What an engine was told.
pub(crate) type Commands = Rc<RefCell<Vec<Command>>>;

/// The page's end of an engine that the test stands in for.
#[derive(Clone, Default)]
pub(crate) struct Engine {
    pub(crate) link: Option<Link>,
    pub(crate) commands: Commands,
    pub(crate) is_stopped: Rc<Cell<bool>>,
}

impl Engine {
    /// Hands over a frame.
    pub(crate) fn says(&self, frame: Frame) {
        let report = protocol::encode(&Report::Frame(Box::new(frame)));
        self.link.as_ref().unwrap().receive(report);
    }

    pub(crate) fn connect(&self) -> Option<Connect> {
        self.commands.borrow().iter().rev().find_map(|command| match command {
            Command::Open(connect) => Some((**connect).clone()),
            _ => None,
        })
    }
}

thread_local! {
    /// Panics that were not a test's own words. Yew draws nothing any more in a module in which one of its
    /// components has panicked, so whatever comes after it fails too, and is to say because of what.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what the page panics with, which the test runner does not show.
fn listen_for_panics() {
    thread_local! {
        static LISTENS: Cell<bool> = const { Cell::new(false) };
    }
    if LISTENS.replace(true) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_of_a_test =
            info.location().is_some_and(|place| place.file().contains("tests/browser"));
        if !is_of_a_test {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
        }
        before(info);
    }));
}

/// What the page has panicked with, if it has.
fn after_a_panic() -> String {
    PANICS.with_borrow(|panics| match panics.first() {
        Some(first) => format!("; the page draws nothing any more, as it panicked before: {first}"),
        None => String::new(),
    })
}

thread_local! {
    /// The page that is open. A test that fails does not get to close it, so the next one does: it must not
    /// fail because of the one before.
    static OPEN: RefCell<Option<(Element, yew::AppHandle<App>)>> = const { RefCell::new(None) };
}

/// Closes the page, if one is open.
fn close() {
    if let Some((root, app)) = OPEN.take() {
        app.destroy();
        root.remove();
    }
}

/// What the browser keeps for the page.
pub(crate) fn storage() -> web_sys::Storage {
    web_sys::window().unwrap().local_storage().unwrap().unwrap()
}

/// What the browser keeps for this tab.
pub(crate) fn session() -> web_sys::Storage {
    web_sys::window().unwrap().session_storage().unwrap().unwrap()
}

/// Has the browser keep this and nothing else, which the page is told as if another tab had done it.
fn keep(kept: &[(&str, &str)]) {
    storage().clear().unwrap();
    session().clear().unwrap();
    for (key, value) in kept {
        storage().set_item(key, value).unwrap();
    }
    tell_of_board();
}

/// Tells the page that another tab has changed the board.
pub(crate) fn tell_of_board() {
    js_sys::eval("dispatchEvent(new StorageEvent('storage', { key: 'board' }))").unwrap();
}

/// The page in an element of its own, with the commands that it sends. There is one at a time.
pub(crate) struct Page {
    pub(crate) link: Link,
    pub(crate) commands: Commands,
    /// The engines that were started, that of the page's own broker first.
    pub(crate) engines: Rc<RefCell<Vec<Engine>>>,
    root: Element,
}

impl Page {
    pub(crate) fn open(language: &str) -> Self {
        Self::open_at(language, "#/")
    }

    /// Opens the page at an address of its own.
    pub(crate) fn open_at(language: &str, hash: &str) -> Self {
        Self::open_with(language, hash, &[])
    }

    /// Opens the page in a browser that keeps this for it.
    pub(crate) fn open_with(language: &str, hash: &str, kept: &[(&str, &str)]) -> Self {
        close();
        listen_for_panics();
        keep(kept);
        // Nobody is told of that: parts of the page before may be there for a moment yet, and would take for theirs
        // what the address asks for.
        let history = web_sys::window().unwrap().history().unwrap();
        history.replace_state_with_url(&JsValue::NULL, "", Some(hash)).unwrap();
        Self::load(language)
    }

    /// Closes the page and opens it once more where it was, with what the browser has kept meanwhile.
    pub(crate) fn reload(self) -> Self {
        drop(self);
        Self::load("en")
    }

    fn load(language: &str) -> Self {
        let window = web_sys::window().unwrap();
        let document = window.document().unwrap();
        document.set_title("");
        let root = document.create_element("div").unwrap();
        document.body().unwrap().append_child(&root).unwrap();
        root.set_id("page-under-test");
        let style = document.create_element("style").unwrap();
        style.set_text_content(Some(&STYLE.concat()));
        root.append_child(&style).unwrap();
        let app_root = document.create_element("div").unwrap();
        root.append_child(&app_root).unwrap();
        let texts = texts::choose([language]).1;
        let engines = Rc::<RefCell<Vec<Engine>>>::default();
        let started = Rc::clone(&engines);
        let hub = Hub::new(move |hub| {
            let engine = Engine::default();
            let started_now = start(&engine.commands, hub, texts, Rc::clone(&engine.is_stopped));
            let link = Some(started_now.link.clone());
            started.borrow_mut().push(Engine { link, ..engine });
            started_now
        });
        hub.open(Opening {
            id: OF_THE_PAGE.into(),
            title: "broker.lan:9001".into(),
            connect: Connect::new("ws://broker.lan:9001/mqtt"),
        });
        let first = engines.borrow()[0].clone();
        let (link, commands) = (first.link.unwrap(), first.commands);
        client_wasm::page::speak(texts);
        let app = yew::Renderer::<App>::with_root_and_props(app_root, AppProps { hub });
        OPEN.set(Some((root.clone(), app.render())));
        Self { link, commands, engines, root }
    }

    /// Waits until the page, which is drawn first, does what it does beside: then it hears keys, and the
    /// document has a title.
    pub(crate) async fn hears_keys(&self) {
        let document = web_sys::window().unwrap().document().unwrap();
        eventually("a title", || (!document.title().is_empty()).then_some(())).await;
    }

    /// Hands over a frame, as the engine does.
    pub(crate) fn receive(&self, frame: Frame) {
        self.link.receive(protocol::encode(&Report::Frame(Box::new(frame))));
    }

    /// Goes to another address, as a link does.
    pub(crate) fn go(&self, hash: &str) {
        web_sys::window().unwrap().location().set_hash(hash).unwrap();
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
        panic!("{selector} is {:?}, not {text:?}{}", self.text(selector), after_a_panic());
    }

    /// Waits until a field holds this text.
    pub(crate) async fn holds(&self, selector: &str, text: &str) {
        eventually(&format!("{selector} holds {text:?}"), || {
            let field = self.find(selector)?;
            let value = js_sys::Reflect::get(&field, &"value".into()).unwrap();
            (value.as_string().as_deref() == Some(text)).then_some(())
        })
        .await;
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

/// An engine that is the test's, and the second program without a module of its own: it speaks in bytes
/// all the same.
fn start(
    commands: &Commands,
    hub: &Hub,
    texts: &'static Texts,
    is_stopped: Rc<Cell<bool>>,
) -> Started {
    let (sent, commands, hub) = (Rc::clone(commands), Rc::clone(commands), hub.clone());
    let link = Link::new(move |command| sent.borrow_mut().push(command));
    let rooms = Rooms::new(link.clone(), move || {
        let (commands, hub) = (Rc::clone(&commands), hub.clone());
        let send = move |command: &[u8]| {
            commands.borrow_mut().push(protocol::decode(command).unwrap());
        };
        let ask = move |ask: &[u8]| hub.ask(protocol::decode(ask).unwrap());
        let house = House::new(texts, send, ask);
        Box::pin(async move { Ok(Rc::new(house) as Rc<dyn Program>) })
    });
    Started { link, rooms, stop: Rc::new(move || is_stopped.set(true)) }
}

impl Drop for Page {
    fn drop(&mut self) {
        close();
    }
}

/// Chooses a file with this text.
pub(crate) fn choose_file(input: &HtmlElement, text: &str) {
    let choose = js_sys::Function::new_with_args(
        "input, text",
        "const files = new DataTransfer();
         files.items.add(new File([text], 'chosen.json'));
         input.files = files.files;
         input.dispatchEvent(new Event('change', { bubbles: true }));",
    );
    choose.call2(&JsValue::NULL, input, &text.into()).unwrap();
}

/// Types into a field, or chooses from a list, and goes on to the next, as a person does.
pub(crate) fn fill(element: &HtmlElement, text: &str) {
    js_sys::Reflect::set(element, &"value".into(), &JsValue::from_str(text)).unwrap();
    let init = web_sys::EventInit::new();
    init.set_bubbles(true);
    for kind in ["input", "change"] {
        let event = web_sys::Event::new_with_event_init_dict(kind, &init).unwrap();
        element.dispatch_event(&event).unwrap();
    }
}

/// Presses a key on an element, or on the page.
pub(crate) fn press(target: &web_sys::EventTarget, key: &str) {
    press_with(target, key, false);
}

/// Presses a key, with Ctrl or without.
pub(crate) fn press_with(target: &web_sys::EventTarget, key: &str, ctrl: bool) {
    let init = web_sys::KeyboardEventInit::new();
    init.set_ctrl_key(ctrl);
    init.set_bubbles(true);
    init.set_cancelable(true);
    init.set_key(key);
    let event =
        web_sys::KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &init).unwrap();
    target.dispatch_event(&event).unwrap();
}
