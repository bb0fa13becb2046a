//! Jumps, calls, the prologue, limits and errors.

use ejit::arena::{Arena, CodePtr, Executable, call};
use ejit::ir::*;
use ejit::lower::x86_64::RESULT;
use ejit::lower::{Features, LowerError, Lowerer};

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
    let mut ins = vec![Ins::Imm { dst: RESULT, value: 0 }, Ins::Label(Label(0)), Ins::Cmp { a: R(0), b: Src::I(0) }];
    ins.push(Ins::Br { cond: Cond::Eq, to: Label(1) });
    ins.push(Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::R(R(0)) });
    ins.push(Ins::Alu { op: AluOp::Sub, flags: false, dst: R(0), a: R(0), b: Src::I(1) });
    ins.extend(vec![Ins::Mov { dst: R(3), src: R(4) }; padding]);
    ins.extend([Ins::Jmp(Label(0)), Ins::Trap, Ins::Label(Label(1)), Ins::Ret]);
    ins
}

#[test]
fn loops_of_every_length() {
    for padding in (0..64).chain([100, 1000, 20_000]) {
        let function = Executable::from_ir(sum(padding)).unwrap();
        // SAFETY: it takes an integer, touches no memory, and returns.
        assert_eq!(unsafe { function.call(&[100]) }, 5050, "{padding}");
    }
}

#[test]
fn labels_know_their_offsets() {
    let mut lowerer = Lowerer::new(Features::none());
    let mut code = vec![0x90; 3];
    lowerer.lower(&[Ins::Ret, Ins::Label(Label(5)), Ins::Ret, Ins::Label(Label(2))], 0, &mut code).unwrap();
    assert_eq!([5, 2, 0].map(|n| lowerer.label_offset(Label(n))), [Some(1), Some(2), None]);
    assert_eq!(code, [0x90, 0x90, 0x90, 0xc3, 0xc3]);
    // Nothing is left from one stream to the next.
    lowerer.lower(&[Ins::Ret], 0, &mut code).unwrap();
    assert_eq!(lowerer.label_offset(Label(5)), None);
}

#[test]
fn a_stream_after_other_bytes_branches_right() {
    let mut arena = Arena::new(4096, 0).unwrap();
    let mut code = vec![0xcc; 32];
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
        Ins::LabelAddr { dst: R(14), label: back },
        Ins::JmpReg(R(14)),
    ];
    // The last register is callee-saved: this function is no good citizen unless it saves it.
    let ins: Vec<Ins> = [Ins::Enter].into_iter().chain(ins).map(|ins| if ins == Ins::Ret { Ins::Leave } else { ins }).collect();
    let function = Executable::from_ir(ins).unwrap();
    // SAFETY: it saves what it must, touches no memory, and returns.
    assert_eq!(unsafe { function.call(&[]) }, 5);
}

extern "C" fn weigh(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    a + 10 * b + 100 * c + 1000 * d + 10_000 * e + 100_000 * f
}

#[test]
fn calls_pass_arguments_and_keep_callee_saved_registers() {
    let saved = (9..15).map(R);
    let mut ins = vec![Ins::Enter, Ins::Mov { dst: R(9), src: R(0) }];
    ins.extend(saved.clone().skip(1).map(|r| Ins::Imm { dst: r, value: r.0.into() }));
    ins.extend((0..6).map(|n| Ins::Imm { dst: R(n), value: n as u64 + 1 }));
    ins.push(Ins::CallMem(at(R(9), 0)));
    ins.extend(saved.skip(1).map(|r| Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::R(r) }));
    ins.push(Ins::Mov { dst: R(0), src: RESULT });
    ins.extend((1..6).map(|n| Ins::Imm { dst: R(n), value: 0 }));
    ins.extend([Ins::Load { width: Width::B64, signed: false, dst: RESULT, mem: at(R(9), 0) }, Ins::CallReg(RESULT), ONE_MORE]);
    ins.push(Ins::Leave);
    let function = Executable::from_ir(ins).unwrap();
    let target = weigh as *const () as u64;
    // SAFETY: the stream calls `weigh` twice through `target`, restores what it changes, and returns.
    let result = unsafe { function.call(&[&raw const target as u64]) };
    assert_eq!(result, 654_321 + (10..15).sum::<u64>() + 1);
}

#[test]
fn calls_of_fixed_addresses_near_and_far() {
    let mut arena = Arena::new(4096, 0).unwrap();
    let near = publish(&mut arena, &[Ins::Imm { dst: RESULT, value: 7 }, Ins::Ret]).address();
    let far = weigh as *const () as u64;
    let mut ins: Vec<Ins> = [Ins::Enter, Ins::Call { addr: near }, Ins::Mov { dst: R(9), src: RESULT }].into();
    ins.extend((0..6).map(|n| Ins::Imm { dst: R(n), value: n as u64 + 1 }));
    ins.push(Ins::Call { addr: far });
    ins.push(Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::R(R(9)) });
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
        assert_eq!((data % u32::from(to), end - data), (0, len.into()));
    }
}

#[test]
fn errors_name_the_instruction() {
    let far = 1 << 40;
    let label = Label(3);
    let cases = [
        (Ins::Mov { dst: R(15), src: R(0) }, LowerError::Register { at: 1 }),
        (Ins::Mov { dst: R(255), src: R(0) }, LowerError::Register { at: 1 }),
        (Ins::JmpMem(Mem { base: R(0), index: Some(R(15)), shift: 3, disp: 0 }), LowerError::Register { at: 1 }),
        (Ins::JmpTo { addr: far }, LowerError::Reach { at: 1, addr: far }),
        (Ins::BrTo { cond: Cond::Eq, addr: far }, LowerError::Reach { at: 1, addr: far }),
        (Ins::JmpSlot { slot: far }, LowerError::Reach { at: 1, addr: far }),
        (Ins::JmpSlot { slot: (1 << 31) + 8 }, LowerError::Reach { at: 1, addr: (1 << 31) + 8 }),
        (Ins::Jmp(label), LowerError::Unbound { label }),
        (Ins::Label(Label(0)), LowerError::Rebound { at: 1, label: Label(0) }),
        (Ins::Label(Label(u32::MAX)), LowerError::LabelNumber { at: 1, label: Label(u32::MAX) }),
        (Ins::WLoad { dst: Quad([0, 1, 2, 3].map(R)), base: R(9), disp: i32::MAX - 8 }, LowerError::Displacement { at: 1 }),
        (
            Ins::WMul { dst: Quad([0, 1, 4, 5].map(R)), a: R(9), a_disp: 0, b: R(9), b_disp: 0, tmp: [2, 3, 6].map(R) },
            LowerError::FixedRegisters { at: 1 },
        ),
    ];
    for (ins, error) in cases {
        assert_eq!(lower(&[Ins::Label(Label(0)), ins], 0), Err(error), "{ins}");
    }
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
        (Ins::WShiftImm { op: WShiftOp::Shl, dst: q, a: q, amount: 0 }, Fault::Amount(0)),
        (Ins::FunnelImm { dst: R(0), hi: R(0), lo: R(0), amount: 64 }, Fault::Amount(64)),
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

#[test]
fn forks_inherit_no_code() {
    let mut arena = Arena::new(4096, 0).unwrap();
    let entry = publish(&mut arena, &[Ins::Imm { dst: RESULT, value: 1 }, Ins::Ret]);
    // SAFETY: the child calls what is safe after a fork alone: it runs the code, and a fault ends it.
    let status = unsafe {
        let child = libc::fork();
        if child == 0 {
            call(entry, &[]);
            libc::_exit(0);
        }
        let mut status = 0;
        libc::waitpid(child, &mut status, 0);
        status
    };
    assert!(libc::WIFSIGNALED(status), "{status}");
}
