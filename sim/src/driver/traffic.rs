//! Packets through the driver's rings: posting, ringing, taking back.

use super::{Bench, Driver, DriverError, RX, TX, memory};
use crate::device::Device;
use crate::facts::net;
use crate::offload::Header;
use crate::ring::{Buffer, RingError, Used};

/// A packet that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub header: Header,
    /// With HASH_REPORT, what is behind that: hash, report, padding, from the low end on.
    pub hash: Option<u64>,
    pub frame: Vec<u8>,
}

impl Driver {
    /// Rings the doorbell of a queue if the device wants to be told of what is new in it.
    pub fn notify<D: Device>(&mut self, root: &mut Bench<D>, number: u16) -> Result<(), DriverError> {
        let ring = if number == RX { &mut self.rx } else { &mut self.tx };
        if ring.wants_kick(&mut root.memory) { self.kick(root, number) } else { Ok(()) }
    }

    /// Makes any chain available and publishes it, without a kick.
    pub fn post<D: Device>(
        &mut self,
        root: &mut Bench<D>,
        number: u16,
        buffers: &[Buffer],
    ) -> Result<u16, DriverError> {
        let ring = if number == RX { &mut self.rx } else { &mut self.tx };
        let id = ring.add(&mut root.memory, buffers)?;
        root.monitor.order.post(number, id, ring.slots(id), ring.writable(id));
        ring.publish(&mut root.memory);
        Ok(id)
    }

    /// Queues a frame for transmission in descriptors cut at `cuts` (offsets in header and frame), without a kick.
    pub fn post_tx<D: Device>(
        &mut self,
        root: &mut Bench<D>,
        frame: &[u8],
        cuts: &[usize],
    ) -> Result<u16, DriverError> {
        self.post_packet(root, Header::default(), frame, cuts)
    }

    /// As [`Driver::post_tx`], with a header that asks for something.
    pub fn post_packet<D: Device>(
        &mut self,
        root: &mut Bench<D>,
        header: Header,
        frame: &[u8],
        cuts: &[usize],
    ) -> Result<u16, DriverError> {
        let full = RingError::Full { queue: TX, wanted: 1, free: 0 };
        let slot = self.tx_slots.pop().ok_or(full)?;
        let base = memory::TX + slot * memory::TX_SLOT + self.options.skew;
        let mut packet = header.bytes().to_vec();
        // What is behind means nothing to the device.
        packet.resize(self.header_bytes(), 0xa5);
        packet.extend_from_slice(frame);
        root.memory.poke(base, &packet);
        let mut buffers = vec![];
        let mut start = 0;
        for end in cuts.iter().copied().chain([packet.len()]) {
            buffers.push(Buffer { addr: base + start as u64, len: (end - start) as u32, writable: false });
            start = end;
        }
        self.post(root, TX, &buffers)
    }

    /// Transmits a frame in one descriptor.
    pub fn send<D: Device>(&mut self, root: &mut Bench<D>, frame: &[u8]) -> Result<(), DriverError> {
        self.post_tx(root, frame, &[])?;
        self.notify(root, TX)
    }

    /// Takes back a transmit chain which the device has used.
    pub fn take_tx<D: Device>(&mut self, root: &mut Bench<D>) -> Result<Option<Used>, DriverError> {
        let used = self.tx.take_used(&mut root.memory)?;
        if let Some(first) = used.as_ref().and_then(|used| used.buffers.first())
            && first.addr >= memory::TX
        {
            self.tx_slots.push((first.addr - memory::TX) / memory::TX_SLOT);
        }
        Ok(used)
    }

    /// Takes a received frame, merged from its buffers, and gives the buffers back to the device (with a kick, if it wants one).
    pub fn receive<D: Device>(&mut self, root: &mut Bench<D>) -> Result<Option<Vec<u8>>, DriverError> {
        Ok(self.receive_packet(root)?.map(|received| received.frame))
    }

    /// As [`Driver::receive`], with what its header says.
    pub fn receive_packet<D: Device>(
        &mut self,
        root: &mut Bench<D>,
    ) -> Result<Option<Received>, DriverError> {
        let Some(first) = self.rx.take_used(&mut root.memory)? else { return Ok(None) };
        let mut packet = gather(root, &first);
        let bytes = self.header_bytes();
        if packet.len() < bytes {
            return Err(DriverError::Receive("used length is shorter than the header"));
        }
        let header = packet.first_chunk().map(Header::read).unwrap_or_default();
        let buffers = header.num_buffers;
        let merge = self.features >> net::F_MRG_RXBUF & 1 == 1;
        if buffers == 0 || (!merge && buffers != 1) {
            return Err(DriverError::Receive("num_buffers is wrong"));
        }
        let mut chains = vec![first];
        for _ in 1..buffers {
            let missing = DriverError::Receive("num_buffers promises more than the used ring holds");
            let next = self.rx.take_used(&mut root.memory)?.ok_or(missing)?;
            packet.extend(gather(root, &next));
            chains.push(next);
        }
        for chain in chains {
            self.post(root, RX, &chain.buffers)?;
        }
        self.notify(root, RX)?;
        let frame = packet.split_off(bytes);
        let hash = packet[net::HDR_BYTES as usize..].first_chunk().map(|hash| u64::from_le_bytes(*hash));
        Ok(Some(Received { header, hash, frame }))
    }

    /// Bytes of the header in front of each packet.
    pub fn header_bytes(&self) -> usize {
        net::header_bytes(self.features) as usize
    }
}

fn gather<D: Device>(root: &mut Bench<D>, used: &Used) -> Vec<u8> {
    let mut bytes = vec![];
    let mut left = used.len as usize;
    for buffer in &used.buffers {
        let mut part = vec![0; left.min(buffer.len as usize)];
        root.memory.look(buffer.addr, &mut part);
        left -= part.len();
        bytes.extend(part);
    }
    bytes
}
