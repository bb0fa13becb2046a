//! What the stages of the compiler print for programs in `fixtures/goldens/*.hex`: blocks, and IR and machine code of
//! both targets' baselines, on every host. `BLESS=1 cargo test --features cli --test
//! goldens` rewrites them.

mod binary;

use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/goldens")
}

/// What a stage prints; machine-dependent ones for a target.
fn emitted(program: &Path, stage: &str, target: &str) -> String {
    let output = binary::ejit()
        .args(["compile", "--fork", "Cancun", "--target", target, "--emit", stage, "--code-file"])
        .arg(program)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn stages_print_what_they_did() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut programs: Vec<PathBuf> =
        fs::read_dir(folder()).expect("fixtures/goldens").map(|entry| entry.expect("an entry").path()).collect();
    programs.retain(|path| path.extension().is_some_and(|e| e == "hex"));
    programs.sort();
    assert!(!programs.is_empty(), "no programs");
    let mut changed = Vec::new();
    for program in &programs {
        // Registers, hence IR, are those of the target.
        let stages = [
            ("blocks", "x86-64", "blocks"),
            ("ir", "x86-64", "ir"),
            ("asm", "x86-64", "asm"),
            ("ir", "aarch64", "aarch64.ir"),
            ("asm", "aarch64", "aarch64.asm"),
        ];
        for (stage, target, extension) in stages {
            let golden = program.with_extension(extension);
            let now = emitted(program, stage, target);
            if bless {
                fs::write(&golden, &now).expect("written");
            } else if fs::read_to_string(&golden).unwrap_or_default() != now {
                changed.push(format!("{}:\n{now}", golden.display()));
            }
        }
    }
    assert!(changed.is_empty(), "not as in fixtures/goldens (BLESS=1 rewrites them):\n{}", changed.join("\n"));
}
