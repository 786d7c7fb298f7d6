//! The control queue of the model: commands, what they set, which frames are wanted by that.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue]

use crate::facts::{ctrl, ethernet, hash as types, ident as error, net, rss};
use crate::flow::Rss;

use super::Model;
use super::coalesce::Limits;
use super::device_cfg::Announce;
use super::dma::Stop;
use super::engine::Segment;
use super::stats::Stats;

/// Bytes of a command that are kept; a longer filter table takes every address.
const KEPT: usize = ctrl::KEPT_BYTES;
/// Bytes of a command after which its queue has failed.
const MOST: u64 = 1 << 16;
/// Hashes of addresses.
const HASHES: usize = 256;

/// What commands have set.
pub(super) struct Settings {
    mode: u8,
    pub(super) mac: [u8; 6],
    /// Which addresses are taken, by their hash.
    table: [bool; HASHES],
    vlans: Vec<bool>,
    pub(super) steering: Rss,
    /// Hashes are reported; and are with automatic steering, and the types by which it knows flows.
    pub(super) hashes: bool,
    hashes_then: bool,
    types_then: u32,
    /// The driver has not switched it off.
    pub(super) guest_csum: bool,
    pub(super) rx_limits: Limits,
    pub(super) tx_limits: Limits,
    pub(super) stats: Stats,
}

impl Settings {
    /// Out of reset: everything is taken.
    pub(super) fn new(mac: [u8; 6]) -> Settings {
        Settings {
            mode: ctrl::MODE_PROMISC,
            mac,
            table: [false; HASHES],
            vlans: vec![false; ctrl::VLANS],
            steering: Rss::automatic(1),
            hashes: false,
            hashes_then: false,
            types_then: types::KNOWN,
            guest_csum: true,
            rx_limits: Limits::default(),
            tx_limits: Limits::default(),
            stats: Stats::default(),
        }
    }
}

fn hash(address: &[u8]) -> usize {
    address.iter().fold(0, |hash, byte| hash ^ usize::from(*byte))
}

/// The two lists of addresses of a filter table, as the hashes in them.
fn table(mut data: &[u8]) -> Option<[bool; HASHES]> {
    let mut hashes = [false; HASHES];
    for _ in 0..2 {
        let (count, rest) = data.split_first_chunk::<4>()?;
        let bytes = (u32::from_le_bytes(*count) as usize).checked_mul(6)?;
        let (list, rest) = rest.split_at_checked(bytes)?;
        list.chunks_exact(6).for_each(|address| hashes[hash(address)] = true);
        data = rest;
    }
    data.is_empty().then_some(hashes)
}

/// The parameters of RSS, if they are of whole length and all in their range.
fn parameters(data: &[u8], pairs: u16) -> Option<Rss> {
    let (kinds, data) = data.split_first_chunk::<4>()?;
    let (mask, data) = data.split_first_chunk::<2>()?;
    let (unclassified, data) = data.split_first_chunk::<2>()?;
    let entries = usize::from(u16::from_le_bytes(*mask)) + 1;
    let (table, data) = data.split_at_checked(2 * entries)?;
    let (max_tx, data) = data.split_first_chunk::<2>()?;
    let (length, rest) = data.split_first()?;
    // Linux (6.12) sends a byte of padding behind it
    let (key, _) = rest.split_at_checked(rss::KEY_BYTES)?;
    let rss = Rss {
        types: u32::from_le_bytes(*kinds),
        table: table.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect(),
        unclassified: u16::from_le_bytes(*unclassified),
        max_tx: u16::from_le_bytes(*max_tx),
        key: key.to_vec(),
    };
    let good = rss.types & !types::KNOWN == 0
        && entries.is_power_of_two()
        && entries <= rss::TABLE
        && rss.table.iter().chain([&rss.unclassified]).all(|pair| *pair < pairs)
        && (1..=pairs).contains(&rss.max_tx)
        && usize::from(*length) == rss::KEY_BYTES;
    good.then_some(rss)
}

/// Hash types and key of a configuration of hashes.
fn hash_parameters(data: &[u8]) -> Option<(u32, Vec<u8>)> {
    let (kinds, data) = data.split_first_chunk::<4>()?;
    // what is reserved means nothing
    let (_, data) = data.split_first_chunk::<8>()?;
    let (length, rest) = data.split_first()?;
    let (key, _) = rest.split_at_checked(rss::KEY_BYTES)?;
    let kinds = u32::from_le_bytes(*kinds);
    let good = kinds & !types::KNOWN == 0 && usize::from(*length) == rss::KEY_BYTES;
    good.then(|| (kinds, key.to_vec()))
}

impl Model {
    /// The next chain of the control queue.
    pub(super) fn control(&mut self, queue: u16) -> Result<(), Stop> {
        if self.dma.fresh() {
            self.registers.queues[usize::from(queue)].kicked = false;
        }
        let seen = self.registers.queues[usize::from(queue)].avail_seen;
        let Some(chain) = self.chain_at(queue, seen, None)? else {
            self.arm(queue, seen);
            return Ok(());
        };
        let (writable, readable): (Vec<&Segment>, Vec<&Segment>) =
            chain.segments.iter().partition(|segment| segment.writable);
        if readable.iter().map(|segment| u64::from(segment.len)).sum::<u64>() > MOST {
            return Err(Stop::Bad(error::ERROR_CHAIN_TOO_LONG));
        }
        let mut command = vec![];
        for segment in readable {
            command.extend(self.dma.read(self.now, segment.addr, segment.len as usize)?);
        }
        // What is only asked changes nothing: its answer may need more places, and those more reads.
        let result = self.look_up(&command);
        let wanted = 1 + result.as_ref().map_or(0, Vec::len) as u64;
        let mut places: Vec<Segment> = writable.into_iter().copied().collect();
        if wanted > 1 {
            let whole = self.chain_with(queue, seen, None, wanted)?.map_or(vec![], |chain| chain.segments);
            places = whole.into_iter().filter(|place| place.writable).collect();
        }
        let answer = match result {
            Some(result) => [vec![ctrl::ACK_OK], result].concat(),
            None if self.execute(&command).is_some() => vec![ctrl::ACK_OK],
            None => vec![ctrl::ACK_ERR],
        };
        self.settings.stats.command(answer[0] == ctrl::ACK_OK);
        let mut rest = answer.as_slice();
        for place in places {
            let (now, later) = rest.split_at(rest.len().min(place.len as usize));
            self.dma.write(place.addr, now);
            rest = later;
        }
        self.used(queue, &[chain.done((answer.len() - rest.len()) as u32)]);
        self.registers.queues[usize::from(queue)].kicked = true;
        Ok(())
    }

    /// A transmit or receive queue that is enabled.
    fn running(&self, number: [u8; 2]) -> Option<u16> {
        let number = u16::from_le_bytes(number);
        let live = self.registers.queues.get(usize::from(number)).is_some_and(|q| q.live);
        (live && number < self.shape.queues()).then_some(number)
    }

    /// The answer to a command that asks for something.
    fn look_up(&self, command: &[u8]) -> Option<Vec<u8>> {
        match command {
            [ctrl::NOTF_COAL, ctrl::COAL_VQ_GET, low, high, _, _]
                if self.registers.accepted(net::F_VQ_NOTF_COAL) =>
            {
                Some(self.limits_of(self.running([*low, *high])?).bytes())
            }
            [ctrl::STATS, ctrl::STATS_QUERY] if self.registers.accepted(net::F_DEVICE_STATS) => {
                Some(Model::stats_types())
            }
            [ctrl::STATS, ctrl::STATS_GET, data @ ..] if self.registers.accepted(net::F_DEVICE_STATS) => {
                self.statistics(data)
            }
            _ => None,
        }
    }

    /// Carries a command out, or refuses it as a whole.
    fn execute(&mut self, command: &[u8]) -> Option<()> {
        let accepted = |bit| self.registers.accepted(bit);
        let (class, rest) = command.split_first()?;
        let (verb, data) = rest.split_first()?;
        match (*class, *verb) {
            (ctrl::RX, verb @ ..=ctrl::RX_NOBCAST) => {
                let basic = accepted(net::F_CTRL_RX) && verb < ctrl::RX_ALLUNI;
                let on = match data {
                    [on @ 0..=1] if basic || accepted(net::F_CTRL_RX_EXTRA) => *on,
                    _ => return None,
                };
                self.settings.mode = self.settings.mode & !(1 << verb) | on << verb;
            }
            (ctrl::MAC, ctrl::MAC_ADDR_SET) if accepted(net::F_CTRL_MAC_ADDR) => {
                let mac: [u8; 6] = data.try_into().ok()?;
                self.settings.mac = (mac[0] & 1 == 0).then_some(mac)?;
                self.registers.generation = self.registers.generation.wrapping_add(1);
            }
            (ctrl::MAC, ctrl::MAC_TABLE_SET) if accepted(net::F_CTRL_RX) => {
                let long = command.len() > KEPT;
                self.settings.table = if long { [true; HASHES] } else { table(data)? };
            }
            (ctrl::VLAN, verb @ (ctrl::VLAN_ADD | ctrl::VLAN_DEL)) if accepted(net::F_CTRL_VLAN) => {
                let vlan = u16::from_le_bytes(data.try_into().ok()?);
                *self.settings.vlans.get_mut(usize::from(vlan))? = verb == ctrl::VLAN_ADD;
            }
            (ctrl::GUEST_OFFLOADS, ctrl::GUEST_OFFLOADS_SET) if accepted(net::F_CTRL_GUEST_OFFLOADS) => {
                let on = u64::from_le_bytes(data.try_into().ok()?);
                let agreed = u64::from(accepted(net::F_GUEST_CSUM)) << net::F_GUEST_CSUM;
                (on & !agreed == 0).then_some(())?;
                self.settings.guest_csum = on != 0;
            }
            (ctrl::MQ, ctrl::MQ_PAIRS_SET) if accepted(net::F_MQ) => {
                let pairs = u16::from_le_bytes(data.try_into().ok()?);
                (1..=self.shape.pairs).contains(&pairs).then_some(())?;
                self.settings.hashes = self.settings.hashes_then;
                self.settings.steering = Rss {
                    types: self.settings.types_then,
                    key: self.settings.steering.key.clone(),
                    ..Rss::automatic(pairs)
                };
            }
            (ctrl::MQ, ctrl::MQ_RSS_CONFIG) if accepted(net::F_RSS) && command.len() <= KEPT => {
                self.settings.steering = parameters(data, self.shape.pairs)?;
                self.settings.hashes = true;
            }
            (ctrl::MQ, ctrl::MQ_HASH_CONFIG) if accepted(net::F_HASH_REPORT) && command.len() <= KEPT => {
                let (kinds, key) = hash_parameters(data)?;
                (self.settings.hashes, self.settings.hashes_then) = (kinds != 0, kinds != 0);
                // without any, flows are still known by all of them
                self.settings.types_then = if kinds == 0 { types::KNOWN } else { kinds };
                self.settings.steering.types = self.settings.types_then;
                self.settings.steering.key = key;
            }
            (ctrl::NOTF_COAL, ctrl::COAL_TX_SET) if accepted(net::F_NOTF_COAL) => {
                self.settings.tx_limits = Limits::read(data)?;
                self.registers.queues.iter_mut().skip(1).step_by(2).for_each(|q| q.own = None);
            }
            (ctrl::NOTF_COAL, ctrl::COAL_RX_SET) if accepted(net::F_NOTF_COAL) => {
                self.settings.rx_limits = Limits::read(data)?;
                self.registers.queues.iter_mut().step_by(2).for_each(|q| q.own = None);
            }
            (ctrl::NOTF_COAL, ctrl::COAL_VQ_SET) if accepted(net::F_VQ_NOTF_COAL) => {
                let ([low, high, _, _], limits) = data.split_first_chunk::<4>()?;
                let (limits, queue) = (Limits::read(limits)?, self.running([*low, *high])?);
                self.registers.queues[usize::from(queue)].own = Some(limits);
            }
            (ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK) if accepted(net::F_GUEST_ANNOUNCE) && data.is_empty() => {
                if self.link.announce == Announce::Asked {
                    self.link.announce = Announce::No;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Whether the driver wants this frame.
    pub(super) fn wanted(&self, frame: &[u8]) -> bool {
        let settings = &self.settings;
        let on = |mode| settings.mode & mode != 0;
        let Some(target) = frame.get(..6).filter(|_| !on(ctrl::MODE_PROMISC)) else { return true };
        let listed = settings.table[hash(target)];
        let addressed = if target == [0xff; 6] {
            !on(ctrl::MODE_NOBCAST)
        } else if target[0] & 1 == 1 {
            !on(ctrl::MODE_NOMULTI) && (on(ctrl::MODE_ALLMULTI) || listed)
        } else {
            !on(ctrl::MODE_NOUNI) && (on(ctrl::MODE_ALLUNI) || listed || target == settings.mac)
        };
        let vlan = match frame.get(12..16).and_then(|tag| tag.split_first_chunk::<2>()) {
            Some((ethertype, tag)) if u16::from_be_bytes(*ethertype) == ethernet::VLAN => {
                let vid = usize::from(tag[0] & 0xf) << 8 | usize::from(tag[1]);
                settings.vlans[vid] || !self.registers.accepted(net::F_CTRL_VLAN)
            }
            _ => true,
        };
        addressed && vlan
    }
}
