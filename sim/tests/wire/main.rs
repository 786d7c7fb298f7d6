//! The far end's stack, met by a guest made of the same library: lease, ARP, ping, TCP and UDP services, bad frames.
//! Both sides share one simulated clock: same seed, same run, no wait for real time.

mod bench;
mod iperf;

use std::time::Duration;

use hematite_sim::seed::{ReplayLine, Seed};
use hematite_sim::wire::Wire;
use hematite_sim::wire::dhcp::{DhcpServer, Verdict};
use hematite_sim::wire::stack::{ADDR, ADDR6, MAC};
use hematite_sim::wire::vlans::Vlans;
use rand::Rng;
use sha2::{Digest, Sha256};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::{dhcpv4, icmp, tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress};

use crate::bench::{Bench, GUEST_MAC, GUEST6, TICK};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

fn sum(data: &[u8]) -> String {
    format!("{} {:x}\n", data.len(), Sha256::digest(data))
}

#[test]
fn a_guest_gets_a_lease_and_keeps_it() {
    let mut bench = Bench::new();
    bench.guest.update_ip_addrs(|addrs| addrs.clear());
    let handle = bench.sockets.add(dhcpv4::Socket::new());
    let lease = bench.until("lease", |bench| match bench.sockets.get_mut::<dhcpv4::Socket>(handle).poll() {
        Some(dhcpv4::Event::Configured(config)) => {
            Some((config.address, config.router, config.dns_servers.to_vec()))
        }
        _ => None,
    });
    assert_eq!(lease, ("10.0.2.15/24".parse().unwrap(), Some(ADDR), vec![ADDR]));
    // Renewals come on the same terms: two hours of them.
    for _ in 0..7200 {
        bench.now += Duration::from_secs(1) - TICK;
        bench.tick();
        let event = bench.sockets.get_mut::<dhcpv4::Socket>(handle).poll();
        assert!(!matches!(event, Some(dhcpv4::Event::Deconfigured)), "at {:?}", bench.now);
    }
}

/// A DHCP message as a client builds it, without the smoltcp socket: the fields which matter are ours.
fn dhcp_frame(kind: u8, mac: [u8; 6], requested: Option<[u8; 4]>, server: Option<[u8; 4]>) -> Vec<u8> {
    let mut bootp = vec![0u8; 240];
    (bootp[0], bootp[1], bootp[2]) = (1, 1, 6);
    bootp[4..8].copy_from_slice(&[1, 2, 3, 4]);
    bootp[10] = 0x80;
    bootp[28..34].copy_from_slice(&mac);
    bootp[236..240].copy_from_slice(&[99, 130, 83, 99]);
    bootp.extend([53, 1, kind]);
    requested.iter().for_each(|addr| bootp.extend([&[50, 4][..], addr].concat()));
    server.iter().for_each(|addr| bootp.extend([&[54, 4][..], addr].concat()));
    bootp.push(255);
    let udp_len = (8 + bootp.len()) as u16;
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp_len).to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
    let total: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = !((total & 0xffff) + (total >> 16)) as u16;
    ip[10..12].copy_from_slice(&folded.to_be_bytes());
    let mut frame = vec![0xff; 6];
    frame.extend(mac);
    frame.extend([8, 0]);
    frame.extend(ip);
    frame.extend([0, 68, 0, 67]);
    frame.extend(udp_len.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(bootp);
    frame
}

/// Message type and offered address of an answer.
fn dhcp_answer(verdict: Verdict) -> (u8, [u8; 4]) {
    let Verdict::Answer(frame) = verdict else { panic!("{verdict:?}") };
    let bootp = &frame[42..];
    assert_eq!(&bootp[236..243], [99, 130, 83, 99, 53, 1, bootp[242]]);
    (bootp[242], bootp[16..20].try_into().unwrap())
}

#[test]
fn the_dhcp_server_answers_each_kind_of_request() {
    let mut server = DhcpServer::new(MAC, ADDR);
    let (one, two) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let first = [10, 0, 2, 15];
    assert_eq!(dhcp_answer(server.look(&dhcp_frame(1, one, None, None))), (2, first));
    assert_eq!(dhcp_answer(server.look(&dhcp_frame(1, two, None, None))), (2, [10, 0, 2, 16]));
    let far = Some(ADDR.octets());
    assert_eq!(dhcp_answer(server.look(&dhcp_frame(3, one, Some(first), far))), (5, first));
    assert_eq!(
        dhcp_answer(server.look(&dhcp_frame(3, two, Some(first), far))),
        (6, [0; 4]),
        "another's address"
    );
    let elsewhere = Some([10, 0, 2, 3]);
    assert_eq!(server.look(&dhcp_frame(3, one, Some(first), elsewhere)), Verdict::Silent);
    assert_eq!(server.look(&dhcp_frame(7, one, None, far)), Verdict::Silent, "release");
    let third = [2, 0, 0, 0, 0, 3];
    assert_eq!(dhcp_answer(server.look(&dhcp_frame(1, third, None, None))), (2, first), "free again");
    let mut wrong = dhcp_frame(1, one, None, None);
    wrong[24] ^= 1;
    assert_eq!(server.look(&wrong), Verdict::NotDhcp, "IP checksum");
}

#[test]
fn leases_run_out_without_harm() {
    let mut server = DhcpServer::new(MAC, ADDR);
    let mac = |n: u16| [2, 0, 0, 0, (n >> 8) as u8, n as u8];
    let served =
        (0..1000).filter(|n| server.look(&dhcp_frame(1, mac(*n), None, None)) != Verdict::Silent).count();
    assert_eq!(served, 240, "10.0.2.15 to 10.0.2.254");
}

#[test]
fn pings_are_answered_by_both_protocols() {
    let mut bench = Bench::new();
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 8192]);
    let mut socket = icmp::Socket::new(buffer(), buffer());
    socket.bind(icmp::Endpoint::Ident(7)).unwrap();
    let handle = bench.sockets.add(socket);
    for len in [0, 56, 1472] {
        let data = pattern(len);
        let request = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 1, data: &data };
        let socket = bench.sockets.get_mut::<icmp::Socket>(handle);
        let room = socket.send(request.buffer_len(), ADDR.into()).unwrap();
        request.emit(&mut Icmpv4Packet::new_unchecked(room), &Default::default());
        let (reply, from) = bench.until("echo reply", |bench| {
            let socket = bench.sockets.get_mut::<icmp::Socket>(handle);
            socket.recv().ok().map(|(bytes, from)| (bytes.to_vec(), from))
        });
        assert_eq!(from, IpAddress::from(ADDR));
        assert_eq!((reply[0], &reply[8..]), (0, &data[..]));
    }
    let request = Icmpv6Repr::EchoRequest { ident: 7, seq_no: 1, data: b"six" };
    let socket = bench.sockets.get_mut::<icmp::Socket>(handle);
    let room = socket.send(request.buffer_len(), ADDR6.into()).unwrap();
    request.emit(&GUEST6, &ADDR6, &mut Icmpv6Packet::new_unchecked(room), &Default::default());
    let (reply, from) = bench.until("echo reply by IPv6", |bench| {
        let socket = bench.sockets.get_mut::<icmp::Socket>(handle);
        socket.recv().ok().map(|(bytes, from)| (bytes.to_vec(), from))
    });
    assert_eq!((from, &reply[8..]), (IpAddress::from(ADDR6), &b"six"[..]));
}

#[test]
fn what_nc_sends_is_counted_and_summed() {
    let mut bench = Bench::new();
    for (round, len) in [0, 1, 100_000, 3_000_000].into_iter().enumerate() {
        let data = pattern(len);
        let answer = bench.nc(7001, 40_000 + round as u16, &data);
        assert_eq!(String::from_utf8_lossy(&answer), sum(&data));
    }
}

#[test]
fn what_is_ordered_arrives_and_its_sum_is_known() {
    let mut bench = Bench::new();
    let promised = bench.nc(7003, 40_000, b"2000000 0x51f3\n");
    let sent = bench.nc(7002, 40_001, b"2000000 0x51f3\n");
    assert_eq!(String::from_utf8_lossy(&promised), sum(&sent));
    assert_eq!(bench.nc(7002, 40_002, b"2000000 0x51f3"), sent, "the same again, and no newline needed");
    assert_ne!(bench.nc(7002, 40_003, b"2000000 1\n"), sent);
    for (local, bad) in
        (40_010..).zip([&b"\n"[..], b"5\n", b"5 x\n", b"99999999999999 1\n", b"1 2 3\n", &[0xff; 500]])
    {
        let answer = bench.nc(7002, local, bad);
        assert!(answer.starts_with(b"error: "), "{bad:?}: {answer:?}");
    }
}

#[test]
fn echo_discard_and_pattern() {
    let mut bench = Bench::new();
    let data = pattern(300_000);
    assert_eq!(bench.nc(7, 40_000, &data), data);
    assert_eq!(bench.nc(9, 40_001, &data), b"");
    assert_eq!(&bench.nc(19, 40_002, b"")[..4], b" !\"#");
}

#[test]
fn udp_echo_and_discard() {
    let mut bench = Bench::new();
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 8192]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(5000).unwrap();
    socket.send_slice(b"nobody answers", (IpAddress::from(ADDR), 9)).unwrap();
    socket.send_slice(b"echo", (IpAddress::from(ADDR), 7)).unwrap();
    let handle = bench.sockets.add(socket);
    let answer = bench.until("datagram", |bench| {
        let socket = bench.sockets.get_mut::<udp::Socket>(handle);
        socket.recv().ok().map(|(data, from)| (data.to_vec(), from.endpoint.port))
    });
    assert_eq!(answer, (b"echo".to_vec(), 7));
}

/// Binds a socket of the guest, sends datagrams to `port`, and returns the first answer.
fn datagrams(bench: &mut Bench, local: u16, port: u16, words: &[&[u8]]) -> Vec<u8> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4096]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(local).unwrap();
    for word in words {
        socket.send_slice(word, (IpAddress::from(ADDR), port)).unwrap();
    }
    let handle = bench.sockets.add(socket);
    bench.until("datagram", |bench| {
        let socket = bench.sockets.get_mut::<udp::Socket>(handle);
        socket.recv().ok().map(|(data, _)| data.to_vec())
    })
}

#[test]
fn datagrams_are_summed_up_to_an_empty_one() {
    let mut bench = Bench::new();
    let want = format!("9 3 {:x}\n", Sha256::digest(b"one,two,x"));
    let answer = datagrams(&mut bench, 5001, 7001, &[b"one,", b"two,", b"x", b""]);
    assert_eq!(String::from_utf8_lossy(&answer), want);
}

#[test]
fn words_go_to_a_group_and_nowhere_else() {
    let mut bench = Bench::new();
    // Learns each other's address first.
    datagrams(&mut bench, 5002, 7, &[b"echo"]);
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4096]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(5003).unwrap();
    for line in ["10.0.2.15 9 no group", "239.1.2.3 0 no port", "239.1.2.3", "239.1.2.3 5000 hello"] {
        socket.send_slice(line.as_bytes(), (IpAddress::from(ADDR), 7004)).unwrap();
    }
    bench.sockets.add(socket);
    let mut came = vec![];
    for _ in 0..20 {
        bench.now += TICK;
        let now = Instant::from_micros(bench.now.as_micros() as i64);
        bench.guest.poll(now, &mut bench.phy, &mut bench.sockets);
        std::mem::take(&mut bench.phy.tx).iter().for_each(|frame| bench.far.send(frame).unwrap());
        bench.far.advance(bench.now);
        came.extend(std::iter::from_fn(|| bench.far.receive().unwrap()));
    }
    assert_eq!(came.len(), 1, "{came:02x?}");
    assert_eq!(came[0][..6], [0x01, 0x00, 0x5e, 1, 2, 3]);
    assert!(came[0].ends_with(b"hello"));
}

#[test]
fn a_vlan_is_a_network_of_its_own() {
    let mut far = Vlans::new(1);
    let ask = |addr: [u8; 4], tag: &[u8]| {
        let mut frame =
            [&[0xff; 6][..], &GUEST_MAC.0, tag, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &GUEST_MAC.0].concat();
        frame.extend([addr[0], addr[1], addr[2], 15, 0, 0, 0, 0, 0, 0, addr[0], addr[1], addr[2], addr[3]]);
        frame
    };
    let tag = [0x81, 0, 0x20, 5];
    for (addr, tag, want) in [
        ([10, 0, 2, 2], &[][..], Some(&[8, 6][..])),
        ([10, 16, 5, 2], &tag[..], Some(&[0x81, 0, 0, 5, 8, 6][..])),
        ([10, 16, 5, 2], &[][..], None),
        ([10, 0, 2, 2], &tag[..], None),
    ] {
        far.send(&ask(addr, tag)).unwrap();
        far.advance(TICK);
        let answer = far.receive().unwrap();
        assert_eq!(
            answer.as_ref().map(|frame| &frame[12..12 + want.map_or(0, <[u8]>::len)]),
            want,
            "{addr:?} {tag:02x?}"
        );
    }
    // Of more VLANs than it keeps it drops frames, and stays.
    for id in 6..20 {
        far.send(&ask([10, 16, id, 2], &[0x81, 0, 0, id])).unwrap();
    }
    assert_eq!(far.dropped, 11);
}

#[test]
fn a_wire_which_loses_frames_loses_no_bytes() {
    let seed = Seed::from_env(0x6c6f_7373);
    let _replay = ReplayLine(seed);
    let mut bench = Bench::new();
    bench.loss = Some((seed.rng(0), 0.02));
    let data = pattern(500_000);
    assert_eq!(String::from_utf8_lossy(&bench.nc(7001, 40_000, &data)), sum(&data));
}

#[test]
fn broken_frames_and_floods_leave_the_stack_alive() {
    let seed = Seed::from_env(0x6265_7373);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(0);
    let mut bench = Bench::new();
    let good = dhcp_frame(1, GUEST_MAC.0, None, None);
    for round in 0..20_000u32 {
        let mut frame = good.clone();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..frame.len());
            frame[at] = rng.random();
        }
        frame.truncate(rng.random_range(0..=frame.len()));
        bench.far.send(&frame).unwrap();
        if round % 64 == 0 {
            bench.far.advance(bench.now);
            while bench.far.receive().unwrap().is_some() {}
        }
    }
    // More connections than there are: the surplus is refused, and what is closed serves again.
    let handles: Vec<_> = (0..20).map(|n| bench.connect(7, 41_000 + n)).collect();
    bench.until("every connection made or refused", |bench| {
        let waiting = |handle: &SocketHandle| {
            let state = bench.sockets.get::<tcp::Socket>(*handle).state();
            !matches!(state, tcp::State::Established | tcp::State::Closed)
        };
        (!handles.iter().any(waiting)).then_some(())
    });
    for handle in handles {
        bench.sockets.get_mut::<tcp::Socket>(handle).abort();
    }
    for _ in 0..50 {
        bench.tick();
    }
    assert_eq!(bench.nc(7, 45_000, b"still here"), b"still here");
}
