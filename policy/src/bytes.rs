//! Bytes compared eight at a time. In wasm the library's comparison walks byte by byte, and a token has hundreds of them.

/// Whether both are the same bytes.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    // The last words may overlap those before, so no rest is left.
    match (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(left_end), Some(right_end)) => {
            let (left, _) = left.as_chunks::<8>();
            let (right, _) = right.as_chunks::<8>();
            word(left_end) == word(right_end)
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| word(left) == word(right))
        }
        _ => left.iter().zip(right).all(|(left, right)| left == right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let text = b"abcdefghijklmnopqrstuvwxyz";
        for length in 0..=text.len() {
            let text = &text[..length];
            assert!(same(text, &text.to_vec()), "{length}");
            assert!(length == 0 || !same(text, &text[1..]), "{length}");
            for place in 0..length {
                let mut other = text.to_vec();
                other[place] ^= 0x80;
                assert!(!same(text, &other), "{length} {place}");
            }
        }
    }
}
