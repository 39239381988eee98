//! Linear programs of the size of an ACAS Xu region: 5 inputs and the margin `t`, 300 phase rows, 4 property rows.
//! `cold` hands the program to a new solver and solves it; `replaced` to a solver that had another; `warm` flips the
//! phase of the row that blocks most and solves again.

use std::hint::black_box;

use counterpatch::lp::{ColumnId, LinearProgram, LpOptions, RowId, Solver};
use criterion::{Criterion, criterion_group, criterion_main};

const ROWS: usize = 300;

/// A number in -1..1 that depends on the two arguments and looks random.
fn noise(a: usize, b: usize) -> f64 {
    let mixed = (a as u64 * 0x9E37_79B9 + b as u64 * 0x85EB_CA6B + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 32) as f64 / f64::from(1u32 << 31) - 1.0
}

/// max t with t ≤ four affine functions of the inputs, and 300 half-spaces that hold at the box's centre.
fn region() -> (LinearProgram, Vec<RowId>) {
    let mut program = LinearProgram::maximise();
    let inputs: Vec<ColumnId> = (0..5).map(|_| program.column(-0.5, 0.5, 0.0)).collect();
    let margin = program.column(f64::NEG_INFINITY, f64::INFINITY, 1.0);
    for row in 0..4 {
        let terms = inputs.iter().enumerate().map(|(j, &x)| (x, noise(row, j + 10)));
        program.at_most(terms.chain([(margin, 1.0)]), 0.1 * noise(row, 9));
    }
    let phases = (0..ROWS)
        .map(|row| {
            let slack = 0.02 + 0.5 * noise(row, 99).abs();
            program.at_most(inputs.iter().enumerate().map(|(j, &x)| (x, noise(row + 7, j))), slack)
        })
        .collect();
    (program, phases)
}

fn lp(criterion: &mut Criterion) {
    let (program, phases) = region();
    let options = LpOptions::default();
    criterion.bench_function("region/cold", |bench| {
        bench.iter(|| {
            let mut solver = Solver::new(black_box(&program), &options).expect("a valid program");
            solver.solve().expect("a solvable program")
        });
    });
    let mut solver = Solver::new(&program, &options).expect("a valid program");
    criterion.bench_function("region/replaced", |bench| {
        bench.iter(|| {
            solver.replace(black_box(&program)).expect("a valid program");
            solver.solve().expect("a solvable program")
        });
    });
    let first = solver.solve().expect("a solvable program").optimal().expect("an optimum");
    let strength = |&row: &RowId| first.row_duals[row.index()].abs();
    let blocking =
        phases.iter().copied().max_by(|a, b| strength(a).total_cmp(&strength(b))).expect("300 rows");
    let bound = first.row_values[blocking.index()];
    let mut flipped = false;
    criterion.bench_function("region/warm", |bench| {
        bench.iter(|| {
            flipped = !flipped;
            let (lower, upper) = if flipped { (bound, 10.0) } else { (-10.0, bound) };
            solver.set_row_bounds(blocking, lower, upper).expect("a row of this program");
            solver.solve().expect("a solvable program")
        });
    });
}

criterion_group!(benches, lp);
criterion_main!(benches);
