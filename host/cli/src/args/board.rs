//! Words of `vdpa` and `flash`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hematite_host::vdpa::{Handle, Mac};

/// Words of `vdpa`.
#[derive(Debug, Args)]
pub struct Vdpa {
    /// What to do
    #[command(subcommand)]
    pub what: VdpaVerb,
}

/// What there is to do with vDPA devices.
#[derive(Debug, Subcommand)]
pub enum VdpaVerb {
    /// All vDPA devices
    List,
    /// What makes them; if nothing does, what could
    Mgmt,
    /// Make one more
    Add(VdpaAdd),
    /// End one; refuses what a driver has
    Del(VdpaDel),
}

/// Words of `vdpa add`.
#[derive(Debug, Args)]
pub struct VdpaAdd {
    /// Its name
    pub name: String,
    /// What makes it, as `hematite vdpa mgmt` names it: pci/0000:3b:00.0, vdpasim_net
    #[arg(long, value_name = "DEV")]
    pub mgmt: Handle,
    /// Its address
    #[arg(long)]
    pub mac: Option<Mac>,
    /// Its MTU
    #[arg(long, value_parser = clap::value_parser!(u16).range(68..))]
    pub mtu: Option<u16>,
    /// Its queue pairs
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=32768))]
    pub pairs: Option<u16>,
}

/// Words of `vdpa del`.
#[derive(Debug, Args)]
pub struct VdpaDel {
    /// Its name
    pub name: String,
}

/// Words of `flash`.
#[derive(Debug, Args)]
pub struct Flash {
    /// The board's manifest
    #[arg(long, value_name = "MANIFEST")]
    pub board: PathBuf,
    /// The image
    #[arg(long, value_name = "FILE")]
    pub image: PathBuf,
    /// Print the commands and what would be checked, and run nothing
    #[arg(long)]
    pub dry_run: bool,
}
