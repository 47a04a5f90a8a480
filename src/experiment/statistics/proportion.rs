//! Shares of runs, with Wilson's interval.
//!
//! Of n runs, k end in some way. The interval of the usual formula, p ± 1.96 √(p (1 − p)/n), has no width when all end alike, which is
//! most of the time here. Wilson's turns the question round: which shares could have brought about what was seen?
//!
//! Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. Amer. Statist. Assoc. 22 (1927).
//! That it is the one to use for few runs: L. D. Brown, T. T. Cai and A. DasGupta, Statistical Science 16 (2001).

/// The 97.5 % quantile of the normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share, of which `k` in `n` were seen. Without any runs it is everything.
///
/// ```
/// let (low, high) = blackstart::experiment::statistics::proportion::wilson(19, 20);
/// assert!((low - 0.764).abs() < 5e-4 && (high - 0.991).abs() < 5e-4);
/// ```
#[must_use]
pub fn wilson(k: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (low, high) = of_share(k as f64 / n as f64, n as f64);
    // None and all are possible where none and all were seen; rounding must not say otherwise.
    (if k == 0 { 0.0 } else { low }, if k == n { 1.0 } else { high })
}

fn of_share(share: f64, n: f64) -> (f64, f64) {
    let square = Z * Z;
    let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
    let half = Z / (1.0 + square / n) * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    (middle - half, middle + half)
}

/// About how many runs would keep the interval of a share clear of a bound, if the share stays what it is; [`None`] if no number
/// would, or more than ten million.
#[must_use]
pub fn runs_to_decide(share: f64, bound: f64) -> Option<usize> {
    // From the test that belongs to the interval: (p − b)² n ≥ z² b (1 − b).
    let apart = share - bound;
    let needed = libm::ceil(Z * Z * bound * (1.0 - bound) / (apart * apart));
    // At a bound of 0 or 1 the interval leaves it only when it is left itself.
    (needed <= 1e7).then_some((needed as usize).max(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_the_published_ones() {
        // R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I,
        // method 3.
        for (k, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let ours = wilson(k, n);
            assert!((ours.0 - low).abs() < 5.1e-5 && (ours.1 - high).abs() < 5.1e-5, "{k} of {n}: {ours:?}");
        }
        assert_eq!(wilson(20, 20).1, 1.0);
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn as_many_runs_as_are_said_to_decide_do() {
        for (share, bound) in [(0.75, 0.5), (1.0, 0.9), (0.4, 0.5), (0.0, 0.05)] {
            let n = runs_to_decide(share, bound).expect("they are apart");
            let clear = |n: usize| {
                let (low, high) = of_share(share, n as f64);
                low > bound || high < bound
            };
            assert!(clear(n + 1) && !clear(n - 2), "{share} {bound}: {n}");
        }
        assert_eq!(runs_to_decide(0.5, 0.5), None);
    }
}
