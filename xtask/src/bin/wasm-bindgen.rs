//! The `wasm-bindgen` command at the version in Cargo.lock, for trunk and wasm-pack.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(std::env::args_os())
}
