//! The connector of callbacks: resolves a host name, refuses addresses that are not public, and races the
//! others (Happy Eyeballs, RFC 8305), so that a dead address does not hide one that works.
//!
//! It checks each address that it is about to connect to, after resolving the name. So a name that
//! resolves to a public address when a rule is made, and to a private one later, is refused as well.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower::Service;

/// Connects to public addresses only, or to any address if the settings allow it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicAddressConnector {
    pub(super) allow_private: bool,
}

impl Service<Uri> for PublicAddressConnector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = *self;
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            let https = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
            let addresses = alternate(lookup_host((host, port)).await?);
            connector.race(addresses).await.map(TokioIo::new)
        })
    }
}

/// How long an address may take alone before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The addresses, IPv6 and IPv4 in turn and each in the order of the resolver (RFC 8305, section 4).
fn alternate(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(v6.next());
        all.extend(v4.next());
        if all.len() == before {
            return all;
        }
    }
}

impl PublicAddressConnector {
    /// Connects to the address that answers first. The next one is tried when one has failed, or has had its
    /// head start. Fails with the error of the last one.
    async fn race(self, addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
        let mut waiting = addresses.into_iter();
        let mut trying = FuturesUnordered::new();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        loop {
            let next = waiting.next();
            let may_wait = next.is_none();
            trying.extend(next.map(|address| self.connect(address)));
            tokio::select! {
                tried = trying.next() => match tried {
                    Some(Ok(stream)) => return Ok(stream),
                    Some(Err(error)) => last = error,
                    None => return Err(last),
                },
                () = tokio::time::sleep(HEAD_START), if !may_wait => {}
            }
        }
    }

    async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        if !self.allow_private && !is_public(address.ip()) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is not a public address", address.ip()),
            ));
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Whether an address is public: not loopback, link-local, private, multicast or reserved, and not an
/// IPv6 form of such an IPv4 address.
#[must_use]
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT (RFC 6598)
        || (a == 192 && b == 0 && c == 0) // protocol assignments (RFC 6890)
        || (a == 198 && (18..20).contains(&b)) // benchmarking (RFC 2544)
        || address.is_documentation()
        || a >= 224) // multicast, reserved, broadcast
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4_in = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4-mapped (::ffff:a.b.c.d) and NAT64 (64:ff9b::a.b.c.d).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            v4_in(high, low)
        }
        [0, 0, 0, 0, 0, 0, ..] => false, // ::, ::1, IPv4-compatible (::a.b.c.d)
        [0x2002, high, low, ..] => v4_in(high, low), // 6to4
        [0x2001, 0xdb8, ..] | [0x2001, 0, ..] => false, // documentation, Teredo
        // Only 2000::/3 is assigned; private, link-local and multicast addresses lie elsewhere.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listener that takes no connection, because as many as it keeps are waiting: whoever tries another
    /// one hears nothing. Returned with what keeps it full.
    #[cfg(target_os = "linux")]
    async fn deaf() -> (tokio::net::TcpListener, Vec<TcpStream>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let waiting = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener, vec![waiting])
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_dead_address_does_not_hide_the_next_one() {
        let (dead, _full) = deaf().await;
        let alive = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (dead, alive) = (dead.local_addr().unwrap(), alive.local_addr().unwrap());
        let connector = PublicAddressConnector { allow_private: true };
        let won = tokio::time::timeout(Duration::from_secs(20), connector.race(vec![dead, alive]));
        assert_eq!(won.await.expect("in time").unwrap().peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_guarded() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connector = PublicAddressConnector { allow_private: false };
        let refused = connector.race(vec![address, address]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        let nowhere = connector.race(vec![]).await.unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn addresses_of_both_kinds_alternate() {
        let of = |text: &str| text.parse::<SocketAddr>().unwrap();
        let [a, b, c, x] = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "[::1]:1"].map(of);
        assert_eq!(alternate([a, b, x, c].into_iter()), [x, a, b, c]);
    }

    #[test]
    fn only_public_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public} was refused");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "fec0::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private} was let through");
        }
    }
}
