//! Stream contexts: what they are told of requests, responses and connections.

use super::super::stream::{Direction, StreamContext};
use super::callbacks::{Headers, Piece};
use super::{Failed, Vm};

impl Vm {
    /// The id of a stream context to come.
    pub(crate) fn next_context(&mut self) -> u32 {
        let id = self.next_context;
        self.next_context += 1;
        id
    }

    /// Makes a stream context with an id of [`Self::next_context`].
    pub(crate) fn create(
        &mut self,
        id: u32,
        root: u32,
        stream: StreamContext,
    ) -> Result<(), Failed> {
        self.store.data_mut().streams.insert(id, (root, stream));
        let create = self.callbacks.on_context_create.clone();
        self.call("proxy_on_context_create", create, id, (id, root), ())
    }

    pub(crate) fn stream_mut(&mut self, id: u32) -> Option<&mut StreamContext> {
        self.store.data_mut().streams.get_mut(&id).map(|(_, stream)| stream)
    }

    pub(crate) fn on_headers(
        &mut self,
        direction: Direction,
        id: u32,
        count: u32,
        end: bool,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_request_headers", &self.callbacks.headers[0]),
            Direction::Response => ("proxy_on_response_headers", &self.callbacks.headers[1]),
        };
        match function.clone() {
            Some(Headers::Of010(function)) => self.call(name, Some(function), id, (id, count), 0),
            Some(Headers::Of020(function)) => {
                self.call(name, Some(function), id, (id, count, u32::from(end)), 0)
            }
            None => self.call(name, None::<Piece>, id, (id, count, u32::from(end)), 0),
        }
    }

    pub(crate) fn on_body(
        &mut self,
        direction: Direction,
        id: u32,
        size: u32,
        end: bool,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_request_body", &self.callbacks.body[0]),
            Direction::Response => ("proxy_on_response_body", &self.callbacks.body[1]),
        };
        self.call(name, function.clone(), id, (id, size, u32::from(end)), 0)
    }

    pub(crate) fn on_trailers(
        &mut self,
        direction: Direction,
        id: u32,
        count: u32,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_request_trailers", &self.callbacks.trailers[0]),
            Direction::Response => ("proxy_on_response_trailers", &self.callbacks.trailers[1]),
        };
        self.call(name, function.clone(), id, (id, count), 0)
    }

    pub(crate) fn on_new_connection(&mut self, id: u32) -> Result<u32, Failed> {
        let function = self.callbacks.on_new_connection.clone();
        self.call("proxy_on_new_connection", function, id, id, 0)
    }

    /// Bytes of the client (the request's direction) or of the upstream.
    pub(crate) fn on_data(
        &mut self,
        direction: Direction,
        id: u32,
        size: u32,
        end: bool,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_downstream_data", &self.callbacks.data[0]),
            Direction::Response => ("proxy_on_upstream_data", &self.callbacks.data[1]),
        };
        self.call(name, function.clone(), id, (id, size, u32::from(end)), 0)
    }

    /// The client's connection has closed, or the upstream's; by `peer`.
    pub(crate) fn on_close(
        &mut self,
        direction: Direction,
        id: u32,
        peer: u32,
    ) -> Result<(), Failed> {
        let (name, function) = match direction {
            Direction::Request => {
                ("proxy_on_downstream_connection_close", &self.callbacks.close[0])
            }
            Direction::Response => ("proxy_on_upstream_connection_close", &self.callbacks.close[1]),
        };
        self.call(name, function.clone(), id, (id, peer), ())
    }

    /// `on_done`, `on_log`, `on_delete`, in the order of TCP connections.
    pub(crate) fn end_connection(&mut self, id: u32) -> Result<(), Failed> {
        let ended = self.on_done(id).and_then(|_| self.on_log(id));
        // Of a VM that failed only the context goes.
        let deleted = self.delete(id);
        ended.and(deleted)
    }

    pub(crate) fn on_log(&mut self, id: u32) -> Result<(), Failed> {
        let log = self.callbacks.on_log.clone();
        self.call("proxy_on_log", log, id, id, ())
    }

    /// `on_done`. False: the filter wants to say itself when the stream may end, which matters only
    /// where the host lets streams wait.
    pub(crate) fn on_done(&mut self, id: u32) -> Result<bool, Failed> {
        let done = self.callbacks.on_done.clone();
        Ok(self.call("proxy_on_done", done, id, id, 1)? != 0)
    }

    /// `on_delete`, and the context is gone.
    pub(crate) fn delete(&mut self, id: u32) -> Result<(), Failed> {
        let delete = self.callbacks.on_delete.clone();
        let deleted = self.call("proxy_on_delete", delete, id, id, ());
        self.store.data_mut().streams.remove(&id);
        deleted
    }

    /// Lets a stream wait for `proxy_done`.
    pub(crate) fn wait(&mut self, id: u32) {
        self.store.data_mut().waiting.insert(id);
    }
}
