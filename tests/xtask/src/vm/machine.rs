//! QEMU as a child: its command line, and its end whatever happens.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cmd;

/// What to boot and with what.
pub(crate) struct Setup {
    pub(crate) qemu: PathBuf,
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
    pub(crate) append: String,
    pub(crate) kvm: bool,
    /// SeaBIOS shows the screen on the console, for firmware guests.
    pub(crate) screen: bool,
    /// A processor with all that QEMU knows, for programs which need more than the oldest.
    pub(crate) rich_cpu: bool,
    /// A virtual IOMMU with interrupt remapping.
    pub(crate) iommu: bool,
    /// A device of QEMU's own, and the socket of its mirror.
    pub(crate) beside: Option<(String, PathBuf)>,
    /// A device of QEMU's own with QEMU's own network.
    pub(crate) instead: Option<String>,
    /// A device of QEMU's own, and the socket of its vhost-user back end.
    pub(crate) front: Option<(String, PathBuf)>,
    /// The vfio-user server's socket; none for a machine without the function.
    pub(crate) device: Option<PathBuf>,
    /// The guest's first serial port.
    pub(crate) console: PathBuf,
    /// Sockets which QEMU opens: the second serial port, and QMP.
    pub(crate) orders: PathBuf,
    pub(crate) qmp: PathBuf,
}

/// The function's own address, which a driver of QEMU's device is to have too.
const MAC: &str = "02:68:65:6d:00:01";
const MEMORY: &str = "512M";
/// How long QEMU waits for an answer of the server, in ms: a simulated one may be slow, and QEMU gives up for good.
const ANSWER_LIMIT: u32 = 600_000;

/// The command line. Memory is shared, so that the server reaches it; the device is asked for nothing but its socket.
pub(crate) fn command(setup: &Setup) -> Command {
    let mut command = Command::new(&setup.qemu);
    let accelerator = if setup.kvm { "kvm" } else { "tcg" };
    command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
    let mut machine = "q35,memory-backend=ram".to_string();
    if setup.screen {
        machine += ",graphics=off";
    }
    if setup.iommu {
        machine += ",kernel-irqchip=split";
    }
    command.args(["-machine", &machine, "-accel", accelerator, "-m", MEMORY]);
    if setup.rich_cpu {
        command.args(["-cpu", "max"]);
    }
    command.args(["-object", &format!("memory-backend-memfd,id=ram,size={MEMORY},share=on")]);
    command.args(["-serial", &format!("file:{}", setup.console.display())]);
    command
        .args(["-chardev", &format!("socket,id=orders,path={},server=on,wait=off", setup.orders.display())]);
    command.args(["-serial", "chardev:orders"]);
    command.args(["-qmp", &format!("unix:{},server=on,wait=off", setup.qmp.display())]);
    command.arg("-kernel").arg(&setup.kernel).arg("-initrd").arg(&setup.initrd);
    command.args(["-append", &setup.append]);
    if setup.iommu {
        // Before the function, which is to be behind it. caching-mode: each mapping is told to the server.
        command.args(["-device", "intel-iommu,intremap=on,caching-mode=on"]);
    }
    if let Some(socket) = &setup.device {
        command.args(["-device", &device(socket)]);
    }
    if let Some(name) = &setup.instead {
        command.args(["-netdev", "user,id=own"]);
        command.args(["-device", &format!("{name},netdev=own,disable-legacy=on,romfile=")]);
    }
    if let Some((name, socket)) = &setup.front {
        command.args(["-chardev", &format!("socket,id=back,path={}", socket.display())]);
        command.args(["-netdev", "vhost-user,id=back,chardev=back"]);
        command.args(["-device", &format!("{name},netdev=back,disable-legacy=on,mac={MAC},romfile=")]);
    }
    if let Some((name, mirror)) = &setup.beside {
        // A socket that sends to itself: what goes out comes back. In a slot behind the function, which scripts find first.
        let path = mirror.display();
        let ends = format!("local.type=unix,local.path={path},remote.type=unix,remote.path={path}");
        command.args(["-netdev", &format!("dgram,id=mirror,{ends}")]);
        let words = "netdev=mirror,addr=0x8,disable-legacy=on,iommu_platform=on,romfile=";
        command.args(["-device", &format!("{name},{words}")]);
    }
    command
}

fn device(socket: &Path) -> String {
    let device = serde_json::json!({
        "driver": "vfio-user-pci",
        "socket": { "type": "unix", "path": socket },
        "x-msg-timeout": ANSWER_LIMIT,
    });
    device.to_string()
}

/// A running machine.
pub(crate) struct Machine {
    child: Child,
}

impl Machine {
    /// Starts QEMU; what it says goes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Machine> {
        let log = File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        cmd::die_with_us(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start `{}`", cmd::show(&command)))?;
        Ok(Machine { child })
    }

    /// An error if QEMU has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("QEMU ended by itself: {status}"),
            None => Ok(()),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        cmd::end(&mut self.child);
    }
}
