//! A small assembler, a world to run transactions in, and random programs.

use ejit::{
    adapter::{BuildEjit, EjitEvm},
    engine::{Config, Engine, Mode},
};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext, MainnetEvm,
    bytecode::Bytecode,
    context::{
        TxEnv,
        transaction::{AccessList, AccessListItem},
    },
    database::InMemoryDB,
    handler::MainnetContext,
    primitives::{Address, B256, U256, hardfork::SpecId},
    state::AccountInfo,
};
use std::{num::NonZeroU64, sync::OnceLock};

/// Who sends all transactions.
pub const CALLER: Address = address(0xca11);

/// A short address.
pub const fn address(n: u16) -> Address {
    let mut bytes = [0; 20];
    bytes[18] = (n >> 8) as u8;
    bytes[19] = n as u8;
    Address::new(bytes)
}

/// Bytecode under construction.
#[derive(Clone, Default)]
pub struct Asm(Vec<u8>);

impl Asm {
    pub fn new() -> Asm {
        Asm::default()
    }

    /// Opcodes as they are.
    pub fn ops(mut self, ops: &[u8]) -> Asm {
        self.0.extend(ops);
        self
    }

    /// The shortest PUSH of a number.
    pub fn push(mut self, value: u64) -> Asm {
        let bytes = value.to_be_bytes();
        let skip = (value.leading_zeros() / 8).min(7) as usize;
        self.0.push(0x60 + (7 - skip) as u8);
        self.0.extend(&bytes[skip..]);
        self
    }

    /// PUSH20.
    pub fn push_address(mut self, address: Address) -> Asm {
        self.0.push(0x73);
        self.0.extend(address);
        self
    }

    /// A call of the given opcode; value is left out where the opcode takes none.
    pub fn call(self, opcode: u8, gas: u64, to: Address, value: u64, input: (u64, u64), output: (u64, u64)) -> Asm {
        let asm = self.push(output.1).push(output.0).push(input.1).push(input.0);
        let asm = if matches!(opcode, 0xf1 | 0xf2) { asm.push(value) } else { asm };
        asm.push_address(to).push(gas).ops(&[opcode])
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn build(self) -> Vec<u8> {
        self.0
    }
}

/// Accounts, and what a transaction brings besides.
pub struct World {
    db: InMemoryDB,
    access_list: Vec<(Address, Vec<U256>)>,
}

impl World {
    pub fn new() -> World {
        let mut db = InMemoryDB::default();
        db.insert_account_info(CALLER, AccountInfo { balance: U256::from(1u128 << 100), ..Default::default() });
        World { db, access_list: Vec::new() }
    }

    /// A contract with a small balance.
    pub fn code(mut self, at: Address, code: Vec<u8>) -> World {
        let info = AccountInfo::from_bytecode(Bytecode::new_raw(code.into()));
        self.db.insert_account_info(at, AccountInfo { balance: U256::from(10), nonce: 1, ..info });
        self
    }

    /// Sets a contract's nonce.
    pub fn nonce(mut self, at: Address, nonce: u64) -> World {
        self.db.cache.accounts.get_mut(&at).unwrap().info.nonce = nonce;
        self
    }

    /// Sets a storage slot.
    pub fn storage(mut self, at: Address, key: u64, value: u64) -> World {
        self.db.insert_account_storage(at, U256::from(key), U256::from(value)).unwrap();
        self
    }

    /// Adds an access list to the transaction.
    pub fn access_list(mut self, list: Vec<(Address, Vec<U256>)>) -> World {
        self.access_list = list;
        self
    }

    /// Runs the transaction that `edit` makes under each fork, twice in one EVM, with revm and with ejit in every mode.
    /// Gives the number of frames executed.
    pub fn check(&self, forks: &[SpecId], edit: impl Fn(&mut TxEnv)) -> u64 {
        self.check_on(engines(), forks, edit)
    }

    /// As [`World::check`], on the given engines.
    pub fn check_on(&self, engines: &[Engine], forks: &[SpecId], edit: impl Fn(&mut TxEnv)) -> u64 {
        let mut frames = 0;
        for &fork in forks {
            let tx = self.transaction(&edit);
            let mut plain = context(&self.db, fork).build_mainnet();
            let expected = [plain.transact_one(tx.clone()), plain.transact_one(tx.clone())];
            let expected_state = plain.finalize();
            for engine in engines {
                let mode = engine.config().mode;
                let mut evm = context(&self.db, fork).build_ejit(engine);
                let got = [evm.transact_one(tx.clone()), evm.transact_one(tx.clone())];
                assert_eq!(got, expected, "{fork:?} {mode:?} {tx:?}");
                let state = evm.finalize();
                for (address, account) in &expected_state {
                    assert_eq!(state.get(address), Some(account), "{fork:?} {mode:?} {address} {tx:?}");
                }
                assert_eq!(state.len(), expected_state.len(), "{fork:?} {mode:?}");
                assert_eq!(evm.counters().handed_to_revm, 0);
                frames += evm.counters().frames;
            }
        }
        frames
    }

    fn transaction(&self, edit: impl Fn(&mut TxEnv)) -> TxEnv {
        let list = self.access_list.iter().map(|(address, keys)| AccessListItem {
            address: *address,
            storage_keys: keys.iter().map(|key| B256::from(*key)).collect(),
        });
        let mut tx = TxEnv {
            caller: CALLER,
            gas_limit: 1_000_000,
            gas_price: 10,
            tx_type: if self.access_list.is_empty() { 0 } else { 1 },
            access_list: AccessList(list.collect()),
            ..TxEnv::default()
        };
        edit(&mut tx);
        tx
    }
}

/// A context over `db`, without checks of nonces.
fn context(db: &InMemoryDB, fork: SpecId) -> MainnetContext<InMemoryDB> {
    Context::mainnet()
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(fork);
            cfg.disable_nonce_check = true;
        })
        .with_db(db.clone())
}

/// EVMs that live on: revm's, and one for each engine. Each transaction finds the world as it was made.
pub struct Caller {
    plain: MainnetEvm<MainnetContext<InMemoryDB>>,
    ours: Vec<EjitEvm<MainnetContext<InMemoryDB>>>,
}

impl Caller {
    pub fn new(world: &World, engines: &[Engine], fork: SpecId) -> Caller {
        let ours = engines.iter().map(|engine| context(&world.db, fork).build_ejit(engine)).collect();
        Caller { plain: context(&world.db, fork).build_mainnet(), ours }
    }

    /// Runs the transaction that `edit` makes everywhere; results and states must be equal. Gives the gas it used.
    pub fn check(&mut self, edit: impl Fn(&mut TxEnv)) -> u64 {
        let mut tx = TxEnv { caller: CALLER, gas_limit: 1_000_000, gas_price: 10, ..TxEnv::default() };
        edit(&mut tx);
        let expected = self.plain.transact(tx.clone()).expect("a valid transaction");
        for evm in &mut self.ours {
            let got = evm.transact(tx.clone()).expect("a valid transaction");
            assert_eq!(got, expected, "{:?} {tx:?}", evm.engine().config());
        }
        expected.result.tx_gas_used()
    }
}

/// Seed of the engines whose translator makes choices at random.
const CHAOS: NonZeroU64 = NonZeroU64::new(0x5eed).unwrap();

/// One engine for each mode, shared by all tests. The tiered one compiles early.
fn engines() -> &'static [Engine] {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let engine = |mode| Engine::new(Config { least_work: 100, payback: 0, ..Config::with_mode(mode) });
        let modes = [Mode::Off, Mode::Always, Mode::Tiered, Mode::Check].map(engine);
        // And as it comes, so that some of what compiled code asks for is not worth compiling.
        let chaos = [Mode::Always, Mode::Tiered]
            .map(|mode| Engine::new(Config { least_work: 100, payback: 0, chaos: Some(CHAOS), ..Config::with_mode(mode) }));
        modes.into_iter().chain([Engine::default()]).chain(chaos).collect()
    })
}

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }

    /// A program that mostly keeps its stack in order, with calls to `others` and creations, and now and then a stray byte.
    pub fn program(&mut self, others: &[Address]) -> Vec<u8> {
        let mut asm = Asm::new();
        for _ in 0..self.below(40) + 5 {
            asm = self.piece(asm, others);
        }
        match self.below(4) {
            0 => asm.push(64).push(0).ops(&[0xf3]).build(),
            1 => asm.push(32).push(16).ops(&[0xfd]).build(),
            _ => asm.build(),
        }
    }

    fn small(&mut self) -> u64 {
        match self.below(6) {
            0 => 0,
            1 => self.below(1000),
            _ => self.below(160),
        }
    }

    fn piece(&mut self, asm: Asm, others: &[Address]) -> Asm {
        const UNARY: &[u8] = &[0x15, 0x19, 0x31, 0x35, 0x3b, 0x3f, 0x40, 0x51, 0x54];
        const NULLARY: &[u8] =
            &[0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42, 0x43, 0x45, 0x46, 0x47, 0x48, 0x58, 0x59, 0x5a];
        const BINARY: &[u8] =
            &[1, 2, 3, 4, 5, 6, 7, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1b, 0x1c, 0x1d, 0x20];
        const STORES: &[u8] = &[0x52, 0x53, 0x55, 0x5d];
        const COPIES: &[u8] = &[0x37, 0x39, 0x3e, 0x5e];
        let to = others[self.below(others.len() as u64) as usize];
        let to = if self.below(8) == 0 { address(self.below(12) as u16) } else { to };
        let (a, b, c, d) = (self.small(), self.small(), self.small(), self.small());
        match self.below(24) {
            0..4 => asm.push(a).push(b).ops(&[BINARY[self.below(BINARY.len() as u64) as usize]]),
            4..6 => asm.push(a).ops(&[UNARY[self.below(UNARY.len() as u64) as usize]]),
            6..8 => asm.ops(&[NULLARY[self.below(NULLARY.len() as u64) as usize]]),
            8..12 => asm.push(self.next() >> self.below(64)).push(a % 100).ops(&[STORES[self.below(4) as usize]]),
            12 => asm.push(a).push(b).push(c).ops(&[COPIES[self.below(4) as usize]]),
            13..18 => {
                let opcode = [0xf1, 0xf1, 0xf2, 0xf4, 0xfa][self.below(5) as usize];
                let gas = [a, 30_000, 100_000, u64::MAX][self.below(4) as usize];
                let value = if self.below(3) == 0 { d % 20 } else { 0 };
                asm.call(opcode, gas, to, value, (a, b), (c, d))
            }
            18 => asm.push_address(to).ops(&[[0x31, 0x3b, 0x3f][self.below(3) as usize]]),
            19 => {
                // Init code: 32 bytes that return a part of memory, or whatever is in memory.
                let init = [0x60, a as u8, 0x60, 0x00, 0x53, 0x60, b as u8, 0x60, 0x00, 0xf3];
                let mut word = [0; 32];
                word[..10].copy_from_slice(&init);
                let asm = asm.ops(&[0x7f]).ops(&word).push(0).ops(&[0x52]);
                if self.below(2) == 0 {
                    asm.push(10 + a % 30).push(0).push(d % 3).ops(&[0xf0])
                } else {
                    asm.push(c).push(10).push(0).push(0).ops(&[0xf5])
                }
            }
            20 => asm.push(a).push(b).push(c % 64).push(d).ops(&[0xa2]),
            21 => asm.ops(&[0x80 + self.below(3) as u8, 0x90 + self.below(3) as u8]),
            22 => match self.below(20) {
                0 => asm.push_address(to).ops(&[0xff]),
                1 => asm.ops(&[self.next() as u8]),
                _ => asm.ops(&[0x50]),
            },
            _ => asm.push(1).push(asm_len_hint(a)).ops(&[0x5b, 0x50]),
        }
    }
}

/// A number that is sometimes large.
fn asm_len_hint(a: u64) -> u64 {
    if a == 0 { u64::MAX } else { a }
}
