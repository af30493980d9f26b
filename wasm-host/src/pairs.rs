//! The wire form of header maps: a count, all sizes, then names and values, each closed by a NUL.

use crate::Pairs;

/// Encodes pairs as the ABI wants them; bytes are copied as they are.
pub(crate) fn encode(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&size(pairs.len()));
    for (name, value) in pairs {
        bytes.extend_from_slice(&size(name.len()));
        bytes.extend_from_slice(&size(value.len()));
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}

/// Decodes what a guest wrote; `None` when sizes and bytes don't fit together. No bytes at all are no pairs.
pub(crate) fn decode(bytes: &[u8]) -> Option<Pairs> {
    if bytes.is_empty() {
        return Some(Pairs::new());
    }
    let (count, mut sizes) = take_u32(bytes)?;
    // Each entry takes 8 bytes of sizes, so a count that lies can't make us reserve more than we were given.
    let mut rest = sizes.get((count as usize).checked_mul(8)?..)?;
    let mut pairs = Pairs::with_capacity(count as usize);
    for _ in 0..count {
        let (name_size, after) = take_u32(sizes)?;
        let (value_size, after) = take_u32(after)?;
        sizes = after;
        let (name, after) = take_closed(rest, name_size as usize)?;
        let (value, after) = take_closed(after, value_size as usize)?;
        rest = after;
        pairs.push((name.to_vec(), value.to_vec()));
    }
    Some(pairs)
}

fn size(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

fn take_closed(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (value, rest) = bytes.split_at_checked(length)?;
    let (_nul, rest) = rest.split_first()?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let pairs = vec![
            (b"a".to_vec(), b"".to_vec()),
            (b"b".to_vec(), vec![0xff, 0, 1]),
            (b"a".to_vec(), b"x".to_vec()),
        ];
        assert_eq!(decode(&encode(&pairs)), Some(pairs));
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        assert_eq!(decode(&[255, 255, 255, 255]), None);
        assert_eq!(
            decode(&[1, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0]),
            None
        );
        assert_eq!(decode(&[1, 0, 0]), None);
    }

    #[test]
    fn no_bytes_and_no_entries_are_no_pairs() {
        assert_eq!(decode(&[]), Some(vec![]));
        assert_eq!(decode(&[0, 0, 0, 0]), Some(vec![]));
    }
}
