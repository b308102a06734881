//! What a waker carries: an integer that names a task.
//!
//! ```text
//!   63        48 47              24 23               0
//!  ┌────────────┬──────────────────┬──────────────────┐
//!  │ runtime 16 │  generation 24   │     slot 24      │
//!  └────────────┴──────────────────┴──────────────────┘
//! ```
//!
//! A ticket may outlive its task, its slot's next task, its runtime and its
//! thread. The generation tells a slot's tasks apart, and a slot retires for
//! good before its generation wraps, so a stale ticket never matches again.

/// Names one task of one runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 24;

/// The largest slot number: 16.7 million tasks at once.
pub(crate) const SLOT_MAX: u32 = (1 << SLOT_BITS) - 1;

/// The generation at which a slot retires. Small under test, so that the
/// model test meets it.
pub(crate) const GENERATION_MAX: u32 = if cfg!(test) {
    3
} else {
    (1 << GENERATION_BITS) - 1
};

impl Ticket {
    /// Two that name no task, as no runtime has the number zero.
    pub(super) const NOBODY: Ticket = Ticket(0);
    pub(super) const STRANGER: Ticket = Ticket(1);

    #[inline]
    pub(crate) fn new(runtime: u16, generation: u32, slot: u32) -> Self {
        debug_assert!(slot <= SLOT_MAX && generation <= GENERATION_MAX);
        let high = u64::from(runtime) << (GENERATION_BITS + SLOT_BITS);
        Ticket(high | u64::from(generation) << SLOT_BITS | u64::from(slot))
    }

    #[inline]
    pub(crate) fn runtime(self) -> u16 {
        (self.0 >> (GENERATION_BITS + SLOT_BITS)) as u16
    }

    #[inline]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> SLOT_BITS) as u32 & ((1 << GENERATION_BITS) - 1)
    }

    #[inline]
    pub(crate) fn slot(self) -> u32 {
        self.0 as u32 & SLOT_MAX
    }

    /// The ticket as a word for a waker to carry.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Ticket(bits)
    }
}
