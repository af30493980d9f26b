//! Foreign functions of Envoy. Arguments and results are protobuf, read and written by hand: there are two messages.

use crate::memory::{Answer, Host};
use crate::signature::{Hash, VerifySignature};
use crate::status::Status;

pub(super) fn call(
    host: &mut Host<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    arguments_size: u32,
    data_out: u32,
    size_out: u32,
) -> Answer {
    let name = host.read(name, name_size)?;
    let arguments = host.read(arguments, arguments_size)?;
    let foreign = &host.state().settings.foreign;
    let result = match name.as_slice() {
        b"verify_signature" => {
            let verify = foreign.verify_signature.clone().ok_or(Status::NotFound)?;
            verified(&arguments, |question| {
                verify(question).map_err(|_| Status::BadArgument)
            })?
        }
        b"clear_route_cache" if foreign.clear_route_cache => {
            super::streams::clear_route_cache(host)?;
            Vec::new()
        }
        _ => return Err(Status::NotFound.into()),
    };
    host.give(result, data_out, size_out)
}

/// `result` is field 1, `error` field 2. A signature that does not fit is a result, not a refusal.
fn verified(
    arguments: &[u8],
    verify: impl FnOnce(&VerifySignature) -> Result<bool, Status>,
) -> Result<Vec<u8>, Status> {
    let fields = read_fields(arguments).ok_or(Status::BadArgument)?;
    let field = |number: u64| {
        fields
            .iter()
            .rev()
            .find(|(have, _)| *have == number)
            .map_or(&[][..], |(_, value)| value)
    };
    let Some(hash) = Hash::from_name(field(1)) else {
        return Ok(failure(&[field(1), b" is not supported."].concat()));
    };
    let question = VerifySignature {
        hash,
        public_key: field(2).to_vec(),
        public_key_pem: field(5).to_vec(),
        signature: field(3).to_vec(),
        text: field(4).to_vec(),
    };
    Ok(if verify(&question)? {
        vec![0x08, 1]
    } else {
        failure(b"Failed to verify digest.")
    })
}

fn failure(message: &[u8]) -> Vec<u8> {
    // One length byte holds 127; the messages are shorter unless the guest made the hash name long.
    let message = message.get(..127).unwrap_or(message);
    [&[0x12, u8::try_from(message.len()).unwrap_or(0)], message].concat()
}

/// The length-delimited fields of a message; others are skipped.
fn read_fields(mut bytes: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (key, rest) = read_varint(bytes)?;
        let number = key >> 3;
        bytes = match key & 7 {
            0 => read_varint(rest)?.1,
            1 => rest.get(8..)?,
            2 => {
                let (length, rest) = read_varint(rest)?;
                let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                fields.push((number, value));
                rest
            }
            5 => rest.get(4..)?,
            _ => return None,
        };
    }
    Some(fields)
}

fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}
