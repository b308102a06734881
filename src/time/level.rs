//! The six levels: which slot a deadline belongs to, and which filled slot comes first.
//!
//! The one hard fact: a filled slot lies strictly after `elapsed` and within the turn of its
//! level that `elapsed` stands in. So a slot's number and `elapsed` together say when it begins,
//! and no level ever wraps.

use super::entries::{Entries, List};

/// 64 slots, so that one word says which are filled.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;
/// 2^36 ticks, 2.2 years: what all levels together span.
const HORIZON_BITS: u32 = SLOT_BITS * LEVELS as u32;

/// The list a timer is filed in.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// The deadline had come when the timer was filed.
    Overdue,
    /// In a slot of a level.
    Slot { level: u8, slot: u8 },
    /// Beyond the 2^36-tick block that `elapsed` stands in.
    Far,
}

impl Place {
    /// Says where a timer belongs.
    #[inline]
    pub(super) fn of(deadline: u64, elapsed: u64) -> Place {
        if deadline <= elapsed {
            return Place::Overdue;
        }
        let differing_bit = (deadline ^ elapsed).ilog2();
        if differing_bit >= HORIZON_BITS {
            return Place::Far;
        }
        let level = differing_bit / SLOT_BITS;
        let slot = (deadline >> (level * SLOT_BITS)) % SLOTS as u64;
        Place::Slot {
            level: level as u8,
            slot: slot as u8,
        }
    }

    /// Returns the tick at which the wheel looks into this list; what is overdue, at once.
    #[inline]
    pub(super) fn begins(self, elapsed: u64) -> u64 {
        match self {
            Place::Overdue => elapsed,
            Place::Slot { level, slot } => {
                let shift = u32::from(level) * SLOT_BITS;
                turn_of(elapsed, shift + SLOT_BITS) | u64::from(slot) << shift
            }
            // Nothing is far in the last block there is, so this saturates only when not asked.
            Place::Far => turn_of(elapsed, HORIZON_BITS).saturating_add(1 << HORIZON_BITS),
        }
    }
}

/// Returns the first tick of the block of 2^36 ticks that `tick` lies in.
pub(super) fn horizon_block(tick: u64) -> u64 {
    turn_of(tick, HORIZON_BITS)
}

#[inline]
fn turn_of(tick: u64, bits: u32) -> u64 {
    tick >> bits << bits
}

/// The slots of all levels.
pub(super) struct Levels {
    /// One bit a slot: set while its list holds anything. Kept together, apart from the lists,
    /// so that a turn of the loop with nothing due touches one cache line.
    occupied: [u64; LEVELS],
    slots: [[List; SLOTS]; LEVELS],
}

impl Levels {
    pub(super) fn new() -> Self {
        Levels {
            occupied: [0; LEVELS],
            slots: [[List::EMPTY; SLOTS]; LEVELS],
        }
    }

    #[inline]
    pub(super) fn push_back<T>(
        &mut self,
        entries: &mut Entries<T>,
        (level, slot): (u8, u8),
        index: u32,
    ) {
        self.slots[usize::from(level)][usize::from(slot)].push_back(entries, index);
        self.occupied[usize::from(level)] |= 1 << slot;
    }

    #[inline]
    pub(super) fn unlink<T>(
        &mut self,
        entries: &mut Entries<T>,
        (level, slot): (u8, u8),
        index: u32,
    ) {
        let list = &mut self.slots[usize::from(level)][usize::from(slot)];
        list.unlink(entries, index);
        if list.is_empty() {
            self.occupied[usize::from(level)] &= !(1 << slot);
        }
    }

    /// Empties a slot and returns what it held.
    pub(super) fn take(&mut self, (level, slot): (u8, u8)) -> List {
        self.occupied[usize::from(level)] &= !(1 << slot);
        std::mem::replace(
            &mut self.slots[usize::from(level)][usize::from(slot)],
            List::EMPTY,
        )
    }

    /// Returns the filled slot that begins first.
    ///
    /// All that a level holds comes before anything on the level above, so no two are compared.
    #[inline]
    pub(super) fn first(&self) -> Option<(u8, u8)> {
        let level = self.occupied.iter().position(|&word| word != 0)?;
        Some((level as u8, self.occupied[level].trailing_zeros() as u8))
    }
}
