//! What the runner does not run, by name, each with its reason. Nothing else is ever left out, and every
//! case left out is counted under its reason.

use std::fmt;
use std::path::Path;

use crate::fork;

/// Why a case was not run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The fork `Constantinople`.
    Constantinople,
    /// A fork whose rules are not known.
    UnknownFork(String),
    /// A contract is created where there is storage, but neither nonce nor code.
    StorageCollision,
    /// Takes tens of seconds or more; run with [`include_slow`](crate::Options::include_slow).
    Slow,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constantinople => f.write_str("fork Constantinople: EIP-1283 gas, which revm does not have"),
            Self::UnknownFork(name) => write!(f, "fork {name}: rules not known"),
            Self::StorageCollision => f.write_str(
                "a contract is created over storage without nonce or code (EIP-7610), which revm leaves to the database",
            ),
            Self::Slow => f.write_str("slow; run by command"),
        }
    }
}

/// Files by stem.
const FILES: [(&str, SkipReason); 4] = [
    ("CALLBlake2f_MaxRounds", SkipReason::Slow),
    ("Call50000_sha256", SkipReason::Slow),
    ("loopMul", SkipReason::Slow),
    ("static_Call50000_sha256", SkipReason::Slow),
];

/// Why this case is not run, if it is not.
pub fn reason(path: &Path, fork: &str, include_slow: bool) -> Option<SkipReason> {
    if fork == fork::CONSTANTINOPLE {
        return Some(SkipReason::Constantinople);
    }
    if fork::rules(fork).is_none() {
        return Some(SkipReason::UnknownFork(fork.into()));
    }
    let stem = path.file_stem()?.to_str()?;
    let (_, reason) = FILES.iter().find(|(file, _)| *file == stem)?;
    (*reason != SkipReason::Slow || !include_slow).then(|| reason.clone())
}
