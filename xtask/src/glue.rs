//! What wasm-bindgen makes for the browser, with shorter names and without what only people read.
//!
//! Each function that JavaScript and wasm know of each other has a long name that ends in a hash, once in
//! either file. Such names are most of what compression can't make smaller there.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use wasm_bindgen_cli_support::Output;

/// Digits of the hash in a name.
const HASH_LEN: usize = 16;

/// Names in the form in which wasm-bindgen makes them, with the short ones in their place.
pub(crate) type Names = BTreeMap<String, String>;

/// Gives short names to what the module imports and exports under long ones. Its JavaScript has to get
/// them too: see [`slim`].
pub(crate) fn shorten(output: &mut Output) -> Names {
    let mut names = Names::new();
    let module = output.wasm_mut();
    let imports = module.imports.iter_mut().map(|import| &mut import.name);
    let exports = module.exports.iter_mut().map(|export| &mut export.name);
    for name in imports.chain(exports).filter(|name| has_hash(name)) {
        let next = names.len();
        let short = names.entry(name.clone()).or_insert_with(|| short(next));
        name.clone_from(short);
    }
    names
}

/// Whether a part of the name is a hash.
fn has_hash(name: &str) -> bool {
    name.split('_').any(|part| {
        let part = part.strip_prefix('h').unwrap_or(part);
        part.len() == HASH_LEN && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The name with this number. The sign in front keeps it from being that of anything else.
fn short(mut number: usize) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut name = String::from("$");
    loop {
        name.extend(DIGITS.get(number % DIGITS.len()).map(|digit| char::from(*digit)));
        number /= DIGITS.len();
        if number == 0 {
            return name;
        }
    }
}

/// The JavaScript with these names, and without comments and indentation.
///
/// It is not for any JavaScript: a line of wasm-bindgen's begins or ends neither in a string nor behind a
/// comment.
pub(crate) fn slim(glue: &str, names: &Names) -> Result<String> {
    let mut out = String::with_capacity(glue.len());
    let mut used = 0;
    for line in without_comments(glue) {
        let mut rest = line;
        while let Some(start) = rest.find(is_of_name) {
            let (before, from) = rest.split_at(start);
            let (name, behind) = from.split_at(from.find(|c| !is_of_name(c)).unwrap_or(from.len()));
            out.push_str(before);
            out.push_str(names.get(name).map_or(name, |short| {
                used += 1;
                short
            }));
            rest = behind;
        }
        out.push_str(rest);
        out.push('\n');
    }
    if used < names.len() {
        bail!("wasm-bindgen's JavaScript does not name all that its wasm does: see glue.rs");
    }
    Ok(out)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$')
}

/// The lines without the space around them, but for empty ones and for comments that begin a line.
pub(crate) fn without_comments(text: &str) -> impl Iterator<Item = &str> {
    let mut is_in_comment = false;
    text.lines().filter_map(move |line| {
        let mut line = line.trim();
        if is_in_comment || line.starts_with("/*") {
            let end = line.split_once("*/");
            is_in_comment = end.is_none();
            line = end?.1.trim();
        }
        (!line.is_empty() && !line.starts_with("//")).then_some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_become_short_and_differ() {
        for (name, expected) in [
            ("__wbg_stroke_19fa3f3ec093bc25", true),
            ("wasm_bindgen__convert__closures_____invoke__h415b7318e165ac9f_5", true),
            ("__wbindgen_malloc", false),
            ("engine", false),
        ] {
            assert_eq!(has_hash(name), expected, "{name}");
        }
        let all: std::collections::BTreeSet<_> = (0..5_000).map(short).collect();
        assert_eq!(all.len(), 5_000);
        assert_eq!((short(0).as_str(), short(36).as_str()), ("$a", "$ab"));
    }

    #[test]
    fn the_javascript_keeps_what_runs() {
        let names = Names::from([("__wbg_arc_df3f7eb77e59876f".into(), "$a".into())]);
        let glue = "/**\n * Words.\n */\nexport function f() {\n\n    // Words.\n    \
                    wasm.__wbg_arc_df3f7eb77e59876f(`${x} // y`);\n    wasm.f();\n}\n";
        assert_eq!(
            slim(glue, &names).unwrap(),
            "export function f() {\nwasm.$a(`${x} // y`);\nwasm.f();\n}\n"
        );
        assert!(slim("f();", &names).is_err());
    }

    #[test]
    fn comments_and_empty_lines_go_and_what_is_behind_them_stays() {
        let text = "/* One. */\n\n  a { b: c; } /* kept */\n/* Two,\n   long. */ d {\n}\n";
        let lines: Vec<_> = without_comments(text).collect();
        assert_eq!(lines, ["a { b: c; } /* kept */", "d {", "}"]);
    }
}
