//! The actions a core can ask for.

use std::borrow::Cow;

use crate::Edit;

/// The effects of one callback, performed in order.
pub type Effects = Vec<Effect>;

/// Which half of the exchange an effect is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream to the client.
    Response,
}

/// One action. Actions on headers are possible in the headers callback and for as long as the
/// headers are held by it; actions on a body only in a callback of that body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Asks the host to choose the route again at the end of the filter chain.
    ClearRouteCache,
    /// Adds to a counter. The name must come from a bounded set: the host never forgets one.
    Count {
        /// The metric's name, as the host's stats show it.
        metric: Cow<'static, str>,
        /// What to add; 0 does nothing.
        by: u64,
    },
    /// Changes parts of what the host holds of the body in this callback, and nothing else of it.
    /// Of a request whose body the host will not change, nothing goes on.
    EditBody {
        /// Whose body.
        on: Direction,
        /// In ascending order, disjoint; offsets count from the first held byte, before any edit.
        edits: Vec<Edit>,
    },
    /// Writes a line to the host's log. Never holds a credential, a prompt or the configuration.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// One line, for an operator.
        message: String,
    },
    /// Removes every header of this name.
    RemoveHeader {
        /// Whose headers.
        on: Direction,
        /// Lower-case name.
        name: Cow<'static, str>,
    },
    /// Replaces all that the host holds of the body in this callback.
    ReplaceBody {
        /// Whose body.
        on: Direction,
        /// The new bytes.
        with: Vec<u8>,
    },
    /// Ends the exchange with an answer of the filter's own. Effects after it are not performed.
    Reply(Reply),
    /// Sets filter state that later filters, upstream filters and access logs read.
    SetFilterState {
        /// Single-part key, such as `tollgate.model`.
        key: &'static str,
        /// Its value.
        value: Vec<u8>,
    },
    /// Sets a header to one value, whatever was there before.
    SetHeader {
        /// Whose headers.
        on: Direction,
        /// Lower-case name.
        name: Cow<'static, str>,
        /// Bytes without CR, LF or NUL.
        value: Vec<u8>,
    },
}

/// An answer that the filter gives itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides `:status` and `content-length`.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Reason for `%RESPONSE_CODE_DETAILS%`: a fixed word, such as `tollgate_invalid_api_key`.
    pub details: Cow<'static, str>,
}

/// Severity of a log line, by proxy-wasm's numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u32)]
pub enum LogLevel {
    /// 1: for whoever develops the filter.
    Debug = 1,
    /// 2: normal events worth a line.
    Info = 2,
    /// 3: works, but the operator should look.
    Warn = 3,
    /// 4: does not work.
    Error = 4,
}
