//! Headers that belong to one connection (RFC 9110 section 7.6.1): a proxy takes them off before anything is judged or passed on.

use hyper::HeaderMap;
use hyper::header::{CONNECTION, EXPECT, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};

/// Removes them, those that `connection` names included. After the filter nothing is removed any more: else a client could name a header that the policy wrote.
pub fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    // `expect` is answered here, by reading the body or not.
    for name in [CONNECTION, EXPECT, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}
