//! Writes an initramfs: the "newc" form of cpio (the kernel's Documentation/driver-api/early-userspace/buffer-format),
//! everything owned by root, no times: the same input gives the same bytes.

use std::collections::BTreeMap;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

enum Node {
    Directory,
    File { mode: u32, data: Vec<u8> },
    Link { target: String },
    Character { major: u32, minor: u32 },
}

/// A file system tree to be written. Parents appear by themselves; a later entry replaces an earlier one.
#[derive(Default)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    pub(crate) fn directory(&mut self, path: &str) {
        self.put(path, Node::Directory);
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, data: impl Into<Vec<u8>>) {
        self.put(path, Node::File { mode, data: data.into() });
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Node::Link { target: target.into() });
    }

    pub(crate) fn character(&mut self, path: &str, major: u32, minor: u32) {
        self.put(path, Node::Character { major, minor });
    }

    fn put(&mut self, path: &str, node: Node) {
        for (at, _) in path.match_indices('/') {
            self.nodes.entry(path[..at].into()).or_insert(Node::Directory);
        }
        self.nodes.insert(path.into(), node);
    }

    /// The archive's bytes.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, (path, node)) in self.nodes.iter().enumerate() {
            let (mode, data, device): (u32, &[u8], (u32, u32)) = match node {
                Node::Directory => (DIRECTORY | 0o755, &[], (0, 0)),
                Node::File { mode, data } => (REGULAR | mode, data, (0, 0)),
                Node::Link { target } => (LINK | 0o777, target.as_bytes(), (0, 0)),
                Node::Character { major, minor } => (CHARACTER | 0o600, &[], (*major, *minor)),
            };
            entry(&mut out, index + 1, path, mode, data, device);
        }
        entry(&mut out, 0, "TRAILER!!!", 0, &[], (0, 0));
        out
    }
}

/// One header of 13 numbers in 8 hexadecimal digits, the name, the data; name and data end on 4 bytes.
fn entry(out: &mut Vec<u8>, inode: usize, path: &str, mode: u32, data: &[u8], device: (u32, u32)) {
    let links = if mode & DIRECTORY != 0 { 2 } else { 1 };
    let numbers = [
        inode as u32,
        mode,
        0,
        0,
        links,
        0,
        data.len() as u32,
        0,
        0,
        device.0,
        device.1,
        path.len() as u32 + 1,
        0,
    ];
    out.extend_from_slice(b"070701");
    for number in numbers {
        out.extend_from_slice(format!("{number:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(data);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_everything_is_aligned() {
        let mut tree = Tree::default();
        tree.file("a/b/c", 0o755, "hello");
        tree.link("a/l", "b/c");
        let bytes = tree.archive();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let place = |what: &str| text.find(what).unwrap();
        assert!(place("a\0") < place("a/b\0") && place("a/b\0") < place("a/b/c\0"));
        assert!(place("a/l\0") < place("TRAILER!!!"));
        // 6 + 13 * 8 bytes of header, then the name: `a/b/c` starts 110 bytes after its magic.
        let at = place("a/b/c\0");
        assert_eq!(&bytes[at - 110..at - 104], b"070701");
        assert_eq!(&bytes[at - 104 + 8..at - 104 + 16], b"000081ED");
    }
}
