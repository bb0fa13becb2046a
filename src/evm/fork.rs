//! Gas per fork, written as the previous fork plus its changes. Everything that gas depends on is a number of this file; the runtime functions
//! hold the rules that use them.
//!
//! [`Schedule::static_gas`] is what an engine charges before it looks at anything else of an instruction, as revm does it: also for opcodes
//! that the fork does not have yet (they fail with `NotActivated` only once that gas is paid). What depends on operands or state is charged by the
//! runtime function of the opcode from the named fields. SSTORE has no static gas: its base is due after the check of EIP-2200.

use super::SpecId;
use super::opcode::*;

/// Prices of SSTORE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorePrices {
    /// Charged before the slot is looked at.
    pub base: u64,
    /// Added when the slot is cold (EIP-2929).
    pub cold: u64,
    /// Added when a slot becomes non-zero.
    pub set: u64,
    /// Added when a slot changes otherwise.
    pub reset: u64,
    /// Refunded when a slot becomes zero.
    pub clear_refund: u64,
    /// Price and refund follow the value at the transaction's start (EIP-2200); before, only the present one counts.
    pub net_metered: bool,
}

/// What the splitter into blocks and the translator look at for every instruction, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// As [`Schedule::static_gas`].
    pub gas: u16,
    /// Bytes with immediate data.
    pub size: u8,
    /// Elements taken from the stack.
    pub inputs: u8,
    /// What it adds up to, for the splitter: its bytes in bits 0 to 15, its gas in 16 to 47, in the others by how many elements the stack grows.
    pub(super) step: u64,
    /// Kind of opcode; [`Class::Undefined`] also for what the compiler leaves to the interpreter: opcodes that the fork does not have, and
    /// [`Class::StackN`].
    pub class: Class,
    /// Neither begins nor ends a block or a gas section.
    pub plain: bool,
}

/// Gas of one fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The fork.
    pub fork: SpecId,
    /// Gas charged for each opcode whatever its operands, whether the fork has it or not; 0 for bytes that are no opcode.
    pub static_gas: [u16; 256],
    /// Whether the fork has the opcode.
    pub active: [bool; 256],
    /// Facts about opcodes that the compiler wants together.
    pub rows: [Row; 256],
    /// EXP: per byte of the exponent.
    pub exp_byte: u64,
    /// Added to the access of a cold account; 0 before Berlin.
    pub cold_account: u64,
    /// Access of a warm account or slot, where it is not static gas: following a delegation, SELFDESTRUCT. 0 before Berlin.
    pub warm_access: u64,
    /// SLOAD: added when the slot is cold; 0 before Berlin.
    pub cold_storage: u64,
    /// SSTORE.
    pub store: StorePrices,
    /// CALL, CALLCODE: added when value is sent.
    pub call_value: u64,
    /// CALL to an account that does not exist.
    pub new_account: u64,
    /// A call creates its target only by sending value (EIP-161), and SELFDESTRUCT likewise.
    pub empty_is_nonexistent: bool,
    /// CALL, CALLCODE with value: given to the child on top. Also what SSTORE must have more than, from Istanbul on.
    pub call_stipend: u64,
    /// CALL*, CREATE*: one part in 64 of the gas stays with the caller, and a CALL asking for more gets what there is (EIP-150).
    pub keeps_a_64th: bool,
    /// SELFDESTRUCT that creates its beneficiary.
    pub selfdestruct_new_account: u64,
    /// SELFDESTRUCT's refund.
    pub selfdestruct_refund: u64,
    /// CREATE, CREATE2.
    pub create: u64,
    /// CREATE, CREATE2: per word of init code, whose length is limited too (EIP-3860). 0: neither.
    pub init_code_word: u64,
}

/// Copying to memory: per word.
pub const COPY_WORD: u64 = 3;
/// KECCAK256, CREATE2: per word hashed.
pub const KECCAK_WORD: u64 = 6;
/// LOG*: per topic.
pub const LOG_TOPIC: u64 = 375;
/// LOG*: per byte of data.
pub const LOG_BYTE: u64 = 8;
/// Memory: per word.
pub const MEMORY_WORD: u64 = 3;
/// Memory: the square of the words is divided by this.
pub const MEMORY_QUADRATIC_DIVISOR: u64 = 512;

/// Gas of a memory of `words` words (saturating).
#[inline]
pub const fn memory_gas(words: u64) -> u64 {
    MEMORY_WORD.saturating_mul(words).saturating_add(words.saturating_mul(words) / MEMORY_QUADRATIC_DIVISOR)
}

const FRONTIER: Schedule = {
    let mut s = Schedule {
        fork: SpecId::FRONTIER,
        static_gas: [0; 256],
        active: [false; 256],
        rows: [Row { gas: 0, size: 1, inputs: 0, step: 1, class: Class::Undefined, plain: false }; 256],
        exp_byte: 10,
        cold_account: 0,
        warm_access: 0,
        cold_storage: 0,
        store: StorePrices { base: 5000, cold: 0, set: 15_000, reset: 0, clear_refund: 15_000, net_metered: false },
        call_value: 9000,
        new_account: 25_000,
        empty_is_nonexistent: false,
        call_stipend: 2300,
        keeps_a_64th: false,
        selfdestruct_new_account: 0,
        selfdestruct_refund: 24_000,
        create: 32_000,
        init_code_word: 0,
    };
    set(&mut s.static_gas, &[JUMPDEST], 1);
    set(
        &mut s.static_gas,
        &[
            ADDRESS,
            ORIGIN,
            CALLER,
            CALLVALUE,
            CALLDATASIZE,
            CODESIZE,
            GASPRICE,
            RETURNDATASIZE,
            COINBASE,
            TIMESTAMP,
            NUMBER,
            DIFFICULTY,
            GASLIMIT,
            CHAINID,
            BASEFEE,
            BLOBBASEFEE,
            SLOTNUM,
            POP,
            PC,
            MSIZE,
            GAS,
            PUSH0,
        ],
        2,
    );
    set(
        &mut s.static_gas,
        &[
            ADD,
            SUB,
            LT,
            GT,
            SLT,
            SGT,
            EQ,
            ISZERO,
            AND,
            OR,
            XOR,
            NOT,
            BYTE,
            SHL,
            SHR,
            SAR,
            CALLDATALOAD,
            CALLDATACOPY,
            CODECOPY,
            RETURNDATACOPY,
            BLOBHASH,
            MLOAD,
            MSTORE,
            MSTORE8,
            MCOPY,
            DUPN,
            SWAPN,
            EXCHANGE,
        ],
        3,
    );
    set_range(&mut s.static_gas, PUSH1, PUSH32, 3);
    set_range(&mut s.static_gas, DUP1, DUP16, 3);
    set_range(&mut s.static_gas, SWAP1, SWAP16, 3);
    set(&mut s.static_gas, &[MUL, DIV, SDIV, MOD, SMOD, SIGNEXTEND, CLZ, SELFBALANCE], 5);
    set(&mut s.static_gas, &[ADDMOD, MULMOD, JUMP], 8);
    set(&mut s.static_gas, &[EXP, JUMPI], 10);
    set(&mut s.static_gas, &[BALANCE, EXTCODESIZE, EXTCODECOPY, BLOCKHASH], 20);
    set(&mut s.static_gas, &[KECCAK256], 30);
    set(&mut s.static_gas, &[CALL, CALLCODE, DELEGATECALL, STATICCALL], 40);
    set(&mut s.static_gas, &[SLOAD], 50);
    set(&mut s.static_gas, &[TLOAD, TSTORE], 100);
    set_range(&mut s.static_gas, LOG0, LOG4, 375);
    set(&mut s.static_gas, &[EXTCODEHASH], 400);
    s.activated(SpecId::FRONTIER)
};

const HOMESTEAD: Schedule = FRONTIER.activated(SpecId::HOMESTEAD);

/// EIP-150: state access.
const TANGERINE: Schedule = {
    let mut s = HOMESTEAD;
    set(&mut s.static_gas, &[SLOAD], 200);
    set(&mut s.static_gas, &[BALANCE], 400);
    set(&mut s.static_gas, &[EXTCODESIZE, EXTCODECOPY, CALL, CALLCODE, DELEGATECALL, STATICCALL], 700);
    set(&mut s.static_gas, &[SELFDESTRUCT], 5000);
    s.selfdestruct_new_account = 25_000;
    s.keeps_a_64th = true;
    s.activated(SpecId::TANGERINE)
};

/// EIP-160 (EXP), EIP-161 (empty accounts).
const SPURIOUS_DRAGON: Schedule = {
    let mut s = TANGERINE;
    s.exp_byte = 50;
    s.empty_is_nonexistent = true;
    s.activated(SpecId::SPURIOUS_DRAGON)
};

const BYZANTIUM: Schedule = SPURIOUS_DRAGON.activated(SpecId::BYZANTIUM);

const PETERSBURG: Schedule = BYZANTIUM.activated(SpecId::PETERSBURG);

/// EIP-1884 (trie-size-dependent opcodes), EIP-2200 (SSTORE).
const ISTANBUL: Schedule = {
    let mut s = PETERSBURG;
    set(&mut s.static_gas, &[SLOAD], 800);
    set(&mut s.static_gas, &[BALANCE, EXTCODEHASH], 700);
    s.store = StorePrices { base: 800, set: 20_000 - 800, reset: 5000 - 800, net_metered: true, ..s.store };
    s.activated(SpecId::ISTANBUL)
};

/// EIP-2929: cold and warm access.
const BERLIN: Schedule = {
    let mut s = ISTANBUL;
    set(&mut s.static_gas, &[SLOAD, BALANCE, EXTCODESIZE, EXTCODEHASH, EXTCODECOPY, CALL, CALLCODE, DELEGATECALL, STATICCALL], 100);
    s.warm_access = 100;
    s.cold_account = 2500;
    s.cold_storage = 2000;
    s.store = StorePrices { base: 100, cold: 2100, set: 20_000 - 100, reset: 2900 - 100, ..s.store };
    s.activated(SpecId::BERLIN)
};

/// EIP-3529: fewer refunds.
const LONDON: Schedule = {
    let mut s = BERLIN;
    s.store.clear_refund = 4800;
    s.selfdestruct_refund = 0;
    s.activated(SpecId::LONDON)
};

const MERGE: Schedule = LONDON.activated(SpecId::MERGE);

/// EIP-3860: init code.
const SHANGHAI: Schedule = {
    let mut s = MERGE;
    s.init_code_word = 2;
    s.activated(SpecId::SHANGHAI)
};

const CANCUN: Schedule = SHANGHAI.activated(SpecId::CANCUN);

const PRAGUE: Schedule = CANCUN.activated(SpecId::PRAGUE);

const OSAKA: Schedule = PRAGUE.activated(SpecId::OSAKA);

/// EIP-8038's static gas only: dynamic prices and state gas (EIP-8037) are not modelled, frames of this fork must not run here.
const AMSTERDAM: Schedule = {
    let mut s = OSAKA;
    set(&mut s.static_gas, &[EXTCODESIZE, EXTCODECOPY], 200);
    s.activated(SpecId::AMSTERDAM)
};

static SCHEDULES: [Schedule; SpecId::AMSTERDAM as usize + 1] = [
    FRONTIER,
    HOMESTEAD,
    TANGERINE,
    SPURIOUS_DRAGON,
    BYZANTIUM,
    PETERSBURG,
    ISTANBUL,
    BERLIN,
    LONDON,
    MERGE,
    SHANGHAI,
    CANCUN,
    PRAGUE,
    OSAKA,
    AMSTERDAM,
];

/// The schedule of a fork.
#[inline]
pub fn schedule(fork: SpecId) -> &'static Schedule {
    &SCHEDULES[fork as usize]
}

/// Static gas of an opcode that costs the same in every fork, for use as a constant. Fails to compile (in const context) for others.
pub const fn constant_gas(op: u8) -> i64 {
    let gas = FRONTIER.static_gas[op as usize];
    let mut fork = 0;
    while fork < SCHEDULES_CONST.len() {
        assert!(SCHEDULES_CONST[fork].static_gas[op as usize] == gas, "the static gas of this opcode depends on the fork");
        fork += 1;
    }
    gas as i64
}

/// The forks that changed static gas.
const SCHEDULES_CONST: &[Schedule; 4] = &[TANGERINE, ISTANBUL, BERLIN, AMSTERDAM];

impl Schedule {
    /// This schedule under the name of `fork`, with the opcodes that it has.
    const fn activated(mut self, fork: SpecId) -> Schedule {
        self.fork = fork;
        let mut op = 0;
        while op < 256 {
            let info = &OPCODE_TABLE[op];
            self.active[op] = !matches!(info.class, Class::Undefined) && fork as u8 >= info.since as u8;
            let is_left = !self.active[op] || matches!(info.class, Class::StackN);
            let class = if is_left { Class::Undefined } else { info.class };
            let plain = match class {
                Class::Pure | Class::Push | Class::Pop | Class::Dup | Class::Swap | Class::Env | Class::Memory => true,
                Class::Effect
                | Class::Call
                | Class::Jump
                | Class::JumpDest
                | Class::Terminal
                | Class::StackN
                | Class::Undefined => false,
            };
            let Info { inputs, outputs, immediate, .. } = *info;
            let (gas, size) = (self.static_gas[op], immediate + 1);
            let step = size as u64 | (gas as u64) << 16 | ((outputs as i64 - inputs as i64) << 48) as u64;
            self.rows[op] = Row { gas, size, inputs, step, class, plain };
            op += 1;
        }
        self
    }
}

const fn set(table: &mut [u16; 256], opcodes: &[u8], gas: u16) {
    let mut i = 0;
    while i < opcodes.len() {
        table[opcodes[i] as usize] = gas;
        i += 1;
    }
}

const fn set_range(table: &mut [u16; 256], first: u8, last: u8, gas: u16) {
    let mut op = first as usize;
    while op <= last as usize {
        table[op] = gas;
        op += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_in_the_order_of_forks() {
        for (index, schedule) in SCHEDULES.iter().enumerate() {
            assert_eq!(schedule.fork as usize, index);
        }
    }

    #[test]
    fn every_change_of_static_gas_is_known_to_constant_gas() {
        for schedule in &SCHEDULES {
            let known = [FRONTIER].iter().chain(SCHEDULES_CONST).any(|s| s.static_gas == schedule.static_gas);
            assert!(known, "{:?}", schedule.fork);
        }
    }

    #[cfg(feature = "revm")]
    #[test]
    fn agrees_with_revm() {
        use revm::context_interface::cfg::gas_params::{GasId, GasParams};
        for schedule in &SCHEDULES {
            let fork = schedule.fork;
            let table = revm::interpreter::instructions::gas_table_spec(fork);
            for op in 0..=255u8 {
                assert_eq!(schedule.static_gas[op as usize], table[op as usize], "{fork:?} {}", info(op).name);
                assert_eq!(schedule.active[op as usize], info(op).active(fork), "{fork:?} {}", info(op).name);
            }
            if fork == SpecId::AMSTERDAM {
                continue;
            }
            let params = GasParams::new_spec(fork);
            let pairs = [
                (schedule.exp_byte, GasId::exp_byte_gas()),
                (schedule.cold_account, GasId::cold_account_additional_cost()),
                (schedule.warm_access, GasId::warm_storage_read_cost()),
                (schedule.cold_storage, GasId::cold_storage_additional_cost()),
                (schedule.store.base, GasId::sstore_static()),
                (schedule.store.cold, GasId::cold_storage_cost()),
                (schedule.store.set, GasId::sstore_set_without_load_cost()),
                (schedule.store.reset, GasId::sstore_reset_without_cold_load_cost()),
                (schedule.store.set, GasId::sstore_set_refund()),
                (schedule.store.reset, GasId::sstore_reset_refund()),
                (schedule.store.clear_refund, GasId::sstore_clearing_slot_refund()),
                (schedule.call_value, GasId::transfer_value_cost()),
                (schedule.new_account, GasId::new_account_cost()),
                (schedule.call_stipend, GasId::call_stipend()),
                (schedule.selfdestruct_new_account, GasId::new_account_cost_for_selfdestruct()),
                (schedule.selfdestruct_refund, GasId::selfdestruct_refund()),
                (schedule.create, GasId::create()),
                (COPY_WORD, GasId::copy_per_word()),
                (COPY_WORD, GasId::extcodecopy_per_word()),
                (COPY_WORD, GasId::mcopy_per_word()),
                (KECCAK_WORD, GasId::keccak256_per_word()),
                (LOG_TOPIC, GasId::logtopic()),
                (LOG_BYTE, GasId::logdata()),
                (MEMORY_WORD, GasId::memory_linear_cost()),
                (MEMORY_QUADRATIC_DIVISOR, GasId::memory_quadratic_reduction()),
            ];
            for (ours, id) in pairs {
                assert_eq!(ours, params.get(id), "{fork:?} {}", id.name());
            }
            if schedule.init_code_word != 0 {
                assert_eq!(schedule.init_code_word, params.get(GasId::initcode_per_word()));
            }
        }
    }
}
