//! Texts that many results share, kept once: benchmarks, networks, tools, machines. A result holds their numbers.

use std::collections::HashMap;
use std::sync::Arc;

/// The number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameNumber(u32);

/// Texts by their numbers.
#[derive(Debug, Default)]
pub(super) struct SharedNames {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, NameNumber>,
}

impl SharedNames {
    /// The number of a text, a new one if need be.
    pub(super) fn number(&mut self, text: &str) -> NameNumber {
        if let Some(&known) = self.numbers.get(text) {
            return known;
        }
        // Four thousand million texts do not fit into any memory.
        let number = NameNumber(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// The number of a text that has one.
    pub(super) fn known(&self, text: &str) -> Option<NameNumber> {
        self.numbers.get(text).copied()
    }

    /// The text of a number.
    pub(super) fn text(&self, number: NameNumber) -> &str {
        &self.texts[number.0 as usize]
    }

    /// Numbers the texts in their alphabetical order, so that numbers compare as texts do: the new number of each old one.
    pub(super) fn sort(&mut self) -> impl Fn(NameNumber) -> NameNumber + use<> {
        let mut order: Vec<u32> = (0..self.texts.len() as u32).collect();
        order.sort_by(|&a, &b| self.texts[a as usize].cmp(&self.texts[b as usize]));
        let mut new = vec![NameNumber(0); order.len()];
        for (at, &old) in order.iter().enumerate() {
            new[old as usize] = NameNumber(at as u32);
        }
        self.texts = order.iter().map(|&old| Arc::clone(&self.texts[old as usize])).collect();
        self.numbers.values_mut().for_each(|number| *number = new[number.0 as usize]);
        move |old| new[old.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_as_their_texts() {
        let mut names = SharedNames::default();
        let texts = ["b", "", "a", "c", "a"];
        let old = texts.map(|text| names.number(text));
        assert_eq!((old[2], names.known("c"), names.known("d")), (old[4], Some(old[3]), None));
        let new = names.sort();
        let new = old.map(new);
        assert_eq!(new.map(|number| names.text(number).to_owned()), texts);
        assert_eq!(texts.map(|text| names.number(text)), new);
        for (a, x) in texts.iter().zip(new) {
            for (b, y) in texts.iter().zip(new) {
                assert_eq!(a.cmp(b), x.cmp(&y), "{a:?} and {b:?}");
            }
        }
    }
}
