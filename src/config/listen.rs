//! The address to listen on: a number or a name, and a port.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A host, as "127.0.0.1", "::1" or "localhost", with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

impl ListenAddress {
    /// A port of 127.0.0.1 that is free.
    #[must_use]
    pub fn any_port() -> Self {
        Self { host: Ipv4Addr::LOCALHOST.to_string(), port: 0 }
    }

    /// The host and the port, as a socket takes them.
    #[must_use]
    pub fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let by_name = self.host.eq_ignore_ascii_case("localhost");
        by_name || self.ip().is_some_and(|ip| ip.is_loopback())
    }

    /// Where a program of this machine reaches what listens there.
    #[must_use]
    pub fn from_here(&self) -> Self {
        let host = match self.ip() {
            Some(IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
            Some(IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
            _ => self.host.clone(),
        };
        Self { host, port: self.port }
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "must be an address and a port, as 127.0.0.1:50051, [::1]:50051 or localhost:50051";
        let (host, port) = text.rsplit_once(':').ok_or(FORM)?;
        let port = port.parse().map_err(|_| FORM)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match bracketed {
            Some(host) => host.parse::<Ipv6Addr>().is_ok(),
            None => {
                let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
                !host.is_empty() && host.chars().all(in_name)
            }
        };
        if !is_host {
            return Err(FORM);
        }
        Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<ListenAddress> {
        text.parse().ok()
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for good in ["127.0.0.1:0", "[::1]:50051", "[::]:1", "localhost:80", "db-1.example:65535"] {
            assert_eq!(read(good).unwrap().to_string(), good);
        }
        for bad in
            ["", "localhost", "50051", ":50051", "::1:80", "[x]:1", "a b:1", "a:65536", "a:-1"]
        {
            assert_eq!(read(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn an_address_knows_who_can_reach_it_and_how() {
        let loopback = |text| read(text).unwrap().is_loopback();
        assert!(["127.0.0.1:1", "[::1]:1", "localhost:1", "LOCALHOST:1"].into_iter().all(loopback));
        assert!(!["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.com:1"].into_iter().any(loopback));
        let from_here = |text| read(text).unwrap().from_here().to_string();
        assert_eq!(from_here("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(from_here("[::]:1"), "[::1]:1");
        assert_eq!(from_here("10.0.0.1:1"), "10.0.0.1:1");
    }
}
