//! One front end: its requests, and what they make of the function.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::guest::{Memory, Place, REGION, Region, SLOTS};
use super::lane::{Lane, QUEUES};
use super::log::Log;
use super::message::{Channel, Message, request, word};
use super::rings::{Ring, descriptor, events, hasten, is_eventfd, one_of};
use super::shadow::Shadow;
use super::{Counts, Done, Tell, Trouble, refused};
use crate::error::{Error, Result};

/// Feature bits of vhost's own. [vhost-user: Feature bits]
pub(super) const LOG_ALL: u64 = 1 << 26;
pub(super) const PROTOCOL_FEATURES: u64 = 1 << 30;
/// [vhost-user: Protocol features]
pub(super) const LOG_SHMFD: u64 = 1 << 1;
const REPLY_ACK: u64 = 1 << 3;
const CONFIG: u64 = 1 << 9;
const CONFIGURE_MEM_SLOTS: u64 = 1 << 15;
const OFFERED: u64 = LOG_SHMFD | REPLY_ACK | CONFIG | CONFIGURE_MEM_SLOTS;
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
/// And interrupts of queues whose rings are shadowed from here on.
const INTERRUPTS: u64 = STOP + 1;

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
    pub(super) lane: &'a mut Lane,
    pub(super) memory: Memory,
    pub(super) rings: [Ring; QUEUES],
    pub(super) features: u64,
    pub(super) protocol: u64,
    /// Where pages are marked, and that they are to be.
    pub(super) log: Option<Log>,
    pub(super) log_call: Option<OwnedFd>,
    pub(super) logging: bool,
    /// Our rings, if the function has them instead of the guest's; and who is interrupted then.
    pub(super) shadow: Option<Shadow>,
    pub(super) interrupts: [EventFd; QUEUES],
    /// Signalled for a queue that has nobody to call.
    pub(super) nobody: EventFd,
    pub(super) counts: Counts,
    epoll: Epoll,
}

/// The one eventfd of a message.
fn lone_event(message: Message) -> Done<OwnedFd> {
    let Ok([fd]) = <[OwnedFd; 1]>::try_from(message.fds) else { return refused("one descriptor is meant") };
    if !is_eventfd(&fd) {
        return refused("the descriptor is no eventfd");
    }
    hasten(&fd);
    Ok(fd)
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
        let event = || EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).map_err(failed);
        let (nobody, interrupts) = (event()?, [event()?, event()?]);
        for (queue, interrupt) in (INTERRUPTS..).zip(&interrupts) {
            let edge = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, queue);
            epoll.add(interrupt, edge).map_err(failed)?;
        }
        Ok(Session {
            channel,
            lane,
            memory: Memory::default(),
            rings: Default::default(),
            features: 0,
            protocol: 0,
            log: None,
            log_call: None,
            logging: false,
            shadow: None,
            interrupts,
            nobody,
            counts: Counts::default(),
            epoll,
        })
    }

    /// Serves it until it goes; the function is reset then and reaches nothing of it.
    pub(super) fn run(mut self, counts: &mut Counts, tell: Tell<'_>) -> Done<End> {
        let end = self.serve(tell);
        self.lane.stop()?;
        self.shadow.take().map_or(Ok(()), |shadow| shadow.withdraw(self.lane.bus()))?;
        self.memory.replace(self.lane.bus(), vec![])?;
        self.counts.marked += self.log.map_or(0, |log| log.marked());
        counts.add(&self.counts);
        end
    }

    fn serve(&mut self, tell: Tell<'_>) -> Done<End> {
        loop {
            let mut events = [EpollEvent::empty(); 2 * QUEUES + 2];
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(nix::Error::EINTR) => continue,
                other => other.map_err(failed)?,
            };
            for event in &events[..count] {
                match event.data() {
                    STOP => return Ok(End::Stopped),
                    SOCKET => {
                        let Some(message) = self.channel.read()? else { return Ok(End::Gone) };
                        self.take(message, tell)?;
                    }
                    queue @ ..SOCKET => self.kicked(queue as usize)?,
                    queue => self.interrupted((queue - INTERRUPTS) as usize)?,
                }
            }
        }
    }

    /// Answers one message. What is refused is told, if the front end wants to know; else it is let go.
    fn take(&mut self, message: Message, tell: Tell<'_>) -> Done<()> {
        let (request, tells) = (message.request, message.needs_reply && self.protocol & REPLY_ACK != 0);
        let before = self.state();
        let done = self.handle(message);
        let now = self.state();
        if before != now {
            tell(now.unwrap_or("the queues stand".into()));
        }
        match done {
            Ok(Some(answer)) => self.channel.answer(request, &answer),
            Ok(None) if tells => self.channel.answer(request, &0u64.to_ne_bytes()),
            Ok(None) => Ok(()),
            Err(Trouble::Refused(text)) if tells => {
                self.counts.refused += 1;
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
            request::GET_FEATURES => return number(self.lane.offered() | PROTOCOL_FEATURES | LOG_ALL),
            request::GET_PROTOCOL_FEATURES => return number(OFFERED),
            request::GET_MAX_MEM_SLOTS => return number(SLOTS as u64),
            request::GET_CONFIG => return self.config(&message).map(Some),
            request::GET_VRING_BASE => return self.give_back(&message).map(Some),
            request::SET_LOG_BASE => {
                self.set_log(message)?;
                return number(0);
            }
            request::SET_FEATURES => self.set_features(&message)?,
            request::SET_LOG_FD => self.log_call = Some(lone_event(message)?),
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
                let region = Region::new(place, fd)?;
                self.check_log(self.memory.end().max(place.end()))?;
                self.around(&[place], |memory, bus| memory.add(bus, region))?;
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
                let Ok(base) = u16::try_from(base) else {
                    return refused(format!(
                        "queue {queue} is to go on at {base}, and has indices of 16 bits"
                    ));
                };
                self.rings[queue].base = base;
            }
            request::SET_VRING_ADDR => self.set_areas(&message)?,
            request::SET_VRING_KICK => self.set_kick(message)?,
            request::SET_VRING_CALL => {
                let (queue, event) = descriptor(message)?;
                if let Some(event) = &event {
                    hasten(event);
                }
                self.rings[queue].call = event;
                if self.shadow.is_some() {
                    // What the one of before was told may have been lost.
                    self.call(queue);
                } else if self.lane.is_live() {
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
        let places: Vec<Place> = regions.iter().map(Region::place).collect();
        self.check_log(places.iter().map(Place::end).max().unwrap_or(0))?;
        self.around(&places, |memory, bus| memory.replace(bus, regions))
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

    /// The log as it lies in a file. What an older one was told since is told this one too.
    fn set_log(&mut self, message: Message) -> Done<()> {
        let [bytes, offset] = message.longs()?;
        if self.protocol & LOG_SHMFD == 0 {
            return refused("a log is a file of its own: protocol feature LOG_SHMFD is not agreed on");
        }
        let Ok([fd]) = <[OwnedFd; 1]>::try_from(message.fds) else {
            return refused("a log has one descriptor");
        };
        let log = Log::new(fd, bytes, offset)?;
        if self.logging && self.lane.is_live() && !self.is_covered_by(Some(&log), self.memory.end()) {
            return refused(format!("a log of {bytes} bytes is too small for what is logged"));
        }
        if let Some(old) = &self.log {
            log.adopt(old)?;
        }
        self.log = Some(log);
        self.resume()
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
    pub(super) fn forget(&mut self, queue: usize) {
        if let Some(kick) = self.rings[queue].kick.take() {
            let _ = self.epoll.delete(&kick);
        }
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
