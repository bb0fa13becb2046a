//! The command line as a user meets it: exit codes, outputs, and one clear line for every bad input.

mod binary;

use ejit::cli::{
    args::Jit,
    machine::Machine,
    workload::{self, Expected, Workload},
};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn command(args: &[&str]) -> Command {
    let mut command = binary::ejit();
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ejit(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn ejit_with_input(args: &[&str], input: &str) -> Output {
    let mut child = command(args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json_of(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&ejit(args))).unwrap()
}

/// A file in a folder that cargo keeps for tests.
fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

#[track_caller]
fn assert_bad(output: &Output, expected: &str) {
    let error = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "one line, not: {error}");
    assert!(error.starts_with("ejit: ") && error.contains(expected), "`{expected}` is not in: {error}");
}

#[test]
fn bad_arguments_are_one_line() {
    for (args, expected) in [
        (&["run", "60zz"][..], "code: malformed hex: 'z' at character 3"),
        (&["run", "0x600"], "odd number of digits (3)"),
        (&["run"], "no code"),
        (&["run", "--create"], "--create: no init code"),
        (&["run", "00", "--fork", "Atlantis"], "unknown fork `Atlantis`; known: Frontier, Homestead"),
        (&["run", "00", "--gas", "much"], "--gas: malformed number `much`"),
        (&["run", "00", "--gas", "0x10000000000000000"], "does not fit in 64 bits"),
        (&["run", "00", "--value", ""], "--value: malformed number ``"),
        (&["run", "00", "--to", "0x12"], "--to: malformed address `0x12`: 1 bytes, not 20"),
        (&["run", "00", "--storage", "7"], "--storage: malformed slot `7`: not K=V"),
        (&["run", "00", "--input", "0xé0"], "--input: malformed hex: 'é' at character 3"),
        (&["run", "--code-file", "no/such/file"], "no/such/file: cannot read"),
        (&["run", "00", "--prestate", "no/such/file"], "no/such/file: cannot read"),
        (&["run", "--code-file", "src"], "src: cannot read"),
        (&["compile", "6g"], "malformed hex"),
        (&["compile", "00", "--fork", "x"], "unknown fork `x`"),
        (&["statetest", "no/such/file"], "no/such/file"),
        (&["statetest", "fixtures", "--run", "("], "--run: "),
        (&["statetest", "fixtures", "--fork", "x"], "unknown fork `x`"),
        (&["bench", "no/such/file"], "no/such/file: cannot read"),
        (&["bench", "src"], "src: no workload"),
        (&["bench", "fixtures/workloads", "--only", "["], "--only: "),
        (&["bench", "fixtures/workloads", "--kind", "none"], "no workload is left"),
        (&["replay", "no/such/file"], "no/such/file: cannot read"),
        (&["block", "fixtures/workloads", "--kinds", "none"], "no workload is left"),
    ] {
        assert_bad(&ejit(args), expected);
    }
}

#[test]
fn usage_errors_exit_with_2() {
    for args in [&[][..], &["fly"], &["run", "00", "--jit", "warp"], &["bench"], &["run", "00", "--trace", "--bench"]] {
        let output = ejit(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!stderr(&output).contains("panicked"));
    }
    assert_eq!(ejit(&["--help"]).status.code(), Some(0));
    assert_eq!(ejit(&["--version"]).status.code(), Some(0));
}

#[test]
fn bad_files_name_the_file_and_the_field() {
    let good: Value = serde_json::from_str(&std::fs::read_to_string(fixtures("workloads/token_transfer.json")).unwrap()).unwrap();
    let mut cases = vec![
        ("bench", "broken.json", "{\"name\": ".to_string(), "broken.json: not JSON: EOF"),
        ("bench", "array.json", "[]".to_string(), "array.json: expected an object, found an array"),
        ("statetest", "other.json", "{\"a\": {\"b\": 1}}".to_string(), "other.json: not a state test"),
        ("statetest", "cut.json", "{".to_string(), "cut.json: not JSON"),
    ];
    for (name, value, expected) in [
        ("fork", json!("Atlantis"), "field `fork`: unknown fork `Atlantis`"),
        ("gas_limit", Value::Null, "missing field `gas_limit`"),
        ("gas_limit", json!(-1), "field `gas_limit`: expected a whole number"),
        ("calldata", json!("0x1"), "field `calldata`: malformed hex: an odd number"),
        ("code", json!(7), "field `code`: expected a string, found a number"),
        ("pre", json!({"0x12": {}}), "field `pre`: malformed address `0x12`"),
        ("env", json!({"numbr": 1}), "field `env.numbr`: unknown field"),
        ("expected", json!({"status": "success"}), "field `expected`: missing field `gas_used`"),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        cases.push(("bench", "bad.json", bad.to_string(), expected));
    }
    for (command, name, text, expected) in cases {
        let path = file(name, &text);
        assert_bad(&ejit(&[command, &path]), expected);
    }
    let account = file("account.json", r#"{"0x1111111111111111111111111111111111111111": {"nonce": 1}}"#);
    assert_bad(
        &ejit(&["run", "00", "--prestate", &account]),
        "field `0x1111111111111111111111111111111111111111`: missing field `balance`",
    );
}

#[test]
fn run_ends_with_the_exit_code_of_the_call() {
    let add = "600160020160005260206000f3";
    for (args, code, status) in [
        (&["run", add][..], 0, "success"),
        (&["run", "0x5f5ffd"], 1, "revert"),
        (&["run", "fe"], 1, "halt:InvalidFEOpcode"),
        (&["run", "5b600056", "--gas", "1000"], 1, "halt:OutOfGas"),
        (&["run", "5f", "--fork", "London"], 1, "halt:NotActivated"),
    ] {
        for jit in ["off", "always", "tiered", "check", "revm"] {
            let output = ejit(&[args, &["--jit", jit]].concat());
            assert_eq!(output.status.code(), Some(code), "{args:?} {jit}: {}", stderr(&output));
            assert!(stdout(&output).contains(&format!("status    {status}")), "{jit}: {}", stdout(&output));
        }
    }
    let object = json_of(&["run", add, "--json"]);
    assert_eq!(object["output"], format!("0x{:064x}", 3));
    assert_eq!((&object["gas_used"], &object["status"]), (&json!(24), &json!("success")));
}

#[test]
fn run_takes_input_value_storage_and_accounts() {
    // The sum of the input's first word, the value sent, slot 1 and the balance of an account.
    let code = format!("5f35340160015401{}310160005260206000f3", "6122b8");
    let alloc = file("alloc.json", r#"{"alloc": {"0x00000000000000000000000000000000000022b8": {"balance": "0x64"}}}"#);
    let args =
        ["run", &code, "--input", &format!("0x{:064x}", 5), "--value", "7", "--storage", "1=0x10", "--prestate", &alloc, "--json"];
    assert_eq!(json_of(&args)["output"], format!("0x{:064x}", 5 + 7 + 16 + 100));

    let output = ejit_with_input(&["run", "-", "--json"], " 0x6001\n5f55 \n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    // Init code that returns the two bytes 0x6001 as the contract.
    let object = json_of(&["run", "6160015f526002601ef3", "--create", "--json"]);
    assert_eq!(object["output"], "0x6001");
    assert!(object["created"].is_string());
}

#[test]
fn run_reports_logs_and_timing() {
    let object = json_of(&["run", "602a60005260206000a0", "--json", "--bench"]);
    assert_eq!(object["logs"][0]["data"], format!("0x{:064x}", 42));
    for key in ["revm_ns", "ejit_ns", "ratio", "pairs"] {
        assert!(object["bench"][key].is_number(), "{key}");
    }
}

/// Runs that the other clock is for.
#[test]
fn long_runs_are_timed() {
    // JUMPDEST; PUSH0; JUMP, until there is no more gas.
    let object = json_of(&["run", "5b5f56", "--gas", "3000000", "--json", "--bench", "--jit", "off"]);
    assert!(object["bench"]["revm_ns"].as_f64().unwrap() >= 100_000.0, "{object}");
    assert!(object["bench"]["pairs"].as_u64().unwrap() >= 3);
}

#[test]
fn trace_lines_are_eip_3155() {
    let output = ejit(&["run", "6001600201", "--trace"]);
    let lines: Vec<Value> = stderr(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line["opName"].as_str()).collect();
    assert_eq!(names, ["PUSH1", "PUSH1", "ADD", "STOP"]);
    assert_eq!(lines[2]["stack"], json!(["0x1", "0x2"]));
    assert_eq!(lines[4]["pass"], json!(true));
}

#[test]
fn bench_prints_every_key() {
    let path = fixtures("workloads");
    let output = ejit(&["bench", path.to_str().unwrap(), "--json", "--quick", "--stats", "--only", "^token_transfer$"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [figures, last] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&figures["ok"], &figures["kind"]), (&json!(true), &json!("token")));
    for key in ["gas", "instructions", "revm_ns", "off_ns", "warm_ns", "tiered_ns", "revm_cold_ns", "cold_ns", "compiled_bytes"] {
        assert!(figures[key].as_f64().is_some_and(|number| number > 0.0), "{key}: {}", figures[key]);
    }
    for key in ["native_bytes", "compiled_share"] {
        assert!(figures[key].is_number(), "{key}");
    }
    for key in ["first_ns", "revm_first_ns"] {
        assert!(figures[key]["1"].is_number(), "{key}");
    }
    for key in ["analyse", "translate", "lower", "publish", "total"] {
        assert!(figures["compile_ns"][key].is_number(), "{key}");
    }
    for mode in ["always", "tiered"] {
        assert!(figures["stats"][mode]["frames"].as_u64().is_some_and(|frames| frames > 0), "{mode}");
    }
    for key in ["warm", "off", "tiered", "cold"] {
        for means in [&last["summary"]["all"], &last["summary"]["kinds"]["token"]] {
            assert!(means[key].is_number(), "{key}");
        }
        assert_eq!(last["summary"]["worst"][key]["name"], "token_transfer");
    }
}

#[test]
fn a_wrong_expectation_fails() {
    let text = std::fs::read_to_string(fixtures("workloads/token_transfer.json")).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["expected"]["gas_used"] = json!(1);
    let path = file("wrong.json", &value.to_string());
    let output = ejit(&["bench", &path, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("revm: gas_used: expected 1, got"), "{}", stdout(&output));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = command(&["compile", "--help"]).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    let mut child = command(&["run", "00"]).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn workloads_run_the_contracts_beside_them() {
    let files = workload::find(&[fixtures("workloads")]).unwrap();
    assert!(files.len() >= 7);
    for path in files {
        let value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let source = value["source"]["harness"].as_str().unwrap();
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join(source).with_extension("bin-runtime");
        let code = std::fs::read_to_string(contract).unwrap();
        assert_eq!(value["code"], format!("0x{}", code.trim()), "{}", path.display());
    }
}

#[test]
fn workloads_come_to_the_same_in_every_mode() {
    for path in workload::find(&[fixtures("workloads")]).unwrap() {
        let workload = Workload::load(&path).unwrap();
        let expected = workload.expected.as_ref().unwrap();
        for jit in [Jit::Revm, Jit::Off, Jit::Always, Jit::Tiered, Jit::Check] {
            let found = Expected::of(&Machine::new(&workload.call, jit).run().unwrap());
            assert_eq!(expected.difference(&found), None, "{} {}", workload.name, jit.name());
        }
    }
}

#[test]
fn compile_shows_every_stage() {
    let code = "600456005b60016002015f52595ff3";
    for (stage, expected) in [("blocks", "block 0004..000f"), ("ir", "0009  ADD"), ("asm", "000b  MSTORE"), ("hex", "0000 ")] {
        let output = ejit(&["compile", code, "--emit", stage]);
        assert_eq!(output.status.code(), Some(0), "{stage}: {}", stderr(&output));
        assert!(stdout(&output).contains(expected), "{stage}: {}", stdout(&output));
        let object = json_of(&["compile", code, "--emit", stage, "--json"]);
        assert_eq!((&object["emit"], &object["code_bytes"]), (&json!(stage), &json!(15)));
        assert_eq!(object["parts"][0]["pc"], json!(0));
    }
    let everything: String = (0..=255u8).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(ejit(&["compile", &everything]).status.code(), Some(0));
}

#[test]
fn stats_say_what_was_counted() {
    // Counts down from 255 in a loop, then stops.
    let code = "60ff5b60019003806002575000";
    let stats = json_of(&["run", code, "--jit", "always", "--stats", "--json"])["stats"].clone();
    assert_eq!((&stats["lookups"], &stats["frames"], &stats["interpreted"]), (&json!(1), &json!(1), &json!(0)));
    assert!(stats["compiled"].as_u64().unwrap() > 255 * 6, "{stats}");
    assert!(stats["versions"].as_u64() >= stats["units"].as_u64() && stats["units"] != json!(0), "{stats}");
    let off = json_of(&["run", code, "--jit", "off", "--stats", "--json"])["stats"].clone();
    assert_eq!((&off["interpreted"], &off["compiled"], &off["units"]), (&stats["compiled"], &json!(0), &json!(0)));
    let text = stdout(&ejit(&["run", code, "--jit", "off", "--stats"]));
    assert!(text.contains(&format!("interpreted      {}", off["interpreted"])), "{text}");
    assert_eq!(ejit(&["run", code, "--stats", "--trace"]).status.code(), Some(2));

    // Rounds of less gas than an entry of compiled code counts for are compiled all the same, when there are many.
    let long = json_of(&["run", "61ffff5b60019003806003575000", "--jit", "tiered", "--stats", "--json"])["stats"].clone();
    assert!(long["units"] != json!(0) && long["compiled"].as_u64() > long["interpreted"].as_u64(), "{long}");

    // Jumps to where the call data says.
    let code = "5f35565b00";
    for stage in ["blocks", "asm"] {
        let object = json_of(&["compile", code, "--emit", stage, "--stats", "--json"]);
        assert_eq!((&object["stats"]["dynamic_jumps"], &object["stats"]["units"]), (&json!(1), &json!(2)), "{object}");
    }
    let text = stdout(&ejit(&["compile", code, "--stats"]));
    assert!(text.contains("dynamic_jumps    1\n"), "{text}");
}

#[test]
fn statetest_says_what_check_mode_came_to() {
    let output = ejit(&["statetest", fixtures("statetests").to_str().unwrap(), "--jit", "check", "--jobs", "2"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let line = text.lines().last().unwrap();
    assert!(line.contains(" frames checked, 0 differences; ") && line.ends_with("ran compiled, init code excluded"), "{line}");
}

#[test]
fn statetest_prints_what_geth_and_revme_print() {
    let folder = fixtures("statetests");
    let folder = folder.to_str().unwrap();
    let first = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let first = first.to_str().unwrap();

    let output = ejit(&["statetest", folder]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains(" passed, 0 failed, 0 skipped"), "{}", stdout(&output));

    let output = ejit_with_input(&["statetest", "--json"], &format!("{first}\n"));
    let results: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let results = results.as_array().unwrap();
    assert!(!results.is_empty());
    let roots: Vec<Value> = stderr(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(results.len(), roots.len());
    for (result, root) in results.iter().zip(&roots) {
        assert_eq!((&result["pass"], &result["stateRoot"]), (&json!(true), &root["stateRoot"]));
        assert!(result["name"].is_string() && result["fork"].is_string());
    }

    let output = ejit(&["statetest", first, "--json-outcome", "--jobs", "1"]);
    for line in stderr(&output).lines() {
        let outcome: Value = serde_json::from_str(line).unwrap();
        for key in ["stateRoot", "logsRoot", "output", "gasUsed", "pass", "errorMsg", "evmResult", "fork", "test", "d", "g", "v"] {
            assert!(!outcome[key].is_null(), "{key}: {line}");
        }
    }
}

#[test]
fn blocks_are_made_and_replayed() {
    let workloads = fixtures("workloads");
    let make = |seed: &str| {
        let kinds = ["--kinds", "token,arithmetic"];
        stdout(&ejit(&[&["block", workloads.to_str().unwrap(), "--transactions", "30", "--seed", seed], &kinds[..]].concat()))
    };
    let text = make("3");
    assert_eq!(text, make("3"), "the same seed gives the same block");
    assert_ne!(text, make("4"));
    let block: Value = serde_json::from_str(&text).unwrap();
    let transactions = block["transactions"].as_array().unwrap();
    assert_eq!(transactions.len(), 30);
    assert!(transactions.iter().any(|tx| tx["workload"] == "transfer") && transactions.iter().any(|tx| tx["data"] != "0x"));

    let path = file("block.json", &text);
    let report = json_of(&["replay", &path, "--json", "--rounds", "2"]);
    assert_eq!((&report["transactions"], &report["rounds"]), (&json!(30), &json!(2)));
    for mode in ["revm", "off", "always", "tiered"] {
        for time in ["first", "again"] {
            let number = |name: &str| report["modes"][mode][time][name].as_f64().unwrap_or_else(|| panic!("{mode} {time} {name}"));
            assert!(number("total_ns") > 0.0 && number("limit") >= 1.0 && number("over_revm") > 0.0);
            assert!(number("median_ns") <= number("p90_ns") && number("p90_ns") <= number("p99_ns"));
            assert!((0.0..=1.0).contains(&number("execution_share")));
        }
    }
    let table = stdout(&ejit(&["replay", &path, "--rounds", "1"]));
    assert_eq!(table.lines().count(), 10, "{table}");
}

#[test]
fn bad_blocks_are_one_line() {
    let block = json!({
        "name": "one", "fork": "Cancun", "pre": {},
        "blockHeader": {"number": 1, "timestamp": 1, "gasLimit": 30_000_000, "coinbase": format!("0x{:040x}", 1)},
        "transactions": [{"sender": format!("0x{:040x}", 2), "value": 0, "data": "0x", "gasLimit": 100_000, "gasPrice": 0}],
    });
    let bad = |name: &str, edit: &dyn Fn(&mut Value), expected: &str| {
        let mut bad = block.clone();
        edit(&mut bad);
        assert_bad(&ejit(&["replay", &file(name, &bad.to_string()), "--rounds", "1"]), expected);
    };
    assert_eq!(ejit(&["replay", &file("good.json", &block.to_string()), "--rounds", "1"]).status.code(), Some(0));
    bad("no-fork.json", &|block| block["fork"] = Value::Null, "no-fork.json: missing field `fork`");
    bad("no-list.json", &|block| block["transactions"] = json!({}), "field `transactions`: expected an array, found an object");
    bad("no-price.json", &|block| block["transactions"][0]["gasPrice"] = Value::Null, "`transactions.0`: missing field `gasPrice`");
    bad("poor.json", &|block| block["transactions"][0]["value"] = json!(1), "poor.json: transaction 0: not valid: ");
    bad("no-gas.json", &|block| block["transactions"][0]["gasLimit"] = json!(5), "transaction 0: not valid: ");
}
