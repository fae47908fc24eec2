//! Each message survives the wire; nothing else does, and nothing panics.

use dstd_addr::{GlobalAddr, NodeId, PageNo};
use dstd_protocol::codec::{DecodeError, HEADER_BYTES, VERSION, body_fits, decode, encode};
use dstd_protocol::limits::{FREE_ADDRESSES_MAX, PAGE_NO_END, SHIP_BYTES_MAX, WINDOW_PAGES_MAX};
use dstd_protocol::{Message, MessageKind};
use proptest::prelude::*;

fn message() -> impl Strategy<Value = Message> {
    let page = || (0..PAGE_NO_END).prop_map(PageNo);
    let window = || 1..=WINDOW_PAGES_MAX;
    let addr = || any::<u64>().prop_map(GlobalAddr);
    prop_oneof![
        (page(), window(), any::<bool>()).prop_map(|(first, count, write)| Message::PageRequest {
            first,
            count,
            write
        }),
        (page(), window(), any::<bool>(), any::<bool>()).prop_map(|(first, count, writable, upgrade)| {
            Message::PageGrant { first, count, writable, upgrade }
        }),
        (page(), window(), any::<bool>()).prop_map(|(first, count, exclusive)| Message::PageFetch {
            first,
            count,
            exclusive
        }),
        (page(), window(), any::<bool>()).prop_map(|(first, count, exclusive)| Message::PageReturn {
            first,
            count,
            exclusive
        }),
        (page(), window()).prop_map(|(first, count)| Message::PageInvalidate { first, count }),
        (page(), window()).prop_map(|(first, count)| Message::PageInvalidated { first, count }),
        (addr(), any::<u64>(), any::<u32>()).prop_map(|(addr, token, bitset)| Message::FutexWait {
            addr,
            token,
            bitset
        }),
        any::<u64>().prop_map(|token| Message::FutexArmed { token }),
        (addr(), any::<u64>()).prop_map(|(addr, token)| Message::FutexCancel { addr, token }),
        any::<(u64, bool)>().prop_map(|(token, removed)| Message::FutexCancelled { token, removed }),
        any::<u64>().prop_map(|token| Message::FutexWoken { token }),
        (addr(), any::<u64>(), any::<u32>(), any::<u32>())
            .prop_map(|(addr, token, count, bitset)| Message::FutexWake { addr, token, count, bitset }),
        any::<(u64, u32)>().prop_map(|(token, woken)| Message::FutexWakeDone { token, woken }),
        Just(Message::Free),
        (page(), window(), any::<bool>()).prop_map(|(first, count, exclusive)| Message::PageEvict {
            first,
            count,
            exclusive
        }),
        (page(), window()).prop_map(|(first, count)| Message::PageDiscard { first, count }),
        (page(), window()).prop_map(|(first, count)| Message::PageDiscarded { first, count }),
        (page(), window(), any::<(bool, u16)>()).prop_map(|(first, count, (exclusive, to))| {
            Message::PagePass { first, count, exclusive, to: NodeId(to) }
        }),
        (page(), window(), any::<bool>()).prop_map(|(first, count, writable)| Message::PagePassed {
            first,
            count,
            writable
        }),
        (page(), window()).prop_map(|(first, count)| Message::PageInstalled { first, count }),
        any::<(u16, u64, u64)>().prop_map(|(op, id, arg)| Message::Ship { op, id, arg }),
    ]
}

/// A message with a body length that goes with it.
fn frame() -> impl Strategy<Value = (Message, u32)> {
    (message(), any::<u32>()).prop_map(|(message, random)| {
        let body_len = match message {
            Message::PageGrant { count, upgrade: false, .. } => u32::from(count) * 4096,
            Message::PageEvict { count, exclusive: true, .. } => u32::from(count) * 4096,
            Message::PageReturn { count, .. } | Message::PagePassed { count, .. } => u32::from(count) * 4096,
            Message::Free => random % (FREE_ADDRESSES_MAX + 1) * 8,
            Message::Ship { .. } => random % (SHIP_BYTES_MAX + 1),
            _ => 0,
        };
        (message, body_len)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_message_survives_the_wire((message, body_len) in frame()) {
        prop_assert!(body_fits(&message, body_len));
        prop_assert_eq!(decode(&encode(&message, body_len)), Ok((message, body_len)));
    }

    #[test]
    fn random_bytes_are_refused_or_encode_to_themselves(mut header: [u8; HEADER_BYTES], like_ours: bool, kind in 0u8..24) {
        if like_ours {
            header[..3].copy_from_slice(&[0xd5, VERSION, kind]);
        }
        if let Ok((message, body_len)) = decode(&header) {
            prop_assert_eq!(encode(&message, body_len), header);
        }
    }

    #[test]
    fn one_wrong_byte_is_refused_or_another_message(
        (message, body_len) in frame(), at in 0..HEADER_BYTES, bits in 1u8..
    ) {
        let mut header = encode(&message, body_len);
        header[at] ^= bits;
        prop_assert_ne!(decode(&header), Ok((message, body_len)));
    }
}

#[test]
fn the_layout_is_as_drawn() {
    let message = Message::FutexWake {
        addr: GlobalAddr(0x0807_0605_0403_0201),
        token: 0x18,
        count: 0x2122_2324,
        bitset: 0x3132_3334,
    };
    let drawn = [
        0xd5, 4, 11, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x18, 0, 0, 0, 0, 0, 0, 0, 0x24, 0x23, 0x22,
        0x21, 0x34, 0x33, 0x32, 0x31,
    ];
    assert_eq!(encode(&message, 0), drawn);
    let message = Message::PageGrant { first: PageNo(0x99), count: 2, writable: true, upgrade: false };
    let drawn = [
        0xd5, 4, 1, 1, 0, 0x20, 0, 0, 0x99, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0,
    ];
    assert_eq!(encode(&message, 0x2000), drawn);
    let message = Message::PagePass { first: PageNo(0x99), count: 2, exclusive: true, to: NodeId(0x0102) };
    let drawn = [
        0xd5, 4, 18, 1, 0, 0, 0, 0, 0x99, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(encode(&message, 0), drawn);
}

#[test]
fn headers_out_of_bounds_are_refused() {
    let request = Message::PageRequest { first: PageNo(1), count: 1, write: false };
    let with = |message: Message, body_len: u32, at: usize, bytes: &[u8]| {
        let mut header = encode(&message, body_len);
        header[at..at + bytes.len()].copy_from_slice(bytes);
        decode(&header)
    };
    let kind = MessageKind::PageRequest;
    assert_eq!(with(request, 0, 0, &[0]), Err(DecodeError::Magic(0)));
    assert_eq!(with(request, 0, 1, &[9]), Err(DecodeError::Version(9)));
    assert_eq!(with(request, 0, 2, &[21]), Err(DecodeError::Kind(21)));
    assert_eq!(with(request, 0, 3, &[2]), Err(DecodeError::Field(kind)));
    assert_eq!(with(request, 0, 4, &[1]), Err(DecodeError::BodyLen(kind, 1)));
    assert_eq!(with(request, 0, 14, &[0x10]), Err(DecodeError::Field(kind)));
    assert_eq!(with(request, 0, 16, &[0, 0]), Err(DecodeError::Field(kind)));
    assert_eq!(with(request, 0, 16, &[1, 1]), Err(DecodeError::Field(kind)));
    assert_eq!(with(request, 0, 31, &[1]), Err(DecodeError::Field(kind)));
    let grant = Message::PageGrant { first: PageNo(1), count: 2, writable: false, upgrade: false };
    let kind = MessageKind::PageGrant;
    assert_eq!(with(grant, 8192, 4, &4096u32.to_le_bytes()), Err(DecodeError::BodyLen(kind, 4096)));
    assert_eq!(with(grant, 8192, 3, &[2]), Err(DecodeError::BodyLen(kind, 8192)));
    let evict = Message::PageEvict { first: PageNo(1), count: 2, exclusive: true };
    let kind = MessageKind::PageEvict;
    assert_eq!(with(evict, 8192, 3, &[0]), Err(DecodeError::BodyLen(kind, 8192)));
    assert_eq!(with(evict, 8192, 3, &[3]), Err(DecodeError::Field(kind)));
    assert_eq!(with(evict, 8192, 16, &[0]), Err(DecodeError::Field(kind)));
    let discard = Message::PageDiscard { first: PageNo(1), count: 2 };
    let kind = MessageKind::PageDiscard;
    assert_eq!(with(discard, 0, 16, &[1, 1]), Err(DecodeError::Field(kind)));
    assert_eq!(with(discard, 0, 5, &[0x20]), Err(DecodeError::BodyLen(kind, 8192)));
    let pass = Message::PagePass { first: PageNo(1), count: 2, exclusive: false, to: NodeId(3) };
    let kind = MessageKind::PagePass;
    assert_eq!(with(pass, 0, 26, &[1]), Err(DecodeError::Field(kind)));
    assert_eq!(with(pass, 0, 5, &[0x20]), Err(DecodeError::BodyLen(kind, 8192)));
    let passed = Message::PagePassed { first: PageNo(1), count: 2, writable: true };
    assert_eq!(with(passed, 8192, 5, &[0x10]), Err(DecodeError::BodyLen(MessageKind::PagePassed, 4096)));
    let over = (SHIP_BYTES_MAX + 1).to_le_bytes();
    let ship = Message::Ship { op: 1, id: 2, arg: 3 };
    assert_eq!(with(ship, 0, 4, &over), Err(DecodeError::BodyLen(MessageKind::Ship, SHIP_BYTES_MAX + 1)));
    assert_eq!(with(Message::Free, 0, 4, &[12]), Err(DecodeError::BodyLen(MessageKind::Free, 12)));
    assert!(DecodeError::Version(9).to_string().contains("version 9"));
}
