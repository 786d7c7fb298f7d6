//! A small DHCP server: one network, one lease per MAC address, frames in and out.
//! Spec: [RFC 2131: Server behavior]

use std::collections::BTreeMap;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    DhcpMessageType as Kind, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr,
};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// The shortest BOOTP message that every client takes. [RFC 1542: Interpretation of the 'secs' field and sizes]
const BOOTP_BYTES: usize = 300;
/// How long a lease lasts, in seconds.
const LEASE_SECONDS: u32 = 3600;
/// First and last host number which is given away.
const FIRST: u8 = 15;
const LAST: u8 = 254;

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No DHCP: somebody else's.
    NotDhcp,
    /// DHCP which gets no answer.
    Silent,
    /// The frame to answer with.
    Answer(Vec<u8>),
}

/// The server with its leases.
#[derive(Clone, Debug)]
pub struct DhcpServer {
    mac: EthernetAddress,
    addr: Ipv4Address,
    leases: BTreeMap<[u8; 6], u8>,
}

impl DhcpServer {
    /// A server at `addr` of a /24 network.
    pub fn new(mac: EthernetAddress, addr: Ipv4Address) -> DhcpServer {
        DhcpServer { mac, addr, leases: BTreeMap::new() }
    }

    fn host(&self, number: u8) -> Ipv4Address {
        let [a, b, c, _] = self.addr.octets();
        Ipv4Address::new(a, b, c, number)
    }

    /// The address of `mac`: always the same one. None if all are taken.
    fn lease(&mut self, mac: EthernetAddress) -> Option<Ipv4Address> {
        let number = match self.leases.get(&mac.0) {
            Some(number) => *number,
            None => (FIRST..=LAST).find(|number| !self.leases.values().any(|taken| taken == number))?,
        };
        self.leases.insert(mac.0, number);
        Some(self.host(number))
    }

    /// Looks at a frame from the wire.
    pub fn look(&mut self, frame: &[u8]) -> Verdict {
        match self.request(frame) {
            Some(request) => match self.answer(&request) {
                Some(answer) => Verdict::Answer(answer),
                None => Verdict::Silent,
            },
            None => Verdict::NotDhcp,
        }
    }

    /// The DHCP request in `frame`, checksums and all, if it is one for us.
    fn request(&self, frame: &[u8]) -> Option<Request> {
        let ethernet = EthernetFrame::new_checked(frame).ok()?;
        if ethernet.ethertype() != EthernetProtocol::Ipv4 {
            return None;
        }
        let packet = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
        let ours = packet.dst_addr().is_broadcast() || packet.dst_addr() == self.addr;
        if packet.next_header() != IpProtocol::Udp || !packet.verify_checksum() || !ours {
            return None;
        }
        let (src, dst) = (packet.src_addr().into(), packet.dst_addr().into());
        let datagram = UdpPacket::new_checked(packet.payload()).ok()?;
        if datagram.dst_port() != SERVER_PORT || !datagram.verify_checksum(&src, &dst) {
            return None;
        }
        let dhcp = DhcpPacket::new_checked(datagram.payload()).ok()?;
        let repr = DhcpRepr::parse(&dhcp).ok()?;
        // "A DHCP server only answers messages of its own network": relays have none here.
        repr.relay_agent_ip.is_unspecified().then_some(Request {
            kind: repr.message_type,
            id: repr.transaction_id,
            mac: repr.client_hardware_address,
            client: repr.client_ip,
            requested: repr.requested_ip,
            server: repr.server_identifier,
            broadcast: repr.broadcast,
        })
    }

    fn answer(&mut self, request: &Request) -> Option<Vec<u8>> {
        match request.kind {
            Kind::Discover => {
                let offered = self.lease(request.mac)?;
                Some(self.reply(request, Kind::Offer, offered))
            }
            Kind::Request => {
                if request.server.is_some_and(|server| server != self.addr) {
                    // It has taken another server's offer.
                    return None;
                }
                let wanted = request.requested.unwrap_or(request.client);
                match self.lease(request.mac) {
                    Some(lease) if lease == wanted => Some(self.reply(request, Kind::Ack, lease)),
                    _ => Some(self.reply(request, Kind::Nak, Ipv4Address::UNSPECIFIED)),
                }
            }
            Kind::Inform => Some(self.reply(request, Kind::Ack, Ipv4Address::UNSPECIFIED)),
            Kind::Release => {
                self.leases.remove(&request.mac.0);
                None
            }
            _ => None,
        }
    }

    fn reply(&self, request: &Request, kind: Kind, yours: Ipv4Address) -> Vec<u8> {
        let settings = kind != Kind::Nak;
        let mut dhcp = DhcpRepr {
            message_type: kind,
            transaction_id: request.id,
            secs: 0,
            client_hardware_address: request.mac,
            client_ip: request.client,
            your_ip: yours,
            server_ip: self.addr,
            router: settings.then_some(self.addr),
            subnet_mask: settings.then_some(Ipv4Address::new(255, 255, 255, 0)),
            relay_agent_ip: Ipv4Address::UNSPECIFIED,
            broadcast: request.broadcast,
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(self.addr),
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: (settings && kind != Kind::Ack || !yours.is_unspecified())
                .then_some(LEASE_SECONDS),
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        if settings {
            dhcp.dns_servers = Some([self.addr].into_iter().collect());
        }
        // [RFC 2131: Constructing and sending DHCP messages]: to the address which the client has, else by broadcast if
        // it asks for that (or is told no), else to the address it is about to have.
        let known = |addr: Ipv4Address| (request.mac, addr);
        let everybody = (EthernetAddress::BROADCAST, Ipv4Address::BROADCAST);
        let (mac, addr) = match kind {
            Kind::Nak => everybody,
            _ if !request.client.is_unspecified() => known(request.client),
            _ if request.broadcast || yours.is_unspecified() => everybody,
            _ => known(yours),
        };
        self.frame(&dhcp, mac, addr)
    }

    fn frame(&self, dhcp: &DhcpRepr, mac: EthernetAddress, addr: Ipv4Address) -> Vec<u8> {
        const ROOM: &str = "the buffer has the length which the headers asked for";
        let checksums = ChecksumCapabilities::default();
        let body = dhcp.buffer_len().max(BOOTP_BYTES);
        let udp = UdpRepr { src_port: SERVER_PORT, dst_port: CLIENT_PORT };
        let ip = Ipv4Repr {
            src_addr: self.addr,
            dst_addr: addr,
            next_header: IpProtocol::Udp,
            payload_len: udp.header_len() + body,
            hop_limit: 64,
        };
        let ethernet = EthernetRepr { src_addr: self.mac, dst_addr: mac, ethertype: EthernetProtocol::Ipv4 };
        let mut out = vec![0; ethernet.buffer_len() + ip.buffer_len() + ip.payload_len];
        let mut frame = EthernetFrame::new_unchecked(&mut out[..]);
        ethernet.emit(&mut frame);
        let mut packet = Ipv4Packet::new_unchecked(frame.payload_mut());
        ip.emit(&mut packet, &checksums);
        let mut datagram = UdpPacket::new_unchecked(packet.payload_mut());
        let (src, dst) = (self.addr.into(), addr.into());
        let fill = |buf: &mut [u8]| dhcp.emit(&mut DhcpPacket::new_unchecked(buf)).expect(ROOM);
        udp.emit(&mut datagram, &src, &dst, body, fill, &checksums);
        out
    }
}

/// What we need of a request.
struct Request {
    kind: Kind,
    id: u32,
    mac: EthernetAddress,
    client: Ipv4Address,
    requested: Option<Ipv4Address>,
    server: Option<Ipv4Address>,
    broadcast: bool,
}
