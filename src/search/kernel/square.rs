//! The steps of the Square Attack, for many restarts at once: asked for points, told losses.
//!
//! Andriushchenko, Croce, Flammarion and Hein, "Square Attack: a query-efficient black-box adversarial attack via
//! random search", 2020, the L∞ variant. All values are at the ends of their intervals. It starts with stripes one
//! column wide, each channel of a stripe at a random end; every query moves a random square, each channel to one
//! random end, and is kept if the loss rises. The square's side is `√(p · height · width)`; `p` begins at 0.8 and is
//! halved after 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries, scaled to the number planned.
//!
//! Where inputs form no grid, a square is a random set of `p · free` inputs, each at a random end of its own.
//!
//! The kernel knows boxes only, neither networks nor properties. Blocks hold `dimensions × lanes` numbers, lanes
//! innermost; the loss is to be made large.

use crate::network::Real;
use crate::random::Random;

const FIRST_SHARE: f64 = 0.8;
/// Queries of 10,000 after which the share is halved.
const HALVINGS: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];
const SCHEDULE: usize = 10_000;
/// Draws of a square until it changes something.
const DRAWS: usize = 8;

/// How flat inputs lie on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Values of a pixel.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Whether a pixel's values lie next to each other, instead of in planes of their own.
    pub channels_last: bool,
}

impl Grid {
    /// The grid of an input of this ONNX shape: `[1, c, h, w]`, or `[1, h, w, c]` where only the last number is as
    /// small as a number of channels (up to 4), or `[1, h, w]`; a grid has at least two rows and columns.
    pub fn of_shape(shape: &[usize]) -> Option<Self> {
        let (channels, height, width, channels_last) = match *shape {
            [1, h, w, c] if c <= 4 && h > 4 && w > 4 => (c, h, w, true),
            [1, c, h, w] => (c, h, w, false),
            [1, h, w] => (1, h, w, false),
            _ => return None,
        };
        let is_grid = channels > 0 && height > 1 && width > 1;
        is_grid.then_some(Self { channels, height, width, channels_last })
    }

    /// The flat index of a value.
    fn index(&self, channel: usize, row: usize, column: usize) -> usize {
        let pixel = row * self.width + column;
        if self.channels_last {
            pixel * self.channels + channel
        } else {
            channel * self.height * self.width + pixel
        }
    }
}

/// The share of the values that a query changes: `query` of `planned`.
pub fn share(query: usize, planned: usize) -> f64 {
    let scaled = query as f64 / planned.max(1) as f64 * SCHEDULE as f64;
    let halvings = HALVINGS.iter().filter(|&&at| scaled > at as f64).count();
    FIRST_SHARE / f64::from(1u32 << halvings)
}

/// A block of restarts.
#[derive(Debug, Clone)]
pub struct Square<T> {
    lower: Vec<T>,
    upper: Vec<T>,
    free: Vec<usize>,
    grid: Option<Grid>,
    lanes: usize,
    planned: usize,
    told: usize,
    points: Vec<T>,
    best: Vec<T>,
    best_losses: Vec<T>,
    random: Random,
}

impl<T: Real> Square<T> {
    /// Restarts in the box `[lower, upper]`, one number a dimension; `grid`, if given, covers all of them. `planned`
    /// is the number of points a lane is to be told about.
    pub fn new(
        lower: &[T],
        upper: &[T],
        grid: Option<Grid>,
        lanes: usize,
        planned: usize,
        seed: u64,
    ) -> Self {
        let block: Vec<T> = lower.iter().flat_map(|&x| std::iter::repeat_n(x, lanes)).collect();
        let covers = |grid: &Grid| grid.channels * grid.height * grid.width == lower.len();
        Self {
            lower: lower.to_vec(),
            upper: upper.to_vec(),
            free: (0..lower.len()).filter(|&i| lower[i] < upper[i]).collect(),
            grid: grid.filter(covers),
            lanes,
            planned,
            told: 0,
            points: block.clone(),
            best: block,
            best_losses: vec![T::neg_infinity(); lanes],
            random: Random::new(seed),
        }
    }

    /// Begins anew: with stripes on a grid, else at random corners.
    pub fn start(&mut self) {
        self.told = 0;
        self.best_losses.fill(T::neg_infinity());
        for lane in 0..self.lanes {
            match self.grid {
                Some(grid) => self.stripes(grid, lane),
                None => {
                    for n in 0..self.free.len() {
                        let up = self.coin();
                        self.put(self.free[n], lane, up);
                    }
                }
            }
        }
        self.best.copy_from_slice(&self.points);
    }

    /// The points whose losses are asked for.
    pub fn points(&self) -> &[T] {
        &self.points
    }

    /// The best points so far, and their losses.
    pub fn best(&self) -> (&[T], &[T]) {
        (&self.best, &self.best_losses)
    }

    /// Takes the losses of the points, one a lane, and moves on to the next. Returns whether queries are left.
    pub fn tell(&mut self, losses: &[T]) -> bool {
        for lane in 0..self.lanes {
            let rises = losses[lane] > self.best_losses[lane] || self.told == 0;
            if rises {
                self.best_losses[lane] = losses[lane];
            }
            let (from, to) =
                if rises { (&self.points, &mut self.best) } else { (&self.best, &mut self.points) };
            for at in (lane..from.len()).step_by(self.lanes) {
                to[at] = from[at];
            }
        }
        self.told += 1;
        let share = share(self.told, self.planned);
        for lane in 0..self.lanes {
            for _ in 0..DRAWS {
                let changes = match self.grid {
                    Some(grid) => self.square(grid, share, lane),
                    None => self.scatter(share, lane),
                };
                if changes {
                    break;
                }
            }
        }
        self.told < self.planned
    }

    fn coin(&mut self) -> bool {
        self.random.bits() >> 63 == 1
    }

    /// Moves a value to an end of its interval; says whether that changes it.
    fn put(&mut self, i: usize, lane: usize, up: bool) -> bool {
        let end = if up { self.upper[i] } else { self.lower[i] };
        std::mem::replace(&mut self.points[i * self.lanes + lane], end) != end
    }

    fn stripes(&mut self, grid: Grid, lane: usize) {
        for channel in 0..grid.channels {
            for column in 0..grid.width {
                let up = self.coin();
                for row in 0..grid.height {
                    self.put(grid.index(channel, row, column), lane, up);
                }
            }
        }
    }

    fn square(&mut self, grid: Grid, share: f64, lane: usize) -> bool {
        let side = (share * (grid.height * grid.width) as f64).sqrt().round() as usize;
        let side = side.clamp(1, grid.height.min(grid.width));
        let top = self.random.below(grid.height - side + 1);
        let left = self.random.below(grid.width - side + 1);
        let mut changes = false;
        for channel in 0..grid.channels {
            let up = self.coin();
            for row in top..top + side {
                for column in left..left + side {
                    changes |= self.put(grid.index(channel, row, column), lane, up);
                }
            }
        }
        changes
    }

    fn scatter(&mut self, share: f64, lane: usize) -> bool {
        let count = ((share * self.free.len() as f64).round() as usize).max(1);
        let mut changes = false;
        // The first places of a shuffle: `count` different inputs.
        for place in 0..count.min(self.free.len()) {
            let other = place + self.random.below(self.free.len() - place);
            self.free.swap(place, other);
            let up = self.coin();
            changes |= self.put(self.free[place], lane, up);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_as_images_where_they_are() {
        let check = |shape: &[usize], want: Option<(usize, usize, usize, bool)>| {
            let grid = want.map(|(channels, height, width, channels_last)| Grid {
                channels,
                height,
                width,
                channels_last,
            });
            assert_eq!(Grid::of_shape(shape), grid, "{shape:?}");
        };
        check(&[1, 3, 32, 32], Some((3, 32, 32, false)));
        check(&[1, 30, 30, 3], Some((3, 30, 30, true)));
        check(&[1, 1, 28, 28], Some((1, 28, 28, false)));
        check(&[1, 28, 28], Some((1, 28, 28, false)));
        check(&[1, 1, 1, 5], None);
        check(&[1, 784], None);
        check(&[784], None);
        check(&[2, 3, 32, 32], None);
    }

    #[test]
    fn the_share_falls_as_in_the_paper() {
        let check = |query: usize, planned: usize, want: f64| {
            assert_eq!(share(query, planned), want, "{query} of {planned}");
        };
        check(0, 10_000, 0.8);
        check(10, 10_000, 0.8);
        check(11, 10_000, 0.4);
        check(51, 10_000, 0.2);
        check(8001, 10_000, 0.8 / 512.0);
        check(26, 5_000, 0.2);
        check(1, 0, 0.8 / 512.0);
    }

    /// One restart, written down plainly: the best point is kept, everything else is proposed by the kernel.
    #[test]
    fn a_lane_keeps_what_rises_and_leaves_what_does_not() {
        let grid = Grid { channels: 2, height: 5, width: 4, channels_last: false };
        let (lower, upper) = (vec![-1.0f64; 40], vec![2.0; 40]);
        let wanted: Vec<f64> = (0..40).map(|i| if (i * i) % 3 == 0 { 2.0 } else { -1.0 }).collect();
        for grid in [Some(grid), Some(Grid { channels_last: true, ..grid }), None] {
            let lanes = 3;
            let mut kernel = Square::new(&lower, &upper, grid, lanes, 2_000, 5);
            kernel.start();
            let mut twin = vec![(f64::NEG_INFINITY, Vec::new()); lanes];
            loop {
                let points = kernel.points().to_vec();
                let lane = |l: usize| points.iter().skip(l).step_by(lanes).copied().collect::<Vec<_>>();
                let loss = |x: &[f64]| x.iter().zip(&wanted).filter(|(a, b)| a == b).count() as f64;
                let losses: Vec<f64> = (0..lanes).map(|l| loss(&lane(l))).collect();
                for (l, kept) in twin.iter_mut().enumerate() {
                    assert!(lane(l).iter().all(|&x| x == -1.0 || x == 2.0), "a value is not at an end");
                    if losses[l] > kept.0 {
                        *kept = (losses[l], lane(l));
                    }
                }
                let more = kernel.tell(&losses);
                let (best, best_losses) = kernel.best();
                for (l, kept) in twin.iter().enumerate() {
                    assert_eq!(best_losses[l], kept.0);
                    assert!(best.iter().skip(l).step_by(lanes).eq(&kept.1));
                }
                if !more {
                    break;
                }
            }
            assert!(kernel.best().1.iter().all(|&loss| loss > 35.0), "{:?} {grid:?}", kernel.best().1);
        }
    }

    #[test]
    fn queries_change_squares_of_the_planned_size() {
        let grid = Grid { channels: 3, height: 16, width: 16, channels_last: false };
        let mut kernel = Square::new(&[0.0f32; 768], &[1.0; 768], Some(grid), 1, 1_000, 1);
        kernel.start();
        let column = |x: &[f32], c: usize| (0..16).map(|r| x[r * 16 + c]).collect::<Vec<_>>();
        let first = kernel.points().to_vec();
        assert!((0..16).all(|c| column(&first, c).iter().all(|&x| x == first[c])), "no stripes");
        // Nothing rises any more, so that each proposal differs from the first block by one square.
        kernel.tell(&[0.0]);
        for query in 1..1_000 {
            let side = (share(query, 1_000) * 256.0).sqrt().round().max(1.0) as usize;
            let changed: Vec<usize> =
                (0..768).filter(|&i| kernel.points()[i] != first[i]).map(|i| i % 256).collect();
            let rows = changed.iter().map(|i| i / 16);
            let columns = changed.iter().map(|i| i % 16);
            for line in [rows.collect::<Vec<_>>(), columns.collect()] {
                let (low, high) = (line.iter().min().unwrap(), line.iter().max().unwrap());
                assert!(high - low < side, "a change is wider than {side} in query {query}");
            }
            kernel.tell(&[-1.0]);
        }
    }
}
