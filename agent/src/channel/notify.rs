//! The status line that `systemctl status` shows: sd_notify(3), without its library.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Tells the service manager `text`; does nothing when not started by one.
pub fn status(text: &str) -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(socket) => send(&socket, &format!("STATUS={text}")),
        None => Ok(()),
    }
}

/// Asks the manager for this much time from now on, whatever the unit's limit is. systemd
/// before 236 does not know the request and keeps to the unit.
pub fn extend(time: Duration) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        // Without an answer the unit's own limit counts.
        let _ = send(&socket, &format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()));
    }
}

fn send(socket: &OsString, text: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(socket)?,
        _ => return Err(io::Error::other("NOTIFY_SOCKET is neither a path nor an abstract name")),
    };
    let sender = UnixDatagram::unbound()?;
    // The manager reads quickly or not at all; the boot does not wait for it.
    sender.set_nonblocking(true)?;
    sender.send_to_addr(text.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(receiver: &UnixDatagram) -> String {
        let mut buf = [0; 256];
        let length = receiver.recv(&mut buf).unwrap();
        String::from_utf8_lossy(&buf[..length]).into_owned()
    }

    #[test]
    fn both_kinds_of_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        send(&path.into_os_string(), "STATUS=state=active").unwrap();
        assert_eq!(received(&receiver), "STATUS=state=active");

        let name = format!("bootwright-test-{}", std::process::id());
        let receiver =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(&format!("@{name}").into(), "STATUS=state=failed").unwrap();
        assert_eq!(received(&receiver), "STATUS=state=failed");
    }

    #[test]
    fn a_socket_that_is_not_there() {
        assert!(send(&"/nonexistent/notify".into(), "x").is_err());
        assert!(send(&"relative".into(), "x").is_err());
    }
}
