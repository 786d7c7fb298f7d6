//! Integers as Rust writes them: match labels reach the AST as text.

/// Hex digits of a Rust integer literal (any base, underscores, suffix), or of `true` and `false`.
pub(crate) fn integer(text: &str) -> Option<String> {
    match text {
        "true" => return Some("1".into()),
        "false" => return Some("0".into()),
        _ => {}
    }
    let (digits, base) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0b") => (&text[2..], 2),
        Some("0o") => (&text[2..], 8),
        _ => (text, 10),
    };
    let digits = digits.replace('_', "");
    let suffix = ["u128", "usize", "u64", "u32", "u16", "i64", "i32", "u8"]
        .iter()
        .find_map(|s| digits.strip_suffix(s));
    let value = u128::from_str_radix(suffix.unwrap_or(&digits), base).ok()?;
    Some(format!("{value:x}"))
}

/// Bits a number needs.
pub(crate) fn bits_needed(hex: &str) -> usize {
    let hex = hex.trim_start_matches('0');
    match hex.chars().next().and_then(|c| c.to_digit(16)) {
        Some(top) => 4 * (hex.len() - 1) + (32 - top.leading_zeros()) as usize,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_every_spelling() {
        for (text, want) in
            [("12", "c"), ("0x1_0", "10"), ("0b101", "5"), ("7_u8", "7"), ("1_000usize", "3e8")]
        {
            assert_eq!(integer(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(integer("other"), None);
        assert_eq!((bits_needed("0"), bits_needed("1"), bits_needed("ff"), bits_needed("100")), (0, 1, 8, 9));
    }
}
