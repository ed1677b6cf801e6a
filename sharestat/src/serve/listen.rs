//! The socket that clients connect to.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs as _},
};

use rustix::net::sockopt;

use super::Error;

/// The port when none is given.
const PORT: u16 = 9934;
/// What the kernel keeps for one client that reads slowly (it doubles this).
const SEND_BUFFER: usize = 128 << 10;

/// Listens on `address:port`, `address` or `port`.
///
/// # Errors
/// When it is no address, or cannot be had.
pub fn listen(address: &str) -> Result<TcpListener, Error> {
    let wanted = resolve(address).map_err(|source| Error::Address {
        address: address.to_owned(),
        source,
    })?;
    let told = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse { address: wanted },
        _ => Error::Listen {
            address: wanted,
            source,
        },
    };
    let listener = TcpListener::bind(wanted).map_err(told)?;
    // Connections inherit it. Without a bound the kernel would keep megabytes for each.
    sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER)
        .map_err(|error| told(error.into()))?;
    listener.set_nonblocking(true).map_err(told)?;
    Ok(listener)
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    if let Ok(port) = address.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    if let Ok(ip) = address.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT));
    }
    let mut found = match address.to_socket_addrs() {
        // A name or a bracketed address alone.
        Err(_) if !address.ends_with(':') => format!("{address}:{PORT}").to_socket_addrs()?,
        found => found?,
    };
    found
        .next()
        .ok_or_else(|| io::Error::other("the name has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_leave_out_its_port_and_a_port_is_on_loopback() {
        for (text, address) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("8080", "127.0.0.1:8080"),
            ("0.0.0.0", "0.0.0.0:9934"),
            ("::1", "[::1]:9934"),
            ("[::]:7", "[::]:7"),
            ("[::1]", "[::1]:9934"),
        ] {
            assert_eq!(resolve(text).expect(text).to_string(), address, "{text}");
        }
        for wrong in ["", ":", "127.0.0.1:99999", "a b"] {
            let error = listen(wrong).expect_err(wrong).to_string();
            assert!(error.contains(&format!("'{wrong}'")), "{error}");
        }
    }

    #[test]
    fn a_port_in_use_is_called_so() {
        let first = listen("127.0.0.1:0").expect("a free port");
        let address = first.local_addr().expect("it has one").to_string();
        let error = listen(&address).expect_err("it is taken");
        assert!(error.to_string().contains("the port is in use"), "{error}");
    }
}
