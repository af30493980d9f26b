//! Bytes looked at eight at a time. In wasm the library walks byte by byte or in smaller words, and a token has hundreds of bytes.

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

/// Eight bytes that are all 1.
pub(crate) const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The top bits of eight bytes.
pub(crate) const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The top bit of each byte of a word that is this one, and of the one above it too where that differs in its last bit only.
pub(crate) fn marks(word: u64, byte: u8) -> u64 {
    // Where the byte stands, the difference is zero, and only a word with a zero byte keeps a top bit (a borrow can only start at one).
    let difference = word ^ (ONES * u64::from(byte));
    difference.wrapping_sub(ONES) & !difference & TOPS
}

/// Where a byte stands first.
pub(crate) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let holds = |word: &[u8; 8]| marks(u64::from_le_bytes(*word), byte) != 0;
    let passed = words.iter().take_while(|word| !holds(word));
    let start = passed.map(|word| word.len()).sum::<usize>();
    let place = bytes
        .get(start..)?
        .iter()
        .position(|other| *other == byte)?;
    Some(start + place)
}

/// What stands before the first such byte and what behind it.
pub(crate) fn cut(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(find(bytes, byte)?)?;
    Some((before, rest.get(1..)?))
}

/// The byte of two hexadecimal digits.
pub(crate) fn unhex(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for around in [0x00, 0x2b, 0x2d, 0x7f, 0x80, 0xac, 0xff] {
            for length in 0..20 {
                let mut bytes = vec![around; length];
                assert_eq!(find(&bytes, b','), None, "{around} {length}");
                for place in 0..length {
                    bytes[place] = b',';
                    assert_eq!(find(&bytes, b','), Some(place), "{around} {length}");
                    assert_eq!(
                        cut(&bytes, b','),
                        Some((&bytes[..place], &bytes[place + 1..]))
                    );
                    bytes[place] = around;
                }
            }
        }
    }

    #[test]
    fn a_mark_stands_where_its_byte_does_and_nowhere_else() {
        for byte in [0, b',', b'/', 0x7f, 0x80, 0xff] {
            // One byte beside it that differs in its last bit would be marked too.
            let other = byte ^ 0x52;
            let around = u64::from_le_bytes([other; 8]);
            assert_eq!(marks(around, byte), 0, "{byte:#x}");
            for place in 0..8 {
                let mut word = [other; 8];
                word[place] = byte;
                let expected = 0x80 << (8 * place);
                assert_eq!(
                    marks(u64::from_le_bytes(word), byte),
                    expected,
                    "{byte:#x} {place}"
                );
            }
            assert_eq!(marks(u64::from_le_bytes([byte; 8]), byte), TOPS);
        }
    }

    #[test]
    fn two_digits_are_a_byte_in_either_case() {
        let pairs = (0..=u8::MAX).flat_map(|high| (0..=u8::MAX).map(move |low| (high, low)));
        for (high, low) in pairs {
            let digits = [char::from(high), char::from(low)];
            let are_digits = digits.iter().all(char::is_ascii_hexdigit);
            let text = String::from_iter(digits);
            let expected = u8::from_str_radix(&text, 16).ok().filter(|_| are_digits);
            assert_eq!(unhex(high, low), expected, "{text:?}");
        }
    }

    #[test]
    fn every_byte_counts() {
        let text = b"abcdefghijklmnopqrstuvwxyz";
        for length in 0..=text.len() {
            let text = &text[..length];
            assert!(same(text, text), "{length}");
            assert!(length == 0 || !same(text, &text[1..]), "{length}");
            for place in 0..length {
                let mut other = text.to_vec();
                other[place] ^= 0x80;
                assert!(!same(text, &other), "{length} {place}");
            }
        }
    }
}
