//! The program as its users see it: arguments in; output, results file and exit status out.

mod attack;
mod attack_limits;
mod audit;
mod bad_input;
mod browser;
mod campaign;
mod certificate;
mod check;
mod claims;
mod cluster;
mod documents;
mod inspect;
mod manual;
mod messages;
mod model;
mod nearest;
mod outputs;
mod pair;
mod program;
mod property;
mod repair;
mod signals;
mod split;
mod standard;
mod verify;
