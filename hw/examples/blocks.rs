//! Prints blocks of the function as Verilog, each alone, and the whole of it: what `cargo xtask report` measures.
//!
//! `cargo run -p hematite-hw --example blocks -- PARAMS DIR [NAME...]`; without names all of them. Widths follow PARAMS.

use std::path::Path;
use std::process::ExitCode;

use hematite_hw::params::Params;
use hematite_hw::{emit, function, net, pcie, queue, virtio};

type Print = fn(&str, &Params) -> Result<String, String>;

/// A block by its name: `pcie_completer` is `pcie::completer`.
macro_rules! blocks {
    ($($name:literal: |$params:ident, $W:ident| $block:expr),* $(,)?) => {
        &[$(($name, {
            #[allow(unused_variables, reason = "not every block has parameters")]
            fn wide<const $W: usize>(top: &str, $params: &Params) -> Result<String, String> {
                emit::block(top, $block)
            }
            |top, params| match params.width {
                64 => wide::<64>(top, params),
                128 => wide::<128>(top, params),
                256 => wide::<256>(top, params),
                _ => wide::<512>(top, params),
            }
        })),*]
    };
}

/// Who shares the DMA engines in the function.
const LOOKERS: usize = 5;
const WRITERS: usize = 3;

const BLOCKS: &[(&str, Print)] = blocks! {
    "hematite": |params, W| function::Function::<W>::new(params),
    "pcie_completer": |params, W| pcie::completer::Completer::<W>::new(params),
    "pcie_rx": |params, W| pcie::rx::Rx::<W>::new(params),
    "pcie_tx": |params, W| pcie::tx::Tx::<W>::new(params),
    "pcie_reader": |params, W| pcie::reader::Reader::<W>::new(params),
    "pcie_writer": |params, W| pcie::writer::Writer::<W>::new(params, WRITERS),
    "pcie_config": |params, W| pcie::config::Config::new(params),
    "pcie_msix": |params, W| pcie::msix::Msix::<W>::new(params),
    "queue_tx_fetch": |params, W| queue::fetch::Fetch::<W>::new(params, queue::Direction::Tx),
    "queue_tx_walk": |params, W| queue::walk::Walk::<W>::new(params, queue::Direction::Tx),
    "queue_lookup": |params, W| queue::lookup::Lookup::<W>::new(params, LOOKERS),
    "queue_cache": |params, W| queue::cache::Cache::new(params),
    "queue_used": |params, W| queue::used::Used::<W>::new(params),
    "queue_coalesce": |params, W| queue::coalesce::Coalesce::new(params),
    "queue_suppress": |params, W| queue::suppress::Suppress::<W>::new(params),
    "net_buffer": |params, W| net::buffer::Buffer::<W>::new(params),
    "net_place": |params, W| net::place::Place::new(params),
    "net_tx": |params, W| net::tx::Tx::<W>::new(params),
    "net_rx": |params, W| net::rx::Rx::<W>::new(params),
    "virtio_regions": |params, W| virtio::regions::Regions::default(),
    "virtio_common": |params, W| virtio::common::Common::new(params),
    "virtio_queues": |params, W| virtio::queues::Queues::new(params),
    "virtio_notify": |params, W| virtio::notify::Notify::new(params),
    "virtio_errors": |params, W| virtio::errors::Errors::new(params),
    "virtio_interrupts": |params, W| virtio::interrupts::Interrupts::default(),
    "virtio_inspection": |params, W| virtio::inspection::Inspection::new(params),
};

fn run(words: &[String]) -> Result<(), String> {
    let [params, dir, names @ ..] = words else { return Err("usage: blocks PARAMS DIR [NAME...]".into()) };
    let params = Params::named(params)?;
    for name in names {
        if !BLOCKS.iter().any(|(known, _)| known == name) {
            let known: Vec<&str> = BLOCKS.iter().map(|(known, _)| *known).collect();
            return Err(format!("no block {name}: there are {}", known.join(", ")));
        }
    }
    for (name, print) in
        BLOCKS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|one| one == name))
    {
        let text = print(name, &params).map_err(|error| format!("{name}: {error}"))?;
        let path = Path::new(dir).join(format!("{name}.v"));
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("blocks: {error}");
            ExitCode::FAILURE
        }
    }
}
