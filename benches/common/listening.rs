//! A server in the process of the benchmark that listens on a port.

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use befriend::server::{self, Admin};

use super::{app::Failure, in_process};

/// A server on a free port of the loopback interface.
pub struct Listening {
    /// As "http://127.0.0.1:40000".
    pub address: String,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), server::ServeError>>,
}

impl Listening {
    /// Starts a server with its default settings except for these flags.
    pub async fn start(url: &str, flags: &[&str]) -> Result<Self, Failure> {
        let flags = [&["--listen", "127.0.0.1:0"], flags].concat();
        let (core, args) = in_process::core(url, &flags)?;
        let listener = TcpListener::bind(args.listener.listen.host_and_port()).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let serving = tokio::spawn(async move {
            let webhook = args.callbacks.webhook(true);
            server::serve(listener, core, &args, webhook, &Admin::default(), stopping).await
        });
        Ok(Self { address, stop, serving })
    }

    /// Ends the server, and waits until the calls under way have ended.
    pub async fn stop(self) -> Result<(), Failure> {
        self.stop.cancel();
        Ok(self.serving.await??)
    }
}
