//! `ws-broker passwd`: writes password files as `mosquitto_passwd` does, with its options, its messages
//! and its status: 0 when all went well, 1 when it did not, 2 when two passwords differ.
//!
//! The file is never seen half written: a new one is written beside it and takes its place. It keeps its
//! owner and group; a new file is its owner's alone.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

use super::password::{Hash, Method, PBKDF2_ITERATIONS};
use crate::limits;

const USAGE: &str = "\
ws-broker passwd manages the password files of ws-broker and Mosquitto.

Usage: ws-broker passwd [-H HASH] [-I ITERATIONS] [-c | -D] passwordfile username
       ws-broker passwd [-H HASH] [-I ITERATIONS] [-c] -b passwordfile username password
       ws-broker passwd [-H HASH] [-I ITERATIONS] -U passwordfile

 -b : take the password from the command line, where others can see it.
 -c : write a new file, which takes the place of one that is there.
 -D : delete the user.
 -H : hash with sha512-pbkdf2 (unless told otherwise), sha512 (for Mosquitto 1.6 and before)
      or argon2id (for Mosquitto 2.1 and later).
 -I : the number of iterations of sha512-pbkdf2.
 -U : hash the passwords that a file holds as plain text.
";

/// The mode of a new file.
const MODE: u32 = 0o600;

/// What of the mode of a file that is there is kept: nothing for all the world.
const MODE_KEPT: u32 = 0o660;

/// Ctrl-C, Ctrl-D, and the two that erase, as a terminal without line editing sends them.
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: [u8; 2] = [0x08, 0x7f];

/// Why nothing was written: the sentence for standard error and the status of the process.
#[derive(Debug)]
struct Failed {
    why: String,
    status: u8,
}

impl Failed {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), status: 1 }
    }

    fn with_file(what: &str, file: &Path, error: &io::Error) -> Self {
        Self::because(format!("Error: Unable to {what} {}. {error}.", file.display()))
    }
}

/// What is to be done with a file.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    /// Give a user a password, which is asked for if it is not there.
    Set { user: String, password: Option<String>, new_file: bool },
    /// Delete a user.
    Delete { user: String },
    /// Hash the passwords that are there.
    HashAll,
}

/// Does what the arguments behind `ws-broker passwd` say; the answer is the status of the process.
pub(crate) fn manage(arguments: Vec<OsString>) -> u8 {
    let asks_for_help = arguments.iter().any(|argument| argument == "--help");
    if arguments.is_empty() || asks_for_help {
        print!("{USAGE}");
        return u8::from(!asks_for_help);
    }
    match parse(arguments).and_then(|(method, file, task)| run(method, &file, task)) {
        Ok(()) => 0,
        Err(failed) => {
            eprintln!("{}", failed.why.trim_end());
            failed.status
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<(Method, PathBuf, Task), Failed> {
    let mut method = Method::Pbkdf2 { iterations: PBKDF2_ITERATIONS };
    let mut iterations = None;
    let (mut batch, mut create, mut delete, mut hash_all) = (false, false, false, false);
    let mut rest = arguments.into_iter().peekable();
    let value = |option: &str, value: Option<OsString>| {
        value.and_then(|value| value.into_string().ok()).ok_or_else(|| {
            let why = format!("Error: {option} argument given but not enough other arguments.");
            Failed::because(why)
        })
    };
    while let Some(option) = rest.next_if(|argument| argument.as_encoded_bytes().starts_with(b"-"))
    {
        match option.to_str() {
            Some("-b") => batch = true,
            Some("-c") => create = true,
            Some("-D") => delete = true,
            Some("-U") => hash_all = true,
            Some("-H") => method = parse_method(&value("-H", rest.next())?)?,
            Some("-I") => iterations = Some(parse_iterations(&value("-I", rest.next())?)?),
            _ => {
                let why = format!("Error: Unknown option '{}'.\n{USAGE}", option.display());
                return Err(Failed::because(why));
            }
        }
    }
    if let (Method::Pbkdf2 { iterations: default }, Some(wanted)) = (&mut method, iterations) {
        *default = wanted;
    }
    let both = [
        (create && delete, "-c and -D"),
        (create && hash_all, "-c and -U"),
        (delete && hash_all, "-D and -U"),
        (delete && batch, "-b and -D"),
        (hash_all && batch, "-b and -U"),
    ];
    if let Some((_, options)) = both.into_iter().find(|(given, _)| *given) {
        return Err(Failed::because(format!("Error: {options} cannot be used together.")));
    }
    let wants = match (hash_all, batch) {
        (true, _) => 1,
        (false, false) => 2,
        (false, true) => 3,
    };
    let rest: Vec<OsString> = rest.collect();
    if rest.len() != wants {
        let names = ["password file", "user name", "password"];
        let names: Vec<_> = names.into_iter().take(wants).collect();
        let why = format!("Error: What is wanted is: {}.\n{USAGE}", names.join(", "));
        return Err(Failed::because(why));
    }
    let mut rest = rest.into_iter();
    let file = PathBuf::from(rest.next().unwrap_or_default());
    if hash_all {
        return Ok((method, file, Task::HashAll));
    }
    let user = parse_user(rest.next().unwrap_or_default())?;
    let password = rest.next().map(parse_password).transpose()?;
    let task =
        if delete { Task::Delete { user } } else { Task::Set { user, password, new_file: create } };
    Ok((method, file, task))
}

fn parse_method(name: &str) -> Result<Method, Failed> {
    match name {
        "sha512" => Ok(Method::Sha512),
        "sha512-pbkdf2" => Ok(Method::Pbkdf2 { iterations: PBKDF2_ITERATIONS }),
        "argon2id" => Ok(Method::Argon2id),
        _ => Err(Failed::because(format!("Error: Unknown hash type '{name}'"))),
    }
}

fn parse_iterations(text: &str) -> Result<u32, Failed> {
    let max = limits::PBKDF2_ITERATIONS_MAX;
    let iterations = text.parse().ok().filter(|iterations| (1..=max).contains(iterations));
    iterations.ok_or_else(|| {
        Failed::because(format!("Error: Number of iterations must be > 0 and at most {max}."))
    })
}

fn parse_user(name: OsString) -> Result<String, Failed> {
    let invalid = |why: &str| Err(Failed::because(format!("Error: Username must {why}.")));
    let Ok(name) = name.into_string() else { return invalid("be UTF-8") };
    if name.len() > limits::CREDENTIAL_BYTES_MAX {
        return invalid("be less than 65536 characters long");
    }
    if name.chars().any(char::is_control) {
        return invalid("not contain control characters");
    }
    if name.contains(':') {
        return invalid("not contain the ':' character");
    }
    // It would be read back as something else: as a comment, or as another name.
    if name.is_empty() || name.starts_with('#') || name.trim() != name {
        return invalid("not be empty, begin with '#', or begin or end with a space");
    }
    Ok(name)
}

fn parse_password(password: OsString) -> Result<String, Failed> {
    let Ok(password) = password.into_string() else {
        return Err(Failed::because("Error: Password must be UTF-8."));
    };
    if password.len() > limits::CREDENTIAL_BYTES_MAX {
        return Err(Failed::because("Error: Password must be less than 65536 characters long."));
    }
    Ok(password)
}

fn run(method: Method, file: &Path, task: Task) -> Result<(), Failed> {
    // What a link points to is replaced, and not the link.
    let file = match fs::canonicalize(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => file.to_owned(),
        Err(error) => {
            return Err(Failed::because(format!("Error reading password file: {error}.")));
        }
    };
    let creates = matches!(task, Task::Set { new_file: true, .. });
    let old = if creates { None } else { Some(read(&file)?) };
    let lines = match task {
        Task::Set { user, password, .. } => {
            let password = match password {
                Some(password) => password,
                None => ask_twice()?,
            };
            let line = line(method, &user, &password)?;
            match old.as_ref() {
                Some((text, _)) => with_user(text, &user, &line)?,
                None => line,
            }
        }
        Task::Delete { user } => without_user(old.as_ref().map_or("", |(text, _)| text), &user)?,
        Task::HashAll => hashed(old.as_ref().map_or("", |(text, _)| text), method)?,
    };
    replace(&file, &lines, old.as_ref().map(|(_, metadata)| metadata))
}

fn read(file: &Path) -> Result<(String, fs::Metadata), Failed> {
    let failed = |error| Failed::with_file("open password file", file, &error);
    let mut opened = File::open(file).map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(failed)?;
    Ok((text, metadata))
}

/// The line of a password file that gives a user a password.
fn line(method: Method, user: &str, password: &str) -> Result<String, Failed> {
    let hash = Hash::new(method, password.as_bytes())
        .map_err(|error| Failed::because(format!("Error: Unable to hash password: {error}.")))?;
    Ok(format!("{user}:{hash}\n"))
}

/// One line of a password file.
enum Line<'a> {
    /// A comment, or nothing.
    Other,
    User {
        name: &'a str,
        password: &'a str,
    },
}

fn parse_line(number: usize, text: &str) -> Result<Line<'_>, Failed> {
    if text.starts_with('#') || text.trim().is_empty() {
        return Ok(Line::Other);
    }
    match text.split_once(':').map(|(name, password)| (name.trim(), password.trim())) {
        Some((name, password)) if !name.is_empty() && !password.is_empty() => {
            Ok(Line::User { name, password })
        }
        _ => Err(Failed::because(format!("Error: Corrupt password file at line {number}."))),
    }
}

/// The file with each line replaced by what `change` makes of its user and password, if it makes
/// anything of them.
fn rewritten(
    text: &str,
    mut change: impl FnMut(&str, &str) -> Result<Option<String>, Failed>,
) -> Result<String, Failed> {
    let mut lines = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        let changed = match parse_line(number, line)? {
            Line::Other => None,
            Line::User { name, password } => change(name, password)?,
        };
        match changed {
            Some(changed) => lines.push_str(&changed),
            None => {
                lines.push_str(line);
                lines.push('\n');
            }
        }
    }
    Ok(lines)
}

fn with_user(text: &str, user: &str, new: &str) -> Result<String, Failed> {
    let mut found = false;
    let mut lines = rewritten(text, |name, _| {
        if name != user {
            return Ok(None);
        }
        // A second line for the same user goes: it would bring the old password back.
        let line = if found { String::new() } else { new.to_owned() };
        found = true;
        Ok(Some(line))
    })?;
    if !found {
        lines.push_str(new);
    }
    Ok(lines)
}

fn without_user(text: &str, user: &str) -> Result<String, Failed> {
    let mut found = false;
    let lines = rewritten(text, |name, _| {
        found |= name == user;
        Ok((name == user).then(String::new))
    })?;
    if found {
        Ok(lines)
    } else {
        Err(Failed::because(format!("Warning: User {user} not found in password file.")))
    }
}

/// A password that is hashed already stays as it is, where `mosquitto_passwd` would hash it once more and
/// lock its user out.
fn hashed(text: &str, method: Method) -> Result<String, Failed> {
    rewritten(text, |name, password| match Hash::parse(password) {
        Ok(_) => Ok(None),
        Err(_) => line(method, name, password).map(Some),
    })
}

/// Puts a file with these lines in the place of `file`.
fn replace(file: &Path, lines: &str, old: Option<&fs::Metadata>) -> Result<(), Failed> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".new.{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = write_beside(&beside, lines, old).and_then(|()| fs::rename(&beside, file));
    if let Err(error) = written {
        let _ = fs::remove_file(&beside);
        return Err(Failed::because(format!(
            "Error: Unable to open file {} for writing. {error}.",
            file.display()
        )));
    }
    // The new name is on the disk when its folder is; where that can't be had, it comes by itself.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_beside(beside: &Path, lines: &str, old: Option<&fs::Metadata>) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(MODE).open(beside)?;
    if let Some(old) = old {
        let now = new.metadata()?;
        if (old.uid(), old.gid()) != (now.uid(), now.gid()) {
            fchown(&new, Some(old.uid()), Some(old.gid()))?;
        }
        let mode = old.mode() & MODE_KEPT | MODE;
        new.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    new.write_all(lines.as_bytes())?;
    new.sync_all()
}

/// Asks for a new password, twice.
fn ask_twice() -> Result<String, Failed> {
    let first = ask("Password: ")?;
    let second = ask("Reenter password: ")?;
    if first == second {
        Ok(first)
    } else {
        Err(Failed { why: "Error: Passwords do not match.".into(), status: 2 })
    }
}

fn ask(prompt: &str) -> Result<String, Failed> {
    let failed = |error: io::Error| Failed::because(format!("Error: {error}."));
    let (mut input, mut out) = (io::stdin().lock(), io::stdout());
    // Quiet before it asks: who answers at once is not shown either.
    let quiet = Quiet::begin();
    out.write_all(prompt.as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    let bytes = if quiet.is_some() { read_keys(&mut input) } else { read_line(&mut input) };
    drop(quiet);
    let _ = out.write_all(b"\n");
    let bytes = bytes.map_err(failed)?;
    let Some(bytes) = bytes else {
        return Err(Failed { why: "Interrupted.".into(), status: 130 });
    };
    let password =
        String::from_utf8(bytes).map_err(|_| Failed::because("Error: Password must be UTF-8."))?;
    if password.is_empty() {
        return Err(Failed::because("Error: Empty password."));
    }
    parse_password(password.into())
}

/// A line of an input that is no terminal.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    // One that is longer than a password may be is told apart by its length.
    let max = limits::CREDENTIAL_BYTES_MAX as u64 + 3;
    input.take(max).read_until(b'\n', &mut line)?;
    while line.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(line))
}

/// A line that somebody types unseen; `None` if they gave up.
fn read_keys(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    for key in input.bytes() {
        match key? {
            b'\n' | b'\r' | END => break,
            INTERRUPT => return Ok(None),
            key if BACKSPACE.contains(&key) => {
                // What follows the first byte of a character goes with it.
                while line.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {}
            }
            key if line.len() <= limits::CREDENTIAL_BYTES_MAX => line.push(key),
            _ => {}
        }
    }
    Ok(Some(line))
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    /// `None` where the standard input is no terminal.
    fn begin() -> Option<Self> {
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        // Without signals, Ctrl-C can't end the program while the terminal is quiet.
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<(Method, PathBuf, Task), String> {
        parse(arguments.split_whitespace().map(Into::into).collect()).map_err(|failed| failed.why)
    }

    #[test]
    fn arguments_are_those_of_mosquitto_passwd() {
        let default = Method::Pbkdf2 { iterations: PBKDF2_ITERATIONS };
        let set = |password: Option<&str>, new_file| Task::Set {
            user: "ral".into(),
            password: password.map(Into::into),
            new_file,
        };
        for (arguments, method, task) in [
            ("file ral", default, set(None, false)),
            ("-c file ral", default, set(None, true)),
            ("-b file ral -secret", default, set(Some("-secret"), false)),
            ("-c -b file ral secret", default, set(Some("secret"), true)),
            ("-H sha512 file ral", Method::Sha512, set(None, false)),
            ("-H argon2id -b file ral x", Method::Argon2id, set(Some("x"), false)),
            ("-I 101 file ral", Method::Pbkdf2 { iterations: 101 }, set(None, false)),
            ("-D file ral", default, Task::Delete { user: "ral".into() }),
            ("-U file", default, Task::HashAll),
        ] {
            assert_eq!(parsed(arguments), Ok((method, "file".into(), task)), "{arguments}");
        }
        for (arguments, why) in [
            ("-c -D file ral", "-c and -D cannot be used together"),
            ("-c -U file", "-c and -U cannot be used together"),
            ("-D -U file", "-D and -U cannot be used together"),
            ("-b -D file ral", "-b and -D cannot be used together"),
            ("-H md5 file ral", "Unknown hash type 'md5'"),
            ("-I 0 file ral", "iterations must be > 0"),
            ("-H", "-H argument given but not enough"),
            ("-x file ral", "Unknown option '-x'"),
            ("file", "password file, user name"),
            ("-b file ral", "password file, user name, password"),
            ("file ral secret", "password file, user name"),
            ("-U file ral", "wanted is: password file."),
            ("file a:b", "must not contain the ':' character"),
            ("file #a", "begin with '#'"),
        ] {
            let got = parsed(arguments);
            assert!(got.as_ref().is_err_and(|got| got.contains(why)), "{arguments}: {got:?}");
        }
    }

    #[test]
    fn one_users_line_changes_and_all_else_stays() {
        let text = "# people\n\nann:1\r\n bob : 2 \nann:3\n";
        assert_eq!(with_user(text, "ann", "ann:9\n").unwrap(), "# people\n\nann:9\n bob : 2 \n");
        assert_eq!(with_user("ann:1", "eve", "eve:2\n").unwrap(), "ann:1\neve:2\n");
        assert_eq!(without_user(text, "bob").unwrap(), "# people\n\nann:1\nann:3\n");
        let missing = without_user(text, "eve").unwrap_err();
        assert_eq!(missing.why, "Warning: User eve not found in password file.");
        for corrupt in ["ann:1\nbob\n", "ann:1\nbob:\n", "ann:1\n:2\n"] {
            let failed = with_user(corrupt, "ann", "x").unwrap_err();
            assert_eq!(failed.why, "Error: Corrupt password file at line 2.", "{corrupt:?}");
        }
    }

    #[test]
    fn keys_make_a_line() {
        let typed = |keys: &[u8]| read_keys(&mut &keys[..]).unwrap();
        assert_eq!(typed(b"secret\nmore"), Some(b"secret".to_vec()));
        assert_eq!(typed(b"sex\x7fcret\r"), Some(b"secret".to_vec()));
        assert_eq!(typed("\u{e4}\u{f1}\u{8}b\n".as_bytes()), Some("\u{e4}b".into()));
        assert_eq!(typed(b"\x7f\x7fa\x04"), Some(b"a".to_vec()));
        assert_eq!(typed(b"sec\x03ret\n"), None);
    }
}
