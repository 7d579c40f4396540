//! A server within the test's process, on a port that the system chooses.

use std::sync::Arc;

use engine::Cluster;
use server::{Server, ServerOptions};
use tokio::{sync::oneshot, task::JoinHandle};

/// Ends when dropped; [`TestServer::stop`] also waits for it.
pub struct TestServer {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl TestServer {
    pub async fn start() -> std::io::Result<TestServer> {
        let options = ServerOptions {
            listen: [127, 0, 0, 1].into(),
            port: 0,
            socket_dir: None,
            access: server::AccessOptions {
                max_connections: 100,
                auth: server::AuthOptions::default(),
                authentication_timeout: std::time::Duration::from_secs(60),
                tls: None,
            },
        };
        let server = Server::bind(Arc::new(Cluster::new()), &options).await?;
        let port = server.address()?.port();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            // The sender's end, too, is a reason to stop.
            let _ = stopped.await;
        }));
        Ok(TestServer { port, stop: Some(stop), running })
    }

    /// Where to connect, as libpq and its kin read it.
    pub fn parameters(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server and all its sessions.
    pub async fn stop(mut self) {
        self.stop.take();
        let _ = self.running.await;
    }
}
