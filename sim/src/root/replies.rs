//! Answers to the device's reads: sampled, cut at the RCB, delayed and reordered by the seeded link model.
//! Spec: [PCIe base: Completion Rules], [PCIe base: Data Return for Read Requests]

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::faults::Answer;
use super::link::LinkModel;
use super::memory::HostMemory;
use super::tlp::{Bdf, CplFields, MemRequest, Status, Tlp};
use crate::seed::Seed;

/// A read which waits for its data to be looked up.
struct Read {
    request: MemRequest,
    fault: Option<Answer>,
    sample_at: u64,
    due: u64,
}

/// Completions of one read, in order; the next one goes when its cycle has come.
struct Flow {
    due: u64,
    completions: std::collections::VecDeque<Tlp>,
}

/// All reads which are not answered yet.
pub struct Replies {
    link: LinkModel,
    rng: ChaCha8Rng,
    waiting: std::collections::VecDeque<Read>,
    flows: Vec<Flow>,
    /// In 1/`rate` cycles: when the link towards the device is free again.
    link_free: u64,
}

/// Bytes which a read of one or more double words names: where they start in the first one, and how many.
/// [PCIe base: Calculating Byte Count from Length and Byte Enables]
pub fn span(request: &MemRequest) -> (u64, usize) {
    let lead = if request.first_be == 0 { 0 } else { request.first_be.trailing_zeros() as usize };
    let total = usize::from(request.words) * 4;
    if request.words == 1 {
        let top = 8 - (request.first_be & 0xf).leading_zeros() as usize;
        return (lead as u64, if request.first_be == 0 { 1 } else { top - lead });
    }
    let trail = if request.last_be == 0 { 3 } else { (request.last_be & 0xf).leading_zeros() as usize - 4 };
    (lead as u64, total - lead - trail)
}

impl Replies {
    /// Nothing to answer yet.
    pub fn new(link: &LinkModel) -> Replies {
        Replies {
            rng: Seed(link.seed).rng(1),
            link: link.clone(),
            waiting: Default::default(),
            flows: vec![],
            link_free: 0,
        }
    }

    /// Forgets everything, as after a reset of the device.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.flows.clear();
    }

    /// True if nothing is left to answer.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flows.is_empty()
    }

    /// Takes a read request of the device.
    pub fn accept(&mut self, now: u64, request: MemRequest, fault: Option<Answer>) {
        let rtt = self.link.rtt_cycles;
        let delay = if self.link.reorder && rtt > 0 { self.rng.random_range(rtt / 2..=rtt * 2) } else { rtt };
        // It was at the edge in the cycle before.
        let mut due = now.max((now + delay).saturating_sub(1));
        if !self.link.reorder {
            let last =
                self.waiting.back().map(|read| read.due).max(self.flows.iter().map(|flow| flow.due).max());
            due = due.max(last.unwrap_or(0));
        }
        let sample_at =
            if self.link.reorder && delay > 0 { now + self.rng.random_range(0..=delay) } else { now };
        self.waiting.push_back(Read { request, fault, sample_at, due });
    }

    /// Looks up what is to be looked up by now, and hands back the next completion for the device.
    pub fn next(&mut self, now: u64, completer: Bdf, memory: &mut impl HostMemory) -> Option<Tlp> {
        self.sample(now, completer, memory);
        // One may begin within this cycle; what is left of it then is not lost.
        if self.link.rate > 0 && self.link_free >= (now + 1) * self.link.rate {
            return None;
        }
        let ready = |flow: &Flow| flow.due <= now;
        let index = if self.link.reorder {
            let ready: Vec<usize> = (0..self.flows.len()).filter(|i| ready(&self.flows[*i])).collect();
            *ready.get(self.rng.random_range(0..ready.len().max(1)))?
        } else {
            self.flows.iter().position(ready)?
        };
        let tlp = self.flows[index].completions.pop_front()?;
        if self.flows[index].completions.is_empty() {
            self.flows.remove(index);
        } else if self.link.reorder {
            self.flows[index].due = now + self.rng.random_range(0..=self.link.rtt_cycles / 4);
        }
        self.occupy(now, &tlp);
        Some(tlp)
    }

    /// A TLP goes towards the device and takes its time on the link.
    pub fn occupy(&mut self, now: u64, tlp: &Tlp) {
        self.link_free = self.link_free.max(now * self.link.rate) + 1000 * tlp.wire_bytes();
    }

    /// The first cycle at which something happens here without the device's doing.
    pub fn next_event(&self) -> Option<u64> {
        let due = self.waiting.iter().map(|r| r.sample_at).chain(self.flows.iter().map(|f| f.due)).min()?;
        Some(match self.link.rate {
            0 => due,
            rate => due.max(self.link_free / rate),
        })
    }

    fn sample(&mut self, now: u64, completer: Bdf, memory: &mut impl HostMemory) {
        let mut index = 0;
        while index < self.waiting.len() {
            let room = self.link.reads_in_flight == 0 || self.flows.len() < self.link.reads_in_flight;
            if self.waiting[index].sample_at > now || !room {
                index += 1;
                continue;
            }
            let Some(read) = self.waiting.remove(index) else { break };
            let completions = self.answer(&read, completer, memory);
            if !completions.is_empty() {
                self.flows.push(Flow { due: read.due, completions: completions.into() });
            }
        }
    }

    fn answer(&mut self, read: &Read, completer: Bdf, memory: &mut impl HostMemory) -> Vec<Tlp> {
        let request = &read.request;
        let (lead, len) = span(request);
        let start = request.addr + lead;
        let fields = CplFields {
            completer,
            status: Status::Success,
            byte_count: len as u16,
            requester: request.requester,
            tag: request.tag,
            lower_addr: (start & 0x7f) as u8,
        };
        let refuse = |status| vec![Tlp::cpl(CplFields { status, ..fields })];
        match read.fault {
            Some(Answer::UnsupportedRequest) => return refuse(Status::UnsupportedRequest),
            Some(Answer::CompleterAbort) => return refuse(Status::CompleterAbort),
            Some(Answer::Lost) => return vec![],
            _ => {}
        }
        // What is outside the byte enables is undefined: make it visibly wrong, so that nobody relies on it.
        let mut bytes = vec![0xa5; usize::from(request.words) * 4];
        if memory.read(start, &mut bytes[lead as usize..lead as usize + len]).is_err() {
            return refuse(Status::UnsupportedRequest);
        }
        let mut completions = self.cut(request, fields, &bytes);
        match read.fault {
            Some(Answer::Poisoned) => completions = completions.into_iter().map(Tlp::poison).collect(),
            Some(Answer::LinkError) => completions.iter_mut().for_each(|tlp| tlp.error = true),
            Some(Answer::Duplicate) => completions.extend(completions.clone()),
            Some(Answer::UnknownTag) => {
                let stray = CplFields { tag: fields.tag ^ 0x80, ..fields };
                completions.insert(0, Tlp::cpl_d(stray, bytes[..4].to_vec()));
            }
            Some(Answer::Malformed) => {
                completions.truncate(1);
                completions[0].header[0] += 1;
            }
            Some(Answer::BadByteCount) => {
                completions.truncate(1);
                completions[0] = Tlp::cpl_d(
                    CplFields { byte_count: fields.byte_count + 4, ..fields },
                    bytes[..4].to_vec(),
                );
            }
            _ => {}
        }
        completions
    }

    fn cut(&mut self, request: &MemRequest, fields: CplFields, bytes: &[u8]) -> Vec<Tlp> {
        let (rcb, mps) = (self.link.rcb, self.link.mps);
        let mut completions = vec![];
        let mut at = 0;
        let mut left = usize::from(fields.byte_count);
        while at < bytes.len() {
            let addr = request.addr as usize + at;
            let most = (addr + mps) / rcb * rcb - addr;
            let most = if most == 0 || most > mps { mps } else { most };
            let len = if self.link.split && bytes.len() - at > rcb - addr % rcb {
                let first = rcb - addr % rcb;
                first + rcb * self.rng.random_range(0..=(most.saturating_sub(first)) / rcb)
            } else {
                most
            };
            let len = len.min(bytes.len() - at);
            let lower = if at == 0 { fields.lower_addr } else { (addr & 0x7f) as u8 };
            let fields = CplFields { byte_count: left as u16, lower_addr: lower, ..fields };
            completions.push(Tlp::cpl_d(fields, bytes[at..at + len].to_vec()));
            let lead = if at == 0 { usize::from(fields.lower_addr) & 3 } else { 0 };
            left -= left.min(len - lead);
            at += len;
        }
        completions
    }
}
