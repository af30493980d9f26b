//! How Envoy itself explains what became of a request.

use serde_json::Value;

/// One line of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The listener's name.
    pub listener: String,
    /// The request's `x-lab-id`; none when Envoy refused the request while parsing it.
    pub id: Option<String>,
    /// The status code; 0 when none was sent.
    pub code: u16,
    /// `%RESPONSE_CODE_DETAILS%`: a filter's reason stands here after a local reply.
    pub details: String,
    /// `%RESPONSE_FLAGS%`.
    pub flags: String,
    /// The client as Envoy sees it, with port: 0 when it was taken from `x-forwarded-for`, [`crate::PEER_PORT`] when it is
    /// the claimed peer.
    pub client: String,
}

impl Access {
    pub(crate) fn read(line: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| match json[name].as_str() {
            Some("-") | None => None,
            Some(text) => Some(text.to_owned()),
        };
        Some(Self {
            listener: text("listener")?,
            id: text("id"),
            code: json["code"]
                .as_u64()
                .and_then(|code| code.try_into().ok())
                .unwrap_or(0),
            details: text("details").unwrap_or_default(),
            flags: text("flags").unwrap_or_default(),
            client: text("client").unwrap_or_default(),
        })
    }
}
