//! The table of runtime functions for a host type.

use super::{arith, calls, end, hash, log, memory, state};
use crate::abi::{CallKind, Callouts, Host};

struct Table<H>(core::marker::PhantomData<H>);

impl<H: Host> Table<H> {
    const CALLOUTS: Callouts = Callouts {
        div: arith::div,
        sdiv: arith::sdiv,
        rem: arith::rem,
        rem_prepared: arith::rem_prepared,
        srem: arith::srem,
        mulmod: arith::mulmod,
        mulmod_prepared: arith::mulmod_prepared,
        signextend: arith::signextend,
        byte: arith::byte,
        clz: arith::clz,
        exp: arith::exp,
        keccak256: hash::keccak256,
        balance: state::balance::<H>,
        selfbalance: state::selfbalance::<H>,
        extcodesize: state::extcodesize::<H>,
        extcodecopy: state::extcodecopy::<H>,
        extcodehash: state::extcodehash::<H>,
        blockhash: state::blockhash::<H>,
        blobhash: state::blobhash::<H>,
        calldataload: memory::calldataload,
        calldatacopy: memory::calldatacopy,
        codecopy: memory::codecopy,
        returndatacopy: memory::returndatacopy,
        mcopy: memory::mcopy,
        sload: state::sload::<H>,
        sstore: state::sstore::<H>,
        tload: state::tload::<H>,
        tstore: state::tstore::<H>,
        log0: log::log::<H, 0>,
        log1: log::log::<H, 1>,
        log2: log::log::<H, 2>,
        log3: log::log::<H, 3>,
        log4: log::log::<H, 4>,
        call: calls::call::<H, { CallKind::Call as u8 }>,
        callcode: calls::call::<H, { CallKind::CallCode as u8 }>,
        delegatecall: calls::call::<H, { CallKind::DelegateCall as u8 }>,
        staticcall: calls::call::<H, { CallKind::StaticCall as u8 }>,
        create: calls::create::<false>,
        create2: calls::create::<true>,
        ret: end::ret,
        revert: end::revert,
        selfdestruct: end::selfdestruct::<H>,
        mload: memory::mload,
        mstore: memory::mstore,
        mstore8: memory::mstore8,
        environment: state::environment::<H>,
        grow: memory::grow,
        input_word: memory::input_word,
        reduce: arith::reduce,
    };
}

/// The runtime functions for frames whose host is an `H`.
pub fn callouts<H: Host>() -> &'static Callouts {
    &const { Table::<H>::CALLOUTS }
}
