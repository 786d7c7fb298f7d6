//! Interrupts on the client's side: one eventfd per MSI-X vector, re-armed at any time, none lost meanwhile.
//! Spec: [vfio-user: VFIO_USER_DEVICE_SET_IRQS]

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

use super::message::{IrqAction, IrqData, Refusal, SetIrqs, refuse};

/// Interrupt types as VFIO numbers them (linux/vfio.h).
pub mod index {
    pub const INTX: u32 = 0;
    pub const MSI: u32 = 1;
    pub const MSIX: u32 = 2;
    pub const ERR: u32 = 3;
    pub const REQ: u32 = 4;
    pub const COUNT: u32 = 5;
}

#[derive(Debug, Default)]
struct Vector {
    eventfd: Option<OwnedFd>,
    /// A message came while no eventfd was there: VMMs disable all vectors and arm them again one by one.
    pending: bool,
}

/// The vectors of the function.
#[derive(Debug)]
pub struct Irqs {
    vectors: Vec<Vector>,
    /// Eventfds signalled so far.
    pub fired: u64,
}

impl Irqs {
    /// As many vectors as the function's table has; none for a client which must not know of them.
    pub fn new(vectors: u16) -> Irqs {
        Irqs { vectors: (0..vectors).map(|_| Vector::default()).collect(), fired: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.vectors.len() as u32
    }

    /// True if the client listens to `vector`.
    pub fn armed(&self, vector: u32) -> bool {
        self.vectors.get(vector as usize).is_some_and(|vector| vector.eventfd.is_some())
    }

    /// Forgets all eventfds and latched messages.
    pub fn clear(&mut self) {
        self.vectors.iter_mut().for_each(|vector| *vector = Vector::default());
    }

    /// Forgets latched messages: the function was reset.
    pub fn forget_pending(&mut self) {
        self.vectors.iter_mut().for_each(|vector| vector.pending = false);
    }

    /// Does what the client asks for.
    pub fn set(&mut self, set: &SetIrqs, fds: Vec<OwnedFd>) -> Result<(), Refusal> {
        let trigger = set.action == IrqAction::Trigger;
        if trigger && set.data == IrqData::None && set.count == 0 {
            // "a count (and start) of 0, with data flags of VFIO_IRQ_SET_DATA_NONE disables all interrupts"
            return match set.index {
                index::MSIX => {
                    self.vectors.iter_mut().for_each(|vector| vector.eventfd = None);
                    Ok(())
                }
                other if other < index::COUNT => Ok(()),
                other => Err(refuse(Errno::EINVAL, format!("interrupt type {other}"))),
            };
        }
        let (start, end) = (set.start as usize, set.start as usize + set.count as usize);
        let count = if set.index == index::MSIX { self.vectors.len() } else { 0 };
        if end > count {
            let reason = format!("interrupts {start}..{end} of type {}: there are {count}", set.index);
            return Err(refuse(Errno::EINVAL, reason));
        }
        if !trigger {
            return Err(refuse(Errno::EINVAL, "MSI-X vectors are masked in the table, not by action"));
        }
        match &set.data {
            IrqData::None => (start..end).for_each(|vector| self.fire(vector as u32)),
            IrqData::Bool(wanted) => {
                (start..end).filter(|v| wanted[v - start]).for_each(|vector| self.fire(vector as u32));
            }
            IrqData::Eventfd => {
                // "If no file descriptors are provided, this de-assigns the specified previously configured interrupts."
                let mut fds = fds.into_iter();
                for vector in start..end {
                    self.vectors[vector].eventfd = fds.next();
                    if self.armed(vector as u32) && std::mem::take(&mut self.vectors[vector].pending) {
                        self.fire(vector as u32);
                    }
                }
            }
        }
        Ok(())
    }

    /// A message of the function's for `vector`.
    pub fn fire(&mut self, vector: u32) {
        let Some(entry) = self.vectors.get_mut(vector as usize) else { return };
        let Some(eventfd) = &entry.eventfd else {
            entry.pending = true;
            return;
        };
        // A peer can hand over anything in place of an eventfd, or one whose counter is full: never block on it.
        let mut ready = [PollFd::new(eventfd.as_fd(), PollFlags::POLLOUT)];
        let writeable = poll(&mut ready, PollTimeout::ZERO).is_ok_and(|count| count == 1);
        if writeable && write(eventfd, &1u64.to_ne_bytes()).is_ok() {
            self.fired += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::eventfd::{EfdFlags, EventFd};

    fn eventfd() -> (EventFd, OwnedFd) {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
        let other = event.as_fd().try_clone_to_owned().unwrap();
        (event, other)
    }

    fn set(start: u32, count: u32, action: IrqAction, data: IrqData) -> SetIrqs {
        SetIrqs { index: index::MSIX, start, count, action, data }
    }

    #[test]
    fn a_message_between_disarm_and_arm_is_not_lost() {
        let mut irqs = Irqs::new(3);
        let (event, fd) = eventfd();
        let arm = set(1, 1, IrqAction::Trigger, IrqData::Eventfd);
        irqs.set(&arm, vec![fd]).unwrap();
        irqs.fire(1);
        assert_eq!(event.read().unwrap(), 1);
        irqs.set(&set(0, 0, IrqAction::Trigger, IrqData::None), vec![]).unwrap();
        irqs.fire(1);
        irqs.fire(1);
        assert_eq!(event.read(), Err(Errno::EAGAIN), "disarmed");
        irqs.set(&arm, vec![event.as_fd().try_clone_to_owned().unwrap()]).unwrap();
        assert_eq!(event.read().unwrap(), 1, "latched once");
    }

    #[test]
    fn arming_without_descriptors_disarms() {
        let mut irqs = Irqs::new(2);
        let (_event, fd) = eventfd();
        irqs.set(&set(0, 1, IrqAction::Trigger, IrqData::Eventfd), vec![fd]).unwrap();
        assert!(irqs.armed(0));
        irqs.set(&set(0, 2, IrqAction::Trigger, IrqData::Eventfd), vec![]).unwrap();
        assert!(!irqs.armed(0));
    }

    #[test]
    fn the_client_may_trigger_but_not_reach_beyond() {
        let mut irqs = Irqs::new(2);
        let (event, fd) = eventfd();
        irqs.set(&set(1, 1, IrqAction::Trigger, IrqData::Eventfd), vec![fd]).unwrap();
        irqs.set(&set(0, 2, IrqAction::Trigger, IrqData::Bool(vec![false, true])), vec![]).unwrap();
        assert_eq!(event.read().unwrap(), 1);
        for (start, count) in [(0, 3), (2, 1), (4096, 4096)] {
            let refusal = irqs.set(&set(start, count, IrqAction::Trigger, IrqData::None), vec![]);
            assert_eq!(refusal.unwrap_err().errno, Errno::EINVAL, "{start}+{count}");
        }
        assert!(irqs.set(&set(0, 1, IrqAction::Mask, IrqData::None), vec![]).is_err());
        let intx = SetIrqs { index: index::INTX, ..set(0, 0, IrqAction::Trigger, IrqData::None) };
        assert!(irqs.set(&intx, vec![]).is_ok(), "disabling what is not there is no error");
        assert!(irqs.set(&SetIrqs { index: 9, ..intx }, vec![]).is_err());
    }

    #[test]
    fn a_full_descriptor_is_not_waited_for() {
        let mut irqs = Irqs::new(1);
        let event = EventFd::from_value_and_flags(0, EfdFlags::empty()).unwrap();
        event.write(u64::MAX - 1).unwrap();
        let fd = event.as_fd().try_clone_to_owned().unwrap();
        irqs.set(&set(0, 1, IrqAction::Trigger, IrqData::Eventfd), vec![fd]).unwrap();
        irqs.fire(0);
        assert_eq!(irqs.fired, 0);
    }
}
