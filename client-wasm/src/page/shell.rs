//! What stands around every page: where one is, where one can go, and how the connection is.

use gloo_events::EventListener;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::awake;
use super::bdi;
use super::board::Board;
use super::figures::Figures;
use super::hub::{Hub, Opened, Switcher};
use super::icon::{Icon, icon};
use super::keys;
use super::pace::with_next_frame;
use super::rooms::{KEYS, PAGE, PALETTE, Rooms, Slot};
use super::status::{Status, Trouble};
use super::use_texts;
use crate::route::Route;
use crate::texts::{Texts, fill};

#[derive(PartialEq, Properties)]
pub(super) struct ShellProps {
    pub(super) hub: Hub,
    /// The connection that is shown.
    pub(super) opened: Opened,
}

/// The whole window: what stands around every page of a connection.
#[component]
pub(super) fn Shell(props: &ShellProps) -> Html {
    let ShellProps { hub, opened } = props;
    let Opened { id, title, host, link, rooms, .. } = opened;
    let texts = use_texts();
    let route = use_route();
    let main = use_node_ref();
    use_effect_with((), |()| keys::listen());
    use_effect_with((), |()| {
        let followed = awake::follow();
        move || drop(followed)
    });
    {
        let main = main.clone();
        let is_first = use_mut_ref(|| true);
        use_effect_with((route.page(), id.clone()), move |_| {
            // Who went to another page goes on reading there, not at its link. The browser lays out the page for
            // both, which it is to do once and not before the other page is there.
            if !is_first.replace(false) {
                with_next_frame(move || {
                    if let (Some(main), Some(window)) =
                        (main.cast::<HtmlElement>(), web_sys::window())
                    {
                        // The other page may have put the focus somewhere already.
                        if !main.matches(":focus-within").unwrap_or(false) {
                            let _focused = main.focus();
                        }
                        window.scroll_to_with_x_and_y(0.0, 0.0);
                    }
                });
            }
        });
    }
    use_effect_with(fill(texts.title, &[name(&route, texts), title]), |title| {
        if let Some(document) = web_sys::window().and_then(|window| window.document()) {
            document.set_title(title);
        }
    });
    let has_palette = use_asked_for(keys::PALETTE_EVENT);
    let has_keys = use_asked_for(keys::HELP_EVENT);
    let show_palette = Callback::from(|_: MouseEvent| keys::ask_for_palette());
    let skip = {
        let main = main.clone();
        Callback::from(move |event: MouseEvent| {
            event.prevent_default();
            if let Some(main) = main.cast::<HtmlElement>() {
                let _focused = main.focus();
            }
        })
    };
    let show_help = Callback::from(|_: MouseEvent| keys::ask_for_help());
    html! {
        <div class="shell">
            <a class="skip" href="#main" onclick={skip}>{ texts.skip }</a>
            <header class="rail">
                <div class="rail-head">
                    <div class="brand">
                        <span class="brand-mark" aria-hidden="true"></span>
                        <h1 class="brand-name">{ bdi(title.clone()) }</h1>
                    </div>
                    <Status link={link.clone()} />
                    <Switcher hub={hub.clone()} label={texts.connections} />
                    <div class="places">
                        { place(&Route::Connections, Icon::Connections, &route, rooms, texts) }
                        { place(&Route::Settings, Icon::Settings, &route, rooms, texts) }
                    </div>
                </div>
                <nav class="nav" aria-label={texts.pages}>
                    <ul class="nav-list">
                        { for Route::PAGES.into_iter().map(|page| entry(&page, &route, rooms, texts)) }
                    </ul>
                </nav>
                <div class="rail-foot">
                    <Figures link={link.clone()} />
                    <button type="button" class="quiet-button palette-button" data-role="open-palette"
                        onclick={show_palette}>
                        <kbd aria-hidden="true">{ "Ctrl K" }</kbd>
                        { texts.go_to }
                    </button>
                    <button type="button" class="quiet-button help-button" data-role="help"
                        onclick={show_help}>
                        <kbd aria-hidden="true">{ "?" }</kbd>
                        { texts.keys }
                    </button>
                </div>
            </header>
            <div class="stage">
                <Trouble key={&**id} link={link.clone()} rooms={rooms.clone()}
                    host={host.clone()} />
                <main class="main" id="main" ref={main} tabindex="-1">
                    // With another connection the page begins anew.
                    if route == Route::Board {
                        <Board key={&**id} link={link.clone()} rooms={rooms.clone()}
                            host={host.clone()} />
                    } else {
                        <Slot key={&**id} rooms={rooms.clone()} place={PAGE} />
                    }
                </main>
            </div>
            if has_keys {
                <Slot rooms={rooms.clone()} place={KEYS} />
            }
            if has_palette {
                <Slot rooms={rooms.clone()} place={PALETTE} />
            }
        </div>
    }
}

/// Whether something of the second program was asked for once. It opens when it is there; from then on it
/// listens itself.
#[hook]
fn use_asked_for(event: &'static str) -> bool {
    let is_asked_for = use_state(|| false);
    {
        let is_asked_for = is_asked_for.clone();
        use_effect_with((), move |()| {
            let listener = web_sys::window()
                .map(|window| EventListener::new(&window, event, move |_| is_asked_for.set(true)));
            move || drop(listener)
        });
    }
    *is_asked_for
}

/// A page beside those of the navigation.
fn place(page: &Route, sign: Icon, route: &Route, rooms: &Rooms, texts: &Texts) -> Html {
    let rooms = rooms.clone();
    html! {
        <a class="connections-link" href={page.href()}
            onpointerenter={Callback::from(move |_: PointerEvent| rooms.fetch())}
            aria-current={(route == page).then_some("page")}>
            { icon(sign) }
            <span>{ name(page, texts) }</span>
        </a>
    }
}

/// One line of the navigation.
fn entry(page: &Route, route: &Route, rooms: &Rooms, texts: &Texts) -> Html {
    // Who points at it is about to go there.
    let fetch = || {
        let (rooms, is_here) = (rooms.clone(), *page == Route::Board);
        move || {
            if !is_here {
                rooms.fetch();
            }
        }
    };
    let (pointed, focused) = (fetch(), fetch());
    let is_here = route.page() == *page;
    let sign = match page {
        Route::Board => Icon::Board,
        Route::Topics(_) => Icon::Topics,
        Route::Messages => Icon::Messages,
        Route::Publish(_) => Icon::Publish,
        Route::Broker => Icon::Broker,
        Route::Wire => Icon::Wire,
        Route::Connections => Icon::Connections,
        Route::Settings => Icon::Settings,
    };
    html! {
        <li>
            <a class="nav-link" href={page.href()} aria-current={is_here.then_some("page")}
                onpointerenter={Callback::from(move |_: PointerEvent| pointed())}
                onfocus={Callback::from(move |_: FocusEvent| focused())}>
                { icon(sign) }
                <span class="nav-name">{ name(page, texts) }</span>
            </a>
        </li>
    }
}

/// What a page is called.
pub(super) fn name(page: &Route, texts: &Texts) -> &'static str {
    match page {
        Route::Board => texts.sensors,
        Route::Topics(_) => texts.topics,
        Route::Messages => texts.messages,
        Route::Publish(_) => texts.publish,
        Route::Broker => texts.broker,
        Route::Wire => texts.wire,
        Route::Connections => texts.connections,
        Route::Settings => texts.settings,
    }
}

fn current_route() -> Route {
    let hash = web_sys::window().and_then(|window| window.location().hash().ok());
    Route::parse(&hash.unwrap_or_default())
}

/// Where the page is, as its address says.
#[hook]
pub(super) fn use_route() -> Route {
    let route = use_state(current_route);
    {
        let route = route.clone();
        use_effect_with((), move |()| {
            let listener = web_sys::window().map(|window| {
                EventListener::new(&window, "hashchange", move |_| route.set(current_route()))
            });
            move || drop(listener)
        });
    }
    (*route).clone()
}
