//! A kernel with a family `vdpa`, byte by byte; it may spoil what it says.

use std::collections::VecDeque;

use hematite_host::Error;
use hematite_host::error::Result;
use hematite_host::netlink::Wire;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The number that the false kernel gives the family, and the controller's.
const FAMILY: u16 = 0x25;
pub(crate) const CONTROLLER: u16 = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const DUMP: u16 = 0x300;
const ENOENT: i32 = 2;
const EAGAIN: i32 = 11;
const ENODEV: i32 = 19;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [&(4 + value.len() as u16).to_le_bytes(), &kind.to_le_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn text(kind: u16, text: &str) -> Vec<u8> {
    attribute(kind, format!("{text}\0").as_bytes())
}

fn message(kind: u16, flags: u16, sequence: [u8; 4], body: &[u8]) -> Vec<u8> {
    let head = [&(16 + body.len() as u32).to_le_bytes()[..], &kind.to_le_bytes(), &flags.to_le_bytes()];
    let mut bytes = [&head.concat(), &sequence[..], &[0; 4], body].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// What the kernel knows of each device: its name, and whether it tells its configuration.
#[derive(Clone, Default)]
pub(crate) struct False {
    pub(crate) without: bool,
    pub(crate) makers: Vec<&'static str>,
    pub(crate) devices: Vec<(String, bool)>,
    /// What `add` was told beside the names: raw attributes.
    pub(crate) told: Vec<(u16, Vec<u8>)>,
    pub(crate) answers: VecDeque<Vec<u8>>,
    pub(crate) asked: Vec<Vec<u8>>,
    pub(crate) spoil: Option<ChaCha8Rng>,
}

fn read(request: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let (mut found, mut at) = (vec![], 20);
    while at < request.len() {
        let length = usize::from(u16::from_le_bytes([request[at], request[at + 1]]));
        let kind = u16::from_le_bytes([request[at + 2], request[at + 3]]);
        found.push((kind, request[at + 4..at + length].to_vec()));
        at += length.next_multiple_of(4);
    }
    found
}

fn name_of(attributes: &[(u16, Vec<u8>)], kind: u16) -> String {
    let value = attributes.iter().find(|one| one.0 == kind).map_or(&[][..], |one| &one.1);
    String::from_utf8(value.strip_suffix(b"\0").unwrap_or(value).to_vec()).unwrap()
}

fn maker(name: &str) -> Vec<u8> {
    match name.split_once('/') {
        Some((bus, name)) => [text(1, bus), text(2, name)].concat(),
        None => text(2, name),
    }
}

impl False {
    fn device(&self, name: &str) -> Vec<u8> {
        [
            &[3, 1, 0, 0][..],
            &maker(self.makers[0]),
            &text(4, name),
            &attribute(5, &1u32.to_le_bytes()),
            &attribute(6, &0x1af4u32.to_le_bytes()),
            &attribute(7, &3u32.to_le_bytes()),
            &attribute(8, &256u16.to_le_bytes()),
            &attribute(9, &1u16.to_le_bytes()),
        ]
        .concat()
    }

    /// What an honest kernel answers: bodies, and how it ends.
    fn perform(&mut self, kind: u16, request: &[u8]) -> (Vec<Vec<u8>>, i32, &'static str) {
        let attributes = read(request);
        let all = u16::from_le_bytes([request[6], request[7]]) & DUMP == DUMP;
        if kind == CONTROLLER {
            assert_eq!((request[16], name_of(&attributes, 2).as_str()), (3, "vdpa"));
            let answer = [
                &[1, 2, 0, 0][..],
                &text(2, "vdpa"),
                &attribute(1, &FAMILY.to_le_bytes()),
                // Attributes which nobody here knows are passed over.
                &attribute(0x8006, &attribute(1, &[0; 8])),
                &attribute(77, &[1]),
            ];
            return if self.without { (vec![], ENOENT, "") } else { (vec![answer.concat()], 0, "") };
        }
        // A number of the family that was spoilt on its way.
        if kind != FAMILY {
            return (vec![], ENOENT, "");
        }
        assert_eq!(request[17], 1);
        let name = name_of(&attributes, 4);
        let known = self.devices.iter().position(|one| one.0 == name);
        match (request[16], all) {
            (2, true) => {
                let say = |name: &&str| {
                    let (classes, features) = (6u64.to_le_bytes(), (1u64 << 32 | 1 << 5).to_le_bytes());
                    [
                        &[1, 1, 0, 0][..],
                        &maker(name),
                        &attribute(3, &classes),
                        &attribute(0, &[]),
                        &attribute(15, &9u32.to_le_bytes()),
                        &attribute(16, &features),
                    ]
                    .concat()
                };
                (self.makers.iter().map(say).collect(), 0, "")
            }
            (3, false) => {
                let handle = [name_of(&attributes, 1), name_of(&attributes, 2)].join("/");
                if !self.makers.contains(&handle.trim_start_matches('/')) {
                    return (vec![], ENODEV, "Fail to find the specified management device");
                }
                self.told = attributes.into_iter().filter(|one| one.0 >= 10).collect();
                self.devices.push((name, true));
                (vec![], 0, "")
            }
            (4, false) => match known {
                Some(place) => {
                    self.devices.remove(place);
                    (vec![], 0, "")
                }
                None => (vec![], ENODEV, "device not found"),
            },
            (5, true) => (self.devices.iter().map(|one| self.device(&one.0)).collect(), 0, ""),
            (5, false) if known.is_some() => (vec![self.device(&name)], 0, ""),
            (6, false) if known.is_some_and(|place| !self.devices[place].1) => {
                (vec![], EAGAIN, "Features negotiation not completed")
            }
            (6, false) if known.is_some() => {
                let body = [
                    &[6, 1, 0, 0][..],
                    &text(4, &name),
                    &attribute(10, &[0x52, 0x54, 0, 1, 2, 3]),
                    &attribute(11, &1u16.to_le_bytes()),
                    &attribute(13, &1500u16.to_le_bytes()),
                    &attribute(14, &(1u64 << 32).to_le_bytes()),
                ];
                (vec![body.concat()], 0, "")
            }
            (5 | 6, false) => (vec![], ENODEV, "device not found"),
            other => panic!("the kernel knows no {other:?}"),
        }
    }
}

impl Wire for &mut False {
    fn send(&mut self, request: &[u8]) -> Result<()> {
        assert_eq!(request.len(), u32::from_le_bytes(request[..4].try_into().unwrap()) as usize);
        self.asked.push(request.to_vec());
        let kind = u16::from_le_bytes([request[4], request[5]]);
        let sequence: [u8; 4] = request[8..12].try_into().unwrap();
        let (bodies, code, words) = self.perform(kind, request);
        let all = request[7] & 3 == 3;
        // Of an older question, and to everybody: passed over.
        let mut datagram = message(kind, 0, [0xff; 4], &[0; 4]);
        datagram.extend(bodies.iter().flat_map(|body| message(kind, u16::from(all) * 2, sequence, body)));
        self.answers.push_back(datagram);
        let asked = &request[..16];
        self.answers.push_back(match (all, code) {
            (true, _) => message(DONE, 2, sequence, &0i32.to_le_bytes()),
            (_, 0) => message(ERROR, 0x100, sequence, &[&[0; 4], asked].concat()),
            _ if words.is_empty() => {
                message(ERROR, 0x100, sequence, &[&(-code).to_le_bytes(), asked].concat())
            }
            _ => message(ERROR, 0x300, sequence, &[&(-code).to_le_bytes(), asked, &text(1, words)].concat()),
        });
        Ok(())
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let mut datagram = self.answers.pop_front().ok_or(Error::Netlink("silence".into()))?;
        let Some(rng) = &mut self.spoil else { return Ok(datagram) };
        // Ten to twenty datagrams make a round.
        let flaws = if rng.random_bool(0.9) { 0 } else { rng.random_range(1..3) };
        for _ in 0..flaws {
            let at = rng.random_range(0..datagram.len());
            match rng.random_range(0..6) {
                0 => datagram.truncate(at.max(1)),
                1 => datagram[at] = rng.random(),
                2 => datagram[at] ^= 1 << rng.random_range(0..8),
                // A length that lies.
                3 => datagram[at & !3] = rng.random_range(0..8),
                4 if at + 4 <= datagram.len() => datagram[at..at + 4].fill([0, 0xff][rng.random_range(0..2)]),
                _ => datagram.extend((0..rng.random_range(0..40)).map(|_| rng.random::<u8>())),
            }
        }
        Ok(datagram)
    }
}
