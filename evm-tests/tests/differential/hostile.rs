//! Programs written against compilers: those of a folder that `EJIT_HOSTILE` names, and their like of our own.

use crate::world::{Case, Harness};
use revm::primitives::hex;

/// Most bytes of code of a contract.
const LEN: usize = 0x6000;

/// Each file `*.hex` with no input, and with one byte.
#[test]
fn folder() {
    let Some(folder) = std::env::var_os("EJIT_HOSTILE") else {
        eprintln!("EJIT_HOSTILE names no folder: nothing compared");
        return;
    };
    let mut harness = Harness::new();
    let mut count = 0;
    for file in std::fs::read_dir(&folder).expect("EJIT_HOSTILE names a folder") {
        let path = file.expect("a readable folder").path();
        if path.extension().is_none_or(|end| end != "hex") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let code = hex::decode(text.trim()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for input in [vec![], vec![1], vec![0xff; 64]] {
            for gas in [30_000, 100_000, 10_000_000] {
                let case = Case::new(code.clone()).input(input.clone()).gas(gas);
                harness.compare(&case).unwrap_or_else(|difference| panic!("{}: {}", path.display(), difference.what));
            }
        }
        count += 1;
    }
    assert!(count > 0, "no file *.hex in {}", folder.display());
}

/// Codes of the greatest length that repeat a pattern.
#[test]
fn repeated_patterns() {
    let mut harness = Harness::new();
    for pattern in [
        "8002",
        "5f355f355f3557",
        "801b",
        "5f3556",
        "5f5f5f5f5f5f5af1",
        "365f3552",
        "5f5450",
        "5f35",
        "5f51",
        "1e",
        "365f0b",
        "5b",
        "605b",
        "7f",
        "5b6000565b",
        "36600a5750",
        "8181",
        "5a50",
        "3d5f5f3e",
        "5f5f20",
        "6000600055",
        "58",
        "3680808080",
        "595a5b5c5d5e5f",
    ] {
        let pattern = hex::decode(pattern).expect("the pattern is hex");
        for start in [&[][..], &hex!("363636363636363636363636")] {
            let code: Vec<u8> = start.iter().copied().chain(pattern.iter().copied().cycle()).take(LEN).collect();
            for gas in [50_000, 2_000_000] {
                harness.check(&Case::new(code.clone()).input(vec![3; 40]).gas(gas));
            }
        }
    }
}
