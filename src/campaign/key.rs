//! What a unit is known by: a digest of everything that its result may depend on, and of nothing else.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Display, Write};
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a content, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(digits(&Sha256::digest(bytes)))
    }

    /// Its digits.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first twelve digits, for messages and versions.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a unit's files: the same for the same question to the same program, wherever it is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(String);

/// All that a result may depend on, as names and values in their order: the text that a key is a digest of.
#[derive(Debug, Default)]
pub(super) struct KeyText(String);

impl KeyText {
    /// Adds a value and its name.
    pub(super) fn part(&mut self, name: &str, value: &str) {
        // With its length, no value can look like two. Writing to a text cannot fail.
        let _ = writeln!(self.0, "{name} {}:{value}", value.len());
    }

    /// Adds a number and its name.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        // The length that its text would have, without that text: a million units have five numbers each.
        let digits = value.checked_ilog10().unwrap_or(0) + 1;
        let _ = writeln!(self.0, "{name} {digits}:{value}");
    }

    /// The key.
    pub(super) fn digest(&self) -> PackedKey {
        Sha256::digest(&self.0).into()
    }

    /// For another key.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Key {
    /// From all that the result may depend on, as names and values in their order.
    pub fn of(parts: &[(&str, &str)]) -> Self {
        let mut text = KeyText::default();
        parts.iter().for_each(|(name, value)| text.part(name, value));
        unpacked(&text.digest())
    }

    /// As a file's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key in half the room, for those who hold a million of them.
pub(super) type PackedKey = [u8; 32];

/// A table by keys. These are digests: any eight bytes of one are as good as a hash of all.
pub(super) type KeyTable<V> = HashMap<PackedKey, V, BuildHasherDefault<DigestHasher>>;

/// Takes a key for its own hash.
#[derive(Debug, Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The key of a packed one.
pub(super) fn unpacked(key: &PackedKey) -> Key {
    Key(digits(key))
}

/// Bytes as hexadecimal digits. Each of a million units has some: they do not go through the formatter.
fn digits(bytes: &[u8]) -> String {
    let digit = |number: u8| char::from(b"0123456789abcdef"[usize::from(number)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A key's name packed; nothing if it is none.
pub(super) fn packed(name: &str) -> Option<PackedKey> {
    let mut key = PackedKey::default();
    if name.len() != 2 * key.len() {
        return None;
    }
    // A digit that is none is larger than all; whether there was one is asked at the end, which is many times faster.
    let mut all = 0;
    for (at, byte) in key.iter_mut().enumerate() {
        let pair = [2 * at, 2 * at + 1].map(|at| VALUES[usize::from(name.as_bytes()[at])]);
        all |= pair[0] | pair[1];
        *byte = pair[0] << 4 | pair[1];
    }
    (all < 16).then_some(key)
}

/// The value of each hexadecimal digit; of everything else more than it may be.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// The files beside a network in which it keeps constants, by their relative paths: entries `location` of tensors. They are
/// found in the bytes, because a campaign also runs tools that read networks that this program cannot.
pub fn external_files(model: &[u8]) -> BTreeSet<String> {
    // A StringStringEntryProto: field 1, eight bytes, `location`, field 2, its length, the path.
    const MARK: &[u8] = b"\x0a\x08location\x12";
    let mut found = BTreeSet::new();
    let mut rest = model;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        rest = &rest[at + MARK.len()..];
        let path = length(rest).and_then(|(length, behind)| behind.get(..length));
        if let Some(Ok(path)) = path.map(std::str::from_utf8)
            && !path.is_empty()
        {
            found.insert(path.to_owned());
        }
    }
    found
}

/// A length of up to two bytes, as protobuf writes it, and what follows.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [one @ ..0x80, ref behind @ ..] => Some((usize::from(one), behind)),
        [low, high @ ..0x80, ref behind @ ..] => {
            Some((usize::from(low & 0x7f) | usize::from(high) << 7, behind))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_changes_with_each_part_and_with_nothing_else() {
        let parts = [("network", "a"), ("property", "b"), ("seed", "1")];
        let key = Key::of(&parts);
        assert_eq!(key, Key::of(&parts));
        assert_eq!(key.as_str().len(), 64);
        assert_eq!(unpacked(&packed(key.as_str()).unwrap()), key);
        for wrong in
            ["", &key.as_str()[1..], &key.as_str().replace('a', "g").replace('b', "B"), &"\u{e4}".repeat(32)]
        {
            assert_eq!(packed(wrong), None, "{wrong}");
        }
        let others = [
            [("network", "x"), ("property", "b"), ("seed", "1")],
            [("network", "a"), ("property", "x"), ("seed", "1")],
            [("network", "a"), ("property", "b"), ("seed", "2")],
            [("network", "b"), ("property", "a"), ("seed", "1")],
            [("network", "a\nproperty 1:b"), ("property", "b"), ("seed", "1")],
        ];
        for other in others {
            assert_ne!(key, Key::of(&other), "{other:?}");
        }
    }

    #[test]
    fn a_number_is_a_part_like_its_digits() {
        for number in [0, 1, 9, 10, 99, 100, 1 << 32, 10_u64.pow(19), u64::MAX] {
            let mut text = KeyText::default();
            text.part("seed", "x");
            text.clear();
            text.number("seed", number);
            assert_eq!(unpacked(&text.digest()), Key::of(&[("seed", &number.to_string())]), "{number}");
        }
    }

    #[test]
    fn a_table_finds_the_keys_that_are_in_it() {
        let keys =
            (0..1000).map(|number| packed(Key::of(&[("seed", &number.to_string())]).as_str()).unwrap());
        let table: KeyTable<usize> = keys.clone().take(500).zip(0..).collect();
        let found: Vec<_> = keys.map(|key| table.get(&key).copied()).collect();
        assert_eq!(found, (0..1000).map(|at| (at < 500).then_some(at)).collect::<Vec<_>>());
    }

    #[test]
    fn digests_are_sha_256() {
        let empty = Digest::of(b"");
        assert_eq!(empty.0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(empty.short(), "e3b0c44298fc");
    }

    #[test]
    fn files_beside_a_network_are_found() {
        let long = "d/".repeat(100);
        let mut model = b"..\x0a\x08location\x12\x06w.data..\x0a\x08location\x12\xc8\x01".to_vec();
        model.extend(long.as_bytes());
        model.extend(b"\x0a\x08location\x12\x7fshort");
        let found: Vec<String> = external_files(&model).into_iter().collect();
        assert_eq!(found, [long, "w.data".to_owned()]);
    }
}
