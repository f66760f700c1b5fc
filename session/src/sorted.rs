//! A map of a few entries: a list in the order of its keys. A tree would be faster with very many, and each
//! kind of tree is several times the code, which a page in a browser has to fetch.

/// A map of a few entries.
#[derive(Debug, Clone)]
pub(crate) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Sorted<K, V> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All entries in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }

    /// Takes all entries out, in the order of their keys.
    pub(crate) fn take(&mut self) -> Vec<(K, V)> {
        std::mem::take(&mut self.0)
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// Where the key is, or else where it belongs.
    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let place = self.place(key).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Adds an entry, in the place of one that has the same key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(place) => {
                if let Some((_, there)) = self.0.get_mut(place) {
                    *there = value;
                }
            }
            Err(place) => self.0.insert(place, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key).ok()?;
        Some(self.0.remove(place).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_there_once_and_in_its_order() {
        let mut map = Sorted::default();
        for (key, value) in [(3, "c"), (1, "a"), (2, "b"), (1, "A")] {
            map.insert(key, value);
        }
        assert_eq!((map.get(&1), map.get(&4), map.len()), (Some(&"A"), None, 3));
        assert_eq!((map.remove(&2), map.remove(&2)), (Some("b"), None));
        assert!(map.iter().eq(&[(1, "A"), (3, "c")]));
        assert_eq!(map.take(), [(1, "A"), (3, "c")]);
        assert_eq!(map.len(), 0);
    }
}
