//! Runs a practice cluster of a state folder until Ctrl-C, for trying `kubectl` on it:
//! `practice_api STATE_DIR`.

use practice::{PracticeCluster, PracticeConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let state_dir = std::env::args()
        .nth(1)
        .ok_or("usage: practice_api STATE_DIR")?;
    let cluster = PracticeCluster::start(PracticeConfig::new(state_dir)).await?;
    println!("{}", cluster.kubeconfig().display());
    tokio::signal::ctrl_c().await?;
    cluster.shutdown().await;
    Ok(())
}
