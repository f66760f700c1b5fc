//! `index.html` is one page for two builders: trunk, for development, and [`mod@crate::dashboard`].
//!
//! Both read its `<link data-trunk …>` elements; a `<link data-development …>` is for trunk's page
//! alone. This module finds them, and writes the page with each replaced by what the browser shall
//! read instead.

use anyhow::{Context as _, Result, bail};

/// The attributes that mark a link for a builder.
const MARKS: [&str; 2] = ["data-trunk", "data-development"];

/// A link for a builder: something that has to be built, copied or left out.
#[derive(Debug, PartialEq)]
pub(crate) struct Link {
    attributes: Vec<(String, String)>,
    start: usize,
    end: usize,
}

impl Link {
    /// An attribute's value; empty for one that stands there without a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// An attribute's value, where the link makes no sense without.
    pub(crate) fn require(&self, name: &str) -> Result<&str> {
        self.get(name)
            .with_context(|| format!("index.html: a link without {name}: {:?}", self.attributes))
    }
}

/// Every link for a builder in the page, in order.
pub(crate) fn links(page: &str) -> Result<Vec<Link>> {
    const OPEN: &str = "<link";
    let mut links = Vec::new();
    let mut at = 0;
    while let Some(start) = page.get(at..).and_then(|rest| rest.find(OPEN)).map(|n| at + n) {
        let inside = start + OPEN.len();
        let rest = page.get(inside..).unwrap_or_default();
        let length = rest.find('>').context("index.html: a <link> that is never closed")?;
        let text = rest.get(..length).unwrap_or_default().trim_end_matches('/');
        let end = inside + length + 1;
        let attributes = attributes(text)?;
        if attributes.iter().any(|(name, _)| MARKS.contains(&name.as_str())) {
            links.push(Link { attributes, start, end });
        }
        at = end;
    }
    Ok(links)
}

/// The page with each link replaced by the text beside it.
pub(crate) fn replace(page: &str, replacements: &[(Link, String)]) -> String {
    let mut out = String::with_capacity(page.len());
    let mut at = 0;
    for (link, text) in replacements {
        out.push_str(page.get(at..link.start).unwrap_or_default());
        out.push_str(text);
        at = link.end;
    }
    out.push_str(page.get(at..).unwrap_or_default());
    out
}

/// `name="value"` pairs and bare names, as they stand inside a tag.
fn attributes(text: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let name_end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        if let Some(quoted) = after.strip_prefix("=\"") {
            let (value, after) = quoted
                .split_once('"')
                .with_context(|| format!("index.html: {name}: a value that is never closed"))?;
            found.push((name.to_owned(), value.to_owned()));
            rest = after.trim_start();
        } else if after.starts_with('=') {
            bail!("index.html: {name}: put the value in double quotes");
        } else {
            found.push((name.to_owned(), String::new()));
            rest = after.trim_start();
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(
        "<head>\n",
        "<link rel=\"canonical\" href=\"/\">\n",
        "<link data-development rel=\"broker\" href=\"ws://x\">\n",
        "<link data-trunk rel=\"css\" href=\"a/b.css\" />\n",
        "<link\n  data-trunk rel=\"rust\"\n  data-bin=\"app\">\n",
        "</head>",
    );

    #[test]
    fn the_links_for_a_builder_are_found_and_no_others() {
        let links = links(PAGE).unwrap();
        let rels: Vec<_> = links.iter().map(|link| link.get("rel")).collect();
        assert_eq!(rels, [Some("broker"), Some("css"), Some("rust")]);
        assert_eq!(links[1].require("href").unwrap(), "a/b.css");
        assert_eq!(links[2].get("data-bin"), Some("app"));
        assert_eq!(links[2].get("data-trunk"), Some(""));
        assert!(links[2].require("href").unwrap_err().to_string().contains("without href"));
    }

    #[test]
    fn each_link_is_replaced_and_the_rest_stays() {
        let replacements: Vec<_> =
            links(PAGE).unwrap().into_iter().zip(["", "CSS", "RUST"].map(str::to_owned)).collect();
        let page = replace(PAGE, &replacements);
        assert_eq!(page, "<head>\n<link rel=\"canonical\" href=\"/\">\n\nCSS\nRUST\n</head>");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (page, reason) in [
            ("<link data-trunk", "never closed"),
            ("<link data-trunk rel=css>", "double quotes"),
            ("<link data-trunk rel=\"css>", "never closed"),
        ] {
            let error = links(page).unwrap_err().to_string();
            assert!(error.contains(reason), "{page}: {error}");
        }
    }
}
