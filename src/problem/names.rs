//! Which model is meant by which name: networks that are given by the names that a query declares.

use vnnlib::{Equivalence, Query, Version};

/// Names of networks that are not those of the property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misnamed {
    /// A name that the property does not declare.
    #[error("{0}: the property declares no network of this name (help: give the names that it declares)")]
    Undeclared(String),
    /// Two networks of one name.
    #[error("{0}: two networks of this name (help: give each declared network once)")]
    Twice(String),
    /// A declared network that is not given.
    #[error("{0}: the property declares this network, and it is not given (help: give it by its name)")]
    Missing(String),
}

/// The declared names of the networks that need a model of their own: not of those that equal an earlier one.
pub fn needing(query: &Query) -> Vec<&str> {
    let needs = |network: &&vnnlib::Network| !matches!(network.equivalence(), Some(Equivalence::EqualTo(_)));
    query.networks().iter().filter(needs).map(vnnlib::Network::name).collect()
}

/// Networks that are given by name, in the order in which the query wants them.
///
/// # Errors
/// If there are too few or too many, or one has another name.
pub fn in_order<'n, N>(named: &'n [(String, N)], query: &Query) -> Result<Vec<&'n N>, Misnamed> {
    // VNN-LIB 1.0 has no names.
    if query.version() == Version::V1 && named.len() == 1 {
        return Ok(named.iter().map(|(_, network)| network).collect());
    }
    let declared = |name: &str| query.networks().iter().any(|network| network.name() == name);
    if let Some((name, _)) = named.iter().find(|(name, _)| !declared(name)) {
        return Err(Misnamed::Undeclared(name.clone()));
    }
    let repeated = |(place, (name, _)): &(usize, &(String, N))| {
        named[..*place].iter().any(|(earlier, _)| earlier == name)
    };
    if let Some((_, (name, _))) = named.iter().enumerate().find(repeated) {
        return Err(Misnamed::Twice(name.clone()));
    }
    let given = |name: &&str| {
        let found = named.iter().find(|(given, _)| given == name).map(|(_, network)| network);
        found.ok_or_else(|| Misnamed::Missing((*name).to_owned()))
    };
    needing(query).iter().map(given).collect()
}
