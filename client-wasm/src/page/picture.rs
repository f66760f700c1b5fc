//! A picture, and what is said where there is none to see.

use gloo_events::{EventListener, EventListenerOptions};
use web_sys::Element;
use yew::prelude::*;

use super::image::{Image, ImageProps};
use super::use_texts;

/// A picture, or a sentence where the browser can't show it.
#[component]
pub(super) fn Picture(props: &ImageProps) -> Html {
    let texts = use_texts();
    let place = use_node_ref();
    let broken = use_state(|| None::<Vec<u8>>);
    {
        let (place, broken) = (place.clone(), broken.clone());
        use_effect_with(props.bytes.clone(), move |bytes| {
            let bytes = bytes.clone();
            let capture = EventListenerOptions::run_in_capture_phase();
            // What goes wrong with a picture is told on the way down to it, and never on a way up.
            let listener = place.cast::<Element>().map(|place| {
                EventListener::new_with_options(&place, "error", capture, move |_| {
                    broken.set(Some(bytes.clone()));
                })
            });
            move || drop(listener)
        });
    }
    html! {
        <div ref={place} class="picture">
            if broken.as_ref() == Some(&props.bytes) {
                <p class="card-note" role="status" data-role="broken">{ texts.image_broken }</p>
            } else {
                <Image ..props.clone() />
            }
        </div>
    }
}
