//! The library's surface: typed functions, the assembler, pages, and what they refuse.

use ejit::arena::{Arena, Arguments, Assembler, Executable, ExecutableError, Full, Function, Results};
use ejit::ir::{AluOp, Cond, Ins, Label, R, Shape, Src, Type, V, VOp, VSize, VectorIns};
use ejit::lower::{Features, LowerError, RESULT, RESULTS};

fn add(dst: R, b: R) -> Ins {
    Ins::Alu { op: AluOp::Add, flags: false, dst, a: dst, b: Src::R(b) }
}

/// The sum of the first `n` arguments, each times one more than its number.
fn weighed(n: u8) -> Vec<Ins> {
    // The result may be in the register of the first argument.
    let sum = R(7);
    let mut ins = vec![Ins::Imm { dst: sum, value: 0 }];
    for r in (0..n).map(R) {
        ins.extend((0..=r.0).map(|_| add(sum, r)));
    }
    ins.extend([Ins::Mov { dst: RESULT, src: sum }, Ins::Ret]);
    ins
}

fn call<A: Arguments, T: Results>(ins: Vec<Ins>, args: A) -> T {
    let code = Executable::from_ir(ins).unwrap();
    // SAFETY: all functions here take integers, access no memory, and return integers.
    unsafe { code.function::<A, T>().call(args) }
}

#[test]
fn functions_of_any_number_of_arguments() {
    assert_eq!(call::<(), u64>(weighed(0), ()), 0);
    assert_eq!(call::<u64, u64>(weighed(1), 1), 1);
    assert_eq!(call::<_, u64>(weighed(2), (1u64, 10u64)), 21);
    assert_eq!(call::<_, u64>(weighed(3), (1u64, 10u64, 100u64)), 321);
    assert_eq!(call::<_, u64>(weighed(4), (1u64, 10u64, 100u64, 1000u64)), 4321);
    assert_eq!(call::<_, u64>(weighed(5), (1u64, 10u64, 100u64, 1000u64, 10_000u64)), 54_321);
    assert_eq!(call::<_, u64>(weighed(6), (1u64, 10u64, 100u64, 1000u64, 10_000u64, 100_000u64)), 654_321);
}

/// Two more registers.
#[cfg(target_arch = "aarch64")]
#[test]
fn functions_of_more_arguments() {
    let weighed = |n: u8| {
        let sum = R(15);
        let mut ins = vec![Ins::Imm { dst: sum, value: 0 }];
        ins.extend((0..n).map(R).flat_map(|r| (0..=r.0).map(move |_| add(sum, r))));
        ins.extend([Ins::Mov { dst: RESULT, src: sum }, Ins::Ret]);
        ins
    };
    assert_eq!(call::<_, u64>(weighed(7), (1u64, 10u64, 100u64, 1000u64, 10_000u64, 100_000u64, 1_000_000u64)), 7_654_321);
    assert_eq!(call::<_, u64>(weighed(8), [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000]), 87_654_321);
}

#[test]
fn narrow_words_are_extended_and_cut() {
    let same = || vec![Ins::Mov { dst: RESULT, src: R(0) }, Ins::Ret];
    assert_eq!(call::<i8, i64>(same(), -3), -3);
    assert_eq!(call::<u8, i64>(same(), 0xfd), 0xfd);
    assert_eq!(call::<i32, u64>(same(), -1), u64::MAX);
    assert_eq!(call::<u64, i16>(same(), 0x1_fffe), -2);
    let number = 7u32;
    assert_eq!(call::<*const u32, *const u32>(same(), &number), &raw const number);
}

#[test]
fn two_results() {
    let [first, second] = RESULTS;
    let spare = R(7);
    let swap = vec![
        Ins::Mov { dst: spare, src: R(0) },
        Ins::Mov { dst: first, src: R(1) },
        Ins::Mov { dst: second, src: spare },
        Ins::Ret,
    ];
    assert_eq!(call::<(u32, i64), (i64, u32)>(swap, (5, -6)), (-6, 5));
}

#[test]
fn an_assembler_goes_on_after_what_it_refused() {
    let mut assembler = Assembler::new(4096).unwrap();
    let no_register = Ins::Mov { dst: R(99), src: R(0) };
    let unbound = assembler.label();
    assembler.push(Ins::Jmp(unbound)).unwrap();
    assert!(matches!(assembler.finish(), Err(ExecutableError::Lower(LowerError::Unbound { label })) if label == unbound));
    assembler.push(Ins::Ret).unwrap();
    assert_eq!(assembler.push(no_register), Err(LowerError::Register { at: 1 }));
    let refused = assembler.compile([Ins::Ret, Ins::Ret, no_register]);
    assert!(matches!(refused, Err(ExecutableError::Lower(LowerError::Register { at: 2 }))));
    assert_eq!(assembler.arena().used().0, 0, "what was refused takes no memory");
    // Labels begin anew with each function, and nothing of the last one is left.
    for _ in 0..3 {
        assert_eq!(assembler.label(), Label(0));
        let entry = assembler.compile(weighed(2)).unwrap();
        // SAFETY: in the assembler's memory, which lives; it takes two integers and returns one.
        assert_eq!(unsafe { Function::<(u64, u64), u64>::new(entry).call((1, 10)) }, 21);
    }
}

/// Conditional branches and addresses over more than aarch64's reach its code by another way.
#[test]
fn an_assembler_makes_functions_of_any_length() {
    let mut assembler = Assembler::new(1 << 23).unwrap();
    for padding in [10, 400_000, 10] {
        let end = assembler.label();
        let mut push = |ins| assembler.push(ins).unwrap();
        push(Ins::Mov { dst: R(5), src: R(0) });
        push(Ins::Imm { dst: RESULT, value: 0x1234_5678_9abc_def0 });
        push(Ins::Cmp { a: R(5), b: Src::I(7) });
        push(Ins::Br { cond: Cond::Ult, to: end });
        push(Ins::LabelAddr { dst: R(1), label: end });
        push(add(RESULT, RESULT));
        push(Ins::JmpReg(R(1)));
        (0..padding).for_each(|_| push(Ins::Mov { dst: R(3), src: R(4) }));
        push(Ins::Label(end));
        push(Ins::Ret);
        let entry = assembler.finish().unwrap();
        // SAFETY: in the assembler's memory, which lives; it takes an integer and returns one.
        let result = [6, 7].map(|n| unsafe { Function::<u64, u64>::new(entry).call(n) });
        assert_eq!(result, [0x1234_5678_9abc_def0, 0x2468_acf1_3579_bde0]);
    }
}

#[test]
fn a_full_arena_is_replaced() {
    let mut assembler = Assembler::new(4096).unwrap();
    let first = assembler.compile(weighed(3)).unwrap();
    let large = vec![Ins::Trap; 4096];
    assert!(matches!(assembler.compile(&large), Err(ExecutableError::Full(Full))));
    let old = assembler.replace_arena(Arena::new(1 << 16, 0).unwrap());
    assembler.compile(&large).unwrap();
    // SAFETY: in `old`, which is dropped below; it takes three integers and returns one.
    assert_eq!(unsafe { Function::<(u64, u64, u64), u64>::new(first).call((1, 10, 100)) }, 321);
    drop(old);
}

#[test]
fn large_functions_have_pages_enough() {
    let mut ins = vec![Ins::Mov { dst: RESULT, src: R(0) }];
    ins.extend(vec![add(RESULT, R(1)); 100_000]);
    ins.push(Ins::Ret);
    assert_eq!(call::<(u64, u64), u64>(ins, (1, 2)), 200_001);
}

#[test]
fn features_can_be_masked() {
    // Both targets have it in their baseline for all types but this one.
    let shape = Shape { ty: Type::F16, size: VSize::S128 };
    let add = Ins::Vector(VectorIns::Op { op: VOp::Add, shape, dst: V(0), a: V(0), b: V(1) });
    match Executable::with_features([add, Ins::Ret], Features::none()) {
        Err(ExecutableError::Lower(LowerError::Unsupported { at: 0, ins, needs })) => {
            assert_eq!(ins, add);
            assert_eq!(needs, if cfg!(target_arch = "aarch64") { "FP16 (half-precision arithmetic)" } else { "F16C" });
        }
        other => panic!("{other:?}"),
    }
}
