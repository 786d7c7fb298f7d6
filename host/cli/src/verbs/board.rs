//! `vdpa` and `flash`.

use hematite_host::bind::PciBus;
use hematite_host::error::Result;
use hematite_host::flash::{self, Wanted};
use hematite_host::vdpa::{Vdpa, Wishes};

use super::{Answer, print};
use crate::args::Cli;
use crate::args::board::{self, VdpaVerb};

pub(super) fn vdpa(cli: &Cli, words: &VdpaVerb) -> Result<Answer> {
    let mut vdpa = Vdpa::open()?;
    match words {
        VdpaVerb::List => print(cli, &vdpa.devices()?, true),
        VdpaVerb::Mgmt => print(cli, &vdpa.management()?, true),
        VdpaVerb::Add(words) => {
            let wishes = Wishes { mac: words.mac, mtu: words.mtu, pairs: words.pairs };
            print(cli, &vdpa.add(&words.name, &words.mgmt, &wishes)?, true)
        }
        VdpaVerb::Del(words) => print(cli, &vdpa.remove(&words.name)?, true),
    }
}

pub(super) fn flash(cli: &Cli, words: &board::Flash) -> Result<Answer> {
    let wanted = Wanted {
        manifest: &words.board,
        image: &words.image,
        device: cli.device.as_ref(),
        dry_run: words.dry_run,
    };
    let report = flash::flash(&wanted, &PciBus::default())?;
    print(cli, &report, report.findings.is_empty())
}
