//! Cranelift with its fastest settings: no optimisation, the single-pass register allocator, no verifier.

use crate::program::{Program, REGISTERS, Step};
use crate::{Line, best};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlags, Signature, Value};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};
use std::error::Error;
use std::hint::black_box;

/// Functions per module, before a new one is begun.
const MODULE_FUNCTIONS: usize = 200;

fn isa() -> Result<OwnedTargetIsa, Box<dyn Error>> {
    let mut flags = settings::builder();
    flags.set("opt_level", "none")?;
    flags.set("regalloc_algorithm", "single_pass")?;
    flags.set("enable_verifier", "false")?;
    Ok(cranelift_native::builder()?.finish(settings::Flags::new(flags))?)
}

/// The function's body, in Cranelift's own representation.
fn build(program: &Program, mut builder: FunctionBuilder<'_>) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let argument = builder.block_params(entry)[0];
    match program {
        Program::Sum => {
            let [n, sum] = [builder.declare_var(I64), builder.declare_var(I64)];
            let zero = builder.ins().iconst(I64, 0);
            builder.def_var(n, argument);
            builder.def_var(sum, zero);
            let [again, body, done] = [(); 3].map(|()| builder.create_block());
            builder.ins().jump(again, &[]);
            builder.switch_to_block(again);
            let left = builder.use_var(n);
            builder.ins().brif(left, body, &[], done, &[]);
            builder.switch_to_block(body);
            let (left, total) = (builder.use_var(n), builder.use_var(sum));
            let total = builder.ins().iadd(total, left);
            let left = builder.ins().iadd_imm(left, -1);
            builder.def_var(n, left);
            builder.def_var(sum, total);
            builder.ins().jump(again, &[]);
            builder.switch_to_block(done);
            let total = builder.use_var(sum);
            builder.ins().return_(&[total]);
        }
        Program::Straight(steps) => straight(steps, argument, &mut builder),
    }
    builder.seal_all_blocks();
    builder.finalize();
}

fn straight(steps: &[Step], memory: Value, builder: &mut FunctionBuilder<'_>) {
    let flags = MemFlags::trusted();
    let regs: [Variable; REGISTERS] = [(); REGISTERS].map(|()| builder.declare_var(I64));
    for (n, &r) in regs.iter().enumerate() {
        let value = builder.ins().load(I64, flags, memory, 8 * n as i32);
        builder.def_var(r, value);
    }
    let mut blocks = vec![None; steps.len() + 1];
    let enter = |builder: &mut FunctionBuilder<'_>, block| {
        if let Some(block) = block {
            builder.ins().jump(block, &[]);
            builder.switch_to_block(block);
        }
    };
    for (n, &step) in steps.iter().enumerate() {
        enter(builder, blocks[n]);
        let mut get = |r: usize| builder.use_var(regs[r]);
        let (d, value) = match step {
            Step::Add(d, b) => (d, [get(d), get(b)]),
            Step::Sub(d, b) | Step::Xor(d, b) | Step::Mul(d, b) | Step::SkipIfLess(d, b, _) => (d, [get(d), get(b)]),
            Step::AddImm(d, _) | Step::Shl(d, _) | Step::Load(d, _) | Step::Store(d, _) => (d, [get(d); 2]),
        };
        let [a, b] = value;
        let value = match step {
            Step::Add(..) => builder.ins().iadd(a, b),
            Step::Sub(..) => builder.ins().isub(a, b),
            Step::Xor(..) => builder.ins().bxor(a, b),
            Step::Mul(..) => builder.ins().imul(a, b),
            Step::AddImm(_, imm) => builder.ins().iadd_imm(a, i64::from(imm)),
            Step::Shl(_, amount) => builder.ins().ishl_imm(a, i64::from(amount)),
            Step::Load(_, n) => builder.ins().load(I64, flags, memory, 8 * n as i32),
            Step::Store(_, n) => {
                builder.ins().store(flags, a, memory, 8 * n as i32);
                continue;
            }
            Step::SkipIfLess(_, _, to) => {
                let less = builder.ins().icmp(IntCC::UnsignedLessThan, a, b);
                let target = *blocks[to].get_or_insert_with(|| builder.create_block());
                let next = builder.create_block();
                builder.ins().brif(less, target, &[], next, &[]);
                builder.switch_to_block(next);
                continue;
            }
        };
        builder.def_var(regs[d], value);
    }
    enter(builder, blocks[steps.len()]);
    let first = builder.use_var(regs[0]);
    let all = regs[1..].iter().fold(first, |all, &r| {
        let r = builder.use_var(r);
        builder.ins().bxor(all, r)
    });
    builder.ins().return_(&[all]);
}

/// What is kept from function to function.
struct Generator {
    isa: OwnedTargetIsa,
    module: JITModule,
    functions: usize,
    context: Context,
    builder: FunctionBuilderContext,
    signature: Signature,
}

impl Generator {
    fn new() -> Result<Generator, Box<dyn Error>> {
        let isa = isa()?;
        let module = JITModule::new(JITBuilder::with_isa(isa.clone(), default_libcall_names()));
        let mut signature = module.make_signature();
        signature.params.push(AbiParam::new(I64));
        signature.returns.push(AbiParam::new(I64));
        let context = module.make_context();
        Ok(Generator { isa, module, functions: 0, context, builder: FunctionBuilderContext::new(), signature })
    }

    fn describe(&mut self, program: &Program) {
        self.context.clear();
        self.context.func.signature = self.signature.clone();
        build(program, FunctionBuilder::new(&mut self.context.func, &mut self.builder));
    }

    /// How many bytes came out.
    fn bytes(&mut self, program: &Program) -> usize {
        self.describe(program);
        let compiled = self.context.compile(&*self.isa, &mut ControlPlane::default()).expect("it compiles");
        compiled.code_buffer().len()
    }

    /// Callable, in the module's memory, which is begun anew now and then.
    fn callable(&mut self, program: &Program) -> *const u8 {
        if self.functions == MODULE_FUNCTIONS {
            let new = JITModule::new(JITBuilder::with_isa(self.isa.clone(), default_libcall_names()));
            // SAFETY: nobody calls its functions any more.
            unsafe { core::mem::replace(&mut self.module, new).free_memory() };
            self.functions = 0;
        }
        self.describe(program);
        let id = self.module.declare_anonymous_function(&self.signature).expect("a new function");
        self.module.define_function(id, &mut self.context).expect("it compiles");
        self.module.finalize_definitions().expect("code memory");
        self.functions += 1;
        self.module.get_finalized_function(id)
    }
}

pub fn run(program: &Program) -> Result<Vec<Line>, Box<dyn Error>> {
    let mut generator = Generator::new()?;
    let bytes = generator.bytes(program);
    let time_bytes = best(|| {
        black_box(generator.bytes(black_box(program)));
    });
    let entry = generator.callable(program);
    // SAFETY: made of this program, in memory that lives.
    unsafe { program.check(entry) };
    let time_callable = best(|| {
        black_box(generator.callable(black_box(program)));
    });
    Ok(vec![
        Line { what: "cranelift: to bytes", time: time_bytes, bytes },
        Line { what: "cranelift-jit: callable", time: time_callable, bytes },
    ])
}
