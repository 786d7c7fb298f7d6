//! A frame there and back by the client's memory and eventfds; resets, lost clients, broken memory, raw MSI-X.

use std::time::Duration;

use hematite_sim::Device;
use hematite_sim::facts::{bar, capability, common, config, msix, status};
use hematite_sim::rtl::Rtl;
use hematite_sim::vfio_user::header::{command, flag};
use hematite_sim::vfio_user::regions::{MsixMode, index};
use nix::sys::eventfd::EventFd;

use crate::client::{ANSWER_LIMIT, Bench, Client, Memory, event, signalled, words};
use crate::driver::{BASE, BYTES, Driver, RX, TX, device_status};

/// Long enough for a message that must not come.
const QUIET: Duration = Duration::from_millis(60);

fn frame(n: u8) -> Vec<u8> {
    (0..100 + u16::from(n)).map(|at| at as u8 ^ n).collect()
}

/// A client with memory and a driver; vectors 0 to 2 armed.
struct Guest {
    client: Client,
    memory: Memory,
    events: Vec<EventFd>,
    driver: Driver,
    frames: u16,
}

impl Guest {
    fn boot(bench: &Bench) -> Guest {
        let mut client = bench.attach();
        let memory = Memory::new(BYTES);
        client.map(BASE, &memory);
        let events: Vec<EventFd> = (0..3).map(|_| event()).collect();
        client.arm(0, &events.iter().collect::<Vec<_>>());
        let driver = Driver::start(&mut client, &memory);
        Guest { client, memory, events, driver, frames: 0 }
    }

    /// A frame goes out, the mirror returns it, both queues interrupt.
    fn round_trip(&mut self) {
        let sent = frame(self.frames as u8);
        self.driver.transmit(&mut self.client, &self.memory, &sent);
        assert!(signalled(&self.events[2], ANSWER_LIMIT), "transmit interrupt of frame {}", self.frames);
        assert!(signalled(&self.events[1], ANSWER_LIMIT), "receive interrupt of frame {}", self.frames);
        self.check_arrival(&sent);
    }

    fn check_arrival(&mut self, sent: &[u8]) {
        self.frames += 1;
        assert_eq!(self.driver.used_idx(&self.memory, TX), self.frames);
        assert_eq!(self.driver.used_idx(&self.memory, RX), self.frames);
        assert_eq!(self.driver.received(&self.memory, self.frames - 1), sent);
    }

    fn flr(&mut self) {
        let control = u64::from(capability::PCIE_AT as u16 + capability::PCIE_DEVICE_CONTROL);
        let value = u16::from_le_bytes(self.client.read(index::CONFIG, control, 2).try_into().unwrap());
        self.client.write(index::CONFIG, control, &(value | capability::DEVCTL_FLR).to_le_bytes());
    }
}

#[test]
fn frames_go_there_and_back_with_interrupts() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut guest = Guest::boot(&bench);
    for _ in 0..5 {
        guest.round_trip();
    }
    drop(guest);
    bench.finish();
}

#[test]
fn an_interrupt_between_disable_all_and_arm_arrives_late_but_arrives() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut guest = Guest::boot(&bench);
    guest.round_trip();
    guest.client.disarm_all();
    let sent = frame(1);
    guest.driver.transmit(&mut guest.client, &guest.memory, &sent);
    assert!(!signalled(&guest.events[1], QUIET), "disarmed");
    guest.client.arm(1, &[&guest.events[1]]);
    guest.client.arm(2, &[&guest.events[2]]);
    assert!(signalled(&guest.events[1], ANSWER_LIMIT) && signalled(&guest.events[2], ANSWER_LIMIT));
    guest.check_arrival(&sent);
    drop(guest);
    bench.finish();
}

#[test]
fn a_function_level_reset_keeps_what_is_armed() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut guest = Guest::boot(&bench);
    guest.round_trip();
    guest.flr();
    assert_eq!(guest.client.read(index::CONFIG, config::COMMAND.into(), 2), [0, 0], "the function was reset");
    guest.driver = Driver::start(&mut guest.client, &guest.memory);
    guest.frames = 0;
    guest.round_trip();
    drop(guest);
    bench.finish();
}

#[test]
fn device_reset_ends_traffic_and_a_new_driver_starts() {
    let bench = Bench::start(MsixMode::Eventfd);
    let mut guest = Guest::boot(&bench);
    guest.round_trip();
    guest.client.good(command::DEVICE_RESET, &[]);
    assert_eq!(guest.client.read(index::CONFIG, config::COMMAND.into(), 2), [0, 0]);
    guest.driver = Driver::start(&mut guest.client, &guest.memory);
    guest.frames = 0;
    guest.round_trip();
    drop(guest);
    bench.finish();
}

#[test]
fn a_client_which_vanishes_within_dma_leaves_a_function_for_the_next() {
    let bench = Bench::start(MsixMode::Eventfd);
    for round in 0..4 {
        let mut guest = Guest::boot(&bench);
        guest.round_trip();
        // Several frames on their way, then nobody is there; once in the middle of a message.
        for n in 0..4 {
            guest.driver.transmit(&mut guest.client, &guest.memory, &frame(n));
        }
        if round % 2 == 1 {
            use std::io::Write;
            guest.client.stream.write_all(&[1, 2, 3]).unwrap();
        }
    }
    let mut guest = Guest::boot(&bench);
    assert_eq!(device_status(&mut guest.client) & status::NEEDS_RESET, 0);
    guest.round_trip();
    drop(guest);
    bench.finish();
}

#[test]
fn memory_which_goes_away_stops_the_device_and_a_reset_helps() {
    let bench = Bench::start(MsixMode::Eventfd);
    // Unmapped properly, and cut off behind our back.
    for cut in [false, true] {
        let mut guest = Guest::boot(&bench);
        guest.round_trip();
        if cut {
            guest.memory.file.set_len(0).unwrap();
        } else {
            guest.client.unmap(BASE, BYTES);
        }
        guest.driver.kick(&mut guest.client, TX);
        assert!(
            signalled(&guest.events[0], QUIET) || device_status(&mut guest.client) & status::NEEDS_RESET != 0
        );
        assert_ne!(device_status(&mut guest.client) & status::NEEDS_RESET, 0, "cut: {cut}");
        if cut {
            guest.client.unmap(BASE, BYTES);
        }
        guest.memory = Memory::new(BYTES);
        guest.client.map(BASE, &guest.memory);
        guest.driver = Driver::start(&mut guest.client, &guest.memory);
        guest.frames = 0;
        while guest.events.iter().any(|event| event.read().is_ok()) {}
        guest.round_trip();
    }
    bench.finish();
}

/// What is answered is done: the client may give the memory to others, whatever the function still has under way.
fn nothing_lands_behind_an_unmaps_answer(bench: Bench) {
    let mut guest = Guest::boot(&bench);
    let mut cut = 0;
    for moment in 0..24 {
        // Frames go out; the withdrawal comes so many reads of a register later, of some cycles each.
        (0..6).for_each(|n| guest.driver.put(&guest.memory, &frame(n)));
        let mut requests = vec![(command::REGION_WRITE, Driver::doorbell(TX))];
        let status =
            [&(bar::COMMON + common::DEVICE_STATUS).to_le_bytes()[..], &words(&[index::BAR0, 1])].concat();
        requests.resize(1 + moment, (command::REGION_READ, status));
        requests.push((command::DMA_UNMAP, Client::unmap_payload(BASE, BYTES)));
        guest.client.together(&requests);
        cut += u32::from(guest.driver.used_idx(&guest.memory, TX) < 6);
        let then = guest.memory.get::<{ BYTES as usize }>(0);
        [RX, TX].iter().for_each(|queue| guest.driver.kick(&mut guest.client, *queue));
        for _ in 0..200 {
            device_status(&mut guest.client);
        }
        assert!(
            guest.memory.get::<{ BYTES as usize }>(0) == then,
            "moment {moment}: written to behind the answer"
        );
        guest.client.good(command::DEVICE_RESET, &[]);
        guest.memory = Memory::new(BYTES);
        guest.client.map(BASE, &guest.memory);
        guest.driver = Driver::start(&mut guest.client, &guest.memory);
        while guest.events.iter().any(|event| event.read().is_ok()) {}
    }
    assert!(cut > 0, "none fell into the traffic");
    drop(guest);
    bench.finish();
}

#[test]
fn nothing_lands_behind_an_unmaps_answer_on_the_model() {
    nothing_lands_behind_an_unmaps_answer(Bench::start(MsixMode::Eventfd));
}

#[test]
fn nothing_lands_behind_an_unmaps_answer_on_the_rtl() {
    let make = || -> Box<dyn Device> { Box::new(Rtl::new("SIM").unwrap()) };
    nothing_lands_behind_an_unmaps_answer(Bench::start_on(MsixMode::Eventfd, make));
}

#[test]
fn the_guests_own_table_is_used_in_raw_mode() {
    let bench = Bench::start(MsixMode::Raw);
    let mut client = bench.attach();
    let cap = capability::MSIX_AT;
    assert_eq!(client.read(index::CONFIG, 0, 4096)[cap], 0, "hidden from who reads it all at once");
    assert_eq!(client.read(index::CONFIG, cap as u64, 1), [capability::ID_MSIX], "seen by the guest");
    let info = client.good(command::DEVICE_GET_IRQ_INFO, &words(&[16, 0, 2, 0]));
    assert_eq!(info, words(&[16, 0, 2, 0]), "no vectors for the VMM");
    let memory = Memory::new(BYTES);
    client.map(BASE, &memory);
    client.write(index::CONFIG, config::COMMAND.into(), &config::COMMAND_MEMORY.to_le_bytes());
    for vector in 0..3u32 {
        let entry = bar::TABLE + msix::ENTRY_BYTES * u64::from(vector);
        client.write(index::BAR0, entry, &words(&[0xfee0_1000 + vector * 0x1000, 0, 0x40 + vector, 0]));
    }
    client.write(index::CONFIG, cap as u64 + u64::from(msix::CAP_CONTROL), &msix::ENABLE.to_le_bytes());
    let mut driver = Driver::start(&mut client, &memory);
    // The doorbell is posted, as QEMU's is; then two messages come, without any question of ours.
    let sent = frame(9);
    driver.transmit(&mut client, &memory, &sent);
    let mut messages: Vec<(u64, u32)> = (0..2)
        .map(|_| {
            let (header, payload) = client.receive().expect("a message");
            assert_eq!((header.command, header.flags), (command::DMA_WRITE, flag::NO_REPLY));
            assert_eq!(payload[8..16], 4u64.to_le_bytes());
            let addr = u64::from_le_bytes(payload[..8].try_into().unwrap());
            (addr, u32::from_le_bytes(payload[16..].try_into().unwrap()))
        })
        .collect();
    messages.sort();
    assert_eq!(messages, [(0xfee0_2000, 0x41), (0xfee0_3000, 0x42)]);
    assert_eq!(driver.received(&memory, 0), sent);
    drop(client);
    bench.finish();
}
