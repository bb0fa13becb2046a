//! Jumps, calls, the prologue, limits and errors.

use ejit::arena::{Arena, CodePtr, Executable, call};
use ejit::ir::*;
use ejit::lower::{Features, LowerError, Lowerer, REGISTERS, RESULT, aarch64, x86_64};

fn lower(ins: &[Ins], base: u64) -> Result<Vec<u8>, LowerError> {
    let mut code = Vec::new();
    Lowerer::new(Features::none()).lower(ins, base, &mut code).map(|()| code)
}

fn publish(arena: &mut Arena, ins: &[Ins]) -> CodePtr {
    let code = lower(ins, arena.next_address()).unwrap();
    arena.publish(&code).unwrap()
}

fn at(base: R, disp: i32) -> Mem {
    Mem { base, index: None, shift: 0, disp }
}

const ONE_MORE: Ins = Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::I(1) };

/// Sums 1..=n, with `padding` instructions between, so that branches are short or long both ways.
fn sum(padding: usize) -> Vec<Ins> {
    let n = R(1);
    let mut ins = vec![Ins::Mov { dst: n, src: R(0) }, Ins::Imm { dst: RESULT, value: 0 }];
    ins.extend([Ins::Label(Label(0)), Ins::Cmp { a: n, b: Src::I(0) }]);
    ins.push(Ins::Br { cond: Cond::Eq, to: Label(1) });
    ins.push(Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::R(n) });
    ins.push(Ins::Alu { op: AluOp::Sub, flags: false, dst: n, a: n, b: Src::I(1) });
    ins.extend(vec![Ins::Mov { dst: R(3), src: R(4) }; padding]);
    ins.extend([Ins::Jmp(Label(0)), Ins::Trap, Ins::Label(Label(1)), Ins::Ret]);
    ins
}

#[test]
fn loops_of_every_length() {
    // The last is beyond the reach of aarch64's conditional branches.
    for padding in (0..64).chain([100, 1000, 20_000, 300_000]) {
        let function = Executable::from_ir(sum(padding)).unwrap();
        // SAFETY: it takes an integer, touches no memory, and returns.
        assert_eq!(unsafe { function.call(&[100]) }, 5050, "{padding}");
    }
}

macro_rules! labels_know_their_offsets {
    ($($target:ident: $ret:expr),*) => {$(
        #[test]
        fn $target() {
            let mut lowerer = $target::Lowerer::new($target::Features::none());
            let (ret, len) = ($ret.to_vec(), $ret.len() as u32);
            let mut code = vec![0x90; 3];
            lowerer.lower(&[Ins::Ret, Ins::Label(Label(5)), Ins::Ret, Ins::Label(Label(2))], 0, &mut code).unwrap();
            assert_eq!([5, 2, 0].map(|n| lowerer.label_offset(Label(n))), [Some(len), Some(2 * len), None]);
            assert_eq!(code, [vec![0x90; 3], ret.clone(), ret].concat());
            // Nothing is left from one stream to the next.
            lowerer.lower(&[Ins::Ret], 0, &mut code).unwrap();
            assert_eq!(lowerer.label_offset(Label(5)), None);
        }
    )*};
}

mod labels_know_their_offsets {
    use super::*;
    labels_know_their_offsets!(x86_64: [0xc3], aarch64: [0xc0, 0x03, 0x5f, 0xd6]);
}

#[test]
fn a_stream_after_other_bytes_branches_right() {
    let mut arena = Arena::new(4096, 0).unwrap();
    let mut code = vec![0; 32];
    let base = arena.next_address() + code.len() as u64;
    Lowerer::new(Features::none()).lower(&sum(40), base, &mut code).unwrap();
    arena.publish(&code).unwrap();
    let ins = [Ins::JmpTo { addr: base }];
    let entry = publish(&mut arena, &ins);
    // SAFETY: it takes an integer, touches no memory, and returns.
    assert_eq!(unsafe { call(entry, &[10]) }, 55);
}

#[test]
fn jumps_between_publications() {
    let mut arena = Arena::new(4096, 2).unwrap();
    let ends = [7, 8].map(|value| publish(&mut arena, &[Ins::Imm { dst: RESULT, value }, Ins::Ret]));
    let slot = arena.new_slot(ends[0].address()).unwrap();
    let by_slot = publish(&mut arena, &[Ins::JmpSlot { slot: slot.address() }]);
    let if_zero = [Ins::Cmp { a: R(0), b: Src::I(0) }, Ins::BrTo { cond: Cond::Eq, addr: ends[0].address() }];
    let by_branch = publish(&mut arena, &[if_zero[0], if_zero[1], Ins::JmpTo { addr: ends[1].address() }]);
    let by_reg = publish(&mut arena, &[Ins::JmpReg(R(0))]);
    let by_mem = publish(&mut arena, &[Ins::JmpMem(at(R(0), 0))]);
    let target = ends[1].address();
    // SAFETY: all of these jump to one of the two ends, which return; the memory read is `target`.
    unsafe {
        assert_eq!(call(by_slot, &[]), 7);
        arena.set_slot(slot, ends[1]);
        assert_eq!(call(by_slot, &[]), 8);
        assert_eq!([0, 1].map(|n| call(by_branch, &[n])), [7, 8]);
        assert_eq!(call(by_reg, &[ends[0].address()]), 7);
        assert_eq!(call(by_mem, &[&raw const target as u64]), 8);
    }
}

#[test]
fn addresses_of_labels_before_and_behind() {
    let [back, ahead] = [Label(0), Label(1)];
    let ins = [
        Ins::LabelAddr { dst: R(3), label: ahead },
        Ins::JmpReg(R(3)),
        Ins::Label(back),
        Ins::Imm { dst: RESULT, value: 5 },
        Ins::Ret,
        Ins::Label(ahead),
        Ins::LabelAddr { dst: R(REGISTERS - 1), label: back },
        Ins::JmpReg(R(REGISTERS - 1)),
    ];
    // The last register is callee-saved: this function is no good citizen unless it saves it.
    let ins: Vec<Ins> = [Ins::Enter].into_iter().chain(ins).map(|ins| if ins == Ins::Ret { Ins::Leave } else { ins }).collect();
    let function = Executable::from_ir(ins).unwrap();
    // SAFETY: it saves what it must, touches no memory, and returns.
    assert_eq!(unsafe { function.call(&[]) }, 5);
}

/// Beyond the reach of aarch64's conditional branches and addresses.
#[test]
fn references_over_more_than_a_mebibyte() {
    let [back, ahead, end] = [Label(0), Label(1), Label(2)];
    let padding = || vec![Ins::Mov { dst: R(3), src: R(4) }; 300_000];
    let mut ins = vec![Ins::Mov { dst: R(5), src: R(0) }, Ins::Imm { dst: RESULT, value: 0 }];
    ins.extend([Ins::Jmp(end), Ins::Label(back), ONE_MORE, Ins::Ret]);
    ins.extend(padding());
    ins.extend([Ins::Label(end), Ins::Imm { dst: R(1), value: 7 }, Ins::Cmp { a: R(5), b: Src::R(R(1)) }]);
    ins.extend([Ins::Br { cond: Cond::Ugt, to: ahead }, Ins::LabelAddr { dst: R(2), label: ahead }]);
    ins.extend([Ins::Imm { dst: RESULT, value: 10 }, Ins::JmpReg(R(2))]);
    ins.extend(padding());
    // An addition: greater than is two conditions on aarch64.
    ins.extend([Ins::Label(ahead), Ins::Alu { op: AluOp::Add, flags: true, dst: R(2), a: R(1), b: Src::I(-8) }]);
    ins.extend([Ins::Br { cond: Cond::Ugt, to: back }, Ins::Trap]);
    let function = Executable::from_ir(ins).unwrap();
    // SAFETY: it takes an integer, touches no memory, and returns.
    assert_eq!([3, 8].map(|n| unsafe { function.call(&[n]) }), [11, 1]);
}

extern "C" fn weigh(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    a + 10 * b + 100 * c + 1000 * d + 10_000 * e + 100_000 * f
}

/// The first register that a call preserves; so do those behind it.
const FIRST_SAVED: u8 = if cfg!(target_arch = "aarch64") { 16 } else { 9 };

#[test]
fn calls_pass_arguments_and_keep_callee_saved_registers() {
    let (holder, callee) = (R(FIRST_SAVED), R(FIRST_SAVED - 1));
    let saved = (FIRST_SAVED + 1..REGISTERS).map(R);
    let mut ins = vec![Ins::Enter, Ins::Mov { dst: holder, src: R(0) }];
    ins.extend(saved.clone().map(|r| Ins::Imm { dst: r, value: r.0.into() }));
    ins.extend((0..6).map(|n| Ins::Imm { dst: R(n), value: n as u64 + 1 }));
    ins.push(Ins::CallMem(at(holder, 0)));
    ins.extend(saved.clone().map(|r| Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::R(r) }));
    ins.push(Ins::Mov { dst: R(0), src: RESULT });
    ins.extend((1..6).map(|n| Ins::Imm { dst: R(n), value: 0 }));
    ins.extend([Ins::Load { width: Width::B64, signed: false, dst: callee, mem: at(holder, 0) }, Ins::CallReg(callee), ONE_MORE]);
    ins.push(Ins::Leave);
    let function = Executable::from_ir(ins).unwrap();
    let target = weigh as *const () as u64;
    // SAFETY: the stream calls `weigh` twice through `target`, restores what it changes, and returns.
    let result = unsafe { function.call(&[&raw const target as u64]) };
    assert_eq!(result, 654_321 + saved.map(|r| u64::from(r.0)).sum::<u64>() + 1);
}

#[test]
fn enter_and_leave_preserve_what_a_caller_may_count_on() {
    let all = || (0..REGISTERS).map(R);
    let saved = || (FIRST_SAVED..REGISTERS).map(R);
    let spoil: Vec<Ins> = all().map(|r| Ins::Imm { dst: r, value: 0xbad }).collect();
    let inner = Executable::from_ir([vec![Ins::Enter], spoil, vec![Ins::Leave]].concat()).unwrap();
    let mut ins = vec![Ins::Enter];
    ins.extend(saved().map(|r| Ins::Imm { dst: r, value: 1 << r.0 }));
    ins.extend([Ins::CallReg(R(0)), Ins::Imm { dst: RESULT, value: 0 }]);
    ins.extend(saved().map(|r| Ins::Alu { op: AluOp::Or, flags: false, dst: RESULT, a: RESULT, b: Src::R(r) }));
    ins.push(Ins::Leave);
    let outer = Executable::from_ir(ins).unwrap();
    // SAFETY: both return, save what they must, and touch no memory but the stack.
    let kept = unsafe { outer.call(&[inner.entry().address()]) };
    assert_eq!(kept, saved().map(|r| 1 << r.0).sum::<u64>());
}

extern "C" fn stack_alignment() -> u64 {
    #[repr(align(16))]
    struct Aligned(#[allow(dead_code)] u8);
    let local = Aligned(0);
    core::hint::black_box(&raw const local) as u64 % 16
}

#[test]
fn calls_find_an_aligned_stack() {
    let target = stack_alignment as *const () as u64;
    let function = Executable::from_ir([Ins::Enter, Ins::CallReg(R(0)), ONE_MORE, Ins::Leave]).unwrap();
    // SAFETY: the stream calls a function without arguments and returns.
    assert_eq!(unsafe { function.call(&[target]) }, 1);
}

type Lower = fn(&[Ins], u64) -> Result<Vec<u8>, LowerError>;

fn lower_x86_64(ins: &[Ins], base: u64) -> Result<Vec<u8>, LowerError> {
    let mut code = Vec::new();
    x86_64::Lowerer::new(x86_64::Features::none()).lower(ins, base, &mut code).map(|()| code)
}

fn lower_aarch64(ins: &[Ins], base: u64) -> Result<Vec<u8>, LowerError> {
    let mut code = Vec::new();
    aarch64::Lowerer::new(aarch64::Features::none()).lower(ins, base, &mut code).map(|()| code)
}

#[test]
fn calls_of_fixed_addresses_near_and_far() {
    let mut arena = Arena::new(4096, 0).unwrap();
    let near = publish(&mut arena, &[Ins::Imm { dst: RESULT, value: 7 }, Ins::Ret]).address();
    let far = weigh as *const () as u64;
    let mut ins: Vec<Ins> = [Ins::Enter, Ins::Call { addr: near }, Ins::Mov { dst: R(FIRST_SAVED), src: RESULT }].into();
    ins.extend((0..6).map(|n| Ins::Imm { dst: R(n), value: n as u64 + 1 }));
    ins.push(Ins::Call { addr: far });
    ins.push(Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::R(R(FIRST_SAVED)) });
    ins.push(Ins::Leave);
    let entry = publish(&mut arena, &ins);
    // SAFETY: it calls two functions that return, saves what it must, and returns.
    assert_eq!(unsafe { call(entry, &[]) }, 654_321 + 7);
}

#[test]
fn data_is_read_through_its_label() {
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    let mut arena = Arena::new(4096, 0).unwrap();
    for (to, len) in [(1, 1), (2, 8), (4, 15), (16, 16), (64, 9)] {
        let [data, end] = [Label(0), Label(1)];
        let ins = [
            Ins::LabelAddr { dst: R(1), label: data },
            Ins::Load { width: Width::B8, signed: false, dst: RESULT, mem: at(R(1), i32::from(len) - 1) },
            Ins::Jmp(end),
            Ins::Align { to },
            Ins::Label(data),
            Ins::Data { bytes, len },
            Ins::Label(end),
            Ins::Align { to: 16 },
            Ins::Ret,
        ];
        let entry = publish(&mut arena, &ins);
        // SAFETY: it reads a byte of its own data and returns.
        assert_eq!(unsafe { call(entry, &[]) }, u64::from(len), "{to}");
        let mut lowerer = Lowerer::new(Features::none());
        let base = 64;
        lowerer.lower(&ins, base, &mut Vec::new()).unwrap();
        let [data, end] = [data, end].map(|label| lowerer.label_offset(label).unwrap());
        let unit = if cfg!(target_arch = "aarch64") { 4 } else { 1 };
        assert_eq!((data % u32::from(to), end - data), (0, u32::from(len).next_multiple_of(unit)));
    }
}

#[test]
fn errors_name_the_instruction() {
    let far = 1 << 40;
    let label = Label(3);
    let targets = [(lower_x86_64 as Lower, x86_64::REGISTERS), (lower_aarch64, aarch64::REGISTERS)];
    for (lower, registers) in targets {
        let cases = [
            (Ins::Mov { dst: R(registers), src: R(0) }, LowerError::Register { at: 1 }),
            (Ins::Mov { dst: R(255), src: R(0) }, LowerError::Register { at: 1 }),
            (Ins::JmpMem(Mem { base: R(0), index: Some(R(registers)), shift: 3, disp: 0 }), LowerError::Register { at: 1 }),
            (Ins::JmpTo { addr: far }, LowerError::Reach { at: 1, addr: far }),
            (Ins::BrTo { cond: Cond::Eq, addr: far }, LowerError::Reach { at: 1, addr: far }),
            (Ins::JmpSlot { slot: far }, LowerError::Reach { at: 1, addr: far }),
            (Ins::Jmp(label), LowerError::Unbound { label }),
            (Ins::LabelAddr { dst: R(0), label }, LowerError::Unbound { label }),
            (Ins::Label(Label(0)), LowerError::Rebound { at: 1, label: Label(0) }),
            (Ins::Label(Label(u32::MAX)), LowerError::LabelNumber { at: 1, label: Label(u32::MAX) }),
            (Ins::Jmp(Label(u32::MAX)), LowerError::Unbound { label: Label(u32::MAX) }),
        ];
        for (ins, error) in cases {
            assert_eq!(lower(&[Ins::Label(Label(0)), ins], 0), Err(error), "{ins}");
        }
    }
    let x86_64 = [
        (Ins::JmpSlot { slot: (1 << 31) + 8 }, LowerError::Reach { at: 0, addr: (1 << 31) + 8 }),
        (Ins::WLoad { dst: Quad([0, 1, 2, 3].map(R)), base: R(9), disp: i32::MAX - 8 }, LowerError::Displacement { at: 0 }),
        (
            Ins::WMul { dst: Quad([0, 1, 4, 5].map(R)), a: Factor::M(R(9), 0), b: Factor::M(R(9), 0), tmp: [2, 3, 6].map(R) },
            LowerError::FixedRegisters { at: 0 },
        ),
    ];
    for (ins, error) in x86_64 {
        assert_eq!(lower_x86_64(&[ins], 0), Err(error), "{ins}");
        assert_eq!(lower_aarch64(&[ins], 0).err(), None, "{ins}");
    }
}

/// aarch64's carry flag means something else after additions than after subtractions.
#[test]
fn a_carry_of_unknown_origin_is_refused() {
    let add = Ins::Alu { op: AluOp::Add, flags: true, dst: R(1), a: R(1), b: Src::R(R(2)) };
    let sub = Ins::Cmp { a: R(1), b: Src::R(R(2)) };
    let [l, m] = [Label(0), Label(1)];
    let (less, equal) = (Ins::Set { cond: Cond::Ult, dst: R(3) }, Ins::Set { cond: Cond::Eq, dst: R(3) });
    let br = Ins::Br { cond: Cond::Eq, to: l };
    let joined = |first, second, reader| lower_aarch64(&[first, br, second, Ins::Label(l), reader, Ins::Ret], 0).err();
    assert_eq!(joined(sub, add, less), Some(LowerError::Flags { at: 4 }));
    assert_eq!(joined(add, sub, less), Some(LowerError::Flags { at: 4 }));
    assert_eq!(
        joined(sub, add, Ins::Alu { op: AluOp::Adc, flags: true, dst: R(1), a: R(1), b: Src::I(0) }),
        Some(LowerError::Flags { at: 4 })
    );
    for (first, second, reader) in [(sub, sub, less), (add, add, less), (sub, add, equal)] {
        assert_eq!(joined(first, second, reader), None);
    }
    let looped = |first, second, reader| lower_aarch64(&[first, Ins::Label(m), reader, second, Ins::Jmp(m)], 0).err();
    assert_eq!(looped(sub, add, less), Some(LowerError::Flags { at: 4 }));
    assert_eq!([looped(sub, sub, less), looped(sub, add, equal)], [None, None]);
    // Behind a jump the flags are those of who jumps there.
    let split = [add, br, sub, Ins::Ret, Ins::Label(l), less, Ins::Ret];
    assert_eq!(lower_aarch64(&split, 0).err(), None);
}

#[test]
fn verification_names_the_rule() {
    let [q, p] = [[0, 1, 2, 3], [3, 4, 5, 6]].map(|q| Quad(q.map(R)));
    let twice = Quad([0, 1, 1, 3].map(R));
    let cases = [
        (Ins::Mov { dst: R(15), src: R(0) }, Fault::Register(R(15))),
        (Ins::WNot { dst: twice, a: q }, Fault::Quad(twice)),
        (Ins::WNot { dst: p, a: q }, Fault::Overlap),
        (Ins::W { op: WordOp::Sub, dst: q, a: Quad([4, 5, 6, 7].map(R)), b: WSrc::Q(q) }, Fault::Overlap),
        (Ins::W { op: WordOp::Add, dst: q, a: q, b: WSrc::M(R(1), 0) }, Fault::Overlap),
        (Ins::MulWide { hi: R(1), lo: R(1), a: R(2), b: R(3) }, Fault::NotDistinct(R(1))),
        (Ins::WEq { a: q, b: WSrc::I(0), tmp: [R(4), R(4)] }, Fault::NotDistinct(R(4))),
        (Ins::WIsZero { a: q, tmp: R(2) }, Fault::Overlap),
        (Ins::WShift { op: WShiftOp::Shl, dst: q, amount: R(3), tmp: [R(4), R(5)] }, Fault::Overlap),
        (Ins::WShiftImm { op: WShiftOp::Shl, dst: q, a: q, amount: 0, tmp: [R(6), R(3), R(2)] }, Fault::Amount(0)),
        (Ins::FunnelImm { dst: R(0), hi: R(0), lo: R(0), amount: 64, tmp: R(1) }, Fault::Amount(64)),
        (Ins::FunnelImm { dst: R(0), hi: R(1), lo: R(2), amount: 1, tmp: R(2) }, Fault::Overlap),
        (Ins::Lea { dst: R(0), mem: Mem { base: R(0), index: Some(R(1)), shift: 4, disp: 0 } }, Fault::Amount(4)),
        (Ins::Jmp(Label(1)), Fault::Unbound(Label(1))),
    ];
    for (ins, fault) in cases {
        let error = verify(&[Ins::Ret, ins], 15).unwrap_err();
        assert_eq!(error, VerifyError { at: 1, ins, fault });
    }
    let error = verify(&[Ins::Label(Label(1)), Ins::Label(Label(1))], 15).unwrap_err();
    assert_eq!(error.fault, Fault::Rebound(Label(1)));
    assert!(verify(&sum(3), 15).is_ok());
}

/// How a child process ends that runs `body`, which may only do what is safe after a fork.
fn in_child(body: impl FnOnce()) -> i32 {
    // SAFETY: the child does what the caller answers for, and ends.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            body();
            libc::_exit(0);
        }
        let mut status = 0;
        libc::waitpid(child, &mut status, 0);
        status
    }
}

/// Whether the system keeps a page from children that were not to have it. An emulator of user programs (qemu) may not.
fn system_withholds_pages() -> bool {
    const LEN: usize = 4096;
    // SAFETY: a fresh mapping, read in a child.
    unsafe {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let page = libc::mmap(core::ptr::null_mut(), LEN, prot, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        libc::madvise(page, LEN, libc::MADV_DONTFORK);
        let status = in_child(|| {
            page.cast::<u8>().read_volatile();
        });
        libc::munmap(page, LEN);
        libc::WIFSIGNALED(status)
    }
}

#[test]
fn forks_inherit_no_code() {
    let mut arena = Arena::new(4096, 0).unwrap();
    let entry = publish(&mut arena, &[Ins::Imm { dst: RESULT, value: 1 }, Ins::Ret]);
    let status = in_child(|| {
        // SAFETY: the code returns, or a fault ends the child.
        unsafe { call(entry, &[]) };
    });
    assert_eq!(libc::WIFSIGNALED(status), system_withholds_pages(), "{status}");
}
