//! Rust constants that kernels may name. The front end hands over only the path's text.

/// `tlp::LENGTH_LSB` and the like, with their values.
pub(crate) struct Constants<'a>(pub(crate) &'a [(&'a str, u64)]);

impl Constants<'_> {
    /// The value of a path written `a$b$NAME`. Paths match when one is the tail of the other, or, failing
    /// that, in the last word. `Ok(None)`: unknown.
    pub(crate) fn get(&self, name: &str) -> Result<Option<u64>, String> {
        let wanted: Vec<&str> = name.split('$').collect();
        let tail = |key: &str| {
            let key: Vec<&str> = key.split("::").collect();
            key.ends_with(&wanted) || wanted.ends_with(&key)
        };
        let exact: Vec<_> =
            self.0.iter().filter(|(key, _)| key.split("::").eq(wanted.iter().copied())).collect();
        let tails: Vec<_> = self.0.iter().filter(|(key, _)| tail(key)).collect();
        let lasts: Vec<_> =
            self.0.iter().filter(|(key, _)| key.rsplit("::").next() == wanted.last().copied()).collect();
        for found in [exact, tails, lasts] {
            let Some((_, value)) = found.first() else { continue };
            if found.iter().any(|(_, other)| other != value) {
                let keys: Vec<&str> = found.iter().map(|(key, _)| *key).collect();
                return Err(format!("`{}` may be any of {}", name.replace('$', "::"), keys.join(", ")));
            }
            return Ok(Some(*value));
        }
        Ok(None)
    }
}
