//! A set-up of Mosquitto's moved over as it is: the files of a Debian machine with users, rights, TLS,
//! WebSocket and a bridge. First Mosquitto runs by them, then the broker, and what users see is the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tests::broker::bare_command;
use tests::certificates::{Authority, Owner};
use tests::ports::free_port;
use tests::{PATIENCE, POLL_INTERVAL, Program};

/// The places of one set-up.
struct Setup {
    folder: tempfile::TempDir,
    plain: u16,
    secure: u16,
    web: u16,
    /// Another broker, to which the bridge leads.
    remote: u16,
}

impl Setup {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = Self {
            plain: free_port(),
            secure: free_port(),
            web: free_port(),
            remote: free_port(),
            folder,
        };
        setup.write();
        setup
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self) {
        let ca = Authority::new(self.folder.path(), "ca");
        let _server = ca.sign(&Owner::Server, "server");
        let write = |name: &str, text: String| std::fs::write(self.path(name), text).unwrap();
        std::fs::create_dir(self.path("conf.d")).unwrap();
        // The file of Debian's package, with its places moved.
        write(
            "mosquitto.conf",
            format!(
                "# Place your local configuration in /etc/mosquitto/conf.d/\n#\n\nuser root\n\
                 pid_file {}\n\npersistence false\npersistence_location {}/\n\n\
                 log_dest file {}\nlog_dest stderr\n\ninclude_dir {}\n",
                self.path("mosquitto.pid"),
                self.folder.path().display(),
                self.path("mosquitto.log"),
                self.path("conf.d")
            ),
        );
        write(
            "conf.d/local.conf",
            format!(
                "allow_anonymous false\npassword_file {}\nacl_file {}\n\n\
                 listener {} 127.0.0.1\n\nlistener {} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\n\n\
                 listener {} 127.0.0.1\nprotocol websockets\n",
                self.path("passwd"),
                self.path("acl"),
                self.plain,
                self.secure,
                self.path("ca.crt"),
                self.path("server.crt"),
                self.path("server.key"),
                self.web
            ),
        );
        write(
            "conf.d/bridge.conf",
            format!(
                "connection upstairs\naddress 127.0.0.1:{}\ntopic sensors/# out 1\n\
                 topic commands/# in 1\nremote_clientid downstairs\n",
                self.remote
            ),
        );
        write(
            "acl",
            "# everybody sees the weather\ntopic read weather/#\n\nuser ana\ntopic readwrite #\n\n\
             user luis\ntopic write sensors/luis/#\ntopic read sensors/#\ntopic deny sensors/secret\n\n\
             pattern readwrite home/%u/#\n"
                .into(),
        );
        for (name, password) in [("ana", "ñandú"), ("luis", "secreto")] {
            let mut command = Command::new("mosquitto_passwd");
            if name == "ana" {
                command.arg("-c");
            }
            command.args(["-b", &self.path("passwd"), name, password]);
            assert!(Program::start("mosquitto_passwd", &mut command).wait_exit().success());
        }
    }

    /// Starts a broker by these files.
    #[track_caller]
    fn start(&self, program: &mut Command) -> Program {
        let mut running =
            Program::start("broker", program.arg("-c").arg(self.path("mosquitto.conf")));
        wait_for_port(&mut running, self.plain);
        wait_for_port(&mut running, self.web);
        running
    }

    /// The broker at the other end of the bridge, which is Mosquitto's.
    #[track_caller]
    fn upstairs(&self) -> Program {
        let file = self.path("remote.conf");
        let text = format!("user root\nlistener {} 127.0.0.1\nallow_anonymous true\n", self.remote);
        std::fs::write(&file, text).unwrap();
        let mut running =
            Program::start("upstairs", Command::new("mosquitto").args(["-v", "-c", &file]));
        wait_for_port(&mut running, self.remote);
        running
    }

    fn client(&self, program: &str, port: u16, user: &str, arguments: &[&str]) -> Command {
        let password = if user == "ana" { "ñandú" } else { "secreto" };
        let mut command = Command::new("stdbuf");
        command.args(["--output=L", program, "-h", "localhost", "-p", &port.to_string()]);
        command.args(["-u", user, "-P", password, "-q", "1"]).args(arguments);
        if port == self.secure {
            command.args(["--cafile", &self.path("ca.crt")]);
        }
        command
    }

    /// Starts `mosquitto_sub`, and waits until it is subscribed.
    #[track_caller]
    fn subscribe(&self, port: u16, user: &str, filter: &str) -> Program {
        let arguments = ["-t", filter, "-F", "%t=%p", "-d"];
        let mut command = self.client("mosquitto_sub", port, user, &arguments);
        let program = Program::start("mosquitto_sub", &mut command);
        program.wait_for_line("Subscribed (mid:");
        program
    }

    #[track_caller]
    fn publish(&self, port: u16, user: &str, topic: &str, payload: &str) {
        let mut command = self.client("mosquitto_pub", port, user, &["-t", topic, "-m", payload]);
        assert!(Program::start("mosquitto_pub", &mut command).wait_exit().success());
    }

    #[track_caller]
    fn is_refused(&self, user: &str, password: &str) -> bool {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-p", &self.plain.to_string(), "-t", "a", "-n", "-u", user, "-P", password]);
        !Program::start("mosquitto_pub", &mut command).wait_exit().success()
    }
}

#[track_caller]
fn wait_for_port(program: &mut Program, port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(!program.has_ended(), "it ended instead of listening on port {port}");
        assert!(Instant::now() < deadline, "nothing answers on port {port}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// What the users of this set-up do, and what they have to see.
#[track_caller]
fn live(setup: &Setup, upstairs: &Program) {
    // Ana sees all; Luis sees what he may, by TLS.
    let ana = setup.subscribe(setup.plain, "ana", "#");
    let luis = setup.subscribe(setup.secure, "luis", "#");
    setup.publish(setup.plain, "luis", "sensors/luis/cpu", "21");
    setup.publish(setup.secure, "luis", "sensors/ana/cpu", "forged");
    setup.publish(setup.plain, "ana", "sensors/secret", "hush");
    setup.publish(setup.plain, "ana", "home/luis/lamp", "on");
    setup.publish(setup.plain, "ana", "home/ana/lamp", "on");
    setup.publish(setup.plain, "ana", "weather/wind", "last");
    for line in ["sensors/luis/cpu=21", "sensors/secret=hush", "home/luis/lamp=on"] {
        ana.wait_for_line(line);
    }
    for line in ["sensors/luis/cpu=21", "home/luis/lamp=on"] {
        luis.wait_for_line(line);
    }
    ana.wait_for_line("weather/wind=last");
    let seen = ana.text(tests::program::Stream::Out);
    assert!(!seen.contains("forged"), "{seen}");
    let seen = luis.text(tests::program::Stream::Out);
    assert!(!seen.contains("hush") && !seen.contains("home/ana"), "{seen}");
    assert!(setup.is_refused("luis", "wrong") && setup.is_refused("eva", "secreto"));
    // The bridge carries readings up and commands down.
    upstairs.wait_for_line("Received PUBLISH from downstairs");
    let mut command = Command::new("mosquitto_pub");
    command.args(["-p", &setup.remote.to_string(), "-t", "commands/lamp", "-m", "off", "-q", "1"]);
    assert!(Program::start("mosquitto_pub", &mut command).wait_exit().success());
    ana.wait_for_line("commands/lamp=off");
    assert!(Path::new(&setup.path("mosquitto.pid")).exists());
    let log = std::fs::read_to_string(setup.path("mosquitto.log")).unwrap();
    assert!(log.contains("New client connected from 127.0.0.1"), "{log}");
}

#[test]
fn what_users_see_is_what_they_saw_of_mosquitto() {
    let setup = Setup::new();
    for ours in [false, true] {
        let mut upstairs = setup.upstairs();
        let mut command = if ours { bare_command() } else { Command::new("mosquitto") };
        let mut broker = setup.start(&mut command);
        live(&setup, &upstairs);
        for program in [&mut broker, &mut upstairs] {
            program.signal(tests::program::Signal::TERM);
            assert!(program.wait_exit().success());
        }
    }
}
