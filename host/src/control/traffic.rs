//! Frames out and in. Spec: [virtio 1.4: Network Device, Device Operation]

use std::time::{Duration, Instant};

use hematite_abi::{feature, net};

use super::{Driver, SEND_BYTES};
use crate::error::{Error, Result};
use crate::ring::{Buffer, Used};

impl Driver {
    /// Cuts receive buffers out of the memory, once.
    pub(super) fn lay_out_receive_buffers(&mut self) -> Result<()> {
        let count = self.options.receive_buffers.min(self.receive.ring.size);
        let bytes = self.options.receive_bytes.max((net::HDR_BYTES + net::ETHERNET_HEADER_BYTES) as u32);
        self.buffers = (0..count).map(|_| self.arena.take(bytes as usize, 64)).collect::<Result<_>>()?;
        Ok(())
    }

    /// Gives the device every receive buffer that it does not have.
    pub(super) fn fill(&mut self) -> Result<()> {
        let out = |part| self.receiving.iter().flatten().any(|one| *one == part);
        let idle: Vec<_> = self.buffers.iter().copied().filter(|part| !out(*part)).collect();
        let any = !idle.is_empty();
        for part in idle {
            let buffer = Buffer { iova: self.arena.iova(part.at), bytes: part.bytes, writable: true };
            if let Some(id) = self.receive.ring.post(&self.arena.memory, &[buffer])? {
                self.receiving[usize::from(id)] = Some(part);
            }
        }
        if any {
            Driver::kick(&mut self.function, &self.notify, self.features, &self.receive)
        } else {
            Ok(())
        }
    }

    /// Sends a frame; waits for room if need be, at most the limit.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        let most = SEND_BYTES - net::HDR_BYTES;
        if frame.len() < net::ETHERNET_HEADER_BYTES || frame.len() > most {
            let text = format!(
                "a frame of {} bytes: {} to {most} can be sent",
                frame.len(),
                net::ETHERNET_HEADER_BYTES
            );
            return Err(Error::Device(text));
        }
        let start = Instant::now();
        let part = loop {
            self.sent()?;
            if let Some(part) = self.idle.pop() {
                break part;
            }
            let limit = self.options.limit;
            let left = limit.saturating_sub(start.elapsed());
            let used = Driver::wait(
                &mut self.function,
                &self.arena,
                &mut self.transmit,
                left,
                &mut self.interrupts,
            )?;
            match used {
                Some(used) => self.take_sent(used),
                None => return Err(Error::Late { what: "a frame that was sent comes back".into(), limit }),
            }
        };
        self.arena.memory.write(part.at, &[0; net::HDR_BYTES])?;
        self.arena.memory.write(part.at + net::HDR_BYTES as u64, frame)?;
        let bytes = (net::HDR_BYTES + frame.len()) as u32;
        let buffer = Buffer { iova: self.arena.iova(part.at), bytes, writable: false };
        match self.transmit.ring.post(&self.arena.memory, &[buffer])? {
            Some(id) => self.sending[usize::from(id)] = Some(part),
            None => {
                return Err(Error::Device("the transmit queue has no room, though buffers came back".into()));
            }
        }
        Driver::kick(&mut self.function, &self.notify, self.features, &self.transmit)
    }

    /// Takes back what was sent; how many frames are still out.
    pub fn sent(&mut self) -> Result<usize> {
        while let Some(used) = self.transmit.ring.take(&self.arena.memory)? {
            self.take_sent(used);
        }
        Ok(self.transmit.ring.out())
    }

    fn take_sent(&mut self, used: Used) {
        let part = self.sending.get_mut(usize::from(used.id)).and_then(Option::take);
        self.idle.extend(part);
    }

    /// The next frame that has come, of one buffer or several; none within `limit`.
    pub fn receive(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let Some(first) =
            Driver::wait(&mut self.function, &self.arena, &mut self.receive, limit, &mut self.interrupts)?
        else {
            return Ok(None);
        };
        let mut bytes = self.received(first)?;
        if bytes.len() < net::HDR_BYTES {
            return Err(Error::Device(format!("a frame of {} bytes, less than its header", bytes.len())));
        }
        let at = net::HDR_NUM_BUFFERS;
        let merged = self.has(feature::MRG_RXBUF);
        let buffers = if merged { u16::from_le_bytes([bytes[at], bytes[at + 1]]) } else { 1 };
        if buffers == 0 || usize::from(buffers) > self.buffers.len() {
            return Err(Error::Device(format!("num_buffers is {buffers}")));
        }
        for _ in 1..buffers {
            let next = Driver::wait(
                &mut self.function,
                &self.arena,
                &mut self.receive,
                self.options.limit,
                &mut self.interrupts,
            )?;
            let Some(next) = next else {
                let what = format!("all {buffers} buffers of a frame come");
                return Err(Error::Late { what, limit: self.options.limit });
            };
            bytes.extend(self.received(next)?);
        }
        self.fill()?;
        Ok(Some(bytes.split_off(net::HDR_BYTES)))
    }

    /// What the device has written to one buffer: no more than it holds, the ring has seen to that.
    fn received(&mut self, used: Used) -> Result<Vec<u8>> {
        let Some(part) = self.receiving.get_mut(usize::from(used.id)).and_then(Option::take) else {
            return Err(Error::Device(format!("chain {} has no receive buffer", used.id)));
        };
        let mut bytes = vec![0; used.bytes.min(part.bytes) as usize];
        self.arena.memory.read(part.at, &mut bytes)?;
        Ok(bytes)
    }
}
