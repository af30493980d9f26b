//! The numbers of the proxy-wasm ABI as types. Nothing here decides anything.

/// What a host call answers. The numbers are those of the ABI; the SDK knows fewer of them than the hosts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// Nothing under that name.
    NotFound = 1,
    /// An argument is outside its range, or the thing named is not there at this moment.
    BadArgument = 2,
    /// The value can't be put into bytes.
    SerializationFailure = 3,
    /// The bytes can't be read as a value.
    ParseFailure = 4,
    /// An expression can't be evaluated.
    BadExpression = 5,
    /// A pointer or a size leaves the guest's memory.
    InvalidMemoryAccess = 6,
    /// Nothing to take.
    Empty = 7,
    /// Shared data was changed by somebody else.
    CasMismatch = 8,
    /// The result has another type.
    ResultMismatch = 9,
    /// The host failed.
    InternalFailure = 10,
    /// The connection broke.
    BrokenConnection = 11,
    /// The host does not have this call.
    Unimplemented = 12,
}

impl Status {
    /// Every status, for tests that walk through them.
    pub const ALL: [Status; 13] = [
        Status::Ok,
        Status::NotFound,
        Status::BadArgument,
        Status::SerializationFailure,
        Status::ParseFailure,
        Status::BadExpression,
        Status::InvalidMemoryAccess,
        Status::Empty,
        Status::CasMismatch,
        Status::ResultMismatch,
        Status::InternalFailure,
        Status::BrokenConnection,
        Status::Unimplemented,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// The importance of a log line, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Everything.
    Trace = 0,
    /// For developers.
    Debug = 1,
    /// For operators.
    Info = 2,
    /// Something is odd.
    Warn = 3,
    /// Something failed.
    Error = 4,
    /// Nothing works.
    Critical = 5,
}

impl Level {
    pub(crate) fn from_code(code: u32) -> Option<Level> {
        [
            Level::Trace,
            Level::Debug,
            Level::Info,
            Level::Warn,
            Level::Error,
            Level::Critical,
        ]
        .into_iter()
        .find(|level| *level as u32 == code)
    }
}

/// What happens to a request after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It goes on to the next filter.
    Continue,
    /// It waits, or it was answered.
    Pause,
}

impl Action {
    pub(crate) fn from_code(code: u32) -> Action {
        if code == 0 {
            Action::Continue
        } else {
            Action::Pause
        }
    }
}

/// One direction of a stream, as `proxy_continue_stream` and `proxy_close_stream` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The HTTP request.
    Request,
    /// The HTTP response.
    Response,
    /// The downstream connection; HTTP filters have no use for it.
    Downstream,
    /// The upstream connection; HTTP filters have no use for it.
    Upstream,
}

impl Direction {
    pub(crate) fn from_code(code: u32) -> Option<Direction> {
        match code {
            0 => Some(Direction::Request),
            1 => Some(Direction::Response),
            2 => Some(Direction::Downstream),
            3 => Some(Direction::Upstream),
            _ => None,
        }
    }
}

/// The kinds of header maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
    GrpcInitial,
    GrpcTrailing,
    CalloutHeaders,
    CalloutTrailers,
}

impl MapKind {
    pub(crate) fn from_code(code: u32) -> Option<MapKind> {
        match code {
            0 => Some(MapKind::RequestHeaders),
            1 => Some(MapKind::RequestTrailers),
            2 => Some(MapKind::ResponseHeaders),
            3 => Some(MapKind::ResponseTrailers),
            4 => Some(MapKind::GrpcInitial),
            5 => Some(MapKind::GrpcTrailing),
            6 => Some(MapKind::CalloutHeaders),
            7 => Some(MapKind::CalloutTrailers),
            _ => None,
        }
    }
}

/// The version of the ABI that a module says it was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AbiVersion {
    /// 0.1.0: a missing header reads as an empty one.
    V0_1_0,
    /// 0.2.0.
    V0_2_0,
    /// 0.2.1.
    V0_2_1,
}

impl AbiVersion {
    /// The export that marks this version.
    pub const fn marker(self) -> &'static str {
        match self {
            AbiVersion::V0_1_0 => "proxy_abi_version_0_1_0",
            AbiVersion::V0_2_0 => "proxy_abi_version_0_2_0",
            AbiVersion::V0_2_1 => "proxy_abi_version_0_2_1",
        }
    }
}
