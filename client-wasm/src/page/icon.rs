//! The page's signs: one stroke each, in the colour of the text beside them.

use yew::prelude::*;

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    Board,
    Topics,
    Messages,
    Publish,
    Broker,
    Wire,
    Connections,
    Settings,
}

impl Icon {
    /// The stroke, in a square of 24.
    const fn path(self) -> &'static str {
        match self {
            Self::Board => "M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z",
            Self::Topics => "M5 4v14h6M5 9h6M14 6.5h6v5h-6zM14 15.5h6v5h-6z",
            Self::Messages => "M4 6h16M4 10.7h11M4 15.3h16M4 20h8",
            Self::Publish => "M20 4 3.5 10.5l6.5 3 3 6.5zM10 13.5 20 4",
            Self::Wire => "M3 12h4l2.5-7 5 14 2.5-7h4",
            Self::Broker => "M4 19V9M9.3 19V5M14.6 19v-7M20 19V8",
            Self::Settings => "M4 7h9M17 7h3M4 17h3M11 17h9M15 4v6M9 14v6",
            Self::Connections => "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
        }
    }
}

/// The sign as part of the page; its name stands beside it.
pub(super) fn icon(icon: Icon) -> Html {
    html! {
        <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
            <path d={icon.path()} />
        </svg>
    }
}
