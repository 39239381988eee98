//! The separable CMA evolution strategy, one generation a block: asked for points, told losses.
//!
//! Ros and Hansen, "A simple modification in CMA-ES achieving linear time and space complexity", 2008: the covariance
//! matrix is diagonal and learns faster by (n + 2)/3. Search points are in the unit cube; what is drawn outside of it is
//! moved to its face. The loss is to be made large, and only its order matters: the way over plateaus that slope
//! too little for a gradient.

use crate::random::Random;

/// A distribution of search points, and what it has learnt.
#[derive(Debug, Clone)]
pub struct Separable {
    /// Logarithmic weights of the better half.
    weights: Vec<f64>,
    /// `1 / Σ weights²`.
    mass: f64,
    rates: Rates,
    mean: Vec<f64>,
    sigma: f64,
    /// Diagonal of the covariance matrix.
    variance: Vec<f64>,
    step_path: Vec<f64>,
    shape_path: Vec<f64>,
    generation: i32,
    /// `dimensions × lanes` points of the unit cube, lanes innermost.
    points: Vec<f64>,
    order: Vec<usize>,
    random: Random,
}

#[derive(Debug, Clone, Copy)]
struct Rates {
    step: f64,
    damping: f64,
    shape: f64,
    one: f64,
    many: f64,
    /// Expected length of a standard normal vector.
    length: f64,
}

impl Rates {
    fn new(n: f64, mass: f64) -> Self {
        let step = (mass + 2.0) / (n + mass + 5.0);
        let faster = (n + 2.0) / 3.0;
        let one = (faster * 2.0 / ((n + 1.3).powi(2) + mass)).min(1.0);
        let many = faster * 2.0 * (mass - 2.0 + 1.0 / mass) / ((n + 2.0).powi(2) + mass);
        Self {
            step,
            damping: 1.0 + 2.0 * (((mass - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + step,
            shape: (4.0 + mass / n) / (n + 4.0 + 2.0 * mass / n),
            one,
            many: many.clamp(0.0, 1.0 - one),
            length: n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)),
        }
    }
}

impl Separable {
    /// A strategy in `dimensions ≥ 1` with `lanes ≥ 4` points a generation, round the cube's centre.
    pub fn new(dimensions: usize, lanes: usize, random: Random) -> Self {
        let half = (lanes / 2).max(1);
        let raw: Vec<f64> = (1..=half).map(|i| ((half as f64 + 0.5) / i as f64).ln()).collect();
        let sum: f64 = raw.iter().sum();
        let weights: Vec<f64> = raw.iter().map(|w| w / sum).collect();
        let mass = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
        Self {
            rates: Rates::new(dimensions.max(1) as f64, mass),
            weights,
            mass,
            mean: vec![0.5; dimensions],
            sigma: 0.3,
            variance: vec![1.0; dimensions],
            step_path: vec![0.0; dimensions],
            shape_path: vec![0.0; dimensions],
            generation: 0,
            points: vec![0.5; dimensions * lanes],
            order: (0..lanes).collect(),
            random,
        }
    }

    /// Begins anew round a point of the unit cube, which `mean` writes, with this standard deviation.
    pub fn start(&mut self, sigma: f64, mean: impl FnOnce(&mut [f64], &mut Random)) {
        mean(&mut self.mean, &mut self.random);
        self.sigma = sigma;
        self.variance.fill(1.0);
        self.step_path.fill(0.0);
        self.shape_path.fill(0.0);
        self.generation = 0;
        self.draw();
    }

    /// The points whose losses are asked for: a block of the unit cube.
    pub fn points(&self) -> &[f64] {
        &self.points
    }

    /// The largest standard deviation of a dimension.
    pub fn widest(&self) -> f64 {
        self.sigma * self.variance.iter().copied().fold(0.0, f64::max).sqrt()
    }

    /// Takes the losses of the points, one a lane, and moves on to the next generation.
    pub fn tell(&mut self, loss: impl Fn(usize) -> f64) {
        self.order.sort_by(|&a, &b| loss(b).total_cmp(&loss(a)).then(a.cmp(&b)));
        self.generation += 1;
        let lanes = self.order.len();
        let rates = self.rates;
        let keep = (rates.step * (2.0 - rates.step) * self.mass).sqrt();
        for (i, path) in self.step_path.iter_mut().enumerate() {
            let row = &self.points[i * lanes..][..lanes];
            let ranked = self.weights.iter().zip(&self.order);
            let moved = ranked.map(|(w, &lane)| w * (row[lane] - self.mean[i])).sum::<f64>() / self.sigma;
            *path = (1.0 - rates.step) * *path + keep * moved / self.variance[i].sqrt();
        }
        let length = self.step_path.iter().map(|p| p * p).sum::<f64>().sqrt();
        let settled = (1.0 - (1.0 - rates.step).powi(2 * self.generation)).sqrt();
        let steady = length / settled < (1.4 + 2.0 / (self.mean.len() as f64 + 1.0)) * rates.length;
        self.learn(if steady { 1.0 } else { 0.0 });
        self.sigma *= ((rates.step / rates.damping) * (length / rates.length - 1.0)).exp().min(2.0);
        self.draw();
    }

    /// Moves the mean and learns the variances; `steady` is 0 while steps grow too fast to learn a direction from.
    fn learn(&mut self, steady: f64) {
        let (lanes, rates) = (self.order.len(), self.rates);
        let keep = (rates.shape * (2.0 - rates.shape) * self.mass).sqrt();
        for i in 0..self.mean.len() {
            let (row, mean) = (&self.points[i * lanes..][..lanes], self.mean[i]);
            let (mut first, mut second) = (0.0, 0.0);
            for (w, &lane) in self.weights.iter().zip(&self.order) {
                let y = (row[lane] - mean) / self.sigma;
                first += w * y;
                second += w * y * y;
            }
            self.mean[i] = mean + self.sigma * first;
            let path = (1.0 - rates.shape) * self.shape_path[i] + steady * keep * first;
            self.shape_path[i] = path;
            let lost = (1.0 - steady) * rates.one * rates.shape * (2.0 - rates.shape);
            let old = (1.0 - rates.one - rates.many + lost) * self.variance[i];
            self.variance[i] = (old + rates.one * path * path + rates.many * second).max(1e-20);
        }
    }

    fn draw(&mut self) {
        let lanes = self.order.len();
        for (i, row) in self.points.chunks_exact_mut(lanes).enumerate() {
            let deviation = self.sigma * self.variance[i].sqrt();
            for x in row {
                *x = (self.mean[i] + deviation * self.random.normal()).clamp(0.0, 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs so many generations and returns the best loss.
    fn run(dimensions: usize, lanes: usize, generations: usize, loss: impl Fn(&[f64]) -> f64) -> f64 {
        let mut kernel = Separable::new(dimensions, lanes, Random::new(3));
        kernel.start(0.3, |mean, _| mean.fill(0.5));
        let mut best = f64::NEG_INFINITY;
        for _ in 0..generations {
            let losses: Vec<f64> = (0..lanes)
                .map(|l| loss(&kernel.points().iter().skip(l).step_by(lanes).copied().collect::<Vec<_>>()))
                .collect();
            assert!(kernel.points().iter().all(|x| (0.0..=1.0).contains(x)));
            best = losses.iter().copied().fold(best, f64::max);
            kernel.tell(|l| losses[l]);
        }
        best
    }

    #[test]
    fn maxima_are_found_inside_at_corners_and_along_badly_scaled_axes() {
        let check = |name: &str, dimensions: usize, least: f64, loss: &dyn Fn(&[f64]) -> f64| {
            for lanes in [16, 64] {
                let best = run(dimensions, lanes, 300, loss);
                assert!(best > least, "{name} in {dimensions} dimensions, {lanes} lanes: {best}");
            }
        };
        for n in [1, 5, 20] {
            check("sphere", n, -1e-6, &|x| -x.iter().map(|x| (x - 0.3).powi(2)).sum::<f64>());
            check("corner", n, n as f64 - 1e-3, &|x| x.iter().sum());
        }
        let scaled = |x: &[f64]| {
            let terms = x.iter().enumerate();
            -terms.map(|(i, x)| 10f64.powi(i as i32) * (x - 0.7).powi(2)).sum::<f64>()
        };
        check("scaled", 6, -1e-5, &scaled);
        // Steps of a tenth: no gradient anywhere.
        let steps = |x: &[f64]| -x.iter().map(|x| (10.0 * (x - 0.25).abs()).floor()).sum::<f64>();
        check("steps", 8, -0.5, &steps);
    }

    #[test]
    fn only_the_order_of_losses_counts() {
        let loss = |x: &[f64]| -x.iter().map(|x| (x - 0.3).powi(2)).sum::<f64>();
        assert_eq!(run(4, 16, 50, loss).exp(), run(4, 16, 50, |x| loss(x).exp()));
    }
}
