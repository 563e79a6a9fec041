//! TCP connections through a real Envoy: a listener with the network filters and a TCP proxy for each.
//!
//! Pieces have to be read apart, so each one is sent when the one before has come through, or had the
//! time to.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::bootstrap::{loopback, typed, wasm_filter};
use super::process::POLL;
use crate::plan::{Connection, Plan};
use crate::report::ObservedConnection;
use crate::scenario::{Position, Side};

/// How long something may take to come through before it counts as held.
const HELD: Duration = Duration::from_millis(300);

/// What Envoy still does for a connection whose ends have seen its end.
const AFTERMATH: Duration = Duration::from_millis(50);

/// The name of connection `index`'s listener and cluster.
pub(super) fn name(index: usize) -> String {
    format!("connection-{index}")
}

/// Adds a listener and a cluster per connection, and opens where they lead to.
///
/// # Errors
/// No port is left on loopback.
pub(super) fn add(config: &mut Value, plan: &Plan) -> Result<Vec<TcpListener>> {
    let mut upstreams = Vec::new();
    for index in 0..plan.connections.len() {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        upstream.set_nonblocking(true)?;
        let port = upstream.local_addr()?.port();
        upstreams.push(upstream);
        for (list, item) in
            [("listeners", listener(plan, index)), ("clusters", cluster(index, port))]
        {
            let list = config.pointer_mut(&format!("/static_resources/{list}"));
            list.and_then(Value::as_array_mut).context("no static resources")?.push(item);
        }
    }
    Ok(upstreams)
}

fn listener(plan: &Plan, index: usize) -> Value {
    let network = plan.chain.iter().filter(|filter| filter.at == Position::Network);
    let mut filters: Vec<Value> = network.map(wasm_filter).collect();
    let proxy = json!({"stat_prefix": "connection", "cluster": name(index)});
    filters.push(json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", proxy),
    }));
    json!({
        "name": name(index),
        "address": loopback(0),
        "filter_chains": [{"filters": filters}],
    })
}

fn cluster(index: usize, port: u16) -> Value {
    json!({
        "name": name(index),
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name(index), "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": loopback(port)}}]},
        ]},
    })
}

/// One end of a connection, and what it has got.
struct End {
    stream: TcpStream,
    got: Vec<u8>,
    /// It has got the end.
    ended: bool,
}

impl End {
    fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, got: Vec::new(), ended: false })
    }

    /// Takes what there is.
    fn read(&mut self) {
        let mut bytes = [0; 4096];
        while !self.ended {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.ended = true,
                Ok(size) => self.got.extend_from_slice(bytes.get(..size).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Cut off: an end, too.
                Err(_) => self.ended = true,
            }
        }
    }

    /// Sends a piece, and waits until the other end has got something more. What cannot be sent has
    /// nobody to get it.
    fn send(&mut self, piece: &[u8], other: Option<&mut Self>) {
        // Small pieces fit into an empty socket; a large one may have to wait.
        let deadline = Instant::now() + HELD;
        let mut rest = piece;
        while !rest.is_empty() && Instant::now() < deadline {
            match self.stream.write(rest) {
                Ok(size) => rest = rest.get(size..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(POLL),
                Err(_) => return,
            }
        }
        let Some(other) = other else { return };
        let before = other.got.len();
        other.wait(|end| end.got.len() > before || end.ended);
    }

    /// Reads until that is so. False: it is not, after all that time.
    fn wait(&mut self, is: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + HELD;
        loop {
            self.read();
            if is(self) {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            sleep(POLL);
        }
    }
}

/// Makes one connection to the listener on `port`. The sockets that are given back are the ends that
/// Envoy may still hold open.
///
/// # Errors
/// Envoy does not accept it.
pub(super) fn run(
    port: u16,
    upstream: &TcpListener,
    connection: &Connection,
) -> Result<(ObservedConnection, Vec<TcpStream>)> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let mut client = End::new(stream)?;
    let mut server = accept(upstream, &mut client)?;
    for piece in &connection.send {
        client.send(piece, server.as_mut());
    }
    for piece in &connection.upstream_sends {
        if let Some(server) = &mut server {
            server.send(piece, Some(&mut client));
        }
    }
    let ended = match (&mut server, connection.closes) {
        (None, _) => {
            let _ = client.stream.shutdown(Shutdown::Write);
            client.wait(|end| end.ended)
        }
        (Some(server), Side::Client) => end(&mut client, server),
        (Some(server), Side::Upstream) => end(server, &mut client),
    };
    sleep(AFTERMATH);
    let text = |end: &End| String::from_utf8_lossy(&end.got).into_owned();
    let observed = ObservedConnection {
        name: connection.name.clone(),
        connected: server.is_some(),
        upstream: server.as_ref().map(text).unwrap_or_default(),
        client: text(&client),
        ended,
        logs: Vec::new(),
    };
    let ends = std::iter::once(client).chain(server).map(|end| end.stream);
    Ok((observed, ends.collect()))
}

/// The upstream's end, if Envoy connects.
fn accept(upstream: &TcpListener, client: &mut End) -> Result<Option<End>> {
    let deadline = Instant::now() + HELD;
    loop {
        match upstream.accept() {
            Ok((stream, _)) => return End::new(stream).map(Some),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("no upstream connection"),
        }
        client.read();
        if client.ended || Instant::now() > deadline {
            return Ok(None);
        }
        sleep(POLL);
    }
}

/// One end ends, and the other one when it has seen that. True: both have seen it.
fn end(one: &mut End, other: &mut End) -> bool {
    let _ = one.stream.shutdown(Shutdown::Write);
    if !other.wait(|end| end.ended) {
        one.read();
        return false;
    }
    let _ = other.stream.shutdown(Shutdown::Write);
    one.wait(|end| end.ended)
}
