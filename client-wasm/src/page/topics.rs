//! The topics as a tree or as a list, and beside it the one that the person is at.

use std::rc::Rc;

use web_sys::{HtmlElement, HtmlSelectElement, KeyboardEvent};
use yew::prelude::*;

use super::bdi;
use super::board::{unsubscribed, use_asks_nothing};
use super::clearing::{ClearingSheet, open_button};
use super::detail::Detail;
use super::field::use_field;
use super::house::use_texts;
use super::link::Link;
use super::rows::{Rows, Space, numbered, use_growth, use_rows};
use super::search::search_box;
use crate::number::grouped;
use crate::protocol::{Command, Connection, Row, Sort, Step, TopicsView, Tree};
use crate::route::Route;
use crate::texts::{RoomsTexts, age, fill};
use crate::visible::visible;

/// The deepest level that is indented further.
const INDENT_MAX: u16 = 24;

#[derive(PartialEq, Properties)]
pub(super) struct TopicsProps {
    pub(super) link: Link,
    /// Where the broker is.
    pub(super) host: AttrValue,
    /// The topic of the address.
    pub(super) topic: Option<AttrValue>,
}

#[component]
pub(super) fn Topics(props: &TopicsProps) -> Html {
    let TopicsProps { link, host, topic } = props;
    let texts = use_texts();
    let tree = use_field(link.tree());
    let connection = use_field(link.connection());
    let is_online = matches!(connection, Connection::Online { .. });
    let asks_nothing = use_asks_nothing(link) && tree.total == 0;
    let search = use_state(|| AttrValue::from(""));
    let sort = use_state(Sort::default);
    let is_flat = use_state(|| false);
    let rows = use_rows();
    let made = use_growth(tree.rows.len());
    {
        let link = link.clone();
        let view = (search.to_string(), *sort, *is_flat, rows.window);
        use_effect_with(view, move |(search, sort, is_flat, window)| {
            link.send(Command::Topics(TopicsView {
                search: search.clone(),
                sort: *sort,
                is_flat: *is_flat,
                first: window.first,
                len: window.len,
            }));
        });
    }
    {
        let link = link.clone();
        use_effect_with((), move |()| move || link.send(Command::CloseTopics));
    }
    use_address(link, topic, &tree);
    use_reveal(&rows, &tree, *sort == Sort::Name);
    let on_search = {
        let search = search.clone();
        Callback::from(move |text: AttrValue| search.set(text))
    };
    let on_sort = {
        let sort = sort.clone();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                sort.set(sort_named(&select.value()));
            }
        })
    };
    // From the search the rows that it found are one key away.
    let onkeydown = {
        let list = rows.outer.clone();
        Callback::from(move |event: KeyboardEvent| {
            let target = event.target_dyn_into::<web_sys::Element>();
            let is_search = target.is_some_and(|target| target.matches(".search").unwrap_or(false));
            if let Some(list) = list.cast::<HtmlElement>()
                && is_search
                && event.key() == "ArrowDown"
            {
                event.prevent_default();
                // It has a place in the order of the keys.
                let _focused = list.focus();
            }
        })
    };
    let show_as = |flat: bool| {
        let is_flat = is_flat.clone();
        Callback::from(move |_: MouseEvent| is_flat.set(flat))
    };
    // A row that is not on the screen is none, for those who have it read out.
    let is_there = |active: &u32| tree.rows.iter().take(made).any(|row| row.node == *active);
    let is_awaited = tree.steps > 0 && tree.active.is_none();
    let count = if tree.matching == tree.topics {
        grouped(tree.topics.into())
    } else {
        fill(texts.showing, &[&grouped(tree.matching.into()), &grouped(tree.topics.into())])
    };
    html! {
        <section
            class={classes!("topics", topic.is_some().then_some("is-deep"))}
            data-sort={SORTS.iter().find(|(value, _)| sort_named(value) == *sort).map(|(value, _)| *value)}
            aria-labelledby="topics-heading"
            {onkeydown}
        >
            <header class="page-head">
                <h2 class="page-heading" id="topics-heading">{ texts.topics }</h2>
                <p class="page-note" data-role="count">{ count }</p>
                { search_box(texts.search_topics, texts.search_topics_hint, (*search).clone(), on_search) }
                <label class="inline-field">
                    <span class="label">{ texts.sort }</span>
                    <select class="input" data-role="sort" onchange={on_sort}>
                        { for SORTS.iter().map(|(value, name)| html! {
                            <option value={*value} selected={sort_named(value) == *sort}>
                                { name(texts) }
                            </option>
                        }) }
                    </select>
                </label>
                <div class="segments" role="group" aria-label={texts.show_as}>
                    <button type="button" class="segment" aria-pressed={(!*is_flat).to_string()}
                        onclick={show_as(false)}>{ texts.as_tree }</button>
                    <button type="button" class="segment" aria-pressed={is_flat.to_string()}
                        data-role="flat" onclick={show_as(true)}>{ texts.as_list }</button>
                </div>
                { open_button(link, texts) }
            </header>
            if asks_nothing {
                { unsubscribed(link, texts) }
            }
            <div class="topics-panes">
                <div class={classes!("tree-pane", is_flat.then_some("is-flat"))}>
                    <div class="tree-head" aria-hidden="true">
                        <span>{ texts.topic }</span>
                        <span class="tree-value">{ texts.value }</span>
                        <span class="tree-number">{ texts.messages }</span>
                        <span class="tree-number">{ texts.per_second_short }</span>
                        <span class="tree-age">{ texts.age_short }</span>
                    </div>
                    <div
                        ref={rows.outer.clone()}
                        class="tree rows"
                        // A tree without an item would be none.
                        role={if tree.total > 0 { "tree" } else { "group" }}
                        tabindex="0"
                        aria-label={texts.topics}
                        aria-activedescendant={tree.active.filter(is_there).map(row_id)}
                        onkeydown={keys(link, rows.clone())}
                    >
                        <Space total={tree.total} first={tree.first}>
                            { for numbered(tree.first, &tree.rows).take(made).map(|(number, row)| html! {
                                <TreeRow
                                    key={number}
                                    link={link.clone()}
                                    row={row.clone()}
                                    is_active={tree.active == Some(row.node)}
                                />
                            }) }
                        </Space>
                        if tree.total == 0 && !asks_nothing {
                            { nothing(&search, is_online, texts) }
                        }
                    </div>
                </div>
                <Detail link={link.clone()} awaited={topic.clone().filter(|_| is_awaited)} />
            </div>
            <ClearingSheet link={link.clone()} host={host.clone()} />
        </section>
    }
}

fn nothing(search: &str, is_online: bool, texts: &RoomsTexts) -> Html {
    let text = if !search.trim().is_empty() {
        fill(texts.no_topic_matches, &[search.trim()])
    } else if is_online {
        texts.no_topic_yet.to_owned()
    } else {
        texts.waiting_heading.to_owned()
    };
    html! { <p class="tree-nothing">{ text }</p> }
}

/// Brings the row into sight that a step led to. Where the order is by name it also stays there when topics
/// come in above it, as they do at the start; a person who has scrolled away from it is left alone.
#[hook]
fn use_reveal(rows: &Rows, tree: &Rc<Tree>, is_by_name: bool) {
    let seen = use_mut_ref(|| None::<(u32, u32)>);
    let rows = rows.clone();
    let is_laid_out = rows.is_laid_out();
    use_effect_with(
        (tree.steps, tree.active_row, is_laid_out),
        move |(steps, row, is_laid_out)| {
            let Some(row) = row.filter(|_| *is_laid_out) else { return };
            let before = seen.borrow_mut().replace((*steps, row));
            let stays =
                |(then, row): (u32, u32)| then == *steps && !(is_by_name && rows.shows(row));
            if !before.is_some_and(stays) {
                rows.reveal(row);
            }
        },
    );
}

/// Keeps the address and the place in the tree the same.
#[hook]
fn use_address(link: &Link, topic: &Option<AttrValue>, tree: &Rc<Tree>) {
    // The address that a step led to, which is not gone to once more: the person may be further on.
    let ours = use_mut_ref(|| None::<String>);
    {
        let (link, ours) = (link.clone(), ours.clone());
        use_effect_with(topic.clone(), move |topic| {
            if let Some(topic) =
                topic.as_deref().filter(|topic| ours.borrow().as_deref() != Some(topic))
            {
                *ours.borrow_mut() = None;
                link.send(Command::Step(Step::Topic(topic.to_owned())));
            }
        });
    }
    // Only a step changes the address: the tree may still be where an earlier visit left it.
    let seen = use_mut_ref(|| tree.steps);
    use_effect_with((tree.steps, tree.active_path.clone()), move |(steps, path)| {
        if std::mem::replace(&mut *seen.borrow_mut(), *steps) == *steps {
            return;
        }
        if let (Some(path), Some(window)) = (path, web_sys::window()) {
            let href = Route::Topics(Some(path.clone())).href();
            *ours.borrow_mut() = Some(path.clone());
            let location = window.location();
            if location.hash().is_ok_and(|hash| hash != href) {
                // An address that can't be set stays the old one; nothing else depends on it.
                let _set = location.replace(&href);
            }
        }
    });
}

type Named = (&'static str, fn(&RoomsTexts) -> &'static str);

const SORTS: &[Named] = &[
    ("name", |texts| texts.sort_name),
    ("rate", |texts| texts.sort_rate),
    ("messages", |texts| texts.sort_messages),
    ("recent", |texts| texts.sort_recent),
];

fn sort_named(value: &str) -> Sort {
    match value {
        "rate" => Sort::Rate,
        "messages" => Sort::Messages,
        "recent" => Sort::Recent,
        _ => Sort::Name,
    }
}

/// The keys of a tree (WAI-ARIA, tree view pattern).
fn keys(link: &Link, rows: Rows) -> Callback<KeyboardEvent> {
    let link = link.clone();
    // Asked for when it is wanted, as the page may not be laid out yet.
    let page = move || i32::try_from(rows.page()).unwrap_or(1);
    Callback::from(move |event: KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let key = event.key();
        let mut letters = key.chars();
        let step = match key.as_str() {
            "ArrowDown" => Step::Rows(1),
            "ArrowUp" => Step::Rows(-1),
            "PageDown" => Step::Rows(page()),
            "PageUp" => Step::Rows(page().saturating_neg()),
            "Home" => Step::First,
            "End" => Step::Last,
            "ArrowRight" => Step::In,
            "ArrowLeft" => Step::Out,
            "*" => Step::OpenSiblings,
            // Letters find a row; digits and signs are keys of the whole page.
            _ => match (letters.next(), letters.next()) {
                (Some(letter), None) if letter.is_alphabetic() || letter == '$' => {
                    Step::Typed(key.clone())
                }
                _ => return,
            },
        };
        event.prevent_default();
        link.send(Command::Step(step));
    })
}

fn row_id(node: u32) -> String {
    format!("node-{node}")
}

#[derive(PartialEq, Properties)]
struct TreeRowProps {
    link: Link,
    row: Row,
    is_active: bool,
}

#[component]
fn TreeRow(props: &TreeRowProps) -> Html {
    let TreeRowProps { link, row, is_active } = props;
    let texts = use_texts();
    let now_ms = use_field(link.now_ms());
    let step = |step: Step| {
        let link = link.clone();
        Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            link.send(Command::Step(step.clone()));
        })
    };
    let sign = match row.is_open {
        Some(true) => "is-open",
        Some(false) => "is-closed",
        None => "is-leaf",
    };
    html! {
        <div
            id={row_id(row.node)}
            class={classes!("tree-row", is_active.then_some("is-active"))}
            role="treeitem"
            aria-level={row.depth.saturating_add(1).to_string()}
            aria-posinset={row.position.to_string()}
            aria-setsize={row.siblings.to_string()}
            aria-expanded={row.is_open.map(|is_open| is_open.to_string())}
            aria-selected={is_active.to_string()}
            onclick={step(Step::To(row.node))}
        >
            <span class="tree-name">
                { for (0..row.depth.min(INDENT_MAX)).map(|_| html! { <span class="indent" /> }) }
                if row.is_open.is_some() {
                    <span class={classes!("twist", sign)} aria-hidden="true"
                        onclick={step(Step::Toggle(row.node))}></span>
                } else {
                    <span class="twist is-leaf" aria-hidden="true"></span>
                }
                { named(&row.name, texts) }
                if row.topics > 0 {
                    <span class="tree-children">{ grouped(row.topics.into()) }</span>
                }
                if row.is_kept {
                    <span class="kept" title={texts.kept_explained} aria-label={texts.kept}></span>
                }
            </span>
            <span class="tree-value">{ bdi(row.value.clone().unwrap_or_default()) }</span>
            <span class="tree-number">{ grouped(row.messages) }</span>
            <span class="tree-number">{ row.rate_tenths.map(rate).unwrap_or_default() }</span>
            <span class="tree-age">
                { row.at_ms.map(|at_ms| age(now_ms - at_ms)).unwrap_or_default() }
            </span>
        </div>
    }
}

/// A level of the tree, or several; in a list a whole topic, which is cut at its beginning. That takes an element
/// of its own, or signs at its ends would change sides.
fn named(name: &str, texts: &RoomsTexts) -> Html {
    if name.contains('/') {
        return html! { <span class="tree-level is-path">{ bdi(name) }</span> };
    }
    let is_empty = name.is_empty();
    html! {
        <bdi class={classes!("tree-level", is_empty.then_some("is-empty"))}>
            { if is_empty { texts.empty_level.to_owned() } else { visible(name) } }
        </bdi>
    }
}

/// Messages in a second; nothing where there are none.
pub(super) fn rate(tenths: u32) -> String {
    match tenths {
        0 => String::new(),
        1..100 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => grouped(u64::from(tenths.saturating_add(5) / 10)),
    }
}
