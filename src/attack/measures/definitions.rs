//! What every figure of the table means, in words that stand beside it.

use crate::attack::summary::Summary;

/// Names of figures with their definitions, in the order of the table.
pub fn all(summary: &Summary) -> Vec<(&'static str, String)> {
    let text = |text: &str| text.to_owned();
    let mut all = vec![
        (
            "defects",
            text(
                "images with a valid success, of those attacked (all of them classified correctly). A success is an input \
                 within the valid range and the limits that the reference engine, which shares no code with the one that \
                 searched, puts into another class than the label (into the chosen class, if one is), by as much as --confidence asks",
            ),
        ),
        (
            "of all",
            format!(
                "the same, and the images that the network gets wrong without any change, of all {}",
                summary.images
            ),
        ),
        (
            "pictures",
            text(
                "successes whose PNG file, read back, is a success for the reference engine, of all successes. The files of \
                 the others are called INDEX-lost-in-8-bits.png",
            ),
        ),
        ("values", text("L0: how many of the network's inputs differ at all; of successes")),
        ("pixels", text("positions at which at least one channel differs; of successes")),
        ("pixels %", text("the mean of the last as per cent of an image's pixels; of successes")),
        (
            "L1, L2, Linf",
            text(
                "norms of the change in pixels, whose values go from 0 to 1 whatever the network reads, as in --limit; before any \
                 rounding to pictures; of successes",
            ),
        ),
        ("seconds", text("wall-clock time of the method alone, of every attacked image, successful or not")),
        ("evaluations", text("points at which the network was evaluated, of every attacked image")),
        (
            "Pielou",
            text(
                "-sum p ln p / ln m over the m classes of the network, p being the part of the successes taken for a class",
            ),
        ),
        (
            "Frechet",
            format!(
                "distance of two normal distributions fitted to the features of the successes and of their originals: \
                 |difference of means|^2 + tr(S + T - 2 (S T)^(1/2)); features: {}",
                summary.features
            ),
        ),
        (
            "SSIM",
            text(
                "structural similarity to the original: window 11 x 11 (smaller for smaller images), Gaussian of deviation 1.5, K = 0.01 and 0.03, range 1; mean of successes",
            ),
        ),
        (
            "transfer",
            text(
                "successes that another network, which classifies the original correctly, classifies otherwise",
            ),
        ),
        (
            "own definition",
            text(
                "of methods that, as published, leave the valid range and the limits (marked *): their successes are counted here and never as valid; their distances are those of these results",
            ),
        ),
    ];
    if summary.rows.iter().any(|row| row.proved.is_some()) {
        all.push((
            "proved, gap",
            text(
                "of methods that prove how near a result can be (results.csv, results.json): no image that leads by what --confidence asks, of the network over \
                 real numbers, is nearer than the bound; gap is (distance - bound) / distance; proved where the search has ended, and without \
                 a bound where there is none within the limits at all",
            ),
        ));
    }
    all
}
