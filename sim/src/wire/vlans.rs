//! A network for each VLAN: tagged frames meet a stack of their own, which is made when the first one comes.
//! VLAN `v` is 10.16+v/256.v%256.0/24, its host is number 2 there and answers with the same tag.
//! Spec: [IEEE 802.1Q: VLAN tag]; no service tags

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use smoltcp::wire::Ipv4Address;

use super::Wire;
use super::stack::{ADDR, Stack};
use crate::facts::ethernet;

/// Of a tag: the ethertype before it, where it stands, and how long it is.
const ETHERTYPE: [u8; 2] = ethernet::VLAN.to_be_bytes();
const TAG_AT: usize = 12;
const TAG_BYTES: usize = 4;
/// Frames of more VLANs than that are dropped: each holds the buffers of a whole stack.
const MOST: usize = 4;

/// The networks.
pub struct Vlans {
    seed: u64,
    now: Duration,
    untagged: Stack,
    tagged: BTreeMap<u16, Stack>,
    /// Frames of VLANs for which there was no room.
    pub dropped: u64,
}

impl Vlans {
    /// Networks whose random numbers come from `seed`.
    pub fn new(seed: u64) -> Vlans {
        let untagged = Stack::new(seed, ADDR);
        Vlans { seed, now: Duration::ZERO, untagged, tagged: BTreeMap::new(), dropped: 0 }
    }

    /// The host's address in a VLAN.
    pub fn address(vlan: u16) -> Ipv4Address {
        let [high, low] = vlan.to_be_bytes();
        Ipv4Address::new(10, 16 + high, low, 2)
    }
}

/// The VLAN of a frame; none for untagged and for priority-tagged ones.
fn vlan(frame: &[u8]) -> Option<u16> {
    let tag = frame.get(TAG_AT..TAG_AT + TAG_BYTES)?;
    let id = u16::from_be_bytes([tag[2], tag[3]]) & 0xfff;
    (tag[..2] == ETHERTYPE && id != 0).then_some(id)
}

impl Wire for Vlans {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let Some(id) = vlan(frame) else { return self.untagged.send(frame) };
        if self.tagged.len() == MOST && !self.tagged.contains_key(&id) {
            self.dropped += 1;
            return Ok(());
        }
        let stack = self.tagged.entry(id).or_insert_with(|| {
            let mut stack = Stack::new(self.seed ^ u64::from(id), Vlans::address(id));
            stack.advance(self.now);
            stack
        });
        stack.send(&[&frame[..TAG_AT], &frame[TAG_AT + TAG_BYTES..]].concat())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        for (id, stack) in &mut self.tagged {
            if let Some(frame) = stack.receive()? {
                let (addresses, rest) = frame.split_at(TAG_AT);
                return Ok(Some([addresses, &ETHERTYPE, &id.to_be_bytes(), rest].concat()));
            }
        }
        self.untagged.receive()
    }

    fn advance(&mut self, now: Duration) {
        self.now = now;
        self.untagged.advance(now);
        self.tagged.values_mut().for_each(|stack| stack.advance(now));
    }

    fn deadline(&self) -> Option<Duration> {
        let tagged = self.tagged.values().filter_map(Stack::deadline);
        self.untagged.deadline().into_iter().chain(tagged).min()
    }
}
