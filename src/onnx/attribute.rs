//! Typed access to a node's attributes: a wrong type is an error that names the node and the attribute.

use std::sync::Arc;

use super::error::ModelError;
use super::model::{Attribute, Graph, Node};
use super::tensor::Tensor;

impl Node {
    /// An `INT` attribute, if the node has it.
    pub fn int(&self, name: &str) -> Result<Option<i64>, ModelError> {
        self.typed(name, "an integer", |a| if let Attribute::Int(x) = a { Some(*x) } else { None })
    }

    /// A `FLOAT` attribute, if the node has it.
    pub fn float(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.typed(name, "a float", |a| if let Attribute::Float(x) = a { Some(f64::from(*x)) } else { None })
    }

    /// A `STRING` attribute, if the node has it.
    pub fn string(&self, name: &str) -> Result<Option<&str>, ModelError> {
        self.typed(name, "a UTF-8 string", |a| match a {
            Attribute::String(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    /// An `INTS` attribute, if the node has it.
    pub fn ints(&self, name: &str) -> Result<Option<&[i64]>, ModelError> {
        self.typed(name, "a list of integers", |a| match a {
            Attribute::Ints(list) => Some(list.as_slice()),
            _ => None,
        })
    }

    /// A `FLOATS` attribute, if the node has it.
    pub fn floats(&self, name: &str) -> Result<Option<&[f32]>, ModelError> {
        self.typed(name, "a list of floats", |a| match a {
            Attribute::Floats(list) => Some(list.as_slice()),
            _ => None,
        })
    }

    /// A `STRINGS` attribute, if the node has it.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<&str>>, ModelError> {
        self.typed(name, "a list of UTF-8 strings", |a| match a {
            Attribute::Strings(list) => list.iter().map(|bytes| std::str::from_utf8(bytes).ok()).collect(),
            _ => None,
        })
    }

    /// A `TENSOR` attribute, if the node has it.
    pub fn tensor(&self, name: &str) -> Result<Option<&Arc<Tensor>>, ModelError> {
        self.typed(name, "a tensor", |a| if let Attribute::Tensor(x) = a { Some(x) } else { None })
    }

    /// A `GRAPH` attribute, if the node has it.
    pub fn graph(&self, name: &str) -> Result<Option<&Arc<Graph>>, ModelError> {
        self.typed(name, "a graph", |a| if let Attribute::Graph(x) = a { Some(x) } else { None })
    }

    /// A `0`/`1` attribute.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, ModelError> {
        Ok(self.int(name)?.map_or(default, |x| x != 0))
    }

    fn typed<'a, A>(
        &'a self,
        name: &str,
        wanted: &str,
        get: impl Fn(&'a Attribute) -> Option<A>,
    ) -> Result<Option<A>, ModelError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Refused(what)) => Err(self.error(format!("attribute {name} {what}"))),
            Some(attribute) => match get(attribute) {
                Some(value) => Ok(Some(value)),
                None => Err(self.error(format!("attribute {name} is not {wanted}"))),
            },
        }
    }
}
