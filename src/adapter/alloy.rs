//! alloy-evm's factory (feature `alloy`): what is generic over `EvmFactory`, block executors above all, switches to ejit by one type.
//!
//! Transactions are executed by [`EjitEvm`]; with an inspector that is enabled, by revm's own loop, interpreted, so that it sees every
//! step as it would with `EthEvmFactory`.
//!
//! ```
//! use alloy_evm::{Evm, EvmEnv, EvmFactory};
//! use ejit::{adapter::EjitEvmFactory, engine::Engine};
//! use revm::{context::TxEnv, database_interface::EmptyDB};
//!
//! let factory = EjitEvmFactory::new(Engine::default());
//! let mut evm = factory.create_evm(EmptyDB::default(), EvmEnv::default());
//! let tx = TxEnv::builder().gas_price(0).gas_limit(21_000).build().unwrap();
//! assert!(evm.transact_raw(tx).unwrap().result.is_success());
//! ```

use super::{Counters, EjitEvm};
use crate::engine::Engine;
use alloy_evm::{
    Database, Evm, EvmEnv, EvmFactory,
    precompiles::PrecompilesMap,
    revm::{
        Context, ExecuteEvm, InspectEvm, Inspector, MainContext, SystemCallEvm,
        context::{BlockEnv, CfgEnv, DBErrorMarker, TxEnv},
        context_interface::result::{EVMError, HaltReason, ResultAndState},
        inspector::NoOpInspector,
        precompile::{PrecompileSpecId, Precompiles},
        primitives::{Address, Bytes, hardfork::SpecId},
    },
};
use core::fmt;

/// The context of Ethereum's EVMs over a database.
type EthContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB>;

/// Makes EVMs that share an engine. Cheap to clone; where `EthEvmFactory` stands, this can.
#[derive(Clone, Debug, Default)]
pub struct EjitEvmFactory {
    engine: Engine,
}

impl EjitEvmFactory {
    /// A factory on `engine`.
    pub fn new(engine: Engine) -> EjitEvmFactory {
        EjitEvmFactory { engine }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn create<DB: Database, I>(&self, db: DB, env: EvmEnv, inspector: I, inspect: bool) -> EjitAlloyEvm<DB, I> {
        let precompiles = PrecompilesMap::from_static(Precompiles::new(PrecompileSpecId::from_spec_id(env.cfg_env.spec)));
        let context = Context::mainnet().with_block(env.block_env).with_cfg(env.cfg_env).with_db(db);
        EjitAlloyEvm { inner: EjitEvm::new(context, inspector, precompiles, &self.engine), inspect }
    }
}

impl EvmFactory for EjitEvmFactory {
    type Evm<DB: Database, I: Inspector<EthContext<DB>>> = EjitAlloyEvm<DB, I>;
    type Context<DB: Database> = EthContext<DB>;
    type Tx = TxEnv;
    type Error<DBError: DBErrorMarker> = EVMError<DBError>;
    type HaltReason = HaltReason;
    type Spec = SpecId;
    type BlockEnv = BlockEnv;
    type Precompiles = PrecompilesMap;

    fn create_evm<DB: Database>(&self, db: DB, env: EvmEnv) -> EjitAlloyEvm<DB, NoOpInspector> {
        self.create(db, env, NoOpInspector {}, false)
    }

    fn create_evm_with_inspector<DB: Database, I: Inspector<EthContext<DB>>>(
        &self,
        db: DB,
        env: EvmEnv,
        inspector: I,
    ) -> EjitAlloyEvm<DB, I> {
        self.create(db, env, inspector, true)
    }
}

/// [`EjitEvm`] as alloy-evm's `Evm`, with an inspector that can be switched on and off.
pub struct EjitAlloyEvm<DB: Database, I> {
    inner: EjitEvm<EthContext<DB>, I, super::StandardInstructions<EthContext<DB>>, PrecompilesMap>,
    inspect: bool,
}

impl<DB: Database, I> EjitAlloyEvm<DB, I> {
    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.inner.counters()
    }
}

impl<DB: Database, I> fmt::Debug for EjitAlloyEvm<DB, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EjitAlloyEvm").field("inspect", &self.inspect).field("counters", &self.counters()).finish_non_exhaustive()
    }
}

impl<DB: Database, I: Inspector<EthContext<DB>>> Evm for EjitAlloyEvm<DB, I> {
    type DB = DB;
    type Tx = TxEnv;
    type Error = EVMError<DB::Error>;
    type HaltReason = HaltReason;
    type Spec = SpecId;
    type BlockEnv = BlockEnv;
    type Precompiles = PrecompilesMap;
    type Inspector = I;

    fn block(&self) -> &BlockEnv {
        &self.inner.ctx.block
    }

    fn cfg_env(&self) -> &CfgEnv {
        &self.inner.ctx.cfg
    }

    fn chain_id(&self) -> u64 {
        self.inner.ctx.cfg.chain_id
    }

    fn transact_raw(&mut self, tx: TxEnv) -> Result<ResultAndState, Self::Error> {
        if self.inspect { self.inner.inspect_tx(tx) } else { self.inner.transact(tx) }
    }

    fn transact_system_call(&mut self, caller: Address, contract: Address, data: Bytes) -> Result<ResultAndState, Self::Error> {
        self.inner.system_call_with_caller(caller, contract, data)
    }

    fn finish(self) -> (DB, EvmEnv) {
        let Context { block: block_env, cfg: cfg_env, journaled_state, .. } = self.inner.inner.ctx;
        (journaled_state.database, EvmEnv { block_env, cfg_env })
    }

    fn set_inspector_enabled(&mut self, enabled: bool) {
        self.inspect = enabled;
    }

    fn components(&self) -> (&DB, &I, &PrecompilesMap) {
        let evm = &self.inner.inner;
        (&evm.ctx.journaled_state.database, &evm.inspector, &evm.precompiles)
    }

    fn components_mut(&mut self) -> (&mut DB, &mut I, &mut PrecompilesMap) {
        let evm = &mut self.inner.inner;
        (&mut evm.ctx.journaled_state.database, &mut evm.inspector, &mut evm.precompiles)
    }
}
