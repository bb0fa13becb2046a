//! From compiled code back to the interpreter: the stack as the EVM knows it, from registers and constants.

use super::contract::Contract;
use crate::abi::Frame;
use crate::evm::U256;
use crate::ir::R;
use crate::translate::context::{Context, Place, Versions};

/// Makes the frame ready for the interpreter after compiled code has left through the site whose number is `frame.pc`.
pub(super) fn leave_at_site(frame: &mut Frame, contract: &Contract, words: &[R]) {
    let versions = contract.versions();
    let site = versions.site(frame.pc).expect("compiled code names sites of its contract");
    restore(frame, &site.context, &versions, words);
    frame.gas += i64::from(site.gas);
    frame.pc = site.pc.0.into();
}

/// The word whose low limb is `limb` and whose others are its sign.
fn sign_extended(limb: u64) -> U256 {
    let sign = (limb as i64 >> 63) as u64;
    U256::from_limbs([limb, sign, sign, sign])
}

/// Writes every stack element home, where `context` held when compiled code left and `frame.saved` has its `registers` for words.
pub(super) fn restore(frame: &mut Frame, context: &Context, versions: &Versions, registers: &[R]) {
    let register = |r: R| frame.saved[registers.iter().position(|word| *word == r).expect("contexts name registers for words")];
    let top = frame.sp.wrapping_offset(context.lead as isize);
    for entry in versions.entries(context).filter(|entry| !entry.is_home()) {
        let value = match entry.place() {
            Place::Home => continue,
            Place::Const(k) => *versions.constant(k),
            Place::Narrow(r) => U256::from(register(r)),
            Place::Signed(r) => sign_extended(register(r)),
            Place::Wide(quad) => U256::from_limbs(quad.each(register)),
        };
        // SAFETY: the context held, so that the stack has this element: its slot is below the top and not below the stack's first.
        unsafe { top.sub(entry.depth().into()).write(value) };
    }
    frame.sp = top;
}
