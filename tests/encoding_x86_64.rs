//! Every machine instruction over its boundary operands: what it prints is what an outside disassembler reads.

use core::fmt::Display;
use ejit::asm::x86_64::{Adx, Alu, Cc, Coding, Count, Double, Inst, Mem, Reg, Rm, Shift, ShiftX, Size, Unary, Xmm};
use ejit::asm::x86_64::{VectorInst, VectorOp, VectorRm};
use ejit::asm::{Code, CodeBuffer};
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, MemorySizeOptions, OpKind};

const IMMEDIATES: [i32; 12] = [0, 1, -1, 127, 128, -128, -129, 255, 0x7fff, 0x1_0000, i32::MAX, i32::MIN];
const DISPLACEMENTS: [i32; 9] = [0, 1, -1, 127, 128, -128, -129, i32::MAX, i32::MIN];
const SIZES: [Size; 4] = [Size::B8, Size::B16, Size::B32, Size::B64];
const ALUS: [Alu; 8] = [Alu::Add, Alu::Or, Alu::Adc, Alu::Sbb, Alu::And, Alu::Sub, Alu::Xor, Alu::Cmp];
#[rustfmt::skip]
const CONDITIONS: [Cc; 14] = [
    Cc::O, Cc::No, Cc::B, Cc::Ae, Cc::E, Cc::Ne, Cc::Be, Cc::A, Cc::S, Cc::Ns, Cc::L, Cc::Ge, Cc::Le, Cc::G,
];

struct Outside {
    formatter: IntelFormatter,
    checked: usize,
}

impl Outside {
    fn new() -> Outside {
        let mut formatter = IntelFormatter::new();
        let options = formatter.options_mut();
        options.set_space_after_operand_separator(true);
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_use_pseudo_ops(false);
        options.set_memory_size_options(MemorySizeOptions::Always);
        Outside { formatter, checked: 0 }
    }

    fn text(&mut self, instruction: &Instruction) -> String {
        let mut text = String::new();
        if instruction.op_count() == 1 && instruction.op0_kind() == OpKind::NearBranch64 {
            self.formatter.format_mnemonic(instruction, &mut text);
            text = text.split(' ').next().unwrap().to_string();
            let distance = instruction.near_branch_target().wrapping_sub(instruction.next_ip()) as i64;
            return format!("{text} {distance:+}");
        }
        if instruction.is_ip_rel_memory_operand() {
            let distance = instruction.memory_displacement64().wrapping_sub(instruction.next_ip()) as i64;
            self.formatter.format(instruction, &mut text);
            let operand = text.find('[').expect("a memory operand");
            return format!("{}[rip{distance:+}]", &text[..operand]);
        }
        self.formatter.format(instruction, &mut text);
        text
    }

    fn check(&mut self, inst: Inst) {
        self.check_code(inst.encode(), inst);
    }

    fn check_code(&mut self, bytes: Code, inst: impl Display) {
        let mut code = CodeBuffer::new();
        code.push(bytes);
        let mut decoder = Decoder::with_ip(64, code.bytes(), 0x1000_0000, DecoderOptions::NONE);
        let instruction = decoder.decode();
        assert!(!instruction.is_invalid(), "{inst}: {:02x?}", code.bytes());
        assert_eq!(instruction.len(), code.len(), "{inst}: {:02x?}", code.bytes());
        assert_eq!(self.text(&instruction), inst.to_string(), "{:02x?}", code.bytes());
        self.checked += 1;
    }
}

/// Each base and index with each kind of displacement.
fn memories() -> Vec<Mem> {
    let mut all = Vec::new();
    for base in Reg::ALL {
        for disp in DISPLACEMENTS {
            all.push(Mem::new(base, disp));
            for index in Reg::ALL.into_iter().filter(|&r| r != Reg::Rsp) {
                for shift in 0..4 {
                    all.push(Mem::indexed(base, index, shift, disp));
                }
            }
        }
    }
    all
}

/// One memory operand for each edge of the encoding.
fn few_memories() -> Vec<Mem> {
    let edge = [Reg::Rax, Reg::Rsp, Reg::Rbp, Reg::R12, Reg::R13, Reg::R15];
    let mut all = Vec::new();
    for base in edge {
        for disp in [0, -128, 128] {
            all.push(Mem::new(base, disp));
            for index in [Reg::Rax, Reg::Rbp, Reg::R12, Reg::R13] {
                all.push(Mem::indexed(base, index, 3, disp));
            }
        }
    }
    all
}

fn operands() -> Vec<Rm> {
    Reg::ALL.into_iter().map(Rm::R).chain(few_memories().into_iter().map(Rm::M)).collect()
}

#[test]
fn addresses() {
    let mut outside = Outside::new();
    for mem in memories() {
        for r in [Reg::Rcx, Reg::R9] {
            outside.check(Inst::Lea { dst: r, src: mem });
        }
    }
    assert!(outside.checked > 10_000);
}

#[test]
fn arithmetic() {
    let mut o = Outside::new();
    for op in ALUS {
        for size in SIZES {
            for dst in Reg::ALL {
                operands().into_iter().for_each(|src| o.check(Inst::Alu { op, size, dst, src }));
                few_memories().into_iter().for_each(|mem| o.check(Inst::AluStore { op, size, dst: mem, src: dst }));
            }
            for dst in operands() {
                IMMEDIATES.into_iter().for_each(|imm| o.check(Inst::AluImm { op, size, dst, imm }));
            }
        }
    }
    for size in SIZES {
        for a in operands() {
            Reg::ALL.into_iter().for_each(|b| o.check(Inst::Test { size, a, b }));
            IMMEDIATES.into_iter().for_each(|imm| o.check(Inst::TestImm { size, a, imm }));
        }
    }
    for src in operands() {
        for op in [Unary::Not, Unary::Neg, Unary::Mul, Unary::Imul, Unary::Div, Unary::Idiv] {
            o.check(Inst::Unary { op, rm: src });
        }
        for dst in Reg::ALL {
            o.check(Inst::Imul { dst, src });
            IMMEDIATES.into_iter().for_each(|imm| o.check(Inst::ImulImm { dst, src, imm }));
            for op in [Count::Bsf, Count::Bsr, Count::Tzcnt, Count::Lzcnt, Count::Popcnt] {
                o.check(Inst::Count { op, dst, src });
            }
            for op in [Adx::Adcx, Adx::Adox] {
                o.check(Inst::Adx { op, dst, src });
            }
            for cc in CONDITIONS {
                o.check(Inst::Cmov { cc, dst, src });
            }
            for other in Reg::ALL.into_iter().filter(|&r| r != dst) {
                o.check(Inst::Mulx { hi: dst, lo: other, src });
            }
        }
    }
}

#[test]
fn moves() {
    let mut o = Outside::new();
    for size in SIZES {
        for r in Reg::ALL {
            for signed in [false, true] {
                if size != Size::B64 || !signed {
                    operands().into_iter().for_each(|src| o.check(Inst::Load { size, signed, dst: r, src }));
                }
            }
            few_memories().into_iter().for_each(|dst| o.check(Inst::Store { size, dst, src: r }));
        }
        for dst in few_memories() {
            IMMEDIATES.into_iter().for_each(|imm| o.check(Inst::StoreImm { size, dst, imm }));
        }
    }
    let values = IMMEDIATES.into_iter().map(|imm| imm as u64).chain([u64::from(u32::MAX), 1 << 32, 1 << 63, 0x1234_5678_9abc_def0]);
    for value in values {
        Reg::ALL.into_iter().for_each(|dst| o.check(Inst::MovImm { dst, value }));
    }
    for mem in few_memories() {
        for r in Reg::ALL {
            o.check(Inst::MovbeLoad { dst: r, src: mem });
            o.check(Inst::MovbeStore { dst: mem, src: r });
            o.check(Inst::XorXmm(Xmm(r.number())));
            o.check(Inst::MovupsLoad { dst: Xmm(r.number()), src: mem });
            o.check(Inst::MovupsStore { dst: mem, src: Xmm(r.number()) });
        }
    }
    for a in Reg::ALL {
        o.check(Inst::Bswap(a));
        o.check(Inst::Push(a));
        o.check(Inst::Pop(a));
        // xchg rax, rax has an encoding of its own, nop.
        Reg::ALL.into_iter().filter(|&b| b != a).for_each(|b| o.check(Inst::Xchg { a, b }));
        CONDITIONS.into_iter().for_each(|cc| o.check(Inst::Setcc { cc, dst: a }));
    }
}

#[test]
fn shifts() {
    let mut o = Outside::new();
    for dst in Reg::ALL {
        for op in [Shift::Rol, Shift::Ror, Shift::Shl, Shift::Shr, Shift::Sar] {
            [1, 2, 63].into_iter().for_each(|amount| o.check(Inst::ShiftImm { op, dst, amount }));
            o.check(Inst::ShiftCl { op, dst });
        }
        for src in Reg::ALL {
            for op in [Double::Shld, Double::Shrd] {
                [1, 2, 63].into_iter().for_each(|amount| o.check(Inst::DoubleImm { op, dst, src, amount }));
                o.check(Inst::DoubleCl { op, dst, src });
            }
        }
        for src in operands() {
            [1, 63].into_iter().for_each(|amount| o.check(Inst::Rorx { dst, src, amount }));
            for op in [ShiftX::Shlx, ShiftX::Shrx, ShiftX::Sarx] {
                Reg::ALL.into_iter().for_each(|count| o.check(Inst::ShiftX { op, dst, src, count }));
            }
        }
    }
}

#[test]
fn control() {
    let mut o = Outside::new();
    for rm in operands() {
        o.check(Inst::Jmp(rm));
        o.check(Inst::Call(rm));
    }
    for rel in IMMEDIATES {
        o.check(Inst::JmpRip { disp: rel });
        Reg::ALL.into_iter().for_each(|dst| o.check(Inst::LeaRip { dst, disp: rel }));
        o.check(Inst::JmpRel { rel });
        o.check(Inst::CallRel { rel });
        CONDITIONS.into_iter().for_each(|cc| o.check(Inst::JccRel { cc, rel }));
    }
    for rel in [0, 1, -1, i8::MAX, i8::MIN] {
        o.check(Inst::JmpShort { rel });
        CONDITIONS.into_iter().for_each(|cc| o.check(Inst::JccShort { cc, rel }));
    }
    for inst in [Inst::Cqo, Inst::Stc, Inst::Cmc, Inst::Ret, Inst::Ud2, Inst::Nop] {
        o.check(inst);
    }
}

/// Every row of the table in every encoding that it says there is, over the registers at the edges of each field.
#[test]
fn vectors() {
    const EDGES: [u8; 4] = [0, 7, 8, 15];
    let mut o = Outside::new();
    let mut check = |inst: VectorInst| o.check_code(inst.encode(), inst);
    for &op in VectorOp::ALL {
        assert!(!op.codings().is_empty());
        for &coding in op.codings() {
            if op == VectorOp::Vzeroupper {
                check(VectorInst::three(op, coding, 0, 0, 0));
                continue;
            }
            let masks = format!("{}", VectorInst::three(op, coding, 0, 0, 0)).contains(" k0");
            let from_masks = format!("{}", VectorInst::three(op, coding, 0, 0, 0)).contains(", k0");
            let has_middle =
                VectorInst::three(op, coding, 0, 1, 0).to_string() != VectorInst::three(op, coding, 0, 0, 0).to_string();
            for reg in EDGES {
                for mid in EDGES {
                    for rm in EDGES {
                        if (masks && reg > 7) || (from_masks && rm > 7) || (!has_middle && mid != 0) {
                            continue;
                        }
                        for imm in [0, 1, 0x7f, 0xff] {
                            check(VectorInst::three(op, coding, reg, mid, rm).imm(imm));
                        }
                    }
                }
            }
        }
    }
    for op in [VectorOp::Movups, VectorOp::MovupsStore, VectorOp::Movq, VectorOp::MovqStore] {
        for &coding in op.codings() {
            for reg in EDGES {
                few_memories().into_iter().for_each(|mem| check(VectorInst::memory(op, coding, reg, mem)));
            }
            let unit = coding.bytes() as i32;
            for base in [Reg::Rax, Reg::Rbp, Reg::R13, Reg::Rsp, Reg::R12] {
                for disp in [0, 1, 8, unit, -unit, 127 * unit, 128 * unit, -128 * unit, -129 * unit, unit / 2, i32::MAX, i32::MIN] {
                    check(VectorInst::memory(op, coding, 1, Mem::new(base, disp)));
                }
            }
        }
    }
    assert_eq!(VectorInst::memory(VectorOp::Movups, Coding::Sse, 1, Mem::new(Reg::Rax, 0)).rm, VectorRm::M(Mem::new(Reg::Rax, 0)));
    assert!(o.checked > 50_000, "{}", o.checked);
}
