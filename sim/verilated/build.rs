//! Prints the function's Verilog for every parameter set, has Verilator turn it into C++, and compiles that with the shim.
//!
//! A set is built again only if its text has changed: the C++ compiler is the slow part.

use hematite_hw::{emit, params::Params};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, thread};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shim.h");
    println!("cargo::rerun-if-changed=shim.cpp");
    println!("cargo::rerun-if-changed=waivers.vlt");
    println!("cargo::rerun-if-env-changed=VERILATOR");
    println!("cargo::rerun-if-env-changed=VERILATOR_ROOT");
    // Wide beats are large values on the stack while a design is put together.
    let build = thread::Builder::new().stack_size(1 << 28).spawn(build).expect("a thread for the build");
    if build.join().is_err() {
        std::process::exit(1);
    }
}

fn build() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let (verilator, root) = verilator();
    let mut texts = String::new();

    let mut fast = compiler(&here, &root, 2);
    let mut slow = compiler(&here, &root, 0);
    for file in ["verilated.cpp", "verilated_threads.cpp", "verilated_fst_c.cpp"] {
        fast.file(root.join("include").join(file));
    }
    let mut table = String::new();
    let mut names = Vec::new();
    for params in &Params::ALL {
        let text = emit::verilog(params).unwrap_or_else(|e| panic!("{}: {e}", params.name));
        let name = params.name.to_lowercase();
        let source = out.join(format!("{name}.v"));
        let folder = out.join(&name);
        texts +=
            &format!("    (\"{}\", include_str!(concat!(env!(\"OUT_DIR\"), \"/{name}.v\"))),\n", params.name);
        if !wanted(params) {
            fs::write(&source, &text).expect("write the Verilog");
            continue;
        }
        names.push(format!("&{}", params.name));
        if fs::read_to_string(&source).ok().as_deref() != Some(&text) || !folder.join("done").exists() {
            let _ = fs::remove_dir_all(&folder);
            fs::write(&source, &text).expect("write the Verilog");
            verilate(&verilator, &here, &source, &folder, &name);
            fs::write(folder.join("set.cpp"), shim(&name, params.width)).expect("write the shim");
            fs::write(folder.join("done"), "").expect("mark the set done");
        }
        for entry in fs::read_dir(&folder).expect("Verilator's output").flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            if !file.ends_with(".cpp") {
                continue;
            }
            // What runs once, or only while a trace is written, is not worth the compiler's time.
            let once = file.contains("Slow") || file.contains("Trace") || file.contains("ConstPool");
            if once {
                slow.file(entry.path())
            } else {
                fast.file(entry.path())
            };
        }
        fast.include(&folder);
        slow.include(&folder);
        table += &bindings(params, &name);
    }
    fast.compile("hematite_fast");
    slow.compile("hematite_slow");
    // Either half calls the other.
    println!("cargo::rustc-link-lib=static=hematite_fast");
    println!("cargo::rustc-link-lib=z");
    println!("cargo::rustc-link-lib=pthread");
    table += &format!("static SETS: &[&Set] = &[{}];\n", names.join(", "));
    table += &format!("static TEXTS: &[(&str, &str)] = &[\n{texts}];\n");
    fs::write(out.join("sets.rs"), table).expect("write the table of sets");
}

/// The shim's functions for one set, and the table of them: `shim.cpp` has the other side.
fn bindings(params: &Params, name: &str) -> String {
    const FUNCTIONS: [(&str, &str); 19] = [
        ("new", "() -> *mut c_void"),
        ("delete", "(p: *mut c_void)"),
        ("reset", "(p: *mut c_void, cycles: u64)"),
        ("step", "(p: *mut c_void, most: u64, stop: c_int) -> u64"),
        ("put_tlp", "(p: *mut c_void, beat: *const Beat)"),
        ("put_frame", "(p: *mut c_void, beat: *const Beat)"),
        ("take_tlp", "(p: *mut c_void, beat: *mut Beat) -> c_int"),
        ("take_frame", "(p: *mut c_void, beat: *mut Beat) -> c_int"),
        ("cycle", "(p: *mut c_void) -> u64"),
        ("busy", "(p: *mut c_void) -> c_int"),
        ("violations", "(p: *mut c_void) -> u64"),
        ("stall", "(p: *mut c_void, seed: u64, of_256: u32)"),
        ("pace", "(p: *mut c_void, thousandths: u64)"),
        ("posted", "(p: *mut c_void, headers: u64, data: u64)"),
        ("counts", "(p: *mut c_void, out: *mut u64)"),
        ("waiting", "(p: *mut c_void) -> u64"),
        ("link", "(p: *mut c_void, up: c_int)"),
        ("trace", "(p: *mut c_void, file: *const c_char) -> c_int"),
        ("flush", "(p: *mut c_void)"),
    ];
    let mut text = String::from("unsafe extern \"C\" {\n");
    for (function, signature) in FUNCTIONS {
        text += &format!("    fn hematite_{name}_{function}{signature};\n");
    }
    text += &format!(
        "}}\nstatic {0}: Set = Set {{\n    name: \"{0}\",\n    width: {1},\n",
        params.name, params.width
    );
    for (function, _) in FUNCTIONS {
        text += &format!("    {function}: hematite_{name}_{function},\n");
    }
    text + "};\n"
}

/// TINY and SIM always; the others only where a feature asks for them.
fn wanted(params: &Params) -> bool {
    matches!(params.name, "TINY" | "SIM") || env::var_os("CARGO_FEATURE_ALL_SETS").is_some()
}

/// The program, and where its C++ is.
fn verilator() -> (PathBuf, PathBuf) {
    let program = env::var_os("VERILATOR").map_or_else(|| PathBuf::from("verilator"), PathBuf::from);
    if let Some(root) = env::var_os("VERILATOR_ROOT") {
        return (program, root.into());
    }
    let asked = Command::new(&program).arg("--getenv").arg("VERILATOR_ROOT").output().unwrap_or_else(|e| {
        panic!(
            "run {}: {e}: install Verilator 5 (Debian: apt-get install verilator), or set VERILATOR",
            program.display()
        )
    });
    let root = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    assert!(!root.is_empty(), "{} --getenv VERILATOR_ROOT says nothing", program.display());
    (program, root.into())
}

fn verilate(verilator: &Path, here: &Path, source: &Path, folder: &Path, name: &str) {
    let said = Command::new(verilator)
        .args([
            "--cc",
            "--no-timing",
            "-O3",
            "--x-assign",
            "fast",
            "--x-initial",
            "fast",
            "--noassert",
            "--trace-fst",
        ])
        // Long functions keep more in registers; longer ones than these were no faster.
        .args(["--output-split", "40000", "--output-split-cfuncs", "2000"])
        .args(["-Wall", "--top-module", "hematite", "--prefix"])
        .arg(format!("V{name}"))
        .arg("--Mdir")
        .arg(folder)
        .arg(here.join("waivers.vlt"))
        .arg(source)
        .output()
        .unwrap_or_else(|e| panic!("run {}: {e}", verilator.display()));
    assert!(said.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&said.stderr));
}

/// The shim of one set.
fn shim(name: &str, width: usize) -> String {
    format!(
        "#define SET {name}\n#define MODEL V{name}\n#define WIDTH {width}\n#include \"V{name}.h\"\n#include \"shim.cpp\"\n"
    )
}

/// A compiler of Verilator's C++.
fn compiler(here: &Path, root: &Path, level: u32) -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").warnings(false).debug(false).opt_level(level).include(here);
    build.include(root.join("include")).include(root.join("include/vltstd"));
    build.define("VM_TRACE", "1").define("VM_TRACE_FST", "1").define("VL_TIME_CONTEXT", None);
    build
}
