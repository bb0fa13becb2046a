//! `check` mode finds what is broken: a record with one answer altered, or a runtime function that is wrong in the second run, is reported
//! at the instruction where it shows; and nothing is reported where nothing is wrong.
#![cfg(feature = "revm")]

use ejit::abi::{
    CallTarget, Callouts, Env, Exit, Frame, Host, HostError, Loaded, LoadedWord, Request, SelfDestruct, StackBuffer, StorageWrite,
};
use ejit::engine::{Config, Contract, CounterValues, Difference, Engine, Mode};
use ejit::evm::{SpecId, code::Code, opcode as op};
use ejit::runtime::{
    Outcome, callouts,
    record::{Answer, Child, Replayer, Step, Tape},
    resume_call,
};
use revm::primitives::{Address, B256, Bytes, U256};
use std::collections::HashMap;
use std::ffi::c_void;

/// Storage, and nothing else.
#[derive(Default)]
struct Storage(HashMap<U256, U256>);

impl Host for Storage {
    fn sload(&mut self, _: Address, key: U256, _: bool) -> LoadedWord {
        LoadedWord { value: self.0.get(&key).copied().unwrap_or_default(), is_cold: Ok(false) }
    }
    fn sstore(&mut self, _: Address, key: U256, new: U256, _: bool) -> Result<StorageWrite, HostError> {
        let present = self.0.insert(key, new).unwrap_or_default();
        Ok(StorageWrite { original: present, present, new, is_cold: false })
    }
    fn tload(&mut self, _: Address, _: U256) -> U256 {
        U256::ZERO
    }
    fn tstore(&mut self, _: Address, _: U256, _: U256) {}
    fn balance(&mut self, _: Address, _: bool) -> LoadedWord {
        LoadedWord::failed(HostError::Fatal)
    }
    fn code_hash(&mut self, _: Address, _: bool) -> Result<Loaded<B256>, HostError> {
        Err(HostError::Fatal)
    }
    fn code_len(&mut self, _: Address, _: bool) -> Result<Loaded<usize>, HostError> {
        Err(HostError::Fatal)
    }
    fn code(&mut self, _: Address, _: bool) -> Result<Loaded<Bytes>, HostError> {
        Err(HostError::Fatal)
    }
    fn self_balance(&mut self, _: Address) -> Result<U256, HostError> {
        Ok(U256::ZERO)
    }
    fn block_hash(&mut self, _: u64) -> Result<B256, HostError> {
        Err(HostError::Fatal)
    }
    fn blob_hash(&mut self, _: u64) -> B256 {
        B256::ZERO
    }
    fn log(&mut self, _: Address, _: &[U256], _: &[u8]) {}
    fn selfdestruct(&mut self, _: Address, _: Address, _: bool) -> Result<SelfDestruct, HostError> {
        Err(HostError::Fatal)
    }
    fn call_target(&mut self, _: Address, _: bool) -> Result<CallTarget, HostError> {
        Ok(CallTarget { is_empty: false, is_cold: false, delegate: None })
    }
    fn call_delegate(&mut self, _: Address, _: bool) -> Result<bool, HostError> {
        Err(HostError::Fatal)
    }
}

const GAS: i64 = 1_000_000;

fn frame(contract: &Contract, input: &[u8], env: &Env, stack: &mut StackBuffer) -> Frame {
    let mut frame = Frame {
        gas: GAS,
        input: input.as_ptr(),
        input_len: input.len() as u64,
        return_data: core::ptr::NonNull::dangling().as_ptr(),
        env,
        fork: contract.fork,
        ..Frame::blank()
    };
    frame.start(&contract.code, stack);
    frame
}

/// What children come to.
fn child() -> Child {
    Child { outcome: Outcome::Success, gas: 77, refund: 3, address: Address::ZERO, output: vec![0xcc; 40].into() }
}

/// Runs `code` twice; `alter` may change the record and the second run's functions.
fn check(code: &[u8], alter: impl FnOnce(&mut Tape, &mut Callouts)) -> (Result<(), Box<Difference>>, CounterValues) {
    let engine = Engine::new(Config::with_mode(Mode::Check));
    let mut executor = engine.executor();
    let contract = engine.contract(Code::new(code), SpecId::CANCUN);
    let (env, input) = (Env::default(), [7; 64]);
    let mut stack = StackBuffer::new();
    let mut first = frame(&contract, &input, &env, &mut stack);
    let (mut host, mut tape) = (Storage::default(), Tape::default());
    tape.begin(GAS);
    let exit = loop {
        let exit = executor.record(&mut first, &mut host, &mut tape);
        match (exit, first.request) {
            (Exit::Suspend, Request::Call(call)) => {
                let child = child();
                tape.resume(child.clone());
                resume_call(&mut first, child.outcome, child.gas, child.refund, child.output, call.output);
            }
            _ => break exit,
        }
    };
    let mut functions = *callouts::<Replayer<'_>>();
    alter(&mut tape, &mut functions);
    let result = executor.check_with(&first, &contract, exit, &tape, &functions);
    (result, engine.counters().read())
}

/// The difference that `check` must find.
fn difference(code: &[u8], alter: impl FnOnce(&mut Tape, &mut Callouts)) -> Box<Difference> {
    let (result, counters) = check(code, alter);
    assert_eq!((counters.checked, counters.differences), (1, 1));
    result.expect_err("it is broken")
}

/// Loads slot 5, stores it and one more at slot 6.
const LOAD_STORE: [u8; 11] = [op::PUSH1, 5, op::SLOAD, op::PUSH1, 1, op::ADD, op::PUSH1, 6, op::SSTORE, op::PUSH0, op::SLOAD];

/// Calls, then returns the first 32 bytes of memory, into which the output goes.
const CALL_RETURN: [u8; 16] = [
    op::PUSH1,
    32,
    op::PUSH0,
    op::PUSH0,
    op::PUSH0,
    op::PUSH0,
    op::PUSH1,
    0xaa,
    op::PUSH2,
    0x27,
    0x10,
    op::CALL,
    op::PUSH1,
    32,
    op::PUSH0,
    op::RETURN,
];

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let looping = [op::PUSH1, 9, op::JUMPDEST, op::PUSH1, 1, op::SWAP1, op::SUB, op::DUP1, op::PUSH1, 2, op::JUMPI];
    for (code, instructions) in [(&LOAD_STORE[..], 9), (&CALL_RETURN, 11), (&looping, 1 + 9 * 7 + 1)] {
        let (result, counters) = check(code, |_, _| {});
        assert_eq!(result, Ok(()));
        assert_eq!((counters.checked, counters.differences), (1, 0));
        assert_eq!((counters.compiled, counters.interpreted), (instructions, 0), "{code:02x?}");
        assert_eq!(counters.compiled_share(), Some(1.0));
    }
}

#[test]
fn an_altered_answer_shows_where_it_is_used() {
    let found = difference(&LOAD_STORE, |tape, _| {
        let Step::Asked(_, Answer::StorageLoad(load)) = &mut tape.events[0].step else { panic!("{tape:?}") };
        load.value = U256::from(41);
    });
    assert_eq!((found.pc, found.alike), (8, 1));
    assert!(found.expected.contains("StorageStore") && found.expected.contains("value: 1"), "{found}");
    assert!(found.got.contains("StorageStore") && found.got.contains("value: 42"), "{found}");
    let text = found.to_string();
    for part in ["at pc 8 (SSTORE), after 1 requests alike", "0x600554600101600655", "CANCUN", "gas 1000000", "input: 0x0707"] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn requests_too_many_and_too_few_are_found() {
    let found = difference(&LOAD_STORE, |tape, _| drop(tape.events.pop()));
    assert_eq!((found.pc, found.alike), (11, 2));
    assert!(found.expected.contains("the end"), "{found}");
    let found = difference(&LOAD_STORE, |tape, _| {
        let last = tape.events.last().unwrap().clone();
        tape.events.push(last);
    });
    assert!(found.expected.contains("StorageLoad") && found.got.contains("the end: Stop"), "{found}");
}

#[test]
fn an_altered_child_shows() {
    let altered = |change: fn(&mut Child)| {
        difference(&CALL_RETURN, |tape, _| {
            let Some(Step::Paused(_, Some(child))) = tape.events.last_mut().map(|e| &mut e.step) else { panic!("{tape:?}") };
            change(child);
        })
    };
    let found = altered(|child| child.output = vec![0xcd; 40].into());
    assert!(found.expected.contains("output 0xcccc") && found.got.contains("output 0xcdcd"), "{found}");
    assert!(altered(|child| child.gas += 1).got.contains("gas"));
    assert!(altered(|child| child.refund += 1).got.contains("refund 4"));
}

#[test]
fn an_altered_request_shows_at_the_call() {
    let found = difference(&CALL_RETURN, |tape, _| {
        let Step::Paused(pause, _) = &mut tape.events[1].step else { panic!("{tape:?}") };
        let Request::Call(call) = &mut pause.request else { panic!("{pause:?}") };
        call.gas_limit += 1;
    });
    assert_eq!((found.pc, found.alike), (11, 1));
    assert!(found.got.contains("gas_limit: 10000"), "{found}");
    let found = difference(&CALL_RETURN, |tape, _| tape.events[0].state.gas += 1);
    assert_eq!((found.pc, found.alike), (11, 0));
    assert!(found.got.contains("CallTarget"), "{found}");
}

unsafe extern "C" fn wrong_sload(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise; the result of SLOAD is on the stack.
    unsafe {
        let exit = (callouts::<Replayer<'_>>().sload)(frame);
        *(*frame).sp.sub(1) += U256::from(1);
        exit
    }
}

unsafe extern "C" fn wrong_mulmod(out: *mut U256, _: *const U256, _: *const U256, _: *const U256, _: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { out.write(U256::from(99)) }
}

unsafe extern "C" fn wrong_keccak(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise; the result is on the stack.
    unsafe {
        let exit = (callouts::<Replayer<'_>>().keccak256)(frame);
        (*frame).gas -= 1;
        exit
    }
}

unsafe extern "C" fn wrong_exp(_: *mut Frame) -> u64 {
    Exit::OutOfGas as u64
}

#[test]
fn a_wrong_host_function_shows_where_its_result_is_used() {
    let found = difference(&LOAD_STORE, |_, functions| functions.sload = wrong_sload);
    assert_eq!((found.pc, found.alike), (8, 1));
    assert!(found.expected.contains("value: 1") && found.got.contains("value: 2"), "{found}");
}

#[test]
fn a_wrong_word_function_shows_in_memory() {
    // mstore(32, mulmod(calldataload(0), calldataload(1), calldataload(2)))
    let code = [
        op::PUSH1,
        2,
        op::CALLDATALOAD,
        op::PUSH1,
        1,
        op::CALLDATALOAD,
        op::PUSH0,
        op::CALLDATALOAD,
        op::MULMOD,
        op::PUSH1,
        32,
        op::MSTORE,
    ];
    let found = difference(&code, |_, functions| functions.mulmod = wrong_mulmod);
    assert!(found.expected.contains("memory from 63 on 0x00"), "{found}");
    assert!(found.got.contains("memory from 63 on 0x63"), "{found}");
}

#[test]
fn wrong_gas_and_wrong_ends_show() {
    let hash = [op::PUSH1, 8, op::PUSH0, op::KECCAK256, op::POP];
    let found = difference(&hash, |_, functions| functions.keccak256 = wrong_keccak);
    assert!(found.expected.contains("gas 999") && found.got.contains("gas 999"), "{found}");
    let power = [op::PUSH0, op::CALLDATALOAD, op::DUP1, op::EXP, op::PUSH0, op::MSTORE];
    let found = difference(&power, |_, functions| functions.exp = wrong_exp);
    assert!(found.expected.contains("exit Stop") && found.got.contains("exit OutOfGas"), "{found}");
}
