//! The names of the directories used last, so that a name is not looked for block by block
//! each time.

use std::collections::HashMap;

/// Names kept in memory.
const MAX_NAMES: usize = 200_000;

/// Names and inodes by directory.
#[derive(Debug, Default)]
pub(super) struct Names {
    dirs: HashMap<u32, HashMap<Vec<u8>, u32>>,
    count: usize,
}

impl Names {
    /// The names in a directory, if they are known.
    pub(super) fn of(&self, dir: u32) -> Option<&HashMap<Vec<u8>, u32>> {
        self.dirs.get(&dir)
    }

    /// Remembers all the names of a directory.
    pub(super) fn learn(&mut self, dir: u32, names: Vec<(Vec<u8>, u32)>) {
        if self.count + names.len() > MAX_NAMES {
            *self = Self::default();
        }
        let mut known = HashMap::with_capacity(names.len());
        for (name, ino) in names {
            // Of two equal names, which only damage can bring about, the first one counts.
            known.entry(name).or_insert(ino);
        }
        self.count += known.len();
        self.dirs.insert(dir, known);
    }

    pub(super) fn add(&mut self, dir: u32, name: &[u8], ino: u32) {
        if let Some(names) = self.dirs.get_mut(&dir) {
            names.insert(name.to_vec(), ino);
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, dir: u32, name: &[u8]) {
        if self.dirs.get_mut(&dir).is_some_and(|names| names.remove(name).is_some()) {
            self.count -= 1;
        }
    }

    /// Forgets a directory that is gone.
    pub(super) fn forget(&mut self, dir: u32) {
        self.count -= self.dirs.remove(&dir).map_or(0, |names| names.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_followed_in_known_directories_alone() {
        let mut names = Names::default();
        names.add(2, b"x", 11);
        assert!(names.of(2).is_none());
        names.learn(2, vec![(b"a".to_vec(), 12), (b"a".to_vec(), 13)]);
        names.add(2, b"b", 14);
        names.remove(2, b"none");
        assert_eq!((names.of(2).unwrap()[&b"a"[..]], names.count), (12, 2));
        names.remove(2, b"a");
        names.forget(2);
        assert_eq!((names.of(2), names.count), (None, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut names = Names::default();
        for dir in 0..5 {
            let some = (0..MAX_NAMES / 2).map(|name| (name.to_le_bytes().to_vec(), 1)).collect();
            names.learn(dir, some);
            assert!(names.count <= MAX_NAMES);
        }
        assert!(names.of(4).is_some() && names.of(0).is_none());
    }
}
