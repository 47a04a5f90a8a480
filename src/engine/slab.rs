//! A slab: things with numbers, whose places are used again.
//!
//! A [`Handle`] names a place and its occupant, so that a handle to something that is gone finds nothing instead
//! of its successor. Memory follows the largest number that was ever alive at once.

/// A place in a [`Slab`] and who was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    index: u32,
    /// Odd while somebody is in the place; counts moves in and out.
    turn: u32,
}

impl Handle {
    /// A handle that never finds anything.
    pub const NONE: Self = Self { index: u32::MAX, turn: 0 };

    /// The number of the place.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

impl Default for Handle {
    fn default() -> Self {
        Self::NONE
    }
}

/// Things with numbers, whose places are used again.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    places: Vec<(u32, T)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts a thing into a free place.
    ///
    /// # Panics
    /// With more than 2³² things alive; the limit on memory is reached long before.
    #[inline]
    pub fn insert(&mut self, thing: T) -> Handle {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            place.0 = place.0.wrapping_add(1);
            place.1 = thing;
            return Handle { index, turn: place.0 };
        }
        let index = u32::try_from(self.places.len()).expect("a slab holds fewer than 2^32 things");
        self.places.push((1, thing));
        Handle { index, turn: 1 }
    }

    /// Frees a place. What was in it stays in memory until the place is used again.
    ///
    /// # Panics
    /// When nobody is there: somebody freed it twice.
    #[inline]
    pub fn remove(&mut self, handle: Handle) {
        let place = &mut self.places[handle.index()];
        assert_eq!(place.0, handle.turn, "a thing was removed from its slab twice");
        place.0 = place.0.wrapping_add(1);
        self.free.push(handle.index);
    }

    /// Whether the handle still finds its thing.
    #[must_use]
    #[inline]
    pub fn has(&self, handle: Handle) -> bool {
        self.places.get(handle.index()).is_some_and(|place| place.0 == handle.turn)
    }

    /// The thing, if it is still there.
    #[must_use]
    #[inline]
    pub fn get(&self, handle: Handle) -> Option<&T> {
        self.places.get(handle.index()).filter(|place| place.0 == handle.turn).map(|place| &place.1)
    }

    /// The thing, if it is still there.
    #[must_use]
    #[inline]
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        self.places.get_mut(handle.index()).filter(|place| place.0 == handle.turn).map(|place| &mut place.1)
    }

    /// How many are alive.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether nobody is alive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that are alive, in order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.places.iter().enumerate().filter(|(_, place)| place.0 % 2 == 1).map(|(index, place)| {
            // The number of places fits: `insert` checked it.
            (Handle { index: index as u32, turn: place.0 }, &place.1)
        })
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u32, T)>() + self.free.capacity() * size_of::<u32>()
    }
}

impl<T> std::ops::Index<Handle> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, handle: Handle) -> &T {
        self.get(handle).expect("the handle's thing is still in its slab")
    }
}

impl<T> std::ops::IndexMut<Handle> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, handle: Handle) -> &mut T {
        self.get_mut(handle).expect("the handle's thing is still in its slab")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_does_not_find_the_successor_of_its_thing() {
        let mut slab = Slab::default();
        let first = slab.insert('a');
        slab.remove(first);
        let second = slab.insert('b');
        assert_eq!(first.index(), second.index(), "the place is used again");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab[second], 'b');
        assert_eq!(slab.get(Handle::NONE), None);
    }

    #[test]
    fn memory_follows_the_largest_number_alive() {
        let mut slab = Slab::default();
        for n in 0..100_000 {
            let handle = slab.insert(n);
            slab.remove(handle);
        }
        assert!(slab.is_empty());
        assert!(slab.bytes() < 1_000, "{} bytes", slab.bytes());
    }
}
