//! The runner itself: what it must notice, survive and leave out, and in which order it reports.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use evm_tests::report::Failure;
use evm_tests::{
    Case, CaseDb, CaseReport, Executor, FileReport, Observer, Options, Outcome, Report, Revm, Summary, Verdict, fork, load, run,
};
use revm::ExecuteEvm;
use revm::MainBuilder;
use revm::context_interface::result::{EVMError, ExecutionResult};

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/statetests");

fn files(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| Path::new(OWN).join(format!("{name}.json"))).collect()
}

fn jobs(jobs: usize) -> Options {
    Options { jobs: NonZeroUsize::new(jobs).unwrap(), ..Options::default() }
}

/// Every result in order, as one text.
fn digest(report: &Report) -> String {
    let cases = report.files.iter().flat_map(|file| &file.cases);
    cases.map(|case| format!("{}\n", serde_json::to_string(&case.revme()).unwrap())).collect()
}

/// revm, bent: panics, forgets to commit or adds a log, at Cancun only.
#[derive(Clone, Copy)]
enum Broken {
    Panics,
    Forgets,
    AddsLog,
}

impl Executor for Broken {
    fn transact(&mut self, case: &Case, db: &mut CaseDb) -> Outcome {
        if fork::name(case.spec()) != "Cancun" {
            return Revm.transact(case, db);
        }
        match self {
            Self::Panics => panic!("told to"),
            Self::Forgets => Ok(case.context(db).build_mainnet().transact(case.tx.clone())?.result),
            Self::AddsLog => Revm.transact(case, db).map(|mut result| {
                if let ExecutionResult::Success { logs, .. } = &mut result {
                    logs.push(Default::default());
                }
                result
            }),
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let files = load::find(&[OWN.into()]).unwrap();
    let one = run::run(&files, &jobs(1), || Revm, &());
    let four = run::run(&files, &jobs(4), || Revm, &());
    assert_eq!(digest(&one), digest(&four));
    assert!(one.files.iter().map(|file| &file.path).eq(&files));
}

#[test]
fn what_is_wrong_is_noticed() {
    let failures = |broken: Broken| {
        let report = run::run(&files(&["transient"]), &jobs(1), || broken, &());
        let summary = report.summary();
        assert_eq!((summary.passed, summary.failed), (3, 1), "{summary}");
        let cases = report.files.into_iter().flat_map(|file| file.cases);
        let failed = cases.filter_map(|case| match case.verdict {
            Verdict::Failed(failure) => Some((case.fork.to_string(), failure)),
            _ => None,
        });
        failed.collect::<Vec<_>>().remove(0)
    };
    assert_eq!(failures(Broken::Panics), ("Cancun".into(), Failure::Panicked("told to".into())));
    assert!(matches!(failures(Broken::Forgets), (fork, Failure::StateRoot { .. }) if fork == "Cancun"));
    assert!(matches!(failures(Broken::AddsLog), (fork, Failure::Logs { .. }) if fork == "Cancun"));
}

#[test]
fn rejection_is_compared() {
    /// Accepts what it should reject.
    struct Lenient;
    impl Executor for Lenient {
        fn transact(&mut self, case: &Case, db: &mut CaseDb) -> Outcome {
            let mut case = case.clone();
            case.cfg.disable_nonce_check = true;
            Revm.transact(&case, db)
        }
    }
    let report = run::run(&files(&["rejected"]), &jobs(1), || Lenient, &());
    let failure = report.failures().next().unwrap();
    assert!(failure.contains("rejected.json: test `rejected` [Frontier d0 g0 v0]: unexpected exception: got None"), "{failure}");
}

#[test]
fn an_error_of_the_executors_own_is_no_rejection() {
    struct Differs;
    impl Executor for Differs {
        fn transact(&mut self, _: &Case, _: &mut CaseDb) -> Outcome {
            Err(EVMError::Custom("it differs".into()))
        }
    }
    let report = run::run(&files(&["rejected"]), &jobs(1), || Differs, &());
    assert_eq!(report.summary().passed, 0);
    assert!(report.failures().all(|failure| failure.ends_with(": execution failed: it differs")));
}

#[test]
fn filters_leave_out() {
    let count = |options: Options| {
        let files = load::find(&[OWN.into()]).unwrap();
        let summary = run::run(&files, &options, || Revm, &()).summary();
        (summary.files, summary.passed)
    };
    let (all_files, all) = count(jobs(2));
    let (_, prague) = count(Options { forks: vec![fork::rules("Prague").unwrap()], ..jobs(2) });
    assert!(prague > 0 && prague < all);
    let (_, stack) = count(Options { name: Some(regex::Regex::new("^stack$").unwrap()), ..jobs(2) });
    assert_eq!(stack, 33, "three forks, eleven variants");
    let (third, _) = count(Options { every: NonZeroUsize::new(3).unwrap(), ..jobs(2) });
    assert_eq!(third, all_files.div_ceil(3));
}

#[test]
fn unreadable_files_fail_once() {
    let missing = PathBuf::from("no/such/file.json");
    let report = run::run(std::slice::from_ref(&missing), &jobs(1), || Revm, &());
    assert_eq!(report.summary().failed, 1);
    assert!(report.failures().next().unwrap().contains("no/such/file.json"));
    assert!(load::find(&[missing]).is_err());
}

#[test]
fn observers_see_each_case_in_order() {
    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);
    impl Observer for Log {
        fn case(&self, _: &Path, case: &CaseReport) {
            self.0.lock().unwrap().push(format!("{}/{}", case.fork, case.indexes.data));
        }
        fn file(&self, file: &FileReport, so_far: &Summary, total: usize) {
            self.0.lock().unwrap().push(format!("{} {} of {total}", file.cases.len(), so_far.files));
        }
    }
    let log = Log::default();
    run::run(&files(&["push0", "transient"]), &jobs(1), || Revm, &log);
    let expected = "London/0 Paris/0 Shanghai/0 Cancun/0, 4 1 of 2, Shanghai/0 Cancun/0 Osaka/0 Amsterdam/0, 4 2 of 2";
    let expected: Vec<_> = expected.split(", ").collect();
    let seen = log.0.into_inner().unwrap();
    let expected: Vec<_> = expected
        .iter()
        .flat_map(|part| if part.contains(" of ") { vec![part.to_string()] } else { part.split(' ').map(String::from).collect() })
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn output_in_the_form_of_geth_and_revme() {
    let options = Options { forks: vec![fork::rules("Cancun").unwrap()], ..jobs(1) };
    let report = run::run(&files(&["push0"]), &options, || Revm, &());
    let case = &report.files[0].cases[0];
    let root = case.execution.as_ref().unwrap().state_root;
    assert_eq!(case.geth_state_root().unwrap(), format!("{{\"stateRoot\": \"{root}\"}}"));
    assert_eq!(
        serde_json::to_string(&case.geth()).unwrap(),
        format!("{{\"name\":\"push0\",\"pass\":true,\"stateRoot\":\"{root}\",\"fork\":\"Cancun\"}}")
    );
    let line = serde_json::to_string(&case.revme()).unwrap();
    let start = format!("{{\"stateRoot\":\"{root}\",\"logsRoot\":\"0x1dcc4de8");
    assert!(line.starts_with(&start), "{line}");
    let end = "\"fork\":\"CANCUN\",\"test\":\"push0\",\"d\":0,\"g\":0,\"v\":0}";
    assert!(line.contains("\"pass\":true,\"errorMsg\":\"\",\"evmResult\":\"Success: Stop\"") && line.ends_with(end), "{line}");
}

static TRACE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToTrace;

impl Write for ToTrace {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        TRACE.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn traces_have_a_line_for_each_step() {
    let options = Options { forks: vec![fork::rules("Cancun").unwrap()], trace: Some(|| Box::new(ToTrace)), ..jobs(4) };
    let report = run::run(&files(&["push0"]), &options, || Revm, &());
    assert_eq!(report.summary().passed, 1);
    let trace = String::from_utf8(TRACE.lock().unwrap().clone()).unwrap();
    let steps = trace.lines().filter(|line| line.contains("\"pc\":")).count();
    assert_eq!(steps, 15, "14 opcodes and the STOP past the end: {trace}");
}
