//! What must hold between the tables.

use std::collections::HashSet;

use hematite_abi::{
    Field, Reg, clause, common, config, feature, ident, isr, layout, msix, net, pci_cap, ring, space, tlp,
};

fn bytes(regs: &[Reg]) -> usize {
    regs.iter().map(|reg| reg.width).sum()
}

fn bits(fields: &[Field]) -> usize {
    fields.iter().map(|field| field.bits).sum()
}

#[test]
fn constants_are_unique() {
    let mut seen = HashSet::new();
    for (name, _) in hematite_abi::constants() {
        assert!(seen.insert(name), "{name} twice");
    }
    assert!(seen.len() > 600, "only {}", seen.len());
}

#[test]
fn constants_are_under_their_path() {
    let value = |path| hematite_abi::constants().find(|(name, _)| *name == path).map(|(_, value)| value);
    assert_eq!(value("tlp::CPL_STATUS_LSB"), Some(tlp::CPL_STATUS_LSB as u64));
    assert_eq!(value("common::QUEUE_SIZE_DW"), Some(6));
    assert_eq!(value("common::QUEUE_DEVICE_HI_DW"), Some(13));
    assert_eq!(value("status::FEATURES_OK"), Some(8));
    assert_eq!(value("layout::ADDR4_BAR_LSB"), Some(112));
    // Every path begins with its own module, one per table.
    for table in hematite_abi::CONSTANTS {
        let modules: HashSet<_> = table.iter().map(|(name, _)| name.split("::").next()).collect();
        assert_eq!(modules.len(), 1, "{modules:?}");
    }
}

#[test]
fn layouts_are_full() {
    assert_eq!(bytes(common::REGS), common::LENGTH);
    assert_eq!(common::LENGTH, 0x40);
    assert_eq!(bytes(net::REGS), net::CFG_LENGTH);
    assert_eq!(bytes(msix::ENTRY), msix::ENTRY_BYTES);
    assert_eq!(bits(ring::DESC), 8 * ring::DESC_BYTES);
    assert_eq!(bits(ring::USED_ELEM), 8 * ring::USED_ELEM_BYTES);
    assert_eq!(bits(net::HDR), 8 * net::HDR_BYTES);
    assert_eq!(bits(net::HDR) + bits(net::HDR_HASH), 8 * net::HDR_HASH_BYTES);
    assert_eq!(bits(tlp::DW0), 32);
    assert_eq!(bits(tlp::REQUEST), 32);
    assert_eq!(bits(tlp::ADDRESS3), 32);
    assert_eq!(bits(tlp::ADDRESS4), 64);
    // Bit 7 of DW2 is reserved.
    assert_eq!(bits(tlp::COMPLETION), 63);
}

#[test]
fn regions_do_not_overlap() {
    let mut end = 0;
    for region in layout::REGIONS {
        assert!(region.offset >= end && region.end > region.offset, "{}", region.name);
        // [virtio 1.4: Virtio Structure PCI Capabilities]: offsets are aligned to 4 bytes.
        assert_eq!(region.offset % 4, 0);
        end = region.end;
    }
    assert_eq!(end, layout::BAR_BYTES);
    assert_eq!(1 << layout::BAR_BITS, layout::BAR_BYTES);
    let room = |from: u64, to: u64| (to - from) as usize;
    assert!(
        room(layout::NOTIFY_OFFSET, layout::NOTIFY_END)
            >= layout::QUEUES_MAX * layout::NOTIFY_MULTIPLIER as usize
    );
    assert!(
        room(layout::MSIX_TABLE_OFFSET, layout::MSIX_TABLE_END) >= layout::VECTORS_MAX * msix::ENTRY_BYTES
    );
    assert!(room(layout::MSIX_PBA_OFFSET, layout::MSIX_PBA_END) >= layout::VECTORS_MAX / 8);
    assert!(room(layout::DEVICE_OFFSET, layout::DEVICE_END) >= net::CFG_LENGTH);
    assert!(room(layout::ISR_OFFSET, layout::ISR_END) >= isr::LENGTH);
    assert!(room(layout::INSPECTION_OFFSET, layout::INSPECTION_END) >= ident::LENGTH);
    const { assert!(ident::QUEUES_OFFSET + layout::QUEUES_MAX * ident::QUEUE_STATE_BYTES <= ident::LENGTH) };
    assert!(ident::COUNTERS_OFFSET + 4 * ident::COUNTERS.len() <= ident::QUEUES_OFFSET);
}

#[test]
fn chain_is_walked_to_its_end() {
    let space = space::config_space(&space::ConfigParams::new(256, 256, 512));
    let byte = |at: usize| space[at / 4].reset >> (8 * (at % 4)) & 0xff;
    let mut at = byte(config::CAP_POINTER) as usize;
    for cap in layout::CHAIN {
        assert_eq!((at, u64::from(byte(at))), (cap.offset, cap.id), "{}", cap.name);
        assert!(at >= 0x40 && at.is_multiple_of(4) && at + cap.bytes <= 0x100, "{}", cap.name);
        let next = byte(at + 1) as usize;
        assert!(next == 0 || next >= at + cap.bytes, "{}", cap.name);
        if cap.id == config::CAP_ID_VENDOR {
            assert_eq!(byte(at + pci_cap::CAP_LEN) as usize, cap.bytes, "{}", cap.name);
        }
        at = next;
    }
    assert_eq!(at, 0);
    assert_eq!(layout::CHAIN.last().map(|cap| (cap.name, cap.offset + cap.bytes)), Some(("PCI_CFG", 0x100)));
}

#[test]
fn config_space_masks_are_disjoint() {
    for (index, dw) in space::config_space(&space::ConfigParams::new(2, 2, 128)).iter().enumerate() {
        assert_eq!(dw.offset, 4 * index);
        assert_eq!(dw.write & dw.w1c, 0, "{:03x}", dw.offset);
        assert_eq!(dw.live & (dw.write | dw.w1c), 0, "{:03x}", dw.offset);
    }
}

#[test]
fn config_space_follows_its_parameters() {
    let dword = |params: space::ConfigParams, at: usize| space::config_space(&params)[at / 4].reset;
    let params = |vectors, bytes| space::ConfigParams::new(vectors, 8, bytes);
    assert_eq!(dword(params(9, 256), layout::CAP_MSIX) >> 16, 8);
    let capabilities = layout::CAP_PCIE + config::DEVICE_CAPABILITIES;
    assert_eq!(dword(params(9, 128), capabilities) & 7, 0);
    assert_eq!(dword(params(9, 512), capabilities) & 7, 2);
    assert_eq!(dword(params(9, 512), capabilities) >> config::DEVCAP_FLR_LSB & 1, 1);
    assert_eq!(dword(params(9, 512), layout::CAP_NOTIFY + pci_cap::LENGTH), 32);
    assert_eq!(dword(params(9, 512), config::VENDOR_ID), 0x1041_1af4);
    assert_eq!(dword(params(9, 512), config::REVISION), 0x0200_0001);
}

#[test]
fn offered_features_have_what_they_require() {
    for rule in feature::REQUIRES {
        let offered = |bit: usize| feature::OFFERED >> bit & 1 == 1;
        assert!(!offered(rule.feature) || rule.any_of.iter().any(|bit| offered(*bit)), "{rule:?}");
        assert!(!rule.any_of.is_empty() && !rule.any_of.contains(&rule.feature));
        let known = |bit: usize| feature::BITS.iter().any(|value| value.value == bit as u64);
        assert!(known(rule.feature) && rule.any_of.iter().all(|bit| known(*bit)), "{rule:?}");
    }
    assert_eq!(feature::OFFERED.count_ones(), 34);
}

#[test]
fn numbered_lists_have_no_twins() {
    for list in [feature::BITS, ident::ERRORS, ident::COUNTERS] {
        let distinct: HashSet<_> = list.iter().map(|value| value.value).collect();
        assert_eq!(distinct.len(), list.len());
    }
    for (index, counter) in ident::COUNTERS.iter().enumerate() {
        assert_eq!(counter.value, index as u64, "{}", counter.name);
    }
    let labels: HashSet<_> = clause::clauses().map(|clause| clause.label).collect();
    assert_eq!(labels.len(), 49);
}
