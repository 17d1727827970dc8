//! A message with a bundle, without copying the bundle: what stands before its bytes.
//!
//! Guarantees: head and bytes together are the message that the generated code would write.

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::distribution::stream::prefixed;

/// The field of a bundle in a message of the operator, and of its bytes in the bundle.
const BUNDLE_FIELD: u32 = 3;
const BYTES_FIELD: u32 = 1;

/// Everything of a message with a bundle that stands before the bundle's bytes.
pub(super) fn bundle_head(length: usize) -> Bytes {
    let inner = key_len(BYTES_FIELD) + encoded_len_varint(length as u64) + length;
    let outer = key_len(BUNDLE_FIELD) + encoded_len_varint(inner as u64) + inner;
    let mut head = prefixed(outer, outer - length);
    encode_key(BUNDLE_FIELD, WireType::LengthDelimited, &mut head);
    encode_varint(inner as u64, &mut head);
    encode_key(BYTES_FIELD, WireType::LengthDelimited, &mut head);
    encode_varint(length as u64, &mut head);
    head.freeze()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::distribution::protocol::{Bundle, FromOperator, from_operator};
    use crate::distribution::stream::PREFIX_BYTES;

    #[test]
    fn a_bundle_that_is_not_copied_is_the_message_that_it_would_be() {
        for length in [0, 1, 120, 127, 128, 16_383, 16_384, 3 << 20] {
            let bytes = Bytes::from(vec![7; length]);
            let bundle = Bundle { bytes: bytes.clone() };
            let whole = FromOperator { message: Some(from_operator::Message::Bundle(bundle)) }.encode_to_vec();
            let sent = [&bundle_head(length)[..], &bytes].concat();
            if length > 0 {
                assert_eq!(&sent[PREFIX_BYTES..], whole, "{length}");
            }
            let read = FromOperator::decode(&sent[PREFIX_BYTES..]).unwrap();
            assert_eq!(read.message, Some(from_operator::Message::Bundle(Bundle { bytes })));
            assert_eq!(sent[1..PREFIX_BYTES], u32::try_from(sent.len() - PREFIX_BYTES).unwrap().to_be_bytes());
        }
    }
}
