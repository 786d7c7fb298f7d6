//! Which of the kernel's modules there are: to say what it lacks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The module of the family itself.
const FAMILY: &str = "vdpa";
/// Modules that make a management device, and of what.
const MAKERS: [(&str, &str); 6] = [
    ("vp_vdpa", "of a virtio PCI function, ours too: `hematite bind --driver vp-vdpa --device ...`"),
    ("mlx5_vdpa", "of a ConnectX-6 Dx or later"),
    ("ifcvf", "of an Intel IPU or C5000X"),
    ("octep_vdpa", "of an Octeon"),
    ("vdpa_sim_net", "a simulated one"),
    ("vduse", "of a program's own device"),
];

/// Which modules this kernel has, and which are loaded.
#[derive(Clone, Debug)]
pub struct Modules {
    listed: Option<String>,
    loaded: PathBuf,
}

impl Modules {
    /// Of the running kernel.
    pub fn running() -> Modules {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Modules::at(&Path::new("/lib/modules").join(release.trim()), Path::new("/sys/module"))
    }

    /// Of the folder with `modules.dep`, and the one with a folder for each that is loaded.
    pub fn at(folder: &Path, loaded: &Path) -> Modules {
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let listed = read("modules.dep") + &read("modules.builtin");
        // The kernel takes `-` and `_` for the same.
        Modules { listed: (!listed.is_empty()).then(|| listed.replace('-', "_")), loaded: loaded.into() }
    }

    /// None: it is not known.
    fn has(&self, name: &str) -> Option<bool> {
        let file = format!("{name}.ko");
        let first =
            |line: &str| line.split(':').next().and_then(|path| path.rsplit('/').next()).map(String::from);
        let listed = self.listed.as_ref()?;
        Some(listed.lines().filter_map(first).any(|one| one.starts_with(&file)))
    }

    /// What each maker needs to make a management device.
    pub(super) fn makers(&self) -> Vec<String> {
        let say = |(name, what): &(&str, &str)| {
            let state = match (self.loaded.join(name).exists(), self.has(name)) {
                (true, _) => "loaded".into(),
                (false, Some(true)) => format!("modprobe {name}"),
                (false, Some(false)) if *name == "vp_vdpa" => {
                    "not of this kernel: Debian builds without CONFIG_VP_VDPA".into()
                }
                (false, Some(false)) => "not of this kernel".into(),
                (false, None) => format!("modprobe {name}, if this kernel has it"),
            };
            format!("{name} makes one {what} ({state})")
        };
        MAKERS.iter().map(say).collect()
    }

    pub(super) fn no_family(&self) -> Error {
        let what = "this kernel has no generic netlink family `vdpa`".to_string();
        let next = match self.has(FAMILY) {
            Some(true) => "modprobe vdpa; then `hematite vdpa mgmt` says what makes devices",
            Some(false) => "this kernel was built without CONFIG_VDPA: boot one that has it (Debian's has)",
            None => "modprobe vdpa; if there is no such module, the kernel was built without CONFIG_VDPA",
        };
        Error::Unable { what, next }
    }
}
