//! Capital and small letters of all scripts. The tables for them are large and every browser has them, so
//! in one its own are asked; ASCII, which most topics are, needs none.

/// The text in small letters.
pub fn lower(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { tables::lower(text) }
}

/// The text in capital letters.
pub fn upper(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_uppercase() } else { tables::upper(text) }
}

/// Whether it is a capital letter, which has a small one.
pub fn is_upper(c: char) -> bool {
    differs(c, char::is_ascii_uppercase, tables::lower)
}

/// Whether it is a small letter, which has a capital one.
pub fn is_lower(c: char) -> bool {
    differs(c, char::is_ascii_lowercase, tables::upper)
}

fn differs(c: char, in_ascii: fn(&char) -> bool, turned: fn(&str) -> String) -> bool {
    let mut utf8 = [0; 4];
    let text = &*c.encode_utf8(&mut utf8);
    in_ascii(&c) || (!c.is_ascii() && turned(text) != text)
}

#[cfg(target_arch = "wasm32")]
mod tables {
    use js_sys::JsString;

    pub(super) fn lower(text: &str) -> String {
        JsString::from(text).to_lower_case().into()
    }

    pub(super) fn upper(text: &str) -> String {
        JsString::from(text).to_upper_case().into()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod tables {
    pub(super) fn lower(text: &str) -> String {
        text.to_lowercase()
    }

    pub(super) fn upper(text: &str) -> String {
        text.to_uppercase()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn letters_of_every_script_have_two_forms() {
        for (small, capital) in [("cpu 2", "CPU 2"), ("salón", "SALÓN"), ("жара °c", "ЖАРА °C")]
        {
            assert_eq!((lower(capital).as_str(), upper(small).as_str()), (small, capital));
        }
    }

    #[test]
    fn a_letter_is_one_or_the_other_and_other_signs_are_neither() {
        for (c, is_small, is_capital) in [
            ('a', true, false),
            ('Z', false, true),
            ('ñ', true, false),
            ('É', false, true),
            ('7', false, false),
            ('°', false, false),
            ('温', false, false),
        ] {
            assert_eq!((is_lower(c), is_upper(c)), (is_small, is_capital), "{c}");
        }
    }
}
