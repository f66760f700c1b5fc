//! A value that components look at: who looks is told when it changes, and no one else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use yew::prelude::*;

/// A shared value. Clones are handles to the same value, and equal to each other alone.
pub struct Field<T>(Rc<Inner<T>>);

struct Inner<T> {
    value: RefCell<T>,
    heard: Heard,
}

/// Who hears of the changes of a field. It is the same for values of all types, so that the code for it is in the
/// program once.
#[derive(Clone)]
struct Heard(Rc<Hearing>);

#[derive(Default)]
struct Hearing {
    version: Cell<u64>,
    listeners: RefCell<Vec<(u64, Listener)>>,
    next_listener: Cell<u64>,
}

type Listener = Rc<dyn Fn()>;

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> PartialEq for Field<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Heard {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: Clone + 'static> Field<T> {
    /// A field with this value.
    pub fn new(value: T) -> Self {
        let (value, heard) = (RefCell::new(value), Heard(Rc::default()));
        Self(Rc::new(Inner { value, heard }))
    }

    /// The value.
    pub fn get(&self) -> T {
        self.0.value.borrow().clone()
    }

    /// Changes the value and tells everyone who listens.
    pub fn update(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.value.borrow_mut());
        self.0.heard.tell();
    }

    /// Replaces the value and tells everyone who listens.
    pub fn set(&self, value: T) {
        self.update(|old| *old = value);
    }

    /// Calls `tell` after each change, until what is returned is dropped.
    pub fn listen(&self, tell: impl Fn() + 'static) -> Listening {
        self.0.heard.listen(Rc::new(tell))
    }
}

impl Heard {
    fn tell(&self) {
        self.0.version.set(self.0.version.get().wrapping_add(1));
        // A listener may come or go while the others are told.
        let listeners: Vec<_> =
            self.0.listeners.borrow().iter().map(|(_, tell)| Rc::clone(tell)).collect();
        for tell in listeners {
            tell();
        }
    }

    fn listen(&self, tell: Listener) -> Listening {
        let key = self.0.next_listener.get();
        self.0.next_listener.set(key.wrapping_add(1));
        self.0.listeners.borrow_mut().push((key, tell));
        Listening { heard: self.clone(), key }
    }
}

/// As long as it lives, someone listens.
pub struct Listening {
    heard: Heard,
    key: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.heard.0.listeners.borrow_mut().retain(|(key, _)| *key != self.key);
    }
}

/// The value of a field; the component renders anew when it changes.
#[hook]
pub fn use_field<T: Clone + 'static>(field: &Field<T>) -> T {
    use_changes(field.0.heard.clone());
    field.get()
}

#[hook]
fn use_changes(heard: Heard) {
    let render = use_force_update();
    let seen = heard.0.version.get();
    use_effect_with(heard, move |heard| {
        // It may have changed between the rendering and now.
        if heard.0.version.get() != seen {
            render.force_update();
        }
        let listening = heard.listen(Rc::new(move || render.force_update()));
        move || drop(listening)
    });
}
