//! Numbers of a specification live in `hw/abi` alone: no hexadecimal literal in the kernels above it.

use super::{Finding, Source};

const KERNELS: [&str; 4] = ["hw/src/pcie", "hw/src/virtio", "hw/src/queue", "hw/src/net"];
/// On a line which may have one all the same, followed by `: why`.
pub(super) const WAIVER: &str = "tidy-allow(literal)";

pub(super) fn check(source: &Source) -> Vec<Finding> {
    if !source.is_rust() || !KERNELS.iter().any(|dir| source.path.starts_with(dir)) {
        return Vec::new();
    }
    let waived: Vec<usize> = (1..)
        .zip(source.text.lines())
        .filter(|(_, line)| line.contains(WAIVER))
        .map(|(number, _)| number)
        .collect();
    let lines = source.code().filter(|(number, line)| line.contains("0x") && !waived.contains(number));
    let what = "a hexadecimal number in a kernel: name it in hw/abi, or write `// tidy-allow(literal): why`";
    lines.map(|(number, _)| source.finding(number, what)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn only_in_kernels_and_not_in_their_tests() {
        let text = "//! 0x1000.\nlet a = 0x40;\nlet b = 0x41; // tidy-allow(literal): a pattern\n#[cfg(test)]\nmod tests { 0x1 }\n";
        assert_eq!(check(&source("hw/src/pcie/rx.rs", text)).len(), 1);
        assert_eq!(check(&source("hw/src/pcie/rx.rs", text))[0].line, 2);
        assert!(check(&source("hw/abi/src/tlp.rs", text)).is_empty());
    }
}
