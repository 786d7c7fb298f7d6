//! As much of a virtio-net driver as one frame each way needs, over region accesses and shared memory.
//! Spec: [virtio 1.4: Device Initialization], [virtio 1.4: Split Virtqueues]

use hematite_sim::facts::{bar, common, config, ring, status, virtio};
use hematite_sim::vfio_user::header::command;
use hematite_sim::vfio_user::regions::index;

use crate::client::{Client, Memory};

/// Entries of each queue.
const SIZE: u16 = 8;
/// Where guest memory begins for the device, and how much of it there is.
pub(crate) const BASE: u64 = 0x8000_0000;
pub(crate) const BYTES: u64 = 0x10_0000;
/// From one queue's rings to the next one's; buffers lie behind them.
const STRIDE: u64 = 0x1000;
const AVAIL: u64 = 0x400;
const USED: u64 = 0x800;
const BUFFERS: u64 = 0x1_0000;
const BUFFER_BYTES: u64 = 0x800;
/// virtio_net_hdr with num_buffers.
pub(crate) const HEADER: usize = 12;
pub(crate) const RX: u16 = 0;
pub(crate) const TX: u16 = 1;

/// The driver's state: what it has put into the rings so far.
pub(crate) struct Driver {
    posted: [u16; 2],
}

fn write(client: &mut Client, field: u64, data: &[u8]) {
    client.write(index::BAR0, bar::COMMON + field, data);
}

fn queue(number: u16) -> u64 {
    STRIDE * u64::from(number)
}

fn buffer(queue: u16, slot: u16) -> u64 {
    BUFFERS + BUFFER_BYTES * u64::from(queue * SIZE + slot)
}

pub(crate) fn device_status(client: &mut Client) -> u8 {
    client.read(index::BAR0, bar::COMMON + common::DEVICE_STATUS, 1)[0]
}

impl Driver {
    /// The initialisation list, with queue 0 (receive) and 1 (transmit) on vectors 1 and 2.
    pub(crate) fn start(client: &mut Client, memory: &Memory) -> Driver {
        let enable = config::COMMAND_MEMORY | config::COMMAND_BUS_MASTER;
        client.write(index::CONFIG, config::COMMAND.into(), &enable.to_le_bytes());
        write(client, common::DEVICE_STATUS, &[0]);
        while device_status(client) != 0 {}
        let mut state = status::ACKNOWLEDGE | status::DRIVER;
        write(client, common::DEVICE_STATUS, &[state]);
        write(client, common::DRIVER_FEATURE_SELECT, &1u32.to_le_bytes());
        write(client, common::DRIVER_FEATURE, &(1u32 << (virtio::F_VERSION_1 - 32)).to_le_bytes());
        state |= status::FEATURES_OK;
        write(client, common::DEVICE_STATUS, &[state]);
        assert_eq!(device_status(client), state);
        for number in [RX, TX] {
            memory.put(queue(number), &[0; STRIDE as usize]);
            write(client, common::QUEUE_SELECT, &number.to_le_bytes());
            write(client, common::QUEUE_SIZE, &SIZE.to_le_bytes());
            write(client, common::QUEUE_MSIX_VECTOR, &(number + 1).to_le_bytes());
            for (field, offset) in
                [(common::QUEUE_DESC, 0), (common::QUEUE_DRIVER, AVAIL), (common::QUEUE_DEVICE, USED)]
            {
                write(client, field, &(BASE + queue(number) + offset).to_le_bytes());
            }
            write(client, common::QUEUE_ENABLE, &1u16.to_le_bytes());
        }
        write(client, common::DEVICE_STATUS, &[state | status::DRIVER_OK]);
        let mut driver = Driver { posted: [0; 2] };
        for slot in 0..SIZE {
            driver.post(memory, RX, slot, BUFFER_BYTES as u32, ring::DESC_F_WRITE);
        }
        driver.kick(client, RX);
        driver
    }

    fn post(&mut self, memory: &Memory, number: u16, slot: u16, len: u32, flags: u16) {
        let mut desc = (BASE + buffer(number, slot)).to_le_bytes().to_vec();
        desc.extend(len.to_le_bytes());
        desc.extend(flags.to_le_bytes());
        desc.extend([0; 2]);
        memory.put(queue(number) + ring::DESC_BYTES * u64::from(slot), &desc);
        let posted = &mut self.posted[usize::from(number)];
        let entry = ring::AVAIL_RING + ring::AVAIL_ENTRY * u64::from(*posted % SIZE);
        memory.put(queue(number) + AVAIL + entry, &slot.to_le_bytes());
        *posted += 1;
        memory.put(queue(number) + AVAIL + ring::AVAIL_IDX, &posted.to_le_bytes());
    }

    /// The write that rings a queue's doorbell.
    pub(crate) fn doorbell(number: u16) -> Vec<u8> {
        let at = bar::NOTIFY + bar::NOTIFY_MULTIPLIER * u64::from(number);
        Client::write_payload(index::BAR0, at, &number.to_le_bytes())
    }

    pub(crate) fn kick(&self, client: &mut Client, number: u16) {
        client.good(command::REGION_WRITE, &Driver::doorbell(number));
    }

    /// Puts a frame into the transmit ring.
    pub(crate) fn put(&mut self, memory: &Memory, frame: &[u8]) {
        let slot = self.posted[1] % SIZE;
        memory.put(buffer(TX, slot), &[&[0; HEADER], frame].concat());
        self.post(memory, TX, slot, (HEADER + frame.len()) as u32, 0);
    }

    /// Puts a frame into the transmit ring and rings the doorbell.
    pub(crate) fn transmit(&mut self, client: &mut Client, memory: &Memory, frame: &[u8]) {
        self.put(memory, frame);
        self.kick(client, TX);
    }

    /// The device's index of a queue.
    pub(crate) fn used_idx(&self, memory: &Memory, number: u16) -> u16 {
        u16::from_le_bytes(memory.get(queue(number) + USED + ring::USED_IDX))
    }

    /// The n-th frame received, without its header.
    pub(crate) fn received(&self, memory: &Memory, n: u16) -> Vec<u8> {
        let element = queue(RX) + USED + ring::USED_RING + ring::USED_ELEM_BYTES * u64::from(n % SIZE);
        let id = u32::from_le_bytes(memory.get(element)) as u16;
        let len = u32::from_le_bytes(memory.get(element + 4)) as usize;
        let bytes: [u8; BUFFER_BYTES as usize] = memory.get(buffer(RX, id));
        bytes[HEADER..len].to_vec()
    }
}
