//! Which flat index of the network's inputs and outputs a VNN-LIB variable stands for.

use vnnlib::{Query, Role, Variable};

/// The two vectors that rows speak about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// The flat input vector.
    Input,
    /// The flat output vector: outputs, then hidden tensors, of one network after the other.
    Output,
}

/// Offsets of the declared tensors in the flat vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    tensors: Vec<(Space, usize)>,
    inputs: usize,
    outputs: usize,
}

impl Layout {
    /// Inputs in declaration order in one vector, everything else in declaration order in the other.
    pub fn new(query: &Query) -> Self {
        let mut layout = Self { tensors: Vec::new(), inputs: 0, outputs: 0 };
        for tensor in query.tensors() {
            let (space, next) = match tensor.role() {
                Role::Input => (Space::Input, &mut layout.inputs),
                Role::Output | Role::Hidden => (Space::Output, &mut layout.outputs),
            };
            layout.tensors.push((space, *next));
            *next += tensor.len();
        }
        layout
    }

    /// Length of the flat input vector.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Length of the flat output vector.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Where a variable lies.
    pub fn place(&self, variable: Variable) -> (Space, usize) {
        let (space, offset) = self.tensors[variable.tensor().index()];
        (space, offset + variable.element())
    }
}
