//! The page of connections: making, changing, opening and sharing them, and several at once.

use client_wasm::connect::{Subscription, Version};
use client_wasm::fault::Reason;
use client_wasm::profile::Profile;
use client_wasm::profile::file::{self, Passwords};
use client_wasm::protocol::{Answer, Command, Connection, Counters, Frame, Subscribed};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test as test;
use web_sys::HtmlElement;

use crate::dom::{Page, choose_file, eventually, fill, focused, session, storage};

const KEY: &str = "connections";

/// Opens the page in a browser that keeps these connections.
fn open_with(language: &str, profiles: &[Profile]) -> Page {
    let text = file::write(profiles, Passwords::All);
    Page::open_with(language, "#/connections", &[(KEY, &text)])
}

fn kept() -> Vec<Profile> {
    let text = storage().get_item(KEY).unwrap().unwrap_or_default();
    file::read(&text).map(|read| read.profiles).unwrap_or_default()
}

fn profile(id: &str, url: &str) -> Profile {
    Profile { name: format!("Name of {id}"), ..Profile::new(id.into(), url) }
}

fn online() -> Option<Connection> {
    Some(Connection::Online { since_ms: 0.0, large: None })
}

/// Changes a box or a list, as a click does.
fn change(element: &HtmlElement, property: &str, value: &JsValue) {
    js_sys::Reflect::set(element, &property.into(), value).unwrap();
    let init = web_sys::EventInit::new();
    init.set_bubbles(true);
    let event = web_sys::Event::new_with_event_init_dict("change", &init).unwrap();
    element.dispatch_event(&event).unwrap();
}

#[test]
async fn a_connection_is_made_kept_and_opened_beside_the_first() {
    let page = open_with("en", &[]);
    page.has("[data-connection=page]").await;
    page.has("[data-role=new]").await.click();
    fill(&page.has("[name=name]").await, "Plant");
    fill(&page.find("[name=url]").unwrap(), "wss://plant.lan/mqtt");
    change(&page.find("[name=version]").unwrap(), "value", &"3.1.1".into());
    fill(&page.find("[name=username]").unwrap(), "ana");
    fill(&page.find("[name=password]").unwrap(), "secreta");
    page.find("[data-role=add-filter]").unwrap().click();
    fill(&page.has("[name='filter.0']").await, "plant/#");
    page.find("[data-role=connection-form] [type=submit]").unwrap().click();

    let second = eventually("a second engine", || page.engines.borrow().get(1).cloned()).await;
    let connect = second.connect().unwrap();
    assert_eq!(connect.url, "wss://plant.lan/mqtt");
    assert_eq!(connect.version, Version::V311);
    assert_eq!((connect.username.as_str(), connect.password.as_str()), ("ana", "secreta"));
    assert_eq!(connect.subscriptions, [Subscription::new("plant/#")]);
    // It is kept, without the password that nobody asked to keep.
    let [plant] = &kept()[..] else { panic!("one connection is kept") };
    assert_eq!((plant.name.as_str(), plant.connect.password.as_str()), ("Plant", ""));

    // It is shown; the other goes on in the background, and one click away.
    page.shows(".brand-name", "Plant").await;
    second.says(Frame { connection: online(), ..Frame::default() });
    page.receive(Frame {
        counters: Some(Counters { messages: 12_345, ..Counters::default() }),
        ..Frame::default()
    });
    page.has(".switch[aria-current] .lamp[data-state=online]").await;
    page.shows(".switch[data-connection=page] .switch-count", "12\u{202f}345").await;
    page.find(".switch[data-connection=page]").unwrap().click();
    page.shows(".brand-name", "broker.lan:9001").await;
    assert!(!second.is_stopped.get());
}

#[test]
async fn who_works_by_the_keyboard_goes_on_where_something_has_come_or_gone() {
    let page = open_with("en", &[]);
    page.has("[data-role=new]").await.click();
    focused("[name=name]").await;
    page.find("[data-role=add-filter]").unwrap().click();
    focused("[name='filter.0']").await;
    page.find(".filter-row button").unwrap().click();
    focused("[data-role=add-filter]").await;
    page.find("[data-role=cancel]").unwrap().click();
    focused("[data-role=new]").await;

    // What is wrong, even in a part that was folded up.
    page.find("[data-role=new]").unwrap().click();
    fill(&page.has("[name=url]").await, "ws://plant.lan");
    fill(&page.find("[name=keep_alive]").unwrap(), "70000");
    page.find("[data-role=save]").unwrap().click();
    focused("[name=keep_alive]").await;
    fill(&page.find("[name=keep_alive]").unwrap(), "30");
    // Who asks for a new one once more is led to the one that is there.
    page.find("[data-role=new]").unwrap().click();
    focused("[name=name]").await;
    page.holds("[name=url]", "ws://plant.lan").await;
    // Who looks something up elsewhere goes on with the form.
    page.go("#/settings");
    eventually("elsewhere", || page.find("[name=url]").is_none().then_some(())).await;
    page.go("#/connections");
    page.holds("[name=url]", "ws://plant.lan").await;
    // The page itself has the focus by then, as it has wherever somebody goes.
    let document = web_sys::window().unwrap().document().unwrap();
    eventually("its title", || document.title().contains("Connections").then_some(())).await;
    page.find("[data-role=save]").unwrap().click();
    focused("[data-role=connect]").await;
    page.find("[data-role=delete]").unwrap().click();
    focused("[data-role=undo]").await;
    page.find("[data-role=undo]").unwrap().click();
    focused("[data-role=connect]").await;
}

#[test]
async fn what_was_written_in_one_form_is_put_aside_for_another() {
    let page = open_with("en", &[profile("a", "ws://a"), profile("b", "ws://b")]);
    page.has("[data-connection=a] [data-role=edit]").await.click();
    fill(&page.has("[data-connection=a] [name=name]").await, "Plant");
    page.find("[data-connection=b] [data-role=edit]").unwrap().click();
    page.holds("[data-connection=b] [name=name]", "Name of b").await;
    let said = page.text("[data-role=notice]").unwrap();
    assert!(said.starts_with("What you had written for “Plant” was put aside"), "{said}");
    // Of a form in which nothing was written nothing need be said.
    page.find("[data-role=go-on]").unwrap().click();
    page.holds("[data-connection=a] [name=name]", "Plant").await;
    assert_eq!(page.text("[data-role=notice]").unwrap_or_default(), "");
    // A new one takes its place alike, and so it goes with what was written in that.
    page.find("[data-role=new]").unwrap().click();
    page.has("[data-role=go-on]").await;
    fill(&page.has("[name=url]").await, "ws://new");
    page.find("[data-connection=b] [data-role=edit]").unwrap().click();
    page.shows(
        "[data-role=notice] p",
        "What you had written for “ws://new” was put aside and is not saved.",
    )
    .await;
    page.find("[data-role=go-on]").unwrap().click();
    page.holds("[name=url]", "ws://new").await;
}

#[test]
async fn a_form_is_there_again_after_a_reload_without_the_password() {
    let kept = || session().get_item("connection-form").unwrap();
    let page = open_with("en", &[profile("a", "ws://a")]);
    page.has("[data-connection=a] [data-role=edit]").await.click();
    fill(&page.has("[data-connection=a] [name=name]").await, "Plant");
    fill(&page.find("[name=password]").unwrap(), "secreta");
    page.find("[data-role=add-filter]").unwrap().click();
    fill(&page.has("[name='filter.0']").await, "plant/#");
    eventually("it is kept", || kept()?.contains("plant/#").then_some(())).await;
    assert!(!kept().unwrap().contains("secreta"));

    let page = page.reload();
    page.holds("[data-connection=a] [name=name]", "Plant").await;
    page.holds("[name='filter.0']", "plant/#").await;
    page.holds("[name=password]", "").await;
    page.has("[data-role=password-lacks]").await;
    // Who asks for the password to be kept has it there again.
    fill(&page.find("[name=password]").unwrap(), "secreta");
    change(&page.find("[name=keeps_password]").unwrap(), "checked", &true.into());
    eventually("it is kept too", || kept()?.contains("secreta").then_some(())).await;
    let page = page.reload();
    page.holds("[name=password]", "secreta").await;
    assert!(page.find("[data-role=password-lacks]").is_none());
    // Nothing of it stays when the form is closed.
    page.find("[data-role=cancel]").unwrap().click();
    eventually("it is forgotten", || kept().is_none().then_some(())).await;
    let page = page.reload();
    page.has("[data-connection=a] [data-role=edit]").await;
    assert!(page.find("[data-role=connection-form]").is_none());
}

#[test]
async fn what_is_wrong_is_said_and_nothing_is_opened() {
    let page = open_with("es", &[]);
    page.has("[data-role=new]").await.click();
    fill(&page.has("[name=url]").await, "mqtt://plant.lan:1883");
    fill(&page.find("[name=keep_alive]").unwrap(), "70000");
    page.find("[data-role=connection-form] [type=submit]").unwrap().click();
    page.has("[data-role=wrong] li:nth-child(2)").await;
    let said = page.text("[data-role=wrong]").unwrap();
    assert!(said.contains("no puede abrir MQTT sobre TCP"), "{said}");
    assert!(said.contains("hasta 65\u{202f}535"), "{said}");
    assert_eq!((page.engines.borrow().len(), kept().len()), (1, 0));
    page.holds("[name=url]", "mqtt://plant.lan:1883").await;
    page.has("[name=url][aria-invalid=true]").await;
}

#[test]
async fn a_connection_is_changed_duplicated_and_what_was_deleted_comes_back() {
    let page = open_with("en", &[profile("a", "ws://a"), profile("b", "ws://b")]);
    page.has("[data-connection=a] [data-role=edit]").await.click();
    fill(&page.has("[data-connection=a] [name=name]").await, "New name");
    page.find("[data-role=save]").unwrap().click();
    page.shows("[data-connection=a] .connection-title", "New name").await;
    page.find("[data-connection=a] [data-role=duplicate]").unwrap().click();
    eventually("a copy", || (kept().len() == 3).then_some(())).await;
    assert_eq!(kept()[1].name, "New name (copy)");

    page.find("[data-connection=b] [data-role=delete]").unwrap().click();
    page.has("[data-role=undo]").await;
    assert_eq!(kept().len(), 2);
    page.find("[data-role=undo]").unwrap().click();
    page.has("[data-connection=b]").await;
    assert_eq!(kept()[2].id, "b");
}

#[test]
async fn who_closes_a_connection_says_goodbye_first() {
    let page = open_with("en", &[profile("a", "ws://a")]);
    page.has("[data-connection=a] [data-role=connect]").await.click();
    page.shows(".brand-name", "Name of a").await;
    let second = page.engines.borrow()[1].clone();
    let close = eventually("the button", || {
        let buttons = page.find("[data-connection=a] .connection-actions")?.children();
        (0..buttons.length()).filter_map(|i| buttons.item(i)).find_map(|button| {
            let button: HtmlElement = button.unchecked_into();
            (button.text_content().as_deref() == Some("Close")).then_some(button)
        })
    })
    .await;
    close.click();
    page.shows(".brand-name", "broker.lan:9001").await;
    assert!(second.commands.borrow().contains(&Command::Disconnect));
    eventually("the engine is stopped", || second.is_stopped.get().then_some(())).await;
    assert!(page.find("[data-role=switcher]").is_none());
}

#[test]
async fn files_come_in_and_a_broken_one_is_said_with_its_place() {
    let page = open_with("en", &[]);
    choose_file(&page.has("[data-role=import]").await, "{\n \"format\": \n}");
    page.has(".notice").await;
    let said = page.text(".notice").unwrap();
    assert!(said.contains("line 3, column 1"), "{said}");
    let explorer = r##"{ "ConnectionManager_connections": { "x": { "name": "Plant",
        "host": "plant.lan", "port": 8084, "protocol": "ws", "basePath": "mqtt",
        "encryption": true, "password": "pw", "subscriptions": [{ "topic": "#", "qos": 7 }] } } }"##;
    choose_file(&page.has("[data-role=import]").await, explorer);
    page.has(".connection-list [data-role=connect]").await;
    let said = page.text("[data-role=notice]").unwrap();
    assert!(said.contains("Imported: 1."), "{said}");
    assert!(said.contains("subscriptions[0].qos: is no whole number from 0 to 2"), "{said}");
    assert_eq!(kept()[0].connect.url, "wss://plant.lan:8084/mqtt");
    assert_eq!(kept()[0].connect.password, "");
    // What is here already does not come twice.
    choose_file(&page.has("[data-role=import]").await, explorer);
    eventually("it is known", || {
        page.text("[data-role=notice]").filter(|said| said.contains("Here already: 1."))
    })
    .await;
    assert_eq!(kept().len(), 1);
}

#[test]
async fn subscriptions_come_and_go_and_are_kept_with_their_connection() {
    let page = open_with("en", &[profile("a", "ws://a")]);
    page.has("[data-connection=a] [data-role=connect]").await.click();
    page.shows(".brand-name", "Name of a").await;
    let second = page.engines.borrow()[1].clone();
    page.has("[data-role=subscriptions] [data-role=everything]").await.click();
    let everything = Command::Subscribe(Subscription::new("#"));
    eventually("it is asked for", || second.commands.borrow().contains(&everything).then_some(()))
        .await;
    // The button goes, and so does the line of what is given up.
    focused("[name=filter]").await;
    let subscribed =
        |answer| vec![Subscribed { subscription: Subscription::new("#"), answer: Some(answer) }];
    second.says(Frame {
        connection: online(),
        subscriptions: Some(subscribed(Answer::Refused(Reason::Broker("Not authorized".into())))),
        ..Frame::default()
    });
    page.shows("[data-filter='#'] .form-note", "refused: Not authorized").await;
    eventually("it is kept", || (kept()[0].connect.subscriptions.len() == 1).then_some(())).await;
    page.find("[data-filter='#'] button").unwrap().focus().unwrap();
    page.find("[data-filter='#'] button").unwrap().click();
    focused("[name=filter]").await;
    let unsubscribe = Command::Unsubscribe("#".into());
    eventually("it is given up", || second.commands.borrow().contains(&unsubscribe).then_some(()))
        .await;
}

#[test]
async fn on_another_broker_nothing_is_asked_for_by_itself_and_everything_is_one_click_away() {
    let page = open_with("en", &[profile("a", "ws://a")]);
    page.has("[data-connection=a] [data-role=connect]").await.click();
    page.shows(".brand-name", "Name of a").await;
    let second = page.engines.borrow()[1].clone();
    assert_eq!(second.connect().unwrap().subscriptions, []);
    page.go("#/");
    second.says(Frame { connection: online(), ..Frame::default() });
    // Wherever something would be shown.
    for address in ["#/topics", "#/messages", "#/"] {
        page.go(address);
        page.has(&format!(".nav-link[href='{address}'][aria-current=page]")).await;
        page.has("[data-role=unsubscribed]").await;
    }
    page.has("[data-role=unsubscribed] [data-role=everything]").await.click();
    let everything = Command::Subscribe(Subscription::new("#"));
    eventually("it is asked for", || second.commands.borrow().contains(&everything).then_some(()))
        .await;
}
