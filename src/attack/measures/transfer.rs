//! Transferability: whether adversarial images of one network are taken for something else by another one, which may
//! read its input in another order.

use serde::Serialize;

use crate::attack::Victim;
use crate::attack::victim::decision;

/// How often another network was fooled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// The other network.
    pub network: String,
    /// Successful results whose original the other network classifies correctly.
    pub asked: usize,
    /// Of those, the ones that it classifies otherwise.
    pub fooled: usize,
}

/// Counts over originals, adversarial inputs and labels, one an image, all as `from` reads them.
pub fn transfer<'a>(
    name: &str,
    from: &Victim,
    to: &Victim,
    results: impl IntoIterator<Item = (&'a [f32], &'a [f32], usize)>,
) -> Transfer {
    let class =
        |input: &[f32]| to.replay(&to.reads(&from.shows(input))).and_then(|outputs| decision(&outputs));
    let mut transfer = Transfer { network: name.to_owned(), asked: 0, fooled: 0 };
    for (image, input, label) in results {
        if class(image) == Some(label) {
            transfer.asked += 1;
            transfer.fooled += usize::from(class(input).is_some_and(|other| other != label));
        }
    }
    transfer
}
