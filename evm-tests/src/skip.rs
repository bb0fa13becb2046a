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

/// A row of the list: which cases, and why.
struct Skip {
    /// The file, without `.json`.
    file: &'static str,
    /// What the name of the test contains; empty for all tests of the file.
    test: &'static str,
    reason: SkipReason,
}

const fn collision(file: &'static str) -> Skip {
    collision_in(file, "")
}

const fn collision_in(file: &'static str, test: &'static str) -> Skip {
    Skip { file, test, reason: SkipReason::StorageCollision }
}

const fn slow(file: &'static str) -> Skip {
    Skip { file, test: "", reason: SkipReason::Slow }
}

/// The list. Of the tests of EIP-7610 only those are here that revm 43 does not pass.
static SKIPS: [Skip; 20] = [
    collision("InitCollision"),
    collision("InitCollisionParis"),
    collision("RevertInCreateInInit"),
    collision("RevertInCreateInInit_Paris"),
    collision("RevertInCreateInInitCreate2"),
    collision("RevertInCreateInInitCreate2Paris"),
    collision("collision_with_create2_revert_in_initcode"),
    collision("create2_collision_storage"),
    collision("create2collisionStorage"),
    collision("create2collisionStorageParis"),
    collision("dynamicAccountOverwriteEmpty"),
    collision("dynamicAccountOverwriteEmpty_Paris"),
    collision_in("init_collision_create_tx", "non-empty-balance-correct"),
    collision_in("init_collision_create_tx", "non-empty-balance-revert"),
    collision_in("test_init_collision_create_tx", "non-empty-balance-correct"),
    collision_in("test_init_collision_create_tx", "non-empty-balance-revert"),
    slow("CALLBlake2f_MaxRounds"),
    slow("Call50000_sha256"),
    slow("loopMul"),
    slow("static_Call50000_sha256"),
];

/// Why this case is not run, if it is not.
pub fn reason(path: &Path, test: &str, fork: &str, include_slow: bool) -> Option<SkipReason> {
    if fork == fork::CONSTANTINOPLE {
        return Some(SkipReason::Constantinople);
    }
    if fork::rules(fork).is_none() {
        return Some(SkipReason::UnknownFork(fork.into()));
    }
    let file = path.file_stem()?.to_str()?;
    let skip = SKIPS.iter().find(|skip| skip.file == file && test.contains(skip.test))?;
    (skip.reason != SkipReason::Slow || !include_slow).then(|| skip.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_only() {
        let reason = |path: &str, test, fork| super::reason(Path::new(path), test, fork, false);
        assert_eq!(reason("a/add.json", "add", "Cancun"), None);
        assert_eq!(reason("a/loopMul.json", "loopMul", "Cancun"), Some(SkipReason::Slow));
        assert_eq!(reason("a/add.json", "add", "Constantinople"), Some(SkipReason::Constantinople));
        assert_eq!(reason("a/add.json", "add", "Moon"), Some(SkipReason::UnknownFork("Moon".into())));
        let file = "a/init_collision_create_tx.json";
        assert_eq!(reason(file, "x-non-empty-balance-revert", "Paris"), Some(SkipReason::StorageCollision));
        assert_eq!(reason(file, "x-non-empty-balance-oog", "Paris"), None);
        assert_eq!(super::reason(Path::new("loopMul.json"), "loopMul", "Cancun", true), None);
    }
}
