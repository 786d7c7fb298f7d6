//! The driver's control queue. Spec: [virtio 1.4: Network Device, Control Virtqueue]

use crate::facts::{bar, ctrl, net};

use super::{Bench, Driver, DriverError, memory};
use crate::device::Device;
use crate::ring::{Buffer, Used};

/// Cycles within which a command is answered, at most.
const ANSWER: u64 = 100_000;

impl Driver {
    /// The number of the control queue: behind all pairs there may be, which without MQ and RSS is one.
    pub fn control_number<D: Device>(&self, root: &mut Bench<D>) -> Result<u16, DriverError> {
        if self.features & (1 << net::F_MQ | 1 << net::F_RSS) == 0 {
            return Ok(2);
        }
        let mut pairs = [0; 2];
        root.bar_read(bar::DEVICE + net::CFG_PAIRS, &mut pairs)?;
        Ok(2 * u16::from_le_bytes(pairs))
    }

    /// Sets up and enables the control queue.
    pub fn setup_control<D: Device>(&mut self, root: &mut Bench<D>) -> Result<(), DriverError> {
        let number = self.control_number(root)?;
        self.control = Some(self.enable_queue(root, number, memory::RINGS + 2 * memory::RING_STRIDE)?);
        Ok(())
    }

    /// Gives a chain to the control queue, and rings if the device wants it.
    pub fn post_control<D: Device>(
        &mut self,
        root: &mut Bench<D>,
        buffers: &[Buffer],
    ) -> Result<u16, DriverError> {
        let ring = self.control.as_mut().ok_or(DriverError::NoControl)?;
        let (number, id) = (ring.number, ring.add(&mut root.memory, buffers)?);
        root.monitor.order.post(number, id, ring.slots(id), ring.writable(id));
        ring.publish(&mut root.memory);
        if ring.wants_kick(&mut root.memory) {
            self.kick(root, number)?;
        }
        Ok(id)
    }

    /// Puts a command and its data into memory: buffers for it in three descriptors, as Linux makes them.
    pub fn put_command<D: Device>(root: &mut Bench<D>, class: u8, verb: u8, data: &[u8]) -> [Buffer; 3] {
        let base = memory::COMMANDS;
        root.memory.poke(base, &[class, verb]);
        root.memory.poke(base + 2, data);
        let answer = base + 2 + data.len() as u64;
        root.memory.poke(answer, &[!ctrl::ACK_OK]);
        [
            Buffer { addr: base, len: 2, writable: false },
            Buffer { addr: base + 2, len: data.len() as u32, writable: false },
            Buffer { addr: answer, len: 1, writable: true },
        ]
    }

    /// Gives a command and waits: the device's answer.
    pub fn command<D: Device>(
        &mut self,
        root: &mut Bench<D>,
        class: u8,
        verb: u8,
        data: &[u8],
    ) -> Result<u8, DriverError> {
        Ok(self.query(root, class, verb, data, 0)?.0)
    }

    /// Gives a command whose answer has room for so many bytes behind `ack`, in a buffer of their own as Linux gives them, and waits.
    pub fn query<D: Device>(
        &mut self,
        root: &mut Bench<D>,
        class: u8,
        verb: u8,
        data: &[u8],
        room: u32,
    ) -> Result<(u8, Vec<u8>), DriverError> {
        let mut buffers = Driver::put_command(root, class, verb, data).to_vec();
        if room > 0 {
            buffers.push(Buffer {
                addr: memory::COMMANDS + memory::COMMAND_BYTES / 2,
                len: room,
                writable: true,
            });
        }
        self.post_control(root, &buffers)?;
        let ring = self.control.as_ref().ok_or(DriverError::NoControl)?;
        root.run_until("the answer of the control queue", ANSWER, |root| {
            ring.used_idx(&mut root.memory) != ring.used_seen()
        })?;
        let written = self.take_control(root)?.map_or(0, |used| used.len as usize);
        let mut result = vec![0; written.saturating_sub(1)];
        if let Some(place) = buffers.get(3) {
            root.memory.look(place.addr, &mut result);
        }
        Ok((root.memory.peek::<1>(buffers[2].addr)[0], result))
    }

    /// Takes back a chain of the control queue.
    pub fn take_control<D: Device>(&mut self, root: &mut Bench<D>) -> Result<Option<Used>, DriverError> {
        let ring = self.control.as_mut().ok_or(DriverError::NoControl)?;
        Ok(ring.take_used(&mut root.memory)?)
    }

    /// Reads the address in device configuration.
    pub fn mac<D: Device>(&self, root: &mut Bench<D>) -> Result<[u8; 6], DriverError> {
        let mut mac = [0; 6];
        root.bar_read(bar::DEVICE + net::CFG_MAC, &mut mac)?;
        Ok(mac)
    }
}
