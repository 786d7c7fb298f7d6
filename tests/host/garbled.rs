//! A vfio-user server that answers anything: wrong sizes, ids, flags, contents, or nothing more. The client ends with an error.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use hematite_abi::space::{ConfigParams, config_space};
use hematite_abi::{config, layout};
use hematite_host::function;
use hematite_host::report::{FeatureReport, Queues, Show};
use hematite_host::{Address, Error};
use hematite_sim::seed::{ReplayLine, Seed};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const HEADER: usize = 16;
/// Configuration space, as VFIO numbers regions.
const CONFIG: u32 = 7;
/// A client that asks more is one that never ends.
const REQUESTS: usize = 300_000;

/// Answers one client until the answers make no sense to it, or enough have been given.
fn serve(mut stream: UnixStream, mut rng: ChaCha8Rng) {
    let sane = rng.random_range(0..300);
    for request in 0..REQUESTS {
        let mut head = [0; HEADER];
        if stream.read_exact(&mut head).is_err() {
            return;
        }
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let mut payload = vec![0; size - HEADER];
        if stream.read_exact(&mut payload).is_err() {
            return;
        }
        let mut body = answer(&head, &payload, &mut rng);
        let mut reply =
            [&head[..4], &((HEADER + body.len()) as u32).to_le_bytes(), &[1, 0, 0, 0, 0, 0, 0, 0]].concat();
        let spoilt = request >= sane && rng.random_range(0..30) == 0;
        if spoilt {
            match rng.random_range(0..5) {
                0 => reply[rng.random_range(0..HEADER)] ^= 1 << rng.random_range(0..8),
                1 => body.truncate(body.len() / 2),
                2 => reply[4..8].copy_from_slice(&rng.random::<u32>().to_le_bytes()),
                3 => reply[8] = 0,
                _ => return,
            }
        }
        // Behind a spoilt answer the client may wait for more than comes: it sees the end instead.
        if stream.write_all(&[reply, body].concat()).is_err() || spoilt {
            return;
        }
    }
    panic!("{REQUESTS} requests: the client never ends");
}

/// What an honest server would say in form, with contents at random.
fn answer(head: &[u8; HEADER], payload: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let word = |at: usize| {
        u32::from_le_bytes(std::array::from_fn(|byte| payload.get(at + byte).copied().unwrap_or(0)))
    };
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    match head[2] {
        1 => b"\0\0\x01\0{}\0".to_vec(),
        4 => words(&[16, 3, if rng.random_bool(0.9) { 9 } else { rng.random() }, 5]),
        5 => {
            let honest =
                if word(8) == CONFIG { config::SPACE_BYTES as u32 } else { layout::BAR_BYTES as u32 };
            let size = if rng.random_bool(0.95) { honest } else { rng.random() };
            words(&[32, 3, word(8), 0, size, 0, 0, 0])
        }
        7 => words(&[16, 1, 2, rng.random()]),
        9 => {
            let count = word(12).min(4096) as usize;
            let mut data: Vec<u8> = (0..count).map(|_| if rng.random() { rng.random() } else { 0 }).collect();
            if word(8) == CONFIG {
                let space = config_space(&ConfigParams::new(10, 9, 256));
                for (at, byte) in (word(0) as usize..).zip(&mut data) {
                    *byte = space.get(at / 4).map_or(0, |reg| reg.reset.to_le_bytes()[at % 4]);
                }
            }
            payload.iter().copied().take(16).chain(data).collect()
        }
        _ => payload.to_vec(),
    }
}

#[test]
fn a_garbled_server_gets_an_error_for_an_answer() {
    let seed = Seed::from_env(0x405b);
    let _replay = ReplayLine(seed);
    let folder = tempfile::tempdir().unwrap();
    let (mut refused, mut protocol) = (0, 0);
    for case in 0..400 {
        let path = folder.path().join(format!("{case}"));
        let listener = UnixListener::bind(&path).unwrap();
        let rng = seed.rng(case);
        let server = std::thread::spawn(move || serve(listener.accept().unwrap().0, rng));
        let looked = function::open(&Address::VfioUser(path)).and_then(|mut function| {
            Show::gather(&mut function)?;
            FeatureReport::gather(&mut function, false)?;
            Queues::gather(&mut function).map(|_| ())
        });
        refused += usize::from(looked.is_err());
        protocol += usize::from(matches!(looked, Err(Error::Protocol(_))));
        server.join().expect("the server has not met a client that never ends");
    }
    assert!(refused > 200 && protocol > 10, "{refused} refused, {protocol} for the protocol");
}
