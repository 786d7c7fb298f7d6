//! One front end: its requests, and what they make of the function.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::guest::{Memory, Place, REGION, Region, SLOTS};
use super::lane::{Lane, Placed, QUEUES};
use super::message::{Channel, Message, request, word};
use super::rings::{Ring, descriptor, events, one_of};
use super::{Counts, Done, Tell, Trouble, refused};
use crate::error::{Error, Result};

/// Feature bits of vhost's own. [vhost-user: Feature bits]
const PROTOCOL_FEATURES: u64 = 1 << 30;
/// [vhost-user: Protocol features]
const REPLY_ACK: u64 = 1 << 3;
const CONFIG: u64 = 1 << 9;
const CONFIGURE_MEM_SLOTS: u64 = 1 << 15;
const OFFERED: u64 = REPLY_ACK | CONFIG | CONFIGURE_MEM_SLOTS;
/// Regions of one table.
const TABLE: usize = 8;
/// Bytes of configuration there may be, and before them in a message.
const CONFIG_SPACE: usize = 256;
const CONFIG_HEAD: usize = 12;
/// Entries of a ring at most.
const LARGEST: u32 = 1 << 15;

/// What the descriptors say that are waited for; queues' kicks are their numbers.
const SOCKET: u64 = QUEUES as u64;
const STOP: u64 = SOCKET + 1;

/// Why it is over.
#[derive(Debug)]
pub(super) enum End {
    /// It has gone.
    Gone,
    /// We were told to stop.
    Stopped,
}

/// The front end that is connected.
pub(super) struct Session<'a> {
    channel: Channel,
    lane: &'a mut Lane,
    memory: Memory,
    rings: [Ring; QUEUES],
    features: u64,
    protocol: u64,
    /// Signalled for a queue that has nobody to call.
    nobody: EventFd,
    epoll: Epoll,
}

fn failed(errno: nix::Error) -> Error {
    Error::system("wait for the front end", errno, "raise the limit of open files: ulimit -n")
}

impl<'a> Session<'a> {
    pub(super) fn new(stream: UnixStream, lane: &'a mut Lane, stop: BorrowedFd<'_>) -> Result<Session<'a>> {
        let channel =
            Channel::new(stream).map_err(|error| Error::system("take a front end on", error, "try again"))?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        epoll.add(&channel, EpollEvent::new(EpollFlags::EPOLLIN, SOCKET)).map_err(failed)?;
        epoll.add(stop, EpollEvent::new(EpollFlags::EPOLLIN, STOP)).map_err(failed)?;
        let nobody = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).map_err(failed)?;
        let (memory, rings) = (Memory::default(), Default::default());
        Ok(Session { channel, lane, memory, rings, features: 0, protocol: 0, nobody, epoll })
    }

    /// Serves it until it goes; the function is reset then and reaches nothing of it.
    pub(super) fn run(mut self, counts: &mut Counts, tell: Tell<'_>) -> Done<End> {
        let end = self.serve(counts, tell);
        self.lane.stop()?;
        self.memory.replace(self.lane.bus(), vec![])?;
        end
    }

    fn serve(&mut self, counts: &mut Counts, tell: Tell<'_>) -> Done<End> {
        loop {
            let mut events = [EpollEvent::empty(); QUEUES + 2];
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(nix::Error::EINTR) => continue,
                other => other.map_err(failed)?,
            };
            for event in &events[..count] {
                match event.data() {
                    STOP => return Ok(End::Stopped),
                    SOCKET => {
                        let Some(message) = self.channel.read()? else { return Ok(End::Gone) };
                        self.take(message, counts, tell)?;
                    }
                    queue => counts.doorbells += u64::from(self.lane.ring(queue as usize)?),
                }
            }
        }
    }

    /// Answers one message. What is refused is told, if the front end wants to know; else it is let go.
    fn take(&mut self, message: Message, counts: &mut Counts, tell: Tell<'_>) -> Done<()> {
        let (request, tells) = (message.request, message.needs_reply && self.protocol & REPLY_ACK != 0);
        let was_live = self.lane.is_live();
        let done = self.handle(message);
        if was_live != self.lane.is_live() {
            let features = self.features;
            tell(if was_live {
                "the queues stand".into()
            } else {
                format!("the queues run, features {features:#x}")
            });
        }
        match done {
            Ok(Some(answer)) => self.channel.answer(request, &answer),
            Ok(None) if tells => self.channel.answer(request, &0u64.to_ne_bytes()),
            Ok(None) => Ok(()),
            Err(Trouble::Refused(text)) if tells => {
                counts.refused += 1;
                tell(format!("request {request} is refused: {text}"));
                self.channel.answer(request, &1u64.to_ne_bytes())
            }
            Err(Trouble::Refused(text)) => refused(format!("request {request}: {text}")),
            Err(trouble) => Err(trouble),
        }
    }

    fn handle(&mut self, message: Message) -> Done<Option<Vec<u8>>> {
        let number = |value: u64| Ok(Some(value.to_ne_bytes().to_vec()));
        match message.request {
            request::GET_FEATURES => return number(self.lane.offered() | PROTOCOL_FEATURES),
            request::GET_PROTOCOL_FEATURES => return number(OFFERED),
            request::GET_MAX_MEM_SLOTS => return number(SLOTS as u64),
            request::GET_CONFIG => return self.config(&message).map(Some),
            request::GET_VRING_BASE => return self.give_back(&message).map(Some),
            request::SET_FEATURES => self.set_features(&message)?,
            request::SET_PROTOCOL_FEATURES => {
                let [bits] = message.longs()?;
                if bits & !OFFERED != 0 {
                    return refused(format!("protocol features {bits:#x} of {OFFERED:#x}"));
                }
                self.protocol = bits;
            }
            request::SET_OWNER => {}
            request::RESET_OWNER => {
                self.halt()?;
                for queue in 0..QUEUES {
                    self.forget(queue);
                }
            }
            request::SET_MEM_TABLE => self.set_table(message)?,
            request::ADD_MEM_REG => {
                message.sized(8 + REGION)?;
                let place = Place::parse(&message.payload[8..])?;
                let Ok([fd]) = <[OwnedFd; 1]>::try_from(message.fds) else {
                    return refused("a region has one descriptor");
                };
                self.memory.add(self.lane.bus(), Region::new(place, fd)?)?;
            }
            request::REM_MEM_REG => self.remove_region(&message)?,
            request::SET_VRING_NUM => {
                let (queue, size) = self.standing(&message)?;
                let largest = self.lane.largest(queue);
                if size > LARGEST || size > largest.into() || !size.is_power_of_two() {
                    return refused(format!("queue {queue} of {size} entries: it has {largest} at most"));
                }
                self.rings[queue].size = size as u16;
            }
            request::SET_VRING_BASE => {
                let (queue, base) = self.standing(&message)?;
                self.rings[queue].base = base;
            }
            request::SET_VRING_ADDR => self.set_areas(&message)?,
            request::SET_VRING_KICK => self.set_kick(message)?,
            request::SET_VRING_CALL => {
                let (queue, event) = descriptor(message)?;
                self.rings[queue].call = event;
                if self.lane.is_live() {
                    let events = events(&self.rings, &self.nobody);
                    self.lane.rearm(events)?;
                }
            }
            // What fails is told on standard error.
            request::SET_VRING_ERR => drop(descriptor(message)?),
            request::SET_VRING_ENABLE => {
                let (queue, enabled) = message.state()?;
                let queue = one_of(queue.into())?;
                if enabled > 1 {
                    return refused(format!("queue {queue}: enabled {enabled}"));
                }
                self.rings[queue].enabled = enabled == 1;
                self.settle()?;
            }
            other => return refused(format!("request {other} is not known here")),
        }
        Ok(None)
    }

    fn set_features(&mut self, message: &Message) -> Done<()> {
        let [bits] = message.longs()?;
        let features = bits & !PROTOCOL_FEATURES;
        if !self.lane.takes(features) {
            return refused(format!("features {features:#x} of {:#x}", self.lane.offered()));
        }
        if self.lane.is_live() && features != self.features {
            return refused("features do not change while queues run");
        }
        self.features = features;
        // "If VHOST_USER_F_PROTOCOL_FEATURES has not been negotiated, the ring starts directly in the enabled state."
        if bits & PROTOCOL_FEATURES == 0 {
            self.rings.iter_mut().for_each(|ring| ring.enabled = true);
            self.settle()?;
        }
        Ok(())
    }

    /// All regions anew.
    fn set_table(&mut self, message: Message) -> Done<()> {
        let count = word(&message.payload, 0) as usize;
        if message.payload.len() < 8 || count > TABLE || count != message.fds.len() {
            return refused(format!("{count} regions, {} descriptors", message.fds.len()));
        }
        message.sized(8 + count * REGION)?;
        let places = message.payload[8..].chunks_exact(REGION).map(Place::parse);
        let regions = places.zip(message.fds).map(|(place, fd)| Region::new(place?, fd));
        let regions = regions.collect::<Done<Vec<Region>>>()?;
        Memory::check(&regions)?;
        let stays = |(user, bytes): &(u64, u64)| self.memory.agrees(&regions, *user, *bytes);
        if self.lane.is_live()
            && !self.rings.iter().filter_map(Ring::spans).flatten().all(|span| stays(&span))
        {
            return refused("rings that run are in no region");
        }
        self.memory.replace(self.lane.bus(), regions)
    }

    fn remove_region(&mut self, message: &Message) -> Done<()> {
        message.sized(8 + REGION)?;
        let place = Place::parse(&message.payload[8..])?;
        let Some(number) = self.memory.find(&place) else {
            return refused(format!("{place:x?} is none of {} regions", self.memory.regions()));
        };
        let mut spans = self.rings.iter().filter_map(Ring::spans).flatten();
        if self.lane.is_live() && spans.any(|(user, _)| self.memory.holds(number, user)) {
            return refused("rings that run are in that region");
        }
        self.memory.remove(self.lane.bus(), number)
    }

    /// A queue that does not run, and a number for it.
    fn standing(&self, message: &Message) -> Done<(usize, u32)> {
        let (queue, value) = message.state()?;
        let queue = one_of(queue.into())?;
        if self.lane.is_live() {
            return refused(format!("queue {queue} runs"));
        }
        Ok((queue, value))
    }

    fn set_areas(&mut self, message: &Message) -> Done<()> {
        let [head, descriptors, used, available, _log] = message.longs()?;
        let (queue, flags) = (one_of(u64::from(head as u32))?, head >> 32);
        if flags != 0 {
            return refused(format!("queue {queue}: flags {flags:#x}: nothing is logged here"));
        }
        if self.lane.is_live() {
            return refused(format!("queue {queue} runs"));
        }
        if !descriptors.is_multiple_of(16) || !available.is_multiple_of(2) || !used.is_multiple_of(4) {
            return refused(format!(
                "queue {queue}: {descriptors:#x}, {available:#x}, {used:#x}: not aligned"
            ));
        }
        self.rings[queue].areas = Some([descriptors, available, used]);
        Ok(())
    }

    fn set_kick(&mut self, message: Message) -> Done<()> {
        let (queue, event) = descriptor(message)?;
        let Some(event) = event else {
            return refused(format!("queue {queue} is not polled: a kick needs a descriptor"));
        };
        self.forget(queue);
        // By edges: nothing is read, so nobody can make the reader wait.
        let edge = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, queue as u64);
        self.epoll.add(&event, edge).map_err(failed)?;
        self.rings[queue].kick = Some(event);
        self.settle()
    }

    /// No kick any more. The front end has the eventfd too: closed, it would still be waited for.
    fn forget(&mut self, queue: usize) {
        if let Some(kick) = self.rings[queue].kick.take() {
            let _ = self.epoll.delete(&kick);
        }
    }

    /// Starts the pair when both of its queues are to run, and stops it when one is not.
    fn settle(&mut self) -> Done<()> {
        let wanted = self.rings.iter().all(Ring::is_wanted);
        if !wanted {
            return self.halt();
        }
        if self.lane.is_live() {
            return Ok(());
        }
        if self.features >> hematite_abi::feature::VERSION_1 & 1 == 0 {
            return refused("the driver is one of before virtio 1.0: disable-legacy=on");
        }
        let mut placed = [Placed { size: 0, areas: [0; 3] }; QUEUES];
        for (queue, (ring, placed)) in self.rings.iter().zip(&mut placed).enumerate() {
            if ring.base != 0 {
                let base = ring.base;
                return refused(format!("queue {queue} is to go on at {base}: a PCI function begins at 0"));
            }
            let Some(spans) = ring.spans() else { return refused(format!("queue {queue} has no ring")) };
            placed.size = ring.size;
            for ((user, bytes), area) in spans.into_iter().zip(&mut placed.areas) {
                let Some(guest) = self.memory.translate(user, bytes) else {
                    return refused(format!("queue {queue}: {bytes} bytes at {user:#x} are in no region"));
                };
                *area = guest;
            }
        }
        self.lane.start(self.features, placed, events(&self.rings, &self.nobody))?;
        // Kicks of before were not handed on.
        for queue in 0..QUEUES {
            self.lane.ring(queue)?;
        }
        Ok(())
    }

    /// Stops the pair; where each queue would go on is read from its ring: what was taken and not given back is taken again.
    fn halt(&mut self) -> Done<()> {
        if !self.lane.is_live() {
            return Ok(());
        }
        self.lane.stop()?;
        for ring in &mut self.rings {
            if let Some([.., (used, _)]) = ring.spans() {
                ring.base = self.memory.look(used + 2)?.into();
            }
        }
        Ok(())
    }

    /// Stops a queue and says where it would go on.
    fn give_back(&mut self, message: &Message) -> Done<Vec<u8>> {
        let (queue, _) = message.state()?;
        let place = one_of(queue.into())?;
        self.halt()?;
        self.forget(place);
        Ok([queue, self.rings[place].base].iter().flat_map(|word| word.to_ne_bytes()).collect())
    }

    /// "If the back-end ... an error ... zero-length payload": here one that says so by its size.
    fn config(&mut self, message: &Message) -> Done<Vec<u8>> {
        let (offset, size) = (word(&message.payload, 0) as usize, word(&message.payload, 4) as usize);
        if message.payload.len() < CONFIG_HEAD || size != message.payload.len() - CONFIG_HEAD {
            return Err(Trouble::Garbled(format!(
                "{size} bytes of configuration in {}",
                message.payload.len()
            )));
        }
        if offset + size > CONFIG_SPACE {
            return Ok(vec![]);
        }
        let data = self.lane.config(offset, size)?;
        Ok([&message.payload[..CONFIG_HEAD], &data].concat())
    }
}
