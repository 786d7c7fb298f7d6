//! QEMU's control socket (QMP): one JSON object a line, of which the bench needs a few commands.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

const CONNECT_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A connection in command mode.
pub(crate) struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Qmp {
    /// Connects as soon as QEMU listens.
    pub(crate) fn connect(path: &Path) -> Result<Qmp> {
        let writer = connect(path).context("QEMU's control socket")?;
        writer.set_read_timeout(Some(ANSWER_LIMIT))?;
        let mut qmp = Qmp { reader: BufReader::new(writer.try_clone()?), writer };
        qmp.receive()?;
        qmp.call("qmp_capabilities")?;
        Ok(qmp)
    }

    /// Runs a command without arguments.
    pub(crate) fn call(&mut self, name: &str) -> Result<Value> {
        self.call_with(name, json!({}))
    }

    /// Runs a command; events that come before its answer are passed over.
    pub(crate) fn call_with(&mut self, name: &str, arguments: Value) -> Result<Value> {
        order(&mut self.writer, name, arguments)?;
        loop {
            let answer = self.receive().with_context(|| format!("QEMU's answer to {name}"))?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {name}: {error}");
            }
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("QEMU closed its control socket");
        }
        serde_json::from_str(&line).with_context(|| format!("QEMU said {line:?}"))
    }
}

/// In one piece: QEMU carries out `quit` at the closing brace, and may be gone before a line's end that comes later.
fn order(to: &mut impl Write, name: &str, arguments: Value) -> io::Result<()> {
    to.write_all(format!("{}\n", json!({ "execute": name, "arguments": arguments })).as_bytes())
}

/// Connects to a socket which another process is about to open.
pub(crate) fn connect(path: &Path) -> Result<UnixStream> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if start.elapsed() > CONNECT_LIMIT => {
                return Err(error).with_context(|| format!("no one listens on {}", path.display()));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pieces(Vec<String>);

    impl Write for Pieces {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(piece).into_owned());
            Ok(piece.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_order_goes_out_in_one_piece() {
        let mut pieces = Pieces(vec![]);
        order(&mut pieces, "quit", json!({})).unwrap();
        assert_eq!(pieces.0, ["{\"arguments\":{},\"execute\":\"quit\"}\n"]);
    }
}
