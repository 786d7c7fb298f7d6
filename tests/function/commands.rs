//! The commands of the control queue, and what they set.

use hematite_abi::ident;
use hematite_sim::driver::{Driver, Options, memory};
use hematite_sim::facts::{common, ctrl, ethernet, net};
use hematite_sim::ring::Buffer;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies, on_packed};
use rand::Rng;

on_bodies!(but TINY:
    receive_modes,
    the_address_can_be_set,
    tables_of_addresses,
    vlans,
    pairs,
    what_is_wrong_is_refused,
    what_is_not_accepted_is_refused,
    random_commands_and_frames,
);

on_packed!(receive_modes, the_address_can_be_set, pairs, random_commands_and_frames,);

const OWN: [u8; 6] = [0x02, 0x68, 0x65, 0x6d, 0x00, 0x01];
const OTHER: [u8; 6] = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55];
const GROUP: [u8; 6] = [0x33, 0x33, 0xff, 0x12, 0x34, 0x56];
const ALL: [u8; 6] = [0xff; 6];
const ADDRESSES: [[u8; 6]; 4] = [OWN, OTHER, GROUP, ALL];

pub(crate) fn bench(make: Make) -> Bench {
    Bench::new(make, Options::default())
}

/// Gives a command: whether it was carried out.
pub(crate) fn command(bench: &mut Bench, class: u8, verb: u8, data: &[u8]) -> bool {
    match bench.drive(|driver, root| driver.command(root, class, verb, data)) {
        ctrl::ACK_OK => true,
        ctrl::ACK_ERR => false,
        ack => panic!("class {class} command {verb}: answer {ack}"),
    }
}

pub(crate) fn mode(bench: &mut Bench, mode: u8, on: bool) {
    let verb = mode.trailing_zeros() as u8;
    assert!(command(bench, ctrl::RX, verb, &[on.into()]), "receive mode {verb} {on}");
}

fn to(address: [u8; 6], vlan: Option<u16>) -> Vec<u8> {
    let mut packet = frame(64, 9);
    packet[..6].copy_from_slice(&address);
    let ethertype = if vlan.is_some() { ethernet::VLAN } else { 0x0800 };
    packet[12..14].copy_from_slice(&ethertype.to_be_bytes());
    // Priority and drop eligibility are no part of the VLAN.
    packet[14..16].copy_from_slice(&(vlan.unwrap_or(0) | 0xb000).to_be_bytes());
    packet
}

/// Whether a frame arrives; one that does not is counted.
fn arrives(bench: &mut Bench, packet: &[u8]) -> bool {
    let before = bench.counter(ident::RX_FILTERED);
    let came = bench.receive(packet);
    let filtered = bench.counter(ident::RX_FILTERED) - before;
    assert_eq!(came.is_none(), filtered == 1, "counter RX_FILTERED");
    came.inspect(|came| assert_eq!(came, packet)).is_some()
}

/// Which of `ADDRESSES` arrive.
pub(crate) fn arriving(bench: &mut Bench) -> [bool; 4] {
    ADDRESSES.map(|address| arrives(bench, &to(address, None)))
}

fn table(unicast: &[[u8; 6]], multicast: &[[u8; 6]]) -> Vec<u8> {
    let mut data = vec![];
    for list in [unicast, multicast] {
        data.extend((list.len() as u32).to_le_bytes());
        data.extend(list.iter().flatten());
    }
    data
}

fn receive_modes(make: Make) {
    let mut bench = bench(make);
    assert_eq!(arriving(&mut bench), [true; 4], "out of reset");
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    assert_eq!(arriving(&mut bench), [true, false, false, true]);
    mode(&mut bench, ctrl::MODE_ALLMULTI, true);
    assert_eq!(arriving(&mut bench), [true, false, true, true]);
    mode(&mut bench, ctrl::MODE_ALLUNI, true);
    assert_eq!(arriving(&mut bench), [true; 4]);
    mode(&mut bench, ctrl::MODE_NOMULTI, true);
    assert_eq!(arriving(&mut bench), [true, true, false, true]);
    mode(&mut bench, ctrl::MODE_NOBCAST, true);
    assert_eq!(arriving(&mut bench), [true, true, false, false]);
    mode(&mut bench, ctrl::MODE_NOUNI, true);
    assert_eq!(arriving(&mut bench), [false; 4]);
    mode(&mut bench, ctrl::MODE_PROMISC, true);
    assert_eq!(arriving(&mut bench), [true; 4], "promiscuous is above all others");
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    for off in [ctrl::MODE_NOUNI, ctrl::MODE_NOBCAST, ctrl::MODE_NOMULTI, ctrl::MODE_ALLUNI] {
        mode(&mut bench, off, false);
    }
    assert_eq!(arriving(&mut bench), [true, false, true, true]);
    bench.recovers();
    assert_eq!(arriving(&mut bench), [true; 4], "after a device reset");
}

fn the_address_can_be_set(make: Make) {
    let mut bench = bench(make);
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    let generation =
        |driver: &mut Driver, root: &mut _| driver.common::<1, _>(root, common::CONFIG_GENERATION);
    let before = bench.drive(generation);
    assert!(command(&mut bench, ctrl::MAC, ctrl::MAC_ADDR_SET, &OTHER));
    assert_ne!(bench.drive(generation), before);
    assert_eq!(bench.drive(|driver, root| driver.mac(root)), OTHER);
    assert_eq!(arriving(&mut bench), [false, true, false, true]);
    assert!(!command(&mut bench, ctrl::MAC, ctrl::MAC_ADDR_SET, &GROUP), "a multicast address");
    assert!(!command(&mut bench, ctrl::MAC, ctrl::MAC_ADDR_SET, &OWN[..5]), "part of an address");
    assert_eq!(bench.drive(|driver, root| driver.mac(root)), OTHER);
    bench.recovers();
    assert_eq!(bench.drive(|driver, root| driver.mac(root)), OWN, "after a device reset");
}

fn tables_of_addresses(make: Make) {
    let mut bench = bench(make);
    let set = |bench: &mut Bench, data: &[u8]| command(bench, ctrl::MAC, ctrl::MAC_TABLE_SET, data);
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    assert!(set(&mut bench, &table(&[], &[GROUP])));
    assert_eq!(arriving(&mut bench), [true, false, true, true]);
    assert!(set(&mut bench, &table(&[OTHER], &[])));
    assert_eq!(arriving(&mut bench), [true, true, false, true]);
    assert!(set(&mut bench, &table(&[OTHER], &[GROUP])));
    assert_eq!(arriving(&mut bench), [true; 4]);
    let whole = table(&[OTHER], &[GROUP]);
    for len in 0..whole.len() {
        assert!(!set(&mut bench, &whole[..len]), "{len} bytes of a table");
    }
    let mut more = whole.clone();
    more.push(0);
    assert!(!set(&mut bench, &more), "more than the table");
    for at in [1, 3, 11, 12] {
        let mut many = whole.clone();
        many[at] = 1;
        assert!(!set(&mut bench, &many), "a count beyond the table, byte {at}");
    }
    assert_eq!(arriving(&mut bench), [true; 4], "what is refused changes nothing");
    assert!(set(&mut bench, &table(&[], &[])));
    assert_eq!(arriving(&mut bench), [true, false, false, true]);
    // As many as are kept, and one more: "it can silently switch to allmulti or promiscuous mode".
    let address = |n: usize| [0x01, 0x80, 0xc2, 0, 0, n as u8];
    let most: Vec<_> = (0..83).map(address).collect();
    assert!(set(&mut bench, &table(&[], &most)));
    assert!(arrives(&mut bench, &to(address(82), None)));
    assert!(!arrives(&mut bench, &to(address(83), None)));
    let many: Vec<_> = (0..84).map(address).collect();
    assert!(set(&mut bench, &table(&[], &many)));
    assert!(arrives(&mut bench, &to(address(83), None)));
    assert_eq!(arriving(&mut bench), [true; 4]);
    assert!(set(&mut bench, &table(&[], &[])));
    assert_eq!(arriving(&mut bench), [true, false, false, true]);
    bench.quiet();
}

fn vlans(make: Make) {
    let mut bench = bench(make);
    let vlan = |bench: &mut Bench, verb, id: u16| command(bench, ctrl::VLAN, verb, &id.to_le_bytes());
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    let ids = [0, 1, 63, 64, 100, 101, 0xabc, 4095];
    let come = |bench: &mut Bench| ids.map(|id| arrives(bench, &to(OWN, Some(id))));
    assert_eq!(come(&mut bench), [false; 8]);
    for id in [0, 64, 100, 4095] {
        assert!(vlan(&mut bench, ctrl::VLAN_ADD, id));
    }
    assert_eq!(come(&mut bench), [true, false, false, true, true, false, false, true]);
    assert!(arrives(&mut bench, &to(OWN, None)), "a frame without tag");
    assert!(!arrives(&mut bench, &to(OTHER, Some(100))), "another's");
    assert!(vlan(&mut bench, ctrl::VLAN_DEL, 64));
    assert!(vlan(&mut bench, ctrl::VLAN_DEL, 101), "one that is not there");
    assert!(!vlan(&mut bench, ctrl::VLAN_ADD, 4096));
    assert!(!vlan(&mut bench, 2, 1));
    assert_eq!(come(&mut bench), [true, false, false, false, true, false, false, true]);
    mode(&mut bench, ctrl::MODE_PROMISC, true);
    assert_eq!(come(&mut bench), [true; 8]);
    bench.recovers();
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    assert_eq!(come(&mut bench), [false; 8], "after a device reset");
}

fn pairs(make: Make) {
    let mut bench = bench(make);
    let most = make.params.pairs as u16;
    let mut set = |pairs: u16| command(&mut bench, ctrl::MQ, ctrl::MQ_PAIRS_SET, &pairs.to_le_bytes());
    assert!(set(most));
    assert!(set(1));
    assert!(!set(0));
    assert!(!set(most + 1));
    assert!(!set(0x8000 | most));
    bench.rest();
    bench.works();
}

fn what_is_wrong_is_refused(make: Make) {
    let mut bench = bench(make);
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    let wrong: [(u8, u8, &[u8]); 14] = [
        (ctrl::RX, 0, &[]),
        (ctrl::RX, 0, &[1, 0]),
        (ctrl::RX, 0, &[2]),
        (ctrl::RX, 6, &[1]),
        (ctrl::RX, 0x80, &[1]),
        (ctrl::MAC, ctrl::MAC_ADDR_SET, &[2, 0, 0, 0, 0, 0, 0]),
        (ctrl::MAC, 2, &OTHER),
        (ctrl::VLAN, ctrl::VLAN_ADD, &[1]),
        (ctrl::VLAN, ctrl::VLAN_ADD, &[1, 0, 0]),
        (ctrl::MQ, ctrl::MQ_PAIRS_SET, &[1]),
        (ctrl::MQ, 9, &[1, 0]),
        (9, 0, &[1]),
        (0xff, 0xff, &[1; 600]),
        (ctrl::RX, 0, &[1; 1000]),
    ];
    for (class, verb, data) in wrong {
        assert!(!command(&mut bench, class, verb, data), "{class} {verb} {data:x?}");
    }
    // Less than class and command.
    for len in [0, 1] {
        let answer = memory::COMMANDS + 0x100;
        bench.root.memory.poke(answer, &[0x55]);
        let buffers = [
            Buffer { addr: memory::COMMANDS, len, writable: false },
            Buffer { addr: answer, len: 1, writable: true },
        ];
        bench.drive(|driver, root| driver.post_control(root, &buffers));
        bench.rest();
        assert!(bench.drive(|driver, root| driver.take_control(root)).is_some());
        assert_eq!(bench.root.memory.peek(answer), [ctrl::ACK_ERR], "{len} bytes");
    }
    assert_eq!(arriving(&mut bench), [true, false, false, true], "nothing has changed");
    bench.quiet();
}

fn what_is_not_accepted_is_refused(make: Make) {
    let commands: [(u32, u8, u8, &[u8]); 6] = [
        (net::F_CTRL_RX, ctrl::RX, 1, &[1]),
        (net::F_CTRL_RX, ctrl::MAC, ctrl::MAC_TABLE_SET, &[0; 8]),
        (net::F_CTRL_RX_EXTRA, ctrl::RX, 4, &[0]),
        (net::F_CTRL_VLAN, ctrl::VLAN, ctrl::VLAN_ADD, &[1, 0]),
        (net::F_CTRL_MAC_ADDR, ctrl::MAC, ctrl::MAC_ADDR_SET, &OTHER),
        (net::F_MQ, ctrl::MQ, ctrl::MQ_PAIRS_SET, &[1, 0]),
    ];
    for (feature, class, verb, data) in commands {
        // The receive modes are those of the one or the other.
        let extra = if feature == net::F_CTRL_RX { 1 << net::F_CTRL_RX_EXTRA } else { 0 };
        let features = !(1 << feature | extra);
        let mut bench = Bench::new(make, Options { features, ..Options::default() });
        assert!(!command(&mut bench, class, verb, data), "{class} {verb} without feature {feature}");
        let features = u128::MAX;
        let mut bench = Bench::new(make, Options { features, ..Options::default() });
        assert!(command(&mut bench, class, verb, data), "{class} {verb} with all features");
    }
    // Without CTRL_VLAN there is no filter of VLANs.
    let features = !(1 << net::F_CTRL_VLAN);
    let mut bench = Bench::new(make, Options { features, ..Options::default() });
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    assert!(arrives(&mut bench, &to(OWN, Some(77))));
}

/// Any commands, good and bad, and any frames, against what the rules say.
fn random_commands_and_frames(make: Make) {
    let seed = Seed::from_env(0xc7a4);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(32);
    let mut bench = Bench::random(make, Options::default(), seed);
    let (mut modes, mut own, mut listed, mut tagged) = (ctrl::MODE_PROMISC, OWN, vec![], [false; 8]);
    for round in 0..300 {
        match rng.random_range(0..8) {
            0 | 1 => {
                let (verb, on) = (rng.random_range(0..8u8), rng.random_range(0..3u8));
                let good = command(&mut bench, ctrl::RX, verb, &[on]);
                assert_eq!(good, verb < 6 && on < 2, "round {round}: mode {verb} {on}");
                if good {
                    modes = modes & !(1 << verb) | on << verb;
                }
            }
            2 => {
                let address = ADDRESSES[rng.random_range(0..4)];
                let good = command(&mut bench, ctrl::MAC, ctrl::MAC_ADDR_SET, &address);
                assert_eq!(good, address[0] & 1 == 0, "round {round}: {address:x?}");
                if good {
                    own = address;
                }
            }
            3 => {
                let list: Vec<_> = ADDRESSES.into_iter().filter(|_| rng.random()).collect();
                let cut = rng.random_range(0..=list.len());
                let data = table(&list[..cut], &list[cut..]);
                let short = usize::from(rng.random_bool(0.3));
                let good = command(&mut bench, ctrl::MAC, ctrl::MAC_TABLE_SET, &data[..data.len() - short]);
                assert_eq!(good, short == 0, "round {round}: table");
                if good {
                    listed = list;
                }
            }
            4 => {
                let (verb, id) = (rng.random_range(0..3u8), rng.random_range(0..8u16));
                let good = command(&mut bench, ctrl::VLAN, verb, &id.to_le_bytes());
                assert_eq!(good, verb < 2, "round {round}: VLAN {verb} {id}");
                if good {
                    tagged[usize::from(id)] = verb == ctrl::VLAN_ADD;
                }
            }
            _ => {
                let address = ADDRESSES[rng.random_range(0..4)];
                let id = rng.random_bool(0.4).then(|| rng.random_range(0..8u16));
                let on = |mode: u8| modes & mode != 0;
                let addressed = if address == ALL {
                    !on(ctrl::MODE_NOBCAST)
                } else if address[0] & 1 == 1 {
                    !on(ctrl::MODE_NOMULTI) && (on(ctrl::MODE_ALLMULTI) || listed.contains(&address))
                } else {
                    let known = own == address || listed.contains(&address);
                    !on(ctrl::MODE_NOUNI) && (on(ctrl::MODE_ALLUNI) || known)
                };
                let wanted =
                    on(ctrl::MODE_PROMISC) || addressed && id.is_none_or(|id| tagged[usize::from(id)]);
                let came = arrives(&mut bench, &to(address, id));
                assert_eq!(came, wanted, "round {round}: to {address:x?} {id:?}, modes {modes:#x}");
            }
        }
    }
    bench.vectors();
    bench.quiet();
}
