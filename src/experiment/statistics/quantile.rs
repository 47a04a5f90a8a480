//! Quantiles, with intervals that ask nothing of the law of the values.
//!
//! How many of n values lie below the true quantile q is binomial (n, q). So two of the sorted values hold the quantile between them with
//! a probability that is a sum of binomial terms, whatever the law is; for a law with steps, with at least that.
//!
//! Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1; W. J. Conover, Practical Nonparametric
//! Statistics, 3rd ed. (1999), section 3.2.

/// A quantile of values that were seen, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// The quantile: the smallest value with at least the share `q` of them at or below it. The middle of the two middle ones for the
    /// median of an even number.
    pub value: f64,
    /// The lower end of the interval; minus infinity if there are too few values for one.
    pub low: f64,
    /// Its upper end; infinite if there are too few.
    pub high: f64,
}

/// The quantile `q`, between 0 and 1, of values, with its interval; [`None`] without values. Those that are not numbers are left out.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<Quantile> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let rank = (libm::ceil(q * n as f64) as usize).clamp(1, n.max(1));
    let mut value = *sorted.get(rank - 1)?;
    if q == 0.5 && n.is_multiple_of(2) {
        value = f64::midpoint(value, sorted[rank]);
    }
    let (below, above) = ranks(n, q);
    Some(Quantile {
        value,
        low: below.map_or(f64::NEG_INFINITY, |rank| sorted[rank - 1]),
        high: above.map_or(f64::INFINITY, |rank| sorted[rank - 1]),
    })
}

/// The ranks, from 1, of the sorted values between which the quantile lies: at most 2.5 % of probability is left out at each side.
/// [`None`] where even the outermost leaves out more.
#[must_use]
pub fn ranks(n: usize, q: f64) -> (Option<usize>, Option<usize>) {
    // The lower is the largest r with P(fewer than r at or below) ≤ 2.5 %, the upper the smallest with P(r or more) ≤ 2.5 %.
    let (mut below, mut cumulated) = (None, 0.0);
    for count in 0..n {
        cumulated += binomial(n, q, count);
        if cumulated > 0.025 {
            break;
        }
        below = Some(count + 1);
    }
    let (mut above, mut cumulated) = (None, 0.0);
    for count in (1..=n).rev() {
        cumulated += binomial(n, q, count);
        if cumulated > 0.025 {
            break;
        }
        above = Some(count);
    }
    (below, above)
}

fn binomial(n: usize, q: f64, k: usize) -> f64 {
    let log = |n: usize| libm::lgamma(n as f64 + 1.0);
    libm::exp(log(n) - log(k) - log(n - k) + k as f64 * libm::log(q) + (n - k) as f64 * libm::log(1.0 - q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_for_the_median_are_the_published_ones() {
        // W. J. Dixon and F. J. Massey, Introduction to Statistical Analysis, table A-25 (at least 95 %): the k-th smallest and largest.
        for (n, k) in [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (50, 18)] {
            assert_eq!(ranks(n, 0.5), (Some(k), Some(n + 1 - k)), "{n}");
        }
        assert_eq!(ranks(5, 0.5), (None, None), "2 × 2⁻⁵ is more than 5 %");
    }

    #[test]
    fn far_out_one_side_is_open() {
        // 0.99¹⁰⁰ = 37 %: the largest of a hundred is no upper end for the 99th percentile.
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let it = quantile(&values, 0.99).expect("there are values");
        assert_eq!((it.value, it.high), (99.0, f64::INFINITY));
        // P(at most 96 below) = 1.8 %, P(at most 97 below) = 7.9 %.
        assert_eq!(it.low, 97.0);
    }

    #[test]
    fn runs_that_never_recover_have_their_place_at_the_end() {
        let inf = f64::INFINITY;
        let it = quantile(&[3.0, inf, 1.0, 2.0, f64::NAN, 4.0, 5.0], 0.5).expect("there are values");
        assert_eq!((it.value, it.low, it.high), (3.5, 1.0, inf));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
