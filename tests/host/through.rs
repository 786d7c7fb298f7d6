//! A bus behind another: notes what is done to a function, and lets a test change what its BARs say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hematite_abi::{common, layout};
use hematite_host::bus::{Bar, Bus, Holder, Width};
use hematite_host::memory::DmaMemory;
use hematite_host::{Address, Result};

/// What a BAR says: place and value to value.
pub(crate) type Alter = Box<dyn FnMut(u64, u32) -> u32>;

/// The bus, and what was done by it that changes something or reads what changes by reading.
pub(crate) struct Through {
    bus: Box<dyn Bus>,
    alter: Alter,
    noted: Arc<Mutex<Vec<String>>>,
}

impl Through {
    pub(crate) fn new(bus: Box<dyn Bus>, alter: Alter) -> (Through, Arc<Mutex<Vec<String>>>) {
        let noted = Arc::new(Mutex::new(vec![]));
        (Through { bus, alter, noted: noted.clone() }, noted)
    }

    fn note(&self, what: String) {
        self.noted.lock().expect("no test panics with it").push(what);
    }
}

impl Bus for Through {
    fn address(&self) -> &Address {
        self.bus.address()
    }
    fn holder(&self) -> &Holder {
        self.bus.holder()
    }
    fn config_bytes(&self) -> usize {
        self.bus.config_bytes()
    }
    fn config_read(&mut self, offset: usize, data: &mut [u8]) -> Result<()> {
        let window = layout::WINDOW_DATA_DW * 4;
        if offset + data.len() > window && offset < window + 4 {
            self.note(format!("window read at {offset:#x}"));
        }
        self.bus.config_read(offset, data)
    }
    fn config_write(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        self.note(format!("config write at {offset:#x}"));
        self.bus.config_write(offset, data)
    }
    fn bar_bytes(&self, bar: Bar) -> u64 {
        self.bus.bar_bytes(bar)
    }
    fn bar_read(&mut self, bar: Bar, offset: u64, width: Width) -> Result<u32> {
        let selected = common::QUEUE_SIZE as u64..common::LENGTH as u64;
        if (layout::ISR_OFFSET..layout::ISR_END).contains(&offset) || selected.contains(&offset) {
            self.note(format!("read at {offset:#x}"));
        }
        let value = self.bus.bar_read(bar, offset, width)?;
        Ok((self.alter)(offset, value))
    }
    fn bar_write(&mut self, bar: Bar, offset: u64, width: Width, value: u32) -> Result<()> {
        self.note(format!("write {value:#x} at {offset:#x}"));
        self.bus.bar_write(bar, offset, width, value)
    }
    fn map(&mut self, memory: &DmaMemory, iova: u64) -> Result<()> {
        self.bus.map(memory, iova)
    }
    fn unmap(&mut self, iova: u64, bytes: u64) -> Result<()> {
        self.bus.unmap(iova, bytes)
    }
    fn arm(&mut self, vectors: u16) -> Result<u16> {
        self.bus.arm(vectors)
    }
    fn wait(&mut self, vector: u16, limit: Duration) -> Result<bool> {
        self.bus.wait(vector, limit)
    }
    fn reset(&mut self) -> Result<()> {
        self.bus.reset()
    }
}
