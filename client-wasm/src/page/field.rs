//! A value that components look at: who looks is told when it changes, and no one else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use yew::prelude::*;

/// A shared value. Clones are handles to the same value, and equal to each other alone.
pub struct Field<T>(Rc<Inner<T>>);

struct Inner<T> {
    value: RefCell<T>,
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

impl<T: Clone + 'static> Field<T> {
    /// A field with this value.
    pub fn new(value: T) -> Self {
        Self(Rc::new(Inner {
            value: RefCell::new(value),
            version: Cell::new(0),
            listeners: RefCell::default(),
            next_listener: Cell::new(0),
        }))
    }

    /// The value.
    pub fn get(&self) -> T {
        self.0.value.borrow().clone()
    }

    /// Changes the value and tells everyone who listens.
    pub fn update(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.value.borrow_mut());
        self.0.version.set(self.0.version.get().wrapping_add(1));
        // A listener may come or go while the others are told.
        let listeners: Vec<_> =
            self.0.listeners.borrow().iter().map(|(_, tell)| Rc::clone(tell)).collect();
        for tell in listeners {
            tell();
        }
    }

    /// Replaces the value and tells everyone who listens.
    pub fn set(&self, value: T) {
        self.update(|old| *old = value);
    }

    /// Calls `tell` after each change, until what is returned is dropped.
    pub fn listen(&self, tell: impl Fn() + 'static) -> Listening<T> {
        let key = self.0.next_listener.get();
        self.0.next_listener.set(key.wrapping_add(1));
        self.0.listeners.borrow_mut().push((key, Rc::new(tell)));
        Listening { field: self.clone(), key }
    }

    fn version(&self) -> u64 {
        self.0.version.get()
    }
}

/// As long as it lives, someone listens.
pub struct Listening<T> {
    field: Field<T>,
    key: u64,
}

impl<T> Drop for Listening<T> {
    fn drop(&mut self) {
        self.field.0.listeners.borrow_mut().retain(|(key, _)| *key != self.key);
    }
}

/// The value of a field; the component renders anew when it changes.
#[hook]
pub fn use_field<T: Clone + 'static>(field: &Field<T>) -> T {
    let render = use_force_update();
    let seen = field.version();
    use_effect_with(field.clone(), move |field| {
        // It may have changed between the rendering and now.
        if field.version() != seen {
            render.force_update();
        }
        let listening = field.listen(move || render.force_update());
        move || drop(listening)
    });
    field.get()
}
