//! Values that wait to be used again.

use std::cell::Cell;

/// At most `MAX` values that wait to be used again. What was given last is taken
/// first: that is in the processor's cache.
///
/// Nothing is borrowed at any time, so what is dropped may run anything.
pub(crate) struct Spares<T, const MAX: usize>([Cell<Option<T>>; MAX]);

impl<T, const MAX: usize> Spares<T, MAX> {
    pub(crate) const fn new() -> Self {
        Spares([const { Cell::new(None) }; MAX])
    }

    /// Takes one, if there is any.
    #[inline]
    pub(crate) fn take(&self) -> Option<T> {
        self.0.iter().find_map(Cell::take)
    }

    /// Keeps a value, and gives back what has waited longest if there is no
    /// more room.
    #[inline]
    pub(crate) fn give(&self, value: T) -> Option<T> {
        let mut homeless = Some(value);
        for place in &self.0 {
            homeless = place.replace(homeless);
            if homeless.is_none() {
                break;
            }
        }
        homeless
    }
}

#[cfg(test)]
mod tests {
    use super::Spares;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn what_is_given_is_taken_again_and_no_more_is_kept_than_there_is_room_for() {
        let spares = Spares::<_, 3>::new();
        assert_eq!(spares.take(), None);
        let left = [0, 1, 2, 3, 4].map(|number| spares.give(number));
        assert_eq!(left, [None, None, None, Some(0), Some(1)]);
        let taken = [(); 4].map(|()| spares.take());
        assert_eq!(taken, [Some(4), Some(3), Some(2), None]);
    }

    /// What is dropped for want of room gives and takes meanwhile.
    #[test]
    fn what_is_dropped_may_do_anything() {
        struct Hostile(Rc<Spares<Hostile, 2>>, Rc<RefCell<u32>>);
        impl Drop for Hostile {
            fn drop(&mut self) {
                let depth = *self.1.borrow();
                *self.1.borrow_mut() += 1;
                if depth < 3 {
                    drop(self.0.take());
                    drop(self.0.give(Hostile(Rc::clone(&self.0), Rc::clone(&self.1))));
                }
            }
        }
        let (spares, drops) = (Rc::new(Spares::new()), Rc::default());
        for _ in 0..3 {
            drop(spares.give(Hostile(Rc::clone(&spares), Rc::clone(&drops))));
        }
        while spares.take().is_some() {}
        assert!(*drops.borrow() >= 3);
    }
}
