//! The clients and the root complex of `reader`'s tests: sets the reader's inputs, checks its outputs.

use crate::root::{Fate, Faults, REQUESTER, Root, memory};
use crate::streams::{to_bits, to_bytes};
use hematite_hw::params::Params;
use hematite_hw::pcie::reader::Reader;
use hematite_hw::port::dma::ReadRequest;
use hematite_hw::port::pcie::PcieSettings;
use hematite_hw::port::tlp::TlpSide;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

pub(crate) use hematite_hw::pcie::reader::CLIENTS;

#[derive(Default)]
pub(crate) struct Client {
    /// Address and bytes of requests not answered yet.
    pub(crate) waiting: VecDeque<(u64, u64)>,
    pub(crate) got: Vec<u8>,
    pub(crate) offering: Option<(u64, u64)>,
    /// Takes no replies at all.
    pub(crate) deaf: bool,
    pub(crate) answered: u64,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) unexpected: u64,
    pub(crate) timeout: u64,
    pub(crate) error: u64,
    pub(crate) replies: u64,
    pub(crate) beats: u64,
    pub(crate) failed: u64,
}

/// What goes on around a reader.
pub(crate) struct Traffic {
    pub(crate) rng: ChaCha8Rng,
    pub(crate) root: Root,
    pub(crate) clients: Vec<Client>,
    pub(crate) faults: Faults,
    pub(crate) stall: f64,
    /// Request lengths: at most this.
    pub(crate) most: u64,
    pub(crate) next_page: u64,
    pub(crate) counts: Counts,
    pub(crate) idle: f64,
    /// Requests are offered.
    pub(crate) asking: bool,
    /// Only the payload client asks.
    pub(crate) alone: bool,
    pub(crate) aligned: bool,
    given: bool,
}

impl Traffic {
    pub(crate) fn new(params: &Params, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            root: Root::default(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            faults: Faults::default(),
            stall: 0.2,
            most: params.read_bytes as u64,
            next_page: 0,
            counts: Counts::default(),
            idle: 0.2,
            asking: true,
            alone: false,
            aligned: false,
            given: false,
        }
    }

    pub(crate) fn settings(params: &Params) -> PcieSettings {
        PcieSettings {
            bus_master: true,
            requester: REQUESTER.into(),
            read_bytes: (params.read_bytes as u64).into(),
            ..Default::default()
        }
    }

    /// A request that crosses no 4 KiB and touches no more DWORDs than a slot has.
    fn invent(&mut self) -> (u64, u64) {
        self.next_page += 1;
        let high = if self.rng.random_bool(0.5) { 0x12_0000_0000 } else { 0 };
        let page = high + (self.next_page << 12);
        if self.aligned {
            return (page, self.most);
        }
        let len = match self.rng.random_range(0..4) {
            0 => self.most,
            1 => self.rng.random_range(1..=8.min(self.most)),
            _ => self.rng.random_range(1..=self.most),
        };
        let low = self.rng.random_range(0..=4096 - len);
        let low = if low % 4 + len > self.most { low / 4 * 4 } else { low };
        (page + low, len)
    }

    /// Sets the inputs of a cycle.
    pub(crate) fn stage<const W: usize>(&mut self, uut: &mut Reader<W>, cycle: u64) {
        let draining = uut.drain.val();
        for i in 0..CLIENTS {
            if self.clients[i].offering.is_none()
                && self.asking
                && (i == 0 || !self.alone)
                && !draining
                && !self.rng.random_bool(self.idle)
            {
                self.clients[i].offering = Some(self.invent());
            }
            let (addr, len) = self.clients[i].offering.unwrap_or_default();
            uut.requests[i].valid.next = self.clients[i].offering.is_some() && !draining;
            uut.requests[i].data.next = ReadRequest { addr: addr.into(), len: len.into() };
            uut.replies[i].ready.next = !self.clients[i].deaf && !self.rng.random_bool(self.stall);
        }
        uut.tlp.ready.next = !self.rng.random_bool(self.stall);
        if self.root.sent.is_none() {
            self.root.next::<W>(&self.faults, cycle, &mut self.rng);
        }
        let give = self.root.sent.is_some() && !self.rng.random_bool(self.stall);
        uut.completion.valid.next = give;
        if let Some(sent) = &self.root.sent {
            let last = sent.beats.len() == 1;
            uut.completion.last.next = last;
            uut.completion.data.next = to_bits(&sent.beats[0]);
            uut.completion.side.next = TlpSide { header: sent.header.to_bits(), error: last && sent.marked };
        }
        self.given = give;
    }

    /// Checks the outputs of a cycle, settled.
    pub(crate) fn observe<const W: usize>(&mut self, uut: &Reader<W>, cycle: u64) {
        for i in 0..CLIENTS {
            if uut.requests[i].valid.val() && uut.requests[i].ready.val() {
                let request = self.clients[i].offering.take().unwrap();
                self.clients[i].waiting.push_back(request);
            }
            let reply = &uut.replies[i];
            if !(reply.valid.val() && reply.ready.val()) {
                continue;
            }
            self.counts.beats += 1;
            let client = &mut self.clients[i];
            client.got.extend(to_bytes(reply.data.val()));
            if reply.last.val() {
                let (addr, len) = client.waiting.pop_front().expect("a reply nobody waits for");
                let fate = self.root.fates.get(&addr).copied();
                let side = reply.side.val();
                assert_eq!(
                    side.error,
                    fate != Some(Fate::Good),
                    "cycle {cycle}: client {i}, {addr:x} {fate:?}"
                );
                assert_eq!(
                    side.timeout,
                    matches!(fate, Some(Fate::Lost | Fate::Late)),
                    "cycle {cycle}: client {i}, {addr:x} {fate:?}"
                );
                let skip = (addr % 4) as usize;
                if side.error {
                    let rows = (skip + len as usize).div_ceil(W / 8);
                    assert!(client.got.len() <= rows * W / 8, "a failed read is longer than a good one");
                    self.counts.failed += 1;
                } else {
                    assert_eq!(client.got.len(), (skip + len as usize).div_ceil(W / 8) * (W / 8));
                    for k in 0..len as usize {
                        assert_eq!(
                            client.got[skip + k],
                            memory(addr + k as u64),
                            "cycle {cycle}: client {i}, byte {k} of {len} at {addr:x}"
                        );
                    }
                }
                client.got.clear();
                client.answered += 1;
                self.counts.replies += 1;
            }
        }
        let taken = uut.tlp.valid.val() && uut.tlp.ready.val();
        if taken {
            assert!(uut.tlp.last.val());
            let header: Bits<128> = uut.tlp.side.val().header;
            let header = u128::from(u64::from(header.get_bits::<64>(0)))
                | u128::from(u64::from(header.get_bits::<64>(64))) << 64;
            self.root.request(header, &self.faults, cycle, &mut self.rng);
        }
        if self.given && uut.completion.ready.val() {
            let sent = self.root.sent.as_mut().unwrap();
            sent.beats.pop_front();
            if sent.beats.is_empty() {
                self.root.sent = None;
            }
        }
        self.counts.unexpected += u64::from(uut.count_cpl_unexpected.val());
        self.counts.timeout += u64::from(uut.count_cpl_timeout.val());
        self.counts.error += u64::from(uut.count_cpl_error.val());
    }
}
