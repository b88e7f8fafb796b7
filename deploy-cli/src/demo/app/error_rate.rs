//! Which requests are answered with an error.

/// The share of requests that are answered with an error, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorRate(u32);

impl ErrorRate {
    /// `share` from 0 to 1, rounded to a millionth; `None` outside.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then(|| Self((share * 1e6).round() as u32))
    }

    /// Whether request `number`, counted from 0, fails.
    ///
    /// Of the first n requests exactly the rounded-down share fails, for every n: a measurement repeats exactly.
    pub fn fails(self, number: u64) -> bool {
        let failed_before = |count: u64| u128::from(count) * u128::from(self.0) / 1_000_000;
        failed_before(number + 1) > failed_before(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_share_of_every_prefix_fails() {
        for share in [0.0, 0.01, 0.29, 0.5, 1.0] {
            let rate = ErrorRate::new(share).unwrap();
            let mut failed = 0;
            for number in 0..1_000_u64 {
                failed += u64::from(rate.fails(number));
                let millionths = (share * 1e6).round() as u64;
                assert_eq!(failed, (number + 1) * millionths / 1_000_000, "share {share}, request {number}");
            }
        }
    }

    #[test]
    fn a_share_outside_0_to_1_is_none() {
        for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(ErrorRate::new(share), None);
        }
    }
}
