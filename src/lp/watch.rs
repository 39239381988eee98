//! Ending a solve early.
//!
//! HiGHS's own time limit is looked at between large pieces of work, and knows nothing of a signal or of another
//! thread that has found a witness. HiGHS also asks a callback between iterations and nodes whether to go on: here
//! it is answered from a [`Budget`].

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

/// The budget that a HiGHS object obeys: it must live until that object is destroyed or obeys another.
#[derive(Debug)]
pub(super) struct Watch {
    /// Boxed: HiGHS holds its address.
    _budget: Box<Budget>,
}

impl Watch {
    /// Makes a HiGHS object give up when the budget is over.
    ///
    /// # Safety
    /// `highs` must be a live HiGHS object, and must not run after the watch is dropped.
    pub(super) unsafe fn install(highs: *mut c_void, budget: &Budget) -> Result<Self, LpError> {
        let budget = Box::new(budget.clone());
        let data: *const Budget = &*budget;
        // SAFETY: the object is alive (the caller's promise); the callback reads its data as what it is, a budget,
        // which lives as long as the watch.
        check("Highs_setCallback", unsafe {
            highs_sys::Highs_setCallback(highs, Some(look), data.cast_mut().cast())
        })?;
        for occasion in OCCASIONS {
            // SAFETY: the object is alive.
            check("Highs_startCallback", unsafe { highs_sys::Highs_startCallback(highs, occasion) })?;
        }
        Ok(Self { _budget: budget })
    }
}

/// What HiGHS calls.
unsafe extern "C" fn look(
    _occasion: c_int,
    _message: *const c_char,
    _state: *const highs_sys::HighsCallbackDataOut,
    answer: *mut highs_sys::HighsCallbackDataIn,
    data: *mut c_void,
) {
    // SAFETY: `data` is the budget that `install` passed, which is only read; `answer` is HiGHS's own, or null.
    let (budget, answer) = unsafe { (data.cast::<Budget>().as_ref(), answer.as_mut()) };
    if let (Some(budget), Some(answer)) = (budget, answer)
        && budget.check().is_err()
    {
        answer.user_interrupt = 1;
    }
}
