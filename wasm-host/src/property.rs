//! Properties: paths, values in Envoy's encoding, and the few that follow from the request headers.

use std::collections::BTreeMap;

use crate::Pairs;
use crate::headers::Headers;

/// Properties by path. A path is its segments joined by NUL bytes, as on the wire; the setters take dots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<Vec<u8>, Vec<u8>>);

impl Properties {
    /// No properties.
    pub fn new() -> Properties {
        Properties::default()
    }

    /// A string, such as `source.address` = `10.0.0.1:4711`. Dots separate segments.
    #[must_use]
    pub fn string(self, dotted: &str, value: &str) -> Properties {
        self.bytes(&path(dotted), value.as_bytes())
    }

    /// An integer: eight bytes, little endian, such as `xds.listener_direction`.
    #[must_use]
    pub fn integer(self, dotted: &str, value: i64) -> Properties {
        self.bytes(&path(dotted), &value.to_le_bytes())
    }

    /// A bool: one byte, such as `connection.mtls`.
    #[must_use]
    pub fn boolean(self, dotted: &str, value: bool) -> Properties {
        self.bytes(&path(dotted), &[u8::from(value)])
    }

    /// A map, such as `metadata.filter_metadata.…`: the encoding of header pairs.
    #[must_use]
    pub fn map(self, dotted: &str, entries: &[(Vec<u8>, Vec<u8>)]) -> Properties {
        self.bytes(&path(dotted), &encode_map(entries))
    }

    /// Any bytes under a path whose segments may hold dots.
    #[must_use]
    pub fn segments(self, segments: &[&str], value: &[u8]) -> Properties {
        self.bytes(segments.join("\0").as_bytes(), value)
    }

    /// Any bytes under a path as on the wire.
    #[must_use]
    pub fn bytes(mut self, path: &[u8], value: &[u8]) -> Properties {
        self.0.insert(path.to_vec(), value.to_vec());
        self
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }
}

/// A map value as Envoy writes it for a guest: the encoding of header pairs. Values may be maps again.
pub fn encode_map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    crate::pairs::encode(entries)
}

/// Reads what [`encode_map`] writes; `None` when sizes and bytes don't fit together.
pub fn decode_map(bytes: &[u8]) -> Option<Pairs> {
    crate::pairs::decode(bytes)
}

/// What Envoy computes from the request headers. `None` when the path is no such property or the header is missing.
pub(crate) fn from_request(path: &[u8], headers: &Headers) -> Option<Vec<u8>> {
    let name = path.strip_prefix(b"request\0")?;
    if let Some(header) = name.strip_prefix(b"headers\0") {
        // The attribute joins repeated lines, unlike the single-value getter.
        let values: Vec<&[u8]> = headers.all(header).collect();
        return if values.is_empty() {
            None
        } else {
            Some(values.join(&b","[..]))
        };
    }
    let header = |name: &str| headers.first(name.as_bytes());
    let split = |path: &[u8]| {
        path.iter()
            .position(|byte| *byte == b'?')
            .unwrap_or(path.len())
    };
    match name {
        b"path" => header(":path").map(<[u8]>::to_vec),
        b"url_path" => header(":path")
            .and_then(|path| path.get(..split(path)))
            .map(<[u8]>::to_vec),
        b"query" => header(":path")
            .and_then(|path| path.get(split(path).saturating_add(1)..))
            .map(<[u8]>::to_vec),
        b"host" => header(":authority").map(<[u8]>::to_vec),
        b"method" => header(":method").map(<[u8]>::to_vec),
        b"scheme" => header(":scheme").map(<[u8]>::to_vec),
        b"id" => header("x-request-id").map(<[u8]>::to_vec),
        b"useragent" => header("user-agent").map(<[u8]>::to_vec),
        b"referer" => header("referer").map(<[u8]>::to_vec),
        _ => None,
    }
}

fn path(dotted: &str) -> Vec<u8> {
    dotted.replace('.', "\0").into_bytes()
}
