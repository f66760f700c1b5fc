//! A browser with nobody in front of it: headless Chromium, driven through `chromedriver`.
//!
//! What a test asks of the page, it asks with a line of JavaScript that looks at the page as it is
//! at that moment: the page paints itself anew many times a second, and an element that was found a
//! moment ago may be gone.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::error::{CmdError, NewSessionError};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{Broker, PATIENCE, Program, ports};

/// The environment variable that names the driver; without it, it is looked for on the `PATH`.
pub const CHROMEDRIVER_VARIABLE: &str = "CHROMEDRIVER";

/// Control and A, and then neither any more.
const SELECT_ALL: &str = "\u{e009}a\u{e000}";

/// The key.
const BACKSPACE: char = '\u{e003}';

/// How often the page is asked whether it has come to what a test waits for.
const PAGE_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// No window, nothing that needs a graphics card or a sandbox that a container has not, English,
/// and no calls home.
const ARGUMENTS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--lang=en-US",
    "--window-size=1280,900",
];

/// How the connection that the page shows is, as the page says it.
pub const CONNECTION_STATE: &str =
    r#"document.querySelector('[data-role="connection"]')?.dataset.state"#;

/// What a card shows: the text of an element of it, with the card brought into sight, because a card out
/// of sight is not kept up to date, and one that came far down the board is not made before somebody is near.
/// Where somebody has scrolled down the board holds still, and what has come since is asked for.
/// Topic and `data-role` are its arguments. `null` while there is no such card, or nothing on it.
pub const ON_CARD: &str = r#"((topic, role) => {
    const card = document.querySelector(`[data-topic="${CSS.escape(topic)}"]`);
    if (!card) {
        document.querySelector("[data-role=newcomers]")?.click();
        return null;
    }
    const box = card.getBoundingClientRect();
    if (box.top < 0 || box.bottom > innerHeight) card.scrollIntoView({ block: "center" });
    return card.querySelector(`[data-role="${role}"]`)?.innerText.trim() || null;
})(arguments[0], arguments[1])"#;

/// A browser with one page.
pub struct Browser {
    client: Client,
    runtime: Runtime,
    driver: Program,
    /// Where it saves files.
    downloads: TempDir,
}

impl Browser {
    /// Starts a browser with a profile of its own.
    ///
    /// # Panics
    /// If there is no driver, or no browser that it can start.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::start_as(&json!({}))
    }

    /// Starts a browser that is a phone of this size, in CSS pixels.
    #[must_use]
    #[track_caller]
    pub fn start_as_phone(width: u32, height: u32) -> Self {
        let screen = json!({ "width": width, "height": height, "pixelRatio": 2.0, "touch": true });
        Self::start_as(&json!({ "mobileEmulation": { "deviceMetrics": screen } }))
    }

    /// Starts a browser with these options of chromedriver beside those that all have.
    #[track_caller]
    fn start_as(options: &Value) -> Self {
        let port = ports::free_port();
        let path = std::env::var_os(CHROMEDRIVER_VARIABLE).unwrap_or_else(|| "chromedriver".into());
        // In a process group of its own, so that no part of the browser outlives the test.
        let driver = Program::start(
            "chromedriver",
            Command::new(path).arg(format!("--port={port}")).process_group(0),
        );
        driver.wait_for_line("started successfully");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the driver's client");
        let downloads = tempfile::tempdir().expect("a folder for downloads");
        let client = runtime
            .block_on(connect(port, downloads.path(), options))
            .unwrap_or_else(|error| panic!("chromedriver starts no browser: {error}"));
        Self { client, runtime, driver, downloads }
    }

    /// Starts a browser at one of the addresses of the page that a broker serves, and waits until it is connected.
    #[must_use]
    #[track_caller]
    pub fn at(broker: &Broker, address: &str) -> Self {
        let browser = Self::start();
        browser.go_online(broker, address);
        browser
    }

    /// Opens one of the addresses of the page that a broker serves, and waits until it is connected.
    #[track_caller]
    pub fn go_online(&self, broker: &Broker, address: &str) {
        self.open(&format!("http://127.0.0.1:{}/{address}", broker.ports.ws));
        let online = "document.querySelector('[data-role=connection]')?.dataset.state === 'online'";
        self.wait_for("the connection", online, &[]);
    }

    /// Opens a page.
    #[track_caller]
    pub fn open(&self, address: &str) {
        self.run(self.client.goto(address));
    }

    /// The value of a JavaScript expression, in which `args` are `arguments`.
    #[track_caller]
    pub fn value(&self, expression: &str, args: &[&str]) -> Value {
        let script = format!("return {expression};");
        let args = args.iter().map(|&arg| json!(arg)).collect();
        self.run(self.client.execute(&script, args))
    }

    /// Waits until the expression is neither `null` nor `false`, and returns it.
    ///
    /// # Panics
    /// If that does not happen; then it tells what the page shows, and leaves a picture of it.
    #[track_caller]
    pub fn wait_for(&self, what: &str, expression: &str, args: &[&str]) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.value(expression, args);
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            if Instant::now() >= deadline {
                let shown = self.value("document.body.innerText", &[]);
                let picture = self.screenshot("failed");
                panic!(
                    "the page did not come to this in time: {what}. It shows {shown}; see {}",
                    picture.display()
                );
            }
            std::thread::sleep(PAGE_POLL_INTERVAL);
        }
    }

    /// Chooses a file in the field for files that the CSS selector names, seen or not.
    #[track_caller]
    pub fn choose_file(&self, selector: &str, file: &Path) {
        let path = file.to_str().expect("a path of a test is text");
        self.run(async {
            let field = self.client.find(Locator::Css(selector)).await?;
            field.send_keys(path).await
        });
    }

    /// Types into the field that the CSS selector names, after what stands there is gone.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        self.run(async {
            // As a person does it: WebDriver's own way to clear a field tells the page nothing of it.
            let keys = format!("{SELECT_ALL}{BACKSPACE}{text}");
            self.find(selector).await?.send_keys(&keys).await
        });
    }

    /// Chooses an option, by its value, of the list that the CSS selector names.
    #[track_caller]
    pub fn choose(&self, selector: &str, value: &str) {
        self.run(async { self.find(selector).await?.select_by_value(value).await });
    }

    /// Clicks what the CSS selector names.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.run(async { self.find(selector).await?.click().await });
    }

    /// Moves the mouse to what the CSS selector names.
    #[track_caller]
    pub fn point_at(&self, selector: &str) {
        self.run(async {
            let element = self.find(selector).await?;
            let there = PointerAction::MoveToElement { element, duration: None, x: 0.0, y: 0.0 };
            self.client.perform_actions(MouseActions::new("mouse".to_owned()).then(there)).await
        });
    }

    /// Waits for what the CSS selector names: a page that somebody has gone to may have to be fetched.
    async fn find(&self, selector: &str) -> Result<Element, CmdError> {
        self.client.wait().every(PAGE_POLL_INTERVAL).for_element(Locator::Css(selector)).await
    }

    /// Presses a key, by its name, on what has the focus; the page sees what a keyboard sends.
    #[track_caller]
    pub fn press_on_focus(&self, key: &str) {
        let expression = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', \
                          { key: arguments[0], bubbles: true, cancelable: true }))";
        self.value(expression, &[key]);
    }

    /// Waits until the browser has saved a file whose name ends so, and returns what is in it.
    #[track_caller]
    pub fn saved_file(&self, ending: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let files = std::fs::read_dir(self.downloads.path()).expect("the folder of downloads");
            let file = files
                .filter_map(Result::ok)
                .find(|file| file.file_name().to_string_lossy().ends_with(ending));
            if let Some(file) = file {
                return std::fs::read_to_string(file.path()).expect("a saved file of text");
            }
            assert!(Instant::now() < deadline, "the browser saves no file that ends in {ending}");
            std::thread::sleep(PAGE_POLL_INTERVAL);
        }
    }

    /// Saves a picture of what is to be seen in `target/screenshots`, and returns where it is.
    #[track_caller]
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let folder = target_folder().join("screenshots");
        let path = folder.join(format!("{name}.png"));
        let picture = self.run(self.client.screenshot());
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, picture))
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        path
    }

    #[track_caller]
    fn run<T>(&self, command: impl Future<Output = Result<T, CmdError>>) -> T {
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, command).await });
        match answer {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => panic!("the browser cannot do it: {error}"),
            Err(_) => panic!("the browser does not answer within {PATIENCE:?}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let close = self.client.clone().close();
        // Where that fails, the signal below ends it as well; the profile's folder is left over.
        let _ = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, close).await });
        if let Some(group) = i32::try_from(self.driver.pid()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn connect(port: u16, downloads: &Path, further: &Value) -> Result<Client, NewSessionError> {
    let mut options = json!({
        "args": ARGUMENTS,
        "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
    });
    if let (Some(options), Some(further)) = (options.as_object_mut(), further.as_object()) {
        options.extend(further.clone());
    }
    let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
    ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
}

/// Where cargo puts what it builds.
fn target_folder() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}
