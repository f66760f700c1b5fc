//! The program; what it does is in the library beside it, so that parts of it can be tried alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    ws_broker::main()
}
