//! Bytes that the browser holds and knows by an address.

use wasm_bindgen::JsCast;
use web_sys::{Blob, BlobPropertyBag, Url};

/// Hands bytes to the browser. Their address is good until it is revoked.
pub(crate) fn url(bytes: &[u8], media_type: &str) -> Option<String> {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let options = BlobPropertyBag::new();
    options.set_type(media_type);
    let blob =
        Blob::new_with_u8_array_sequence_and_options(parts.unchecked_ref(), &options).ok()?;
    Url::create_object_url_with_blob(&blob).ok()
}
