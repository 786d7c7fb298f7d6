//! A function served in the process, and `hematite` as its user types it.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hematite_host::bus::vfio_user::VfioUser;
use hematite_host::function;
use hematite_host::{Address, Function};
use hematite_sim::Device;
use hematite_sim::model::Model;
use hematite_sim::root::LinkModel;
use hematite_sim::root::complex::Root;
use hematite_sim::rtl::Rtl;
use hematite_sim::vfio_user::dma::GuestMemory;
use hematite_sim::vfio_user::regions::{Function as Served, MsixMode};
use hematite_sim::vfio_user::server::{Options, Server};
use hematite_sim::wire::loopback::Loopback;
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Only a hang is longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Which body is served.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Model,
    /// The hardware, of this set.
    Rtl(&'static str),
}

/// A server with a mirror for a wire.
pub(crate) struct Bench {
    path: PathBuf,
    _folder: tempfile::TempDir,
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<u64>>,
}

/// What the program has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// `hematite` with these words.
pub(crate) fn hematite(words: &[&str]) -> Said {
    let (mut out, mut err) = (vec![], vec![]);
    let words = ["hematite"].iter().chain(words).map(Into::into);
    let code = hematite_cli::run(words, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { code, out: text(out), err: text(err) }
}

fn device(body: Body) -> Box<dyn Device> {
    match body {
        Body::Model => Box::new(Model::default()),
        Body::Rtl(set) => Box::new(Rtl::new(set).expect("the set is built")),
    }
}

impl Bench {
    pub(crate) fn start(body: Body) -> Bench {
        Bench::with(body, MsixMode::Eventfd)
    }

    /// Without interrupts, as `--msix raw` has it.
    pub(crate) fn raw(body: Body) -> Bench {
        Bench::with(body, MsixMode::Raw)
    }

    fn with(body: Body, mode: MsixMode) -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).expect("an eventfd"));
        let (ready, bound) = std::sync::mpsc::channel();
        let (place, end) = (path.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let root = Root::new(device(body), GuestMemory::new(), LinkModel::fast());
            let served = Served::new(root, mode).expect("a function");
            let wire = Box::new(Loopback::new());
            let mut server = Server::bind(&place, served, wire, Options::default()).expect("a socket");
            ready.send(()).expect("the test waits");
            server.run(end.as_fd()).expect("the server runs");
            server.violations
        });
        bound.recv_timeout(LIMIT).expect("the server listens");
        Bench { path, _folder: folder, stop, thread: Some(thread) }
    }

    /// As `--device` names it.
    pub(crate) fn name(&self) -> String {
        format!("vfio-user:{}", self.path.display())
    }

    /// `hematite` with these words, about this function.
    pub(crate) fn hematite(&self, words: &[&str]) -> Said {
        let name = self.name();
        hematite(&[words, &["--device", &name]].concat())
    }

    /// The way to it.
    pub(crate) fn bus(&self) -> VfioUser {
        VfioUser::connect(&self.path).expect("the server answers")
    }

    /// The function by the library.
    pub(crate) fn open(&self) -> Function {
        function::open(&Address::VfioUser(self.path.clone())).expect("the function answers")
    }

    /// Ends the server; the function has broken no rule.
    pub(crate) fn finish(mut self) {
        self.stop.write(1).expect("the server is asked to end");
        let violations = self.thread.take().expect("one end").join().expect("the server ends without panic");
        assert_eq!(violations, 0, "monitors are silent");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
