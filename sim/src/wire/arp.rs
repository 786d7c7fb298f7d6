//! Who announces itself by ARP, without being asked.
//! Spec: [RFC 5227: Announcing an Address]; [RFC 5944: ARP, Proxy ARP, and Gratuitous ARP]

use smoltcp::wire::{ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Ipv4Address};

/// A gratuitous ARP packet, request or reply, of an address that its sender has and asks for at once: whose it is.
pub fn announced(frame: &[u8]) -> Option<(Ipv4Address, EthernetAddress)> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let arp = (frame.ethertype() == EthernetProtocol::Arp).then(|| ArpPacket::new_checked(frame.payload()));
    match ArpRepr::parse(&arp?.ok()?).ok()? {
        ArpRepr::EthernetIpv4 {
            source_hardware_addr, source_protocol_addr, target_protocol_addr, ..
        } => {
            let own = source_protocol_addr == target_protocol_addr && !source_protocol_addr.is_unspecified();
            own.then_some((source_protocol_addr, source_hardware_addr))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{ArpOperation, EthernetRepr};

    use super::*;

    const OWN: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
    const MAC: EthernetAddress = EthernetAddress([2, 0x68, 0x65, 0x6d, 0, 1]);

    fn frame(source: Ipv4Address, target: Ipv4Address) -> Vec<u8> {
        let arp = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: MAC,
            source_protocol_addr: source,
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: target,
        };
        let ethernet = EthernetRepr {
            src_addr: MAC,
            dst_addr: EthernetAddress::BROADCAST,
            ethertype: EthernetProtocol::Arp,
        };
        let mut bytes = vec![0; ethernet.buffer_len() + arp.buffer_len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        ethernet.emit(&mut frame);
        arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
        bytes
    }

    #[test]
    fn who_asks_for_his_own_address_announces_it() {
        let other = Ipv4Address::new(10, 0, 2, 2);
        assert_eq!(announced(&frame(OWN, OWN)), Some((OWN, MAC)));
        assert_eq!(announced(&frame(OWN, other)), None, "a question");
        assert_eq!(announced(&frame(Ipv4Address::UNSPECIFIED, OWN)), None, "a probe");
        assert_eq!(announced(&frame(Ipv4Address::UNSPECIFIED, Ipv4Address::UNSPECIFIED)), None);
        let whole = frame(OWN, OWN);
        assert!((0..whole.len()).all(|len| announced(&whole[..len]).is_none()), "part of one");
        let mut other = whole;
        other[12] = 0x86;
        assert_eq!(announced(&other), None, "no ARP");
    }
}
