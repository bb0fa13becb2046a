//! Reading accounts, storage, hashes; writing storage.

use super::{Flow, address, run, saturated};
use crate::abi::{Exit, Frame, Host, HostError, Loaded, LoadedWord, StorageWrite};
use crate::evm::fork::StorePrices;
use revm_primitives::{Address, BLOCK_HASH_HISTORY, U256};

/// Loads something of the account that the topmost word names, and pays for it if it was cold.
#[inline(always)]
fn load<H: Host, T>(frame: &mut Frame, ask: impl FnOnce(&mut H, Address, bool) -> Result<Loaded<T>, HostError>) -> Flow<T> {
    let cold = frame.schedule().cold_account;
    let skip_cold = !frame.can_pay(cold);
    // SAFETY: `H` is the host's type by this function's instantiation in its table.
    let host = unsafe { frame.host::<H>() };
    let loaded = ask(host, address(&frame.operand(1)), skip_cold)?;
    if loaded.is_cold {
        frame.charge(cold)?;
    }
    Ok(loaded.value)
}

/// Puts a word that the topmost one names in its place, and pays `cold` for it if it was.
#[inline(always)]
fn load_word<H: Host>(frame: &mut Frame, cold: u64, ask: impl FnOnce(&mut H, &Frame, bool) -> LoadedWord) -> Flow {
    let skip_cold = !frame.can_pay(cold);
    // SAFETY: `H` is the host's type by this function's instantiation in its table.
    let host = unsafe { frame.host::<H>() };
    let LoadedWord { value, is_cold } = ask(host, frame, skip_cold);
    if is_cold? {
        frame.charge(cold)?;
    }
    frame.replace(1, value);
    Ok(())
}

/// Defines operations as [`FrameOp`](crate::abi::FrameOp)s of a host type, `unsafe` as that type says.
macro_rules! host_ops {
    ($($(#[$doc:meta])* $name:ident = $operation:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Safety
        /// As [`FrameOp`](crate::abi::FrameOp); `H` is the type of `frame.host`.
        pub(super) unsafe extern "C" fn $name<H: Host>(frame: *mut Frame) -> u64 {
            let operation: fn(&mut Frame) -> Flow = $operation;
            // SAFETY: the caller's promise.
            unsafe { run(frame, operation) }
        })*
    };
}

/// Puts the environment in place, where nothing has needed it before.
#[inline]
pub fn ensure_environment(frame: &mut Frame) {
    if frame.env.is_null() {
        // SAFETY: `callouts` is valid for as long as the frame, and for the type of its host.
        unsafe { ((*frame.callouts).environment)(frame) };
    }
}

host_ops! {
    /// See [`Callouts::environment`](crate::abi::Callouts).
    environment = |frame| {
        // SAFETY: `frame.host` points to an `H` by this function's instantiation in its table, and nobody else uses it while the frame runs.
        frame.env = unsafe { &mut *frame.host.cast::<H>() }.env();
        Ok(())
    };
    /// BALANCE
    balance = |frame| {
        load_word(frame, frame.schedule().cold_account, |host: &mut H, frame, skip_cold| host.balance(address(&frame.operand(1)), skip_cold))
    };
    /// EXTCODESIZE
    extcodesize = |frame| {
        let len = load(frame, H::code_len)?;
        frame.replace(1, U256::from(len));
        Ok(())
    };
    /// EXTCODEHASH
    extcodehash = |frame| {
        let hash = load(frame, H::code_hash)?;
        frame.replace(1, hash.into());
        Ok(())
    };
    /// EXTCODECOPY
    extcodecopy = |frame| {
        let (to, paid) = frame.pay_code_copy()?;
        let code = load(frame, H::code).inspect_err(|_| frame.gas += paid as i64)?;
        frame.copy_code(to, &code);
        frame.drop_operands(4);
        Ok(())
    };
    /// SELFBALANCE. revm asks before it looks for room on the stack.
    selfbalance = |frame| {
        // SAFETY: `H` is the host's type by this function's instantiation in its table.
        let balance = unsafe { frame.host::<H>() }.self_balance(frame.address)?;
        if frame.depth_of_stack() == crate::evm::STACK_LIMIT {
            return Err(Exit::StackOverflow);
        }
        frame.replace(0, balance);
        Ok(())
    };
    /// BLOCKHASH
    blockhash = |frame| {
        ensure_environment(frame);
        // SAFETY: `env` is valid for as long as the frame.
        let current = unsafe { &(*frame.env).number };
        let wanted = frame.operand(1);
        let age = current.checked_sub(wanted).map_or(0, |age| saturated(&age));
        let hash = if age == 0 || age > BLOCK_HASH_HISTORY {
            U256::ZERO
        } else {
            // SAFETY: `H` is the host's type by this function's instantiation in its table.
            unsafe { frame.host::<H>() }.block_hash(saturated(&wanted))?.into()
        };
        frame.replace(1, hash);
        Ok(())
    };
    /// BLOBHASH
    blobhash = |frame| {
        // SAFETY: `H` is the host's type by this function's instantiation in its table.
        let hash = unsafe { frame.host::<H>() }.blob_hash(saturated(&frame.operand(1)));
        frame.replace(1, hash.into());
        Ok(())
    };
    /// SLOAD
    sload = |frame| {
        load_word(frame, frame.schedule().cold_storage, |host: &mut H, frame, skip_cold| host.sload(frame.address, frame.operand(1), skip_cold))
    };
    /// SSTORE
    sstore = store::<H>;
    /// TLOAD
    tload = |frame| {
        // SAFETY: `H` is the host's type by this function's instantiation in its table.
        let value = unsafe { frame.host::<H>() }.tload(frame.address, frame.operand(1));
        frame.replace(1, value);
        Ok(())
    };
    /// TSTORE
    tstore = |frame| {
        frame.require_not_static()?;
        // SAFETY: `H` is the host's type by this function's instantiation in its table.
        unsafe { frame.host::<H>() }.tstore(frame.address, frame.operand(1), frame.operand(2));
        frame.drop_operands(2);
        Ok(())
    };
}

fn store<H: Host>(frame: &mut Frame) -> Flow {
    frame.require_not_static()?;
    let schedule = frame.schedule();
    let prices = &schedule.store;
    if prices.net_metered && !frame.can_pay(schedule.call_stipend + 1) {
        return Err(Exit::ReentrancySentry);
    }
    let before = frame.gas;
    frame.charge(prices.base)?;
    let skip_cold = !frame.can_pay(prices.cold);
    // SAFETY: `H` is the host's type by this function's instantiation in its table.
    let answer = unsafe { frame.host::<H>() }.sstore(frame.address, frame.operand(1), frame.operand(2), skip_cold);
    // Looked at where it is: to move it costs loads that wait for the host's stores.
    let (cost, refund) = match &answer {
        Ok(write) => price(prices, write),
        Err(error) => {
            frame.gas = before;
            return Err((*error).into());
        }
    };
    frame.charge(cost)?;
    frame.refund += refund;
    frame.drop_operands(2);
    Ok(())
}

/// What an SSTORE costs beyond its base, and its refund.
#[inline]
fn price(prices: &StorePrices, write: &StorageWrite) -> (u64, i64) {
    let StorageWrite { original, present, new, is_cold } = write;
    let clear = prices.clear_refund as i64;
    if !prices.net_metered {
        let cost = if present.is_zero() && !new.is_zero() { prices.set } else { prices.reset };
        let refund = if !present.is_zero() && new.is_zero() { clear } else { 0 };
        return (cost, refund);
    }
    let cold = if *is_cold { prices.cold } else { 0 };
    if new == present {
        return (cold, 0);
    }
    let change = if original.is_zero() { prices.set } else { prices.reset };
    if original == present {
        return (cold + change, if new.is_zero() { clear } else { 0 });
    }
    let mut refund = 0;
    if !original.is_zero() {
        if present.is_zero() {
            refund -= clear;
        } else if new.is_zero() {
            refund += clear;
        }
    }
    if original == new {
        refund += change as i64;
    }
    (cold, refund)
}
