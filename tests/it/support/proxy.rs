//! What stands between a service and its database: a TCP proxy that a test makes forget connections,
//! swallow everything or refuse.

use std::{
    str::FromStr as _,
    sync::{Arc, Mutex},
};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// A proxy in front of a test's database.
pub struct Proxy {
    /// The URL of the database through the proxy.
    pub url: String,
    /// Where the proxy listens: "127.0.0.1:port".
    pub address: String,
    shared: Arc<Shared>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    upstream: PgConnectOptions,
    /// What happens to connections that are open.
    flows: Mutex<Flows>,
}

#[derive(Clone, Default)]
struct Flows {
    /// No byte passes any more, and nobody is told.
    forgotten: CancellationToken,
    /// Both ends are closed.
    cut: CancellationToken,
    /// New connections are taken, and no byte of them passes.
    silent: bool,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Proxy {
    /// A proxy in front of the database of `url`.
    pub async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (front, rest) = url.split_once("://").expect("a URL");
        let (host, tail) = rest.split_once('/').expect("a database");
        let user = host.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        let upstream = PgConnectOptions::from_str(url).expect("a URL of Postgres");
        let shared = Arc::new(Shared { upstream, flows: Mutex::default() });
        let listening = tokio::spawn(Arc::clone(&shared).listen(listener));
        let url = format!("{front}://{user}{address}/{tail}");
        Self { url, address, shared, listening: Mutex::new(Some(listening)) }
    }

    /// Forgets the connections that are open, as a firewall does: no byte of them passes any more. New
    /// connections work.
    pub fn forget(&self) {
        let mut flows = self.shared.flows.lock().unwrap();
        flows.forgotten.cancel();
        flows.forgotten = CancellationToken::new();
    }

    /// The machine behind is gone: no byte passes, of connections that are open and of new ones.
    pub fn vanish(&self) {
        self.shared.flows.lock().unwrap().silent = true;
        self.forget();
    }

    /// Closes all connections, and refuses new ones.
    pub async fn refuse(&self) {
        let listening = self.listening.lock().unwrap().take().expect("it listens");
        listening.abort();
        let _ = listening.await;
        let mut flows = self.shared.flows.lock().unwrap();
        flows.cut.cancel();
        flows.cut = CancellationToken::new();
    }

    /// Takes connections again.
    pub async fn allow(&self) {
        let listener = TcpListener::bind(&self.address).await.expect("the port is still free");
        let listening = tokio::spawn(Arc::clone(&self.shared).listen(listener));
        *self.listening.lock().unwrap() = Some(listening);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.lock().unwrap().take() {
            listening.abort();
        }
        self.shared.flows.lock().unwrap().cut.cancel();
    }
}

impl Shared {
    async fn listen(self: Arc<Self>, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            let flows = self.flows.lock().unwrap().clone();
            if flows.silent {
                flows.forgotten.cancel();
            }
            let shared = Arc::clone(&self);
            tokio::spawn(async move {
                tokio::select! {
                    () = flows.cut.cancelled() => {}
                    () = shared.pass(client, &flows.forgotten) => {}
                }
            });
        }
    }

    async fn pass(&self, client: TcpStream, forgotten: &CancellationToken) {
        let server: Box<dyn Stream> = match self.upstream.get_socket() {
            Some(folder) => {
                let socket = folder.join(format!(".s.PGSQL.{}", self.upstream.get_port()));
                Box::new(UnixStream::connect(socket).await.expect("the server is there"))
            }
            None => {
                let address = (self.upstream.get_host(), self.upstream.get_port());
                Box::new(TcpStream::connect(address).await.expect("the server is there"))
            }
        };
        let (mut client_reads, mut client_writes) = split(client);
        let (mut server_reads, mut server_writes) = split(server);
        tokio::select! {
            () = copy(&mut client_reads, &mut server_writes, forgotten) => {}
            () = copy(&mut server_reads, &mut client_writes, forgotten) => {}
        }
    }
}

/// Copies until one end closes. Ends never once it is forgotten.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    forgotten: &CancellationToken,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            biased;
            () = forgotten.cancelled() => return std::future::pending().await,
            read = from.read(&mut buffer) => read,
        };
        match read {
            Ok(count) if count > 0 && to.write_all(&buffer[..count]).await.is_ok() => {}
            _ => return,
        }
    }
}
