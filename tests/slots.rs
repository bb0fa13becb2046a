//! Storage slots that are accessed again in one transaction: each rule by which what is known of them ends, or does not begin.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::adapter::BuildEjit;
use ejit::engine::{Config, Engine, Mode};
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context_interface::{Cfg, ContextTr, JournalTr};
use revm::database::InMemoryDB;
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, Gas, InstructionResult, InterpreterResult};
use revm::primitives::{Address, AddressSet, Bytes, TxKind, U256, hardfork::SpecId};
use revm::state::AccountInfo;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};
use support::{Asm, CALLER, Random, World, address};

const A: Address = address(0xa1);
const B: Address = address(0xb2);
const C: Address = address(0xc3);

const CALL: u8 = 0xf1;
const CALLCODE: u8 = 0xf2;
const DELEGATECALL: u8 = 0xf4;
const STATICCALL: u8 = 0xfa;
const FORKS: &[SpecId] = &[SpecId::HOMESTEAD, SpecId::BYZANTIUM, SpecId::ISTANBUL, SpecId::BERLIN, SpecId::OSAKA];

/// A key whose lowest limb others have too.
const FAR: u64 = u64::MAX;

trait Storage {
    fn at(self, key: u64) -> Self;
    fn read(self, key: u64) -> Self;
    fn write(self, key: u64, value: u64) -> Self;
    fn calls(self, opcode: u8, to: Address) -> Self;
    fn reverts(self) -> Self;
}

impl Storage for Asm {
    /// Pushes a key; [`FAR`] is 2^64 + 1.
    fn at(self, key: u64) -> Asm {
        if key == FAR { self.ops(&[0x68, 1, 0, 0, 0, 0, 0, 0, 0, 1]) } else { self.push(key) }
    }

    /// Logs what is in a slot.
    fn read(self, key: u64) -> Asm {
        self.at(key).ops(&[0x54]).push(0).push(0).ops(&[0xa1])
    }

    fn write(self, key: u64, value: u64) -> Asm {
        self.push(value).at(key).ops(&[0x55])
    }

    fn calls(self, opcode: u8, to: Address) -> Asm {
        self.call(opcode, 120_000, to, 0, (0, 0), (0, 0)).ops(&[0x50])
    }

    fn reverts(self) -> Asm {
        self.push(0).push(0).ops(&[0xfd])
    }
}

fn to_a(tx: &mut TxEnv) {
    tx.kind = TxKind::Call(A);
}

/// Reads of a slot three times and more, which is when it is known.
fn often(code: Asm, key: u64) -> Asm {
    (0..4).fold(code, |code, _| code.read(key))
}

#[test]
fn what_was_written_is_read() {
    let code = [5, 5, 0, 7, 3].into_iter().fold(often(Asm::new(), 1), |code, value| often(code.write(1, value), 1));
    World::new().code(A, code.build()).storage(A, 1, 3).check(FORKS, to_a);
}

#[test]
fn slots_are_told_apart() {
    let keys = [1, 2, FAR, 1, FAR, 2];
    let here = keys.into_iter().fold(Asm::new().write(FAR, 9), often);
    let there = keys.into_iter().fold(Asm::new(), often).write(1, 8);
    let world = World::new().code(B, there.build()).storage(A, 1, 3).storage(A, 2, 4).storage(B, 1, 5);
    world.code(A, here.calls(CALL, B).read(1).calls(CALL, B).read(1).build()).check(FORKS, to_a);
}

/// Accounts whose addresses differ in their first byte alone.
#[test]
fn accounts_are_told_apart() {
    let mut other = A;
    other.0[0] = 1;
    let code = often(Asm::new(), 1);
    let there = often(Asm::new(), 1).write(1, 8).build();
    let world = World::new().code(other, there).storage(A, 1, 3).storage(other, 1, 4);
    world.code(A, often(code.calls(CALL, other), 1).calls(CALL, other).read(1).build()).check(FORKS, to_a);
}

/// More slots than there is room for, each of them often.
#[test]
fn there_may_be_any_number() {
    let round = (0..700).fold(Asm::new(), |code, key| code.read(key));
    let code = (0..3).fold(Asm::new(), |code, n| code.ops(&round.clone().build()).write(n * 100, n));
    World::new().code(A, code.build()).storage(A, 500, 1).check(&[SpecId::OSAKA], |tx| {
        to_a(tx);
        tx.gas_limit = 10_000_000;
    });
}

/// A frame writes to the storage of the one that called it, of which slots are known, and comes back or is reverted.
#[test]
fn callees_write() {
    for opcode in [DELEGATECALL, CALLCODE] {
        for reverted in [false, true] {
            let library = often(often(Asm::new().write(1, 8), 1), 2).write(2, 9);
            let library = if reverted { library.reverts() } else { library };
            let code = often(Asm::new(), 1).calls(opcode, B);
            let code = often(often(code, 1), 2).calls(opcode, B).read(1).read(2);
            World::new().code(A, code.build()).code(B, library.build()).storage(A, 1, 3).check(FORKS, to_a);
        }
    }
}

/// A frame is called back, and writes to its own storage meanwhile.
#[test]
fn callers_are_called_back() {
    // Where there is value, which the first call has none of, A writes and is done.
    let inner = Asm::new().write(1, 8).ops(&[0x00]);
    let outer = often(Asm::new(), 1).calls(CALL, B).read(1).read(1);
    let jump = 8 + inner.len() as u8;
    let code =
        Asm::new().ops(&[0x33, 0x60, 0xb2, 0x14, 0x15, 0x60, jump, 0x57]).ops(&inner.build()).ops(&[0x5b]).ops(&outer.build());
    for back in [Asm::new().calls(CALL, A), Asm::new().calls(CALL, A).reverts()] {
        World::new().code(A, code.clone().build()).code(B, back.build()).storage(A, 1, 3).check(FORKS, to_a);
    }
}

/// What a reverted frame was the first to access is cold again.
#[test]
fn a_revert_takes_back_warmth() {
    let within = often(often(Asm::new(), 1), 2).reverts().build();
    for opcode in [DELEGATECALL, CALLCODE, CALL, STATICCALL] {
        let code = often(Asm::new(), 1).calls(opcode, B).read(1).read(2).calls(opcode, B).read(2).read(1);
        World::new().code(A, code.build()).code(B, within.clone()).storage(A, 2, 4).storage(B, 1, 5).check(FORKS, to_a);
    }
}

/// The constructor of an account that is created, taken back, and created again.
#[test]
fn constructors_begin_with_nothing() {
    let init = often(Asm::new().read(1).write(1, 6), 1);
    for init in [init.clone(), init.clone().reverts(), init.ops(&[0xfe])] {
        let init = init.build();
        let mut padded = init.clone();
        padded.resize(init.len().next_multiple_of(32), 0);
        let words = (0..).step_by(32).zip(padded.chunks(32));
        let mut code = words.fold(Asm::new(), |code, (at, word)| code.ops(&[0x7f]).ops(word).push(at).ops(&[0x52]));
        for _ in 0..3 {
            code = often(code, 1).push(7).push(init.len() as u64).push(0).push(0).ops(&[0xf5, 0x50]);
        }
        World::new().code(A, often(code, 1).build()).storage(A, 1, 3).check(&[SpecId::ISTANBUL, SpecId::OSAKA], |tx| {
            to_a(tx);
            tx.gas_limit = 3_000_000;
        });
    }
}

/// Random reads and writes of a few slots in frames that call each other in all ways, and are reverted half of the time.
#[test]
fn random_frames() {
    let mut random = Random::new(0x51_07);
    let calls = [CALL, CALLCODE, DELEGATECALL, STATICCALL];
    for _ in 0..150 {
        let mut world = World::new().storage(A, 1, 3).storage(B, 2, 4).storage(C, 3, 5);
        for (at, others) in [(A, &[B, C, B]), (B, &[C, C, A]), (C, &[A, C, B])] {
            let mut code = Asm::new();
            for _ in 0..4 + random.below(20) {
                let key = [1, 2, 3, FAR][random.below(4) as usize];
                code = match random.below(8) {
                    0..4 => code.read(key),
                    4 | 5 => code.write(key, random.below(3)),
                    _ => code.calls(calls[random.below(4) as usize], others[random.below(3) as usize]),
                };
            }
            code = if random.below(2) == 0 { code.reverts() } else { code };
            world = world.code(at, if at == A { code.read(1).ops(&[0x00]).build() } else { code.build() });
        }
        world.check(&[SpecId::BYZANTIUM, SpecId::OSAKA], to_a);
    }
}

/// Precompiles that write to storage.
#[derive(Debug)]
struct Writing(EthPrecompiles);

impl<CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>> PrecompileProvider<CTX> for Writing {
    type Output = InterpreterResult;

    fn set_spec(&mut self, fork: SpecId) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.0, fork)
    }

    fn run(&mut self, ctx: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        if inputs.bytecode_address != B {
            return self.0.run(ctx, inputs);
        }
        ctx.journal_mut().sstore(A, U256::from(1), U256::from(77)).map_err(|error| format!("{error:?}"))?;
        Ok(Some(InterpreterResult::new(InstructionResult::Return, Bytes::new(), Gas::new(inputs.gas_limit))))
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.0.warm_addresses()
    }
}

/// Nothing is known after a precompile that is not revm's own, which may have written, and what was known before its caller was reverted neither.
#[test]
fn precompiles_of_the_embedders_write() {
    let library = often(Asm::new().calls(CALL, B), 1);
    for library in [library.clone(), library.reverts()] {
        let code = often(often(Asm::new(), 1).calls(DELEGATECALL, C), 1).calls(CALL, B);
        let code = often(code, 1).build();
        let context = || {
            let mut db = InMemoryDB::default();
            db.insert_account_info(CALLER, AccountInfo { balance: U256::from(1u128 << 100), ..Default::default() });
            for (at, code) in [(A, code.clone()), (C, library.clone().build())] {
                db.insert_account_info(at, AccountInfo::from_bytecode(Bytecode::new_raw(code.into())));
            }
            Context::mainnet().modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA)).with_db(db)
        };
        let tx = TxEnv { caller: CALLER, kind: TxKind::Call(A), gas_limit: 1_000_000, ..TxEnv::default() };
        let writing = || Writing(EthPrecompiles::new(SpecId::OSAKA));
        let expected = context().build_mainnet().with_precompiles(writing()).transact(tx.clone()).unwrap();
        assert!(expected.result.logs().len() >= 12);
        for mode in [Mode::Off, Mode::Always] {
            let engine = Engine::new(Config::with_mode(mode));
            let found = context().build_ejit(&engine).with_precompiles(writing()).transact(tx.clone()).unwrap();
            assert_eq!(found, expected);
        }
    }
}
