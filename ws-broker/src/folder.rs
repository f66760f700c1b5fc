//! Files of a folder that a listener serves instead of the dashboard (`http_dir`).
//!
//! **Invariant:** nothing outside the folder is ever read, by whatever path or link.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::limits::HTTP_FILE_MAX;

/// The file that stands for a folder.
const INDEX: &str = "index.html";

/// What files are, by the end of their names.
const CONTENT_TYPES: [(&str, &str); 22] = [
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("ico", "image/x-icon"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/plain; charset=utf-8"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
];

/// What a path of a request stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    File {
        content: Vec<u8>,
        content_type: &'static str,
    },
    /// A folder whose path has to end in `/`, so that what its page names is found.
    Folder,
    TooLarge,
    Nothing,
}

/// Looks for the path of a request, which comes without a query, in `folder`.
pub(crate) fn find(folder: &Path, path: &str) -> Found {
    let Some(mut wanted) = below(folder, path) else { return Found::Nothing };
    if path.ends_with('/') {
        wanted.push(INDEX);
    }
    // Links are followed, and must not lead out of the folder.
    let (Ok(folder), Ok(wanted)) = (folder.canonicalize(), wanted.canonicalize()) else {
        return Found::Nothing;
    };
    if !wanted.starts_with(&folder) {
        return Found::Nothing;
    }
    if wanted.is_dir() {
        return if path.ends_with('/') { Found::Nothing } else { Found::Folder };
    }
    // A pipe or a device would not come to an end.
    if !wanted.is_file() {
        return Found::Nothing;
    }
    read(&wanted)
}

/// The path below the folder; `None` for one that no file of a site has.
fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let mut wanted = folder.to_owned();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        // Neither a way up nor what is hidden.
        if name.starts_with('.') || name.contains(['\0', '\\']) {
            return None;
        }
        wanted.push(name);
    }
    Some(wanted)
}

fn read(path: &Path) -> Found {
    let Ok(file) = std::fs::File::open(path) else { return Found::Nothing };
    let mut content = Vec::new();
    // One byte more, to see that there are more.
    let most = HTTP_FILE_MAX.saturating_add(1);
    match file.take(most).read_to_end(&mut content) {
        Ok(length) if length as u64 > HTTP_FILE_MAX => Found::TooLarge,
        Ok(_) => Found::File { content, content_type: content_type(path) },
        Err(_) => Found::Nothing,
    }
}

fn content_type(path: &Path) -> &'static str {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let known = CONTENT_TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(end));
    known.map_or("application/octet-stream", |(_, content_type)| content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_found() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("site");
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        for (name, content) in
            [("index.html", "page"), ("sub/index.html", "below"), ("a b.txt", "x"), (".hidden", "")]
        {
            std::fs::write(folder.join(name), content).unwrap();
        }
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        std::os::unix::fs::symlink("index.html", folder.join("inner.html")).unwrap();
        let text = |found| match found {
            Found::File { content, .. } => String::from_utf8(content).unwrap(),
            other => format!("{other:?}"),
        };
        for (path, want) in [
            ("/", "page"),
            ("/index.html", "page"),
            ("/inner.html", "page"),
            ("/sub/", "below"),
            ("/sub", "Folder"),
            ("/a%20b.txt", "x"),
            ("/nothing", "Nothing"),
            ("/nothing/", "Nothing"),
            ("/../secret", "Nothing"),
            ("/%2e%2e/secret", "Nothing"),
            ("/sub/../../secret", "Nothing"),
            ("/..%2fsecret", "Nothing"),
            ("/sub\\..\\..\\secret", "Nothing"),
            ("//etc/passwd", "Nothing"),
            ("/link", "Nothing"),
            ("/.hidden", "Nothing"),
            ("/index.html%00", "Nothing"),
            ("/%ff", "Nothing"),
        ] {
            assert_eq!(text(find(&folder, path)), want, "{path}");
        }
    }
}
