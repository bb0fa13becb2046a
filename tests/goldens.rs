//! What the stages of the compiler print for programs in `fixtures/goldens/*.hex`: blocks and IR (machine code is in `tests/lowering`, since it
//! depends on the CPU); the IR for each target by a run there. `BLESS=1 cargo test --features cli --test goldens` rewrites them.

mod binary;

use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/goldens")
}

/// The text with addresses outside of the unit, which differ from run to run, made alike.
fn stable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| {
                let bare = word.trim_end_matches([',', ']']);
                let digits = bare.trim_start_matches("[").trim_start_matches("0x");
                let is_address =
                    bare.contains("0x") && digits.len() >= 9 && digits.len() <= 12 && u64::from_str_radix(digits, 16).is_ok();
                if is_address { word.replace(digits, "ADDRESS") } else { word.to_string() }
            })
            .collect();
        out.push_str(words.join(" ").trim_end());
        out.push('\n');
    }
    out
}

fn emitted(program: &Path, stage: &str) -> String {
    let output = binary::ejit()
        .args(["compile", "--fork", "Cancun", "--emit", stage, "--code-file"])
        .arg(program)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    stable(&String::from_utf8(output.stdout).expect("text"))
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
        for stage in ["blocks", "ir"] {
            // Registers, hence IR, are those of the target.
            let golden = program.with_extension(match stage {
                "ir" if cfg!(target_arch = "aarch64") => "aarch64.ir",
                stage => stage,
            });
            let now = emitted(program, stage);
            if bless {
                fs::write(&golden, &now).expect("written");
            } else if fs::read_to_string(&golden).unwrap_or_default() != now {
                changed.push(format!("{}:\n{now}", golden.display()));
            }
        }
    }
    assert!(changed.is_empty(), "not as in fixtures/goldens (BLESS=1 rewrites them):\n{}", changed.join("\n"));
}
