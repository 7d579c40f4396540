//! The HTTP endpoint: `GET /metrics` in Prometheus' text format and `GET /health`. Nothing can be changed through it.
//!
//! A request is read within a time and a size, answered, and the connection closed. As with trust, only this machine is answered, unless
//! the server asks its clients for passwords.

mod metrics;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use engine::Cluster;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

/// A request's line and headers may take so many bytes, ...
const MOST_BYTES: usize = 8 * 1024;
/// ... and it, with its answer, so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests at a time; more wait in the socket's queue.
const AT_A_TIME: usize = 8;

/// The endpoint, listening.
pub struct Monitoring {
    listener: TcpListener,
    cluster: Arc<Cluster>,
    /// Others than this machine are answered too.
    answers_all: bool,
}

impl Monitoring {
    /// Errors: the address is in use or may not be bound.
    pub async fn bind(cluster: Arc<Cluster>, listen: IpAddr, port: u16, answers_all: bool) -> io::Result<Monitoring> {
        Ok(Monitoring { listener: TcpListener::bind((listen, port)).await?, cluster, answers_all })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let (cluster, is_welcome) = (self.cluster.clone(), self.answers_all || address.ip().is_loopback());
                    tokio::spawn(async move {
                        if let Ok(Err(error)) = timeout(PATIENCE, serve(stream, &cluster, is_welcome)).await {
                            tracing::debug!(%error, "a request for metrics broke off");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection for metrics could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

async fn serve(mut stream: TcpStream, cluster: &Cluster, is_welcome: bool) -> io::Result<()> {
    let answer = match read_request(&mut stream).await? {
        Some(request) if is_welcome => respond(&request, cluster),
        Some(_) => answer("403 Forbidden", "text/plain", "only this machine is answered, as with trust\n"),
        None => answer("431 Request Header Fields Too Large", "text/plain", "the request is too large\n"),
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The request up to the empty line; None when there is none within bounds.
async fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut request = Vec::with_capacity(1024);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() >= MOST_BYTES {
            return Ok(None);
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(String::from_utf8_lossy(&request).into_owned()))
}

fn respond(request: &str, cluster: &Cluster) -> String {
    let mut words = request.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        ("GET" | "HEAD", "/metrics") => {
            with_body(method, "200 OK", "text/plain; version=0.0.4; charset=utf-8", &metrics::text(cluster))
        }
        ("GET" | "HEAD", "/health") => with_body(method, "200 OK", "application/json", "{\"status\":\"ok\"}\n"),
        ("GET" | "HEAD", _) => answer("404 Not Found", "text/plain", "there are /metrics and /health\n"),
        _ => answer("405 Method Not Allowed", "text/plain", "only GET\n"),
    }
}

fn with_body(method: &str, status: &str, content_type: &str, body: &str) -> String {
    let whole = answer(status, content_type, body);
    if method == "HEAD" { whole[..whole.len() - body.len()].to_owned() } else { whole }
}

fn answer(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_by_method_and_path() {
        let cluster = Cluster::new();
        for (request, status) in [
            ("GET /health HTTP/1.1\r\n\r\n", "200 OK"),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK"),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            ("\0\0", "405 Method Not Allowed"),
        ] {
            assert!(respond(request, &cluster).starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}");
        }
        let metrics = respond("GET /metrics HTTP/1.1\r\n\r\n", &cluster);
        assert!(metrics.contains("heliosdb_memory_bytes "), "{metrics}");
        let head = respond("HEAD /health HTTP/1.1\r\n\r\n", &cluster);
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    }
}
