//! Echoes every WebSocket message through the code that the broker's listeners use, so that it can be
//! tried by suites that hold WebSocket servers to RFC 6455:
//!
//!     cargo run -p ws-broker --example ws-echo -- 9002

use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use ws_broker::websocket;

fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let Some(port) = port else {
        anyhow::bail!("ws-echo PORT: it echoes on a port of this machine")
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(serve(port))
}

async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("Echoing at ws://{}.", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(websocket::echo(stream));
    }
}
