//! The only source of chance: a number that a seed began.

/// Dice whose throws follow from the seed alone, on every machine.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike (splitmix64), and xorshift stands still at zero.
        let mut state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Dice((state ^ (state >> 31)).max(1))
    }

    /// Dice of their own for a part of the world, so that parts do not shift each other's throws.
    pub(super) fn fork(&mut self) -> Self {
        Dice::new(self.roll())
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((self.roll() >> 16) % end as u64) as usize
    }

    /// A number from `least` to `most`, both included.
    pub(super) fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// True once in `count` throws.
    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// A size from one to `most`: small ones as likely as large ones.
    pub(super) fn size(&mut self, most: usize) -> usize {
        let bits = most.ilog2() as usize + 1;
        let bound = most.min(1 << self.between(0, bits));
        self.between(1, bound)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
