//! Requests good and bad, one by one and at random.

use super::*;
use crate::seed::{ReplayLine, Seed};
use rand::Rng;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn errno(command: u16, payload: &[u8], fds: usize) -> Errno {
    Request::parse(command, payload, fds).expect_err("refused").errno
}

#[test]
fn version_with_and_without_what_is_optional() {
    let parse = |text: &[u8]| {
        let payload = [&[0, 0, 1, 0], text].concat();
        Request::parse(command::VERSION, &payload, 0)
    };
    let caps = |result: Result<Request, Refusal>| match result {
        Ok(Request::Version { major: 0, minor: 1, capabilities }) => capabilities,
        other => panic!("{other:?}"),
    };
    let none = caps(parse(b""));
    assert_eq!((none.max_msg_fds, none.max_data_xfer_size), (1, MAX_DATA as u64));
    assert_eq!(caps(parse(b"{}\0")), none);
    let given = caps(parse(b"{\"capabilities\":{\"max_msg_fds\":8,\"write_multiple\":true,\"new\":[]}}\0"));
    assert_eq!((given.max_msg_fds, given.write_multiple), (8, true));
    for bad in [
        &b"{}"[..],
        b"\0",
        b"[]\0",
        b"{\"capabilities\":7}\0",
        b"{\"capabilities\":{\"max_msg_fds\":-1}}\0",
        b"\xff\xfe\0",
    ] {
        assert_eq!(parse(bad).expect_err("refused").errno, Errno::EINVAL, "{bad:?}");
    }
    // Deep nesting must not exhaust the stack.
    let deep = [vec![b'['; 100_000], vec![0]].concat();
    assert!(parse(&deep).is_err());
    assert_eq!(errno(command::VERSION, &[0, 0], 0), Errno::EINVAL);
}

#[test]
fn counts_are_checked_before_anything_is_made_of_them() {
    assert_eq!(errno(command::REGION_READ, &words(&[0, 0, 0, 3 << 30]), 0), Errno::EINVAL);
    assert_eq!(errno(command::REGION_READ, &words(&[0, 0, 0, 0]), 0), Errno::EINVAL);
    assert_eq!(errno(command::REGION_WRITE, &words(&[0, 0, 0, 8, 1]), 0), Errno::EINVAL);
    assert_eq!(errno(command::REGION_WRITE, &words(&[0, 0, 0, 4, 1, 2]), 0), Errno::EINVAL);
    assert_eq!(errno(command::REGION_WRITE_MULTI, &words(&[u32::MAX, u32::MAX]), 0), Errno::EINVAL);
    assert_eq!(errno(command::REGION_WRITE_MULTI, &words(&[1, 0, 0, 0, 0, 9, 0, 0]), 0), Errno::EINVAL);
    let trigger = |count| words(&[20, 0b100 << 3 | 0b100, 2, 0, count]);
    assert_eq!(errno(command::DEVICE_SET_IRQS, &trigger(u32::MAX), 0), Errno::EINVAL);
    assert_eq!(errno(command::DEVICE_SET_IRQS, &trigger(3), 2), Errno::EINVAL);
    assert_eq!(errno(command::DEVICE_SET_IRQS, &words(&[20, 0b100_011, 2, 0, 0]), 0), Errno::EINVAL);
    assert_eq!(errno(command::DEVICE_SET_IRQS, &words(&[20, 0b110_001, 2, 0, 0]), 0), Errno::EINVAL);
    assert_eq!(errno(command::DEVICE_RESET, &[], MAX_FDS + 1), Errno::EINVAL);
}

#[test]
fn ranges_of_memory_neither_wrap_nor_are_empty() {
    let map = |flags: u32, offset: u64, addr: u64, size: u64| {
        let mut payload = words(&[32, flags]);
        [offset, addr, size].iter().for_each(|v| payload.extend(v.to_le_bytes()));
        Request::parse(command::DMA_MAP, &payload, 1)
    };
    assert!(map(3, 0, 0, 0x1000).is_ok());
    for (flags, offset, addr, size) in [
        (3, 0, 0, 0),
        (3, 0, u64::MAX, 2),
        (3, u64::MAX, 0, 2),
        (3, 0, 2, u64::MAX),
        (0, 0, 0, 0x1000),
        (1 << 31 | 3, 0, 0, 0x1000),
    ] {
        assert_eq!(map(flags, offset, addr, size).expect_err("refused").errno, Errno::EINVAL);
    }
    assert_eq!(errno(command::DMA_UNMAP, &words(&[24, 1, 0, 0, 0x1000, 0]), 0), Errno::EOPNOTSUPP);
    let all = Request::parse(command::DMA_UNMAP, &words(&[24, 2, 0, 0, 0, 0]), 0);
    assert_eq!(all, Ok(Request::DmaUnmap(DmaUnmap { all: true, addr: 0, size: 0 })));
}

#[test]
fn commands_which_are_not_for_us() {
    assert_eq!(errno(command::DMA_WRITE, &[0; 20], 0), Errno::EINVAL);
    for command in [6, 14, 16, 17, 18, 0, 19, u16::MAX] {
        assert_eq!(errno(command, &[0; 16], 0), Errno::EOPNOTSUPP, "command {command}");
    }
}

#[test]
fn any_bytes_are_a_request_or_a_refusal() {
    let seed = Seed::from_env(0x6d65_7373);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(0);
    let mut understood = 0;
    for _ in 0..50_000 {
        let len = rng.random_range(0..80);
        let mut payload: Vec<u8> = (0..len)
            .map(|_| if rng.random_bool(0.7) { 0 } else { rng.random::<u8>() >> rng.random_range(0..8) })
            .collect();
        if let Some(byte) = payload.get_mut(8) {
            *byte |= 1;
        }
        let request = Request::parse(rng.random_range(0..20), &payload, rng.random_range(0..4));
        understood += u32::from(request.is_ok());
    }
    assert!(understood > 1000, "the bytes are too random to mean anything: {understood}");
}
