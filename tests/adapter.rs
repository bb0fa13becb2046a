//! Transactions executed by revm's mainnet EVM and by `EjitEvm` on the same database: result, state and logs must be equal.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use revm::primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId};
use support::{Asm, CALLER, Random, World, address};

const A: Address = address(0xa1);
const B: Address = address(0xb2);
const C: Address = address(0xc3);

/// Forks with a different rule for calls or creations each.
const FORKS: &[SpecId] = &[
    SpecId::FRONTIER,
    SpecId::HOMESTEAD,
    SpecId::TANGERINE,
    SpecId::SPURIOUS_DRAGON,
    SpecId::BYZANTIUM,
    SpecId::PETERSBURG,
    SpecId::ISTANBUL,
    SpecId::BERLIN,
    SpecId::LONDON,
    SpecId::MERGE,
    SpecId::SHANGHAI,
    SpecId::CANCUN,
    SpecId::PRAGUE,
    SpecId::OSAKA,
];

const CALLS: [u8; 4] = [0xf1, 0xf2, 0xf4, 0xfa];

fn callee() -> Vec<u8> {
    // Returns 64 bytes: caller, value; stores the call data's first word and its own address.
    Asm::new().ops(&[0x33]).push(0).ops(&[0x52, 0x34]).push(32).ops(&[0x52]).push(64).push(0).ops(&[0xf3]).build()
}

fn storing_callee() -> Vec<u8> {
    Asm::new().push(0).ops(&[0x35]).push(1).ops(&[0x55]).push(7).push(0).ops(&[0x55, 0x00]).build()
}

/// Calls `to`, stores success, return data size and first output word.
fn caller_of(opcode: u8, to: Address, value: u64, gas: u64) -> Vec<u8> {
    Asm::new()
        .push(0x1234)
        .push(0)
        .ops(&[0x52])
        .call(opcode, gas, to, value, (0, 32), (64, 64))
        .push(10)
        .ops(&[0x55])
        .push(64)
        .ops(&[0x51])
        .push(11)
        .ops(&[0x55])
        .push(96)
        .ops(&[0x51])
        .push(12)
        .ops(&[0x55])
        .build()
}

#[test]
fn calls_of_each_kind() {
    for opcode in CALLS {
        for code in [callee(), storing_callee(), vec![0xfe], vec![], Asm::new().push(3).push(0).ops(&[0xfd]).build()] {
            for (value, gas) in [(0, 100_000), (5, 100_000), (5, 0), (1 << 60, 50_000), (0, 20), (0, 1 << 40)] {
                World::new().code(A, caller_of(opcode, B, value, gas)).code(B, code.clone()).check(FORKS, |tx| {
                    tx.kind = TxKind::Call(A);
                    tx.value = U256::from(77);
                });
            }
        }
    }
}

#[test]
fn three_levels_with_mixed_kinds() {
    for outer in CALLS {
        for inner in CALLS {
            World::new()
                .code(A, caller_of(outer, B, 3, 500_000))
                .code(B, caller_of(inner, C, 1, 200_000))
                .code(C, storing_callee())
                .check(FORKS, |tx| tx.kind = TxKind::Call(A));
        }
    }
}

#[test]
fn return_data() {
    let reader = Asm::new()
        .call(0xf1, 100_000, B, 0, (0, 0), (0, 16))
        .ops(&[0x3d])
        .push(1)
        .ops(&[0x55])
        .push(64)
        .push(0)
        .push(0)
        .ops(&[0x3e])
        .call(0xf1, 100_000, C, 0, (0, 0), (0, 0))
        .ops(&[0x3d])
        .push(2)
        .ops(&[0x55])
        .ops(&[0x3d])
        .push(0)
        .push(128)
        .ops(&[0x3e])
        .push(0)
        .ops(&[0x51])
        .push(3)
        .ops(&[0x55])
        .push(128)
        .ops(&[0x51])
        .push(4)
        .ops(&[0x55])
        .push(1)
        .ops(&[0x3d])
        .push(0)
        .ops(&[0x3e])
        .build();
    let revert = Asm::new().push(99).push(0).ops(&[0x52]).push(48).push(0).ops(&[0xfd]).build();
    World::new().code(A, reader).code(B, callee()).code(C, revert).check(FORKS, |tx| tx.kind = TxKind::Call(A));
}

/// Init code that deploys `runtime`.
fn deployer(runtime: &[u8]) -> Vec<u8> {
    let mut code = Asm::new().push(runtime.len() as u64).push(12).push(0).ops(&[0x39]).build();
    code.extend(Asm::new().push(runtime.len() as u64).push(0).ops(&[0xf3]).build());
    code.resize(12, 0x5b);
    code.extend(runtime);
    code
}

/// Creates from the call data, stores the address and calls it.
fn factory(create2: bool, twice: bool) -> Vec<u8> {
    let mut asm = Asm::new().ops(&[0x36]).push(0).push(0).ops(&[0x37]);
    for slot in 0..1 + twice as u64 {
        if create2 {
            asm = asm.push(5);
        }
        asm = asm.ops(&[0x36]).push(0).push(9).ops(&[if create2 { 0xf5 } else { 0xf0 }]);
        asm = asm.ops(&[0x80]).push(slot).ops(&[0x55]);
        asm = asm.push(32).push(0).push(0).push(0).push(0).ops(&[0x85, 0x5a, 0xf1, 0x50, 0x50]);
        if slot == 0 {
            asm = asm.ops(&[0x3d]).push(8).ops(&[0x55]);
        }
    }
    asm.build()
}

#[test]
fn creations() {
    let revert = Asm::new().push(1).push(0).ops(&[0x53]).push(40).push(0).ops(&[0xfd]).build();
    let selfdestruct = Asm::new().ops(&[0x33, 0xff]).build();
    for init in [
        deployer(&callee()),
        deployer(&storing_callee()),
        deployer(&[0xef, 1, 2]),
        deployer(&[]),
        deployer(&selfdestruct),
        selfdestruct.clone(),
        revert,
        vec![],
        vec![0xfe],
        Asm::new().push(25_000).push(0).ops(&[0xf3]).build(),
        Asm::new().push(1).ops(&[0x56]).build(),
    ] {
        for create2 in [false, true] {
            for twice in [false, true] {
                for gas in [3_000_000, 120_000, 90_000] {
                    World::new().code(A, factory(create2, twice)).check(FORKS, |tx| {
                        tx.kind = TxKind::Call(A);
                        tx.value = U256::from(100);
                        tx.gas_limit = gas;
                        tx.data = Bytes::from(init.clone());
                    });
                }
            }
        }
        World::new().check(FORKS, |tx| {
            tx.kind = TxKind::Create;
            tx.value = U256::from(100);
            tx.data = Bytes::from(init.clone());
        });
    }
}

#[test]
fn creation_with_nonce_overflow_and_collision() {
    let created = A.create(u64::MAX - 2);
    for nonce in [u64::MAX, u64::MAX - 1, u64::MAX - 2] {
        World::new().code(A, factory(false, true)).nonce(A, nonce).code(created, vec![0]).check(FORKS, |tx| {
            tx.kind = TxKind::Call(A);
            tx.value = U256::from(100);
            tx.data = Bytes::from(deployer(&callee()));
        });
    }
}

#[test]
fn selfdestructs() {
    for to in [A, B, CALLER, address(0x99)] {
        let code = Asm::new().push_address(to).ops(&[0xff]).build();
        for opcode in CALLS {
            World::new().code(A, caller_of(opcode, B, 2, 300_000)).code(B, code.clone()).check(FORKS, |tx| {
                tx.kind = TxKind::Call(A);
                tx.value = U256::from(50);
            });
        }
    }
}

#[test]
fn precompiles() {
    for number in 1..=0x12 {
        for opcode in CALLS {
            for gas in [0, 100, 3_000, 200_000] {
                World::new().code(A, caller_of(opcode, address(number), 1, gas)).check(
                    &[SpecId::FRONTIER, SpecId::BYZANTIUM, SpecId::ISTANBUL, SpecId::CANCUN, SpecId::PRAGUE, SpecId::OSAKA],
                    |tx| {
                        tx.kind = TxKind::Call(A);
                        tx.value = U256::from(3);
                    },
                );
            }
        }
        World::new().check(FORKS, |tx| {
            tx.kind = TxKind::Call(address(number));
            tx.data = Bytes::from(vec![7; 200]);
        });
    }
}

#[test]
fn identity_keeps_the_callers_memory() {
    let code = Asm::new()
        .push(0xfeed)
        .push(0)
        .ops(&[0x52])
        .call(0xf1, 50_000, address(4), 0, (16, 16), (40, 16))
        .push(40)
        .ops(&[0x51])
        .push(1)
        .ops(&[0x55])
        .push(0)
        .ops(&[0x51])
        .push(2)
        .ops(&[0x55])
        .push(1)
        .push(500)
        .ops(&[0x52, 0x59])
        .push(3)
        .ops(&[0x55])
        .push(500)
        .ops(&[0x51])
        .push(4)
        .ops(&[0x55])
        .build();
    World::new().code(A, code).check(FORKS, |tx| tx.kind = TxKind::Call(A));
}

#[test]
fn delegations() {
    let delegate_to = |to: Address| {
        let mut code = vec![0xef, 0x01, 0x00];
        code.extend(to);
        code
    };
    for opcode in CALLS {
        for target in [C, B, address(4), address(0x77)] {
            World::new()
                .code(A, caller_of(opcode, B, 1, 100_000))
                .code(B, delegate_to(target))
                .code(C, storing_callee())
                .check(&[SpecId::PRAGUE, SpecId::OSAKA], |tx| tx.kind = TxKind::Call(A));
            for gas in [22_000, 23_000, 23_700, 24_000, 26_000, 28_000] {
                World::new()
                    .code(A, caller_of(opcode, B, 0, 100_000))
                    .code(B, delegate_to(target))
                    .code(C, storing_callee())
                    .check(&[SpecId::OSAKA], |tx| {
                        tx.kind = TxKind::Call(A);
                        tx.gas_limit = gas;
                    });
            }
        }
    }
    World::new().code(B, delegate_to(C)).code(C, storing_callee()).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(B));
}

#[test]
fn depth_of_1024() {
    // Calls itself with all gas, then stores.
    let code = Asm::new().call(0xf1, u64::MAX, A, 0, (0, 0), (0, 0)).push(0).ops(&[0x55]).build();
    let tangerine = World::new().code(A, code.clone());
    tangerine.check(&[SpecId::FRONTIER, SpecId::TANGERINE, SpecId::CANCUN], |tx| {
        tx.kind = TxKind::Call(A);
        tx.gas_limit = 16_000_000;
    });
    // Without the 63/64 rule's loss: give the child all but a little, down to the depth limit.
    let frugal = Asm::new()
        .push(0)
        .push(0)
        .push(0)
        .push(0)
        .push(0)
        .push_address(A)
        .push(2_000)
        .ops(&[0x5a, 0x03, 0xf1])
        .push(0)
        .ops(&[0x55])
        .build();
    World::new().code(A, frugal).check(&[SpecId::FRONTIER, SpecId::HOMESTEAD], |tx| {
        tx.kind = TxKind::Call(A);
        tx.gas_limit = 16_000_000;
    });
    // Recursion of creations: the init code creates itself.
    let creator =
        Asm::new().ops(&[0x38]).push(0).push(0).ops(&[0x39, 0x38]).push(0).push(0).ops(&[0xf0]).push(0).ops(&[0x55]).build();
    World::new().check(FORKS, |tx| {
        tx.kind = TxKind::Create;
        tx.data = Bytes::from(creator.clone());
        tx.gas_limit = 10_000_000;
    });
}

#[test]
fn every_gas_limit_of_a_call() {
    for gas in (21_000..110_000).step_by(97) {
        World::new().code(A, caller_of(0xf1, B, 1, 60_000)).code(B, caller_of(0xf4, C, 0, 30_000)).code(C, storing_callee()).check(
            &[SpecId::HOMESTEAD, SpecId::ISTANBUL, SpecId::CANCUN],
            |tx| {
                tx.kind = TxKind::Call(A);
                tx.gas_limit = gas;
            },
        );
    }
}

#[test]
fn warm_and_cold() {
    let code = Asm::new()
        .push_address(B)
        .ops(&[0x31])
        .push_address(B)
        .ops(&[0x3b])
        .push_address(C)
        .ops(&[0x3f])
        .push(1)
        .ops(&[0x54])
        .push(1)
        .ops(&[0x54])
        .push(2)
        .ops(&[0x54])
        .call(0xf1, 30_000, C, 0, (0, 0), (0, 0))
        .call(0xf1, 30_000, C, 0, (0, 0), (0, 0))
        .ops(&[0x5a])
        .push(5)
        .ops(&[0x55])
        .build();
    let list = vec![(C, vec![U256::from(1)]), (A, vec![U256::from(2), U256::from(5)])];
    World::new().code(A, code.clone()).code(C, storing_callee()).check(FORKS, |tx| tx.kind = TxKind::Call(A));
    World::new()
        .code(A, code)
        .code(C, storing_callee())
        .access_list(list)
        .check(&[SpecId::BERLIN, SpecId::LONDON, SpecId::CANCUN, SpecId::OSAKA], |tx| tx.kind = TxKind::Call(A));
}

#[test]
fn refunds_and_reverts() {
    // Clears slots in a child that succeeds and in one that reverts.
    let clear = Asm::new().push(0).push(1).ops(&[0x55]).push(0).push(2).ops(&[0x55]).build();
    let mut clear_and_revert = clear.clone();
    clear_and_revert.extend(Asm::new().push(0).push(0).ops(&[0xfd]).build());
    let code = Asm::new()
        .call(0xf4, 90_000, B, 0, (0, 0), (0, 0))
        .call(0xf1, 90_000, B, 0, (0, 0), (0, 0))
        .call(0xf1, 90_000, C, 0, (0, 0), (0, 0))
        .build();
    World::new()
        .code(A, code)
        .code(B, clear)
        .code(C, clear_and_revert)
        .storage(A, 1, 9)
        .storage(A, 2, 9)
        .storage(B, 1, 9)
        .storage(C, 1, 9)
        .check(FORKS, |tx| tx.kind = TxKind::Call(A));
}

#[test]
fn logs_of_reverted_children_vanish() {
    let log = Asm::new().push(1).push(2).push(32).push(0).ops(&[0xa2]).build();
    let mut log_and_fail = log.clone();
    log_and_fail.push(0xfe);
    let code = Asm::new()
        .call(0xf1, 90_000, B, 0, (0, 0), (0, 0))
        .call(0xf1, 90_000, C, 0, (0, 0), (0, 0))
        .push(0)
        .push(0)
        .ops(&[0xa0])
        .build();
    World::new().code(A, code).code(B, log).code(C, log_and_fail).check(FORKS, |tx| tx.kind = TxKind::Call(A));
}

/// The word read is the third wide one, so the first must go to its slot, whether or not call data has all 32 bytes.
#[test]
fn call_data_and_words_without_a_register() {
    let read = |asm: Asm| asm.ops(&[0x35]).push(1).ops(&[0x55]).push(2).ops(&[0x55]).push(3).ops(&[0x55]).build();
    let constant = read(Asm::new().ops(&[0x30, 0x34]).push(40));
    let dynamic = read(Asm::new().ops(&[0x30, 0x34, 0x36]));
    let wide = read(Asm::new().ops(&[0x30, 0x34]).push(8).ops(&[0x35]));
    for code in [constant, dynamic, wide] {
        for len in [0, 40, 60, 72, 200] {
            World::new().code(A, code.clone()).check(&[SpecId::CANCUN], |tx| {
                tx.kind = TxKind::Call(A);
                tx.value = U256::from(3);
                tx.data = vec![0; len].into();
            });
        }
    }
}

#[test]
fn random_programs() {
    let mut random = Random::new(0x5eed);
    let rounds = std::env::var("EJIT_RANDOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(400_u64);
    let mut frames = 0;
    for _ in 0..rounds {
        let world = World::new()
            .code(A, random.program(&[A, B, C]))
            .code(B, random.program(&[A, B, C]))
            .code(C, random.program(&[A, B, C]))
            .storage(A, 1, 5)
            .storage(B, 2, 6);
        let (gas, value, data) = (random.below(600_000) + 25_000, random.below(1000), random.bytes(64));
        frames += world.check(&[SpecId::HOMESTEAD, SpecId::BYZANTIUM, SpecId::ISTANBUL, SpecId::LONDON, SpecId::OSAKA], |tx| {
            tx.kind = TxKind::Call(A);
            tx.gas_limit = gas;
            tx.value = U256::from(value);
            tx.data = data.clone().into();
        });
    }
    assert!(frames > 100 * rounds, "{frames} frames: the programs stop too early");
}
