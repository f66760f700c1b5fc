//! The dashboard's second program: every page but the board. The first program imports it when somebody
//! goes to one of its pages, and `page/fetch.rs` is the other side of what stands here.

#[cfg(target_arch = "wasm32")]
mod browser {
    use client_wasm::page::house::House;
    use client_wasm::page::rooms::Program as _;
    use client_wasm::page::texts_of_window;
    use js_sys::{Function, Uint8Array};
    use wasm_bindgen::prelude::*;
    use web_sys::Element;

    /// The program in JavaScript's hands.
    #[wasm_bindgen]
    #[allow(unreachable_pub, reason = "JavaScript reaches it")]
    pub struct Opened(House);

    /// Opens the program; its commands go to `send`, and what it asks of connections to `ask`.
    #[wasm_bindgen(js_name = openHouse)]
    #[allow(unreachable_pub, reason = "JavaScript reaches it")]
    pub fn open_house(send: Function, ask: Function) -> Opened {
        Opened(House::new(texts_of_window(), carry(send), carry(ask)))
    }

    fn carry(to: Function) -> impl Fn(&[u8]) {
        move |bytes| {
            // Where the first program can't take anything any more, there is nobody to tell.
            let _carried = to.call1(&JsValue::NULL, &Uint8Array::from(bytes));
        }
    }

    #[wasm_bindgen]
    #[allow(unreachable_pub, reason = "JavaScript reaches it")]
    impl Opened {
        /// Takes in what the engine says.
        pub fn receive(&self, report: &[u8]) {
            self.0.receive(report);
        }

        /// Takes in which connections are open.
        pub fn tell(&self, told: &[u8]) {
            self.0.tell(told);
        }

        /// Shows what belongs to a place in this element.
        pub fn show(&self, place: &str, element: &Element) -> u32 {
            self.0.show(place, element)
        }

        /// Takes it away again.
        #[wasm_bindgen(js_name = takeAway)]
        pub fn take_away(&self, shown: u32) {
            self.0.take_away(shown);
        }
    }
}

/// It does nothing before it is opened.
#[cfg(target_arch = "wasm32")]
fn main() {}

/// There is nothing to run on the host; its build only checks the parts that need no browser.
#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!(
        "rooms runs in a browser: build it for wasm32-unknown-unknown, or use cargo xtask run"
    );
}
