//! Times, counted in buckets that are at most 3 % wide: memory that stays the same, however many.

/// Buckets to each doubling.
const PARTS: usize = 32;

pub struct Percentiles {
    counts: Vec<u64>,
}

impl Default for Percentiles {
    fn default() -> Self {
        let counts = vec![0; 60 * PARTS];
        Percentiles { counts }
    }
}

impl Percentiles {
    #[inline]
    pub fn add(&mut self, nanos: u64) {
        let shift = (nanos | PARTS as u64).ilog2() - PARTS.ilog2();
        self.counts[shift as usize * PARTS + (nanos >> shift) as usize] += 1;
    }

    /// Takes in what others have counted.
    pub fn add_all(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// The lower end of the bucket with the value below which this part of all lies.
    pub fn at(&self, part: f64) -> u64 {
        let mut left = (self.counts.iter().sum::<u64>() as f64 * part) as u64;
        for (place, &count) in self.counts.iter().enumerate() {
            if left < count {
                let shift = (place / PARTS).saturating_sub(1);
                return ((place - shift * PARTS) as u64) << shift;
            }
            left -= count;
        }
        0
    }
}

#[test]
fn buckets_hold_what_was_added() {
    for nanos in [
        0,
        1,
        31,
        32,
        63,
        64,
        1_000,
        123_456_789,
        u64::from(u32::MAX),
    ] {
        let mut all = Percentiles::default();
        all.add(nanos);
        let at = all.at(0.5);
        assert!(
            at <= nanos && nanos - at <= nanos / 32,
            "{nanos} became {at}"
        );
    }
}
