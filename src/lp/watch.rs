//! Ending a solve early.
//!
//! HiGHS's own time limit is looked at between large pieces of work, and knows nothing of a signal or of another
//! thread that has found a witness. HiGHS also asks a callback between iterations and nodes whether to go on: here
//! it is answered from a [`Budget`] and, in a mixed-integer program, from a number of simplex iterations: nodes say
//! little of the time, because all of it may go by at the root.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};

use super::outcome::LpError;
use super::solver::check;
use crate::budget::Budget;

/// Occasions at which HiGHS asks.
const OCCASIONS: [highs_sys::HighsInt; 3] = [
    highs_sys::kHighsCallbackSimplexInterrupt,
    highs_sys::kHighsCallbackIpmInterrupt,
    highs_sys::kHighsCallbackMipInterrupt,
];

/// The terms that a HiGHS object obeys: they must live until that object is destroyed or obeys others.
#[derive(Debug)]
pub(super) struct Watch {
    /// Boxed: HiGHS holds its address.
    _terms: Box<Terms>,
}

#[derive(Debug)]
struct Terms {
    budget: Budget,
    /// Simplex iterations of a mixed-integer program.
    iterations: i64,
}

impl Watch {
    /// Makes a HiGHS object give up when the budget is over, or a mixed-integer program has taken so many iterations.
    ///
    /// # Safety
    /// `highs` must be a live HiGHS object, and must not run after the watch is dropped.
    pub(super) unsafe fn install(
        highs: *mut c_void,
        budget: &Budget,
        iterations: Option<u64>,
    ) -> Result<Self, LpError> {
        let iterations = iterations.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
        let terms = Box::new(Terms { budget: budget.clone(), iterations });
        let data: *const Terms = &*terms;
        // SAFETY: the object is alive (the caller's promise); the callback reads its data as what it is, terms,
        // which live as long as the watch.
        check("Highs_setCallback", unsafe {
            highs_sys::Highs_setCallback(highs, Some(look), data.cast_mut().cast())
        })?;
        for occasion in OCCASIONS {
            // SAFETY: the object is alive.
            check("Highs_startCallback", unsafe { highs_sys::Highs_startCallback(highs, occasion) })?;
        }
        Ok(Self { _terms: terms })
    }
}

/// What HiGHS calls.
unsafe extern "C" fn look(
    occasion: c_int,
    _message: *const c_char,
    state: *const highs_sys::HighsCallbackDataOut,
    answer: *mut highs_sys::HighsCallbackDataIn,
    data: *mut c_void,
) {
    // SAFETY: `data` is the terms that `install` passed, which are only read; the others are HiGHS's own, or null.
    let (terms, state, answer) = unsafe { (data.cast::<Terms>().as_ref(), state.as_ref(), answer.as_mut()) };
    let (Some(terms), Some(answer)) = (terms, answer) else { return };
    let is_mixed = occasion == highs_sys::kHighsCallbackMipInterrupt;
    let taken = state.filter(|_| is_mixed).map_or(0, |state| state.mip_total_lp_iterations);
    if taken >= terms.iterations || terms.budget.check().is_err() {
        answer.user_interrupt = 1;
    }
}
