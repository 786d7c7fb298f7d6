//! The protocol as a client meets it: answers, refusals, hostile peers, clients in turn.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::client::{self, Answer, Bench, Client, Memory, VERSION, words};
use hematite_sim::model::Model;
use hematite_sim::root::complex::Root;
use hematite_sim::root::link::LinkModel;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_sim::vfio_user::dma::GuestMemory;
use hematite_sim::vfio_user::header::{Header, command, flag};
use hematite_sim::vfio_user::regions::{Function, MsixMode, index};
use hematite_sim::vfio_user::server::{Options, Server};
use hematite_sim::wire::loopback::Loopback;
use nix::errno::Errno;
use rand::Rng;

fn refused(errno: Errno) -> Answer {
    Answer { errno: errno as u32, payload: vec![] }
}

#[test]
fn the_device_describes_itself() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.connect();
    let reply = client.good(command::VERSION, VERSION);
    let text: serde_json::Value = serde_json::from_slice(&reply[4..reply.len() - 1]).unwrap();
    assert_eq!((&reply[..4], reply.last()), (&[0, 0, 1, 0][..], Some(&0)));
    assert_eq!(text["capabilities"]["max_data_xfer_size"], 1 << 20);
    assert_eq!(text["capabilities"]["write_multiple"], true);
    assert!(client.is_alive());
    for region in 0..9 {
        let info = client.good(command::DEVICE_GET_REGION_INFO, &words(&[32, 0, region, 0, 0, 0, 0, 0]));
        let size = match region {
            index::BAR0 => hematite_sim::facts::bar::BYTES as u32,
            index::CONFIG => 4096,
            _ => 0,
        };
        assert_eq!(info, words(&[32, if size > 0 { 3 } else { 0 }, region, 0, size, 0, 0, 0]));
    }
    // One for each queue of 4 pairs, for the control queue, for changes of the configuration.
    let vectors = 10;
    for irq in 0..5 {
        let info = client.good(command::DEVICE_GET_IRQ_INFO, &words(&[16, 0, irq, 0]));
        assert_eq!(info, words(&[16, u32::from(irq == 2), irq, if irq == 2 { vectors } else { 0 }]));
    }
    assert_eq!(client.ask(command::DEVICE_GET_IRQ_INFO, &words(&[16, 0, 5, 0])), refused(Errno::EINVAL));
    assert_eq!(client.ask(command::DEVICE_GET_INFO, &words(&[15, 0, 0, 0])), refused(Errno::EINVAL));
    let whole = client.read(index::CONFIG, 0, 4096);
    assert_eq!(whole[..4], [0xf4, 0x1a, 0x41, 0x10]);
    drop(client);
    bench.finish();
}

#[test]
fn bars_belong_to_the_client_and_the_function_keeps_its_place() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    let bar = u64::from(hematite_sim::facts::config::BAR0);
    client.write(index::CONFIG, bar, &u64::MAX.to_le_bytes());
    let sized = u64::from_le_bytes(client.read(index::CONFIG, bar, 8).try_into().unwrap());
    assert_eq!((sized & !0xf).wrapping_neg(), hematite_sim::facts::bar::BYTES);
    client.write(index::CONFIG, bar, &0x1_2345_0000u64.to_le_bytes());
    assert_eq!(client.read(index::CONFIG, bar, 8), 0x1_2345_000cu64.to_le_bytes());
    // Memory space is off: a read is an unsupported request, which reads as ones.
    assert_eq!(client.read(index::BAR0, 0x12, 2), [0xff, 0xff]);
    client.write(index::CONFIG, 4, &[6, 0]);
    assert_eq!(client.read(index::BAR0, 0x12, 2), [9, 0], "num_queues: 4 pairs and the control queue");
    drop(client);
    bench.finish();
}

#[test]
fn unsupported_commands_are_drained_and_the_stream_stays_in_step() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    for (command, payload) in [
        (command::DEVICE_GET_REGION_IO_FDS, words(&[16, 0, 0, 0])),
        (command::DIRTY_PAGES, words(&[8, 1])),
        (command::DEVICE_FEATURE, words(&[8, 0x1_0001])),
        (command::MIG_DATA_READ, words(&[8, 0])),
        (0, vec![1; 777]),
        (999, vec![2; 100_000]),
    ] {
        assert_eq!(client.ask(command, &payload), refused(Errno::EOPNOTSUPP), "command {command}");
        assert!(client.is_alive());
    }
    assert_eq!(client.ask(command::DMA_WRITE, &[0; 20]), refused(Errno::EINVAL));
    assert!(client.is_alive(), "one answer, not two");
    drop(client);
    bench.finish();
}

#[test]
fn versions_good_and_bad() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.connect();
    assert_eq!(client.ask(command::DEVICE_RESET, &[]), refused(Errno::EINVAL), "version comes first");
    assert_eq!(client.ask(command::VERSION, &VERSION[..VERSION.len() - 1]), refused(Errno::EINVAL), "no NUL");
    assert_eq!(client.ask(command::VERSION, &[0, 0]), refused(Errno::EINVAL), "too short");
    assert_eq!(client.ask(command::VERSION, b"\0\0\x01\0{}\0").errno, 0, "no capabilities");
    assert_eq!(client.ask(command::VERSION, VERSION), refused(Errno::EINVAL), "twice");
    assert!(client.is_alive());
    drop(client);
    let mut client = bench.connect();
    assert_eq!(client.ask(command::VERSION, b"\x01\0\0\0"), refused(Errno::EINVAL));
    assert!(client.is_dropped(), "another major version");
    drop(client);
    bench.finish();
}

#[test]
fn a_header_in_two_pieces() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.connect();
    let bytes = Header::command(7, command::VERSION, 0, VERSION);
    client.stream.write_all(&bytes[..7]).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    client.stream.write_all(&bytes[7..20]).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    client.stream.write_all(&bytes[20..]).unwrap();
    assert_eq!(client.answer(7, command::VERSION).errno, 0);
    drop(client);
    bench.finish();
}

#[test]
fn accesses_outside_are_refused() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    let read =
        |offset: u64, region: u32, count: u32| [&offset.to_le_bytes()[..], &words(&[region, count])].concat();
    for (offset, region, count) in [
        (0, 0, 3 << 30),
        (0, 0, u32::MAX),
        (4094, 7, 4),
        (1 << 20, 0, 4),
        (u64::MAX, 0, 4),
        (0, 99, 4),
        (0, 1, 4),
        (0, 8, 1),
    ] {
        let answer = client.ask(command::REGION_READ, &read(offset, region, count));
        assert_eq!(answer, refused(Errno::EINVAL), "{offset:#x} {region} {count}");
    }
    for (offset, region) in [(1 << 20, 0), (4094, 7), (0, 99)] {
        let answer = client.ask(command::REGION_WRITE, &Client::write_payload(region, offset, b"abcd"));
        assert_eq!(answer, refused(Errno::EINVAL));
    }
    // Any size and alignment within the BAR has an answer.
    client.write(index::CONFIG, 4, &[6, 0]);
    for (offset, len) in [(0, 1), (1, 2), (3, 7), (0x3fd, 9), (0x7f0, 300), (0xffff, 1)] {
        assert_eq!(client.read(index::BAR0, offset, len).len(), len);
        client.write(index::BAR0, 0x9000 + offset % 64, &vec![0; len.min(32)]);
    }
    assert!(client.is_alive());
    drop(client);
    bench.finish();
}

#[test]
fn who_wants_no_reply_gets_none_not_even_an_error() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    for payload in [Client::write_payload(99, 0, b"abcd"), Client::write_payload(7, 4, &[6, 0])] {
        client.send(command::REGION_WRITE, flag::NO_REPLY, &payload, &[]);
    }
    client.send(4242, flag::NO_REPLY, &[], &[]);
    assert!(client.is_alive());
    assert_eq!(client.read(index::CONFIG, 4, 2), [6, 0], "the good one was done");
    drop(client);
    bench.finish();
}

#[test]
fn many_writes_in_one_message() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    let one = |offset: u64, region: u32, len: u32, data: u64| {
        [&offset.to_le_bytes()[..], &words(&[region, len]), &data.to_le_bytes()].concat()
    };
    let list = [&2u64.to_le_bytes()[..], &one(4, 7, 2, 6), &one(0x16, 0, 2, 3)].concat();
    assert_eq!(client.good(command::REGION_WRITE_MULTI, &list), 2u64.to_le_bytes());
    assert_eq!(client.read(index::BAR0, 0x16, 2), [3, 0], "queue_select");
    let wrong = [&3u64.to_le_bytes()[..], &one(4, 7, 2, 6)].concat();
    assert_eq!(client.ask(command::REGION_WRITE_MULTI, &wrong), refused(Errno::EINVAL));
    drop(client);
    bench.finish();
}

#[test]
fn memory_is_mapped_once_and_unmapped_whole() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    let memory = Memory::new(0x10_0000);
    client.map(0x10_0000, &memory);
    let map = |addr: u64, size: u64| {
        let mut payload = words(&[32, 3, 0, 0]);
        [addr, size].iter().for_each(|field| payload.extend(field.to_le_bytes()));
        payload
    };
    let unmap = |flags: u32, addr: u64, size: u64| {
        let mut payload = words(&[24, flags]);
        [addr, size].iter().for_each(|field| payload.extend(field.to_le_bytes()));
        payload
    };
    assert_eq!(client.ask(command::DMA_MAP, &map(0x1f_ffff, 1)), refused(Errno::EEXIST));
    assert_eq!(client.ask(command::DMA_MAP, &map(0x20_0000, 0x1000)).errno, 0, "a ROM, without a file");
    let fd = [memory.file.as_raw_fd()];
    let longer = client.ask_with(command::DMA_MAP, &map(0x40_0000, 0x10_1000), &fd);
    assert_eq!(longer, refused(Errno::EINVAL), "longer than its file");
    let two = client.ask_with(command::DMA_MAP, &map(0x40_0000, 0x1000), &[fd[0]; 2]);
    assert_eq!(two, refused(Errno::EINVAL), "two files");
    assert_eq!(client.ask(command::DMA_UNMAP, &unmap(0, 0x10_0000, 0x1000)), refused(Errno::EINVAL));
    assert_eq!(
        client.good(command::DMA_UNMAP, &unmap(0, 0x10_0000, 0x10_0000)),
        unmap(0, 0x10_0000, 0x10_0000)
    );
    assert_eq!(client.good(command::DMA_UNMAP, &unmap(2, 0, 0)), unmap(2, 0, 0), "all");
    client.good(command::DMA_UNMAP, &unmap(0, 0x20_0000, 0x1000));
    let top = 0xfef0_0000u64;
    client.good(command::DMA_UNMAP, &unmap(0, top, 0u64.wrapping_sub(top)));
    assert_eq!(client.ask(command::DMA_UNMAP, &unmap(0, 1, u64::MAX - 1)).errno, 0);
    assert_eq!(client.ask(command::DMA_UNMAP, &unmap(0, 2, u64::MAX)), refused(Errno::EINVAL));
    drop(client);
    bench.finish();
}

#[test]
fn more_descriptors_than_announced_are_closed() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let memory = Memory::new(0x1000);
    for count in [17, 100, 200] {
        let fds = vec![memory.file.as_raw_fd(); count];
        assert_eq!(client.ask_with(command::DEVICE_RESET, &[], &fds), refused(Errno::EINVAL));
    }
    let before = open();
    for _ in 0..20 {
        client.ask_with(command::DEVICE_GET_INFO, &words(&[16, 0, 0, 0]), &[memory.file.as_raw_fd(); 16]);
        client.ask_with(command::DEVICE_RESET, &[], &[memory.file.as_raw_fd(); 200]);
    }
    // Other tests of this process open files too: 4,320 descriptors were handed over.
    assert!(open() < before + 200, "{before} before, {} after", open());
    drop(client);
    bench.finish();
}

#[test]
fn a_second_client_waits_for_the_first_to_leave() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut first = bench.attach();
    let mut second = bench.connect();
    let id = second.send(command::VERSION, 0, VERSION, &[]);
    second.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(second.receive().is_err(), "no answer while the first is attached");
    assert!(first.is_alive());
    drop(first);
    second.stream.set_read_timeout(Some(client::ANSWER_LIMIT)).unwrap();
    assert_eq!(second.answer(id, command::VERSION).errno, 0);
    assert!(second.is_alive());
    drop(second);
    bench.finish();
}

#[test]
fn when_nothing_moves_the_server_sleeps() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut client = bench.attach();
    client.write(index::CONFIG, 4, &[6, 0]);
    assert!(client.is_alive());
    std::thread::sleep(Duration::from_millis(50));
    let before = bench.turns.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(bench.turns.load(Ordering::Relaxed), before, "the loop turns although nothing moves");
    drop(client);
    bench.finish();
}

#[test]
fn garbage_ends_one_connection_and_not_the_server() {
    let bench = Bench::start(MsixMode::Eventfd);
    for size in [0u32, 15, 0x20_0000, u32::MAX] {
        let mut client = bench.attach();
        let mut bytes = Header::command(1, command::REGION_READ, 0, &[]);
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        client.stream.write_all(&bytes).unwrap();
        assert!(client.is_dropped(), "size {size:#x}");
    }
    let mut client = bench.attach();
    client.stream.write_all(&Header::command(1, command::DEVICE_RESET, 7, &[])).unwrap();
    assert!(client.is_dropped(), "neither command nor reply");
    let mut client = bench.attach();
    client.stream.write_all(&Header::command(1, command::REGION_READ, 0, &[0; 16])[..20]).unwrap();
    drop(client);
    assert!(bench.attach().is_alive());
    bench.finish();
}

#[test]
fn random_conversations_leave_the_server_sound() {
    let seed = Seed::from_env(0x7061_7274);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(0);
    let bench = Bench::start(MsixMode::Eventfd);
    let memory = Memory::new(0x10_000);
    let mut spoken = 0;
    for _ in 0..60 {
        let mut client = bench.attach();
        for _ in 0..rng.random_range(1..60) {
            let len = rng.random_range(0..64);
            let mut payload: Vec<u8> = (0..len)
                .map(|_| if rng.random_bool(0.75) { 0 } else { rng.random::<u8>() >> rng.random_range(0..8) })
                .collect();
            // Often a plausible region and count, so that accesses happen.
            if payload.len() >= 16 && rng.random_bool(0.7) {
                payload[2..8].fill(0);
                payload[8..16]
                    .copy_from_slice(&words(&[if rng.random() { 7 } else { 0 }, rng.random_range(0..300)]));
            }
            let fds =
                vec![memory.file.as_raw_fd(); if rng.random_bool(0.2) { rng.random_range(1..20) } else { 0 }];
            let command = rng.random_range(0..20);
            let id = client.send(command, 0, &payload, &fds);
            client.answer(id, command);
            spoken += 1;
        }
        if rng.random() {
            let noise: Vec<u8> = (0..rng.random_range(1..200)).map(|_| rng.random()).collect();
            let _ = client.stream.write_all(&noise);
        }
    }
    assert!(spoken > 500);
    assert!(bench.attach().is_alive());
    bench.finish();
}

#[test]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let bind = || {
        let root = Root::new(Model::default(), GuestMemory::new(), LinkModel::fast());
        let function = Function::new(root, MsixMode::Eventfd).unwrap();
        Server::bind(&path, function, Box::new(Loopback::new()), Options::default())
    };
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let server = bind().expect("a stale socket is replaced");
    let error = bind().err().expect("a living one is not").to_string();
    assert!(error.contains("another server"), "{error}");
    drop(server);
    assert!(!path.exists());
    std::fs::write(&path, "data").unwrap();
    let error = bind().err().expect("a file is not").to_string();
    assert!(error.contains("no socket"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"data");
}
