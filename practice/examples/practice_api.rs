//! Runs a practice cluster of a state folder until Ctrl-C, for trying `kubectl` and `helm` on it:
//! `practice_api STATE_DIR [PROGRAM]`. With a program, it is packed together with a shell and tar
//! as the image `testpod:v1`.

use practice::images::{PackFile, PackSpec, pack};
use practice::{PracticeCluster, PracticeConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let mut args = std::env::args().skip(1);
    let state_dir = args
        .next()
        .ok_or("usage: practice_api STATE_DIR [PROGRAM]")?;
    let cluster = PracticeCluster::start(PracticeConfig::new(state_dir)).await?;
    if let (Some(program), Some(store)) = (args.next(), cluster.images()) {
        let tools = ["sh", "tar", "cat", "sleep", "ls"].map(tool);
        let spec = PackSpec {
            binary: program.into(),
            files: tools.into_iter().collect::<Result<_, _>>()?,
            ..PackSpec::default()
        };
        let image = pack(&spec, &mut |_| {})?;
        image.store_in(store, &["testpod:v1".to_owned()])?;
    }
    println!("{}", cluster.kubeconfig().display());
    tokio::signal::ctrl_c().await?;
    cluster.shutdown().await;
    Ok(())
}

/// A program of this machine; often a link to another one.
fn tool(name: &str) -> std::io::Result<PackFile> {
    let dest = format!("/bin/{name}");
    Ok(PackFile {
        source: std::fs::canonicalize(&dest)?,
        dest,
    })
}
