//! The kernel's messages about devices that come, go and change.
//!
//! Sources: the kernel's lib/kobject_uevent.c (header `ACTION@DEVPATH`, then `KEY=VALUE`, each
//! ended by a zero; multicast group 1), netlink(7).

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrAny, SocketFlags, SocketType, bind, recvfrom, socket_with,
};

/// The group of the kernel's own messages; udev repeats them later on another one.
const KERNEL: u32 = 1;
/// Longest message: the kernel's buffer for the variables and some more.
const LONGEST: usize = 8192;
/// Pause between two looks where there is no such socket.
const POLL: Duration = Duration::from_millis(100);

/// Waits for news about block devices.
pub struct Listener {
    socket: Option<OwnedFd>,
}

impl Listener {
    /// Starts to listen. Where that is impossible, waits are short instead.
    pub fn new() -> Self {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT));
        let socket = socket
            .and_then(|socket| bind(&socket, &SocketAddrNetlink::new(0, KERNEL)).map(|()| socket));
        Self { socket: socket.ok() }
    }

    /// Waits until a block device came or changed, but no longer than `limit`. It may end early.
    pub fn wait(&self, limit: Duration) {
        let Some(socket) = &self.socket else {
            std::thread::sleep(limit.min(POLL));
            return;
        };
        let started = std::time::Instant::now();
        while let Some(left) = limit.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let mut fds = [PollFd::new(socket, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return,
                Ok(_) if drain(socket) => return,
                Ok(_) => {}
                // A signal, or a socket that fails: one look too many does no harm.
                Err(_) => {
                    std::thread::sleep(left.min(POLL));
                    return;
                }
            }
        }
    }
}

/// Takes all messages; whether one of them was about a block device or one was lost.
fn drain(socket: &OwnedFd) -> bool {
    let mut news = false;
    let mut buffer = [0; LONGEST];
    loop {
        match recvfrom(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((message, _, sender)) => {
                let bytes = buffer.get(..message).unwrap_or_default();
                news |= is_from_kernel(sender.as_ref()) && is_block_news(bytes);
            }
            Err(rustix::io::Errno::AGAIN) => return news,
            Err(rustix::io::Errno::INTR) => {}
            // The buffer overflowed: something happened.
            Err(_) => return true,
        }
    }
}

/// Other programs of root's can send to the group; only the kernel has the id 0.
fn is_from_kernel(sender: Option<&SocketAddrAny>) -> bool {
    let address = sender.and_then(|sender| SocketAddrNetlink::try_from(sender.clone()).ok());
    address.is_some_and(|address| address.pid() == 0)
}

/// Whether a message says that a block device came or has another medium.
fn is_block_news(message: &[u8]) -> bool {
    let mut fields = message.split(|byte| *byte == 0);
    let header = fields.next().unwrap_or_default();
    let action = header.split(|byte| *byte == b'@').next().unwrap_or_default();
    let is_news = matches!(action, b"add" | b"change" | b"bind" | b"online" | b"move");
    is_news && fields.any(|field| field == b"SUBSYSTEM=block")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let message = |action: &str, subsystem: &str| {
            format!(
                "{action}@/devices/x\0ACTION={action}\0DEVPATH=/devices/x\0SUBSYSTEM={subsystem}\0SEQNUM=1\0"
            )
            .into_bytes()
        };
        assert!(is_block_news(&message("add", "block")));
        assert!(is_block_news(&message("change", "block")));
        assert!(!is_block_news(&message("remove", "block")));
        assert!(!is_block_news(&message("add", "net")));
        assert!(!is_block_news(b""));
    }

    #[test]
    fn waiting_ends() {
        let started = std::time::Instant::now();
        Listener::new().wait(Duration::from_millis(150));
        Listener { socket: None }.wait(Duration::from_millis(20));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    proptest! {
        #[test]
        fn any_message_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_block_news(&bytes);
        }
    }
}
