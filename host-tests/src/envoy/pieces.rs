//! Writes a message so that the other side reads it piece by piece, also on a busy machine.
//!
//! What is written while the reader is not looking arrives as one. So behind each piece the writer
//! waits until the reader, a process on this machine, has taken it: Linux says how much is unread in
//! `/proc/net/tcp` (`rx_queue`). A reader under back-pressure does not take it, so the wait has an
//! end. Where there is no such file, and for bodies in many pieces (that look takes milliseconds, and
//! where all cuts are as small nobody minds two that stay together), it is a short sleep.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Up to so many pieces each is waited for, so long at most.
const FEW: usize = 16;
const MOST: Duration = Duration::from_millis(100);

/// Between two looks.
const LOOK: Duration = Duration::from_micros(200);

/// How long all the sleeps of a body of more pieces take together, and one of them at least.
const ALL: Duration = Duration::from_millis(200);
const LEAST: Duration = Duration::from_micros(20);

/// A sleep that does for a wait.
const INSTEAD: Duration = Duration::from_millis(2);

/// Writes `head`, then each piece apart.
///
/// # Errors
/// The other side does not take it, or not by `deadline`.
pub(crate) fn write_pieces(
    mut stream: &TcpStream,
    head: &[u8],
    pieces: &[Vec<u8>],
    deadline: Instant,
) -> std::io::Result<()> {
    stream.write_all(head)?;
    for piece in pieces {
        if Instant::now() > deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        if pieces.len() <= FEW {
            wait_until_read(stream, MOST);
        } else {
            thread::sleep(gap(pieces.len()));
        }
        stream.write_all(piece)?;
    }
    Ok(())
}

/// Long enough that a reader wakes in between, if it has nothing else to do.
fn gap(pieces: usize) -> Duration {
    let pieces = u32::try_from(pieces).unwrap_or(u32::MAX).max(1);
    (ALL / pieces).clamp(LEAST, INSTEAD)
}

/// Waits until the other side has read everything, but not longer than `most`.
pub(crate) fn wait_until_read(stream: &TcpStream, most: Duration) {
    let until = Instant::now() + most;
    let addresses = (stream.peer_addr(), stream.local_addr());
    let (Ok(SocketAddr::V4(reader)), Ok(SocketAddr::V4(writer))) = addresses else { return };
    let name = |address: std::net::SocketAddrV4| {
        format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
    };
    let ends = format!("{} {}", name(reader), name(writer));
    loop {
        let Ok(table) = fs::read_to_string("/proc/net/tcp") else {
            return thread::sleep(INSTEAD.min(most));
        };
        // Not there: closed.
        if unread(&table, &ends).unwrap_or(0) == 0 || Instant::now() > until {
            return;
        }
        thread::sleep(LOOK);
    }
}

/// What the socket with these ends has not read, by
/// <https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html>:
/// `sl local_address rem_address st tx_queue:rx_queue …`.
fn unread(table: &str, ends: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.contains(ends))?;
    let (_, behind) = line.split_once(ends)?;
    let queues = behind.split_whitespace().nth(1)?;
    u64::from_str_radix(queues.split_once(':')?.1, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_queue_of_a_socket_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n   \
            0: 0100007F:1F90 0100007F:C350 01 00000000:0000002A 00:00000000 00000000\n";
        assert_eq!(unread(table, "0100007F:1F90 0100007F:C350"), Some(42));
        assert_eq!(unread(table, "0100007F:C350 0100007F:1F90"), None);
    }

    #[test]
    fn every_piece_is_read_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let reader = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reads = Vec::new();
            let mut buffer = [0; 64];
            loop {
                // Slower than the writer.
                thread::sleep(Duration::from_millis(3));
                let count = stream.read(&mut buffer).unwrap();
                if count == 0 {
                    return reads;
                }
                reads.push(buffer[..count].to_vec());
            }
        });
        let stream = TcpStream::connect(address).unwrap();
        let pieces = [b"a".to_vec(), b"bc".to_vec(), b"d".to_vec()];
        let deadline = Instant::now() + Duration::from_secs(5);
        write_pieces(&stream, b"head", &pieces, deadline).unwrap();
        drop(stream);
        let reads = reader.join().unwrap();
        assert_eq!(reads.concat(), b"headabcd");
        if fs::exists("/proc/net/tcp").unwrap_or(false) {
            assert_eq!(reads.len(), 4, "{reads:?}");
        }
    }

    #[test]
    fn a_reader_that_does_not_read_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.write_all(b"x").unwrap();
        let before = Instant::now();
        wait_until_read(&stream, Duration::from_millis(5));
        assert!(before.elapsed() < Duration::from_secs(2));
    }
}
