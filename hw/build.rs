//! Hashes the hardware's sources, so that a function in silicon can say which text it was made from.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "abi/src", "verilog/src"] {
        println!("cargo::rerun-if-changed={folder}");
        collect(&here.join(folder), &mut files);
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.strip_prefix(&here).expect("a file of ours").to_string_lossy().as_bytes());
        hash.update(fs::read(&file).expect("read a source file"));
    }
    let digest = hash.finalize();
    let words: Vec<String> = digest
        .chunks(4)
        .take(5)
        .map(|b| format!("{:#x}", u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
        .collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("source_hash.rs"), format!("[{}]", words.join(", "))).expect("write the hash");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("read a source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}
