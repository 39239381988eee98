//! Any accepted query can be evaluated, brought to its normal form and to linear rows, and these agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vnnlib::{Comparison, Variable};

/// More cases than this are not multiplied out.
const CASES: u64 = 64;

fuzz_target!(|data: &[u8]| {
    let [seed, text @ ..] = data else { return };
    let Ok(Ok(query)) = std::str::from_utf8(text).map(vnnlib::parse) else { return };
    if query.tensors().iter().map(|tensor| tensor.len()).sum::<usize>() > 4096 {
        return;
    }
    let value = |i: usize| f64::from((i as i32 * 29 + i32::from(*seed)) % 17 - 8) / 4.0;
    let point: Vec<Vec<f64>> = query.tensors().iter().map(|t| (0..t.len()).map(value).collect()).collect();
    let Ok(holds) = query.holds(&point[..]) else { return };
    if let Ok(violations) = query.violations(&point[..]) {
        assert_eq!(violations.is_empty(), holds);
    }
    let Ok(form) = query.normal_form(CASES) else { return };
    let all = |mut comparisons: Box<dyn Iterator<Item = Comparison<'_>> + '_>| {
        // `None` where a comparison is no linear row, or too close for its rounded coefficients.
        comparisons.try_fold(true, |truth, comparison| Some(truth && holds_by_row(comparison, &point)?))
    };
    let common = all(Box::new(form.common()));
    let cases: Option<Vec<bool>> = form.cases().map(|case| all(Box::new(case.into_iter()))).collect();
    if let (Some(common), Some(cases)) = (common, cases) {
        assert_eq!(common && cases.contains(&true), holds);
    }
});

/// Whether a comparison holds by its linear row in floats, where the result is clear.
fn holds_by_row(comparison: Comparison<'_>, point: &[Vec<f64>]) -> Option<bool> {
    let row = comparison.linear().ok()?;
    let at = |variable: Variable| point[variable.tensor().index()][variable.element()];
    let sum = row.terms.iter().map(|&(v, c)| c.value * at(v)).sum::<f64>() + row.constant.value;
    let scale =
        row.terms.iter().map(|&(v, c)| (c.value * at(v)).abs()).sum::<f64>() + row.constant.value.abs();
    let clear = sum.abs() > scale * 1e-9 && scale.is_finite();
    clear.then(|| row.relation.admits(sum.total_cmp(&0.0)))
}
