//! One long series: how much of its beginning is warm-up, and how sure its mean is.

use super::Summary;

/// How many values make a batch before the end of the warm-up is looked for, as the variant MSER-5 has it.
const BATCH: usize = 5;

/// How many values of the beginning are warm-up, by the marginal standard error rule, MSER-5: of all that could be cut off, in steps of five,
/// what leaves the smallest standard error of the mean of the rest, as if its values were independent:
///
/// ```text
///                   1
///   MSER(d) =  ──────────  Σ (Y_i − mean of the rest)²,   the sum over i > d, Y_i the means of five
///               (n − d)²
/// ```
///
/// At most half is cut off. [`None`] if there are fewer than ten batches, or if cutting off half leaves the smallest: then the series shows
/// no end of a warm-up.
///
/// Sources: K. P. White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69 (1997);
/// K. P. White, M. J. Cobb and S. C. Spratt, "A comparison of five steady-state truncation heuristics for simulation",
/// Winter Simulation Conference (2000).
#[must_use]
pub fn mser(series: &[f64]) -> Option<usize> {
    let batches = means(series, BATCH);
    let n = batches.len();
    if n < 10 || batches.iter().any(|value| !value.is_finite()) {
        return None;
    }
    // From the end, so that sums need no subtraction (Welford).
    let (mut mean, mut squares, mut best) = (0.0, 0.0, (f64::INFINITY, 0));
    for (cut, value) in batches.iter().enumerate().rev() {
        let count = (n - cut) as f64;
        let apart = value - mean;
        mean += apart / count;
        squares += apart * (value - mean);
        // The last few are alike by chance, where neighbours are alike.
        if cut <= n / 2 && squares / (count * count) <= best.0 {
            best = (squares / (count * count), cut);
        }
    }
    (best.1 < n / 2).then_some(best.1 * BATCH)
}

/// The mean of a series of which neighbours are alike, with an interval: the means of `batches` equal parts are taken as independent, which
/// they are if a part is much longer than what one value has to do with the next. What does not fill a batch is left out at the beginning.
/// [`None`] if there are fewer than two values for each batch.
///
/// Source: A. M. Law, Simulation Modeling and Analysis, 5th ed. (2015), section 9.5.3; B. Schmeiser, "Batch size effects in the analysis of
/// simulation output", Operations Research 30 (1982), who finds that 10 to 30 batches are enough.
#[must_use]
pub fn batch_means(series: &[f64], batches: usize) -> Option<Summary> {
    let size = series.len().checked_div(batches)?;
    if size < 2 {
        return None;
    }
    Some(Summary::of(&means(&series[series.len() - size * batches..], size)))
}

fn means(series: &[f64], size: usize) -> Vec<f64> {
    series.chunks_exact(size).map(|batch| batch.iter().sum::<f64>() / size as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that look random, are the same everywhere, and have the mean 0 over each 10.
    fn noise(n: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7 + i / 10 * 3) % 10) as f64 - 4.5).collect()
    }

    #[test]
    fn a_step_is_cut_off_where_it_ends() {
        let mut series = noise(200);
        series[..30].iter_mut().for_each(|value| *value -= 50.0);
        assert_eq!(mser(&series), Some(30));
        assert_eq!(mser(&noise(200)).map(|cut| cut < 50), Some(true));
    }

    #[test]
    fn the_smallest_standard_error_counts() {
        // Twelve batches: 10, 4, 1 and nine of ±1, of which the sum is 1. With nothing cut off it is (126 − 16²/12)/12² = 0.73; without
        // the 10, (26 − 6²/11)/11² = 0.19; without the 4 too, (10 − 2²/10)/10² = 0.096; without the 1 too, (9 − 1²/9)/9² = 0.110.
        let batches = [10.0, 4.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0];
        let series: Vec<f64> = batches.iter().flat_map(|&value| [value; BATCH]).collect();
        assert_eq!(mser(&series), Some(10));
    }

    #[test]
    fn what_never_settles_has_no_warm_up() {
        let growing: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!(mser(&growing), None);
        assert_eq!(mser(&[1.0; 40]), None, "too short");
        assert_eq!(mser(&[1.0; 200]), Some(0));
    }

    #[test]
    fn batches_are_counted_by_hand() {
        // Batches of 2 from the end: (1, 3), (5, 7), (3, 5): 2, 6, 4. Student's t for 2 degrees of freedom is 4.303, the deviation 2.
        let it = batch_means(&[100.0, 1.0, 3.0, 5.0, 7.0, 3.0, 5.0], 3).expect("there are enough");
        assert_eq!((it.n, it.mean, it.sd), (3, 4.0, 2.0));
        assert!((it.half() - 4.302_653 * 2.0 / 3.0_f64.sqrt()).abs() < 1e-5);
        assert_eq!(batch_means(&[1.0; 5], 3), None);
    }
}
