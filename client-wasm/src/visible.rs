//! Characters that nobody sees, made visible: those that turn the direction of what follows, so that a topic or a
//! payload reads as something else than it is, and those that have no shape.

use std::fmt::Write as _;

/// The text with the code of each character that nobody would see in its place: `‹U+202E›`. Letters of any
/// script stay as they are, with what joins emoji, and so do the ends of lines.
pub fn visible(text: &str) -> String {
    // Nearly all texts are of characters that need no look.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    for letter in text.chars() {
        if is_unseen(letter, before, text) {
            // Writing to a text does not fail.
            let _written = write!(out, "‹U+{:04X}›", u32::from(letter));
        } else {
            out.push(letter);
        }
        before = Some(letter);
    }
    out
}

/// Whether nobody sees a character, behind the one before.
fn is_unseen(letter: char, before: Option<char>, text: &str) -> bool {
    match letter {
        // What turns the direction: ALM, LRM, RLM, embeddings, overrides and isolates.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        // Scripts and emoji need joiners behind letters of their own, and nobody behind one of ours.
        '\u{200c}' | '\u{200d}' => before.is_none_or(|before| before.is_ascii()),
        // The flags of regions are spelled with tags.
        '\u{e0020}'..='\u{e007f}' => !text.contains('\u{1f3f4}'),
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' => {
            true
        }
        '\u{200b}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}' => true,
        '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}' => true,
        '\n' | '\r' | '\t' => false,
        _ => letter.is_control(),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_turns_or_hides_a_text_is_seen() {
        for (text, shown) in [
            ("door/\u{202e}desolc", "door/‹U+202E›desolc"),
            ("a\u{2066}b\u{2069}", "a‹U+2066›b‹U+2069›"),
            ("valve\u{200b}", "valve‹U+200B›"),
            ("pump\u{200d}1", "pump‹U+200D›1"),
            ("\u{feff}on", "‹U+FEFF›on"),
            ("\u{1b}[31mred\u{7}", "‹U+001B›[31mred‹U+0007›"),
            ("x\u{e0041}", "x‹U+E0041›"),
            ("a\tb\r\nc\0", "a\tb\r\nc‹U+0000›"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn letters_of_all_scripts_and_emoji_stay_as_they_are() {
        for text in [
            "home/kitchen",
            "temperatura/salón ≈ 21 °C",
            "בית/מטבח",
            "المطبخ/درجة",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{200d}🔧/❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ] {
            assert_eq!(visible(text), text);
        }
    }
}
