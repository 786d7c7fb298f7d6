//! Prints the Verilog of a parameter set.
use hematite_hw::{emit, params::Params};
fn main() {
    std::thread::Builder::new()
        .stack_size(1 << 28)
        .spawn(|| {
            for n in std::env::args().skip(1) {
                let p = Params::named(&n).unwrap();
                let t = std::time::Instant::now();
                match emit::verilog(&p) {
                    Ok(t) => std::fs::write(format!("/tmp/v/{n}.v"), t).unwrap(),
                    Err(e) => println!("{e}"),
                }
                println!("{n} {:?}", t.elapsed());
            }
        })
        .unwrap()
        .join()
        .unwrap();
}
