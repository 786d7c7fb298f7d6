//! MSI-X: the table, what is masked, what is pending, and the messages.
//! In: `access` (table and pending bits), `irq`, `settings`.   Out: `write`, one message each.
//! Time: an access is answered in the cycle it comes, unless a message is being looked up; a message leaves 2 cycles after its interrupt.
//! Waits: messages wait for `write`; interrupts never wait: a vector is pending or not.
//! Spec: [PCI Express: MSI-X Capability and Table Structures]

use crate::params::Params;
use crate::port::dma::WriteSide;
use crate::port::irq::Irq;
use crate::port::mmio::MmioSlave;
use crate::port::pcie::PcieSettings;
use crate::prim::beat::BeatSource;
use crate::prim::lutram::Lutram;
use crate::prim::merge::Merge;
use crate::prim::stream::StreamSink;
use hematite_abi::{layout, msix};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Msix<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    pub irq: StreamSink<Irq>,
    pub write: BeatSource<W, WriteSide>,
    pub settings: Signal<In, PcieSettings>,
    pub busy: Signal<Out, Bit>,
    /// Pulses: a message has been taken for the host; an interrupt found its vector masked.
    pub count_irq_sent: Signal<Out, Bit>,
    pub count_irq_masked: Signal<Out, Bit>,
    addr_low: Lutram<Bits<32>>,
    addr_high: Lutram<Bits<32>>,
    message: Lutram<Bits<32>>,
    merge: Merge,
    /// A bit per vector.
    masked: Reg<Bits<256>>,
    pending: Reg<Bits<256>>,
    /// The vector looked at next, and the message on offer.
    scan: Reg<Bits<16>>,
    sending: Reg<Bit>,
    send_addr: Reg<Bits<64>>,
    send_data: Reg<Bits<32>>,
    vector: Signal<Local, Bits<16>>,
    slot: Signal<Local, Bits<16>>,
    exists: Signal<Local, Bit>,
    in_table: Signal<Local, Bit>,
    open: Signal<Local, Bit>,
    due: Signal<Local, Bit>,
    arrives: Signal<Local, Bit>,
    arriving: Signal<Local, Bits<16>>,
    pba: Signal<Local, Bits<32>>,
    mask_now: Signal<Local, Bits<32>>,
    pending_less: Signal<Local, Bits<256>>,
    vectors: Constant<Bits<16>>,
    last_vector: Constant<Bits<16>>,
    slot_mask: Constant<Bits<16>>,
    all: Constant<Bits<256>>,
}

impl<const W: usize> Msix<W> {
    /// `params.vectors()` vectors.
    pub fn new(params: &Params) -> Self {
        let vectors = params.vectors();
        let slots = vectors.next_power_of_two();
        let mut all = Bits::<256>::default();
        for n in 0..vectors {
            all = all.replace_bit(n, true);
        }
        Self {
            clock: Default::default(),
            reset: Default::default(),
            access: Default::default(),
            irq: Default::default(),
            write: Default::default(),
            settings: Default::default(),
            busy: Default::default(),
            count_irq_sent: Default::default(),
            count_irq_masked: Default::default(),
            addr_low: Lutram::new(slots),
            addr_high: Lutram::new(slots),
            message: Lutram::new(slots),
            merge: Default::default(),
            masked: Reg::new(all),
            pending: Default::default(),
            scan: Default::default(),
            sending: Default::default(),
            send_addr: Default::default(),
            send_data: Default::default(),
            vector: Default::default(),
            slot: Default::default(),
            exists: Default::default(),
            in_table: Default::default(),
            open: Default::default(),
            due: Default::default(),
            arrives: Default::default(),
            arriving: Default::default(),
            pba: Default::default(),
            mask_now: Default::default(),
            pending_less: Default::default(),
            vectors: Constant::new(vectors.to_bits()),
            last_vector: Constant::new((vectors - 1).to_bits()),
            slot_mask: Constant::new((slots - 1).to_bits()),
            all: Constant::new(all),
        }
    }
}

impl<const W: usize> Logic for Msix<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, masked, pending, scan, sending, send_addr, send_data);
        clock!(self, clock, addr_low, addr_high, message);

        // A message is due where a vector is pending and nothing masks it.
        self.open.next = self.settings.val().msix_enable & !self.settings.val().msix_mask;
        self.due.next = !self.sending.q.val()
            & self.open.val()
            & self.pending.q.val().get_bit(self.scan.q.val().index())
            & !self.masked.q.val().get_bit(self.scan.q.val().index());

        // An access, when the table is not being looked up.
        self.vector.next = bit_cast::<16, 8>(self.access.addr.val().get_bits::<8>(4));
        self.slot.next = self.vector.val() & self.slot_mask.val();
        self.exists.next = self.vector.val() < self.vectors.val();
        self.in_table.next = self.access.addr.val() < layout::MSIX_TABLE_END;
        self.addr_low.read_addr.next = self.slot.val();
        self.addr_high.read_addr.next = self.slot.val();
        self.message.read_addr.next = self.slot.val();
        if self.due.val() {
            self.addr_low.read_addr.next = self.scan.q.val();
            self.addr_high.read_addr.next = self.scan.q.val();
            self.message.read_addr.next = self.scan.q.val();
        }
        self.mask_now.next = 0.into();
        if self.masked.q.val().get_bit(self.slot.val().index()) {
            self.mask_now.next = msix::ENTRY_MASKED.into();
        }
        self.merge.new.next = self.access.write_data.val();
        self.merge.strobe.next = self.access.strobe.val();
        self.merge.old.next = 0.into();
        self.addr_low.write.next = false;
        self.addr_high.write.next = false;
        self.message.write.next = false;
        self.addr_low.write_addr.next = self.slot.val();
        self.addr_high.write_addr.next = self.slot.val();
        self.message.write_addr.next = self.slot.val();
        self.addr_low.write_data.next = self.merge.merged.val();
        self.addr_high.write_data.next = self.merge.merged.val();
        self.message.write_data.next = self.merge.merged.val();
        self.access.ready.next = self.access.valid.val() & !self.due.val();
        self.access.read_data.next = 0.into();
        self.pba.next = 0.into();
        match self.access.addr.val().get_bits::<10>(2).index() {
            0 => self.pba.next = self.pending.q.val().get_bits::<32>(0),
            1 => self.pba.next = self.pending.q.val().get_bits::<32>(32),
            2 => self.pba.next = self.pending.q.val().get_bits::<32>(64),
            3 => self.pba.next = self.pending.q.val().get_bits::<32>(96),
            4 => self.pba.next = self.pending.q.val().get_bits::<32>(128),
            5 => self.pba.next = self.pending.q.val().get_bits::<32>(160),
            6 => self.pba.next = self.pending.q.val().get_bits::<32>(192),
            7 => self.pba.next = self.pending.q.val().get_bits::<32>(224),
            _ => {}
        }
        match self.access.addr.val().get_bits::<2>(2).index() {
            msix::ENTRY_ADDR_DW => self.merge.old.next = self.addr_low.read_data.val(),
            msix::ENTRY_ADDR_HI_DW => self.merge.old.next = self.addr_high.read_data.val(),
            msix::ENTRY_DATA_DW => self.merge.old.next = self.message.read_data.val(),
            _ => self.merge.old.next = self.mask_now.val(),
        }
        if self.in_table.val() {
            if self.exists.val() {
                self.access.read_data.next = self.merge.old.val();
                if self.access.ready.val() & self.access.write.val() {
                    match self.access.addr.val().get_bits::<2>(2).index() {
                        msix::ENTRY_ADDR_DW => self.addr_low.write.next = true,
                        msix::ENTRY_ADDR_HI_DW => self.addr_high.write.next = true,
                        msix::ENTRY_DATA_DW => self.message.write.next = true,
                        _ => {
                            self.masked.d.next = self.masked.q.val().replace_bit(
                                self.slot.val().index(),
                                self.merge.merged.val().get_bit(msix::ENTRY_MASKED_BIT),
                            );
                        }
                    }
                }
            }
        } else {
            self.access.read_data.next = self.pba.val();
        }

        // Look from vector to vector while any could be due; one that arrives is looked at next.
        self.irq.ready.next = true;
        self.arriving.next = self.irq.data.val().vector & self.slot_mask.val();
        self.arrives.next = self.irq.valid.val()
            & self.settings.val().msix_enable
            & (self.irq.data.val().vector < self.vectors.val());
        self.count_irq_masked.next = self.arrives.val()
            & (self.settings.val().msix_mask | self.masked.q.val().get_bit(self.arriving.val().index()));
        self.pending_less.next = self.pending.q.val();
        if self.due.val() {
            self.pending_less.next = self.pending.q.val().replace_bit(self.scan.q.val().index(), false);
            self.sending.d.next = true;
            self.send_addr.d.next = bit_cast::<64, 32>(self.addr_low.read_data.val())
                | (bit_cast::<64, 32>(self.addr_high.read_data.val()) << 32);
            self.send_data.d.next = self.message.read_data.val();
        }
        self.pending.d.next = self.pending_less.val();
        if self.arrives.val() {
            self.pending.d.next = self.pending_less.val().replace_bit(self.arriving.val().index(), true);
            self.scan.d.next = self.arriving.val();
        } else if !self.sending.q.val() {
            self.scan.d.next = self.scan.q.val() + 1;
            if self.scan.q.val() == self.last_vector.val() {
                self.scan.d.next = 0.into();
            }
        }

        self.write.valid.next = self.sending.q.val();
        self.write.last.next = true;
        self.write.data.next = bit_cast::<W, 32>(self.send_data.q.val());
        // "bits 1:0 of the address must be zero": what the driver has written there is not sent.
        self.write.side.next.addr = (self.send_addr.q.val() >> 2) << 2;
        self.write.side.next.len = 4.into();
        self.write.side.next.notify = false;
        self.count_irq_sent.next = self.sending.q.val() & self.write.ready.val();
        if self.sending.q.val() & self.write.ready.val() {
            self.sending.d.next = false;
        }

        self.busy.next = self.sending.q.val()
            | (self.open.val() & (self.pending.q.val() & !self.masked.q.val()).any())
            | self.irq.valid.val();
        if self.reset.val() {
            self.masked.d.next = self.all.val();
            self.pending.d.next = 0.into();
            self.sending.d.next = false;
        }
    }
}
