//! The runner that `.cargo/config.toml` names for wasm32: it runs a test binary in a headless browser.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
