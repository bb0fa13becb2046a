//! Vector instructions: one table of opcodes, and their legacy, VEX and EVEX encodings (volume 2, chapters 2.1, 2.3, 2.7).
//!
//! Registers 16 to 31, masking, broadcasting and rounding control, which EVEX has too, are not used here.

use super::super::Code;
use super::Mem;
use super::encode::{Map, Op, Rex, address, reg_mem, reg_reg};

/// Which encoding, and how many bytes it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Legacy, 128 bits: the first source is the destination.
    Sse,
    /// VEX, 128 bits.
    Vex128,
    /// VEX, 256 bits.
    Vex256,
    /// EVEX, 128 bits.
    Evex128,
    /// EVEX, 256 bits.
    Evex256,
    /// EVEX, 512 bits.
    Evex512,
}

impl Coding {
    /// Bytes of a vector.
    pub const fn bytes(self) -> usize {
        match self {
            Coding::Sse | Coding::Vex128 | Coding::Evex128 => 16,
            Coding::Vex256 | Coding::Evex256 => 32,
            Coding::Evex512 => 64,
        }
    }

    /// The length field.
    const fn length(self) -> u8 {
        match self {
            Coding::Sse | Coding::Vex128 | Coding::Evex128 => 0,
            Coding::Vex256 | Coding::Evex256 => 1,
            Coding::Evex512 => 2,
        }
    }
}

/// The W bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum W {
    /// Clear.
    Zero,
    /// Set.
    One,
    /// Set in EVEX, where it says that lanes have 64 bits, and ignored in VEX.
    Evex,
}

/// What a register operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A vector of the instruction's size.
    Full,
    /// A vector of half the size, at least 128 bits.
    Half,
    /// 128 bits.
    Xmm,
    /// A general-purpose register of 32 bits.
    G32,
    /// Of 64 bits.
    G64,
    /// A mask register.
    K,
}

/// Where operands go, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// ModRM.reg, VEX.vvvv, ModRM.rm
    RegMidRm([Class; 3]),
    /// ModRM.reg, ModRM.rm
    RegRm([Class; 2]),
    /// ModRM.rm, ModRM.reg
    RmReg([Class; 2]),
    /// VEX.vvvv, ModRM.rm; an extension of the opcode in ModRM.reg
    MidRm(u8, [Class; 2]),
    /// None.
    Alone,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Without the `v` of VEX.
    pub name: &'static str,
    prefix: u8,
    map: Map,
    opcode: u8,
    w: W,
    codings: &'static [Coding],
    pub form: Form,
    /// Followed by a byte of immediate.
    pub imm: bool,
}

macro_rules! table {
    ($($variant:ident $name:literal $prefix:literal $map:ident $opcode:literal $w:ident $codings:ident $form:expr $(, $imm:ident)?;)*) => {
        /// An opcode; the names are the manual's, without the `v` of those that have legacy encodings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)] // the manual's names
        pub enum VectorOp { $($variant),* }

        impl VectorOp {
            /// All of them.
            pub const ALL: &[VectorOp] = &[$(VectorOp::$variant),*];

            /// The encodings it has, of those that are used here.
            pub const fn codings(self) -> &'static [Coding] {
                self.row().codings
            }

            pub(super) const fn row(self) -> Row {
                match self {
                    $(VectorOp::$variant => Row {
                        name: $name, prefix: $prefix, map: Map::$map, opcode: $opcode, w: W::$w, codings: $codings, form: $form,
                        imm: table!(@ $($imm)?),
                    }),*
                }
            }
        }
    };
    (@ imm) => { true };
    (@) => { false };
}

const EVERY: &[Coding] = &[Coding::Sse, Coding::Vex128, Coding::Vex256, Coding::Evex128, Coding::Evex256, Coding::Evex512];
const LEGACY_VEX: &[Coding] = &[Coding::Sse, Coding::Vex128, Coding::Vex256];
const LEGACY_VEX128: &[Coding] = &[Coding::Sse, Coding::Vex128];
const VEX_EVEX: &[Coding] = &[Coding::Vex128, Coding::Vex256, Coding::Evex128, Coding::Evex256, Coding::Evex512];
const VEX128: &[Coding] = &[Coding::Vex128];
const VEX256: &[Coding] = &[Coding::Vex256];
const EVEX: &[Coding] = &[Coding::Evex128, Coding::Evex256, Coding::Evex512];
const EVEX512: &[Coding] = &[Coding::Evex512];

const FFF: Form = Form::RegMidRm([Class::Full, Class::Full, Class::Full]);
const KFF: Form = Form::RegMidRm([Class::K, Class::Full, Class::Full]);
const FF: Form = Form::RegRm([Class::Full, Class::Full]);
const FH: Form = Form::RegRm([Class::Full, Class::Half]);
const HF: Form = Form::RegRm([Class::Half, Class::Full]);
const FX: Form = Form::RegRm([Class::Full, Class::Xmm]);
const XG: Form = Form::RegRm([Class::Xmm, Class::G32]);
const XQ: Form = Form::RegRm([Class::Xmm, Class::G64]);
const GX: Form = Form::RmReg([Class::G32, Class::Xmm]);
const QX: Form = Form::RmReg([Class::G64, Class::Xmm]);
const STORE_HALF: Form = Form::RmReg([Class::Half, Class::Full]);
const XXG: Form = Form::RegMidRm([Class::Xmm, Class::Xmm, Class::G32]);
const XXQ: Form = Form::RegMidRm([Class::Xmm, Class::Xmm, Class::G64]);

const fn shift(extension: u8) -> Form {
    Form::MidRm(extension, [Class::Full, Class::Full])
}

#[rustfmt::skip]
table! {
    // ---- moves ----
    Movups "movups" 0 Of 0x10 Zero EVERY FF;
    MovupsStore "movups" 0 Of 0x11 Zero EVERY Form::RmReg([Class::Full, Class::Full]);
    Movaps "movaps" 0 Of 0x28 Zero EVERY FF;
    Movq "movq" 0xf3 Of 0x7e Evex LEGACY_VEX128 Form::RegRm([Class::Xmm, Class::Xmm]);
    MovqStore "movq" 0x66 Of 0xd6 Evex LEGACY_VEX128 Form::RmReg([Class::Xmm, Class::Xmm]);
    MovdFrom "movd" 0x66 Of 0x6e Zero LEGACY_VEX128 XG;
    MovqFrom "movq" 0x66 Of 0x6e One LEGACY_VEX128 XQ;
    MovdTo "movd" 0x66 Of 0x7e Zero LEGACY_VEX128 GX;
    MovqTo "movq" 0x66 Of 0x7e One LEGACY_VEX128 QX;
    Pextrb "pextrb" 0x66 Of3a 0x14 Zero LEGACY_VEX128 GX, imm;
    Pextrw "pextrw" 0x66 Of 0xc5 Zero LEGACY_VEX128 Form::RegRm([Class::G32, Class::Xmm]), imm;
    Pextrd "pextrd" 0x66 Of3a 0x16 Zero LEGACY_VEX128 GX, imm;
    Pextrq "pextrq" 0x66 Of3a 0x16 One LEGACY_VEX128 QX, imm;
    Pinsrb "pinsrb" 0x66 Of3a 0x20 Zero LEGACY_VEX128 XXG, imm;
    Pinsrw "pinsrw" 0x66 Of 0xc4 Zero LEGACY_VEX128 XXG, imm;
    Pinsrd "pinsrd" 0x66 Of3a 0x22 Zero LEGACY_VEX128 XXG, imm;
    Pinsrq "pinsrq" 0x66 Of3a 0x22 One LEGACY_VEX128 XXQ, imm;
    Pshufd "pshufd" 0x66 Of 0x70 Zero EVERY FF, imm;
    Pshuflw "pshuflw" 0xf2 Of 0x70 Zero EVERY FF, imm;
    Pshufhw "pshufhw" 0xf3 Of 0x70 Zero EVERY FF, imm;
    Punpcklbw "punpcklbw" 0x66 Of 0x60 Zero EVERY FFF;
    Packsswb "packsswb" 0x66 Of 0x63 Zero EVERY FFF;
    Packssdw "packssdw" 0x66 Of 0x6b Zero EVERY FFF;
    Vpbroadcastb "pbroadcastb" 0x66 Of38 0x78 Zero VEX_EVEX FX;
    Vpbroadcastw "pbroadcastw" 0x66 Of38 0x79 Zero VEX_EVEX FX;
    Vpbroadcastd "pbroadcastd" 0x66 Of38 0x58 Zero VEX_EVEX FX;
    Vpbroadcastq "pbroadcastq" 0x66 Of38 0x59 Evex VEX_EVEX FX;
    Vextractf128 "extractf128" 0x66 Of3a 0x19 Zero VEX256 STORE_HALF, imm;
    Vextractf64x4 "extractf64x4" 0x66 Of3a 0x1b One EVEX512 STORE_HALF, imm;
    Vzeroupper "zeroupper" 0 Of 0x77 Zero VEX128 Form::Alone;
    // ---- floating point ----
    Addps "addps" 0 Of 0x58 Zero EVERY FFF;
    Addpd "addpd" 0x66 Of 0x58 Evex EVERY FFF;
    Subps "subps" 0 Of 0x5c Zero EVERY FFF;
    Subpd "subpd" 0x66 Of 0x5c Evex EVERY FFF;
    Mulps "mulps" 0 Of 0x59 Zero EVERY FFF;
    Mulpd "mulpd" 0x66 Of 0x59 Evex EVERY FFF;
    Divps "divps" 0 Of 0x5e Zero EVERY FFF;
    Divpd "divpd" 0x66 Of 0x5e Evex EVERY FFF;
    Minps "minps" 0 Of 0x5d Zero EVERY FFF;
    Minpd "minpd" 0x66 Of 0x5d Evex EVERY FFF;
    Maxps "maxps" 0 Of 0x5f Zero EVERY FFF;
    Maxpd "maxpd" 0x66 Of 0x5f Evex EVERY FFF;
    Sqrtps "sqrtps" 0 Of 0x51 Zero EVERY FF;
    Sqrtpd "sqrtpd" 0x66 Of 0x51 Evex EVERY FF;
    Rcpps "rcpps" 0 Of 0x53 Zero LEGACY_VEX FF;
    Rsqrtps "rsqrtps" 0 Of 0x52 Zero LEGACY_VEX FF;
    Cmpps "cmpps" 0 Of 0xc2 Zero LEGACY_VEX FFF, imm;
    Cmppd "cmppd" 0x66 Of 0xc2 Zero LEGACY_VEX FFF, imm;
    Vfmadd213ps "fmadd213ps" 0x66 Of38 0xa8 Zero VEX_EVEX FFF;
    Vfmadd213pd "fmadd213pd" 0x66 Of38 0xa8 One VEX_EVEX FFF;
    Vfmadd231ps "fmadd231ps" 0x66 Of38 0xb8 Zero VEX_EVEX FFF;
    Vfmadd231pd "fmadd231pd" 0x66 Of38 0xb8 One VEX_EVEX FFF;
    Andps "andps" 0 Of 0x54 Zero LEGACY_VEX FFF;
    Andnps "andnps" 0 Of 0x55 Zero LEGACY_VEX FFF;
    Orps "orps" 0 Of 0x56 Zero LEGACY_VEX FFF;
    Xorps "xorps" 0 Of 0x57 Zero LEGACY_VEX FFF;
    // ---- conversions ----
    Cvtdq2ps "cvtdq2ps" 0 Of 0x5b Zero EVERY FF;
    Cvttps2dq "cvttps2dq" 0xf3 Of 0x5b Zero EVERY FF;
    Cvtps2pd "cvtps2pd" 0 Of 0x5a Zero EVERY FH;
    Cvtpd2ps "cvtpd2ps" 0x66 Of 0x5a Evex EVERY HF;
    Vcvtph2ps "cvtph2ps" 0x66 Of38 0x13 Zero VEX_EVEX FH;
    Vcvtps2ph "cvtps2ph" 0x66 Of3a 0x1d Zero VEX_EVEX STORE_HALF, imm;
    Vcvtqq2pd "cvtqq2pd" 0xf3 Of 0xe6 One EVEX FF;
    Vcvttpd2qq "cvttpd2qq" 0x66 Of 0x7a One EVEX FF;
    // ---- integers ----
    Paddb "paddb" 0x66 Of 0xfc Zero EVERY FFF;
    Paddw "paddw" 0x66 Of 0xfd Zero EVERY FFF;
    Paddd "paddd" 0x66 Of 0xfe Zero EVERY FFF;
    Paddq "paddq" 0x66 Of 0xd4 Evex EVERY FFF;
    Psubb "psubb" 0x66 Of 0xf8 Zero EVERY FFF;
    Psubw "psubw" 0x66 Of 0xf9 Zero EVERY FFF;
    Psubd "psubd" 0x66 Of 0xfa Zero EVERY FFF;
    Psubq "psubq" 0x66 Of 0xfb Evex EVERY FFF;
    Pmullw "pmullw" 0x66 Of 0xd5 Zero EVERY FFF;
    Pmulld "pmulld" 0x66 Of38 0x40 Zero EVERY FFF;
    Pmuludq "pmuludq" 0x66 Of 0xf4 Evex EVERY FFF;
    Vpmullq "pmullq" 0x66 Of38 0x40 One EVEX FFF;
    Pand "pand" 0x66 Of 0xdb Zero LEGACY_VEX FFF;
    Pandn "pandn" 0x66 Of 0xdf Zero LEGACY_VEX FFF;
    Por "por" 0x66 Of 0xeb Zero LEGACY_VEX FFF;
    Pxor "pxor" 0x66 Of 0xef Zero LEGACY_VEX FFF;
    Vpandd "pandd" 0x66 Of 0xdb Zero EVEX FFF;
    Vpandnd "pandnd" 0x66 Of 0xdf Zero EVEX FFF;
    Vpord "pord" 0x66 Of 0xeb Zero EVEX FFF;
    Vpxord "pxord" 0x66 Of 0xef Zero EVEX FFF;
    Vpternlogd "pternlogd" 0x66 Of3a 0x25 Zero EVEX FFF, imm;
    Pcmpeqb "pcmpeqb" 0x66 Of 0x74 Zero LEGACY_VEX FFF;
    Pcmpeqw "pcmpeqw" 0x66 Of 0x75 Zero LEGACY_VEX FFF;
    Pcmpeqd "pcmpeqd" 0x66 Of 0x76 Zero LEGACY_VEX FFF;
    Pcmpeqq "pcmpeqq" 0x66 Of38 0x29 Zero LEGACY_VEX FFF;
    Pcmpgtb "pcmpgtb" 0x66 Of 0x64 Zero LEGACY_VEX FFF;
    Pcmpgtw "pcmpgtw" 0x66 Of 0x65 Zero LEGACY_VEX FFF;
    Pcmpgtd "pcmpgtd" 0x66 Of 0x66 Zero LEGACY_VEX FFF;
    Pcmpgtq "pcmpgtq" 0x66 Of38 0x37 Zero LEGACY_VEX FFF;
    Pminsb "pminsb" 0x66 Of38 0x38 Zero EVERY FFF;
    Pminsw "pminsw" 0x66 Of 0xea Zero EVERY FFF;
    Pminsd "pminsd" 0x66 Of38 0x39 Zero EVERY FFF;
    Vpminsq "pminsq" 0x66 Of38 0x39 One EVEX FFF;
    Pminub "pminub" 0x66 Of 0xda Zero EVERY FFF;
    Pminuw "pminuw" 0x66 Of38 0x3a Zero EVERY FFF;
    Pminud "pminud" 0x66 Of38 0x3b Zero EVERY FFF;
    Vpminuq "pminuq" 0x66 Of38 0x3b One EVEX FFF;
    Pmaxsb "pmaxsb" 0x66 Of38 0x3c Zero EVERY FFF;
    Pmaxsw "pmaxsw" 0x66 Of 0xee Zero EVERY FFF;
    Pmaxsd "pmaxsd" 0x66 Of38 0x3d Zero EVERY FFF;
    Vpmaxsq "pmaxsq" 0x66 Of38 0x3d One EVEX FFF;
    Pmaxub "pmaxub" 0x66 Of 0xde Zero EVERY FFF;
    Pmaxuw "pmaxuw" 0x66 Of38 0x3e Zero EVERY FFF;
    Pmaxud "pmaxud" 0x66 Of38 0x3f Zero EVERY FFF;
    Vpmaxuq "pmaxuq" 0x66 Of38 0x3f One EVEX FFF;
    Pabsb "pabsb" 0x66 Of38 0x1c Zero EVERY FF;
    Pabsw "pabsw" 0x66 Of38 0x1d Zero EVERY FF;
    Pabsd "pabsd" 0x66 Of38 0x1e Zero EVERY FF;
    Vpabsq "pabsq" 0x66 Of38 0x1f One EVEX FF;
    // ---- shifts ----
    Psllw "psllw" 0x66 Of 0x71 Zero EVERY shift(6), imm;
    Psrlw "psrlw" 0x66 Of 0x71 Zero EVERY shift(2), imm;
    Psraw "psraw" 0x66 Of 0x71 Zero EVERY shift(4), imm;
    Pslld "pslld" 0x66 Of 0x72 Zero EVERY shift(6), imm;
    Psrld "psrld" 0x66 Of 0x72 Zero EVERY shift(2), imm;
    Psrad "psrad" 0x66 Of 0x72 Zero EVERY shift(4), imm;
    Psllq "psllq" 0x66 Of 0x73 Evex EVERY shift(6), imm;
    Psrlq "psrlq" 0x66 Of 0x73 Evex EVERY shift(2), imm;
    Vpsraq "psraq" 0x66 Of 0x72 One EVEX shift(4), imm;
    Vpsllvw "psllvw" 0x66 Of38 0x12 One EVEX FFF;
    Vpsllvd "psllvd" 0x66 Of38 0x47 Zero VEX_EVEX FFF;
    Vpsllvq "psllvq" 0x66 Of38 0x47 One VEX_EVEX FFF;
    Vpsrlvw "psrlvw" 0x66 Of38 0x10 One EVEX FFF;
    Vpsrlvd "psrlvd" 0x66 Of38 0x45 Zero VEX_EVEX FFF;
    Vpsrlvq "psrlvq" 0x66 Of38 0x45 One VEX_EVEX FFF;
    Vpsravw "psravw" 0x66 Of38 0x11 One EVEX FFF;
    Vpsravd "psravd" 0x66 Of38 0x46 Zero VEX_EVEX FFF;
    Vpsravq "psravq" 0x66 Of38 0x46 One EVEX FFF;
    // ---- AVX-512: masks, estimates ----
    Vpcmpb "pcmpb" 0x66 Of3a 0x3f Zero EVEX KFF, imm;
    Vpcmpw "pcmpw" 0x66 Of3a 0x3f One EVEX KFF, imm;
    Vpcmpd "pcmpd" 0x66 Of3a 0x1f Zero EVEX KFF, imm;
    Vpcmpq "pcmpq" 0x66 Of3a 0x1f One EVEX KFF, imm;
    Vpcmpub "pcmpub" 0x66 Of3a 0x3e Zero EVEX KFF, imm;
    Vpcmpuw "pcmpuw" 0x66 Of3a 0x3e One EVEX KFF, imm;
    Vpcmpud "pcmpud" 0x66 Of3a 0x1e Zero EVEX KFF, imm;
    Vpcmpuq "pcmpuq" 0x66 Of3a 0x1e One EVEX KFF, imm;
    VcmppsMask "cmpps" 0 Of 0xc2 Zero EVEX KFF, imm;
    VcmppdMask "cmppd" 0x66 Of 0xc2 One EVEX KFF, imm;
    Vpmovm2b "pmovm2b" 0xf3 Of38 0x28 Zero EVEX Form::RegRm([Class::Full, Class::K]);
    Vpmovm2w "pmovm2w" 0xf3 Of38 0x28 One EVEX Form::RegRm([Class::Full, Class::K]);
    Vpmovm2d "pmovm2d" 0xf3 Of38 0x38 Zero EVEX Form::RegRm([Class::Full, Class::K]);
    Vpmovm2q "pmovm2q" 0xf3 Of38 0x38 One EVEX Form::RegRm([Class::Full, Class::K]);
    Vrcp14ps "rcp14ps" 0x66 Of38 0x4c Zero EVEX FF;
    Vrcp14pd "rcp14pd" 0x66 Of38 0x4c One EVEX FF;
    Vrsqrt14ps "rsqrt14ps" 0x66 Of38 0x4e Zero EVEX FF;
    Vrsqrt14pd "rsqrt14pd" 0x66 Of38 0x4e One EVEX FF;
}

/// The operand that may be in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VectorRm {
    /// The number of a register, of the kind the instruction has there.
    R(u8),
    /// Memory.
    M(Mem),
}

/// A vector instruction with its operands where the encoding has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VectorInst {
    /// Opcode.
    pub op: VectorOp,
    /// Encoding and size.
    pub coding: Coding,
    /// ModRM.reg; 0 where the form has none.
    pub reg: u8,
    /// VEX.vvvv; 0 where the form has none. Legacy encodings have it in `reg`, or in `rm` for shifts.
    pub mid: u8,
    /// ModRM.rm
    pub rm: VectorRm,
    /// Immediate; 0 where there is none.
    pub imm: u8,
}

impl VectorInst {
    /// Operands in the order in which they are written.
    #[inline]
    pub const fn three(op: VectorOp, coding: Coding, a: u8, b: u8, c: u8) -> VectorInst {
        VectorInst { op, coding, reg: a, mid: b, rm: VectorRm::R(c), imm: 0 }
    }

    /// Likewise.
    #[inline]
    pub const fn two(op: VectorOp, coding: Coding, a: u8, b: u8) -> VectorInst {
        let (reg, mid, rm) = match op.row().form {
            Form::RegMidRm(_) => (a, a, b),
            Form::RegRm(_) => (a, 0, b),
            Form::RmReg(_) => (b, 0, a),
            Form::MidRm(..) => (0, a, b),
            Form::Alone => (0, 0, 0),
        };
        VectorInst { op, coding, reg, mid, rm: VectorRm::R(rm), imm: 0 }
    }

    /// A load or store.
    #[inline]
    pub const fn memory(op: VectorOp, coding: Coding, reg: u8, mem: Mem) -> VectorInst {
        VectorInst { op, coding, reg, mid: 0, rm: VectorRm::M(mem), imm: 0 }
    }

    /// The same with an immediate.
    #[inline]
    pub const fn imm(self, imm: u8) -> VectorInst {
        VectorInst { imm, ..self }
    }

    /// Its bytes.
    pub fn encode(self) -> Code {
        let row = self.op.row();
        let (reg, mid) = match row.form {
            Form::MidRm(extension, _) => (extension, self.mid),
            Form::RegMidRm(_) | Form::RegRm(_) | Form::RmReg(_) | Form::Alone => (self.reg, self.mid),
        };
        let code = match (row.form, self.coding) {
            (Form::Alone, _) => return Code::short(0x0077_f8c5, 3),
            (_, Coding::Sse) => {
                let op = Op::prefixed(row.prefix, row.map, row.opcode);
                let rex = if matches!(row.w, W::One) { Rex::W } else { Rex::NONE };
                match self.rm {
                    VectorRm::R(rm) => reg_reg(op, rex, reg, rm),
                    VectorRm::M(mem) => reg_mem(op, rex, reg, mem),
                }
            }
            (_, Coding::Vex128 | Coding::Vex256) => vex(row, self.coding, reg, mid, self.rm),
            (_, Coding::Evex128 | Coding::Evex256 | Coding::Evex512) => evex(row, self.coding, reg, mid, self.rm),
        };
        if row.imm { code.then(self.imm.into(), 1) } else { code }
    }
}

/// The two bits that stand for the mandatory prefix.
const fn prefix_bits(prefix: u8) -> u8 {
    match prefix {
        0x66 => 1,
        0xf3 => 2,
        0xf2 => 3,
        _ => 0,
    }
}

/// Bits 3 of the register numbers in ModRM.rm and SIB.index.
const fn extension_bits(rm: VectorRm) -> (u8, u8) {
    match rm {
        VectorRm::R(r) => (0, r >> 3),
        VectorRm::M(mem) => (mem.index_number() >> 3, mem.base_number() >> 3),
    }
}

/// ModRM and what follows it; displacements of one byte count in units of `unit` bytes.
fn operand(reg: u8, rm: VectorRm, unit: i32) -> (u64, u32) {
    match rm {
        VectorRm::R(r) => ((0xc0 | ((reg & 7) << 3) | (r & 7)) as u64, 1),
        VectorRm::M(mem) if unit == 1 => address(reg, mem),
        VectorRm::M(mem) if mem.disp() % unit == 0 && i8::try_from(mem.disp() / unit).is_ok() => {
            address(reg, mem.at(mem.disp() / unit))
        }
        VectorRm::M(mem) => {
            // Four bytes of displacement, whatever it is.
            let (bits, len) = address(reg, mem.at(i32::MIN));
            let at = 8 * (len - 4);
            (bits & ((1 << at) - 1) | u64::from(mem.disp() as u32) << at, len)
        }
    }
}

fn vex(row: Row, coding: Coding, reg: u8, mid: u8, rm: VectorRm) -> Code {
    let (x, b) = extension_bits(rm);
    let last = ((mid ^ 15) << 3) | (coding.length() << 2) | prefix_bits(row.prefix);
    let r = reg >> 3;
    let w = matches!(row.w, W::One);
    let (head, len) = if x == 0 && b == 0 && !w && row.map == Map::Of {
        (u32::from_le_bytes([0xc5, (r ^ 1) << 7 | last, row.opcode, 0]), 3)
    } else {
        let inverted = (r << 7 | x << 6 | b << 5) ^ 0xe0;
        (u32::from_le_bytes([0xc4, inverted | row.map.field(), (w as u8) << 7 | last, row.opcode]), 4)
    };
    let (operand, operand_len) = operand(reg, rm, 1);
    Code::short(head.into(), len).then(operand, operand_len)
}

fn evex(row: Row, coding: Coding, reg: u8, mid: u8, rm: VectorRm) -> Code {
    let (x, b) = extension_bits(rm);
    // R, X, B and the bits above them, inverted; the latter are never needed.
    let first = ((reg >> 3 << 7 | x << 6 | b << 5) ^ 0xe0) | 0x10 | row.map.field();
    let w = matches!(row.w, W::One | W::Evex);
    let second = (w as u8) << 7 | ((mid ^ 15) << 3) | 4 | prefix_bits(row.prefix);
    let third = coding.length() << 5 | 8;
    let head = u32::from_le_bytes([0x62, first, second, third]);
    let (operand, operand_len) = operand(reg, rm, coding.bytes() as i32);
    Code::short(head as u64 | (row.opcode as u64) << 32, 5).then(operand, operand_len)
}
