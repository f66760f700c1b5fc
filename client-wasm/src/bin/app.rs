//! The dashboard's program. The same module is loaded twice: by the page, and by the worker that the
//! engine lives in.

#[cfg(target_arch = "wasm32")]
mod browser {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        /// What a module of JavaScript knows of itself.
        type ImportMeta;

        #[wasm_bindgen(method, getter)]
        fn url(this: &ImportMeta) -> String;

        #[wasm_bindgen(thread_local_v2, js_namespace = import, js_name = meta)]
        static IMPORT_META: ImportMeta;
    }

    /// The address of the JavaScript that wasm-bindgen made for this module.
    pub(super) fn glue() -> String {
        IMPORT_META.with(ImportMeta::url)
    }

    /// Runs the engine; `worker.js` calls it.
    ///
    /// # Errors
    /// This is no worker.
    #[wasm_bindgen]
    #[allow(unreachable_pub, reason = "JavaScript reaches it")]
    pub fn engine() -> Result<(), JsValue> {
        client_wasm::worker::run_engine()
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {
    client_wasm::page::start(&browser::glue());
}

/// There is nothing to run on the host; its build only checks the parts that need no browser.
#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("app runs in a browser: build it for wasm32-unknown-unknown, or use cargo xtask run");
}
