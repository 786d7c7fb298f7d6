//! `hematite-sim serve` as its users start it: the ready line, files, SIGTERM, and what it says when it cannot.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use hematite_sim::facts::{bar, net};
use hematite_sim::vfio_user::regions::index;

use crate::client::{ANSWER_LIMIT, Client, Memory};
use crate::driver::{BASE, BYTES, Driver, TX};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hematite-sim"));
    command.args(["serve", "--device", "model"]).stdin(Stdio::null());
    command
}

/// Starts a server and waits until it is ready.
fn start(socket: &Path, words: &[&str]) -> Child {
    let mut child = program().arg("--socket").arg(socket).args(words).stdout(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let (sender, line) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(out).read_line(&mut line);
        let _ = sender.send(line);
    });
    let line = line.recv_timeout(ANSWER_LIMIT).expect("a first line");
    assert_eq!(line, format!("ready {}\n", socket.display()));
    child
}

fn end(mut child: Child) {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let (sender, status) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait().unwrap()));
    let status = status.recv_timeout(ANSWER_LIMIT).expect("ends after SIGTERM");
    assert!(status.success(), "{status}");
}

/// SIGUSR1: the wire's link goes down, and with the next one up.
#[test]
fn the_link_goes_down_and_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let child = start(&socket, &["--wire", "loop"]);
    let mut client = Client::connect(&socket);
    client.version();
    let memory = Memory::new(BYTES);
    client.map(BASE, &memory);
    let _driver = Driver::start(&mut client, &memory);
    for status in [net::STATUS_LINK_UP, 0, net::STATUS_LINK_UP] {
        let seen = (0..1000).any(|_| {
            let bytes = client.read(index::BAR0, bar::DEVICE + net::CFG_STATUS, 2);
            u16::from_le_bytes([bytes[0], bytes[1]]) == status
        });
        assert!(seen, "status {status}");
        kill(Pid::from_raw(child.id() as i32), Signal::SIGUSR1).unwrap();
    }
    end(child);
}

#[test]
fn a_server_serves_records_and_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let [socket, log, pcap] = ["s", "tlp.log", "wire.pcap"].map(|name| folder.path().join(name));
    let words = ["--wire", "loop", "--seed", "0x7", "--completions", "random"];
    let files = ["--tlp-log", log.to_str().unwrap(), "--pcap", pcap.to_str().unwrap()];
    let child = start(&socket, &[&words[..], &files[..]].concat());
    // Two clients in turn, the second one's frame is recorded.
    for _ in 0..2 {
        let mut client = Client::connect(&socket);
        client.version();
        let memory = Memory::new(BYTES);
        client.map(BASE, &memory);
        let mut driver = Driver::start(&mut client, &memory);
        driver.transmit(&mut client, &memory, &[0x5a; 77]);
        // Each access gives the function time; no interrupt is armed.
        let seen = (0..1000).any(|_| client.is_alive() && driver.used_idx(&memory, TX) == 1);
        assert!(seen, "the frame is sent");
    }
    end(child);
    assert!(!socket.exists(), "the socket is removed");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("CfgRd0") && log.contains("frame out 77 bytes"), "{log}");
    assert!(log.ends_with('\n'), "the last line is whole");
    let frames = hematite_sim::wire::pcap::read_frames(std::fs::File::open(pcap).unwrap()).unwrap();
    assert!(frames.len() >= 2 && frames.iter().all(|(_, frame)| frame == &[0x5a; 77]));
}

#[test]
fn what_cannot_be_served_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let nowhere = folder.path().join("none/s");
    for (words, said) in [
        (&["--wire", "carrier-pigeon"][..], "stack, loop, tap:NAME, pcap:FILE or gen:WORDS"),
        (&["--wire", "pcap:/nonexistent"][..], "open the recording"),
        (&["--wire", "tap:much-too-long-a-name"][..], "tap name"),
        (&["--trace", "x.fst"][..], "no signals"),
        (&["--params", "HUGE"][..], "HUGE"),
        (&["--seed", "zebra"][..], "zebra"),
        (&["--slice", "0"][..], "0"),
        (&["--socket", nowhere.to_str().unwrap()][..], "choose --socket"),
    ] {
        let mut command = program();
        if words[0] != "--socket" {
            command.arg("--socket").arg(&socket);
        }
        let mut child = command.args(words).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(!child.wait().unwrap().success(), "{words:?}");
        assert!(text.contains(said), "{words:?} says {text:?}");
        assert!(!socket.exists());
    }
}
