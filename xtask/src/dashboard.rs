//! The dashboard as the broker embeds it: a folder of files ready to be served.
//!
//! The programs of `client-wasm` are compiled for wasm32, wasm-bindgen writes the JavaScript around them,
//! and the page `index.html` gets the names of what was built. Names carry a hash of the content, so a browser
//! may keep such a file for ever; beside each file that shrinks lie `.br` and `.gz`, compressed once
//! here instead of on every request.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::page::{self, Link};
use crate::{command, glue, workspace};

/// Kinds of file that compression makes smaller.
const COMPRESSIBLE: &[&str] =
    &["css", "html", "ico", "js", "json", "svg", "txt", "wasm", "webmanifest"];

/// The program that a style sheet belongs to unless it says otherwise: the first load.
const FIRST_PROGRAM: &str = "app";

/// Builds the dashboard and returns its folder.
pub(crate) fn build() -> Result<PathBuf> {
    let source = workspace::root().join("index.html");
    let page = read_text(&source)?;
    let links = page::links(&page)?;
    let mut site = Site::open(workspace::target().join("dashboard"))?;
    let styles = styles(&mut site, &links)?;
    let mut shell = Shell::default();
    for (program, name) in &styles {
        shell.files_of(program).push(name.clone());
    }
    let mut is_styled = false;
    let mut replacements = Vec::new();
    for link in links {
        let text = match link.require("rel")? {
            _ if link.get("data-development").is_some() => String::new(),
            "rust" => program(&mut site, &link, &styles, &mut shell)?,
            "copy-file" => {
                let file = linked_file(&link)?;
                let name = file_name(&file)?;
                site.put(&name, &read(&file)?)?;
                // Pictures are for the system that installs the page, not for the page.
                shell.first_load.extend((!name.ends_with(".png")).then_some(name));
                String::new()
            }
            // All sheets of the first load are one, in the place of the first.
            "css" => match styles.get(FIRST_PROGRAM) {
                Some(name) if !std::mem::replace(&mut is_styled, true) => {
                    format!(r#"<link rel="stylesheet" href="./{name}">"#)
                }
                _ => String::new(),
            },
            other => bail!("index.html: xtask does not know rel=\"{other}\"; see dashboard.rs"),
        };
        replacements.push((link, text));
    }
    let page = page::replace(&page, &replacements);
    site.put("index.html", page.as_bytes())?;
    let worker = read_text(&workspace::root().join(OFFLINE))?;
    let worker = with_files(&worker, &page, &shell, &site)?;
    site.put("offline.js", worker.as_bytes())?;
    site.close()
}

/// The service worker, which keeps the page for when there is no network.
const OFFLINE: &str = "client-wasm/app/offline.js";

/// The files that the page needs where there is no network.
#[derive(Default)]
struct Shell {
    first_load: Vec<String>,
    /// What is fetched when the page has nothing else to do.
    rest: Vec<String>,
}

impl Shell {
    fn files_of(&mut self, program: &str) -> &mut Vec<String> {
        if program == FIRST_PROGRAM { &mut self.first_load } else { &mut self.rest }
    }
}

/// The service worker with what it has to know: the files of the first load and those of the rest, and a
/// version that is another one whenever one of them is. The rest is in it by its names, which the page has
/// too, and which carry a hash.
fn with_files(worker: &str, page: &str, shell: &Shell, site: &Site) -> Result<String> {
    let mut all = page.as_bytes().to_vec();
    for name in &shell.first_load {
        all.extend(name.as_bytes());
        all.extend(read(&site.folder.join(name))?);
    }
    let quoted = |names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!(r#""./{name}""#)).collect()
    };
    let first: Vec<_> =
        [r#""./""#.to_owned()].into_iter().chain(quoted(&shell.first_load)).collect();
    let (version, first, rest) =
        (short_hash(&all), first.join(", "), quoted(&shell.rest).join(", "));
    Ok(format!(
        "const VERSION = \"{version}\";\nconst FILES = [{first}];\nconst REST = [{rest}];\n\n{worker}"
    ))
}

/// The style sheets of each program as one, in their order; returns the names by program.
fn styles(site: &mut Site, links: &[Link]) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::<String, String>::new();
    for link in links.iter().filter(|link| link.get("rel") == Some("css")) {
        let program = link.get("data-program").unwrap_or(FIRST_PROGRAM);
        let text = texts.entry(program.to_owned()).or_default();
        for line in glue::without_comments(&read_text(&linked_file(link)?)?) {
            text.extend([line, "\n"]);
        }
    }
    let named = texts.into_iter().map(|(program, text)| {
        let name = site.put_hashed(&format!("{program}.css"), text.as_bytes())?;
        Ok((program, name))
    });
    named.collect()
}

/// Compiles the program that a `rel="rust"` link names, and returns the elements that load it, or that
/// say where it is for the page to load it itself.
///
/// No script stands in the page itself: a content security policy can forbid those.
fn program(
    site: &mut Site,
    link: &Link,
    styles: &BTreeMap<String, String>,
    shell: &mut Shell,
) -> Result<String> {
    let name = link.require("data-bin")?;
    let wasm = compile(link)?;
    let folder = workspace::target().join("wasm-bindgen").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| cannot("empty", &folder))?;
    }
    let mut output = Bindgen::new()
        .input_path(&wasm)
        .out_name(name)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(false)
        .remove_producers_section(true)
        .remove_name_section(true)
        .generate_output()
        .with_context(|| format!("wasm-bindgen failed on {}", wasm.display()))?;
    let names = glue::shorten(&mut output);
    output.emit(&folder).with_context(|| cannot("write into", &folder))?;

    let inner = format!("{name}_bg.wasm");
    let module = site.put_hashed(&format!("{name}.wasm"), &read(&folder.join(&inner))?)?;
    let glue = read_text(&folder.join(name).with_extension("js"))?;
    let glue = glue::slim(&glue, &names)?;
    if !glue.contains(&inner) {
        bail!(
            "wasm-bindgen's {name}.js does not name {inner}: dashboard.rs has to learn its new way"
        );
    }
    let glue = site.put_hashed(&format!("{name}.js"), glue.replace(&inner, &module).as_bytes())?;
    for (file, bytes) in files_below(&folder.join("snippets"), "snippets")? {
        site.put(&file, &bytes)?;
    }
    shell.files_of(name).extend([&glue, &module].map(String::clone));
    if name != FIRST_PROGRAM {
        let style = styles.get(name).map(|style| format!(r#" data-style="./{style}""#));
        return Ok(format!(r#"<link rel="{name}" href="./{glue}"{}>"#, style.unwrap_or_default()));
    }
    // A page that came without TLS from another machine may have no service worker; and where a browser
    // takes none, the page does without. Once it runs and the page is idle, it is to keep the rest as well.
    let start = format!(
        "import init from './{glue}';\nawait init();\n\
         const offline = navigator.serviceWorker;\n\
         offline?.register('./offline.js').catch(() => {{}});\n\
         offline?.ready.then(({{ active }}) =>\n\
         (globalThis.requestIdleCallback ?? setTimeout)(() => active.postMessage('rest')));\n"
    );
    let start = site.put_hashed("start.js", start.as_bytes())?;
    shell.first_load.push(start.clone());
    Ok([
        format!(r#"<link rel="modulepreload" href="./{glue}">"#),
        format!(
            r#"<link rel="preload" href="./{module}" as="fetch" type="application/wasm" crossorigin>"#
        ),
        format!(r#"<script type="module" src="./{start}"></script>"#),
    ]
    .join("\n"))
}

/// Where cargo keeps what it has downloaded.
fn cargo_home() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo")))
}

/// Compiles for the browser and returns the wasm module's path.
fn compile(link: &Link) -> Result<PathBuf> {
    let (manifest, program) = (link.require("href")?, link.require("data-bin")?);
    let profile = link.require("data-cargo-profile-release")?;
    let mut build = command::cargo();
    build.args([
        "build",
        "--manifest-path",
        manifest,
        "--bin",
        program,
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        profile,
    ]);
    if link.get("data-cargo-no-default-features").is_some() {
        build.arg("--no-default-features");
    }
    if let Some(home) = cargo_home() {
        // What panics names its source, which is not to say where on this machine that is: that would be nobody's
        // business, and as many bytes of the first load.
        let sources = home.join("registry/src");
        let flag = format!("--remap-path-prefix={}=", sources.display());
        command::add_rustc_flag(&mut build, &flag);
    }
    command::run(&mut build)?;
    let folder = workspace::target().join("wasm32-unknown-unknown").join(profile);
    Ok(folder.join(program).with_extension("wasm"))
}

/// The folder being filled. What an earlier build left and this one does not write is removed.
struct Site {
    folder: PathBuf,
    written: BTreeSet<PathBuf>,
}

impl Site {
    fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| cannot("create", &folder))?;
        Ok(Self { folder, written: BTreeSet::new() })
    }

    /// Writes a file under a name that says its content, and returns that name.
    fn put_hashed(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let name = format!("{stem}-{}.{extension}", short_hash(bytes));
        self.put(&name, bytes)?;
        Ok(name)
    }

    /// Writes a file and those compressed forms of it that are smaller, unless all of that is there
    /// already: then the times stay as they are, and cargo need not compile the broker again.
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        let forms = [with_suffix(&path, ".br"), with_suffix(&path, ".gz")];
        if !fs::read(&path).is_ok_and(|old| old == bytes) {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| cannot("create", parent))?;
            }
            if path.extension().is_some_and(|e| COMPRESSIBLE.iter().any(|known| e == *known)) {
                let compressed = [compress_brotli(bytes)?, compress_gzip(bytes)?];
                for (form, compressed) in forms.iter().zip(compressed) {
                    if compressed.len() < bytes.len() {
                        write(form, &compressed)?;
                    } else if form.exists() {
                        fs::remove_file(form).with_context(|| cannot("remove", form))?;
                    }
                }
            }
            // Last, so that where the file is whole, its compressed forms are too.
            write(&path, bytes)?;
        }
        self.written.extend(forms);
        self.written.insert(path);
        Ok(())
    }

    fn close(self) -> Result<PathBuf> {
        for (name, _) in files_below(&self.folder, "")? {
            let path = self.folder.join(name);
            if !self.written.contains(&path) {
                fs::remove_file(&path).with_context(|| cannot("remove", &path))?;
            }
        }
        Ok(self.folder)
    }
}

/// Every file below a folder, named from there; none where there is no such folder.
fn files_below(folder: &Path, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder).with_context(|| cannot("list", folder))? {
        let path = entry.with_context(|| cannot("list", folder))?.path();
        let name = match prefix {
            "" => file_name(&path)?,
            prefix => format!("{prefix}/{}", file_name(&path)?),
        };
        if path.is_dir() {
            files.extend(files_below(&path, &name)?);
        } else {
            files.push((name, read(&path)?));
        }
    }
    Ok(files)
}

/// The first 64 bits of the content's SHA-256, in hexadecimal.
fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn compress_brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut out, &parameters)?;
    Ok(out)
}

fn compress_gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// The file that a link's `href` names, seen from the top of the repository.
fn linked_file(link: &Link) -> Result<PathBuf> {
    Ok(workspace::root().join(link.require("href")?))
}

fn file_name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(name.with_context(|| format!("{}: not a name for the web", path.display()))?.to_owned())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| cannot("read", path))
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| cannot("read", path))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| cannot("write", path))
}

fn cannot(verb: &str, path: &Path) -> String {
    format!("cannot {verb} {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// A folder of one test's own, below the folder for everything built.
    fn empty_folder(name: &str) -> PathBuf {
        let folder = workspace::target().join("xtask-tests").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            files_below(folder, "").unwrap().into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_lies_beside_its_compressed_forms_and_stale_ones_go() {
        let folder = empty_folder("site");
        let text = "the same line again\n".repeat(100);
        let mut site = Site::open(folder.clone()).unwrap();
        site.put("old.txt", text.as_bytes()).unwrap();
        site.put("photo.png", b"not compressed again").unwrap();
        site.close().unwrap();

        let mut site = Site::open(folder.clone()).unwrap();
        site.put("snippets/new.txt", text.as_bytes()).unwrap();
        site.put("photo.png", b"not compressed again").unwrap();
        site.put("tiny.txt", b"no smaller").unwrap();
        site.close().unwrap();
        assert_eq!(
            names(&folder),
            [
                "photo.png",
                "snippets/new.txt",
                "snippets/new.txt.br",
                "snippets/new.txt.gz",
                "tiny.txt"
            ]
        );

        let mut plain = String::new();
        let gzip = fs::read(folder.join("snippets/new.txt.gz")).unwrap();
        flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, text);
        let mut plain = Vec::new();
        let brotli = fs::read(folder.join("snippets/new.txt.br")).unwrap();
        brotli::BrotliDecompress(&mut &*brotli, &mut plain).unwrap();
        assert_eq!(plain, text.as_bytes());
    }

    #[test]
    fn a_hashed_name_changes_with_the_content() {
        let mut site = Site::open(empty_folder("hashed")).unwrap();
        // The SHA-256 of the empty text begins so.
        assert_eq!(site.put_hashed("a.js", b"").unwrap(), "a-e3b0c44298fc1c14.js");
        assert_ne!(site.put_hashed("a.js", b"1").unwrap(), site.put_hashed("a.js", b"2").unwrap());
    }

    #[test]
    fn the_service_worker_has_another_version_when_any_file_of_the_first_load_has_changed() {
        let mut site = Site::open(empty_folder("offline")).unwrap();
        let mut with = |page: &str, style: &str| {
            site.put("worker.js", style.as_bytes()).unwrap();
            let (first_load, rest) = (vec!["worker.js".into()], vec!["rooms-1.js".into()]);
            with_files("rest", page, &Shell { first_load, rest }, &site).unwrap()
        };
        let first = with("page", "a");
        assert!(first.contains(r#"const FILES = ["./", "./worker.js"];"#), "{first}");
        assert!(first.contains(r#"const REST = ["./rooms-1.js"];"#), "{first}");
        assert!(first.ends_with("\nrest"), "{first}");
        assert_eq!(first, with("page", "a"));
        assert_ne!(first, with("page", "b"));
        assert_ne!(first, with("another page", "a"));
    }

    #[test]
    fn a_file_that_did_not_change_is_left_alone() {
        let folder = empty_folder("unchanged");
        let time = |folder: &Path| fs::metadata(folder.join("a.css")).unwrap().modified().unwrap();
        let mut site = Site::open(folder.clone()).unwrap();
        site.put("a.css", b"body{}").unwrap();
        let before = time(&folder);
        site.put("a.css", b"body{}").unwrap();
        assert_eq!(time(&folder), before);
    }
}
