//! A board's manifest: a JSON file that says which chip, which tool, what an image looks like and what it must say of itself.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};

/// The version of manifests.
const VERSION: u32 = 1;
/// A manifest is a short text.
const MANIFEST_BYTES: u64 = 1 << 16;
/// Marks are looked for so far into the image.
const HEAD_BYTES: u64 = 4096;
const USUAL_LIMIT: u64 = 600;
/// Words of the inspection region's hash, as digits.
const HASH_DIGITS: usize = hematite_abi::ident::SOURCE_HASH_WORDS * 8;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of manifests.
    pub manifest: u32,
    /// The board, for people.
    pub board: String,
    /// Its chip, as the tools name it.
    pub part: String,
    /// What an image for it looks like.
    pub image: Kind,
    /// Commands, one after the other: lists of words in which `{image}`, `{part}` and `{board}` are replaced.
    pub commands: Vec<Vec<String>>,
    /// What the function must say of itself afterwards.
    #[serde(default)]
    pub ident: Expected,
    /// After so many seconds a command has failed.
    #[serde(default)]
    pub limit_seconds: Option<u64>,
}

/// What an image looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// What its name ends with, without the dot; one of them.
    pub suffixes: Vec<String>,
    /// What its first 4,096 bytes hold, each of them: `hex:...` or `text:...`.
    #[serde(default)]
    pub marks: Vec<String>,
}

/// What is checked of the function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Version of the inspection region's layout.
    #[serde(default)]
    pub abi_version: Option<u32>,
    /// The hash of the source, as `hematite show` prints it.
    #[serde(default)]
    pub source_hash: Option<String>,
}

impl Manifest {
    /// Reads and checks it.
    pub fn read(path: &Path) -> Result<Manifest> {
        let fail = |error| {
            let next = "manifests of boards: host/README.md says their form";
            Error::system(format!("read {}", path.display()), error, next)
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MANIFEST_BYTES).read_to_string(&mut text))
            .map_err(fail)?;
        let wrong = |why: String| Error::Words {
            text: format!("{}: {why}", path.display()),
            wanted: "manifest of a board: host/README.md says their form",
        };
        let manifest: Manifest = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.manifest != VERSION {
            return Err(format!("version {}, only {VERSION} is known", self.manifest));
        }
        if self.image.suffixes.is_empty() {
            return Err("image.suffixes is empty".into());
        }
        for mark in &self.image.marks {
            bytes(mark).ok_or_else(|| format!("the mark {mark:?} is neither hex:... nor text:..."))?;
        }
        if self.commands.is_empty()
            || self.commands.iter().any(|words| words.first().is_none_or(String::is_empty))
        {
            return Err("a command without a tool, or no command at all".into());
        }
        let words = || self.commands.iter().flatten();
        if words().any(|word| word.contains('\0')) {
            return Err("a word with a NUL in it".into());
        }
        if !words().any(|word| word.contains("{image}")) {
            return Err("no command takes {image}".into());
        }
        for word in words() {
            filled(word, &|_| Some(String::new()))?;
        }
        let digits = |hash: &String| {
            hash.len() == HASH_DIGITS && hash.bytes().all(|one| b"0123456789abcdef".contains(&one))
        };
        if self.ident.source_hash.as_ref().is_some_and(|hash| !digits(hash)) {
            return Err(format!("ident.source_hash is no number of {HASH_DIGITS} digits 0-9a-f"));
        }
        Ok(())
    }

    /// How long a command may take.
    pub(super) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_seconds.unwrap_or(USUAL_LIMIT))
    }

    /// Whether the file is an image for this board; its length.
    pub(super) fn check_image(&self, path: &Path) -> Result<u64> {
        let next = "an image is made by the board's build: is the path right?";
        let fail = |error| Error::system(format!("read {}", path.display()), error, next);
        let length = fs::metadata(path).map_err(fail)?.len();
        let mut head = vec![];
        File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head)).map_err(fail)?;
        let unfit = |why: String| {
            let what = format!("{} is no image for {}: {why}", path.display(), self.board);
            Err(Error::Unable {
                what,
                next: "give the image that was built for this board, or this image's manifest",
            })
        };
        let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if !self.image.suffixes.iter().any(|one| one.to_lowercase() == suffix) {
            return unfit(format!("its name does not end with .{}", self.image.suffixes.join(" or .")));
        }
        if head.is_empty() {
            return unfit("it is empty".into());
        }
        let lacks = |mark: &&String| {
            bytes(mark).is_none_or(|mark| !head.windows(mark.len()).any(|window| window == mark))
        };
        match self.image.marks.iter().find(lacks) {
            Some(mark) => unfit(format!("its first {HEAD_BYTES} bytes do not hold {mark}")),
            None => Ok(length),
        }
    }

    /// The commands for an image.
    pub(super) fn commands(&self, image: &Path) -> Result<Vec<Vec<String>>> {
        // A name that begins with `-` would be taken for an option.
        let image = std::path::absolute(image).unwrap_or_else(|_| image.into());
        let Some(image) = image.to_str().map(String::from) else {
            let wanted = "path that is UTF-8: words of a manifest are";
            return Err(Error::Words { text: image.display().to_string(), wanted });
        };
        let value = |name: &str| match name {
            "image" => Some(image.clone()),
            "part" => Some(self.part.clone()),
            "board" => Some(self.board.clone()),
            _ => None,
        };
        let fill = |word: &String| {
            filled(word, &value).map_err(|text| Error::Words { text, wanted: "word of a command" })
        };
        self.commands.iter().map(|words| words.iter().map(fill).collect()).collect()
    }
}

/// A word with what its placeholders stand for; `{{` and `}}` are braces.
fn filled(word: &str, value: &dyn Fn(&str) -> Option<String>) -> std::result::Result<String, String> {
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        text += &rest[..at];
        let (brace, behind) = rest[at..].split_at(1);
        if let Some(behind) = behind.strip_prefix(brace) {
            text += brace;
            rest = behind;
            continue;
        }
        let (name, behind) =
            behind.split_once('}').filter(|_| brace == "{").ok_or(format!("{word:?}: a brace alone"))?;
        let known = ["image", "part", "board"].contains(&name);
        text += &known.then(|| value(name)).flatten().ok_or(format!("{word:?}: {{{name}}} is not known"))?;
        rest = behind;
    }
    Ok(text + rest)
}

/// The bytes of a mark.
fn bytes(mark: &str) -> Option<Vec<u8>> {
    if let Some(text) = mark.strip_prefix("text:") {
        return (!text.is_empty()).then(|| text.as_bytes().to_vec());
    }
    let digits = mark.strip_prefix("hex:")?.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let good = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        good.then(|| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())?
    });
    pairs.collect::<Option<Vec<u8>>>().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_never_split() {
        let value = |name: &str| Some(format!("<{name} a;b>"));
        assert_eq!(filled("--x={image}", &value).unwrap(), "--x=<image a;b>");
        assert_eq!(filled("{{{part}}}", &value).unwrap(), "{<part a;b>}");
        for word in ["{", "}", "{image", "{other}", "a}b", "{}"] {
            assert!(filled(word, &value).is_err(), "{word}");
        }
    }

    #[test]
    fn marks_are_bytes() {
        assert_eq!(bytes("hex:ffBD"), Some(vec![0xff, 0xbd]));
        assert_eq!(bytes("text:ab"), Some(b"ab".to_vec()));
        for mark in ["", "hex:", "hex:f", "hex:fg", "text:", "ff", "hex:+1"] {
            assert_eq!(bytes(mark), None, "{mark}");
        }
    }
}
