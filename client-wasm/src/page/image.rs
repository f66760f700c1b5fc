//! A picture from bytes.

use web_sys::Url;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct ImageProps {
    pub(super) media_type: AttrValue,
    pub(super) bytes: Vec<u8>,
    pub(super) name: AttrValue,
}

/// A picture from bytes. The browser decodes it as an image, which runs nothing that may be in it.
#[component]
pub(super) fn Image(props: &ImageProps) -> Html {
    let url = use_state(|| None::<String>);
    {
        let url = url.clone();
        use_effect_with(
            (props.bytes.clone(), props.media_type.clone()),
            move |(bytes, media_type)| {
                let made = crate::blob::url(bytes, media_type);
                url.set(made.clone());
                move || {
                    if let Some(made) = made {
                        // One that is not there any more needs no letting go.
                        let _revoked = Url::revoke_object_url(&made);
                    }
                }
            },
        );
    }
    html! {
        <img class="payload-image" data-role="image" src={(*url).clone()} alt={props.name.clone()} />
    }
}
