//! The files of the dashboard, as they are inside this program.
//!
//! `build.rs` wrote the table: from the folder that `WS_BROKER_DASHBOARD` named when this was
//! compiled, or, without one, a single page that says the dashboard is not in this build.

/// One file of the dashboard, ready to be sent.
pub(crate) struct Asset {
    /// The path that a browser asks for, beginning with `/`.
    pub(crate) path: &'static str,
    /// The value of `Content-Type`.
    pub(crate) content_type: &'static str,
    /// The value of `ETag`: weak, the same for every encoding.
    pub(crate) etag: &'static str,
    /// Whether the path changes whenever the content does, so that it may be cached for ever.
    pub(crate) immutable: bool,
    /// The content itself.
    pub(crate) identity: &'static [u8],
    /// The content compressed, for `Content-Encoding: gzip`.
    pub(crate) gzip: Option<&'static [u8]>,
    /// The content compressed, for `Content-Encoding: br`.
    pub(crate) brotli: Option<&'static [u8]>,
}

// `static ASSETS: &[Asset]`, in the order of the paths.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file for the path of a request, which comes without a query. `/` is the page itself.
pub(crate) fn get(path: &str) -> Option<&'static Asset> {
    let path = if path == "/" { "/index.html" } else { path };
    let index = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    ASSETS.get(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_there_under_both_its_names() {
        let page = get("/").unwrap();
        assert_eq!(page.path, "/index.html");
        assert_eq!(get("/index.html").unwrap().etag, page.etag);
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(page.identity.starts_with(b"<!doctype html>"));
        assert!(!page.immutable, "the page names the other files: it has to be asked for again");
    }

    #[test]
    fn every_file_is_found_and_its_compressed_forms_are_smaller() {
        for asset in ASSETS {
            let found = get(asset.path).unwrap();
            assert_eq!(found.path, asset.path);
            assert!(found.etag.starts_with("W/\"") && found.etag.ends_with('"'), "{}", found.etag);
            assert!(!found.content_type.is_empty());
            for form in [found.gzip, found.brotli].into_iter().flatten() {
                assert!(form.len() < found.identity.len(), "{}", found.path);
            }
        }
    }

    #[test]
    fn other_paths_find_nothing() {
        for path in
            ["", "//", "/index", "/index.html/", "/../Cargo.toml", "/%2e%2e", "/index.html.br"]
        {
            assert!(get(path).is_none(), "{path}");
        }
    }
}
