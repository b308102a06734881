//! Values of any type that go along with a request or a response.

use std::any::{Any, TypeId, type_name};
use std::fmt;

/// At most one value of each type. Empty, it holds no memory.
///
/// What goes around a handler hands values down to it in the request's
/// extensions and up to the server in the response's.
///
/// # Examples
///
/// ```
/// use tourbillon::server::Extensions;
///
/// #[derive(Debug, PartialEq)]
/// struct User(&'static str);
///
/// let mut extensions = Extensions::default();
/// extensions.insert(User("ann"));
/// assert_eq!(extensions.insert(User("bob")), Some(User("ann")));
/// assert_eq!(extensions.get::<User>(), Some(&User("bob")));
/// if let Some(user) = extensions.get_mut::<User>() {
///     user.0 = "carol";
/// }
/// assert_eq!(extensions.remove::<User>(), Some(User("carol")));
/// assert!(extensions.get::<User>().is_none());
/// ```
#[derive(Default)]
pub struct Extensions {
    /// A handful as a rule, so looked for one after the other.
    values: Vec<Extension>,
}

struct Extension {
    type_name: &'static str,
    type_id: TypeId,
    value: Box<dyn Any>,
}

impl Extensions {
    /// Drops all of them, and the memory.
    #[inline]
    pub(super) fn clear(&mut self) {
        if !self.values.is_empty() {
            self.values = Vec::new();
        }
    }

    /// Puts in a value, and returns the one of this type that was there.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        if let Some(known) = self.get_mut::<T>() {
            return Some(std::mem::replace(known, value));
        }
        self.values.push(Extension {
            type_name: type_name::<T>(),
            type_id: TypeId::of::<T>(),
            value: Box::new(value),
        });
        None
    }

    /// The value of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.values[self.position::<T>()?].value.downcast_ref()
    }

    /// The value of this type, to change.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let position = self.position::<T>()?;
        self.values[position].value.downcast_mut()
    }

    /// Takes out the value of this type.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let position = self.position::<T>()?;
        let value = self.values.swap_remove(position).value.downcast().ok()?;
        Some(*value)
    }

    fn position<T: 'static>(&self) -> Option<usize> {
        let wanted = TypeId::of::<T>();
        self.values.iter().position(|one| one.type_id == wanted)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.values.iter().map(|one| one.type_name);
        f.debug_set().entries(names).finish()
    }
}
