//! Configuration space: what a kernel finds, and what it may do there.

use hematite_abi::space::{self, ConfigParams, DwReg};
use hematite_abi::{config as abi, layout};
use hematite_sim::driver::Options;
use hematite_sim::facts::{capability as cap, common, config, status};
use hematite_sim::root::tlp::{Bdf, CfgRequest, MemRequest, Status};
use hematite_sim::root::{Function, LinkModel, RequestError, Tlp};
use hematite_tests::{Bench, Make, on_bodies, root};

on_bodies!(
    the_function_is_found,
    the_capability_chain_is_the_one_of_the_design,
    structures_lie_in_the_bar_and_do_not_overlap,
    any_size_and_alignment_reads_the_same_bytes,
    what_is_read_only_stays,
    a_byte_written_leaves_its_neighbours,
    out_of_reset_it_is_abis_table,
    beyond_the_table_there_is_nothing,
    the_bar_can_be_moved,
    without_memory_enable_the_bar_is_not_there,
    requests_which_nobody_serves_are_refused,
    the_number_is_captured_from_configuration_writes,
    the_window_reaches_the_bar,
    asleep_it_serves_configuration_only,
    the_other_functions_are_not_there,
);

fn dump(root: &mut hematite_tests::BareRoot) -> Vec<u8> {
    let mut bytes = vec![0; 256];
    root.config_read(0, &mut bytes).expect("configuration space");
    bytes
}

fn the_function_is_found(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.enumerate().expect("enumeration");
    assert_eq!((function.vendor, function.device), (config::VENDOR_VIRTIO, config::DEVICE_NET));
    assert_eq!(root.config_u32(config::REVISION).expect("class") >> 8, config::CLASS_ETHERNET);
    assert_eq!(
        root.config_u16(config::STATUS).expect("status") & config::STATUS_CAPABILITIES,
        config::STATUS_CAPABILITIES
    );
    root.monitor.assert_silent();
}

fn the_capability_chain_is_the_one_of_the_design(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.enumerate().expect("enumeration");
    let chain: Vec<(u8, u16)> = layout::CHAIN.iter().map(|cap| (cap.id as u8, cap.offset as u16)).collect();
    assert_eq!(function.chain, chain);
    let order = [
        function.common.cap,
        function.notify.cap,
        function.isr.cap,
        function.device_cfg.cap,
        function.window,
    ];
    let offsets =
        [layout::CAP_COMMON, layout::CAP_NOTIFY, layout::CAP_ISR, layout::CAP_DEVICE, layout::CAP_PCI_CFG];
    assert_eq!(order.map(usize::from), offsets);
}

fn structures_lie_in_the_bar_and_do_not_overlap(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.enumerate().expect("enumeration");
    let mut spans: Vec<(u64, u64)> = [function.common, function.notify, function.isr, function.device_cfg]
        .iter()
        .map(|s| (s.offset, s.offset + u64::from(s.len)))
        .collect();
    let vectors = u64::from(function.vectors);
    spans.push((function.table, function.table + 16 * vectors));
    spans.push((function.pending, function.pending + vectors.div_ceil(64) * 8));
    spans.sort_unstable();
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "{:#x?} overlap", pair);
    }
    assert!(spans.iter().all(|(_, end)| *end <= function.bar_bytes));
    assert!(u64::from(function.common.len) >= common::LENGTH);
    // [virtio 1.4: Common configuration structure layout] wants 4-byte alignment; notify wants its multiplier's.
    assert!(spans.iter().all(|(start, _)| start % 4 == 0));
    assert!(function.notify_multiplier == 0 || function.notify_multiplier.is_power_of_two());
}

fn any_size_and_alignment_reads_the_same_bytes(make: Make) {
    let mut root = root(make, LinkModel::fast());
    root.enumerate().expect("enumeration");
    let whole = dump(&mut root);
    for at in 0..252usize {
        for len in 1..=4usize {
            let mut bytes = vec![0; len];
            root.config_read(at as u16, &mut bytes).expect("configuration read");
            assert_eq!(bytes, whole[at..at + len], "{len} bytes at {at:#x}");
        }
    }
    root.monitor.assert_silent();
}

/// The table of abi for this function's own parameters.
fn table(root: &mut hematite_tests::BareRoot, function: &Function) -> Vec<DwReg> {
    let capabilities = function.pcie + abi::DEVICE_CAPABILITIES as u16;
    let mps = root.config_u32(capabilities).expect("device capabilities") >> abi::DEVCAP_MPS_LSB;
    let payload_bytes = (abi::SIZE_UNIT as usize) << (mps & ((1 << abi::DEVCAP_MPS_BITS) - 1));
    let queues = (function.notify.len / function.notify_multiplier) as usize;
    space::config_space(&ConfigParams::new(usize::from(function.vectors), queues, payload_bytes)).to_vec()
}

fn out_of_reset_it_is_abis_table(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.walk().expect("capabilities");
    for reg in table(&mut root, &function) {
        let value = root.config_u32(reg.offset as u16).expect("configuration read");
        assert_eq!(value & !reg.live, reg.reset & !reg.live, "offset {:#x}", reg.offset);
    }
    root.monitor.assert_silent();
}

fn what_is_read_only_stays(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.enumerate().expect("enumeration");
    let control = function.pcie + cap::PCIE_DEVICE_CONTROL;
    for reg in table(&mut root, &function) {
        let at = reg.offset as u16;
        // the window's data reach into the BAR; device control has a reset in it; a sleeping function is another test
        if at == function.window + cap::WINDOW_DATA
            || at == control
            || Some(at) == function.power.map(|p| p + 4)
        {
            continue;
        }
        root.config_write(at, &[0xff; 4]).expect("configuration write");
        let value = root.config_u32(at).expect("configuration read");
        let known = !(reg.live | reg.w1c);
        assert_eq!(value & known, (reg.reset | reg.write) & known, "ones at {at:#x}");
        root.config_write(at, &[0; 4]).expect("configuration write");
        let value = root.config_u32(at).expect("configuration read");
        assert_eq!(value & known, reg.reset & !reg.write & known, "zeroes at {at:#x}");
    }
    root.reset();
    root.enumerate().expect("enumeration after a hot reset");
    root.monitor.assert_silent();
}

/// By the window's offset register, which is all writable.
fn a_byte_written_leaves_its_neighbours(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let at = root.enumerate().expect("enumeration").window + cap::VIRTIO_OFFSET;
    let mut expected = [0x11, 0x22, 0x33, 0x44];
    root.config_write(at, &expected).expect("configuration write");
    for lane in 0..4u16 {
        for len in 1..=4 - lane {
            let bytes = vec![(lane << 4 | len) as u8; usize::from(len)];
            root.config_write(at + lane, &bytes).expect("configuration write");
            expected[usize::from(lane)..usize::from(lane + len)].copy_from_slice(&bytes);
            assert_eq!(root.config_u32(at), Ok(u32::from_le_bytes(expected)), "{len} bytes at lane {lane}");
        }
    }
    root.monitor.assert_silent();
}

fn beyond_the_table_there_is_nothing(make: Make) {
    let mut root = root(make, LinkModel::fast());
    for at in [4 * space::CONFIG_DWORDS as u16, 0x200, 0x800, 0xffc] {
        assert_eq!(root.config_u32(at).expect("extended configuration space"), 0, "offset {at:#x}");
        root.config_write(at, &[0xff; 4]).expect("configuration write");
        assert_eq!(root.config_u32(at).expect("extended configuration space"), 0, "offset {at:#x}");
    }
}

fn the_bar_can_be_moved(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.enumerate().expect("enumeration");
    let read = |root: &mut hematite_tests::BareRoot, addr: u64| {
        let mut word = [0; 4];
        root.mem_read(addr, &mut word).map(|()| word)
    };
    let at = function.common.offset + common::NUM_QUEUES;
    let queues = read(&mut root, function.bar + at).expect("BAR read");
    for base in [0xf000_0000u64, 0x7_0000_0000, 0xffff_ffff_0000_0000] {
        root.config_write(config::BAR0, &base.to_le_bytes()).expect("configuration write");
        assert_eq!(read(&mut root, base + at).expect("BAR read"), queues, "at {base:#x}");
        let elsewhere = read(&mut root, function.bar + at);
        assert!(matches!(elsewhere, Err(RequestError::Status { status: Status::UnsupportedRequest, .. })));
    }
    root.monitor.assert_silent();
}

fn without_memory_enable_the_bar_is_not_there(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let master = config::COMMAND_BUS_MASTER;
    bench.root.config_write(config::COMMAND, &master.to_le_bytes()).expect("configuration write");
    let mut byte = [0];
    let status_at = bench.driver.function.common.offset + common::DEVICE_STATUS;
    let answer = bench.root.bar_read(status_at, &mut byte);
    assert!(matches!(answer, Err(RequestError::Status { status: Status::UnsupportedRequest, .. })));
    bench.root.bar_write(status_at, &[0]).expect("posted");
    let both = master | config::COMMAND_MEMORY;
    bench.root.config_write(config::COMMAND, &both.to_le_bytes()).expect("configuration write");
    assert_ne!(bench.status() & status::DRIVER_OK, 0, "the write went nowhere");
    bench.works();
}

fn requests_which_nobody_serves_are_refused(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.enumerate().expect("enumeration");
    let host = root.host;
    let beside = function.bar + function.bar_bytes;
    let read = MemRequest { requester: host, tag: 3, addr: beside, words: 1, first_be: 15, last_be: 0 };
    let refused = |root: &mut hematite_tests::BareRoot, tlp: Tlp| {
        let text = tlp.to_string();
        let (status, data) = root.request(tlp, 4).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((status, data.len()), (Status::UnsupportedRequest, 0), "{text}");
    };
    refused(&mut root, Tlp::memory(read, None));
    let requester_tag = 0x0000_050f;
    // I/O read and write, configuration type 1, locked read, FetchAdd
    for (word0, data) in [
        (0x0200_0001, 0),
        (0x4200_0001, 4),
        (0x0500_0001, 0),
        (0x4500_0001, 4),
        (0x0100_0001, 0),
        (0x4c00_0001, 4),
    ] {
        let header = [word0, requester_tag, 0x100, 0];
        refused(&mut root, Tlp { header, data: vec![0; data], error: false });
        root.monitor.take_violations();
    }
    root.enumerate().expect("the function still answers");
}

fn the_number_is_captured_from_configuration_writes(make: Make) {
    let mut root = root(make, LinkModel::fast());
    for number in [0x0100, 0x3fa8, 0xff00] {
        root.function = Bdf(number);
        // the monitor compares completer and requester ids
        root.config_write(config::COMMAND, &[0, 0]).expect("configuration write");
        assert_eq!(root.config_u16(config::VENDOR_ID), Ok(config::VENDOR_VIRTIO));
    }
    root.monitor.assert_silent();
}

/// [virtio 1.4: PCI configuration access capability]: firmware without BAR mappings drives the device this way.
fn the_window_reaches_the_bar(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let function = root.enumerate().expect("enumeration");
    let (window, common) = (function.window, function.common.offset as u32);
    let aim = |root: &mut hematite_tests::BareRoot, offset: u32, len: u32| {
        root.config_write(window + cap::VIRTIO_BAR, &[0]).expect("configuration write");
        root.config_write(window + cap::VIRTIO_OFFSET, &offset.to_le_bytes()).expect("configuration write");
        root.config_write(window + cap::VIRTIO_LENGTH, &len.to_le_bytes()).expect("configuration write");
    };
    let data = window + cap::WINDOW_DATA;
    aim(&mut root, common + common::NUM_QUEUES as u32, 2);
    let mut direct = [0; 2];
    root.bar_read(function.common.offset + common::NUM_QUEUES, &mut direct).expect("BAR read");
    assert_eq!(root.config_u16(data), Ok(u16::from_le_bytes(direct)));
    aim(&mut root, common + common::DEVICE_STATUS as u32, 1);
    root.config_write(data, &[status::ACKNOWLEDGE]).expect("configuration write");
    let mut byte = [0];
    root.bar_read(function.common.offset + common::DEVICE_STATUS, &mut byte).expect("BAR read");
    assert_eq!(byte, [status::ACKNOWLEDGE]);
    root.config_read(data, &mut byte).expect("configuration read");
    assert_eq!(byte, [status::ACKNOWLEDGE]);
    aim(&mut root, common + common::DRIVER_FEATURE as u32, 4);
    root.config_write(data, &0x20u32.to_le_bytes()).expect("configuration write");
    assert_eq!(root.config_u32(data), Ok(0x20));
    root.monitor.assert_silent();
}

/// D3hot and back: No_Soft_Reset is 1, so all state is kept. D1 and D2 do not exist.
fn asleep_it_serves_configuration_only(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let control = bench.driver.function.power.expect("power management capability") + cap::POWER_CONTROL;
    let state = |bench: &mut Bench| bench.root.config_u16(control).expect("power state") & 3;
    assert_eq!(u64::from(state(&mut bench)), abi::POWER_D0);
    for absent in [1u16, 2] {
        bench.root.config_write(control, &absent.to_le_bytes()).expect("configuration write");
        assert_eq!(u64::from(state(&mut bench)), abi::POWER_D0);
    }
    bench.root.config_write(control, &(abi::POWER_D3HOT as u16).to_le_bytes()).expect("configuration write");
    assert_eq!(u64::from(state(&mut bench)), abi::POWER_D3HOT);
    let status_at = bench.driver.function.common.offset + common::DEVICE_STATUS;
    let answer = bench.root.bar_read(status_at, &mut [0]);
    assert!(matches!(answer, Err(RequestError::Status { status: Status::UnsupportedRequest, .. })));
    bench.root.config_write(control, &(abi::POWER_D0 as u16).to_le_bytes()).expect("configuration write");
    assert_ne!(bench.status() & status::DRIVER_OK, 0);
    bench.works();
}

fn the_other_functions_are_not_there(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let host = root.host;
    for function in 1..8 {
        let target = Bdf(root.function.0 | function);
        let request = CfgRequest { requester: host, tag: 2, target, offset: 0, be: 15 };
        let answer = root.request(Tlp::cfg_read0(request), 4).map(|(status, _)| status);
        assert_eq!(answer, Ok(Status::UnsupportedRequest), "function {function}");
    }
    root.enumerate().expect("enumeration");
    root.monitor.assert_silent();
}
