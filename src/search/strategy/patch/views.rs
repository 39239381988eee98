//! The edge layers that a journey works on, seen from where it is.
//!
//! A network without convolutions is seen whole, and the same from everywhere. Where a part is in front of the layers it
//! is linearised, at each point anew.

use crate::network::Network;
use crate::network::layered::{Extent, Layered, NotLayered};

/// Views of one network that move along with a journey.
#[derive(Debug, Clone, Default)]
pub struct Views {
    behind: Option<Layered>,
    last: Option<Layered>,
}

impl Views {
    /// The layers of an extent, seen from `x`. `base` is a view of the reading's own extent, from anywhere.
    ///
    /// # Errors
    /// [`NotLayered`] where the network has no such view.
    pub fn from_here<'v>(
        &'v mut self,
        network: &Network<f64>,
        base: (&'v Layered, Extent),
        extent: Extent,
        x: &[f64],
    ) -> Result<&'v Layered, NotLayered> {
        let (base, own) = base;
        if base.entry.is_none() {
            return Ok(base);
        }
        let slot = match extent {
            Extent::BehindConvolutions => &mut self.behind,
            Extent::Last => &mut self.last,
        };
        let view = match slot {
            Some(view) => view,
            None if extent == own => slot.insert(base.clone()),
            None => slot.insert(Layered::at(network, extent, x)?),
        };
        view.move_to(network, x)?;
        Ok(view)
    }
}
